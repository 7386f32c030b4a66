package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// editTests are about what callers sent, and what people made of it in the ERP.
var editTests = map[string]func(t *testing.T, f fixture){
	"EditsShowAndAreEnteredOnce": func(t *testing.T, f fixture) {
		f.placeAsSent(t, "k", snapshot(1))
		require.NotNil(t, f.order(t, 1).Edits)
		require.False(t, f.order(t, 1).Edits.Any())

		edited := later(snapshot(1), order.Draft)
		edited.Lines[0].Quantity, edited.AmountTotal = dec("3"), dec("72.24")
		f.upsert(t, edited)
		edits := f.order(t, 1).Edits
		require.Len(t, edits.Changed, 1)
		require.Equal(t, "48.16", edits.AmountTotal.Sent.String())
		require.Equal(t, 1, f.edited(t))
		require.Equal(t, []string{"differs from what was sent: changed E-COM07 (quantity 3 instead of 2); total 72.24 instead of 48.16 EUR"}, f.editEntries(t, 1))

		confirmed := later(edited, order.Confirmed)
		f.upsert(t, confirmed)
		require.Len(t, f.editEntries(t, 1), 1, "the same difference again")

		f.upsert(t, later(later(later(snapshot(1), order.Confirmed), order.Confirmed), order.Confirmed))
		require.False(t, f.order(t, 1).Edits.Any())
		require.Equal(t, 0, f.edited(t))
		require.Equal(t, "is again as it was sent", f.editEntries(t, 1)[1])
	},

	"OrdersOfNobodyHaveNoEdits": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		edited := later(snapshot(1), order.Draft)
		edited.Lines = edited.Lines[:1]
		f.upsert(t, edited)
		require.Nil(t, f.order(t, 1).Edits)
		require.Empty(t, f.editEntries(t, 1))
	},

	"ALostMirrorRemembersWhatWasSent": func(t *testing.T, f fixture) {
		f.placeAsSent(t, "k", snapshot(1))
		edited := later(snapshot(1), order.Draft)
		edited.Reference = "other"
		f.upsert(t, edited)
		f.loseMirror(t)
		f.upsert(t, edited)
		o := f.order(t, 1)
		require.Equal(t, "portal", o.Source)
		require.Equal(t, &order.TextChange{Sent: "PO-1", Now: "other"}, o.Edits.Reference)
		require.Len(t, f.editEntries(t, 1), 1)
	},

	"ASyncThatWasFasterThanItsPlacement": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		f.placeAsSent(t, "k1", snapshot(1))
		require.False(t, f.order(t, 1).Edits.Any())

		edited := later(snapshot(2), order.Draft)
		edited.Reference = "other"
		f.upsert(t, edited)
		f.placeAsSent(t, "k2", snapshot(2))
		require.Equal(t, "other", f.order(t, 2).Reference, "the newer state stands")
		require.Equal(t, store.Upserted{Updated: 1}, f.upsert(t, edited), "what was read before what was sent was known is looked at again")
		require.Equal(t, "other", f.order(t, 2).Edits.Reference.Now)
		require.Len(t, f.editEntries(t, 2), 1)
	},
}

// placeAsSent places an order that is exactly what was sent.
func (f fixture) placeAsSent(t *testing.T, key string, s order.Snapshot) {
	t.Helper()
	request, plan := order.Request{Reference: s.Reference}, order.Plan{}
	for _, l := range s.Lines {
		request.Lines = append(request.Lines, order.RequestLine{SKU: l.SKU, Quantity: l.Quantity})
		plan.ProductIDs = append(plan.ProductIDs, l.ERPProductID)
	}
	in := f.insert(t, key, func(in *order.Intent) { in.Request, in.Plan = request, plan })
	p := placing(in, s)
	p.Original = order.NewOriginal(request, plan, s.Order)
	placed, err := f.PlaceIntents(t.Context(), f.tenant, in.LeaseToken, []store.Placed{p})
	require.NoError(t, err)
	require.Len(t, placed, 1)
}

func (f fixture) editEntries(t *testing.T, id int64) []string {
	t.Helper()
	var details []string
	for _, e := range f.history(t, id) {
		if e.Code == order.HistoryEdited || e.Code == order.HistoryUnedited {
			details = append(details, e.Detail)
		}
	}
	return details
}

func (f fixture) edited(t *testing.T) int {
	t.Helper()
	return int(f.number(t, "SELECT COUNT(*) FROM orders WHERE tenant_id = ? AND edited = ?", f.tenant, true))
}
