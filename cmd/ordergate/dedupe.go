package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"ordergate/migrations"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// dedupeCommand is a group, of which the first is meant where none is named.
type dedupeCommand struct {
	Clean dedupeCleanCommand `cmd:"" default:"withargs" help:"Report, and with --apply clean up, what earlier systems left behind; the default."`
	ERP   dedupeERPCommand   `cmd:"" name:"erp" help:"Find the orders that earlier integrations made twice inside Odoo, and with --apply-erp cancel surplus drafts."`
	Undo  dedupeUndoCommand  `cmd:"" help:"Put back what a clean-up of another system's table removed."`
	Runs  dedupeRunsCommand  `cmd:"" help:"List the clean-ups of other systems' tables."`
}

type dedupeCleanCommand struct {
	databaseFlags
	foreignFlags
	tableFlags
	tenantFlags
	Tenant string `help:"The tenant; all of them if left out."`
	Apply  bool   `help:"Change the database. Without it, only report what would be changed."`
	JSON   bool   `help:"Print the report as JSON."`
}

// dedupeReport is what the command found, and with Applied what it changed.
type dedupeReport struct {
	Applied    bool                       `json:"applied"`
	Duplicates migrations.DuplicateReport `json:"duplicates"`
	// OldSchema: the database has not been migrated, so that it could not be compared with the ERP order by order.
	OldSchema   bool                   `json:"old_schema,omitempty"`
	Differences []ordersync.Difference `json:"differences"`
}

// Run reports, and with --apply cleans up, another system's table, or what earlier systems left in the gateway's: rows that share an ERP order id, rows without
// one, orders that the mirror lacks, and rows whose order is gone.
func (c dedupeCleanCommand) Run(ctx context.Context, term terminal) error {
	if c.Table != "" {
		return c.cleanForeign(ctx, term)
	}
	if flag := c.tableFlags.misplaced(c.From); flag != "" {
		return fmt.Errorf("%s needs --table (ORDERGATE_FROM, if it is set, is --from)", flag)
	}
	db, err := c.databaseFlags.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Apply {
		// Half of the work needs the ERP: without it, nothing is begun.
		if err := c.pingAll(ctx); err != nil {
			return err
		}
	}
	report, err := c.rows(ctx, db, term)
	if err != nil {
		return err
	}
	if report.OldSchema {
		err = c.matchLooseRows(ctx, db, &report)
	} else {
		err = c.reconcile(ctx, db, term, &report)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(term.out, report)
	}
	report.print(term.out)
	return nil
}

// pingAll makes sure that the ERP of every tenant answers.
func (c dedupeCleanCommand) pingAll(ctx context.Context) error {
	tenants, err := c.tenants()
	if err != nil {
		return err
	}
	for _, t := range tenants {
		client, err := c.client(t, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			return err
		}
		if err := client.Ping(ctx); err != nil {
			return fmt.Errorf("tenant %s: nothing was changed: %w", t.Name, err)
		}
	}
	return nil
}

// rows deals with the rows themselves. With --apply it also brings an old schema up to date, which then keeps new
// duplicates out.
func (c dedupeCleanCommand) rows(ctx context.Context, db *store.Store, term terminal) (dedupeReport, error) {
	report := dedupeReport{Applied: c.Apply, Differences: []ordersync.Difference{}}
	var err error
	if !c.Apply {
		if report.Duplicates, err = migrations.FindDuplicates(ctx, db.DB(), db.Dialect()); err != nil {
			return report, err
		}
		pending, err := migrations.Pending(ctx, db.DB(), db.Dialect())
		report.OldSchema = pending > 0
		return report, err
	}
	bar := newProgress(term.err, "dedupe")
	report.Duplicates, err = migrations.Dedupe(ctx, db.DB(), db.Dialect(), func(p migrations.DedupeProgress) {
		bar.show("rows", int(p.Done), int(p.Total))
	})
	bar.end()
	if err != nil {
		return report, err
	}
	return report, migrations.Up(ctx, db.DB(), db.Dialect(), nil)
}

func (c dedupeCleanCommand) reconcile(ctx context.Context, db *store.Store, term terminal, report *dedupeReport) error {
	return eachTenant(ctx, db, c.tenantFlags, c.Tenant, term, func(s service) error {
		d, err := s.Reconcile(ctx, db, c.Apply)
		report.Differences = append(report.Differences, d)
		return err
	})
}

// matchLooseRows finds the orders of rows without an ERP order id that still stand in a table of the old schema.
func (c dedupeCleanCommand) matchLooseRows(ctx context.Context, db *store.Store, report *dedupeReport) error {
	if len(report.Duplicates.WithoutERPID) == 0 {
		return nil
	}
	tenants, err := c.tenants()
	if err != nil {
		return err
	}
	// Earlier systems knew one tenant: the row's tenant is the first that is configured.
	t, err := only(tenants, c.Tenant)
	if err != nil {
		return err
	}
	client, err := c.client(t, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	d := ordersync.NewDifference(t.Name)
	for _, row := range report.Duplicates.WithoutERPID {
		orphan, err := ordersync.Match(ctx, client, row.Number, row.Reference)
		if err != nil {
			return err
		}
		d.Orphans = append(d.Orphans, orphan)
	}
	report.Differences = append(report.Differences, d)
	return nil
}

func (r dedupeReport) print(w io.Writer) {
	would := "to be "
	if r.Applied {
		would = ""
	}
	d := r.Duplicates
	fmt.Fprintf(w, "orders with more than one row: %d; their surplus rows: %d, %sarchived\n", d.DuplicatedOrders, d.SurplusRows, would)
	fmt.Fprintf(w, "rows without an ERP order id: %d, %sarchived\n", d.RowsWithoutERPID, would)
	for _, diff := range r.Differences {
		matched := 0
		for _, o := range diff.Orphans {
			if o.ERPOrderID != 0 {
				matched++
			}
		}
		fmt.Fprintf(w, "\nTenant %s\n", diff.Tenant)
		fmt.Fprintf(w, "  rows without an ERP order id: %d found in the ERP, %d orphans\n", matched, len(diff.Orphans)-matched)
		for _, o := range diff.Orphans {
			fmt.Fprintln(w, "   ", orphanLine(o))
		}
		if r.OldSchema {
			continue
		}
		fmt.Fprintf(w, "  orders that the mirror lacks: %d, %spulled\n", len(diff.Missing), would)
		fmt.Fprintf(w, "  orders that are gone from the ERP: %d, %smarked deleted\n", len(diff.Gone), would)
	}
	switch {
	case r.OldSchema:
		fmt.Fprintln(w, "\nThe database has not been migrated, so that it cannot be compared with the ERP order by order yet.\nNothing was changed; `ordergate dedupe --apply` cleans it up and migrates it.")
	case !r.Applied:
		fmt.Fprintln(w, "\nNothing was changed; `ordergate dedupe --apply` does it.")
	}
}

func orphanLine(o ordersync.Orphan) string {
	name := fmt.Sprintf("number %q, reference %q", o.Number, o.Reference)
	switch {
	case o.ERPOrderID != 0:
		return fmt.Sprintf("%s: order %d", name, o.ERPOrderID)
	case len(o.Candidates) > 0:
		return fmt.Sprintf("%s: orphan, may be any of %v", name, o.Candidates)
	default:
		return name + ": orphan, the ERP has no such order"
	}
}
