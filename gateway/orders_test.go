package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestPlaceAnswers201WithTheOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.place = func(_ context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error) {
		require.Equal(t, order.Caller{TenantID: 1, KeyID: 2, Name: "shop-portal", Role: order.RolePortal, Source: "portal"}, caller)
		require.Equal(t, "cart-8841", key)
		require.Equal(t, order.CustomerRef{Ref: "u-17", Name: "Ada Lovelace", Email: "ada@example.com"}, req.Customer)
		require.Equal(t, "PO-1", req.Reference)
		require.Len(t, req.Lines, 1)
		require.Equal(t, "E-COM07", req.Lines[0].SKU)
		require.True(t, money("2").Equal(req.Lines[0].Quantity))
		require.Nil(t, req.Lines[0].UnitPrice)
		o := cabinet()
		o.Version = "v1"
		return order.Placement{Order: &o}, nil
	}

	a := b.place(portalSecret, "cart-8841", validOrder)

	require.Equal(t, http.StatusCreated, a.StatusCode)
	require.Equal(t, "/v1/orders/4711", a.Header.Get("Location"))
	require.Equal(t, `"v1"`, a.Header.Get("ETag"))
	require.Empty(t, a.Header.Get("Idempotency-Replayed"))
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
	require.JSONEq(t, `{
		"id": 4711, "number": "S04711", "status": "draft", "reference": "PO-1", "source": "portal", "note": null,
		"customer": {"erp_partner_id": 9, "ref": "u-17", "name": "Ada Lovelace", "email": "ada@example.com"},
		"currency": "EUR", "amount_untaxed": "39.80", "amount_tax": "8.358", "amount_total": "48.16",
		"lines": [{"erp_line_id": 9120, "erp_product_id": 31, "sku": "E-COM07", "name": "Large Cabinet",
			"unit_of_measure": "Units", "quantity": "2", "unit_price": "19.90", "discount": "0", "subtotal": "39.80",
			"tax": "8.36", "total": "48.16", "quantity_delivered": "0", "quantity_invoiced": "0"}],
		"ordered_at": "2026-11-21T09:30:00Z", "created_at": "2026-11-21T09:30:00Z", "updated_at": "2026-11-21T09:30:00Z",
		"deleted_at": null, "deliveries": [], "invoices": [], "edits": null, "fulfilment": "none", "payment": "none", "shortages": []
	}`, string(a.body))
}

func TestPlacePassesEveryMemberOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()

	a := b.place(portalSecret, "k", `{
		"customer": {"erp_partner_id": 9}, "reference": "PO <&> 1", "note": "line one\nline two", "confirm": true,
		"lines": [{"sku": "A", "quantity": "1.50", "unit_price": "0.10", "discount": "5"}],
		"shipping_address": {"name": "A", "street": "B", "street2": "C", "city": "D", "zip": "E", "state": "CA",
			"country": "US", "phone": "1", "email": "a@b"}
	}`)

	require.Equal(t, http.StatusCreated, a.StatusCode, "%s", a.body)
	got := (*asked)[0]
	require.Equal(t, order.CustomerRef{ERPPartnerID: 9}, got.Customer)
	require.Equal(t, "PO <&> 1", got.Reference)
	require.Equal(t, "line one\nline two", got.Note)
	require.True(t, got.Confirm)
	require.True(t, money("1.5").Equal(got.Lines[0].Quantity))
	require.True(t, money("0.1").Equal(*got.Lines[0].UnitPrice))
	require.True(t, money("5").Equal(*got.Lines[0].Discount))
	require.Equal(t, &order.Address{Name: "A", Street: "B", Street2: "C", City: "D", Zip: "E", State: "CA",
		Country: "US", Phone: "1", Email: "a@b"}, got.ShippingAddress)
}

func TestPlaceWithoutCustomer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()

	a := b.place(customerSecret, "k", `{"lines":[{"sku":"A","quantity":"1"}]}`)

	require.Equal(t, http.StatusCreated, a.StatusCode)
	require.Equal(t, order.CustomerRef{}, (*asked)[0].Customer)
}

func TestPlaceMarksReplays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		o := cabinet()
		return order.Placement{Order: &o, Replayed: true}, nil
	}

	a := b.place(portalSecret, "k", validOrder)

	require.Equal(t, http.StatusCreated, a.StatusCode)
	require.Equal(t, "true", a.Header.Get("Idempotency-Replayed"))
	b.requireMetric(`ordergate_placements_total{answer="replay"} 1`)
	b.requireMetric(`ordergate_duplicates_prevented_total{how="replay"} 1`)
}

func TestPlaceMarksReplayedRejections(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		return order.Placement{Replayed: true}, order.Invalid("unknown_sku", "lines[0].sku", "No product has the SKU %q.", "X")
	}

	a := b.place(portalSecret, "k", validOrder)

	a.requireProblem(t, http.StatusUnprocessableEntity, "unknown_sku", "lines[0].sku")
	require.Equal(t, "true", a.Header.Get("Idempotency-Replayed"))
}

func TestPlaceInDoubtAnswers202WithTheIntent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const key = `a/b%2F c+d?e#f"g`
	b.service.place = func(_ context.Context, _ order.Caller, k string, _ order.Request) (order.Placement, error) {
		return order.Placement{Intent: inDoubt(k)}, nil
	}
	b.service.intent = func(_ context.Context, _ order.Caller, source, k string) (order.Intent, error) {
		require.Empty(t, source)
		require.Equal(t, key, k)
		return inDoubt(k), nil
	}

	a := b.place(portalSecret, key, validOrder)

	require.Equal(t, http.StatusAccepted, a.StatusCode)
	require.Equal(t, "7", a.Header.Get("Retry-After"))
	require.JSONEq(t, `{"key": "a/b%2F c+d?e#f\"g", "source": "portal", "caller": "shop-portal", "state": "sending", "action": null, "in_doubt": true,
		"customer": {"ref": "u-17", "erp_partner_id": null}, "reference": "PO-1", "order_id": null, "order_url": null,
		"status_url": "/v1/intents/a%2Fb%252F%20c+d%3Fe%23f%22g", "failure": null, "attempts": 1, "cancel_requested_at": null,
		"created_at": "2026-11-21T09:30:00Z", "updated_at": "2026-11-21T09:30:00Z"}`, string(a.body))
	followed := b.get(a.Header.Get("Location"), portalSecret)
	require.Equal(t, http.StatusOK, followed.StatusCode)
	require.JSONEq(t, string(a.body), string(followed.body))
}

func TestPollAfterIsBounded(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		next     time.Time
		expected string
	}{
		"unknown": {time.Time{}, "2"},
		"past":    {start.Add(-time.Hour), "2"},
		"far":     {start.Add(time.Hour), "60"},
		"between": {start.Add(3500 * time.Millisecond), "4"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.service.place = func(_ context.Context, _ order.Caller, k string, _ order.Request) (order.Placement, error) {
				in := inDoubt(k)
				in.NextAttemptAt = c.next
				return order.Placement{Intent: in}, nil
			}
			require.Equal(t, c.expected, b.place(portalSecret, "k", validOrder).Header.Get("Retry-After"))
		})
	}
}

func TestEveryKindOfErrorHasItsAnswer(t *testing.T) {
	t.Parallel()
	cases := []struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{order.Errorf(order.Malformed, "malformed_json", "m"), 400, "malformed_json", ""},
		{order.Errorf(order.Unauthenticated, "credentials_invalid", "m"), 401, "credentials_invalid", ""},
		{order.Errorf(order.Forbidden, "prices_forbidden", "m"), 403, "prices_forbidden", ""},
		{order.Errorf(order.NotFound, "not_found", "m"), 404, "not_found", ""},
		{order.Errorf(order.Conflict, "key_in_flight", "m").RetryIn(time.Second), 409, "key_in_flight", "1"},
		{order.Errorf(order.TooLarge, "body_too_large", "m"), 413, "body_too_large", ""},
		{order.Errorf(order.Unprocessable, "idempotency_key_reused", "m"), 422, "idempotency_key_reused", ""},
		{order.Errorf(order.RateLimited, "rate_limited", "m"), 429, "rate_limited", "1"},
		{order.Errorf(order.Unavailable, "erp_unavailable", "m").RetryIn(1200 * time.Millisecond), 503, "erp_unavailable", "2"},
		{order.Errorf(order.Unavailable, "erp_unavailable", "m"), 503, "erp_unavailable", "5"},
		{order.Errorf(order.Internal, "outcome_unknown", "m"), 500, "outcome_unknown", ""},
		{fmt.Errorf("wrapped: %w", order.Errorf(order.Conflict, "action_refused", "m")), 409, "action_refused", ""},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.status, " ", c.code), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.service.refuses(c.err)
			a := b.request(http.MethodPost, "/v1/orders", portalSecret, validOrder).with("Idempotency-Key", "k")
			if c.status == http.StatusUnauthorized {
				return // only authentication answers it, with its own header; see auth_test.go
			}
			answer := a.send()
			p := answer.requireProblem(t, c.status, c.code)
			require.Equal(t, "m", p.Detail)
			require.Equal(t, c.retryAfter, answer.Header.Get("Retry-After"))
		})
	}
}

func TestInternalErrorsAreBlankAndLogged(t *testing.T) {
	t.Parallel()
	secrets := map[string]error{
		"plain":        errors.New("dial tcp: root:hunter2@db"),
		"internal":     order.Errorf(order.Internal, "some_defect", "dial tcp: root:hunter2@db"),
		"unknown kind": order.Errorf(order.Kind(99), "odd", "dial tcp: root:hunter2@db"),
	}
	for name, err := range secrets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.service.refuses(err)
			a := b.place(portalSecret, "k", validOrder)
			a.requireProblem(t, http.StatusInternalServerError, "internal")
			require.NotContains(t, string(a.body), "hunter2")
			require.Contains(t, b.log.String(), "hunter2")
			require.Contains(t, b.log.String(), `"request_id":"req-1"`)
		})
	}
}

func TestCausesStayInside(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.refuses(order.Errorf(order.Unavailable, "erp_unavailable", "Away.").Because(errors.New("hunter2")))

	a := b.place(portalSecret, "k", validOrder)

	a.requireProblem(t, http.StatusServiceUnavailable, "erp_unavailable")
	require.NotContains(t, string(a.body), "hunter2")
	require.Contains(t, b.log.String(), "hunter2")
}

func TestAReadThatRunsOutOfTimeIs503(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		return order.Listing{}, fmt.Errorf("listing: %w", context.DeadlineExceeded)
	}
	b.get("/v1/orders", portalSecret).requireProblem(t, http.StatusServiceUnavailable, "timeout")
}

func TestAPlacementThatRunsOutOfTimeIsNever503(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.refuses(fmt.Errorf("placing: %w", context.DeadlineExceeded))
	b.place(portalSecret, "k", validOrder).requireProblem(t, http.StatusInternalServerError, "internal")
}

func TestKeyInFlightIsCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.refuses(order.Errorf(order.Conflict, "key_in_flight", "Being placed.").RetryIn(time.Second))

	b.place(portalSecret, "k", validOrder).requireProblem(t, http.StatusConflict, "key_in_flight")

	b.requireMetric(`ordergate_duplicates_prevented_total{how="in_flight"} 1`)
	b.requireMetric(`ordergate_placements_total{answer="409"} 1`)
}

func TestGetOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.order = func(_ context.Context, _ order.Caller, id int64) (order.Order, order.OrderSync, error) {
		if id != 4711 {
			return order.Order{}, order.OrderSync{}, order.Errorf(order.NotFound, "order_not_found", "No order %d exists.", id)
		}
		o := cabinet()
		o.Reference, o.Customer.Ref, o.Lines[0].SKU, o.DeletedAt = "", "", "", start
		return o, order.OrderSync{State: order.SyncStale, Reason: "The ERP cannot be reached."}, nil
	}

	a := b.get("/v1/orders/4711", customerSecret)

	require.Equal(t, http.StatusOK, a.StatusCode)
	got := a.json(t)
	require.Equal(t, map[string]any{"state": "stale", "synced_at": nil, "reason": "The ERP cannot be reached."}, got["sync"])
	require.Equal(t, "2026-11-21T09:30:00Z", got["deleted_at"])
	require.Contains(t, got, "reference")
	require.Nil(t, got["reference"])
	require.Nil(t, got["customer"].(map[string]any)["ref"])
	require.Nil(t, got["lines"].([]any)[0].(map[string]any)["sku"])

	b.get("/v1/orders/4712", customerSecret).requireProblem(t, http.StatusNotFound, "order_not_found")
	for _, id := range []string{"abc", "0", "-1", "2147483648", "99999999999999999999", "1.5", "4711%00", "%20", "%ff"} {
		b.get("/v1/orders/"+id, customerSecret).requireProblem(t, http.StatusNotFound, "not_found", "id")
	}
}

func TestListOrdersReadsItsFilters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.Filter
	b.service.orders = func(_ context.Context, _ order.Caller, f order.Filter) (order.Listing, error) {
		asked = f
		return order.Listing{Sync: fresh()}, nil
	}

	a := b.get("/v1/orders", portalSecret)
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, order.Filter{Limit: order.DefaultPageSize}, asked)
	require.JSONEq(t, `{"orders": [], "next_cursor": null, "sync": {"state": "fresh", "synced_at": "2026-11-21T09:30:00Z", "reason": null}}`, string(a.body))

	b.get("/v1/orders?customer=u%2F17&status=draft&q=S04&from=2026-11-01T00:00:00%2B01:00&to=2026-12-01T00:00:00Z&limit=200", portalSecret)
	require.Equal(t, order.Filter{
		CustomerRef: "u/17", Status: order.Draft, Query: "S04", Limit: 200,
		From: time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	}, asked)

	b.get("/v1/orders?erp_partner_id=9", portalSecret)
	require.Equal(t, order.Filter{ERPPartnerID: 9, Limit: order.DefaultPageSize}, asked)
}

func TestListOrdersRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cases := map[string]string{
		"stauts=draft":                   "stauts",
		"status=open":                    "status",
		"status=":                        "status",
		"limit=0":                        "limit",
		"limit=201":                      "limit",
		"limit=1e1":                      "limit",
		"limit=ten":                      "limit",
		"limit=":                         "limit",
		"limit=99999999999999999999":     "limit",
		"limit=1&limit=2":                "limit",
		"q=":                             "q",
		"q=a%00b":                        "q",
		"q=%25-_%23":                     "q",
		"q=%ff":                          "q",
		"%ff=1":                          "\ufffd",
		"q=" + strings.Repeat("a", 191):  "q",
		"from=yesterday":                 "from",
		"from=2026-02-30T00:00:00Z":      "from",
		"from=2026-11-01T00:00:00+01:00": "from",
		"to=2026-11-01":                  "to",
		"erp_partner_id=-1":              "erp_partner_id",
		"erp_partner_id=9&customer=u-17": "customer",
		"cursor=x":                       "cursor",
	}
	for query, field := range cases {
		t.Run(query, func(t *testing.T) {
			b.get("/v1/orders?"+query, portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", field)
		})
	}
	b.get("/v1/orders?q=%zz", portalSecret).requireProblem(t, http.StatusBadRequest, "malformed_query")
	b.get("/v1/orders?a=1;b=2", portalSecret).requireProblem(t, http.StatusBadRequest, "malformed_query")
}

// A dry run is asked of the service as such, with a key or without, and is no placement.
func TestDryRunShowsWhatWouldBeSent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var keys []string
	b.service.preview = func(_ context.Context, caller order.Caller, key string, req order.Request) (order.Preview, error) {
		require.Equal(t, order.RoleCustomer, caller.Role)
		require.Equal(t, "PO-1", req.Reference)
		keys = append(keys, key)
		return order.Preview{
			Key: "k", Confirm: true,
			Customer: &order.Load{Model: "res.partner", Fields: []string{"id", "name"}, Rows: [][]string{{"ordergate.customer_1", "Ada"}}},
			Order:    order.Load{Model: "sale.order", Fields: []string{"id", "partner_id/.id"}, Rows: [][]string{{"ordergate.order_1", "new"}, {"", ""}}},
		}, nil
	}
	const dry = "/v1/orders?dry_run=true"
	for _, a := range []answer{
		b.request(http.MethodPost, dry, customerSecret, validOrder).send(),
		b.request(http.MethodPost, dry, customerSecret, validOrder).with("Idempotency-Key", "mine").with("Prefer", "respond-async").send(),
	} {
		require.Equal(t, http.StatusOK, a.StatusCode, "%s", a.body)
		require.Empty(t, a.Header.Get("Location"))
		require.JSONEq(t, `{"dry_run": true, "idempotency_key": "k", "confirm": true, "values": {
			"customer": {"model": "res.partner", "method": "load", "fields": ["id", "name"], "rows": [["ordergate.customer_1", "Ada"]]},
			"shipping_address": null,
			"order": {"model": "sale.order", "method": "load", "fields": ["id", "partner_id/.id"], "rows": [["ordergate.order_1", "new"], ["", ""]]}
		}}`, string(a.body))
	}
	require.Equal(t, []string{"", "mine"}, keys)
	require.NotContains(t, string(b.get("/metrics", "").body), "ordergate_placements_total{")

	b.request(http.MethodPost, dry, customerSecret, validOrder).with("Idempotency-Key", "").send().requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
	b.request(http.MethodPost, "/v1/orders?dry_run=false", customerSecret, validOrder).send().requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
	b.request(http.MethodPost, "/v1/orders?dry_run=perhaps", customerSecret, validOrder).send().requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
	b.request(http.MethodPost, dry, moduleSecret, validOrder).send().requireProblem(t, http.StatusForbidden, "role_forbidden")
	b.service.preview = func(context.Context, order.Caller, string, order.Request) (order.Preview, error) {
		return order.Preview{}, order.Invalid("unknown_sku", "lines[0].sku", "No product has the SKU %q.", "X")
	}
	b.request(http.MethodPost, dry, portalSecret, validOrder).send().requireProblem(t, http.StatusUnprocessableEntity, "unknown_sku", "lines[0].sku")
}
