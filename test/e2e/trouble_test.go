package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/proxy"
)

func TestOdooDown(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		down := s.with(settings{"ORDERGATE_ODOO_URL": "http://" + freeAddress(t)})
		c := newCaller(t, down.serve(t), s.portal)
		key := unique("down")
		refused := c.place(t, key, orderBody(key)).requireProblem(t, http.StatusServiceUnavailable, "erp_unavailable")
		require.NotEmpty(t, refused.header.Get("Retry-After"))
		listing := c.call(t, http.MethodGet, "/v1/orders", nil).requireStatus(t, http.StatusOK)
		require.Equal(t, "stale", listing.body["sync"].(map[string]any)["state"])
		ready := c.call(t, http.MethodGet, "/readyz", nil).requireStatus(t, http.StatusOK)
		require.Equal(t, "degraded", ready.body["status"])

		// The same key is as good as new once Odoo is back.
		back := newCaller(t, s.serve(t), s.portal)
		back.place(t, key, orderBody(key)).requireStatus(t, http.StatusCreated)
		require.Equal(t, 1, s.countOrders(t, key))
	})
}

// Odoo takes the order and then says nothing: accepted, and placed by the resolver.
func TestOdooHangs(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.with(settings{"ORDERGATE_ODOO_TIMEOUT": "5s"}).serve(t), s.portal)
		c.place(t, unique("warm"), orderBody(unique("warm"))).requireStatus(t, http.StatusCreated)
		key := unique("hang")
		s.http.OnCall(loadOfOrders, proxy.Hang, 1)
		c.place(t, key, orderBody(key)).requireStatus(t, http.StatusAccepted)
		require.Eventually(t, func() bool {
			return c.call(t, http.MethodGet, "/v1/intents/"+key, nil).body["state"] == "placed"
		}, 30*time.Second, 200*time.Millisecond)
		require.Equal(t, 1, s.countOrders(t, key))
	})
}

func TestOdooThatLetsNobodyIn(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html><body>It works!</body></html>"))
		}))
		t.Cleanup(page.Close)
		tests := []struct {
			name, advice string
			change       settings
		}{
			{"wrong password", "ORDERGATE_ODOO_PASSWORD", settings{"ORDERGATE_ODOO_PASSWORD": "wrong-secret"}},
			{"wrong database", "ORDERGATE_ODOO_DB", settings{"ORDERGATE_ODOO_DB": "no-such-database"}},
			{"not an Odoo", "ORDERGATE_ODOO_URL", settings{"ORDERGATE_ODOO_URL": page.URL}},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				changed := s.with(test.change)
				p := changed.serve(t)
				c := newCaller(t, p, s.portal)
				key := unique("nobody")
				a := c.place(t, key, orderBody(key)).requireStatus(t, http.StatusServiceUnavailable)
				require.NotContains(t, a.raw, "wrong-secret")
				require.NotContains(t, a.raw, "Traceback")
				require.NotContains(t, p.log.String(), "wrong-secret")
				report, _, code := changed.command(t, "doctor")
				require.Equal(t, 1, code)
				require.Contains(t, report, test.advice)
				require.Zero(t, s.countOrders(t, key))
			})
		}
	})
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		p := s.serve(t)
		c := newCaller(t, p, s.portal)
		c.place(t, unique("warm"), orderBody(unique("warm"))).requireStatus(t, http.StatusCreated)

		// Before the ERP call: nothing is accepted.
		s.tcp.Refuse(true)
		s.tcp.Cut()
		key := unique("dbdown")
		a := c.place(t, key, orderBody(key)).requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
		require.NotContains(t, a.raw, "127.0.0.1")
		ready := c.call(t, http.MethodGet, "/readyz", nil).requireStatus(t, http.StatusServiceUnavailable)
		require.Equal(t, "not_ready", ready.body["status"])
		s.tcp.Refuse(false)
		require.Eventually(t, func() bool {
			return c.call(t, http.MethodGet, "/readyz", nil).status == http.StatusOK
		}, 20*time.Second, 100*time.Millisecond)
		require.Zero(t, s.countOrders(t, key))
		c.place(t, key, orderBody(key)).requireStatus(t, http.StatusCreated)
		require.Equal(t, 1, s.countOrders(t, key))

		// After it: accepted, and the resolver mirrors it when the database is back.
		key = unique("dbgone")
		s.http.OnCall(loadOfOrders, proxy.DelayAnswer(4*time.Second), 1)
		answered := make(chan answer, 1)
		go func() {
			a, err := c.try(http.MethodPost, "/v1/orders", orderBody(key), "Idempotency-Key", key)
			if err != nil {
				t.Error(err)
			}
			answered <- a
		}()
		require.Eventually(t, func() bool { return s.countOrders(t, key) == 1 }, 20*time.Second, 20*time.Millisecond)
		s.tcp.Refuse(true)
		s.tcp.Cut()
		require.Equal(t, http.StatusAccepted, (<-answered).status)
		s.tcp.Refuse(false)
		require.Eventually(t, func() bool {
			a := c.call(t, http.MethodGet, "/v1/intents/"+key, nil)
			return a.status == http.StatusOK && a.body["state"] == "placed"
		}, 120*time.Second, 500*time.Millisecond)
		require.Equal(t, 1, s.countOrders(t, key))
	})
}

func TestBadInputOverHTTP(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		marker := unique("bad")
		line := func(sku, quantity string) map[string]any { return map[string]any{"sku": sku, "quantity": quantity} }
		bodies := []struct {
			name   string
			body   any
			status int
			field  string
		}{
			{"unknown SKU", orderBody(marker, line("NO-SUCH-SKU", "1")), 422, "lines[0].sku"},
			{"zero", orderBody(marker, line("E-COM07", "0")), 422, "lines[0].quantity"},
			{"negative", orderBody(marker, line("E-COM07", "-1")), 422, "lines[0].quantity"},
			{"not a number", orderBody(marker, line("E-COM07", "two")), 422, "lines[0].quantity"},
			{"exponent", orderBody(marker, line("E-COM07", "1e9")), 422, "lines[0].quantity"},
			{"absurd", orderBody(marker, line("E-COM07", "99999999999")), 422, "lines[0].quantity"},
			{"finer than Odoo keeps", orderBody(marker, line("E-COM07", "0.001")), 422, "lines[0].quantity"},
			{"no lines", map[string]any{"customer": map[string]any{"ref": "x", "name": "x"}, "reference": marker, "lines": []any{}}, 422, "lines"},
			{"unknown customer", map[string]any{"customer": map[string]any{"erp_partner_id": 2000000000}, "reference": marker, "lines": []any{line("E-COM07", "1")}}, 422, "customer.erp_partner_id"},
			{"unknown field", `{"customer":{"ref":"x","name":"x"},"referense":"` + marker + `","lines":[{"sku":"E-COM07","quantity":"1"}]}`, 422, "referense"},
			{"control character", orderBody(marker+"\x01", line("E-COM07", "1")), 422, "reference"},
			{"malformed", `{"customer":`, 400, ""},
			{"deep", strings.Repeat(`{"a":`, 5000), 400, ""},
			{"invalid UTF-8", "{\"reference\":\"\xff\"}", 400, ""},
			{"10 MB", `{"note":"` + strings.Repeat("x", 10<<20) + `"}`, 413, ""},
			{"prices on some lines only", orderBody(marker, map[string]any{"sku": "E-COM07", "quantity": "1", "unit_price": "5"}, line("E-COM08", "1")), 422, "lines[1].unit_price"},
		}
		for _, b := range bodies {
			t.Run(b.name, func(t *testing.T) {
				a, err := c.try(http.MethodPost, "/v1/orders", b.body, "Idempotency-Key", unique("bad"))
				require.NoError(t, err)
				require.Equal(t, b.status, a.status, a.raw)
				if b.field != "" {
					require.Equal(t, b.field, a.body["field"], a.raw)
				}
			})
		}
		for name, key := range map[string]string{"missing": "", "oversized": strings.Repeat("k", 256)} {
			a := c.call(t, http.MethodPost, "/v1/orders", orderBody(marker), "Idempotency-Key", key)
			require.Equal(t, http.StatusBadRequest, a.status, "%s key: %s", name, a.raw)
		}
		require.Zero(t, s.countOrders(t, marker))

		unsellable := unique("SKU")
		tmpl := s.people(t, "product.product", "create", map[string]any{"name": "Not for sale", "default_code": unsellable, "sale_ok": false})
		c.place(t, unique("k"), orderBody(marker, line(unsellable, "1"))).requireProblem(t, 422, "unsellable_sku")
		s.people(t, "product.product", "write", []any{tmpl}, map[string]any{"active": false})
		c.place(t, unique("k"), orderBody(marker, line(unsellable, "1"))).requireProblem(t, 422, "archived_sku")
		twin := unique("TWIN")
		for range 2 {
			s.people(t, "product.product", "create", map[string]any{"name": "Twin", "default_code": twin})
		}
		c.place(t, unique("k"), orderBody(marker, line(twin, "1"))).requireProblem(t, 422, "ambiguous_sku")
		require.Zero(t, s.countOrders(t, marker))
	})
}
