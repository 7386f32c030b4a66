package ordersync_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	ordersync "ordergate/sync"
)

func TestWhatPeopleEditIsShownBesideWhatWasSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	_, sync, err := b.Order(t.Context(), portal, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, order.SyncSynced, sync.State)
	require.Empty(t, sync.Reason)

	b.later(time.Minute)
	b.people(t, "sale.order.line", "write", []any{placed.Order.Lines[0].ERPLineID}, map[string]any{"product_uom_qty": 7.0})
	o, sync, err := b.Order(t.Context(), portal, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, order.SyncDrifted, sync.State)
	require.Contains(t, sync.Reason, "quantity 7 instead of")
	require.Len(t, o.Edits.Changed, 1)
	require.NotNil(t, o.Edits.AmountTotal)
	history, err := b.History(t.Context(), portal, placed.Order.ID, order.HistoryFilter{})
	require.NoError(t, err)
	last := history[len(history)-1]
	require.Equal(t, order.HistoryEdited, last.Code)
	require.Equal(t, order.Warning, last.Severity)
	require.Equal(t, "sync", last.WrittenBy)

	listing, err := b.Orders(t.Context(), operator, order.Filter{Sync: order.SyncDrifted})
	require.NoError(t, err)
	require.Len(t, listing.Orders, 1)
	replay, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.True(t, replay.Replayed)
	require.False(t, replay.Order.Edits.Any(), "a replay is the answer of then")

	b.people(t, "sale.order", "unlink", []any{placed.Order.ID})
	b.later(time.Minute)
	require.NoError(t, b.Sync(t.Context()))
	_, sync, err = b.Order(t.Context(), portal, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, order.SyncDeleted, sync.State)
	report, err := b.SyncReport(t.Context(), operator)
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Deleted)
	require.EqualValues(t, 0, report.Edited)
	listing, err = b.Orders(t.Context(), operator, order.Filter{Sync: order.SyncDeleted})
	require.NoError(t, err)
	require.Len(t, listing.Orders, 1)
}

func TestOrdersOfNoSourceAreListedAsTheERPs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	own, err := b.Orders(t.Context(), operator, order.Filter{Source: "portal"})
	require.NoError(t, err)
	require.Len(t, own.Orders, 1)
	others, err := b.Orders(t.Context(), operator, order.Filter{Source: order.SourceERP, Limit: 200})
	require.NoError(t, err)
	require.NotEmpty(t, others.Orders)
	for _, o := range others.Orders {
		require.Nil(t, o.Edits)
	}
}

func TestSyncOnDemand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	second, err := b.Place(t.Context(), portal, "k2", request("PO-2"))
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))
	b.later(time.Minute)
	wish := order.SyncWish{OrderID: placed.Order.ID}
	found, _, err := b.SyncNow(t.Context(), operator, wish)
	require.NoError(t, err)
	require.Zero(t, found)

	b.people(t, "sale.order", "write", []any{placed.Order.ID}, map[string]any{"client_order_ref": "edited"})
	found, _, err = b.SyncNow(t.Context(), operator, wish)
	require.NoError(t, err)
	require.Equal(t, 1, found)
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, "edited", o.Reference)

	b.people(t, "sale.order", "unlink", []any{placed.Order.ID})
	found, _, err = b.SyncNow(t.Context(), operator, wish)
	require.NoError(t, err)
	require.Equal(t, 1, found)
	o, err = b.db.Order(t.Context(), b.cfg.Tenant.ID, placed.Order.ID)
	require.NoError(t, err)
	require.False(t, o.DeletedAt.IsZero())

	b.people(t, "sale.order", "write", []any{second.Order.ID}, map[string]any{"client_order_ref": "again"})
	b.later(time.Second)
	found, status, err := b.SyncNow(t.Context(), operator, order.SyncWish{})
	require.NoError(t, err)
	require.Positive(t, found)
	require.Equal(t, order.Fresh, status.State)

	_, _, err = b.SyncNow(t.Context(), operator, order.SyncWish{OrderID: 999_999})
	requireKind(t, err, order.NotFound, "order_not_found")
	_, _, err = b.SyncNow(t.Context(), operator, order.SyncWish{CustomerRef: "nobody"})
	requireKind(t, err, order.NotFound, "customer_not_found")
	_, _, err = b.SyncNow(t.Context(), order.Caller{Role: order.RoleCustomer, ERPPartnerID: 9}, wish)
	requireKind(t, err, order.Forbidden, "role_forbidden")
	b.down(t)
	_, _, err = b.SyncNow(t.Context(), operator, wish)
	requireKind(t, err, order.Unavailable, "erp_unavailable")
}

// What the background or a webhook brings while an order is read on demand is not of that reading's finding.
func TestSyncOnDemandCountsWhatItFoundItself(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	ids := b.many(t, 2)
	require.NoError(t, b.Sync(t.Context()))
	for name, wish := range map[string]order.SyncWish{"an order": {OrderID: ids[0]}, "everything": {}} {
		b.later(time.Minute)
		for _, id := range ids {
			b.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": name})
		}
		erp.fail = func([]int64) error {
			erp.fail = nil
			return b.MirrorOrders(t.Context(), ids[1:])
		}
		found, _, err := b.SyncNow(t.Context(), operator, wish)
		require.NoError(t, err)
		require.Equal(t, 1, found, name)
	}
}

// A customer's orders are brought as they are: what was edited, what was made, and what was deleted.
func TestSyncOfACustomer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var ids []int64
	for _, key := range []string{"k1", "k2"} {
		p, err := b.Place(t.Context(), portal, key, request("PO-"+key, func(r *order.Request) {
			r.Customer = order.CustomerRef{Ref: "acme", Name: "Acme"}
		}))
		require.NoError(t, err)
		ids = append(ids, p.Order.ID)
	}
	other, err := b.Place(t.Context(), portal, "k3", request("PO-k3"))
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))
	b.later(time.Minute)
	b.people(t, "sale.order", "write", []any{ids[0]}, map[string]any{"client_order_ref": "edited"})
	b.people(t, "sale.order", "unlink", []any{ids[1]})
	b.people(t, "sale.order", "unlink", []any{other.Order.ID})
	found, _, err := b.SyncNow(t.Context(), operator, order.SyncWish{CustomerRef: "acme"})
	require.NoError(t, err)
	require.Equal(t, 2, found)
	for id, deleted := range map[int64]bool{ids[0]: false, ids[1]: true, other.Order.ID: false} {
		o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, id)
		require.NoError(t, err)
		require.Equal(t, deleted, !o.DeletedAt.IsZero(), "%d", id)
	}
}

// What cannot be brought now is said, with when to ask again: everything is being read, for the first time or anew.
func TestSyncOfEverythingWhileAllIsRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, err := b.SyncNow(t.Context(), operator, order.SyncWish{})
	requireKind(t, err, order.Conflict, "never_synced")
	ids := b.many(t, 30)
	require.NoError(t, b.Sync(t.Context()))
	b.later(time.Hour)
	for _, id := range ids {
		b.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": "all of them"})
	}
	b.restart(t, func(cfg *ordersync.Config) { cfg.MostChanges = 20 })
	_, _, err = b.SyncNow(t.Context(), operator, order.SyncWish{})
	requireKind(t, err, order.Unavailable, "sync_behind")
	_, _, err = b.SyncNow(t.Context(), operator, order.SyncWish{OrderID: ids[0]})
	require.NoError(t, err, "one order can be read all the same")
}
