package faults

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

const sentBody = `{"lines":[{"sku":"A","quantity":"2"},{"sku":"B","quantity":"3","unit_price":"4.50"}]}`

// sound is the evidence of a run in which everything went well: k1 was placed, k2 accepted, placed, replayed, confirmed, sent out in part,
// invoiced as far as it may be, and paid in part.
func sound() evidence {
	lines := []ERPLine{erpLine(1, 101, 2, 10), erpLine(2, 102, 3, 4.5)}
	return evidence{
		wishes: []asked{
			{key: "k1", customer: "c", exchanges: []*Exchange{answered("k1", 1, 201, `{"id":11}`)}},
			{key: "k2", customer: "c", exchanges: []*Exchange{queuedAt("k2", 2), answered("k2", 3, 201, `{"id":12}`), answered("k2", 4, 201, `{"id":12}`)}},
		},
		intents: map[string]row{
			"k1":   {"state": "placed", "erp_order_id": "11"},
			"k2":   {"state": "placed", "erp_order_id": "12"},
			"k2.0": {"state": "performed", "id": "1"}, "k2.1": {"state": "performed", "id": "2"},
			"k2.2": {"state": "performed", "id": "3"}, "k2.3": {"state": "performed", "id": "4"},
		},
		acted: map[string][]acted{"k2": {
			did("k2.0", order.Confirm, "", actDone("k2.0", 5)),
			did("k2.1", order.Fulfil, `{"lines":[{"erp_line_id":2,"quantity":"1"}]}`, actDone("k2.1", 6), actDone("k2.1", 7)),
			did("k2.2", order.Bill, "", actAnswered("k2.2", 8, 202, "in_doubt")),
			did("k2.3", order.Pay, `{"amount":"13.50"}`, actAnswered("k2.3", 9, 0, ""), actDone("k2.3", 10)),
		}},
		payments:   map[string][]float64{"k2.3": {13.5}},
		byDelivery: map[int64]bool{102: true},
		orders:     map[string][]int64{"k1": {11}, "k2": {12}},
		byID: map[int64]ERPOrder{11: {ID: 11, State: "draft", Reference: "k1", Total: 33.5, Lines: lines}, 12: {
			ID: 12, State: "sale", Approved: true, Reference: "k2", Total: 33.5,
			Lines:      []ERPLine{{ID: 1, ProductID: 101, Quantity: 2, Price: 10, Invoiced: 2}, {ID: 2, ProductID: 102, Quantity: 3, Price: 4.5, Delivered: 1, Invoiced: 1}},
			Deliveries: []ERPDelivery{{ID: 7, State: "done"}, {ID: 8, State: "assigned"}},
			Invoices:   []ERPInvoice{{ID: 9, State: "posted", Total: 24.5, Due: 11}},
		}},
		products: map[string]int64{"A": 101, "B": 102},
		mirror: []row{
			{"erp_order_id": "11", "reference": "k1", "amount_total": "33.50", "status": "draft", "fulfilment": "none", "payment": "none"},
			{"erp_order_id": "12", "reference": "k2", "amount_total": "33.50", "status": "shipped", "fulfilment": "partial", "payment": "partial"},
		},
		changes: changes{edited: map[string]bool{}, deleted: map[string]int64{}},
		seen:    sightings{doubles: map[string][]int64{}, ghosts: map[int64]string{}, queue: 3, backlog: 4, memory: 5, measured: 1},
		bounds:  bounds{3, 4, 5},
	}
}

func erpLine(id, product int64, quantity, price float64) ERPLine {
	return ERPLine{ID: id, ProductID: product, Quantity: quantity, Price: price}
}

func did(key string, kind order.ActionKind, body string, exchanges ...*Exchange) acted {
	path := map[order.ActionKind]string{order.Pay: "/invoices/9/payments", order.Receive: "/returns/10/receive"}[kind]
	for _, x := range exchanges {
		x.Path, x.Body = "/v1/orders/12"+path, body
	}
	return acted{key: key, orderKey: "k2", act: Act{Kind: kind}, exchanges: exchanges}
}

func actDone(key string, at int) *Exchange { return actAnswered(key, at, 200, "") }

func actAnswered(key string, at, status int, code string) *Exchange {
	x := answered(key, at, status, `{"code":"`+code+`"}`)
	x.Path = "/v1/orders/12"
	return x
}

// givenBack goes on from sound: the order was changed and assigned to a warehouse before it was confirmed, and in the end what was sent out
// came back and was credited.
func givenBack() evidence {
	e := sound()
	before := []acted{
		did("k2.8", order.Amend, `{"lines":[{"erp_line_id":1,"quantity":"4"}]}`, actDone("k2.8", 4)),
		did("k2.9", order.Assign, `{"warehouse":"OGF"}`, actDone("k2.9", 4)),
	}
	e.acted["k2"] = append(before, append(e.acted["k2"],
		did("k2.4", order.Return, `{"lines":[{"erp_line_id":2,"quantity":"1"}]}`, actDone("k2.4", 11)),
		did("k2.5", order.Receive, "", actDone("k2.5", 12)),
		did("k2.6", order.Refund, `{"reason":"k2.6"}`, actDone("k2.6", 13)))...)
	for i, key := range []string{"k2.8", "k2.9", "k2.0", "k2.1", "k2.2", "k2.3", "k2.4", "k2.5", "k2.6"} {
		e.intents[key] = row{"state": "performed", "id": strconv.Itoa(i + 1)}
	}
	e.becomes(func(o *ERPOrder) {
		o.Warehouse = "OGF"
		o.Lines[0].Quantity, o.Lines[0].Invoiced = 4, 4
		o.Lines[1].Delivered, o.Lines[1].Invoiced = 0, 0
		o.Deliveries = append(o.Deliveries, ERPDelivery{ID: 10, State: "done", Return: true})
		o.Returns = map[int64]map[int64]float64{10: {2: 1}}
		o.Invoices = append(o.Invoices, ERPInvoice{ID: 13, State: "posted", Total: 4.5, Due: 4.5, CreditNote: true, Reference: "Reversal of: INV/1, k2.6 (og-1234)"})
	})
	e.mirror[1]["fulfilment"] = "returned"
	return e
}

func TestWhatWasGivenBackIsChecked(t *testing.T) {
	t.Parallel()
	e := givenBack()
	require.Empty(t, check(e))
	for name, spoil := range map[string]func(e *evidence, o *ERPOrder){
		"a change that was made twice":      func(_ *evidence, o *ERPOrder) { o.Lines[0].Quantity = 6 },
		"a change that is not there":        func(_ *evidence, o *ERPOrder) { o.Lines[0].Quantity = 2 },
		"another warehouse":                 func(_ *evidence, o *ERPOrder) { o.Warehouse = "WH" },
		"goods that are asked back twice":   func(_ *evidence, o *ERPOrder) { o.Returns[14] = map[int64]float64{2: 1} },
		"a return that is not there":        func(_ *evidence, o *ERPOrder) { o.Returns = nil },
		"a return that was not received":    func(_ *evidence, o *ERPOrder) { o.Deliveries[2].State = "assigned" },
		"a return that nobody received":     func(e *evidence, _ *ERPOrder) { e.intents["k2.5"]["state"] = "rejected" },
		"goods that count as not come back": func(_ *evidence, o *ERPOrder) { o.Lines[1].Delivered = 1 },
		"a credit note that is not there":   func(_ *evidence, o *ERPOrder) { o.Invoices = o.Invoices[:1] },
		"a credit note that nobody made":    func(e *evidence, _ *ERPOrder) { e.intents["k2.6"]["state"] = "rejected" },
		"goods that were credited twice":    func(_ *evidence, o *ERPOrder) { o.Lines[1].Invoiced = -1 },
		"a credit note that was paid out":   func(_ *evidence, o *ERPOrder) { o.Invoices[1].Due = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := givenBack()
			e.becomes(func(o *ERPOrder) { spoil(&e, o) })
			require.True(t, (&Report{Violations: check(e)}).Broken(Done), "%v", check(e))
		})
	}
}

// TestEveryActionIsCarriedOut holds the runs to the gateway's actions.
func TestEveryActionIsCarriedOut(t *testing.T) {
	t.Parallel()
	drawn := map[order.ActionKind]bool{}
	for seed := range uint64(50) {
		for _, a := range drawActs(newDrawer(seed, "any", timesOf(true)), true) {
			drawn[a.Kind] = true
		}
	}
	for _, kind := range order.ActionKinds {
		require.NotNil(t, deeds[kind].request, kind)
		require.True(t, drawn[kind], kind)
	}
}

// becomes changes what Odoo has of the order that was acted on.
func (e *evidence) becomes(change func(o *ERPOrder)) {
	o := e.byID[12]
	change(&o)
	e.byID[12] = o
}

// refuse makes an action one that was refused, and whose intent says so.
func (e *evidence) refuse(i int, status int, code string) {
	a := &e.acted["k2"][i]
	e.intents[a.key]["state"] = "rejected"
	was := a.exchanges[0]
	a.exchanges = []*Exchange{actAnswered(a.key, 20, status, code)}
	a.exchanges[0].Path, a.exchanges[0].Body = was.Path, was.Body
}

func answered(key string, at, status int, body string) *Exchange {
	x := &Exchange{Key: key, Body: sentBody, Sent: time.Duration(at) * time.Second, Answered: time.Duration(at)*time.Second + time.Millisecond}
	x.read(answer{status: status, body: body})
	return x
}

func queuedAt(key string, at int) *Exchange {
	x := answered(key, at, 202, `{"state":"queued"}`)
	x.Async = true
	return x
}

// ask adds exchanges to a wish of the evidence.
func (e *evidence) ask(wish int, exchanges ...*Exchange) {
	e.wishes[wish].exchanges = append(e.wishes[wish].exchanges, exchanges...)
}

// lose takes an order out of Odoo and the mirror.
func (e *evidence) lose(key string) {
	for _, id := range e.orders[key] {
		delete(e.byID, id)
	}
	delete(e.orders, key)
	var kept []row
	for _, m := range e.mirror {
		if m["reference"] != key {
			kept = append(kept, m)
		}
	}
	e.mirror = kept
}

func TestNothingIsWrongWithASoundRun(t *testing.T) {
	t.Parallel()
	require.Empty(t, check(sound()))
}

func TestViolationsAreSeen(t *testing.T) {
	t.Parallel()
	problem := func(code string) string { return `{"code":"` + code + `","request_id":"r1"}` }
	for name, test := range map[string]struct {
		promise Promise
		spoil   func(e *evidence)
	}{
		"two orders of a key at the end": {Once, func(e *evidence) { e.orders["k1"] = []int64{11, 12} }},
		"two orders of a key meanwhile":  {Once, func(e *evidence) { e.seen.doubles["k1"] = []int64{11, 13} }},
		"a 201 without an order":         {Kept, func(e *evidence) { e.lose("k1") }},
		"a 201 with another's order":     {Kept, func(e *evidence) { e.ask(0, answered("k1", 9, 201, `{"id":12}`)) }},
		"a lost line": {Kept, func(e *evidence) {
			o := e.byID[11]
			o.Lines = o.Lines[:1]
			e.byID[11] = o
		}},
		"another quantity": {Kept, func(e *evidence) {
			o := e.byID[12]
			o.Lines = []ERPLine{erpLine(1, 101, 2, 10), erpLine(2, 102, 4, 4.5)}
			e.byID[12] = o
		}},
		"another price": {Kept, func(e *evidence) {
			o := e.byID[12]
			o.Lines = []ERPLine{erpLine(1, 101, 2, 10), erpLine(2, 102, 3, 5)}
			e.byID[12] = o
		}},
		"another product": {Kept, func(e *evidence) {
			o := e.byID[12]
			o.Lines = []ERPLine{erpLine(1, 102, 2, 10), erpLine(2, 102, 3, 4.5)}
			e.byID[12] = o
		}},
		"a 202 without an intent": {Kept, func(e *evidence) { delete(e.intents, "k2") }},
		"a 202 that is refused":   {Kept, func(e *evidence) { e.intents["k2"]["state"] = "refused" }},
		"a 202 that is rejected because the ERP was away": {Kept, func(e *evidence) {
			e.intents["k2"] = row{"state": "rejected", "failure": `{"kind":"unavailable","code":"erp_unavailable"}`}
		}},
		"a 4xx with an order": {Nothing, func(e *evidence) {
			e.ask(0, answered("k1", 9, 422, problem("erp_rejected")))
		}},
		"a 503 with an order": {Nothing, func(e *evidence) {
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 503, problem("erp_unavailable"))}
		}},
		"a rejected intent with an order": {Nothing, func(e *evidence) { e.intents["k1"]["state"] = "rejected" }},
		"a refused intent with an order":  {Nothing, func(e *evidence) { e.intents["k1"]["state"] = "refused" }},
		"a cancelled key with an order in force": {Nothing, func(e *evidence) {
			e.ask(0, answered("k1", 9, 422, problem("intent_cancelled")))
		}},
		"a sound order that is refused": {Answer, func(e *evidence) {
			e.lose("k1")
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 422, problem("erp_rejected"))}
		}},
		"a sound order that is rejected": {Answer, func(e *evidence) {
			e.lose("k1")
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 202, "")}
			e.intents["k1"] = row{"state": "rejected", "failure": `{"kind":"unprocessable","code":"erp_rejected"}`}
		}},
		"two ids for one key":   {Answer, func(e *evidence) { e.ask(1, answered("k2", 9, 201, `{"id":11}`)) }},
		"a replay that differs": {Answer, func(e *evidence) { e.ask(1, answered("k2", 9, 201, `{"id":12,"note":"x"}`)) }},
		"422 and then 201": {Answer, func(e *evidence) {
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 422, problem("erp_rejected")), answered("k1", 2, 201, `{"id":11}`)}
		}},
		"an answer that it never gives": {Answer, func(e *evidence) { e.ask(0, answered("k1", 9, 500, problem("internal"))) }},
		"another order under the key": {Answer, func(e *evidence) {
			other := answered("k1", 9, 201, `{"id":11}`)
			other.Body = `{"lines":[{"sku":"A","quantity":"9"}]}`
			e.ask(0, other)
		}},
		"an order in the mirror that Odoo does not have": {ERPFirst, func(e *evidence) {
			e.mirror = append(e.mirror, row{"erp_order_id": "99", "reference": "k9"})
		}},
		"an order that was in the mirror before": {ERPFirst, func(e *evidence) { e.seen.ghosts[99] = "k9" }},
		"a mirror that says something else":      {ERPFirst, func(e *evidence) { e.mirror[0]["amount_total"] = "33.51" }},
		"queued orders out of turn": {InTurn, func(e *evidence) {
			e.wishes[0].exchanges = []*Exchange{queuedAt("k1", 5)}
			e.wishes[1].exchanges = []*Exchange{queuedAt("k2", 2)}
		}},
		"an order that was confirmed and is not": {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.State = "draft" }) }},
		"an order that nobody cancelled":         {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.State = "cancel" }) }},
		"an order on hold again":                 {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.OnHold = true }) }},
		"a delivery too many": {Done, func(e *evidence) {
			e.becomes(func(o *ERPOrder) { o.Deliveries[1].State = "done" })
		}},
		"goods that were sent out twice": {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.Lines[1].Delivered = 2 }) }},
		"goods that were not sent out":   {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.Lines[1].Delivered = 0 }) }},
		"goods that were invoiced twice": {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.Lines[0].Invoiced = 4 }) }},
		"an invoice too many": {Done, func(e *evidence) {
			e.becomes(func(o *ERPOrder) {
				o.Invoices = append(o.Invoices, ERPInvoice{ID: 10, State: "posted", Total: 5, Due: 5})
			})
		}},
		"an invoice that was not posted": {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.Invoices[0].State = "draft" }) }},
		"a draft that nobody asked for": {Done, func(e *evidence) {
			e.becomes(func(o *ERPOrder) {
				o.Invoices = append(o.Invoices, ERPInvoice{ID: 10, State: "draft", Total: 5, Due: 5})
			})
		}},
		"a payment that was made twice":    {Done, func(e *evidence) { e.payments["k2.3"] = []float64{13.5, 13.5} }},
		"a payment that is not there":      {Done, func(e *evidence) { delete(e.payments, "k2.3") }},
		"a payment of another amount":      {Done, func(e *evidence) { e.payments["k2.3"] = []float64{13} }},
		"an invoice with less due":         {Done, func(e *evidence) { e.becomes(func(o *ERPOrder) { o.Invoices[0].Due = 0 }) }},
		"a payment that was refused":       {Done, func(e *evidence) { e.refuse(3, 422, "more_than_due") }},
		"a fulfilment that was refused":    {Done, func(e *evidence) { e.refuse(1, 409, "action_refused") }},
		"an action that nobody wrote down": {Kept, func(e *evidence) { delete(e.intents, "k2.2") }},
		"a 200 of what was not done":       {Kept, func(e *evidence) { e.intents["k2.3"]["state"] = "refused" }},
		"an accepted action that is refused": {Kept, func(e *evidence) {
			e.intents["k2.2"]["state"] = "refused"
		}},
		"a refusal of what was done": {Nothing, func(e *evidence) {
			e.acted["k2"][3].exchanges = []*Exchange{actAnswered("k2.3", 9, 422, "more_than_due")}
		}},
		"an action that is refused for no reason":     {Answer, func(e *evidence) { e.refuse(3, 409, "action_refused") }},
		"an action that was possible":                 {Answer, func(e *evidence) { e.refuse(3, 409, "action_not_possible") }},
		"nothing to invoice, and there was something": {Answer, func(e *evidence) { e.refuse(2, 409, "nothing_to_invoice") }},
		"more than due, and it was not":               {Answer, func(e *evidence) { e.refuse(3, 422, "more_than_due") }},
		"two answers to an action": {Answer, func(e *evidence) {
			e.acted["k2"][1].exchanges[1].Answer = `{"id":13}`
		}},
		"an action that does not end":             {Ends, func(e *evidence) { e.open = []row{{"idempotency_key": "k2.2", "state": "sending"}} }},
		"a mirror that shows another status":      {ERPFirst, func(e *evidence) { e.mirror[1]["status"] = "delivered" }},
		"a mirror that shows another fulfilment":  {ERPFirst, func(e *evidence) { e.mirror[1]["fulfilment"] = "full" }},
		"a mirror that shows another payment":     {ERPFirst, func(e *evidence) { e.mirror[1]["payment"] = "paid" }},
		"a history that is not as it was written": {History, func(e *evidence) { e.verified = "gap" }},
		"an edit that is gone":                    {Edits, func(e *evidence) { e.changes.edited["k1"] = true }},
		"a deleted order that came back":          {Deleted, func(e *evidence) { e.changes.deleted["k1"] = 10 }},
		"an intent that does not end":             {Ends, func(e *evidence) { e.open = []row{{"idempotency_key": "k1", "state": "sending"}} }},
		"an intent that is parked":                {Ends, func(e *evidence) { e.intents["k1"]["state"] = "parked" }},
		"a queue that is too long":                {Bounded, func(e *evidence) { e.seen.queue = 4 }},
		"a backlog that is too long":              {Bounded, func(e *evidence) { e.seen.backlog = 5 }},
		"a process that grows":                    {Bounded, func(e *evidence) { e.seen.memory = 6 }},
		"metrics that cannot be read":             {Bounded, func(e *evidence) { e.seen.measured = 0 }},
		"a process that ends without need":        {Alive, func(e *evidence) { e.changes.died = []string{"exit status 2"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := sound()
			test.spoil(&e)
			require.True(t, (&Report{Violations: check(e)}).Broken(test.promise), "%v", check(e))
		})
	}
}

func TestWhatIsAllowedIsNoViolation(t *testing.T) {
	t.Parallel()
	problem := func(code, id string) string { return `{"code":"` + code + `","request_id":"` + id + `"}` }
	for name, allow := range map[string]func(e *evidence){
		"an order after a 503": func(e *evidence) {
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 503, problem("erp_unavailable", "r")), answered("k1", 2, 201, `{"id":11}`)}
		},
		"an order that nobody was told of": func(e *evidence) {
			e.wishes[1].exchanges = []*Exchange{answered("k2", 2, 0, "")}
			e.acted["k2"], e.payments = []acted{did("k2.0", order.Confirm, "")}, nil
			e.becomes(func(o *ERPOrder) {
				o.State, o.Lines, o.Deliveries, o.Invoices = "draft", []ERPLine{erpLine(1, 101, 2, 10), erpLine(2, 102, 3, 4.5)}, nil, nil
			})
			e.mirror[1]["status"], e.mirror[1]["fulfilment"], e.mirror[1]["payment"] = "approved", "none", "none"
		},
		"an order of a request without an answer, and a 503": func(e *evidence) {
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 0, ""), answered("k1", 2, 503, problem("database_unavailable", "r"))}
		},
		"an order when nobody knows": func(e *evidence) {
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 500, problem("outcome_unknown", "r"))}
		},
		"409 between": func(e *evidence) { e.ask(0, answered("k1", 9, 409, problem("key_in_flight", "r"))) },
		"another body that is refused": func(e *evidence) {
			x := answered("k1", 9, 422, problem("idempotency_key_reused", "r"))
			x.Body = "{}"
			e.ask(0, x)
		},
		"the same refusal in two requests": func(e *evidence) {
			e.lose("k1")
			e.wishes[0].wish.Bad = BadGone
			e.intents["k1"] = row{"state": "rejected", "failure": `{"kind":"unprocessable"}`}
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 422, problem("erp_rejected", "r1")), answered("k1", 2, 422, problem("erp_rejected", "r2"))}
		},
		"an order that people deleted before it was read back": func(e *evidence) {
			e.lose("k1")
			e.intents["k1"] = row{"state": "rejected", "failure": `{"kind":"unprocessable","code":"deleted_in_erp"}`}
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 422, problem("deleted_in_erp", "r1"))}
		},
		"a 202 that the ERP rejects": func(e *evidence) {
			e.lose("k2")
			e.wishes[1].wish.Bad = BadGone
			e.intents["k2"] = row{"state": "rejected", "failure": `{"kind":"unprocessable","code":"erp_rejected"}`}
			e.wishes[1].exchanges = []*Exchange{queuedAt("k2", 2)}
		},
		"an action that the order's status did not allow": func(e *evidence) {
			e.intents["k2.4"] = row{"state": "rejected", "id": "5"}
			e.acted["k2"] = append(e.acted["k2"], did("k2.4", order.Cancel, "", actAnswered("k2.4", 11, 409, "action_not_possible")))
		},
		"nothing more to invoice": func(e *evidence) {
			e.intents["k2.4"] = row{"state": "rejected", "id": "5"}
			e.acted["k2"] = append(e.acted["k2"], did("k2.4", order.Bill, "", actAnswered("k2.4", 11, 409, "nothing_to_invoice")))
		},
		"more than is due": func(e *evidence) {
			e.intents["k2.4"] = row{"state": "rejected", "id": "5"}
			e.acted["k2"] = append(e.acted["k2"], did("k2.4", order.Pay, `{"amount":"11.01"}`, actAnswered("k2.4", 11, 422, "more_than_due")))
		},
		"an action that was not accepted": func(e *evidence) {
			e.intents["k2.4"] = row{"state": "refused", "id": "5"}
			e.acted["k2"] = append(e.acted["k2"], did("k2.4", order.Pay, `{"amount":"11"}`, actAnswered("k2.4", 11, 503, "erp_unavailable")))
		},
		"an order that was busy": func(e *evidence) {
			e.acted["k2"] = append(e.acted["k2"], did("k2.4", order.Pay, `{"amount":"11"}`, actAnswered("k2.4", 11, 409, "order_busy")))
		},
		"an order that was held, approved and cancelled": func(e *evidence) {
			e.acted["k2"] = []acted{did("k2.0", order.Hold, "{}", actDone("k2.0", 5)), did("k2.1", order.Approve, "", actDone("k2.1", 6)),
				did("k2.2", order.Cancel, "{}", actDone("k2.2", 7))}
			e.payments = nil
			e.becomes(func(o *ERPOrder) {
				o.State, o.Deliveries, o.Invoices = "cancel", []ERPDelivery{{ID: 7, State: "cancel"}}, []ERPInvoice{{ID: 9, State: "cancel", Total: 24.5, Due: 24.5}}
				for i := range o.Lines {
					o.Lines[i].Delivered, o.Lines[i].Invoiced = 0, 0
				}
			})
			e.mirror[1]["status"], e.mirror[1]["fulfilment"], e.mirror[1]["payment"] = "cancelled", "none", "none"
		},
		"an order cancelled with its intent": func(e *evidence) {
			o := e.byID[11]
			o.State = "cancel"
			e.byID[11], e.mirror[0]["status"] = o, "cancelled"
			e.intents["k1"]["state"] = "cancelled"
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 202, `{}`), answered("k1", 2, 422, problem("intent_cancelled", "r"))}
		},
		"an edit that stays": func(e *evidence) {
			o := e.byID[11]
			o.Note, o.Lines = "<p>"+editNote+"</p>", []ERPLine{erpLine(1, 101, editQuantity, 10)}
			e.byID[11] = o
			e.changes.edited["k1"] = true
		},
		"a deleted order": func(e *evidence) {
			e.lose("k1")
			e.mirror = append(e.mirror, row{"erp_order_id": "11", "reference": "k1", "deleted_at": "2026-01-01"})
			e.changes.deleted["k1"] = 11
		},
		"a parked order that Odoo cannot cope with": func(e *evidence) {
			e.lose("k1")
			e.intents["k1"] = row{"state": "parked"}
			e.wishes[0].wish.Bad, e.wishes[0].exchanges = BadPoison, []*Exchange{answered("k1", 1, 202, `{}`)}
		},
		"a queued order that was also asked for at once": func(e *evidence) {
			e.wishes[0].exchanges = []*Exchange{queuedAt("k1", 5), answered("k1", 6, 202, `{}`)}
			e.wishes[1].exchanges = []*Exchange{queuedAt("k2", 2)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := sound()
			e.intents = maps.Clone(e.intents)
			allow(&e)
			require.Empty(t, check(e))
		})
	}
}
