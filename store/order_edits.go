package store

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"ordergate/order"
)

// originalText is what the column of that name holds; NULL for an order that nobody sent through the gateway.
func originalText(o order.Original) (sql.NullString, error) {
	if len(o.Lines) == 0 {
		return sql.NullString{}, nil
	}
	text, err := json.Marshal(o)
	return sql.NullString{String: string(text), Valid: true}, err
}

func (r orderRow) original() (*order.Original, error) {
	if !r.Original.Valid {
		return nil, nil
	}
	var o order.Original
	err := json.Unmarshal([]byte(r.Original.String), &o)
	return &o, err
}

// asOrder is as much of an arrival as is compared with what was sent.
func (a arrival) asOrder() order.Order {
	o := order.Order{Reference: a.order.Reference, AmountTotal: a.order.AmountTotal, Lines: make([]order.Line, len(a.lines))}
	for i, l := range a.lines {
		o.Lines[i] = l.line()
	}
	return o
}

// compareWithOriginal sets how an arrival differs from the original that its row has.
func (a *arrival) compareWithOriginal() error {
	original, err := a.order.original()
	if err != nil {
		return fmt.Errorf("reading what was sent of order %d: %w", a.order.ERPOrderID, err)
	}
	a.order.Edits, a.order.Edited = sql.NullString{}, false
	if original == nil {
		return nil
	}
	edits := original.Compare(a.asOrder())
	if edits.Any() {
		a.order.Edits = sql.NullString{String: edits.Summary(a.order.Currency, a.order.CurrencyDecimals), Valid: true}
		a.order.Edited = true
	}
	return nil
}
