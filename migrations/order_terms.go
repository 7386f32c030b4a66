package migrations

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ordergate/order"
)

const (
	// termsBatch is how many orders get their terms in one transaction: it bounds how long their rows are locked.
	termsBatch = 500
	// termsRows is how many terms one statement has. SQLite allows 32766 values, and a term has 5.
	termsRows = 2000
	// textsRows is how many search texts one statement has. Each is looked for among those before it.
	textsRows = 100
)

// searchedOrder is what a search needs to know of a row of orders.
type searchedOrder struct {
	id, tenantID, erpOrderID int64
	orderedAt                string // as the database writes it
	text                     string
	terms                    []string
}

// addOrderTerms creates the table of terms and fills it. Stopped on its way it begins again, and passes over the orders
// that are done.
func addOrderTerms(ctx context.Context, db executor, dialect Dialect, within func(context.Context, func(executor) error) error) error {
	if err := executeFile(ctx, db, string(dialect)+"/alter/order_terms.sql"); err != nil {
		return err
	}
	for after, more := int64(0), true; more; {
		err := within(ctx, func(tx executor) error {
			lacking, last, n, err := ordersLackingTerms(ctx, tx, dialect, after)
			if err != nil {
				return fmt.Errorf("reading orders: %w", err)
			}
			after, more = last, n == termsBatch
			if err := insertTerms(ctx, tx, lacking); err != nil {
				return fmt.Errorf("inserting terms: %w", err)
			}
			if err := setSearchTexts(ctx, tx, lacking); err != nil {
				return fmt.Errorf("setting search texts: %w", err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ordersLackingTerms reads and locks n rows, up to the id last, and returns those whose search text is not the one that
// was written together with their terms.
func ordersLackingTerms(
	ctx context.Context, tx executor, dialect Dialect, after int64,
) (lacking []searchedOrder, last int64, n int, err error) {
	lock := ""
	if dialect == MySQL {
		lock = " FOR UPDATE"
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, tenant_id, erp_order_id, CAST(ordered_at AS CHAR), number, reference, search_text"+
		" FROM orders WHERE id > ? ORDER BY id LIMIT ?"+lock, after, termsBatch)
	if err != nil {
		return nil, 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var o searchedOrder
		var number, reference, standing string
		if err := rows.Scan(&o.id, &o.tenantID, &o.erpOrderID, &o.orderedAt, &number, &reference, &standing); err != nil {
			return nil, 0, 0, err
		}
		n, last = n+1, o.id
		if o.text = order.SearchText(number, reference); o.text != standing {
			o.terms = order.SearchTerms(number, reference)
			lacking = append(lacking, o)
		}
	}
	return lacking, last, n, rows.Err()
}

func insertTerms(ctx context.Context, tx executor, orders []searchedOrder) error {
	var values []any
	insert := func() error {
		_, err := tx.ExecContext(ctx, "REPLACE INTO order_terms (tenant_id, quarter, term, erp_order_id, ordered_at) VALUES "+
			strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", len(values)/5), ", "), values...)
		values = values[:0]
		return err
	}
	for _, o := range orders {
		quarter := order.SearchQuarter(monthOf(o.orderedAt))
		for _, term := range o.terms {
			values = append(values, o.tenantID, quarter, term, o.erpOrderID, o.orderedAt)
			if len(values) == 5*termsRows {
				if err := insert(); err != nil {
					return err
				}
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	return insert()
}

// monthOf is the month of a time as the databases write it. One that begins with no month is as old as can be.
func monthOf(text string) time.Time {
	const month = "2006-01"
	at, err := time.Parse(month, text[:min(len(text), len(month))])
	if err != nil {
		return time.Time{}
	}
	return at
}

func setSearchTexts(ctx context.Context, tx executor, orders []searchedOrder) error {
	for len(orders) > 0 {
		batch := orders[:min(textsRows, len(orders))]
		orders = orders[len(batch):]
		ids := make([]int64, len(batch))
		var values []any
		for i, o := range batch {
			ids[i] = o.id
			values = append(values, o.id, o.text)
		}
		_, err := tx.ExecContext(ctx, "UPDATE orders SET search_text = CASE id"+strings.Repeat(" WHEN ? THEN ?", len(batch))+
			" END WHERE id IN ("+idList(ids)+")", values...)
		if err != nil {
			return err
		}
	}
	return nil
}
