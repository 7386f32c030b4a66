package ordersync_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// left writes down an intent as another process left it behind when it died.
func (b *bundle) left(t *testing.T, key string, tune func(*order.Intent)) order.Intent {
	t.Helper()
	in := order.Intent{
		TenantID: b.cfg.Tenant.ID, Source: "portal", Key: key, State: order.Sending, Caller: "shop", Acknowledged: true,
		LeaseToken: "another process", LeaseUntil: b.clock.Now().Add(-time.Second), Attempts: 1,
		CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
		Request: request("PO-" + key), Plan: order.Plan{PartnerID: 9, ProductIDs: productIDs(t, b, "E-COM07")},
	}
	in.Fingerprint = in.Request.Fingerprint()
	if tune != nil {
		tune(&in)
	}
	require.NoError(t, b.db.InsertIntent(t.Context(), &in))
	return in
}

// A caller of another process was told that there will be no order: what still waits here does not make one.
func TestWhatAnotherProcessRefusedIsNotPlaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	erp := &gatedERP{ERP: b.erp, gate: make(chan struct{})}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.Lanes = erp, 1 })
	place := func(key string) chan answer {
		done := make(chan answer, 1)
		go func() {
			p, err := b.Place(t.Context(), portal, key, request("PO-"+key))
			done <- answer{p, err}
		}()
		return done
	}
	inState := func(key string, state order.IntentState) func() bool {
		return func() bool {
			in, err := b.Intent(t.Context(), portal, "", key)
			return err == nil && in.State == state
		}
	}
	first := place("first")
	require.Eventually(t, inState("first", order.Sending), 30*time.Second, time.Millisecond)
	second := place("second")
	require.Eventually(t, inState("second", order.Queued), 30*time.Second, time.Millisecond)

	waiting := b.intent(t, "second")
	closed, err := b.db.CloseQueued(t.Context(), waiting.TenantID, waiting.ID, waiting.LeaseToken,
		order.Errorf(order.Unavailable, "erp_unavailable", "there will be no order"))
	require.NoError(t, err)
	require.True(t, closed)
	close(erp.gate)
	require.NoError(t, (<-first).err)
	requireKind(t, (<-second).err, order.Unavailable, "erp_unavailable")
	require.Empty(t, b.erpOrders(t, "PO-second"))
}

// The clock of a process that has just started may be behind the ERP's by more than a doubt lasts.
func TestDoubtAfterACrashBeginsByTheClockOfTheERP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ghost(t)
	in := b.left(t, "k1", func(in *order.Intent) { in.Plan.ProductIDs = []int64{99999} })
	b.erpClock.advance(time.Hour)
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.ERP = b.client(t, sandbox.User, sandbox.Password) // that has not heard of the ERP yet
	})
	_, err := b.ResolveDue(t.Context())
	require.NoError(t, err)
	got := b.intent(t, "k1")
	require.WithinDuration(t, b.erpClock.Now(), got.UnknownAt, time.Minute)
	require.Equal(t, order.Sending, got.State, "the call of the process that died may still make the order")

	b.later(2*b.cfg.TransactionLimit + time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Rejected, b.intent(t, in.Key).State)
}

// While the ERP does not answer, the time of a doubt cannot be known.
func TestWhatACrashLeftWaitsForTheClockOfTheERP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.left(t, "k1", nil)
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = b.client(t, sandbox.User, sandbox.Password) })
	b.down(t)
	_, err := b.ResolveDue(t.Context())
	require.Error(t, err)
	got := b.intent(t, "k1")
	require.Equal(t, "another process", got.LeaseToken)
	require.True(t, got.UnknownAt.IsZero())

	p, err := b.Place(t.Context(), portal, "k1", request("PO-k1"))
	require.NoError(t, err)
	require.Nil(t, p.Order)
	require.True(t, b.intent(t, "k1").UnknownAt.IsZero())
	require.NoError(t, b.sandbox.SetDown(false))
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
}

// A process that comes back after another has taken over must not think, because it renews its lease, that it holds it.
func TestLeaseThatWasTakenOverIsNotRevived(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	require.NoError(t, b.Sync(t.Context()))
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &insertHook{Mirror: b.db, after: func() {
			in := b.intent(t, "k1")
			b.clock.advance(store.LeaseLasts + time.Second)
			now := b.clock.Now()
			claimed, err := b.db.ClaimIntents(context.WithoutCancel(t.Context()), in.TenantID, []int64{in.ID},
				store.Lease{Token: "other", Now: now, Until: now.Add(store.LeaseLasts), ERPNow: now})
			require.NoError(t, err)
			require.Len(t, claimed, 1)
			b.RenewLeases()
		}}
	})
	sent := false
	erp.place = func() *odoo.Error { sent = true; return nil }
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Conflict, "key_in_flight")
	require.False(t, sent)
}

// Between the claim and the call that makes the orders lie others, and a process can be halted there as well.
func TestProcessHaltedBeforeItSendsSendsNothing(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	require.NoError(t, b.Sync(t.Context()))
	erp.partners = func([]order.Customer) { b.clock.advance(store.LeaseLasts + time.Second) }
	sent := false
	erp.place = func() *odoo.Error { sent = true; return nil }
	newcomer := request("PO-1", func(r *order.Request) { r.Customer = order.CustomerRef{Ref: "new", Name: "New"} })
	_, err := b.Place(t.Context(), portal, "k1", newcomer)
	requireKind(t, err, order.Unavailable, "wait_too_long")
	require.False(t, sent)
}

// Whoever was halted before the confirmation leaves that to whoever comes next: the order is there, and not refused.
func TestProcessHaltedBeforeItConfirmsConfirmsNothing(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	require.NoError(t, b.Sync(t.Context()))
	erp.read = func([]int64) error {
		erp.read = nil
		b.clock.advance(store.LeaseLasts + time.Second)
		return nil
	}
	p, err := b.Place(t.Context(), portal, "k1", request("PO-1", func(r *order.Request) { r.Confirm = true }))
	require.NoError(t, err)
	require.Nil(t, p.Order, "it is on its way")
	require.Zero(t, b.sandbox.Calls("sale.order.action_confirm"))
	b.later(time.Hour)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	in := b.intent(t, "k1")
	require.Equal(t, order.Placed, in.State)
	require.Equal(t, order.Confirmed, in.Result.Status)
}
