package ordersync

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"ordergate/order"
)

// Config is what a Service is made of. Tenant, ERP and Mirror are required; the rest has defaults.
type Config struct {
	Tenant order.Tenant
	ERP    ERP
	Mirror Mirror

	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
	Clock      func() time.Time
	NewToken   func() string                       // a unique name for one attempt
	Jitter     func(d time.Duration) time.Duration // spreads a wait around d
	Progress   func(what string, done, total int)  // of long work; nil: nobody watches

	// Freshness is how old the mirror may be before a listing brings changes from Odoo first. Default 5 s.
	Freshness time.Duration
	// ReadBudget bounds how long a listing waits for that. Default 2 s.
	ReadBudget time.Duration
	// SyncInterval is how often changes are brought in the background: three times as often while there are some, a
	// quarter as often while there are none. Default 15 s.
	SyncInterval time.Duration
	// PlaceBudget bounds how long a caller waits for its order to be placed, and how long one attempt may take. Default 25 s.
	PlaceBudget time.Duration
	// BatchSize is how many orders go to the ERP in one call, at most. Default 20.
	BatchSize int
	// Lanes is how many such calls are under way at once, at most. Default 2.
	Lanes int
	// MaxQueue is how many requests may wait for a lane. Default 200.
	MaxQueue int
	// MaxActions is how many actions may be under way at once for callers who wait; those that go together are one. Default 16.
	MaxActions int
	// MaxBacklog is how many orders may be queued in the database. Default 100,000.
	MaxBacklog int
	// MaxStrikes is how often the ERP, while it works, may have no clear answer to an order before it is parked. Default 10.
	MaxStrikes int
	// KeepKeys is how long the intents that ended, and with them their keys, are kept. Default 30 days.
	KeepKeys time.Duration
	// TransactionLimit is Odoo's longest transaction (its limit_time_real is 120 s by default): how long after a lost
	// answer an order may still appear, and how far back a sync must look. Default 150 s.
	TransactionLimit time.Duration
	// MostChanges is how many changed records of one model a sync lists at a time, and holds in memory; where more were
	// written, everything is read again. Default 200,000.
	MostChanges int
	// AuditAt is when the mirror is compared with the ERP every night: the time since midnight UTC, 24 h for midnight
	// itself. 0: never.
	AuditAt time.Duration
	// AuditRepair lets the nightly audit repair what it finds.
	AuditRepair bool
}

// Service places and reads the orders of one tenant.
type Service struct {
	cfg     Config
	tenant  order.Tenant
	erp     ERP
	mirror  Mirror
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics

	lanes   lanes
	acting  *semaphore.Weighted // one for each action that a caller waits for
	printed *semaphore.Weighted // one for each invoice that is held in memory
	leases  leases
	backlog backlog

	shared     sharedSync
	impossible idSet
	runner     runner
	syncing    sync.Mutex // held by the one sync at a time
	rounds     rounds     // needs syncing
	purchases  toldPurchases
	found      atomic.Int64 // orders in which a sync found something new
	webhooks   webhooks

	began      time.Time     // when the service was made
	auditDelay time.Duration // how long after AuditAt this process asks for the night's audit

	// life ends when Close is called; what outlives its request (a shared sync) runs under it and is counted in work.
	life   context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New returns a Service. It touches neither the ERP nor the database.
func New(cfg Config) (*Service, error) {
	if cfg.Tenant.ID == 0 || cfg.Tenant.Name == "" {
		return nil, errors.New("ordersync: a service needs a tenant with id and name")
	}
	if cfg.ERP == nil || cfg.Mirror == nil {
		return nil, errors.New("ordersync: a service needs an ERP and a mirror")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.NewToken == nil {
		cfg.NewToken = uuid.NewString
	}
	if cfg.Jitter == nil {
		cfg.Jitter = func(d time.Duration) time.Duration { return d/2 + rand.N(d) }
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string, int, int) {}
	}
	setDefault(&cfg.Freshness, 5*time.Second)
	setDefault(&cfg.ReadBudget, 2*time.Second)
	setDefault(&cfg.SyncInterval, 15*time.Second)
	setDefault(&cfg.PlaceBudget, 25*time.Second)
	setDefault(&cfg.BatchSize, 20)
	setDefault(&cfg.Lanes, 2)
	setDefault(&cfg.MaxQueue, 200)
	setDefault(&cfg.MaxActions, 16)
	setDefault(&cfg.MaxBacklog, 100_000)
	setDefault(&cfg.MaxStrikes, 10)
	setDefault(&cfg.KeepKeys, 30*24*time.Hour)
	setDefault(&cfg.MostChanges, 200_000)
	setDefault(&cfg.TransactionLimit, 150*time.Second)

	s := &Service{
		cfg: cfg, tenant: cfg.Tenant, erp: cfg.ERP, mirror: cfg.Mirror, now: cfg.Clock,
		log: cfg.Logger.With("tenant", cfg.Tenant.Name),
	}
	s.life, s.cancel = context.WithCancel(context.Background())
	s.lanes = lanes{service: s, capacity: cfg.MaxQueue, pace: newPace(cfg.BatchSize, cfg.Lanes, cfg.PlaceBudget/5)}
	s.acting = semaphore.NewWeighted(int64(cfg.MaxActions))
	s.printed = semaphore.NewWeighted(maxPrinted)
	s.leases = leases{service: s, until: map[string]time.Time{}}
	s.backlog = backlog{most: int64(cfg.MaxBacklog)}
	s.runner = runner{service: s, token: cfg.NewToken()}
	s.purchases = toldPurchases{}
	s.rounds = rounds{interval: cfg.SyncInterval, limit: cfg.TransactionLimit}
	s.metrics = newMetrics(cfg, &s.lanes)
	s.webhooks.init(s, cfg)
	s.began, s.auditDelay = cfg.Clock(), cfg.Jitter(auditSpread/2)
	return s, nil
}

func setDefault[T cmp.Ordered](field *T, value T) {
	var zero T
	if *field <= zero {
		*field = value
	}
}

// Close ends what runs on behalf of past requests and waits for it. Call it after the last request was answered.
func (s *Service) Close() {
	s.lanes.close()
	s.cancel()
	s.work.Wait()
}
