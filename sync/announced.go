package ordersync

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ordergate/order"
)

// Every change reaches the mirror once: because a webhook told of it, or because the cursor found it. Those of the first
// kind are announced; those of the second are missed, unless a webhook had told of them and its reading was late.
// What the gateway wrote itself is neither: the mirror has it before either of the two.

const (
	// maxHeard bounds each of the two generations of announcements that are remembered.
	maxHeard = 20_000
	// heardFor is how long a generation lasts; the cursor does not look back further than about this.
	heardFor = 5 * time.Minute
	// notYetMissed is how young a change must be for the cursor to have overtaken its webhook, which may also have
	// reached another process. Such a change is not counted either way.
	notYetMissed = 2 * time.Second
	// clockCut covers that the ERP's clock is known, and its write dates are told, in whole seconds.
	clockCut = 2 * time.Second
)

// heard remembers when which order was announced, by the ERP's clock. The zero value is ready.
type heard struct {
	current, previous map[int64]time.Time
	began             time.Time // when current began
	since             time.Time // announcements before this may be forgotten; zero: none are
}

func (h *heard) note(id int64, at time.Time) {
	if h.current == nil || at.Sub(h.began) > heardFor || len(h.current) >= maxHeard {
		if h.previous != nil {
			h.since = h.began
		}
		h.previous, h.current, h.began = h.current, make(map[int64]time.Time), at
	}
	h.current[id] = at
}

// after reports whether an order was announced at or after a time, and whether that is remembered for certain.
func (h *heard) after(id int64, at time.Time) (announced, certain bool) {
	for _, generation := range []map[int64]time.Time{h.current, h.previous} {
		if last, known := generation[id]; known && !last.Before(at) {
			return true, true
		}
	}
	return false, !at.Before(h.since)
}

// countBrought counts the changes that reached the mirror because a webhook told of them.
func (w *webhooks) countBrought(before, after map[int64]order.Head) {
	n := 0
	for id, head := range after {
		if newer(head, before[id]) {
			n++
		}
	}
	w.metrics.announced.Add(float64(n))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Announced += int64(n)
}

// judge counts the changes that the cursor has found, before they are brought: heads is what the ERP says, mirrored what
// the mirror held. It counts nothing without webhooks.
func (w *webhooks) judge(ctx context.Context, heads, mirrored map[int64]order.Head, erpNow time.Time) {
	// A process that has just started finds what was missed while none ran.
	if _, loaded, _ := w.snapshot(); !loaded && w.refresh(ctx) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known.Hash == "" {
		return
	}
	judged := make(map[int64]time.Time)
	for id, head := range heads {
		written := later(head.WriteDate, head.LinesWriteDate)
		if !newer(head, mirrored[id]) || written.Before(w.known.InstalledAt) || erpNow.Sub(written) < notYetMissed {
			continue
		}
		judged[id] = written
		if w.judgedAt[id].Equal(written) { // it could not be brought the last time
			continue
		}
		switch announced, certain := w.heard.after(id, written.Add(-clockCut)); {
		case announced:
			w.counts.Announced++
			w.metrics.announced.Inc()
		case certain:
			w.counts.Missed++
			w.metrics.missed.Inc()
		}
	}
	w.judgedAt = judged
}

// newer reports whether a head tells of a write that another does not know of. Dates may be zero where they lie before
// the time that was looked at.
func newer(head, than order.Head) bool {
	return than.ID == 0 || head.WriteDate.After(than.WriteDate) || head.LinesWriteDate.After(than.LinesWriteDate)
}

// webhookMetrics are what a tenant's webhooks count.
type webhookMetrics struct {
	notifications, announced, missed, reads, overflows prometheus.Counter
}

func newWebhookMetrics(cfg Config) *webhookMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{"tenant": cfg.Tenant.Name}})
	}
	m := &webhookMetrics{
		notifications: counter("ordergate_webhook_notifications_total", "Notifications of the ERP that were taken."),
		announced:     counter("ordergate_webhook_announced_total", "Changes of orders that a webhook told of before the cursor found them."),
		missed:        counter("ordergate_webhook_missed_total", "Changes of orders that the cursor found and no webhook had told of."),
		reads:         counter("ordergate_webhook_reads_total", "Orders that were read again because a webhook told of them."),
		overflows:     counter("ordergate_webhook_overflows_total", "Times that more was told than can be marked, so that a whole sync was made instead."),
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(m.notifications, m.announced, m.missed, m.reads, m.overflows)
	}
	return m
}
