package odoo_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// shop answers the reads of orders as the versions do: with nested lines from web_read, in two calls before.
type shop struct {
	mu         sync.Mutex
	fake       *fakeOdoo
	refuseRead bool // web_read, because one of the orders is not visible
	order      map[string]any
	line       map[string]any
	currencies []any
}

func newShop(t *testing.T, major int64) *shop {
	t.Helper()
	s := &shop{
		order: map[string]any{
			"id": int64(5), "name": "S00005", "state": "sale", "locked": false, "client_order_ref": false, "note": "a & b",
			"amount_untaxed": 10.1, "amount_tax": 0.30000000000000004, "amount_total": 10.4,
			"date_order": "2026-01-02 03:04:05", "create_date": "2026-01-02 03:04:06", "write_date": "2026-01-02 03:04:07",
			"partner_id": int64(9), "partner_shipping_id": int64(10), "partner_invoice_id": int64(11), "currency_id": int64(1), "order_line": []any{int64(50)}, "tag_ids": []any{},
		},
		line: map[string]any{
			"id": int64(50), "order_id": int64(5), "product_id": false, "name": "Thing", "display_type": false,
			"product_uom": int64(1), "product_uom_qty": 2.0, "price_unit": 5.05, "discount": 0.0,
			"price_subtotal": 10.1, "price_tax": 0.3, "price_total": 10.4, "qty_delivered": 0.0, "qty_invoiced": 0.0, "qty_delivered_method": "manual",
			"write_date": "2026-01-02 03:04:09",
		},
		currencies: []any{map[string]any{"id": int64(1), "name": "JPY", "decimal_places": int64(0)}},
	}
	s.fake = newFakeOdoo(t, s.serve)
	s.fake.major = major
	if major >= 15 {
		s.order["note"] = "<p>a &amp; b</p>"
	}
	return s
}

func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fake.mu.Lock()
	called := s.fake.calls[len(s.fake.calls)-1]
	s.fake.mu.Unlock()
	switch called {
	case "sale.order.web_read":
		if s.refuseRead {
			faulty(4, "You are not allowed to read this.")(w, r)
			return
		}
		value([]any{s.nested()})(w, r)
	case "sale.order.web_search_read":
		value(map[string]any{"length": int64(1), "records": []any{s.nested()}})(w, r)
	case "sale.order.read":
		if s.refuseRead {
			s.refuseRead = false
			faulty(4, "You are not allowed to read this.")(w, r)
			return
		}
		value([]any{s.order})(w, r)
	case "sale.order.search":
		value([]any{int64(5)})(w, r)
	case "sale.order.line.read":
		value([]any{s.line})(w, r)
	case "sale.order.fields_get":
		value(map[string]any{})(w, r) // neither deliveries nor invoices
	case "uom.uom.search_read":
		value([]any{map[string]any{"id": int64(1), "name": "Units"}})(w, r)
	case "res.currency.search_read":
		value(s.currencies)(w, r)
	default:
		faulty(1, "unexpected "+called)(w, r)
	}
}

func (s *shop) nested() map[string]any {
	line, o := maps.Clone(s.line), maps.Clone(s.order)
	line["product_uom_id"] = line["product_uom"]
	o["order_line"] = []any{line}
	return o
}

func TestOrdersOfEveryVersion(t *testing.T) {
	t.Parallel()
	for major, calls := range map[int64]map[string]int{
		14: {"sale.order.read": 1, "sale.order.line.read": 1},
		16: {"sale.order.read": 1, "sale.order.line.read": 1},
		17: {"sale.order.web_read": 1},
		19: {"sale.order.web_read": 1},
	} {
		s := newShop(t, major)
		found, err := newClient(t, s.fake.config()).Orders(t.Context(), []int64{5, 6})
		require.NoError(t, err, "%d", major)
		require.Len(t, found, 1)
		o := found[0]
		require.Equal(t, order.Confirmed, o.Status)
		require.EqualValues(t, 9, o.Customer.ERPPartnerID)
		require.Equal(t, "a & b", o.Note)
		require.Empty(t, o.Reference)
		require.Equal(t, "JPY", o.Currency)
		require.Zero(t, o.CurrencyDecimals)
		require.Equal(t, "0.3", o.AmountTax.String(), "without the noise of floats")
		require.Equal(t, time.Date(2026, 1, 2, 3, 4, 7, 0, time.UTC), o.WriteDate)
		require.Equal(t, time.Date(2026, 1, 2, 3, 4, 9, 0, time.UTC), o.LinesWriteDate)
		require.Equal(t, o.LinesWriteDate, o.UpdatedAt)
		require.WithinDuration(t, time.Now(), o.ReadAt, 5*time.Second)
		require.Len(t, o.Lines, 1)
		require.Equal(t, "Units", o.Lines[0].UnitOfMeasure)
		require.Zero(t, o.Lines[0].ERPProductID)
		for call, n := range calls {
			require.Equal(t, n, s.fake.count(call), "%d: %s", major, call)
		}
	}
}

func TestOrdersSearchesWhereReadingIsRefused(t *testing.T) {
	t.Parallel()
	for _, major := range []int64{14, 19} {
		s := newShop(t, major)
		s.refuseRead = true
		found, err := newClient(t, s.fake.config()).Orders(t.Context(), []int64{5, 6})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, "S00005", found[0].Number)
	}
}

func TestOrdersOfAStrangeShape(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *shop){
		"a field is missing":      func(s *shop) { delete(s.order, "amount_total") },
		"a text is a number":      func(s *shop) { s.order["name"] = int64(5) },
		"a number is a text":      func(s *shop) { s.order["amount_total"] = "10" },
		"a flag is a text":        func(s *shop) { s.order["locked"] = "no" },
		"an id is false":          func(s *shop) { s.order["id"] = false },
		"true is no text":         func(s *shop) { s.order["name"] = true },
		"an unknown state":        func(s *shop) { s.order["state"] = "lost" },
		"a time is none":          func(s *shop) { s.order["write_date"] = "yesterday" },
		"a line has no price":     func(s *shop) { delete(s.line, "price_unit") },
		"a product is a text":     func(s *shop) { s.line["product_id"] = "chair" },
		"a unit is not there":     func(s *shop) { s.line["product_uom"] = int64(2) },
		"a currency is not there": func(s *shop) { s.currencies = []any{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 19)
			change(s)
			_, err := newClient(t, s.fake.config()).Orders(t.Context(), []int64{5})
			requireError(t, err, odoo.Unknown, odoo.BadAnswer)
		})
	}
}

func TestAnswersOfAStrangeShape(t *testing.T) {
	t.Parallel()
	for _, odd := range []any{"x", int64(-1), []any{"x"}, []any{int64(1), "x"}, []any{map[string]any{"id": "x"}}} {
		c := newClient(t, newFakeOdoo(t, value(odd)).config())
		for name, call := range map[string]func() error{
			"Ping":        func() error { return c.Ping(t.Context()) },
			"CountOrders": func() error { _, err := c.CountOrders(t.Context(), order.IDRange{}); return err },
			"OrderHeads":  func() error { _, err := c.OrderHeads(t.Context(), odoo.Page{Limit: 1}); return err },
			"LineHeads":   func() error { _, err := c.LineHeads(t.Context(), odoo.Page{Limit: 1}); return err },
			"Products":    func() error { _, err := c.Products(t.Context(), odoo.Page{Limit: 1}); return err },
			"Partners":    func() error { _, err := c.Partners(t.Context(), odoo.Page{Limit: 1}); return err },
			"Precision":   func() error { _, err := c.Precision(t.Context()); return err },
			"Permissions": func() error { _, err := c.Permissions(t.Context()); return err },
			"Country":     func() error { _, _, err := c.Country(t.Context(), "BE", ""); return err },
			"Orders":      func() error { _, err := c.Orders(t.Context(), []int64{1}); return err },
		} {
			err := call()
			require.Error(t, err, "%s: %v", name, odd)
			requireError(t, err, odoo.Unknown, odoo.BadAnswer)
		}
	}
}

func TestLookupsAreRemembered(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	f := newFakeOdoo(t, nil)
	cfg := f.config()
	cfg.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	c := newClient(t, cfg)
	precision := func(digits int64) int {
		f.handle(func(f *fakeOdoo) { f.onObject = value(digits) })
		p, err := c.Precision(t.Context())
		require.NoError(t, err)
		return p.Price
	}
	require.Equal(t, 2, precision(2))
	require.Equal(t, 2, precision(3), "from memory")
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	require.Equal(t, 3, precision(3), "memory does not last")

	f.handle(func(f *fakeOdoo) { f.onObject = value([]any{}) })
	for range 2 {
		id, _, err := c.Country(t.Context(), "ZZ", "")
		require.NoError(t, err)
		require.Zero(t, id)
	}
	require.Equal(t, 2, f.count("res.country.search_read"), "what is not found is not remembered")
	f.handle(func(f *fakeOdoo) { f.onObject = value([]any{map[string]any{"id": int64(20), "code": "BE"}}) })
	for range 2 {
		id, _, err := c.Country(t.Context(), "BE", "")
		require.NoError(t, err)
		require.EqualValues(t, 20, id)
	}
	require.Equal(t, 3, f.count("res.country.search_read"))
}

func TestQuantityPrecisionHasAnotherNameSince19(t *testing.T) {
	t.Parallel()
	for major, name := range map[int64]string{14: "Product Unit of Measure", 18: "Product Unit of Measure", 19: "Product Unit"} {
		f := newFakeOdoo(t, value(int64(2)))
		f.major = major
		_, err := newClient(t, f.config()).Precision(t.Context())
		require.NoError(t, err)
		f.mu.Lock()
		require.Contains(t, strings.Join(f.bodies, "\n"), "<string>"+name+"</string>")
		f.mu.Unlock()
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	f := newFakeOdoo(t, faulty(2, "no"))
	clients := map[string]*odoo.Client{}
	for _, tenant := range []string{"north", "south"} {
		cfg := f.config()
		cfg.Registerer, cfg.Tenant = registry, tenant
		clients[tenant] = newClient(t, cfg)
	}
	require.Error(t, clients["north"].Ping(t.Context()))
	f.handle(func(f *fakeOdoo) { f.onObject = value(int64(1)) })
	_, err := clients["south"].CountOrders(t.Context(), order.IDRange{})
	require.NoError(t, err)
	require.Equal(t, map[string]float64{
		"ordergate_odoo_breaker_open tenant=north":                                              0,
		"ordergate_odoo_breaker_open tenant=south":                                              0,
		"ordergate_odoo_calls_total method=sale.order.search result=business_rule tenant=north": 1,
		"ordergate_odoo_calls_total method=sale.order.search_count result=ok tenant=south":      1,
		"ordergate_odoo_call_seconds method=sale.order.search tenant=north":                     1,
		"ordergate_odoo_call_seconds method=sale.order.search_count tenant=south":               1,
	}, gathered(t, registry))

	cfg := f.config()
	cfg.Registerer, cfg.Tenant = registry, "north"
	_, err = odoo.New(cfg)
	require.ErrorContains(t, err, `tenant "north"`)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := odoo.Config{URL: "https://erp.example/odoo/", Database: "d", User: "u", Password: "p"}
	_, err := odoo.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(c *odoo.Config){
		"no URL":         func(c *odoo.Config) { c.URL = "" },
		"no scheme":      func(c *odoo.Config) { c.URL = "erp.example" },
		"other scheme":   func(c *odoo.Config) { c.URL = "ftp://erp.example" },
		"no host":        func(c *odoo.Config) { c.URL = "http://" },
		"credentials":    func(c *odoo.Config) { c.URL = "http://u:s3cret@erp.example" },
		"not a URL":      func(c *odoo.Config) { c.URL = "http://u:s3cret@erp\x7f" },
		"query":          func(c *odoo.Config) { c.URL = "http://erp.example?db=x" },
		"no database":    func(c *odoo.Config) { c.Database = "" },
		"no user":        func(c *odoo.Config) { c.User = "" },
		"no password":    func(c *odoo.Config) { c.Password = "" },
		"negative limit": func(c *odoo.Config) { c.MaxConnections = -1 },
	} {
		cfg := good
		change(&cfg)
		_, err := odoo.New(cfg)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

// gathered is every series with its value; a histogram's is the number of its observations.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	series := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += fmt.Sprintf(" %s=%s", label.GetName(), label.GetValue())
			}
			series[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return series
}
