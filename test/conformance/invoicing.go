package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// testInvoice invoices an order, and has it paid in two parts, as the gateway's user.
func (b *bundle) testInvoice(t *testing.T) {
	for _, product := range []int64{b.chair, b.table} {
		b.admin.write(t, "product.product", product, map[string]any{"invoice_policy": "order"})
	}
	id := b.place(t, b.newOrder("invoice"))
	invoiceable := func() bool {
		something, known, err := b.client.Invoiceable(t.Context(), id)
		require.NoError(t, err)
		require.True(t, known)
		return something
	}
	require.False(t, invoiceable())
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	require.True(t, invoiceable())
	_ = b.client.Invoice(t.Context(), id, nil, nil) // Odoo 14 posts, and then answers with a fault
	s := b.order(t, id)
	require.Len(t, s.Invoices, 1)
	require.Equal(t, order.Posted, s.Invoices[0].State)
	require.Equal(t, s.AmountTotal.String(), s.Invoices[0].AmountDue.String())
	require.False(t, invoiceable())
	require.NoError(t, b.client.Invoice(t.Context(), id, nil, nil), "one that is posted already is what was asked for")
	require.Len(t, b.order(t, id).Invoices, 1)

	pdf, prints, err := b.client.InvoicePDF(t.Context(), s.Invoices[0].ID)
	require.NoError(t, err)
	require.True(t, prints || !b.server.Prints)
	require.Equal(t, prints, strings.HasPrefix(string(pdf), "%PDF-"))
	_, prints, err = b.client.InvoicePDF(t.Context(), 2147483000)
	require.Equal(t, prints, err != nil)

	first := order.PlannedPayment{InvoiceID: s.Invoices[0].ID, Amount: number("10.5"), Date: "2026-03-14", Memo: b.tag + " <first>"}
	paid := func(memo string) bool {
		found, err := b.client.Paid(t.Context(), memo)
		require.NoError(t, err)
		return found
	}
	require.False(t, paid(first.Memo))
	require.NoError(t, b.client.Pay(t.Context(), first, s.Currency))
	require.True(t, paid(first.Memo))
	s = b.order(t, id)
	require.Equal(t, "partial", s.Invoices[0].Payment)
	require.Equal(t, s.AmountTotal.Sub(first.Amount).String(), s.Invoices[0].AmountDue.String())
	b.payWhileLocked(t, s)
	s = b.order(t, id)
	require.NoError(t, b.client.Pay(t.Context(), order.PlannedPayment{
		InvoiceID: s.Invoices[0].ID, Amount: s.Invoices[0].AmountDue, Memo: b.tag + " second"}, s.Currency))
	s = b.order(t, id)
	require.Contains(t, []string{"paid", "in_payment"}, s.Invoices[0].Payment)
	require.True(t, s.Invoices[0].AmountDue.IsZero())
}

// payWhileLocked pays on a day of a period that is locked. Odoo 14 refuses that, newer versions book it in the first open period.
func (b *bundle) payWhileLocked(t *testing.T, s order.Snapshot) {
	t.Helper()
	if !b.server.Warehouses { // the sandbox has no periods
		return
	}
	company := b.admin.read(t, "sale.order", s.ID, "company_id")["company_id"].([]any)[0].(int64)
	b.admin.write(t, "res.company", company, map[string]any{"fiscalyear_lock_date": "2019-12-31"})
	defer b.admin.write(t, "res.company", company, map[string]any{"fiscalyear_lock_date": false})
	memo := b.tag + " locked"
	err := b.client.Pay(t.Context(), order.PlannedPayment{InvoiceID: s.Invoices[0].ID, Amount: number("1"), Date: "2019-06-01", Memo: memo}, s.Currency)
	paid, findErr := b.client.Paid(t.Context(), memo)
	require.NoError(t, findErr)
	due := b.order(t, s.ID).Invoices[0].AmountDue
	if b.server.Major < 15 {
		requireError(t, err, odoo.Rejected, odoo.BusinessRule)
		require.False(t, paid)
		require.Equal(t, s.Invoices[0].AmountDue.String(), due.String())
		return
	}
	require.NoError(t, err)
	require.True(t, paid)
	require.Equal(t, s.Invoices[0].AmountDue.Sub(number("1")).String(), due.String())
}

// testInvoiceOfLess sets what is to be taken back off against what is to be invoiced: of less than nothing Odoo drafts a credit note.
func (b *bundle) testInvoiceOfLess(t *testing.T) {
	for _, product := range []int64{b.chair, b.table} {
		b.admin.write(t, "product.product", product, map[string]any{"invoice_policy": "order"})
	}
	id := b.place(t, b.newOrder("less"))
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	_ = b.client.Invoice(t.Context(), id, nil, nil) // Odoo 14 posts, and then answers with a fault
	lines := b.order(t, id).Lines
	toInvoice := func() bool {
		something, _, err := b.client.Invoiceable(t.Context(), id)
		require.NoError(t, err)
		return something
	}
	require.False(t, toInvoice())
	b.admin.write(t, "sale.order.line", lines[0].ERPLineID, map[string]any{"product_uom_qty": 1.0})
	require.False(t, toInvoice(), "nothing but a piece to be taken back")
	b.admin.write(t, "sale.order.line", lines[1].ERPLineID, map[string]any{"product_uom_qty": 2.0, "price_unit": 1.0})
	require.False(t, toInvoice(), "a piece that costs less")
	b.admin.write(t, "sale.order.line", lines[1].ERPLineID, map[string]any{"price_unit": 1000.0})
	require.True(t, toInvoice(), "a piece that costs more")
}

// testInvoiceOfADraft leaves what somebody drafted before alone, and goes on with a draft that an attempt left behind.
func (b *bundle) testInvoiceOfADraft(t *testing.T) {
	for _, product := range []int64{b.chair, b.table} {
		b.admin.write(t, "product.product", product, map[string]any{"invoice_policy": "order"})
	}
	id := b.place(t, b.newOrder("drafted"))
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	rpcContext := map[string]any{"active_model": "sale.order", "active_ids": []any{id}, "active_id": id}
	dialogue, ok := b.admin.call(t, "sale.advance.payment.inv", "create", []any{map[string]any{"advance_payment_method": "delivered"}},
		map[string]any{"context": rpcContext}).(int64)
	require.True(t, ok)
	b.act(t, "sale.advance.payment.inv", "create_invoices", dialogue, rpcContext)
	s := b.order(t, id)
	require.Len(t, s.Invoices, 1)
	require.Equal(t, order.Open, s.Invoices[0].State)

	require.Error(t, b.client.Invoice(t.Context(), id, []int64{s.Invoices[0].ID}, nil), "nothing is left beside the draft")
	require.Equal(t, order.Open, b.order(t, id).Invoices[0].State)
	_ = b.client.Invoice(t.Context(), id, nil, []int64{s.Invoices[0].ID})
	s = b.order(t, id)
	require.Len(t, s.Invoices, 1)
	require.Equal(t, order.Posted, s.Invoices[0].State)
}
