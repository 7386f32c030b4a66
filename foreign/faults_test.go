package foreign_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"ordergate/foreign"
)

// errKilled stands for whatever ends a process or its connection.
var errKilled = errors.New("killed")

// Every statement of a run and of its undo fails once, among them every COMMIT: before it, and with its answer lost. The
// next call goes on, and in the end nothing tells that there was a failure.
func TestARunThatIsKilledAtAnyStatementGoesOn(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 60, rand.New(rand.NewPCG(7, 7)))
		s.exec(t, "UPDATE sales_orders SET odoo_order_id = NULL WHERE odoo_order_id = 0")
		o := foreign.Options{Table: "sales_orders", Children: withEvents, Batch: 9}
		before := s.checksums(t)
		lines, events := s.list(t, families("order_lines", "order_id")), s.list(t, families("order_events", "order_id"))
		found, err := s.Find(t.Context(), o)
		require.NoError(t, err)
		// Every statement in turn would take minutes; these are at different places of the batches.
		stride := 13

		for n, killed := 1, true; killed; n += stride {
			killed = false
			var seen int
			kill := func(string) error {
				if seen++; seen == n {
					killed = true
					return errKilled
				}
				return nil
			}
			attempt := func(wanted foreign.State, work func() (foreign.Run, error)) foreign.Run {
				s.Hooks(kill, kill)
				r, err := work()
				s.Hooks(nil, nil)
				if errors.Is(err, errKilled) {
					if r, err = latest(t, s), nil; r.State != wanted { // unless only the answer to the last COMMIT was lost
						r, err = work()
					}
				}
				require.NoError(t, err, "killed at %d", n)
				return r
			}
			done := attempt(foreign.Done, func() (foreign.Run, error) { return s.Apply(t.Context(), o, nil) })
			require.Equal(t, foreign.Done, done.State)
			require.Equal(t, found.SurplusRows, done.Counts.Archived, "killed at %d", n)
			require.Equal(t, lines, s.list(t, families("order_lines", "order_id")), "killed at %d", n)
			require.Equal(t, events, s.list(t, families("order_events", "order_id")), "killed at %d", n)
			require.Equal(t, "ordergate_unique_odoo_order_id", done.Index)
			_, err := s.sql.ExecContext(t.Context(), "INSERT INTO sales_orders (id, odoo_order_id) SELECT 1, MAX(odoo_order_id) FROM sales_orders")
			require.Error(t, err, "the index must stand")

			applied := seen
			seen = 0
			undone := attempt(foreign.Undone, func() (foreign.Run, error) { return s.Undo(t.Context(), done.ID, nil) })
			require.Equal(t, foreign.Undone, undone.State)
			require.Equal(t, before, s.checksums(t), "killed at %d", n)
			require.Equal(t, "ordergate_dedupe_runs", s.leftovers(t), "killed at %d", n)
			if n == 1 {
				t.Logf("a run has %d statements", applied)
			}
		}
	})
}

func latest(t *testing.T, s shop) foreign.Run {
	t.Helper()
	runs, err := s.Runs(t.Context())
	require.NoError(t, err)
	if len(runs) == 0 {
		return foreign.Run{}
	}
	return runs[0]
}

// A server may choose this transaction as the victim of a deadlock, or let it wait too long.
func TestLostRacesAreRunAgain(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 60, rand.New(rand.NewPCG(3, 3)))
		before := s.checksums(t)
		lost := map[string]bool{}
		s.Hooks(func(query string) error {
			verb, _, _ := strings.Cut(query, " ")
			writes := verb == "DELETE" || verb == "UPDATE" || verb == "ALTER" || verb == "COMMIT" || verb == "TRUNCATE"
			if !writes || lost[query] {
				return nil
			}
			lost[query] = true
			return &mysql.MySQLError{Number: []uint16{1205, 1213, 1020}[len(lost)%3], Message: "a race that was lost"}
		}, nil)
		done, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Children: withEvents, Batch: 30}, nil)
		require.NoError(t, err)
		s.Hooks(nil, nil)
		require.Greater(t, len(lost), 10)
		_, err = s.Undo(t.Context(), done.ID, nil)
		require.NoError(t, err)
		require.Equal(t, before, s.checksums(t))
	})
}

func TestARunStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 60, rand.New(rand.NewPCG(5, 5)))
		o := foreign.Options{Table: "sales_orders", Batch: 2}
		ctx, cancel := context.WithCancel(t.Context())
		stopped, err := s.Apply(ctx, o, func(p foreign.Progress) {
			if p.Archived > 0 {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		found, err := s.Find(t.Context(), o)
		require.NoError(t, err)
		require.NotNil(t, found.Unfinished)
		require.Equal(t, stopped.ID, found.Unfinished.ID)

		other := o
		other.Keep = foreign.KeepChildren
		_, err = s.Apply(t.Context(), other, nil)
		require.ErrorContains(t, err, "under way with other options")

		s.exec(t, "ALTER TABLE sales_orders ADD COLUMN added INT NULL")
		_, err = s.Apply(t.Context(), o, nil)
		require.ErrorContains(t, err, "the columns of sales_orders have changed")
		s.exec(t, "ALTER TABLE sales_orders DROP COLUMN added")
		s.exec(t, "CREATE TABLE latecomers (id INT PRIMARY KEY, order_id BIGINT UNSIGNED, FOREIGN KEY (order_id) REFERENCES sales_orders (id) ON DELETE CASCADE)")
		_, err = s.Apply(t.Context(), o, nil)
		require.ErrorContains(t, err, "foreign keys or unique keys around sales_orders have changed")
		s.exec(t, "DROP TABLE latecomers")

		done, err := s.Apply(t.Context(), o, nil)
		require.NoError(t, err)
		require.Equal(t, stopped.ID, done.ID)
		runs, err := s.Runs(t.Context())
		require.NoError(t, err)
		require.Len(t, runs, 1)
		require.Equal(t, done, runs[0])
		require.NotNil(t, done.EndedAt)
	})
}

// Columns that come between the check at the beginning and a batch must not be lost either.
func TestAColumnThatComesDuringARunIsNotLost(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 60, rand.New(rand.NewPCG(5, 6)))
		var archived int64 // when the column came
		_, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Batch: 5}, func(p foreign.Progress) {
			if p.Archived > 0 && archived == 0 {
				archived = p.Archived
				s.exec(t, "ALTER TABLE sales_orders ADD COLUMN added INT NULL DEFAULT 4")
			}
		})
		require.Positive(t, archived)
		require.Equal(t, archived, latest(t, s).Counts.Archived, "not one more row")
		require.ErrorContains(t, err, "the columns of sales_orders have changed")
	})
}

func TestTwoProcessesShareARun(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 80, rand.New(rand.NewPCG(9, 9)))
		before := s.checksums(t)
		o := foreign.Options{Table: "sales_orders", Children: withEvents, Batch: 3}
		found, err := s.Find(t.Context(), o)
		require.NoError(t, err)
		other := openShop(t, s.dsn)
		results := make(chan error, 2)
		for _, each := range []shop{s, other} {
			go func() {
				_, err := each.Apply(t.Context(), o, nil)
				results <- err
			}()
		}
		for range 2 {
			if err := <-results; err != nil {
				t.Log("one gave way:", err) // to the other, as to any program that alters a table
			}
		}
		done, err := s.Apply(t.Context(), o, nil)
		require.NoError(t, err)
		runs, err := s.Runs(t.Context())
		require.NoError(t, err)
		var archived int64
		for _, r := range runs {
			require.Equal(t, foreign.Done, r.State)
			require.Zero(t, r.Counts.Skipped, "a batch was begun twice")
			archived += r.Counts.Archived
		}
		require.Equal(t, found.SurplusRows, archived)
		require.Equal(t, "", s.list(t, "SELECT odoo_order_id FROM sales_orders WHERE odoo_order_id > 0 GROUP BY 1 HAVING COUNT(*) > 1"))
		for _, r := range runs {
			_, err = s.Undo(t.Context(), r.ID, nil)
			require.NoError(t, err)
		}
		require.Equal(t, before, s.checksums(t), fmt.Sprint(done.Counts))
	})
}

// A process may be stopped for as long as another takes to end its run.
func TestAProcessThatFellAsleepDoesNoHarm(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 40, rand.New(rand.NewPCG(13, 13)))
		s.exec(t, "UPDATE sales_orders SET odoo_order_id = NULL WHERE odoo_order_id = 0")
		before := s.checksums(t)
		o := foreign.Options{Table: "sales_orders", Batch: 6}
		other := openShop(t, s.dsn)
		for turn := range 8 {
			n := 0
			var ended foreign.Run
			s.Hooks(func(query string) error {
				if strings.Contains(query, "run_id = ? FOR UPDATE") {
					if n++; n == turn+1 {
						var err error
						ended, err = other.Apply(t.Context(), o, nil)
						return err
					}
				}
				return nil
			}, nil)
			done, err := s.Apply(t.Context(), o, nil)
			s.Hooks(nil, nil)
			require.NoError(t, err, "turn %d", turn)
			require.Equal(t, foreign.Done, done.State)
			if ended.ID != "" {
				require.Equal(t, ended.ID, done.ID)
				require.Equal(t, ended.Counts.Archived, done.Counts.Archived)
				require.Equal(t, ended.Counts.Rounds, done.Counts.Rounds, "turn %d", turn)
				require.Equal(t, ended.EndedAt, done.EndedAt, "turn %d: what has ended is not begun again", turn)
			}
			_, err = s.Undo(t.Context(), done.ID, nil)
			require.NoError(t, err)
			require.Equal(t, before, s.checksums(t))
		}
	})
}

// A run need not be ended to be undone, however far it came.
func TestAnUnfinishedRunIsUndone(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 60, rand.New(rand.NewPCG(17, 17)))
		before := s.checksums(t)
		o := foreign.Options{Table: "sales_orders", Children: withEvents, Batch: 4}
		for _, at := range []string{"CREATE TABLE IF NOT EXISTS ordergate_dedupe_", "TRUNCATE", "ADD INDEX", "INSERT INTO ordergate_dedupe_", "DELETE s FROM", "ADD UNIQUE"} {
			n := 0
			s.Hooks(func(query string) error {
				if strings.Contains(query, at) {
					if n++; n == 2 || strings.HasPrefix(at, "ADD") || at == "TRUNCATE" {
						return errKilled
					}
				}
				return nil
			}, nil)
			stopped, err := s.Apply(t.Context(), o, nil)
			s.Hooks(nil, nil)
			if err == nil {
				require.Equal(t, foreign.Done, stopped.State)
			} else {
				require.ErrorIs(t, err, errKilled, at)
			}
			undone, err := s.Undo(t.Context(), latest(t, s).ID, nil)
			require.NoError(t, err, at)
			require.Equal(t, foreign.Undone, undone.State)
			require.Equal(t, before, s.checksums(t), at)
			require.Equal(t, "ordergate_dedupe_runs", s.leftovers(t), at)
		}
	})
}

// While one process is in the middle of a batch, another that works on the same run waits.
func TestABatchIsOneProcesses(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, fmt.Sprintf(createShop, integers.key, integers.id))
		s.exec(t, "INSERT INTO sales_orders (id, odoo_order_id) VALUES (1, 7), (2, 7), (3, 8), (4, 8)")
		other := openShop(t, s.dsn)
		var began, held, trespassed atomic.Bool
		other.Hooks(func(query string) error {
			if held.Load() && strings.Contains(query, "_rows") {
				trespassed.Store(true)
			}
			return nil
		}, nil)
		result := make(chan error, 1)
		s.Hooks(func(query string) error {
			if strings.HasPrefix(query, "DELETE s FROM") && began.CompareAndSwap(false, true) {
				held.Store(true)
				go func() {
					_, err := other.Apply(t.Context(), foreign.Options{Table: "sales_orders"}, nil)
					result <- err
				}()
				time.Sleep(500 * time.Millisecond)
			}
			if query == "COMMIT" {
				held.Store(false)
			}
			return nil
		}, nil)
		_, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders"}, nil)
		require.NoError(t, err)
		if err := <-result; err != nil {
			t.Log("the other found the run ended:", err)
		}
		require.False(t, trespassed.Load())
		require.Equal(t, "1,3", s.list(t, "SELECT id FROM sales_orders ORDER BY id"))
		require.EqualValues(t, 2, latest(t, s).Counts.Archived)
	})
}
