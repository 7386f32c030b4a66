package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

func well(context.Context) error { return nil }

func checks(c ...gateway.Check) func(*gateway.Config) {
	return func(cfg *gateway.Config) { cfg.Checks = c }
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := newBench(t, checks(gateway.Check{Name: "database", Run: func(context.Context) error { return errors.New("away") }}))
	a := b.get("/healthz", "")
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.JSONEq(t, `{"status": "ok", "version": "1.2.3"}`, string(a.body))
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	away := func(context.Context) error { return errors.New("dial tcp: hunter2") }
	const failed = `"error": "The check failed; the log says why."`
	cases := map[string]struct {
		checks   []gateway.Check
		status   int
		expected string
	}{
		"nothing to check": {nil, 200, `{"status": "ready", "checks": {}}`},
		"well": {[]gateway.Check{{"database", well}, {"erp", well}}, 200,
			`{"status": "ready", "checks": {"database": {"ok": true, "error": null}, "erp": {"ok": true, "error": null}}}`},
		"erp": {[]gateway.Check{{"database", well}, {"erp", away}}, 200,
			`{"status": "degraded", "checks": {"database": {"ok": true, "error": null}, "erp": {"ok": false, ` + failed + `}}}`},
		"database": {[]gateway.Check{{"database", away}, {"erp", well}}, 503,
			`{"status": "not_ready", "checks": {"database": {"ok": false, ` + failed + `}, "erp": {"ok": true, "error": null}}}`},
		"migrations": {[]gateway.Check{{"migrations", away}}, 503,
			`{"status": "not_ready", "checks": {"migrations": {"ok": false, ` + failed + `}}}`},
		"both, erp last": {[]gateway.Check{{"database", away}, {"erp", away}}, 503,
			`{"status": "not_ready", "checks": {"database": {"ok": false, ` + failed + `}, "erp": {"ok": false, ` + failed + `}}}`},
		"told to people": {[]gateway.Check{{"breaker", func(context.Context) error {
			return order.Errorf(order.Unavailable, "erp_unavailable", "The circuit breaker is open.")
		}}}, 200, `{"status": "degraded", "checks": {"breaker": {"ok": false, "error": "The circuit breaker is open."}}}`},
		"panic": {[]gateway.Check{{"erp", func(context.Context) error { panic("hunter2") }}}, 200,
			`{"status": "degraded", "checks": {"erp": {"ok": false, ` + failed + `}}}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, checks(c.checks...))
			a := b.get("/readyz", "")
			require.Equal(t, c.status, a.StatusCode)
			require.JSONEq(t, c.expected, string(a.body))
		})
	}
}

func TestOneTenantsERPOnlyDegrades(t *testing.T) {
	t.Parallel()
	away := func(context.Context) error { return errors.New("away") }
	b := newBench(t, checks(gateway.Check{Name: "database", Run: well}, gateway.Check{Name: "migrations", Run: well},
		gateway.Check{Name: "erp:eu", Run: away}, gateway.Check{Name: "breaker:eu", Run: away}, gateway.Check{Name: "queue:eu", Run: away},
		gateway.Check{Name: "erp:us", Run: well}))

	a := b.get("/readyz", "")

	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, "degraded", a.json(t)["status"])
}

func TestReadinessIsAMetric(t *testing.T) {
	t.Parallel()
	var database, erp error
	b := newBench(t, checks(
		gateway.Check{Name: "database", Run: func(context.Context) error { return database }},
		gateway.Check{Name: "erp:eu", Run: func(context.Context) error { return erp }},
	))
	b.requireMetric("ordergate_ready 1")

	erp = errors.New("away")
	b.clock.advance(time.Second)
	b.requireMetric("ordergate_ready 0.5")

	database = errors.New("away")
	b.clock.advance(time.Second)
	b.requireMetric("ordergate_ready 0")
}

func TestReadinessIsKeptForASecond(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	var state error
	b := newBench(t, checks(gateway.Check{Name: "erp", Run: func(context.Context) error {
		runs.Add(1)
		return state
	}}))
	status := func() any { return b.get("/readyz", "").json(t)["status"] }

	require.Equal(t, "ready", status())
	state = errors.New("hunter2")
	require.Equal(t, "ready", status())
	b.clock.advance(time.Second)
	require.Equal(t, "degraded", status())
	b.clock.advance(time.Second)
	require.Equal(t, "degraded", status())
	require.Equal(t, int32(3), runs.Load())
	require.Contains(t, b.log.String(), "hunter2", "the log has the cause")
}

func TestAHangingCheckHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var runs atomic.Int32
		b := newBench(t, checks(
			gateway.Check{Name: "database", Run: well},
			gateway.Check{Name: "erp", Run: func(context.Context) error { // heeds no context
				runs.Add(1)
				<-release
				return nil
			}},
			gateway.Check{Name: "breaker", Run: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}},
		))
		began := time.Now()

		a := b.get("/readyz", "")
		require.Equal(t, 2*time.Second, time.Since(began), "all at once, and each bounded")
		require.Equal(t, "degraded", a.json(t)["status"])
		slow := map[string]any{"ok": false, "error": "The check did not answer within 2s."}
		require.Equal(t, map[string]any{"database": map[string]any{"ok": true, "error": nil}, "erp": slow, "breaker": slow}, a.json(t)["checks"])

		b.clock.advance(time.Minute)
		b.get("/readyz", "")
		require.Equal(t, int32(1), runs.Load(), "not started again while it hangs")

		close(release)
		synctest.Wait()
		b.clock.advance(time.Minute)
		require.Equal(t, true, b.get("/readyz", "").json(t)["checks"].(map[string]any)["erp"].(map[string]any)["ok"])
	})
}
