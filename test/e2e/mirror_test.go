package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/store"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
	"ordergate/test/proxy"
)

// seller is the program's user in Odoo: one who sees no orders but its own, so that those of other tests count for nothing.
type seller struct {
	*stack
	id      int64
	partner any
	product any
}

func newSeller(t *testing.T, s *stack) *seller {
	t.Helper()
	login, groups := unique("seller"), "groups_id"
	if s.odoo.Major >= 19 {
		groups = "group_ids"
	}
	var rights []any
	for _, name := range []string{"base.group_user", "sales_team.group_sale_salesman", "base.group_partner_manager",
		"stock.group_stock_user", "account.group_account_invoice"} {
		module, name, _ := strings.Cut(name, ".")
		found := s.people(t, "ir.model.data", "search_read", []any{[]any{"module", "=", module}, []any{"name", "=", name}}, []any{"res_id"})
		rights = append(rights, found.([]any)[0].(map[string]any)["res_id"])
	}
	id := s.people(t, "res.users", "create", map[string]any{
		"name": login, "login": login, "password": login, groups: []any{[]any{6, 0, rights}},
	}).(int64)
	t.Cleanup(func() { s.people(t, "res.users", "write", []any{id}, map[string]any{"active": false}) })
	secret := login
	if s.json2 {
		user := s.odoo
		user.User, user.Password = login, login
		secret = user.APIKey(t)
	}
	s.settings = s.with(settings{"ORDERGATE_ODOO_USER": login, "ORDERGATE_ODOO_PASSWORD": secret})
	return &seller{stack: s, id: id,
		partner: s.people(t, "res.partner", "create", map[string]any{"name": login, "email": login + "@example.com"}),
		product: s.people(t, "product.product", "search", []any{[]any{"default_code", "=", "E-COM07"}}).([]any)[0],
	}
}

// order is what people enter as one of the seller's orders.
func (s *seller) order(reference string, quantity float64) map[string]any {
	return map[string]any{"partner_id": s.partner, "user_id": s.id, "client_order_ref": reference,
		"order_line": []any{[]any{0, 0, map[string]any{"product_id": s.product, "product_uom_qty": quantity}}}}
}

func (s *seller) enter(t *testing.T, reference string, quantity float64) int64 {
	t.Helper()
	return s.people(t, "sale.order", "create", s.order(reference, quantity)).(int64)
}

func (s *seller) enterAll(t *testing.T, orders []any) (ids []int64) {
	t.Helper()
	for _, id := range s.people(t, "sale.order", "create", orders).([]any) {
		ids = append(ids, id.(int64))
	}
	return ids
}

// state is an order's in Odoo.
func (s *seller) state(t *testing.T, id int64) string {
	t.Helper()
	return s.people(t, "sale.order", "read", []any{id}, []any{"state"}).([]any)[0].(map[string]any)["state"].(string)
}

// database is the program's, for what happens behind its back.
func (s settings) database(t *testing.T) *sql.DB {
	t.Helper()
	db, err := store.Open(t.Context(), s["ORDERGATE_DATABASE"], store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db.DB()
}

// The mirror is forged past all that the sync looks at. The night's audit finds it, mends it, and tells.
func TestNightlyAuditOfAServingGateway(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, stack *stack) {
		const limit, interval = time.Second, 500 * time.Millisecond
		s := newSeller(t, stack)
		s.settings = s.with(settings{
			"ORDERGATE_ODOO_TRANSACTION_LIMIT": limit.String(), "ORDERGATE_SYNC_INTERVAL": interval.String(),
			"ORDERGATE_AUDIT_AT": time.Now().UTC().Add(-30 * time.Minute).Format("15:04"),
		})
		reference := unique("night")
		amount, line := s.enter(t, reference, 1), s.enter(t, reference, 2)
		entered := time.Now()
		s.must(t, "sync")
		db := s.database(t)
		forge := func(statement string, id int64) {
			result, err := db.ExecContext(t.Context(), statement, id)
			require.NoError(t, err)
			n, err := result.RowsAffected()
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
		forge("UPDATE orders SET amount_total = amount_total + 0.01 WHERE erp_order_id = ?", amount)
		forge("UPDATE order_lines SET quantity = quantity + 1 WHERE order_id = (SELECT id FROM orders WHERE erp_order_id = ?)", line)
		// What was written a moment ago the audit leaves to the sync.
		time.Sleep(time.Until(entered.Add(limit + 2*interval + 2*time.Second)))

		c := newCaller(t, s.serve(t), s.operator)
		var audit map[string]any
		require.Eventually(t, func() bool {
			audits := c.call(t, http.MethodGet, "/v1/audits", nil).requireStatus(t, http.StatusOK).body["audits"].([]any)
			if len(audits) == 0 {
				return false
			}
			audit = audits[0].(map[string]any)
			return audit["state"] != "running"
		}, time.Minute, 100*time.Millisecond)
		require.Equal(t, "done", audit["state"], audit)
		require.Equal(t, "nightly", audit["trigger"])
		require.Equal(t, map[string]any{"amount": 1.0, "line": 1.0}, audit["found"])
		require.EqualValues(t, 2, audit["repaired"])
		require.EqualValues(t, 0, audit["left"])

		kinds := map[int64]any{}
		for _, v := range c.call(t, http.MethodGet, path("/v1/audits/findings?audit=%.0f", audit["id"]), nil).requireStatus(t, http.StatusOK).body["findings"].([]any) {
			f := v.(map[string]any)
			require.Equal(t, "repaired", f["state"], f)
			require.NotEmpty(t, f["detail"])
			kinds[int64(f["order_id"].(float64))] = f["kind"]
		}
		require.Equal(t, map[int64]any{amount: "amount", line: "line"}, kinds)
		for id, quantity := range map[int64]string{amount: "1", line: "2"} {
			o := c.call(t, http.MethodGet, path("/v1/orders/%d", id), nil).requireStatus(t, http.StatusOK).body
			inOdoo := s.people(t, "sale.order", "read", []any{id}, []any{"amount_total"}).([]any)[0].(map[string]any)
			require.Equal(t, decimals(inOdoo["amount_total"]), decimals(o["amount_total"]))
			require.Equal(t, quantity, decimals(o["lines"].([]any)[0].(map[string]any)["quantity"]))
		}
		s.requireAudited(t)
	})
}

// Nothing else brings changes here: neither the background nor a reader.
func TestSyncOnDemand(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, stack *stack) {
		s := newSeller(t, stack)
		s.settings = s.with(settings{"ORDERGATE_SYNC_INTERVAL": "1h", "ORDERGATE_FRESHNESS": "1h"})
		s.must(t, "sync")
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("demand")
		customer := map[string]any{"ref": reference, "name": reference, "email": reference + "@example.com"}
		place := func(n int) int64 {
			key := path("%s-%d", reference, n)
			body := orderBody(key)
			body["customer"] = customer
			return c.place(t, key, body).requireStatus(t, http.StatusCreated).id(t)
		}
		first, second := place(1), place(2)
		edit := func(id int64, as string) {
			s.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference + as})
		}
		shows := func(id int64, as string) {
			o := c.call(t, http.MethodGet, path("/v1/orders/%d", id), nil).requireStatus(t, http.StatusOK)
			require.Equal(t, reference+as, o.body["reference"])
		}
		sync := func(wish map[string]any, found int) {
			a := c.call(t, http.MethodPost, "/v1/sync", wish).requireStatus(t, http.StatusOK)
			require.EqualValues(t, found, a.body["orders"], "%v: %s", wish, a.raw)
		}

		edit(first, " edited")
		edit(second, " too")
		shows(first, "-1")
		sync(map[string]any{"order_id": first}, 1)
		shows(first, " edited")
		shows(second, "-2")
		sync(map[string]any{"order_id": first}, 0)

		sync(map[string]any{"customer": reference}, 1)
		shows(second, " too")

		s.people(t, "sale.order", "unlink", []any{first})
		sync(map[string]any{"order_id": first}, 1)
		require.NotNil(t, c.call(t, http.MethodGet, path("/v1/orders/%d", first), nil).body["deleted_at"])
		sync(map[string]any{"order_id": first}, 0)

		edit(second, " again")
		third := s.enter(t, reference+" by hand", 3)
		sync(map[string]any{}, 2)
		shows(second, " again")
		listing := c.call(t, http.MethodGet, "/v1/orders?q="+reference, nil).requireStatus(t, http.StatusOK).body["orders"].([]any)
		require.Len(t, listing, 2)
		shows(third, " by hand")

		c.call(t, http.MethodPost, "/v1/sync", map[string]any{"order_id": 2147483647}).requireProblem(t, http.StatusNotFound, "order_not_found")
		c.call(t, http.MethodPost, "/v1/sync", map[string]any{"customer": reference + "?"}).requireProblem(t, http.StatusNotFound, "customer_not_found")
	})
}

// Orders that an earlier integration made twice: the confirmed one survives, and the one that was sent with a key.
func TestDuplicatesInOdoo(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, stack *stack) {
		s := newSeller(t, stack)
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("twice")
		drafts := []int64{s.enter(t, reference, 1), s.enter(t, strings.ToUpper(reference), 2)}
		confirmed := s.enter(t, reference, 1)
		s.people(t, "sale.order", "action_confirm", []any{confirmed})
		body := orderBody(reference)
		body["customer"] = map[string]any{"erp_partner_id": s.partner}
		sent := c.place(t, reference, body).requireStatus(t, http.StatusCreated).id(t)
		oldest := s.enter(t, reference+" same", 5)
		drafts = append(drafts, s.enter(t, reference+" same content", 5))
		other := s.enter(t, reference+" other", 6)

		fates := func(args ...string) map[int64]string {
			var reports []struct {
				Groups []struct {
					Keep    struct{ ID int64 }
					Surplus []struct {
						ID        int64
						Cancelled bool
						Kept      string
					}
				}
			}
			out := s.must(t, append([]string{"dedupe", "erp", "--json", "--window", "10m"}, args...)...)
			require.NoError(t, json.Unmarshal([]byte(out), &reports))
			found := map[int64]string{}
			for _, g := range reports[0].Groups {
				found[g.Keep.ID] = "keep"
				for _, d := range g.Surplus {
					found[d.ID] = fmt.Sprintf("%t %s", d.Cancelled, d.Kept)
				}
			}
			return found
		}
		want := map[int64]string{confirmed: "keep", sent: "false it was placed by portal, with a key of its own", oldest: "keep"}
		for _, id := range drafts {
			want[id] = "false "
		}
		require.Equal(t, want, fates())
		for _, id := range append(drafts, sent, oldest, other) {
			require.Equal(t, "draft", s.state(t, id), "a report changes nothing")
		}

		for _, id := range drafts {
			want[id] = "true "
		}
		require.Equal(t, want, fates("--apply-erp"))
		for _, id := range drafts {
			require.Equal(t, "cancel", s.state(t, id))
		}
		require.Equal(t, "sale", s.state(t, confirmed))
		for _, id := range []int64{sent, oldest, other} {
			require.Equal(t, "draft", s.state(t, id))
		}
		require.Equal(t, map[int64]string{confirmed: "keep", sent: want[sent]}, fates("--apply-erp"), "a second time finds no more")
		got := c.call(t, http.MethodGet, path("/v1/orders/%d", drafts[0]), nil).requireStatus(t, http.StatusOK)
		require.Equal(t, "cancelled", got.body["status"])
	})
}

// A full read is killed while it reads the orders, once some of them are in the mirror.
func TestFullSyncThatIsKilled(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, stack *stack) {
		s := newSeller(t, stack)
		s.settings = s.with(settings{"ORDERGATE_ODOO_TRANSACTION_LIMIT": "1s"}) // so that nothing is too young for an audit
		orders := make([]any, 130)                                              // more than the first call reads
		for i := range orders {
			o := s.order(path("full %d", i), 1)
			if i%10 > 0 {
				delete(o, "order_line") // which takes Odoo most of the time
			}
			orders[i] = o
		}
		ids := s.enterAll(t, orders)
		s.killFullSync(t, stack.http, slices.Max(ids))
		s.goOn(t)
		require.GreaterOrEqual(t, mirrored(t, s.database(t)), len(ids))
		s.requireAudited(t)
	})
}

// Of many orders, what was read before is not read again.
func TestFullSyncThatIsKilledGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	erp, err := sandbox.Start(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, erp.Close()) })
	people := func(model, method string, args ...any) any {
		answer, err := odoorpc.Execute(erp.URL(), sandbox.Database, sandbox.AdminUser, sandbox.AdminPassword, model, method, args, nil)
		require.NoError(t, err)
		return answer
	}
	orders := make([]any, 5600)
	for i := range orders {
		orders[i] = map[string]any{"partner_id": 9}
	}
	created := people("sale.order", "create", orders).([]any)
	before := proxy.HTTP(t, erp.URL())
	s := settings{
		"ORDERGATE_DATABASE": env.Database(t, env.MariaDB(t)), "ORDERGATE_ODOO_URL": before.URL(), "ORDERGATE_ODOO_DB": sandbox.Database,
		"ORDERGATE_ODOO_USER": sandbox.User, "ORDERGATE_ODOO_PASSWORD": sandbox.Password,
	}
	s.must(t, "migrate", "up")
	s.killFullSync(t, before, created[len(created)-1].(int64))
	again := atomic.Int64{}
	before.OnRequest(func(body []byte) bool {
		if bytes.Contains(body, []byte(readsOrders)) {
			again.Add(1)
		}
		return false
	}, proxy.Refuse, proxy.Always)
	s.goOn(t)
	require.Less(t, again.Load(), int64(10), "it began again")
	require.EqualValues(t, people("sale.order", "search_count", []any{}), mirrored(t, s.database(t)))
}

// readsOrders is in the calls that read orders whole, and in no others.
const readsOrders = "amount_untaxed"

// killFullSync kills a full read with SIGKILL when it comes to an order, and others are in the mirror.
func (s settings) killFullSync(t *testing.T, odoo *proxy.HTTPProxy, at int64) {
	t.Helper()
	db, came := s.database(t), atomic.Bool{}
	id := regexp.MustCompile(fmt.Sprintf(`[>\[,]%d[<\],]`, at)) // as either protocol writes it
	reads := func(body []byte) bool { return bytes.Contains(body, []byte(readsOrders)) && id.Match(body) }
	odoo.OnRequest(func(body []byte) bool {
		matches := reads(body)
		came.Store(came.Load() || matches)
		return matches
	}, proxy.Hang, 1)
	cmd := exec.Command(binary, "sync", "--full")
	cmd.Env = s.environ()
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return came.Load() && mirrored(t, db) > 0 }, time.Minute, 20*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit, "it had ended: %s", &printed)
}

// goOn reads everything, once the lease of the one that was killed is over.
func (s settings) goOn(t *testing.T) {
	t.Helper()
	var stderr string
	var code int
	require.Eventually(t, func() bool {
		_, stderr, code = s.command(t, "sync", "--full")
		return !strings.Contains(stderr, "another process reads all orders")
	}, time.Minute, 500*time.Millisecond)
	require.Zero(t, code, stderr)
}

// mirrored is how many orders the mirror holds.
func mirrored(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM orders WHERE deleted_at IS NULL").Scan(&n))
	return n
}

// requireAudited compares mirror and Odoo. Nothing may be too young to be compared.
func (s settings) requireAudited(t *testing.T) {
	t.Helper()
	report := s.must(t, "audit", "--pause", "10ms")
	require.Contains(t, report, ": 0 orders differ")
	require.NotContains(t, report, "more differ")
}
