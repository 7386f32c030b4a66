package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"ordergate/migrations"
	"ordergate/store"
	ordersync "ordergate/sync"
)

type doctorCommand struct {
	databaseFlags
	tenantFlags
	JSON bool `help:"Print the findings as JSON."`
}

// Run examines everything the gateway stands on, and fails if something is wrong.
func (c doctorCommand) Run(ctx context.Context, term terminal) error {
	findings := c.databaseFindings(ctx)
	tenants, err := c.tenants()
	if err != nil {
		findings = append(findings, ordersync.Finding{Check: "configuration", Detail: err.Error(), Advice: "See docs/operations.md for the settings."})
	}
	for _, t := range tenants {
		client, err := c.client(t, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			findings = append(findings, ordersync.Finding{Check: "configuration", Detail: err.Error(), Advice: "See docs/operations.md for the settings."})
			continue
		}
		for _, f := range ordersync.Diagnose(ctx, client, time.Now) {
			if len(tenants) > 1 {
				f.Check = t.Name + ": " + f.Check
			}
			findings = append(findings, f)
		}
	}
	return printFindings(term, findings, c.JSON)
}

func (c doctorCommand) databaseFindings(ctx context.Context) []ordersync.Finding {
	db, err := c.databaseFlags.open(ctx, slog.New(slog.DiscardHandler))
	if err == nil {
		defer db.Close()
		err = db.Ping(ctx)
	}
	if err != nil {
		return []ordersync.Finding{{Check: "database", Detail: err.Error(), Advice: "Check ORDERGATE_DATABASE, and that the server runs and lets this host and user in."}}
	}
	return []ordersync.Finding{
		{Check: "database", OK: true, Detail: "answers (" + string(db.Dialect()) + ")"},
		migrationsFinding(ctx, db),
	}
}

func migrationsFinding(ctx context.Context, db *store.Store) ordersync.Finding {
	pending, err := migrations.Pending(ctx, db.DB(), db.Dialect())
	switch {
	case err != nil:
		return ordersync.Finding{Check: "migrations", Detail: err.Error(), Advice: "Check that the user may read the database's schema."}
	case pending > 0:
		return ordersync.Finding{Check: "migrations", Detail: fmt.Sprintf("%d are pending", pending), Advice: "Run `ordergate migrate up`."}
	default:
		return ordersync.Finding{Check: "migrations", OK: true, Detail: "all applied"}
	}
}

func printFindings(term terminal, findings []ordersync.Finding, asJSON bool) error {
	healthy := true
	for _, f := range findings {
		healthy = healthy && f.OK
	}
	if asJSON {
		encoder := json.NewEncoder(term.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			mark := "ok  "
			if !f.OK {
				mark = "BAD "
			}
			fmt.Fprintf(term.out, "%s %s: %s\n", mark, f.Check, f.Detail)
			if f.Advice != "" {
				fmt.Fprintf(term.out, "     → %s\n", f.Advice)
			}
		}
	}
	if !healthy {
		return errReported
	}
	return nil
}
