package foreign

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// State is how far a run is.
type State string

// The states of a run, in the order in which it passes them; it looks and cleans in turn.
const (
	Preparing State = "preparing" // its tables are made, or emptied for another round
	Planning  State = "planning"  // rows that share an id are looked for, in a range of ids
	Cleaning  State = "cleaning"  // those of the range are archived; then comes the next
	Indexing  State = "indexing"  // the unique index is added
	Done      State = "done"
	Undoing   State = "undoing" // what was archived is put back
	Undone    State = "undone"
)

// Run is one clean-up of a table.
type Run struct {
	ID      string  `json:"id"`
	Table   string  `json:"table"`
	State   State   `json:"state"`
	Options Options `json:"options"`
	Counts  Counts  `json:"counts"`

	// Index is the unique index that the run added; where it added none, Note says why.
	Index string `json:"index,omitempty"`
	Note  string `json:"note,omitempty"`

	StartedAt time.Time  `json:"started_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`

	layout   layout
	progress marks
}

// Counts are what a run did.
type Counts struct {
	Rounds   int   `json:"rounds"`   // how often duplicates were looked for
	Planned  int64 `json:"planned"`  // surplus rows found, in all rounds
	Archived int64 `json:"archived"` // surplus rows that were removed
	Skipped  int64 `json:"skipped"`  // found, but someone changed or removed them before their turn
	// ChildrenMoved and ChildrenArchived are by TABLE.COLUMN. Archived are those that had no place beside the children of
	// the row that is kept, and what pointed to them.
	ChildrenMoved    map[string]int64 `json:"children_moved,omitempty"`
	ChildrenArchived map[string]int64 `json:"children_archived,omitempty"`

	IndexSeconds float64 `json:"index_seconds,omitempty"` // how long the unique index took

	Restored     int64 `json:"restored"`      // rows that an undo put back, children included
	MovedBack    int64 `json:"moved_back"`    // children that an undo handed back
	ChangedSince int64 `json:"changed_since"` // children that an undo left, because someone removed or moved them since
}

// marks are where a run goes on.
type marks struct {
	PlanFrom    *string `json:"plan_from,omitempty"`  // the last ERP id that was looked at
	CleanFrom   *string `json:"clean_from,omitempty"` // the last surplus row of the range that was dealt with
	Batches     int64   `json:"batches"`              // how many there are; an undo counts down
	Looked      int64   `json:"looked"`               // about how many rows were looked at in this round
	Rows        int64   `json:"rows"`                 // an estimate of all
	RoundRows   int64   `json:"round_rows"`           // surplus rows found in this round
	Helper      string  `json:"helper,omitempty"`     // an index that only the run needs
	IndexWanted string  `json:"index_wanted,omitempty"`
}

const runsTable = prefix + "runs"

const createRuns = `CREATE TABLE IF NOT EXISTS ` + runsTable + ` (
	run_id     VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	active     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL COMMENT 'the table, while the run is under way',
	state      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	options    LONGTEXT NOT NULL,
	layout     LONGTEXT NOT NULL,
	counts     LONGTEXT NOT NULL,
	marks      LONGTEXT NOT NULL,
	index_name VARCHAR(64) NOT NULL DEFAULT '',
	note       TEXT NOT NULL,
	started_at DATETIME(6) NOT NULL,
	updated_at DATETIME(6) NOT NULL,
	ended_at   DATETIME(6) NULL,
	UNIQUE KEY one_run_a_table (active)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`

const runColumns = "run_id, table_name, state, options, layout, counts, marks, index_name, note, started_at, updated_at, ended_at"

// ErrNoRun is what an undo says of a run that there is not.
var ErrNoRun = errors.New("foreign: there is no such run; `ordergate dedupe runs` lists them")

// Runs lists all runs, the newest first. It changes nothing.
func (d *Database) Runs(ctx context.Context) ([]Run, error) {
	return d.findRuns(ctx, d.db, "1 = 1 ORDER BY started_at DESC, run_id")
}

// makeRuns makes the table of runs. It defines nothing where it stands: that would wait for whoever works on a run.
func (d *Database) makeRuns(ctx context.Context) error {
	made, err := d.tableStands(ctx, d.db, runsTable)
	if err != nil || made {
		return err
	}
	return d.define(ctx, createRuns)
}

func (d *Database) tableStands(ctx context.Context, x executor, table string) (bool, error) {
	var n int
	err := d.one(ctx, x, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", []any{d.schema, table}, &n)
	if err != nil {
		return false, fmt.Errorf("foreign: looking for table %s: %w", table, err)
	}
	return n > 0, nil
}

func (d *Database) findRuns(ctx context.Context, x executor, condition string, args ...any) ([]Run, error) {
	runs := []Run{}
	made, err := d.tableStands(ctx, x, runsTable)
	if err != nil || !made {
		return runs, err
	}
	err = d.each(ctx, x, "SELECT "+runColumns+" FROM "+runsTable+" WHERE "+condition, args, func(rows *sql.Rows) error {
		var r Run
		var options, layout, counts, marks []byte
		var started, updated string
		var ended sql.NullString
		err := rows.Scan(&r.ID, &r.Table, &r.State, &options, &layout, &counts, &marks, &r.Index, &r.Note, &started, &updated, &ended)
		if err != nil {
			return err
		}
		r.StartedAt, r.UpdatedAt = timeOf(started), timeOf(updated)
		if ended.Valid {
			at := timeOf(ended.String)
			r.EndedAt = &at
		}
		runs = append(runs, r)
		into := &runs[len(runs)-1]
		return errors.Join(json.Unmarshal(options, &into.Options), json.Unmarshal(layout, &into.layout),
			json.Unmarshal(counts, &into.Counts), json.Unmarshal(marks, &into.progress))
	})
	if err != nil {
		return nil, fmt.Errorf("foreign: reading the runs: %w", err)
	}
	return runs, nil
}

// hold reads a run and locks it until the transaction ends: of two processes that carry on the same run, one waits, and
// then goes on where the other is.
func (d *Database) hold(ctx context.Context, x executor, id string) (Run, error) {
	runs, err := d.findRuns(ctx, x, "run_id = ? FOR UPDATE", id)
	if err != nil {
		return Run{}, err
	}
	if len(runs) == 0 {
		return Run{}, ErrNoRun
	}
	return runs[0], nil
}

// advance lets a function change a run, in a transaction of its own, if the run is in the state still in which it was seen.
// If not, another process carried it on, or undoes it: then it is returned as it is.
func (d *Database) advance(ctx context.Context, seen Run, change func(tx *sql.Tx, r *Run) error) (Run, error) {
	return d.change(ctx, seen.ID, func(tx *sql.Tx, r *Run) error {
		if r.State != seen.State {
			return nil
		}
		return change(tx, r)
	})
}

// change lets a function change a run, whatever its state, in a transaction of its own.
func (d *Database) change(ctx context.Context, id string, change func(tx *sql.Tx, r *Run) error) (Run, error) {
	var result Run
	err := d.within(ctx, func(tx *sql.Tx) error {
		r, err := d.hold(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := change(tx, &r); err != nil {
			return err
		}
		if err := d.save(ctx, tx, &r); err != nil {
			return err
		}
		result = r
		return nil
	})
	return result, err
}

func (d *Database) save(ctx context.Context, x executor, r *Run) error {
	r.UpdatedAt = d.now().UTC().Truncate(time.Microsecond)
	var active, ended any
	switch r.State {
	case Done, Undone:
		if r.EndedAt == nil {
			at := r.UpdatedAt
			r.EndedAt = &at
		}
		ended = r.EndedAt.Format(timeFormat)
	default:
		active, r.EndedAt = r.Table, nil
	}
	counts, err := json.Marshal(r.Counts)
	if err != nil {
		return err
	}
	marks, err := json.Marshal(r.progress)
	if err != nil {
		return err
	}
	_, err = d.exec(ctx, x, "UPDATE "+runsTable+" SET state = ?, active = ?, counts = ?, marks = ?, index_name = ?, note = ?,"+
		" updated_at = ?, ended_at = ? WHERE run_id = ?",
		string(r.State), active, string(counts), string(marks), r.Index, r.Note, r.UpdatedAt.Format(timeFormat), ended, r.ID)
	if isError(err, errDuplicateEntry) {
		return fmt.Errorf("foreign: another run of %s is under way", r.Table)
	}
	return err
}

func (d *Database) insert(ctx context.Context, r Run) error {
	options, err := json.Marshal(r.Options)
	if err != nil {
		return err
	}
	layout, err := json.Marshal(r.layout)
	if err != nil {
		return err
	}
	now := r.StartedAt.Format(timeFormat)
	_, err = d.exec(ctx, d.db, "INSERT INTO "+runsTable+" (run_id, table_name, active, state, options, layout, counts, marks, note, started_at, updated_at)"+
		" VALUES (?, ?, ?, ?, ?, ?, '{}', '{}', '', ?, ?)", r.ID, r.Table, r.Table, string(r.State), string(options), string(layout), now, now)
	return err
}

const timeFormat = "2006-01-02 15:04:05.000000"

// timeOf reads a time that save wrote; the zero time if someone else wrote another text there.
func timeOf(text string) time.Time {
	t, _ := time.Parse(timeFormat, text)
	return t
}

// The names of a run's tables. They are short and plain, and the run's id is letters and digits.

func (r Run) work() string          { return prefix + r.ID + "_rows" }
func (r Run) archive(at int) string { return fmt.Sprintf("%s%s_a%d", prefix, r.ID, at) }
func (r Run) moved(step int) string { return fmt.Sprintf("%s%s_m%d", prefix, r.ID, step) }
func (r Run) helperIndex() string   { return prefix + r.ID }
func (r Run) active() bool          { return r.State != Done && r.State != Undone }
func (r Run) tables() (all []string) {
	all = append(all, r.work())
	for i := range r.layout.Tables {
		all = append(all, r.archive(i))
	}
	for i := range r.layout.Steps {
		all = append(all, r.moved(i))
	}
	return all
}
