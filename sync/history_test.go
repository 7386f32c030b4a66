package ordersync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

var (
	warehouse = order.Caller{Name: "scanner", Role: order.RoleModule, Module: "warehouse"}
	fraud     = order.Caller{Name: "checks", Role: order.RoleModule, Module: "fraud"}
)

// damaged is an entry of the warehouse's that blocks the order.
func damaged(id int64) order.HistoryEntry {
	return order.HistoryEntry{OrderID: id, Code: "warehouse:damaged", Category: order.CategoryGeneral, Severity: order.Blocking}
}

func TestABlockedOrderIsNotConfirmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	id := placed.Order.ID
	block, replayed, err := b.WriteHistory(t.Context(), warehouse, "scan 1", damaged(id))
	require.NoError(t, err)
	require.False(t, replayed)
	require.Equal(t, "scanner", block.WrittenBy)

	_, err = b.confirm(t, portal, id)
	refused := requireKind(t, err, order.Conflict, "order_blocked")
	require.Contains(t, refused.Message, "warehouse:damaged (entry 2)")
	state := b.people(t, "sale.order", "read", []any{id}, []any{"state"}).([]any)[0].(map[string]any)["state"]
	require.Equal(t, "draft", state, "Odoo was not asked")

	closing := order.HistoryEntry{OrderID: id, Code: "fraud:fine", Category: order.CategoryGeneral, Severity: order.Info, Closes: block.ID}
	_, _, err = b.WriteHistory(t.Context(), fraud, "c", closing)
	requireKind(t, err, order.Forbidden, "block_forbidden")
	closing.Code = "operator:released"
	_, _, err = b.WriteHistory(t.Context(), operator, "c", closing)
	require.NoError(t, err)
	confirmed, err := b.confirm(t, portal, id)
	require.NoError(t, err)
	require.Equal(t, order.Confirmed, confirmed.Status)

	_, _, err = b.WriteHistory(t.Context(), warehouse, "scan 2", damaged(id))
	require.NoError(t, err)
	_, err = b.confirm(t, portal, id)
	require.NoError(t, err, "it is confirmed already")
	status, err := b.HistoryStatus(t.Context(), portal, id)
	require.NoError(t, err)
	require.Len(t, status.Blocks, 1)
}

func TestWhoMayWriteIntoHistories(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	id := placed.Order.ID
	write := func(caller order.Caller, key string, e order.HistoryEntry) error {
		_, _, err := b.WriteHistory(t.Context(), caller, key, e)
		return err
	}
	requireKind(t, write(portal, "k", damaged(id)), order.Forbidden, "role_forbidden")
	requireKind(t, write(fraud, "k", damaged(id)), order.Forbidden, "module_forbidden")
	shipped := damaged(id)
	shipped.Code = order.HistoryShipped
	requireKind(t, write(operator, "k", shipped), order.Forbidden, "module_forbidden")
	requireKind(t, write(warehouse, "", damaged(id)), order.Malformed, "idempotency_key_missing")
	requireKind(t, write(warehouse, "k", damaged(1<<30)), order.NotFound, "order_not_found")
	require.NoError(t, write(warehouse, "k", damaged(id)))
	other := damaged(id)
	other.Severity = order.Info
	requireKind(t, write(warehouse, "k", other), order.Unprocessable, "idempotency_key_reused")
	_, replayed, err := b.WriteHistory(t.Context(), warehouse, "k", damaged(id))
	require.NoError(t, err)
	require.True(t, replayed)
}

// The mirror need not have seen the order, and the ERP need not be there for one that it has.
func TestWritingIntoHistoriesWithAndWithoutTheERP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	unseen := b.people(t, "sale.order", "create", map[string]any{"partner_id": 9, "client_order_ref": "by hand"}).(int64)
	_, _, err := b.WriteHistory(t.Context(), warehouse, "1", damaged(unseen))
	require.NoError(t, err)
	b.down(t)
	_, _, err = b.WriteHistory(t.Context(), warehouse, "2", damaged(unseen))
	require.NoError(t, err)
	entries, err := b.History(t.Context(), portal, unseen, order.HistoryFilter{})
	require.NoError(t, err)
	require.Len(t, entries, 3)
	counts, err := b.HistoryCounts(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, counts.Blocked)
}

// What was blocked, told and placed is still so in a mirror that was built again.
func TestHistoriesOutliveTheMirror(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))
	_, _, err = b.WriteHistory(t.Context(), warehouse, "1", damaged(placed.Order.ID))
	require.NoError(t, err)
	histories := func() map[int64][]order.HistoryEntry {
		all := map[int64][]order.HistoryEntry{}
		listing, err := b.Orders(t.Context(), portal, order.Filter{Limit: 100})
		require.NoError(t, err)
		for _, o := range listing.Orders {
			all[o.ID], err = b.History(t.Context(), portal, o.ID, order.HistoryFilter{})
			require.NoError(t, err)
			require.NotEmpty(t, all[o.ID])
		}
		return all
	}
	before := histories()
	for _, table := range []string{"order_lines", "orders", "sync_cursors"} {
		_, err := b.db.DB().ExecContext(t.Context(), "DELETE FROM "+table)
		require.NoError(t, err)
	}
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, before, histories())
	_, err = b.confirm(t, portal, placed.Order.ID)
	requireKind(t, err, order.Conflict, "order_blocked")
}
