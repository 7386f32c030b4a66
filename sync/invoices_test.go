package ordersync_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// printingERP prints what a test tells it to.
type printingERP struct {
	ordersync.ERP
	asked  []int64
	prints bool
	err    error
}

func (e *printingERP) InvoicePDF(_ context.Context, id int64) ([]byte, bool, error) {
	e.asked = append(e.asked, id)
	return []byte("%PDF-1.4"), e.prints, e.err
}

func setupPrinting(t *testing.T) (*bundle, *printingERP, int64) {
	t.Helper()
	b, documents := setupDocuments(t)
	documents.invoices = []order.Invoice{
		{ID: 80, Number: "RÉ/2026/8", State: order.Posted, Payment: "not_paid", Currency: "USD", AmountTotal: decimal.NewFromInt(1)},
		{ID: 81, State: order.Open, Payment: "not_paid", Currency: "USD"},
	}
	erp := &printingERP{ERP: documents, prints: true}
	b.cfg.ERP = erp
	b.restart(t)
	_, _, err := b.SyncNow(t.Context(), operator, order.SyncWish{OrderID: documents.of})
	require.NoError(t, err)
	return b, erp, documents.of
}

func TestInvoicePDF(t *testing.T) {
	t.Parallel()
	b, erp, id := setupPrinting(t)
	other := b.placed(t, "PO-2")
	file, err := b.InvoicePDF(t.Context(), portal, id, 80)
	require.NoError(t, err)
	defer file.Content.Close()
	require.Equal(t, "R--2026-8.pdf", file.Name)
	text, err := io.ReadAll(file.Content)
	require.NoError(t, err)
	require.Equal(t, "%PDF-1.4", string(text))
	require.EqualValues(t, len(text), file.Size)

	stranger := order.Caller{Name: "s", Role: order.RoleCustomer, Source: "portal", ERPPartnerID: 10}
	_, err = b.InvoicePDF(t.Context(), stranger, id, 80)
	requireKind(t, err, order.NotFound, "order_not_found")
	_, err = b.InvoicePDF(t.Context(), portal, other, 80)
	requireKind(t, err, order.NotFound, "invoice_not_found")
	_, err = b.InvoicePDF(t.Context(), portal, id, 81)
	requireKind(t, err, order.Conflict, "invoice_not_posted")
	require.Equal(t, []int64{80}, erp.asked)
}

func TestInvoicePDFThatIsNot(t *testing.T) {
	t.Parallel()
	b, erp, id := setupPrinting(t)
	erp.prints = false
	_, err := b.InvoicePDF(t.Context(), portal, id, 80)
	require.Contains(t, requireKind(t, err, order.Unsupported, "pdf_missing").Message, "wkhtmltopdf")
	erp.prints = true
	for _, test := range []struct {
		failure odoo.Error
		kind    order.Kind
		code    string
	}{
		{odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Misconfigured}, order.Unsupported, "pdf_missing"},
		{odoo.Error{Outcome: odoo.Rejected, Reason: odoo.AccessRights}, order.Forbidden, "erp_rights_missing"},
		{odoo.Error{Outcome: odoo.Rejected, Reason: odoo.BusinessRule}, order.Conflict, "action_refused"},
		{odoo.Error{Outcome: odoo.Unknown, Reason: odoo.ServerError}, order.Unavailable, "erp_unavailable"},
		{odoo.Error{Outcome: odoo.Unknown, Reason: odoo.BadAnswer, Cause: errors.New("x")}, order.Unavailable, "erp_unavailable"},
	} {
		test.failure.Message = "No."
		erp.err = &test.failure
		for range 20 { // what failed takes no place
			_, err = b.InvoicePDF(t.Context(), portal, id, 80)
			requireKind(t, err, test.kind, test.code)
		}
	}
}

// So many are held in memory at once, and no more.
func TestInvoicePDFsAtOnce(t *testing.T) {
	t.Parallel()
	b, _, id := setupPrinting(t)
	var open []order.File
	for range 8 {
		file, err := b.InvoicePDF(t.Context(), portal, id, 80)
		require.NoError(t, err)
		open = append(open, file)
	}
	_, err := b.InvoicePDF(t.Context(), portal, id, 80)
	requireKind(t, err, order.Unavailable, "queue_full")
	for range 2 {
		require.NoError(t, open[0].Content.Close())
	}
	file, err := b.InvoicePDF(t.Context(), portal, id, 80)
	require.NoError(t, err)
	_, err = b.InvoicePDF(t.Context(), portal, id, 80)
	requireKind(t, err, order.Unavailable, "queue_full")
	require.NoError(t, file.Content.Close())
}
