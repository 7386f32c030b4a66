package migrations_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
)

// legacy fills a database that stands at step 3 with what an earlier system left:
//
//	ERP order 100: rows 1 (kept, with lines), 2 (with lines and history), 3 (with history)
//	ERP order 200: rows 4 (newer by created_at), 5 (older: kept, without lines), 6 (with lines too)
//	ERP order 100 of tenant 2: row 7
//	no ERP order: row 8 with lines and history, row 9 with 0
//	ERP order 300: row 10 alone; ERP order 400: rows 11 (no created_at), 12 (kept)
func legacy(t *testing.T, s *store.Store) {
	t.Helper()
	orders := []struct {
		id, tenant int64
		erp        any
		number     string
		created    any
	}{
		{1, 1, 100, "S1", "2026-01-01 10:00:00"}, {2, 1, 100, "S1", "2026-01-02 10:00:00"},
		{3, 1, 100, "S1", "2026-01-02 10:00:00"},
		{4, 1, 200, "S2", "2026-01-05 10:00:00"}, {5, 1, 200, "S2", "2026-01-04 10:00:00"},
		{6, 1, 200, "S2", "2026-01-06 10:00:00"},
		{7, 2, 100, "T1", "2026-01-01 10:00:00"},
		{8, 1, nil, "S8", "2026-01-01 10:00:00"}, {9, 1, 0, "S9", "2026-01-01 10:00:00"},
		{10, 1, 300, "S3", "2026-01-01 10:00:00"},
		{11, 1, 400, "S4", nil}, {12, 1, 400, "S4", "2026-01-01 10:00:00"},
	}
	for _, o := range orders {
		exec(t, s.DB(), "INSERT INTO orders (id, tenant_id, erp_order_id, number, reference, amount_total, created_at)"+
			" VALUES (?, ?, ?, ?, 'it''s \"quoted\" — ü', '19.900000', ?)", o.id, o.tenant, o.erp, o.number, o.created)
	}
	for i, orderID := range []int64{1, 1, 2, 2, 4, 6, 6, 8, 7} {
		exec(t, s.DB(), "INSERT INTO order_lines (id, tenant_id, order_id, sku, quantity) VALUES (?, ?, ?, 'A', '1.5')",
			i+1, tenantOf(orderID), orderID)
	}
	for i, orderID := range []int64{1, 2, 3, 6, 8, 7} {
		exec(t, s.DB(), "INSERT INTO order_history (id, tenant_id, order_id, status, detail) VALUES (?, ?, ?, 'sale', 'seen')",
			i+1, tenantOf(orderID), orderID)
	}
}

func tenantOf(orderID int64) int64 {
	if orderID == 7 {
		return 2
	}
	return 1
}

func TestDedupeKeepsTheOldestRowAndEveryChild(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), 3, nil))
		legacy(t, s)

		found, err := migrations.FindDuplicates(t.Context(), s.DB(), s.Dialect())
		require.NoError(t, err)
		require.Empty(t, found.RunID)
		require.EqualValues(t, 3, found.DuplicatedOrders)
		require.EqualValues(t, 5, found.SurplusRows)
		require.EqualValues(t, 2, found.RowsWithoutERPID)
		require.Equal(t, []migrations.Duplicate{
			{TenantID: 1, ERPOrderID: 100, KeptRow: 1, OtherRows: []int64{2, 3}},
			{TenantID: 1, ERPOrderID: 200, KeptRow: 5, OtherRows: []int64{4, 6}},
			{TenantID: 1, ERPOrderID: 400, KeptRow: 12, OtherRows: []int64{11}},
		}, found.Duplicates)
		require.EqualValues(t, 12, count(t, s.DB(), "SELECT COUNT(*) FROM orders"), "finding must change nothing")

		done, err := migrations.Dedupe(t.Context(), s.DB(), s.Dialect(), nil)
		require.NoError(t, err)
		require.NotEmpty(t, done.RunID)
		require.Equal(t, found.Duplicates, done.Duplicates)
		require.EqualValues(t, 1, done.LinesMoved, "the line of row 4, which is the older of the two that have lines")
		require.EqualValues(t, 5, done.LinesArchived, "of rows 2, 6 and 8")
		require.EqualValues(t, 3, done.HistoryMoved)
		require.EqualValues(t, 1, done.HistoryArchived)

		require.Equal(t, "1,5,7,10,12", list(t, s, "SELECT id FROM orders ORDER BY id"))
		require.Equal(t, "1,2", list(t, s, "SELECT id FROM order_lines WHERE order_id = 1 ORDER BY id"))
		require.Equal(t, "5", list(t, s, "SELECT id FROM order_lines WHERE order_id = 5 ORDER BY id"))
		require.Equal(t, "9", list(t, s, "SELECT id FROM order_lines WHERE order_id = 7"))
		require.Equal(t, "1,2,3", list(t, s, "SELECT id FROM order_history WHERE order_id = 1 ORDER BY id"))
		require.Equal(t, "4", list(t, s, "SELECT id FROM order_history WHERE order_id = 5"))

		require.Equal(t, "2>1,3>1,4>5,6>5,11>12", list(t, s, concat(s, "row_id", "kept_row_id")+
			" FROM dedupe_archive WHERE table_name = 'orders' AND reason = 'duplicate' ORDER BY row_id"))
		require.Equal(t, "8,9", list(t, s,
			"SELECT row_id FROM dedupe_archive WHERE table_name = 'orders' AND reason = 'no_erp_order_id' ORDER BY row_id"))
		require.Equal(t, "3,4,6,7", list(t, s,
			"SELECT row_id FROM dedupe_archive WHERE table_name = 'order_lines' AND reason = 'duplicate' ORDER BY row_id"))
		require.Equal(t, "8", list(t, s,
			"SELECT row_id FROM dedupe_archive WHERE table_name = 'order_lines' AND reason = 'no_erp_order_id'"))

		var row map[string]any
		archived := list(t, s, "SELECT row_json FROM dedupe_archive WHERE table_name = 'orders' AND row_id = 2")
		require.NoError(t, json.Unmarshal([]byte(archived), &row))
		require.Equal(t, `it's "quoted" — ü`, row["reference"])
		require.Equal(t, "19.900000", row["amount_total"], "money must stay exact")
		require.EqualValues(t, 100, row["erp_order_id"])

		again, err := migrations.Dedupe(t.Context(), s.DB(), s.Dialect(), nil)
		require.NoError(t, err)
		require.Equal(t, migrations.DuplicateReport{}, again)
	})
}

func TestALegacyDatabaseMigrates(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), 3, nil))
		legacy(t, s)
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))

		require.Equal(t, "19.900000", list(t, s, "SELECT amount_total FROM orders WHERE erp_order_id = 100 AND tenant_id = 1"))
		require.EqualValues(t, 2, count(t, s.DB(), "SELECT COUNT(*) FROM order_lines WHERE order_id = 1"))
		_, err := s.Order(t.Context(), 1, 100)
		require.True(t, order.IsKind(err, order.NotFound), "what was never read from the ERP is not shown")

		counts, err := s.UpsertOrders(t.Context(), 1, []order.Snapshot{{
			Order: order.Order{ID: 100, Number: "S1", Status: order.Confirmed}, WriteDate: storetest.At(10, 0)}}, "sync")
		require.NoError(t, err)
		require.Equal(t, store.Upserted{Updated: 1}, counts, "the row is taken over")
		got, err := s.Order(t.Context(), 1, 100)
		require.NoError(t, err)
		require.Equal(t, "S1", got.Number)
		require.EqualValues(t, 1, count(t, s.DB(), "SELECT id FROM orders WHERE erp_order_id = 100 AND tenant_id = 1"))
		history, err := s.History(t.Context(), 1, 100, order.HistoryFilter{})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(history), 3)
		require.Equal(t, "order:sale", history[0].Code, "the earlier system's history stays")
		require.Equal(t, "seen", history[0].Detail)

		orphans, err := s.Orphans(t.Context(), 1, 0, 0)
		require.NoError(t, err)
		require.Len(t, orphans, 2)
		require.Equal(t, "S8", orphans[0].Number)
		require.Equal(t, `it's "quoted" — ü`, orphans[0].Reference)

		report, err := migrations.FindDuplicates(t.Context(), s.DB(), s.Dialect())
		require.NoError(t, err)
		require.Equal(t, migrations.DuplicateReport{}, report)
		done, err := migrations.Dedupe(t.Context(), s.DB(), s.Dialect(), nil)
		require.NoError(t, err)
		require.Equal(t, migrations.DuplicateReport{}, done)
	})
}

func TestDedupeAtStepOneHasNoChildrenToMove(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		report, err := migrations.Dedupe(t.Context(), s.DB(), s.Dialect(), nil)
		require.NoError(t, err, "an empty database")
		require.Equal(t, migrations.DuplicateReport{}, report)

		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), 1, nil))
		exec(t, s.DB(), "INSERT INTO orders (id, erp_order_id) VALUES (1, 7), (2, 7), (3, NULL)")
		report, err = migrations.Dedupe(t.Context(), s.DB(), s.Dialect(), nil)
		require.NoError(t, err)
		require.EqualValues(t, 1, report.SurplusRows)
		require.Equal(t, "1", list(t, s, "SELECT id FROM orders"))
		require.EqualValues(t, 2, count(t, s.DB(), "SELECT COUNT(*) FROM dedupe_archive"))
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		require.EqualValues(t, 2, count(t, s.DB(), "SELECT COUNT(*) FROM dedupe_archive"))
	})
}

// An earlier system that still runs may add a duplicate after step 5.
func TestDuplicatesThatCameAfterTheDedupeStep(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), 5, nil))
		exec(t, s.DB(), "INSERT INTO orders (id, erp_order_id) VALUES (1, 7), (2, 7), (3, NULL)")
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		require.Equal(t, "1", list(t, s, "SELECT id FROM orders"))
	})
}

func TestDedupeOfManyRowsStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), 3, nil))
		const rows, orders = 20000, 6000 // 140 rows without an id, the others three or four to an order
		loadMany(t, s, rows, orders)
		children := count(t, s.DB(), "SELECT COUNT(*) FROM order_lines")
		entries := count(t, s.DB(), "SELECT COUNT(*) FROM order_history")

		ctx, cancel := context.WithCancel(t.Context())
		var last migrations.DedupeProgress
		_, err := migrations.Dedupe(ctx, s.DB(), s.Dialect(), func(p migrations.DedupeProgress) {
			last = p
			if p.Done >= 2000 {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.EqualValues(t, rows-last.Done, count(t, s.DB(), "SELECT COUNT(*) FROM orders"))

		begin := time.Now()
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		t.Logf("migrating %d rows took %v", rows, time.Since(begin).Round(time.Millisecond))

		require.EqualValues(t, orders, count(t, s.DB(), "SELECT COUNT(*) FROM orders"))
		require.EqualValues(t, orders, count(t, s.DB(), "SELECT COUNT(DISTINCT order_id) FROM order_lines"),
			"every order keeps lines")
		archived := func(table string) int64 {
			return count(t, s.DB(), "SELECT COUNT(*) FROM dedupe_archive WHERE table_name = ?", table)
		}
		require.EqualValues(t, rows-orders, archived("orders"))
		require.Equal(t, children, count(t, s.DB(), "SELECT COUNT(*) FROM order_lines")+archived("order_lines"))
		require.Equal(t, entries, count(t, s.DB(), "SELECT COUNT(*) FROM order_history")+archived("order_history"))
		require.Equal(t, int64(rows-orders)/100, archived("order_history"), "only what belongs to no order of the ERP is archived")
	})
}

func loadMany(t *testing.T, s *store.Store, rows, orders int) {
	t.Helper()
	tx, err := s.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	insert := func(into string, values []string) {
		_, err := tx.ExecContext(t.Context(), into+" VALUES "+strings.Join(values, ","))
		require.NoError(t, err)
	}
	for begin := 0; begin < rows; begin += 1000 {
		var parents, lines, entries []string
		for i := begin; i < begin+1000; i++ {
			erp := fmt.Sprint(i%orders + 1)
			if i%100 == 99 && i >= orders {
				erp = "NULL"
			}
			parents = append(parents, fmt.Sprintf("(%d, %s, 'S%d', '2026-01-%02d 00:00:00')", i+1, erp, i, i%28+1))
			lines = append(lines, fmt.Sprintf("(%d, 'A')", i+1), fmt.Sprintf("(%d, 'B')", i+1))
			entries = append(entries, fmt.Sprintf("(%d, 'sale')", i+1))
		}
		insert("INSERT INTO orders (id, erp_order_id, number, created_at)", parents)
		insert("INSERT INTO order_lines (order_id, sku)", lines)
		insert("INSERT INTO order_history (order_id, status)", entries)
	}
	require.NoError(t, tx.Commit())
	loose := count(t, s.DB(), "SELECT COUNT(*) FROM orders WHERE erp_order_id IS NULL OR erp_order_id = 0")
	require.EqualValues(t, int64(rows-orders)/100, loose)
}

func concat(s *store.Store, a, b string) string {
	if s.Dialect() == migrations.SQLite {
		return "SELECT " + a + " || '>' || " + b
	}
	return "SELECT CONCAT(" + a + ", '>', " + b + ")"
}

// list joins the first column of a query's rows.
func list(t *testing.T, s *store.Store, query string) string {
	t.Helper()
	rows, err := s.DB().QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	var values []string
	for rows.Next() {
		var v string
		require.NoError(t, rows.Scan(&v))
		values = append(values, v)
	}
	require.NoError(t, rows.Err())
	return strings.Join(values, ",")
}
