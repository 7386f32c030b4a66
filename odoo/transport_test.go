package odoo

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func newTestWire(t *testing.T, base string, transport http.RoundTripper) *wire {
	t.Helper()
	cfg := withDefaults(Config{Transport: transport})
	w := newWire(base, cfg)
	t.Cleanup(w.http.CloseIdleConnections)
	return w
}

func someCall() message {
	return message{method: http.MethodPost, path: "/", header: http.Header{}, body: []byte("x"), read: readXMLRPC}
}

func TestSendKnowsWhetherItWasSent(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refusing := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())

	slowDial := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	noName := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "erp.invalid", IsNotFound: true}
	}}
	for name, test := range map[string]struct {
		base      string
		transport http.RoundTripper
		outcome   Outcome
		reason    Reason
	}{
		"dial refused":              {refusing, nil, NotSent, Unreachable},
		"no such host":              {"http://erp.invalid", noName, NotSent, Unreachable},
		"TLS to a plain server":     {strings.Replace(plain.URL, "http:", "https:", 1), nil, NotSent, Unreachable},
		"dial hangs":                {"http://erp.invalid", slowDial, NotSent, Timeout},
		"a transport without trace": {"http://erp.invalid", brokenTransport{}, Unknown, ConnectionLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := newTestWire(t, test.base, test.transport).send(ctx, someCall(), 0)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, test.outcome, e.Outcome, "%v", err)
			require.Equal(t, test.reason, e.Reason, "%v", err)
		})
	}
}

type brokenTransport struct{}

func (brokenTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("broken")
}

// TestSendOverAnIdleConnectionThatWasClosed: net/http may send again only what was not written at all.
func TestSendOverAnIdleConnectionThatWasClosed(t *testing.T) {
	t.Parallel()
	const answerXML = "<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, answerXML)
	}))
	t.Cleanup(server.Close)
	w := newTestWire(t, server.URL, nil)
	for range 20 {
		a, err := w.send(t.Context(), someCall(), 0)
		if err != nil {
			// The race of a connection being closed while it is taken: nobody can know, and the error says so.
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, Unknown, e.Outcome)
		} else {
			require.Equal(t, int64(1), a.value)
		}
		server.CloseClientConnections()
	}
}

func TestERPTime(t *testing.T) {
	t.Parallel()
	local := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := &erpTime{clock: func() time.Time { return local }}
	require.Equal(t, local, clock.now(), "the local clock before any answer")
	require.True(t, clock.learn("yesterday").IsZero())
	require.Equal(t, local, clock.now())

	date := local.Add(-time.Hour)
	require.Equal(t, date, clock.learn(date.Format(http.TimeFormat)))
	local = local.Add(10 * time.Second)
	require.Equal(t, date.Add(10*time.Second), clock.now())
}

// TestERPTimeOverASteppedClock: somebody sets the local clock an hour ahead. Only a time with a monotonic reading, as
// time.Now returns it, can show that this does not matter, and package time has no way to step the wall time of one.
func TestERPTimeOverASteppedClock(t *testing.T) {
	t.Parallel()
	local := time.Now()
	clock := &erpTime{clock: func() time.Time { return local }}
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock.learn(date.Format(http.TimeFormat))

	before := local
	local = local.Add(10 * time.Second)
	(*(*uint64)(unsafe.Pointer(&local))) += 3600 << 30 // time.Time's seconds since 1885 stand above 30 bits of nanoseconds
	require.Equal(t, 10*time.Second, local.Sub(before), "monotonic")
	require.Equal(t, time.Hour+10*time.Second, local.Round(0).Sub(before.Round(0)), "wall")

	require.Equal(t, date.Add(10*time.Second), clock.now())
}

func TestAsOf(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, date.Add(-3*time.Second), answer{date: date, took: 2 * time.Second}.asOf())
	require.True(t, answer{took: time.Second}.asOf().IsZero())
}
