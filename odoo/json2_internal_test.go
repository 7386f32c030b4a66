package odoo

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/env"
)

func TestEncodeNamed(t *testing.T) {
	t.Parallel()
	var nothing []any
	for name, test := range map[string]struct {
		method string
		args   []any
		kwargs map[string]any
		want   string
	}{
		"records":     {"action_confirm", []any{[]any{int64(5)}}, nil, `{"ids":[5]}`},
		"nothing":     {"context_get", nil, nil, `{}`},
		"names":       {"write", []any{[]any{int64(5)}, map[string]any{"b": false, "a": 1.5}}, nil, `{"ids":[5],"vals":{"a":1.5,"b":false}}`},
		"both":        {"search", []any{domain{condition("id", "=", int64(1))}}, map[string]any{"limit": 1}, `{"domain":[["id","=",1]],"limit":1}`},
		"nil is none": {"search", []any{nothing}, nil, `{"domain":[]}`},
		"texts":       {"search", []any{domain{"é\n\"\\"}}, nil, `{"domain":["é\n\"\\"]}`},
	} {
		body, err := encodeNamed(test.method, test.args, test.kwargs)
		require.NoError(t, err, name)
		require.Equal(t, test.want, string(body), name)
	}
	_, err := encodeNamed("action_confirm", []any{[]any{}, "more"}, nil)
	require.True(t, isReason(err, Misconfigured), "an argument without a name")
	_, err = encodeNamed("search", []any{[]any{func() {}}}, nil)
	require.True(t, isReason(err, Misconfigured), "what JSON cannot say")
}

// TestCreateOverJSON2 answers as over XML-RPC: one record with its id, several with theirs.
func TestCreateOverJSON2(t *testing.T) {
	t.Parallel()
	c := &Client{database: "shop", password: "key"}
	one, err := c.json2Call("res.partner", "create", []any{map[string]any{"name": "x"}}, nil)
	require.NoError(t, err)
	many, err := c.json2Call("res.partner", "create", []any{[]any{map[string]any{"name": "x"}}}, nil)
	require.NoError(t, err)
	answered := func(m message, body string) (any, error) {
		rec := newAnswer(body)
		defer rec.Body.Close()
		return m.read(rec, limits{bytes: 1000, depth: 10})
	}
	id, err := answered(one, "[5]")
	require.NoError(t, err)
	require.Equal(t, int64(5), id)
	ids, err := answered(many, "[5]")
	require.NoError(t, err)
	require.Equal(t, []any{int64(5)}, ids)
	for _, odd := range []string{"[]", "[5, 6]", "5"} {
		_, err = answered(one, odd)
		require.True(t, isReason(err, BadAnswer), odd)
	}
}

// TestParametersOfOdoo19 calls every method of the table with harmless arguments: Odoo refuses names that it does not know.
func TestParametersOfOdoo19(t *testing.T) {
	t.Parallel()
	server := env.Odoo(t, 19)
	c, err := New(Config{URL: server.URL, Database: server.Database, User: server.User, Password: server.APIKey(t), Protocol: JSON2, CallTimeout: time.Minute})
	require.NoError(t, err)
	defer c.Close()
	models := map[string]string{"precision_get": "decimal.precision", "context_get": "res.users", "check_object_reference": "ir.model.data",
		"get_wkhtmltopdf_state": "ir.actions.report"}
	harmless := map[string]any{"groupby": []any{"state"}, "aggregates": []any{"__count"}, "operation": "read", "raise_exception": false, "application": "x", "vals": map[string]any{}, "specification": map[string]any{},
		"module": "base", "xml_id": "main_company"}
	for method, names := range parameters {
		model, special := models[method]
		if !special {
			model = "sale.order"
		}
		args := make([]any, len(names))
		for i, name := range names {
			args[i] = []any{}
			if v, ok := harmless[name]; ok {
				args[i] = v
			}
		}
		_, err := c.execute(t.Context(), model, method, args, nil)
		require.NoError(t, err, method)
	}
	_, err = c.execute(t.Context(), "sale.order", "search", []any{domain{}}, map[string]any{"nosuch": 1})
	require.True(t, isReason(err, Misconfigured), "%v", err)
}

func newAnswer(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}
