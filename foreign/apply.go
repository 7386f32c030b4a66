package foreign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Progress tells how far a run is.
type Progress struct {
	State State
	// About Done rows were looked at in this round, of Total, which is the server's estimate; of an undo, they are batches.
	Done, Total int64
	Archived    int64 // surplus rows, so far
}

// maxRounds bounds how often one call looks for duplicates that came while it worked.
const maxRounds = 20

// Apply leaves one row for each ERP order id, and adds a unique index that keeps it so. Children of the rows that it
// removes are handed to the row that is kept. Everything that leaves a table is archived, for Undo. It works beside live
// traffic, and may be stopped at any moment: the next call with the same options goes on. *OptionError if the table
// cannot be cleaned up.
func (d *Database) Apply(ctx context.Context, o Options, progress func(Progress)) (Run, error) {
	o, err := o.completed()
	if err != nil {
		return Run{}, err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	r, err := d.begin(ctx, o)
	if err != nil {
		return r, err
	}
	last := r.Counts.Rounds + maxRounds
	for r.State != Done {
		next, err := d.step(ctx, r, o)
		if err != nil || next.State == Undoing || next.State == Undone {
			return r, d.giveWay(ctx, r, err)
		}
		r = next
		progress(Progress{State: r.State, Done: min(r.progress.Looked, r.progress.Rows), Total: r.progress.Rows, Archived: r.Counts.Archived})
		if r.State == Preparing && r.Counts.Rounds >= last {
			return r, fmt.Errorf("foreign: run %s: new duplicates keep appearing: stop what writes them, and call again", r.ID)
		}
	}
	return r, nil
}

// step carries a run on by as much as can be lost without harm.
func (d *Database) step(ctx context.Context, r Run, o Options) (Run, error) {
	switch r.State {
	case Preparing:
		return d.prepare(ctx, r)
	case Planning:
		return d.planRange(ctx, r)
	case Cleaning:
		return d.cleanBatch(ctx, r, o.Batch)
	case Indexing:
		return d.close(ctx, r)
	case Undoing:
		return r, nil
	default:
		return r, fmt.Errorf("unknown state %q", r.State)
	}
}

// giveWay says why a run goes no further: because of a failure, if there was one, unless that comes of the run being undone.
// Then it drops what this process may have made after the undo looked for it: an index takes minutes to add.
func (d *Database) giveWay(ctx context.Context, r Run, failure error) error {
	runs, err := d.findRuns(ctx, d.db, "run_id = ? AND state IN (?, ?)", r.ID, string(Undoing), string(Undone))
	if err != nil || len(runs) == 0 {
		return fmt.Errorf("foreign: run %s, %s: %w", r.ID, r.State, errors.Join(failure, err))
	}
	r = runs[0]
	if r.State == Undoing { // which needs the archive, and drops it in the end
		return errors.Join(fmt.Errorf("foreign: run %s is being undone; `ordergate dedupe undo %s` goes on with that", r.ID, r.ID), d.dropIndexes(ctx, r))
	}
	undone := fmt.Errorf("foreign: run %s was undone meanwhile; call again to begin anew", r.ID)
	later, err := d.laterRuns(ctx, r)
	if err == nil && len(later) == 0 { // whose index it would be
		err = d.dropIndexes(ctx, r)
	}
	return errors.Join(undone, err, d.dropTables(ctx, r))
}

// begin returns the run of the table that is under way, or a new one.
func (d *Database) begin(ctx context.Context, o Options) (Run, error) {
	if err := d.makeRuns(ctx); err != nil {
		return Run{}, fmt.Errorf("foreign: making the table of runs: %w", err)
	}
	layout, err := d.look(ctx, d.db, o)
	if err != nil {
		return Run{}, err
	}
	// The name as the database spells it, whose case may not matter there.
	table := layout.root().Name
	for range 2 {
		standing, err := d.findRuns(ctx, d.db, "active = ?", table)
		if err != nil {
			return Run{}, err
		}
		if len(standing) > 0 {
			r := standing[0]
			o.Table = r.Options.Table
			if !r.Options.equal(o) && r.State != Undoing {
				return r, fmt.Errorf("foreign: run %s of %s is under way with other options (id column %s, keep %s, children %v): go on with those, or undo it",
					r.ID, table, r.Options.IDColumn, r.Options.Keep, r.Options.Children)
			}
			return r, d.stillTied(ctx, r)
		}
		if layout.uniqueIndex() != "" {
			return Run{}, optionErrorf("id_column", "%s of %s is unique already, by the index %s: there is nothing to clean up", layout.ID, table, layout.uniqueIndex())
		}
		r := Run{ID: d.newID(), Table: table, State: Preparing, Options: o, layout: layout,
			StartedAt: d.now().UTC().Truncate(time.Microsecond)}
		err = d.insert(ctx, r)
		if err == nil {
			return r, nil
		}
		if !isError(err, errDuplicateEntry) { // another process was faster
			return Run{}, fmt.Errorf("foreign: beginning a run: %w", err)
		}
	}
	return Run{}, errors.New("foreign: several processes begin and end runs of this table: try again")
}

// stillTied makes sure that no table began to point to those of a run since it was planned: its rows would go unseen
// where they are deleted with what they point to.
func (d *Database) stillTied(ctx context.Context, r Run) error {
	if r.State == Undoing {
		return nil
	}
	if err := d.unchanged(ctx, d.db, r.layout); err != nil {
		return err
	}
	now, err := d.look(ctx, d.db, r.Options)
	if err != nil {
		return err
	}
	if fmt.Sprint(now.Steps) != fmt.Sprint(r.layout.Steps) {
		return fmt.Errorf("foreign: the foreign keys or unique keys around %s have changed since run %s began: undo it and begin anew", r.Table, r.ID)
	}
	return nil
}

// prepare makes what the run needs, or empties it for another round.
func (d *Database) prepare(ctx context.Context, r Run) (Run, error) {
	if r.Counts.Rounds > 0 {
		if err := d.stillTied(ctx, r); err != nil {
			return r, err
		}
	}
	l := r.layout
	key := quote(l.Key)
	statements := []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (PRIMARY KEY (row_key), gone TINYINT NOT NULL DEFAULT 0) ENGINE=InnoDB"+
			" AS SELECT %s AS row_key, %s AS kept_key, 0 AS gone FROM %s WHERE 1 = 0", r.work(), key, key, l.root().sql()),
		"TRUNCATE TABLE " + r.work(),
	}
	for i, s := range l.Tables {
		kept := ""
		if i == 0 {
			kept = ", " + key + " AS ordergate_kept"
		}
		statements = append(statements, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (ordergate_batch BIGINT NOT NULL, ordergate_step INT NOT NULL,"+
			" PRIMARY KEY (ordergate_batch, %s)) ENGINE=InnoDB AS SELECT 0 AS ordergate_batch, 0 AS ordergate_step%s, %s FROM %s WHERE 1 = 0",
			r.archive(i), quoteAll("", s.Primary), kept, quoteAll("", s.names()), s.sql()))
	}
	for i, s := range l.Steps {
		child := l.Tables[s.Table]
		statements = append(statements, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (ordergate_batch BIGINT NOT NULL,"+
			" PRIMARY KEY (ordergate_batch, %s)) ENGINE=InnoDB AS SELECT 0 AS ordergate_batch, %s, %s AS ordergate_from, %s AS ordergate_to FROM %s WHERE 1 = 0",
			r.moved(i), quoteAll("", child.Primary), quoteAll("", child.Primary), quote(s.Column), quote(s.Column), child.sql()))
	}
	for _, s := range statements {
		if err := d.define(ctx, s); err != nil {
			return r, err
		}
	}
	helper := r.progress.Helper
	if !l.hasIDIndex() {
		helper = r.helperIndex()
		if err := d.addIndex(ctx, l, "INDEX", helper); err != nil {
			return r, err
		}
	}
	var estimate sql.NullInt64
	err := d.one(ctx, d.db, "SELECT table_rows FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", []any{l.root().Schema, l.root().Name}, &estimate)
	if err != nil {
		return r, err
	}
	return d.advance(ctx, r, func(_ *sql.Tx, r *Run) error {
		r.State = Planning
		r.Counts.Rounds++
		r.progress = marks{Rows: estimate.Int64, Batches: r.progress.Batches, Helper: helper, IndexWanted: r.progress.IndexWanted}
		return nil
	})
}

// planEntries is how many entries of the index on the ERP id one transaction looks at.
const planEntries = 100_000

// planRange looks for duplicates among the next ERP ids.
func (d *Database) planRange(ctx context.Context, r Run) (Run, error) {
	return d.advance(ctx, r, func(tx *sql.Tx, r *Run) error {
		l := r.layout
		l.Tables[0].Indexed = append(l.Tables[0].Indexed, l.ID) // there is one by now
		ids, err := d.nextIDs(ctx, tx, l, r.progress.PlanFrom, planEntries)
		if err != nil {
			return err
		}
		if ids == nil {
			// The index is noted before it is made, so that an undo finds it whatever happens in between.
			r.State, r.progress.IndexWanted = Indexing, uniqueIndexName(l.ID)
			return nil
		}
		found, err := d.exec(ctx, tx, "INSERT INTO "+r.work()+" (row_key, kept_key) "+l.surplus(r.Options, ids.condition), ids.args...)
		if err != nil {
			return err
		}
		r.progress.PlanFrom, r.progress.CleanFrom = &ids.last, nil
		r.progress.Looked += planEntries
		r.progress.RoundRows += found
		r.Counts.Planned += found
		if found > 0 {
			r.State = Cleaning // at once: the server still has their pages in memory
		}
		return nil
	})
}

// close ends a run in which no duplicate is left, with the unique index if that can be.
func (d *Database) close(ctx context.Context, r Run) (Run, error) {
	r, more, err := d.sweepStrays(ctx, r)
	if err != nil || more || r.State != Indexing {
		return r, err
	}
	began := d.now()
	index, note, err := d.keepUnique(ctx, r)
	took := d.now().Sub(began).Seconds()
	if isError(err, errDuplicateEntry) {
		return d.advance(ctx, r, func(_ *sql.Tx, r *Run) error {
			r.State = Preparing // a duplicate came after its range was looked at
			return nil
		})
	}
	if err != nil {
		return r, err
	}
	if note != "" && r.progress.RoundRows > 0 {
		// Without the index only another look tells that no duplicate came meanwhile.
		return d.advance(ctx, r, func(_ *sql.Tx, r *Run) error {
			r.State = Preparing
			return nil
		})
	}
	if helper := r.progress.Helper; helper != "" {
		if err := d.dropIndex(ctx, r.layout, helper); err != nil {
			return r, err
		}
	}
	if err := d.define(ctx, "DROP TABLE IF EXISTS "+r.work()); err != nil {
		return r, err
	}
	return d.change(ctx, r.ID, func(_ *sql.Tx, r *Run) error {
		if !r.active() || r.State == Undoing {
			return nil
		}
		// Whatever another process is about: it would look for duplicates that can no longer be.
		r.State, r.Index, r.Note = Done, index, note
		r.Counts.IndexSeconds = took
		return nil
	})
}
