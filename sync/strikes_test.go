package ordersync_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// An accepted order that cannot even be sent, though the ERP and the database work, does not hold its customer's others up
// for ever.
func TestAcceptedOrderThatCannotBeSentIsParked(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	require.NoError(t, b.Sync(t.Context()))
	erp.place = func() *odoo.Error {
		return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.TooLarge, Message: "a proxy takes no calls of this size", Row: -1}
	}
	b.restart(t, func(cfg *ordersync.Config) { cfg.MaxStrikes = 2 })
	_, err := b.Enqueue(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	b.DrainBacklog()
	require.Eventually(t, func() bool { return b.intent(t, "k1").Strikes == 1 }, 30*time.Second, 5*time.Millisecond)
	require.Equal(t, order.Sending, b.intent(t, "k1").State, "it waits before it is tried again")
	b.later(time.Minute)
	require.Eventually(t, func() bool { // the lane may not have noted yet that it is free
		_, err := b.ResolveDue(t.Context())
		return err == nil && b.intent(t, "k1").State == order.Parked
	}, 30*time.Second, 5*time.Millisecond)

	erp.place = nil
	_, err = b.Enqueue(t.Context(), portal, "k2", request("PO-2"))
	require.NoError(t, err)
	b.drain(t, "k2")
}

// A new customer whom the ERP makes and does not show is a matter of rights, and not of the gateway's database.
func TestNewCustomerThatIsHiddenIsAMatterOfRights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = hidingERP{b.erp} })
	newcomer := request("PO-1", func(r *order.Request) { r.Customer = order.CustomerRef{Ref: "new", Name: "New"} })
	_, err := b.Place(t.Context(), portal, "k1", newcomer)
	requireKind(t, err, order.Unavailable, "erp_misconfigured")
	require.Empty(t, b.erpOrders(t, "PO-1"))
}

// hidingERP does not show partners that it has just made.
type hidingERP struct{ ordersync.ERP }

func (hidingERP) PartnersByID(context.Context, []int64) ([]order.Customer, error) { return nil, nil }

// A caller that asks again and again for an order in doubt uses up none of the attempts after which it is parked.
func TestEagerCallerDoesNotParkItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.MaxStrikes, cfg.Jitter = 3, func(time.Duration) time.Duration { return time.Minute }
	})
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Matching: "PO-1", Kind: sandbox.Fault1, Times: -1})
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	due := b.intent(t, "k1").NextAttemptAt
	require.Equal(t, 1, b.intent(t, "k1").Strikes)
	for range 4 {
		_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
		require.NoError(t, err)
	}
	in := b.intent(t, "k1")
	require.Equal(t, order.Sending, in.State)
	require.Equal(t, 1, in.Strikes)
	require.Equal(t, due, in.NextAttemptAt, "nor does it put off the one that is due")
}

// But what it learns counts: where all it takes is time, nobody waits for the end of a longer wait before that.
func TestEagerCallerBringsTheNextAttemptForward(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.TransactionLimit, cfg.Jitter = 5*time.Second, func(time.Duration) time.Duration { return time.Minute }
	})
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropBefore, Times: 2})
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1", b.ghost(t)))
	require.NoError(t, err)
	due := b.intent(t, "k1").NextAttemptAt
	_, err = b.Place(t.Context(), portal, "k1", request("PO-1", b.ghost(t)))
	require.NoError(t, err)
	in := b.intent(t, "k1")
	require.Equal(t, order.Sending, in.State, "the first call may still make the order")
	require.WithinDuration(t, b.clock.Now(), in.NextAttemptAt, 15*time.Second)
	require.True(t, in.NextAttemptAt.Before(due))
}
