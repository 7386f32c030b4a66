package faults

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// clients place the orders of a plan, each in a goroutine, and write every exchange into the history.
type clients struct {
	world *world
	http  http.Client
}

// clientTimeout is how long a client waits for an answer. It is longer than a process stays stopped: what such a process
// says in the end is heard.
const clientTimeout = 20 * time.Second

func newClients(w *world) *clients {
	return &clients{world: w, http: http.Client{Timeout: clientTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
}

func (c *clients) close() { c.http.CloseIdleConnections() }

// run fulfils all wishes, and returns when every client has come to its end.
func (c *clients) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, plan := range c.world.plan.Clients {
		running.Go(func() {
			for _, wish := range plan.Wishes {
				if !pause(ctx, wish.Pause) {
					return
				}
				c.fulfil(ctx, plan.Customer, wish)
			}
		})
	}
	running.Wait()
}

// wishTime bounds how long a client goes on about one order.
const wishTime = 40 * time.Second

// mostChases is how many times a client asks on after a 202.
const mostChases = 4

// fulfil asks for an order as callers do: again with the same key while there is no answer that settles it.
func (c *clients) fulfil(ctx context.Context, customer string, wish Wish) {
	doing := ctx
	ctx, cancel := context.WithTimeout(ctx, wishTime)
	defer cancel()
	d := drawer{Rand: rand.New(rand.NewPCG(wish.Salt, 1))}
	body := c.body(customer, wish)
	other := wish.OtherBody
	chased := 0
	for request := range wish.Patience {
		wait := d.between(100*time.Millisecond, 600*time.Millisecond)
		if chased > 0 && wish.Bad != BadPoison {
			wait *= 4 // as the answer asks for
		}
		if request > 0 && !pause(ctx, wait) {
			return
		}
		x := c.ask(ctx, d, wish, body, wish.Async)
		if other && x.Status != 0 {
			other = false
			changed := wish
			changed.Lines = append([]WishLine{{SKU: wish.Lines[0].SKU, Quantity: "99", Price: wish.Lines[0].Price}}, wish.Lines[1:]...)
			c.send(ctx, d.IntN(len(c.world.replicas)), wish, c.body(customer, changed), wish.Async)
		}
		switch x.meaning() {
		case placed:
			c.act(doing, wish, x)
			return
		case refused, aboutCaller, unexpected:
			return
		case accepted:
			if chased++; !wish.Chase || chased > mostChases && wish.Bad != BadPoison {
				return
			}
		}
	}
}

// ask sends a request, or, for a wish that sends twice, the same one to two replicas at once, and returns the better answer.
func (c *clients) ask(ctx context.Context, d drawer, wish Wish, body string, async bool) *Exchange {
	return c.either(ctx, d, wish.Twice, Exchange{Key: c.world.key(wish), Body: body, Async: async})
}

func (c *clients) either(ctx context.Context, d drawer, twice bool, asking Exchange) *Exchange {
	replica := d.IntN(len(c.world.replicas))
	if !twice {
		return c.exchange(ctx, replica, asking)
	}
	var second *Exchange
	var sending sync.WaitGroup
	sending.Go(func() {
		second = c.exchange(ctx, (replica+1)%len(c.world.replicas), asking)
	})
	first := c.exchange(ctx, replica, asking)
	sending.Wait()
	if second.meaning() == placed {
		return second
	}
	return first
}

// send asks for the order of a wish once.
func (c *clients) send(ctx context.Context, replica int, wish Wish, body string, async bool) *Exchange {
	return c.exchange(ctx, replica, Exchange{Key: c.world.key(wish), Body: body, Async: async})
}

// exchange makes one request and enters what came of it in the history.
func (c *clients) exchange(ctx context.Context, replica int, asking Exchange) *Exchange {
	h := c.world.history
	x := &asking
	x.Replica, x.Sent = replica, h.now()
	headers := map[string]string{"Idempotency-Key": x.Key}
	if x.Async {
		headers["Prefer"] = "respond-async"
	}
	if x.Method == http.MethodPatch {
		headers["If-Match"] = "*" // whatever it is by now: other clients do not touch it
	}
	url := c.world.replicas[replica].url() + cmp.Or(x.Path, "/v1/orders")
	a, err := c.call(ctx, cmp.Or(x.Method, http.MethodPost), url, c.world.portal, x.Body, headers)
	x.Answered = h.now()
	if err != nil {
		x.Err = "no answer: " + shortError(err)
	} else {
		x.read(a)
	}
	h.add(x)
	return x
}

// answer is an answer of the gateway.
type answer struct {
	status   int
	replayed bool
	body     string
}

// read enters an answer in an exchange.
func (x *Exchange) read(a answer) {
	x.Status, x.Replayed, x.Answer = a.status, a.replayed, a.body
	var content struct {
		ID   int64
		Code string
	}
	if json.Unmarshal([]byte(a.body), &content) != nil {
		x.Code = "not JSON"
		return
	}
	x.Code = content.Code
	if x.Status == http.StatusCreated {
		x.OrderID = content.ID
	}
}

func (c *clients) call(ctx context.Context, method, url, key, body string, headers map[string]string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	request.GetBody = nil // nothing but a client may repeat a request
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{response.StatusCode, response.Header.Get("Idempotency-Replayed") == "true", string(content)}, nil
}

// body is the request of a wish.
func (c *clients) body(customer string, wish Wish) string {
	lines := make([]map[string]any, len(wish.Lines))
	for i, l := range wish.Lines {
		lines[i] = map[string]any{"sku": l.SKU, "quantity": l.Quantity}
		if l.Price != "" {
			lines[i]["unit_price"] = l.Price
		}
	}
	switch wish.Bad {
	case BadSKU:
		lines[0]["sku"] = "NO-SUCH-SKU"
	case BadGone:
		lines[0]["sku"] = c.world.goneSKU
	}
	ref := c.world.prefix + customer
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(map[string]any{
		"customer":  map[string]any{"ref": ref, "name": "Customer " + ref, "email": customer + "@example.com"},
		"reference": c.world.key(wish), "lines": lines,
	}); err != nil {
		panic(fmt.Sprintf("a wish always marshals: %v", err))
	}
	return b.String()
}

// replay asks once more for what was asked for before, when all is over.
func (c *clients) replay(ctx context.Context) {
	for _, plan := range c.world.plan.Clients {
		for _, wish := range plan.Wishes {
			for i, a := range wish.Acts {
				c.replayAct(ctx, c.world.actKey(wish, i), a)
			}
			if !wish.Replay && !wish.Edit && !wish.Delete {
				continue
			}
			asked := c.world.history.of(c.world.key(wish))
			if len(asked) == 0 || wish.Bad == BadPoison {
				continue
			}
			d := drawer{Rand: rand.New(rand.NewPCG(wish.Salt, 2))}
			for range 2 {
				x := c.send(ctx, d.IntN(len(c.world.replicas)), wish, c.body(plan.Customer, wish), false)
				if m := x.meaning(); m == placed || m == refused {
					break
				}
				pause(ctx, 300*time.Millisecond)
			}
		}
	}
}

// replayAct asks once more for an action that was answered for good.
func (c *clients) replayAct(ctx context.Context, key string, a Act) {
	asked := c.world.history.of(key)
	settled := slices.ContainsFunc(asked, func(x *Exchange) bool { return x.meaning() == placed || x.meaning() == refused })
	if !a.Replay || !settled {
		return
	}
	d := drawer{Rand: rand.New(rand.NewPCG(a.Salt, 2))}
	for range 2 {
		x := c.either(ctx, d, false, Exchange{Key: key, Method: asked[0].Method, Path: asked[0].Path, Body: asked[0].Body})
		if m := x.meaning(); m == placed || m == refused {
			return
		}
		pause(ctx, 300*time.Millisecond)
	}
}

// shortError is an error without the address that it begins with.
func shortError(err error) string {
	text := err.Error()
	if at := strings.LastIndex(text, "\": "); at >= 0 {
		text = text[at+3:]
	}
	return text
}

// shortHash tells bodies apart for people.
func shortHash(body string) string {
	var sum uint32 = 2166136261
	for _, b := range []byte(body) {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return fmt.Sprintf("%08x", sum)
}

// sentLines reads the lines of a request.
func sentLines(body string) []WishLine {
	var request struct {
		Lines []struct {
			SKU       string
			Quantity  string
			UnitPrice string `json:"unit_price"`
		}
	}
	if json.Unmarshal([]byte(body), &request) != nil {
		return nil
	}
	lines := make([]WishLine, len(request.Lines))
	for i, l := range request.Lines {
		lines[i] = WishLine{SKU: l.SKU, Quantity: l.Quantity, Price: l.UnitPrice}
	}
	return lines
}

// withoutRequestID is an answer without the only part that may differ between an answer and its replay.
func withoutRequestID(body string) string {
	var content map[string]any
	if json.Unmarshal([]byte(body), &content) != nil || content["request_id"] == nil {
		return body
	}
	id, _ := content["request_id"].(string)
	return strings.ReplaceAll(body, id, "")
}
