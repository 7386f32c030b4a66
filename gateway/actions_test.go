package gateway_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// Every action is asked of the service with its key, and answered alike.
func TestActions(t *testing.T) {
	t.Parallel()
	twenty := decimal.NewFromInt(20)
	for target, test := range map[string]struct {
		body string
		want order.Action
	}{
		"/v1/orders/4711/confirm": {``, order.Action{Kind: order.Confirm, OrderID: 4711}},
		"/v1/orders/4711/hold":    {`{}`, order.Action{Kind: order.Hold, OrderID: 4711}},
		"/v1/orders/4711/approve": {``, order.Action{Kind: order.Approve, OrderID: 4711}},
		"/v1/orders/4711/cancel":  {`{"reason": "ordered twice"}`, order.Action{Kind: order.Cancel, OrderID: 4711, Reason: "ordered twice"}},
		"/v1/orders/4711/fulfilments": {
			`{"lines": [{"erp_line_id": 7, "quantity": "1.50", "lots": [{"lot": "SN-1", "quantity": "1.50"}]}], "tracking_number": "1Z-9/ü",
				"carrier": "Express", "note": "Two parcels.\nThe second follows."}`,
			order.Action{Kind: order.Fulfil, OrderID: 4711, Tracking: "1Z-9/ü", Carrier: "Express", Note: "Two parcels.\nThe second follows.", Lines: []order.ActionLine{{LineID: 7,
				Quantity: decimal.RequireFromString("1.5"), Lots: []order.ActionLot{{Lot: "SN-1", Quantity: decimal.RequireFromString("1.5")}}}}},
		},
		"/v1/orders/4711/warehouse":   {`{"warehouse": "WH"}`, order.Action{Kind: order.Assign, OrderID: 4711, Warehouse: "WH"}},
		"/v1/orders/4711/allocations": {``, order.Action{Kind: order.Reserve, OrderID: 4711}},
		"/v1/orders/4711/invoices":    {``, order.Action{Kind: order.Bill, OrderID: 4711}},
		"/v1/orders/4711/invoices/88/payments": {
			`{"amount": "20.00", "date": "2026-11-21", "reference": "card"}`,
			order.Action{Kind: order.Pay, OrderID: 4711, InvoiceID: 88, Amount: &twenty, Date: "2026-11-21", Reference: "card"},
		},
		"/v1/orders/4711/returns": {
			`{"lines": [{"erp_line_id": 7, "quantity": "20"}], "reason": "broken"}`,
			order.Action{Kind: order.Return, OrderID: 4711, Lines: []order.ActionLine{{LineID: 7, Quantity: twenty}}, Reason: "broken"},
		},
		"/v1/orders/4711/returns/91/receive": {``, order.Action{Kind: order.Receive, OrderID: 4711, ReturnID: 91}},
		"/v1/orders/4711/refunds": {
			`{"lines": [{"erp_line_id": 7, "quantity": "20"}], "reason": "broken", "date": "2026-11-21"}`,
			order.Action{Kind: order.Refund, OrderID: 4711, Lines: []order.ActionLine{{LineID: 7, Quantity: twenty}}, Reason: "broken", Date: "2026-11-21"},
		},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var asked order.Action
			var done order.Placement
			var failure error
			b.service.act = func(_ context.Context, _ order.Caller, key string, action order.Action) (order.Placement, error) {
				require.Equal(t, "k1", key)
				asked = action
				return done, failure
			}
			send := func() answer {
				return b.request(http.MethodPost, target, portalSecret, test.body).with("Idempotency-Key", "k1").send()
			}
			o := cabinet()
			o.Status = order.Confirmed
			done = order.Placement{Order: &o, Replayed: true}
			a := send()
			require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
			require.Equal(t, "true", a.Header.Get("Idempotency-Replayed"))
			require.Equal(t, "confirmed", a.json(t)["status"])
			require.Equal(t, test.want.Fingerprint(), asked.Fingerprint())

			done = order.Placement{Intent: order.Intent{Key: "k1", Source: "portal", State: order.Sending, Action: &asked, ERPOrderID: 4711}}
			a = send()
			require.Equal(t, http.StatusAccepted, a.StatusCode)
			require.Equal(t, "/v1/intents/k1", a.Header.Get("Location"))
			require.Equal(t, string(test.want.Kind), a.json(t)["action"])

			done, failure = order.Placement{Replayed: true}, order.Errorf(order.Conflict, "action_refused", "No.")
			a = send()
			a.requireProblem(t, http.StatusConflict, "action_refused")
			require.Equal(t, "true", a.Header.Get("Idempotency-Replayed"))
			if slices.Contains([]order.ActionKind{order.Fulfil, order.Bill, order.Pay, order.Return, order.Receive, order.Refund,
				order.Assign, order.Reserve}, test.want.Kind) {
				failure = order.Errorf(order.Unsupported, "stock_missing", "Install it.")
				send().requireProblem(t, http.StatusNotImplemented, "stock_missing")
			}

			b.request(http.MethodPost, target, portalSecret, test.body).send().requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
		})
	}
}

// Where nothing must be said, nothing need be sent; what is sent is looked at all the same.
func TestActionsWithoutABody(t *testing.T) {
	t.Parallel()
	for target, kind := range map[string]order.ActionKind{
		"hold": order.Hold, "cancel": order.Cancel, "fulfilments": order.Fulfil, "returns": order.Return, "refunds": order.Refund,
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var asked []order.Action
			b.service.act = func(_ context.Context, _ order.Caller, _ string, action order.Action) (order.Placement, error) {
				asked = append(asked, action)
				o := cabinet()
				return order.Placement{Order: &o}, nil
			}
			send := func(body, mediaType string) answer {
				r := b.request(http.MethodPost, "/v1/orders/4711/"+target, portalSecret, body).with("Idempotency-Key", "k1")
				r.Header.Del("Content-Type")
				if mediaType != "" {
					r.Header.Set("Content-Type", mediaType)
				}
				return r.send()
			}
			for _, mediaType := range []string{"", "application/json", "application/x-www-form-urlencoded"} {
				a := send("", mediaType)
				require.Equal(t, http.StatusOK, a.StatusCode, "%s: %s", mediaType, a.body)
			}
			want := order.Action{Kind: kind, OrderID: 4711}
			require.Equal(t, []order.Action{want, want, want}, asked)

			send(`{}`, "").requireProblem(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
			send(` `, "application/json").requireProblem(t, http.StatusBadRequest, "malformed_json")
			send(`null`, "application/json").requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")
			send(`{"reasons": "typing error"}`, "application/json").requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")
			require.Len(t, asked, 3)
		})
	}
	b := newBench(t)
	needed := b.request(http.MethodPost, "/v1/orders/4711/warehouse", portalSecret, "").with("Idempotency-Key", "k1")
	needed.send().requireProblem(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
	needed.with("Content-Type", "application/json").send().requireProblem(t, http.StatusBadRequest, "malformed_json")
}

// What is wrong with a number is said of the place where it stands.
func TestNumbersOfActions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for target, test := range map[string]struct{ body, field string }{
		"/v1/orders/4711/returns": {`{"lines": [{"erp_line_id": 7, "quantity": "1"}, {"erp_line_id": 8, "quantity": "1.0000000000000000000000000001"}]}`, "lines[1].quantity"},
		"/v1/orders/4711/refunds": {`{"lines": [{"erp_line_id": 7, "quantity": "1.0000000000000000000000000001"}]}`, "lines[0].quantity"},
		"/v1/orders/4711/fulfilments": {
			`{"lines": [{"erp_line_id": 7, "quantity": "1", "lots": [{"lot": "A", "quantity": "1.0000000000000000000000000001"}]}]}`, "lines[0].lots[0].quantity"},
	} {
		a := b.request(http.MethodPost, target, portalSecret, test.body).with("Idempotency-Key", "k1").send()
		a.requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")
		require.Contains(t, string(a.body), `"`+test.field+`"`)
	}
}
