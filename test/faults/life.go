package faults

import (
	"encoding/json"
	"math"

	"ordergate/order"
)

// acted is an action of a client, and what came of it.
type acted struct {
	key       string
	orderKey  string // of the wish
	act       Act
	exchanges []*Exchange // by the time they were sent; none if the client never came to it
}

// request is what was sent.
func (a acted) request() (r struct {
	Amount string
	Lines  []struct {
		ID       int64 `json:"erp_line_id"`
		Quantity string
	}
}) {
	if len(a.exchanges) > 0 {
		_ = json.Unmarshal([]byte(a.exchanges[0].Body), &r) // an action without a body asks for nothing in particular
	}
	return r
}

func (a acted) amount() float64 { return float(a.request().Amount) }

// lines are the quantities that are to be sent out; none: all that is left.
func (a acted) lines() map[int64]float64 {
	lines := map[int64]float64{}
	for _, l := range a.request().Lines {
		lines[l.ID] = float(l.Quantity)
	}
	return lines
}

// life is how an order must stand in Odoo after the actions that were carried out, and nothing else.
type life struct {
	onHold, approved, confirmed, cancelled bool

	ordered, delivered, invoiced map[int64]float64 // by line
	byDelivery                   map[int64]bool    // lines of which what was delivered is invoiced, not what was ordered

	deliveries, invoices int
	paid                 map[string]float64 // by the key of the payment
	posted               float64            // what the invoices that Odoo has in the end come to
}

// newLife is an order right after it was placed.
func newLife(o ERPOrder, byDelivery map[int64]bool) life {
	l := life{ordered: map[int64]float64{}, delivered: map[int64]float64{}, invoiced: map[int64]float64{}, byDelivery: map[int64]bool{}, paid: map[string]float64{}}
	for _, line := range o.Lines {
		l.ordered[line.ID], l.byDelivery[line.ID] = line.Quantity, byDelivery[line.ProductID]
	}
	for _, in := range o.Invoices {
		if in.State == "posted" {
			l.posted += in.Total
		}
	}
	return l
}

// due is no less than what is due of the invoices.
func (l life) due() float64 {
	due := l.posted
	for _, amount := range l.paid {
		due -= amount
	}
	return due
}

// status is what the order's status is, as far as it matters to what may be done: one that is confirmed may also be in preparation, and one
// that is delivered may also be completed.
func (l life) status() order.Status {
	some, all := false, true
	for id, quantity := range l.ordered {
		some, all = some || l.delivered[id] > 0, all && l.delivered[id] >= quantity
	}
	switch {
	case l.cancelled:
		return order.Cancelled
	case l.confirmed && all:
		return order.Delivered
	case l.confirmed && some:
		return order.Shipped
	case l.confirmed:
		return order.Confirmed
	case l.onHold:
		return order.OnHold
	case l.approved:
		return order.Approved
	}
	return order.Draft
}

// billable is how much of a line is to be invoiced in all.
func (l life) billable(line int64) float64 {
	if l.byDelivery[line] {
		return l.delivered[line]
	}
	return l.ordered[line]
}

func (l life) toInvoice() bool {
	for id := range l.ordered {
		if l.billable(id) > l.invoiced[id] {
			return true
		}
	}
	return false
}

// standing is what the gateway must say of an order by what Odoo has of it.
func standing(o ERPOrder) (order.Status, order.Fulfilment, order.Payment) {
	some, all := false, true
	for _, l := range o.Lines {
		some, all = some || l.Delivered > 0, all && l.Delivered >= l.Quantity
	}
	fulfilment := order.FulfilmentNone
	switch {
	case all:
		fulfilment = order.FulfilmentFull
	case some:
		fulfilment = order.FulfilmentPartial
	}
	switch o.State {
	case "draft", "sent":
		switch {
		case o.OnHold:
			return order.OnHold, order.FulfilmentNone, order.PaymentNone
		case o.Approved:
			return order.Approved, order.FulfilmentNone, order.PaymentNone
		}
		return order.Draft, order.FulfilmentNone, order.PaymentNone
	case "cancel":
		return order.Cancelled, fulfilment, o.payment()
	}
	return o.progress(some), fulfilment, o.payment()
}

// progress is the status of a sales order of which something has left, or nothing.
func (o ERPOrder) progress(left bool) order.Status {
	open, ready := false, false
	for _, d := range o.Deliveries {
		open = open || d.State != "done" && d.State != "cancel"
		ready = ready || d.State == "assigned"
	}
	settled := o.payment() == order.PaymentPaid
	for _, l := range o.Lines {
		settled = settled && near(l.Invoiced, l.Delivered)
	}
	switch {
	case left && open:
		return order.Shipped
	case left && settled:
		return order.Completed
	case left:
		return order.Delivered
	case ready:
		return order.Picking
	}
	return order.Confirmed
}

func (o ERPOrder) payment() order.Payment {
	total, due, posted := 0.0, 0.0, 0
	for _, in := range o.Invoices {
		if in.State == "posted" {
			total, due, posted = total+in.Total, due+in.Due, posted+1
		}
	}
	switch {
	case posted == 0:
		return order.PaymentNone
	case near(due, 0):
		return order.PaymentPaid
	case near(due, total):
		return order.PaymentUnpaid
	}
	return order.PaymentPartial
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }
