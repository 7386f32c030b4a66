package ordersync_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// callingERP counts the calls of the sync, and can be made to fail.
type callingERP struct {
	ordersync.ERP
	heads, counts, read atomic.Int64
	fail                func(ids []int64) error // nil: does not
}

func (e *callingERP) OrderHeads(ctx context.Context, page odoo.Page) ([]order.Head, error) {
	e.heads.Add(1)
	return e.ERP.OrderHeads(ctx, page)
}

func (e *callingERP) CountOrders(ctx context.Context, r order.IDRange) (int64, error) {
	e.counts.Add(1)
	return e.ERP.CountOrders(ctx, r)
}

func (e *callingERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	if e.fail != nil {
		if err := e.fail(ids); err != nil {
			return nil, err
		}
	}
	e.read.Add(int64(len(ids)))
	return e.ERP.Orders(ctx, ids)
}

func (e *callingERP) OrdersJustPlaced(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	return e.Orders(ctx, ids)
}

func setupCalling(t *testing.T) (*bundle, *callingERP) {
	t.Helper()
	erp := &callingERP{}
	b := setup(t, func(cfg *ordersync.Config) {
		erp.ERP = cfg.ERP
		cfg.ERP = erp
	})
	return b, erp
}

// many lets people make orders, and returns the ids.
func (b *bundle) many(t *testing.T, n int) []int64 {
	t.Helper()
	partner := b.people(t, "res.partner", "search", []any{}).([]any)[0]
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = b.people(t, "sale.order", "create", map[string]any{"partner_id": partner, "client_order_ref": fmt.Sprint("m", i)}).(int64)
	}
	return ids
}

func TestDeletedOrdersAreFoundByCounting(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	ids := b.many(t, 1500)
	require.NoError(t, b.Sync(t.Context()))
	b.later(10 * time.Minute)
	require.NoError(t, b.Sync(t.Context()))

	erp.counts.Store(0)
	erp.heads.Store(0)
	require.NoError(t, b.Sync(t.Context()))
	require.EqualValues(t, 1, erp.counts.Load(), "nothing is missing: one question")
	require.EqualValues(t, 1, erp.heads.Load(), "and the changes")

	gone := ids[700]
	b.people(t, "sale.order", "unlink", []any{gone})
	erp.heads.Store(0)
	require.NoError(t, b.Sync(t.Context()))
	require.EqualValues(t, 2, erp.heads.Load(), "the changes, and the half in which one is missing")
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, gone)
	require.NoError(t, err)
	require.False(t, o.DeletedAt.IsZero())
}

// While orders are placed, the two sides hold different numbers of them at every moment. That is no reason to look for
// what was deleted.
func TestOrdersUnderWayAreNotLookedFor(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	require.NoError(t, b.Sync(t.Context()))
	b.many(t, 3)
	require.NoError(t, b.Sync(t.Context()))
	erp.heads.Store(0)
	b.erpClock.advance(-time.Hour) // these are too old for the look back, as what was not committed yet would be
	b.many(t, 2)
	b.erpClock.advance(time.Hour)
	require.NoError(t, b.Sync(t.Context()))
	require.EqualValues(t, 1, erp.heads.Load(), "only the changes were asked for")
	b.many(t, 1) // in the mirror's eyes the missing ones are not the latest any more
	require.NoError(t, b.Sync(t.Context()))
	require.EqualValues(t, 2, erp.heads.Load())
	require.NoError(t, b.Sync(t.Context()))
	require.EqualValues(t, 4, erp.heads.Load(), "what is still missing a round later is looked for")
}

func TestOneProcessSyncsForAll(t *testing.T) {
	t.Parallel()
	first, firstERP := setupCalling(t)
	secondERP := &callingERP{ERP: first.cfg.ERP}
	cfg := first.cfg
	cfg.ERP, cfg.SyncInterval = secondERP, 10*time.Millisecond
	second, err := ordersync.New(cfg)
	require.NoError(t, err)
	t.Cleanup(second.Close)
	first.restart(t, func(cfg *ordersync.Config) {
		firstERP.ERP = cfg.ERP
		cfg.ERP, cfg.SyncInterval = firstERP, 10*time.Millisecond
	})

	var group sync.WaitGroup
	firstCtx, endFirst := context.WithCancel(t.Context())
	group.Go(func() { first.Run(firstCtx) })
	require.Eventually(t, func() bool { return firstERP.heads.Load() > 5 }, 30*time.Second, 5*time.Millisecond)
	secondCtx, endSecond := context.WithCancel(t.Context())
	group.Go(func() { second.Run(secondCtx) })
	require.Eventually(t, func() bool {
		products, err := first.db.Cursor(t.Context(), first.cfg.Tenant.ID, "product.product")
		return err == nil && products.Complete
	}, 30*time.Second, 5*time.Millisecond, "the lease is that of all models")
	before := firstERP.heads.Load()
	require.Eventually(t, func() bool { return firstERP.heads.Load() > before+5 }, 30*time.Second, 5*time.Millisecond)
	require.Zero(t, secondERP.heads.Load(), "two synced")
	endFirst()
	require.Eventually(t, func() bool { return secondERP.heads.Load() > 0 }, 30*time.Second, 5*time.Millisecond, "nobody took over")
	endSecond()
	group.Wait()
}

func TestFullSyncGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	ids := b.many(t, 5300)
	killed := &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Cancelled, Message: "killed"}
	erp.fail = func(read []int64) error {
		if slices.Contains(read, ids[5200]) {
			return killed
		}
		return nil
	}
	require.ErrorIs(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}), killed)
	c, err := b.db.Cursor(t.Context(), b.cfg.Tenant.ID, "sale.order")
	require.NoError(t, err)
	require.False(t, c.Complete)

	// A line of the first page changes before the next attempt, which does not come to it again.
	b.later(time.Minute)
	b.people(t, "sale.order", "write", []any{ids[0]}, map[string]any{"client_order_ref": "edited"})
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = erp })
	erp.fail = nil
	erp.read.Store(0)
	require.NoError(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{Connections: 3}))
	require.Less(t, erp.read.Load(), int64(1000), "it began again")
	n, err := b.db.CountOrders(t.Context(), b.cfg.Tenant.ID, order.IDRange{})
	require.NoError(t, err)
	inERP, err := b.erp.CountOrders(t.Context(), order.IDRange{})
	require.NoError(t, err)
	require.Equal(t, inERP, n)

	require.NoError(t, b.Sync(t.Context()))
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, ids[0])
	require.NoError(t, err)
	require.Equal(t, "edited", o.Reference)

	erp.read.Store(0)
	require.NoError(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}))
	require.Equal(t, inERP, erp.read.Load(), "one that came to its end is not gone on with")
}

func TestFullSyncBearsAnERPThatFailsAtTimes(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	b.many(t, 60)
	var calls atomic.Int64
	erp.fail = func([]int64) error {
		if calls.Add(1)%2 == 1 {
			return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.Timeout}
		}
		return nil
	}
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.ERP, cfg.Jitter = erp, func(time.Duration) time.Duration { return time.Millisecond }
	})
	require.NoError(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}))
	erp.fail = func([]int64) error { return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.Timeout} }
	require.Error(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}), "but not one that never answers")
}

func TestFullSyncOfAPeriod(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	require.NoError(t, b.Sync(t.Context()))
	b.later(48 * time.Hour)
	since := b.erp.Now().Add(-time.Hour)
	b.many(t, 4)
	erp.read.Store(0)
	require.NoError(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{Since: since}))
	require.EqualValues(t, 4, erp.read.Load())
	n, err := b.db.CountOrders(t.Context(), b.cfg.Tenant.ID, order.IDRange{})
	require.NoError(t, err)
	inERP, err := b.erp.CountOrders(t.Context(), order.IDRange{})
	require.NoError(t, err)
	require.Equal(t, inERP, n, "what was not written since was buried")
}

func TestTwoFullSyncsAtOnce(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	begun, release := make(chan struct{}), make(chan struct{})
	erp.fail = func([]int64) error { close(begun); <-release; return nil }
	var group sync.WaitGroup
	group.Go(func() { _ = b.FullSync(t.Context(), ordersync.FullSyncOptions{}) })
	<-begun
	require.ErrorIs(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}), ordersync.ErrBackfillElsewhere)
	erp.fail = nil
	close(release)
	group.Wait()
}

// Where more was written at once than is held in memory, everything is read again, a page at a time, and not from where an
// earlier reading had stopped.
func TestTooManyChangesAtOnceAreReadAPageAtATime(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	ids := b.many(t, 30)
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.MostChanges = erp, 20 })
	require.NoError(t, b.Sync(t.Context()))
	b.later(time.Hour)
	for _, id := range ids {
		b.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": "all of them"})
	}
	held, err := b.db.HoldSync(t.Context(), b.cfg.Tenant.ID, store.FullSync, store.SyncLease{Holder: "dead", Now: b.clock.Now(), Until: b.clock.Now()})
	require.NoError(t, err)
	require.True(t, held)
	saved, err := b.db.SaveBackfill(t.Context(), b.cfg.Tenant.ID, "dead", store.Backfill{AfterID: ids[10], Orders: 11, ERPBegan: b.erpClock.Now()})
	require.NoError(t, err)
	require.True(t, saved)
	require.NoError(t, b.Sync(t.Context()))
	for _, id := range ids {
		o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, id)
		require.NoError(t, err)
		require.Equal(t, "all of them", o.Reference)
	}
}
