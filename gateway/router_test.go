package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

func TestNewWantsItsDependencies(t *testing.T) {
	t.Parallel()
	whole := func() gateway.Config {
		return gateway.Config{
			Services: map[int64]gateway.Service{1: &fakeService{}}, Keys: newFakeKeys(), Registry: prometheus.NewRegistry(),
		}
	}
	handler, err := gateway.New(whole())
	require.NoError(t, err)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	require.Len(t, recorder.Header().Get("X-Request-Id"), 36, "a UUID by default")

	cases := map[string]func(*gateway.Config){
		"no service":     func(c *gateway.Config) { c.Services = nil },
		"nil service":    func(c *gateway.Config) { c.Services[2] = nil },
		"no keys":        func(c *gateway.Config) { c.Keys = nil },
		"nobody to tell": func(c *gateway.Config) { c.Notified = map[string]gateway.Notified{"shop": nil} },
		"no registry":    func(c *gateway.Config) { c.Registry = nil },
		"negative limit": func(c *gateway.Config) { c.Limits.MaxInFlight = -1 },
		"no room for a body": func(c *gateway.Config) {
			c.Limits.MaxBodyBytes, c.Limits.MaxBodyBytesInFlight = 2<<20, 1<<20
		},
		"timeout too long":  func(c *gateway.Config) { c.Limits.RequestTimeout = 1 << 40 },
		"nameless check":    func(c *gateway.Config) { c.Checks = []gateway.Check{{Run: func(context.Context) error { return nil }}} },
		"check of nothing":  func(c *gateway.Config) { c.Checks = []gateway.Check{{Name: "erp"}} },
		"bad proxy":         func(c *gateway.Config) { c.TrustedProxies = []string{"nonsense"} },
		"metrics are there": func(c *gateway.Config) { _, _ = gateway.New(*c) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := whole()
			spoil(&cfg)
			_, err := gateway.New(cfg)
			require.Error(t, err)
		})
	}
}

func TestUnknownAddressesAndMethods(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, target := range []string{"/", "/v1", "/v1/", "/v1/orders/", "/v1/orders/1/2", "/V1/ORDERS", "//v1/orders", "/favicon.ico", "/v1/%6frders"} {
		b.get(target, portalSecret).requireProblem(t, http.StatusNotFound, "route_not_found")
	}
	for target, allow := range map[string][]string{
		"/v1/orders":           {"GET", "HEAD", "POST"},
		"/v1/orders/1":         {"GET", "HEAD", "PATCH"},
		"/v1/orders/1/confirm": {"POST"},
		"/docs":                {"GET", "HEAD"},
	} {
		for _, method := range []string{http.MethodDelete, http.MethodPut, http.MethodOptions, "BREW"} {
			a := b.request(method, target, portalSecret, "").send()
			a.requireProblem(t, http.StatusMethodNotAllowed, "method_not_allowed")
			require.ElementsMatch(t, allow, strings.Split(a.Header.Get("Allow"), ", "))
		}
	}
	b.requireMetric(`ordergate_http_requests_total{method="other",route="unmatched",status="405"} 4`)
}

func TestHead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		return order.Listing{Sync: fresh()}, nil
	}
	address := "http://" + serve(t, b, func(*http.Server) {})
	for target, status := range map[string]int{
		"/v1/orders": 200, "/v1/orders?x=1": 422, "/healthz": 200, "/readyz": 200, "/metrics": 200, "/openapi.yaml": 200,
		"/docs": 200, "/nowhere": 404, "/v1/orders/1/confirm": 405,
	} {
		request, err := http.NewRequest(http.MethodHead, address+target, nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+portalSecret)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, target)
		require.NotEmpty(t, response.Header.Get("X-Request-Id"))
	}
}

func TestPanicsAreDefectsLikeAnyOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		panic("hunter2")
	}

	a := b.place(portalSecret, "k", validOrder)

	a.requireProblem(t, http.StatusInternalServerError, "internal")
	require.NotContains(t, string(a.body), "hunter2")
	require.Contains(t, b.log.String(), "panic: hunter2")
	require.Contains(t, b.log.String(), "router_test.go", "the stack")
	b.requireMetric(`ordergate_placements_total{answer="500"} 1`)

	b.service.places()
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", validOrder).StatusCode, "and its place is free again")
	b.requireMetric(`ordergate_http_in_flight 0`)
}

func TestAPanicThatAbortsIsLeftToTheServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		panic(http.ErrAbortHandler)
	}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { b.place(portalSecret, "k", validOrder) })
}

// brokenWriter panics in the middle of an answer.
type brokenWriter struct {
	*httptest.ResponseRecorder
}

func (w brokenWriter) Write(p []byte) (int, error) {
	_, _ = w.ResponseRecorder.Write(p[:1])
	panic("hunter2")
}

func TestAnAnswerThatHasBegunIsCutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.request(http.MethodGet, "/healthz", "", "")
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		b.handler.ServeHTTP(brokenWriter{httptest.NewRecorder()}, r.Request)
	})
	require.Contains(t, b.log.String(), "hunter2")
}

// deafWriter stands for a connection whose other end is gone.
type deafWriter struct {
	*httptest.ResponseRecorder
}

func (deafWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAnAnswerThatNobodyTakesIsNotAnsweredAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(deafWriter{recorder}, b.request(http.MethodGet, "/healthz", "", "").Request)
	require.Equal(t, http.StatusOK, recorder.Code)
	require.Contains(t, b.log.String(), "broken pipe")
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	send := func(id string) string {
		return b.request(http.MethodGet, "/healthz", "", "").with("X-Request-Id", id).send().Header.Get("X-Request-Id")
	}
	for _, id := range []string{"a", "0198f3a2-7c1e-7a53-9f0e-1f0a6d1f2b11", "A.b_c-9", strings.Repeat("x", 64)} {
		require.Equal(t, id, send(id))
	}
	for _, id := range []string{"", "a b", "a\nb", "<script>", "é", strings.Repeat("x", 65)} {
		require.Equal(t, "req-1", send(id))
	}
	b.request(http.MethodGet, "/nowhere", "", "").with("X-Request-Id", "mine").send().requireProblem(t, http.StatusNotFound, "route_not_found")
}

func TestTheAccessLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		return order.Listing{Sync: fresh()}, nil
	}
	b.get("/v1/orders?q=a-customers-secret", portalSecret)

	line := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(b.log.String()), &line), "one line")
	require.Equal(t, "request", line["msg"])
	require.Equal(t, "INFO", line["level"])
	for field, value := range map[string]any{"method": "GET", "route": "/v1/orders", "status": 200.0, "request_id": "req-1",
		"tenant": 1.0, "key": "shop-portal", "role": "portal", "remote": "192.0.2.1"} {
		require.Equal(t, value, line[field], field)
	}
	require.Positive(t, line["bytes"])
	require.Contains(t, line, "duration")
	require.NotContains(t, b.log.String(), "a-customers-secret")
	require.NotContains(t, b.log.String(), portalSecret)
}

func TestOnlyTrustedProxiesNameTheSender(t *testing.T) {
	t.Parallel()
	send := func(adjust ...func(*gateway.Config)) string {
		b := newBench(t, adjust...)
		b.request(http.MethodGet, "/docs", "", "").with("X-Forwarded-For", "203.0.113.7").send()
		return b.log.String()
	}
	require.Contains(t, send(), `"remote":"192.0.2.1"`)
	require.Contains(t, send(func(c *gateway.Config) { c.TrustedProxies = []string{"192.0.2.0/24"} }), `"remote":"203.0.113.7"`)
}

func TestMetricsOfRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.refuses(order.Errorf(order.Unavailable, "erp_unavailable", "Away."))
	b.place(portalSecret, "k", validOrder)
	b.get("/v1/orders/1/2/3", portalSecret)

	b.requireMetric(`ordergate_http_requests_total{method="POST",route="/v1/orders",status="503"} 1`)
	b.requireMetric(`ordergate_http_requests_total{method="GET",route="unmatched",status="404"} 1`)
	b.requireMetric(`ordergate_http_request_seconds_count{route="/v1/orders"} 1`)
	b.requireMetric(`ordergate_placements_total{answer="503"} 1`)
}
