package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
)

func tenantsFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tenants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func TestTenantsFile(t *testing.T) {
	t.Setenv("ODOO_US_PASSWORD", "from the environment")
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("from a file\n"), 0o600))
	tenants, err := tenantFlags{Tenants: tenantsFile(t, `
tenants:
  - name: eu
    odoo: {url: http://eu, database: eu, user: gateway, password_file: `+secret+`}
    settings: {customer_may_confirm: true, stock_check: backorder}
  - name: us
    odoo: {url: http://us, database: us, user: gateway, password_env: ODOO_US_PASSWORD, protocol: json2}
`)}.tenants()
	require.NoError(t, err)
	require.Len(t, tenants, 2)
	require.True(t, tenants[0].Settings.CustomerMayConfirm)
	require.False(t, tenants[0].Settings.CustomerMaySetPrices)
	require.Equal(t, order.StockBackorder, tenants[0].Settings.StockCheck)
	require.Empty(t, tenants[1].Settings.StockCheck)
	require.Equal(t, []string{"", "json2"}, []string{tenants[0].Odoo.Protocol, tenants[1].Odoo.Protocol})
	for i, want := range []string{"from a file", "from the environment"} {
		password, err := tenants[i].Odoo.password()
		require.NoError(t, err)
		require.Equal(t, want, password)
	}
	_, err = only(tenants, "")
	require.ErrorContains(t, err, "eu, us")
	us, err := only(tenants, "us")
	require.NoError(t, err)
	require.Equal(t, "us", us.Name)
}

func TestTenantsFileMistakes(t *testing.T) {
	for name, content := range map[string]string{
		"no tenants":    "tenants: []",
		"no name":       "tenants: [{odoo: {url: http://x}}]",
		"twice":         "tenants: [{name: a}, {name: a}]",
		"unknown field": "tenants: [{name: a, odoo: {pasword: hunter2}}]",
		"stock check":   "tenants: [{name: a, settings: {stock_check: maybe}}]",
		"protocol":      "tenants: [{name: a, odoo: {protocol: soap}}]",
		"not YAML":      "tenants: [{name: a, odoo: {password: hunter2}",
	} {
		_, err := tenantFlags{Tenants: tenantsFile(t, content)}.tenants()
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
}

func TestMissingSettingsAreNamed(t *testing.T) {
	_, err := tenantFlags{OdooURL: "http://odoo"}.tenants()
	require.ErrorContains(t, err, "ORDERGATE_ODOO_DB, ORDERGATE_ODOO_USER, ORDERGATE_ODOO_PASSWORD or ORDERGATE_ODOO_PASSWORD_FILE")
	_, err = tenantFlags{OdooURL: "http://odoo", Tenants: "x.yaml"}.tenants()
	require.ErrorContains(t, err, "not both")
	for name, f := range map[string]tenantFlags{
		"ORDERGATE_STOCK_CHECK":             {StockCheck: "refuse"},
		"ORDERGATE_CUSTOMER_MAY_SET_PRICES": {CustomerMaySetPrices: true},
		"ORDERGATE_CUSTOMER_MAY_CONFIRM":    {CustomerMayConfirm: true},
		"ORDERGATE_ODOO_PROTOCOL":           {OdooProtocol: "json2"},
	} {
		f.Tenants = "x.yaml"
		_, err = f.tenants()
		require.ErrorContains(t, err, name+" is for a single tenant", "it would be ignored")
	}
	file := tenantsFile(t, "tenants: [{name: a}]")
	_, err = tenantFlags{StockCheck: "off", OdooProtocol: "auto", Tenants: file}.tenants()
	require.NoError(t, err)
}

func TestProtocolOfOdoo(t *testing.T) {
	stand, err := sandbox.Start(sandbox.Options{})
	require.NoError(t, err)
	defer stand.Close()
	database := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	require.Zero(t, run(t.Context(), []string{"migrate", "up", "--database", database}, terminal{&bytes.Buffer{}, &bytes.Buffer{}}))
	doctor := func(secret string, args ...string) (code int, report string) {
		var out bytes.Buffer
		code = run(t.Context(), append([]string{"doctor", "--database", database, "--odoo-url", stand.URL(), "--odoo-db", sandbox.Database,
			"--odoo-user", sandbox.User, "--odoo-password", secret}, args...), terminal{&out, &out})
		return code, out.String()
	}
	for name, test := range map[string]struct {
		secret   string
		args     []string
		code     int
		expected string
	}{
		"a key alone":        {sandbox.Key, nil, 0, "over json2"},
		"a password alone":   {sandbox.Password, nil, 0, "over xmlrpc"},
		"a key over XML-RPC": {sandbox.Key, []string{"--odoo-protocol", "xmlrpc"}, 0, "over xmlrpc"},
		"its end":            {sandbox.Key, nil, 0, "ok   API key: ends on "},
		"its address":        {sandbox.Key, nil, 0, "ok   e-mail address: "},
		"no key":             {sandbox.Password, []string{"--odoo-protocol", "json2"}, 1, "refuses the API key"},
		"no such protocol":   {sandbox.Key, []string{"--odoo-protocol", "soap"}, 2, "must be one of"},
	} {
		code, report := doctor(test.secret, test.args...)
		require.Equal(t, test.code, code, "%s: %s", name, report)
		require.Contains(t, report, test.expected, name)
	}
}

func TestExitCodes(t *testing.T) {
	for want, args := range map[int][]string{
		0: {"version"},
		1: {"doctor", "--database", "sqlite:" + filepath.Join(t.TempDir(), "x.db")},
		2: {"serve", "--no-such-flag"},
	} {
		var out, errOut bytes.Buffer
		require.Equal(t, want, run(t.Context(), args, terminal{&out, &errOut}), "%v\n%s%s", args, &out, &errOut)
	}
	var out bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--help"}, terminal{&out, &out}))
	require.Contains(t, out.String(), "dedupe")
}

// A setting that another keeps from ever counting is a mistake, and said to be one before anything starts.
func TestSettingsThatContradictEachOther(t *testing.T) {
	for setting, args := range map[string][]string{
		"ORDERGATE_PLACE_BUDGET": {"--place-budget=40s"},
		"ORDERGATE_MAX_QUEUE":    {"--max-queue=256"},
	} {
		var out, errOut bytes.Buffer
		require.Equal(t, 2, run(t.Context(), append([]string{"serve", "--sandbox"}, args...), terminal{&out, &errOut}), setting)
		require.Contains(t, errOut.String(), setting)
	}
}

// Keys of different customers must not share their idempotency keys.
func TestSourceOfAKey(t *testing.T) {
	require.Equal(t, "customer:9", keyCreateCommand{Role: "customer", Customer: 9}.source())
	require.Error(t, keyCreateCommand{Role: "customer", Customer: 9, Source: "portal"}.check())
	require.Error(t, keyCreateCommand{Role: "customer"}.check())
	require.Error(t, keyCreateCommand{Role: "portal", Source: "odoo"}.check())
	require.Error(t, keyCreateCommand{Role: "portal", Source: "customer:9"}.check())
	require.Equal(t, "portal", keyCreateCommand{Role: "portal"}.source())
	require.Equal(t, "manual", keyCreateCommand{Role: "operator"}.source())
	require.Equal(t, "shopify:eu", keyCreateCommand{Role: "portal", Source: "shopify:eu"}.source())
}
