package storetest

import (
	"sync"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

var stockTests = map[string]func(t *testing.T, f fixture){
	// A plan takes a look at the stock once, and nothing else.
	"APlanIsGivenItsStockCheckOnce": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		checked := in.Plan
		checked.Stock = &order.StockCheck{Short: []order.Shortage{{SKU: "A", Demanded: decimal.NewFromInt(2), Available: decimal.NewFromInt(1)}}}
		save := func(p order.Plan) []int64 {
			t.Helper()
			saved, err := f.SavePlans(t.Context(), f.tenant, in.LeaseToken, map[int64]order.Plan{in.ID: p})
			require.NoError(t, err)
			return saved
		}
		for range 2 {
			require.Equal(t, []int64{in.ID}, save(checked))
			require.Equal(t, "1", f.stored(t, "k").Plan.Stock.Short[0].Available.String())
		}
		other := checked
		other.Stock = &order.StockCheck{}
		require.Empty(t, save(other))
		require.Len(t, f.stored(t, "k").Plan.Stock.Short, 1)
		moved := f.inserted(t, "moved")
		elsewhere := moved.Plan
		elsewhere.PartnerID, elsewhere.Stock = elsewhere.PartnerID+1, &order.StockCheck{}
		saved, err := f.SavePlans(t.Context(), f.tenant, moved.LeaseToken, map[int64]order.Plan{moved.ID: elsewhere})
		require.NoError(t, err)
		require.Empty(t, saved, "it was to send something else")
	},

	"ShortagesAreOfTheAnswerOnly": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		short := []order.Shortage{{SKU: "A", Demanded: decimal.NewFromInt(2), Available: decimal.NewFromInt(-1)}}
		placed, err := f.PlaceIntents(t.Context(), f.tenant, in.LeaseToken, []store.Placed{
			{IntentID: in.ID, Source: in.Source, Caller: in.Caller, Snapshot: snapshot(4711), Shortages: short}})
		require.NoError(t, err)
		require.Len(t, placed[in.ID].Shortages, 1)
		require.Equal(t, "3", f.stored(t, "k").Result.Shortages[0].Missing().String())
		require.Empty(t, f.order(t, 4711).Shortages)
	},

	// However many see a fact, it is told once, and known from then on.
	"AFactIsToldOnce": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(4711))
		purchases := []order.Purchase{{ID: 17, Number: "P17", State: order.PurchaseConfirmed}}
		news := func(known order.Known) []order.HistoryEntry { return known.NewsOfPurchases(4711, purchases) }
		var group sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			group.Go(func() { errs[i] = f.TellHistory(t.Context(), f.tenant, 4711, "sync", news) })
		}
		group.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		codes := f.codes(t, 4711)
		require.Equal(t, []string{order.HistoryProcurementOrdered, order.HistoryProcurementConfirmed}, codes[len(codes)-2:])
		require.NotContains(t, codes[:len(codes)-2], order.HistoryProcurementOrdered)
		known, err := f.KnownFacts(t.Context(), f.tenant, 4711)
		require.NoError(t, err)
		require.Equal(t, []int64{17}, known.Purchases())
		require.Empty(t, news(known))
		known, err = f.KnownFacts(t.Context(), f.tenant+1, 4711)
		require.NoError(t, err)
		require.Empty(t, known)
		err = f.TellHistory(t.Context(), f.tenant, 4712, "sync", news)
		require.True(t, order.IsKind(err, order.NotFound))
		f.requireIntact(t)
	},
}
