package conformance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"
)

// admin calls Odoo as the administrator, without anything of the client under test.
type admin struct {
	server Server
	uid    any
}

func newAdmin(t *testing.T, s Server) *admin {
	t.Helper()
	a := &admin{server: s}
	a.uid = a.post(t, "/xmlrpc/2/common", "authenticate", s.Database, s.AdminUser, s.AdminPassword, map[string]any{})
	require.IsType(t, int64(0), a.uid, "the administrator's login")
	return a
}

// call runs a method and fails the test on any fault.
func (a *admin) call(t *testing.T, model, method string, args []any, kwargs map[string]any) any {
	t.Helper()
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	return a.post(t, "/xmlrpc/2/object", "execute_kw",
		a.server.Database, a.uid, a.server.AdminPassword, model, method, args, kwargs)
}

func (a *admin) post(t *testing.T, path, method string, args ...any) any {
	t.Helper()
	body, err := xmlrpc.EncodeMethodCall(method, args...)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.server.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "text/xml")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", data)
	require.NoError(t, xmlrpc.Response(data).Err(), "%v", args[min(3, len(args)):])
	var value any
	require.NoError(t, xmlrpc.Response(data).Unmarshal(&value))
	return value
}

func (a *admin) create(t *testing.T, model string, values map[string]any) int64 {
	t.Helper()
	id, ok := a.call(t, model, "create", []any{values}, nil).(int64)
	require.True(t, ok)
	return id
}

func (a *admin) write(t *testing.T, model string, id int64, values map[string]any) {
	t.Helper()
	a.call(t, model, "write", []any{[]any{id}, values}, nil)
}

func (a *admin) unlink(t *testing.T, model string, id int64) {
	t.Helper()
	a.call(t, model, "unlink", []any{[]any{id}}, nil)
}

// read returns fields of one record.
func (a *admin) read(t *testing.T, model string, id int64, fields ...any) map[string]any {
	t.Helper()
	list, ok := a.call(t, model, "read", []any{[]any{id}, fields}, nil).([]any)
	require.True(t, ok)
	require.Len(t, list, 1, fmt.Sprintf("%s %d", model, id))
	return list[0].(map[string]any)
}

// count counts the records that have a value in a field, archived ones too.
func (a *admin) count(t *testing.T, model, field string, value any) int64 {
	t.Helper()
	n, ok := a.call(t, model, "search_count", []any{[]any{[]any{field, "=", value}}},
		map[string]any{"context": map[string]any{"active_test": false}}).(int64)
	require.True(t, ok)
	return n
}
