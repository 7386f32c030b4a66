package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

func queued(key string) order.Intent {
	in := inDoubt(key)
	in.State, in.Attempts, in.UnknownAt, in.NextAttemptAt = order.Queued, 0, time.Time{}, time.Time{}
	return in
}

func (b *bench) prefer(preferences ...string) answer {
	b.t.Helper()
	r := b.request(http.MethodPost, "/v1/orders", portalSecret, validOrder).with("Idempotency-Key", "k")
	for _, p := range preferences {
		r.with("Prefer", p)
	}
	return r.send()
}

func TestRespondAsyncIsAcceptedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.enqueue = func(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error) {
		require.Equal(t, "shop-portal", caller.Name)
		require.Equal(t, "PO-1", req.Reference)
		return order.Placement{Intent: queued(key)}, nil
	}

	for _, header := range [][]string{{"respond-async"}, {"return=minimal", "Respond-Async; x=y"}, {`foo="a,b", respond-async, wait=5`}} {
		a := b.prefer(header...)
		require.Equal(t, http.StatusAccepted, a.StatusCode, "%s", a.body)
		require.Equal(t, "respond-async", a.Header.Get("Preference-Applied"))
		require.Equal(t, "/v1/intents/k", a.Header.Get("Location"))
		require.Equal(t, "2", a.Header.Get("Retry-After"))
		require.Equal(t, "queued", a.json(t)["state"])
		require.Equal(t, false, a.json(t)["in_doubt"])
	}
	b.requireMetric(`ordergate_placements_total{answer="202"} 3`)
}

func TestRespondAsyncOfAKeyThatIsPlaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.enqueue = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		o := cabinet()
		return order.Placement{Order: &o, Replayed: true}, nil
	}

	a := b.prefer("respond-async")

	require.Equal(t, http.StatusCreated, a.StatusCode)
	require.Equal(t, "true", a.Header.Get("Idempotency-Replayed"))
	require.Empty(t, a.Header.Get("Preference-Applied"), "this is no asynchronous answer")
}

func TestRespondAsyncThatIsRefused(t *testing.T) {
	t.Parallel()
	for code, kind := range map[string]order.Kind{
		"backlog_full": order.Unavailable, "unknown_sku": order.Unprocessable, "intent_cancelled": order.Unprocessable,
	} {
		b := newBench(t)
		b.service.enqueue = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
			return order.Placement{}, order.Errorf(kind, code, "m")
		}
		a := b.prefer("respond-async")
		require.Equal(t, code, a.problem(t).Code)
		require.Empty(t, a.Header.Get("Preference-Applied"))
	}
}

func TestWaitIsTheDeadlineOfThePlacement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(cfg *gateway.Config) { cfg.Limits.RequestTimeout = 50 * time.Second })
		var remaining time.Duration
		b.service.place = func(ctx context.Context, _ order.Caller, _ string, _ order.Request) (order.Placement, error) {
			deadline, _ := ctx.Deadline()
			remaining = time.Until(deadline)
			o := cabinet()
			return order.Placement{Order: &o}, nil
		}
		for header, expected := range map[string]struct {
			applied string
			wait    time.Duration
		}{
			"wait=7":            {"wait=7", 7 * time.Second},
			`Foo, WAIT = "007"`: {"wait=7", 7 * time.Second},
			"wait=50":           {"wait=50", 50 * time.Second},
			"wait=51":           {"", 50 * time.Second}, // past the request's own deadline
			"wait=61":           {"", 50 * time.Second},
			"wait=0":            {"", 50 * time.Second},
			"wait=soon":         {"", 50 * time.Second},
			"":                  {"", 50 * time.Second},
		} {
			a := b.prefer(header)
			require.Equal(t, http.StatusCreated, a.StatusCode, header)
			require.Equal(t, expected.applied, a.Header.Get("Preference-Applied"), header)
			require.Equal(t, expected.wait, remaining, header)
		}
	})
}

func TestAWaitThatRunsOutIsWhatTheServiceMakesOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.service.place = func(ctx context.Context, _ order.Caller, _ string, _ order.Request) (order.Placement, error) {
			<-ctx.Done()
			return order.Placement{}, order.Errorf(order.Unavailable, "wait_too_long", "The order could not be sent in time.").RetryIn(time.Second)
		}
		began := time.Now()
		a := b.prefer("wait=3")
		require.Equal(t, 3*time.Second, time.Since(began))
		a.requireProblem(t, http.StatusServiceUnavailable, "wait_too_long")
		require.Equal(t, "wait=3", a.Header.Get("Preference-Applied"))

		b.service.place = func(ctx context.Context, _ order.Caller, key string, _ order.Request) (order.Placement, error) {
			<-ctx.Done()
			return order.Placement{Intent: inDoubt(key)}, nil
		}
		a = b.prefer("wait=3")
		require.Equal(t, http.StatusAccepted, a.StatusCode)
		require.Equal(t, "wait=3", a.Header.Get("Preference-Applied"))
	})
}
