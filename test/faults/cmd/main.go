// Command faults makes fault runs and prints what they found; docs/reliability.md is made with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"ordergate/failpoint"
	"ordergate/test/faults"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// errViolations says that a promise was broken; which one has been printed.
var errViolations = errors.New("promises were broken")

func run(ctx context.Context) error {
	seeds := flag.Int("seeds", 20, "how many runs")
	first := flag.Uint64("first", 1, "the first seed; the others follow it")
	scenario := flag.String("scenario", "", "only this scenario; empty: each seed has its own")
	odoo := flag.String("odoo", faults.Sandbox, "sandbox, sandbox14, 19 or 14; the real ones by ORDERGATE_TEST_ODOO19 and _ODOO14")
	database := flag.String("database", "", "sqlite, mariadb or mysql, by ORDERGATE_TEST_MARIADB and _MYSQL; empty: what there is, in turn")
	out := flag.String("out", "", "guards to take out, separated by commas")
	parallel := flag.Int("parallel", 4, "runs at the same time")
	guards := flag.Bool("guards", false, "take every guard out once instead, in the scenario that it is for, and print the table of that")
	markdown := flag.Bool("markdown", false, "print the table for docs/reliability.md at the end")
	flag.Parse()

	directory, err := os.MkdirTemp("", "ordergate-faults-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	binary, err := faults.Build(ctx, directory)
	if err != nil {
		return err
	}
	servers, err := faults.ServersFromEnvironment()
	if err != nil {
		return err
	}
	base := faults.Options{Scenario: *scenario, Odoo: *odoo, Binary: binary, Servers: servers}
	for name := range strings.SplitSeq(*out, ",") {
		if name != "" {
			base.Out = append(base.Out, failpoint.Guard(name))
		}
	}
	if *guards {
		return runGuards(ctx, base, *parallel)
	}
	var all []faults.Options
	for i := range *seeds {
		o := base
		o.Seed = *first + uint64(i)
		o.Database = *database
		if o.Database == "" {
			o.Database = servers.DatabaseFor(o.Seed)
		}
		all = append(all, o)
	}

	reports, err := runAll(ctx, all, *parallel)
	if *markdown {
		fmt.Print(faults.Markdown(reports))
	}
	for _, r := range reports {
		if len(r.Violations) > 0 {
			return errors.Join(errViolations, err)
		}
	}
	return err
}

// runGuards shows what each guard is for.
func runGuards(ctx context.Context, base faults.Options, parallel int) error {
	var all []faults.Options
	for _, g := range faults.GuardScenarios {
		all = append(all, g.Without(base))
	}
	reports, err := runAll(ctx, all, parallel)
	fmt.Print(faults.MarkdownGuards(reports))
	return err
}

// runAll makes runs, so many at the same time, and prints each as it ends.
func runAll(ctx context.Context, all []faults.Options, parallel int) ([]*faults.Report, error) {
	var mu sync.Mutex
	var reports []*faults.Report
	var failures []error
	var running sync.WaitGroup
	places := make(chan struct{}, parallel)
	for _, o := range all {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-places }()
			r, err := faults.Run(ctx, o)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
				fmt.Fprintln(os.Stderr, err)
				return
			}
			reports = append(reports, r)
			fmt.Fprint(os.Stderr, r)
		})
	}
	running.Wait()
	return reports, errors.Join(failures...)
}
