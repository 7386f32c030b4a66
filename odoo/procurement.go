package odoo

import (
	"context"
	"slices"

	"ordergate/order"
)

// purchaseModels say what there is of the purchase orders that Odoo raises for orders.
type purchaseModels struct {
	installed bool
	permitted bool // to the gateway's user
	moves     bool // they are for moves of goods too
}

// purchaseModels are remembered. Who asks for one order's purchases is told how it is now.
func (c *Client) purchaseModels(ctx context.Context) (purchaseModels, error) {
	s, err := c.sessionFor(ctx, "sale.order.line.fields_get")
	if err != nil {
		return purchaseModels{}, err
	}
	return c.bought.get(s, c.wire.clock(), func() (purchaseModels, error) { return c.askPurchaseModels(ctx, s.dialect) })
}

func (c *Client) askPurchaseModels(ctx context.Context, d dialect) (purchaseModels, error) {
	ofSales, err := c.fields(ctx, "sale.order.line", "purchase_line_ids")
	if err != nil || !ofSales["purchase_line_ids"] {
		return purchaseModels{}, err
	}
	permitted, err := c.mayRead(ctx, d, "purchase.order")
	if err != nil || !permitted {
		return purchaseModels{installed: true}, err
	}
	ofLines, err := c.fields(ctx, "purchase.order.line", "move_dest_ids", "move_ids")
	return purchaseModels{installed: true, permitted: true, moves: ofLines["move_dest_ids"] && ofLines["move_ids"]}, err
}

// Purchases returns the purchase orders that Odoo raised for an order, by rising id, each with those of its lines that are for the
// order, and those of known that are there still: Odoo forgets, when it cancels one, what it was for. SKUs are not set. There is
// false for installed where Odoo has no purchase orders, and for permitted where the gateway's user may not read them.
func (c *Client) Purchases(ctx context.Context, orderID int64, known []int64) (purchases []order.Purchase, installed, permitted bool, err error) {
	s, err := c.sessionFor(ctx, "purchase.order.search_read")
	if err != nil {
		return nil, false, false, err
	}
	models, err := c.askPurchaseModels(ctx, s.dialect)
	if err != nil || !models.permitted {
		return nil, models.installed, false, err
	}
	ids, lines, err := c.purchaseLines(ctx, s.dialect, models, orderID)
	if err != nil {
		return nil, true, true, err
	}
	ids = append(ids, known...)
	slices.Sort(ids)
	if purchases, err = c.purchases(ctx, slices.Compact(ids)); err != nil {
		return nil, true, true, err
	}
	for i := range purchases {
		purchases[i].Lines = lines[purchases[i].ID]
	}
	return purchases, true, true, nil
}

// purchaseLines returns the lines of purchase orders that are for an order, by purchase order, and the ids of these. Services and what a
// supplier sends straight to the customer are bought for a line of the order; goods for a move of its deliveries, to which the
// purchase leads until it is confirmed, and its receipt from then on.
func (c *Client) purchaseLines(ctx context.Context, d dialect, models purchaseModels, orderID int64) ([]int64, map[int64][]order.PurchaseLine, error) {
	of := domain{condition("sale_line_id.order_id", "=", orderID)}
	if models.moves {
		of = domain{"|", "|", "|", of[0], condition("move_dest_ids.picking_id.sale_id", "=", orderID),
			condition("move_ids.move_dest_ids.picking_id.sale_id", "=", orderID), condition("move_ids.picking_id.sale_id", "=", orderID)}
	}
	list, _, err := c.searchRead(ctx, query{model: "purchase.order.line", domain: of, fields: purchaseLineFields(d)})
	if err != nil {
		return nil, nil, err
	}
	var ids []int64
	lines := map[int64][]order.PurchaseLine{}
	for i := range list {
		r := &list[i]
		id := r.refID("order_id")
		if lines[id] == nil {
			ids = append(ids, id)
		}
		lines[id] = append(lines[id], purchaseLineOf(d, r))
	}
	return ids, lines, firstError("purchase.order.line.search_read", list)
}

func purchaseLineFields(d dialect) []string {
	return []string{"order_id", "sale_line_id", "product_id", "name", d.lineUnit, "product_qty", "qty_received", "date_planned"}
}

func purchaseLineOf(d dialect, r *record) order.PurchaseLine {
	return order.PurchaseLine{
		ID: r.id(), LineID: r.refID("sale_line_id"), ProductID: r.refID("product_id"), Name: r.text("name"),
		UnitOfMeasure: r.refName(d.lineUnit), Quantity: r.number("product_qty"), Received: r.number("qty_received"),
		ExpectedAt: r.moment("date_planned"),
	}
}

var purchaseFields = []string{"name", "state", "partner_id", "date_order", "date_planned"}

func (c *Client) purchases(ctx context.Context, ids []int64) ([]order.Purchase, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, _, err := c.searchRead(ctx, query{model: "purchase.order", domain: idsIn("id", ids),
		fields: purchaseFields})
	if err != nil {
		return nil, err
	}
	purchases := make([]order.Purchase, len(list))
	for i := range list {
		purchases[i] = purchaseOf(&list[i])
	}
	return purchases, firstError("purchase.order.search_read", list)
}

func purchaseOf(r *record) order.Purchase {
	return order.Purchase{
		ID: r.id(), Number: r.text("name"), State: purchaseState(r.text("state")), Vendor: r.refName("partner_id"),
		OrderedAt: r.moment("date_order"), ExpectedAt: r.moment("date_planned"),
	}
}

func purchaseState(state string) order.PurchaseState {
	switch state {
	case "sent":
		return order.PurchaseSent
	case "to approve":
		return order.PurchaseToApprove
	case "purchase", "done": // done is locked, to Odoo 18
		return order.PurchaseConfirmed
	case "cancel":
		return order.PurchaseCancelled
	}
	return order.PurchaseDraft
}
