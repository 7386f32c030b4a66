package faults

import (
	"cmp"
	"encoding/json"
	"math"

	"github.com/shopspring/decimal"

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
	Amount    string
	Warehouse string
	Lines     []struct {
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

// lines are the quantities that are asked for, by line; none: all that is left.
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

	warehouse string // the code of the one that it was assigned to; empty: Odoo's own choice

	// Quantities by line. What is invoiced is less what is credited.
	ordered, sent, invoiced, credited map[int64]float64
	asked, back                       map[int64]float64 // what is to come back or has, and what has
	byDelivery                        map[int64]bool    // lines of which what was delivered is invoiced, not what was ordered

	returns  map[int64]map[int64]float64 // what comes back with each return that Odoo has, by line
	received map[int64]bool

	deliveries, invoices int
	refunds              []string           // their keys
	paid                 map[string]payment // by the key of the payment
	totals               map[int64]float64  // what the posted invoices and credit notes come to that Odoo has in the end
}

// payment is what was paid of an invoice.
type payment struct {
	invoice int64
	amount  float64
}

// newLife is an order right after it was placed with these quantities; with those that it has, where nobody was told that it was.
func newLife(o ERPOrder, quantities []WishLine, byDelivery map[int64]bool) life {
	l := life{ordered: map[int64]float64{}, sent: map[int64]float64{}, invoiced: map[int64]float64{}, credited: map[int64]float64{},
		asked: map[int64]float64{}, back: map[int64]float64{}, byDelivery: map[int64]bool{}, returns: o.Returns, received: map[int64]bool{},
		paid: map[string]payment{}, totals: map[int64]float64{}}
	for i, line := range o.Lines {
		l.byDelivery[line.ID], l.ordered[line.ID] = byDelivery[line.ProductID], line.Quantity
		if i < len(quantities) {
			l.ordered[line.ID] = float(quantities[i].Quantity)
		}
	}
	for _, in := range o.Invoices {
		if in.State == "posted" {
			l.totals[in.ID] = in.Total
		}
	}
	return l
}

// orAll are the quantities, or, if there are none, all of what is left of every line.
func (l life) orAll(lines map[int64]float64, left func(line int64) float64) map[int64]float64 {
	if len(lines) > 0 {
		return lines
	}
	all := map[int64]float64{}
	for id := range l.ordered {
		all[id] = max(0, left(id))
	}
	return all
}

// send, askBack and credit take quantities by line; none: all that is left.
func (l *life) send(lines map[int64]float64) {
	for id, quantity := range l.orAll(lines, func(id int64) float64 { return l.ordered[id] - l.sent[id] }) {
		l.sent[id] += quantity
	}
}

func (l *life) askBack(lines map[int64]float64) {
	for id, quantity := range l.orAll(lines, func(id int64) float64 { return l.sent[id] - l.asked[id] }) {
		l.asked[id] += quantity
	}
}

func (l *life) credit(lines map[int64]float64) {
	for id, quantity := range l.orAll(lines, l.toCredit) {
		l.credited[id], l.invoiced[id] = l.credited[id]+quantity, l.invoiced[id]-quantity
	}
}

// receive may be asked for more than once: the goods came once.
func (l *life) receive(returnID int64) {
	if l.received[returnID] {
		return
	}
	l.received[returnID] = true
	for id, quantity := range l.returns[returnID] {
		l.back[id] += quantity
	}
}

// toCredit is what of a line came back and is not credited.
func (l life) toCredit(line int64) float64 {
	return min(l.back[line]-l.credited[line], l.invoiced[line])
}

// any reports whether there is something of any line.
func (l life) any(of func(line int64) float64) bool {
	for id := range l.ordered {
		if of(id) > 0 {
			return true
		}
	}
	return false
}

func (l life) isOpen() bool {
	return l.any(func(id int64) float64 { return l.ordered[id] - l.sent[id] })
}
func (l life) isWithCustomer() bool {
	return l.any(func(id int64) float64 { return l.sent[id] - l.asked[id] })
}
func (l life) isToCredit() bool { return l.any(l.toCredit) }
func (l life) isInvoiced() bool { return l.any(func(id int64) float64 { return l.invoiced[id] }) }
func (l life) toInvoice() bool {
	return l.any(func(id int64) float64 { return l.billable(id) - l.invoiced[id] })
}

// due is no less than what is due of an invoice by the payments alone; credit notes may have taken off more.
func (l life) due(invoice int64) float64 {
	if len(l.refunds) > 0 {
		return 0
	}
	due := l.totals[invoice]
	for _, p := range l.paid {
		if p.invoice == invoice {
			due -= p.amount
		}
	}
	return due
}

// status is what the order's status is, as far as it matters to what may be done: one that is confirmed may also be in preparation, and one
// that is delivered may also be completed.
func (l life) status() order.Status {
	switch {
	case l.cancelled:
		return order.Cancelled
	case l.confirmed && !l.isOpen():
		return order.Delivered
	case l.confirmed && l.any(func(id int64) float64 { return l.sent[id] }):
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

// delivered is what of a line is with the customer.
func (l life) delivered(line int64) float64 { return l.sent[line] - l.back[line] }

// billable is how much of a line is to be invoiced in all.
func (l life) billable(line int64) float64 {
	if l.byDelivery[line] {
		return l.delivered(line)
	}
	return l.ordered[line]
}

// standing is what the gateway must say of an order by what Odoo has of it.
func standing(o ERPOrder) order.Standing {
	f := order.Facts{State: order.ERPState(o.State), OnHold: o.OnHold, Approved: o.Approved}
	for _, l := range o.Lines {
		f.Lines = append(f.Lines, order.LineFacts{Goods: true, Quantity: decimal.NewFromFloat(l.Quantity),
			Delivered: decimal.NewFromFloat(l.Delivered), Invoiced: decimal.NewFromFloat(l.Invoiced)})
	}
	for _, d := range o.Deliveries {
		kind := order.DeliveryOutgoing
		if d.Return {
			kind = order.DeliveryReturn
		}
		states := map[string]order.DocumentState{"assigned": order.Ready, "done": order.DocumentDelivered, "cancel": order.DocumentCancelled}
		f.Deliveries = append(f.Deliveries, order.Delivery{Kind: kind, State: cmp.Or(states[d.State], order.Waiting)})
	}
	for _, in := range o.Invoices {
		states := map[string]order.DocumentState{"posted": order.Posted, "cancel": order.DocumentCancelled}
		f.Invoices = append(f.Invoices, order.Invoice{State: cmp.Or(states[in.State], order.Open), CreditNote: in.CreditNote,
			AmountTotal: decimal.NewFromFloat(in.Total), AmountDue: decimal.NewFromFloat(in.Due)})
	}
	return f.Standing()
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }
