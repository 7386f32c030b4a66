package gateway

import (
	"github.com/shopspring/decimal"

	"ordergate/order"
)

func renderDeliveries(deliveries []order.Delivery) []Delivery {
	rendered := make([]Delivery, len(deliveries))
	for i, d := range deliveries {
		rendered[i] = Delivery{
			ID: d.ID, Number: d.Number, State: DeliveryState(d.State), Kind: DeliveryKind(d.Kind), Return: d.Kind == order.DeliveryReturn, BackorderOf: orNull(d.BackorderOf),
			Carrier: orNull(d.Carrier), Tracking: orNull(d.Tracking),
			ScheduledAt: utcOrNull(d.ScheduledAt), DoneAt: utcOrNull(d.DoneAt),
		}
	}
	return rendered
}

func renderInvoices(invoices []order.Invoice, currencyDecimals int) []Invoice {
	rendered := make([]Invoice, len(invoices))
	for i, in := range invoices {
		rendered[i] = Invoice{
			ID: in.ID, Number: orNull(in.Number), State: InvoiceState(in.State), CreditNote: in.CreditNote, Payment: in.Payment,
			Currency: in.Currency, AmountTotal: order.FormatAmount(in.AmountTotal, currencyDecimals),
			AmountDue: order.FormatAmount(in.AmountDue, currencyDecimals),
			IssuedOn:  orNull(in.IssuedOn), DueOn: orNull(in.DueOn),
		}
	}
	return rendered
}

// renderEdits makes null of the edits of an order that nobody sent through the gateway.
func renderEdits(e *order.Edits, currencyDecimals int) *Edits {
	if e == nil {
		return nil
	}
	original := func(l order.OriginalLine) EditedLine {
		line := EditedLine{SKU: orNull(l.SKU), Quantity: order.FormatQuantity(l.Quantity)}
		if l.UnitPrice != nil {
			line.UnitPrice = orNull(order.FormatAmount(*l.UnitPrice, currencyDecimals))
		}
		if l.Discount != nil {
			line.Discount = orNull(order.FormatQuantity(*l.Discount))
		}
		return line
	}
	standing := func(l order.Line) EditedLine {
		return original(order.OriginalLine{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: &l.UnitPrice, Discount: &l.Discount})
	}
	rendered := &Edits{Added: []EditedLine{}, Removed: []EditedLine{}, Changed: []ChangedLine{}}
	for _, l := range e.Added {
		rendered.Added = append(rendered.Added, standing(l))
	}
	for _, l := range e.Removed {
		rendered.Removed = append(rendered.Removed, original(l))
	}
	for _, c := range e.Changed {
		rendered.Changed = append(rendered.Changed, ChangedLine{Sent: original(c.Sent), Now: standing(c.Now)})
	}
	if r := e.Reference; r != nil {
		rendered.Reference = &ChangedText{Sent: orNull(r.Sent), Now: orNull(r.Now)}
	}
	if t := e.AmountTotal; t != nil {
		amount := func(d decimal.Decimal) *string { return orNull(order.FormatAmount(d, currencyDecimals)) }
		rendered.AmountTotal = &ChangedText{Sent: amount(t.Sent), Now: amount(t.Now)}
	}
	return rendered
}
