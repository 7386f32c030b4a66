package odoo

import (
	"context"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// SentMoves returns what went out to the customer of an order, by rising id, and what is to come back of it. ok is false where Odoo
// has no deliveries.
func (c *Client) SentMoves(ctx context.Context, orderID int64) (sent []order.SentMove, ok bool, err error) {
	s, err := c.sessionFor(ctx, "stock.move.search_read")
	if err != nil {
		return nil, false, err
	}
	known, err := c.hasDocuments(ctx, order.Deliveries)
	if err != nil || !known {
		return nil, false, err
	}
	// What comes back has the line of what went out.
	list, _, err := c.searchRead(ctx, query{model: "stock.move", fields: append(moveFields(s.dialect), "location_dest_id", "to_refund"), domain: domain{
		condition("sale_line_id.order_id", "=", orderID), "|", condition("origin_returned_move_id", "!=", false),
		"&", condition("location_dest_id.usage", "=", "customer"), condition("state", "=", "done"),
	}})
	if err != nil {
		return nil, false, err
	}
	places := make([]int64, len(list))
	for i := range list {
		places[i] = list[i].refID("location_dest_id")
	}
	usage, err := c.locationUsages(ctx, places)
	if err != nil {
		return nil, false, err
	}
	position := map[int64]int{} // in sent
	at := map[int64]*record{}
	for i := range list {
		r := &list[i]
		if usage[places[i]] != "customer" || r.text("state") != "done" { // what came back may have gone out again
			continue
		}
		m := order.SentMove{Move: moveOf(s.dialect, r), OwnPerUnit: decimal.NewFromInt(1)}
		if asked := r.number("product_uom_qty"); !asked.IsZero() {
			m.OwnPerUnit = r.number("product_qty").Div(asked)
		}
		position[m.ID], at[m.ID] = len(sent), r
		sent = append(sent, m)
	}
	for i := range list {
		r := &list[i]
		of := r.refID("origin_returned_move_id")
		if at[of] == nil {
			continue
		}
		m, as := &sent[position[of]], ratio(at[of], r)
		asked, done := r.number("product_uom_qty").Mul(as).Round(order.QuantityDigits), r.number(s.dialect.doneQuantity).Mul(as).Round(order.QuantityDigits)
		m.Asked = m.Asked.Add(asked)
		switch r.text("state") {
		case "cancel":
		case "done":
			m.Returned = m.Returned.Add(done)
			if r.flag("to_refund") {
				m.Refunded = m.Refunded.Add(done)
			}
		default:
			m.Returned = m.Returned.Add(asked)
		}
	}
	return sent, true, firstError("stock.move.search_read", list)
}

// ratio is how many units of one move a unit of another is, both of the same product.
func ratio(of, other *record) decimal.Decimal {
	if of.refID("product_uom") == other.refID("product_uom") || other.number("product_uom_qty").IsZero() || of.number("product_qty").IsZero() {
		return decimal.NewFromInt(1)
	}
	inOwn := other.number("product_qty").Div(other.number("product_uom_qty"))
	return inOwn.Mul(of.number("product_uom_qty")).Div(of.number("product_qty"))
}

// Return makes the return of goods that a delivery brought: another delivery, which is validated when they came. What the customer
// has falls then. Odoo makes another one each time. Success or failure proves little: read the moves afterwards.
func (c *Client) Return(ctx context.Context, p order.PlannedReturn) error {
	s, err := c.sessionFor(ctx, "stock.return.picking.create")
	if err != nil {
		return err
	}
	lines := make([]any, len(p.Moves))
	for i, m := range p.Moves {
		quantity := m.Quantity
		if s.dialect.returnsOwnUnit {
			quantity = m.OwnQuantity
		}
		back, _ := quantity.Float64()
		lines[i] = []any{0, 0, map[string]any{"product_id": m.ProductID, "move_id": m.MoveID, "quantity": back, "to_refund": true}}
	}
	values := map[string]any{"picking_id": p.DeliveryID, "product_return_moves": lines}
	if s.dialect.returnPlace {
		place, err := c.returnPlace(ctx, p.DeliveryID)
		if err != nil {
			return NotBegun(err)
		}
		values["location_id"] = place
	}
	about := map[string]any{"context": map[string]any{
		"active_model": "stock.picking", "active_ids": []any{p.DeliveryID}, "active_id": p.DeliveryID,
	}}
	return c.runDialogue(ctx, "stock.return.picking", values, s.dialect.createReturns, about)
}

// returnPlace is where Odoo's own dialogue proposes to bring goods back to: the place for returns of the delivery's type, or where they came
// from.
func (c *Client) returnPlace(ctx context.Context, deliveryID int64) (int64, error) {
	deliveries, _, err := c.readRaw(ctx, "stock.picking", []int64{deliveryID}, []string{"location_id", "picking_type_id"})
	if err != nil || len(deliveries) == 0 {
		return 0, err
	}
	from, kind := deliveries[0].refID("location_id"), deliveries[0].refID("picking_type_id")
	if err := firstError("stock.picking.read", deliveries); err != nil {
		return 0, err
	}
	places, _, err := c.searchRead(ctx, query{model: "stock.picking.type", fields: []string{"return_picking_type_id"}, domain: domain{
		condition("id", "=", kind), condition("return_picking_type_id.default_location_dest_id.return_location", "=", true),
	}})
	if err != nil || len(places) == 0 {
		return from, err
	}
	types, _, err := c.readRaw(ctx, "stock.picking.type", []int64{places[0].refID("return_picking_type_id")}, []string{"default_location_dest_id"})
	if err != nil || len(types) == 0 {
		return from, err
	}
	return types[0].refID("default_location_dest_id"), firstError("stock.picking.type.read", types)
}

// DeliveryMoves returns what is still to be moved with a delivery, by rising id.
func (c *Client) DeliveryMoves(ctx context.Context, deliveryID int64) (moves []order.Move, err error) {
	moves, _, err = c.moves(ctx, domain{condition("picking_id", "=", deliveryID), condition("state", "not in", []any{"done", "cancel"})})
	return moves, err
}
