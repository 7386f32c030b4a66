package order

import (
	"slices"

	"github.com/shopspring/decimal"
)

// Status is where an order stands in its life. It is derived from what the ERP says of it: see Facts.
type Status string

// The statuses, in the order of an order's life. OnHold and Approved are quotations that people in the ERP have marked so;
// Cancelled may follow any.
const (
	Draft     Status = "draft"     // a quotation, also one that was sent to the customer
	OnHold    Status = "on_hold"   // a quotation that must not go on
	Approved  Status = "approved"  // a quotation that may be confirmed
	Confirmed Status = "confirmed" // a sales order of which nothing is ready to leave
	Picking   Status = "picking"   // goods for it are ready in the warehouse, or being prepared there
	Packed    Status = "packed"    // every step before the last is done, and the goods are ready to leave
	Shipped   Status = "shipped"   // something has left, and something is still to come
	Delivered Status = "delivered" // all has left that was to
	Completed Status = "completed" // and all of it is invoiced and paid
	Cancelled Status = "cancelled"
)

// Statuses lists them all, in the order of an order's life.
var Statuses = []Status{Draft, OnHold, Approved, Confirmed, Picking, Packed, Shipped, Delivered, Completed, Cancelled}

// Unconfirmed reports whether the order is a quotation yet.
func (s Status) Unconfirmed() bool { return s == Draft || s == OnHold || s == Approved }

// Fulfilment is how much of an order its customer has.
type Fulfilment string

// The fulfilments. Quantities count as the ERP counts them: what came back counts only if the return says so.
const (
	FulfilmentNone              Fulfilment = "none"
	FulfilmentPartial           Fulfilment = "partial"
	FulfilmentFull              Fulfilment = "full"
	FulfilmentPartiallyReturned Fulfilment = "partially_returned" // some came back, some is with the customer
	FulfilmentReturned          Fulfilment = "returned"           // nothing is with the customer any more
	FulfilmentNotNeeded         Fulfilment = "not_needed"         // a sales order of nothing but services
)

// Fulfilments lists them all.
var Fulfilments = []Fulfilment{FulfilmentNone, FulfilmentPartial, FulfilmentFull, FulfilmentPartiallyReturned, FulfilmentReturned,
	FulfilmentNotNeeded}

// Payment is how much of what was invoiced for an order is paid.
type Payment string

// The payments. Only posted invoices and credit notes count.
const (
	PaymentNone              Payment = "none" // nothing is invoiced
	PaymentUnpaid            Payment = "unpaid"
	PaymentPartial           Payment = "partial"
	PaymentPaid              Payment = "paid"
	PaymentPartiallyRefunded Payment = "partially_refunded" // paid, but for what credit notes gave back
	PaymentRefunded          Payment = "refunded"           // credit notes gave all of it back
)

// Payments lists them all.
var Payments = []Payment{PaymentNone, PaymentUnpaid, PaymentPartial, PaymentPaid, PaymentPartiallyRefunded, PaymentRefunded}

// ERPState is the state that the ERP itself gives an order: what both sides of an audit count.
type ERPState string

// The states. StateDone is a sales order that is locked, whichever way the ERP's version says that.
const (
	StateDraft  ERPState = "draft"
	StateSent   ERPState = "sent"
	StateSale   ERPState = "sale"
	StateDone   ERPState = "done"
	StateCancel ERPState = "cancel"
)

// ERPStates lists them all.
var ERPStates = []ERPState{StateDraft, StateSent, StateSale, StateDone, StateCancel}

// Facts are what the standing of an order derives from, all as the ERP says it. docs/order-states.md draws what is made of
// them.
type Facts struct {
	State      ERPState
	OnHold     bool // it has the ERP's tag for orders on hold
	Approved   bool // it has the tag for approved ones
	Lines      []LineFacts
	Deliveries []Delivery
	Invoices   []Invoice
}

// LineFacts are those of one line; quantities are in its unit of measure.
type LineFacts struct {
	Goods                         bool // it is delivered, as services are not
	Quantity, Delivered, Invoiced decimal.Decimal
}

// Standing is what derives from Facts.
type Standing struct {
	Status     Status
	Fulfilment Fulfilment
	Payment    Payment
}

// Standing derives where the order stands. It has an answer to any facts; a state that is none of ERPStates counts as
// StateDraft.
func (f Facts) Standing() Standing {
	switch f.State {
	case StateSale, StateDone:
		s := Standing{Fulfilment: f.fulfilment(), Payment: f.payment()}
		s.Status = f.progress(s)
		return s
	case StateCancel:
		s := Standing{Cancelled, f.fulfilment(), f.payment()}
		if s.Fulfilment == FulfilmentNotNeeded {
			s.Fulfilment = FulfilmentNone
		}
		return s
	}
	s := Standing{Draft, FulfilmentNone, PaymentNone}
	switch {
	case f.OnHold:
		s.Status = OnHold
	case f.Approved:
		s.Status = Approved
	}
	return s
}

// progress is the status of a sales order. Whether it is locked says nothing: many companies lock every order that they
// confirm.
func (f Facts) progress(s Standing) Status {
	switch {
	case f.hasLeft() && f.isToCome():
		return Shipped
	case (f.hasLeft() || s.Fulfilment == FulfilmentNotNeeded) && f.isSettled(s.Payment):
		return Completed
	case f.hasLeft():
		return Delivered
	}
	return f.preparation()
}

// preparation is the status of a sales order of which nothing has left.
func (f Facts) preparation() Status {
	begun := f.anyDelivery(DeliveryStep, isDone)
	switch {
	case begun && !f.anyDelivery(DeliveryStep, isOpen) && f.anyDelivery(DeliveryOutgoing, isReady):
		return Packed
	case begun, f.anyDelivery(DeliveryStep, isReady), f.anyDelivery(DeliveryOutgoing, isReady):
		return Picking
	}
	return Confirmed
}

// hasLeft reports whether goods have left, also if all of them came back.
func (f Facts) hasLeft() bool {
	return f.anyDelivery(DeliveryOutgoing, isDone) ||
		slices.ContainsFunc(f.Lines, func(l LineFacts) bool { return l.Goods && l.Delivered.IsPositive() })
}

// isToCome reports whether more is to leave. The deliveries decide, where there are some: a rest that nobody wants to deliver
// any more has none, and the order's quantity stays as it was.
func (f Facts) isToCome() bool {
	standing := func(d Delivery) bool { return d.State != DocumentCancelled }
	if f.anyDelivery(DeliveryOutgoing, standing) || f.anyDelivery(DeliveryStep, standing) {
		return f.anyDelivery(DeliveryOutgoing, isOpen) || f.anyDelivery(DeliveryStep, isOpen)
	}
	return slices.ContainsFunc(f.Lines, func(l LineFacts) bool { return l.Goods && l.Delivered.LessThan(l.Quantity) })
}

// isSettled reports whether everything is invoiced and paid, and nothing to be given back. Goods are to be invoiced as far as
// they were delivered, and no further.
func (f Facts) isSettled(p Payment) bool {
	if p != PaymentPaid && p != PaymentPartiallyRefunded && p != PaymentRefunded {
		return false
	}
	return !slices.ContainsFunc(f.Lines, func(l LineFacts) bool {
		if !l.Goods {
			return l.Invoiced.LessThan(l.Quantity)
		}
		return l.Invoiced.LessThan(decimal.Min(l.Quantity, l.Delivered)) || l.Invoiced.GreaterThan(l.Delivered)
	})
}

func (f Facts) fulfilment() Fulfilment {
	ordered, some, all := false, false, true
	for _, l := range f.Lines {
		if !l.Goods {
			continue
		}
		ordered = ordered || l.Quantity.IsPositive()
		some = some || l.Delivered.IsPositive()
		all = all && !l.Delivered.LessThan(l.Quantity)
	}
	returned := f.anyDelivery(DeliveryReturn, isDone)
	switch {
	case some && all:
		return FulfilmentFull
	case some && returned:
		return FulfilmentPartiallyReturned
	case some:
		return FulfilmentPartial
	case returned:
		return FulfilmentReturned
	case ordered, len(f.Deliveries) > 0:
		return FulfilmentNone
	}
	return FulfilmentNotNeeded
}

// payment goes by amounts, because what the ERP says of one invoice or credit note says nothing of the other. They are all in
// the order's currency.
func (f Facts) payment() Payment {
	var invoiced, credited, owed decimal.Decimal
	posted := false
	for _, in := range f.Invoices {
		switch {
		case in.State != Posted:
			continue
		case in.CreditNote:
			credited, owed = credited.Add(in.AmountTotal), owed.Sub(in.AmountDue)
		default:
			invoiced, owed = invoiced.Add(in.AmountTotal), owed.Add(in.AmountDue)
		}
		posted = true
	}
	paid := invoiced.Sub(credited).Sub(owed)
	switch {
	case !posted:
		return PaymentNone
	case credited.IsPositive() && !credited.LessThan(invoiced):
		return PaymentRefunded
	case owed.IsPositive() && paid.IsPositive():
		return PaymentPartial
	case owed.IsPositive():
		return PaymentUnpaid
	case credited.IsPositive():
		return PaymentPartiallyRefunded
	}
	return PaymentPaid
}

func (f Facts) anyDelivery(kind DeliveryKind, is func(Delivery) bool) bool {
	return slices.ContainsFunc(f.Deliveries, func(d Delivery) bool { return d.Kind == kind && is(d) })
}

func isReady(d Delivery) bool { return d.State == Ready }
func isDone(d Delivery) bool  { return d.State == DocumentDelivered }
func isOpen(d Delivery) bool  { return d.State == Waiting || d.State == Ready }
