package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ordergate/order"
	ordersync "ordergate/sync"
)

// dedupeERPCommand looks for the orders that earlier integrations made more than once inside Odoo.
type dedupeERPCommand struct {
	databaseFlags
	tenantFlags
	Tenant   string        `help:"The tenant; all of them if left out."`
	Window   time.Duration `default:"1h" help:"How far apart in time duplicates were made, at most."`
	ApplyERP bool          `name:"apply-erp" help:"Cancel the surplus in Odoo: drafts that were neither sent through the gateway nor adopted, and nothing else."`
	JSON     bool          `help:"Print the report as JSON."`
}

// Validate refuses a window that would take every repeated order for a duplicate, or none.
func (c dedupeERPCommand) Validate() error {
	if c.Window <= 0 || c.Window > 31*24*time.Hour {
		return errors.New("--window must be more than 0 and at most 744h")
	}
	return nil
}

// tenantDuplicates is what was found in one tenant's Odoo.
type tenantDuplicates struct {
	Tenant string                 `json:"tenant"`
	Groups []order.DuplicateGroup `json:"groups"`
}

// Run reports the groups, and with --apply-erp cancels their surplus.
func (c dedupeERPCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	var found []tenantDuplicates
	err = eachTenant(ctx, db, c.tenantFlags, c.Tenant, term, func(s service) error {
		of := tenantDuplicates{Tenant: s.tenant.Name, Groups: []order.DuplicateGroup{}}
		if err := s.Sync(ctx); err != nil { // what the mirror does not know it cannot find
			return err
		}
		err := s.FindDuplicates(ctx, ordersync.DuplicateOptions{Window: c.Window, Cancel: c.ApplyERP}, func(g order.DuplicateGroup) error {
			of.Groups = append(of.Groups, g)
			return nil
		})
		found = append(found, of)
		return err
	})
	if c.JSON {
		return errors.Join(err, printJSON(term.out, found))
	}
	for _, of := range found {
		of.print(term.out, c.ApplyERP)
	}
	return err
}

func (t tenantDuplicates) print(w io.Writer, applied bool) {
	cancelled, could := 0, 0
	for _, g := range t.Groups {
		why := "same customer and reference"
		if g.Reason == order.SameContent {
			why = "same customer, lines and total"
		}
		fmt.Fprintf(w, "%s, %s %s:\n  keep    %s\n", why, g.Keep.AmountTotal, g.Keep.Currency, describeDuplicate(g.Keep))
		for _, d := range g.Surplus {
			fate := "surplus"
			switch {
			case d.Cancelled:
				fate = "cancelled"
				cancelled++
			case d.Failure != "":
				fate = "not cancelled (" + plain(d.Failure) + ")"
			case d.Kept != "":
				fate = "left (" + d.Kept + ")"
			default:
				could++
			}
			fmt.Fprintf(w, "  %s %s\n", fate, describeDuplicate(d))
		}
	}
	fmt.Fprintf(w, "Tenant %s: %d groups of duplicates in Odoo", t.Tenant, len(t.Groups))
	if applied {
		fmt.Fprintf(w, "; %d orders cancelled.\n", cancelled)
		return
	}
	fmt.Fprintf(w, "; --apply-erp would cancel %d orders. Nothing was changed.\n", could)
}

func describeDuplicate(d order.Duplicate) string {
	return fmt.Sprintf("%d %s %s, reference %q, source %s, made %s, %d deliveries, %d invoices", d.ID, plain(d.Number), d.Status, d.Reference, d.Source,
		d.CreatedAt.UTC().Format(time.DateTime), d.Deliveries, d.Invoices)
}
