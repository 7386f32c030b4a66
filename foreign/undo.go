package foreign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Undo puts back what a run archived, hands its children back and drops the index that it added. It refuses, before it
// changes anything, if a row cannot come back because its key, or another unique value of it, is in use since. Children
// that someone removed or handed on since stay as they are, and are counted. It may be stopped at any moment: the next
// call goes on. ErrNoRun if there is no such run.
func (d *Database) Undo(ctx context.Context, id string, progress func(Progress)) (Run, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	r, err := d.beginUndo(ctx, id)
	if err != nil {
		return r, err
	}
	total := r.progress.Batches
	for r.State == Undoing {
		progress(Progress{State: Undoing, Done: total - r.progress.Batches, Total: total})
		if r.progress.Batches > 0 {
			r, err = d.undoBatch(ctx, r)
		} else {
			r, err = d.endUndo(ctx, r)
		}
		if err != nil {
			return r, fmt.Errorf("foreign: undoing run %s: %w", id, explain(err))
		}
	}
	if r.State != Undone {
		return r, fmt.Errorf("foreign: run %s was to be undone, and is %s: it was changed by something else", id, r.State)
	}
	return r, nil
}

func (d *Database) beginUndo(ctx context.Context, id string) (Run, error) {
	runs, err := d.findRuns(ctx, d.db, "run_id = ?", id)
	if err != nil {
		return Run{}, err
	}
	if len(runs) == 0 {
		return Run{}, ErrNoRun
	}
	r := runs[0]
	if r.State == Undone {
		return r, fmt.Errorf("foreign: run %s has been undone already", id)
	}
	later, err := d.laterRuns(ctx, r)
	if err != nil {
		return r, err
	}
	if len(later) > 0 {
		return r, fmt.Errorf("foreign: run %s of %s came after run %s: undo that one first", later[0].ID, r.Table, id)
	}
	for _, s := range r.layout.Tables {
		columns, _, err := d.columns(ctx, d.db, s.Schema, s.Name)
		if err != nil {
			return r, err
		}
		now := shape{Columns: columns}
		for _, c := range s.Columns {
			if stands, found := now.column(c.Name); !found || stands.Type != c.Type {
				return r, fmt.Errorf("foreign: the column %s of %s is not what it was when run %s began: its rows cannot be put back as they were", c.Name, s, id)
			}
		}
	}
	if err := d.refuseReuse(ctx, r); err != nil {
		return r, err
	}
	r, err = d.change(ctx, id, func(_ *sql.Tx, r *Run) error {
		if r.State != Undone { // by another process
			r.State = Undoing
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	if err := d.dropIndexes(ctx, r); err != nil {
		return r, fmt.Errorf("foreign: undoing run %s: %w", id, err)
	}
	return r, nil
}

// laterRuns are those of the same table that began after a run and were not undone, the last first.
func (d *Database) laterRuns(ctx context.Context, r Run) ([]Run, error) {
	return d.findRuns(ctx, d.db, "table_name = ? AND started_at > ? AND state <> ? ORDER BY started_at DESC",
		r.Table, r.StartedAt.Format(timeFormat), string(Undone))
}

// refuseReuse looks for rows that would collide with an archived one.
func (d *Database) refuseReuse(ctx context.Context, r Run) error {
	for at, s := range r.layout.Tables {
		made, err := d.tableStands(ctx, d.db, r.archive(at))
		if err != nil {
			return err
		}
		if !made {
			continue // the run ended before anything was archived
		}
		now, err := d.inspect(ctx, d.db, s.Schema, s.Name, "table")
		if err != nil {
			return err
		}
		for _, key := range append([]unique{{Name: "PRIMARY", Columns: s.Primary}}, now.Unique...) {
			if len(key.Columns) == 0 || key.Name == r.progress.IndexWanted {
				continue // found out when the row is put back; gone by then
			}
			archived := make([]string, len(key.Columns))
			for i, column := range key.Columns {
				if _, known := s.column(column); !known {
					archived = nil // a column that came since is not in the archive
					break
				}
				archived[i] = fmt.Sprintf("t.%[1]s = a.%[1]s", quote(column))
			}
			if archived == nil {
				continue
			}
			var n int64
			err := d.one(ctx, d.db, fmt.Sprintf("SELECT COUNT(*) FROM %s a STRAIGHT_JOIN %s t ON %s",
				r.archive(at), s.sql(), strings.Join(archived, " AND ")), nil, &n)
			if err != nil {
				return fmt.Errorf("foreign: looking for rows of %s that were reused: %w", s, err)
			}
			if n > 0 {
				return fmt.Errorf("foreign: run %s cannot be undone: %d archived rows of %s have values of the key %s (%s) that are in use again. Nothing was changed",
					r.ID, n, s, key.Name, strings.Join(key.Columns, ", "))
			}
		}
	}
	return nil
}

// undoBatch puts back what the last batch removed, in one transaction. A row is in its table or in the archive, never in
// both.
func (d *Database) undoBatch(ctx context.Context, r Run) (Run, error) {
	return d.advance(ctx, r, func(tx *sql.Tx, r *Run) error {
		if r.progress.Batches == 0 {
			return nil // by another process
		}
		batch := r.progress.Batches
		if err := d.putBack(ctx, tx, r, 0, -1, batch); err != nil {
			return err
		}
		for at, s := range slices.Backward(r.layout.Steps) {
			for _, table := range s.archives() {
				if err := d.putBack(ctx, tx, r, table, at, batch); err != nil {
					return err
				}
			}
			if err := d.handBack(ctx, tx, r, at, batch); err != nil {
				return err
			}
		}
		for _, table := range r.tables()[1:] {
			if _, err := d.exec(ctx, tx, "DELETE FROM "+table+" WHERE ordergate_batch = ?", batch); err != nil {
				return fmt.Errorf("removing the batch from %s: %w", table, err)
			}
		}
		r.progress.Batches--
		return nil
	})
}

// putBack copies the archived rows of a step back, and makes sure that they are what they were.
func (d *Database) putBack(ctx context.Context, tx *sql.Tx, r *Run, table, at int, batch int64) error {
	s, names := r.layout.Tables[table], r.layout.Tables[table].names()
	n, err := d.exec(ctx, tx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s a WHERE a.ordergate_batch = ? AND a.ordergate_step = ?",
		s.sql(), quoteAll("", names), quoteAll("a.", names), r.archive(table)), batch, at)
	if err != nil {
		return fmt.Errorf("putting rows of %s back: %w", s, err)
	}
	if n == 0 {
		return nil
	}
	equal := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		equal[i] = fmt.Sprintf("t.%[1]s <=> a.%[1]s", quote(c.Name))
		if c.isText() {
			equal[i] = fmt.Sprintf("CAST(t.%[1]s AS BINARY) <=> CAST(a.%[1]s AS BINARY)", quote(c.Name))
		}
	}
	var same int64
	err = d.one(ctx, tx, fmt.Sprintf("SELECT COUNT(*) FROM %s a STRAIGHT_JOIN %s t ON %s WHERE a.ordergate_batch = ? AND a.ordergate_step = ? AND %s",
		r.archive(table), s.sql(), samePrimary(s, "a", "t", ""), strings.Join(equal, " AND ")), []any{batch, at}, &same)
	if err != nil {
		return fmt.Errorf("comparing rows of %s that were put back: %w", s, err)
	}
	if same != n {
		return fmt.Errorf("%d of %d rows of %s did not come back as they were (triggers there: %s): nothing of this batch was changed",
			n-same, n, s, strings.Join(s.Watched, ", "))
	}
	r.Counts.Restored += n
	return nil
}

// handBack moves the children of a batch back, except those that someone removed or handed on since.
func (d *Database) handBack(ctx context.Context, tx *sql.Tx, r *Run, at int, batch int64) error {
	s := r.layout.Steps[at]
	child := r.layout.Tables[s.Table]
	same := ""
	for _, name := range child.Changes {
		same += fmt.Sprintf(", c.%[1]s = c.%[1]s", quote(name))
	}
	var noted int64
	if err := d.one(ctx, tx, "SELECT COUNT(*) FROM "+r.moved(at)+" WHERE ordergate_batch = ?", []any{batch}, &noted); err != nil {
		return err
	}
	if noted == 0 {
		return nil
	}
	moved, err := d.exec(ctx, tx, fmt.Sprintf("UPDATE %s m STRAIGHT_JOIN %s c ON %s AND c.%s = m.ordergate_to SET c.%s = m.ordergate_from%s WHERE m.ordergate_batch = ?",
		r.moved(at), child.sql(), samePrimary(child, "m", "c", s.Column), quote(s.Column), quote(s.Column), same), batch)
	if err != nil {
		return fmt.Errorf("handing rows of %s back: %w", child, err)
	}
	r.Counts.MovedBack += moved
	r.Counts.ChangedSince += noted - moved
	return nil
}

// endUndo drops what the run kept.
func (d *Database) endUndo(ctx context.Context, r Run) (Run, error) {
	if err := d.dropTables(ctx, r); err != nil {
		return r, err
	}
	return d.advance(ctx, r, func(_ *sql.Tx, r *Run) error {
		r.State, r.Index = Undone, ""
		return nil
	})
}

func (d *Database) dropTables(ctx context.Context, r Run) error {
	for _, table := range r.tables() {
		if err := d.define(ctx, "DROP TABLE IF EXISTS "+table); err != nil {
			return err
		}
	}
	return nil
}

// errReused is the cause of an undo that stopped half way because of what others wrote.
var errReused = errors.New("what stands there now has to give way first; call again then, and the undo goes on")

// explain says what an error of the database means to an undo.
func explain(err error) error {
	switch {
	case isError(err, errDuplicateEntry):
		return fmt.Errorf("a value that an archived row needs is in use again: %w (%w)", err, errReused)
	case isError(err, errParentMissing):
		return fmt.Errorf("what an archived row points to is gone: %w", err)
	}
	return err
}
