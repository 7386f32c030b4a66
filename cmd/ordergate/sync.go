package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ordergate/store"
	ordersync "ordergate/sync"
)

type syncCommand struct {
	databaseFlags
	tenantFlags
	Tenant string `help:"The tenant; all of them if left out."`
	Full   bool   `help:"Read every order again, not only what changed. Rebuilds a mirror that was dropped. One that was ended goes on where it stopped."`

	Since       time.Time `format:"2006-01-02" placeholder:"DATE" help:"With --full: only orders that were written in the ERP since that day (UTC)."`
	Restart     bool      `help:"With --full: begin anew, also where one was ended."`
	Connections int       `default:"2" help:"With --full: calls to the ERP at once, at most 16."`
}

// Validate refuses flags that would be without effect.
func (c syncCommand) Validate() error {
	switch {
	case !c.Since.IsZero() && !c.Full:
		return errors.New("--since goes with --full")
	case c.Restart && !c.Full:
		return errors.New("--restart goes with --full")
	case c.Since.After(time.Now()):
		return errors.New("--since lies in the future")
	case c.Connections < 1 || c.Connections > 16:
		return errors.New("--connections must be between 1 and 16")
	}
	return nil
}

// Run syncs once and returns.
func (c syncCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	err = eachTenant(ctx, db, c.tenantFlags, c.Tenant, term, func(s service) error {
		if !c.Full {
			return s.Sync(ctx)
		}
		return s.FullSync(ctx, ordersync.FullSyncOptions{Since: c.Since, Connections: c.Connections, Restart: c.Restart})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(term.out, "The mirror is up to date.")
	return err
}

// eachTenant opens the service of the named tenant, or of each, and runs work with it. One tenant's failure does not
// keep the others from their turn. Progress is shown on a terminal.
func eachTenant(ctx context.Context, db *store.Store, flags tenantFlags, name string, term terminal, work func(service) error) error {
	tenants, err := flags.tenants()
	if err != nil {
		return err
	}
	if name != "" {
		t, err := only(tenants, name)
		if err != nil {
			return err
		}
		tenants = []tenantConfig{t}
	}
	var failures []error
	for _, t := range tenants {
		bar := newProgress(term.err, t.Name)
		s, err := flags.open(ctx, db, t, func(cfg *ordersync.Config) { cfg.Progress = bar.show })
		if err == nil {
			err = work(s)
			s.Close()
		}
		bar.end()
		if err != nil {
			failures = append(failures, fmt.Errorf("tenant %s: %w", t.Name, err))
		}
	}
	return errors.Join(failures...)
}
