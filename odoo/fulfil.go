package odoo

import (
	"context"
	"fmt"

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

// OpenMoves returns what is still to be delivered of an order, by rising id. ok is false where Odoo has no deliveries.
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
	known, err := c.hasDocuments(ctx, order.Deliveries)
	if err != nil || !known {
		return nil, false, err
	}
	list, _, err := c.searchRead(ctx, query{model: "stock.move", domain: d, fields: moveFields(s.dialect)})
	if err != nil {
		return nil, false, err
	}
	moves = make([]order.Move, len(list))
	for i := range list {
		moves[i] = moveOf(s.dialect, &list[i])
	}
	return moves, true, firstError("stock.move.search_read", list)
}

func moveFields(d dialect) []string {
	return []string{"picking_id", "sale_line_id", "product_id", "product_uom", "product_uom_qty", "product_qty", d.doneQuantity, "state",
		"has_tracking", "location_id", "origin_returned_move_id"}
}

func moveOf(d dialect, r *record) order.Move {
	return order.Move{
		ID: r.id(), DeliveryID: r.refID("picking_id"), LineID: r.refID("sale_line_id"), Quantity: r.number("product_uom_qty"),
		Done: r.number(d.doneQuantity), State: moveState(r.text("state")), Tracked: r.text("has_tracking") != "none",
		UnitID:  r.refID("product_uom"),
		OwnUnit: r.number("product_uom_qty").Equal(r.number("product_qty")), ProductID: r.refID("product_id"), PlaceID: r.refID("location_id"),
		ReturnOf: r.refID("origin_returned_move_id"),
	}
}

func moveState(state string) order.DocumentState {
	if state == "partially_available" {
		return order.Waiting
	}
	return deliveryState(state)
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
		return NotBegun(err)
	}
	values := map[string]any{s.dialect.moves: commands}
	if p.Tracking != "" {
		values["carrier_tracking_ref"] = p.Tracking
	}
	if p.CarrierID != 0 {
		values["carrier_id"] = p.CarrierID
	}
	if p.Note != "" {
		if values["note"], err = c.noteBelow(ctx, s.dialect, p); err != nil {
			return NotBegun(err)
		}
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
