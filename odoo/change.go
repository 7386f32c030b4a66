package odoo

import (
	"context"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// ChangeOrder writes a change of an order in one call, all of it or nothing. Its success or failure proves little: read the order
// afterwards.
func (c *Client) ChangeOrder(ctx context.Context, id int64, p order.PlannedChange) error {
	s, err := c.sessionFor(ctx, "sale.order.write")
	if err != nil {
		return err
	}
	values := map[string]any{}
	text := func(field string, given *string, written func(string) string) {
		switch {
		case given == nil:
		case *given == "":
			values[field] = false
		default:
			values[field] = written(*given)
		}
	}
	text("client_order_ref", p.Reference, func(s string) string { return s })
	text("note", p.Note, s.dialect.note)
	if p.ShipTo != 0 {
		values["partner_shipping_id"] = p.ShipTo
	}
	if p.BillTo != 0 {
		values["partner_invoice_id"] = p.BillTo
	}
	if len(p.Lines) > 0 {
		values["order_line"] = lineCommands(p.Lines)
	}
	_, err = c.execute(ctx, "sale.order", "write", []any{[]any{id}, values}, nil)
	return err
}

func lineCommands(lines []order.PlannedLine) []any {
	const create, update, remove = 0, 1, 2
	commands := make([]any, len(lines))
	for i, l := range lines {
		values := map[string]any{}
		number := func(field string, given *decimal.Decimal) {
			if given != nil {
				values[field], _ = given.Float64()
			}
		}
		number("product_uom_qty", l.Quantity)
		number("price_unit", l.UnitPrice)
		number("discount", l.Discount)
		switch {
		case l.Remove:
			commands[i] = []any{remove, l.LineID, 0}
		case l.LineID != 0:
			commands[i] = []any{update, l.LineID, values}
		default:
			values["product_id"] = l.ProductID
			commands[i] = []any{create, 0, values}
		}
	}
	return commands
}
