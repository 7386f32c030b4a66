package ordersync

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ordergate/order"
)

// metrics are what one tenant's service counts.
type metrics struct {
	resolved  *prometheus.CounterVec
	mirrored  *prometheus.CounterVec
	syncs     *prometheus.HistogramVec
	lag       prometheus.Gauge
	mirrorAge prometheus.Gauge

	batchOrders  prometheus.Histogram
	batchSeconds prometheus.Histogram
	shed         *prometheus.CounterVec
	purged       prometheus.Counter
	backlog      prometheus.Gauge
	oldestQueued prometheus.Gauge
	open         prometheus.Gauge
	inDoubt      prometheus.Gauge
	oldestDoubt  prometheus.Gauge
	parked       prometheus.Gauge

	auditFindings *prometheus.CounterVec
	auditSeconds  *prometheus.HistogramVec
	auditSuccess  prometheus.Gauge
	auditLeft     prometheus.Gauge
}

// newMetrics makes a tenant's metrics and registers them; with a nil registerer they are counted and shown to nobody.
func newMetrics(cfg Config, l *lanes) *metrics {
	labels := prometheus.Labels{"tenant": cfg.Tenant.Name}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
	}
	m := &metrics{
		resolved: prometheus.NewCounterVec(counter("ordergate_intents_resolved_total",
			"Attempts at intents that nobody waited for, or that were not the first, by where the intent stood then."), []string{"result"}),
		mirrored: prometheus.NewCounterVec(counter("ordergate_mirror_orders_total",
			"Orders brought from the ERP, by what that did to the mirror."), []string{"change"}),
		syncs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ordergate_sync_seconds", Help: "Duration of an incremental sync, by who wanted it and result.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 10),
		}, []string{"kind", "result"}),
		lag:       gauge("ordergate_sync_lag_seconds", "How long before the last sync the oldest change that it brought was made in the ERP; 0 without any."),
		mirrorAge: gauge("ordergate_mirror_age_seconds", "Time since the beginning of the last complete sync of orders; -1 before the first."),

		batchOrders: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ordergate_batch_orders", Help: "Orders that were carried to the ERP together.", ConstLabels: labels,
			Buckets: []float64{1, 2, 3, 5, 8, 12, 20, 35, 50},
		}),
		batchSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ordergate_batch_seconds", Help: "Duration of an attempt at a batch, without the writing down.", ConstLabels: labels,
			Buckets: []float64{.025, .05, .1, .2, .4, .8, 1.5, 3, 6, 12, 25},
		}),
		shed: prometheus.NewCounterVec(counter("ordergate_placements_shed_total",
			"Orders not accepted to protect gateway and ERP: queue_full, wait_too_long, not_in_time, breaker_open, backlog_full."), []string{"reason"}),
		purged:       prometheus.NewCounter(counter("ordergate_intents_purged_total", "Intents deleted because their keys had been kept for long enough.")),
		backlog:      gauge("ordergate_backlog_depth", "Orders queued in the database."),
		oldestQueued: gauge("ordergate_intents_queued_oldest_seconds", "Age of the oldest queued intent; 0 without any."),
		open:         gauge("ordergate_intents_open", "Intents without a final outcome, queued and parked ones included."),
		inDoubt:      gauge("ordergate_intents_in_doubt", "Intents whose last attempt had no known outcome."),
		oldestDoubt:  gauge("ordergate_intents_in_doubt_oldest_seconds", "Age of the oldest intent that is being placed, in doubt or parked; 0 without any."),
		parked:       gauge("ordergate_intents_parked", "Intents that wait for an operator."),

		auditFindings: prometheus.NewCounterVec(counter("ordergate_audit_findings_total",
			"Orders in which an audit found the mirror to differ from the ERP, by kind."), []string{"kind"}),
		auditSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ordergate_audit_seconds", Help: "Duration of an audit, by how it ended.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.25, 3, 9),
		}, []string{"state"}),
		auditSuccess: gauge("ordergate_audit_last_success_timestamp_seconds",
			"When the latest audit of everything began that came to its end; before the first, when this process began; NaN where audits are off."),
		auditLeft: gauge("ordergate_audit_findings_left", "Findings of the latest audit of everything that are not repaired."),
	}
	for _, kind := range order.FindingKinds {
		m.auditFindings.WithLabelValues(string(kind)) // at 0, so that the first finding shows as an increase
	}
	if cfg.Registerer == nil {
		return m
	}
	read := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value)
	}
	cfg.Registerer.MustRegister(m.resolved, m.mirrored, m.syncs, m.lag, m.mirrorAge,
		m.batchOrders, m.batchSeconds, m.shed, m.purged, m.backlog, m.oldestQueued, m.open, m.inDoubt, m.oldestDoubt, m.parked,
		m.auditFindings, m.auditSeconds, m.auditSuccess, m.auditLeft,
		read("ordergate_queue_depth", "Requests that wait for a lane.", func() float64 { return float64(l.depth()) }),
		read("ordergate_queue_capacity", "Requests that may wait for a lane.", func() float64 { return float64(l.capacity) }),
		read("ordergate_batch_limit", "Orders that go in the next call to the ERP, at most.", func() float64 { return float64(l.limit()) }),
	)
	return m
}

func (m *metrics) observeSync(kind string, took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.syncs.WithLabelValues(kind, result).Observe(took.Seconds())
}

// measure sets the gauges that are read off the database.
func (s *Service) measure(ctx context.Context) error {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return err
	}
	age := -1.0
	if cursor.Complete {
		age = s.now().Sub(cursor.SyncedAt).Seconds()
	}
	s.metrics.mirrorAge.Set(age)

	counts, err := s.mirror.CountIntents(ctx, s.tenant.ID)
	if err != nil {
		return err
	}
	s.backlog.learn(counts.Queued)
	s.metrics.backlog.Set(float64(counts.Queued))
	s.metrics.open.Set(float64(counts.Queued + counts.Sending + counts.Parked))
	s.metrics.inDoubt.Set(float64(counts.InDoubt))
	s.metrics.parked.Set(float64(counts.Parked))
	s.metrics.oldestQueued.Set(s.age(counts.OldestQueued))
	s.metrics.oldestDoubt.Set(s.age(counts.OldestInDoubt))
	return nil
}

// age is how many seconds ago something was; 0 for the zero time.
func (s *Service) age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return s.now().Sub(t).Seconds()
}
