package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/odoorpc"
	"ordergate/test/proxy"
)

// hooked is a gateway that Odoo 19 tells of changes, through a proxy. Its own sync does not run: what the mirror follows, it
// follows by webhooks.
type hooked struct {
	*stack
	t      *testing.T // the test that all of it lives as long as
	p      *process
	hooks  *proxy.HTTPProxy
	caller *caller
	posted *postings
}

// postings keeps the bodies that Odoo posted.
type postings struct {
	mu     sync.Mutex
	bodies []string
}

// see is a match for a proxy that matches nothing.
func (p *postings) see(body []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bodies = append(p.bodies, string(body))
	return false
}

// naming is how many of the bodies hold a text. Other tests' orders are told of too.
func (p *postings) naming(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, body := range p.bodies {
		if strings.Contains(body, text) {
			n++
		}
	}
	return n
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	s := newStack(t, overXMLRPC) // the storm has webhooks over JSON-2
	s.settings = s.settings.with(settings{"ORDERGATE_SYNC_INTERVAL": "1h", "ORDERGATE_FRESHNESS": "1h"})
	s.cleanWebhooks(t)
	s.must(t, "sync") // the first one reads everything
	h := &hooked{stack: s, t: t, posted: &postings{}}
	h.start()
	return h
}

// cleanWebhooks lets the program install webhooks, in an Odoo that has none before the test nor after it.
func (s *stack) cleanWebhooks(t *testing.T) {
	t.Helper()
	s.settings = s.settings.with(settings{
		"ORDERGATE_ODOO_ADMIN_USER": s.odoo.AdminUser, "ORDERGATE_ODOO_ADMIN_PASSWORD": s.odoo.AdminPassword,
	})
	automations := func() any {
		return s.people(t, "base.automation", "search", []any{[]any{"name", "=like", "Ordergate: %"}})
	}
	// What a run left behind that was killed would only slow Odoo down. Automations take their actions along, but not those' ids.
	s.people(t, "ir.actions.server", "unlink", s.people(t, "ir.actions.server", "search", []any{[]any{"base_automation_id", "in", automations()}}))
	s.people(t, "base.automation", "unlink", automations())
	t.Cleanup(func() {
		_, stderr, _ := s.command(t, "webhooks", "remove") // a failure means, at best, that the test has removed them
		if left := automations(); len(left.([]any)) > 0 {
			t.Errorf("the automations %v are left in Odoo: %s", left, stderr)
		}
	})
}

// start starts the gateway, at an address of which Odoo is told.
func (h *hooked) start() {
	h.t.Helper()
	h.p = h.serve(h.t)
	h.caller = newCaller(h.t, h.p, h.portal)
	h.hooks = proxy.HTTP(h.t, h.p.base)
	h.hooks.OnRequest(h.posted.see, proxy.Refuse, proxy.Always)
	h.settings["ORDERGATE_PUBLIC_URL"] = h.hooks.URL()
	require.Contains(h.t, h.must(h.t, "webhooks", "install"), "7 automations")
}

// ours are the gateway's automations, as Odoo has them.
func (h *hooked) ours(t *testing.T) []map[string]any {
	t.Helper()
	found, err := odoorpc.Execute(h.odoo.URL, h.odoo.Database, h.odoo.AdminUser, h.odoo.AdminPassword, "ir.actions.server", "search_read",
		[]any{[]any{[]any{"webhook_url", "=like", h.settings["ORDERGATE_PUBLIC_URL"] + "/%"}}},
		map[string]any{"fields": []any{"webhook_url", "base_automation_id"}})
	require.NoError(t, err)
	var actions []map[string]any
	for _, a := range found.([]any) {
		actions = append(actions, a.(map[string]any))
	}
	return actions
}

// url is where Odoo posts, secret included.
func (h *hooked) url(t *testing.T) string {
	t.Helper()
	return h.ours(t)[0]["webhook_url"].(string)
}

// product is one that can be sold.
func (h *hooked) product(t *testing.T) any {
	t.Helper()
	return h.people(t, "product.product", "search", []any{[]any{"default_code", "=", "E-COM07"}}).([]any)[0]
}

// newOrder makes an order in Odoo as people do, of a product, and returns it and its line.
func (h *hooked) newOrder(t *testing.T, reference string) (id, line int64) {
	t.Helper()
	created := h.people(t, "sale.order", "create", []any{map[string]any{"partner_id": 9, "client_order_ref": reference,
		"order_line": []any{[]any{0, 0, map[string]any{"product_id": h.product(t), "product_uom_qty": 2}}}}})
	id = created.([]any)[0].(int64)
	line = h.people(t, "sale.order.line", "search", []any{[]any{"order_id", "=", id}}).([]any)[0].(int64)
	return id, line
}

// eventually waits until the mirror shows an order as a test wants it, and says how long it took.
func (h *hooked) eventually(t *testing.T, id int64, what string, right func(o map[string]any) bool) {
	t.Helper()
	began := time.Now()
	require.Eventually(t, func() bool {
		return right(h.caller.call(t, http.MethodGet, path("/v1/orders/%d", id), nil).body)
	}, 15*time.Second, 20*time.Millisecond, what)
	t.Logf("%s: in the mirror %s after Odoo had answered", what, time.Since(began).Round(time.Millisecond))
}

func lines(o map[string]any) string { return fmt.Sprint(o["lines"]) }

// syncs is how often the gateway has synced by its cursor.
func (h *hooked) syncs(t *testing.T) string {
	t.Helper()
	return metric(t, h.p, `ordergate_sync_seconds_count{`)
}

// metric returns the lines of /metrics that begin with a text.
func metric(t *testing.T, p *process, prefix string) string {
	t.Helper()
	raw := newCaller(t, p, "").call(t, http.MethodGet, "/metrics", nil).raw
	var found []string
	for line := range strings.Lines(raw) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// One mirror of a whole Odoo serves all that is tried with webhooks: to fill one takes long.
func TestWebhooksOfOdoo(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	t.Run("TheMirrorFollows", h.theMirrorFollows)
	t.Run("TheyAreOnlyHints", h.theyAreOnlyHints)
	t.Run("InstalledRepairedRotatedAndRemoved", h.installedRepairedRotatedAndRemoved)
}

func (h *hooked) theMirrorFollows(t *testing.T) {
	reference := unique("HOOK")
	before := h.syncs(t)

	id, line := h.newOrder(t, reference)
	// An order that the mirror lacks would be fetched when it is asked for: a listing only shows what is there.
	require.Eventually(t, func() bool {
		listing := h.caller.call(t, http.MethodGet, "/v1/orders?q="+reference, nil)
		return len(listing.body["orders"].([]any)) == 1
	}, 15*time.Second, 20*time.Millisecond, "the new order")

	h.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference + "-edited"})
	h.eventually(t, id, "an edited order", func(o map[string]any) bool { return o["reference"] == reference+"-edited" })
	h.people(t, "sale.order.line", "write", []any{line}, map[string]any{"product_uom_qty": 7})
	h.eventually(t, id, "an edited quantity", func(o map[string]any) bool { return strings.Contains(lines(o), "quantity:7 ") })
	h.people(t, "sale.order.line", "write", []any{line}, map[string]any{"name": "Cabinet, painted"})
	h.eventually(t, id, "a line's text, which does not move the order", func(o map[string]any) bool { return strings.Contains(lines(o), "Cabinet, painted") })
	sample := h.people(t, "sale.order.line", "create", []any{map[string]any{"order_id": id, "product_id": h.product(t), "price_unit": 0, "name": "Free sample"}})
	h.eventually(t, id, "a line that is free", func(o map[string]any) bool { return strings.Contains(lines(o), "Free sample") })
	h.people(t, "sale.order.line", "unlink", sample)
	h.eventually(t, id, "that line deleted, which leaves nothing for a cursor to find", func(o map[string]any) bool { return !strings.Contains(lines(o), "Free sample") })
	h.people(t, "sale.order", "action_confirm", []any{id})
	h.eventually(t, id, "a confirmed order", func(o map[string]any) bool { return o["status"] != "draft" })

	doomed, _ := h.newOrder(t, reference+"-doomed")
	h.eventually(t, doomed, "another order", func(o map[string]any) bool { return o["reference"] == reference+"-doomed" })
	h.people(t, "sale.order", "unlink", []any{doomed})
	h.eventually(t, doomed, "a deleted order", func(o map[string]any) bool { return o["deleted_at"] != nil })

	require.Equal(t, before, h.syncs(t), "the cursor has not looked")
	require.NotContains(t, h.p.log.String(), h.url(t), "the secret in the log")
	require.Contains(t, h.must(t, "webhooks", "status"), "current")

	t.Run("a delivery and an invoice name their order", func(t *testing.T) {
		picking := h.people(t, "stock.picking", "search", []any{[]any{"sale_id", "=", id}}).([]any)
		require.NotEmpty(t, picking)
		named := fmt.Sprintf(`"sale_id": %d`, id)
		heard := h.posted.naming(named)
		h.people(t, "stock.picking", "write", picking, map[string]any{"scheduled_date": "2030-01-02 03:04:05"})
		require.Eventually(t, func() bool { return h.posted.naming(named) > heard }, 5*time.Second, 20*time.Millisecond)

		h.people(t, "sale.order.line", "write", []any{line}, map[string]any{"qty_delivered": 7})
		wizard, err := odoorpc.Execute(h.odoo.URL, h.odoo.Database, h.odoo.AdminUser, h.odoo.AdminPassword, "sale.advance.payment.inv", "create",
			[]any{map[string]any{"advance_payment_method": "delivered"}}, map[string]any{"context": map[string]any{"active_ids": []any{id}}})
		require.NoError(t, err)
		reads := metric(t, h.p, "ordergate_webhook_reads_total")
		h.people(t, "sale.advance.payment.inv", "create_invoices", []any{wizard})
		invoices := h.people(t, "sale.order", "read", []any{id}, []any{"invoice_ids"}).([]any)[0].(map[string]any)["invoice_ids"].([]any)
		require.NotEmpty(t, invoices)
		require.Eventually(t, func() bool {
			return h.posted.naming(fmt.Sprintf(`"_id": %d, "_model": "account.move"`, invoices[0])) > 0 &&
				metric(t, h.p, "ordergate_webhook_reads_total") != reads
		}, 10*time.Second, 50*time.Millisecond, "the order of the invoice was read")
	})

	t.Run("the gateway's own orders are not told of", func(t *testing.T) {
		own := h.caller.place(t, reference+"-own", orderBody(reference+"-own")).requireStatus(t, http.StatusCreated).id(t)
		// What people do after it is told of.
		other, _ := h.newOrder(t, reference+"-other")
		of := func(id int64) int { return h.posted.naming(fmt.Sprintf(`"_id": %d, "_model": "sale.order"`, id)) }
		require.Eventually(t, func() bool { return of(other) > 0 }, 5*time.Second, 20*time.Millisecond)
		require.Zero(t, of(own))
		require.Zero(t, h.posted.naming(fmt.Sprintf(`"order_id": %d}`, own)), "its lines")
	})
}

// Notifications that are lost, doubled or forged do no harm, and the lost ones are counted once the cursor finds the change.
func (h *hooked) theyAreOnlyHints(t *testing.T) {
	reference := unique("HINT")
	id, _ := h.newOrder(t, reference)
	h.eventually(t, id, "the order", func(o map[string]any) bool { return o["reference"] == reference })

	// Doubled, and of orders that do not exist.
	post := func(body string) int {
		response, err := http.Post(h.url(t), "application/json", strings.NewReader(body))
		require.NoError(t, err)
		response.Body.Close()
		return response.StatusCode
	}
	for range 3 {
		require.Equal(t, http.StatusNoContent, post(fmt.Sprintf(`{"_id": %d, "_model": "sale.order"}`, id)))
	}
	require.Equal(t, http.StatusNoContent, post(`{"_id": 2147483647, "_model": "sale.order"}`))
	require.Equal(t, http.StatusNoContent, post(`{"_id": 2147483647, "_model": "account.move"}`))
	h.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference + "-2"})
	h.eventually(t, id, "an edit after that", func(o map[string]any) bool { return o["reference"] == reference+"-2" && o["deleted_at"] == nil })
	h.caller.call(t, http.MethodGet, "/v1/orders/2147483647", nil).requireStatus(t, http.StatusNotFound)

	// The answer is lost: the notification was taken all the same. Odoo does not repeat it, and the person has no error.
	h.hooks.Behave()
	h.hooks.OnRequest(proxy.Contains(`"sale.order"`), proxy.DropAnswer, 1)
	h.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference + "-3"})
	h.eventually(t, id, "an edit whose answer was lost", func(o map[string]any) bool { return o["reference"] == reference+"-3" })

	// The notification is lost, and then the gateway is away.
	h.hooks.OnRequest(proxy.Contains(`"sale.order"`), proxy.Refuse, proxy.Always)
	h.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference + "-4"})
	time.Sleep(time.Second)
	got := h.caller.call(t, http.MethodGet, path("/v1/orders/%d", id), nil).requireStatus(t, http.StatusOK)
	require.Equal(t, reference+"-3", got.body["reference"], "nobody told the gateway")
	h.hooks.Behave()
	require.Zero(t, h.p.stop(t))
	h.people(t, "sale.order", "write", []any{id}, map[string]any{"note": "while it was away"})
	time.Sleep(3 * time.Second) // younger changes are not judged
	h.start()
	h.eventually(t, id, "what the cursor found", func(o map[string]any) bool { return o["reference"] == reference+"-4" })
	// At least that one: what other tests wrote in the same Odoo meanwhile was missed as well.
	missed := regexp.MustCompile(`\(([1-9]\d*) of `)
	require.Eventually(t, func() bool {
		status, _, _ := h.command(t, "webhooks", "status")
		return missed.MatchString(status)
	}, 30*time.Second, 500*time.Millisecond, "one change was missed")
	require.NotContains(t, metric(t, h.p, "ordergate_webhook_missed_total"), " 0\n")
}

func (h *hooked) installedRepairedRotatedAndRemoved(t *testing.T) {
	first := h.url(t)
	require.Contains(t, h.must(t, "webhooks", "install"), "the one it was")
	require.Len(t, h.ours(t), 7, "the same again")
	require.Equal(t, first, h.url(t))
	require.NotContains(t, h.must(t, "webhooks", "status"), strings.TrimPrefix(first, h.hooks.URL()+"/hooks/odoo/default/"), "the secret")

	// People meddle with them.
	find := func(name string) (automation, action any) {
		for _, a := range h.ours(t) {
			if owner := a["base_automation_id"].([]any); owner[1] == "Ordergate: "+name {
				return owner[0], a["id"]
			}
		}
		require.Fail(t, "no automation "+name)
		return nil, nil
	}
	order, _ := find("order")
	line, _ := find("line")
	_, posting := find("order deleted")
	delivery, _ := find("delivery")
	_, invoicing := find("invoice")
	h.people(t, "base.automation", "write", []any{order}, map[string]any{"active": false})
	h.people(t, "base.automation", "write", []any{line}, map[string]any{"trigger_field_ids": []any{[]any{5}}, "filter_domain": "[('id', '=', 0)]"})
	h.people(t, "ir.actions.server", "write", []any{posting}, map[string]any{"webhook_url": h.hooks.URL() + "/elsewhere"})
	h.people(t, "base.automation", "unlink", []any{delivery})
	h.people(t, "ir.actions.server", "unlink", []any{invoicing})
	stdout, _, code := h.command(t, "webhooks", "status")
	require.Equal(t, 1, code)
	for _, complaint := range []string{"missing", "changed: active", "wrong", "changed: filter, fields", "changed: url", "changed: action"} {
		require.Contains(t, stdout, complaint)
	}
	h.must(t, "webhooks", "install")
	require.Len(t, h.ours(t), 7)
	h.must(t, "webhooks", "status")

	// A new secret; the one before is taken for a while, and then is not.
	require.Contains(t, h.must(t, "webhooks", "install", "--rotate", "--grace", "8s"), "is taken until")
	rotated := time.Now()
	second := h.url(t)
	require.NotEqual(t, first, second)
	status := func(url string) int {
		response, err := http.Post(url, "application/json", strings.NewReader(`{"_id": 2147483647, "_model": "sale.order"}`))
		require.NoError(t, err)
		response.Body.Close()
		return response.StatusCode
	}
	require.Equal(t, http.StatusNoContent, status(second))
	if time.Since(rotated) < 5*time.Second {
		require.Equal(t, http.StatusNoContent, status(first))
	}
	require.Eventually(t, func() bool { return status(first) == http.StatusNotFound }, 15*time.Second, 200*time.Millisecond)
	require.Equal(t, http.StatusNoContent, status(second))

	// Another address: the automations of the one before go.
	old := h.hooks.URL()
	other := proxy.HTTP(t, h.p.base)
	h.settings["ORDERGATE_PUBLIC_URL"] = other.URL()
	h.must(t, "webhooks", "install")
	require.Len(t, h.ours(t), 7)
	h.settings["ORDERGATE_PUBLIC_URL"] = old
	require.Empty(t, h.ours(t))
	h.settings["ORDERGATE_PUBLIC_URL"] = other.URL()

	// Only ours go.
	model := h.people(t, "ir.model", "search", []any{[]any{"model", "=", "sale.order"}}).([]any)[0]
	foreign := h.people(t, "base.automation", "create", []any{map[string]any{"name": "Ordergate: mine", "model_id": model, "trigger": "on_unlink", "active": false}})
	defer h.people(t, "base.automation", "unlink", foreign)
	third := h.url(t)
	delivery, _ = find("delivery")
	h.people(t, "base.automation", "unlink", []any{delivery}) // which leaves the external id of its action behind
	require.Contains(t, h.must(t, "webhooks", "remove"), "6 automations removed")
	require.Empty(t, h.ours(t))
	require.NotEmpty(t, h.people(t, "base.automation", "read", foreign, []any{"name"}))
	require.Empty(t, h.people(t, "ir.model.data", "search", []any{[]any{"name", "=like", `webhook\_%`}, []any{"module", "=", "ordergate"}}))
	require.Eventually(t, func() bool { return status(third) == http.StatusNotFound }, 15*time.Second, 200*time.Millisecond)
	_, stderr, code := h.command(t, "webhooks", "status")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "webhooks install")
}

func TestWebhooksWantAnAdministratorAndANewOdoo(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		s.settings["ORDERGATE_PUBLIC_URL"] = "https://orders.example.com"
		_, stderr, code := s.command(t, "webhooks", "install")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "ORDERGATE_ODOO_ADMIN_USER")
		for _, url := range []string{"orders.example.com", "ftp://x", "https://user:pw@x", "https://x/?a=b"} {
			_, stderr, code = s.command(t, "webhooks", "install", "--url", url, "--admin-user", "admin", "--admin-password", "admin")
			require.Equal(t, 1, code)
			require.Contains(t, stderr, "--url", url)
			require.NotContains(t, stderr, "pw")
		}
		if s.odoo.Major < 17 {
			_, stderr, code = s.command(t, "webhooks", "install", "--admin-user", "admin", "--admin-password", "admin")
			require.Equal(t, 1, code)
			require.Contains(t, stderr, "17 is the first")
			require.Contains(t, stderr, "background sync")
			return
		}
		_, stderr, code = s.command(t, "webhooks", "install", "--admin-user", s.odoo.User, "--admin-password", s.odoo.Password)
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "not allowed", "the gateway's own user has no such rights")
		_, stderr, code = s.command(t, "webhooks", "install", "--admin-user", "admin", "--admin-password", "wrong")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "refuses the login")
		require.NotContains(t, stderr, "wrong user or password for database \"wrong")
	})
}
