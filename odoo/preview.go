package odoo

import (
	"context"
	"slices"
	"strings"

	"ordergate/order"
)

// ToBeCreated stands in a preview for the id of a record that is created first. A cell that would hold it says "new".
const ToBeCreated int64 = -1

// newCell is what a preview shows for an id that Odoo has not given yet.
const newCell = "new"

// PreviewOrder returns what PlaceOrders would send for an order. It sends nothing of it; at most it logs in. Errors are those
// by which PlaceOrders would refuse the order before sending it.
func (c *Client) PreviewOrder(ctx context.Context, o NewOrder) (order.Load, error) {
	const method = "sale.order.load"
	if err := o.check(); err != nil {
		err.Method = method
		return order.Load{}, err
	}
	s, err := c.sessionFor(ctx, method)
	if err != nil {
		return order.Load{}, err
	}
	return o.table(s.dialect).preview("sale.order")
}

// PreviewPartner is PreviewOrder for EnsurePartners.
func (c *Client) PreviewPartner(p NewPartner) (order.Load, error) {
	return p.table().preview("res.partner")
}

func (t table) preview(model string) (order.Load, error) {
	if err := t.checkTexts(); err != nil {
		err.Method = model + ".load"
		return order.Load{}, err
	}
	for i, column := range t.columns {
		if strings.HasSuffix(column, "/.id") && t.rows[0][i] == idCell(ToBeCreated) {
			t.rows[0][i] = newCell
		}
	}
	return order.Load{Model: model, Fields: slices.Clone(t.columns), Rows: t.rows}, nil
}
