package ordersync

import (
	"context"
	"slices"
	"sync"
	"time"

	"ordergate/order"
	"ordergate/store"
)

const (
	// maxMarked bounds the orders, and the invoices, that wait to be read again. Beyond it everything may have changed.
	maxMarked = 10_000
	// gatherTime is how long notifications are gathered before what they name is read: one edit sends several.
	gatherTime = 200 * time.Millisecond
	// secondLook is when an order is read once more if the ERP posts before its transaction is committed.
	secondLook = 2 * time.Second
	// webhooksRefresh is how often the secrets are read again, and the counts written down.
	webhooksRefresh = 5 * time.Second
	// secretRefresh bounds how often a secret that is not known makes the process look in the database.
	secretRefresh = time.Second
	// Pauses before what failed is tried again.
	firstWebhookPause = time.Second
	maxWebhookPause   = 30 * time.Second
)

// WebhookStore keeps what is known of webhooks.
type WebhookStore interface {
	// Webhooks returns a tenant's webhooks. NotFound if it has none.
	Webhooks(ctx context.Context, tenantID int64) (store.Webhooks, error)
	// CountWebhooks adds to a tenant's counts; without webhooks it does nothing.
	CountWebhooks(ctx context.Context, tenantID int64, more store.WebhookCounts) error
}

// webhooks is the set of orders that the ERP has told of and that are still to be read. Notifications only mark; one
// goroutine reads, a page at a time, so that a burst costs a few reads and not one for each notification.
//
// Nothing depends on it: what is lost here, the cursor finds.
type webhooks struct {
	service *Service
	metrics *webhookMetrics
	wake    chan struct{} // holds a token while something is marked
	wholeAt time.Time     // when everything was last brought; the goroutine's own

	mu       sync.Mutex
	marks    marks
	later    map[int64]time.Time // orders to be looked at a second time, and when; never more than maxMarked
	known    store.Webhooks      // as of askedAt; zero while there are none
	loaded   bool                // the database has been asked
	askedAt  time.Time
	heard    heard
	counts   store.WebhookCounts // since they were last written down
	judgedAt map[int64]time.Time // what the cursor's last round found, by when it was written
}

// marks is what is to be read. The zero value is nothing.
type marks struct {
	orders     map[int64]bool // true: for the second time, and so the last
	invoices   map[int64]bool
	everything bool
}

func (m *marks) empty() bool { return len(m.orders) == 0 && len(m.invoices) == 0 && !m.everything }

// add marks an id in one of the sets; a set that is full marks everything.
func (m *marks) add(set *map[int64]bool, id int64, second bool) (overflowed bool) {
	if *set == nil {
		*set = make(map[int64]bool)
	}
	was, marked := (*set)[id]
	if !marked && len(*set) >= maxMarked {
		overflowed = !m.everything
		m.everything = true
		return overflowed
	}
	(*set)[id] = second && (was || !marked)
	return false
}

func (w *webhooks) init(s *Service, cfg Config) {
	w.service = s
	w.wake = make(chan struct{}, 1)
	w.later = map[int64]time.Time{}
	w.metrics = newWebhookMetrics(cfg)
}

// TakesSecret returns nil if the secret is one that the ERP was given: an *order.Error of kind NotFound if not, and of kind
// Unavailable if it cannot be told, because the database has not answered yet.
func (s *Service) TakesSecret(ctx context.Context, secret string) error {
	w, hash := &s.webhooks, order.HashSecret(secret)
	known, loaded, askedAt := w.snapshot()
	if known.Takes(hash, s.now()) {
		return nil
	}
	// A secret that was made a moment ago, by another process. Who guesses must not make a query of every guess.
	if !loaded || s.now().Sub(askedAt) >= secretRefresh {
		if err := w.refresh(ctx); err != nil {
			if !loaded {
				return databaseUnavailable(err)
			}
			s.log.WarnContext(ctx, "webhooks: the database cannot be asked for the current secret", "error", err)
		}
		known, _, _ = w.snapshot()
	}
	if known.Takes(hash, s.now()) {
		return nil
	}
	return order.Errorf(order.NotFound, "route_not_found", "No webhook has this secret.")
}

func (w *webhooks) snapshot() (known store.Webhooks, loaded bool, askedAt time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known, w.loaded, w.askedAt
}

// refresh reads the secrets. While it does, others do not ask as well.
func (w *webhooks) refresh(ctx context.Context) error {
	s := w.service
	w.mu.Lock()
	w.askedAt = s.now()
	w.mu.Unlock()
	known, err := s.mirror.Webhooks(ctx, s.tenant.ID)
	if err != nil && !order.IsKind(err, order.NotFound) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known, w.loaded = known, true
	return nil
}

// Notify marks what a notification names, to be read soon. It never waits.
func (s *Service) Notify(n order.Notification) {
	w := &s.webhooks
	erpNow := s.erp.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.metrics.notifications.Inc()
	w.counts.Notifications++
	w.counts.NotifiedAt = s.now()
	overflowed := false
	switch {
	case n.OrderID != 0:
		w.heard.note(n.OrderID, erpNow)
		overflowed = w.marks.add(&w.marks.orders, n.OrderID, false)
	case n.InvoiceID != 0:
		overflowed = w.marks.add(&w.marks.invoices, n.InvoiceID, false)
	default:
		return
	}
	if overflowed {
		w.metrics.overflows.Inc()
	}
	w.poke()
}

// NotifyLost notes that notifications were turned away: everything may have changed. The next sync begins at once.
func (s *Service) NotifyLost() {
	w := &s.webhooks
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.marks.everything {
		w.metrics.overflows.Inc()
	}
	w.marks.everything = true
	w.poke()
}

// poke wakes the goroutine. The caller holds mu.
func (w *webhooks) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake
	}
}

// run reads what is marked until ctx ends.
func (w *webhooks) run(ctx context.Context) {
	s := w.service
	refresh := time.NewTicker(webhooksRefresh)
	defer refresh.Stop()
	defer w.writeCounts(context.WithoutCancel(ctx))
	w.housekeep(ctx)
	pause := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-refresh.C:
			w.housekeep(ctx)
			continue
		case <-w.wake:
		}
		if sleep(ctx, gatherTime) != nil {
			return
		}
		taken := w.take()
		err := w.bring(ctx, taken)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if pause > 0 {
				s.log.InfoContext(ctx, "webhooks: what they tell of can be read again")
			}
			pause = 0
			continue
		case pause == 0:
			s.log.WarnContext(ctx, "webhooks: what they tell of cannot be read; it is tried again", "error", err)
		}
		w.putBack(taken)
		pause = min(max(2*pause, firstWebhookPause), maxWebhookPause)
		if sleep(ctx, s.cfg.Jitter(pause)) != nil {
			return
		}
	}
}

// housekeep is what is done every few seconds, also while nothing comes.
func (w *webhooks) housekeep(ctx context.Context) {
	err := w.refresh(ctx)
	w.writeCounts(ctx)
	if err != nil && ctx.Err() == nil {
		w.service.log.WarnContext(ctx, "webhooks: the database cannot be asked for the secrets", "error", err)
	}
}

// writeCounts adds the counts to those of the database. What cannot be written is kept for the next time.
func (w *webhooks) writeCounts(ctx context.Context) {
	w.mu.Lock()
	counts := w.counts
	w.counts = store.WebhookCounts{}
	w.mu.Unlock()
	if counts == (store.WebhookCounts{}) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, webhooksRefresh)
	defer cancel()
	if err := w.service.mirror.CountWebhooks(ctx, w.service.tenant.ID, counts); err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Notifications += counts.Notifications
	w.counts.Announced += counts.Announced
	w.counts.Missed += counts.Missed
	if w.counts.NotifiedAt.IsZero() {
		w.counts.NotifiedAt = counts.NotifiedAt
	}
}

// take takes what is marked.
func (w *webhooks) take() marks {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.marks
	w.marks = marks{}
	return taken
}

// putBack marks again what could not be read, beside what was marked meanwhile.
func (w *webhooks) putBack(taken marks) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, second := range taken.orders {
		w.marks.add(&w.marks.orders, id, second)
	}
	for id := range taken.invoices {
		w.marks.add(&w.marks.invoices, id, false)
	}
	w.marks.everything = w.marks.everything || taken.everything
	w.poke()
}

// bring reads what is marked, one call at a time.
func (w *webhooks) bring(ctx context.Context, taken marks) error {
	s := w.service
	if taken.everything {
		return w.bringEverything(ctx) // all that the marks could name is in it
	}
	orders := taken.orders
	for page := range slices.Chunk(slices.Sorted(keysOf(taken.invoices)), orderPage) {
		ids, err := s.erp.OrdersOfInvoices(ctx, page)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, marked := orders[id]; !marked {
				if orders == nil {
					orders = make(map[int64]bool)
				}
				orders[id] = false
			}
		}
	}
	for page := range slices.Chunk(slices.Sorted(keysOf(orders)), orderPage) {
		if err := w.bringPage(ctx, page); err != nil {
			return err
		}
	}
	w.lookAgain(orders)
	return nil
}

// bringEverything makes a round of the background sync now, unless the first one, which reads everything, still runs. Two
// of them are at least as far apart as readers' are.
func (w *webhooks) bringEverything(ctx context.Context) error {
	s := w.service
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil || !cursor.Complete {
		return err
	}
	if wait := s.cfg.Freshness - s.now().Sub(w.wholeAt); wait > 0 && sleep(ctx, wait) != nil {
		return ctx.Err()
	}
	w.wholeAt = s.now()
	return seenTo(s.syncUnannounced(ctx))
}

// bringPage brings the mirror to what the ERP now has of some orders.
func (w *webhooks) bringPage(ctx context.Context, ids []int64) error {
	s := w.service
	before, err := s.mirror.OrderHeads(ctx, s.tenant.ID, ids)
	if err != nil {
		return err
	}
	gone, err := s.bury(ctx, ids)
	if err != nil {
		return err
	}
	present := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return slices.Contains(gone, id) })
	if len(present) == 0 {
		return nil
	}
	if _, err := s.mirrorPage(ctx, present); err != nil {
		return err
	}
	after, err := s.mirror.OrderHeads(ctx, s.tenant.ID, present)
	if err != nil {
		return err
	}
	w.metrics.reads.Add(float64(len(present)))
	w.countBrought(before, after)
	return nil
}

// lookAgain has orders read a second time where the first look may have come before the transaction was committed.
func (w *webhooks) lookAgain(orders map[int64]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.known.Early {
		return
	}
	due := w.service.now().Add(secondLook)
	for id, second := range orders {
		if !second && len(w.later) < maxMarked {
			w.later[id] = due
		}
	}
	if len(w.later) > 0 {
		time.AfterFunc(secondLook, w.markDue)
	}
}

// markDue marks the orders whose second look has come.
func (w *webhooks) markDue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.service.now()
	for id, due := range w.later {
		if !now.Before(due) {
			delete(w.later, id)
			w.marks.add(&w.marks.orders, id, true)
		}
	}
	if !w.marks.empty() {
		w.poke()
	}
}

func keysOf(set map[int64]bool) func(yield func(int64) bool) {
	return func(yield func(int64) bool) {
		for id := range set {
			if !yield(id) {
				return
			}
		}
	}
}
