package e2e

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/test/env"
	"ordergate/test/odoorpc"
	"ordergate/test/proxy"
)

// stack is a real Odoo and a real database, each behind a proxy that can make trouble, and the settings of a program
// that uses them.
type stack struct {
	settings
	odoo     env.OdooServer
	json2    bool
	http     *proxy.HTTPProxy // before Odoo
	tcp      *proxy.TCPProxy  // before the database
	portal   string           // secrets of API keys
	operator string
}

// combination is one Odoo with one database. Between them the two of eachStack cover both Odoos, both databases and both protocols.
type combination struct {
	name     string
	major    int
	database func(testing.TB) string
	json2    bool // the gateway logs in with an API key, and speaks JSON-2
	sales    bool // an Odoo that only sells
}

var combinations = []combination{
	{name: "Odoo 14 and MariaDB", major: 14, database: env.MariaDB},
	{name: "Odoo 19 over JSON-2 and MySQL", major: 19, database: env.MySQL, json2: true},
}

// overXMLRPC is what an Odoo that could speak JSON-2 is left with where its gateway has a password, and no API key.
var overXMLRPC = combination{name: "Odoo 19 over XML-RPC and MySQL", major: 19, database: env.MySQL}

// eachStack runs a test on every combination.
func eachStack(t *testing.T, test func(t *testing.T, s *stack)) { onStacks(t, combinations, test) }

// eachProtocol runs a test on every combination, and on Odoo 19 over XML-RPC as well.
func eachProtocol(t *testing.T, test func(t *testing.T, s *stack)) {
	onStacks(t, append(slices.Clone(combinations), overXMLRPC), test)
}

// eachWithoutStock is eachProtocol with Odoos that only sell.
func eachWithoutStock(t *testing.T, test func(t *testing.T, s *stack)) {
	all := append(slices.Clone(combinations), overXMLRPC)
	for i := range all {
		all[i].sales = true
	}
	onStacks(t, all, test)
}

func onStacks(t *testing.T, combinations []combination, test func(t *testing.T, s *stack)) {
	for _, c := range combinations {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			test(t, newStack(t, c))
		})
	}
}

func (c combination) server(t *testing.T) env.OdooServer {
	if c.sales {
		return env.OdooSales(t, c.major)
	}
	return env.Odoo(t, c.major)
}

// newStack makes a migrated database with keys in it.
func newStack(t *testing.T, c combination) *stack {
	t.Helper()
	server := c.server(t)
	database, err := url.Parse(env.Database(t, c.database(t)))
	require.NoError(t, err)
	s := &stack{odoo: server, json2: c.json2, http: proxy.HTTP(t, server.URL), tcp: proxy.TCP(t, database.Host)}
	database.Host = s.tcp.Addr()
	s.settings = settings{
		"ORDERGATE_DATABASE":  database.String(),
		"ORDERGATE_ODOO_URL":  s.http.URL(),
		"ORDERGATE_ODOO_DB":   server.Database,
		"ORDERGATE_ODOO_USER": server.User, "ORDERGATE_ODOO_PASSWORD": server.Password,
		"ORDERGATE_RATE_LIMIT": "10000",
	}
	if c.json2 {
		s.settings = s.settings.with(settings{"ORDERGATE_ODOO_PASSWORD": server.APIKey(t), "ORDERGATE_ODOO_PROTOCOL": "json2"})
	}
	s.must(t, "migrate", "up")
	s.portal = s.createKey(t, "--role", "portal", "--name", "web shop")
	s.operator = s.createKey(t, "--role", "operator", "--name", "desk")
	return s
}

func (s *stack) createKey(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(s.must(t, append([]string{"key", "create"}, args...)...))
}

// people does something in Odoo as its administrator does, past gateway and proxy.
func (s *stack) people(t *testing.T, model, method string, args ...any) any {
	t.Helper()
	answer, err := odoorpc.Execute(s.odoo.URL, s.odoo.Database, s.odoo.AdminUser, s.odoo.AdminPassword, model, method, args, nil)
	require.NoError(t, err)
	return answer
}

// countOrders counts the orders with a reference, in Odoo itself.
func (s *stack) countOrders(t *testing.T, reference string) int {
	t.Helper()
	n, ok := s.people(t, "sale.order", "search_count", []any{[]any{"client_order_ref", "=", reference}}).(int64)
	require.True(t, ok)
	return int(n)
}

// partnerID returns the partner that the gateway created for an e-mail address.
func (s *stack) partnerIDs(t *testing.T, email string) []any {
	t.Helper()
	ids, ok := s.people(t, "res.partner", "search", []any{[]any{"email", "=", email}}).([]any)
	require.True(t, ok)
	return ids
}
