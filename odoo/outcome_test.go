package odoo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

const traceback = "Traceback (most recent call last):\n  File \"/odoo/models.py\", line 1, in load\nKeyError: 'internals'\n"

// TestOutcome is the table of what a server can do to a write, and what is certain afterwards.
func TestOutcome(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		outcome odoo.Outcome
		reason  odoo.Reason
		message string // part of it; empty: any
	}{
		"status 500":      {status(500), odoo.Unknown, odoo.ServerError, "500"},
		"status 502":      {status(502), odoo.Unknown, odoo.ServerError, "502"},
		"status 503":      {status(503), odoo.Unknown, odoo.ServerError, "503"},
		"status 504":      {status(504), odoo.Unknown, odoo.ServerError, "504"},
		"status 408":      {status(408), odoo.Unknown, odoo.ServerError, "408"},
		"status 499":      {status(499), odoo.Unknown, odoo.ServerError, "499"},
		"status 400":      {status(400), odoo.NotSent, odoo.Misconfigured, "400"},
		"status 404":      {status(404), odoo.NotSent, odoo.Misconfigured, "404"},
		"status 413":      {status(413), odoo.NotSent, odoo.TooLarge, "413"},
		"status 204":      {status(204), odoo.Unknown, odoo.BadAnswer, ""},
		"HTML":            {html, odoo.Unknown, odoo.BadAnswer, ""},
		"HTML as XML":     {raw("<!DOCTYPE html><html></html>"), odoo.Unknown, odoo.BadAnswer, ""},
		"nothing":         {raw(""), odoo.Unknown, odoo.BadAnswer, ""},
		"half an answer":  {raw("<?xml version='1.0'?><methodResponse><params>"), odoo.Unknown, odoo.BadAnswer, ""},
		"too large":       {raw("<methodResponse><params>" + strings.Repeat(" ", 1<<16) + "</params></methodResponse>"), odoo.Unknown, odoo.BadAnswer, ""},
		"gzip bomb":       {gzipped(bomb()), odoo.Unknown, odoo.BadAnswer, ""},
		"closed":          {closeConnection, odoo.Unknown, odoo.ConnectionLost, ""},
		"cut body":        {cutBody, odoo.Unknown, odoo.ConnectionLost, ""},
		"no answer":       {hang, odoo.Unknown, odoo.Timeout, ""},
		"endless body":    {stalledBody, odoo.Unknown, odoo.Timeout, ""},
		"fault 1":         {faulty(1, traceback), odoo.Unknown, odoo.ServerError, "an error inside Odoo; its own log has the details"},
		"unknown fault":   {faulty(17, "?"), odoo.Unknown, odoo.ServerError, ""},
		"marshal fault":   {faulty(1, traceback+"TypeError: cannot marshal None unless allow_none is enabled"), odoo.Unknown, odoo.ServerError, ""},
		"no database":     {faulty(1, traceback+`psycopg2.OperationalError: FATAL:  database "shop" does not exist`), odoo.Unknown, odoo.ServerError, ""},
		"lost race fault": {faulty(1, traceback+"psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update"), odoo.Unknown, odoo.Serialization, ""},
		"fault 2":         {faulty(2, "You cannot sell this.\n\nBecause of reasons."), odoo.Rejected, odoo.BusinessRule, "You cannot sell this."},
		"fault 2, traced": {faulty(2, traceback), odoo.Rejected, odoo.BusinessRule, "Odoo refused without a reason that can be shown"},
		"fault 2, empty":  {faulty(2, ""), odoo.Rejected, odoo.BusinessRule, "Odoo refused without a reason"},
		"fault 3":         {faulty(3, "Access Denied"), odoo.NotSent, odoo.LoginRefused, ""},
		"fault 4": {faulty(4, "You are not allowed to create 'Sales Order' (sale.order) records.\n\nThis operation is allowed for the following groups:\n\t- Sales/User: All Documents\n\t- Sales/Administrator\n\nContact…"),
			odoo.Rejected, odoo.AccessRights, "You are not allowed to create 'Sales Order' (sale.order) records. Groups that may: Sales/User: All Documents, Sales/Administrator."},
		"a text":          {value("x"), odoo.Unknown, odoo.BadAnswer, ""},
		"no ids":          {value(map[string]any{"messages": []any{}}), odoo.Unknown, odoo.BadAnswer, ""},
		"false unsaid":    {value(map[string]any{"ids": false, "messages": []any{}}), odoo.Unknown, odoo.BadAnswer, ""},
		"false, garbled":  {value(map[string]any{"ids": false, "messages": []any{int64(1)}}), odoo.Unknown, odoo.BadAnswer, ""},
		"false, no texts": {refusedLoad(map[string]any{"type": "error"}), odoo.Unknown, odoo.BadAnswer, ""},
		"zero ids":        {loaded(), odoo.Unknown, odoo.BadAnswer, ""},
		"two ids":         {loaded(int64(1), int64(2)), odoo.Unknown, odoo.BadAnswer, ""},
		"id false":        {loaded(false), odoo.Unknown, odoo.BadAnswer, ""},
		"load not allowed": {refusedLoad(map[string]any{"message": "Unknown error during import: <class 'odoo.exceptions.AccessError'>: You are not allowed to create 'Sales Order'"}),
			odoo.Rejected, odoo.AccessRights, "You are not allowed to create 'Sales Order'"},
		"load refused": {refusedLoad(map[string]any{"message": "Missing required value for the field 'Customer' (partner_id).\nModel: 'Sales Order' (sale.order)\n- create/update: x"}),
			odoo.Rejected, odoo.BusinessRule, "Missing required value for the field 'Customer' (partner_id)."},
		"load crashed":   {refusedLoad(map[string]any{"message": "Unknown error during import: <class 'KeyError'>: 'x'"}), odoo.Unknown, odoo.ServerError, ""},
		"load SQL error": {refusedLoad(map[string]any{"message": "current transaction is aborted, commands ignored until end of transaction block"}), odoo.Unknown, odoo.ServerError, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeOdoo(t, test.answer)
			cfg := f.config()
			cfg.CallTimeout, cfg.MaxAnswerBytes = 2*time.Second, 1<<16
			if test.reason == odoo.Timeout {
				cfg.CallTimeout = 300 * time.Millisecond
			}
			_, err := place(t.Context(), newClient(t, cfg), newOrder())
			e := requireError(t, err, test.outcome, test.reason)
			require.Contains(t, e.Message, test.message)
			require.NotContains(t, e.Message, "Traceback")
			require.NotContains(t, e.Message, "psycopg2")
		})
	}
}

// TestGuardsOfAnswers tells apart what the table sees as one: which of the guards refused.
func TestGuardsOfAnswers(t *testing.T) {
	t.Parallel()
	large := raw("<methodResponse><params>" + strings.Repeat(" ", 1<<16) + "</params></methodResponse>")
	mislabelled := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>"))
	}
	for message, answer := range map[string]http.HandlerFunc{
		"larger than 65536 bytes": large,
		`type "text/html"`:        mislabelled,
	} {
		cfg := newFakeOdoo(t, answer).config()
		cfg.MaxAnswerBytes = 1 << 16
		_, err := newClient(t, cfg).CountOrders(t.Context(), order.IDRange{})
		e := requireError(t, err, odoo.Unknown, odoo.BadAnswer)
		require.ErrorContains(t, e.Cause, message)
	}
}

func html(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<html>Database manager</html>"))
}

func cutBody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte("<?xml version='1.0'?><methodResponse>"))
}

func stalledBody(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	_, _ = w.Write([]byte("<?xml version='1.0'?><methodResponse>"))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// bomb is an answer of lists in lists, which folds to a thousandth.
func bomb() []byte {
	const lists = 300_000
	return []byte("<?xml version='1.0'?><methodResponse><params><param>" +
		strings.Repeat("<value><array><data>", lists) + strings.Repeat("</data></array></value>", lists) +
		"</param></params></methodResponse>")
}

func gzipped(body []byte) http.HandlerFunc {
	var folded bytes.Buffer
	zip := gzip.NewWriter(&folded)
	_, _ = zip.Write(body) // neither fails on a buffer
	_ = zip.Close()
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(folded.Bytes())
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	answer := gzipped([]byte("<?xml version='1.0'?><methodResponse><params><param><value><int>3</int></value></param></params></methodResponse>"))
	n, err := newClient(t, newFakeOdoo(t, answer).config()).CountOrders(t.Context(), order.IDRange{})
	require.NoError(t, err)
	require.EqualValues(t, 3, n)

	// The bomb within the limit on bytes: the limit on depth is what holds.
	_, err = newClient(t, newFakeOdoo(t, gzipped(bomb())).config()).CountOrders(t.Context(), order.IDRange{})
	e := requireError(t, err, odoo.Unknown, odoo.BadAnswer)
	require.ErrorContains(t, e.Cause, "nested more than 64 deep")
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newFakeOdoo(t, loaded(int64(1)))
	for _, code := range []int{301, 302, 303, 307, 308} {
		f := newFakeOdoo(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, code)
		})
		_, err := place(t.Context(), newClient(t, f.config()), newOrder())
		requireError(t, err, odoo.NotSent, odoo.Misconfigured)
	}
	require.Zero(t, elsewhere.count("sale.order.load"))
}

// TestWriteIsNotResent breaks a kept connection after the request was read on it, which is when net/http repeats what it
// takes for idempotent.
func TestWriteIsNotResent(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, closeConnection)
	c := newClient(t, f.config())
	_, err := c.Version(t.Context())
	require.NoError(t, err)
	err = c.ConfirmOrders(t.Context(), 1)
	requireError(t, err, odoo.Unknown, odoo.ConnectionLost)
	require.Equal(t, 1, f.count("sale.order.action_confirm"))
}

func TestContextOverBeforeTheCall(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, loaded(int64(1)))
	c := newClient(t, f.config())
	require.Error(t, c.Ping(t.Context()), "logs in; the answer is not a list of ids")

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := place(cancelled, c, newOrder())
	requireError(t, err, odoo.NotSent, odoo.Cancelled)
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err = place(expired, c, newOrder())
	requireError(t, err, odoo.NotSent, odoo.Timeout)
	require.Zero(t, f.count("sale.order.load"))
}

func TestCancelledWhileOdooWorks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := newFakeOdoo(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hang(w, r)
	})
	_, err := place(ctx, newClient(t, f.config()), newOrder())
	requireError(t, err, odoo.Unknown, odoo.Cancelled)
}

// TestGoneAfterLogin: the session is there, Odoo is not.
func TestGoneAfterLogin(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // as Odoo's own server does: no idle connection is left to break in the middle
		value([]any{})(w, r)
	})
	c := newClient(t, f.config())
	require.NoError(t, c.Ping(t.Context()))
	f.Close()
	_, err := place(t.Context(), c, newOrder())
	requireError(t, err, odoo.NotSent, odoo.Unreachable)
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const connections = 3
	entered, leave := make(chan struct{}, 100), make(chan struct{})
	f := newFakeOdoo(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-leave
		loaded(int64(1))(w, r)
	})
	cfg := f.config()
	cfg.MaxConnections = connections
	c := newClient(t, cfg)
	done := make(chan error)
	for range connections {
		go func() {
			_, err := place(t.Context(), c, newOrder())
			done <- err
		}()
	}
	for range connections {
		<-entered
	}
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := place(impatient, c, newOrder())
	requireError(t, err, odoo.NotSent, odoo.Timeout)
	require.Equal(t, connections, f.count("sale.order.load"), "the waiting call did not reach Odoo")

	close(leave)
	for range connections {
		require.NoError(t, <-done)
	}
	_, err = place(t.Context(), c, newOrder())
	require.NoError(t, err, "every connection was given back")
}
