package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/test/env"
)

// jsonError is an error that JSON-2 answered with.
type jsonError struct {
	Status        int
	Name, Message string
	Arguments     list
}

func (e jsonError) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Name, e.Message) }

// parameterNames are those of what the tests give by position.
var parameterNames = map[string][]string{
	"search": {"domain"}, "search_read": {"domain"}, "search_count": {"domain"}, "load": {"fields", "data"}, "create": {"vals_list"},
	"read": {"ids", "fields"}, "write": {"ids", "vals"}, "web_read": {"ids"}, "has_access": {"ids", "operation"}, "read_group": {"domain", "fields", "groupby"},
	"formatted_read_group": {"domain", "groupby", "aggregates"}, "check_access_rights": {"operation"}, "precision_get": {"application"},
	"fields_get": {"allfields"}, "_search": {"domain"},
}

// named calls a method of a model over JSON-2.
func (c *client) named(model, method string, args list, kwargs dict) (any, error) {
	names, known := parameterNames[method]
	if !known {
		names = []string{"ids"}
	}
	all := maps.Clone(kwargs)
	for i, arg := range args {
		all[names[i]] = arg
	}
	body, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	status, answer, err := c.postJSON("/json/2/"+model+"/"+method, string(body), http.Header{
		"Authorization": {"Bearer " + c.key}, "X-Odoo-Database": {c.database}, "Content-Type": {"application/json"}})
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if status != http.StatusOK {
		e := jsonError{Status: status}
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("HTTP status %d: %w", status, err)
		}
		return nil, e
	}
	var v any
	err = d.Decode(&v)
	return numbers(v), err
}

func (c *client) postJSON(path, body string, header http.Header) (status int, answer []byte, err error) {
	req, err := http.NewRequest(http.MethodPost, c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// numbers tells whole numbers from the others, by their spelling.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case list:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case dict:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// The sandbox and a real Odoo are asked the same over JSON-2, too.
func TestSandboxAnswersAsOdoo19OverJSON2(t *testing.T) {
	t.Parallel()
	real := env.Odoo(t, 19)
	compareBy(t, real, func(imitation, original *world) {
		imitation.gateway.key, imitation.admin.key = sandbox.Key, sandbox.AdminKey
		original.gateway.key, original.admin.key = real.APIKey(t), real.AdminAPIKey(t)
	})
}

// TestJSON2OverHTTP: what is refused before a method is called.
func TestJSON2OverHTTP(t *testing.T) {
	t.Parallel()
	s, c, _ := start(t, sandbox.Options{})
	ask := func(path, body, key, database, contentType string) (int, jsonError) {
		header := http.Header{"Content-Type": {contentType}}
		if key != "" {
			header.Set("Authorization", "bearer "+key)
		}
		if database != "" {
			header.Set("X-Odoo-Database", database)
		}
		status, answer, err := c.postJSON(path, body, header)
		require.NoError(t, err)
		var e jsonError
		_ = json.Unmarshal(answer, &e) // a page is no error of Odoo
		return status, e
	}
	const path, kind = "/json/2/res.partner/search_count", "application/json"
	for name, test := range map[string]struct {
		path, body, key, database, kind string
		status                          int
		exception                       string
	}{
		"fine":             {path, `{"domain": []}`, sandbox.Key, sandbox.Database, kind, 200, ""},
		"the only base":    {path, `{"domain": []}`, sandbox.Key, "", kind + "; charset=utf-8", 200, ""},
		"no key":           {path, `{"domain": []}`, "", sandbox.Database, kind, 401, "werkzeug.exceptions.Unauthorized"},
		"a password":       {path, `{"domain": []}`, sandbox.Password, sandbox.Database, kind, 401, "werkzeug.exceptions.Unauthorized"},
		"no such database": {path, `{"domain": []}`, sandbox.Key, "nope", kind, 404, ""},
		"no JSON":          {path, `{"domain": `, sandbox.Key, sandbox.Database, kind, 400, "werkzeug.exceptions.BadRequest"},
		"two values":       {path, `{"domain": []} {}`, sandbox.Key, sandbox.Database, kind, 400, "werkzeug.exceptions.BadRequest"},
		"no object":        {path, `null`, sandbox.Key, sandbox.Database, kind, 422, "werkzeug.exceptions.UnprocessableEntity"},
		"a form":           {path, `domain=[]`, sandbox.Key, sandbox.Database, "application/x-www-form-urlencoded", 415, ""},
		"no method":        {"/json/2/res.partner", `{}`, sandbox.Key, sandbox.Database, kind, 404, "werkzeug.exceptions.NotFound"},
		"elsewhere":        {"/json/1/res.partner/search_count", `{}`, sandbox.Key, sandbox.Database, kind, 404, ""},
	} {
		status, e := ask(test.path, test.body, test.key, test.database, test.kind)
		require.Equal(t, test.status, status, name)
		require.Equal(t, test.exception, e.Name, name)
	}
	require.Equal(t, 3, s.Calls("res.partner.search_count"), "what came as far as the method")

	old, before, _ := start(t, sandbox.Options{Major: 14})
	status, _, err := before.postJSON("/json/version", "", http.Header{})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status)
	require.Zero(t, old.Calls("json.version"))

	require.EqualValues(t, sandbox.UserID, login(t, s.URL(), sandbox.Database, sandbox.User, sandbox.Key).uid, "a key is as good as a password")
}

// TestMisbehaviourOverJSON2: the faults that look different there.
func TestMisbehaviourOverJSON2(t *testing.T) {
	t.Parallel()
	s, c, _ := start(t, sandbox.Options{})
	c.key = sandbox.Key
	for kind, want := range map[sandbox.Kind]jsonError{
		sandbox.Fault1:           {Status: 500, Name: "builtins.KeyError", Message: "'sandbox'", Arguments: list{"'sandbox'"}},
		sandbox.FaultAfterCommit: {Status: 500, Name: "builtins.TypeError"},
		sandbox.WrongLogin:       {Status: 401, Name: "werkzeug.exceptions.Unauthorized"},
	} {
		s.Misbehave(sandbox.Fault{Method: "sale.order.load", Matching: "og." + string(kind[0:2]), Kind: kind})
		_, err := place(c, string(kind[0:2]))
		var e jsonError
		require.ErrorAs(t, err, &e, "%s", kind)
		require.Equal(t, want.Status, e.Status, "%s", kind)
		require.Equal(t, want.Name, e.Name, "%s", kind)
	}
	s.Misbehave(sandbox.Fault{Kind: sandbox.SerializationMessage})
	answer, err := place(c, "s")
	require.NoError(t, err)
	require.Equal(t, false, answer.(dict)["ids"])
	for _, kind := range []sandbox.Kind{sandbox.DeepNesting, sandbox.GzipBomb} {
		s.Misbehave(sandbox.Fault{Kind: kind})
		_, err = place(c, "n")
		require.ErrorContains(t, err, "exceeded max depth", "%s", kind)
	}
}
