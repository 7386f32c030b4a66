package foreign_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/foreign"
)

// rows reads a table in pages of a few rows.
func (s shop) rows(t *testing.T, o foreign.Options, c foreign.Columns) (*foreign.Table, []foreign.Row) {
	t.Helper()
	table, err := s.Table(t.Context(), o, c)
	require.NoError(t, err)
	table.Page(7)
	var rows []foreign.Row
	pages := 0
	require.NoError(t, table.Each(t.Context(), func(page []foreign.Row) error {
		require.NotEmpty(t, page)
		require.False(t, page[0].Surplus, "the rows of an order are torn apart")
		rows, pages = append(rows, page...), pages+1
		return nil
	}))
	require.Greater(t, pages, 1)
	return table, rows
}

// What stands for an order is what a clean-up by the same rule leaves, and reading it takes nothing but SELECT.
func TestRowsThatStandForOrdersAreThoseThatACleanUpKeeps(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		for i, k := range []kinds{
			integers, {"CHAR(36) CHARACTER SET ascii", "VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"}, {"BINARY(16)", "INT UNSIGNED"},
		} {
			for _, keep := range []string{"oldest", "children", "amount:desc"} {
				t.Run(fmt.Sprintf("%s_%s_%s", k.key, k.id, keep), func(t *testing.T) {
					t.Cleanup(func() { s.drop(t) })
					s.create(t, k, 80, rand.New(rand.NewPCG(uint64(i), 21)))
					s.exec(t, "UPDATE sales_orders SET odoo_order_id = NULL WHERE odoo_order_id = '0' OR odoo_order_id = ''")
					before := s.checksums(t)
					s.Hooks(func(query string) error {
						require.True(t, strings.HasPrefix(query, "SELECT"), query)
						return nil
					}, nil)
					o := foreign.Options{Table: "sales_orders", Keep: keep, Children: withEvents}
					table, rows := s.rows(t, o, foreign.Columns{Key: "NUMBER", Source: "kind", Reference: "big"})
					s.Hooks(nil, nil)
					require.Equal(t, before, s.checksums(t))
					require.EqualValues(t, 80, table.Rows)
					require.Len(t, rows, int(table.Rows-table.Blank))

					var standing []string
					for _, r := range rows {
						require.Regexp(t, "^Größe [0-9]+ ?$", r.Key)
						require.Contains(t, []string{"a", "b"}, r.Source)
						require.Equal(t, "18446744073709551615", r.Reference)
						if !r.Surplus {
							standing = append(standing, r.PrimaryKey)
						}
					}
					_, err := s.Apply(t.Context(), o, nil)
					require.NoError(t, err)
					id := "id"
					if strings.HasPrefix(k.key, "BINARY") {
						id = "HEX(id)"
					}
					kept := strings.Split(s.list(t, "SELECT "+id+" FROM sales_orders WHERE odoo_order_id IS NOT NULL"), ",")
					slices.Sort(standing)
					slices.Sort(kept)
					require.Equal(t, kept, standing)
					s.exec(t, "DROP TABLE ordergate_dedupe_runs")
				})
			}
		}
	})
}

// A table whose primary key is the ERP order id has no duplicates, and can be read all the same.
func TestATableByERPIDIsRead(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		s.exec(t, "CREATE TABLE t (odoo_order_id INT PRIMARY KEY, k CHAR(5)); INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 'c'), (4, ''), (5, 'e'), (6, 'f'), (7, 'g'), (8, 'h')")
		_, rows := s.rows(t, foreign.Options{Table: "t"}, foreign.Columns{Key: "k"})
		require.Equal(t, foreign.Row{PrimaryKey: "1", ERPID: "1", Key: "a"}, rows[0])
		require.Equal(t, foreign.Row{PrimaryKey: "2", ERPID: "2"}, rows[1])
		require.Len(t, rows, 8)
	})
}

func TestWrongMapsAreNamed(t *testing.T) {
	t.Parallel()
	for pair, reason := range map[string]string{
		"colour=a": `there is no field "colour"; there are id, source, key and reference`, "key": "not FIELD=COLUMN", "key=": "not FIELD=COLUMN",
		"key=a b": "not FIELD=COLUMN",
	} {
		_, err := foreign.ParseColumns([]string{pair})
		requireOption(t, err, "map", reason)
	}
	_, err := foreign.ParseColumns([]string{"key=a", "key=b"})
	requireOption(t, err, "map", "key is given twice")
	c, err := foreign.ParseColumns([]string{"id=a", "source=b", "key=c", "reference=d"})
	require.NoError(t, err)
	require.Equal(t, foreign.Columns{ID: "a", Source: "b", Key: "c", Reference: "d"}, c)

	databases(t, func(t *testing.T, s shop) {
		s.exec(t, "CREATE TABLE t (id INT PRIMARY KEY, odoo_order_id INT, idem CHAR(5), made DOUBLE)")
		for _, c := range []struct {
			columns        foreign.Columns
			option, reason string
		}{
			{foreign.Columns{Key: "nosuch"}, "map", "key: t has no column nosuch that is stored; it has id, odoo_order_id, idem, made"},
			{foreign.Columns{ID: "nosuch"}, "map", "id: t has no column nosuch that is stored; it has id, odoo_order_id, idem, made"},
			{foreign.Columns{ID: "made"}, "id_column", "made is a double"},
		} {
			_, err := s.Table(t.Context(), foreign.Options{Table: "t"}, c.columns)
			requireOption(t, err, c.option, c.reason)
		}
		_, err := s.Table(t.Context(), foreign.Options{Table: "orders"}, foreign.Columns{})
		requireOption(t, err, "table", "there is no table orders")
		_, err = s.Table(t.Context(), foreign.Options{Table: "t", Keep: "colour"}, foreign.Columns{})
		requireOption(t, err, "keep", "t has no column colour")
	})
}

func requireOption(t *testing.T, err error, option, reason string) {
	t.Helper()
	var wrong *foreign.OptionError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, option, wrong.Option)
	require.ErrorContains(t, err, reason)
}
