package ordersync_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// readingERP counts the calls that read orders whole, and how many run at once; it can fail them.
type readingERP struct {
	ordersync.ERP
	mu              sync.Mutex
	calls           int
	running, atOnce int
	longest         int           // ids in one call
	failures        int           // how many calls are still to fail
	held            chan struct{} // calls wait until it is closed; nil: they do not
	invoices        map[int64][]int64
}

func (e *readingERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	e.mu.Lock()
	e.calls++
	e.running++
	e.atOnce, e.longest = max(e.atOnce, e.running), max(e.longest, len(ids))
	failing := e.failures > 0
	if failing {
		e.failures--
	}
	held := e.held
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.running--
	}()
	if held != nil {
		<-held
	}
	if failing {
		return nil, &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Method: "sale.order.read", Message: "Odoo cannot be reached"}
	}
	return e.ERP.Orders(ctx, ids)
}

func (e *readingERP) OrdersOfInvoices(_ context.Context, invoices []int64) ([]int64, error) {
	var ids []int64
	for _, i := range invoices {
		ids = append(ids, e.invoices[i]...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// hold lets calls wait from now on until a channel is closed; nil ends that for the calls that follow.
func (e *readingERP) hold(until chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = until
}

// busy reports whether a call runs.
func (e *readingERP) busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running > 0
}

func (e *readingERP) reads() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls
}

// hookBundle is a bundle with webhooks installed, whose own sync does not run any more.
type hookBundle struct {
	*bundle
	erp      *readingERP
	registry *prometheus.Registry
}

const hookSecret = "og_secret"

func setupWebhooks(t *testing.T, tune ...func(*ordersync.Config)) *hookBundle {
	t.Helper()
	h := &hookBundle{erp: &readingERP{}, registry: prometheus.NewRegistry()}
	h.bundle = setup(t)
	h.erp.ERP = h.bundle.erp
	h.installed(t, store.Webhooks{Hash: order.HashSecret(hookSecret)})
	require.NoError(t, h.Sync(t.Context()))
	h.restart(t, append([]func(*ordersync.Config){func(cfg *ordersync.Config) {
		cfg.ERP, cfg.Registerer = h.erp, h.registry
		cfg.SyncInterval, cfg.Freshness = time.Hour, time.Second
		cfg.Jitter = func(d time.Duration) time.Duration { return d }
	}}, tune...)...)
	return h
}

func (h *hookBundle) installed(t *testing.T, w store.Webhooks) {
	t.Helper()
	w.Address, w.RotatedAt = "https://gateway.example/hooks/odoo/test/", time.Now()
	if w.InstalledAt.IsZero() {
		w.InstalledAt = time.Now().Add(-time.Hour)
	}
	require.NoError(t, h.db.SaveWebhooks(t.Context(), h.cfg.Tenant.ID, w))
}

// runs lets the background work begin, and waits until its first sync is over.
func (h *hookBundle) runs(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { h.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	require.Eventually(t, func() bool {
		families, err := h.registry.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if f.GetName() == "ordergate_sync_seconds" {
				return true
			}
		}
		return false
	}, 20*time.Second, 5*time.Millisecond)
}

func (h *hookBundle) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := h.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	require.Fail(t, "no metric "+name)
	return 0
}

// newOrder makes an order as people do in the ERP.
func (h *hookBundle) newOrder(t *testing.T, reference string) int64 {
	t.Helper()
	id := h.people(t, "sale.order", "create", map[string]any{"partner_id": 9, "client_order_ref": reference})
	if list, many := id.([]any); many {
		id = list[0]
	}
	return id.(int64)
}

func (h *hookBundle) edit(t *testing.T, id int64, reference string) {
	t.Helper()
	h.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference})
}

// mirrored returns an order as the mirror has it.
func (h *hookBundle) mirrored(id int64) order.Order {
	o, err := h.db.Order(context.Background(), h.cfg.Tenant.ID, id)
	if err != nil {
		return order.Order{}
	}
	return o
}

func (h *hookBundle) follows(t *testing.T, id int64, reference string) {
	t.Helper()
	require.Eventually(t, func() bool { return h.mirrored(id).Reference == reference }, 20*time.Second, 5*time.Millisecond, "%d %s", id, reference)
}

func TestAnnouncedOrdersAreReadAgain(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	h.runs(t)
	id := h.newOrder(t, "PO-1")
	h.Notify(order.Notification{OrderID: id})
	h.follows(t, id, "PO-1")
	h.edit(t, id, "PO-2")
	require.Equal(t, "PO-1", h.mirrored(id).Reference, "nobody has told of it")
	h.erp.invoices = map[int64][]int64{77: {id}}
	h.Notify(order.Notification{InvoiceID: 77})
	h.follows(t, id, "PO-2")

	h.people(t, "sale.order", "unlink", []any{id})
	h.Notify(order.Notification{OrderID: id})
	require.Eventually(t, func() bool { return !h.mirrored(id).DeletedAt.IsZero() }, 20*time.Second, 5*time.Millisecond)
}

// Whatever a forged notification names, the mirror only ever holds what the ERP says.
func TestForgedNotificationsChangeNothing(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	h.runs(t)
	id := h.newOrder(t, "PO-1")
	h.Notify(order.Notification{OrderID: id})
	h.follows(t, id, "PO-1")
	before, err := h.db.CountOrders(t.Context(), h.cfg.Tenant.ID, order.IDRange{})
	require.NoError(t, err)
	reads := h.erp.reads()
	h.Notify(order.Notification{})
	h.Notify(order.Notification{OrderID: order.MaxERPID})
	h.Notify(order.Notification{InvoiceID: order.MaxERPID})
	h.Notify(order.Notification{OrderID: id})
	require.Eventually(t, func() bool { return h.erp.reads() > reads }, 20*time.Second, 5*time.Millisecond)
	after, err := h.db.CountOrders(t.Context(), h.cfg.Tenant.ID, order.IDRange{})
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Empty(t, h.mirrored(order.MaxERPID))
	require.True(t, h.mirrored(id).DeletedAt.IsZero())
}

func TestABurstOfNotificationsCostsAFewReads(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	h.runs(t)
	var ids []int64
	for i := range 50 {
		ids = append(ids, h.newOrder(t, fmt.Sprint("burst ", i)))
	}
	reads, began := h.erp.reads(), time.Now()
	var senders sync.WaitGroup
	for range 10 {
		senders.Go(func() {
			for i := range 1000 {
				h.Notify(order.Notification{OrderID: ids[i%len(ids)]})
				if i%50 == 0 {
					time.Sleep(20 * time.Millisecond) // Odoo takes its time too
				}
			}
		})
	}
	senders.Wait()
	for i, id := range ids {
		h.follows(t, id, fmt.Sprint("burst ", i))
	}
	cost := h.erp.reads() - reads
	t.Logf("10,000 notifications of 50 orders: %d reads", cost)
	require.LessOrEqual(t, cost, 2+int(time.Since(began)/(200*time.Millisecond)), "one in the time that notifications are gathered")
	require.Equal(t, 1, h.erp.atOnce)
	require.EqualValues(t, 10_000, h.metric(t, "ordergate_webhook_notifications_total"))
	require.Zero(t, h.metric(t, "ordergate_webhook_overflows_total"))
}

func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	h.runs(t)
	h.erp.mu.Lock()
	h.erp.longest = 0
	h.erp.mu.Unlock()
	last := int64(0)
	for i := range 250 {
		last = h.newOrder(t, fmt.Sprint("page ", i))
		h.Notify(order.Notification{OrderID: last})
	}
	h.follows(t, last, "page 249")
	h.erp.mu.Lock()
	defer h.erp.mu.Unlock()
	require.LessOrEqual(t, h.erp.longest, 200)
}

// More than can be marked, and notifications that were turned away, make a whole round, at once.
func TestTooManyNotificationsMakeAWholeSync(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(h *hookBundle){
		"too many orders": func(h *hookBundle) {
			for id := range int64(10_001) {
				h.Notify(order.Notification{OrderID: 1_000_000 + id})
			}
		},
		"too many invoices": func(h *hookBundle) {
			for id := range int64(10_001) {
				h.Notify(order.Notification{InvoiceID: 1_000_000 + id})
			}
		},
		"turned away": func(h *hookBundle) { h.NotifyLost() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setupWebhooks(t)
			h.runs(t)
			doomed := h.newOrder(t, "doomed")
			h.Notify(order.Notification{OrderID: doomed})
			h.follows(t, doomed, "doomed")
			id := h.newOrder(t, "told of by nobody")
			h.people(t, "sale.order", "unlink", []any{doomed})

			// While one call runs, nothing else is read.
			held := make(chan struct{})
			h.erp.hold(held)
			h.Notify(order.Notification{OrderID: h.newOrder(t, "slow")})
			require.Eventually(t, h.erp.busy, 20*time.Second, 5*time.Millisecond)
			tell(h)
			h.erp.hold(nil)
			close(held)
			h.follows(t, id, "told of by nobody")
			require.Eventually(t, func() bool { return !h.mirrored(doomed).DeletedAt.IsZero() }, 20*time.Second, 5*time.Millisecond)
			require.EqualValues(t, 1, h.metric(t, "ordergate_webhook_overflows_total"))
		})
	}
}

func TestWhatCannotBeReadIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	h.runs(t)
	id := h.newOrder(t, "PO-1")
	h.erp.mu.Lock()
	h.erp.failures = 2
	h.erp.mu.Unlock()
	h.Notify(order.Notification{OrderID: id})
	h.follows(t, id, "PO-1")
}

// Odoo 17 and 18 post before the transaction is committed: the first look may come too early.
func TestEarlyNotificationsAreLookedAtTwice(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprint(early), func(t *testing.T) {
			t.Parallel()
			h := setupWebhooks(t)
			h.installed(t, store.Webhooks{Hash: order.HashSecret(hookSecret), Early: early})
			h.runs(t)
			id := h.newOrder(t, "before")
			h.Notify(order.Notification{OrderID: id})
			h.follows(t, id, "before")
			h.edit(t, id, "after") // the commit that the notification came before
			if early {
				h.follows(t, id, "after")
				reads := h.erp.reads()
				time.Sleep(2500 * time.Millisecond)
				require.Equal(t, reads, h.erp.reads(), "and not for ever")
				return
			}
			time.Sleep(2500 * time.Millisecond)
			require.Equal(t, "before", h.mirrored(id).Reference)
		})
	}
}

func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	ctx := t.Context()
	require.NoError(t, h.TakesSecret(ctx, hookSecret))
	requireKind(t, h.TakesSecret(ctx, "og_guess"), order.NotFound, "route_not_found")

	h.installed(t, store.Webhooks{Hash: order.HashSecret("og_new"), PreviousHash: order.HashSecret(hookSecret), PreviousUntil: time.Now().Add(time.Minute)})
	h.clock.advance(time.Second)
	require.NoError(t, h.TakesSecret(ctx, "og_new"), "made by another process")
	require.NoError(t, h.TakesSecret(ctx, hookSecret))
	h.clock.advance(time.Minute)
	requireKind(t, h.TakesSecret(ctx, hookSecret), order.NotFound, "route_not_found")

	// Who guesses does not make a query of every guess.
	h.installed(t, store.Webhooks{Hash: order.HashSecret("og_newer")})
	requireKind(t, h.TakesSecret(ctx, "og_newer"), order.NotFound, "route_not_found")
	h.clock.advance(time.Second)
	require.NoError(t, h.TakesSecret(ctx, "og_newer"))

	require.NoError(t, h.db.RemoveWebhooks(ctx, h.cfg.Tenant.ID))
	h.clock.advance(time.Second)
	_ = h.TakesSecret(ctx, "og_guess") // makes it look
	requireKind(t, h.TakesSecret(ctx, "og_newer"), order.NotFound, "route_not_found")
	requireKind(t, h.TakesSecret(ctx, ""), order.NotFound, "route_not_found")
}

// lostWebhooks is a mirror that cannot be asked for webhooks.
type lostWebhooks struct{ ordersync.Mirror }

func (lostWebhooks) Webhooks(context.Context, int64) (store.Webhooks, error) {
	return store.Webhooks{}, store.ErrUnavailable
}

func TestSecretsCannotBeToldWithoutADatabase(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *ordersync.Config) { cfg.Mirror = lostWebhooks{cfg.Mirror} })
	requireKind(t, b.TakesSecret(t.Context(), hookSecret), order.Unavailable, "database_unavailable")
}

// Each change is counted once: as announced if a webhook brought it, as missed if the cursor did.
func TestMissRate(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	h.runs(t)
	counts := func() [2]float64 {
		return [2]float64{h.metric(t, "ordergate_webhook_announced_total"), h.metric(t, "ordergate_webhook_missed_total")}
	}
	id := h.newOrder(t, "one")
	h.Notify(order.Notification{OrderID: id})
	h.follows(t, id, "one")
	require.Eventually(t, func() bool { return counts() == [2]float64{1, 0} }, 20*time.Second, 5*time.Millisecond)
	h.later(10 * time.Second)
	require.NoError(t, h.Sync(t.Context()))
	require.Equal(t, [2]float64{1, 0}, counts(), "the mirror has it")

	// Nobody tells of the second edit.
	h.edit(t, id, "two")
	h.later(10 * time.Second)
	require.NoError(t, h.Sync(t.Context()))
	h.follows(t, id, "two")
	require.Equal(t, [2]float64{1, 1}, counts())
	require.NoError(t, h.Sync(t.Context()))
	require.Equal(t, [2]float64{1, 1}, counts(), "counted once")

	// The cursor is faster than the webhook, or too fast to tell.
	h.edit(t, id, "three")
	require.NoError(t, h.Sync(t.Context()))
	h.follows(t, id, "three")
	require.Equal(t, [2]float64{1, 1}, counts(), "too young to be judged")

	// What the gateway places is in the mirror before anybody finds it.
	placed, err := h.Place(t.Context(), portal, "own", request("own"))
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	h.later(10 * time.Second)
	require.NoError(t, h.Sync(t.Context()))
	require.Equal(t, [2]float64{1, 1}, counts())

	require.Eventually(t, func() bool {
		w, err := h.db.Webhooks(t.Context(), h.cfg.Tenant.ID)
		return err == nil && w.Counts.Notifications == 1 && w.Counts.Announced == 1 && w.Counts.Missed == 1
	}, 30*time.Second, 50*time.Millisecond, "written down")
}

// An announcement whose reading is late is not a miss; without webhooks nothing is.
func TestMissesAreOfWebhooksThatDidNotCome(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t) // it does not run: nothing that is announced is read
	id := h.newOrder(t, "announced")
	h.Notify(order.Notification{OrderID: id})
	h.later(10 * time.Second)
	require.NoError(t, h.Sync(t.Context()))
	require.EqualValues(t, 1, h.metric(t, "ordergate_webhook_announced_total"))
	require.Zero(t, h.metric(t, "ordergate_webhook_missed_total"))

	require.NoError(t, h.db.RemoveWebhooks(t.Context(), h.cfg.Tenant.ID))
	h.clock.advance(time.Minute)
	_ = h.TakesSecret(t.Context(), "og_guess") // makes it look
	h.edit(t, id, "silent")
	h.later(10 * time.Second)
	require.NoError(t, h.Sync(t.Context()))
	h.follows(t, id, "silent")
	require.Zero(t, h.metric(t, "ordergate_webhook_missed_total"))
}

// A round that finds a change and cannot bring it finds it again.
func TestAMissIsCountedOnce(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	id := h.newOrder(t, "missed")
	h.later(10 * time.Second)
	h.erp.failures = 1
	require.Error(t, h.Sync(t.Context()))
	require.NoError(t, h.Sync(t.Context()))
	h.follows(t, id, "missed")
	require.EqualValues(t, 1, h.metric(t, "ordergate_webhook_missed_total"))
}

func TestWhatWasWrittenBeforeTheWebhooksCameIsNoMiss(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	id := h.newOrder(t, "before")
	h.installed(t, store.Webhooks{Hash: order.HashSecret(hookSecret), InstalledAt: time.Now().Add(5 * time.Second)})
	h.later(10 * time.Second)
	require.NoError(t, h.Sync(t.Context()))
	h.follows(t, id, "before")
	require.Zero(t, h.metric(t, "ordergate_webhook_missed_total"))
	h.edit(t, id, "after")
	h.later(10 * time.Second)
	require.NoError(t, h.Sync(t.Context()))
	require.EqualValues(t, 1, h.metric(t, "ordergate_webhook_missed_total"))
}

// Notifications that are turned away for as long as they come do not make one sync after another.
func TestWholeSyncsKeepADistance(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t) // with a freshness of a second
	h.runs(t)
	rounds := func() uint64 {
		families, err := h.registry.Gather()
		require.NoError(t, err)
		n := uint64(0)
		for _, f := range families {
			if f.GetName() == "ordergate_sync_seconds" {
				for _, m := range f.GetMetric() {
					n += m.GetHistogram().GetSampleCount()
				}
			}
		}
		return n
	}
	before, began := rounds(), time.Now()
	for range 25 {
		h.NotifyLost()
		time.Sleep(100 * time.Millisecond)
	}
	require.Greater(t, rounds(), before)
	require.LessOrEqual(t, rounds()-before, 2+uint64(time.Since(began)/time.Second))
}
