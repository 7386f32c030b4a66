package odoo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
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

// findOnly is createIfAbsent for an order without a customer, which can therefore not be created: not even where an
// addon gives orders a customer of their own accord.
var findOnly = map[string]any{"mode": "update", "noupdate": true, "default_partner_id": false}

// isExternalID reports whether s can be the name part of an external id. A dot would name another module.
func isExternalID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	})
}

func badExternalID(field string, row int) error {
	return &Error{Outcome: Rejected, Reason: BusinessRule, Field: field, Row: row,
		Message: "external ids must be unique and made of letters, digits and underscores"}
}

const (
	loadAttempts = 5
	loadBackoff  = 30 * time.Millisecond // before the second attempt; twice as long before each further one
)

// load creates the one record of a table if its external id is absent, and returns its id either way. It repeats itself
// when it lost against a concurrent transaction, which is safe and helps.
func (c *Client) load(ctx context.Context, model string, t table) (int64, error) {
	return c.loadIn(ctx, model, t, createIfAbsent)
}

func (c *Client) loadIn(ctx context.Context, model string, t table, rpcContext map[string]any) (int64, error) {
	var doubt error // of an attempt that ended in a fault, which does not prove that it was rolled back
	for attempt := 1; ; attempt++ {
		id, err := c.loadOnce(ctx, model, t, rpcContext)
		var f *fault
		switch {
		case err == nil:
			return id, nil
		case isReason(err, Serialization) && errors.As(err, &f):
			doubt = err
		case doubt != nil && !isReason(err, Serialization):
			return 0, doubt
		}
		if !isReason(err, Serialization) || attempt == loadAttempts {
			return id, err
		}
		backoff := loadBackoff << (attempt - 1)
		if !sleep(ctx, backoff/2+rand.N(backoff)) {
			return 0, err
		}
	}
}

func (c *Client) loadOnce(ctx context.Context, model string, t table, rpcContext map[string]any) (int64, error) {
	rows := make([]any, len(t.rows))
	for i, row := range t.rows {
		rows[i] = anySlice(row)
	}
	a, err := c.execute(ctx, model, "load", []any{anySlice(t.columns), rows}, map[string]any{"context": rpcContext})
	if err != nil {
		return 0, err
	}
	id, err := loadResult(a.value, t)
	if err != nil {
		named(err, model+".load")
		return 0, err
	}
	return id, nil
}

// loadResult reads {ids, messages}.
func loadResult(v any, t table) (int64, error) {
	result, ok := v.(map[string]any)
	if !ok {
		return 0, badAnswer(fmt.Errorf("load answered %T", v))
	}
	if refused, ok := result["ids"].(bool); ok && !refused {
		return 0, loadError(result["messages"], t)
	}
	ids, err := idList(result["ids"])
	if err != nil {
		return 0, err
	}
	if len(ids) != 1 || ids[0] <= 0 {
		return 0, badAnswer(fmt.Errorf("load of one record answered the ids %v", ids))
	}
	return ids[0], nil
}

// loadError makes one *Error of load's messages. Odoo rolled back whatever it had begun. A lost race anywhere among them
// outweighs the others, which may only be its consequences; else the first message counts.
func loadError(v any, t table) error {
	messages, err := records(v)
	if err != nil {
		return err
	}
	if len(messages) == 0 {
		return badAnswer(errors.New("load refused without a message"))
	}
	for i := range messages {
		text := messages[i].text("message")
		if lostRace.MatchString(text) {
			return &Error{Outcome: Unknown, Reason: Serialization, Row: -1, Cause: errors.New(text),
				Message: "Odoo could not finish beside concurrent changes"}
		}
	}
	first := &messages[0]
	text := first.text("message")
	if first.err != nil {
		return first.err
	}
	if kind := importFailure.FindStringSubmatch(text); kind != nil && !strings.HasPrefix(kind[1], "odoo.exceptions.") || internals.MatchString(text) {
		// Not Odoo's word on the content: it may be a database that is short of something, and pass.
		return &Error{Outcome: Unknown, Reason: ServerError, Row: -1, Cause: errors.New(text),
			Message: "an error inside Odoo; its own log has the details"}
	}
	e := &Error{Outcome: Rejected, Reason: BusinessRule, Row: -1, Cause: errors.New(text)}
	e.Message = clean(importFailure.ReplaceAllString(text, ""))
	if notAllowed.MatchString(text) {
		e.Reason = AccessRights
	}
	e.Field, _ = first.values["field"].(string)
	e.Row = rowAtFault(first)
	t.locate(e)
	return e
}

// rowAtFault is the row that a message names; -1 if it names none, or all rows of the record.
func rowAtFault(message *record) int {
	rows, _ := message.values["rows"].(map[string]any)
	from, ok := rows["from"].(int64)
	to, ok2 := rows["to"].(int64)
	if !ok || !ok2 || from != to {
		return -1
	}
	return int(from)
}

// locate finds the cell at fault. Of a wrong value in a line, Odoo names only the field that holds the lines and the rows
// of the whole order, but quotes the value: where one cell alone holds that, it is the one.
func (t table) locate(e *Error) {
	if e.Field == "" {
		return
	}
	found := 0
	row, column := -1, ""
	for i, cells := range t.rows {
		for j, cell := range cells {
			if cell == "" || !belongsTo(t.columns[j], e.Field) || !strings.Contains(e.Message, "'"+cell+"'") {
				continue
			}
			found++
			row, column = i, t.columns[j]
		}
	}
	if found == 1 {
		e.Row, e.Field = row, column
	}
}

func belongsTo(column, field string) bool {
	return column == field || strings.HasPrefix(column, field+"/")
}

func idCell(id int64) string { return strconv.FormatInt(id, 10) }

// sleep waits for d, or less if ctx ends; it reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
