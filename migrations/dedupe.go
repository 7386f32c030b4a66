package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Why a row was archived.
const (
	ReasonDuplicate    = "duplicate"       // another row has the same ERP order id
	ReasonNoERPOrderID = "no_erp_order_id" // the row names no order of the ERP
)

// ReportLimit bounds how many orders a DuplicateReport names; its counts are complete.
const ReportLimit = 1000

// DuplicateReport says what stands in the way of one row for each ERP order, or, from Dedupe, what was done about it.
type DuplicateReport struct {
	RunID string `json:"run_id,omitempty"` // of the rows in dedupe_archive; empty if nothing was changed

	DuplicatedOrders int64 `json:"duplicated_orders"` // ERP orders with more than one row
	SurplusRows      int64 `json:"surplus_rows"`      // rows beyond the first of each
	RowsWithoutERPID int64 `json:"rows_without_erp_id"`

	LinesMoved      int64 `json:"lines_moved"` // to the row that is kept, because it had none
	LinesArchived   int64 `json:"lines_archived"`
	HistoryMoved    int64 `json:"history_moved"` // to the row that is kept
	HistoryArchived int64 `json:"history_archived"`

	Duplicates   []Duplicate `json:"duplicates,omitempty"`     // the first ReportLimit
	WithoutERPID []LooseRow  `json:"without_erp_id,omitempty"` // the first ReportLimit
}

// Duplicate is an ERP order that has more than one row.
type Duplicate struct {
	TenantID   int64   `json:"tenant_id"`
	ERPOrderID int64   `json:"erp_order_id"`
	KeptRow    int64   `json:"kept_row"` // the oldest
	OtherRows  []int64 `json:"other_rows"`
}

// LooseRow is a row of orders that names no order of the ERP.
type LooseRow struct {
	RowID     int64  `json:"row_id"`
	TenantID  int64  `json:"tenant_id"`
	Number    string `json:"number,omitempty"`
	Reference string `json:"reference,omitempty"`
}

// DedupeProgress tells how far Dedupe is, in rows of orders.
type DedupeProgress struct {
	Done, Total int64
}

// FindDuplicates reports what Dedupe would change, and changes nothing. It works on a database at any step.
func FindDuplicates(ctx context.Context, db *sql.DB, dialect Dialect) (DuplicateReport, error) {
	d := newDeduper(db, dialect, nil, time.Time{})
	exists, err := tableExists(ctx, db, dialect, "orders")
	if err != nil || !exists {
		return DuplicateReport{}, wrapDedupe(err)
	}
	work, err := d.plan(ctx)
	if err != nil {
		return DuplicateReport{}, wrapDedupe(err)
	}
	return work.report(), nil
}

// Dedupe leaves one row for each ERP order: the oldest by created_at, then by id. The history of the rows it removes
// moves to the row that is kept; so do their lines if that row has none, and otherwise they are the same lines once
// more, and are archived. Rows without an ERP order id go with their children. Everything that leaves a table is
// kept in dedupe_archive. It works on a database at any step, in bounded transactions, and may be stopped and repeated.
func Dedupe(
	ctx context.Context, db *sql.DB, dialect Dialect, progress func(DedupeProgress),
) (DuplicateReport, error) {
	exists, err := tableExists(ctx, db, dialect, "orders")
	if err != nil || !exists {
		return DuplicateReport{}, wrapDedupe(err)
	}
	report, err := newDeduper(db, dialect, transactions(db), time.Now()).run(ctx, progress)
	return report, wrapDedupe(err)
}

func wrapDedupe(err error) error {
	if err != nil {
		return fmt.Errorf("migrations: removing duplicate orders: %w", err)
	}
	return nil
}

// transactions runs each batch in a transaction of its own.
func transactions(db *sql.DB) func(context.Context, func(executor) error) error {
	return func(ctx context.Context, run func(executor) error) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := run(tx); err != nil {
			if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
				return errors.Join(err, rollbackErr)
			}
			return err
		}
		return tx.Commit()
	}
}

// deduper removes duplicates from the tables that exist.
type deduper struct {
	db      executor // reads the plan
	dialect Dialect
	within  func(ctx context.Context, batch func(executor) error) error
	runID   string
	now     time.Time

	hasLines, hasHistory bool
	rowJSON              map[string]string // SQL that makes JSON of a row, by table
}

func newDeduper(
	db executor, dialect Dialect, within func(context.Context, func(executor) error) error, now time.Time,
) *deduper {
	return &deduper{db: db, dialect: dialect, within: within, runID: uuid.NewString(),
		now: now.UTC().Truncate(time.Microsecond)}
}

// run repeats until nothing is left, because an earlier system may be writing at the same time.
func (d *deduper) run(ctx context.Context, progress func(DedupeProgress)) (DuplicateReport, error) {
	const rounds = 10
	var total DuplicateReport
	for range rounds {
		work, err := d.plan(ctx)
		if err != nil {
			return total, err
		}
		if work.empty() {
			return total, nil
		}
		if err := d.prepare(ctx); err != nil {
			return total, err
		}
		total.include(work.report())
		total.RunID = d.runID
		if err := d.carryOut(ctx, work, &total, progress); err != nil {
			return total, err
		}
	}
	return total, errors.New("new duplicates keep appearing: stop the system that writes them, and try again")
}

// prepare makes sure of the archive and learns which tables and columns there are. DDL ends a transaction on MySQL, so
// that this must come before the first.
func (d *deduper) prepare(ctx context.Context) error {
	if err := executeFile(ctx, d.db, string(d.dialect)+"/00004_dedupe_archive.sql"); err != nil {
		return err
	}
	d.rowJSON = map[string]string{}
	for table, exists := range map[string]*bool{"orders": nil, "order_lines": &d.hasLines, "order_history": &d.hasHistory} {
		columns, err := columnsOf(ctx, d.db, d.dialect, table)
		if err != nil {
			return err
		}
		if exists != nil {
			*exists = len(columns) > 0
		}
		d.rowJSON[table] = jsonOfRow(d.dialect, columns)
	}
	return nil
}

func (d *deduper) carryOut(
	ctx context.Context, work plan, total *DuplicateReport, progress func(DedupeProgress),
) error {
	// batchSize bounds how long a transaction holds its locks, and stays under SQLite's and MySQL's limits for lists.
	const batchSize = 250
	done, all := int64(0), int64(len(work.surplus)+len(work.loose))
	step := func(n int, batch func(executor) error) error {
		if err := d.within(ctx, batch); err != nil {
			return err
		}
		done += int64(n)
		if progress != nil {
			progress(DedupeProgress{Done: done, Total: all})
		}
		return nil
	}
	for rest := work.surplus; len(rest) > 0; {
		batch := rest[:min(batchSize, len(rest))]
		rest = rest[len(batch):]
		err := step(len(batch), func(tx executor) error { return d.removeSurplus(ctx, tx, batch, total) })
		if err != nil {
			return err
		}
	}
	for rest := work.loose; len(rest) > 0; {
		batch := rest[:min(batchSize, len(rest))]
		rest = rest[len(batch):]
		err := step(len(batch), func(tx executor) error { return d.removeLoose(ctx, tx, batch, total) })
		if err != nil {
			return err
		}
	}
	return nil
}
