package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

// dial opens a connection to a server with short deadlines, and returns what is closed once the handler has ended.
func dial(t *testing.T, b *bench, adjust func(*http.Server)) (*net.TCPConn, <-chan struct{}) {
	t.Helper()
	handler, ended := b.handler, make(chan struct{})
	b.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		handler.ServeHTTP(w, r)
	})
	address := serve(t, b, adjust)
	b.handler = handler
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return connection.(*net.TCPConn), ended
}

// keepWriting writes a byte now and again until the other end has had enough.
func keepWriting(connection net.Conn, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range ticker.C {
		if _, err := io.WriteString(connection, " "); err != nil {
			return
		}
	}
}

// patience is far more than any deadline of these tests, and far less than those of the server in use.
const patience = 10 * time.Second

func requireEnd(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(patience):
		require.FailNow(t, "the request is not cut off")
	}
}

func TestADrippingBodyIsCutOffAndItsPlacesAreFree(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) {
		cfg.Limits.MaxInFlight, cfg.Limits.MaxInFlightPerTenant = 1, 1
		cfg.Limits.MaxBodyBytes, cfg.Limits.MaxBodyBytesInFlight = 1<<20, 1<<20
	})
	asked := b.service.places()
	connection, ended := dial(t, b, func(s *http.Server) { s.ReadTimeout = 200 * time.Millisecond })
	_, err := io.WriteString(connection, rawPost+"Content-Length: 1048576\r\n\r\n")
	require.NoError(t, err)
	go keepWriting(connection, 5*time.Millisecond)

	requireEnd(t, ended)

	require.Empty(t, *asked)
	b.requireMetric(`ordergate_http_requests_total{method="POST",route="/v1/orders",status="408"} 1`)
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", validOrder).StatusCode)
}

// The server reads what is left of a body before it answers, so that this sender waits: for itself alone.
func TestADrippingBodyOfARefusedSenderHoldsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) { cfg.Limits.MaxInFlight = 1 })
	b.service.places()
	connection, ended := dial(t, b, func(s *http.Server) { s.ReadTimeout = 200 * time.Millisecond })
	_, err := io.WriteString(connection, strings.Replace(rawPost, portalSecret, "og_wrong", 1)+"Content-Length: 100000\r\n\r\n")
	require.NoError(t, err)
	go keepWriting(connection, 5*time.Millisecond)

	requireEnd(t, ended)

	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", validOrder).StatusCode)
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(patience)))
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
}

func TestADrippingHeaderIsCutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, _ := dial(t, b, func(s *http.Server) { s.ReadHeaderTimeout = 200 * time.Millisecond })
	_, err := io.WriteString(connection, "GET /healthz HTTP/1.1\r\nHost: gateway\r\nX:")
	require.NoError(t, err)
	go keepWriting(connection, 5*time.Millisecond)

	require.NoError(t, connection.SetReadDeadline(time.Now().Add(patience)))
	_, err = io.Copy(io.Discard, connection)

	var timeout net.Error
	require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the server closes the connection first")
}

func TestAReaderThatNeverReadsIsCutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) {
		cfg.Limits.MaxInFlightPerTenant, cfg.Limits.SendTimeout = 1, 100*time.Millisecond
	})
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		o := cabinet()
		o.Note = strings.Repeat("a long story ", 1<<20) // more than the sockets hold
		return order.Listing{Orders: []order.Order{o, o, o, o}, Sync: fresh()}, nil
	}
	connection, ended := dial(t, b, func(*http.Server) {}) // with the WriteTimeout of the server in use
	require.NoError(t, connection.SetReadBuffer(4096))
	_, err := io.WriteString(connection, "GET /v1/orders HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer og_portal\r\n\r\n")
	require.NoError(t, err)

	requireEnd(t, ended)

	b.service.places()
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", validOrder).StatusCode)
}

// A deadline of one answer must not cut off the next one on the same connection.
func TestTheNextAnswerHasADeadlineOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) { cfg.Limits.SendTimeout = 50 * time.Millisecond })
	first := true
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		if !first {
			time.Sleep(100 * time.Millisecond) // past the deadline of the first answer
		}
		first = false
		return order.Listing{Sync: fresh()}, nil
	}
	address := serve(t, b, func(*http.Server) {})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 2 {
		request, err := http.NewRequest(http.MethodGet, "http://"+address+"/v1/orders", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+portalSecret)
		response, err := client.Do(request)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
}
