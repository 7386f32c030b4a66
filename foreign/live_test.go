package foreign_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/foreign"
)

// The other system keeps selling: it adds orders, some of them twice, adds children, changes and deletes rows, until
// the unique index refuses it. What it was told is written must be there in the end, once.
func TestAShopThatIsOpenIsCleanedUp(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 150, rand.New(rand.NewPCG(11, 11)))
		s.exec(t, "UPDATE sales_orders SET odoo_order_id = NULL WHERE odoo_order_id = 0")
		o := foreign.Options{Table: "sales_orders", Children: withEvents, Batch: 5}
		stop := make(chan struct{})
		var writers sync.WaitGroup
		var mu sync.Mutex
		lines := map[string]bool{} // skus that the shop was told are written
		for w := range 3 {
			writers.Go(func() {
				random := rand.New(rand.NewPCG(uint64(w), 12))
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
					}
					s.sell(t, random, fmt.Sprintf("live-%d-%d", w, n), func(sku string) {
						mu.Lock()
						lines[sku] = true
						mu.Unlock()
					})
				}
			})
		}
		done, err := s.Apply(t.Context(), o, nil)
		close(stop)
		writers.Wait()
		require.NoError(t, err)
		require.Equal(t, "ordergate_unique_odoo_order_id", done.Index)
		require.Equal(t, "", s.list(t, "SELECT odoo_order_id FROM sales_orders GROUP BY odoo_order_id HAVING COUNT(odoo_order_id) > 1"))
		written := map[string]bool{}
		for _, sku := range strings.Split(s.list(t, "SELECT sku FROM order_lines WHERE sku LIKE 'live%'"), ",") {
			written[sku] = true
		}
		for sku := range lines {
			require.True(t, written[sku], "line %s is lost", sku)
		}
		require.NotEmpty(t, lines)
		require.Equal(t, "", s.list(t, "SELECT e.id FROM order_events e LEFT JOIN sales_orders o ON o.id = e.order_id WHERE o.id IS NULL AND e.what = 'seen'"))
		t.Logf("%d lines were written beside %d rounds; %d rows archived, %d skipped", len(lines), done.Counts.Rounds, done.Counts.Archived, done.Counts.Skipped)
	})
}

var soldRows atomic.Int64

// erpID is that of a new order, or now and then of one that the shop has.
func erpID(random *rand.Rand) int64 {
	if random.IntN(20) == 0 {
		return random.Int64N(90) + 1
	}
	return 1000 + random.Int64N(1<<40)
}

// sell does one thing that a shop does. What it is refused, by a lock, the index or a row that is gone, it gives up.
func (s shop) sell(t *testing.T, random *rand.Rand, sku string, wrote func(sku string)) {
	ctx := t.Context()
	switch random.IntN(4) {
	case 0: // an order, perhaps once more
		_, _ = s.sql.ExecContext(ctx, "INSERT INTO sales_orders (id, odoo_order_id, created_at) VALUES (?, ?, NOW(3))", soldRows.Add(1), erpID(random))
	case 1: // a line for some order
		result, err := s.sql.ExecContext(ctx, "INSERT INTO order_lines (order_id, sku) SELECT id, ? FROM sales_orders ORDER BY RAND() LIMIT 1", sku)
		if err == nil {
			if n, err := result.RowsAffected(); err == nil && n == 1 {
				wrote(sku)
			}
		}
	case 2: // an order turns out to be another
		_, _ = s.sql.ExecContext(ctx, "UPDATE sales_orders SET odoo_order_id = ? WHERE id = ?", erpID(random), soldRows.Load()-int64(random.IntN(5)))
	case 3:
		_, _ = s.sql.ExecContext(ctx, "DELETE FROM sales_orders WHERE id = ? AND NOT EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = ?)", soldRows.Load(), soldRows.Load())
	}
}

// What changed between the look and its turn is left to the next look.
func TestRowsThatChangedMeanwhileAreNotRemoved(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, fmt.Sprintf(createShop, integers.key, integers.id))
		s.exec(t, "INSERT INTO sales_orders (id, odoo_order_id) VALUES (1, 7), (2, 7), (3, 8), (4, 8), (5, 9), (6, 9), (7, 10), (8, 10), (9, NULL)")
		changed := false
		s.Hooks(func(query string) error {
			if !changed && strings.Contains(query, "FOR UPDATE") && strings.Contains(query, "STRAIGHT_JOIN") {
				changed = true
				s.exec(t, "UPDATE sales_orders SET odoo_order_id = 70 WHERE id = 2") // another order
				s.exec(t, "DELETE FROM sales_orders WHERE id = 3")                   // the one that was to be kept
				s.exec(t, "UPDATE sales_orders SET odoo_order_id = NULL WHERE id = 6")
			}
			return nil
		}, nil)
		done, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders"}, nil)
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, "1,2,4,5,6,7,9", s.list(t, "SELECT id FROM sales_orders ORDER BY id"))
		require.EqualValues(t, 1, done.Counts.Archived)
		require.EqualValues(t, 3, done.Counts.Skipped)
	})
}

// A duplicate that comes just before the index is swept in another round; one that always comes ends the call.
func TestDuplicatesThatComeBeforeTheIndexAreSwept(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, fmt.Sprintf(createShop, integers.key, integers.id))
		s.exec(t, "INSERT INTO sales_orders (id, odoo_order_id) VALUES (1, 7), (2, 7)")
		late, id := 2, 100
		s.Hooks(func(query string) error {
			if strings.Contains(query, "ADD UNIQUE") && late > 0 {
				late--
				id++
				s.exec(t, fmt.Sprintf("INSERT INTO sales_orders (id, odoo_order_id) VALUES (%d, 7)", id))
			}
			return nil
		}, nil)
		done, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders"}, nil)
		require.NoError(t, err)
		require.Equal(t, 3, done.Counts.Rounds)
		require.Equal(t, "1", s.list(t, "SELECT id FROM sales_orders"))
		require.Contains(t, s.leftovers(t), "ordergate_unique_odoo_order_id")
		require.NotContains(t, s.leftovers(t), "ordergate_dedupe_"+done.ID+"_rows")
		require.NotContains(t, s.leftovers(t), "ordergate_dedupe_"+done.ID+",", "the index that only the run needed is gone")

		_, err = s.Undo(t.Context(), done.ID, nil)
		require.NoError(t, err)
		require.Equal(t, "1,2,101,102", s.list(t, "SELECT id FROM sales_orders ORDER BY id"))
		late = 1000
		_, err = s.Apply(t.Context(), foreign.Options{Table: "sales_orders"}, nil)
		require.ErrorContains(t, err, "new duplicates keep appearing")
		late = 0
		done, err = s.Apply(t.Context(), foreign.Options{Table: "sales_orders"}, nil)
		require.NoError(t, err, "the next call goes on")
		require.Equal(t, foreign.Done, done.State)
	})
}

// Nothing keeps a table without a foreign key from getting children of a row that is just being removed.
func TestChildrenThatComeLateAreHandedOn(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, fmt.Sprintf(createShop, integers.key, integers.id))
		s.exec(t, "INSERT INTO sales_orders (id, odoo_order_id) VALUES (1, 7), (2, 7), (3, 7)")
		s.exec(t, "INSERT INTO order_events (id, order_id, what) VALUES (1, 2, 'seen')")
		late := false
		s.Hooks(func(query string) error {
			if !late && strings.HasPrefix(query, "DELETE s FROM") {
				late = true
				s.exec(t, "INSERT INTO order_events (id, order_id, what) VALUES (2, 2, 'late'), (3, 3, 'late')")
			}
			return nil
		}, nil)
		done, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Children: withEvents}, nil)
		require.NoError(t, err)
		require.True(t, late)
		require.Equal(t, "1>1,2>1,3>1", s.list(t, "SELECT CONCAT(id, '>', order_id) FROM order_events ORDER BY id"))
		_, err = s.Undo(t.Context(), done.ID, nil)
		require.NoError(t, err)
		require.Equal(t, "1>2,2>2,3>3", s.list(t, "SELECT CONCAT(id, '>', order_id) FROM order_events ORDER BY id"))
	})
}

// Triggers of the other system may do anything. A batch that did not do what it was to do is taken back.
func TestATriggerThatInterferesIsNoticed(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		for trigger, reason := range map[string]string{
			"BEFORE UPDATE ON order_lines FOR EACH ROW SET NEW.order_id = OLD.order_id":                  "of 1 children in order_lines.order_id 0 were moved",
			"BEFORE UPDATE ON order_notes FOR EACH ROW SET NEW.order_id = NULL":                          "of 1 children in order_notes.order_id 0 were moved and 0 archived",
			"AFTER UPDATE ON order_events FOR EACH ROW DELETE FROM sales_orders WHERE id = OLD.order_id": "of 1 rows 0 were archived and 0 deleted",
		} {
			s.exec(t, fmt.Sprintf(createShop, integers.key, integers.id))
			s.exec(t, "INSERT INTO sales_orders (id, odoo_order_id) VALUES (1, 7), (2, 7)")
			s.exec(t, "INSERT INTO order_lines (order_id, sku) VALUES (2, 'A'); INSERT INTO order_notes (order_id, slug) VALUES (2, 'A'); INSERT INTO order_events (order_id, what) VALUES (2, 'seen')")
			before := s.checksums(t)
			s.exec(t, "CREATE TRIGGER interfering "+trigger)
			_, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Children: withEvents}, nil)
			require.ErrorContains(t, err, reason)
			require.Equal(t, before, s.checksums(t))
			s.exec(t, "DROP TRIGGER interfering")
			done, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Children: withEvents}, nil)
			require.NoError(t, err)
			require.EqualValues(t, 1, done.Counts.Archived)
			s.drop(t)
			s.exec(t, "DROP TABLE ordergate_dedupe_runs")
		}
	})
}
