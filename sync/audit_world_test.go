package ordersync_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
	ordersync "ordergate/sync"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
)

// auditWorld is an ERP and a mirror that agree, for tests that make them differ behind each other's back.
type auditWorld struct {
	*ordersync.Service
	major    int
	server   env.OdooServer
	erp      *countingERP
	db       *store.Store
	tenant   order.Tenant
	since    time.Time // only orders created since are compared
	later    func(d time.Duration)
	cfg      ordersync.Config
	registry *prometheus.Registry

	partner, product int64
}

// countingERP counts the calls that an audit makes.
type countingERP struct {
	*odoo.Client
	totals, reads, heads atomic.Int64
}

func (c *countingERP) OrderTotals(ctx context.Context, slice order.Slice, byMonth bool) ([]order.Totals, error) {
	c.totals.Add(1)
	return c.Client.OrderTotals(ctx, slice, byMonth)
}

func (c *countingERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	c.reads.Add(1)
	return c.Client.Orders(ctx, ids)
}

func (c *countingERP) HeadsWrittenIn(ctx context.Context, slice order.Slice, from, until time.Time, limit int) ([]order.Head, error) {
	c.heads.Add(1)
	return c.Client.HeadsWrittenIn(ctx, slice, from, until, limit)
}

// sandboxWorld is one in front of a sandbox, whose clock can be moved.
func sandboxWorld(t *testing.T, major int, dsn string) *auditWorld {
	t.Helper()
	erpClock, clock := &clock{}, &clock{}
	stand, err := sandbox.Start(sandbox.Options{Major: major, Clock: erpClock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })
	w := newAuditWorld(t, env.OdooServer{Major: major, URL: stand.URL(), Database: sandbox.Database, User: sandbox.User,
		Password: sandbox.Password, AdminUser: sandbox.AdminUser, AdminPassword: sandbox.AdminPassword}, dsn,
		func(cfg *ordersync.Config) { cfg.Clock = clock.Now })
	w.later = func(d time.Duration) { erpClock.advance(d); clock.advance(d) }
	require.NoError(t, w.FullSync(t.Context(), ordersync.FullSyncOptions{}))
	return w
}

// realTurn lets one test at a time at the real Odoos: an audit sees what all of them do.
var realTurn sync.Mutex

// realWorld is one in front of a real Odoo. Only the orders that the test makes are compared, which nobody else touches;
// what was written two seconds ago counts as settled.
func realWorld(t *testing.T, major int, dsn string) *auditWorld {
	t.Helper()
	realTurn.Lock()
	t.Cleanup(realTurn.Unlock)
	w := newAuditWorld(t, env.Odoo(t, major), dsn, func(cfg *ordersync.Config) { cfg.TransactionLimit = time.Second })
	w.later = func(d time.Duration) { time.Sleep(min(d, 3*time.Second)) }
	require.NoError(t, w.erp.Ping(t.Context()))
	w.later(3 * time.Second) // apart from what others did
	w.since = w.erp.Now().Truncate(time.Second)
	_, err := w.db.AdvanceCursor(t.Context(), w.tenant.ID, "sale.order", store.Cursor{WriteDate: w.since, SyncedAt: w.since, Complete: true}, "")
	require.NoError(t, err)
	return w
}

func newAuditWorld(t *testing.T, server env.OdooServer, dsn string, tune func(*ordersync.Config)) *auditWorld {
	t.Helper()
	db := storetest.Migrated(t, dsn, store.Options{})
	tenantID, err := db.EnsureTenant(t.Context(), "test")
	require.NoError(t, err)
	client, err := odoo.New(odoo.Config{Tenant: "test", URL: server.URL, Database: server.Database, User: server.User,
		Password: server.Password, CallTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	w := &auditWorld{major: server.Major, server: server, erp: &countingERP{Client: client}, db: db,
		tenant: order.Tenant{ID: tenantID, Name: "test"}, registry: prometheus.NewRegistry()}
	w.cfg = ordersync.Config{Tenant: w.tenant, ERP: w.erp, Mirror: db, TransactionLimit: 150 * time.Second,
		SyncInterval: 10 * time.Millisecond, Jitter: func(d time.Duration) time.Duration { return d / 10 }, Registerer: w.registry}
	tune(&w.cfg)
	w.Service, err = ordersync.New(w.cfg)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	w.partner = w.people(t, "res.partner", "create", map[string]any{"name": "Audited"}).(int64)
	w.product = w.people(t, "product.product", "create", map[string]any{"name": "Audited", "list_price": 10.0,
		"default_code": fmt.Sprintf("AUDIT-%d", time.Now().UnixNano()), "taxes_id": []any{[]any{6, 0, []any{}}}}).(int64)
	return w
}

// people does something in the ERP past the gateway.
func (w *auditWorld) people(t *testing.T, model, method string, args ...any) any {
	t.Helper()
	answer, err := odoorpc.Execute(w.server.URL, w.server.Database, w.server.AdminUser, w.server.AdminPassword, model, method, args, nil)
	if err != nil && strings.Contains(err.Error(), "cannot marshal None") {
		return nil // Odoo 14 answers so to what it did
	}
	require.NoError(t, err)
	return answer
}

// orders makes n orders of two lines, the second for nothing, and mirrors them; everything is settled after.
func (w *auditWorld) orders(t *testing.T, n int) []int64 {
	t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = w.newOrder(t)
	}
	_, err := w.erp.Orders(t.Context(), ids)
	require.NoError(t, err)
	require.NoError(t, w.MirrorOrders(t.Context(), ids))
	w.later(10 * time.Minute)
	return ids
}

func (w *auditWorld) newOrder(t *testing.T) int64 {
	t.Helper()
	line := func(price float64) []any {
		return []any{0, 0, map[string]any{"product_id": w.product, "product_uom_qty": 2.0, "price_unit": price}}
	}
	return w.people(t, "sale.order", "create", map[string]any{"partner_id": w.partner, "order_line": []any{line(10), line(0)}}).(int64)
}

// mirror changes the mirror's tables behind the gateway's back. Every "order" in the statement is the row id of an order.
func (w *auditWorld) mirror(t *testing.T, id int64, statement string, args ...any) {
	t.Helper()
	rowID := w.rowID(t, id)
	values := append(args, rowID)
	result, err := w.db.DB().ExecContext(t.Context(), statement, values...)
	require.NoError(t, err)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.NotZero(t, changed, statement)
}

func (w *auditWorld) rowID(t *testing.T, id int64) int64 {
	t.Helper()
	var rowID int64
	require.NoError(t, w.db.DB().QueryRowContext(t.Context(), "SELECT id FROM orders WHERE tenant_id = ? AND erp_order_id = ?",
		w.tenant.ID, id).Scan(&rowID))
	return rowID
}

// stray puts a row into the mirror that was never read from the ERP, or, with readAt, one that says it was.
func (w *auditWorld) stray(t *testing.T, like, id int64, readAt any) {
	t.Helper()
	const same = "tenant_id, number, erp_state, status, fulfilment, payment, erp_partner_id, reference, source, note, currency, currency_decimals, amount_untaxed," +
		" amount_tax, amount_total, ordered_at, search_text, erp_created_at, erp_updated_at, write_date, lines_write_date, digest, created_at, updated_at"
	_, err := w.db.DB().ExecContext(t.Context(), "INSERT INTO orders (erp_order_id, read_at, "+same+") SELECT ?, ?, "+same+
		" FROM orders WHERE id = ?", id, readAt, w.rowID(t, like))
	require.NoError(t, err)
}

// unlinkLine deletes the line of an order that costs nothing: no amount of the order moves. It reports whether its date did, which
// one Odoo 14 does and another does not.
func (w *auditWorld) unlinkLine(t *testing.T, id int64) (dated bool) {
	t.Helper()
	before, err := w.erp.Client.Orders(t.Context(), []int64{id})
	require.NoError(t, err)
	w.people(t, "sale.order.line", "unlink", []any{before[0].Lines[1].ERPLineID})
	after, err := w.erp.Client.Orders(t.Context(), []int64{id})
	require.NoError(t, err)
	return !after[0].WriteDate.Equal(before[0].WriteDate)
}

func (w *auditWorld) audit(t *testing.T, repair bool) order.AuditRun {
	t.Helper()
	run, err := w.Audit(t.Context(), ordersync.AuditOptions{Repair: repair, Since: w.since})
	require.NoError(t, err)
	require.Equal(t, order.AuditDone, run.State)
	return run
}

// findings are the stored ones of a run.
func (w *auditWorld) findings(t *testing.T, run order.AuditRun) map[int64]order.Finding {
	t.Helper()
	list, err := w.ListFindings(t.Context(), operator, order.FindingFilter{RunID: run.ID, Limit: order.MaxPageSize})
	require.NoError(t, err)
	byOrder := make(map[int64]order.Finding, len(list))
	for _, f := range list {
		require.NotContains(t, byOrder, f.ERPOrderID, "one finding an order")
		byOrder[f.ERPOrderID] = f
	}
	return byOrder
}

func kindsOf(findings map[int64]order.Finding) map[int64]order.FindingKind {
	kinds := make(map[int64]order.FindingKind, len(findings))
	for id, f := range findings {
		kinds[id] = f.Kind
	}
	return kinds
}
