package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// briefTests are about reading all of a tenant's orders, customer by customer.
var briefTests = map[string]func(t *testing.T, f fixture){
	"OrdersAreVisitedCustomerByCustomer": func(t *testing.T, f fixture) {
		var snapshots []order.Snapshot
		for id := int64(1); id <= 620; id++ { // more than one query reads, and across customers
			s := snapshot(id)
			s.Lines, s.Customer.ERPPartnerID = nil, 10+id%3
			s.OrderedAt = At(10, int(id%7))
			snapshots = append(snapshots, s)
		}
		f.upsert(t, snapshots...)
		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{3, 4}, At(23, 0), "sync")
		require.NoError(t, err)
		seen, customers := map[int64]bool{}, map[int64]int{}
		err = f.EachCustomersOrders(t.Context(), f.tenant, func(orders []order.Brief) error {
			customers[orders[0].ERPPartnerID]++
			for _, o := range orders {
				require.False(t, seen[o.ID])
				seen[o.ID] = true
				require.Equal(t, orders[0].ERPPartnerID, o.ERPPartnerID)
			}
			return nil
		})
		require.NoError(t, err)
		require.Len(t, seen, 618)
		require.Equal(t, map[int64]int{10: 1, 11: 1, 12: 1}, customers)
	},
}
