package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func (b *bench) actOnMany(body string) answer {
	b.t.Helper()
	return b.request(http.MethodPost, "/v1/orders/bulk", portalSecret, body).with("Idempotency-Key", "k1").send()
}

func TestActOnOrders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var failure error
	b.service.bulk = func(_ context.Context, _ order.Caller, key string, bulk order.Bulk) ([]order.BulkOutcome, error) {
		require.Equal(t, "k1", key)
		require.Equal(t, order.Bulk{Kind: order.Hold, OrderIDs: []int64{4711, 4712, 4713, 4714}, Reason: "credit"}, bulk)
		o := cabinet()
		return []order.BulkOutcome{
			{OrderID: 4711, Key: "k1", Placement: order.Placement{Order: &o, Replayed: true}},
			{OrderID: 4712, Key: "k2"},
			{OrderID: 4713, Key: "k3", Err: order.Invalid("unknown_line", "lines[0]", "No.")},
			{OrderID: 4714, Key: "k4", Err: errors.New("secret")},
		}, failure
	}
	const body = `{"action": "hold", "order_ids": [4711, 4712, 4713, 4714], "reason": "credit"}`
	a := b.actOnMany(body)
	require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
	require.NotContains(t, string(a.body), "secret")
	results := a.json(t)["results"].([]any)
	for i, want := range []struct {
		status   float64
		code     any
		replayed bool
		order    bool
	}{{200, nil, true, true}, {202, nil, false, false}, {422, "unknown_line", false, false}, {500, "internal", false, false}} {
		got := results[i].(map[string]any)
		require.Equal(t, want.status, got["status"])
		require.Equal(t, fmt.Sprintf("k%d", i+1), got["key"])
		require.Equal(t, want.replayed, got["replayed"])
		require.Equal(t, want.order, got["order"] != nil)
		if want.code == nil {
			require.Nil(t, got["failure"])
		} else {
			require.Equal(t, want.code, got["failure"].(map[string]any)["code"])
		}
	}
	failure = order.Errorf(order.Unprocessable, "idempotency_key_reused", "No.")
	b.actOnMany(body).requireProblem(t, http.StatusUnprocessableEntity, "idempotency_key_reused")
}

func TestBodiesOfBulkActions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for body, field := range map[string]string{
		`{"action": "pay", "order_ids": [1]}`:                                   "action",
		`{"action": "hold", "order_ids": []}`:                                   "order_ids",
		`{"action": "hold"}`:                                                    "order_ids",
		`{"action": "hold", "order_ids": [0]}`:                                  "order_ids[0]",
		`{"action": "hold", "order_ids": [1], "lines": []}`:                     "lines",
		`{"action": "hold", "order_ids": [` + strings.Repeat("1,", 100) + `1]}`: "order_ids",
	} {
		b.actOnMany(body).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", field)
	}
	b.request(http.MethodPost, "/v1/orders/bulk", portalSecret, `{"action": "hold", "order_ids": [1]}`).send().
		requireProblem(t, http.StatusBadRequest, "idempotency_key_missing")
	b.request(http.MethodPost, "/v1/orders/bulk", customerSecret, `{"action": "hold", "order_ids": [1]}`).with("Idempotency-Key", "k").send().
		requireProblem(t, http.StatusForbidden, "role_forbidden")
}
