package gateway_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func (b *bench) change(ifMatch, body string) *request {
	r := b.request(http.MethodPatch, "/v1/orders/4711", portalSecret, body).with("Idempotency-Key", "k1")
	if ifMatch != "" {
		r.with("If-Match", ifMatch)
	}
	return r
}

func TestChangeOrder(t *testing.T) {
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
	o := cabinet()
	o.Version = "v2"
	done = order.Placement{Order: &o}
	a := b.change(`"v1"`, `{"reference": "", "note": "n", "shipping_address": {"name": "A", "street": "S", "city": "C", "country": "BE"},
		"billing_address": {"name": "B", "street": "S", "city": "C", "country": "BE", "zip": "1"},
		"lines": [{"erp_line_id": 7, "quantity": "1.50", "unit_price": "2", "discount": "3"}, {"sku": "X", "quantity": "1"}, {"erp_line_id": 8, "remove": true}]}`).send()
	require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
	require.Equal(t, `"v2"`, a.Header.Get("ETag"))
	number := func(s string) *decimal.Decimal { d := decimal.RequireFromString(s); return &d }
	empty, note := "", "n"
	want := order.Action{Kind: order.Amend, OrderID: 4711, IfVersion: []string{"v1"}, Change: &order.Change{
		Reference: &empty, Note: &note, ShippingAddress: &order.Address{Name: "A", Street: "S", City: "C", Country: "BE"},
		BillingAddress: &order.Address{Name: "B", Street: "S", City: "C", Country: "BE", Zip: "1"},
		Lines: []order.ChangeLine{{LineID: 7, Quantity: number("1.5"), UnitPrice: number("2"), Discount: number("3")},
			{SKU: "X", Quantity: number("1")}, {LineID: 8, Remove: true}},
	}}
	require.Equal(t, want.Fingerprint(), asked.Fingerprint())

	changed := order.Errorf(order.PreconditionFailed, "order_changed", "Look again.")
	changed.Version = "v3"
	done, failure = order.Placement{Replayed: true}, changed
	a = b.change(`"v1"`, `{"note": "n"}`).send()
	a.requireProblem(t, http.StatusPreconditionFailed, "order_changed")
	require.Equal(t, `"v3"`, a.Header.Get("ETag"))
	require.Equal(t, "true", a.Header.Get("Idempotency-Replayed"))
	done, failure = order.Placement{Intent: order.Intent{Key: "k1", Source: "portal", State: order.Sending, Action: &asked, ERPOrderID: 4711}}, nil
	a = b.change(`"v1"`, `{"note": "n"}`).send()
	require.Equal(t, http.StatusAccepted, a.StatusCode)
	require.Equal(t, "change", a.json(t)["action"])

	b.service.order = func(context.Context, order.Caller, int64) (order.Order, order.OrderSync, error) {
		return o, order.OrderSync{State: order.SyncSynced}, nil
	}
	require.Equal(t, `"v2"`, b.get("/v1/orders/4711", portalSecret).Header.Get("ETag"))
	o.Version = ""
	require.Empty(t, b.get("/v1/orders/4711", portalSecret).Header.Values("ETag"))
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.Action
	b.service.act = func(_ context.Context, _ order.Caller, _ string, action order.Action) (order.Placement, error) {
		asked = action
		o := cabinet()
		return order.Placement{Order: &o}, nil
	}
	for header, want := range map[string][]string{
		`*`: nil, `"a"`: {"a"}, ` "a" , "b","c" `: {"a", "b", "c"}, `W/"a"`: {"W/a"}, `"a,b"`: {"a,b"}, `""`: {""},
	} {
		require.Equal(t, http.StatusOK, b.change(header, `{"note": "n"}`).send().StatusCode, header)
		require.Equal(t, want, asked.IfVersion, header)
	}
	require.Equal(t, http.StatusOK, b.change(`"a"`, `{"note": "n"}`).with("If-Match", `"b"`).send().StatusCode)
	require.Equal(t, []string{"a", "b"}, asked.IfVersion)
	for _, header := range []string{`a`, `"a`, `"a" "b"`, `"a"x`, `*, "a"`, `w/"a"`} {
		b.change(header, `{"note": "n"}`).send().requireProblem(t, http.StatusBadRequest, "if_match_invalid", "If-Match")
	}
	b.change("", `{"note": "n"}`).send().requireProblem(t, http.StatusPreconditionRequired, "precondition_required", "If-Match")
}

func TestBodiesOfChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for body, field := range map[string]string{
		`{"nots": "n"}`: "nots",
		`{"lines": []}`: "lines",
		`{"lines": [{"erp_line_id": 0, "quantity": "1"}]}`:   "lines[0].erp_line_id",
		`{"lines": [{"erp_line_id": 7, "quantity": "1e3"}]}`: "lines[0].quantity",
		`{"lines": [{"sku": "A", "price": "1"}]}`:            "lines[0].price",
		`{"note": null}`:                       "note",
		`{"billing_address": {"street": "S"}}`: "billing_address.name",
		`{"lines": [{"sku": "A", "quantity": "9999999999999999999"}]}`: "lines[0].quantity",
	} {
		b.change(`"v"`, body).send().requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", field)
	}
	b.change(`"v"`, `{}`).send().requireProblem(t, http.StatusUnprocessableEntity, "invalid_request")
	b.request(http.MethodPatch, "/v1/orders/4711", portalSecret, `{"note": "n"}`).with("If-Match", "*").send().
		requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
}
