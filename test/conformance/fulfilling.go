package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// testDeliver sends an order out in two parts as the gateway's user.
func (b *bundle) testDeliver(t *testing.T) {
	id := b.place(t, b.newOrder("deliver"))
	require.NoError(t, b.client.ConfirmOrder(t.Context(), id))
	s := b.order(t, id)
	moves, known, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	require.True(t, known)
	require.Len(t, moves, len(s.Lines))
	first, second := moves[0], moves[1]
	for i, m := range moves {
		require.Equal(t, s.Deliveries[0].ID, m.DeliveryID)
		require.Equal(t, s.Lines[i].ERPLineID, m.LineID)
		require.True(t, s.Lines[i].Quantity.Equal(m.Quantity))
		require.False(t, m.Tracked)
		require.True(t, m.Alike)
	}

	part := order.PlannedDelivery{DeliveryID: first.DeliveryID, Tracking: "1Z <&> \"ü\" 7", Moves: []order.PlannedMove{
		{MoveID: first.ID, Quantity: number("1")}, {MoveID: second.ID, Quantity: number("0")},
	}}
	require.NoError(t, b.client.Deliver(t.Context(), part))
	s = b.order(t, id)
	require.Len(t, s.Deliveries, 2)
	require.Equal(t, order.DocumentDelivered, s.Deliveries[0].State)
	require.Equal(t, part.Tracking, s.Deliveries[0].Tracking)
	require.Equal(t, part.DeliveryID, s.Deliveries[1].BackorderOf)
	require.Equal(t, "1", s.Lines[0].Delivered.String())
	require.Equal(t, "0", s.Lines[1].Delivered.String())
	sent, err := b.client.Moves(t.Context(), []int64{first.ID})
	require.NoError(t, err)
	require.Equal(t, "1", sent[0].Done.String())
	require.Equal(t, order.DocumentDelivered, sent[0].State)

	rest, _, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	plan := order.PlannedDelivery{DeliveryID: s.Deliveries[1].ID}
	for _, m := range rest {
		require.Equal(t, plan.DeliveryID, m.DeliveryID)
		plan.Moves = append(plan.Moves, order.PlannedMove{MoveID: m.ID, Quantity: m.Quantity})
	}
	require.NoError(t, b.client.Deliver(t.Context(), plan))
	s = b.order(t, id)
	require.Len(t, s.Deliveries, 2)
	for i, l := range s.Lines {
		require.Equal(t, l.Quantity.String(), l.Delivered.String(), "line %d", i)
	}
	open, known, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	require.True(t, known)
	require.Empty(t, open)
}
