package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"ordergate/order"
)

// Act is something that a client does with an order of its own, once that is placed.
type Act struct {
	Kind   order.ActionKind
	Part   int           // of what is left, in percent, that is sent out or paid, more or less; 0: all
	Pause  time.Duration // before the first request
	Twice  bool          // sends every request to two replicas at the same time
	Replay bool          // asks again when all is over
	Doomed bool          // Odoo will not do it
	Salt   uint64        // makes the client's own small decisions
}

// deed is how a kind of action is asked for, and what it leaves in Odoo. A new action of the gateway gets a row in deeds.
type deed struct {
	// request is the path below the order, and the body; not possible where the order, as the client knows it, leaves nothing to ask for.
	request func(d drawer, key string, v view, part int) (path string, body any, possible bool)
	// leaves enters what the action leaves once it is done.
	leaves func(l *life, a acted)
	// excuse reports whether a refusal with this code is right for an order that stands so. That its status does not allow the action is
	// looked at for all of them.
	excuse func(l life, a acted, code string) bool
}

// deeds are the actions that clients carry out.
var deeds = map[order.ActionKind]deed{
	order.Hold: {
		request: always("hold", map[string]any{"reason": "to be looked at"}),
		leaves:  func(l *life, _ acted) { l.onHold, l.approved = true, false },
	},
	order.Approve: {
		request: always("approve", nil),
		leaves: func(l *life, _ acted) {
			if !l.confirmed {
				l.onHold, l.approved, l.confirmed = false, true, true
			}
		},
	},
	order.Confirm: {
		request: always("confirm", nil),
		leaves:  func(l *life, _ acted) { l.confirmed = true },
	},
	order.Cancel: {
		request: always("cancel", map[string]any{"reason": "changed my mind"}),
		leaves:  func(l *life, _ acted) { l.cancelled = true },
	},
	order.Fulfil: {request: requestFulfilment, leaves: leavesFulfilment},
	order.Bill: {
		request: always("invoices", nil),
		leaves: func(l *life, _ acted) {
			l.invoices++
			for id := range l.ordered {
				l.invoiced[id] = max(l.invoiced[id], l.billable(id))
			}
		},
		excuse: func(l life, _ acted, code string) bool { return code == "nothing_to_invoice" && !l.toInvoice() },
	},
	order.Pay: {
		request: requestPayment,
		leaves:  func(l *life, a acted) { l.paid[a.key] = a.amount() },
		excuse:  func(l life, a acted, code string) bool { return code == "more_than_due" && a.amount() > l.due() },
	},
}

func always(path string, body any) func(drawer, string, view, int) (string, any, bool) {
	return func(drawer, string, view, int) (string, any, bool) { return path, body, true }
}

// view is an order as the gateway last showed it to a client.
type view struct {
	ID    int64
	Lines []struct {
		ID        int64  `json:"erp_line_id"`
		Quantity  string `json:"quantity"`
		Delivered string `json:"quantity_delivered"`
	}
	Invoices []struct {
		ID    int64
		State string
		Due   string `json:"amount_due"`
	}
}

func requestFulfilment(d drawer, _ string, v view, part int) (string, any, bool) {
	if part == 0 {
		return "fulfilments", map[string]any{}, true
	}
	var lines []any
	for _, l := range v.Lines {
		left := int(float(l.Quantity) - float(l.Delivered))
		if left > 0 && (len(lines) == 0 || d.chance(part)) {
			lines = append(lines, map[string]any{"erp_line_id": l.ID, "quantity": strconv.Itoa(1 + d.IntN(left))})
		}
	}
	return "fulfilments", map[string]any{"lines": lines}, len(lines) > 0
}

func requestPayment(_ drawer, key string, v view, part int) (string, any, bool) {
	for _, in := range v.Invoices {
		due := float(in.Due)
		if in.State != "posted" || due <= 0 {
			continue
		}
		if part > 0 {
			due *= float64(part) / 100
		}
		return fmt.Sprintf("invoices/%d/payments", in.ID), map[string]any{"amount": strconv.FormatFloat(max(due, 0.01), 'f', 2, 64), "reference": key}, true
	}
	return "", nil, false
}

func leavesFulfilment(l *life, a acted) {
	l.deliveries++
	lines := a.lines()
	if len(lines) == 0 {
		for id, quantity := range l.ordered {
			l.delivered[id] = quantity
		}
	}
	for id, quantity := range lines {
		l.delivered[id] += quantity
	}
}

// drawActs draws what becomes of an order: mostly a sensible life, cut short anywhere, with something in it at times that is not possible any more.
func drawActs(d drawer) []Act {
	kinds := []order.ActionKind{order.Confirm}
	switch d.IntN(4) {
	case 0:
		kinds = []order.ActionKind{order.Hold, order.Approve}
	case 1:
		kinds = []order.ActionKind{order.Approve}
	}
	if d.chance(20) {
		kinds = append(kinds, order.Cancel, pick(d, order.Confirm, order.Fulfil, order.Cancel))
	} else {
		kinds = append(kinds, order.Fulfil, order.Bill, order.Pay, order.Fulfil, order.Bill, order.Pay, order.Pay)
	}
	if d.chance(25) {
		kinds = append(kinds[:1+d.IntN(len(kinds))], pick(d, order.ActionKinds...))
	}
	acts := make([]Act, 0, len(kinds))
	sent := 0
	for _, kind := range kinds {
		if _, known := deeds[kind]; !known {
			continue // nobody here knows how to ask for it
		}
		a := Act{Kind: kind, Pause: d.between(0, 200*time.Millisecond), Twice: d.chance(15), Replay: d.chance(50), Salt: d.Uint64()}
		if kind == order.Fulfil {
			sent++
		}
		if kind == order.Fulfil && sent == 1 && d.chance(70) || kind == order.Pay && d.chance(40) {
			a.Part = 10 + d.IntN(80)
		}
		acts = append(acts, a)
	}
	return acts
}

// actTime bounds how long a client goes on about one action, and actPatience how many times it asks.
const (
	actTime     = 25 * time.Second
	actPatience = 8
)

// act carries out what a client wants of its order, one after the other.
func (c *clients) act(ctx context.Context, wish Wish, placed *Exchange) {
	var v view
	if len(wish.Acts) == 0 || json.Unmarshal([]byte(placed.Answer), &v) != nil {
		return
	}
	for i, a := range wish.Acts {
		if !pause(ctx, a.Pause) {
			return
		}
		if i > 0 {
			c.lookAt(ctx, &v)
		}
		c.carryOut(ctx, c.world.actKey(wish, i), a, v)
	}
}

// lookAt reads an order anew; it stays as the client knows it if that fails.
func (c *clients) lookAt(ctx context.Context, v *view) {
	for _, r := range c.world.replicas {
		a, err := c.call(ctx, http.MethodGet, fmt.Sprintf("%s/v1/orders/%d", r.url(), v.ID), c.world.portal, "", nil)
		var now view
		if err == nil && a.status == http.StatusOK && json.Unmarshal([]byte(a.body), &now) == nil {
			*v = now
			return
		}
	}
}

// carryOut asks for one action as callers do: again with the same key while there is no answer that settles it.
func (c *clients) carryOut(ctx context.Context, key string, a Act, v view) {
	ctx, cancel := context.WithTimeout(ctx, actTime)
	defer cancel()
	d := drawer{Rand: rand.New(rand.NewPCG(a.Salt, 1))}
	path, content, possible := deeds[a.Kind].request(d, key, v, a.Part)
	if !possible {
		return
	}
	asking := Exchange{Key: key, Path: fmt.Sprintf("/v1/orders/%d/%s", v.ID, path)}
	if content != nil {
		encoded, err := json.Marshal(content)
		if err != nil {
			panic(fmt.Sprintf("an action always marshals: %v", err))
		}
		asking.Body = string(encoded)
	}
	accepted := false
	for request := range actPatience {
		wait := d.between(100*time.Millisecond, 600*time.Millisecond)
		if accepted {
			wait *= 3 // as the answer asks for
		}
		if request > 0 && !pause(ctx, wait) {
			return
		}
		switch x := c.either(ctx, d, a.Twice, asking); x.meaning() {
		case placed, refused, aboutCaller, unexpected:
			return
		default:
			accepted = x.Status == http.StatusAccepted
		}
	}
}

// actKey is the idempotency key of an action of a wish.
func (w *world) actKey(wish Wish, i int) string {
	return fmt.Sprintf("%s.%d-%s", w.key(wish), i, wish.Acts[i].Kind)
}

func float(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return f
}
