package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ordergate/failpoint"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// intentsCommand groups what operators do about orders that have no outcome, or whose outcome is asked for. It works on
// the database, beside running gateways, which carry out what was decided here.
type intentsCommand struct {
	List   intentsListCommand   `cmd:"" help:"List intents, the newest first."`
	Show   intentsShowCommand   `cmd:"" help:"Show all that is known of an intent, and what it asks for."`
	Retry  intentsRetryCommand  `cmd:"" help:"Have a parked intent, or one in doubt, tried again at once."`
	Cancel intentsCancelCommand `cmd:"" help:"Call an intent off. An order that is found to have been placed is cancelled in Odoo."`
}

// intents is what the commands need of a tenant's service.
type intents interface {
	Intent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
	Intents(ctx context.Context, caller order.Caller, f order.IntentFilter) ([]order.Intent, error)
	RetryIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
	CancelIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
}

// intentFlags say which tenant's intents are meant.
type intentFlags struct {
	databaseFlags
	tenantFlags
	Tenant string `help:"The tenant, where there are several."`
}

// with opens the tenant's service for the time of do.
func (f intentFlags) with(ctx context.Context, do func(service intents, operator order.Caller) error) error {
	db, err := f.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	tenants, err := f.tenants()
	if err != nil {
		return err
	}
	t, err := only(tenants, f.Tenant)
	if err != nil {
		return err
	}
	s, err := f.tenantFlags.open(ctx, db, t, func(cfg *ordersync.Config) { cfg.Clock = failpoint.Now })
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s, order.Caller{TenantID: s.tenant.ID, Role: order.RoleOperator, Name: "command line"})
}

type intentsListCommand struct {
	intentFlags
	Source  string   `help:"Only intents of this source."`
	State   []string `placeholder:"STATE,…" help:"Only intents in one of these states: queued, sending, parked, placed, performed, rejected, refused, cancelled, adopted."`
	InDoubt bool     `help:"Only intents whose outcome is not known."`
	Limit   int      `default:"50" help:"How many to list at most."`
	JSON    bool     `help:"Print them as JSON."`
}

// Run prints the intents.
func (c intentsListCommand) Run(ctx context.Context, term terminal) error {
	filter := order.IntentFilter{Source: c.Source, InDoubt: c.InDoubt}
	for _, name := range c.State {
		state := order.IntentState(name)
		if !slices.Contains(order.IntentStates, state) {
			return fmt.Errorf("no state %q; there are: %s", name, stateNames())
		}
		filter.States = append(filter.States, state)
	}
	if c.Limit < 1 {
		return fmt.Errorf("--limit %d lists nothing", c.Limit)
	}
	return c.with(ctx, func(service intents, operator order.Caller) error {
		found, err := listIntents(ctx, service, operator, filter, c.Limit)
		if err != nil {
			return err
		}
		if len(found) == c.Limit {
			fmt.Fprintln(term.err, "There may be more; --limit lists them.")
		}
		if c.JSON {
			return printIntentsJSON(term.out, found)
		}
		return printIntents(term.out, found, failpoint.Now())
	})
}

// listIntents lists the newest of the intents, page by page.
func listIntents(ctx context.Context, service intents, operator order.Caller, f order.IntentFilter, limit int) ([]order.Intent, error) {
	var found []order.Intent
	for len(found) < limit {
		f.Limit = min(limit-len(found), order.MaxPageSize)
		page, err := service.Intents(ctx, operator, f)
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
		if len(page) < f.Limit {
			break
		}
		f.BeforeID = page[len(page)-1].ID
	}
	return found, nil
}

func stateNames() string {
	names := make([]string, len(order.IntentStates))
	for i, state := range order.IntentStates {
		names[i] = string(state)
	}
	return strings.Join(names, ", ")
}

// intentArgs name one intent.
type intentArgs struct {
	intentFlags
	Source string `default:"portal" help:"The source that the order came from."`
	Key    string `arg:"" help:"The order's idempotency key."`
}

type intentsShowCommand struct {
	intentArgs
	JSON bool `help:"Print it as JSON."`
}

// Run prints the intent.
func (c intentsShowCommand) Run(ctx context.Context, term terminal) error {
	return c.with(ctx, func(service intents, operator order.Caller) error {
		in, err := service.Intent(ctx, operator, c.Source, c.Key)
		if err != nil {
			return err
		}
		if c.JSON {
			return printIntentJSON(term.out, in)
		}
		return printIntent(term.out, in)
	})
}

type intentsRetryCommand struct {
	intentArgs
}

// Run makes the intent due at once.
func (c intentsRetryCommand) Run(ctx context.Context, term terminal) error {
	return c.with(ctx, func(service intents, operator order.Caller) error {
		if _, err := service.RetryIntent(ctx, operator, c.Source, c.Key); err != nil {
			return err
		}
		_, err := fmt.Fprintln(term.err, "A running gateway tries it again at once; `ordergate intents show` says what came of it.")
		return err
	})
}

type intentsCancelCommand struct {
	intentArgs
}

// Run calls the intent off.
func (c intentsCancelCommand) Run(ctx context.Context, term terminal) error {
	return c.with(ctx, func(service intents, operator order.Caller) error {
		in, err := service.CancelIntent(ctx, operator, c.Source, c.Key)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(term.err, calledOffAs(in))
		return err
	})
}

// calledOffAs says what calling an intent off comes to.
func calledOffAs(in order.Intent) string {
	const shows = ";\n`ordergate intents show` says what came of it."
	switch {
	case in.State == order.CalledOff:
		return "It is called off, and its key is answered so."
	case in.Action != nil:
		return "It is not asked for again, and ends as soon as a running gateway knows whether Odoo did it. What was done stays done" + shows
	default:
		return "It ends as soon as a running gateway knows whether Odoo has the order, which is then cancelled there" + shows
	}
}
