package foreign_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/foreign"
)

var withEvents = []string{"order_events.order_id"}

// families is a query for every child, with the ids that its parents share. A run must not change what it says.
func families(table, column string) string {
	return fmt.Sprintf(`SELECT CONCAT(c.id, '>', COALESCE(HEX(UPPER(NULLIF(NULLIF(o.odoo_order_id, ''), '0'))), CONCAT('row ', HEX(o.id))))
		FROM %s c JOIN sales_orders o ON o.id = c.%s ORDER BY 1`, table, column)
}

func TestOneRowOfEachOrderStaysAndAllComesBack(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s shop) {
		for i, k := range []kinds{
			integers, {"CHAR(36) CHARACTER SET ascii", "VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"},
			{"BINARY(16)", "INT UNSIGNED"}, {"INT", "CHAR(20)"},
		} {
			for j, keep := range []string{"oldest", "children", "amount:desc", "created_at"} {
				if (i+j)%2 == 1 {
					continue
				}
				t.Run(fmt.Sprintf("%s_%s_%s", k.key, k.id, keep), func(t *testing.T) {
					t.Cleanup(func() { s.drop(t) })
					s.create(t, k, 120, rand.New(rand.NewPCG(uint64(i), uint64(j))))
					s.cleanAndUndo(t, foreign.Options{Table: "sales_orders", Keep: keep, Children: withEvents, Batch: 7})
				})
			}
		}
	})
}

func (s shop) cleanAndUndo(t *testing.T, o foreign.Options) {
	t.Helper()
	before := s.checksums(t)
	require.Equal(t, "0", s.list(t, "SELECT COUNT(*) FROM order_notes WHERE order_id IS NULL"))
	const valid = "odoo_order_id IS NOT NULL AND odoo_order_id <> '' AND odoo_order_id <> '0'"
	distinct := s.list(t, "SELECT COUNT(DISTINCT odoo_order_id) FROM sales_orders WHERE "+valid)
	blank := s.list(t, "SELECT COUNT(*) FROM sales_orders WHERE NOT ("+valid+")")
	lines, events := s.list(t, families("order_lines", "order_id")), s.list(t, families("order_events", "order_id"))
	stamps := s.list(t, "SELECT CONCAT(id, updated_at) FROM order_lines ORDER BY id")
	tags := s.list(t, "SELECT DISTINCT CONCAT(c.tag_id, '>', HEX(UPPER(o.odoo_order_id))) FROM order_tags c JOIN sales_orders o ON o.id = c.order_id WHERE "+valid+" ORDER BY 1")

	found, err := s.Find(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, before, s.checksums(t), "finding must change nothing")
	require.Positive(t, found.SurplusRows)
	require.Len(t, found.Sample, foreign.SampleLimit)

	done, err := s.Apply(t.Context(), o, nil)
	require.NoError(t, err)
	require.Equal(t, foreign.Done, done.State)
	require.Equal(t, found.SurplusRows, done.Counts.Archived)
	require.Contains(t, done.Note, "names no order", "several rows have the id 0")
	require.Equal(t, distinct, s.list(t, "SELECT COUNT(*) FROM sales_orders WHERE "+valid))
	require.Equal(t, distinct, s.list(t, "SELECT COUNT(DISTINCT odoo_order_id) FROM sales_orders WHERE "+valid))
	require.Equal(t, blank, s.list(t, "SELECT COUNT(*) FROM sales_orders WHERE NOT ("+valid+")"), "rows that name no order are left alone")
	require.Equal(t, lines, s.list(t, families("order_lines", "order_id")))
	require.Equal(t, events, s.list(t, families("order_events", "order_id")))
	require.Equal(t, stamps, s.list(t, "SELECT CONCAT(id, updated_at) FROM order_lines ORDER BY id"), "nobody changed the lines")
	require.Equal(t, tags, s.list(t, "SELECT DISTINCT CONCAT(c.tag_id, '>', HEX(UPPER(o.odoo_order_id))) FROM order_tags c JOIN sales_orders o ON o.id = c.order_id WHERE "+valid+" ORDER BY 1"))
	require.Equal(t, "0", s.list(t, "SELECT COUNT(*) FROM order_notes WHERE order_id IS NULL"), "no foreign key may act on its own")
	require.Positive(t, done.Counts.ChildrenArchived["order_notes.order_id"], "the data must make some collide")
	require.Positive(t, done.Counts.ChildrenArchived["order_tags.order_id"])
	require.Positive(t, done.Counts.ChildrenMoved["sales_orders.parent_id"])
	for _, shared := range found.Sample {
		require.Equal(t, "1", s.list(t, "SELECT COUNT(*) FROM sales_orders WHERE id = "+key(s.list(t, "SELECT data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'sales_orders' AND column_name = 'id'"), shared.Rows[0].Key)), "the row that the report said stays")
	}

	undone, err := s.Undo(t.Context(), done.ID, nil)
	require.NoError(t, err)
	require.Equal(t, foreign.Undone, undone.State)
	require.Zero(t, undone.Counts.ChangedSince)
	require.Equal(t, before, s.checksums(t))
	require.Equal(t, "ordergate_dedupe_runs", s.leftovers(t))
}

// key writes a key of a report in SQL.
func key(kind, text string) string {
	if kind == "binary" {
		return "UNHEX('" + text + "')"
	}
	return "'" + text + "'"
}
