package ordersync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"ordergate/odoo"
	"ordergate/order"
)

// maxPrinted is how many printed invoices are fetched, or sent to callers, at once: each is held in memory as a whole, so that
// whoever reads it slowly holds no connection to the ERP.
const maxPrinted = 8

// InvoicePDF returns an invoice of an order as the ERP prints it. Whoever gets it closes its content. NotFound if the order is not the
// caller's to see or has no such invoice; Conflict if that is not posted; Unsupported where the ERP cannot print.
func (s *Service) InvoicePDF(ctx context.Context, caller order.Caller, orderID, invoiceID int64) (order.File, error) {
	o, _, err := s.Order(ctx, caller, orderID)
	if err != nil {
		return order.File{}, err
	}
	at := slices.IndexFunc(o.Invoices, func(in order.Invoice) bool { return in.ID == invoiceID })
	if at < 0 {
		return order.File{}, invoiceNotFound(o, invoiceID)
	}
	if o.Invoices[at].State != order.Posted {
		return order.File{}, order.Errorf(order.Conflict, "invoice_not_posted", "The invoice %d is not posted: there is nothing to print yet.", invoiceID)
	}
	if !s.printed.TryAcquire(1) {
		s.metrics.shed.WithLabelValues("queue_full").Inc()
		return order.File{}, queueFull(time.Second)
	}
	release := sync.OnceFunc(func() { s.printed.Release(1) })
	pdf, prints, err := s.erp.InvoicePDF(ctx, invoiceID)
	if err == nil && prints {
		return order.File{Name: fileName(cmp.Or(o.Invoices[at].Number, "invoice")) + ".pdf", Size: int64(len(pdf)), Content: held{bytes.NewReader(pdf), release}}, nil
	}
	release()
	return order.File{}, notPrinted(err)
}

// notPrinted is what a caller is told of an invoice that the ERP did not print; nil: it cannot print at all.
func notPrinted(err error) *order.Error {
	var e *odoo.Error
	switch {
	case err == nil:
		return order.Errorf(order.Unsupported, "pdf_missing",
			"The ERP cannot print: install wkhtmltopdf on its machine, and start it again.")
	case !errors.As(err, &e):
	case e.Reason == odoo.Misconfigured:
		return order.Errorf(order.Unsupported, "pdf_missing", "The ERP does not print this invoice for the gateway's user: %s.", e.Message).Because(err)
	case e.Reason == odoo.AccessRights:
		return erpRightsMissing("print invoices", e.Message, err)
	case e.Outcome == odoo.Rejected:
		return order.Errorf(order.Conflict, "action_refused", "The ERP would not print the invoice: %s", e.Message).Because(err)
	}
	return erpUnavailable(err)
}

// fileName makes a file's name of an invoice's number, such as INV/2026/00008.
func fileName(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, number)
}

// held is a printed invoice that takes a place until it is closed.
type held struct {
	*bytes.Reader
	release func()
}

func (h held) Close() error {
	h.release()
	return nil
}
