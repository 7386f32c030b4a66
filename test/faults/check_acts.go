package faults

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"ordergate/order"
)

// acts judges what was done with one order: its actions one after the other, as their intents have them, and then what Odoo has of it.
func (c *checker) acts(orderKey string, acts []acted) {
	ids := c.orders[orderKey]
	if len(ids) != 1 {
		return // what is wrong with that is said elsewhere
	}
	o := c.byID[ids[0]]
	l := newLife(o, c.placedWith(orderKey), c.byDelivery)
	slices.SortStableFunc(acts, func(a, b acted) int { return cmp.Compare(c.turn(a), c.turn(b)) })
	for _, a := range acts {
		if len(a.exchanges) == 0 {
			continue
		}
		c.oneAnswer(asked{key: a.key, exchanges: a.exchanges})
		c.ends(asked{key: a.key})
		c.answeredAs(a)
		c.refusedForAReason(a, l)
		if leaves := deeds[a.act.Kind].leaves; leaves != nil && c.state(a) == order.Performed {
			leaves(&l, a)
		}
	}
	c.left(orderKey, o, l, acts)
}

// placedWith are the lines that an order was placed with.
func (c *checker) placedWith(orderKey string) []WishLine {
	for _, a := range c.wishes {
		for _, x := range a.exchanges {
			if a.key == orderKey && (x.meaning() == placed || x.meaning() == accepted) {
				return sentLines(x.Body)
			}
		}
	}
	return nil
}

// asPlaced are an order's lines without what a change that was carried out made of their quantities.
func (c *checker) asPlaced(orderKey string, lines []ERPLine) []ERPLine {
	quantities := c.placedWith(orderKey)
	changed := slices.ContainsFunc(c.acted[orderKey], func(a acted) bool { return a.act.Kind == order.Amend && c.state(a) == order.Performed })
	if !changed || len(quantities) != len(lines) {
		return lines
	}
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i].Quantity = float(quantities[i].Quantity)
	}
	return lines
}

func (c *checker) state(a acted) order.IntentState {
	return order.IntentState(c.intents[a.key]["state"])
}

// turn is when an action held its order: one at a time does. What has no intent came to nothing.
func (c *checker) turn(a acted) int64 { return atoi(c.intents[a.key]["id"]) }

// answeredAs: what was answered is how the intent ended. A 202 comes to its end: it is done, or refused for a reason of the order's or Odoo's.
func (c *checker) answeredAs(a acted) {
	state := c.state(a)
	for _, x := range a.exchanges {
		switch m := x.meaning(); {
		case m == placed && state != order.Performed:
			c.violated(Kept, a.key, "was answered %d at %dms, and its intent is %q", x.Status, x.Answered.Milliseconds(), state)
		case m == refused && state == order.Performed:
			c.violated(Nothing, a.key, "was refused at %dms with %s, and its intent is performed", x.Answered.Milliseconds(), x.Code)
		case m == accepted && state == "":
			c.violated(Kept, a.key, "was accepted with 202 at %dms, and there is no intent", x.Answered.Milliseconds())
		case m == accepted && (state == order.Refused || state == order.Rejected && strings.Contains(c.intents[a.key]["failure"], `"kind":"unavailable"`)):
			c.violated(Kept, a.key, "was accepted with 202 at %dms, and ended %s: %s", x.Answered.Milliseconds(), state, c.intents[a.key]["failure"])
		}
	}
}

// refusedForAReason: only what the order's own life does not allow is refused for good. Trouble is no reason.
func (c *checker) refusedForAReason(a acted, l life) {
	for _, x := range a.exchanges {
		if x.meaning() != refused || a.act.Doomed {
			continue
		}
		excuse := deeds[a.act.Kind].excuse
		switch {
		case x.Code == "action_not_possible" && !slices.Contains(order.Possible(l.status()), a.act.Kind):
		case excuse != nil && excuse(l, a, x.Code):
		default:
			c.violated(Answer, a.key, "was refused at %dms with %d %s, and the order is %s: %s", x.Answered.Milliseconds(), x.Status, x.Code, l.status(),
				strings.TrimSpace(x.Answer))
		}
	}
}

// left: Odoo has of the order what the actions that were carried out leave, each of them once, and nothing else.
func (c *checker) left(key string, o ERPOrder, l life, acts []acted) {
	states := []string{"draft", "sent"}
	switch {
	case l.cancelled:
		states = []string{"cancel"}
	case l.confirmed:
		states = []string{"sale", "done"}
	}
	switch {
	case !slices.Contains(states, o.State):
		c.violated(Done, key, "Odoo has the order in state %s, and what was done leaves it in %v", o.State, states)
	case o.OnHold != l.onHold:
		c.violated(Done, key, "Odoo's order is on hold: %t, and what was done leaves it so: %t", o.OnHold, l.onHold)
	case l.warehouse != "" && o.Warehouse != l.warehouse:
		c.violated(Done, key, "Odoo's order is sent from warehouse %s, and was assigned to %s", o.Warehouse, l.warehouse)
	}
	for i, line := range o.Lines {
		has := [...]float64{line.Quantity, line.Delivered, line.Invoiced, back(o.Returns, line.ID)}
		leaves := [...]float64{l.ordered[line.ID], l.delivered(line.ID), l.invoiced[line.ID], l.asked[line.ID]}
		for what, quantity := range has {
			if !near(quantity, leaves[what]) {
				c.violated(Done, key, "of line %d Odoo has ordered, delivered, invoiced and asked back %v, and what was done leaves %v", i+1, has, leaves)
				break
			}
		}
	}
	c.transfers(key, o, l)
	c.billed(key, o, l)
	c.paid(key, o, l, acts)
}

// back is how much of a line is to come back, or has.
func back(returns map[int64]map[int64]float64, line int64) (sum float64) {
	for _, quantities := range returns {
		sum += quantities[line]
	}
	return sum
}

// transfers: as many deliveries went out as fulfilments were carried out, and those returns came in that were received.
func (c *checker) transfers(key string, o ERPOrder, l life) {
	sent := 0
	for _, d := range o.Deliveries {
		switch {
		case d.Return && (d.State == "done") != l.received[d.ID]:
			c.violated(Done, key, "Odoo has the return %d in state %s, and that it was received is %t", d.ID, d.State, l.received[d.ID])
		case !d.Return && d.State == "done":
			sent++
		}
	}
	if sent != l.deliveries {
		c.violated(Done, key, "Odoo has %d deliveries that are done, and %d fulfilments were carried out", sent, l.deliveries)
	}
}

// billed: every invoice and every refund that was carried out is there and posted, and no other.
func (c *checker) billed(key string, o ERPOrder, l life) {
	posted, credited := 0, map[string]bool{}
	for _, in := range o.Invoices {
		switch {
		case in.State == "draft":
			c.violated(Done, key, "there is a draft of an invoice that nobody asked for")
		case in.State == "posted" && in.CreditNote:
			credited[keyOfMemo(in.Reference)] = true
		case in.State == "posted":
			posted++
		}
	}
	if posted != l.invoices {
		c.violated(Done, key, "Odoo has %d posted invoices, and %d were made", posted, l.invoices)
	}
	for _, refund := range l.refunds {
		if !credited[refund] {
			c.violated(Done, refund, "was carried out, and Odoo has no credit note of it")
		}
		delete(credited, refund)
	}
	for refund := range credited {
		c.violated(Done, key, "Odoo has a credit note of %q, which was not carried out", refund)
	}
}

// paid: every payment that was carried out is there once, with its amount, and no other.
func (c *checker) paid(key string, o ERPOrder, l life, acts []acted) {
	in := 0.0 // less what was paid out
	for _, a := range acts {
		amounts := c.payments[a.key]
		carriedOut, there := l.paid[a.key]
		switch {
		case there && len(amounts) == 1 && near(math.Abs(amounts[0]), carriedOut.amount):
		case there || len(amounts) > 0:
			c.violated(Done, a.key, "is a payment of %g that ended %q, and Odoo has the payments %v", a.amount(), c.state(a), amounts)
		}
		for _, amount := range amounts {
			in += amount
		}
	}
	settled := 0.0 // what invoices and credit notes set off against each other is in both
	for _, invoice := range o.Invoices {
		switch {
		case invoice.State != "posted":
		case invoice.CreditNote:
			settled -= invoice.Total - invoice.Due
		default:
			settled += invoice.Total - invoice.Due
		}
	}
	if !near(settled, in) {
		c.violated(Done, key, "%g were paid, and the invoices show %g", in, settled)
	}
}
