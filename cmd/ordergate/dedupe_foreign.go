package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"ordergate/failpoint"
	"ordergate/foreign"
)

// foreignFlags say where another system's table is.
type foreignFlags struct {
	From string `env:"ORDERGATE_FROM" placeholder:"URL" help:"The database of the other system's table, mysql://user:password@host:port/database; the gateway's own if left out."`
}

// open connects to the database of the table.
func (f foreignFlags) open(ctx context.Context, own databaseFlags) (*foreign.Database, error) {
	dsn := f.From
	if dsn == "" {
		dsn = own.Database
	}
	if dsn == "" {
		return nil, errors.New("no database given: set --from or ORDERGATE_FROM, or --database or ORDERGATE_DATABASE, to mysql://user:password@host:port/database")
	}
	return foreign.Open(ctx, dsn, foreign.Settings{Clock: failpoint.Now})
}

// tableFlags choose and tune the clean-up of another system's table.
type tableFlags struct {
	Table    string   `placeholder:"NAME" help:"Clean up this table of another system, instead of what stands in the gateway's own."`
	IDColumn string   `name:"id-column" placeholder:"COLUMN" help:"With --table: its column of the ERP order id; odoo_order_id if left out."`
	Keep     string   `placeholder:"RULE" help:"With --table: which of the rows that share an id is kept: oldest (the default), children, or COLUMN, COLUMN:asc, COLUMN:desc."`
	Children []string `placeholder:"TABLE.COLUMN" help:"With --table: what points to its rows beside the foreign keys, which are found."`
	Batch    int      `placeholder:"N" help:"With --table: how many rows one transaction removes; 2000 if left out."`
}

// misplaced names a flag that means nothing without --table.
func (f tableFlags) misplaced(from string) string {
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"--from", from != ""}, {"--id-column", f.IDColumn != ""}, {"--keep", f.Keep != ""}, {"--children", len(f.Children) > 0}, {"--batch", f.Batch != 0},
	} {
		if flag.given {
			return flag.name
		}
	}
	return ""
}

// cleanForeign reports, and with --apply cleans up, another system's table.
func (c dedupeCleanCommand) cleanForeign(ctx context.Context, term terminal) error {
	db, err := c.foreignFlags.open(ctx, c.databaseFlags)
	if err != nil {
		return err
	}
	defer db.Close()
	options := foreign.Options{Table: c.Table, IDColumn: c.IDColumn, Keep: c.Keep, Children: c.Children, Batch: c.Batch}
	if !c.Apply {
		report, err := db.Find(ctx, options)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(term.out, report)
		}
		printForeignReport(term.out, report)
		return nil
	}
	bar := newProgress(term.err, "dedupe")
	run, err := db.Apply(ctx, options, func(p foreign.Progress) { bar.show("rows", int(p.Done), int(p.Total)) })
	bar.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(term.out, run)
	}
	printRun(term.out, run)
	fmt.Fprintf(term.out, "`ordergate dedupe undo %s` puts all of it back.\n", run.ID)
	return nil
}

func printForeignReport(w io.Writer, r foreign.Report) {
	fmt.Fprintf(w, "%s: %d rows, of which %d name no order in %s and are left alone\n", r.Table, r.Rows, r.BlankRows, r.IDColumn)
	fmt.Fprintf(w, "ids with more than one row: %d; their surplus rows: %d, to be archived\n", r.SharedIDs, r.SurplusRows)
	for _, child := range r.Children {
		how := "by a foreign key"
		if !child.Bound {
			how = "as named"
		}
		fmt.Fprintf(w, "children in %s (%s): %d, to be handed to the row that is kept", child.Name, how, child.ToMove)
		if child.MayStay {
			fmt.Fprint(w, "; a unique key may leave some no place there, and those are archived")
		}
		fmt.Fprintln(w)
	}
	if len(r.Triggers) > 0 {
		fmt.Fprintf(w, "triggers that may fire: %s\n", strings.Join(r.Triggers, ", "))
	}
	if len(r.Sample) > 0 {
		fmt.Fprintf(w, "\nThe first of them (kept by: %s):\n", r.Keep)
	}
	for _, shared := range r.Sample {
		fmt.Fprintf(w, "  %s %s\n", r.IDColumn, shared.ERPID)
		for i, m := range shared.Rows {
			verb, rule, children := "remove", "", ""
			if i == 0 {
				verb = "keep  "
			}
			if m.Rule != nil {
				rule = ", " + *m.Rule
			}
			if m.HasChildren {
				children = ", has children"
			}
			fmt.Fprintf(w, "    %s row %s%s%s\n", verb, m.Key, rule, children)
		}
	}
	switch {
	case r.Unfinished != nil:
		fmt.Fprintf(w, "\nRun %s is under way (%s); `ordergate dedupe --table %s --apply` with its options goes on, `ordergate dedupe undo %s` takes it back.\n",
			r.Unfinished.ID, r.Unfinished.State, r.Table, r.Unfinished.ID)
	case r.Unique != "":
		fmt.Fprintf(w, "\n%s is unique already, by the index %s: there is nothing to do.\n", r.IDColumn, r.Unique)
	default:
		fmt.Fprintln(w, "\nNothing was changed; with --apply it is done, and can be undone.")
	}
}

func printRun(w io.Writer, r foreign.Run) {
	fmt.Fprintf(w, "run %s of %s: %s\n", r.ID, r.Table, r.State)
	if r.State == foreign.Undone {
		fmt.Fprintf(w, "rows put back: %d; children handed back: %d; left, because someone changed them since: %d\n",
			r.Counts.Restored, r.Counts.MovedBack, r.Counts.ChangedSince)
		return
	}
	fmt.Fprintf(w, "surplus rows archived: %d; skipped, because someone changed them meanwhile: %d\n", r.Counts.Archived, r.Counts.Skipped)
	for name, n := range r.Counts.ChildrenMoved {
		fmt.Fprintf(w, "children in %s handed on: %d\n", name, n)
	}
	for name, n := range r.Counts.ChildrenArchived {
		fmt.Fprintf(w, "children in %s archived, because a unique key left them no place: %d\n", name, n)
	}
	if r.Index != "" {
		fmt.Fprintf(w, "unique index added: %s\n", r.Index)
	}
	if r.Note != "" {
		fmt.Fprintln(w, r.Note)
	}
}

type dedupeUndoCommand struct {
	databaseFlags
	foreignFlags
	RunID string `arg:"" name:"run" help:"The run, as 'dedupe runs' lists it."`
	JSON  bool   `help:"Print the run as JSON."`
}

// Run puts back what a run archived.
func (c dedupeUndoCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.foreignFlags.open(ctx, c.databaseFlags)
	if err != nil {
		return err
	}
	defer db.Close()
	bar := newProgress(term.err, "undo")
	run, err := db.Undo(ctx, c.RunID, func(p foreign.Progress) { bar.show("batches", int(p.Done), int(p.Total)) })
	bar.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(term.out, run)
	}
	printRun(term.out, run)
	return nil
}

type dedupeRunsCommand struct {
	databaseFlags
	foreignFlags
	JSON bool `help:"Print the runs as JSON."`
}

// Run lists the runs on tables of other systems.
func (c dedupeRunsCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.foreignFlags.open(ctx, c.databaseFlags)
	if err != nil {
		return err
	}
	defer db.Close()
	runs, err := db.Runs(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(term.out, runs)
	}
	table := tabwriter.NewWriter(term.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RUN\tTABLE\tSTATE\tARCHIVED\tRESTORED\tINDEX\tBEGAN\tTOOK")
	for _, r := range runs {
		end := r.UpdatedAt
		if r.EndedAt != nil {
			end = *r.EndedAt
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", r.ID, r.Table, r.State, r.Counts.Archived, r.Counts.Restored,
			r.Index, r.StartedAt.Format(time.RFC3339), end.Sub(r.StartedAt).Round(time.Second))
	}
	return table.Flush()
}
