package foreign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// idRange is a range of ERP ids: a condition on the rows of alias t, with its arguments.
type idRange struct {
	condition string
	args      []any
	last      string // the highest id of the range, as text
}

// nextIDs returns the range of ids after one, or from the first on, that about n rows have; nil if there are none. Rows that
// share an id are in one range.
func (d *Database) nextIDs(ctx context.Context, x executor, l layout, after *string, n int) (*idRange, error) {
	id := l.idColumn()
	condition, args := "1 = 1", []any{}
	if after != nil {
		from, err := id.value(*after)
		if err != nil {
			return nil, err
		}
		condition, args = "t."+quote(l.ID)+" > ?", append(args, from)
	}
	var last sql.NullString
	rest := fmt.Sprintf("FROM %s t WHERE %s AND %s", l.root().sql(), l.named("t."), condition)
	err := d.one(ctx, x, fmt.Sprintf("SELECT %s %s ORDER BY t.%s LIMIT 1 OFFSET %d", id.text("t."+quote(l.ID)), rest, quote(l.ID), n-1), args, &last)
	if errors.Is(err, sql.ErrNoRows) {
		err = d.one(ctx, x, fmt.Sprintf("SELECT %s %s", id.text("MAX(t."+quote(l.ID)+")"), rest), args, &last)
	}
	if err != nil || !last.Valid {
		return nil, err
	}
	end, err := id.value(last.String)
	if err != nil {
		return nil, err
	}
	return &idRange{condition: condition + " AND t." + quote(l.ID) + " <= ?", args: append(args, end), last: last.String}, nil
}
