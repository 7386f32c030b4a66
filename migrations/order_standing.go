package migrations

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// standingBatch is how many orders get their standing in one transaction: it bounds how long their rows are locked.
const standingBatch = 500

// stateOfStatus is the ERP's state that the former statuses stood for.
var stateOfStatus = map[string]order.ERPState{
	"draft": order.StateDraft, "sent": order.StateSent, "confirmed": order.StateSale, "done": order.StateDone, "cancelled": order.StateCancel,
}

// deriveStandings gives orders the state that their status stood for, and in its place a status that derives from what the
// mirror holds of them. That lacks what was not read until now, which lines are of goods and which deliveries only steps
// inside a warehouse: so everything is read again in the end. Stopped on its way it begins again, and passes over the orders
// that are done.
func deriveStandings(ctx context.Context, dialect Dialect, within func(context.Context, func(executor) error) error) error {
	for after, more := int64(0), true; more; {
		err := within(ctx, func(tx executor) error {
			former, last, n, err := ordersWithoutState(ctx, tx, dialect, after)
			if err != nil {
				return fmt.Errorf("reading orders: %w", err)
			}
			after, more = last, n == standingBatch
			if err := addLineFacts(ctx, tx, former); err != nil {
				return fmt.Errorf("reading lines: %w", err)
			}
			if err := setStandings(ctx, tx, former); err != nil {
				return fmt.Errorf("setting where orders stand: %w", err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return readOrdersAgain(ctx, within)
}

// formerOrder is an order whose status is a former one, and what its standing derives from.
type formerOrder struct {
	id        int64
	status    string
	documents sql.NullString
	facts     order.Facts
}

// ordersWithoutState reads and locks n rows, up to the id last, and returns those that were not done yet.
func ordersWithoutState(
	ctx context.Context, tx executor, dialect Dialect, after int64,
) (former map[int64]*formerOrder, last int64, n int, err error) {
	lock := ""
	if dialect == MySQL {
		lock = " FOR UPDATE"
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, status, erp_state, documents FROM orders WHERE id > ? ORDER BY id LIMIT ?"+lock,
		after, standingBatch)
	if err != nil {
		return nil, 0, 0, err
	}
	defer rows.Close()
	former = map[int64]*formerOrder{}
	for rows.Next() {
		o := formerOrder{}
		var state string
		if err := rows.Scan(&o.id, &o.status, &state, &o.documents); err != nil {
			return nil, 0, 0, err
		}
		n, last = n+1, o.id
		if state != "" {
			continue
		}
		// What another system called it is no state of the ERP: an audit finds it.
		o.facts.State = cmp.Or(stateOfStatus[o.status], order.ERPState(o.status), order.StateDraft)
		if err := o.readDocuments(); err != nil {
			return nil, 0, 0, fmt.Errorf("decoding the documents of row %d: %w", o.id, err)
		}
		former[o.id] = &o
	}
	return former, last, n, rows.Err()
}

// readDocuments enters deliveries and invoices into the facts.
func (o *formerOrder) readDocuments() error {
	if !o.documents.Valid {
		return nil
	}
	var standing struct {
		Deliveries []order.Delivery `json:"deliveries"`
		Invoices   []order.Invoice  `json:"invoices"`
	}
	err := json.Unmarshal([]byte(o.documents.String), &standing)
	o.facts.Deliveries, o.facts.Invoices = standing.Deliveries, standing.Invoices
	return err
}

// addLineFacts enters the lines. Where all deliveries are over, a line of which nothing was delivered is taken for a service.
func addLineFacts(ctx context.Context, tx executor, former map[int64]*formerOrder) error {
	var ids []int64
	for id, o := range former {
		if o.facts.State != order.StateDraft && o.facts.State != order.StateSent {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT order_id, quantity, delivered, invoiced FROM order_lines WHERE order_id IN ("+idList(ids)+")")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var quantity, delivered, invoiced decimal.Decimal
		if err := rows.Scan(&id, &quantity, &delivered, &invoiced); err != nil {
			return err
		}
		f := &former[id].facts
		f.Lines = append(f.Lines, order.LineFacts{Quantity: quantity, Delivered: delivered, Invoiced: invoiced,
			Goods: delivered.IsPositive() || !allDeliveriesAreOver(f.Deliveries)})
	}
	return rows.Err()
}

func allDeliveriesAreOver(deliveries []order.Delivery) bool {
	return len(deliveries) > 0 && !slices.ContainsFunc(deliveries, func(d order.Delivery) bool {
		return d.State == order.Waiting || d.State == order.Ready
	})
}

// setStandings stores what derives from the facts, in a statement for all orders that stand alike.
func setStandings(ctx context.Context, tx executor, former map[int64]*formerOrder) error {
	type alike struct {
		state    order.ERPState
		standing order.Standing
	}
	groups := map[alike][]int64{}
	for id, o := range former {
		group := alike{o.facts.State, o.facts.Standing()}
		groups[group] = append(groups[group], id)
	}
	for group, ids := range groups {
		_, err := tx.ExecContext(ctx, "UPDATE orders SET erp_state = ?, status = ?, fulfilment = ?, payment = ? WHERE id IN ("+idList(ids)+")",
			string(group.state), string(group.standing.Status), string(group.standing.Fulfilment), string(group.standing.Payment))
		if err != nil {
			return err
		}
	}
	return nil
}

// readOrdersAgain makes the sync begin with a full read of the orders of every tenant that has some.
func readOrdersAgain(ctx context.Context, within func(context.Context, func(executor) error) error) error {
	return within(ctx, func(tx executor) error {
		for _, statement := range []string{
			"UPDATE sync_cursors SET complete = 0 WHERE model = 'sale.order' AND tenant_id IN (SELECT tenant_id FROM orders)",
			"DELETE FROM sync_backfills",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("having the orders read again: %w", err)
			}
		}
		return nil
	})
}
