package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// listed returns the ids of a listing.
func (f fixture) listed(t *testing.T, filter order.Filter) []int64 {
	t.Helper()
	listing, err := f.ListOrders(t.Context(), f.tenant, filter)
	require.NoError(t, err)
	ids := []int64{}
	for _, o := range listing.Orders {
		ids = append(ids, o.ID)
	}
	return ids
}

var listingTests = map[string]func(t *testing.T, f fixture){
	"PagesAreCompleteAlsoWhereTimesAreEqual": func(t *testing.T, f fixture) {
		var snapshots []order.Snapshot
		for id := int64(1); id <= 23; id++ {
			s := snapshot(id)
			s.OrderedAt = At(8, int(id/5)) // up to five orders share a moment
			snapshots = append(snapshots, s)
		}
		f.upsert(t, snapshots...)
		var seen []int64
		filter := order.Filter{Limit: 4}
		for pages := 0; ; pages++ {
			require.Less(t, pages, 10)
			listing, err := f.ListOrders(t.Context(), f.tenant, filter)
			require.NoError(t, err)
			for _, o := range listing.Orders {
				require.Len(t, o.Lines, 2)
				require.EqualValues(t, 10*o.ID+1, o.Lines[0].ERPLineID)
				seen = append(seen, o.ID)
			}
			if listing.Next.ID == 0 {
				break
			}
			filter.Before = listing.Next
		}
		require.Len(t, seen, 23)
		for i, id := range seen {
			require.EqualValues(t, 23-i, id)
		}
	},

	"TheLastPageHasNoNext": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1), snapshot(2))
		listing, err := f.ListOrders(t.Context(), f.tenant, order.Filter{Limit: 2})
		require.NoError(t, err)
		require.Len(t, listing.Orders, 2)
		require.Zero(t, listing.Next)
		listing, err = f.ListOrders(t.Context(), f.tenant, order.Filter{Limit: 2, ERPPartnerID: 12345})
		require.NoError(t, err)
		require.Empty(t, listing.Orders)
		require.NotNil(t, listing.Orders)
	},

	"FiltersNarrow": func(t *testing.T, f fixture) {
		for id := int64(1); id <= 4; id++ {
			s := snapshot(id)
			s.OrderedAt = At(8, int(id))
			s.Customer.ERPPartnerID = 100 + id
			if id == 3 {
				s.Status = order.Confirmed
			}
			f.upsert(t, s)
		}
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{
			{ERPPartnerID: 101, ERPCompanyID: 100, Ref: "u-1"}, {ERPPartnerID: 102, ERPCompanyID: 102, Ref: "U-1"},
			{ERPPartnerID: 103, ERPCompanyID: 100},
		}))
		require.Equal(t, []int64{4, 3, 2, 1}, f.listed(t, order.Filter{}))
		require.Equal(t, []int64{3}, f.listed(t, order.Filter{Status: order.Confirmed}))
		require.Equal(t, []int64{2}, f.listed(t, order.Filter{ERPPartnerID: 102}))
		require.Equal(t, []int64{1}, f.listed(t, order.Filter{CustomerRef: "u-1"}))
		require.Equal(t, []int64{}, f.listed(t, order.Filter{CustomerRef: "u-1 "}))
		require.Equal(t, []int64{3, 2}, f.listed(t, order.Filter{From: At(8, 2), To: At(8, 4)}), "from is included, to is not")
		require.Equal(t, []int64{3, 1}, f.listed(t, order.Filter{CompanyID: 100}))
		require.Equal(t, []int64{3}, f.listed(t, order.Filter{CompanyID: 100, ERPPartnerID: 103}))
		require.Equal(t, []int64{}, f.listed(t, order.Filter{CompanyID: 100, ERPPartnerID: 102}))
		require.Equal(t, []int64{}, f.listed(t, order.Filter{CompanyID: 100, CustomerRef: "U-1"}))
		require.Equal(t, []int64{4}, f.listed(t, order.Filter{CompanyID: 104}), "a company the mirror does not know yet")
		require.Equal(t, []int64{1}, f.listed(t, order.Filter{CompanyID: 100, Before: order.Position{OrderedAt: At(8, 3), ID: 3}}))
	},

	"AQueryIsFoundInNumberAndReferenceWhateverItsCase": func(t *testing.T, f fixture) {
		for id, texts := range [][2]string{{"S00100", "PO-Müller"}, {"S00101", "100%_sure"}, {"S00102", "100 pc\\s"}} {
			s := snapshot(int64(id + 1))
			s.Number, s.Reference = texts[0], texts[1]
			f.upsert(t, s)
		}
		for query, want := range map[string][]int64{
			"s0010": {3, 2, 1}, "00101": {2}, "mÜLLER": {1}, "po-": {1}, "100": {3, 2, 1}, "100%": {2}, "%_S": {2},
			"pc\\S": {3}, "_": {2}, "%": {2}, "muller": {}, "S00100\nPO": {1}, "'": {},
		} {
			require.Equal(t, want, f.listed(t, order.Filter{Query: query}), "query %q", query)
		}
		renamed := later(snapshot(1), order.Draft)
		renamed.Number, renamed.Reference = "S00100", "new words"
		f.upsert(t, renamed)
		require.Equal(t, []int64{1}, f.listed(t, order.Filter{Query: "NEW WORDS"}))
		require.Equal(t, []int64{}, f.listed(t, order.Filter{Query: "müller"}))
	},

	"AnOrderWithoutADateIsListed": func(t *testing.T, f fixture) {
		s := snapshot(1)
		s.OrderedAt = time.Time{}
		f.upsert(t, s)
		require.Equal(t, s.CreatedAt, f.order(t, 1).OrderedAt)
		require.Equal(t, []int64{1}, f.listed(t, order.Filter{}))
	},
}
