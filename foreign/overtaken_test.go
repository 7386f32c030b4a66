package foreign_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/foreign"
)

// hold is what every transaction of a run begins with.
const hold = "run_id = ? FOR UPDATE"

// killAt fails the n-th statement that has a text in it.
func killAt(n int, text string) func(string) error {
	return func(query string) error {
		if strings.Contains(query, text) {
			if n--; n == 0 {
				return errKilled
			}
		}
		return nil
	}
}

// Somebody may undo a run while the process that works on it is asleep, or waits for an index. Whether the undo ends, or is
// stopped before it has put anything back, or after its first batch: the run is not brought back to life, and the undo
// ends in what was there before.
func TestAProcessThatFellAsleepLeavesAnUndoAlone(t *testing.T) {
	t.Parallel()
	whole := func(string) error { return nil }
	nothing, oneBatch := func() func(string) error { return killAt(1, "INSERT INTO `") }, func() func(string) error { return killAt(3, hold) }
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 24, rand.New(rand.NewPCG(19, 19)))
		s.exec(t, "UPDATE sales_orders SET odoo_order_id = NULL WHERE odoo_order_id = 0")
		before := s.checksums(t)
		o := foreign.Options{Table: "sales_orders", Children: withEvents, Batch: 3}
		other := openShop(t, s.dsn)
		for _, c := range []struct {
			asleep string // before this statement,
			state  foreign.State
			undo   func(string) error
		}{
			{hold, foreign.Preparing, whole},
			{"_a1", foreign.Preparing, whole},
			{"ADD INDEX", foreign.Preparing, whole},
			{hold, foreign.Planning, oneBatch()},
			{hold, foreign.Cleaning, oneBatch()},
			{hold, foreign.Cleaning, whole},
			{hold, foreign.Indexing, oneBatch()}, // of the children that came late
			{"ADD UNIQUE", foreign.Indexing, whole},
			{"ADD UNIQUE", foreign.Indexing, nothing()},  // so that the index can be added
			{"ADD UNIQUE", foreign.Indexing, oneBatch()}, // so that it cannot
			{"DROP TABLE", foreign.Indexing, whole},
			{"DROP TABLE", foreign.Indexing, nothing()},
		} {
			at := fmt.Sprintf("%s, %s", c.state, c.asleep)
			asleep := false
			s.Hooks(func(query string) error {
				if asleep || !strings.Contains(query, c.asleep) {
					return nil
				}
				r := latest(t, other)
				if r.State != c.state || r.State != foreign.Preparing && r.Counts.Archived <= int64(o.Batch) {
					return nil
				}
				asleep = true
				other.Hooks(c.undo, nil)
				defer other.Hooks(nil, nil)
				if undone, err := other.Undo(t.Context(), r.ID, nil); err != nil {
					require.ErrorIs(t, err, errKilled, at)
				} else {
					require.Equal(t, foreign.Undone, undone.State, at)
				}
				return nil
			}, nil)
			_, err := s.Apply(t.Context(), o, nil)
			s.Hooks(nil, nil)
			require.True(t, asleep, at)
			require.ErrorContains(t, err, "undone", at)
			if r := latest(t, s); r.State != foreign.Undone {
				require.Equal(t, foreign.Undoing, r.State, at)
				require.NotContains(t, s.leftovers(t), "ordergate_unique", at)
				require.Empty(t, s.list(t, "SELECT a.id FROM ordergate_dedupe_"+r.ID+"_a0 a JOIN sales_orders o ON o.id = a.id"), "in the table and in the archive: %s", at)
				r, err = s.Undo(t.Context(), r.ID, nil)
				require.NoError(t, err, at)
				require.Equal(t, foreign.Undone, r.State, at)
			}
			require.Equal(t, before, s.checksums(t), at)
			require.Equal(t, "ordergate_dedupe_runs", s.leftovers(t), at)
		}
	})
}

// An index may be added minutes after its run was undone. It goes again, unless a later run has use for it.
func TestAnIndexThatComesAfterTheUndoIsDropped(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, fmt.Sprintf(createShop, integers.key, integers.id))
		s.exec(t, "INSERT INTO sales_orders (id, odoo_order_id) VALUES (1, 7), (2, 8)")
		o := foreign.Options{Table: "sales_orders"}
		other := openShop(t, s.dsn)
		for _, again := range []bool{false, true} {
			slept := false
			s.Hooks(func(query string) error {
				if slept || !strings.Contains(query, "ADD UNIQUE") {
					return nil
				}
				slept = true
				_, err := other.Undo(t.Context(), latest(t, other).ID, nil)
				require.NoError(t, err)
				if again {
					_, err = other.Apply(t.Context(), o, nil)
					require.NoError(t, err)
				}
				return nil
			}, nil)
			_, err := s.Apply(t.Context(), o, nil)
			s.Hooks(nil, nil)
			require.ErrorContains(t, err, "was undone meanwhile")
			if again {
				require.Equal(t, foreign.Done, latest(t, s).State)
				require.Contains(t, s.leftovers(t), "ordergate_unique_odoo_order_id")
				continue
			}
			require.Equal(t, "ordergate_dedupe_runs", s.leftovers(t))
		}
	})
}

// Two may undo the same run: what has been undone is not undone again.
func TestAnUndoThatFellAsleepDoesNoHarm(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.create(t, integers, 24, rand.New(rand.NewPCG(23, 23)))
		before := s.checksums(t)
		other := openShop(t, s.dsn)
		for turn := 1; turn <= 4; turn++ {
			done, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Batch: 5}, nil)
			require.NoError(t, err)
			n := 0
			var ended foreign.Run
			s.Hooks(func(query string) error {
				if strings.Contains(query, hold) {
					if n++; n == turn {
						var err error
						ended, err = other.Undo(t.Context(), done.ID, nil)
						return err
					}
				}
				return nil
			}, nil)
			undone, err := s.Undo(t.Context(), done.ID, nil)
			s.Hooks(nil, nil)
			require.NoError(t, err)
			require.Equal(t, foreign.Undone, ended.State, "turn %d", turn)
			require.Equal(t, ended.Counts, undone.Counts, "turn %d", turn)
			require.Equal(t, ended.EndedAt, undone.EndedAt, "turn %d", turn)
			require.Equal(t, before, s.checksums(t))
		}
		done, err := s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Batch: 5}, nil)
		require.NoError(t, err)
		n := 0
		s.Hooks(func(query string) error {
			if strings.Contains(query, hold) {
				if n++; n == 2 { // the other puts everything back, drops the archive, and is killed before it says so
					dropped := false
					other.Hooks(func(query string) error {
						dropped = dropped || strings.HasPrefix(query, "DROP TABLE")
						if dropped && strings.Contains(query, hold) {
							return errKilled
						}
						return nil
					}, nil)
					_, err := other.Undo(t.Context(), done.ID, nil)
					require.ErrorIs(t, err, errKilled)
				}
			}
			return nil
		}, nil)
		_, err = s.Undo(t.Context(), done.ID, nil)
		s.Hooks(nil, nil)
		require.NoError(t, err)
		require.Equal(t, before, s.checksums(t))

		done, err = s.Apply(t.Context(), foreign.Options{Table: "sales_orders", Batch: 5}, nil)
		require.NoError(t, err)
		n = 0
		s.Hooks(func(query string) error {
			if strings.Contains(query, hold) {
				if n++; n == 2 {
					s.exec(t, "UPDATE ordergate_dedupe_runs SET state = 'done' WHERE run_id = ?", done.ID)
				}
			}
			return nil
		}, nil)
		_, err = s.Undo(t.Context(), done.ID, nil)
		require.ErrorContains(t, err, "was to be undone, and is done")
	})
}
