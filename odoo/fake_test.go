package odoo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kolo/xmlrpc"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

// fakeOdoo lets a login through and answers everything else as its test says.
type fakeOdoo struct {
	*httptest.Server
	major int64 // of the version it claims

	mu                               sync.Mutex
	onVersion                        http.HandlerFunc // nil: major
	onLogin                          http.HandlerFunc // nil: user 7
	onObject                         http.HandlerFunc
	onJSON                           http.HandlerFunc // what JSON-2 answers to all but logins; nil: there is no JSON-2
	onVersionJSON, onKey, onKeyOwner http.HandlerFunc // nil: major, user 7, "gateway"
	calls                            []string         // "version", "authenticate", "sale.order.load"; over JSON-2 "json:sale.order.load"
	bodies                           []string
	headers                          http.Header // of the last call over JSON-2
	date                             time.Time   // of all answers; zero: now
}

func newFakeOdoo(t *testing.T, onObject http.HandlerFunc) *fakeOdoo {
	t.Helper()
	f := &fakeOdoo{major: 19, onObject: onObject}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

var (
	methodName = regexp.MustCompile(`<methodName>([^<]*)</methodName>`)
	texts      = regexp.MustCompile(`<string>([^<]*)</string>`)
)

func (f *fakeOdoo) serve(w http.ResponseWriter, r *http.Request) {
	if !f.date.IsZero() {
		w.Header().Set("Date", f.date.Format(http.TimeFormat))
	}
	if strings.HasPrefix(r.URL.Path, "/json/") {
		f.serveJSON(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name := methodName.FindStringSubmatch(string(body))[1]
	f.mu.Lock()
	handler := map[string]http.HandlerFunc{"version": f.onVersion, "authenticate": f.onLogin, "execute_kw": f.onObject}[name]
	if handler == nil && name == "version" {
		handler = value(map[string]any{"server_version_info": []any{f.major, int64(0)}, "server_serie": fmt.Sprintf("%d.0", f.major)})
	}
	if handler == nil {
		handler = value(int64(7))
	}
	if name == "execute_kw" {
		text := texts.FindAllStringSubmatch(string(body), 4) // database, password, model, method
		name = text[2][1] + "." + text[3][1]
	}
	f.calls = append(f.calls, name)
	f.bodies = append(f.bodies, string(body))
	f.mu.Unlock()
	handler(w, r.WithContext(context.WithValue(r.Context(), bodyKey{}, string(body))))
}

// serveJSON is serve for JSON-2.
func (f *fakeOdoo) serveJSON(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name := strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/json/"), "2/"), "/", ".")
	f.mu.Lock()
	handler := f.onJSON
	if f.onJSON != nil {
		for login, is := range map[string]struct{ set, otherwise http.HandlerFunc }{
			"version":               {f.onVersionJSON, jsonAnswer(200, fmt.Sprintf(`{"version_info": [%d, 0, 0, "final", 0, ""], "version": "%[1]d.0"}`, f.major))},
			"res.users.context_get": {f.onKey, jsonAnswer(200, `{"lang": "en_US", "tz": false, "uid": 7}`)},
			"res.users.read":        {f.onKeyOwner, jsonAnswer(200, `[{"id": 7, "login": "gateway"}]`)},
		} {
			if login == name {
				handler = is.otherwise
				if is.set != nil {
					handler = is.set
				}
			}
		}
	} else {
		handler = http.NotFound
	}
	f.calls = append(f.calls, "json:"+name)
	f.bodies = append(f.bodies, string(body))
	f.headers = r.Header
	f.mu.Unlock()
	handler(w, r.WithContext(context.WithValue(r.Context(), bodyKey{}, string(body))))
}

// jsonAnswer answers over JSON-2.
func jsonAnswer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// jsonError answers as Odoo does over JSON-2 when a call fails. The arguments begin with the message.
func jsonError(status int, exception, message string) http.HandlerFunc {
	body, err := json.Marshal(map[string]any{"name": exception, "message": message, "arguments": []any{message}, "context": map[string]any{},
		"debug": "Traceback (most recent call last):\n  File \"/odoo/http.py\", line 1, in x\n" + exception + ": " + message + "\n"})
	if err != nil {
		panic(err)
	}
	return jsonAnswer(status, string(body))
}

type bodyKey struct{}

// bodyOf is what a handler of the fake was asked.
func bodyOf(r *http.Request) string { return r.Context().Value(bodyKey{}).(string) }

// handle replaces what the fake answers.
func (f *fakeOdoo) handle(set func(f *fakeOdoo)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set(f)
}

// count counts the calls of one name.
func (f *fakeOdoo) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(f.calls), func(c string) bool { return c != name }))
}

// all counts every call.
func (f *fakeOdoo) all() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// lastBody is the body of the last request.
func (f *fakeOdoo) lastBody() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[len(f.bodies)-1]
}

func (f *fakeOdoo) config() odoo.Config {
	return odoo.Config{URL: f.URL, Database: "shop", User: "gateway", Password: "s3cret", CallTimeout: 10 * time.Second}
}

func newClient(t *testing.T, cfg odoo.Config) *odoo.Client {
	t.Helper()
	c, err := odoo.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// value answers with a value.
func value(v any) http.HandlerFunc {
	call, err := xmlrpc.EncodeMethodCall("x", v)
	if err != nil {
		panic(err)
	}
	params := call[bytes.Index(call, []byte("<params>")):bytes.Index(call, []byte("</methodCall>"))]
	return raw("<?xml version='1.0'?>\n<methodResponse>" + string(params) + "</methodResponse>")
}

func raw(xml string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = io.WriteString(w, xml)
	}
}

func faulty(code int, text string) http.HandlerFunc {
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)
	return raw(fmt.Sprintf("<?xml version='1.0'?><methodResponse><fault><value><struct>"+
		"<member><name>faultCode</name><value><int>%d</int></value></member>"+
		"<member><name>faultString</name><value><string>%s</string></value></member>"+
		"</struct></value></fault></methodResponse>", code, text))
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hang does not answer before the caller has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// closeConnection ends the connection without an answer, after the request was read.
func closeConnection(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func refusedLoad(message map[string]any) http.HandlerFunc {
	return value(map[string]any{"ids": false, "messages": []any{message}})
}

func loaded(ids ...any) http.HandlerFunc {
	return value(map[string]any{"ids": ids, "messages": []any{}})
}

func newOrder() odoo.NewOrder {
	return odoo.NewOrder{ExternalID: "o", PartnerID: 1,
		Lines: []odoo.NewLine{{ExternalID: "o_1", ProductID: 2, Quantity: decimal.New(1, 0)}}}
}

// place places one order.
func place(ctx context.Context, c *odoo.Client, o odoo.NewOrder) (int64, error) {
	return only(c.PlaceOrders(ctx, []odoo.NewOrder{o}))
}

func ensure(ctx context.Context, c *odoo.Client, p odoo.NewPartner) (int64, error) {
	return only(c.EnsurePartners(ctx, []odoo.NewPartner{p}))
}

func only(results []odoo.Loaded) (int64, error) {
	if results[0].Err != nil {
		return results[0].ID, results[0].Err
	}
	return results[0].ID, nil
}

func requireError(t *testing.T, err error, outcome odoo.Outcome, reason odoo.Reason) *odoo.Error {
	t.Helper()
	var e *odoo.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, outcome, e.Outcome, "%v", err)
	require.Equal(t, reason, e.Reason, "%v", err)
	require.NotEmpty(t, e.Method)
	require.NotEmpty(t, e.Message)
	require.NotContains(t, err.Error(), "s3cret")
	return e
}
