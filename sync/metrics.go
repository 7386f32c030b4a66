package ordersync

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what one tenant's service counts.
type metrics struct {
	repeated     prometheus.Counter
	resolved     *prometheus.CounterVec
	mirrored     *prometheus.CounterVec
	syncs        *prometheus.HistogramVec
	lag          prometheus.Gauge
	mirrorAge    prometheus.Gauge
	openIntents  prometheus.Gauge
	oldestIntent prometheus.Gauge
}

// newMetrics makes a tenant's metrics and registers them; with a nil registerer they are counted and shown to nobody.
func newMetrics(registerer prometheus.Registerer, tenant string) *metrics {
	labels := prometheus.Labels{"tenant": tenant}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
	}
	m := &metrics{
		repeated: prometheus.NewCounter(counter("ordergate_placement_repeats_total",
			"Placements repeated at once because the ERP's answer was lost.")),
		resolved: prometheus.NewCounterVec(counter("ordergate_intents_resolved_total",
			"Intents taken up by the resolver, by how the attempt ended."), []string{"result"}),
		mirrored: prometheus.NewCounterVec(counter("ordergate_mirror_orders_total",
			"Orders brought from the ERP, by what that did to the mirror."), []string{"change"}),
		syncs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ordergate_sync_seconds", Help: "Duration of an incremental sync, by who wanted it and result.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 10),
		}, []string{"kind", "result"}),
		lag:          gauge("ordergate_sync_lag_seconds", "How long before the last sync the oldest change that it brought was made in the ERP; 0 without any."),
		mirrorAge:    gauge("ordergate_mirror_age_seconds", "Time since the beginning of the last complete sync of orders; -1 before the first."),
		openIntents:  gauge("ordergate_intents_open", "Intents without a final outcome."),
		oldestIntent: gauge("ordergate_intents_oldest_seconds", "Age of the oldest intent without a final outcome; 0 without any."),
	}
	if registerer != nil {
		registerer.MustRegister(m.repeated, m.resolved, m.mirrored, m.syncs, m.lag, m.mirrorAge, m.openIntents, m.oldestIntent)
	}
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

	open, oldest, err := s.mirror.CountIntents(ctx, s.tenant.ID)
	if err != nil {
		return err
	}
	s.metrics.openIntents.Set(float64(open))
	s.metrics.oldestIntent.Set(0)
	if open > 0 {
		s.metrics.oldestIntent.Set(s.now().Sub(oldest).Seconds())
	}
	return nil
}
