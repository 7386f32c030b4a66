package odoo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// newJSONOdoo is a fake Odoo that speaks JSON-2, and answers so whatever is no login.
func newJSONOdoo(t *testing.T, onJSON http.HandlerFunc) *fakeOdoo {
	t.Helper()
	f := newFakeOdoo(t, nil)
	f.onJSON = onJSON
	return f
}

func (f *fakeOdoo) jsonConfig() odoo.Config {
	cfg := f.config()
	cfg.Protocol = odoo.JSON2
	return cfg
}

func TestCallOverJSON2(t *testing.T) {
	t.Parallel()
	f := newJSONOdoo(t, jsonAnswer(200, `{"ids": [5], "messages": []}`))
	id, err := place(t.Context(), newClient(t, f.jsonConfig()), newOrder())
	require.NoError(t, err)
	require.EqualValues(t, 5, id)
	require.Equal(t, "bearer s3cret", f.headers.Get("Authorization"))
	require.Equal(t, "shop", f.headers.Get("X-Odoo-Database"))
	require.Equal(t, "application/json; charset=utf-8", f.headers.Get("Content-Type"))
	var sent map[string]any
	require.NoError(t, json.Unmarshal([]byte(f.lastBody()), &sent))
	require.Equal(t, map[string]any{"mode": "update", "noupdate": true}, sent["context"])
	require.Equal(t, "id", sent["fields"].([]any)[0])
	require.Equal(t, "ordergate.o", sent["data"].([]any)[0].([]any)[0])
	require.Len(t, sent, 3)
	require.Zero(t, f.count("authenticate"))
}

// TestOutcomesOverJSON2 is TestOutcomes for what only JSON-2 answers.
func TestOutcomesOverJSON2(t *testing.T) {
	t.Parallel()
	noPage := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<h1>Not Found</h1><p>No database is selected</p>"))
	}
	cutError := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"name": "odoo.exceptions.UserError"`))
	}
	redirect := jsonAnswer(500, `{"name": "odoo.exceptions.RedirectWarning", "message": "Choose an account.\n12\nGo there\nNone",
		"arguments": ["Choose an account.", 12, "Go there", null], "context": {}, "debug": "Traceback"}`)
	afterCommit := func(status int, exception string) http.HandlerFunc {
		return jsonAnswer(status, `{"name": "`+exception+`", "message": "No.", "arguments": ["No."], "context": {}, "debug": "Traceback (most recent call last):\n  File \"/odoo/sql_db.py\", line 562, in commit\n    self.postcommit.run()\n`+exception+`: No.\n"}`)
	}
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		outcome odoo.Outcome
		reason  odoo.Reason
		message string
	}{
		"user error":       {jsonError(422, "odoo.exceptions.UserError", "You cannot sell this.\n\nBecause of reasons."), odoo.Rejected, odoo.BusinessRule, "You cannot sell this."},
		"validation error": {jsonError(422, "odoo.exceptions.ValidationError", "No."), odoo.Rejected, odoo.BusinessRule, "No."},
		"of an addon":      {jsonError(422, "odoo.addons.x.models.Refused", "No."), odoo.Rejected, odoo.BusinessRule, "No."},
		"missing record":   {jsonError(404, "odoo.exceptions.MissingError", "Record does not exist"), odoo.Rejected, odoo.BusinessRule, ""},
		"locked record":    {jsonError(409, "odoo.exceptions.LockError", "Locked"), odoo.Rejected, odoo.BusinessRule, ""},
		"after commit":     {afterCommit(422, "odoo.exceptions.UserError"), odoo.Unknown, odoo.ServerError, "an error inside Odoo"},
		"denied after it":  {afterCommit(403, "odoo.exceptions.AccessError"), odoo.Unknown, odoo.ServerError, ""},
		"redirect after":   {afterCommit(500, "odoo.exceptions.RedirectWarning"), odoo.Unknown, odoo.ServerError, ""},
		"redirect":         {redirect, odoo.Rejected, odoo.BusinessRule, "Choose an account."},
		"access error":     {jsonError(403, "odoo.exceptions.AccessError", "You are not allowed"), odoo.Rejected, odoo.AccessRights, "You are not allowed"},
		"access denied":    {jsonError(403, "odoo.exceptions.AccessDenied", "Access Denied"), odoo.NotSent, odoo.LoginRefused, ""},
		"no such model":    {jsonError(404, "werkzeug.exceptions.NotFound", "the model 'sale.order' does not exist"), odoo.Rejected, odoo.BusinessRule, "does not exist"},
		"wrong arguments":  {jsonError(422, "werkzeug.exceptions.UnprocessableEntity", "missing a required argument: 'data'"), odoo.NotSent, odoo.Misconfigured, "'data'"},
		"exception":        {jsonError(500, "builtins.KeyError", "'x'"), odoo.Unknown, odoo.ServerError, "an error inside Odoo; its own log has the details"},
		"lost race":        {jsonError(500, "psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update"), odoo.Unknown, odoo.Serialization, ""},
		"commit lost":      {jsonError(500, "psycopg2.OperationalError", "server closed the connection unexpectedly"), odoo.Unknown, odoo.ServerError, ""},
		"error of a proxy": {jsonAnswer(502, `{"message": "upstream"}`), odoo.Unknown, odoo.ServerError, "HTTP status 502"},
		"named by a proxy": {jsonAnswer(502, `{"name": "upstream", "message": "gone"}`), odoo.Unknown, odoo.ServerError, "HTTP status 502"},
		"no JSON, 500":     {jsonAnswer(500, `oops`), odoo.Unknown, odoo.ServerError, "HTTP status 500"},
		"page, 500":        {status(500), odoo.Unknown, odoo.ServerError, "HTTP status 500"},
		"proxy's 403":      {jsonAnswer(403, `{"message": "blocked"}`), odoo.NotSent, odoo.Misconfigured, ""},
		"too large a call": {status(413), odoo.NotSent, odoo.TooLarge, ""},
		"no database":      {noPage, odoo.NotSent, odoo.ServerError, "cannot use its database"},
		"page, 200":        {html, odoo.Unknown, odoo.BadAnswer, ""},
		"not JSON":         {jsonAnswer(200, `{"ids": [1]`), odoo.Unknown, odoo.BadAnswer, ""},
		"two values":       {jsonAnswer(200, `{"ids": [1]} {}`), odoo.Unknown, odoo.BadAnswer, ""},
		"too deep":         {jsonAnswer(200, strings.Repeat("[", 65)+strings.Repeat("]", 65)), odoo.Unknown, odoo.BadAnswer, ""},
		"too large":        {jsonAnswer(200, `"`+strings.Repeat("x", 1<<16)+`"`), odoo.Unknown, odoo.BadAnswer, ""},
		"too large, 422":   {jsonAnswer(422, `"`+strings.Repeat("x", 1<<16)+`"`), odoo.NotSent, odoo.Misconfigured, ""},
		"null":             {jsonAnswer(200, `null`), odoo.Unknown, odoo.BadAnswer, ""},
		"accepted":         {jsonAnswer(202, `{"ids": [1]}`), odoo.Unknown, odoo.BadAnswer, ""},
		"cut error":        {cutError, odoo.Unknown, odoo.ConnectionLost, ""},
		"closed":           {closeConnection, odoo.Unknown, odoo.ConnectionLost, ""},
		"hang":             {hang, odoo.Unknown, odoo.Timeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newJSONOdoo(t, test.answer).jsonConfig()
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

// TestProtocolOfALogin: which protocol a login ends with, or how it fails.
func TestProtocolOfALogin(t *testing.T) {
	t.Parallel()
	unauthorized := jsonError(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
	stranger := jsonAnswer(200, `[{"id": 7, "login": "admin"}]`)
	pings := jsonAnswer(200, `[]`)
	const xmlrpc, json2 = "sale.order.search", "json:sale.order.search"
	for name, test := range map[string]struct {
		protocol odoo.Protocol
		set      func(f *fakeOdoo)
		spoken   string
		reason   odoo.Reason
		message  string
	}{
		"key":                     {odoo.Auto, func(*fakeOdoo) {}, json2, "", ""},
		"unset is auto":           {"", func(*fakeOdoo) {}, json2, "", ""},
		"XML-RPC is wanted":       {odoo.XMLRPC, func(*fakeOdoo) {}, xmlrpc, "", ""},
		"password":                {odoo.Auto, func(f *fakeOdoo) { f.onKey = unauthorized }, xmlrpc, "", ""},
		"another user's key":      {odoo.Auto, func(f *fakeOdoo) { f.onKeyOwner = stranger }, xmlrpc, "", ""},
		"no JSON-2":               {odoo.Auto, func(f *fakeOdoo) { f.onJSON = nil }, xmlrpc, "", ""},
		"hidden by a proxy":       {odoo.Auto, func(f *fakeOdoo) { f.onVersionJSON = status(403) }, xmlrpc, "", ""},
		"too old":                 {odoo.Auto, func(f *fakeOdoo) { f.major = 18 }, xmlrpc, "", ""},
		"no database":             {odoo.Auto, func(f *fakeOdoo) { f.onKey = status(404) }, xmlrpc, "", ""},
		"a page for a version":    {odoo.Auto, func(f *fakeOdoo) { f.onVersionJSON = html }, xmlrpc, "", ""},
		"a page for a user":       {odoo.Auto, func(f *fakeOdoo) { f.onKey = html }, xmlrpc, "", ""},
		"breaks":                  {odoo.Auto, func(f *fakeOdoo) { f.onKey = status(502) }, "", odoo.ServerError, ""},
		"closes":                  {odoo.Auto, func(f *fakeOdoo) { f.onVersionJSON = closeConnection }, "", odoo.ConnectionLost, ""},
		"crashes":                 {odoo.Auto, func(f *fakeOdoo) { f.onKey = jsonError(500, "builtins.KeyError", "'x'") }, "", odoo.ServerError, ""},
		"only JSON-2, password":   {odoo.JSON2, func(f *fakeOdoo) { f.onKey = unauthorized }, "", odoo.LoginRefused, `refuses the API key for database "shop"`},
		"only JSON-2, stranger":   {odoo.JSON2, func(f *fakeOdoo) { f.onKeyOwner = stranger }, "", odoo.LoginRefused, `is another user's than "gateway"`},
		"only JSON-2, nobody":     {odoo.JSON2, func(f *fakeOdoo) { f.onKeyOwner = jsonAnswer(200, `[]`) }, "", odoo.LoginRefused, ""},
		"only JSON-2, there none": {odoo.JSON2, func(f *fakeOdoo) { f.onJSON = nil }, "", odoo.Misconfigured, "no JSON-2"},
		"only JSON-2, too old":    {odoo.JSON2, func(f *fakeOdoo) { f.major = 18 }, "", odoo.Misconfigured, "Odoo 18.0 has no JSON-2"},
		"only JSON-2, no base":    {odoo.JSON2, func(f *fakeOdoo) { f.onKey = status(404) }, "", odoo.LoginRefused, `no database "shop"`},
		"odd user":                {odoo.JSON2, func(f *fakeOdoo) { f.onKey = jsonAnswer(200, `{"uid": null}`) }, "", odoo.BadAnswer, ""},
		"odd version":             {odoo.JSON2, func(f *fakeOdoo) { f.onVersionJSON = jsonAnswer(200, `{"version_info": [19]}`) }, "", odoo.BadAnswer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newJSONOdoo(t, pings)
			f.onObject = value([]any{})
			test.set(f)
			cfg := f.config()
			cfg.Protocol = test.protocol
			c := newClient(t, cfg)
			err := c.Ping(t.Context())
			if test.spoken == "" {
				e := requireError(t, err, odoo.NotSent, test.reason)
				require.Contains(t, e.Message, test.message)
				require.Zero(t, f.count(xmlrpc)+f.count(json2)+f.count("authenticate"))
				return
			}
			require.NoError(t, err)
			require.Equal(t, 1, f.count(test.spoken))
			v, err := c.Version(t.Context())
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("%d.0", f.major), v.Full)
		})
	}
}

func TestUnknownProtocolIsRefused(t *testing.T) {
	t.Parallel()
	cfg := newFakeOdoo(t, nil).config()
	cfg.Protocol = "jsonrpc"
	_, err := odoo.New(cfg)
	require.ErrorContains(t, err, "auto, xmlrpc or json2")
}

// TestProtocolIsChosenAnew: a session that is refused, or whose Odoo has changed, may come back over the other protocol.
func TestProtocolIsChosenAnew(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]http.HandlerFunc{
		"key refused": jsonError(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey"),
		"older Odoo":  http.NotFound,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newJSONOdoo(t, jsonAnswer(200, `[]`))
			f.onObject = value([]any{})
			c := newClient(t, f.config())
			require.NoError(t, c.Ping(t.Context()))
			f.handle(func(f *fakeOdoo) { f.onJSON, f.onKey = trouble, trouble })
			_ = c.Ping(t.Context()) // where the database is out of reach, nothing is repeated
			require.NoError(t, c.Ping(t.Context()))
			require.NotZero(t, f.count("sale.order.search"))
			require.Equal(t, 2, f.count("json:sale.order.search"))
		})
	}
}

// TestRefusedKeyIsTriedOnceMore as a refused password is.
func TestRefusedKeyIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	f := newJSONOdoo(t, nil)
	f.onJSON = func(w http.ResponseWriter, r *http.Request) {
		f.handle(func(f *fakeOdoo) { f.onJSON = jsonAnswer(200, `{"ids": [5], "messages": []}`) })
		jsonError(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")(w, r)
	}
	id, err := place(t.Context(), newClient(t, f.jsonConfig()), newOrder())
	require.NoError(t, err)
	require.EqualValues(t, 5, id)
	require.Equal(t, 2, f.count("json:sale.order.load"))
	require.Equal(t, 2, f.count("json:res.users.context_get"))
}

// TestBreakerOverJSON2: refusals say that Odoo works; a database out of reach does not.
func TestBreakerOverJSON2(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]http.HandlerFunc{
		"closed": jsonError(422, "odoo.exceptions.UserError", "No."),
		"open":   http.NotFound,
	} {
		f := newJSONOdoo(t, answer)
		cfg := f.jsonConfig()
		cfg.Breaker = odoo.BreakerConfig{Failures: 2, OpenFor: time.Hour}
		c := newClient(t, cfg)
		for range 4 {
			require.Error(t, c.Ping(t.Context()))
		}
		require.Equal(t, want, c.BreakerState())
	}
}

func TestTextsThatXMLCannotCarryAreNotSentAsJSON(t *testing.T) {
	t.Parallel()
	f := newJSONOdoo(t, jsonAnswer(200, `[]`))
	c := newClient(t, f.jsonConfig())
	for _, text := range []string{"a\rb", "a\x00b", "\xff", "\ufffe"} {
		_, err := c.FindOrders(t.Context(), text, "")
		requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	}
	require.Zero(t, f.count("json:sale.order.search"))
	_, err := c.FindOrders(t.Context(), "é\t\n<&\"\\😀", "")
	require.NoError(t, err)
	var sent struct{ Domain [][]any }
	require.NoError(t, json.Unmarshal([]byte(f.lastBody()), &sent))
	require.Equal(t, "é\t\n<&\"\\😀", sent.Domain[0][2])
}

// TestArgumentsByName: what is called on records goes as ids, and the rest by its name.
func TestArgumentsByName(t *testing.T) {
	t.Parallel()
	f := newJSONOdoo(t, jsonAnswer(200, `true`))
	c := newClient(t, f.jsonConfig())
	for want, call := range map[string]func(context.Context) error{
		`{"context":{"disable_cancel_warning":true},"ids":[5]}`: func(ctx context.Context) error { return c.CancelOrders(ctx, 5) },
		`{"ids":[5]}`: func(ctx context.Context) error { return c.ConfirmOrders(ctx, 5) },
		`{"domain":[["id","\u003e",0]]}`: func(ctx context.Context) error {
			_, err := c.CountOrders(ctx, order.IDRange{})
			require.Error(t, err, "true is not a number")
			return nil
		},
	} {
		require.NoError(t, call(t.Context()))
		require.JSONEq(t, want, f.lastBody())
	}
}
