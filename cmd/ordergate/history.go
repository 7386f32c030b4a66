package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ordergate/order"
	"ordergate/store"
)

// historyCommand groups what is done with the histories of orders.
type historyCommand struct {
	Verify historyVerifyCommand `cmd:"" help:"Find entries that were changed, removed or put in between since they were written."`
}

type historyVerifyCommand struct {
	databaseFlags
	Tenant string `help:"The tenant; all of them if left out."`
	Order  int64  `placeholder:"ID" help:"Only the history of this order, by its id in Odoo."`
	JSON   bool   `help:"Print the findings as JSON."`
}

// historyReport is what a verification of one tenant found.
type historyReport struct {
	Tenant  string         `json:"tenant"`
	Orders  int64          `json:"orders"`
	Entries int64          `json:"entries"`
	Faults  []historyFault `json:"faults"`
}

type historyFault struct {
	OrderID int64                  `json:"order_id"`
	Entry   int64                  `json:"entry,omitempty"`
	Kind    order.HistoryFaultKind `json:"kind"`
	Detail  string                 `json:"detail"`
}

// Run compares the histories with their chains. It fails with exit code 3 if one is not as it was written.
func (c historyVerifyCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	tenants, err := c.tenants(ctx, db)
	if err != nil {
		return err
	}
	reports, failures := []historyReport{}, []error{}
	for _, t := range tenants {
		report := historyReport{Tenant: t.Name, Faults: []historyFault{}}
		err := c.verify(ctx, db, t.ID, &report)
		if order.IsKind(err, order.NotFound) {
			continue // the order may be another tenant's
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("tenant %s: %w", t.Name, err))
		}
		reports = append(reports, report)
	}
	if len(tenants) > 0 && len(reports) == 0 {
		return fmt.Errorf("no tenant has an order %d", c.Order)
	}
	return printReports(term.out, c.JSON, reports, errors.Join(failures...))
}

func (c historyVerifyCommand) tenants(ctx context.Context, db *store.Store) ([]order.Tenant, error) {
	if c.Tenant == "" {
		return db.Tenants(ctx)
	}
	id, err := db.Tenant(ctx, c.Tenant)
	return []order.Tenant{{ID: id, Name: c.Tenant}}, err
}

// maxFaults is how many faults of a tenant are shown: one that touches every order is seen without.
const maxFaults = 10_000

func (c historyVerifyCommand) verify(ctx context.Context, db *store.Store, tenantID int64, report *historyReport) error {
	take := func(check order.HistoryCheck) {
		report.Orders += check.Orders
		report.Entries += check.Entries
		for _, f := range check.Faults {
			report.Faults = append(report.Faults, historyFault{f.OrderID, f.EntryID, f.Kind, f.Detail})
		}
	}
	if c.Order != 0 {
		check, err := db.VerifyOrderHistory(ctx, tenantID, c.Order)
		take(check)
		return err
	}
	for after := int64(0); len(report.Faults) < maxFaults; {
		check, last, err := db.VerifyHistory(ctx, tenantID, after)
		take(check)
		if err != nil || last == 0 {
			return err
		}
		after = last
	}
	return nil
}

func (r historyReport) differs() bool { return len(r.Faults) > 0 }

func (r historyReport) print(w io.Writer) error {
	fmt.Fprintf(w, "Tenant %s: %d faults in the histories of %d orders, %d entries.\n", r.Tenant, len(r.Faults), r.Orders, r.Entries)
	rows := make([][]string, len(r.Faults))
	for i, f := range r.Faults {
		rows[i] = []string{fmt.Sprint(f.OrderID), fmt.Sprint(f.Entry), string(f.Kind), f.Detail}
	}
	if err := printTable(w, []string{"ORDER", "ENTRY", "KIND", "WHAT IS WRONG"}, rows); err != nil {
		return err
	}
	if len(r.Faults) >= maxFaults {
		fmt.Fprintln(w, "There may be more: the rest was not looked at.")
	}
	return nil
}
