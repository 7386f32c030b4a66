package gateway_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

// unlimited takes the rate limit out of the way of tests that send much.
func unlimited(cfg *gateway.Config) {
	cfg.Limits.RatePerSecond, cfg.Limits.Burst = 1e9, 1e9
}

func TestRateLimitOfAKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) { cfg.Limits.RatePerSecond, cfg.Limits.Burst = 0.4, 2 })
	asked := b.service.places()

	require.Equal(t, http.StatusCreated, b.place(portalSecret, "1", validOrder).StatusCode)
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "2", validOrder).StatusCode)
	a := b.place(portalSecret, "3", validOrder)
	a.requireProblem(t, http.StatusTooManyRequests, "rate_limited")
	require.Equal(t, "3", a.Header.Get("Retry-After"), "2.5 s rounded up")
	require.Len(t, *asked, 2)
	require.Equal(t, http.StatusCreated, b.place(operatorSecret, "1", validOrder).StatusCode, "another key has its own rate")

	b.clock.advance(2500 * time.Millisecond)
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "3", validOrder).StatusCode, "a refused request costs nothing")
	b.requireMetric(`ordergate_http_refused_total{limit="rate"} 1`)
	b.requireMetric(`ordergate_placements_total{answer="429"} 1`)
}

func TestRequestsInFlightAreCapped(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) { cfg.Limits.MaxInFlight = 2 })
	entered, release := make(chan struct{}), make(chan struct{})
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		entered <- struct{}{}
		<-release
		return order.Listing{Sync: fresh()}, nil
	}
	asked := b.service.places()
	var busy sync.WaitGroup
	for range 2 {
		busy.Go(func() { require.Equal(t, http.StatusOK, b.get("/v1/orders", portalSecret).StatusCode) })
		<-entered
	}

	a := b.place(portalSecret, "k", validOrder)
	a.requireProblem(t, http.StatusServiceUnavailable, "overloaded")
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	require.Empty(t, *asked)
	require.Equal(t, http.StatusOK, b.get("/healthz", "").StatusCode, "health is asked apart")
	b.requireMetric(`ordergate_http_in_flight 2`)
	b.requireMetric(`ordergate_http_refused_total{limit="in_flight"} 1`)

	close(release)
	busy.Wait()
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", validOrder).StatusCode)
	b.requireMetric(`ordergate_http_in_flight 0`)
}

func TestTheHandlersContextHasTheDeadlineOfTheRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) { cfg.Limits.RequestTimeout = 20 * time.Millisecond })
	b.service.orders = func(ctx context.Context, _ order.Caller, _ order.Filter) (order.Listing, error) {
		<-ctx.Done()
		return order.Listing{}, ctx.Err()
	}
	b.get("/v1/orders", portalSecret).requireProblem(t, http.StatusServiceUnavailable, "timeout")
}

// Gin uses its contexts again: one that a service kept, as a shared sync does, would by then be another request's.
func TestServicesGetTheRequestsOwnContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var kept context.Context
	b.service.place = func(ctx context.Context, _ order.Caller, _ string, _ order.Request) (order.Placement, error) {
		kept = ctx
		o := cabinet()
		return order.Placement{Order: &o}, nil
	}
	b.place(portalSecret, "k", validOrder)
	require.NotNil(t, kept)
	require.NotImplements(t, (*interface{ FullPath() string })(nil), kept)
}

func TestASenderWhoGoesAwayIsLoggedAs499(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.service.orders = func(ctx context.Context, _ order.Caller, _ order.Filter) (order.Listing, error) {
		cancel()
		<-ctx.Done()
		return order.Listing{}, ctx.Err()
	}
	r := b.request(http.MethodGet, "/v1/orders", portalSecret, "")
	r.Request = r.WithContext(ctx)

	a := r.send()

	require.Empty(t, a.body)
	require.Contains(t, b.log.String(), `"status":499`)
	b.requireMetric(`ordergate_http_requests_total{method="GET",route="/v1/orders",status="499"} 1`)
}

// serve runs the handler behind the server that the program uses.
func serve(t *testing.T, b *bench, adjust func(*http.Server)) string {
	t.Helper()
	server := gateway.NewServer("127.0.0.1:0", b.handler)
	adjust(server)
	listener, err := net.Listen("tcp", server.Addr)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return listener.Addr().String()
}

// converse sends bytes over a connection and returns the answer to them.
func converse(t *testing.T, b *bench, address, text string) answer {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = connection.Write([]byte(text))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	a := answer{response, body}
	b.validate(httptest.NewRequest(http.MethodPost, "/v1/orders", nil), a)
	return a
}

const rawPost = "POST /v1/orders HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer og_portal\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n"

func TestASlowBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()
	address := serve(t, b, func(s *http.Server) { s.ReadTimeout = 50 * time.Millisecond })

	a := converse(t, b, address, rawPost+"Content-Length: 100\r\n\r\n{")

	a.requireProblem(t, http.StatusRequestTimeout, "body_timeout")
	require.Empty(t, *asked)
}

func TestATenMegabyteBodyOverTheWire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()
	address := serve(t, b, func(*http.Server) {})

	a := converse(t, b, address, rawPost+"Content-Length: 10485760\r\n\r\n{")

	a.requireProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")
	require.Empty(t, *asked)
}

func TestABodyThatEndsEarly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.places()
	address := serve(t, b, func(*http.Server) {})

	a := converse(t, b, address, rawPost+"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"lin\r\nzzz\r\n")

	a.requireProblem(t, http.StatusBadRequest, "incomplete_body")
}

func TestTheServerHasLimits(t *testing.T) {
	t.Parallel()
	s := gateway.NewServer(":0", http.NotFoundHandler())
	require.Positive(t, s.ReadHeaderTimeout)
	require.Positive(t, s.ReadTimeout)
	require.Positive(t, s.IdleTimeout)
	require.Positive(t, s.MaxHeaderBytes)
	require.Greater(t, s.WriteTimeout, s.ReadTimeout+time.Minute)
}
