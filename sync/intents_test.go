package ordersync_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
	ordersync "ordergate/sync"
)

func TestWaitingOrderIsCalledOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = restingERP{b.erp} })
	_, err := b.Enqueue(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	in, err := b.CancelIntent(t.Context(), operator, "portal", "k1")
	require.NoError(t, err)
	require.Equal(t, order.CalledOff, in.State)
	_, err = b.CancelIntent(t.Context(), portal, "", "k1")
	require.NoError(t, err, "once more is the same")

	b.restart(t)
	b.DrainBacklog()
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	p, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Unprocessable, "intent_cancelled")
	require.True(t, p.Replayed)
	require.Empty(t, b.erpOrders(t, "PO-1"))
}

// What meanwhile exists in Odoo is cancelled there.
func TestOrderInDoubtThatExistsIsCancelledInTheERP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
	p, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, p.Order)
	in, err := b.CancelIntent(t.Context(), portal, "", "k1")
	require.NoError(t, err)
	require.Equal(t, order.Sending, in.State)
	require.False(t, in.CancelRequestedAt.IsZero())

	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	in = b.intent(t, "k1")
	require.Equal(t, order.CalledOff, in.State)
	ids := b.erpOrders(t, "PO-1")
	require.Equal(t, []int64{in.ERPOrderID}, ids)
	o, _, err := b.Order(t.Context(), operator, ids[0])
	require.NoError(t, err)
	require.Equal(t, order.Cancelled, o.Status)
	_, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Unprocessable, "intent_cancelled")
}

// An earlier call may still make the order: until none can, calling it off has not come to its end.
func TestCallingOffWaitsUntilNoOrderCanAppear(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropBefore, Times: 2})
	p, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, p.Order)
	_, err = b.CancelIntent(t.Context(), portal, "", "k1")
	require.NoError(t, err)
	loads := b.sandbox.Calls("sale.order.load")
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Sending, b.intent(t, "k1").State)

	b.later(2*b.cfg.TransactionLimit + time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.CalledOff, b.intent(t, "k1").State)
	require.Empty(t, b.erpOrders(t, "PO-1"), "it is never sent again")
	require.Equal(t, loads+2, b.sandbox.Calls("sale.order.load"), "but looked for")
}

// An order that people confirmed and the ERP will not cancel is there: to call it cancelled would be untrue.
func TestOrderThatTheERPWillNotCancelEndsAsPlaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	id := b.erpOrders(t, "PO-1")[0]
	b.people(t, "sale.order", "action_confirm", []any{id})
	b.people(t, "sale.order", "write", []any{id}, map[string]any{"locked": true})
	_, err = b.CancelIntent(t.Context(), portal, "", "k1")
	require.NoError(t, err)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	in := b.intent(t, "k1")
	require.Equal(t, order.Placed, in.State)
	history, err := b.History(t.Context(), operator, id, order.HistoryFilter{})
	require.NoError(t, err)
	codes := make([]string, len(history))
	for i, entry := range history {
		codes[i] = entry.Code
	}
	require.Equal(t, []string{order.HistoryPlaced, order.HistoryCancelRefused, order.StatusCode(order.Confirmed)}, codes)
}

func TestWhatCannotBeCalledOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Place(t.Context(), portal, "placed", request("PO-1"))
	require.NoError(t, err)
	_, err = b.CancelIntent(t.Context(), portal, "", "placed")
	requireKind(t, err, order.Conflict, "intent_placed")
	_, err = b.Place(t.Context(), portal, "rejected", request("PO-2", b.ghost(t)))
	requireKind(t, err, order.Unprocessable, "erp_rejected")
	_, err = b.CancelIntent(t.Context(), portal, "", "rejected")
	requireKind(t, err, order.Conflict, "intent_rejected")
	_, err = b.CancelIntent(t.Context(), portal, "", "unknown")
	requireKind(t, err, order.NotFound, "intent_not_found")
}

func TestIntentsAreSeenByThoseWhoseTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	_, err = b.Place(t.Context(), operator, "k2", request("PO-2"))
	require.NoError(t, err)
	acme := order.Caller{Name: "acme", Role: order.RoleCustomer, Source: order.CustomerSource + "9", ERPPartnerID: 9}
	other := order.Caller{Name: "other", Role: order.RoleCustomer, Source: order.CustomerSource + "10", ERPPartnerID: 10}
	placed, err := b.Place(t.Context(), acme, "k3", request("PO-3"))
	require.NoError(t, err)
	note := "ring twice"
	_, err = b.Act(t.Context(), acme, "k4", order.Action{Kind: order.Amend, OrderID: placed.Order.ID, Change: &order.Change{Note: &note}})
	require.NoError(t, err)

	keys := func(caller order.Caller, f order.IntentFilter) (keys []string) {
		f.Limit = 10
		found, err := b.Intents(t.Context(), caller, f)
		require.NoError(t, err)
		for _, in := range found {
			keys = append(keys, in.Key)
		}
		return keys
	}
	require.Equal(t, []string{"k4", "k3", "k2", "k1"}, keys(operator, order.IntentFilter{}))
	require.Equal(t, []string{"k1"}, keys(portal, order.IntentFilter{}))
	require.Empty(t, keys(portal, order.IntentFilter{Source: "manual"}))
	require.Equal(t, []string{"k4", "k3"}, keys(acme, order.IntentFilter{}), "what it did with its order is its own too")
	require.Empty(t, keys(other, order.IntentFilter{}))
	for _, key := range []string{"k3", "k4"} {
		_, err = b.Intent(t.Context(), other, acme.Source, key)
		requireKind(t, err, order.NotFound, "intent_not_found")
		_, err = b.Intent(t.Context(), acme, "", key)
		require.NoError(t, err)
	}
	_, err = b.CancelIntent(t.Context(), portal, "manual", "k2")
	requireKind(t, err, order.NotFound, "intent_not_found")
}

func TestKeysAreKeptForAsLongAsConfiguredAndThenDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *ordersync.Config) { cfg.KeepKeys = 24 * time.Hour })
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	b.people(t, "sale.order", "unlink", []any{placed.Order.ID})
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
	_, err = b.Place(t.Context(), portal, "doubt", request("PO-2"))
	require.NoError(t, err)

	b.later(23 * time.Hour)
	require.NoError(t, b.Purge(t.Context()))
	again, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Empty(t, b.erpOrders(t, "PO-1"), "an order deleted in Odoo is not resurrected by a late retry")

	b.later(2 * time.Hour)
	require.NoError(t, b.Purge(t.Context()))
	_, err = b.Intent(t.Context(), portal, "", "k1")
	requireKind(t, err, order.NotFound, "intent_not_found")
	require.Equal(t, order.Sending, b.intent(t, "doubt").State, "what has not ended is kept")
}

func TestBacklogIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *ordersync.Config) { cfg.MaxBacklog = 2 })
	b.down(t)
	for _, key := range []string{"k1", "k2"} {
		_, err := b.Enqueue(t.Context(), portal, key, request("PO-"+key))
		require.NoError(t, err)
	}
	_, err := b.Enqueue(t.Context(), portal, "k3", request("PO-k3"))
	requireKind(t, err, order.Unavailable, "backlog_full")
	_, err = b.Enqueue(t.Context(), portal, "k1", request("PO-k1"))
	require.NoError(t, err, "a replay needs no room")
}
