package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/test/odoorpc"
)

// testDocuments takes an order to its end as people do in Odoo, and looks at what is read of it on the way.
func (b *bundle) testDocuments(t *testing.T) {
	for _, product := range []int64{b.chair, b.table} {
		b.admin.write(t, "product.product", product, map[string]any{"invoice_policy": "order"})
	}
	id := b.place(t, b.newOrder("documents"))
	require.Empty(t, b.order(t, id).Deliveries)
	b.act(t, "sale.order", "action_confirm", id, nil)
	s := b.order(t, id)
	require.Equal(t, order.Picking, s.Status)
	require.Len(t, s.Deliveries, 1)
	require.Equal(t, order.Ready, s.Deliveries[0].State)
	require.Equal(t, order.DeliveryOutgoing, s.Deliveries[0].Kind)
	require.NotEmpty(t, s.Deliveries[0].Number)
	require.False(t, s.Deliveries[0].ScheduledAt.IsZero())
	require.Empty(t, s.Invoices)

	first := s.Deliveries[0].ID
	b.deliver(t, first, map[int64]float64{b.chair: 1, b.table: 0}, "TRACK 1")
	s = b.order(t, id)
	require.Len(t, s.Deliveries, 2, "what is left is a delivery of its own")
	require.Equal(t, order.DocumentDelivered, s.Deliveries[0].State)
	require.Equal(t, "TRACK 1", s.Deliveries[0].Tracking)
	require.False(t, s.Deliveries[0].DoneAt.IsZero())
	require.Equal(t, first, s.Deliveries[1].BackorderOf)
	require.Equal(t, "1", s.Lines[0].Delivered.String())
	require.Equal(t, "0", s.Lines[1].Delivered.String())
	written := s.DocumentsWriteDate
	require.False(t, written.IsZero())
	require.False(t, s.UpdatedAt.Before(written))

	invoice := b.bill(t, id)
	s = b.order(t, id)
	require.Len(t, s.Invoices, 1)
	require.Equal(t, invoice, s.Invoices[0].ID)
	require.Equal(t, order.Posted, s.Invoices[0].State)
	require.Equal(t, "not_paid", s.Invoices[0].Payment)
	require.NotEmpty(t, s.Invoices[0].Number)
	require.NotEmpty(t, s.Invoices[0].IssuedOn)
	require.Equal(t, s.Currency, s.Invoices[0].Currency)
	require.Equal(t, s.AmountTotal.String(), s.Invoices[0].AmountTotal.String())
	require.Equal(t, s.AmountTotal.String(), s.Invoices[0].AmountDue.String())
	require.Equal(t, "2", s.Lines[0].Invoiced.String())

	deliveries, err := b.client.DeliveryHeads(t.Context(), odoo.Page{Since: written, Limit: 1000})
	require.NoError(t, err)
	require.Contains(t, ordersOf(deliveries), id)
	invoices, err := b.client.InvoiceHeads(t.Context(), odoo.Page{Since: written, Limit: 1000})
	require.NoError(t, err)
	require.Contains(t, ordersOf(invoices), id)

	time.Sleep(1100 * time.Millisecond) // write_date has whole seconds
	b.pay(t, invoice, 10)
	s = b.order(t, id)
	require.Equal(t, "partial", s.Invoices[0].Payment)
	require.Equal(t, s.AmountTotal.Sub(number("10")).String(), s.Invoices[0].AmountDue.String())
	require.True(t, s.DocumentsWriteDate.After(written), "a payment writes its invoice")

	later, err := b.client.InvoiceHeads(t.Context(), odoo.Page{Since: s.DocumentsWriteDate.Add(time.Second), Limit: 1000})
	require.NoError(t, err)
	require.NotContains(t, ordersOf(later), id)
}

func ordersOf(heads []odoo.DocumentHead) []int64 {
	var ids []int64
	for _, h := range heads {
		ids = append(ids, h.OrderIDs...)
	}
	return ids
}

// act runs a method on one record. What it returns proves nothing, and may not even be marshalled: Odoo 14 answers a
// fault after it has committed.
func (b *bundle) act(t *testing.T, model, method string, id int64, rpcContext map[string]any) any {
	t.Helper()
	var kwargs map[string]any
	if rpcContext != nil {
		kwargs = map[string]any{"context": rpcContext}
	}
	value, _ := odoorpc.Execute(b.server.URL, b.server.Database, b.server.AdminUser, b.server.AdminPassword, model, method, []any{[]any{id}}, kwargs)
	return value
}

// deliver validates a delivery of some quantities by product; what is left becomes another one.
func (b *bundle) deliver(t *testing.T, delivery int64, quantities map[int64]float64, tracking string) {
	t.Helper()
	moves := "move_ids"
	if b.server.Major < 15 {
		moves = "move_lines"
	}
	for _, id := range b.admin.read(t, "stock.picking", delivery, moves)[moves].([]any) {
		move := id.(int64)
		product := b.admin.read(t, "stock.move", move, "product_id")["product_id"].([]any)[0].(int64)
		done := map[string]any{"quantity": quantities[product], "picked": true}
		if b.server.Major < 17 {
			done = map[string]any{"quantity_done": quantities[product]}
		}
		b.admin.write(t, "stock.move", move, done)
	}
	b.admin.write(t, "stock.picking", delivery, map[string]any{"carrier_tracking_ref": tracking})
	b.act(t, "stock.picking", "button_validate", delivery, map[string]any{"skip_sms": true, "skip_immediate": true, "skip_backorder": true})
	require.Equal(t, "done", b.admin.read(t, "stock.picking", delivery, "state")["state"])
}

func (b *bundle) pay(t *testing.T, invoice int64, amount float64) {
	t.Helper()
	rpcContext := map[string]any{"active_model": "account.move", "active_ids": []any{invoice}}
	wizard, ok := b.admin.call(t, "account.payment.register", "create", []any{map[string]any{"amount": amount}},
		map[string]any{"context": rpcContext}).(int64)
	require.True(t, ok)
	b.act(t, "account.payment.register", "action_create_payments", wizard, rpcContext)
}
