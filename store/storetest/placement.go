package storetest

import (
	"fmt"
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
		got := f.place(t, in, snapshot(4711),
			order.HistoryEntry{Code: order.HistoryPlaced, WrittenBy: "shop"},
			order.HistoryEntry{Code: order.HistoryConfirmRefused, Detail: "no credit", WrittenBy: "shop", RecordedAt: At(23, 59)})
		require.Equal(t, "portal", got.Source)
		require.Equal(t, order.Party{ERPPartnerID: 9, Ref: "u-17", Name: "Ada", Email: "ada@example.com"}, got.Customer)
		require.Equal(t, got, f.order(t, 4711))
		require.ElementsMatch(t, []string{order.HistoryPlaced, order.HistoryConfirmRefused}, f.codes(t, 4711),
			"and not that it appeared")

		stored := f.stored(t, "k")
		require.Equal(t, order.Placed, stored.State)
		require.EqualValues(t, 4711, stored.ERPOrderID)
		require.Empty(t, stored.LeaseToken)
		require.True(t, stored.LeaseUntil.IsZero())
		requireSameOrder(t, got, *stored.Result)

		f.upsert(t, later(snapshot(4711), order.Confirmed))
		requireSameOrder(t, got, *f.stored(t, "k").Result)
	},

	"ABatchIsPlacedTogether": func(t *testing.T, f fixture) {
		var batch []store.Placed
		for i := range 5 {
			in := f.insert(t, fmt.Sprint("k", i), func(in *order.Intent) {
				in.Source, in.Caller = fmt.Sprint("source ", i), fmt.Sprint("key ", i)
			})
			s := snapshot(int64(10 - i)) // the ERP's ids need not rise with the intents'
			batch = append(batch, placing(in, s, order.HistoryEntry{Code: order.HistoryPlaced, WrittenBy: in.Caller}))
		}
		f.upsert(t, snapshot(8))
		batch[2].Snapshot = later(snapshot(8), order.Confirmed)
		placed, err := f.PlaceIntents(t.Context(), f.tenant, "t1", batch)
		require.NoError(t, err)
		require.Len(t, placed, 5)
		for i, p := range batch {
			in, err := f.Intent(t.Context(), f.tenant, fmt.Sprint("source ", i), fmt.Sprint("k", i))
			require.NoError(t, err)
			require.Equal(t, order.Placed, in.State)
			require.Equal(t, p.Snapshot.ID, in.ERPOrderID)
			requireSameOrder(t, placed[p.IntentID], *in.Result)
			require.Equal(t, p.Snapshot.ID, placed[p.IntentID].ID)
			require.Equal(t, fmt.Sprint("source ", i), f.order(t, p.Snapshot.ID).Source)
			entries, codes := f.history(t, p.Snapshot.ID), f.codes(t, p.Snapshot.ID)
			if i != 2 {
				require.Equal(t, []string{order.HistoryPlaced}, codes)
				require.Equal(t, p.Caller, entries[0].WrittenBy)
				continue
			}
			require.Equal(t, []string{order.HistoryAppeared, order.HistoryPlaced, order.StatusCode(order.Confirmed)}, codes)
			require.Equal(t, "key 2", entries[1].WrittenBy)
			require.Equal(t, "key 2", entries[2].WrittenBy, "who placed it saw the change")
		}
	},

	"OfABatchOnlyWhatIsHeldIsPlaced": func(t *testing.T, f fixture) {
		mine, lost := f.inserted(t, "mine"), f.inserted(t, "lost")
		require.Len(t, f.claim(t, lease("t2", At(12, 5)), lost), 1)
		before := f.stored(t, "lost")
		placed, err := f.PlaceIntents(t.Context(), f.tenant, "t1",
			[]store.Placed{placing(lost, snapshot(1)), placing(mine, snapshot(2))})
		require.NoError(t, err)
		require.Len(t, placed, 1)
		require.EqualValues(t, 2, placed[mine.ID].ID)
		require.Equal(t, before, f.stored(t, "lost"))
		_, err = f.Order(t.Context(), f.tenant, 1)
		requireNotFound(t, err, "order_not_found")
	},

	"TwoIntentsMayHaveOneOrder": func(t *testing.T, f fixture) {
		first := f.inserted(t, "a")
		second := f.insert(t, "b", func(in *order.Intent) { in.Source = "shopify:eu" })
		placed, err := f.PlaceIntents(t.Context(), f.tenant, "t1", []store.Placed{
			placing(first, snapshot(1), order.HistoryEntry{Code: order.HistoryPlaced, Detail: "a"}),
			placing(second, later(snapshot(1), order.Confirmed), order.HistoryEntry{Code: order.HistoryPlaced, Detail: "b"})})
		require.NoError(t, err)
		require.Len(t, placed, 2)
		require.Equal(t, placed[first.ID], placed[second.ID])
		require.Equal(t, order.Confirmed, f.order(t, 1).Status, "the newer snapshot")
		require.Equal(t, "portal", f.order(t, 1).Source, "the first one's")
		require.Equal(t, []string{order.HistoryPlaced, order.HistoryPlaced, order.StatusCode(order.Confirmed)}, f.codes(t, 1))
		for _, in := range []*order.Intent{first, second} {
			stored, err := f.Intent(t.Context(), f.tenant, in.Source, in.Key)
			require.NoError(t, err)
			require.Equal(t, order.Placed, stored.State)
			require.EqualValues(t, 1, stored.ERPOrderID)
		}
	},

	"PlacingNothingIsNothing": func(t *testing.T, f fixture) {
		placed, err := f.PlaceIntents(t.Context(), f.tenant, "t1", nil)
		require.NoError(t, err)
		require.Empty(t, placed)
	},

	"PlacingTwiceIsRefused": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		f.place(t, in, snapshot(1))
		before := f.codes(t, 1)
		placed, err := f.PlaceIntents(t.Context(), f.tenant, "t1",
			[]store.Placed{placing(in, snapshot(1), order.HistoryEntry{Code: order.HistoryPlaced})})
		require.NoError(t, err)
		require.Empty(t, placed)
		require.Equal(t, before, f.codes(t, 1), "the refused call must leave no trace")
	},

	"AnOrderThatASyncSawFirstGetsItsSource": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		f.upsert(t, later(snapshot(1), order.Confirmed))
		require.Equal(t, order.SourceERP, f.order(t, 1).Source)

		got := f.place(t, in, snapshot(1), order.HistoryEntry{Code: order.HistoryPlaced})
		require.Equal(t, "portal", got.Source)
		require.Equal(t, order.Confirmed, got.Status, "the mirror's newer state stays")
		require.Equal(t, []string{order.HistoryAppeared, order.StatusCode(order.Confirmed), order.HistoryPlaced}, f.codes(t, 1))

		f.upsert(t, later(later(snapshot(1), order.Confirmed), order.Completed))
		require.Equal(t, "portal", f.order(t, 1).Source, "a sync must not take it back")
	},

	"ARebuiltMirrorKnowsWhoPlacedAnOrder": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		f.place(t, in, snapshot(1), order.HistoryEntry{Code: order.HistoryPlaced})
		f.loseMirror(t)
		f.upsert(t, snapshot(1), snapshot(2))
		require.Equal(t, "portal", f.order(t, 1).Source)
		require.Equal(t, order.SourceERP, f.order(t, 2).Source)
		require.Equal(t, order.HistoryPlaced, f.codes(t, 1)[0], "the history stays")
		require.NotContains(t, f.codes(t, 1), order.HistoryAppeared)
	},
}
