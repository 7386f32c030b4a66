package gateway_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestGetIntent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.intent = func(_ context.Context, caller order.Caller, source, key string) (order.Intent, error) {
		in := inDoubt(key)
		switch key {
		case "placed":
			in.State, in.ERPOrderID = order.Placed, 4711
		case "rejected":
			in.State, in.Failure = order.Rejected, order.Invalid("unknown_sku", "lines[0].sku", "No product has the SKU %q.", "X")
		case "broken":
			in.Failure = order.Errorf(order.Internal, "oops", "hunter2")
		case "gone":
			return order.Intent{}, order.Errorf(order.NotFound, "intent_not_found", "No intent with this key exists.")
		}
		if source != "" {
			in.Source = source
		}
		return in, nil
	}

	placed := b.get("/v1/intents/placed", portalSecret).json(t)
	require.InDelta(t, 4711, placed["order_id"], 0)
	require.Equal(t, "/v1/orders/4711", placed["order_url"])
	require.Nil(t, placed["failure"])

	rejected := b.get("/v1/intents/rejected", portalSecret).json(t)
	require.Equal(t, "rejected", rejected["state"])
	require.Equal(t, map[string]any{"code": "unknown_sku", "detail": `No product has the SKU "X".`,
		"errors": []any{map[string]any{"field": "lines[0].sku", "message": `No product has the SKU "X".`}}}, rejected["failure"])

	broken := b.get("/v1/intents/broken", portalSecret)
	require.NotContains(t, string(broken.body), "hunter2")
	require.Equal(t, "internal", broken.json(t)["failure"].(map[string]any)["code"])

	b.get("/v1/intents/gone", portalSecret).requireProblem(t, http.StatusNotFound, "intent_not_found")

	other := b.get("/v1/intents/k?source=shopify:eu", operatorSecret).json(t)
	require.Equal(t, "shopify:eu", other["source"])
	require.Equal(t, "/v1/intents/k?source=shopify%3Aeu", other["status_url"])
}

func TestIntentsOfAwkwardKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked string
	b.service.intent = func(_ context.Context, _ order.Caller, _, key string) (order.Intent, error) {
		asked = key
		return inDoubt(key), nil
	}
	for _, key := range []string{"a/b", "a//b", "/", "%", "%2F", "a+b", "a b", "a+b/c", "a?b#c", "a;b=c", `"`, "~", "..", "a/../b", ":key", "*"} {
		a := b.get("/v1/intents/"+url.PathEscape(key), portalSecret)
		require.Equal(t, http.StatusOK, a.StatusCode, "%s: %s", key, a.body)
		require.Equal(t, key, asked)
		require.Equal(t, key, a.json(t)["key"])
	}
	for _, path := range []string{"%00", "a%0Ab", "cl%C3%A9", "%FF"} {
		b.get("/v1/intents/"+path, portalSecret).requireProblem(t, http.StatusNotFound, "not_found", "key")
	}
	b.get("/v1/intents/a/b", portalSecret).requireProblem(t, http.StatusNotFound, "route_not_found")
	b.get("/v1/intents/", portalSecret).requireProblem(t, http.StatusNotFound, "route_not_found")
}

func TestListIntentsReadsItsFilters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.IntentFilter
	b.service.intents = func(_ context.Context, _ order.Caller, f order.IntentFilter) ([]order.Intent, error) {
		asked = f
		return nil, nil
	}

	a := b.get("/v1/intents", customerSecret)
	require.JSONEq(t, `{"intents": [], "next_cursor": null}`, string(a.body))
	require.Equal(t, order.IntentFilter{Limit: order.DefaultPageSize}, asked)

	b.get("/v1/intents?source=shopify:eu&in_doubt=true&from=2026-11-01T00:00:00%2B01:00&to=2026-12-01T00:00:00Z&limit=7", operatorSecret)
	require.Equal(t, order.IntentFilter{
		Source: "shopify:eu", InDoubt: true, Limit: 7,
		From: time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	}, asked)

	both := []order.IntentState{order.Queued, order.Parked}
	for _, query := range []string{"state=queued,parked", "state=queued&state=parked", "state=queued%2Cparked&state=queued", "state=queued,queued,parked"} {
		require.Equal(t, http.StatusOK, b.get("/v1/intents?"+query, portalSecret).StatusCode)
		require.Equal(t, both, asked.States, query)
	}
	for _, state := range order.IntentStates {
		require.Equal(t, http.StatusOK, b.get("/v1/intents?state="+string(state), portalSecret).StatusCode, state)
		require.Equal(t, []order.IntentState{state}, asked.States)
	}
}

func TestListIntentsRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for query, field := range map[string]string{
		"state=":                    "state",
		"state=queued,":             "state",
		"state=open":                "state",
		"state=queued&state=open":   "state",
		"state=queued,%00":          "state",
		"state=queued&state=%ff":    "state",
		"in_doubt=false":            "in_doubt",
		"in_doubt=":                 "in_doubt",
		"in_doubt=true,true":        "in_doubt",
		"source=":                   "source",
		"source=portal&source=shop": "source",
		"limit=201":                 "limit",
		"from=yesterday":            "from",
		"to=2026-11-01":             "to",
		"key=k":                     "key",
		"cursor=x":                  "cursor",
	} {
		t.Run(query, func(t *testing.T) {
			b.get("/v1/intents?"+query, portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", field)
		})
	}
}

func TestIntentsArePaged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.intents = func(_ context.Context, _ order.Caller, f order.IntentFilter) ([]order.Intent, error) {
		page := []order.Intent{inDoubt("a"), inDoubt("b"), inDoubt("c")}
		page[0].ID, page[1].ID, page[2].ID = 9, 7, 3
		for len(page) > 0 && f.BeforeID != 0 && page[0].ID >= f.BeforeID {
			page = page[1:]
		}
		return page[:min(f.Limit, len(page))], nil
	}
	keys := func(a answer) (keys []any) {
		for _, in := range a.json(t)["intents"].([]any) {
			keys = append(keys, in.(map[string]any)["key"])
		}
		return keys
	}

	first := b.get("/v1/intents?limit=2", portalSecret)
	require.Equal(t, []any{"a", "b"}, keys(first))
	cursor := first.json(t)["next_cursor"].(string)
	second := b.get("/v1/intents?limit=2&cursor="+cursor, portalSecret)
	require.Equal(t, []any{"c"}, keys(second))
	require.Nil(t, second.json(t)["next_cursor"])
	b.get("/v1/orders?cursor="+cursor, portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "cursor")
}

func TestIntentsShowWhereTheyStand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	in := inDoubt("k")
	b.service.intent = func(context.Context, order.Caller, string, string) (order.Intent, error) { return in, nil }
	for _, state := range order.IntentStates {
		in.State = state
		shown := b.get("/v1/intents/k", portalSecret).json(t)
		require.Equal(t, string(state), shown["state"])
		require.Equal(t, state == order.Sending || state == order.Parked, shown["in_doubt"], state)
	}

	in = order.Intent{ID: 1, Source: "customer:9", Key: "k", State: order.Sending, CancelRequestedAt: start, CreatedAt: start, UpdatedAt: start,
		Request: order.Request{Customer: order.CustomerRef{ERPPartnerID: 9}}}
	shown := b.get("/v1/intents/k", customerSecret).json(t)
	require.Equal(t, false, shown["in_doubt"], "it is being placed for the first time")
	require.Equal(t, map[string]any{"ref": nil, "erp_partner_id": 9.0}, shown["customer"])
	require.Equal(t, "2026-11-21T09:30:00Z", shown["cancel_requested_at"])
	require.Nil(t, shown["caller"])
}

func TestRetryIntent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.retry = func(_ context.Context, caller order.Caller, source, key string) (order.Intent, error) {
		require.Equal(t, "a/b", key)
		if caller.Role == order.RoleOperator {
			require.Equal(t, "shopify:eu", source)
		}
		in := inDoubt(key)
		if source != "" {
			in.Source = source
		}
		return in, nil
	}

	a := b.request(http.MethodPost, "/v1/intents/a%2Fb/retry?source=shopify:eu", operatorSecret, "").send()
	require.Equal(t, http.StatusAccepted, a.StatusCode, "%s", a.body)
	require.Equal(t, "/v1/intents/a%2Fb?source=shopify%3Aeu", a.Header.Get("Location"))
	require.Equal(t, "7", a.Header.Get("Retry-After"))
	require.Equal(t, "sending", a.json(t)["state"])
	require.Equal(t, http.StatusAccepted, b.request(http.MethodPost, "/v1/intents/a%2Fb/retry", portalSecret, "").send().StatusCode)
	b.request(http.MethodPost, "/v1/intents/a%2Fb/retry", customerSecret, "").send().requireProblem(t, http.StatusForbidden, "role_forbidden")
}

func TestCancelIntent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.cancel = func(_ context.Context, _ order.Caller, source, key string) (order.Intent, error) {
		in := inDoubt(key)
		switch key {
		case "waiting":
			in.State, in.UnknownAt = order.CalledOff, time.Time{}
			in.Failure = order.Errorf(order.Unprocessable, "intent_cancelled", "This order was called off.")
		case "parked":
			in.State, in.CancelRequestedAt = order.Parked, start
		case "in doubt":
			in.CancelRequestedAt = start
		}
		if source != "" {
			in.Source = source
		}
		return in, nil
	}
	send := func(target, secret string) answer { return b.request(http.MethodDelete, target, secret, "").send() }

	waiting := send("/v1/intents/waiting", portalSecret)
	require.Equal(t, http.StatusOK, waiting.StatusCode)
	require.Equal(t, "cancelled", waiting.json(t)["state"])
	require.Equal(t, "intent_cancelled", waiting.json(t)["failure"].(map[string]any)["code"])
	require.Empty(t, waiting.Header.Get("Retry-After"))

	doubtful := send("/v1/intents/in%20doubt?source=shopify:eu", operatorSecret)
	require.Equal(t, http.StatusAccepted, doubtful.StatusCode)
	require.Equal(t, "2026-11-21T09:30:00Z", doubtful.json(t)["cancel_requested_at"])
	require.Equal(t, "/v1/intents/in%20doubt?source=shopify%3Aeu", doubtful.Header.Get("Location"))
	require.Equal(t, "7", doubtful.Header.Get("Retry-After"))

	parked := send("/v1/intents/parked", portalSecret)
	require.Equal(t, http.StatusAccepted, parked.StatusCode)
	require.Equal(t, "60", parked.Header.Get("Retry-After"), "it waits for a person")

	send("/v1/intents/waiting", customerSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
}

func TestIntentsThatCannotBeRetriedOrCancelled(t *testing.T) {
	t.Parallel()
	for code, retryAfter := range map[string]time.Duration{
		"intent_in_flight": time.Second, "intent_placed": 0, "intent_rejected": 0, "intent_not_parked": 0,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			refuse := func(context.Context, order.Caller, string, string) (order.Intent, error) {
				return order.Intent{}, order.Errorf(order.Conflict, code, "m").RetryIn(retryAfter)
			}
			b.service.retry, b.service.cancel = refuse, refuse
			for _, a := range []answer{
				b.request(http.MethodPost, "/v1/intents/k/retry", portalSecret, "").send(),
				b.request(http.MethodDelete, "/v1/intents/k", portalSecret, "").send(),
			} {
				a.requireProblem(t, http.StatusConflict, code)
				require.Equal(t, retryAfter > 0, a.Header.Get("Retry-After") == "1")
			}
		})
	}
}
