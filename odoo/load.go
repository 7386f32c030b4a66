package odoo

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ordergate/failpoint"
)

// table is what load takes: columns, and one row of texts for each line of the record. The record's own columns are
// filled on the first row only; a row whose own columns are empty continues the record above it.
type table struct {
	columns []string
	rows    [][]string
}

// idPrefix makes the names of external ids ours.
const idPrefix = "ordergate."

// createIfAbsent makes load leave alone what exists: with both keys a second call with the same external ids creates
// nothing, changes nothing, and returns the same id. Without either it overwrites.
var createIfAbsent = map[string]any{"mode": "update", "noupdate": true}

// loadContext is the context of the calls that create.
func loadContext() map[string]any {
	if failpoint.Out(failpoint.LeaveAlone) {
		return nil
	}
	return createIfAbsent
}

// findOnly is createIfAbsent for an order without a customer, which can therefore not be created: not even where an
// addon gives orders a customer of their own accord.
var findOnly = map[string]any{"mode": "update", "noupdate": true, "default_partner_id": false}

// isExternalID reports whether s can be the name part of an external id. A dot would name another module.
func isExternalID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	})
}

func badExternalID(field string, row int) *Error {
	return &Error{Outcome: Rejected, Reason: BusinessRule, Field: field, Row: row,
		Message: "external ids must be unique and made of letters, digits and underscores"}
}

// loadEnd is how a call of load ended: the ids, in the order of the records; or, made by none of them, why some of the
// records were refused, by their position in the call; or err, for all of them.
type loadEnd struct {
	ids     []int64
	refused map[int]*Error
	err     *Error
}

// loadOnce makes one call of load, for records of the same columns.
func (c *Client) loadOnce(ctx context.Context, model string, tables []table, rpcContext map[string]any) loadEnd {
	var rows []any
	for _, t := range tables {
		for _, row := range t.rows {
			rows = append(rows, anySlice(row))
		}
	}
	kwargs := map[string]any{}
	if rpcContext != nil {
		kwargs["context"] = rpcContext
	}
	a, err := c.execute(ctx, model, "load", []any{anySlice(tables[0].columns), rows}, kwargs)
	if err != nil {
		return loadEnd{err: typed(err)}
	}
	end := loadResult(a.value, tables)
	if end.err != nil {
		end.err.Method = model + ".load"
	}
	for _, e := range end.refused {
		e.Method = model + ".load"
	}
	return end
}

// loadResult reads {ids, messages}.
func loadResult(v any, tables []table) loadEnd {
	result, ok := v.(map[string]any)
	if !ok {
		return loadEnd{err: badAnswer(fmt.Errorf("load answered %T", v))}
	}
	if made, ok := result["ids"].(bool); ok && !made {
		return loadRefusal(result["messages"], tables)
	}
	ids, err := idList(result["ids"])
	if err != nil {
		return loadEnd{err: typed(err)}
	}
	if len(ids) != len(tables) {
		return loadEnd{err: badAnswer(fmt.Errorf("load of %d records answered %d ids", len(tables), len(ids)))}
	}
	for _, id := range ids {
		if id <= 0 {
			return loadEnd{err: badAnswer(fmt.Errorf("load answered the id %d", id))}
		}
	}
	return loadEnd{ids: ids}
}

func idCell(id int64) string { return strconv.FormatInt(id, 10) }
