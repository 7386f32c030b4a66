package ordersync_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	ordersync "ordergate/sync"
)

// integration makes an order in Odoo as an earlier integration did: without the gateway.
func (b *bundle) integration(t *testing.T, partner any, reference string, quantities ...float64) int64 {
	t.Helper()
	product := b.people(t, "product.product", "search", []any{[]any{"default_code", "=", request("").Lines[0].SKU}}).([]any)[0]
	var lines []any
	for _, q := range quantities {
		lines = append(lines, []any{0, 0, map[string]any{"product_id": product, "product_uom_qty": q}})
	}
	return b.people(t, "sale.order", "create", map[string]any{"partner_id": partner, "client_order_ref": reference, "order_line": lines}).(int64)
}

func (b *bundle) duplicates(t *testing.T, cancel bool) []order.DuplicateGroup {
	t.Helper()
	require.NoError(t, b.Sync(t.Context()))
	var groups []order.DuplicateGroup
	require.NoError(t, b.FindDuplicates(t.Context(), ordersync.DuplicateOptions{Window: 10 * time.Minute, Cancel: cancel},
		func(g order.DuplicateGroup) error { groups = append(groups, g); return nil }))
	return groups
}

func idsOf(duplicates []order.Duplicate) []int64 {
	ids := make([]int64, len(duplicates))
	for i, d := range duplicates {
		ids[i] = d.ID
	}
	return ids
}

func TestDuplicatesInsideTheERP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	partner := func(name string) any { return b.people(t, "res.partner", "create", map[string]any{"name": name}) }
	ada, bob := partner("Ada"), partner("Bob")
	first := b.integration(t, ada, "WEB-1", 1, 2)
	second := b.integration(t, ada, "web-1", 5)
	third := b.integration(t, ada, "WEB-1", 1, 2)
	b.people(t, "sale.order", "action_confirm", []any{second})
	b.integration(t, bob, "WEB-1", 1, 2) // another customer's
	same := []int64{b.integration(t, bob, "", 3, 4), b.integration(t, bob, "A", 4, 3)}
	b.integration(t, bob, "B", 7) // the same total, other lines
	cancelled := b.integration(t, ada, "WEB-1", 1)
	b.people(t, "sale.order", "action_cancel", []any{cancelled})
	b.later(time.Hour)
	late := b.integration(t, ada, "WEB-1", 1, 2)

	groups := b.duplicates(t, false)
	require.Len(t, groups, 2)
	require.Equal(t, order.SameReference, groups[0].Reason)
	require.Equal(t, second, groups[0].Keep.ID, "the one that was confirmed")
	require.Equal(t, []int64{first, third}, idsOf(groups[0].Surplus))
	require.Equal(t, order.SameContent, groups[1].Reason)
	require.Equal(t, same[0], groups[1].Keep.ID, "the oldest")
	require.Equal(t, same[1:], idsOf(groups[1].Surplus))
	for _, id := range []int64{first, third, same[1], late} {
		o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, id)
		require.NoError(t, err)
		require.Equal(t, order.Draft, o.Status, "nothing is done without being asked")
	}

	groups = b.duplicates(t, true)
	require.Len(t, groups, 2)
	for _, g := range groups {
		for _, d := range g.Surplus {
			require.True(t, d.Cancelled, "%+v", d)
			o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, d.ID)
			require.NoError(t, err)
			require.Equal(t, order.Cancelled, o.Status)
		}
	}
	require.Empty(t, b.duplicates(t, true), "a second run finds nothing")
}

// Somebody may confirm an order after it was found, and right before it would be cancelled.
func TestADuplicateIsLookedAtRightBeforeItIsCancelled(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	partner := b.people(t, "res.partner", "create", map[string]any{"name": "Ada"})
	b.integration(t, partner, "X", 1)
	second := b.integration(t, partner, "X", 1)
	require.NoError(t, b.Sync(t.Context()))
	erp.fail = func(ids []int64) error {
		if len(ids) == 1 && ids[0] == second {
			b.people(t, "sale.order", "action_confirm", []any{second})
			erp.fail = nil
		}
		return nil
	}
	require.NoError(t, b.FindDuplicates(t.Context(), ordersync.DuplicateOptions{Window: time.Hour, Cancel: true},
		func(g order.DuplicateGroup) error {
			require.Equal(t, "it is confirmed", g.Surplus[0].Kept)
			require.False(t, g.Surplus[0].Cancelled)
			return nil
		}))
	found, err := b.erp.Orders(t.Context(), []int64{second})
	require.NoError(t, err)
	require.Equal(t, order.Confirmed, found[0].Status)
}

// A sync may have brought an order before its placement was stored: it then looks as if nobody had sent it.
func TestNothingIsCancelledWhileOrdersAreInDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	partner := b.people(t, "res.partner", "create", map[string]any{"name": "Ada"})
	b.integration(t, partner, "X", 1)
	b.integration(t, partner, "X", 1)
	in := order.Intent{TenantID: b.cfg.Tenant.ID, Source: "portal", Key: "k", State: order.Sending, Request: request("X"),
		LeaseToken: "other", LeaseUntil: b.clock.Now().Add(time.Hour), CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now()}
	require.NoError(t, b.db.InsertIntent(t.Context(), &in))
	groups := b.duplicates(t, true)
	require.Len(t, groups, 1)
	require.False(t, groups[0].Surplus[0].Cancelled)
	require.Contains(t, groups[0].Surplus[0].Kept, "in doubt")
}

func TestWhatIsNotCancelledAsADuplicate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	two, err := b.Place(t.Context(), portal, "k2", request("PO-1"))
	require.NoError(t, err)
	partner := one.Order.Customer.ERPPartnerID
	confirmed := []int64{b.integration(t, partner, "X", 1), b.integration(t, partner, "X", 1)}
	for _, id := range confirmed {
		b.people(t, "sale.order", "action_confirm", []any{id})
	}
	groups := b.duplicates(t, true)
	require.Len(t, groups, 2)
	for _, g := range groups {
		require.Len(t, g.Surplus, 1)
		require.False(t, g.Surplus[0].Cancelled)
		require.NotEmpty(t, g.Surplus[0].Kept)
	}
	for _, id := range append(confirmed, one.Order.ID, two.Order.ID) {
		o, err := b.erp.Orders(t.Context(), []int64{id})
		require.NoError(t, err)
		require.NotEqual(t, order.Cancelled, o[0].Status)
	}
}
