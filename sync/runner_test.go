package ordersync_test

import (
	"context"
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

// haltedERP stops each round, when it asks for orders, until a test has received twice: that it came, and that it may go on.
type haltedERP struct {
	ordersync.ERP
	rounds atomic.Int64
	ended  atomic.Int64 // before they might go on
	came   chan struct{}
}

func (e *haltedERP) OrderHeads(ctx context.Context, page odoo.Page) ([]order.Head, error) {
	e.rounds.Add(1)
	for range 2 {
		select {
		case e.came <- struct{}{}:
		case <-ctx.Done():
			e.ended.Add(1)
			return nil, ctx.Err()
		}
	}
	return e.ERP.OrderHeads(ctx, page)
}

// haltedMirror is the database of a process that is halted at times: then its leases are neither renewed nor looked at.
type haltedMirror struct {
	ordersync.Mirror
	advances chan advance // of the orders' cursor
	waiting  atomic.Int64 // calls about a lease while it is halted
	refused  atomic.Int64 // those that found the lease in other hands

	mu    sync.Mutex
	awake chan struct{} // open while it is halted
}

type advance struct {
	to       store.Cursor
	advanced bool
}

func (m *haltedMirror) HoldSync(ctx context.Context, tenantID int64, name string, lease store.SyncLease) (bool, error) {
	m.mu.Lock()
	awake := m.awake
	m.mu.Unlock()
	m.waiting.Add(1)
	defer m.waiting.Add(-1)
	select {
	case <-awake:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	held, err := m.Mirror.HoldSync(ctx, tenantID, name, lease)
	if err == nil && !held {
		m.refused.Add(1)
	}
	return held, err
}

func (m *haltedMirror) AdvanceCursor(ctx context.Context, tenantID int64, model string, c store.Cursor, holder string) (bool, error) {
	advanced, err := m.Mirror.AdvanceCursor(ctx, tenantID, model, c, holder)
	if err == nil && model == "sale.order" {
		m.advances <- advance{c, advanced}
	}
	return advanced, err
}

// halt halts it until the function that it returns is called.
func (m *haltedMirror) halt() (wake func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	awake := make(chan struct{})
	m.awake = awake
	return func() { close(awake) }
}

// startHalted runs a process that syncs in the background, on a mirror that was synced. Each of its rounds must be let through.
func startHalted(t *testing.T) (*bundle, *haltedERP, *haltedMirror) {
	t.Helper()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	erp := &haltedERP{ERP: b.cfg.ERP, came: make(chan struct{})}
	mirror := &haltedMirror{Mirror: b.cfg.Mirror, advances: make(chan advance, 100)}
	mirror.halt()()
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.ERP, cfg.Mirror = erp, mirror
		cfg.Jitter = func(time.Duration) time.Duration { return 5 * time.Millisecond }
	})
	ctx, end := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { b.Run(ctx) })
	t.Cleanup(func() { end(); group.Wait() })
	return b, erp, mirror
}

// takeOver gives the lease to another process, after its time.
func (b *bundle) takeOver(t *testing.T) {
	t.Helper()
	b.later(store.SyncLeaseLasts + time.Second)
	now := b.clock.Now()
	held, err := b.db.HoldSync(t.Context(), b.cfg.Tenant.ID, store.BackgroundSync,
		store.SyncLease{Holder: "another", Now: now, Until: now.Add(store.SyncLeaseLasts)})
	require.NoError(t, err)
	require.True(t, held, "the lease is over")
}

func (b *bundle) ordersCursor(t *testing.T) store.Cursor {
	t.Helper()
	c, err := b.db.Cursor(t.Context(), b.cfg.Tenant.ID, "sale.order")
	require.NoError(t, err)
	return c
}

// A process is halted in the middle of a round, and another one takes over. Its round ends without having moved the cursor, be
// it one that looks far back or a short one, and it begins no other.
func TestARoundThatWasTakenOverMovesNoCursor(t *testing.T) {
	t.Parallel()
	for name, rounds := range map[string]int{"a thorough round": 0, "a short round": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, erp, mirror := startHalted(t)
			for range rounds {
				<-erp.came
				b.later(10 * time.Second) // it takes so long that thorough ones become rare
				<-erp.came
				require.True(t, (<-mirror.advances).advanced)
			}
			<-erp.came
			wake := mirror.halt()
			b.many(t, 1)
			b.takeOver(t)
			before, begun := b.ordersCursor(t), erp.rounds.Load()
			<-erp.came
			tried := <-mirror.advances
			require.False(t, tried.advanced)
			require.Equal(t, rounds == 0, !tried.to.WriteDate.IsZero(), "the round is of the kind that it should be")
			require.Equal(t, before, b.ordersCursor(t))

			wake()
			require.Eventually(t, func() bool { return mirror.refused.Load() >= 3 }, 30*time.Second, time.Millisecond)
			require.Equal(t, begun, erp.rounds.Load(), "it goes on while another process syncs")
		})
	}
}

// A process that was halted between two rounds wakes with its next one due. It asks whether the lease is still its own.
func TestWhoWasHaltedLooksAtItsLeaseBeforeARound(t *testing.T) {
	t.Parallel()
	b, erp, mirror := startHalted(t)
	<-erp.came
	wake := mirror.halt()
	<-erp.came
	require.True(t, (<-mirror.advances).advanced)
	b.takeOver(t)
	// The renewal, and the round that is due.
	require.Eventually(t, func() bool { return mirror.waiting.Load() == 2 || erp.rounds.Load() > 1 }, 30*time.Second, time.Millisecond)
	require.EqualValues(t, 1, erp.rounds.Load(), "two sync")
	wake()
	require.Eventually(t, func() bool { return mirror.refused.Load() >= 3 }, 30*time.Second, time.Millisecond)
	require.EqualValues(t, 1, erp.rounds.Load(), "two sync")
}

// A process that was not halted notices while its round runs, and ends it: the first one takes hours in a large ERP.
func TestARoundEndsWhenItIsTakenOver(t *testing.T) {
	t.Parallel()
	b, erp, mirror := startHalted(t)
	<-erp.came
	b.takeOver(t)
	require.Eventually(t, func() bool { return erp.ended.Load() == 1 }, 30*time.Second, time.Millisecond)
	require.Positive(t, mirror.refused.Load())
}
