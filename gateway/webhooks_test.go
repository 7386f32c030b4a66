package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

const hookSecret = "og_hook_hunter2"

// fakeNotified keeps what it is told.
type fakeNotified struct {
	mu    sync.Mutex
	told  []order.Notification
	lost  int
	err   error         // of TakesSecret, whatever the secret
	waits chan struct{} // TakesSecret waits for its end, or for the context; nil: it does not
	asked atomic.Int32
}

func (n *fakeNotified) TakesSecret(ctx context.Context, secret string) error {
	n.asked.Add(1)
	if n.waits != nil {
		select {
		case <-n.waits:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if n.err != nil {
		return n.err
	}
	if secret != hookSecret {
		return order.Errorf(order.NotFound, "webhooks_not_installed", "No webhook has this secret.")
	}
	return nil
}

func (n *fakeNotified) Notify(notification order.Notification) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, notification)
}

func (n *fakeNotified) NotifyLost() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost++
}

func newHookBench(t testing.TB) (*bench, *fakeNotified) {
	notified := &fakeNotified{}
	b := newBench(t, func(cfg *gateway.Config) { cfg.Notified = map[string]gateway.Notified{"my shop": notified} })
	return b, notified
}

const hookAddress = "/hooks/odoo/my%20shop/" + hookSecret

// post sends what the ERP would, past the contract, of which webhooks are no part.
func (b *bench) post(address, contentType, body string) answer {
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(recorder, r)
	return answer{Response: recorder.Result(), body: recorder.Body.Bytes()}
}

func TestNotificationsNameAnOrderOrAnInvoice(t *testing.T) {
	t.Parallel()
	b, notified := newHookBench(t)
	for _, test := range []struct {
		body string
		want order.Notification
	}{
		{`{"_action": "Ordergate: order(#7)", "_id": 4711, "_model": "sale.order"}`, order.Notification{OrderID: 4711}},
		{`{"_id": 9120, "_model": "sale.order.line", "id": 9120, "order_id": 4711}`, order.Notification{OrderID: 4711}},
		{`{"_id": 54, "_model": "stock.picking", "id": 54, "sale_id": 4711}`, order.Notification{OrderID: 4711}},
		{`{"_id": 54, "_model": "stock.picking", "id": 54, "sale_id": false}`, order.Notification{}},
		{`{"_id": 57, "_model": "account.move", "more": {"than": ["is", "needed", 1.5, null]}}`, order.Notification{InvoiceID: 57}},
	} {
		a := b.post(hookAddress, "application/json", test.body)
		require.Equal(t, http.StatusNoContent, a.StatusCode, "%s", a.body)
		require.Empty(t, a.body)
		require.Equal(t, test.want, notified.told[len(notified.told)-1])
	}
	require.Len(t, notified.told, 5)
}

func TestNotificationsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	b, notified := newHookBench(t)
	for _, test := range []struct {
		body   string
		status int
		code   string
		field  string
	}{
		{``, 400, "malformed_json", ""},
		{`{"_id": 1`, 400, "malformed_json", ""},
		{`{"_id": 1, "_id": 2, "_model": "sale.order"}`, 400, "duplicate_member", "_id"},
		{`[]`, 422, "invalid_request", "_model"},
		{`{"_id": 1}`, 422, "invalid_request", "_model"},
		{`{"_id": 1, "_model": "res.users"}`, 422, "invalid_request", "_model"},
		{`{"_id": 1, "_model": 5}`, 422, "invalid_request", "_model"},
		{`{"_model": "sale.order"}`, 422, "invalid_request", "_id"},
		{`{"_id": 0, "_model": "sale.order"}`, 422, "invalid_request", "_id"},
		{`{"_id": -4, "_model": "account.move"}`, 422, "invalid_request", "_id"},
		{`{"_id": "7", "_model": "sale.order"}`, 422, "invalid_request", "_id"},
		{`{"_id": 2147483648, "_model": "sale.order"}`, 422, "invalid_request", "_id"},
		{`{"_id": false, "_model": "sale.order"}`, 422, "invalid_request", "_id"},
		{`{"_id": 1, "_model": "sale.order.line"}`, 422, "invalid_request", "order_id"},
		{`{"_id": 1, "_model": "stock.picking", "sale_id": [7, "S7"]}`, 422, "invalid_request", "sale_id"},
		{`{"_id": 1, "_model": "sale.order", "x": "` + strings.Repeat("x", 64<<10) + `"}`, 413, "body_too_large", ""},
	} {
		a := b.post(hookAddress, "application/json", test.body)
		if test.field == "" {
			a.requireProblem(t, test.status, test.code)
		} else {
			a.requireProblem(t, test.status, test.code, test.field)
		}
	}
	b.post(hookAddress, "text/plain", `{"_id": 1, "_model": "sale.order"}`).requireProblem(t, 415, "unsupported_media_type")
	require.Empty(t, notified.told)
}

// A wrong secret, a wrong tenant and an address that never was get the same answer to the byte.
func TestWrongSecretsHearNothing(t *testing.T) {
	t.Parallel()
	b, notified := newHookBench(t)
	body := `{"_id": 1, "_model": "sale.order"}`
	nowhere := b.post("/nowhere", "application/json", body)
	nowhere.requireProblem(t, http.StatusNotFound, "route_not_found")
	for _, address := range []string{
		"/hooks/odoo/my%20shop/og_wrong", "/hooks/odoo/other/" + hookSecret, "/hooks/odoo/my+shop/" + hookSecret,
		"/hooks/odoo/my%20shop/" + strings.Repeat("s", 257), "/hooks/odoo/" + strings.Repeat("t", 256) + "/x",
		"/hooks/odoo/my%20shop/", "/hooks/odoo/my%20shop",
	} {
		a := b.post(address, "application/json", body)
		require.Equal(t, nowhere.StatusCode, a.StatusCode, address)
		require.Equal(t, string(nowhere.body), string(a.body), address)
		require.Equal(t, nowhere.Header, a.Header, address)
	}
	require.EqualValues(t, 1, notified.asked.Load(), "only one of them was worth asking about")
	require.Empty(t, notified.told)
}

func TestNotificationsWaitForNobody(t *testing.T) {
	t.Parallel()
	b, notified := newHookBench(t)
	notified.err = errors.New("dial tcp: connection refused")
	b.post(hookAddress, "application/json", "{}").requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	notified.err, notified.waits = nil, make(chan struct{})
	began := time.Now()
	b.post(hookAddress, "application/json", "{}").requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	require.Less(t, time.Since(began), time.Second, "the ERP has stopped waiting")
}

func TestNotificationsBeyondTheRateMakeALookAtEverything(t *testing.T) {
	t.Parallel()
	b, notified := newHookBench(t)
	body := `{"_id": 1, "_model": "sale.order"}`
	for range 5000 {
		require.Equal(t, http.StatusNoContent, b.post(hookAddress, "application/json", body).StatusCode)
	}
	require.Zero(t, notified.lost)
	a := b.post(hookAddress, "application/json", body)
	a.requireProblem(t, http.StatusTooManyRequests, "rate_limited")
	require.Equal(t, 1, notified.lost)
	require.Len(t, notified.told, 5000)
	b.requireMetric(`ordergate_http_refused_total{limit="notifications_rate"} 1`)
	b.clock.advance(time.Second)
	require.Equal(t, http.StatusNoContent, b.post(hookAddress, "application/json", body).StatusCode)
}

func TestNotificationsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	b, notified := newHookBench(t)
	notified.waits = make(chan struct{})
	const places = 256
	var done sync.WaitGroup
	for range places {
		done.Go(func() { b.post(hookAddress, "application/json", `{"_id": 1, "_model": "sale.order"}`) })
	}
	require.Eventually(t, func() bool { return notified.asked.Load() == places }, 30*time.Second, time.Millisecond)
	b.post(hookAddress, "application/json", "{}").requireProblem(t, http.StatusServiceUnavailable, "overloaded")
	close(notified.waits)
	done.Wait()
	require.Equal(t, http.StatusNoContent, b.post(hookAddress, "application/json", `{"_id": 1, "_model": "sale.order"}`).StatusCode)
}

// The secret stands in the URL: neither log nor metrics may show it, whatever the answer.
func TestTheSecretOfAWebhookIsNeverLogged(t *testing.T) {
	t.Parallel()
	b, notified := newHookBench(t)
	for _, body := range []string{`{"_id": 1, "_model": "sale.order"}`, `{`, `{"_id": 1}`} {
		b.post(hookAddress, "application/json", body)
	}
	b.post(hookAddress+"/more", "application/json", "{}")
	b.post("/hooks/odoo/other/"+hookSecret, "application/json", "{}")
	notified.err = errors.New("down")
	b.post(hookAddress, "application/json", "{}")
	b.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, hookAddress, nil))
	require.Contains(t, b.log.String(), `"route":"/hooks/odoo/{tenant}/{secret}"`)
	require.NotContains(t, b.log.String(), "hunter2")
	require.NotContains(t, string(b.get("/metrics", "").body), "hunter2")
	b.requireMetric(`ordergate_http_requests_total{method="POST",route="/hooks/odoo/{tenant}/{secret}",status="204"} 1`)
}

// Odoo gives a notification one second. 16 workers of it at once, over real connections that are new for each, as Odoo's
// are, must be answered well within.
func TestNotificationsAreAnsweredWithinOdoosSecond(t *testing.T) {
	t.Parallel()
	const workers, each = 16, 120
	b, notified := newHookBench(t)
	address := "http://" + serve(t, b, func(*http.Server) {}) + hookAddress
	took := make([][]time.Duration, workers)
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
			for i := range each {
				began := time.Now()
				body := fmt.Sprintf(`{"_action": "Ordergate: order(#7)", "_id": %d, "_model": "sale.order"}`, 1+i%50)
				response, err := client.Post(address, "application/json", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusNoContent {
					t.Errorf("answered %d", response.StatusCode)
				}
				took[w] = append(took[w], time.Since(began))
			}
		})
	}
	done.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	require.Len(t, all, workers*each)
	p50, p99, worst := all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
	t.Logf("%d notifications by %d workers: p50 %s, p99 %s, worst %s", len(all), workers, p50, p99, worst)
	require.Less(t, p99, 500*time.Millisecond)
	require.Len(t, notified.told, workers*each)
}
