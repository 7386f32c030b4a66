// Command ordergate is the order gateway: it takes orders over HTTP, creates them in Odoo first, and mirrors them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the build (-ldflags "-X main.version=v1.2.3").
var version = "dev"

// cli is the command line. Settings that a deployment keeps can also be given by the environment, as ORDERGATE_ and their
// name; --help shows which.
type cli struct {
	Serve    serveCommand    `cmd:"" help:"Serve the HTTP API, and keep the mirror up to date."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the database to this version's schema, or say how far it is."`
	Sync     syncCommand     `cmd:"" help:"Bring what changed in Odoo to the mirror, once."`
	Audit    auditCommand    `cmd:"" help:"Compare the mirror with Odoo, name what differs, and with --repair mend it."`
	Replay   replayCommand   `cmd:"" help:"Compare the requests that were accepted with Odoo and the mirror, name what differs, and mend the mirror."`
	Dedupe   dedupeCommand   `cmd:"" help:"Report, and with --apply clean up, what earlier systems left behind."`
	Adopt    adoptCommand    `cmd:"" help:"Report, and with --apply bring into the mirror, which orders another system's table knows, and by which keys."`
	Intents  intentsCommand  `cmd:"" help:"List, show, retry and call off orders that have no outcome yet."`
	History  historyCommand  `cmd:"" help:"Check the histories of orders."`
	Key      keyCommand      `cmd:"" help:"Create, list and revoke API keys."`
	Webhooks webhooksCommand `cmd:"" help:"Let Odoo (17 or later) tell the gateway of changes as they happen."`
	Doctor   doctorCommand   `cmd:"" help:"Check database, migrations, ERP, login, permissions and clock, and say what to do."`
	Health   healthCommand   `cmd:"" help:"Ask a gateway on this host whether it is alive; for container health checks."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// terminal is where a command writes: what it was asked for to out, everything else to err.
type terminal struct {
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], terminal{out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run parses the arguments, runs the command and returns the exit code: 0, 1 if the command failed, 2 for wrong usage, 3 if an
// audit or a replay leaves differences behind, or a history is not as it was written.
func run(ctx context.Context, args []string, term terminal) (code int) {
	type exit int
	defer func() {
		if e, ok := recover().(exit); ok {
			code = int(e) // kong printed help and wanted to leave
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("ordergate"),
		kong.Description("An ERP-first order gateway: every order is created in Odoo first, once, and then mirrored."),
		kong.Writers(term.out, term.err),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(term),
	)
	if err != nil {
		fmt.Fprintln(term.err, "ordergate:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(term.err, "ordergate:", err)
		return 2
	}
	if err := command.Run(); err != nil {
		if errors.Is(err, errDifferences) {
			return exitFindings
		}
		if !errors.Is(err, errReported) {
			fmt.Fprintln(term.err, "ordergate:", err)
		}
		return 1
	}
	return 0
}

// errReported ends a command with exit code 1 that has already said why.
var errReported = errors.New("reported")

type versionCommand struct{}

func (versionCommand) Run(term terminal) error {
	_, err := fmt.Fprintln(term.out, "ordergate", version)
	return err
}
