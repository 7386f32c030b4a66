package ordersync_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
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
	reads := 0
	erp.fail = func([]int64) error {
		if reads++; reads == 2 {
			b.people(t, "sale.order", "action_confirm", []any{second})
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

// What people do after the orders were found, and before one is cancelled, may make each of them the only one.
func TestDuplicatesThatPeopleChangeAreNotCancelled(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	for name, c := range map[string]struct {
		change func(t *testing.T, first, second int64)
		reason string
	}{
		"the kept one is cancelled": {func(t *testing.T, first, _ int64) { b.people(t, "sale.order", "action_cancel", []any{first}) }, "is gone or cancelled"},
		"the kept one is deleted":   {func(t *testing.T, first, _ int64) { b.people(t, "sale.order", "unlink", []any{first}) }, "is gone or cancelled"},
		"the kept one is another order": {func(t *testing.T, first, _ int64) {
			b.people(t, "sale.order", "write", []any{first}, map[string]any{"client_order_ref": "another"})
		}, "was changed"},
		"the other one is another order": {func(t *testing.T, _, second int64) {
			b.people(t, "sale.order", "write", []any{second}, map[string]any{"client_order_ref": "another"})
		}, "was changed"},
		"the other one is deleted": {func(t *testing.T, _, second int64) { b.people(t, "sale.order", "unlink", []any{second}) }, "it is gone"},
		"the other one is adopted": {func(t *testing.T, _, second int64) {
			_, err := b.db.AdoptOrders(t.Context(), b.cfg.Tenant.ID, []store.Adoption{{ERPOrderID: second, Source: "shop"}}, true)
			require.NoError(t, err)
		}, "it was placed by shop"},
	} {
		partner := b.people(t, "res.partner", "create", map[string]any{"name": name})
		first, second := b.integration(t, partner, "X", 1), b.integration(t, partner, "X", 1)
		require.NoError(t, b.Sync(t.Context()))
		reads := 0
		erp.fail = func(ids []int64) error {
			if slices.Contains(ids, second) {
				if reads++; reads == 2 {
					c.change(t, first, second)
				}
			}
			return nil
		}
		groups := 0
		require.NoError(t, b.FindDuplicates(t.Context(), ordersync.DuplicateOptions{Window: time.Hour, Cancel: true},
			func(g order.DuplicateGroup) error {
				if g.Keep.ID != first {
					return nil
				}
				groups++
				require.Len(t, g.Surplus, 1, name)
				require.False(t, g.Surplus[0].Cancelled, name)
				require.Contains(t, g.Surplus[0].Kept, c.reason, name)
				return nil
			}), name)
		require.Equal(t, 1, groups, name)
		erp.fail = nil
		found, err := b.erp.Orders(t.Context(), []int64{first, second})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(found, func(o order.Snapshot) bool { return o.Status == order.Draft }), "one is left: %s", name)
	}
}

// A quotation that was sent is its customer's to answer. Beside a draft it is the one that is kept.
func TestSentQuotationsAreNotCancelledAsDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	partner := b.people(t, "res.partner", "create", map[string]any{"name": "Ada"})
	draft, sent, again := b.integration(t, partner, "X", 1), b.integration(t, partner, "X", 1), b.integration(t, partner, "X", 1)
	for _, id := range []int64{sent, again} {
		b.people(t, "sale.order", "write", []any{id}, map[string]any{"state": "sent"})
	}
	groups := b.duplicates(t, true)
	require.Len(t, groups, 1)
	require.Equal(t, sent, groups[0].Keep.ID)
	require.Equal(t, []int64{again, draft}, idsOf(groups[0].Surplus))
	require.Contains(t, groups[0].Surplus[0].Kept, "it was sent")
	require.False(t, groups[0].Surplus[0].Cancelled)
	require.True(t, groups[0].Surplus[1].Cancelled)
}

// Somebody has put it on hold, or approved it: who does that is at work on it.
func TestQuotationsOnHoldAreNotCancelledAsDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	partner := b.people(t, "res.partner", "create", map[string]any{"name": "Ada"})
	kept, held, surplus := b.integration(t, partner, "X", 1), b.integration(t, partner, "X", 1), b.integration(t, partner, "X", 1)
	hold := b.people(t, "crm.tag", "create", map[string]any{"name": "On hold"})
	b.people(t, "sale.order", "write", []any{held}, map[string]any{"tag_ids": []any{[]any{4, hold, 0}}})
	groups := b.duplicates(t, true)
	require.Len(t, groups, 1)
	require.Equal(t, kept, groups[0].Keep.ID)
	require.Equal(t, []int64{held, surplus}, idsOf(groups[0].Surplus))
	require.Equal(t, "it is on_hold", groups[0].Surplus[0].Kept)
	require.False(t, groups[0].Surplus[0].Cancelled)
	require.True(t, groups[0].Surplus[1].Cancelled)
}

// The mirror may be rebuilt after the intents were deleted, or a sync may bring an order before its placement was stored: it
// then says that nobody sent them through the gateway. Odoo knows better.
func TestWhatTheGatewayPlacedIsNotCancelledByAMirrorThatForgot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	zero, err := b.Place(t.Context(), portal, "k0", request("PO-0"))
	require.NoError(t, err)
	integrations := b.integration(t, zero.Order.Customer.ERPPartnerID, "PO-1", 1)
	one, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	two, err := b.Place(t.Context(), portal, "k2", request("PO-1"))
	require.NoError(t, err)
	tenant, err := b.db.EnsureTenant(t.Context(), "rebuilt") // which starts with an empty mirror and no intents
	require.NoError(t, err)
	b.cfg.Tenant.ID = tenant
	b.restart(t)
	groups := b.duplicates(t, true)
	require.Len(t, groups, 1)
	require.Equal(t, one.Order.ID, groups[0].Keep.ID)
	require.Equal(t, []int64{two.Order.ID, integrations}, idsOf(groups[0].Surplus))
	require.Contains(t, groups[0].Surplus[0].Kept, "placed through a gateway")
	require.False(t, groups[0].Surplus[0].Cancelled)
	require.True(t, groups[0].Surplus[1].Cancelled)
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

// Orders are looked through in pieces; the groups are those that a look at all of them at once finds.
func TestDuplicatesAreFoundAcrossPieces(t *testing.T) {
	t.Parallel()
	const window = time.Hour
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var all []order.Brief
		for id := range int64(800) {
			at = at.Add(time.Duration(random.IntN(20)) * time.Minute)
			o := order.Brief{ID: id + 1, ERPPartnerID: random.Int64N(2) + 1, AmountTotal: decimal.NewFromInt(random.Int64N(3)), Status: order.Draft, CreatedAt: at}
			if random.IntN(2) == 0 {
				o.Reference = fmt.Sprint("R", random.IntN(4))
			}
			all = append(all, o)
		}
		var wanted, groups []string
		for partner := range int64(2) { // each customer's for themselves, and all at once
			theirs := slices.DeleteFunc(slices.Clone(all), func(o order.Brief) bool { return o.ERPPartnerID != partner+1 })
			found, _ := ordersync.Suspicious(theirs, window, at.Add(24*time.Hour))
			wanted = append(wanted, found...)
		}
		var orders []order.Brief
		most := 0
		for piece := range slices.Chunk(all, 7) {
			var found []string
			found, orders = ordersync.Suspicious(append(orders, piece...), window, piece[len(piece)-1].CreatedAt)
			groups = append(groups, found...)
			most = max(most, len(orders))
		}
		found, _ := ordersync.Suspicious(orders, window, at.Add(24*time.Hour))
		groups = append(groups, found...)
		require.ElementsMatch(t, wanted, groups)
		require.NotEmpty(t, groups)
		require.Less(t, most, 60, "what is decided is not kept")
	}
}

// The mirror is read page by page, and a group may lie across two. How many are compared with each other has a bound.
func TestManyDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	there, err := b.db.Briefs(t.Context(), b.cfg.Tenant.ID, 0, 100)
	require.NoError(t, err)
	b.many(t, 498-len(there)) // so that a page ends behind the next two
	ada := b.people(t, "res.partner", "create", map[string]any{"name": "Ada"})
	first := b.integration(t, ada, "X", 1)
	b.later(130 * time.Second) // longer than two windows
	b.integration(t, ada, "Z", 1)
	b.erpClock.advance(-75 * time.Second) // a transaction that began earlier
	second := b.integration(t, ada, "X", 1)
	b.erpClock.advance(75 * time.Second)
	for range 510 {
		b.integration(t, ada, "Y", 1)
	}
	require.NoError(t, b.Sync(t.Context()))
	var across, many int
	require.NoError(t, b.FindDuplicates(t.Context(), ordersync.DuplicateOptions{Window: time.Minute}, func(g order.DuplicateGroup) error {
		switch {
		case g.Keep.ID == first:
			across++
			require.Equal(t, order.SameReference, g.Reason)
			require.Equal(t, []int64{second}, idsOf(g.Surplus))
		case g.Keep.Reference == "Y":
			many += 1 + len(g.Surplus)
			require.Less(t, len(g.Surplus), 500)
		}
		return nil
	}))
	require.Equal(t, 1, across)
	require.Equal(t, 510, many)
}
