package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

var placementTests = map[string]func(t *testing.T, f fixture){
	"PlacingStoresOrderHistoryAndAnswer": func(t *testing.T, f fixture) {
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant,
			[]order.Customer{{ERPPartnerID: 9, ERPCompanyID: 9, Ref: "u-17", Name: "Ada", Email: "ada@example.com", Active: true}}))
		in := f.inserted(t, "k")
		got, err := f.PlaceIntent(t.Context(), in, snapshot(4711), []order.HistoryEntry{
			{Code: order.HistoryPlaced, Severity: order.Info, To: order.Draft, RecordedBy: "shop"},
			{Code: order.HistoryConfirmRefused, Severity: order.Warning, Detail: "no credit", RecordedBy: "shop",
				RecordedAt: At(23, 59)},
		})
		require.NoError(t, err)
		require.Equal(t, "portal", got.Source)
		require.Equal(t, order.Party{ERPPartnerID: 9, Ref: "u-17", Name: "Ada", Email: "ada@example.com"}, got.Customer)
		require.Equal(t, got, f.order(t, 4711))
		require.Equal(t, order.Placed, in.State)
		require.ElementsMatch(t, []string{order.HistoryPlaced, order.HistoryConfirmRefused}, f.codes(t, 4711),
			"and not that it appeared")

		stored := f.stored(t, "k")
		require.Equal(t, order.Placed, stored.State)
		require.EqualValues(t, 4711, stored.ERPOrderID)
		require.Empty(t, stored.LeaseToken)
		requireSameOrder(t, got, *stored.Result)
		requireSameOrder(t, got, *in.Result)

		f.upsert(t, later(snapshot(4711), order.Confirmed))
		requireSameOrder(t, got, *f.stored(t, "k").Result)
	},

	"PlacingTwiceIsRefused": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		again := *in
		_, err := f.PlaceIntent(t.Context(), in, snapshot(1), nil)
		require.NoError(t, err)
		_, err = f.PlaceIntent(t.Context(), &again, snapshot(1), []order.HistoryEntry{{Code: order.HistoryPlaced}})
		require.ErrorIs(t, err, store.ErrLeaseLost)
		require.Empty(t, f.codes(t, 1), "the refused call must leave no trace")
	},

	"AnOrderThatASyncSawFirstGetsItsSource": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		f.upsert(t, later(snapshot(1), order.Confirmed))
		require.Equal(t, order.SourceERP, f.order(t, 1).Source)

		got, err := f.PlaceIntent(t.Context(), in, snapshot(1), []order.HistoryEntry{{Code: order.HistoryPlaced}})
		require.NoError(t, err)
		require.Equal(t, "portal", got.Source)
		require.Equal(t, order.Confirmed, got.Status, "the mirror's newer state stays")
		require.Equal(t, []string{order.HistoryAppeared, order.HistoryPlaced}, f.codes(t, 1))

		f.upsert(t, later(later(snapshot(1), order.Confirmed), order.Done))
		require.Equal(t, "portal", f.order(t, 1).Source, "a sync must not take it back")
	},

	"ARebuiltMirrorKnowsWhoPlacedAnOrder": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		_, err := f.PlaceIntent(t.Context(), in, snapshot(1), nil)
		require.NoError(t, err)
		for _, table := range []string{"order_lines", "order_history", "orders"} {
			_, err := f.DB().ExecContext(t.Context(), "DELETE FROM "+table+" WHERE tenant_id = ?", f.tenant)
			require.NoError(t, err)
		}
		f.upsert(t, snapshot(1), snapshot(2))
		require.Equal(t, "portal", f.order(t, 1).Source)
		require.Equal(t, order.SourceERP, f.order(t, 2).Source)
		require.Equal(t, []string{order.HistoryAppeared}, f.codes(t, 1))
	},
}
