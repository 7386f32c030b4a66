package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
)

// place loads one order and returns the error, if the answer did not come.
func place(c *client, key string) (any, error) {
	return c.try("sale.order", "load", list{toList(orderFields), toRows(twoLines(key, "PO-"+key, "1"))}, protected)
}

// placed counts the orders that place made under a key.
func placed(t *testing.T, c *client, key string) int64 {
	t.Helper()
	return c.call(t, "sale.order", "search_count", list{list{list{"client_order_ref", "=", "PO-" + key}}}, nil).(int64)
}

func TestMisbehaviour(t *testing.T) {
	isFault := func(code int) func(*testing.T, error) {
		return func(t *testing.T, err error) { require.Equal(t, code, faultOf(t, err).Code) }
	}
	isStatus := func(status string) func(*testing.T, error) {
		return func(t *testing.T, err error) { require.EqualError(t, err, status) }
	}
	isLost := func(t *testing.T, err error) {
		require.Error(t, err)
		var f xmlrpc.FaultError
		require.False(t, errors.As(err, &f), "%v", err)
		require.True(t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "reset"), "%v", err)
	}
	isReset := func(t *testing.T, err error) { require.ErrorIs(t, err, syscall.ECONNRESET) }
	isTimeout := func(t *testing.T, err error) { require.ErrorIs(t, err, context.DeadlineExceeded) }
	for _, test := range []struct {
		kind      sandbox.Kind
		committed int64
		failed    func(*testing.T, error)
	}{
		{sandbox.Hang, 0, isTimeout},
		{sandbox.HangAfterCommit, 1, isTimeout},
		{sandbox.DropBefore, 0, isLost},
		{sandbox.DropAnswer, 1, isLost},
		{sandbox.CutAnswer, 1, isLost},
		{sandbox.Reset, 1, isReset},
		{sandbox.SlowDrip, 1, isTimeout},
		{sandbox.Fault1, 0, isFault(1)},
		{sandbox.FaultAfterCommit, 1, isFault(1)},
		{sandbox.ServerError, 0, isStatus("500 Internal Server Error")},
		{sandbox.ServerErrorAfterCommit, 1, isStatus("502 Bad Gateway")},
		{sandbox.WrongLogin, 0, isFault(3)},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			s, gateway, _ := start(t, sandbox.Options{})
			s.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: test.kind})
			patience := gateway.http.Timeout
			gateway.http.Timeout = 100 * time.Millisecond
			if test.kind != sandbox.Hang && test.kind != sandbox.HangAfterCommit && test.kind != sandbox.SlowDrip {
				gateway.http.Timeout = patience
			}
			_, err := place(gateway, "k")
			test.failed(t, err)
			gateway.http.Timeout = patience
			require.Equal(t, test.committed, placed(t, gateway, "k"))
			_, err = place(gateway, "k")
			require.NoError(t, err, "the fault befalls one call")
			require.EqualValues(t, 1, placed(t, gateway, "k"))
		})
	}
}

func TestMisleadingAnswers(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	get := func(kind sandbox.Kind) (*http.Response, string) {
		s.Misbehave(sandbox.Fault{Kind: kind})
		body, err := xmlrpc.EncodeMethodCall("version")
		require.NoError(t, err)
		res, err := gateway.http.Post(s.URL()+"/xmlrpc/2/common", "text/xml", strings.NewReader(string(body)))
		require.NoError(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(text)
	}
	res, text := get(sandbox.HTML)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/html; charset=utf-8", res.Header.Get("Content-Type"))
	require.Contains(t, text, "<html")

	res, text = get(sandbox.DeepNesting)
	require.Equal(t, "text/xml; charset=utf-8", res.Header.Get("Content-Type"))
	require.Equal(t, 100_000, strings.Count(text, "<array>"))

	gateway.http.Transport.(*http.Transport).DisableCompression = true
	res, text = get(sandbox.GzipBomb)
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	require.Less(t, len(text), 100_000)
	gateway.http.Transport.(*http.Transport).DisableCompression = false
	_, text = get(sandbox.GzipBomb)
	require.Greater(t, len(text), 20_000_000)
}

func TestSerializationMessage(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	s.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.SerializationMessage, Times: 2})
	for range 2 {
		ids, messages := gateway.load(t, "sale.order", orderFields, twoLines("k", "PO-k", "1"), protected)
		require.Nil(t, ids)
		require.Equal(t, list{"could not serialize access due to concurrent update\n"}, messages)
		require.Zero(t, placed(t, gateway, "k"))
	}
	ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("k", "PO-k", "1"), protected)
	require.Len(t, ids, 1)
}

// A late commit carries the write_date of its beginning, so that it appears behind a cursor that has moved on.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	c := &clock{}
	s, gateway, _ := start(t, sandbox.Options{Clock: c.now})
	s.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.LateCommit, Delay: 100 * time.Millisecond})
	_, err := place(gateway, "late")
	require.EqualError(t, err, "502 Bad Gateway")
	c.advance(time.Minute)
	ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("early", "PO-early", "1"), protected)
	require.Equal(t, "2026-03-01 10:01:00", gateway.read(t, "sale.order", ids[0], "write_date")["write_date"])
	require.Zero(t, placed(t, gateway, "late"))
	require.Eventually(t, func() bool { return placed(t, gateway, "late") == 1 }, 30*time.Second, 10*time.Millisecond)
	found := gateway.call(t, "sale.order", "search_read", list{list{list{"client_order_ref", "=", "PO-late"}}}, dict{"fields": list{"write_date"}}).(list)
	require.Equal(t, "2026-03-01 10:00:00", found[0].(dict)["write_date"])
	require.Greater(t, found[0].(dict)["id"], ids[0])
}

// A client that stops waiting does not stop Odoo.
func TestDelayCommitsWithoutItsClient(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	s.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.Delay, Delay: 200 * time.Millisecond})
	patience := gateway.http.Timeout
	gateway.http.Timeout = 50 * time.Millisecond
	_, err := place(gateway, "k")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	gateway.http.Timeout = patience
	require.Eventually(t, func() bool { return placed(t, gateway, "k") == 1 }, 30*time.Second, 10*time.Millisecond)
}

// Close ends what hangs, and abandons what would only be committed later.
func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	s.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.LateCommit, Delay: time.Hour})
	_, err := place(gateway, "k")
	require.Error(t, err)
	s.Misbehave(sandbox.Fault{Method: "version", Kind: sandbox.Hang})
	hanging := make(chan error, 1)
	go func() {
		_, err := gateway.raw("common", "version")
		hanging <- err
	}()
	require.Eventually(t, func() bool { return s.Calls("version") == 1 }, 30*time.Second, time.Millisecond)
	require.NoError(t, s.Close())
	require.Error(t, <-hanging)
}

func TestFaultsAreMatchedAndCounted(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	version := func() error { _, err := gateway.raw("common", "version"); return err }
	s.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.ServerError})
	require.NoError(t, version(), "another method")
	s.Misbehave(sandbox.Fault{Kind: sandbox.ServerErrorAfterCommit, Times: 2})
	_, err := place(gateway, "k")
	require.EqualError(t, err, "500 Internal Server Error", "the first that was given")
	require.EqualError(t, version(), "502 Bad Gateway")
	require.EqualError(t, version(), "502 Bad Gateway")
	require.NoError(t, version())
	s.Misbehave(sandbox.Fault{Kind: sandbox.ServerError, Times: -1})
	for range 5 {
		require.Error(t, version())
	}
	s.Behave()
	require.NoError(t, version())

	s.Misbehave(sandbox.Fault{Method: "sale.order.load", Matching: "og.poison_1", Kind: sandbox.Fault1, Times: -1})
	_, err = place(gateway, "healthy")
	require.NoError(t, err)
	for range 2 {
		_, err = place(gateway, "poison")
		require.Equal(t, 1, faultOf(t, err).Code)
		require.Contains(t, faultOf(t, err).String, "Traceback")
	}
	require.Zero(t, placed(t, gateway, "poison"))
	s.Behave()

	s.Misbehave(sandbox.Fault{Method: "authenticate", Kind: sandbox.WrongLogin})
	for _, want := range []any{false, sandbox.UserID} {
		got, err := gateway.raw("common", "authenticate", sandbox.Database, sandbox.User, sandbox.Password, dict{})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
