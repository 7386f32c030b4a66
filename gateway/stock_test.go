package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// fakeStock answers what is asked about stock with what a test put there.
type fakeStock struct {
	warehouses  []order.Warehouse
	stock       func(skus []string, warehouse string) ([]order.StockLevel, error)
	allocations order.Allocations
	purchases   []order.Purchase
	stockErr    error
}

func (s *fakeStock) Warehouses(context.Context) ([]order.Warehouse, error) {
	return s.warehouses, s.stockErr
}

func (s *fakeStock) Stock(_ context.Context, skus []string, warehouse string) ([]order.StockLevel, error) {
	return s.stock(skus, warehouse)
}

func (s *fakeStock) Allocations(context.Context, order.Caller, int64) (order.Allocations, error) {
	return s.allocations, s.stockErr
}

func (s *fakeStock) Procurement(context.Context, order.Caller, int64) ([]order.Purchase, error) {
	return s.purchases, s.stockErr
}

var hub = order.Warehouse{ID: 1, Code: "WH", Name: "Main"}

func TestStock(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.stock = func(skus []string, warehouse string) ([]order.StockLevel, error) {
		require.Equal(t, []string{"E-COM07", "A", "B"}, skus)
		require.Equal(t, "WH", warehouse)
		return []order.StockLevel{{ProductID: 31, SKU: "E-COM07", Warehouse: hub, UnitOfMeasure: "Units", Kept: true,
			OnHand: money("9.00"), Free: money("-1"), Incoming: money("0.5")}}, nil
	}
	a := b.get("/v1/stock?sku=E-COM07&sku=A,B&warehouse=WH", portalSecret)
	require.JSONEq(t, `{"stock": [{"sku": "E-COM07", "erp_product_id": 31, "warehouse": {"id": 1, "code": "WH", "name": "Main"},
		"unit_of_measure": "Units", "kept": true, "on_hand": "9", "reserved": "10", "free": "-1", "incoming": "0.5"}]}`, string(a.body))
	b.get("/v1/stock", portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "sku")
	b.get("/v1/stock?sku=", portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")
	for _, target := range []string{"/v1/stock?sku=A", "/v1/warehouses", "/v1/orders/4711/allocations", "/v1/orders/4711/procurement"} {
		for _, secret := range []string{customerSecret, moduleSecret} {
			b.get(target, secret).requireProblem(t, http.StatusForbidden, "role_forbidden")
		}
	}
	b.service.stockErr = order.Errorf(order.Unsupported, "stock_missing", "Install it.")
	b.get("/v1/warehouses", operatorSecret).requireProblem(t, http.StatusNotImplemented, "stock_missing")
	b.service.stockErr = nil
	b.service.warehouses = []order.Warehouse{hub}
	require.JSONEq(t, `{"warehouses": [{"id": 1, "code": "WH", "name": "Main"}]}`, string(b.get("/v1/warehouses", operatorSecret).body))
}

func TestAllocations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.JSONEq(t, `{"warehouse": null, "allocations": []}`, string(b.get("/v1/orders/4711/allocations", portalSecret).body))
	b.service.allocations = order.Allocations{Warehouse: hub, Lines: []order.Allocation{
		{LineID: 7, ProductID: 31, SKU: "E-COM07", UnitOfMeasure: "Units", Demanded: money("8"), Reserved: money("5"),
			Places: []order.AllocationPlace{{DeliveryID: 70, Location: "WH/Stock", Lot: "L1", Quantity: money("5.00")}}},
		{ProductID: 32, UnitOfMeasure: "kg", Demanded: money("1"), Reserved: money("2")},
	}}
	require.JSONEq(t, `{"warehouse": {"id": 1, "code": "WH", "name": "Main"}, "allocations": [
		{"erp_line_id": 7, "erp_product_id": 31, "sku": "E-COM07", "unit_of_measure": "Units", "demanded": "8", "reserved": "5", "short": "3",
			"places": [{"delivery_id": 70, "location": "WH/Stock", "lot": "L1", "quantity": "5"}]},
		{"erp_line_id": null, "erp_product_id": 32, "sku": null, "unit_of_measure": "kg", "demanded": "1", "reserved": "2", "short": "0", "places": []}]}`,
		string(b.get("/v1/orders/4711/allocations", portalSecret).body))
}

// Whoever reserves, or places an order that is short, is told what is lacking; the answers of other actions do not say it.
func TestShortages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := cabinet()
	o.Shortages = []order.Shortage{{SKU: "E-COM07", Demanded: money("8.0"), Available: money("-1")}}
	want := []any{map[string]any{"sku": "E-COM07", "demanded": "8", "available": "-1", "short": "9"}}
	b.service.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		return order.Placement{Order: &o}, nil
	}
	require.Equal(t, want, b.place(portalSecret, "k1", validOrder).json(t)["shortages"])
	var asked order.ActionKind
	b.service.act = func(_ context.Context, _ order.Caller, _ string, action order.Action) (order.Placement, error) {
		asked = action.Kind
		return order.Placement{Order: &o}, nil
	}
	send := func(method string) map[string]any {
		return b.request(method, "/v1/orders/4711/allocations", portalSecret, "").with("Idempotency-Key", "k1").send().json(t)
	}
	require.Equal(t, want, send(http.MethodPost)["shortages"])
	require.Equal(t, order.Reserve, asked)
	require.NotContains(t, send(http.MethodDelete), "shortages")
	require.Equal(t, order.Release, asked)
	b.request(http.MethodDelete, "/v1/orders/4711/allocations", portalSecret, "").send().requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
}

func TestProcurement(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.purchases = []order.Purchase{{ID: 17, Number: "P00017", State: order.PurchaseToApprove, Vendor: "Wood Corner", ExpectedAt: start.Add(time.Hour),
		Lines: []order.PurchaseLine{{ID: 40, ProductID: 31, SKU: "E-COM07", Name: "Cabinet", UnitOfMeasure: "Units", Quantity: money("3"), Received: money("1.50")}}},
		{ID: 18, Number: "P00018", State: order.PurchaseCancelled, Vendor: "Wood Corner"}}
	require.JSONEq(t, `{"purchases": [
		{"id": 17, "number": "P00017", "state": "to_approve", "vendor": "Wood Corner", "ordered_at": null, "expected_at": "2026-11-21T10:30:00Z",
			"lines": [{"id": 40, "erp_line_id": null, "erp_product_id": 31, "sku": "E-COM07", "name": "Cabinet", "unit_of_measure": "Units",
				"quantity": "3", "received": "1.5", "expected_at": null}]},
		{"id": 18, "number": "P00018", "state": "cancelled", "vendor": "Wood Corner", "ordered_at": null, "expected_at": null, "lines": []}]}`,
		string(b.get("/v1/orders/4711/procurement", portalSecret).body))
}
