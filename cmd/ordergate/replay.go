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

type replayCommand struct {
	databaseFlags
	tenantFlags
	Tenant string        `help:"The tenant; all of them if left out."`
	Since  sinceFlag     `placeholder:"TIME" help:"Only requests accepted since: a time (2026-11-21 or 2026-11-21T08:00:00Z) or how long ago (36h)."`
	Intent string        `placeholder:"KEY" help:"Only the request with this idempotency key. With --dry-run, of a placement that was not sent, shows what would be."`
	Source string        `default:"portal" help:"With --intent: the source that the request came from."`
	DryRun bool          `help:"Only report. Without it, the mirror is brought to Odoo's state where they differ."`
	Pause  time.Duration `default:"30s" help:"How long a difference must last to count: longer than a running gateway takes to sync twice."`
	JSON   bool          `help:"Print the findings as JSON."`
}

// replayReport is what a replay of one tenant found.
type replayReport struct {
	Tenant    string                       `json:"tenant"`
	DryRun    bool                         `json:"dry_run"`
	Intents   int64                        `json:"intents"`
	UnderWay  int64                        `json:"under_way"`
	Calls     int64                        `json:"calls"`
	Rows      int64                        `json:"rows"`
	Found     map[ordersync.ReplayKind]int `json:"found"`
	Repaired  int                          `json:"repaired"`
	Left      int                          `json:"left"`
	Unsettled int                          `json:"unsettled"`
	Findings  []ordersync.ReplayFinding    `json:"findings"`
	Values    []replayLoad                 `json:"values,omitempty"`
}

// replayLoad is a call that would create a record.
type replayLoad struct {
	Model  string     `json:"model"`
	Method string     `json:"method"`
	Fields []string   `json:"fields"`
	Rows   [][]string `json:"rows"`
}

// maxReplayFindings is how many findings of a tenant are printed: the counts tell of all.
const maxReplayFindings = 10_000

// Run goes through the intents. It fails with exit code 3 if differences are left.
func (c replayCommand) Run(ctx context.Context, term terminal) error {
	if c.Intent != "" && !c.Since.IsZero() {
		return errors.New("--since does not go with --intent")
	}
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	reports, unheard := []replayReport{}, 0
	err = eachTenant(ctx, db, c.tenantFlags, c.Tenant, term, func(s service) error {
		report := replayReport{Tenant: s.tenant.Name, DryRun: c.DryRun, Findings: []ordersync.ReplayFinding{}}
		result, err := s.Replay(ctx, c.options(), func(f ordersync.ReplayFinding) error {
			if len(report.Findings) < maxReplayFindings {
				report.Findings = append(report.Findings, f)
			}
			return nil
		})
		if order.IsKind(err, order.NotFound) && c.Intent != "" {
			unheard++ // the key may be another tenant's
			return nil
		}
		report.take(result)
		reports = append(reports, report)
		return err
	})
	if err == nil && unheard > 0 && len(reports) == 0 {
		return fmt.Errorf("source %s has no request with the key %q", c.Source, c.Intent)
	}
	return printReports(term.out, c.JSON, reports, err)
}

func (c replayCommand) options() ordersync.ReplayOptions {
	return ordersync.ReplayOptions{
		Since: c.Since.Time, Source: c.Source, Key: c.Intent, DryRun: c.DryRun, Pause: max(c.Pause, time.Millisecond),
	}
}

func (r *replayReport) take(result ordersync.Replay) {
	r.Intents, r.UnderWay, r.Calls, r.Rows = result.Intents, result.UnderWay, result.Calls, result.Rows
	r.Found, r.Repaired, r.Left, r.Unsettled = result.Found, result.Repaired, result.Left(), result.Unsettled
	p := result.Preview
	if p == nil {
		return
	}
	for _, l := range []*order.Load{p.Customer, p.ShippingAddress, &p.Order} {
		if l != nil {
			r.Values = append(r.Values, replayLoad{l.Model, "load", l.Fields, l.Rows})
		}
	}
}

func (r replayReport) differs() bool { return r.Left > 0 }

func (r replayReport) print(w io.Writer) error {
	differences := r.Left + r.Repaired
	fmt.Fprintf(w, "Tenant %s: %d differences in %d requests (%d calls, %d rows).\n", r.Tenant, differences, r.Intents, r.Calls, r.Rows)
	rows := make([][]string, len(r.Findings))
	for i, f := range r.Findings {
		rows[i] = []string{f.Source, f.Key, fmt.Sprint(f.ERPOrderID), f.Number, fmt.Sprint(f.Kind), fmt.Sprint(f.State), whatDiffers(f.Detail, f.Failure)}
	}
	if err := printTable(w, []string{"SOURCE", "KEY", "ORDER", "NUMBER", "KIND", "STATE", "WHAT DIFFERS"}, rows); err != nil {
		return err
	}
	if more := differences - len(r.Findings); more > 0 {
		fmt.Fprintf(w, "%d more are not shown.\n", more)
	}
	if r.UnderWay > 0 {
		fmt.Fprintf(w, "%d requests were being carried out at that moment, and were left alone.\n", r.UnderWay)
	}
	if r.Unsettled > 0 {
		fmt.Fprintf(w, "%d orders were being written while they were looked at: replay them again.\n", r.Unsettled)
	}
	for _, l := range r.Values {
		fmt.Fprintf(w, "Not sent yet. Would be sent: %s.%s\n", l.Model, l.Method)
		for i, row := range l.Rows {
			for j, cell := range row {
				if cell != "" {
					fmt.Fprintf(w, "  %d %s: %s\n", i+1, l.Fields[j], plain(cell))
				}
			}
		}
	}
	if r.Left > 0 && r.DryRun {
		fmt.Fprintln(w, "Nothing was changed; without --dry-run the mirror is brought to Odoo's state.")
	}
	return nil
}
