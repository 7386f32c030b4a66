package odoo

import (
	"context"
	"fmt"
	"time"

	"ordergate/order"
)

// domain is a search expression of Odoo, in prefix notation.
type domain = []any

func condition(field, operator string, value any) any { return []any{field, operator, value} }

func idsIn(field string, ids []int64) domain { return domain{condition(field, "in", anySlice(ids))} }

func anySlice[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// archivedToo is the context without which Odoo leaves archived records out.
var archivedToo = map[string]any{"active_test": false}

// query is a search_read.
type query struct {
	model   string
	domain  domain
	fields  []string
	order   string // by rising id if empty
	limit   int    // none if 0
	context map[string]any
}

func (c *Client) searchRead(ctx context.Context, q query) ([]record, answer, error) {
	kwargs := map[string]any{"fields": anySlice(q.fields), "order": "id asc"}
	if q.order != "" {
		kwargs["order"] = q.order
	}
	if q.limit > 0 {
		kwargs["limit"] = q.limit
	}
	if q.context != nil {
		kwargs["context"] = q.context
	}
	a, err := c.execute(ctx, q.model, "search_read", []any{q.domain}, kwargs)
	if err != nil {
		return nil, answer{}, err
	}
	list, err := records(a.value)
	if err != nil {
		named(err, q.model+".search_read")
		return nil, answer{}, err
	}
	return list, a, nil
}

// readRaw reads records by id, without the names of the records that they refer to. What does not exist is left out.
func (c *Client) readRaw(ctx context.Context, model string, ids []int64, fields []string) ([]record, answer, error) {
	a, err := c.execute(ctx, model, "read", []any{anySlice(ids), anySlice(fields)}, map[string]any{"load": ""})
	if err != nil {
		return nil, answer{}, err
	}
	list, err := records(a.value)
	if err != nil {
		named(err, model+".read")
		return nil, answer{}, err
	}
	return list, a, nil
}

// search returns up to limit ids, rising; all if limit is 0.
func (c *Client) search(ctx context.Context, model string, d domain, limit int) ([]int64, error) {
	kwargs := map[string]any{"order": "id asc"}
	if limit > 0 {
		kwargs["limit"] = limit
	}
	a, err := c.execute(ctx, model, "search", []any{d}, kwargs)
	if err != nil {
		return nil, err
	}
	ids, err := idList(a.value)
	if err != nil {
		named(err, model+".search")
		return nil, err
	}
	return ids, nil
}

func idList(v any) ([]int64, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, badAnswer(fmt.Errorf("%T instead of a list of ids", v))
	}
	ids := make([]int64, len(list))
	for i, element := range list {
		if ids[i], ok = element.(int64); !ok {
			return nil, badAnswer(fmt.Errorf("%T instead of an id", element))
		}
	}
	return ids, nil
}

// pageDomain selects the records of a page; since holds the conditions on the time of writing.
func pageDomain(p Page, since func(at string) domain) domain {
	d := inRange(order.IDRange{After: p.AfterID, UpTo: p.UpToID})
	if p.Since.IsZero() {
		return d
	}
	return append(since(p.Since.UTC().Format(timeLayout)), d...)
}

// inRange selects the records of a range of ids.
func inRange(r order.IDRange) domain {
	d := domain{condition("id", ">", r.After)}
	if r.UpTo != 0 {
		d = append(d, condition("id", "<=", r.UpTo))
	}
	return d
}

func writtenSince(at string) domain { return domain{condition("write_date", ">=", at)} }

// firstError returns the first wrong value met in a list of records.
func firstError(method string, list []record) error {
	for i := range list {
		if err := list[i].err; err != nil {
			named(err, method)
			return err
		}
	}
	return nil
}

// asOf is a moment, by the ERP's clock, before which everything committed is in an answer: its Date, less the time that
// the call took, less the second to which Date is cut. Zero if the answer had no Date.
func (a answer) asOf() time.Time {
	if a.date.IsZero() {
		return time.Time{}
	}
	return a.date.Add(-a.took - time.Second)
}
