package sandbox_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
)

func TestVersion(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		v, err := gateway.raw("common", "version")
		require.NoError(t, err)
		require.EqualValues(t, major, v.(dict)["server_version_info"].(list)[0])
	})
	_, err := sandbox.Start(sandbox.Options{Major: 13})
	require.Error(t, err)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	for _, wrong := range [][2]string{{sandbox.User, "x"}, {"nobody", sandbox.Password}, {sandbox.User, ""}} {
		v, err := gateway.raw("common", "authenticate", sandbox.Database, wrong[0], wrong[1], dict{})
		require.NoError(t, err)
		require.Equal(t, false, v)
	}
	_, err := gateway.raw("common", "authenticate", "nope", sandbox.User, sandbox.Password, dict{})
	f := faultOf(t, err)
	require.Equal(t, 1, f.Code)
	require.Contains(t, f.String, `FATAL:  database "nope" does not exist`)

	execute := func(database string, uid int64, password string) error {
		_, err := gateway.raw("object", "execute_kw", database, uid, password, "res.partner", "search", list{list{}}, dict{})
		return err
	}
	require.NoError(t, execute(sandbox.Database, sandbox.UserID, sandbox.Password))
	require.Equal(t, 1, faultOf(t, execute("nope", sandbox.UserID, sandbox.Password)).Code)
	require.Equal(t, 2, faultOf(t, execute(sandbox.Database, 99999, sandbox.Password)).Code)
	denied := faultOf(t, execute(sandbox.Database, sandbox.UserID, "x"))
	require.Equal(t, 3, denied.Code)
	require.Equal(t, "Access Denied", denied.String)
	require.Equal(t, 3, faultOf(t, execute(sandbox.Database, sandbox.UserID, sandbox.AdminPassword)).Code, "another user's password")

	require.Equal(t, 2+3+1, s.Calls("authenticate"), "two of them by start")
	require.Equal(t, 5, s.Calls("res.partner.search"))
	require.Equal(t, 11, s.Calls(""))
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	c := &clock{}
	s, gateway, _ := start(t, sandbox.Options{Clock: c.now})
	send := func(method, path, body string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
		require.NoError(t, err)
		res, err := gateway.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res
	}
	res := send(http.MethodPost, "/xmlrpc/2/common", "<?xml version='1.0'?><methodCall><methodName>version</methodName></methodCall>")
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/xml; charset=utf-8", res.Header.Get("Content-Type"))
	require.Equal(t, "Sun, 01 Mar 2026 10:00:00 GMT", res.Header.Get("Date"))
	require.Equal(t, http.StatusMethodNotAllowed, send(http.MethodGet, "/xmlrpc/2/common", "").StatusCode)
	require.Equal(t, http.StatusNotFound, send(http.MethodPost, "/jsonrpc", "").StatusCode)
	require.Equal(t, http.StatusRequestEntityTooLarge, send(http.MethodPost, "/xmlrpc/2/common", strings.Repeat(" ", 33<<20)).StatusCode)
	for _, bad := range []string{"", "garbage", "<methodCall>", "<methodCall><methodName>version</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
		versionWith(300)} {
		calls := s.Calls("")
		require.Equal(t, http.StatusOK, send(http.MethodPost, "/xmlrpc/2/common", bad).StatusCode, "Odoo answers nonsense with a fault")
		require.Equal(t, calls, s.Calls(""), "and calls nothing")
	}
	send(http.MethodPost, "/xmlrpc/2/common", versionWith(100))
	require.Equal(t, 2, s.Calls("version"))
	_, err := gateway.raw("common", "nosuch")
	require.Contains(t, faultOf(t, err).String, "Method not found: nosuch")
	_, err = gateway.raw("object", "nosuch")
	require.Contains(t, faultOf(t, err).String, "Method not available nosuch")
}

// versionWith is a call of version with an argument of nested arrays.
func versionWith(depth int) string {
	return "<methodCall><methodName>version</methodName><params><param>" + strings.Repeat("<value><array><data>", depth) +
		strings.Repeat("</data></array></value>", depth) + "</param></params></methodCall>"
}

func TestTextsSurvive(t *testing.T) {
	t.Parallel()
	_, gateway, admin := start(t, sandbox.Options{})
	for _, text := range []string{"a <b> & \"c\" 'd' ]]>", "é€😀 ", "tab\tnewline\nend", " leading and trailing "} {
		id := admin.call(t, "res.partner", "create", list{dict{"name": text}}, nil)
		require.Equal(t, text, gateway.read(t, "res.partner", id, "name")["name"])
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	url := s.URL()
	ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "1"), protected)
	for range 2 {
		require.NoError(t, s.SetDown(true))
		require.NoError(t, s.SetDown(true))
		_, err := gateway.raw("common", "version")
		require.True(t, errors.Is(err, syscall.ECONNREFUSED), "%v", err)
		require.NoError(t, s.SetDown(false))
		require.NoError(t, s.SetDown(false))
		require.Equal(t, url, s.URL())
		gateway.read(t, "sale.order", ids[0], "name")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := gateway.raw("common", "version")
	require.Error(t, err)
	require.Error(t, s.SetDown(false))
	// The handler may outlive the server below somebody else's listener.
	other := httptest.NewServer(s.Handler())
	defer other.Close()
	gateway.url = other.URL
	_, err = gateway.raw("common", "version")
	require.Error(t, err)
}

// Close waits for calls that are being carried out.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	entered, release := make(chan struct{}), make(chan struct{})
	s, gateway, _ := start(t, sandbox.Options{Clock: func() time.Time {
		if armed.CompareAndSwap(true, false) {
			close(entered)
			<-release
		}
		return time.Now()
	}})
	armed.Store(true)
	answered, closed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := gateway.raw("common", "version"); answered <- err }()
	<-entered
	go func() { closed <- s.Close() }()
	require.Error(t, <-answered, "its connection ends at once")
	select {
	case <-closed:
		t.Fatal("Close did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	require.NoError(t, <-closed)
}

func TestHandler(t *testing.T) {
	t.Parallel()
	s, gateway, _ := start(t, sandbox.Options{})
	other := httptest.NewServer(s.Handler())
	defer other.Close()
	gateway.url = other.URL
	_, err := gateway.raw("common", "version")
	require.NoError(t, err)
}

func TestLatency(t *testing.T) {
	t.Parallel()
	_, gateway, _ := start(t, sandbox.Options{Latency: 50 * time.Millisecond})
	began := time.Now()
	_, err := gateway.raw("common", "version")
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
}

func TestRights(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, admin := start(t, sandbox.Options{Major: major})
		for _, test := range []struct {
			model, operation string
			allowed          bool
		}{
			{"sale.order", "create", true}, {"sale.order", "unlink", false}, {"res.partner", "create", true},
			{"res.country", "read", true}, {"res.country", "write", false}, {"decimal.precision", "read", false},
			{"ir.model.data", "read", major == 14}, {"res.users", "write", false},
		} {
			got := gateway.call(t, test.model, "check_access_rights", list{test.operation}, dict{"raise_exception": false})
			require.Equal(t, test.allowed, got, "%s %s", test.operation, test.model)
			require.Equal(t, true, admin.call(t, test.model, "check_access_rights", list{test.operation}, dict{"raise_exception": false}))
			if major == 19 {
				require.Equal(t, test.allowed, gateway.call(t, test.model, "has_access", list{list{}, test.operation}, nil))
			}
		}
		_, err := gateway.try("decimal.precision", "search_read", list{list{}}, nil)
		f := faultOf(t, err)
		require.Equal(t, 4, f.Code)
		require.True(t, strings.HasPrefix(f.String, "You are not allowed to access 'Decimal Precision' (decimal.precision) records."), f.String)
		require.EqualValues(t, 2, gateway.call(t, "decimal.precision", "precision_get", list{"Product Price"}, nil), "needs no right")
		_, err = gateway.try("res.country", "write", list{list{20}, dict{"name": "x"}}, nil)
		require.Equal(t, 4, faultOf(t, err).Code)
	})
}

// What clients ask of a catalogue is there, on both versions.
func TestSeed(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		for _, p := range sandbox.Catalogue() {
			got := gateway.read(t, "product.product", p.ID, "default_code", "name", "lst_price", "sale_ok", "active", "taxes_id", "product_tmpl_id", "uom_id", "currency_id")
			var sku any = p.SKU
			if p.SKU == "" {
				sku = false
			}
			require.Equal(t, []any{sku, p.Name, p.Price, !p.Unsellable, !p.Archived},
				[]any{got["default_code"], got["name"], got["lst_price"], got["sale_ok"], got["active"]})
			require.Equal(t, p.Taxed, len(got["taxes_id"].(list)) == 1)
			require.Equal(t, p.TemplateID, got["product_tmpl_id"].(list)[0])
		}
		for id, company := range map[int64]int64{sandbox.CompanyID: 9, sandbox.ContactID: 9, sandbox.SecondContactID: 9,
			sandbox.OtherCompanyID: 10, sandbox.StrangerID: 20, sandbox.OtherStrangerID: 21, sandbox.ArchivedPartnerID: 22} {
			require.Equal(t, company, gateway.read(t, "res.partner", id, "commercial_partner_id")["commercial_partner_id"].(list)[0])
		}
		orders := gateway.call(t, "sale.order", "search_read", list{list{}}, dict{"fields": list{"amount_total", "order_line"}, "order": "id"}).(list)
		require.Len(t, orders, sandbox.SeededOrders)
		require.Equal(t, 821.7, orders[0].(dict)["amount_total"])
		for _, o := range orders {
			require.NotEmpty(t, o.(dict)["order_line"])
		}
	})
}

func TestWebRead(t *testing.T) {
	t.Parallel()
	_, gateway, _ := start(t, sandbox.Options{})
	specification := dict{"name": dict{}, "partner_id": dict{}, "currency_id": dict{"fields": dict{"display_name": dict{}}},
		"order_line": dict{"fields": dict{"product_id": dict{}, "product_uom_id": dict{"fields": dict{"display_name": dict{}}}, "price_unit": dict{}}}}
	want := dict{"id": int64(5), "name": "S00002", "partner_id": int64(10),
		"currency_id": dict{"id": int64(1), "display_name": "USD"},
		"order_line": list{dict{"id": int64(3), "product_id": int64(18), "price_unit": 1799.0,
			"product_uom_id": dict{"id": int64(1), "display_name": "Units"}}}}
	found := gateway.call(t, "sale.order", "web_search_read", list{}, dict{"domain": list{list{"id", "in", list{5, 99}}}, "specification": specification, "order": "id asc"})
	require.Equal(t, dict{"length": int64(1), "records": list{want}}, found)
	require.Equal(t, list{want}, gateway.call(t, "sale.order", "web_read", list{list{5}}, dict{"specification": specification}))
	require.Empty(t, gateway.call(t, "sale.order", "web_read", list{list{99}}, dict{"specification": specification}))
	flat := dict{"name": dict{}, "order_line": dict{}, "partner_id": dict{}}
	require.Equal(t, list{dict{"id": int64(5), "name": "S00002", "order_line": list{int64(3)}, "partner_id": int64(10)}},
		gateway.call(t, "sale.order", "web_read", list{list{5, 99}}, dict{"specification": flat}))
	page := gateway.call(t, "sale.order", "web_search_read", list{}, dict{"domain": list{}, "specification": dict{"name": dict{}}, "order": "id", "limit": 2}).(dict)
	require.EqualValues(t, 5, page["length"], "of all, not of the page")
	require.Len(t, page["records"], 2)
	_, err := gateway.try("sale.order", "web_read", list{list{5, 99}}, dict{"specification": specification})
	require.Equal(t, 2, faultOf(t, err).Code, "one that is gone, beside one that nests others")
	_, err = gateway.try("sale.order", "web_read", list{list{5}}, dict{"specification": dict{"order_line": dict{"fields": dict{"nosuch": dict{}}}}})
	require.Contains(t, faultOf(t, err).String, "Invalid field 'nosuch' on 'sale.order.line'")
}
