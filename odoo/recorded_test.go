package odoo

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/test/env"
)

var recordAnswers = flag.Bool("record", false, "write what the real Odoos answer to testdata/answers")

// requireAgreement holds decodeAnswer to the reference on an answer of a real Odoo.
func requireAgreement(t *testing.T, document []byte) {
	t.Helper()
	want, err := reference(document)
	require.NoError(t, err)
	got, err := decode(string(document), 64)
	if bytes.Contains(document, []byte("<fault>")) {
		var f *fault
		require.ErrorAs(t, err, &f)
		got, err = map[string]any{"faultCode": f.code, "faultString": f.text}, nil
	}
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NotEmpty(t, got)
}

func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/answers/*.xml.gz")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 10)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			requireAgreement(t, recorded(t, file))
		})
	}
}

func recorded(t testing.TB, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	require.NoError(t, err)
	document, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	return document
}

func TestAnswersOfOdoo14(t *testing.T) { askReal(t, env.Odoo(t, 14)) }
func TestAnswersOfOdoo19(t *testing.T) { askReal(t, env.Odoo(t, 19)) }

// askReal asks for one of each kind of answer, and for large ones of many shapes. Nothing that it calls changes anything.
func askReal(t *testing.T, server env.OdooServer) {
	a := &asker{server: server}
	version := a.ask(t, "/xmlrpc/2/common", "version")
	about, err := parseVersion(value(t, version))
	require.NoError(t, err)
	d := dialectOf(about)
	a.uid = value(t, a.ask(t, "/xmlrpc/2/common", "authenticate", server.Database, server.User, server.Password, map[string]any{})).(int64)

	ids := value(t, a.execute(t, "sale.order", "search", []any{domain{}}, map[string]any{"order": "id asc", "limit": 200})).([]any)
	answers := map[string][]byte{
		"version": version,
		"search":  a.execute(t, "sale.order", "search", []any{domain{}}, map[string]any{"order": "id asc", "limit": 200}),
		"read":    a.execute(t, "sale.order", "read", []any{ids, anySlice(append(orderFields, "order_line"))}, map[string]any{"load": ""}),
		"lines": a.execute(t, "sale.order.line", "search_read", []any{domain{condition("order_id", "in", ids)}},
			map[string]any{"fields": anySlice(append(lineFields(d), "order_id")), "order": "id asc"}),
		"products": a.execute(t, "product.product", "search_read", []any{domain{}}, map[string]any{"context": archivedToo, "limit": 20, "order": "id asc",
			"fields": []any{"default_code", "name", "uom_id", "lst_price", "currency_id", "sale_ok", "active", "write_date"}}),
		"load": a.execute(t, "sale.order", "load", []any{[]any{"id", "partner_id/.id", "order_line/product_id/.id"},
			[]any{[]any{"ordergate.recorded", "0", "x"}}}, map[string]any{"context": createIfAbsent}),
		"fault": a.execute(t, "ir.rule", "search", []any{domain{}}, nil),
	}
	if d.webRead {
		specification := map[string]any{"locked": map[string]any{}}
		lines := map[string]any{}
		for _, f := range lineFields(d) {
			lines[f] = map[string]any{}
		}
		for _, f := range orderFields {
			specification[f] = map[string]any{}
		}
		specification["order_line"] = map[string]any{"fields": lines}
		answers["web_read"] = a.execute(t, "sale.order", "web_read", []any{ids, specification}, nil)
	}
	for name, document := range answers {
		requireAgreement(t, document)
		if *recordAnswers {
			store(t, fmt.Sprintf("testdata/answers/%d_%s.xml.gz", server.Major, name), document)
		}
	}

	// Too large to keep, or with a traceback.
	all := map[string]any{"limit": 1000, "order": "id asc"}
	requireAgreement(t, a.execute(t, "sale.order", "search_read", []any{domain{}}, all))
	requireAgreement(t, a.execute(t, "res.partner", "search_read", []any{domain{}}, map[string]any{"limit": 40}))
	requireAgreement(t, a.execute(t, "sale.order", "fields_get", []any{}, nil))
	requireAgreement(t, a.execute(t, "sale.order", "no_such_method", []any{}, nil))
}

func TestControlCharactersOfOdoo14(t *testing.T) {
	readControlCharacters(t, env.Odoo(t, 14), "a\x0bb\ufffec")
}
func TestControlCharactersOfOdoo19(t *testing.T) {
	readControlCharacters(t, env.Odoo(t, 19), "ab\ufffec")
}

// readControlCharacters writes a name as a browser does, past XML, and reads it over XML-RPC, where it is spelled so.
func readControlCharacters(t *testing.T, server env.OdooServer, spelled string) {
	a := &asker{server: server}
	a.uid = value(t, a.ask(t, "/xmlrpc/2/common", "authenticate", server.Database, server.AdminUser, server.AdminPassword, map[string]any{})).(int64)
	a.server.Password = server.AdminPassword
	call := fmt.Sprintf(`{"jsonrpc": "2.0", "method": "call", "params": {"service": "object", "method": "execute_kw",
		"args": [%q, %d, %q, "res.partner", "create", [{"name": "a\u000bb\ufffec"}]]}}`, server.Database, a.uid, server.AdminPassword)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/jsonrpc", strings.NewReader(call))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var created struct{ Result int64 }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&created))
	require.NotZero(t, created.Result)

	document := a.execute(t, "res.partner", "read", []any{[]any{created.Result}, []any{"name"}}, nil)
	a.execute(t, "res.partner", "unlink", []any{[]any{created.Result}}, nil)
	require.Contains(t, string(document), "<string>"+spelled+"</string>")
	require.Equal(t, []any{map[string]any{"id": created.Result, "name": "abc"}}, value(t, document))
}

// asker calls an Odoo and gives its answers as they came.
type asker struct {
	server env.OdooServer
	uid    int64
}

func (a *asker) execute(t *testing.T, model, method string, args []any, kwargs map[string]any) []byte {
	t.Helper()
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	return a.ask(t, "/xmlrpc/2/object", "execute_kw", a.server.Database, a.uid, a.server.Password, model, method, args, kwargs)
}

func (a *asker) ask(t *testing.T, path, method string, args ...any) []byte {
	t.Helper()
	call, err := encodeCall(method, args)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.server.URL+path, strings.NewReader(string(call)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "text/xml")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	document, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%.200s", document)
	return document
}

func value(t *testing.T, document []byte) any {
	t.Helper()
	v, err := decode(string(document), 64)
	require.NoError(t, err)
	return v
}

func store(t *testing.T, file string, document []byte) {
	t.Helper()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(document)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, packed.Bytes(), 0o644))
}
