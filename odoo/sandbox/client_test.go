package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"ordergate/odoo/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Short names for what calls are made of.
type (
	list = []any
	dict = map[string]any
)

// protected is the context with which load creates if absent and changes nothing otherwise.
var protected = dict{"context": dict{"mode": "update", "noupdate": true}}

// client calls one server as one user. Every call has a connection of its own.
type client struct {
	url, database, password string
	key                     string // calls go over JSON-2 with it; empty: over XML-RPC
	uid                     int64
	patient                 bool // wait for a server that restarts itself
	http                    *http.Client
}

func login(t *testing.T, url, database, user, password string) *client {
	t.Helper()
	c := &client{url: url, database: database, password: password,
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}}
	answer, err := c.raw("common", "authenticate", database, user, password, dict{})
	require.NoError(t, err)
	uid, ok := answer.(int64)
	require.True(t, ok, "login refused: %v", answer)
	c.uid = uid
	return c
}

// raw makes one XML-RPC call. The error is an xmlrpc.FaultError if the server answered with a fault.
func (c *client) raw(service, method string, params ...any) (any, error) {
	body, err := xmlrpc.EncodeMethodCall(method, params...)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Post(c.url+"/xmlrpc/2/"+service, "text/xml", bytes.NewReader(body))
	for waited := time.Duration(0); c.patient && errors.Is(err, syscall.ECONNREFUSED) && waited < 30*time.Second; waited += time.Second {
		time.Sleep(time.Second)
		res, err = c.http.Post(c.url+"/xmlrpc/2/"+service, "text/xml", bytes.NewReader(body))
	}
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	response := xmlrpc.Response(answer)
	if err := response.Err(); err != nil {
		return nil, err
	}
	var v any
	return v, response.Unmarshal(&v)
}

// try calls a method of a model.
func (c *client) try(model, method string, args list, kwargs dict) (any, error) {
	if kwargs == nil {
		kwargs = dict{}
	}
	if c.key != "" {
		return c.named(model, method, args, kwargs)
	}
	return c.raw("object", "execute_kw", c.database, c.uid, c.password, model, method, args, kwargs)
}

// call calls a method of a model, which must succeed.
func (c *client) call(t *testing.T, model, method string, args list, kwargs dict) any {
	t.Helper()
	v, err := c.try(model, method, args, kwargs)
	require.NoError(t, err)
	return v
}

// load loads rows into sale.order and returns the ids, or nil, and the texts of the messages.
func (c *client) load(t *testing.T, model string, fields []string, rows [][]string, kwargs dict) (ids, messages list) {
	t.Helper()
	header := make(list, len(fields))
	for i, f := range fields {
		header[i] = f
	}
	data := make(list, len(rows))
	for i, r := range rows {
		cells := make(list, len(r))
		for j, cell := range r {
			cells[j] = cell
		}
		data[i] = cells
	}
	answer := c.call(t, model, "load", list{header, data}, kwargs).(dict)
	for _, m := range answer["messages"].(list) {
		messages = append(messages, m.(dict)["message"])
	}
	ids, _ = answer["ids"].(list)
	return ids, messages
}

// read reads fields of one record, which must exist.
func (c *client) read(t *testing.T, model string, id any, fields ...any) dict {
	t.Helper()
	records := c.call(t, model, "read", list{list{id}, list(fields)}, nil).(list)
	require.Len(t, records, 1)
	return records[0].(dict)
}

// faultOf returns the fault that an error is.
func faultOf(t *testing.T, err error) xmlrpc.FaultError {
	t.Helper()
	var f xmlrpc.FaultError
	require.ErrorAs(t, err, &f)
	return f
}

// start starts a sandbox and logs in to it.
func start(t *testing.T, o sandbox.Options) (s *sandbox.Server, gateway, admin *client) {
	t.Helper()
	s, err := sandbox.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, login(t, s.URL(), sandbox.Database, sandbox.User, sandbox.Password),
		login(t, s.URL(), sandbox.Database, sandbox.AdminUser, sandbox.AdminPassword)
}

// majors runs a test on both versions.
func majors(t *testing.T, test func(t *testing.T, major int)) {
	t.Helper()
	for _, major := range []int{14, 19} {
		t.Run(map[int]string{14: "14", 19: "19"}[major], func(t *testing.T) {
			t.Parallel()
			test(t, major)
		})
	}
}
