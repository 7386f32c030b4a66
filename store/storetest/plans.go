package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/order"
	"ordergate/store"
)

// exercisePlans asks the database how it would run the queries that grow with the data, on enough rows to matter.
func exercisePlans(t *testing.T, s *store.Store) {
	f := newFixture(t, s)
	var snapshots []order.Snapshot
	statuses := []order.Status{order.Draft, order.Picking, order.Confirmed, order.Completed, order.Cancelled}
	for id := int64(1); id <= 1500; id++ {
		o := snapshot(id)
		o.OrderedAt = At(0, int(id))
		o.Customer.ERPPartnerID = id % 50
		o.Status = statuses[id%int64(len(statuses))]
		snapshots = append(snapshots, o)
	}
	f.upsert(t, snapshots...)
	var products []order.Product
	var customers []order.Customer
	for id := int64(1); id <= 1500; id++ {
		products = append(products, product(id, fmt.Sprint("SKU ", id)))
		c := customer(id, fmt.Sprint("u-", id))
		c.ERPCompanyID = id / 3
		customers = append(customers, c)
	}
	require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, products))
	require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, customers))
	for i := range 30 {
		f.inserted(t, fmt.Sprint("k", i))
	}
	closed := strings.TrimSuffix(strings.Repeat("(?, 'portal', ?, '', 'placed', '{}', '{}', '', '', 1, ?, ?, ?),", 1500), ",")
	var values []any
	for i := range 1500 {
		values = append(values, f.tenant, fmt.Sprint("placed ", i), i, At(9, 0), At(9, 0))
	}
	_, err := f.DB().ExecContext(t.Context(), "INSERT INTO intents (tenant_id, source, idempotency_key, fingerprint, state,"+
		" request, plan, caller, lease_token, attempts, erp_order_id, created_at, updated_at) VALUES "+closed, values...)
	require.NoError(t, err)
	f.analyze(t, "orders", "order_lines", "intents", "products", "customers")
	if f.Dialect() == migrations.MySQL {
		f.exerciseReads(t)
	}

	tenant := fmt.Sprint(f.tenant)
	forced := func(index string) string {
		if f.Dialect() == migrations.SQLite {
			return ""
		}
		return " FORCE INDEX (" + index + ")"
	}
	listing := "SELECT o.id, o.number FROM orders o%s LEFT JOIN customers c" +
		" ON c.tenant_id = o.tenant_id AND c.erp_partner_id = o.erp_partner_id" +
		" WHERE o.tenant_id = " + tenant + " AND o.deleted_at IS NULL%s ORDER BY o.ordered_at DESC, o.erp_order_id DESC LIMIT 21"
	after := " AND o.ordered_at <= '2026-03-14 10:00:00' AND (o.ordered_at < '2026-03-14 10:00:00' OR o.erp_order_id < 600)"
	for name, c := range map[string]struct{ query, index string }{
		"listing":             {fmt.Sprintf(listing, forced("idx_orders_listing"), ""), "idx_orders_listing"},
		"listing, later page": {fmt.Sprintf(listing, forced("idx_orders_listing"), after), "idx_orders_listing"},
		"listing of a partner": {fmt.Sprintf(listing, forced("idx_orders_partner"), " AND o.erp_partner_id = 7"),
			"idx_orders_partner"},
		"listing by status": {fmt.Sprintf(listing, forced("idx_orders_status"), " AND o.status = 'picking'"), "idx_orders_status"},
		"lines of a page": {"SELECT l.name FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id AND l.tenant_id = o.tenant_id" +
			" WHERE o.tenant_id = " + tenant + " AND o.id IN (1, 2, 3)", "idx_order_lines_order"},
		"due intents": {"SELECT id FROM intents WHERE tenant_id = " + tenant + " AND state = 'sending' AND (lease_token = ''" +
			" OR lease_until <= '2026-03-14 10:00:00') ORDER BY created_at, id LIMIT 10", "idx_intents_state"},
		"intent by key": {"SELECT id FROM intents WHERE tenant_id = " + tenant +
			" AND source = 'portal' AND idempotency_key = 'k7'", "uniq_intents_key"},
		"heads": {"SELECT write_date FROM orders WHERE tenant_id = " + tenant + " AND erp_order_id IN (3, 4, 5)",
			"uniq_orders_erp_order"},
		"ids": {"SELECT erp_order_id FROM orders" + forced("uniq_orders_erp_order") + " WHERE tenant_id = " + tenant +
			" AND erp_order_id > 1400 AND deleted_at IS NULL ORDER BY erp_order_id LIMIT 20", "uniq_orders_erp_order"},
		"who placed orders": {"SELECT source FROM intents WHERE tenant_id = " + tenant + " AND erp_order_id IN (1, 2)",
			"idx_intents_order"},
		"products by SKU": {"SELECT id FROM products WHERE tenant_id = " + tenant + " AND sku IN ('SKU 7', 'SKU 8')", "idx_products_sku"},
		"customer by ref": {"SELECT id FROM customers WHERE tenant_id = " + tenant + " AND ref = 'u-7'", "uniq_customers_ref"},
	} {
		t.Run(name, func(t *testing.T) {
			requireIndexed(t, f.plan(t, c.query), c.index)
		})
	}
}

func requireIndexed(t *testing.T, plan, index string) {
	t.Helper()
	require.Contains(t, plan, index, plan)
	require.NotContains(t, plan, "filesort", plan)
	require.NotContains(t, plan, "TEMP B-TREE", plan)
}

// analyze lets the database count what it bases its plans on.
func (f fixture) analyze(t *testing.T, tables ...string) {
	t.Helper()
	for _, table := range tables {
		statement := "ANALYZE TABLE " + table
		if f.Dialect() == migrations.SQLite {
			statement = "ANALYZE " + table
		}
		rows, err := f.DB().QueryContext(t.Context(), statement)
		require.NoError(t, err)
		require.NoError(t, rows.Close())
	}
}

// exerciseReads counts the rows that the store's own queries touch: far fewer than there are.
func (f fixture) exerciseReads(t *testing.T) {
	limit := f.DB().Stats().MaxOpenConnections
	f.DB().SetMaxOpenConns(1) // the counters are those of a connection
	defer f.DB().SetMaxOpenConns(limit)

	list := func(filter order.Filter) func() error {
		filter.Limit = 20
		return func() error {
			listing, err := f.ListOrders(t.Context(), f.tenant, filter)
			if err == nil && len(listing.Orders) != 20 {
				return fmt.Errorf("%d orders listed", len(listing.Orders))
			}
			return err
		}
	}
	nothing := f.rowsRead(t, func() error { return nil })
	for name, call := range map[string]func() error{
		"listing":              list(order.Filter{}),
		"listing, later page":  list(order.Filter{Before: order.Position{OrderedAt: At(0, 700), ID: 700}}),
		"status, later page":   list(order.Filter{Status: order.Picking, Before: order.Position{OrderedAt: At(0, 700), ID: 700}}),
		"customer, later page": list(order.Filter{CustomerRef: "u-7", Before: order.Position{OrderedAt: At(0, 1400), ID: 1400}}),
		"listing of a partner": list(order.Filter{ERPPartnerID: 7}),
		"listing of a company": list(order.Filter{CompanyID: 8}),
		"listing by status":    list(order.Filter{Status: order.Picking}),
		"listing of a period":  list(order.Filter{From: At(0, 100), To: At(0, 130)}),
		"order":                func() error { _, err := f.Order(t.Context(), f.tenant, 700); return err },
		"history":              func() error { _, err := f.History(t.Context(), f.tenant, 700, order.HistoryFilter{}); return err },
		"heads":                func() error { _, err := f.OrderHeads(t.Context(), f.tenant, []int64{3, 4, 5}); return err },
		"ids":                  func() error { _, err := f.OrderIDs(t.Context(), f.tenant, 700, 20); return err },
		"unchanged upsert": func() error {
			_, err := f.UpsertOrders(t.Context(), f.tenant, []order.Snapshot{snapshot(700)}, "sync")
			return err
		},
		"due intents": func() error { _, err := f.DueIntents(t.Context(), f.tenant, At(23, 0), 10); return err },
		"products by SKU": func() error {
			_, err := f.ProductsBySKU(t.Context(), f.tenant, []string{"SKU 7", "SKU 8"})
			return err
		},
		"customer by ref": func() error { _, err := f.CustomerByRef(t.Context(), f.tenant, "u-7"); return err },
		"open intents":    func() error { _, err := f.CountIntents(t.Context(), f.tenant); return err },
		"intent":          func() error { _, err := f.Intent(t.Context(), f.tenant, "portal", "k7"); return err },
	} {
		t.Run("rows read: "+name, func(t *testing.T) {
			read := f.rowsRead(t, call) - nothing
			require.Less(t, read, int64(500))
		})
	}
}

// rowsRead counts the rows and index entries that a call touches.
func (f fixture) rowsRead(t *testing.T, call func() error) int64 {
	t.Helper()
	total := func() int64 {
		rows, err := f.DB().QueryContext(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read%'")
		require.NoError(t, err)
		defer rows.Close()
		var sum, n int64
		for rows.Next() {
			var name string
			require.NoError(t, rows.Scan(&name, &n))
			sum += n
		}
		require.NoError(t, rows.Err())
		return sum
	}
	before := total()
	require.NoError(t, call())
	return total() - before
}

// plan is how the database would run a query, in one text.
func (f fixture) plan(t *testing.T, query string) string {
	t.Helper()
	explain := "EXPLAIN "
	if f.Dialect() == migrations.SQLite {
		explain = "EXPLAIN QUERY PLAN "
	} else if strings.HasPrefix(f.column(t.Context(), t, "SELECT VERSION()")[0], "9") {
		explain = "EXPLAIN FORMAT=TRADITIONAL "
	}
	rows, err := f.DB().QueryContext(t.Context(), explain+query)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var text strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		require.NoError(t, rows.Scan(targets...))
		for i, v := range values {
			if columns[i] == "possible_keys" {
				continue // what might have been used is no plan
			}
			if raw, isBytes := v.([]byte); isBytes {
				v = string(raw)
			}
			fmt.Fprintf(&text, "%s=%v ", columns[i], v)
		}
		text.WriteString("\n")
	}
	require.NoError(t, rows.Err())
	return text.String()
}
