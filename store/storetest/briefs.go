package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// briefTests are about reading all of a tenant's orders.
var briefTests = map[string]func(t *testing.T, f fixture){
	"BriefsAreReadByRisingID": func(t *testing.T, f fixture) {
		var snapshots []order.Snapshot
		for id := int64(20); id >= 1; id-- {
			s := snapshot(id)
			s.Lines, s.Customer.ERPPartnerID = nil, 10+id%3
			snapshots = append(snapshots, s)
		}
		f.upsert(t, snapshots...)
		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{3, 4}, At(23, 0), "sync")
		require.NoError(t, err)
		briefs, err := f.Briefs(t.Context(), f.tenant, 1, 4)
		require.NoError(t, err)
		require.Len(t, briefs, 4)
		for i, id := range []int64{2, 5, 6, 7} {
			s := snapshot(id)
			require.Equal(t, id, briefs[i].ID)
			require.Equal(t, 10+id%3, briefs[i].ERPPartnerID)
			require.Equal(t, s.Status, briefs[i].Status)
			require.Equal(t, s.State, briefs[i].State)
			require.Equal(t, s.Reference, briefs[i].Reference)
			require.True(t, s.AmountTotal.Equal(briefs[i].AmountTotal))
			require.True(t, s.CreatedAt.Equal(briefs[i].CreatedAt))
		}
		briefs, err = f.Briefs(t.Context(), f.tenant, 20, 4)
		require.NoError(t, err)
		require.Empty(t, briefs)
	},
}
