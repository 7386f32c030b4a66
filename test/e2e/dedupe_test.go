package e2e

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/store"
	"ordergate/test/env"
)

// dedupeReport is what `ordergate dedupe --json` prints, as far as the test looks at it.
type dedupeReport struct {
	Applied    bool `json:"applied"`
	OldSchema  bool `json:"old_schema"`
	Duplicates struct {
		DuplicatedOrders int `json:"duplicated_orders"`
		SurplusRows      int `json:"surplus_rows"`
		RowsWithoutERPID int `json:"rows_without_erp_id"`
	} `json:"duplicates"`
	Differences []struct {
		Orphans []struct {
			Number     string `json:"number"`
			ERPOrderID int64  `json:"erp_order_id"`
		} `json:"orphans"`
		Missing []int64 `json:"missing"`
		Gone    []int64 `json:"gone"`
	} `json:"differences"`
}

func (s *stack) dedupe(t *testing.T, args ...string) dedupeReport {
	t.Helper()
	var report dedupeReport
	require.NoError(t, json.Unmarshal([]byte(s.must(t, append([]string{"dedupe", "--json"}, args...)...)), &report))
	return report
}

// A portal's old table, with all that goes wrong in those, becomes a mirror: reported first, then cleaned up, and
// left alone the second time.
func TestOldTableBecomesAMirror(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		database := map[int]func(testing.TB) string{14: env.MariaDB, 19: env.MySQL}[s.odoo.Major]
		s.settings = s.with(settings{"ORDERGATE_DATABASE": env.Database(t, database(t))})
		db, err := store.Open(t.Context(), s.settings["ORDERGATE_DATABASE"], store.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		require.NoError(t, migrations.UpTo(t.Context(), db.DB(), db.Dialect(), 3, nil))

		id := s.people(t, "sale.order", "create", map[string]any{"partner_id": 9}).(int64)
		lost := s.people(t, "sale.order", "create", map[string]any{"partner_id": 9}).(int64)
		number := s.people(t, "sale.order", "read", []any{lost}, []any{"name"}).([]any)[0].(map[string]any)["name"]
		gone := s.people(t, "sale.order", "create", map[string]any{"partner_id": 9}).(int64)
		s.people(t, "sale.order", "unlink", []any{gone})
		insert := func(erpID any, number any, createdAt string) {
			_, err := db.DB().ExecContext(t.Context(),
				"INSERT INTO orders (erp_order_id, number, created_at) VALUES (?, ?, ?)", erpID, number, createdAt)
			require.NoError(t, err)
		}
		insert(id, nil, "2025-01-02 00:00:00")
		insert(id, nil, "2025-01-01 00:00:00") // the oldest
		insert(id, nil, "2025-01-03 00:00:00")
		insert(gone, nil, "2025-01-01 00:00:00")
		insert(nil, number, "2025-01-01 00:00:00")
		insert(nil, "NO-SUCH-NUMBER", "2025-01-01 00:00:00")

		report := s.dedupe(t)
		require.True(t, report.OldSchema)
		require.False(t, report.Applied)
		require.Equal(t, 1, report.Duplicates.DuplicatedOrders)
		require.Equal(t, 2, report.Duplicates.SurplusRows)
		require.Equal(t, 2, report.Duplicates.RowsWithoutERPID)
		require.Len(t, report.Differences[0].Orphans, 2)
		var rows int
		require.NoError(t, db.DB().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM orders").Scan(&rows))
		require.Equal(t, 6, rows, "a report changes nothing")

		report = s.dedupe(t, "--apply")
		require.True(t, report.Applied)
		require.Equal(t, 2, report.Duplicates.SurplusRows)
		require.Equal(t, []int64{gone}, report.Differences[0].Gone)
		require.Contains(t, report.Differences[0].Missing, lost, "pulled")
		matched := map[string]int64{}
		for _, o := range report.Differences[0].Orphans {
			matched[o.Number] = o.ERPOrderID
		}
		require.Equal(t, map[string]int64{number.(string): lost, "NO-SUCH-NUMBER": 0}, matched)

		report = s.dedupe(t, "--apply")
		require.Zero(t, report.Duplicates.SurplusRows)
		require.Empty(t, report.Differences[0].Gone)
		require.NotContains(t, report.Differences[0].Missing, lost)
		require.Len(t, report.Differences[0].Orphans, 1, "the orphan is still listed")

		c := newCaller(t, s.serve(t), s.createKey(t, "--role", "portal", "--name", "shop"))
		for _, existing := range []int64{id, lost} {
			c.call(t, http.MethodGet, path("/v1/orders/%d", existing), nil).requireStatus(t, http.StatusOK)
		}
		c.call(t, http.MethodGet, path("/v1/orders/%d", gone), nil).requireProblem(t, http.StatusNotFound, "order_not_found")
		require.Contains(t, s.must(t, "dedupe"), "orphan")

		// Beside a serving gateway it leaves alone what is being placed.
		var placing sync.WaitGroup
		batch := unique("beside")
		for i := range 4 {
			placing.Go(func() {
				key := path("%s-%d", batch, i)
				a, err := c.try(http.MethodPost, "/v1/orders", orderBody(key), "Idempotency-Key", key)
				if err != nil || a.status != http.StatusCreated {
					t.Errorf("%v %d %s", err, a.status, a.raw)
				}
			})
		}
		s.dedupe(t, "--apply")
		placing.Wait()
		report = s.dedupe(t)
		require.Zero(t, report.Duplicates.SurplusRows)
		require.Empty(t, report.Differences[0].Gone)
		for i := range 4 {
			key := path("%s-%d", batch, i)
			require.Equal(t, 1, s.countOrders(t, key))
			id := c.place(t, key, orderBody(key)).requireStatus(t, http.StatusCreated).id(t)
			got := c.call(t, http.MethodGet, path("/v1/orders/%d", id), nil).requireStatus(t, http.StatusOK)
			require.Nil(t, got.body["deleted_at"])
		}
	})
}
