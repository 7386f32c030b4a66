package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm/logger"

	"ordergate/migrations"
	"ordergate/order"
)

// recorder keeps the statements of a listing, values included, to have them explained.
type recorder struct {
	logger.Interface
	mu         sync.Mutex
	statements []string
}

func (r *recorder) Trace(_ context.Context, _ time.Time, statement func() (string, int64), _ error) {
	text, _ := statement()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, text)
}

func (r *recorder) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.statements
	r.statements = nil
	return taken
}

const (
	planMonths = 20
	// planRows is how many rows and index entries a page may touch, of any number of orders. The most is spent on
	// looking into up to four indexes.
	planRows = 2600
	// planRowsOfText is how many more a text may cost.
	planRowsOfText = 7500
	planCompany    = 120 // of 80 contacts
)

// planOrders is how many orders there are: far more than may be touched, where the database counts that.
func planOrders(s *Store) int64 {
	if s.dialect == migrations.SQLite {
		return 500
	}
	return 20_000
}

// Nothing that the API can ask for reads all orders, or sorts them.
func TestEveryListingIsARangeOfAnIndex(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		fillForPlans(t, s)
		s.search = searchBounds{few: 200, sorted: 3000, walked: 2500}
		record := &recorder{Interface: logger.Discard}
		s.gorm.Logger = record
		s.DB().SetMaxOpenConns(1) // the counters of rows are those of a connection
		statements := 0
		for name, f := range planFilters(planOrders(s)) {
			before := rowsTouched(t, s)
			_, err := s.ListOrders(t.Context(), 1, f)
			require.NoError(t, err, name)
			touched := rowsTouched(t, s) - before
			limit := int64(planRows)
			if f.Query != "" {
				limit += planRowsOfText
			}
			require.LessOrEqual(t, touched, limit, "%s touches too many rows", name)
			for _, statement := range record.taken() {
				requireRange(t, s, name, statement)
				statements++
			}
		}
		require.Greater(t, statements, 500)
	})
}

// What histories come to is an index like the others. Of each of its entries the order is looked up, which makes two rows.
func TestEveryListingByCodeIsARangeOfAnIndex(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		fillForPlans(t, s)
		tellForPlans(t, s)
		record := &recorder{Interface: logger.Discard}
		s.gorm.Logger = record
		s.DB().SetMaxOpenConns(1)
		start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		for name, set := range map[string]func(f *order.Filter){
			"blocked":                   func(f *order.Filter) { f.Blocked = true },
			"most have the code":        func(f *order.Filter) { f.Code = "warehouse:packed" },
			"few have the code":         func(f *order.Filter) { f.Code = "warehouse:lost" },
			"blocked and have the code": func(f *order.Filter) { f.Blocked, f.Code = true, "warehouse:packed" },
			"deleted":                   func(f *order.Filter) { f.Code = order.HistoryDeleted },
		} {
			for also, with := range map[string]func(f *order.Filter){
				"":                    func(*order.Filter) {},
				"a big customer's":    func(f *order.Filter) { f.ERPPartnerID = 1 },
				"a company's":         func(f *order.Filter) { f.CompanyID = 40 },
				"few have the status": func(f *order.Filter) { f.Status = order.Picking },
				"a week":              func(f *order.Filter) { f.From, f.To = start.AddDate(0, 10, 0), start.AddDate(0, 10, 7) },
				"a later page": func(f *order.Filter) {
					f.Before = order.Position{OrderedAt: start.AddDate(0, 10, 5), ID: planOrders(s) / 2}
				},
				"what few of them have": func(f *order.Filter) { f.Query = "00123" },
				"tombstones among them": func(f *order.Filter) { f.Sync = order.SyncDeleted },
			} {
				var f order.Filter
				set(&f)
				with(&f)
				before := rowsTouched(t, s)
				_, err := s.ListOrders(t.Context(), 1, f)
				require.NoError(t, err, name+", "+also)
				require.LessOrEqual(t, rowsTouched(t, s)-before, int64(2*planRows), "%s, %s touches too many rows", name, also)
				for _, statement := range record.taken() {
					requireRange(t, s, name+", "+also, statement)
				}
			}
		}
		statements := func(read func() error) {
			require.NoError(t, read())
			for _, statement := range record.taken() {
				requireRange(t, s, "one order", statement)
			}
		}
		statements(func() error { _, err := s.History(t.Context(), 1, 500, order.HistoryFilter{}); return err })
		statements(func() error { _, err := s.HistoryStatus(t.Context(), 1, 500); return err })
		statements(func() error { _, err := s.OpenBlocks(t.Context(), 1, 500); return err })
	})
}

// tellForPlans gives nearly all orders one code, a few another, and some open blocks.
func tellForPlans(t *testing.T, s *Store) {
	t.Helper()
	for _, statement := range []string{
		"INSERT INTO history_latest (tenant_id, erp_order_id, module, status_code, position, ordered_at) SELECT tenant_id, erp_order_id, 'warehouse'," +
			" CASE WHEN erp_order_id % 400 = 5 THEN 'warehouse:lost' ELSE 'warehouse:packed' END, 2, ordered_at FROM orders",
		"INSERT INTO history_blocks (tenant_id, erp_order_id, positions, ordered_at) SELECT tenant_id, erp_order_id, '[2]', ordered_at FROM orders" +
			" WHERE erp_order_id % 10 = 0",
	} {
		_, err := s.DB().ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	analyze(t, s, "history_entries", "history_latest", "history_blocks")
}

// planFilters is every filter with every other.
func planFilters(orders int64) map[string]order.Filter {
	filters := map[string]order.Filter{"": {}}
	with := func(choices map[string]func(f *order.Filter)) {
		all := map[string]order.Filter{}
		for name, f := range filters {
			all[name] = f
			for choice, set := range choices {
				g := f
				set(&g)
				all[name+choice+", "] = g
			}
		}
		filters = all
	}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	with(map[string]func(f *order.Filter){
		"a customer":     func(f *order.Filter) { f.CustomerRef = "u-77" },
		"a big customer": func(f *order.Filter) { f.ERPPartnerID = 1 },
		"a company":      func(f *order.Filter) { f.CompanyID = 40 },
		"a big company":  func(f *order.Filter) { f.CompanyID = planCompany },
		"another's":      func(f *order.Filter) { f.ERPPartnerID, f.CompanyID = 1, planCompany },
	})
	with(map[string]func(f *order.Filter){
		"most have the status": func(f *order.Filter) { f.Status = order.Completed },
		"few have the status":  func(f *order.Filter) { f.Status = order.Picking },
	})
	with(map[string]func(f *order.Filter){
		"most have the source": func(f *order.Filter) { f.Source = "odoo" },
		"few have the source":  func(f *order.Filter) { f.Source = "market" },
	})
	with(map[string]func(f *order.Filter){
		"edited":  func(f *order.Filter) { f.Sync = order.SyncDrifted },
		"deleted": func(f *order.Filter) { f.Sync = order.SyncDeleted },
	})
	with(map[string]func(f *order.Filter){
		"what nobody has": func(f *order.Filter) { f.Query = "nowhere" },
		"what few have":   func(f *order.Filter) { f.Query = "00123" },
		"what all have":   func(f *order.Filter) { f.Query = "s" },
	})
	with(map[string]func(f *order.Filter){
		"a week": func(f *order.Filter) { f.From, f.To = start.AddDate(0, 10, 0), start.AddDate(0, 10, 7) },
	})
	with(map[string]func(f *order.Filter){
		"a later page": func(f *order.Filter) {
			f.Before = order.Position{OrderedAt: start.AddDate(0, 10, 5), ID: orders / 2}
		},
	})
	return filters
}

// fillForPlans stores orders as a shop has them: two in five are of one customer, nearly all are done.
func fillForPlans(t *testing.T, s *Store) {
	t.Helper()
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	var customers []order.Customer
	for id := int64(1); id <= 200; id++ {
		company := id - id%8
		if id > planCompany {
			company = planCompany
		}
		customers = append(customers, order.Customer{ERPPartnerID: id, ERPCompanyID: company, Ref: fmt.Sprint("u-", id)})
	}
	require.NoError(t, s.UpsertCustomers(t.Context(), 1, customers))
	var snapshots []order.Snapshot
	orders := planOrders(s)
	for id := int64(1); id <= orders; id++ {
		o := order.Snapshot{WriteDate: start, ReadAt: start, Order: order.Order{
			ID: id, Number: fmt.Sprintf("S%07d", id), Reference: fmt.Sprintf("P-%03d", id*7919%1000), Status: order.Completed,
			OrderedAt: start.Add(time.Duration(id) * planMonths * 30 * 24 * time.Hour / time.Duration(orders)),
			Customer:  order.Party{ERPPartnerID: 1}, Lines: []order.Line{{ERPLineID: id}}}}
		if id%5 > 1 {
			o.Customer.ERPPartnerID = 2 + id*31%199
		}
		if id%200 == 0 {
			o.Status = order.Picking
		}
		snapshots = append(snapshots, o)
	}
	_, err := s.UpsertOrders(t.Context(), 1, snapshots, "sync")
	require.NoError(t, err)
	for _, change := range []string{"source = 'market' WHERE erp_order_id % 50 = 7", "edited = 1 WHERE erp_order_id % 20 = 1",
		"deleted_at = '2025-12-01 00:00:00' WHERE erp_order_id % 40 = 9"} {
		_, err := s.DB().ExecContext(t.Context(), "UPDATE orders SET "+change)
		require.NoError(t, err)
	}
	analyze(t, s, "orders", "order_lines", "customers", "order_terms")
}

func analyze(t *testing.T, s *Store, tables ...string) {
	t.Helper()
	for _, table := range tables {
		statement := "ANALYZE TABLE " + table
		if s.dialect == migrations.SQLite {
			statement = "ANALYZE " + table
		}
		rows, err := s.DB().QueryContext(t.Context(), statement)
		require.NoError(t, err)
		require.NoError(t, rows.Close())
	}
}

// rowsTouched is how many rows and index entries the connection has read since it was opened. SQLite does not count.
func rowsTouched(t *testing.T, s *Store) (sum int64) {
	t.Helper()
	if s.dialect == migrations.SQLite {
		return 0
	}
	rows, err := s.DB().QueryContext(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read%'")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		require.NoError(t, rows.Scan(&name, &n))
		sum += n
	}
	require.NoError(t, rows.Err())
	return sum
}

// requireRange demands that a statement enters the big tables by a range of an index, and sorts nothing but tombstones, and
// terms, and what was found out about indexes.
func requireRange(t *testing.T, s *Store, name, statement string) {
	t.Helper()
	explain := map[bool]string{true: "EXPLAIN QUERY PLAN ", false: "EXPLAIN "}[s.dialect == migrations.SQLite]
	if s.dialect == migrations.MySQL {
		var version string
		require.NoError(t, s.DB().QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version))
		if strings.HasPrefix(version, "9") {
			explain = "EXPLAIN FORMAT=TRADITIONAL "
		}
	}
	rows, err := s.DB().QueryContext(t.Context(), explain+statement)
	require.NoError(t, err, statement)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	sorted := strings.Contains(statement, " probed ORDER BY ") || strings.Contains(statement, "deleted_at IS NOT NULL") ||
		strings.Contains(statement, "deleted_at > ''") || strings.Contains(statement, "order_terms")
	for rows.Next() {
		step := map[string]string{}
		values, targets := make([]*string, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		require.NoError(t, rows.Scan(targets...))
		for i, column := range columns {
			if values[i] != nil {
				step[column] = *values[i]
			}
		}
		where := fmt.Sprintf("%s: %s\n%v", name, statement, step)
		if detail, isSQLite := step["detail"]; isSQLite {
			for _, table := range []string{"SCAN o", "SCAN order", "SCAN l", "SCAN c", "SCAN h"} {
				require.NotContains(t, detail, table, where)
			}
			require.True(t, sorted || !strings.Contains(detail, "TEMP B-TREE"), where)
			continue
		}
		// The orders that are blocked are few: MySQL may read those of all tenants.
		derived := strings.HasPrefix(step["table"], "<") || step["table"] == "" || step["key"] == indexBlocksOrder
		require.True(t, derived || step["type"] != "ALL" && step["type"] != "index", where)
		require.True(t, derived || step["key"] != "", where)
		require.True(t, sorted || !strings.Contains(step["Extra"], "filesort"), where)
	}
	require.NoError(t, rows.Err())
}
