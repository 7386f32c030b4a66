package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/test/odoorpc"
)

// storable makes a product of which Odoo keeps stock.
func (b *bundle) storable(t *testing.T, name string, values map[string]any) int64 {
	t.Helper()
	product := b.newProduct(t, name, name+"-"+b.tag, 30)
	kept := map[string]any{"is_storable": true}
	if b.server.Major < 18 {
		kept = map[string]any{"type": "product"}
	}
	for field, value := range values {
		kept[field] = value
	}
	b.admin.write(t, "product.product", product, kept)
	return product
}

// stockUp sets how much of a product the first warehouse has.
func (b *bundle) stockUp(t *testing.T, product int64, quantity float64) {
	t.Helper()
	warehouse := b.admin.call(t, "stock.warehouse", "search_read", []any{[]any{}},
		map[string]any{"fields": []any{"lot_stock_id"}, "order": "id", "limit": 1}).([]any)[0].(map[string]any)
	inventory := map[string]any{"inventory_mode": true}
	quant, ok := b.admin.call(t, "stock.quant", "create", []any{map[string]any{"product_id": product,
		"location_id": warehouse["lot_stock_id"].([]any)[0], "inventory_quantity": quantity}}, map[string]any{"context": inventory}).(int64)
	require.True(t, ok)
	if b.server.Major >= 15 {
		b.act(t, "stock.quant", "action_apply_inventory", quant, inventory)
	}
}

// testStock follows a product of which there is less than is ordered: what is free, reserved and lacking.
func (b *bundle) testStock(t *testing.T) {
	crate := b.storable(t, "Crate", nil)
	b.stockUp(t, crate, 5)
	warehouses, err := b.client.Warehouses(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, warehouses)
	warehouse := warehouses[0]
	require.NotEmpty(t, warehouse.Code)
	require.NotEmpty(t, warehouse.Name)
	level := func() order.StockLevel {
		t.Helper()
		levels, err := b.client.StockLevels(t.Context(), []int64{b.chair, crate}, warehouse)
		require.NoError(t, err)
		require.Len(t, levels, 2)
		require.False(t, levels[0].Kept)
		require.True(t, levels[1].Kept)
		require.Equal(t, warehouse, levels[1].Warehouse)
		require.Equal(t, "Crate-"+b.tag, levels[1].SKU)
		require.Equal(t, "Units", levels[1].UnitOfMeasure)
		return levels[1]
	}
	figures := func(want ...string) {
		t.Helper()
		l := level()
		for i, got := range []decimal.Decimal{l.OnHand, l.Reserved(), l.Free, l.Incoming} {
			require.Equal(t, want[i], got.String(), "%+v", l)
		}
	}
	figures("5", "0", "5", "0")
	free, err := b.client.FreeStock(t.Context(), []int64{b.chair, crate})
	require.NoError(t, err)
	require.False(t, free[b.chair].Kept)
	require.True(t, free[crate].Kept)
	require.Equal(t, "5", free[crate].Free.String())

	o := b.newOrder("stock")
	o.Lines[0].ProductID, o.Lines[0].Quantity = crate, number("8")
	id := b.place(t, o)
	nothing, known, err := b.client.Allocations(t.Context(), id)
	require.NoError(t, err)
	require.True(t, known)
	require.Empty(t, nothing.Transfers)
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	s := b.order(t, id)
	held := func(reserved, short string, places int) {
		t.Helper()
		a, known, err := b.client.Allocations(t.Context(), id)
		require.NoError(t, err)
		require.True(t, known)
		require.Equal(t, []int64{s.Deliveries[0].ID}, a.Transfers)
		require.Len(t, a.Lines, 2)
		l := a.Lines[0]
		require.Equal(t, s.Lines[0].ERPLineID, l.LineID)
		require.Equal(t, crate, l.ProductID)
		require.Equal(t, "Units", l.UnitOfMeasure)
		require.Equal(t, []string{"8", reserved, short}, []string{l.Demanded.String(), l.Reserved.String(), l.Short().String()})
		require.Len(t, l.Places, places)
		for _, place := range l.Places {
			require.Equal(t, reserved, place.Quantity.String())
			require.Contains(t, place.Location, warehouse.Code+"/")
			require.Equal(t, s.Deliveries[0].ID, place.DeliveryID)
		}
	}
	held("5", "3", 1)
	figures("5", "5", "0", "0")
	transfers := []int64{s.Deliveries[0].ID}
	require.NoError(t, b.client.Reserve(t.Context(), transfers), "there is nothing more to reserve")
	held("5", "3", 1)
	require.NoError(t, b.client.Release(t.Context(), transfers))
	held("0", "8", 0)
	require.NoError(t, b.client.Release(t.Context(), transfers))
	b.stockUp(t, crate, 9)
	require.NoError(t, b.client.Reserve(t.Context(), transfers))
	held("8", "0", 1)
	require.NoError(t, b.client.Reserve(t.Context(), transfers))
	held("8", "0", 1)
	figures("9", "8", "1", "0")
}

// testStockInSteps reserves for the first step of several.
func (b *bundle) testStockInSteps(t *testing.T) {
	crate := b.storable(t, "Pallet", map[string]any{"route_ids": []any{[]any{6, 0, []any{b.stepsRoute(t, "A")}}}})
	b.stockUp(t, crate, 3)
	o := b.newOrder("allocated_steps")
	o.Lines = o.Lines[:1]
	o.Lines[0].ProductID, o.Lines[0].Quantity = crate, number("4")
	id := b.place(t, o)
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	line := b.order(t, id).Lines[0].ERPLineID
	held := func(demanded, reserved string) {
		t.Helper()
		a, _, err := b.client.Allocations(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, a.Lines, 1)
		require.Equal(t, line, a.Lines[0].LineID)
		require.Equal(t, []string{demanded, reserved}, []string{a.Lines[0].Demanded.String(), a.Lines[0].Reserved.String()})
	}
	held("4", "3")
	for _, d := range b.order(t, id).Deliveries {
		if d.Kind == order.DeliveryStep {
			b.deliver(t, d.ID, map[int64]float64{crate: 2}, "")
		}
	}
	a, _, err := b.client.Allocations(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, a.Transfers, 2)
	require.NoError(t, b.client.Reserve(t.Context(), a.Transfers), "Odoo 14 leaves what it had reserved of the rest")
	held("4", "3")
}

// testWarehouse sends an order from another warehouse. Once it has deliveries, they stay where they are.
func (b *bundle) testWarehouse(t *testing.T) {
	code := strings.ToUpper(b.tag[:5])
	second := b.secondWarehouse(t, code)
	warehouses, err := b.client.Warehouses(t.Context())
	require.NoError(t, err)
	found, known := order.FindWarehouse(warehouses, code)
	require.True(t, known)
	require.Equal(t, second, found.ID)
	id := b.place(t, b.newOrder("warehouse"))
	of := func() int64 {
		current, err := b.client.OrderWarehouse(t.Context(), id)
		require.NoError(t, err)
		return current
	}
	first := of()
	require.NotEqual(t, second, first)
	require.NoError(t, b.client.AssignWarehouse(t.Context(), id, second))
	require.Equal(t, second, of())
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	require.Contains(t, b.order(t, id).Deliveries[0].Number, code+"/")
	require.NoError(t, b.client.AssignWarehouse(t.Context(), id, first))
	require.Contains(t, b.order(t, id).Deliveries[0].Number, code+"/", "which is why the gateway refuses that")
	require.NoError(t, b.client.CancelOrders(t.Context(), id))
}

// secondWarehouse makes a warehouse of this run's own, and archives it again: runs may go beside each other.
func (b *bundle) secondWarehouse(t *testing.T, code string) int64 {
	t.Helper()
	id := b.admin.create(t, "stock.warehouse", map[string]any{"name": "Second " + b.tag, "code": code})
	t.Cleanup(func() {
		_, err := odoorpc.Execute(b.server.URL, b.server.Database, b.server.AdminUser, b.server.AdminPassword,
			"stock.warehouse", "write", []any{[]any{id}, map[string]any{"active": false}}, nil)
		require.NoError(t, err)
	})
	return id
}

// testPurchases follows what Odoo buys for an order.
func (b *bundle) testPurchases(t *testing.T) {
	vendor := b.admin.create(t, "res.partner", map[string]any{"name": "Vendor " + b.tag})
	supplier := map[string]any{"partner_id": vendor, "price": 4.0}
	if b.server.Major < 15 {
		supplier = map[string]any{"name": vendor, "price": 4.0}
	}
	buy := b.admin.call(t, "ir.model.data", "search_read", []any{[]any{[]any{"module", "=", "purchase_stock"}, []any{"name", "=", "route_warehouse0_buy"}}},
		map[string]any{"fields": []any{"res_id"}}).([]any)[0].(map[string]any)["res_id"]
	bought := b.storable(t, "Bought", map[string]any{"seller_ids": []any{[]any{0, 0, supplier}},
		"route_ids": []any{[]any{6, 0, []any{b.toOrderRoute(t), buy}}}})
	o := b.newOrder("bought")
	o.Lines[0].ProductID, o.Lines[0].Quantity = bought, number("8")
	id := b.place(t, o)
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))

	since := b.client.Now().Add(-time.Minute)
	one := func(known ...int64) order.Purchase {
		t.Helper()
		purchases, installed, permitted, err := b.client.Purchases(t.Context(), id, known)
		require.NoError(t, err)
		require.True(t, installed)
		require.True(t, permitted)
		require.Len(t, purchases, 1)
		since = b.requireWritten(t, id, purchases[0], since)
		return purchases[0]
	}
	p := one()
	require.Equal(t, order.PurchaseDraft, p.State)
	require.Equal(t, "Vendor "+b.tag, p.Vendor)
	require.NotEmpty(t, p.Number)
	require.False(t, p.ExpectedAt.IsZero())
	require.Len(t, p.Lines, 1)
	require.Equal(t, bought, p.Lines[0].ProductID)
	require.Equal(t, []string{"8", "0"}, []string{p.Lines[0].Quantity.String(), p.Lines[0].Received.String()})

	b.act(t, "purchase.order", "button_confirm", p.ID, nil)
	p = one(p.ID)
	require.Equal(t, order.PurchaseConfirmed, p.State)
	require.Len(t, p.Lines, 1)
	require.False(t, p.Received())
	receipt := b.admin.read(t, "purchase.order", p.ID, "picking_ids")["picking_ids"].([]any)[0].(int64)
	b.deliver(t, receipt, map[int64]float64{bought: 8}, "")
	require.True(t, one().Received())

	other := b.newOrder("bought_in_vain")
	other.Lines[0].ProductID = bought
	id = b.place(t, other)
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	p = one()
	b.act(t, "purchase.order", "button_cancel", p.ID, nil)
	purchases, _, _, err := b.client.Purchases(t.Context(), id, nil)
	require.NoError(t, err)
	require.Empty(t, purchases, "Odoo has forgotten what it was for")
	require.Equal(t, order.PurchaseCancelled, one(p.ID).State)

	assembly := b.newProduct(t, "Assembly", "assembly-"+b.tag, 20)
	b.admin.write(t, "product.product", assembly, map[string]any{"type": "service", "seller_ids": []any{[]any{0, 0, supplier}}})
	b.admin.write(t, "product.product", assembly, map[string]any{"service_to_purchase": true})
	service := b.newOrder("bought_service")
	service.Lines[1].ProductID = assembly
	id = b.place(t, service)
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	p = one()
	require.Len(t, p.Lines, 1)
	require.Equal(t, b.order(t, id).Lines[1].ERPLineID, p.Lines[0].LineID)
}

// requireWritten checks that a purchase order was written after a time, and is said to be for an order as it is when the order is asked. It
// returns when it was written.
func (b *bundle) requireWritten(t *testing.T, orderID int64, p order.Purchase, since time.Time) time.Time {
	t.Helper()
	heads, err := b.client.PurchaseLineHeads(t.Context(), odoo.Page{Since: since, Limit: 1000})
	require.NoError(t, err)
	i := slices.IndexFunc(heads, func(h odoo.LineHead) bool { return h.OrderID == p.ID })
	require.GreaterOrEqual(t, i, 0)
	require.True(t, heads[i].WriteDate.After(since), "written at %s", heads[i].WriteDate)
	of, err := b.client.PurchasesByOrder(t.Context(), []int64{p.ID})
	require.NoError(t, err)
	require.Equal(t, []order.Purchase{p}, of[orderID])
	time.Sleep(1100 * time.Millisecond) // write_date has whole seconds
	return heads[i].WriteDate
}

// toOrderRoute makes a route on which what goes to a customer is procured for it, and returns its id.
func (b *bundle) toOrderRoute(t *testing.T) int64 {
	t.Helper()
	warehouse := b.admin.call(t, "stock.warehouse", "search_read", []any{[]any{}},
		map[string]any{"fields": []any{"lot_stock_id", "out_type_id", "company_id"}, "order": "id", "limit": 1}).([]any)[0].(map[string]any)
	ref := func(field string) any { return warehouse[field].([]any)[0] }
	customers := b.admin.call(t, "stock.location", "search", []any{[]any{[]any{"usage", "=", "customer"}, []any{"company_id", "=", false}}},
		map[string]any{"order": "id", "limit": 1}).([]any)[0]
	model, to := "stock.route", "location_dest_id"
	if b.server.Major < 15 {
		model, to = "stock.location.route", "location_id"
	}
	return b.admin.create(t, model, map[string]any{"name": "To order " + b.tag, "product_selectable": true, "company_id": ref("company_id"),
		"rule_ids": []any{[]any{0, 0, map[string]any{"name": "ship", "action": "pull", "procure_method": "make_to_order",
			"picking_type_id": ref("out_type_id"), "location_src_id": ref("lot_stock_id"), to: customers}}}})
}

// testWithoutStock asks an Odoo without stock and purchases.
func (b *bundle) testWithoutStock(t *testing.T) {
	known, err := b.client.HasStock(t.Context())
	require.NoError(t, err)
	require.False(t, known)
	known, err = b.client.HasCarriers(t.Context())
	require.NoError(t, err)
	require.False(t, known)
	_, known, err = b.client.Allocations(t.Context(), 1)
	require.NoError(t, err)
	require.False(t, known)
	free, err := b.client.FreeStock(t.Context(), []int64{b.chair})
	require.NoError(t, err)
	require.Empty(t, free)
	_, installed, _, err := b.client.Purchases(t.Context(), 1, nil)
	require.NoError(t, err)
	require.False(t, installed)
	heads, err := b.client.PurchaseLineHeads(t.Context(), odoo.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, heads)
}
