package faults

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ordergate/test/proxy"
)

// What an Event can be.
const (
	eventOdoo      = "odoo"       // the next calls to Odoo meet Fault
	eventOdooDown  = "odoo down"  // connections are refused
	eventOdooReset = "odoo reset" // connections are reset, new ones served
	eventPoison    = "poison"     // Odoo answers fault 1 to what holds a poisoned order
	eventKill      = "kill"       // SIGKILL
	eventStop      = "stop"       // SIGSTOP; the supervisor continues what has been stopped for stopLasts
	eventClock     = "clock"      // the clock is stepped by Text, and back after For
	eventDBDown    = "database down"
	eventDBCut     = "database cut before" // the connection ends before the next statement that holds Text
	eventDBLost    = "database cut after"  // the statement is carried out, and its answer lost
	eventDBError   = "database error"      // writes fail with the error that Text names
	eventDBLocked  = "database locked"     // another program holds SQLite's write lock
)

// stopLasts is how long a process stays stopped: longer than a lease lasts.
const stopLasts = 14 * time.Second

// odooFault is a way in which a call to Odoo fails.
type odooFault struct {
	name string
	// ofLoad says that the answer is one of the call that creates orders, and no other's.
	ofLoad bool
	// action makes the fault; it lasts as long as the event does, where that has a meaning.
	action func(lasts time.Duration) proxy.Action
}

func lasting(a proxy.Action) func(time.Duration) proxy.Action {
	return func(time.Duration) proxy.Action { return a }
}

const contentXML = "text/xml; charset=utf-8"

// odooFaults are all of them. Those that say "after" let Odoo commit first.
var odooFaults = []odooFault{
	{name: "answer dropped after", action: lasting(proxy.DropAnswer)},
	{name: "answer cut after", action: lasting(proxy.CutAnswer)},
	{name: "answer delayed after", action: proxy.DelayAnswer},
	{name: "reset after", action: lasting(proxy.ResetAnswer)},
	{name: "slow drip after", action: lasting(proxy.DripAnswer(50 * time.Millisecond))},
	{name: "502 after", action: lasting(proxy.BadGateway)},
	{name: "fault 1 after", action: lasting(proxy.SayAfter(http.StatusOK, contentXML, faultOne(cannotMarshal)))},
	{name: "late commit", action: proxy.DelayRequest},
	{name: "hang", action: lasting(proxy.Hang)},
	{name: "dropped", action: lasting(proxy.Refuse)},
	{name: "reset", action: lasting(proxy.Reset)},
	{name: "500", action: lasting(proxy.Say(http.StatusInternalServerError, "text/html", htmlError))},
	{name: "html", action: lasting(proxy.Say(http.StatusOK, "text/html", htmlPage))},
	{name: "fault 1", action: lasting(proxy.Say(http.StatusOK, contentXML, faultOne(databaseGone)))},
	{name: "serialization", ofLoad: true, action: lasting(proxy.Say(http.StatusOK, contentXML, loadMessage("could not serialize access due to concurrent update\n")))},
}

func findOdooFault(name string) (odooFault, bool) {
	for _, f := range odooFaults {
		if f.name == name {
			return f, true
		}
	}
	return odooFault{}, false
}

// The calls that a fault can meet.
const (
	callsOrders  = "orders"  // the load that creates orders
	callsReads   = "reads"   // the reading back of orders
	callsActions = "actions" // those that do something with an order
	callsAll     = "all"
)

var (
	loadsOrders = proxy.Contains("<string>sale.order</string>", "<string>load</string>", "client_order_ref")
	namesOrders = proxy.Contains("<string>sale.order</string>")
)

// acting are the calls that do something with an order, and not those that prepare them.
var acting = [][]byte{[]byte("<string>action_confirm</string>"), []byte("<string>action_cancel</string>"), []byte("<string>button_validate</string>"),
	[]byte("<string>create_invoices</string>"), []byte("<string>action_post</string>"), []byte("<string>action_create_payments</string>"),
	[]byte("<name>tag_ids</name>"), []byte("<name>move_ids</name>"), []byte("<name>move_lines</name>"),
	[]byte("<name>warehouse_id</name>"), []byte("<name>order_line</name>"), []byte("create_returns</string>"),
	[]byte("<string>do_unreserve</string>"), []byte("<string>action_assign</string>"), []byte("_moves</string>")}

func acts(body []byte) bool {
	return slices.ContainsFunc(acting, func(part []byte) bool { return bytes.Contains(body, part) })
}

func meets(calls string) func([]byte) bool {
	switch calls {
	case callsOrders:
		return loadsOrders
	case callsActions:
		return acts
	case callsReads:
		return func(body []byte) bool { return namesOrders(body) && !loadsOrders(body) }
	default:
		return func([]byte) bool { return true }
	}
}

// happen carries out the events of the plan at their times, and returns when the last of them is over.
func (w *world) happen(ctx context.Context) error {
	var lasting []func()
	for _, e := range w.plan.Events {
		if !sleepUntil(ctx, w.history.at(e.At)) {
			return ctx.Err()
		}
		over, err := w.begin(ctx, e)
		if err != nil {
			return fmt.Errorf("%s: %w", e, err)
		}
		w.history.note("%s", strings.TrimSpace(e.String()))
		if over != nil {
			end := w.history.at(e.At + e.For)
			done := make(chan struct{})
			go func() {
				defer close(done)
				sleepUntil(ctx, end)
				over()
				w.history.note("over: %s", e.What)
			}()
			lasting = append(lasting, func() { <-done })
		}
	}
	for _, wait := range lasting {
		wait()
	}
	return nil
}

// begin makes an event happen. The function that it returns ends it; nil where nothing needs to.
func (w *world) begin(ctx context.Context, e Event) (over func(), err error) {
	switch e.What {
	case eventOdoo:
		f, known := findOdooFault(e.Fault)
		if !known {
			return nil, fmt.Errorf("no fault of Odoo is named %q", e.Fault)
		}
		match := meets(e.Calls)
		if f.ofLoad {
			match = loadsOrders
		}
		w.erp.http.OnRequest(match, f.action(e.For), e.Times)
	case eventPoison:
		w.erp.http.OnRequest(func(body []byte) bool { return loadsOrders(body) && w.poisoned(body) },
			proxy.Say(http.StatusOK, contentXML, faultOne(cannotMarshal)), proxy.Always)
	case eventOdooDown:
		w.erp.setDown(true)
		w.struck.Add(1)
		return func() { w.erp.setDown(false) }, nil
	case eventOdooReset:
		w.erp.tcp.Cut()
		w.struck.Add(1)
	case eventKill:
		w.replicas[e.Replica].kill()
	case eventStop:
		w.replicas[e.Replica].signal(syscall.SIGSTOP)
		w.struck.Add(1)
	case eventClock:
		by, err := time.ParseDuration(e.Text)
		if err != nil {
			return nil, err
		}
		r := w.replicas[e.Replica]
		w.struck.Add(1)
		return func() { _ = r.setClock(0) }, r.setClock(by) // back in any case at the end of the faults
	case eventDBDown:
		if w.db.tcp == nil {
			return nil, nil // a file cannot be unreachable
		}
		w.db.setDown(true)
		w.struck.Add(1)
		return func() { w.db.setDown(false) }, nil
	case eventDBCut, eventDBLost:
		for range max(1, e.Times) {
			w.db.cut(e.Text, e.What == eventDBLost)
		}
	case eventDBError:
		w.struck.Add(1)
		return func() { _ = w.db.heal(ctx) }, w.db.fail(ctx, e.Text) // healed in any case at the end of the faults
	case eventDBLocked:
		if w.db.file == "" {
			return nil, nil
		}
		w.db.lock(ctx, e.For)
		w.struck.Add(1)
	default:
		return nil, fmt.Errorf("there is no such event")
	}
	return nil, nil
}

// poisoned reports whether a call holds an order that Odoo cannot cope with.
func (w *world) poisoned(body []byte) bool {
	for _, key := range w.poison {
		if strings.Contains(string(body), key) {
			return true
		}
	}
	return false
}

// sleepUntil waits until a moment. False if the context ended before.
func sleepUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func pause(ctx context.Context, d time.Duration) bool { return sleepUntil(ctx, time.Now().Add(d)) }

func atoi(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
