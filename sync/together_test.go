package ordersync_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// calledFor runs something, and returns how often it called each of the sandbox's methods.
func (b *bundle) calledFor(do func(), methods ...string) []int {
	before := make([]int, len(methods))
	for i, m := range methods {
		before[i] = b.sandbox.Calls(m)
	}
	do()
	for i, m := range methods {
		before[i] = b.sandbox.Calls(m) - before[i]
	}
	return before
}

// bulk does something with many orders.
func (b *bundle) bulk(t *testing.T, key string, kind order.ActionKind, ids ...int64) []order.BulkOutcome {
	t.Helper()
	outcomes, err := b.ActOnMany(t.Context(), portal, key, order.Bulk{Kind: kind, OrderIDs: ids})
	require.NoError(t, err)
	return outcomes
}

func requireDone(t *testing.T, status order.Status, outcomes ...order.BulkOutcome) {
	t.Helper()
	for _, o := range outcomes {
		require.NoError(t, o.Err)
		require.NotNil(t, o.Placement.Order, "order %d", o.OrderID)
		require.Equal(t, status, o.Placement.Order.Status)
	}
}

var asked = []string{
	"sale.order.web_read", "sale.order.write", "sale.order.action_confirm", "sale.order.action_cancel",
}

// However many orders go together: they are read in one call, asked for in one call, and read again in one.
func TestOrdersOfABulkActionShareTheirCalls(t *testing.T) {
	t.Parallel()
	for kind, test := range map[order.ActionKind]struct {
		status order.Status
		calls  []int // of asked
	}{
		order.Hold:    {order.OnHold, []int{2, 1, 0, 0}},
		order.Approve: {order.Confirmed, []int{2, 1, 1, 0}},
		order.Confirm: {order.Confirmed, []int{2, 0, 1, 0}},
		order.Cancel:  {order.Cancelled, []int{2, 0, 0, 1}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ids := b.placedMany(t, "PO-", 6)
			calls := b.calledFor(func() { requireDone(t, test.status, b.bulk(t, "b1", kind, ids[:5]...)...) }, asked...)
			require.Equal(t, test.calls, calls)
			calls = b.calledFor(func() { // one alone is the same with one
				_, err := b.Act(t.Context(), portal, "a1", order.Action{Kind: kind, OrderID: ids[5]})
				require.NoError(t, err)
			}, asked...)
			require.Equal(t, test.calls, calls)
			calls = b.calledFor(func() { requireDone(t, test.status, b.bulk(t, "b1", kind, ids[:5]...)...) }, asked...)
			require.Equal(t, []int{0, 0, 0, 0}, calls, "the stored answers")
		})
	}
}

func TestTheReasonOfABulkActionIsInEachHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 2)
	_, err := b.ActOnMany(t.Context(), portal, "b1", order.Bulk{Kind: order.Hold, OrderIDs: ids, Reason: "credit limit"})
	require.NoError(t, err)
	for _, id := range ids {
		history, err := b.History(t.Context(), portal, id, order.HistoryFilter{Limit: 100})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(history, func(e order.HistoryEntry) bool {
			return e.Code == order.HistoryReason && e.Detail == "credit limit" && e.WrittenBy == portal.Name
		}))
	}
}

func TestACallHasNoMoreOrdersThanABatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.restart(t, func(cfg *ordersync.Config) { cfg.BatchSize = 2 })
	ids := b.placedMany(t, "PO-", 5)
	calls := b.calledFor(func() { requireDone(t, order.Confirmed, b.bulk(t, "b1", order.Confirm, ids...)...) }, asked...)
	require.Equal(t, []int{6, 0, 3, 0}, calls)
}

// What becomes of one order says nothing of those that share its call.
func TestEachOrderOfACallHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 7)
	fresh, blocked, busy, held, cancelled, confirmed, gone := ids[0], ids[1], ids[2], ids[3], ids[4], ids[5], ids[6]
	_, _, err := b.WriteHistory(t.Context(), warehouse, "1", damaged(blocked))
	require.NoError(t, err)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_cancel", Kind: sandbox.DropBefore})
	_, err = b.Act(t.Context(), portal, "x1", cancel(busy, ""))
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "h1", order.Action{Kind: order.Hold, OrderID: held})
	require.NoError(t, err)
	b.people(t, "sale.order", "action_cancel", []any{cancelled, gone})
	b.people(t, "sale.order", "unlink", []any{gone})
	b.people(t, "sale.order", "action_confirm", []any{confirmed})
	other, err := b.db.EnsureTenant(t.Context(), "other")
	require.NoError(t, err)
	const foreign = 700_000
	_, err = b.db.UpsertOrders(t.Context(), other, []order.Snapshot{{Order: order.Order{ID: foreign, Number: "S700000", Status: order.Draft,
		Customer: order.Party{ERPPartnerID: 9}, Currency: "EUR"}}}, "sync")
	require.NoError(t, err)

	calls := b.calledFor(func() {
		outcomes := b.bulk(t, "b1", order.Confirm, fresh, blocked, busy, held, cancelled, confirmed, gone, foreign, 999_999)
		requireDone(t, order.Confirmed, outcomes[0], outcomes[5])
		for i, code := range map[int]string{1: "order_blocked", 2: "order_busy", 3: "action_not_possible", 4: "action_not_possible"} {
			requireKind(t, outcomes[i].Err, order.Conflict, code)
		}
		for _, i := range []int{6, 7, 8} {
			requireKind(t, outcomes[i].Err, order.NotFound, "order_not_found")
		}
		require.Equal(t, order.Rejected, b.intent(t, outcomes[6].Key).State)
	}, "sale.order.action_confirm")
	require.Equal(t, []int{1}, calls)
	status := b.people(t, "sale.order", "read", []any{blocked, busy, held, cancelled}, []any{"state"})
	for i, state := range []string{"draft", "draft", "draft", "cancel"} {
		require.Equal(t, state, status.([]any)[i].(map[string]any)["state"])
	}
}

// Odoo's call is one transaction: what it refuses of one order it refuses of all of them.
func TestAnOrderThatTheERPRefusesDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 4)
	b.people(t, "sale.order", "write", []any{ids[2]}, map[string]any{"locked": true})
	calls := b.calledFor(func() {
		outcomes := b.bulk(t, "b1", order.Cancel, ids...)
		requireDone(t, order.Cancelled, outcomes[0], outcomes[1], outcomes[3])
		requireKind(t, outcomes[2].Err, order.Conflict, "action_refused")
		require.ErrorContains(t, outcomes[2].Err, "locked order")
	}, asked...)
	require.Equal(t, []int{2, 0, 0, 5}, calls)
	again := b.bulk(t, "b1", order.Cancel, ids...)
	requireKind(t, again[2].Err, order.Conflict, "action_refused")
	require.True(t, again[2].Placement.Replayed)
}

// Whatever becomes of the answer to a call, each of its orders tells by itself what became of it. Those in doubt go alone from then on.
func TestACallForManyWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for kind, known := range map[sandbox.Kind]bool{
		sandbox.DropAnswer: true, sandbox.FaultAfterCommit: true, sandbox.DropBefore: false, sandbox.Fault1: false,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ids := b.placedMany(t, "PO-", 4)
			b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: kind})
			calls := b.calledFor(func() {
				outcomes := b.bulk(t, "b1", order.Confirm, ids...)
				if known {
					requireDone(t, order.Confirmed, outcomes...)
					return
				}
				for _, o := range outcomes {
					require.NoError(t, o.Err)
					require.Nil(t, o.Placement.Order)
					in := b.intent(t, o.Key)
					require.True(t, in.InDoubt())
					require.Zero(t, in.Strikes, "it may be another's fault")
				}
				b.people(t, "sale.order", "action_confirm", []any{ids[3]})
				requireDone(t, order.Confirmed, b.bulk(t, "b1", order.Confirm, ids...)...)
			}, "sale.order.action_confirm")
			if known {
				require.Equal(t, []int{1}, calls)
			} else {
				require.Equal(t, []int{1 + 1 + 3}, calls, "together, by people, alone")
			}
		})
	}
}

// What keeps the ERP from even being asked leaves nothing behind.
func TestABulkActionThatIsNotSent(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	ids := b.placedMany(t, "PO-", 3)
	erp.read = func([]int64) error {
		return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "down", Row: -1}
	}
	for _, o := range b.bulk(t, "b1", order.Confirm, ids...) {
		requireKind(t, o.Err, order.Unavailable, "erp_unavailable")
		require.Equal(t, order.Refused, b.intent(t, o.Key).State)
	}
	erp.read = nil
	calls := b.calledFor(func() { requireDone(t, order.Confirmed, b.bulk(t, "b1", order.Confirm, ids...)...) }, asked...)
	require.Equal(t, []int{2, 0, 1, 0}, calls, "they go together again")
}

// An order that cannot be understood does not keep the others from being read.
func TestAnUnreadableOrderOfACall(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	ids := b.placedMany(t, "PO-", 3)
	erp.read = func(asked []int64) error {
		if slices.Contains(asked, ids[0]) {
			return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.BadAnswer, Message: "a state that nobody knows", Row: -1}
		}
		return nil
	}
	outcomes := b.bulk(t, "b1", order.Confirm, ids...)
	requireKind(t, outcomes[0].Err, order.Unavailable, "erp_unavailable")
	requireDone(t, order.Confirmed, outcomes[1:]...)
	require.Equal(t, 1, b.sandbox.Calls("sale.order.action_confirm"))
}

// heldUpERP says when it confirms, and waits before it does.
type heldUpERP struct {
	ordersync.ERP
	begun func()
	until chan struct{}
}

func (e *heldUpERP) ConfirmOrders(ctx context.Context, ids ...int64) error {
	e.begun()
	<-e.until
	return e.ERP.ConfirmOrders(ctx, ids...)
}

// A caller who hangs up leaves no order half done; what was not begun by then never is.
func TestABulkActionWhoseCallerHangsUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	erp := &heldUpERP{ERP: b.erp, begun: cancel, until: make(chan struct{})}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.BatchSize = erp, 2 })
	ids := b.placedMany(t, "PO-", 4)
	bulk := order.Bulk{Kind: order.Confirm, OrderIDs: ids}
	outcomes, err := b.ActOnMany(ctx, portal, "b1", bulk)
	close(erp.until)
	require.NoError(t, err)
	for _, o := range outcomes[:2] {
		require.NoError(t, o.Err)
		require.Nil(t, o.Placement.Order, "it is on its way")
	}
	for _, o := range outcomes[2:] {
		requireKind(t, o.Err, order.Unavailable, "wait_too_long")
		_, err := b.Intent(t.Context(), portal, "", o.Key)
		requireKind(t, err, order.NotFound, "intent_not_found")
	}
	for _, o := range outcomes[:2] {
		require.Eventually(t, func() bool { return b.intent(t, o.Key).State == order.Performed }, 30*time.Second, 10*time.Millisecond)
	}
	outcomes, err = b.ActOnMany(ctx, portal, "b2", bulk)
	require.NoError(t, err)
	for _, o := range outcomes {
		requireKind(t, o.Err, order.Unavailable, "wait_too_long")
	}
	require.Equal(t, 1, b.sandbox.Calls("sale.order.action_confirm"))
}

// A bulk action whose key another request takes between the look-up and the insert is that one's: nothing is done with any order.
func TestABulkActionWhoseKeyIsTakenInBetween(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.ActionKind{order.Confirm, order.Bill} {
		b := setup(t)
		ids := b.placedMany(t, "PO-", 3)
		_, err := b.Act(t.Context(), portal, "b1", cancel(ids[0], ""))
		require.NoError(t, err)
		notYet := order.Errorf(order.NotFound, "intent_not_found", "not yet")
		b.restart(t, func(cfg *ordersync.Config) {
			cfg.Mirror = &failingMirror{Mirror: b.db, fails: map[string][]failure{"Intent": {{err: notYet}}}}
		})
		_, err = b.ActOnMany(t.Context(), portal, "b1", order.Bulk{Kind: kind, OrderIDs: ids})
		requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
		found, err := b.Intents(t.Context(), operator, order.IntentFilter{Limit: 100})
		require.NoError(t, err)
		require.Len(t, found, 4, "three placements and the cancellation")
		b.Close()
	}
}

// acceptHook lets something happen before each intent is written, and after.
type acceptHook struct {
	ordersync.Mirror
	before, after func(in *order.Intent)
}

func (m *acceptHook) InsertIntent(ctx context.Context, in *order.Intent) error {
	m.before(in)
	err := m.Mirror.InsertIntent(ctx, in)
	m.after(in)
	return err
}

// Accepting many takes its time, and each is held from when it was accepted.
func TestTheLeaseOfEachOfManyBeginsWithIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 4)
	var last time.Time
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &acceptHook{Mirror: b.db,
			before: func(in *order.Intent) {
				require.WithinDuration(t, b.clock.Now().Add(store.LeaseLasts), in.LeaseUntil, 2*time.Second)
				last = in.LeaseUntil
			},
			after: func(*order.Intent) {
				b.clock.advance(store.LeaseLasts / 2)
				b.RenewLeases()
			}}
	})
	began := b.clock.Now()
	requireDone(t, order.Confirmed, b.bulk(t, "b1", order.Confirm, ids...)...)
	require.Greater(t, last.Sub(began), 2*store.LeaseLasts)
}

// A process that was halted while it accepted may have lost those that it had accepted: it must not think, because it holds the later
// ones, that it holds all.
func TestALeaseOfManyThatWasTakenOverInPart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 2)
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &acceptHook{Mirror: b.db, before: func(*order.Intent) {}, after: func(in *order.Intent) {
			if in.ERPOrderID == ids[1] {
				b.RenewLeases()
				return
			}
			b.clock.advance(store.LeaseLasts + time.Second)
			now := b.clock.Now()
			claimed, err := b.db.ClaimIntents(context.WithoutCancel(t.Context()), in.TenantID, []int64{in.ID},
				store.Lease{Token: "other", Now: now, Until: now.Add(store.LeaseLasts), ERPNow: now})
			require.NoError(t, err)
			require.Len(t, claimed, 1)
		}}
	})
	_, err := b.ActOnMany(t.Context(), portal, "b1", order.Bulk{Kind: order.Hold, OrderIDs: ids})
	requireKind(t, err, order.Conflict, "key_in_flight")
	require.Zero(t, b.sandbox.Calls("sale.order.write"))
}

// unwillingERP refuses to cancel or confirm more than one order at once, and lets something happen then.
type unwillingERP struct {
	ordersync.ERP
	refused func()
	gone    bool // it is not reached any more
	calls   int
}

var errUnwilling = &odoo.Error{Outcome: odoo.Rejected, Reason: odoo.BusinessRule, Message: "not all of these", Row: -1}

func (e *unwillingERP) CancelOrders(ctx context.Context, ids ...int64) error {
	e.calls++
	if len(ids) > 1 {
		e.refused()
		return errUnwilling
	}
	return e.ERP.CancelOrders(ctx, ids...)
}

func (e *unwillingERP) ConfirmOrders(context.Context, ...int64) error {
	e.refused()
	return errUnwilling
}

func (e *unwillingERP) SetTags(ctx context.Context, ids, add, remove []int64) error {
	if e.gone {
		return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "gone", Row: -1}
	}
	return e.ERP.SetTags(ctx, ids, add, remove)
}

// Orders that were approved together and not confirmed are not as they were: that nothing was done would be too much to say.
func TestAnERPThatGoesAwayAfterItRefusedMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 2)
	erp := &unwillingERP{ERP: b.erp}
	erp.refused = func() { erp.gone = true }
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = erp })
	for _, o := range b.bulk(t, "b1", order.Approve, ids...) {
		require.NoError(t, o.Err)
		in := b.intent(t, o.Key)
		require.True(t, in.InDoubt())
	}
	b.restart(t)
	requireDone(t, order.Confirmed, b.bulk(t, "b1", order.Approve, ids...)...)
}

// Whoever was halted while the ERP refused all sends nothing more, and leaves that to whoever comes next.
func TestProcessHaltedWhileManyAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 3)
	erp := &unwillingERP{ERP: b.erp, refused: func() { b.clock.advance(store.LeaseLasts + time.Second) }}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = erp })
	for _, o := range b.bulk(t, "b1", order.Cancel, ids...) {
		require.NoError(t, o.Err)
		require.Nil(t, o.Placement.Order)
	}
	require.Equal(t, 1, erp.calls)
	b.later(time.Hour)
	n, err := b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, n)
	requireDone(t, order.Cancelled, b.bulk(t, "b1", order.Cancel, ids...)...)
	require.Equal(t, 4, erp.calls)
}

// While nothing can be begun, what is in doubt is on its way all the same, and what is new is not accepted.
func TestAskingForManyWhileTheERPIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 3)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: sandbox.DropBefore})
	b.bulk(t, "b1", order.Confirm, ids[:2]...)
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = restingERP{b.erp} })
	for _, o := range b.bulk(t, "b1", order.Confirm, ids[:2]...) {
		require.NoError(t, o.Err)
		require.Nil(t, o.Placement.Order)
	}
	requireKind(t, b.bulk(t, "b2", order.Confirm, ids[2])[0].Err, order.Unavailable, "erp_unavailable")
}
