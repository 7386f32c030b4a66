package conformance

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// testDeliver sends an order out in two parts as the gateway's user.
func (b *bundle) testDeliver(t *testing.T) {
	id := b.place(t, b.newOrder("deliver"))
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
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
		require.True(t, slices.ContainsFunc(b.order(t, id).Lines, m.CountsAs))
	}

	known, err = b.client.HasCarriers(t.Context())
	require.NoError(t, err)
	require.True(t, known)
	carriers, err := b.client.Carriers(t.Context(), id)
	require.NoError(t, err)
	require.NotEmpty(t, carriers)
	part := order.PlannedDelivery{DeliveryID: first.DeliveryID, Tracking: "1Z <&> \"ü\" 7", CarrierID: carriers[0].ID,
		Note: "Two parcels, <b>&amp; \u00a0 ü\nThe second follows.", Moves: []order.PlannedMove{
			{MoveID: first.ID, Quantity: number("1")}, {MoveID: second.ID, Quantity: number("0")},
		}}
	b.admin.write(t, "stock.picking", first.DeliveryID, map[string]any{"note": b.htmlOn15("Ring twice.")})
	require.NoError(t, b.client.Deliver(t.Context(), part))
	s = b.order(t, id)
	require.Len(t, s.Deliveries, 2)
	require.Equal(t, order.DocumentDelivered, s.Deliveries[0].State)
	require.Equal(t, part.Tracking, s.Deliveries[0].Tracking)
	require.Equal(t, carriers[0].Name, s.Deliveries[0].Carrier)
	require.Equal(t, carriers[0].Name, s.Deliveries[1].Carrier, "Odoo copies it to the back order")
	require.Empty(t, s.Deliveries[1].Tracking)
	want := b.htmlOn15("Ring twice.") + "\n" + part.Note
	if b.server.Major >= 15 {
		want = "<p>Ring twice.</p><p>Two parcels, &lt;b&gt;&amp;amp; &nbsp; ü<br>The second follows.</p>"
	}
	require.Equal(t, want, b.admin.read(t, "stock.picking", first.DeliveryID, "note")["note"])
	require.Equal(t, part.DeliveryID, s.Deliveries[1].BackorderOf)
	require.Equal(t, "1", s.Lines[0].Delivered.String())
	require.Equal(t, "0", s.Lines[1].Delivered.String())
	sent, err := b.client.Moves(t.Context(), []int64{first.ID})
	require.NoError(t, err)
	require.Equal(t, "1", sent[0].Done.String())
	require.Equal(t, order.DocumentDelivered, sent[0].State)

	rest, _, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	plan := order.PlannedDelivery{DeliveryID: s.Deliveries[1].ID, Note: part.Note}
	for _, m := range rest {
		require.Equal(t, plan.DeliveryID, m.DeliveryID)
		plan.Moves = append(plan.Moves, order.PlannedMove{MoveID: m.ID, Quantity: m.Quantity})
	}
	require.NoError(t, b.client.Deliver(t.Context(), plan))
	require.Equal(t, want, b.admin.read(t, "stock.picking", plan.DeliveryID, "note")["note"], "it came with the back order, and stands there once")
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

// htmlOn15 is a text as the notes of a delivery hold it.
func (b *bundle) htmlOn15(text string) string {
	if b.server.Major < 15 {
		return text
	}
	return "<p>" + text + "</p>"
}

// testCarrierCosts sends goods with a delivery method that charges its real price: Odoo adds a line for it to the order when the delivery is
// validated. Odoo 14 leaves its price at 0; Odoo 19 does not ask the carrier for a parcel that has a number.
func (b *bundle) testCarrierCosts(t *testing.T) {
	product := b.newProduct(t, "Postage", "postage-"+b.tag, 7)
	b.admin.write(t, "product.product", product, map[string]any{"type": "service"})
	carrier := b.admin.create(t, "delivery.carrier", map[string]any{"name": "Post " + b.tag, "product_id": product, "delivery_type": "fixed",
		"fixed_price": 7.0, "invoice_policy": "real"})
	for name, tracking := range map[string]string{"postage": "", "postage_known": "1Z"} {
		id := b.place(t, b.newOrder(name))
		require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
		carriers, err := b.client.Carriers(t.Context(), id)
		require.NoError(t, err)
		found, known := order.FindCarrier(carriers, "POST "+b.tag)
		require.True(t, known)
		require.Equal(t, carrier, found.ID)
		moves, _, err := b.client.OpenMoves(t.Context(), id)
		require.NoError(t, err)
		plan := order.PlannedDelivery{DeliveryID: moves[0].DeliveryID, CarrierID: found.ID, Tracking: tracking}
		for _, m := range moves {
			plan.Moves = append(plan.Moves, order.PlannedMove{MoveID: m.ID, Quantity: m.Quantity})
		}
		require.NoError(t, b.client.Deliver(t.Context(), plan))
		s := b.order(t, id)
		require.Equal(t, found.Name, s.Deliveries[0].Carrier)
		require.Equal(t, tracking, s.Deliveries[0].Tracking)
		if tracking != "" && b.server.Major >= 19 {
			require.Len(t, s.Lines, 2, "nothing is charged")
			continue
		}
		require.Len(t, s.Lines, 3, name)
		require.Equal(t, product, s.Lines[2].ERPProductID)
		price := "7"
		if b.server.Major < 15 {
			price = "0"
		}
		requireNumber(t, price, s.Lines[2].UnitPrice, "the postage")
	}
}
