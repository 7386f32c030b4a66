package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"ordergate/order"
)

// Act is something that a client does with an order of its own, once that is placed.
type Act struct {
	Kind   order.ActionKind
	Part   int           // of what is left, in percent, that is sent out, paid or given back, more or less; 0: all
	Pause  time.Duration // before the first request
	Twice  bool          // sends every request to two replicas at the same time
	Replay bool          // asks again when all is over
	Doomed bool          // Odoo will not do it
	Salt   uint64        // makes the client's own small decisions
}

// drawActs draws what becomes of an order: mostly a sensible life, cut short anywhere, with something in it at times that is not possible any more.
func drawActs(d drawer, real bool) []Act {
	var kinds []order.ActionKind
	if d.chance(25) {
		kinds = append(kinds, pick(d, order.Amend, order.Assign))
	}
	switch d.IntN(4) {
	case 0:
		kinds = append(kinds, order.Hold, order.Approve)
	case 1:
		kinds = append(kinds, order.Approve)
	default:
		kinds = append(kinds, order.Confirm)
	}
	confirmed := len(kinds)
	if d.chance(20) {
		kinds = append(kinds, order.Cancel, pick(d, order.Confirm, order.Fulfil, order.Cancel))
	} else {
		if d.chance(30) {
			kinds = append(kinds, order.Release, order.Reserve)
		}
		kinds = append(kinds, order.Fulfil, order.Bill, order.Pay)
		if d.chance(50) {
			kinds = append(kinds, order.Return, order.Receive, order.Refund, order.Pay)
		}
		kinds = append(kinds, order.Fulfil, order.Bill, order.Pay, order.Pay)
	}
	if d.chance(25) {
		kinds = append(kinds[:confirmed+d.IntN(len(kinds)-confirmed)], pick(d, order.ActionKinds...))
	}
	acts := make([]Act, 0, len(kinds))
	sent := 0
	for _, kind := range kinds {
		if deeds[kind].realOnly && !real {
			continue
		}
		a := Act{Kind: kind, Pause: d.between(0, 200*time.Millisecond), Twice: d.chance(15), Replay: d.chance(50), Salt: d.Uint64()}
		if kind == order.Fulfil {
			sent++
		}
		inParts := map[order.ActionKind]int{order.Pay: 40, order.Return: 70, order.Refund: 50}[kind]
		if kind == order.Fulfil && sent == 1 {
			inParts = 70
		}
		if d.chance(inParts) {
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
	asked, possible := deeds[a.Kind].request(d, key, v, a.Part)
	if !possible {
		return
	}
	asking := Exchange{Key: key, Method: asked.method, Path: fmt.Sprintf("/v1/orders/%d%s", v.ID, asked.path)}
	if asked.body != nil {
		encoded, err := json.Marshal(asked.body)
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
