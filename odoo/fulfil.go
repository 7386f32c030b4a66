package odoo

import (
	"context"
	"fmt"
	"slices"

	"ordergate/order"
)

// outgoingMoves selects what is still to go out for an order, and what is not is not.
func outgoingMoves(orderID int64) domain {
	return domain{
		condition("sale_line_id.order_id", "=", orderID),
		condition("picking_id.picking_type_id.code", "=", "outgoing"),
		condition("state", "not in", []any{"done", "cancel"}),
	}
}

// OpenMoves returns what is still to be delivered of an order, by rising id. ok is false where Odoo has no deliveries, or the
// gateway's user may not read them.
func (c *Client) OpenMoves(ctx context.Context, orderID int64) (moves []order.Move, ok bool, err error) {
	return c.moves(ctx, outgoingMoves(orderID))
}

// Moves returns moves by their ids.
func (c *Client) Moves(ctx context.Context, ids []int64) (moves []order.Move, err error) {
	moves, _, err = c.moves(ctx, idsIn("id", ids))
	return moves, err
}

func (c *Client) moves(ctx context.Context, d domain) (moves []order.Move, ok bool, err error) {
	s, err := c.sessionFor(ctx, "stock.move.search_read")
	if err != nil {
		return nil, false, err
	}
	models, err := c.documentModels(ctx)
	if err != nil || !models.deliveries {
		return nil, false, err
	}
	list, _, err := c.searchRead(ctx, query{model: "stock.move", domain: d, fields: []string{
		"picking_id", "sale_line_id", "product_id", "product_uom", "product_uom_qty", "product_qty", s.dialect.doneQuantity, "state",
		"has_tracking", "location_id", "origin_returned_move_id",
	}})
	if err != nil {
		return nil, false, err
	}
	sold, err := c.soldAs(ctx, s.dialect, list)
	if err != nil {
		return nil, false, err
	}
	moves = make([]order.Move, len(list))
	for i := range list {
		moves[i] = moveOf(s.dialect, &list[i], sold)
	}
	return moves, true, firstError("stock.move.search_read", list)
}

func moveOf(d dialect, r *record, sold map[int64]counted) order.Move {
	return order.Move{
		ID: r.id(), DeliveryID: r.refID("picking_id"), LineID: r.refID("sale_line_id"), Quantity: r.number("product_uom_qty"),
		Done: r.number(d.doneQuantity), State: moveState(r.text("state")), Tracked: r.text("has_tracking") != "none",
		Alike:   sold[r.refID("sale_line_id")] == counted{r.refID("product_id"), r.refID("product_uom")},
		OwnUnit: r.number("product_uom_qty").Equal(r.number("product_qty")), ProductID: r.refID("product_id"), PlaceID: r.refID("location_id"),
		ReturnOf: r.refID("origin_returned_move_id"),
	}
}

// counted is what a quantity counts.
type counted struct{ productID, unitID int64 }

// soldAs returns what the quantities of the lines count that moves are of, by line. A move may count something else: the product's
// own unit, or a part of what is sold.
func (c *Client) soldAs(ctx context.Context, d dialect, moves []record) (map[int64]counted, error) {
	var ids []int64
	for i := range moves {
		if id := moves[i].refID("sale_line_id"); id != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	lines, _, err := c.readRaw(ctx, "sale.order.line", ids, []string{"product_id", d.lineUnit})
	if err != nil {
		return nil, err
	}
	sold := make(map[int64]counted, len(lines))
	for i := range lines {
		sold[lines[i].id()] = counted{lines[i].refID("product_id"), lines[i].refID(d.lineUnit)}
	}
	return sold, firstError("sale.order.line.read", lines)
}

func moveState(state string) order.DocumentState {
	if state == "partially_available" {
		return order.Waiting
	}
	return deliveryState(state)
}

// HasTracking reports whether deliveries have a tracking number: an application of Odoo brings it.
func (c *Client) HasTracking(ctx context.Context) (bool, error) {
	models, err := c.documentModels(ctx)
	return models.carriers, err
}

// Deliver enters what goes out with a delivery, and then validates it; Odoo makes a back order of the rest. These are two calls:
// if the second fails, the first stands, and the same again does no harm. Success or failure of either proves little: read the
// delivery afterwards.
func (c *Client) Deliver(ctx context.Context, p order.PlannedDelivery) error {
	s, err := c.sessionFor(ctx, "stock.picking.write")
	if err != nil {
		return err
	}
	commands, err := c.moveCommands(ctx, s.dialect, p)
	if err != nil {
		return beforeSending(err)
	}
	values := map[string]any{s.dialect.moves: commands}
	if p.Tracking != "" {
		values["carrier_tracking_ref"] = p.Tracking
	}
	if _, err := c.execute(ctx, "stock.picking", "write", []any{[]any{p.DeliveryID}, values}, nil); err != nil {
		return err
	}
	a, err := c.execute(ctx, "stock.picking", "button_validate", []any{[]any{p.DeliveryID}},
		map[string]any{"context": map[string]any{"skip_sms": true, "skip_immediate": true, "skip_backorder": true, "skip_expired": true}})
	if err != nil {
		return Begun(err)
	}
	if dialogue, asked := a.value.(map[string]any); asked && dialogue["res_model"] != nil {
		return &Error{Outcome: Rejected, Reason: BusinessRule, Row: -1, Method: "stock.picking.button_validate",
			Message: fmt.Sprintf("Odoo asks something that only a person can answer (%v)", dialogue["res_model"])}
	}
	return nil
}
