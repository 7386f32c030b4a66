package storetest

import (
	"strings"
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

	"AQueryIsHowAWordOfNumberOrReferenceBegins": func(t *testing.T, f fixture) {
		for id, texts := range [][2]string{{"S00100", "PO-Müller"}, {"S00101", "100%_sure"}, {"S00102", "100 pc\\s"}} {
			s := snapshot(int64(id + 1))
			s.Number, s.Reference = texts[0], texts[1]
			f.upsert(t, s)
		}
		for query, want := range map[string][]int64{
			"s0010": {3, 2, 1}, "00101": {2}, "101": {2}, "mÜLLER": {1}, "po-": {1}, "100": {3, 2, 1}, "100%": {2}, "%_Sure": {2},
			"pc\\S": {3}, " 100 PC ": {3}, "_": {}, "%": {}, "muller": {}, "S00100\nPO": {}, "'": {}, "010": {}, "ure": {}, "üller": {},
			"101%": {}, "00100": {1}, "00100po": {}, "s00101100": {}, "100_": {}, "po_m": {}, strings.Repeat("s", 200): {},
		} {
			require.Equal(t, want, f.listed(t, order.Filter{Query: query}), "query %q", query)
		}
		renamed := later(snapshot(1), order.Draft)
		renamed.Number, renamed.Reference = "S00100", "new words"
		f.upsert(t, renamed)
		require.Equal(t, []int64{1}, f.listed(t, order.Filter{Query: "NEW WORDS"}))
		require.Equal(t, []int64{}, f.listed(t, order.Filter{Query: "müller"}))
		require.Zero(t, f.number(t, "SELECT COUNT(*) FROM order_terms WHERE tenant_id = ? AND erp_order_id = 1 AND term >= 'p' AND term < 's'", f.tenant))
	},

	"AnOrderWithManyWordsIsFoundOnce": func(t *testing.T, f fixture) {
		for id := int64(1); id <= 3; id++ {
			s := snapshot(id)
			s.Reference = "ab1 ab2 ab3 ab4 ab5 ab6 ab7 ab8 ab9"
			f.upsert(t, s)
		}
		filter := order.Filter{Query: "ab", Limit: 1}
		for id := int64(3); id >= 1; id-- {
			listing, err := f.ListOrders(t.Context(), f.tenant, filter)
			require.NoError(t, err)
			require.Len(t, listing.Orders, 1)
			require.Equal(t, id, listing.Orders[0].ID)
			filter.Before = listing.Next
		}
		require.Zero(t, filter.Before.ID)
	},

	"AnOrderIsFoundWhereItStandsNow": func(t *testing.T, f fixture) {
		for id := int64(1); id <= 3; id++ {
			s := snapshot(id)
			s.OrderedAt = At(8, int(id))
			f.upsert(t, s)
		}
		terms := f.rows(t, "order_terms")
		f.upsert(t, later(snapshot(2), order.Picking)) // confirmed at ten
		require.NotEqual(t, terms, f.rows(t, "order_terms"))
		require.Equal(t, []int64{2, 3, 1}, f.listed(t, order.Filter{Query: "po"}))
		require.Equal(t, []int64{3, 1}, f.listed(t, order.Filter{Query: "po", Before: order.Position{OrderedAt: At(10, 0), ID: 2}}))
		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{3}, At(23, 0), "sync")
		require.NoError(t, err)
		require.Equal(t, []int64{2, 1}, f.listed(t, order.Filter{Query: "po"}))
		require.Equal(t, []int64{3}, f.listed(t, order.Filter{Query: "po", Sync: order.SyncDeleted}))

		// Whatever is left of an order that the mirror does not have is no order.
		for _, table := range []string{"order_lines", "orders"} {
			_, err := f.DB().ExecContext(t.Context(), "DELETE FROM "+table+" WHERE tenant_id = ?", f.tenant)
			require.NoError(t, err)
		}
		require.Equal(t, []int64{}, f.listed(t, order.Filter{Query: "po"}))
		moved := []order.Snapshot{snapshot(1), snapshot(2), snapshot(3)}
		moved[0].OrderedAt = At(8, 1)
		moved[1].OrderedAt, moved[2].OrderedAt = At(10, 0).AddDate(-1, 0, 0), At(8, 3).AddDate(-1, 0, 0)
		f.upsert(t, moved...)
		require.Equal(t, []int64{1}, f.listed(t, order.Filter{Query: "po", Limit: 1}), "two came back at other times")
		require.Equal(t, []int64{1, 2, 3}, f.listed(t, order.Filter{Query: "po"}))
		require.Equal(t, []int64{2, 3}, f.listed(t, order.Filter{Query: "po", Before: order.Position{OrderedAt: At(0, 0), ID: 9}}))
		before := f.number(t, "SELECT COUNT(*) FROM order_terms WHERE tenant_id = ? AND erp_order_id = 1", f.tenant)
		moved[0] = later(moved[0], order.Picking)
		moved[0].OrderedAt = At(10, 0).AddDate(1, 0, 0)
		f.upsert(t, moved[0])
		require.Equal(t, []int64{1, 2, 3}, f.listed(t, order.Filter{Query: "po"}))
		require.Equal(t, before, f.number(t, "SELECT COUNT(*) FROM order_terms WHERE tenant_id = ? AND erp_order_id = 1", f.tenant))
	},

	"AnOrderWithoutADateIsListed": func(t *testing.T, f fixture) {
		s := snapshot(1)
		s.OrderedAt = time.Time{}
		f.upsert(t, s)
		require.Equal(t, s.CreatedAt, f.order(t, 1).OrderedAt)
		require.Equal(t, []int64{1}, f.listed(t, order.Filter{}))
	},
}
