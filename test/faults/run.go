package faults

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// How long things may take once the faults are over.
const (
	parkWithin   = 20 * time.Second // until an order that Odoo cannot cope with is parked
	mirrorWithin = 20 * time.Second // until the mirror shows what Odoo has
)

// memoryBound is far above what a gateway of a run needs, and far below what a leak takes.
const memoryBound = 400 << 20

// Run carries out one run and judges it. An error means that the run could not be made, not that a promise was broken.
func Run(ctx context.Context, o Options) (*Report, error) {
	began := time.Now()
	o.setDefaults()
	s, err := choose(o)
	if err != nil {
		return nil, err
	}
	p := draw(o.Seed, s, o.real())
	w, err := build(ctx, o, s, p)
	if err != nil {
		return nil, fmt.Errorf("seed %d, %s: %w", o.Seed, s.Name, err)
	}
	defer w.end()
	w.clients = newClients(w)
	defer w.clients.close()
	w.watch = newWatch(w)
	w.watch.start(ctx)
	defer w.watch.end()

	open, err := w.live(ctx)
	if err != nil {
		return nil, fmt.Errorf("seed %d, %s: %w", o.Seed, s.Name, err)
	}
	e, err := w.gather(ctx, open)
	if err != nil {
		return nil, fmt.Errorf("seed %d, %s: %w", o.Seed, s.Name, err)
	}
	return w.report(e, check(e), time.Since(began)), nil
}

// live lets clients and faults have their time, and then brings everything to rest. It returns the intents that do not come
// to an end.
func (w *world) live(ctx context.Context) (open []row, err error) {
	if w.scenario.script != nil {
		if err := w.scenario.script(ctx, w); err != nil {
			return nil, err
		}
	} else {
		events := make(chan error, 1)
		go func() { events <- w.happen(ctx) }()
		w.clients.run(ctx)
		if err := <-events; err != nil {
			return nil, err
		}
	}
	if len(w.poison) > 0 {
		if err := w.settlePoison(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.heal(ctx); err != nil {
		return nil, err
	}
	healed := time.Now()
	if len(w.poison) > 0 {
		if err := w.operatorAtWork(ctx); err != nil {
			return nil, err
		}
	}
	if open, err = w.waitFinal(ctx, w.within()); err != nil || len(open) > 0 {
		return open, err
	}
	if w.delays() && !sleepUntil(ctx, healed.Add(w.times.transaction)) { // until nothing that was delayed can commit
		return nil, ctx.Err()
	}
	if err := w.peopleAtWork(); err != nil {
		return nil, err
	}
	w.clients.replay(ctx)
	reopened, err := w.waitFinal(ctx, w.within())
	return append(open, reopened...), err
}

func (w *world) within() time.Duration { return cmp.Or(w.scenario.endWithin, w.times.end) }

// delays reports whether the plan delays calls past the end of the faults.
func (w *world) delays() bool {
	return slices.ContainsFunc(w.plan.Events, func(e Event) bool { return e.Fault == "late commit" || e.Fault == "answer delayed after" })
}

// settlePoison waits until the orders that Odoo cannot cope with are left to an operator.
func (w *world) settlePoison(ctx context.Context) error {
	deadline := time.Now().Add(parkWithin)
	for time.Now().Before(deadline) {
		rows, err := w.db.rows(ctx, "SELECT idempotency_key FROM intents WHERE state IN ('queued', 'sending')")
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil // those that were not parked by now are found when the time to end is over
}

// operatorAtWork does what an operator does once the trouble is over: of the intents that are parked, or were about to be,
// every second is tried again, and the others are called off.
func (w *world) operatorAtWork(ctx context.Context) error {
	rows, err := w.db.rows(ctx, "SELECT idempotency_key, state FROM intents WHERE state = 'parked' OR state = 'sending' AND strikes > 1 ORDER BY id")
	if err != nil {
		return err
	}
	for i, r := range rows {
		method, path := http.MethodPost, w.replicas[0].url()+"/v1/intents/"+url.PathEscape(r["idempotency_key"])+"/retry"
		if i%2 == 1 {
			method, path = http.MethodDelete, strings.TrimSuffix(path, "/retry")
		}
		a, err := w.clients.call(ctx, method, path, w.operator, "", nil)
		if err != nil {
			return err
		}
		w.history.note("the operator's %s of %s, which is %s: %d %s", method, r["idempotency_key"], r["state"], a.status, strings.TrimSpace(a.body))
	}
	return nil
}

// peopleAtWork edits and deletes orders as the plan has it.
func (w *world) peopleAtWork() error {
	orders, err := w.erp.orders(w.prefix)
	if err != nil {
		return err
	}
	byKey := map[string]ERPOrder{}
	for _, o := range orders {
		byKey[o.Reference] = o
	}
	for _, c := range w.plan.Clients {
		for _, wish := range c.Wishes {
			o, there := byKey[w.key(wish)]
			if !there {
				continue
			}
			if wish.Edit && !w.edited(o.Reference) {
				if err := w.editOrder(o); err != nil {
					return err
				}
			}
			if wish.Delete {
				if err := w.deleteOrder(o); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *world) edited(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes.edited[key]
}

func (w *world) editOrder(o ERPOrder) error {
	w.mu.Lock()
	w.changes.edited[o.Reference] = true
	w.mu.Unlock()
	w.history.note("people edit order %d of %s", o.ID, o.Reference)
	return w.erp.edit(o)
}

func (w *world) deleteOrder(o ERPOrder) error {
	w.mu.Lock()
	w.changes.deleted[o.Reference] = o.ID
	w.mu.Unlock()
	w.history.note("people delete order %d of %s", o.ID, o.Reference)
	return w.erp.remove(o.ID)
}

// gather collects the evidence once everything is at rest.
func (w *world) gather(ctx context.Context, open []row) (evidence, error) {
	// The backlog is bounded by what each process knows of it: what others accept it learns with a delay.
	e := evidence{
		intents: map[string]row{}, orders: map[string][]int64{}, byID: map[int64]ERPOrder{}, products: w.products,
		acted: map[string][]acted{}, payments: map[string][]float64{},
		open: open, within: w.within(),
		bounds: bounds{queue: atoi(w.plan.Settings["ORDERGATE_MAX_QUEUE"]), backlog: atoi(w.plan.Settings["ORDERGATE_MAX_BACKLOG"]) * int64(w.plan.Replicas), memory: memoryBound},
	}
	if err := w.awaitMirror(ctx); err != nil {
		return e, err
	}
	if err := w.watch.look(ctx); err != nil {
		return e, err
	}
	for _, r := range w.replicas {
		w.watch.measure(ctx, r)
	}
	orders, err := w.erp.orders(w.prefix)
	if err != nil {
		return e, err
	}
	for _, o := range orders {
		e.byID[o.ID] = o
		e.orders[o.Reference] = append(e.orders[o.Reference], o.ID)
	}
	intents, err := w.db.rows(ctx, "SELECT * FROM intents")
	if err != nil {
		return e, err
	}
	for _, in := range intents {
		e.intents[in["idempotency_key"]] = in
	}
	if e.mirror, err = w.mirrored(ctx); err != nil {
		return e, err
	}
	payments, err := w.erp.payments(w.prefix)
	if err != nil {
		return e, err
	}
	for _, p := range payments {
		e.payments[keyOfMemo(p.Memo)] = append(e.payments[keyOfMemo(p.Memo)], p.Amount)
	}
	if e.byDelivery, err = w.erp.invoicedByDelivery(w.products); err != nil {
		return e, err
	}
	if _, err := command(ctx, w.options.Binary, w.environ(), "history", "verify"); err != nil {
		e.verified = err.Error()
	}
	for _, c := range w.plan.Clients {
		for _, wish := range c.Wishes {
			key := w.key(wish)
			e.wishes = append(e.wishes, asked{key, c.Customer, wish, w.history.of(key)})
			for i, a := range wish.Acts {
				e.acted[key] = append(e.acted[key], acted{w.actKey(wish, i), key, a, w.history.of(w.actKey(wish, i))})
			}
		}
	}
	w.mu.Lock()
	e.changes = changes{maps.Clone(w.changes.edited), maps.Clone(w.changes.deleted), slices.Clone(w.changes.died)}
	w.mu.Unlock()
	e.seen = w.watch.found()
	return e, nil
}

func (w *world) mirrored(ctx context.Context) ([]row, error) {
	return w.db.rows(ctx, "SELECT erp_order_id, reference, amount_total, status, fulfilment, payment, deleted_at FROM orders WHERE reference LIKE ?", w.prefix+"%")
}

// awaitMirror gives the mirror the time that it may take to show what people changed last.
func (w *world) awaitMirror(ctx context.Context) error {
	deadline := time.Now().Add(mirrorWithin)
	for time.Now().Before(deadline) {
		mirror, err := w.mirrored(ctx)
		if err != nil {
			return err
		}
		orders, err := w.erp.orders(w.prefix)
		if err != nil {
			return err
		}
		c := checker{evidence: evidence{mirror: mirror, byID: map[int64]ERPOrder{}}}
		for _, o := range orders {
			c.byID[o.ID] = o
		}
		if c.erpFirst(); len(c.violations) == 0 {
			return nil
		}
		if !pause(ctx, 300*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

func (w *world) report(e evidence, violations []Violation, took time.Duration) *Report {
	requests, byStatus := w.history.totals()
	r := &Report{
		Options: w.options, Scenario: w.scenario.Name, Fault: w.scenario.Fault, Plan: w.plan, Took: took,
		Requests: requests, Answers: byStatus, Kills: int(w.kills.Load()), Struck: w.struckTotal(),
		Violations: violations, Histories: map[string]string{},
	}
	for _, a := range e.wishes {
		if len(a.exchanges) > 0 {
			r.Orders++
		}
	}
	for _, acts := range e.acted {
		for _, a := range acts {
			if len(a.exchanges) > 0 {
				r.Actions++
			}
		}
	}
	if len(violations) == 0 {
		return r
	}
	for _, v := range violations {
		for _, key := range []string{v.Key, v.Other} {
			if key != "" && r.Histories[key] == "" {
				r.Histories[key] = w.history.tell(key, ending(e, key)...)
			}
		}
	}
	for _, replica := range w.replicas {
		r.Logs = append(r.Logs, fmt.Sprintf("log of replica %d:\n%s", replica.number, replica.log.tail(150)))
	}
	return r
}

// ending says how a key stands in the end.
func ending(e evidence, key string) []string {
	end := []string{fmt.Sprintf("orders in Odoo %v", e.orders[key])}
	for _, id := range e.orders[key] {
		end = append(end, fmt.Sprintf("%+v", e.byID[id]))
	}
	for _, a := range e.acted[key] {
		end = append(end, a.key+": "+describe(e.intents[a.key]))
		for _, x := range a.exchanges {
			end = append(end, "    "+x.String())
		}
	}
	return append(end, describe(e.intents[key]))
}

// describe shows an intent without its long columns.
func describe(in row) string {
	if in == nil {
		return "no intent"
	}
	var parts []string
	for _, column := range sortedKeys(in) {
		switch column {
		case "request", "result", "fingerprint", "plan", "tenant_id", "source", "idempotency_key":
		default:
			if in[column] != "" {
				parts = append(parts, column+"="+in[column])
			}
		}
	}
	return "intent " + strings.Join(parts, " ")
}
