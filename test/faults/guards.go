package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"ordergate/failpoint"
	"ordergate/order"
	"ordergate/test/proxy"
)

// Guarded is the scenario that a guard of the gateway is for. With the guard nothing happens; without it a promise breaks.
type Guarded struct {
	Scenario
	Guard  failpoint.Guard
	Breaks Promise
	Odoo   string // that it happens with; empty: any
}

// With returns the options of the run in which the guard keeps its promise.
func (g Guarded) With(o Options) Options {
	o.Scenario, o.Odoo, o.Out = guardScenario(g.Guard), g.Odoo, nil
	return o
}

// Without returns the options of the run in which the promise breaks, because the guard is out.
func (g Guarded) Without(o Options) Options {
	o = g.With(o)
	o.Out = []failpoint.Guard{g.Guard}
	return o
}

func guardScenario(g failpoint.Guard) string { return "guard-" + string(g) }

// Directed returns the scenarios of the guards. They go one way, whatever the seed.
func Directed() []Scenario {
	scenarios := make([]Scenario, len(GuardScenarios))
	for i, g := range GuardScenarios {
		scenarios[i] = g.Scenario
		scenarios[i].Name = guardScenario(g.Guard)
		scenarios[i].endWithin = 25 * time.Second
	}
	return scenarios
}

// GuardScenarios are the scenarios of all guards.
var GuardScenarios = []Guarded{
	{Guard: failpoint.ExternalID, Breaks: Once, Scenario: Scenario{
		Fault: "the answer to the first attempt is lost, and that to its repetition",
		draw:  directed(Wish{Patience: 6, Chase: true}),
		script: func(ctx context.Context, w *world) error {
			w.loads(proxy.DropAnswer, 2)
			w.clients.run(ctx)
			return nil
		},
	}},
	{Guard: failpoint.UnknownOutcome, Breaks: Nothing, Scenario: Scenario{
		Fault: "the answer is lost, and that to the repetition",
		draw:  directed(Wish{Patience: 1}),
		script: func(ctx context.Context, w *world) error {
			w.loads(proxy.DropAnswer, 2)
			w.clients.run(ctx)
			return nil
		},
	}},
	{Guard: failpoint.DoubtLasts, Breaks: Nothing, Scenario: Scenario{
		Fault: "a call is held up on its way, its repetition refused, and then it commits",
		draw:  directed(Wish{Patience: 1, Replay: true}),
		script: func(ctx context.Context, w *world) error {
			goesOn := make(chan struct{})
			w.loads(proxy.HoldRequest(goesOn), 1)
			w.loads(proxy.Say(http.StatusOK, contentXML, loadMessage(refusedProduct)), proxy.Always)
			var sending sync.WaitGroup
			sending.Go(func() { w.clients.run(ctx) })
			err := w.until(ctx, func() bool { return w.erp.http.Counts().Faulted > 1 })
			pause(ctx, 2*time.Second) // for the refusal to be taken for final
			close(goesOn)
			sending.Wait()
			pause(ctx, time.Second)
			return errors.Join(err, ctx.Err())
		},
	}},
	{Guard: failpoint.StickyDoubt, Breaks: Nothing, Odoo: Sandbox14, Scenario: Scenario{
		Fault: "the answer is lost, and the product archived before the repetition",
		draw:  directed(Wish{Patience: 1}),
		script: func(ctx context.Context, w *world) error {
			product := w.products[w.plan.Clients[0].Wishes[0].Lines[0].SKU]
			var archived error
			w.loads(proxy.Then(proxy.DropAnswer, func() { archived = w.erp.setArchived(product, true) }), 1)
			w.clients.run(ctx)
			return errors.Join(archived, w.erp.setArchived(product, false))
		},
	}},
	{Guard: failpoint.Fence, Breaks: Nothing, Scenario: Scenario{
		Fault: "a process stands still before it writes down that Odoo could not be asked, and goes on while another places the order",
		draw: func(d drawer, p *Plan) {
			directed(Wish{Name: "warm", Patience: 3}, Wish{Patience: 1})(d, p)
			p.Replicas, p.Failpoints = 2, []string{"stop:before-release@1"}
			p.Settings["ORDERGATE_ODOO_TIMEOUT"] = "4s"
		},
		script: func(ctx context.Context, w *world) error {
			customer, wishes := w.only()
			w.clients.sendTo(ctx, 0, customer, wishes[0])
			w.erp.setDown(true)
			w.stopped.Store(true)
			var sending sync.WaitGroup
			sending.Go(func() { w.clients.sendTo(ctx, 0, customer, wishes[1]) })
			err := w.until(ctx, func() bool { return w.replicas[0].current().halted() })
			w.erp.setDown(false)
			w.loads(proxy.DelayAnswer(2*time.Second), 1)
			if err == nil {
				err = w.until(ctx, func() bool { return w.erp.http.Counts().Faulted > 0 })
			}
			w.history.note("replica 0 goes on")
			w.replicas[0].signal(syscall.SIGCONT)
			sending.Wait()
			return err
		},
	}},
	{Guard: failpoint.Replay, Breaks: Once, Scenario: Scenario{
		Fault: "a caller sends the same order twice",
		draw:  directed(Wish{Patience: 1, Replay: true}),
	}},
	{Guard: failpoint.Fingerprint, Breaks: Answer, Scenario: Scenario{
		Fault: "a caller sends another order under the same key",
		draw:  directed(Wish{Patience: 1, OtherBody: true}),
	}},
	{Guard: failpoint.Takeover, Breaks: Ends, Scenario: Scenario{
		Fault: "a process dies after it sent an order, and its caller does not ask again",
		draw: func(d drawer, p *Plan) {
			directed(Wish{Patience: 1})(d, p)
			p.Failpoints = []string{"kill:orders-sent@1"}
		},
	}},
	{Guard: failpoint.WrongClock, Breaks: Ends, Scenario: Scenario{
		Fault: "a process whose clock is an hour ahead dies after it sent an order",
		draw: func(d drawer, p *Plan) {
			directed(Wish{Patience: 1, Pause: 200 * time.Millisecond})(d, p)
			p.Failpoints = []string{"kill:orders-sent@1"}
		},
		script: func(ctx context.Context, w *world) error {
			if err := w.replicas[0].setClock(time.Hour); err != nil {
				return err
			}
			w.clients.run(ctx)
			return w.replicas[0].setClock(0)
		},
	}},
	{Guard: failpoint.QueueBound, Breaks: Bounded, Scenario: Scenario{
		Fault: "orders come faster than Odoo takes them",
		draw: func(d drawer, p *Plan) {
			directed(Wish{Patience: 1})(d, p)
			one := p.Clients[0]
			p.Clients = nil
			for i := range 16 {
				wish := one.Wishes[0]
				wish.Name = fmt.Sprintf("w%d", i)
				p.Clients = append(p.Clients, ClientPlan{Customer: one.Customer, Wishes: []Wish{wish}})
			}
			p.Settings["ORDERGATE_MAX_QUEUE"], p.Settings["ORDERGATE_BATCH_SIZE"], p.Settings["ORDERGATE_LANES"] = "2", "1", "1"
		},
		script: func(ctx context.Context, w *world) error {
			w.loads(proxy.DelayAnswer(time.Second), 2)
			w.clients.run(ctx)
			return nil
		},
	}},
	{Guard: failpoint.QueueOrder, Breaks: InTurn, Scenario: Scenario{
		Fault: "a customer's first queued order takes longer than its second",
		draw: func(d drawer, p *Plan) {
			directed(Wish{Name: "first", Patience: 1, Async: true}, Wish{Name: "second", Patience: 1, Async: true})(d, p)
			p.Settings["ORDERGATE_LANES"], p.Settings["ORDERGATE_ODOO_TIMEOUT"] = "2", "4s"
		},
		script: func(ctx context.Context, w *world) error {
			customer, wishes := w.only()
			w.loads(proxy.DelayRequest(2*time.Second), 1)
			w.clients.sendTo(ctx, 0, customer, wishes[0])
			if err := w.until(ctx, func() bool { return w.erp.http.Counts().Faulted > 0 }); err != nil {
				return err
			}
			w.clients.sendTo(ctx, 0, customer, wishes[1])
			return nil
		},
	}},
	{Guard: failpoint.Acknowledged, Breaks: Kept, Scenario: Scenario{
		Fault: "Odoo is away when a queued order's turn comes",
		draw:  directed(Wish{Name: "warm", Patience: 3}, Wish{Patience: 1, Async: true}),
		script: func(ctx context.Context, w *world) error {
			customer, wishes := w.only()
			w.clients.sendTo(ctx, 0, customer, wishes[0])
			w.erp.setDown(true)
			w.clients.sendTo(ctx, 0, customer, wishes[1])
			pause(ctx, 3*time.Second) // its turn comes within a second
			w.erp.setDown(false)
			return ctx.Err()
		},
	}},
	{Guard: failpoint.DeletedStays, Breaks: Deleted, Scenario: Scenario{
		Fault: "an order is deleted in Odoo before it was read back",
		draw:  directed(Wish{Patience: 1}),
		script: func(ctx context.Context, w *world) error {
			w.erp.http.OnRequest(meets(callsReads), proxy.Say(http.StatusInternalServerError, "text/html", htmlError), proxy.Always)
			w.clients.run(ctx)
			orders, err := w.erp.orders(w.prefix)
			if err != nil || len(orders) != 1 {
				return fmt.Errorf("one order was to be made: %v, %w", orders, err)
			}
			return w.deleteOrder(orders[0])
		},
	}},
	{Guard: failpoint.LeaveAlone, Breaks: Edits, Scenario: Scenario{
		Fault: "the answer is lost, and people edit the order before the repetition",
		draw:  directed(Wish{Patience: 1, Edit: true}),
		script: func(ctx context.Context, w *world) error {
			var failure error
			w.loads(proxy.Then(proxy.DropAnswer, func() {
				orders, err := w.erp.orders(w.prefix)
				for _, o := range orders {
					err = errors.Join(err, w.editOrder(o))
				}
				failure = err
			}), 1)
			w.clients.run(ctx)
			return failure
		},
	}},
	{Guard: failpoint.OneAction, Breaks: Done, Scenario: Scenario{
		Fault: "most of what is due is paid, and while that call is held up, paid again with another key",
		draw:  directed(Wish{Patience: 1, Acts: []Act{{Kind: order.Confirm}, {Kind: order.Bill}, {Kind: order.Pay, Part: 80}, {Kind: order.Pay, Part: 80}}}),
		script: func(ctx context.Context, w *world) error {
			v, err := w.prepare(ctx, 2)
			if err != nil {
				return err
			}
			return w.heldUp(ctx, pays, func() { w.actOn(ctx, v, 2) }, func() error { w.actOn(ctx, v, 3); return ctx.Err() })
		},
	}},
	{Guard: failpoint.PlanKept, Breaks: Done, Scenario: Scenario{
		Fault: "a process dies after it sent out a part of an order",
		draw: func(d drawer, p *Plan) {
			directed(Wish{Patience: 1, Acts: []Act{{Kind: order.Confirm}, {Kind: order.Fulfil, Part: 1}}})(d, p)
			p.Failpoints = []string{"kill:orders-sent@3"}
		},
	}},
	{Guard: failpoint.PayOnce, Breaks: Done, Scenario: Scenario{
		Fault: "the call that pays is held up for longer than the gateway waits",
		draw:  directed(Wish{Patience: 1, Acts: []Act{{Kind: order.Confirm}, {Kind: order.Bill}, {Kind: order.Pay, Part: 30}}}),
		script: func(ctx context.Context, w *world) error {
			v, err := w.prepare(ctx, 2)
			if err != nil {
				return err
			}
			return w.heldUp(ctx, pays, func() { w.actOn(ctx, v, 2) }, func() error {
				pause(ctx, 4*time.Second) // for it to be sent again
				return ctx.Err()
			})
		},
	}},
	{Guard: failpoint.OrderProves, Breaks: Done, Scenario: Scenario{
		Fault: "Odoo answers that it confirmed an order, and did nothing",
		draw:  directed(Wish{Patience: 1, Acts: []Act{{Kind: order.Confirm, Doomed: true}}}),
		script: func(ctx context.Context, w *world) error {
			w.erp.http.OnRequest(proxy.Contains("<string>action_confirm</string>"), proxy.Say(http.StatusOK, contentXML, answerTrue), 1)
			w.clients.run(ctx)
			return ctx.Err()
		},
	}},
}

// answerTrue is what most methods of Odoo answer, also if they did nothing.
const answerTrue = "<?xml version='1.0'?>\n<methodResponse><params><param><value><boolean>1</boolean></value></param></params></methodResponse>\n"

// pays recognizes the call that pays.
var pays = proxy.Contains("<string>action_create_payments</string>")

// prepare places the only order and carries out the first of its actions, and returns the order as it then stands.
func (w *world) prepare(ctx context.Context, acts int) (v view, err error) {
	customer, wishes := w.only()
	x := w.clients.sendTo(ctx, 0, customer, wishes[0])
	if err := json.Unmarshal([]byte(x.Answer), &v); err != nil || x.meaning() != placed {
		return v, fmt.Errorf("the order was to be placed: %s", x)
	}
	for i := range acts {
		w.actOn(ctx, v, i)
	}
	w.clients.lookAt(ctx, &v)
	return v, nil
}

// actOn carries out an action of the only order.
func (w *world) actOn(ctx context.Context, v view, i int) {
	_, wishes := w.only()
	w.clients.carryOut(ctx, w.actKey(wishes[0], i), wishes[0].Acts[i], v)
}

// heldUp lets a call of act stay on its way to Odoo until meanwhile is over.
func (w *world) heldUp(ctx context.Context, call func([]byte) bool, act func(), meanwhile func() error) error {
	goesOn := make(chan struct{})
	w.erp.http.OnRequest(call, proxy.HoldRequest(goesOn), 1)
	var acting sync.WaitGroup
	acting.Go(act)
	err := w.until(ctx, func() bool { return w.erp.http.Counts().Faulted > 0 })
	if err == nil {
		err = meanwhile()
	}
	close(goesOn)
	acting.Wait()
	return err
}

// refusedProduct is what Odoo says of an order whose product it does not have.
const refusedProduct = "No matching record found for database id '1' in field 'Order Lines/Product'"

// directed is the plan of one client with a few wishes, one gateway, and nothing left to chance.
func directed(wishes ...Wish) func(drawer, *Plan) {
	return func(d drawer, p *Plan) {
		p.Replicas = 1
		planned := slices.Clone(wishes) // runs may be drawn at the same time
		for i := range planned {
			planned[i].Name = cmp.Or(planned[i].Name, "wish")
			planned[i].Lines = []WishLine{{SKU: "E-COM07", Quantity: "2"}, {SKU: "E-COM08", Quantity: "3"}}
		}
		p.Clients = []ClientPlan{{Customer: "customer", Wishes: planned}}
		p.Settings["ORDERGATE_PLACE_BUDGET"], p.Settings["ORDERGATE_BATCH_SIZE"], p.Settings["ORDERGATE_LANES"] = "8s", "20", "2"
	}
}

// loads lets calls that create orders meet a fault.
func (w *world) loads(a proxy.Action, times int) {
	w.erp.http.OnRequest(loadsOrders, a, times)
}

// only returns the only client's customer and wishes.
func (w *world) only() (string, []Wish) { return w.plan.Clients[0].Customer, w.plan.Clients[0].Wishes }

// sendTo sends a wish to a replica once.
func (c *clients) sendTo(ctx context.Context, replica int, customer string, wish Wish) *Exchange {
	return c.send(ctx, replica, wish, c.body(customer, wish), wish.Async)
}

// until waits for something that must happen soon.
func (w *world) until(ctx context.Context, happened func() bool) error {
	deadline := time.Now().Add(20 * time.Second)
	for !happened() {
		if time.Now().After(deadline) {
			return errors.New("what the scenario waits for did not happen")
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}
