package ordersync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

func confirm(id int64) order.Action { return order.Action{Kind: order.Confirm, OrderID: id} }

func cancel(id int64, reason string) order.Action {
	return order.Action{Kind: order.Cancel, OrderID: id, Reason: reason}
}

// placed places an order and returns its id.
func (b *bundle) placed(t *testing.T, key string) int64 {
	t.Helper()
	p, err := b.Place(t.Context(), portal, key, request(key))
	require.NoError(t, err)
	return p.Order.ID
}

func TestAnActionIsCarriedOutOnceForItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	done, err := b.Act(t.Context(), portal, "c1", cancel(id, "ordered twice"))
	require.NoError(t, err)
	require.False(t, done.Replayed)
	require.Equal(t, order.Cancelled, done.Order.Status)
	require.Equal(t, order.Performed, b.intent(t, "c1").State)
	history, err := b.History(t.Context(), portal, id, order.HistoryFilter{Limit: 100})
	require.NoError(t, err)
	said := map[string]order.HistoryEntry{}
	for _, e := range history {
		said[e.Code] = e
	}
	require.Equal(t, "ordered twice", said[order.HistoryReason].Detail)
	require.Equal(t, "shop", said[order.StatusCode(order.Cancelled)].WrittenBy)
	require.Greater(t, said[order.HistoryReason].ID, said[order.StatusCode(order.Cancelled)].ID)

	b.people(t, "sale.order", "action_draft", []any{id})
	again, err := b.Act(t.Context(), portal, "c1", cancel(id, "ordered twice"))
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, order.Cancelled, again.Order.Status, "the answer of then")
	require.Equal(t, 1, b.sandbox.Calls("sale.order.action_cancel"))

	for _, other := range []order.Action{
		cancel(id, ""), confirm(id), cancel(id+1, "ordered twice"),
	} {
		_, err = b.Act(t.Context(), portal, "c1", other)
		requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
	}
	_, err = b.Act(t.Context(), portal, "PO-1", confirm(id))
	requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
	_, err = b.Place(t.Context(), portal, "c1", request("PO-2"))
	requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
	require.Empty(t, b.erpOrders(t, "PO-2"))
}

// Whatever becomes of the answer, the order's state tells what became of the action, and it is not asked for twice in vain.
func TestAnActionWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind  sandbox.Kind
		known bool // at once
		calls int  // until it is done
	}{
		{sandbox.DropAnswer, true, 1},
		{sandbox.FaultAfterCommit, true, 1},
		{sandbox.ServerErrorAfterCommit, true, 1},
		{sandbox.DropBefore, false, 2},
		{sandbox.Fault1, false, 2},
		{sandbox.HTML, false, 2},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.placed(t, "PO-1")
			b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: test.kind})
			done, err := b.Act(t.Context(), portal, "c1", confirm(id))
			require.NoError(t, err)
			require.Equal(t, test.known, done.Order != nil)
			if !test.known {
				inDoubt := b.intent(t, "c1")
				require.True(t, inDoubt.InDoubt())
				_, sync, err := b.Order(t.Context(), portal, id)
				require.NoError(t, err)
				require.Equal(t, order.SyncInDoubt, sync.State)
				_, err = b.Act(t.Context(), portal, "c2", cancel(id, ""))
				requireKind(t, err, order.Conflict, "order_busy")
				b.later(5 * time.Minute)
				n, err := b.ResolveDue(t.Context())
				require.NoError(t, err)
				require.Equal(t, 1, n)
			}
			require.Equal(t, order.Performed, b.intent(t, "c1").State)
			require.Equal(t, test.calls, b.sandbox.Calls("sale.order.action_confirm"))
			again, err := b.Act(t.Context(), portal, "c1", confirm(id))
			require.NoError(t, err)
			require.Equal(t, order.Confirmed, again.Order.Status)
			_, err = b.Act(t.Context(), portal, "c2", cancel(id, ""))
			require.NoError(t, err, "the order is free again")
		})
	}
}

// A caller who asks again does not wait for the resolver.
func TestAskingAgainForAnActionInDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: sandbox.DropBefore})
	done, err := b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	require.Nil(t, done.Order)
	done, err = b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	require.Equal(t, order.Confirmed, done.Order.Status)
}

func TestAnActionThatTheStatusDoesNotAllow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	b.people(t, "sale.order", "action_cancel", []any{id})
	_, err := b.Act(t.Context(), portal, "c1", confirm(id))
	requireKind(t, err, order.Conflict, "action_not_possible")
	require.Zero(t, b.sandbox.Calls("sale.order.action_confirm"))
	b.people(t, "sale.order", "action_draft", []any{id})
	again, err := b.Act(t.Context(), portal, "c1", confirm(id))
	requireKind(t, err, order.Conflict, "action_not_possible")
	require.True(t, again.Replayed, "one key, one answer")
	_, err = b.Act(t.Context(), portal, "c2", confirm(id))
	require.NoError(t, err)
}

// What a refusal says is final only once no earlier attempt can still take effect.
func TestARefusalAfterADoubtIsNotFinal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: sandbox.DropBefore})
	_, err := b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	b.people(t, "sale.order", "action_cancel", []any{id})
	b.later(time.Minute)
	_, err = b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	require.Equal(t, order.Sending, b.intent(t, "c1").State, "the first call may still run")
	b.later(5 * time.Minute)
	_, err = b.Act(t.Context(), portal, "c1", confirm(id))
	requireKind(t, err, order.Conflict, "action_not_possible")
	require.Equal(t, order.Rejected, b.intent(t, "c1").State)
}

func TestActionsWhileTheERPIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	b.down(t)
	_, err := b.Act(t.Context(), portal, "c1", confirm(id))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
	require.Equal(t, order.Refused, b.intent(t, "c1").State)
	require.NoError(t, b.sandbox.SetDown(false))
	other, err := b.Act(t.Context(), portal, "c2", confirm(id))
	require.NoError(t, err, "what was refused holds nothing")
	require.Equal(t, order.Confirmed, other.Order.Status)
	done, err := b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	require.False(t, done.Replayed, "it was not accepted before")
	require.Equal(t, order.Confirmed, done.Order.Status)
	require.Equal(t, 1, b.sandbox.Calls("sale.order.action_confirm"))
}

// An action that a crash left behind is taken up once its lease is over.
func TestAnActionThatACrashLeftBehind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	action := confirm(id)
	in := order.Intent{
		TenantID: b.cfg.Tenant.ID, Source: "portal", Key: "c1", Fingerprint: action.Fingerprint(), State: order.Sending, Action: &action,
		ERPOrderID: id, Caller: "shop", LeaseToken: "dead", LeaseUntil: b.clock.Now().Add(store.LeaseLasts), Attempts: 1,
		CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
	}
	require.NoError(t, b.db.InsertIntent(t.Context(), &in))
	_, err := b.Act(t.Context(), portal, "c1", action)
	requireKind(t, err, order.Conflict, "key_in_flight")
	_, err = b.Act(t.Context(), portal, "c2", cancel(id, ""))
	requireKind(t, err, order.Conflict, "order_busy")
	b.later(time.Minute)
	n, err := b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, order.Performed, b.intent(t, "c1").State)
}

// Two keys for one order at the same moment: one goes first, and the other is told so or finds it done.
func TestTwoActionsOnOneOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	var group sync.WaitGroup
	for _, key := range []string{"c1", "c2", "c3", "c4"} {
		group.Go(func() {
			for {
				_, err := b.Act(t.Context(), portal, key, confirm(id))
				if err == nil {
					return
				}
				if !order.IsKind(err, order.Conflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, 1, b.sandbox.Calls("sale.order.action_confirm"))
}

func TestAnActionInDoubtIsCalledOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: sandbox.DropBefore})
	_, err := b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	in, err := b.CancelIntent(t.Context(), operator, "portal", "c1")
	require.NoError(t, err)
	require.Equal(t, order.Sending, in.State, "the call may still run")
	b.later(time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Sending, b.intent(t, "c1").State)
	b.later(5 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.CalledOff, b.intent(t, "c1").State)
	require.Equal(t, 1, b.sandbox.Calls("sale.order.action_confirm"), "it was not sent again")
	_, err = b.Act(t.Context(), portal, "c1", confirm(id))
	requireKind(t, err, order.Unprocessable, "intent_cancelled")
	_, err = b.Act(t.Context(), portal, "c2", confirm(id))
	require.NoError(t, err)
	_, err = b.CancelIntent(t.Context(), operator, "portal", "c2")
	requireKind(t, err, order.Conflict, "intent_performed")
}

// Without the application for deliveries a fulfilment is refused with what to install, and may be asked for again once it is.
func TestFulfilmentWithoutDeliveries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	fulfil := order.Action{Kind: order.Fulfil, OrderID: id}
	_, err := b.Act(t.Context(), portal, "f0", fulfil)
	requireKind(t, err, order.Conflict, "action_not_possible")
	_, err = b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "f1", fulfil)
	requireKind(t, err, order.Unsupported, "stock_missing")
	require.Equal(t, order.Refused, b.intent(t, "f1").State)
}

func TestActionsAreBounded(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	first, second := b.placed(t, "PO-1"), b.placed(t, "PO-2")
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.MaxActions = erp, 1 })
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	erp.read = func([]int64) error {
		once.Do(func() { close(begun); <-release })
		return nil
	}
	var group sync.WaitGroup
	group.Go(func() { _, _ = b.Act(t.Context(), portal, "c1", confirm(first)) })
	<-begun
	_, err := b.Act(t.Context(), portal, "c2", confirm(second))
	requireKind(t, err, order.Unavailable, "queue_full")
	close(release)
	group.Wait()
	require.Eventually(t, func() bool { // the place is free a moment after the answer
		_, err = b.Act(t.Context(), portal, "c2", confirm(second))
		return err == nil
	}, 30*time.Second, time.Millisecond)
}

// An action whose key another process took between the look-up and the insert is that process's, and not another action on the
// same order.
func TestAnActionWhoseKeyIsTakenInBetween(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	action := confirm(id)
	in := order.Intent{
		TenantID: b.cfg.Tenant.ID, Source: "portal", Key: "c1", Fingerprint: action.Fingerprint(), State: order.Sending, Action: &action,
		ERPOrderID: id, Caller: "shop", LeaseToken: "another process", LeaseUntil: b.clock.Now().Add(store.LeaseLasts), Attempts: 1,
		CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
	}
	require.NoError(t, b.db.InsertIntent(t.Context(), &in))
	notYet := order.Errorf(order.NotFound, "intent_not_found", "not yet")
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &busyMirror{&failingMirror{Mirror: b.db, fails: map[string][]failure{"Intent": {{err: notYet}}}}}
	})
	_, err := b.Act(t.Context(), portal, "c1", action)
	requireKind(t, err, order.Conflict, "key_in_flight")
}

// busyMirror names the order where the key is taken as well, as a database may.
type busyMirror struct{ ordersync.Mirror }

func (m *busyMirror) InsertIntent(ctx context.Context, in *order.Intent) error {
	err := m.Mirror.InsertIntent(ctx, in)
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	}
	return err
}

// A customer whose tenant lets it confirm sees what became of that.
func TestACustomerSeesItsOwnAction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, id)
	require.NoError(t, err)
	caller := order.Caller{Name: "own", Role: order.RoleCustomer, Source: "customer:9", ERPPartnerID: o.Customer.ERPPartnerID}
	_, err = b.Act(t.Context(), caller, "c1", confirm(id))
	requireKind(t, err, order.Forbidden, "confirm_forbidden")
	b.restart(t, func(cfg *ordersync.Config) { cfg.Tenant.Settings.CustomerMayConfirm = true })
	_, err = b.Act(t.Context(), caller, "c1", confirm(id))
	require.NoError(t, err)
	in, err := b.Intent(t.Context(), caller, "", "c1")
	require.NoError(t, err)
	require.Equal(t, order.Performed, in.State)
	_, err = b.Act(t.Context(), caller, "x1", cancel(id, ""))
	requireKind(t, err, order.Forbidden, "role_forbidden")
}

// People delete the tag of holds, which the gateway remembers: it makes another one, and the caller does not notice.
func TestAHoldWhoseTagWasDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hold := func(key string) order.Status {
		done, err := b.Act(t.Context(), portal, "hold "+key, order.Action{Kind: order.Hold, OrderID: b.placed(t, key)})
		require.NoError(t, err)
		return done.Order.Status
	}
	require.Equal(t, order.OnHold, hold("PO-1"))
	tags := b.people(t, "crm.tag", "search", []any{[]any{"name", "=", "On hold"}})
	b.people(t, "crm.tag", "unlink", tags)
	require.Equal(t, order.OnHold, hold("PO-2"))
}

// How many orders go together, and how slow the ERP is to place them, is told of placements alone.
func TestAnActionIsNoBatch(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	b := setup(t, func(cfg *ordersync.Config) { cfg.Registerer = registry })
	_, err := b.Act(t.Context(), portal, "c1", confirm(b.placed(t, "PO-1")))
	require.NoError(t, err)
	families, err := registry.Gather()
	require.NoError(t, err)
	counts := map[string]uint64{}
	for _, family := range families {
		counts[family.GetName()] = family.GetMetric()[0].GetHistogram().GetSampleCount()
	}
	require.EqualValues(t, 1, counts["ordergate_batch_orders"])
	require.EqualValues(t, 1, counts["ordergate_batch_seconds"])
}
