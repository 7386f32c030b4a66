package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// testChangeOrder changes every part of an order as the gateway's user, all of it or nothing.
func (b *bundle) testChangeOrder(t *testing.T) {
	id := b.place(t, b.newOrder("change"))
	before := b.order(t, id)
	address := func(name string, billing bool) int64 {
		partner, err := ensureOne(t.Context(), b.client, odoo.NewPartner{
			ExternalID: "conformance_" + b.tag + "_change_" + name, ParentID: b.partner, Billing: billing, Name: "Dock", Street: "Quay 1", City: "Ghent"})
		require.NoError(t, err)
		return partner
	}
	reference, note := "ref <&> "+b.tag, " ring <twice>\n\n\tplease &amp; \"wait\" "
	plan := order.PlannedChange{
		Base: before.Terms(), KnownLines: []int64{before.Lines[0].ERPLineID, before.Lines[1].ERPLineID}, Reference: &reference, Note: &note,
		ShipTo: address("ship", false), BillTo: address("bill", true),
		Lines: []order.PlannedLine{
			{LineID: before.Lines[0].ERPLineID, Quantity: numberPointer("2.5"), UnitPrice: numberPointer("7.75"), Discount: numberPointer("12.5")},
			{LineID: before.Lines[1].ERPLineID, Remove: true},
			{ProductID: b.table, Quantity: numberPointer("3")},
			{ProductID: b.chair, Quantity: numberPointer("1"), UnitPrice: numberPointer("1.25")},
		},
	}
	require.False(t, plan.Stands(before.Order))
	gone := plan
	gone.Lines = append([]order.PlannedLine{{LineID: 2147483000, Quantity: numberPointer("1")}}, plan.Lines...)
	require.Error(t, b.client.ChangeOrder(t.Context(), id, gone))
	require.Equal(t, before.Terms(), b.order(t, id).Terms(), "nothing of it was done")

	require.NoError(t, b.client.ChangeOrder(t.Context(), id, plan))
	after := b.order(t, id)
	require.True(t, plan.Stands(after.Order), "%+v", after.Order)
	require.Len(t, after.Lines, 3)
	requireNumber(t, "99.99", after.Lines[1].UnitPrice, "the price list decides")
	requireNumber(t, "1.25", after.Lines[2].UnitPrice, "the given price")
	require.Equal(t, "invoice", b.admin.read(t, "res.partner", plan.BillTo, "type")["type"])

	none := ""
	clear := order.PlannedChange{Reference: &none, Note: &none}
	require.NoError(t, b.client.ChangeOrder(t.Context(), id, clear))
	cleared := b.order(t, id)
	require.True(t, clear.Stands(cleared.Order))
	require.Len(t, cleared.Lines, 3)

	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	more := order.PlannedChange{KnownLines: []int64{after.Lines[0].ERPLineID, after.Lines[1].ERPLineID, after.Lines[2].ERPLineID}, Note: &note,
		Lines: []order.PlannedLine{{LineID: after.Lines[0].ERPLineID, Quantity: numberPointer("4")}, {ProductID: b.table, Quantity: numberPointer("1")}}}
	require.NoError(t, b.client.ChangeOrder(t.Context(), id, more))
	require.True(t, more.Stands(b.order(t, id).Order))
	removed := order.PlannedChange{Lines: []order.PlannedLine{{LineID: after.Lines[0].ERPLineID, Remove: true}}}
	requireError(t, b.client.ChangeOrder(t.Context(), id, removed), odoo.Rejected, odoo.BusinessRule)
}
