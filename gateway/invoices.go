package gateway

import (
	"context"
	"mime"
)

// ListOrderInvoices answers GET /v1/orders/{id}/invoices.
func (a *api) ListOrderInvoices(ctx context.Context, request ListOrderInvoicesRequestObject) (ListOrderInvoicesResponseObject, error) {
	ctx, call := enter(ctx)
	o, sync, err := call.service.Order(ctx, call.caller, request.ID)
	if err != nil {
		return nil, err
	}
	return ListOrderInvoices200JSONResponse{
		OrderID: o.ID, Invoices: renderInvoices(o.Invoices, o.CurrencyDecimals), Sync: renderOrderSync(sync),
	}, nil
}

// GetInvoicePDF answers GET /v1/orders/{id}/invoices/{invoice_id}/pdf.
func (a *api) GetInvoicePDF(ctx context.Context, request GetInvoicePDFRequestObject) (GetInvoicePDFResponseObject, error) {
	ctx, call := enter(ctx)
	file, err := call.service.InvoicePDF(ctx, call.caller, request.ID, request.InvoiceID)
	if err != nil {
		return nil, err
	}
	return GetInvoicePDF200ApplicationPdfResponse{
		Body: file.Content, ContentLength: file.Size,
		Headers: GetInvoicePDF200ResponseHeaders{
			ContentDisposition: mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}),
		},
	}, nil
}
