package main

import (
	"context"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"ordergate/migrations"
)

// migrateCommand groups what is done with the schema.
type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Apply the migrations that are pending. Replicas may do so at the same moment."`
	Status migrateStatusCommand `cmd:"" help:"List the migrations and which are applied."`
}

type migrateUpCommand struct{ databaseFlags }

// Run applies what is pending, a line each.
func (c migrateUpCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	applied := 0
	err = migrations.Up(ctx, db.DB(), db.Dialect(), func(a migrations.Applied) {
		applied++
		fmt.Fprintf(term.out, "%3d %s (%s)\n", a.Version, a.Name, a.Duration.Round(time.Millisecond))
	})
	if err != nil {
		return err
	}
	if applied == 0 {
		_, err = fmt.Fprintln(term.out, "The database is up to date.")
	}
	return err
}

type migrateStatusCommand struct{ databaseFlags }

// Run lists the migrations.
func (c migrateStatusCommand) Run(ctx context.Context, term terminal) error {
	db, err := c.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	steps, err := migrations.Status(ctx, db.DB(), db.Dialect())
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(term.out, 0, 8, 2, ' ', 0)
	for _, s := range steps {
		applied := "pending"
		if s.Applied {
			applied = s.AppliedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%3d\t%s\t%s\n", s.Version, s.Name, applied)
	}
	return table.Flush()
}
