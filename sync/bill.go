package ordersync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"ordergate/order"
)

// planBill notes which invoices the order has already: what comes beside them is what was asked for.
func (s *Service) planBill(ctx context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
	something, _, err := s.erp.Invoiceable(ctx, a.in.Action.OrderID)
	switch {
	case err != nil:
		return order.ActionPlan{}, err
	case !something && !slices.ContainsFunc(o.Invoices, isDraft):
		return order.ActionPlan{}, order.Errorf(order.Conflict, "nothing_to_invoice",
			"Nothing of this order can be invoiced now: it is invoiced already, must be delivered first, or more came back than there is to invoice, which is to be credited.")
	}
	plan := order.ActionPlan{KnownInvoices: []int64{}}
	for _, in := range o.Invoices {
		if something || !isDraft(in) { // with nothing beside it, a draft is what is left to be posted
			plan.KnownInvoices = append(plan.KnownInvoices, in.ID)
		}
	}
	return plan, nil
}

func isDraft(in order.Invoice) bool { return in.State == order.Open && !in.CreditNote }

func (s *Service) bill(ctx context.Context, a *attempt, o order.Order) error {
	known := a.in.Plan.Action.KnownInvoices
	var drafts []int64
	for _, in := range o.Invoices {
		if isDraft(in) && !slices.Contains(known, in.ID) {
			drafts = append(drafts, in.ID)
		}
	}
	return s.erp.Invoice(ctx, o.ID, known, drafts)
}

// billed reports whether the order has an invoice that it did not have before, and all such are posted.
func billed(_ context.Context, a *attempt, o order.Order) (bool, error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	posted := false
	for _, in := range o.Invoices {
		switch {
		case in.CreditNote, slices.Contains(a.in.Plan.Action.KnownInvoices, in.ID):
		case in.State == order.Open:
			return false, nil
		case in.State == order.Posted:
			posted = true
		}
	}
	return posted, nil
}

// isDrafted reports whether the order has an invoice beside those that it had before: all that is left is to post it. Before that, an earlier
// call that still runs could make another one, of what becomes invoiceable meanwhile.
func isDrafted(a *attempt, o order.Order) bool {
	return slices.ContainsFunc(o.Invoices, func(in order.Invoice) bool {
		return isDraft(in) && !slices.Contains(a.in.Plan.Action.KnownInvoices, in.ID)
	})
}

// planPayment holds a payment to its invoice, and gives it a memo that tells it from every other.
func (s *Service) planPayment(_ context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
	wish := a.in.Action
	invoice, there := invoiceOf(o, wish.InvoiceID)
	switch {
	case !there:
		return order.ActionPlan{}, invoiceNotFound(o, wish.InvoiceID)
	case invoice.State != order.Posted:
		return order.ActionPlan{}, order.Errorf(order.Conflict, "invoice_not_payable", "The invoice %d is not posted.", wish.InvoiceID)
	case !wish.Amount.Equal(wish.Amount.Truncate(int32(o.CurrencyDecimals))):
		return order.ActionPlan{}, tooFine("amount", o.CurrencyDecimals)
	case wish.Amount.GreaterThan(invoice.AmountDue):
		return order.ActionPlan{}, order.Invalid("more_than_due", "amount", "Only %s %s of the invoice %s are due.",
			invoice.AmountDue.StringFixed(int32(o.CurrencyDecimals)), invoice.Currency, invoice.Number)
	}
	return order.ActionPlan{Payment: &order.PlannedPayment{
		InvoiceID: wish.InvoiceID, Amount: *wish.Amount, Date: wish.Date, Memo: memo(s.tenant.Name, &a.in, wish.Reference),
	}}, nil
}

func invoiceNotFound(o order.Order, id int64) *order.Error {
	return order.Errorf(order.NotFound, "invoice_not_found", "Order %s has no invoice %d.", o.Number, id)
}

func invoiceOf(o order.Order, id int64) (in order.Invoice, there bool) {
	i := slices.IndexFunc(o.Invoices, func(in order.Invoice) bool { return in.ID == id })
	if i < 0 {
		return in, false
	}
	return o.Invoices[i], true
}

// memo is a text for people, and a mark by which the document of this request is found again. Another request with the same key has another
// mark, so that a key which was deleted after its time is free for it.
func memo(tenant string, in *order.Intent, text string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{tenant, in.Source, in.Key, in.Fingerprint}, "\x00")))
	return strings.TrimSpace(text + " (og-" + hex.EncodeToString(sum[:8]) + ")")
}

func (s *Service) pay(ctx context.Context, a *attempt, o order.Order) error {
	planned := *a.in.Plan.Action.Payment
	invoice, _ := invoiceOf(o, planned.InvoiceID) // it is there, or this would not be reached
	return s.erp.Pay(ctx, planned, invoice.Currency)
}

// paid reports whether there is a payment with the memo: also before anything was planned, because the intent of an earlier request with this
// key may have been deleted after its time. Conflict if it was planned, is not there, and others have paid so much meanwhile that it is too much.
func (s *Service) paid(ctx context.Context, a *attempt, o order.Order) (bool, error) {
	invoice, there := invoiceOf(o, a.in.Action.InvoiceID)
	if a.in.Plan.Action == nil {
		if invoice.State != order.Posted {
			return false, nil
		}
		return s.erp.Paid(ctx, memo(s.tenant.Name, &a.in, a.in.Action.Reference))
	}
	planned := a.in.Plan.Action.Payment
	found, err := s.erp.Paid(ctx, planned.Memo)
	switch {
	case err != nil || found:
		return found, err
	case !there:
		return false, invoiceNotFound(o, a.in.Action.InvoiceID)
	case !planned.Amount.GreaterThan(invoice.AmountDue):
		return false, nil
	}
	return false, order.Errorf(order.Conflict, "paid_otherwise",
		"Somebody paid the invoice %s in the ERP meanwhile: %s %s are due. Look at the order, and pay what is left with a new key.",
		invoice.Number, invoice.AmountDue.StringFixed(int32(o.CurrencyDecimals)), invoice.Currency)
}

// requireInvoices refuses what is proved by an order's invoices where the ERP does not show all of them: it has none, or hides one. Quotations are
// read without.
func (s *Service) requireInvoices(ctx context.Context, p performer, o order.Snapshot) error {
	if !p.byInvoices || o.AllInvoices || o.Status.Unconfirmed() {
		return nil
	}
	_, known, err := s.erp.Invoiceable(ctx, o.ID)
	switch {
	case err != nil:
		return err
	case !known:
		return accountingMissing()
	}
	return erpRightsMissing("see every invoice of this order", "a record rule for invoices (account.move) hides one.", nil)
}

func accountingMissing() *order.Error {
	return order.Errorf(order.Unsupported, "accounting_missing",
		"The ERP has no invoices. Install the application Invoicing (account) there.")
}
