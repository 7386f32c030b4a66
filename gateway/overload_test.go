package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

// hangs makes the service's listings hang until the test lets them go, and keeps n of them busy.
func (b *bench) hangs(service *fakeService, secret string, n int) (release func()) {
	b.t.Helper()
	entered, let := make(chan struct{}), make(chan struct{})
	service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		entered <- struct{}{}
		<-let
		return order.Listing{Sync: fresh()}, nil
	}
	var busy sync.WaitGroup
	for range n {
		busy.Go(func() { require.Equal(b.t, http.StatusOK, b.get("/v1/orders", secret).StatusCode) })
		<-entered
	}
	return func() {
		close(let)
		busy.Wait()
	}
}

// unread is a body that says whether anybody read of it.
type unread struct {
	io.Reader
	read bool
}

func (u *unread) Read(p []byte) (int, error) {
	u.read = true
	return u.Reader.Read(p)
}

// requireUnread sends a placement and requires that it is refused as overload before its body is read.
func (b *bench) requireUnread(secret string) answer {
	b.t.Helper()
	r := b.request(http.MethodPost, "/v1/orders", secret, validOrder).with("Idempotency-Key", "k")
	body := &unread{Reader: strings.NewReader(validOrder)}
	r.Body = io.NopCloser(body)
	a := r.send()
	a.requireProblem(b.t, http.StatusServiceUnavailable, "overloaded")
	require.Equal(b.t, "1", a.Header.Get("Retry-After"))
	require.False(b.t, body.read)
	return a
}

func TestAnOverloadedGatewayAsksNeitherItsDatabaseNorForTheBody(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *gateway.Config) { cfg.Limits.MaxInFlight = 2 })
	asked := b.service.places()
	release := b.hangs(b.service, portalSecret, 2)
	before := b.keys.asked.Load()

	b.requireUnread(portalSecret)

	require.Equal(t, before, b.keys.asked.Load())
	require.Empty(t, *asked)
	release()
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", validOrder).StatusCode)
}

func TestATenantWhoseERPHangsLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	other := &fakeService{}
	b := newBench(t, func(cfg *gateway.Config) {
		cfg.Services[2] = other
		cfg.Limits.MaxInFlight, cfg.Limits.MaxInFlightPerTenant = 4, 2
	})
	asked, askedOther := b.service.places(), other.places()
	release := b.hangs(b.service, portalSecret, 2)

	b.requireUnread(portalSecret)
	b.requireUnread(operatorSecret) // of the same tenant
	require.Empty(t, *asked)
	b.requireMetric(`ordergate_http_refused_total{limit="tenant_in_flight"} 2`)
	require.Equal(t, http.StatusCreated, b.place(strangerSecret, "k", validOrder).StatusCode)
	require.Len(t, *askedOther, 1)

	release()
	require.Equal(t, http.StatusCreated, b.place(portalSecret, "k", validOrder).StatusCode, "its places are free again")
}

// drip starts a placement whose body comes as the test writes it. It returns once the gateway reads, with the writer and
// with what waits for the answer.
func (b *bench) drip(secret string, announced int64) (body *io.PipeWriter, wait func() answer) {
	b.t.Helper()
	reader, writer := io.Pipe()
	r := b.request(http.MethodPost, "/v1/orders", secret, validOrder).with("Idempotency-Key", "k")
	r.Body, r.ContentLength = reader, announced
	answered, begun := make(chan answer, 1), make(chan error, 1)
	go func() { answered <- r.send() }()
	go func() {
		_, err := io.WriteString(writer, " ") // returns when it is read
		begun <- err
	}()
	select {
	case err := <-begun:
		require.NoError(b.t, err)
	case a := <-answered:
		require.NoError(b.t, writer.CloseWithError(io.ErrUnexpectedEOF))
		require.FailNow(b.t, "the body was not read", "%s", a.body)
	}
	return writer, func() answer { return <-answered }
}

func TestTheBytesOfBodiesInFlightAreBounded(t *testing.T) {
	t.Parallel()
	const largest = 1000
	b := newBench(t, func(cfg *gateway.Config) {
		cfg.Limits.MaxBodyBytes, cfg.Limits.MaxBodyBytesInFlight = largest, 2*largest
	})
	b.service.places()

	unknown, waitUnknown := b.drip(portalSecret, -1) // counts as the largest
	known, waitKnown := b.drip(portalSecret, 900)
	b.requireUnread(portalSecret)
	b.requireMetric(`ordergate_http_refused_total{limit="body_bytes"} 1`)
	require.Equal(t, http.StatusOK, b.get("/healthz", "").StatusCode)
	a := b.request(http.MethodPost, "/v1/orders", portalSecret, strings.Repeat(" ", largest+1)).with("Idempotency-Key", "k").send()
	a.requireProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")
	b.service.act = func(context.Context, order.Caller, string, order.Action) (order.Placement, error) {
		o := cabinet()
		return order.Placement{Order: &o}, nil
	}
	a = b.request(http.MethodPost, "/v1/orders/1/confirm", operatorSecret, strings.Repeat(" ", 900)).with("Idempotency-Key", "c").send()
	require.Equal(t, http.StatusOK, a.StatusCode, "a body that is ignored takes no room")

	// What was read takes only as much room as it has bytes, while it is worked on.
	entered, let := make(chan struct{}), make(chan struct{})
	b.service.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		entered <- struct{}{}
		<-let
		o := cabinet()
		return order.Placement{Order: &o}, nil
	}
	_, err := io.WriteString(unknown, validOrder)
	require.NoError(t, err)
	require.NoError(t, unknown.Close())
	<-entered
	third, waitThird := b.drip(portalSecret, 900)

	close(let)
	require.Equal(t, http.StatusCreated, waitUnknown().StatusCode)
	b.service.places()
	for _, writer := range []*io.PipeWriter{known, third} {
		require.NoError(t, writer.CloseWithError(io.ErrUnexpectedEOF))
	}
	waitKnown().requireProblem(t, http.StatusBadRequest, "incomplete_body")
	waitThird().requireProblem(t, http.StatusBadRequest, "incomplete_body")
	for range 2 { // all of the room is free again
		last, waitLast := b.drip(portalSecret, largest)
		defer waitLast()
		defer last.CloseWithError(io.ErrUnexpectedEOF)
	}
}
