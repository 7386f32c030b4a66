package odoo

import (
	"context"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// SentMoves returns what went out to the customer of an order, by rising id, and what is to come back of it. ok is false where Odoo
// has no deliveries, or the gateway's user may not read them.
func (c *Client) SentMoves(ctx context.Context, orderID int64) (sent []order.SentMove, ok bool, err error) {
	s, err := c.sessionFor(ctx, "stock.move.search_read")
	if err != nil {
		return nil, false, err
	}
	models, err := c.documentModels(ctx)
	if err != nil || !models.deliveries {
		return nil, false, err
	}
	fields := []string{"picking_id", "sale_line_id", "product_id", "product_uom", "product_uom_qty", "product_qty", s.dialect.doneQuantity,
		"state", "has_tracking", "location_id", "origin_returned_move_id", "to_refund"}
	list, _, err := c.searchRead(ctx, query{model: "stock.move", fields: fields, domain: domain{
		condition("sale_line_id.order_id", "=", orderID), condition("location_dest_id.usage", "=", "customer"), condition("state", "=", "done"),
	}})
	if err != nil {
		return nil, false, err
	}
	sold, err := c.soldAs(ctx, s.dialect, list)
	if err != nil || len(list) == 0 {
		return nil, true, err
	}
	var ids []int64
	position := map[int64]int{}
	for i := range list {
		sent = append(sent, order.SentMove{Move: moveOf(s.dialect, &list[i], sold)})
		ids, position[sent[i].ID] = append(ids, sent[i].ID), i
	}
	if err := firstError("stock.move.search_read", list); err != nil {
		return nil, false, err
	}
	back, _, err := c.searchRead(ctx, query{model: "stock.move", domain: idsIn("origin_returned_move_id", ids),
		fields: fields})
	if err != nil {
		return nil, false, err
	}
	for i := range back {
		r := &back[i]
		at, known := position[r.refID("origin_returned_move_id")]
		if !known {
			continue
		}
		m, as := &sent[at], ratio(&list[at], r)
		asked, done := r.number("product_uom_qty").Mul(as).Round(quantityDigits), r.number(s.dialect.doneQuantity).Mul(as).Round(quantityDigits)
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
	return sent, true, firstError("stock.move.search_read", back)
}

// quantityDigits are more than Odoo keeps of a quantity: what one unit is in another need not come out even.
const quantityDigits = 6

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
	ids := make([]int64, len(p.Moves))
	for i, m := range p.Moves {
		ids[i] = m.MoveID
	}
	list, _, err := c.readRaw(ctx, "stock.move", ids, []string{"product_id", "product_uom_qty", "product_qty"})
	if err != nil {
		return beforeSending(err)
	}
	var lines []any
	for i := range list {
		r := &list[i]
		for _, m := range p.Moves {
			if m.MoveID != r.id() {
				continue
			}
			quantity := m.Quantity
			if s.dialect.returnsOwnUnit && !r.number("product_uom_qty").IsZero() {
				quantity = quantity.Mul(r.number("product_qty")).Div(r.number("product_uom_qty")).Round(quantityDigits)
			}
			back, _ := quantity.Float64()
			lines = append(lines, []any{0, 0, map[string]any{
				"product_id": r.refID("product_id"), "move_id": m.MoveID, "quantity": back, "to_refund": true}})
		}
	}
	if err := firstError("stock.move.read", list); err != nil {
		return beforeSending(err)
	}
	values := map[string]any{"picking_id": p.DeliveryID, "product_return_moves": lines}
	if s.dialect.returnPlace {
		place, err := c.returnPlace(ctx, p.DeliveryID)
		if err != nil {
			return beforeSending(err)
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
