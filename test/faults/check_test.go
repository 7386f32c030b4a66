package faults

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const sentBody = `{"lines":[{"sku":"A","quantity":"2"},{"sku":"B","quantity":"3","unit_price":"4.50"}]}`

// sound is the evidence of a run in which everything went well: k1 was placed, k2 accepted, placed, and replayed.
func sound() evidence {
	lines := []ERPLine{{1, 101, 2, 10}, {2, 102, 3, 4.5}}
	return evidence{
		wishes: []asked{
			{key: "k1", customer: "c", exchanges: []*Exchange{answered("k1", 1, 201, `{"id":11}`)}},
			{key: "k2", customer: "c", exchanges: []*Exchange{queuedAt("k2", 2), answered("k2", 3, 201, `{"id":12}`), answered("k2", 4, 201, `{"id":12}`)}},
		},
		intents: map[string]row{
			"k1": {"state": "placed", "erp_order_id": "11"},
			"k2": {"state": "placed", "erp_order_id": "12"},
		},
		orders:   map[string][]int64{"k1": {11}, "k2": {12}},
		byID:     map[int64]ERPOrder{11: {ID: 11, Reference: "k1", Total: 33.5, Lines: lines}, 12: {ID: 12, Reference: "k2", Total: 33.5, Lines: lines}},
		products: map[string]int64{"A": 101, "B": 102},
		mirror: []row{
			{"erp_order_id": "11", "reference": "k1", "amount_total": "33.50"},
			{"erp_order_id": "12", "reference": "k2", "amount_total": "33.50"},
		},
		changes: changes{edited: map[string]bool{}, deleted: map[string]int64{}},
		seen:    sightings{doubles: map[string][]int64{}, ghosts: map[int64]string{}, queue: 3, backlog: 4, memory: 5, measured: 1},
		bounds:  bounds{3, 4, 5},
	}
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
			o.Lines = []ERPLine{{1, 101, 2, 10}, {2, 102, 4, 4.5}}
			e.byID[12] = o
		}},
		"another price": {Kept, func(e *evidence) {
			o := e.byID[12]
			o.Lines = []ERPLine{{1, 101, 2, 10}, {2, 102, 3, 5}}
			e.byID[12] = o
		}},
		"another product": {Kept, func(e *evidence) {
			o := e.byID[12]
			o.Lines = []ERPLine{{1, 102, 2, 10}, {2, 102, 3, 4.5}}
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
		"an edit that is gone":             {Edits, func(e *evidence) { e.changes.edited["k1"] = true }},
		"a deleted order that came back":   {Deleted, func(e *evidence) { e.changes.deleted["k1"] = 10 }},
		"an intent that does not end":      {Ends, func(e *evidence) { e.open = []row{{"idempotency_key": "k1", "state": "sending"}} }},
		"an intent that is parked":         {Ends, func(e *evidence) { e.intents["k1"]["state"] = "parked" }},
		"a queue that is too long":         {Bounded, func(e *evidence) { e.seen.queue = 4 }},
		"a backlog that is too long":       {Bounded, func(e *evidence) { e.seen.backlog = 5 }},
		"a process that grows":             {Bounded, func(e *evidence) { e.seen.memory = 6 }},
		"metrics that cannot be read":      {Bounded, func(e *evidence) { e.seen.measured = 0 }},
		"a process that ends without need": {Alive, func(e *evidence) { e.changes.died = []string{"exit status 2"} }},
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
		"an order cancelled with its intent": func(e *evidence) {
			o := e.byID[11]
			o.State = "cancel"
			e.byID[11] = o
			e.intents["k1"]["state"] = "cancelled"
			e.wishes[0].exchanges = []*Exchange{answered("k1", 1, 202, `{}`), answered("k1", 2, 422, problem("intent_cancelled", "r"))}
		},
		"an edit that stays": func(e *evidence) {
			o := e.byID[11]
			o.Note, o.Lines = "<p>"+editNote+"</p>", []ERPLine{{1, 101, editQuantity, 10}}
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
