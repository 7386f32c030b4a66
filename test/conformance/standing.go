package conformance

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// testHoldTags puts quotations on hold and approves them, as the gateway's user and as people.
func (b *bundle) testHoldTags(t *testing.T) {
	id := b.place(t, b.newOrder("hold"))
	hold, approved, err := b.client.HoldTags(t.Context())
	require.NoError(t, err)
	require.Positive(t, hold)
	require.Positive(t, approved)
	require.NotEqual(t, hold, approved)
	again, _, err := b.client.HoldTags(t.Context())
	require.NoError(t, err)
	require.Equal(t, hold, again, "there is one of each")

	s := b.order(t, id)
	require.Equal(t, order.Draft, s.Status)
	require.Eventually(t, func() bool { // write_date has whole seconds
		require.NoError(t, b.client.SetTags(t.Context(), []int64{id}, []int64{hold}, nil))
		held := b.order(t, id)
		require.Equal(t, order.OnHold, held.Status)
		require.NoError(t, b.client.SetTags(t.Context(), []int64{id}, nil, []int64{hold}))
		require.Equal(t, order.Draft, b.order(t, id).Status)
		return held.WriteDate.After(s.WriteDate)
	}, 10*time.Second, 100*time.Millisecond, "a tag moves the order's write_date")

	people := b.admin.create(t, "crm.tag", map[string]any{"name": "Fragile " + b.tag})
	b.admin.write(t, "sale.order", id, map[string]any{"tag_ids": []any{[]any{4, people, 0}}})
	require.Equal(t, order.Draft, b.order(t, id).Status)
	b.admin.write(t, "sale.order", id, map[string]any{"tag_ids": []any{[]any{4, approved, 0}}, "state": "sent"})
	require.Equal(t, order.Approved, b.order(t, id).Status)
	require.NoError(t, b.client.SetTags(t.Context(), []int64{id}, []int64{hold}, nil))
	other, err := odoo.New(b.server.config())
	require.NoError(t, err)
	t.Cleanup(other.Close)
	seen, err := other.Orders(t.Context(), []int64{id})
	require.NoError(t, err)
	require.Equal(t, order.OnHold, seen[0].Status, "also for another process")
	require.NoError(t, b.client.SetTags(t.Context(), []int64{id}, []int64{approved}, []int64{hold}))
	require.Equal(t, order.Approved, b.order(t, id).Status, "added once more, and the other one taken")
	tags := b.admin.read(t, "sale.order", id, "tag_ids")["tag_ids"]
	require.ElementsMatch(t, []any{people, approved}, tags, "people's own stay")

	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	require.Equal(t, b.afterConfirming(), b.order(t, id).Status)

	many := []int64{b.place(t, b.newOrder("hold_a")), b.place(t, b.newOrder("hold_b"))}
	require.NoError(t, b.client.SetTags(t.Context(), many, []int64{hold}, []int64{approved}))
	for _, id := range many {
		require.Equal(t, order.OnHold, b.order(t, id).Status)
	}
}

// TagsOfPeople needs a server of its own, because there is one tag of a name.
func TagsOfPeople(t *testing.T, s Server) {
	b := newBundle(t, s)
	id := b.place(t, b.newOrder("tags"))
	theirs := b.admin.create(t, "crm.tag", map[string]any{"name": "On hold"})
	b.admin.write(t, "sale.order", id, map[string]any{"tag_ids": []any{[]any{6, 0, []any{theirs}}}})
	require.Equal(t, order.OnHold, b.order(t, id).Status)

	hold, approved, err := b.client.HoldTags(t.Context())
	require.NoError(t, err)
	require.Equal(t, theirs, hold, "Odoo has one tag of a name")
	require.EqualValues(t, 1, b.admin.count(t, "crm.tag", "name", "On hold"))

	b.admin.write(t, "crm.tag", approved, map[string]any{"name": "Released"})
	b.admin.write(t, "sale.order", id, map[string]any{"tag_ids": []any{[]any{6, 0, []any{approved}}}})
	other, err := odoo.New(s.config())
	require.NoError(t, err)
	t.Cleanup(other.Close)
	seen, err := other.Orders(t.Context(), []int64{id})
	require.NoError(t, err)
	require.Equal(t, order.Approved, seen[0].Status, "the tag that the gateway made, whatever it is called")
	_, again, err := other.HoldTags(t.Context())
	require.NoError(t, err)
	require.Equal(t, approved, again)
}

// standing requires where an order stands.
func (b *bundle) standing(t *testing.T, id int64, status order.Status, fulfilment order.Fulfilment, payment order.Payment) order.Snapshot {
	t.Helper()
	s := b.order(t, id)
	require.Equal(t, order.Standing{Status: status, Fulfilment: fulfilment, Payment: payment},
		order.Standing{Status: s.Status, Fulfilment: s.Fulfilment, Payment: s.Payment})
	return s
}

// testStanding takes an order through its life as people do in Odoo: two deliveries, an invoice, two payments, a return of one
// piece and its credit note.
func (b *bundle) testStanding(t *testing.T) {
	for _, product := range []int64{b.chair, b.table} {
		b.admin.write(t, "product.product", product, map[string]any{"invoice_policy": "delivery"})
	}
	id := b.place(t, b.newOrder("standing"))
	b.standing(t, id, order.Draft, order.FulfilmentNone, order.PaymentNone)
	b.act(t, "sale.order", "action_confirm", id, nil)
	s := b.standing(t, id, order.Picking, order.FulfilmentNone, order.PaymentNone)

	first := s.Deliveries[0].ID
	b.deliver(t, first, map[int64]float64{b.chair: 2}, "")
	s = b.standing(t, id, order.Shipped, order.FulfilmentPartial, order.PaymentNone)
	b.deliver(t, s.Deliveries[1].ID, map[int64]float64{b.table: 1}, "")
	s = b.standing(t, id, order.Delivered, order.FulfilmentFull, order.PaymentNone)

	invoice := b.bill(t, id)
	b.standing(t, id, order.Delivered, order.FulfilmentFull, order.PaymentUnpaid)
	b.pay(t, invoice, 10)
	b.standing(t, id, order.Delivered, order.FulfilmentFull, order.PaymentPartial)
	rest, _ := s.AmountTotal.Sub(number("10")).Float64()
	b.pay(t, invoice, rest)
	b.standing(t, id, order.Completed, order.FulfilmentFull, order.PaymentPaid)

	returned := b.giveBack(t, first, map[int64]float64{b.chair: 1})
	s = b.standing(t, id, order.Completed, order.FulfilmentFull, order.PaymentPaid)
	i := slices.IndexFunc(s.Deliveries, func(d order.Delivery) bool { return d.ID == returned })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, order.DeliveryReturn, s.Deliveries[i].Kind)
	b.deliver(t, returned, map[int64]float64{b.chair: 1}, "")
	s = b.standing(t, id, order.Delivered, order.FulfilmentPartiallyReturned, order.PaymentPaid)
	require.Equal(t, "1", s.Lines[0].Delivered.String())

	credit := b.bill(t, id)
	s = b.standing(t, id, order.Completed, order.FulfilmentPartiallyReturned, order.PaymentPartiallyRefunded)
	require.True(t, s.Invoices[len(s.Invoices)-1].CreditNote)
	b.pay(t, credit, 12.5)
	b.standing(t, id, order.Completed, order.FulfilmentPartiallyReturned, order.PaymentPartiallyRefunded)
}

// testStandingWithoutStock waits for goods: only what is in stock is picked. A back order that is cancelled is not waited for.
func (b *bundle) testStandingWithoutStock(t *testing.T) {
	lamp := b.newProduct(t, "Lamp", "lamp-"+b.tag, 30)
	storable := map[string]any{"is_storable": true}
	if b.server.Major < 18 {
		storable = map[string]any{"type": "product"}
	}
	b.admin.write(t, "product.product", lamp, storable)
	o := b.newOrder("waiting")
	o.Lines = o.Lines[:1]
	o.Lines[0].ProductID = lamp
	id := b.place(t, o)
	b.act(t, "sale.order", "action_confirm", id, nil)
	s := b.standing(t, id, order.Confirmed, order.FulfilmentNone, order.PaymentNone)
	require.Equal(t, order.Waiting, s.Deliveries[0].State)
	require.Equal(t, order.DeliveryOutgoing, s.Deliveries[0].Kind)

	delivery := s.Deliveries[0].ID
	shelf := b.admin.read(t, "stock.picking", delivery, "location_id")["location_id"].([]any)[0]
	inventory := map[string]any{"inventory_mode": true}
	quant, ok := b.admin.call(t, "stock.quant", "create", []any{map[string]any{"product_id": lamp, "location_id": shelf, "inventory_quantity": 2.0}},
		map[string]any{"context": inventory}).(int64)
	require.True(t, ok)
	if b.server.Major >= 15 {
		b.act(t, "stock.quant", "action_apply_inventory", quant, inventory)
	}
	b.act(t, "stock.picking", "action_assign", delivery, nil)
	b.standing(t, id, order.Picking, order.FulfilmentNone, order.PaymentNone)

	b.deliver(t, delivery, map[int64]float64{lamp: 1}, "")
	s = b.standing(t, id, order.Shipped, order.FulfilmentPartial, order.PaymentNone)
	b.act(t, "stock.picking", "action_cancel", s.Deliveries[1].ID, nil)
	b.standing(t, id, order.Delivered, order.FulfilmentPartial, order.PaymentNone)
}

// testStandingInSteps picks goods before they are shipped, as warehouses of several steps do.
func (b *bundle) testStandingInSteps(t *testing.T) {
	crate := b.newProduct(t, "Crate", "crate-"+b.tag, 30)
	b.admin.write(t, "product.product", crate, map[string]any{"route_ids": []any{[]any{6, 0, []any{b.stepsRoute(t, "S")}}}})
	o := b.newOrder("steps")
	o.Lines = o.Lines[:1]
	o.Lines[0].ProductID = crate
	id := b.place(t, o)
	b.act(t, "sale.order", "action_confirm", id, nil)
	open := func(kind order.DeliveryKind) int64 {
		t.Helper()
		deliveries := b.order(t, id).Deliveries
		i := slices.IndexFunc(deliveries, func(d order.Delivery) bool {
			return d.Kind == kind && (d.State == order.Ready || d.State == order.Waiting)
		})
		require.GreaterOrEqual(t, i, 0, "no %s is open among %+v", kind, deliveries)
		return deliveries[i].ID
	}
	b.standing(t, id, order.Picking, order.FulfilmentNone, order.PaymentNone)
	b.deliver(t, open(order.DeliveryStep), map[int64]float64{crate: 2}, "")
	b.standing(t, id, order.Packed, order.FulfilmentNone, order.PaymentNone)
	b.deliver(t, open(order.DeliveryOutgoing), map[int64]float64{crate: 1}, "")
	b.standing(t, id, order.Shipped, order.FulfilmentPartial, order.PaymentNone)
	b.deliver(t, open(order.DeliveryOutgoing), map[int64]float64{crate: 1}, "")
	b.standing(t, id, order.Delivered, order.FulfilmentFull, order.PaymentNone)
}

// stepsRoute makes a route over a place of its own from the shelves to the customer, and returns its id.
func (b *bundle) stepsRoute(t *testing.T, code string) int64 {
	t.Helper()
	warehouse := b.admin.call(t, "stock.warehouse", "search_read", []any{[]any{}},
		map[string]any{"fields": []any{"lot_stock_id", "view_location_id", "out_type_id", "company_id"}, "order": "id", "limit": 1}).([]any)[0].(map[string]any)
	ref := func(field string) any { return warehouse[field].([]any)[0] }
	customers := b.admin.call(t, "stock.location", "search", []any{[]any{[]any{"usage", "=", "customer"}, []any{"company_id", "=", false}}},
		map[string]any{"order": "id", "limit": 1}).([]any)[0]
	output := b.admin.create(t, "stock.location", map[string]any{"name": "Output " + b.tag, "usage": "internal", "location_id": ref("view_location_id"),
		"company_id": ref("company_id")})
	picking := b.admin.create(t, "stock.picking.type", map[string]any{"name": "Pick " + b.tag, "code": "internal", "sequence_code": b.tag + code,
		"warehouse_id": warehouse["id"], "company_id": ref("company_id"), "default_location_src_id": ref("lot_stock_id"), "default_location_dest_id": output})
	model, to := "stock.route", "location_dest_id"
	if b.server.Major < 15 {
		model, to = "stock.location.route", "location_id"
	}
	pick := map[string]any{"name": "pick", "action": "pull", "picking_type_id": picking, "location_src_id": ref("lot_stock_id"), to: customers}
	ship := map[string]any{"name": "ship", "action": "push", "picking_type_id": ref("out_type_id"), "location_src_id": output, to: customers, "auto": "manual"}
	if b.server.Major < 18 { // the last step comes first, and asks for the one before
		pick[to], ship["action"], ship["procure_method"] = output, "pull", "make_to_order"
	}
	return b.admin.create(t, model, map[string]any{"name": "Steps " + b.tag, "product_selectable": true, "company_id": ref("company_id"),
		"rule_ids": []any{[]any{0, 0, pick}, []any{0, 0, ship}}})
}

// giveBack makes a return of some quantities of a delivery, and returns its id.
func (b *bundle) giveBack(t *testing.T, delivery int64, quantities map[int64]float64) int64 {
	t.Helper()
	moves, create := "move_ids", "action_create_returns"
	if b.server.Major < 15 {
		moves = "move_lines"
	}
	if b.server.Major < 18 {
		create = "create_returns"
	}
	picking := b.admin.read(t, "stock.picking", delivery, moves, "location_id", "sale_id")
	var lines []any
	for _, move := range picking[moves].([]any) {
		product := b.admin.read(t, "stock.move", move.(int64), "product_id")["product_id"].([]any)[0].(int64)
		if quantity := quantities[product]; quantity > 0 {
			lines = append(lines, []any{0, 0, map[string]any{"product_id": product, "move_id": move, "quantity": quantity, "to_refund": true}})
		}
	}
	values := map[string]any{"picking_id": delivery, "product_return_moves": lines}
	if b.server.Major < 18 {
		values["location_id"] = picking["location_id"].([]any)[0]
	}
	rpcContext := map[string]any{"active_model": "stock.picking", "active_ids": []any{delivery}, "active_id": delivery}
	wizard, ok := b.admin.call(t, "stock.return.picking", "create", []any{values}, map[string]any{"context": rpcContext}).(int64)
	require.True(t, ok)
	b.act(t, "stock.return.picking", create, wizard, rpcContext)
	found := b.admin.call(t, "stock.picking", "search", []any{[]any{[]any{"sale_id", "=", picking["sale_id"].([]any)[0]}}},
		map[string]any{"order": "id desc", "limit": 1}).([]any)
	return found[0].(int64)
}

// bill makes and posts what is to be invoiced or credited of an order, and returns its id.
func (b *bundle) bill(t *testing.T, orderID int64) int64 {
	t.Helper()
	rpcContext := map[string]any{"active_model": "sale.order", "active_ids": []any{orderID}, "active_id": orderID}
	wizard, ok := b.admin.call(t, "sale.advance.payment.inv", "create",
		[]any{map[string]any{"advance_payment_method": "delivered", "deduct_down_payments": true}}, map[string]any{"context": rpcContext}).(int64)
	require.True(t, ok)
	b.act(t, "sale.advance.payment.inv", "create_invoices", wizard, rpcContext)
	invoices := b.admin.read(t, "sale.order", orderID, "invoice_ids")["invoice_ids"].([]any)
	newest := int64(0)
	for _, id := range invoices {
		newest = max(newest, id.(int64))
	}
	b.act(t, "account.move", "action_post", newest, nil)
	require.Equal(t, "posted", b.admin.read(t, "account.move", newest, "state")["state"])
	return newest
}
