package faults

import (
	"cmp"
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
	l := newLife(o, c.byDelivery)
	slices.SortStableFunc(acts, func(a, b acted) int { return cmp.Compare(c.turn(a), c.turn(b)) })
	for _, a := range acts {
		if len(a.exchanges) == 0 {
			continue
		}
		c.oneAnswer(asked{key: a.key, exchanges: a.exchanges})
		c.ends(asked{key: a.key})
		c.answeredAs(a)
		c.refusedForAReason(a, l)
		if c.state(a) == order.Performed {
			deeds[a.act.Kind].leaves(&l, a)
		}
	}
	c.left(orderKey, o, l, acts)
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
	done := 0
	for _, d := range o.Deliveries {
		if d.State == "done" {
			done++
		}
	}
	posted := 0
	for _, in := range o.Invoices {
		switch in.State {
		case "posted":
			posted++
		case "draft":
			c.violated(Done, key, "there is a draft of an invoice that nobody asked for")
		}
	}
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
	case done != l.deliveries:
		c.violated(Done, key, "Odoo has %d deliveries that are done, and %d fulfilments were carried out", done, l.deliveries)
	case posted != l.invoices:
		c.violated(Done, key, "Odoo has %d posted invoices, and %d were made", posted, l.invoices)
	}
	for i, line := range o.Lines {
		if !near(line.Delivered, l.delivered[line.ID]) || !near(line.Invoiced, l.invoiced[line.ID]) {
			c.violated(Done, key, "of line %d %g are delivered and %g invoiced in Odoo, and what was done leaves %g and %g", i+1, line.Delivered,
				line.Invoiced, l.delivered[line.ID], l.invoiced[line.ID])
		}
	}
	c.paid(key, o, l, acts)
}

// paid: every payment that was carried out is there once, with its amount, and no other.
func (c *checker) paid(key string, o ERPOrder, l life, acts []acted) {
	sum := 0.0
	for _, a := range acts {
		amounts := c.payments[a.key]
		amount, carriedOut := l.paid[a.key]
		switch {
		case carriedOut && len(amounts) == 1 && near(amounts[0], amount):
		case carriedOut || len(amounts) > 0:
			c.violated(Done, a.key, "is a payment of %g that ended %q, and Odoo has the payments %v", a.amount(), c.state(a), amounts)
		}
		for _, amount := range amounts {
			sum += amount
		}
	}
	total, due := 0.0, 0.0
	for _, in := range o.Invoices {
		if in.State == "posted" {
			total, due = total+in.Total, due+in.Due
		}
	}
	if !near(total-due, sum) {
		c.violated(Done, key, "%g were paid, and of the invoices over %g are %g due", sum, total, due)
	}
}
