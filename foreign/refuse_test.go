package foreign_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/foreign"
)

func TestWhatCannotBeUndoneIsRefused(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		for i, c := range []struct{ create, children, option, reason string }{
			{"", "", "table", "there is no table"},
			{"CREATE TABLE t (a INT, b INT, odoo_order_id INT, PRIMARY KEY (a, b))", "", "table", "only a key of one column is supported"},
			{"CREATE TABLE t (a INT, odoo_order_id INT)", "", "table", "has no primary key"},
			{"CREATE TABLE t (a DATETIME PRIMARY KEY, odoo_order_id INT)", "", "table", "the primary key a is a datetime"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT) ENGINE=MyISAM", "", "table", "no transactions"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT) PARTITION BY HASH (id) PARTITIONS 2", "", "table", "partitioned"},
			{"CREATE TABLE o (id INT PRIMARY KEY, odoo_order_id INT); CREATE VIEW t AS SELECT * FROM o", "", "table", "view"},
			{"CREATE TABLE t (id INT PRIMARY KEY)", "", "id_column", "no column odoo_order_id"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id DOUBLE)", "", "id_column", "is a double"},
			{"CREATE TABLE t (odoo_order_id INT PRIMARY KEY)", "", "id_column", "primary key"},
			{"CREATE TABLE t (id CHAR(36) PRIMARY KEY, odoo_order_id INT)", "", "keep", "name a column"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, UNIQUE KEY mine (odoo_order_id))", "", "id_column", "unique already, by the index mine"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT)", "c.t_id", "children", "there is no table c"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT); CREATE TABLE c (id INT PRIMARY KEY, t_id INT)", "c.t_id", "children", "no index of c begins with t_id"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT); CREATE TABLE c (id INT PRIMARY KEY, t_id SMALLINT, KEY (t_id))", "c.t_id", "children", "cannot hold every id"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT); CREATE TABLE c (t_id INT, KEY (t_id))", "c.t_id", "children", "no primary key"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, number INT NOT NULL, UNIQUE KEY (number)); CREATE TABLE c (id INT PRIMARY KEY, n INT, FOREIGN KEY (n) REFERENCES t (number))", "", "table", "not its primary key"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, other INT, UNIQUE KEY (id, other)); CREATE TABLE c (id INT PRIMARY KEY, n INT, m INT, FOREIGN KEY (n, m) REFERENCES t (id, other))", "", "table", "several columns"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, parent INT UNIQUE, FOREIGN KEY (parent) REFERENCES t (id))", "", "table", "points to the same table"},
			{"CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT); CREATE TABLE c (id INT PRIMARY KEY, t_id INT UNIQUE, up INT, FOREIGN KEY (t_id) REFERENCES t (id), FOREIGN KEY (up) REFERENCES c (id))", "", "table", "point to each other"},
		} {
			if c.create != "" {
				s.exec(t, c.create)
			}
			o := foreign.Options{Table: "t"}
			if c.children != "" {
				o.Children = []string{c.children}
			}
			_, err := s.Apply(t.Context(), o, nil)
			var wrong *foreign.OptionError
			require.ErrorAs(t, err, &wrong, "%d: %s", i, c.create)
			require.Equal(t, c.option, wrong.Option, "%d: %v", i, err)
			require.ErrorContains(t, err, c.reason, "%d", i)
			s.exec(t, "SET FOREIGN_KEY_CHECKS = 0; DROP VIEW IF EXISTS t")
			s.exec(t, "DROP TABLE IF EXISTS c, t, o")
			runs, err := s.Runs(t.Context())
			require.NoError(t, err)
			require.Empty(t, runs, "nothing was begun")
		}
	})
}

func TestWrongOptionsAreNamed(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, "CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT)")
		for option, o := range map[string]foreign.Options{
			"table":     {Table: "t; DROP TABLE t"},
			"id_column": {Table: "t", IDColumn: "a b"},
			"keep":      {Table: "t", Keep: "id:up"},
			"children":  {Table: "t", Children: []string{"c"}},
			"batch":     {Table: "t", Batch: -1},
		} {
			for _, call := range []func() error{
				func() error { _, err := s.Find(t.Context(), o); return err },
				func() error { _, err := s.Apply(t.Context(), o, nil); return err },
			} {
				var wrong *foreign.OptionError
				require.ErrorAs(t, call(), &wrong)
				require.Equal(t, option, wrong.Option)
			}
		}
		_, err := s.Find(t.Context(), foreign.Options{Table: "t", Keep: "missing:desc"})
		require.ErrorContains(t, err, "keep: t has no column missing")
		_, err = s.Find(t.Context(), foreign.Options{Table: "ordergate_dedupe_runs"})
		require.ErrorContains(t, err, "belongs to the clean-up itself")
	})
}

// NULL, 0 and an empty text name no order. Rows that share one are no duplicates, and stand in the way of the index.
func TestRowsThatNameNoOrderAreLeftAlone(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		for kind, blanks := range map[string][]string{"INT": {"0", "NULL"}, "VARCHAR(20)": {"''", "'0'", "NULL"}} {
			s.exec(t, "CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id "+kind+")")
			s.exec(t, "INSERT INTO t VALUES (1, '5'), (2, '5')")
			for i, blank := range blanks {
				s.exec(t, fmt.Sprintf("INSERT INTO t VALUES (%d, %s), (%d, %s)", 10*i+10, blank, 10*i+11, blank))
			}
			found, err := s.Find(t.Context(), foreign.Options{Table: "t"})
			require.NoError(t, err)
			require.EqualValues(t, 1, found.SurplusRows)
			require.EqualValues(t, 2*len(blanks), found.BlankRows)

			done, err := s.Apply(t.Context(), foreign.Options{Table: "t"}, nil)
			require.NoError(t, err)
			require.EqualValues(t, 1, done.Counts.Archived)
			require.Empty(t, done.Index)
			require.Contains(t, done.Note, "no unique index was added")
			require.Equal(t, fmt.Sprint(1+2*len(blanks)), s.list(t, "SELECT COUNT(*) FROM t"))

			s.exec(t, "UPDATE t SET odoo_order_id = NULL WHERE id >= 10")
			done, err = s.Apply(t.Context(), foreign.Options{Table: "t"}, nil)
			require.NoError(t, err)
			require.Equal(t, "ordergate_unique_odoo_order_id", done.Index, "many NULLs are no hindrance")
			_, err = s.sql.ExecContext(t.Context(), "INSERT INTO t VALUES (99, '5')")
			require.ErrorContains(t, err, "Duplicate")
			s.exec(t, "DROP TABLE t")
			s.exec(t, "DROP TABLE ordergate_dedupe_runs")
		}
	})
}

func TestAnUndoRefusesRowsThatWereReused(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, "CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, number INT, UNIQUE KEY one_number (number))")
		s.exec(t, "CREATE TABLE c (id INT PRIMARY KEY, t_id INT, FOREIGN KEY (t_id) REFERENCES t (id))")
		s.exec(t, "INSERT INTO t VALUES (1, 5, 100), (2, 5, 200), (3, 6, 300)")
		s.exec(t, "INSERT INTO c VALUES (1, 2), (2, 2), (3, 2), (4, 1)")
		done, err := s.Apply(t.Context(), foreign.Options{Table: "t"}, nil)
		require.NoError(t, err)
		refused := func(reason string) {
			t.Helper()
			_, err := s.Undo(t.Context(), done.ID, nil)
			require.ErrorContains(t, err, reason)
			runs, err := s.Runs(t.Context())
			require.NoError(t, err)
			require.Equal(t, foreign.Done, runs[0].State, "nothing was begun")
			require.Contains(t, s.leftovers(t), "ordergate_unique_odoo_order_id")
		}
		s.exec(t, "INSERT INTO t VALUES (2, 9, 900)")
		refused("the key PRIMARY (id) that are in use again")
		s.exec(t, "UPDATE t SET id = 20, number = 200 WHERE id = 2")
		refused("the key one_number (number) that are in use again")
		s.exec(t, "DELETE FROM t WHERE id = 20")

		s.exec(t, "UPDATE c SET t_id = 3 WHERE id = 1") // people's edits stay
		s.exec(t, "DELETE FROM c WHERE id = 2")
		undone, err := s.Undo(t.Context(), done.ID, nil)
		require.NoError(t, err)
		require.EqualValues(t, 2, undone.Counts.ChangedSince)
		require.Equal(t, "3,2,1", s.list(t, "SELECT t_id FROM c ORDER BY id"))
		require.Equal(t, "100,200,300", s.list(t, "SELECT number FROM t ORDER BY id"))

		_, err = s.Undo(t.Context(), done.ID, nil)
		require.ErrorContains(t, err, "undone already")
		_, err = s.Undo(t.Context(), "nonesuch", nil)
		require.ErrorIs(t, err, foreign.ErrNoRun)
	})
}

// A trigger may change what is put back; then it is not what it was.
func TestAnUndoDoesNotPutBackSomethingElse(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, "CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, note VARCHAR(20) COLLATE utf8mb4_general_ci)")
		s.exec(t, "INSERT INTO t VALUES (1, 5, 'Ada'), (2, 5, 'Ada')")
		done, err := s.Apply(t.Context(), foreign.Options{Table: "t"}, nil)
		require.NoError(t, err)
		s.exec(t, "CREATE TRIGGER shouting BEFORE INSERT ON t FOR EACH ROW SET NEW.note = UPPER(NEW.note)")
		found, err := s.Find(t.Context(), foreign.Options{Table: "t"})
		require.NoError(t, err)
		require.Equal(t, []string{"t: shouting"}, found.Triggers)
		_, err = s.Undo(t.Context(), done.ID, nil)
		require.ErrorContains(t, err, "1 of 1 rows of t did not come back as they were")
		require.Equal(t, "1", s.list(t, "SELECT id FROM t"))
		s.exec(t, "DROP TRIGGER shouting")
		_, err = s.Undo(t.Context(), done.ID, nil)
		require.NoError(t, err)
		require.Equal(t, "Ada,Ada", s.list(t, "SELECT note FROM t"))
	})
}

// Of two runs of a table only the later can be undone first.
func TestRunsAreUndoneBackwards(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, "CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT)")
		s.exec(t, "INSERT INTO t VALUES (1, 5), (2, 5)")
		first, err := s.Apply(t.Context(), foreign.Options{Table: "t"}, nil)
		require.NoError(t, err)
		s.exec(t, "ALTER TABLE t DROP INDEX ordergate_unique_odoo_order_id")
		s.exec(t, "INSERT INTO t VALUES (3, 5)")
		second, err := s.Apply(t.Context(), foreign.Options{Table: "t", Keep: "id:desc"}, nil)
		require.NoError(t, err)
		require.Equal(t, "3", s.list(t, "SELECT id FROM t"))
		_, err = s.Undo(t.Context(), first.ID, nil)
		require.ErrorContains(t, err, "undo that one first")
		for _, r := range []foreign.Run{second, first} {
			_, err = s.Undo(t.Context(), r.ID, nil)
			require.NoError(t, err)
		}
		require.Equal(t, "1,2,3", s.list(t, "SELECT id FROM t ORDER BY id"))
	})
}

// A table may be cleaned up by several columns, each with an index of its own.
func TestEachColumnGetsItsIndex(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, "CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, sap_id INT)")
		s.exec(t, "INSERT INTO t VALUES (1, 5, 1), (2, 5, 1), (3, 6, 1), (4, 7, 2)")
		first, err := s.Apply(t.Context(), foreign.Options{Table: "t"}, nil)
		require.NoError(t, err)
		second, err := s.Apply(t.Context(), foreign.Options{Table: "t", IDColumn: "sap_id"}, nil)
		require.NoError(t, err)
		require.Equal(t, "1,4", s.list(t, "SELECT id FROM t ORDER BY id"))
		require.Contains(t, s.leftovers(t), "ordergate_unique_odoo_order_id,ordergate_unique_sap_id")
		for _, r := range []foreign.Run{second, first} {
			_, err = s.Undo(t.Context(), r.ID, nil)
			require.NoError(t, err)
		}
		require.Equal(t, "1,2,3,4", s.list(t, "SELECT id FROM t ORDER BY id"))
		require.Equal(t, "ordergate_dedupe_runs", s.leftovers(t))
	})
}

func TestTheAddressMustNameADatabase(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		_, err := foreign.Open(t.Context(), s.dsn[:strings.LastIndex(s.dsn, "/")+1], foreign.Settings{})
		require.ErrorContains(t, err, "no database on it")
		_, err = foreign.Open(t.Context(), "sqlite:orders.db", foreign.Settings{})
		require.ErrorContains(t, err, "mysql://")
	})
}
