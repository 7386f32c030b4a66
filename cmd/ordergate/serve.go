package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"ordergate/failpoint"
	"ordergate/gateway"
	"ordergate/migrations"
	"ordergate/odoo/sandbox"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// drainTimeout bounds how long requests in flight may take to end after SIGTERM; longer than a placement's budget.
const drainTimeout = 40 * time.Second

type serveCommand struct {
	databaseFlags
	tenantFlags
	Listen         string        `env:"ORDERGATE_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	Sandbox        bool          `env:"ORDERGATE_SANDBOX" help:"Serve a built-in stand-in for Odoo with a small catalogue, on a temporary database."`
	Freshness      time.Duration `env:"ORDERGATE_FRESHNESS" default:"5s" help:"How old a listing may be before changes are brought from Odoo first."`
	SyncInterval   time.Duration `env:"ORDERGATE_SYNC_INTERVAL" default:"15s" help:"How often changes are brought in the background."`
	PlaceBudget    time.Duration `env:"ORDERGATE_PLACE_BUDGET" default:"25s" help:"How long a caller waits for its order to be placed."`
	BatchSize      int           `env:"ORDERGATE_BATCH_SIZE" default:"20" help:"Orders that go to Odoo in one call, at most."`
	Lanes          int           `env:"ORDERGATE_LANES" default:"2" help:"Such calls that are under way at once, at most; not more than Odoo has workers for."`
	MaxQueue       int           `env:"ORDERGATE_MAX_QUEUE" default:"200" help:"Requests that may wait for such a call; more are refused."`
	MaxStrikes     int           `env:"ORDERGATE_MAX_STRIKES" default:"10" help:"How often Odoo, while it works, may fail over one order before that waits for an operator."`
	MaxBacklog     int           `env:"ORDERGATE_MAX_BACKLOG" default:"100000" help:"Orders that may be queued in the database (Prefer: respond-async); more are refused."`
	KeepKeys       time.Duration `env:"ORDERGATE_KEEP_KEYS" default:"720h" help:"How long idempotency keys and their outcomes are kept after the end."`
	AuditAt        timeOfDay     `env:"ORDERGATE_AUDIT_AT" default:"03:00" placeholder:"HH:MM" help:"When the mirror is compared with Odoo every night, in UTC; off for never."`
	AuditRepair    bool          `env:"ORDERGATE_AUDIT_REPAIR" default:"true" negatable:"" help:"Let the nightly audit bring the mirror to Odoo's state where they differ."`
	RequestTimeout time.Duration `env:"ORDERGATE_REQUEST_TIMEOUT" default:"30s" help:"How long a request may take; at most 60s, and not less than the place budget."`
	MaxInFlight    int           `env:"ORDERGATE_MAX_IN_FLIGHT" default:"1024" help:"Requests under way at once, at most; more are refused."`
	MaxPerTenant   int           `env:"ORDERGATE_MAX_IN_FLIGHT_PER_TENANT" default:"256" help:"Of these, those of one tenant; more than may wait for Odoo."`
	RateLimit      float64       `env:"ORDERGATE_RATE_LIMIT" default:"50" help:"Requests a second that one API key may make."`
	TrustedProxies []string      `env:"ORDERGATE_TRUSTED_PROXIES" placeholder:"CIDR,…" help:"Reverse proxies whose X-Forwarded-For is believed."`
	LogFormat      string        `env:"ORDERGATE_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of the log: text or json."`
}

// Validate refuses settings of which one would keep the other from ever counting. Kong calls it.
func (c serveCommand) Validate() error {
	switch {
	case c.PlaceBudget > c.RequestTimeout:
		return fmt.Errorf("ORDERGATE_PLACE_BUDGET (%s) is longer than ORDERGATE_REQUEST_TIMEOUT (%s): no caller would be left to wait", c.PlaceBudget, c.RequestTimeout)
	case c.MaxQueue >= c.MaxPerTenant:
		return fmt.Errorf("ORDERGATE_MAX_QUEUE (%d) must be less than ORDERGATE_MAX_IN_FLIGHT_PER_TENANT (%d): the requests that wait are under way", c.MaxQueue, c.MaxPerTenant)
	}
	return nil
}

// Run serves until ctx ends, then lets what is in flight come to its end.
func (c serveCommand) Run(ctx context.Context, term terminal) error {
	log := newLogger(term, c.LogFormat)
	var demo *demo
	if c.Sandbox {
		var err error
		if demo, err = c.startSandbox(); err != nil {
			return err
		}
		defer demo.close()
	}

	db, err := c.databaseFlags.open(ctx, log)
	if err != nil {
		return err
	}
	defer db.Close()
	if demo != nil {
		if err := migrations.Up(ctx, db.DB(), db.Dialect(), nil); err != nil {
			return err
		}
	}
	if err := refuseOldSchema(ctx, db); err != nil {
		return err
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	services, err := c.services(ctx, db, log, registry)
	if err != nil {
		return err
	}
	handler, err := c.handler(db, services, log, registry)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", c.Listen, err)
	}
	if demo != nil {
		if err := demo.welcome(ctx, term, db, services[0].tenant, listener.Addr().String()); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	log.Info("serving", "address", listener.Addr().String(), "version", version, "tenants", len(services))
	return serve(ctx, gateway.NewServer(c.Listen, handler), listener, services, log)
}

// services makes the service of every configured tenant.
func (c serveCommand) services(ctx context.Context, db *store.Store, log *slog.Logger, registry *prometheus.Registry) ([]service, error) {
	tenants, err := c.tenants()
	if err != nil {
		return nil, err
	}
	var services []service
	for _, t := range tenants {
		s, err := c.tenantFlags.open(ctx, db, t, func(cfg *ordersync.Config) {
			cfg.Logger, cfg.Registerer = log, registry
			cfg.Clock = failpoint.Now
			cfg.Freshness, cfg.SyncInterval = c.Freshness, c.SyncInterval
			cfg.PlaceBudget, cfg.BatchSize, cfg.Lanes = c.PlaceBudget, c.BatchSize, c.Lanes
			cfg.MaxQueue, cfg.MaxBacklog, cfg.MaxStrikes, cfg.KeepKeys = c.MaxQueue, c.MaxBacklog, c.MaxStrikes, c.KeepKeys
			cfg.AuditAt, cfg.AuditRepair = time.Duration(c.AuditAt), c.AuditRepair
		})
		if err != nil {
			return nil, err
		}
		services = append(services, s)
	}
	return services, nil
}

func (c serveCommand) handler(db *store.Store, services []service, log *slog.Logger, registry *prometheus.Registry) (http.Handler, error) {
	byTenant := make(map[int64]gateway.Service, len(services))
	notified := make(map[string]gateway.Notified, len(services))
	checks := []gateway.Check{
		{Name: "database", Run: db.Ping},
		{Name: "migrations", Run: func(ctx context.Context) error { return refuseOldSchema(ctx, db) }},
	}
	for _, s := range services {
		byTenant[s.tenant.ID] = s
		notified[s.tenant.Name] = s
		suffix := ""
		if len(services) > 1 {
			suffix = ":" + s.tenant.Name
		}
		checks = append(checks,
			gateway.Check{Name: "erp" + suffix, Run: s.client.Ping},
			gateway.Check{Name: "breaker" + suffix, Run: func(context.Context) error {
				if state := s.client.BreakerState(); state != "closed" {
					return errors.New("the circuit breaker is " + state)
				}
				return nil
			}},
			gateway.Check{Name: "queue" + suffix, Run: s.CheckQueue},
			gateway.Check{Name: "intents" + suffix, Run: s.CheckIntents})
	}
	return gateway.New(gateway.Config{
		Services: byTenant, Keys: db, Notified: notified, Checks: checks, Logger: log, Registry: registry, Version: version,
		Limits: gateway.Limits{
			RatePerSecond: c.RateLimit, Burst: int(2 * c.RateLimit), RequestTimeout: c.RequestTimeout,
			MaxInFlight: c.MaxInFlight, MaxInFlightPerTenant: c.MaxPerTenant,
		},
		TrustedProxies: c.TrustedProxies,
	})
}

// serve runs the server and the background work until ctx ends, and then ends them in the order that loses nothing:
// requests first, then the background, then what past requests left running.
func serve(ctx context.Context, server *http.Server, listener net.Listener, services []service, log *slog.Logger) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	var group errgroup.Group
	for _, s := range services {
		group.Go(func() error { s.Run(background); return nil })
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	var failure error
	select {
	case failure = <-served:
	case <-ctx.Done():
		log.Info("draining: no new requests; those in flight come to their end")
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		failure = server.Shutdown(drain)
		cancel()
		<-served
	}
	stopBackground()
	_ = group.Wait() // Run returns nothing
	for _, s := range services {
		s.Close()
	}
	log.Info("stopped")
	return failure
}

// refuseOldSchema returns an error that says what to do if migrations are pending.
func refuseOldSchema(ctx context.Context, db *store.Store) error {
	pending, err := migrations.Pending(ctx, db.DB(), db.Dialect())
	if err != nil {
		return err
	}
	if pending > 0 {
		return fmt.Errorf("the database lacks %d migrations of this version: run `ordergate migrate up`", pending)
	}
	return nil
}

func newLogger(term terminal, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(term.err, nil))
	}
	return slog.New(slog.NewTextHandler(term.err, nil))
}

// demo is what `serve --sandbox` adds: a stand-in for Odoo, and a database that goes when it stops.
type demo struct {
	odoo      *sandbox.Server
	directory string // of the temporary database
}

// startSandbox starts the stand-in and points the flags at it.
func (c *serveCommand) startSandbox() (*demo, error) {
	if c.OdooURL != "" || c.Tenants != "" || c.Database != "" {
		// Synced with the stand-in, a real mirror would lose every order that the stand-in does not have.
		return nil, errors.New("--sandbox brings its own Odoo and its own database: leave the settings of the real ones out (ORDERGATE_ODOO_URL, ORDERGATE_TENANTS, ORDERGATE_DATABASE)")
	}
	stand, err := sandbox.Start(sandbox.Options{Documents: true})
	if err != nil {
		return nil, err
	}
	d := &demo{odoo: stand}
	c.OdooURL, c.OdooDB, c.OdooUser, c.OdooPassword = stand.URL(), sandbox.Database, sandbox.User, sandbox.Password
	// The stand-in forgets everything when it stops, and so must its mirror.
	if d.directory, err = os.MkdirTemp("", "ordergate-sandbox-"); err != nil {
		return nil, errors.Join(err, stand.Close())
	}
	c.Database = "sqlite:" + filepath.Join(d.directory, "ordergate.db")
	return d, nil
}

func (d *demo) close() {
	_ = d.odoo.Close() // it only listens on this host, and the process is about to end
	_ = os.RemoveAll(d.directory)
}

// host is the address under which a client on this machine reaches a listener.
func host(address string) string {
	h, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(h); ip != nil && ip.IsUnspecified() {
		h = "127.0.0.1"
	}
	return net.JoinHostPort(h, port)
}
