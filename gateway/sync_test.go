package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestSyncReport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.report = func(context.Context, order.Caller) (order.SyncReport, error) {
		return order.SyncReport{
			Status: order.SyncStatus{State: order.Stale, Reason: "The mirror is 1h old."}, Orders: 7, Edited: 2, Deleted: 1, InDoubt: 3,
			FullSync: &order.FullSyncProgress{Orders: 5000, AfterID: 5200, Since: start},
		}, nil
	}
	a := b.get("/v1/sync", operatorSecret)
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.JSONEq(t, `{"sync": {"state": "stale", "synced_at": null, "reason": "The mirror is 1h old."}, "orders": 7, "edited": 2,
		"deleted": 1, "in_doubt": 3, "full_sync": {"orders": 5000, "after_id": 5200, "since": "2026-11-21T09:30:00Z"}}`, string(a.body))
	b.get("/v1/sync", customerSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
}

func TestSyncOnDemand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var wished order.SyncWish
	b.service.syncNow = func(_ context.Context, _ order.Caller, wish order.SyncWish) (int, order.SyncStatus, error) {
		wished = wish
		return 2, order.SyncStatus{State: order.Fresh, SyncedAt: start}, nil
	}
	send := func(body string) answer { return b.request(http.MethodPost, "/v1/sync", operatorSecret, body).send() }
	for body, want := range map[string]order.SyncWish{
		`{}`: {}, `{"order_id": 4711}`: {OrderID: 4711}, `{"customer": "u-17"}`: {CustomerRef: "u-17"},
	} {
		a := send(body)
		require.Equal(t, http.StatusOK, a.StatusCode, body)
		require.Equal(t, want, wished)
		require.JSONEq(t, `{"orders": 2, "sync": {"state": "fresh", "synced_at": "2026-11-21T09:30:00Z", "reason": null}}`, string(a.body))
	}
	send(`{"order_id": 1, "customer": "u-17"}`).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "customer")
	send(`{"order_id": 0}`).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "order_id")
	send(`{"everything": true}`).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "everything")
}

func TestOrdersAreListedBySourceAndState(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.Filter
	b.service.orders = func(_ context.Context, _ order.Caller, f order.Filter) (order.Listing, error) {
		asked = f
		return order.Listing{Sync: order.SyncStatus{State: order.Fresh, SyncedAt: start}}, nil
	}
	require.Equal(t, http.StatusOK, b.get("/v1/orders?source=odoo&sync=drifted", portalSecret).StatusCode)
	require.Equal(t, "odoo", asked.Source)
	require.Equal(t, order.SyncDrifted, asked.Sync)
	b.get("/v1/orders?sync=fresh", portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "sync")
}

func TestDocumentsAndEditsOfAnOrder(t *testing.T) {
	t.Parallel()
	d := decimal.RequireFromString
	b := newBench(t)
	b.service.order = func(context.Context, order.Caller, int64) (order.Order, order.OrderSync, error) {
		o := cabinet()
		o.Lines[0].Delivered, o.Lines[0].Invoiced = d("1"), d("2")
		o.Status, o.Fulfilment, o.Payment = order.Shipped, order.FulfilmentPartial, order.PaymentPaid
		o.Deliveries = []order.Delivery{{ID: 3, Number: "WH/OUT/3", State: order.DocumentDelivered, Kind: order.DeliveryReturn, Tracking: "T1", DoneAt: start.Add(time.Hour)}}
		o.Invoices = []order.Invoice{{ID: 9, State: order.Open, Payment: "not_paid", Currency: "EUR", AmountTotal: d("48.16"), AmountDue: d("48.16")}}
		price := d("7")
		o.Edits = &order.Edits{
			Added:   []order.Line{{Name: "Shipping", Quantity: d("1"), UnitPrice: d("5")}},
			Removed: []order.OriginalLine{{SKU: "B", Quantity: d("3")}},
			Changed: []order.LineChange{{Sent: order.OriginalLine{SKU: "A", Quantity: d("2"), UnitPrice: &price},
				Now: order.Line{SKU: "A", Quantity: d("1"), UnitPrice: d("8")}}},
			Reference:   &order.TextChange{Sent: "PO-1"},
			AmountTotal: &order.AmountChange{Sent: d("50"), Now: d("48.16")},
		}
		return o, order.OrderSync{State: order.SyncDrifted, Reason: "It differs."}, nil
	}
	got := b.get("/v1/orders/4711", portalSecret).json(t)
	require.Equal(t, map[string]any{"state": "drifted", "synced_at": nil, "reason": "It differs."}, got["sync"])
	line := got["lines"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"1", "2"}, []any{line["quantity_delivered"], line["quantity_invoiced"]})
	require.Equal(t, []any{map[string]any{"id": 3.0, "number": "WH/OUT/3", "state": "delivered", "return": true, "backorder_of": nil,
		"carrier": nil, "tracking": "T1", "scheduled_at": nil, "done_at": "2026-11-21T10:30:00Z", "kind": "return"}}, got["deliveries"])
	require.Equal(t, []any{"shipped", "partial", "paid"}, []any{got["status"], got["fulfilment"], got["payment"]})
	require.Equal(t, []any{map[string]any{"id": 9.0, "number": nil, "state": "open", "credit_note": false, "payment": "not_paid",
		"currency": "EUR", "amount_total": "48.16", "amount_due": "48.16", "issued_on": nil, "due_on": nil}}, got["invoices"])
	require.Equal(t, map[string]any{
		"added":        []any{map[string]any{"sku": nil, "quantity": "1", "unit_price": "5.00", "discount": "0"}},
		"removed":      []any{map[string]any{"sku": "B", "quantity": "3", "unit_price": nil, "discount": nil}},
		"changed":      []any{map[string]any{"sent": map[string]any{"sku": "A", "quantity": "2", "unit_price": "7.00", "discount": nil}, "now": map[string]any{"sku": "A", "quantity": "1", "unit_price": "8.00", "discount": "0"}}},
		"reference":    map[string]any{"sent": "PO-1", "now": nil},
		"amount_total": map[string]any{"sent": "50.00", "now": "48.16"},
	}, got["edits"])
}
