package faults

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ordergate/order"
)

// evidence is all that is known at the end of a run.
type evidence struct {
	wishes   []asked
	intents  map[string]row     // by key
	orders   map[string][]int64 // in Odoo, by reference, rising
	byID     map[int64]ERPOrder
	acted    map[string][]acted   // what clients did with their orders, by the key of the order
	payments map[string][]float64 // the amounts of the payments in Odoo, by key
	// byDelivery are the products of which what was delivered is invoiced, and not what was ordered.
	byDelivery map[int64]bool
	verified   string           // what the verification of the histories found; empty: nothing
	products   map[string]int64 // ids by SKU
	mirror     []row            // rows of orders that have a key of this run
	changes    changes
	seen       sightings
	bounds     bounds
	open       []row // intents that were still on their way when the time for that was over
	within     time.Duration
}

// asked is a wish and what came of it.
type asked struct {
	key       string
	customer  string
	wish      Wish
	exchanges []*Exchange // by the time they were sent
}

// bounds are what must not be exceeded.
type bounds struct {
	queue, backlog, memory int64
}

// check judges the evidence. It asks nobody anything.
func check(e evidence) []Violation {
	c := checker{evidence: e}
	for _, a := range e.wishes {
		c.once(a)
		c.kept(a)
		c.nothing(a)
		c.forAReason(a)
		c.oneAnswer(a)
		c.edits(a)
		c.deletions(a)
		c.ends(a)
	}
	for _, key := range sortedKeys(e.acted) {
		c.acts(key, e.acted[key])
	}
	if e.verified != "" {
		c.violated(History, "", "%s", e.verified)
	}
	c.inTurn()
	c.erpFirst()
	c.bounded()
	for _, what := range e.changes.died {
		c.violated(Alive, "", "%s", what)
	}
	return c.violations
}

type checker struct {
	evidence
	violations []Violation
}

func (c *checker) violated(p Promise, key, format string, args ...any) {
	c.violations = append(c.violations, Violation{Promise: p, Key: key, Detail: fmt.Sprintf(format, args...)})
}

// once: at no time more than one order of a key in Odoo.
func (c *checker) once(a asked) {
	ids := c.orders[a.key]
	if seen := c.seen.doubles[a.key]; len(seen) > len(ids) {
		ids = seen
	}
	if len(ids) > 1 {
		c.violated(Once, a.key, "Odoo has, or had, the orders %v", ids)
	}
}

// kept: what was answered 201, and every 202 that has come to its end, is in Odoo with the lines that were sent. A 202 ends
// placed, rejected for a reason of the ERP's, or called off; nothing else.
func (c *checker) kept(a asked) {
	var acknowledged *Exchange
	for _, x := range a.exchanges {
		switch x.meaning() {
		case placed:
			c.sameOrder(a, x, x.OrderID)
		case accepted:
			acknowledged = x
		}
	}
	if acknowledged == nil {
		return
	}
	intent, there := c.intents[a.key]
	if !there {
		c.violated(Kept, a.key, "was accepted with 202 at %dms, and there is no intent", acknowledged.Answered.Milliseconds())
		return
	}
	switch order.IntentState(intent["state"]) {
	case order.Placed:
		c.sameOrder(a, acknowledged, atoi(intent["erp_order_id"]))
	case order.Rejected:
		if strings.Contains(intent["failure"], `"kind":"unavailable"`) || intent["failure"] == "" {
			c.violated(Kept, a.key, "was accepted with 202 at %dms, and rejected for no reason of the ERP's: %s",
				acknowledged.Answered.Milliseconds(), intent["failure"])
		}
	case order.Refused:
		c.violated(Kept, a.key, "was accepted with 202 at %dms, and refused later: %s", acknowledged.Answered.Milliseconds(), intent["failure"])
	}
}

// sameOrder: the order is in Odoo, or was deleted by people, and is what the request said, or what people made of it.
func (c *checker) sameOrder(a asked, x *Exchange, id int64) {
	o, there := c.byID[id]
	switch {
	case c.changes.deleted[a.key] == id:
		return
	case !there:
		c.violated(Kept, a.key, "was answered %d with order %d, and Odoo has no such order", x.Status, id)
		return
	case o.Reference != a.key:
		c.violated(Kept, a.key, "was answered %d with order %d, which is order %q", x.Status, id, o.Reference)
		return
	case c.changes.edited[a.key]:
		return
	}
	if difference := c.difference(sentLines(x.Body), c.asPlaced(a.key, o.Lines)); difference != "" {
		c.violated(Kept, a.key, "order %d is not what was sent at %dms: %s", id, x.Sent.Milliseconds(), difference)
	}
}

// difference says in what the lines that Odoo has are not those that were sent; empty if they are.
func (c *checker) difference(sent []WishLine, has []ERPLine) string {
	if len(sent) != len(has) {
		return fmt.Sprintf("%d lines were sent, Odoo has %d", len(sent), len(has))
	}
	for i, l := range sent {
		quantity, _ := strconv.ParseFloat(l.Quantity, 64)
		price, _ := strconv.ParseFloat(l.Price, 64)
		switch h := has[i]; {
		case h.ProductID != c.products[l.SKU]:
			return fmt.Sprintf("line %d is of product %d, not of %s", i+1, h.ProductID, l.SKU)
		case math.Abs(h.Quantity-quantity) > 1e-6:
			return fmt.Sprintf("line %d has the quantity %g, not %s", i+1, h.Quantity, l.Quantity)
		case l.Price != "" && math.Abs(h.Price-price) > 1e-6:
			return fmt.Sprintf("line %d has the price %g, not %s", i+1, h.Price, l.Price)
		}
	}
	return ""
}

// nothing: a refusal leaves no order. A 4xx says so of the key; a 503 only of its own request, so that an order of
// another request that nobody knows the outcome of, or that was accepted, does not count against it. What counts is the last
// answer: a retry after a 503 may well succeed.
func (c *checker) nothing(a asked) {
	var last *Exchange
	onlyRefusals := true
	for _, x := range a.exchanges {
		switch x.meaning() {
		case refused, notAccepted:
			if last == nil || x.Answered >= last.Answered {
				last = x
			}
		case placed, accepted, promisesNothing, unexpected:
			onlyRefusals = false
			if x.meaning() == placed || x.meaning() == accepted {
				if last == nil || x.Answered >= last.Answered {
					last = x
				}
			}
		}
	}
	if len(c.orders[a.key]) == 0 {
		return
	}
	if state := order.IntentState(c.intents[a.key]["state"]); state == order.Rejected || state == order.Refused {
		c.violated(Nothing, a.key, "its intent ended %s, and Odoo has %v", state, c.orders[a.key])
	}
	if last == nil {
		return
	}
	switch m := last.meaning(); {
	case m == refused && last.Code == "intent_cancelled":
		for _, id := range c.orders[a.key] {
			if state := c.byID[id].State; state != "cancel" {
				c.violated(Nothing, a.key, "was called off, and order %d is there in state %s", id, state)
			}
		}
	case m == refused:
		c.violated(Nothing, a.key, "its last answer is %d %s, and Odoo has %v", last.Status, last.Code, c.orders[a.key])
	case m == notAccepted && onlyRefusals:
		c.violated(Nothing, a.key, "all its answers are refusals, the last %d %s, and Odoo has %v", last.Status, last.Code, c.orders[a.key])
	}
}

// forAReason: only what is wrong with an order itself refuses it for good. Trouble is no reason.
func (c *checker) forAReason(a asked) {
	if a.wish.Bad != "" {
		return
	}
	sound := map[string]bool{"intent_cancelled": true, "deleted_in_erp": true}
	for _, x := range a.exchanges {
		if x.meaning() == refused && !sound[x.Code] {
			c.violated(Answer, a.key, "nothing is wrong with the order, and it was refused at %dms: %d %s", x.Answered.Milliseconds(),
				x.Status, x.Code)
		}
	}
	if in := c.intents[a.key]; in["state"] == string(order.Rejected) && !strings.Contains(in["failure"], `"code":"deleted_in_erp"`) {
		c.violated(Answer, a.key, "nothing is wrong with the order, and it is rejected: %s", in["failure"])
	}
}

// oneAnswer: a key and a body have one definite answer, and its replays are the same to the byte; another body is refused.
func (c *checker) oneAnswer(a asked) {
	type definite struct {
		x       *Exchange
		content string
	}
	var first *definite
	bodies := map[string]*Exchange{} // that were accepted or placed
	for _, x := range a.exchanges {
		m := x.meaning()
		if m == unexpected {
			c.violated(Answer, a.key, "the gateway said %d %s: %s", x.Status, x.Code, strings.TrimSpace(x.Answer))
		}
		if m == placed || m == accepted {
			bodies[x.Body] = x
		}
		if m != placed && (m != refused || x.Code == "unknown_sku") {
			continue // an unknown SKU is refused before there is anything to remember
		}
		d := &definite{x, withoutRequestID(x.Answer)}
		switch {
		case first == nil:
			first = d
		case first.x.Status != x.Status:
			c.violated(Answer, a.key, "was answered %d at %dms and %d at %dms", first.x.Status, first.x.Answered.Milliseconds(),
				x.Status, x.Answered.Milliseconds())
		case first.content != d.content:
			c.violated(Answer, a.key, "was answered differently at %dms and %dms:\n    %s\n    %s", first.x.Answered.Milliseconds(),
				x.Answered.Milliseconds(), first.content, d.content)
		}
	}
	if len(bodies) > 1 {
		c.violated(Answer, a.key, "two different orders were taken under one key")
	}
}

// edits: what people changed stays as they left it.
func (c *checker) edits(a asked) {
	if !c.changes.edited[a.key] {
		return
	}
	for _, id := range c.orders[a.key] {
		if o := c.byID[id]; !edited(o) {
			c.violated(Edits, a.key, "people edited order %d, and it has the note %q and the lines %v", id, o.Note, o.Lines)
		}
	}
}

// deletions: what people deleted does not come back, under whatever id.
func (c *checker) deletions(a asked) {
	if id := c.changes.deleted[a.key]; id != 0 && len(c.orders[a.key]) > 0 {
		c.violated(Deleted, a.key, "people deleted order %d, and Odoo has %v", id, c.orders[a.key])
	}
}

// ends: every intent comes to its end in time. One whose order Odoo cannot cope with may wait for an operator.
func (c *checker) ends(a asked) {
	for _, open := range c.open {
		if open["idempotency_key"] == a.key {
			c.violated(Ends, a.key, "is still %s %s after the faults", open["state"], c.within)
		}
	}
	if c.intents[a.key]["state"] == string(order.Parked) && a.wish.Bad != BadPoison {
		c.violated(Ends, a.key, "is parked: %s", c.intents[a.key]["failure"])
	}
}

// inTurn: of a customer's queued orders, one that was accepted before the next was sent has the lower number in Odoo.
func (c *checker) inTurn() {
	type queued struct {
		key            string
		sent, accepted time.Duration
		id             int64
	}
	byCustomer := map[string][]queued{}
	for _, a := range c.wishes {
		q := queued{key: a.key}
		for _, x := range a.exchanges {
			if !x.Async && x.meaning() != placed {
				q.key = "" // asked for at once as well: it need not wait for its turn
			}
			if x.meaning() == accepted && q.accepted == 0 {
				q.accepted = x.Answered
			}
		}
		if a.wish.Bad == BadPoison {
			continue // it is parked, and the others no longer wait for it
		}
		if q.key == "" || q.accepted == 0 || len(c.orders[a.key]) != 1 || c.changes.deleted[a.key] != 0 {
			continue
		}
		q.sent, q.id = a.exchanges[0].Sent, c.orders[a.key][0]
		byCustomer[a.customer] = append(byCustomer[a.customer], q)
	}
	for customer, all := range byCustomer {
		for _, earlier := range all {
			for _, later := range all {
				if earlier.accepted < later.sent && earlier.id > later.id {
					c.violated(InTurn, later.key, "customer %s: %s was accepted before it was sent, and became order %d after %d",
						customer, earlier.key, earlier.id, later.id)
					c.violations[len(c.violations)-1].Other = earlier.key
				}
			}
		}
	}
}

// erpFirst: the mirror holds no order that Odoo does not have, but for deleted ones, and what it holds is what Odoo says.
func (c *checker) erpFirst() {
	for id, key := range c.seen.ghosts {
		c.violated(ERPFirst, key, "order %d was in the mirror and not in Odoo", id)
	}
	for _, m := range c.mirror {
		id := atoi(m["erp_order_id"])
		o, there := c.byID[id]
		switch {
		case !there && (m["deleted_at"] != "" || c.changes.deleted[m["reference"]] == id):
		case !there:
			c.violated(ERPFirst, m["reference"], "order %d is in the mirror and not in Odoo", id)
		default:
			if total, _ := strconv.ParseFloat(m["amount_total"], 64); math.Abs(total-o.Total) > 1e-6 {
				c.violated(ERPFirst, m["reference"], "order %d has the total %s in the mirror and %g in Odoo", id, m["amount_total"], o.Total)
			}
			stands := standing(o)
			said := [...]string{m["status"], m["fulfilment"], m["payment"]}
			if is := [...]string{string(stands.Status), string(stands.Fulfilment), string(stands.Payment)}; said != is {
				c.violated(ERPFirst, m["reference"], "order %d is %v in the mirror, and by what Odoo has %v", id, said, is)
			}
		}
	}
}

func (c *checker) bounded() {
	for _, b := range []struct {
		what        string
		seen, limit int64
	}{
		{"orders waited in the queue", c.seen.queue, c.bounds.queue},
		{"orders waited in the backlog", c.seen.backlog, c.bounds.backlog},
		{"bytes were resident", c.seen.memory, c.bounds.memory},
	} {
		if b.seen > b.limit {
			c.violated(Bounded, "", "%d %s, where %d are the limit", b.seen, b.what, b.limit)
		}
	}
	if c.seen.measured == 0 {
		c.violated(Bounded, "", "the metrics could not be read once")
	}
}
