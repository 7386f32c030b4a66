package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestInvoicesOfAnOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := cabinet()
	o.Invoices = []order.Invoice{
		{ID: 88, Number: "INV/88", State: order.Posted, Payment: "partial", Currency: "EUR", AmountTotal: money("48.16"), AmountDue: money("8.1"), IssuedOn: "2026-11-21"},
		{ID: 89, State: order.Open, CreditNote: true, Payment: "not_paid", Currency: "EUR", AmountTotal: money("1"), AmountDue: money("1")},
	}
	b.service.order = func(_ context.Context, caller order.Caller, id int64) (order.Order, order.OrderSync, error) {
		require.EqualValues(t, 4711, id)
		return o, order.OrderSync{State: order.SyncSynced}, nil
	}
	listed := b.get("/v1/orders/4711/invoices", customerSecret).json(t)
	require.Equal(t, b.get("/v1/orders/4711", portalSecret).json(t)["invoices"], listed["invoices"])
	require.EqualValues(t, 4711, listed["order_id"])
	require.Equal(t, "synced", listed["sync"].(map[string]any)["state"])
	require.Len(t, listed["invoices"], 2)
}

// paper is a printed invoice that says whether it was closed.
type paper struct {
	io.Reader
	closed bool
}

func (p *paper) Close() error {
	p.closed = true
	return nil
}

func TestInvoicePDF(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var printed *paper
	var failure error
	b.service.pdf = func(_ context.Context, _ order.Caller, orderID, invoiceID int64) (order.File, error) {
		require.Equal(t, []int64{4711, 88}, []int64{orderID, invoiceID})
		printed = &paper{Reader: strings.NewReader("%PDF-1.4")}
		return order.File{Name: "INV-88.pdf", Size: 8, Content: printed}, failure
	}
	a := b.get("/v1/orders/4711/invoices/88/pdf", customerSecret)
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, "%PDF-1.4", string(a.body))
	require.Equal(t, "application/pdf", a.Header.Get("Content-Type"))
	require.Equal(t, "8", a.Header.Get("Content-Length"))
	require.Equal(t, `attachment; filename=INV-88.pdf`, a.Header.Get("Content-Disposition"))
	require.True(t, printed.closed)
	failure = order.Errorf(order.Unsupported, "pdf_missing", "Install it.")
	b.get("/v1/orders/4711/invoices/88/pdf", portalSecret).requireProblem(t, http.StatusNotImplemented, "pdf_missing")
	b.get("/v1/orders/4711/invoices/88/pdf", moduleSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
}
