package ordersync_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// The carrier is found before anything is sent; it, the number and the note go with every delivery and every attempt, and the note stands in
// the history.
func TestFulfilmentByACarrier(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	erp.carriers = []order.Carrier{{ID: 1, Name: "Post"}, {ID: 2, Name: "Express"}}
	shipped := erp.fulfil()
	shipped.Carrier, shipped.Tracking, shipped.Note = "DHL", "1Z", "Two parcels.\nThe second follows."
	_, err := b.Act(t.Context(), portal, "f0", shipped)
	e := requireKind(t, err, order.Unprocessable, "unknown_carrier")
	require.Equal(t, "carrier", e.Violations[0].Field)
	require.Contains(t, e.Message, `There are: "Post", "Express".`)
	require.Empty(t, erp.delivered)
	for id := int64(3); len(erp.carriers) <= 10; id++ {
		erp.carriers = append(erp.carriers, order.Carrier{ID: id, Name: strconv.FormatInt(id, 10)})
	}
	_, err = b.Act(t.Context(), portal, "f00", shipped)
	require.NotContains(t, requireKind(t, err, order.Unprocessable, "unknown_carrier").Message, "There are")

	shipped.Carrier = "express"
	erp.never = errLost
	done, err := b.Act(t.Context(), portal, "f1", shipped)
	require.NoError(t, err)
	require.Nil(t, done.Order)
	erp.carriers = nil // what was decided stands
	done, err = b.Act(t.Context(), portal, "f1", shipped)
	require.NoError(t, err)
	require.NotNil(t, done.Order)
	require.Len(t, erp.delivered, 2)
	for _, p := range erp.delivered {
		require.Equal(t, []any{int64(70), int64(2), "1Z", shipped.Note}, []any{p.DeliveryID, p.CarrierID, p.Tracking, p.Note})
	}
	entries, err := b.History(t.Context(), portal, erp.of, order.HistoryFilter{Limit: 100})
	require.NoError(t, err)
	entries = slices.DeleteFunc(entries, func(e order.HistoryEntry) bool { return e.Code != order.HistoryShipmentNoted })
	require.Len(t, entries, 1)
	require.Equal(t, []string{shipped.Note, `{"delivery_ids":[70]}`, portal.Name},
		[]string{entries[0].Detail, entries[0].Payload, entries[0].WrittenBy})
}

// Without carrier and number nothing is asked about them.
func TestFulfilmentWithoutACarrier(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	noted := erp.fulfil()
	noted.Note = "No number."
	_, err := b.Act(t.Context(), portal, "f1", noted)
	require.NoError(t, err)
	require.Zero(t, erp.delivered[0].CarrierID)
	require.Equal(t, noted.Note, erp.delivered[0].Note)
}
