package foreign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// removed are rows that a batch takes out of the table: from is a list of tables in which each row, called w, has the
// columns gone and kept with the keys of a row and of the one that is kept for it; where holds of the batch's.
type removed struct {
	from, where string
	gone, kept  string
	args        []any
	batch       int64
}

// cleanBatch archives the next surplus rows, in one transaction.
func (d *Database) cleanBatch(ctx context.Context, r Run, size int) (Run, error) {
	return d.advance(ctx, r, func(tx *sql.Tx, r *Run) error {
		key := r.layout.keyColumn()
		condition, args := "1 = 1", []any{}
		if r.progress.CleanFrom != nil {
			from, err := key.value(*r.progress.CleanFrom)
			if err != nil {
				return err
			}
			condition, args = "w.row_key > ?", append(args, from)
		}
		var n int64
		var upTo sql.NullString
		err := d.one(ctx, tx, fmt.Sprintf("SELECT COUNT(*), %s FROM (SELECT w.row_key FROM %s w WHERE %s ORDER BY w.row_key LIMIT %d) x",
			key.text("MAX(x.row_key)"), r.work(), condition, size), args, &n, &upTo)
		if err != nil {
			return err
		}
		if n == 0 {
			r.State = Planning
			_, err := d.exec(ctx, tx, "DELETE FROM "+r.work())
			return err
		}
		end, err := key.value(upTo.String)
		if err != nil {
			return err
		}
		r.progress.CleanFrom = &upTo.String
		r.progress.Batches++
		return d.removeRows(ctx, tx, r, n, removed{from: r.work() + " w", where: condition + " AND w.row_key <= ? AND w.gone = 0",
			gone: "w.row_key", kept: "w.kept_key", args: append(args, end), batch: r.progress.Batches})
	})
}

// removeRows hands on the children of n rows, archives the rows and deletes them.
func (d *Database) removeRows(ctx context.Context, tx *sql.Tx, r *Run, n int64, rows removed) error {
	still, err := d.holdRows(ctx, tx, r, n, rows)
	if err != nil {
		return err
	}
	r.Counts.Skipped += n - still
	if still == 0 {
		return nil
	}
	// From here on the tables are locked against a change of their columns, until the transaction ends.
	if err := d.unchanged(ctx, tx, r.layout); err != nil {
		return err
	}
	for i := range r.layout.Steps {
		if _, err := d.handOn(ctx, tx, r, i, rows); err != nil {
			return err
		}
	}
	l := r.layout
	root, key := l.root(), quote(l.Key)
	archived, err := d.exec(ctx, tx, fmt.Sprintf("INSERT INTO %s (ordergate_batch, ordergate_step, ordergate_kept, %s) SELECT %d, -1, %s, %s FROM %s STRAIGHT_JOIN %s s ON s.%s = %s WHERE %s",
		r.archive(0), quoteAll("", root.names()), rows.batch, rows.kept, quoteAll("s.", root.names()), rows.from, root.sql(), key, rows.gone, rows.where), rows.args...)
	if err != nil {
		return err
	}
	deleted, err := d.exec(ctx, tx, fmt.Sprintf("DELETE s FROM %s STRAIGHT_JOIN %s s ON s.%s = %s WHERE %s",
		rows.from, root.sql(), key, rows.gone, rows.where), rows.args...)
	if err != nil {
		return err
	}
	if archived != still || deleted != still {
		return fmt.Errorf("of %d rows %d were archived and %d deleted: nothing of this batch was changed", still, archived, deleted)
	}
	r.Counts.Archived += deleted
	return nil
}

// holdRows locks the rows of a batch with those that are kept for them, and marks as gone those that someone removed or
// changed since they were found. It returns how many are left.
func (d *Database) holdRows(ctx context.Context, tx *sql.Tx, r *Run, n int64, rows removed) (int64, error) {
	l := r.layout
	pair := fmt.Sprintf("%[1]s s ON s.%[2]s = %[3]s STRAIGHT_JOIN %[1]s k ON k.%[2]s = %[4]s", l.root().sql(), quote(l.Key), rows.gone, rows.kept)
	stands := fmt.Sprintf("s.%[1]s = k.%[1]s AND %[2]s", quote(l.ID), l.named("s."))
	var still int64
	err := d.one(ctx, tx, fmt.Sprintf("SELECT COUNT(*) FROM %s STRAIGHT_JOIN %s WHERE %s AND %s FOR UPDATE", rows.from, pair, rows.where, stands),
		rows.args, &still)
	if err != nil || still == n {
		return still, err
	}
	_, err = d.exec(ctx, tx, fmt.Sprintf("UPDATE %s LEFT JOIN (%s s STRAIGHT_JOIN %s k) ON s.%s = %s AND k.%s = %s AND %s SET w.gone = 1 WHERE %s AND (s.%s IS NULL OR k.%s IS NULL)",
		rows.from, l.root().sql(), l.root().sql(), quote(l.Key), rows.gone, quote(l.Key), rows.kept, stands, rows.where, quote(l.Key), quote(l.Key)), rows.args...)
	return still, err
}

// handOn moves the children of rows to the rows that are kept, and archives those for which there is no place. It
// returns how many children there were.
func (d *Database) handOn(ctx context.Context, tx *sql.Tx, r *Run, at int, rows removed) (int64, error) {
	l, s := r.layout, r.layout.Steps[at]
	child, moved := l.Tables[s.Table], r.moved(at)
	column := quote(s.Column)
	// Locked with the same statement, so that what is noted is what is moved.
	found, err := d.exec(ctx, tx, fmt.Sprintf("INSERT INTO %s (ordergate_batch, %s, ordergate_from, ordergate_to) SELECT %d, %s, %s, %s FROM %s STRAIGHT_JOIN %s c ON c.%s = %s WHERE %s FOR UPDATE",
		moved, quoteAll("", child.Primary), rows.batch, quoteAll("c.", child.Primary), rows.gone, rows.kept, rows.from, child.sql(), column, rows.gone, rows.where), rows.args...)
	if err != nil || found == 0 {
		return 0, err
	}
	update, same := "UPDATE", ""
	if s.Collides {
		update = "UPDATE IGNORE" // what would collide stays as it is, and is archived
	}
	for _, name := range child.Changes {
		same += fmt.Sprintf(", c.%[1]s = c.%[1]s", quote(name)) // when a person or program changed the row last
	}
	changed, err := d.exec(ctx, tx, fmt.Sprintf("%s %s m STRAIGHT_JOIN %s c ON %s AND c.%s = m.ordergate_from SET c.%s = m.ordergate_to%s WHERE m.ordergate_batch = ?",
		update, moved, child.sql(), samePrimary(child, "m", "c", ""), column, column, same), rows.batch)
	if err != nil {
		return 0, err
	}
	archived := int64(0)
	if s.Collides {
		if archived, err = d.archiveChildren(ctx, tx, r, at, rows.batch); err != nil {
			return 0, err
		}
		// What the server says of an UPDATE IGNORE may count rows that it left as they were.
		err = d.one(ctx, tx, fmt.Sprintf("SELECT COUNT(*) FROM %s m STRAIGHT_JOIN %s c ON %s AND c.%s = m.ordergate_to WHERE m.ordergate_batch = ?",
			moved, child.sql(), samePrimary(child, "m", "c", s.Column), column), []any{rows.batch}, &changed)
		if err != nil {
			return 0, err
		}
	}
	if changed+archived != found {
		return 0, fmt.Errorf("of %d children in %s %d were moved and %d archived: nothing of this batch was changed", found, l.name(s), changed, archived)
	}
	count(&r.Counts.ChildrenMoved, l.name(s), changed)
	return found, nil
}

// archiveChildren archives the children of a batch that could not be moved, with what points to them.
func (d *Database) archiveChildren(ctx context.Context, tx *sql.Tx, r *Run, at int, batch int64) (int64, error) {
	l, s := r.layout, r.layout.Steps[at]
	child := l.Tables[s.Table]
	archived, err := d.exec(ctx, tx, fmt.Sprintf("INSERT INTO %s (ordergate_batch, ordergate_step, %s) SELECT %d, %d, %s FROM %s m STRAIGHT_JOIN %s c ON %s AND c.%s = m.ordergate_from WHERE m.ordergate_batch = ?",
		r.archive(s.Table), quoteAll("", child.names()), batch, at, quoteAll("c.", child.names()), r.moved(at), child.sql(),
		samePrimary(child, "m", "c", ""), quote(s.Column)), batch)
	if err != nil {
		return 0, err
	}
	count(&r.Counts.ChildrenArchived, l.name(s), archived)
	for _, below := range s.Below {
		parent, grandchild := l.Tables[below.Parent], l.Tables[below.Table]
		n, err := d.exec(ctx, tx, fmt.Sprintf("INSERT INTO %[1]s (ordergate_batch, ordergate_step, %[2]s) SELECT DISTINCT %[3]d, %[4]d, %[5]s FROM %[6]s p STRAIGHT_JOIN %[7]s c ON c.%[8]s = p.%[9]s"+
			" WHERE p.ordergate_batch = %[3]d AND p.ordergate_step = %[4]d AND NOT EXISTS (SELECT 1 FROM %[1]s a WHERE a.ordergate_batch = %[3]d AND %[10]s) FOR UPDATE",
			r.archive(below.Table), quoteAll("", grandchild.names()), batch, at, quoteAll("c.", grandchild.names()), r.archive(below.Parent),
			grandchild.sql(), quote(below.Column), quote(below.ParentColumn), samePrimary(grandchild, "a", "c", "")))
		if err != nil {
			return 0, fmt.Errorf("archiving what points to %s: %w", parent, err)
		}
		count(&r.Counts.ChildrenArchived, grandchild.Name+"."+below.Column, n)
	}
	order := s.archives()
	slices.Reverse(order) // children before their parents
	for _, table := range order {
		stands := l.Tables[table]
		_, err := d.exec(ctx, tx, fmt.Sprintf("DELETE c FROM %s a STRAIGHT_JOIN %s c ON %s WHERE a.ordergate_batch = ? AND a.ordergate_step = ?",
			r.archive(table), stands.sql(), samePrimary(stands, "a", "c", "")), batch, at)
		if err != nil {
			return 0, fmt.Errorf("deleting archived rows of %s: %w", stands, err)
		}
	}
	_, err = d.exec(ctx, tx, fmt.Sprintf("DELETE m FROM %s m STRAIGHT_JOIN %s a ON %s AND a.ordergate_batch = m.ordergate_batch AND a.ordergate_step = ? WHERE m.ordergate_batch = ?",
		r.moved(at), r.archive(s.Table), samePrimary(child, "m", "a", "")), at, batch)
	return archived, err
}

// archives lists the tables of which a step may archive rows, parents before their children.
func (s step) archives() []int {
	order := []int{s.Table}
	for _, below := range s.Below {
		// The last time a table is found below another, all its parents were found before.
		order = append(slices.DeleteFunc(order, func(t int) bool { return t == below.Table }), below.Table)
	}
	return order
}

// samePrimary is a condition that two aliases name the same row. Where replaced is a column, the second has there what
// the first has in ordergate_to.
func samePrimary(s shape, a, b, replaced string) string {
	terms := make([]string, len(s.Primary))
	for i, column := range s.Primary {
		terms[i] = fmt.Sprintf("%s.%s = %s.%s", b, quote(column), a, quote(column))
		if column == replaced {
			terms[i] = fmt.Sprintf("%s.%s = %s.ordergate_to", b, quote(column), a)
		}
	}
	return strings.Join(terms, " AND ")
}

func count(counts *map[string]int64, name string, n int64) {
	if n == 0 {
		return
	}
	if *counts == nil {
		*counts = map[string]int64{}
	}
	(*counts)[name] += n
}

// sweepStrays hands on children that were added for a row after it was archived. Only tables without a foreign key can
// have such. It returns the run, and whether there may be more of them.
func (d *Database) sweepStrays(ctx context.Context, r Run) (Run, bool, error) {
	l := r.layout
	if !slices.ContainsFunc(l.Steps, func(s step) bool { return !s.Bound }) {
		return r, false, nil
	}
	more := false
	r, err := d.advance(ctx, r, func(tx *sql.Tx, r *Run) error {
		more = false
		for at, s := range l.Steps {
			if s.Bound {
				continue
			}
			child := l.Tables[s.Table]
			var from sql.NullString
			// The last archive of a key says where its children belong; a key that is in use again keeps its own.
			query := fmt.Sprintf("SELECT %s FROM (SELECT w.%[2]s AS lost FROM %[3]s w STRAIGHT_JOIN %[4]s c ON c.%[5]s = w.%[2]s"+
				" LEFT JOIN %[6]s t ON t.%[2]s = w.%[2]s WHERE t.%[2]s IS NULL LIMIT 1) x", l.keyColumn().text("x.lost"), quote(l.Key), r.archive(0), child.sql(), quote(s.Column), l.root().sql())
			err := d.one(ctx, tx, query, nil, &from)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			lost, err := l.keyColumn().value(from.String)
			if err != nil {
				return err
			}
			r.progress.Batches++
			_, err = d.handOn(ctx, tx, r, at, removed{from: r.archive(0) + " w", where: "w." + quote(l.Key) + " = ? AND w.ordergate_batch = (SELECT MAX(b.ordergate_batch) FROM " + r.archive(0) + " b WHERE b." + quote(l.Key) + " = ?)",
				gone: "w." + quote(l.Key), kept: "w.ordergate_kept", args: []any{lost, lost}, batch: r.progress.Batches})
			if err != nil {
				return err
			}
			more = true
		}
		return nil
	})
	return r, more, err
}
