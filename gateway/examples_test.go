package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/order"
)

var update = flag.Bool("update", false, "write the examples of docs/api.md anew")

const apiGuide = "../docs/api.md"

// example is a request of docs/api.md. The guide shows the answer that this test got to it.
type example struct {
	method, target, secret, key, body string
	comment                           string // what the guide's reader should know of the body, if it is not shown
	adjust                            func(*gateway.Config)
	arrange                           func(*bench)
}

func placing(placement order.Placement, err error) func(*bench) {
	return func(b *bench) {
		b.service.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
			return placement, err
		}
	}
}

func examples() map[string]example {
	placed := cabinet()
	placed.AmountTax = money("8.36")
	post := func(arrange func(*bench)) example {
		return example{method: http.MethodPost, target: "/v1/orders", secret: portalSecret, key: "cart-8841", body: validOrder, arrange: arrange}
	}
	with := func(e example, change func(*example)) example {
		change(&e)
		return e
	}
	get := func(target string, arrange func(*bench)) example {
		return example{method: http.MethodGet, target: target, secret: portalSecret, arrange: arrange}
	}
	never := placing(order.Placement{}, fmt.Errorf("must not be asked"))

	return map[string]example{
		"placed":   post(placing(order.Placement{Order: &placed}, nil)),
		"replayed": post(placing(order.Placement{Order: &placed, Replayed: true}, nil)),
		"accepted": post(placing(order.Placement{Intent: inDoubt("cart-8841")}, nil)),
		"in flight": post(placing(order.Placement{}, order.Errorf(order.Conflict, "key_in_flight",
			"An order with this Idempotency-Key is being placed at this moment. Try again in a second for its outcome.").RetryIn(time.Second))),
		"reused": with(post(placing(order.Placement{}, &order.Error{Kind: order.Unprocessable, Code: "idempotency_key_reused",
			Message:    "This Idempotency-Key was used for a different order. Use a new key for a new order, and the same body on every retry.",
			Violations: []order.Violation{{Field: "Idempotency-Key", Message: "was used for a different order"}}})),
			func(e *example) { e.body = strings.Replace(validOrder, `"2"`, `"3"`, 1) }),
		"invalid": with(post(never), func(e *example) {
			e.body = `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":2}],"coupon":"X"}`
		}),
		"unknown sku": with(post(placing(order.Placement{}, order.Invalid("unknown_sku", "lines[0].sku", "No product has the SKU %q.", "E-COM99"))),
			func(e *example) { e.body = strings.Replace(validOrder, "E-COM07", "E-COM99", 1) }),
		"malformed":       with(post(never), func(e *example) { e.body = `{"lines":[}` }),
		"no key":          with(post(never), func(e *example) { e.key = "" }),
		"unauthenticated": with(post(never), func(e *example) { e.secret = "og_wrong" }),
		"forbidden":       {method: http.MethodGet, target: "/v1/customers", secret: customerSecret},
		"not found": get("/v1/orders/4712", func(b *bench) {
			b.service.order = func(context.Context, order.Caller, int64) (order.Order, order.SyncStatus, error) {
				return order.Order{}, order.SyncStatus{}, order.Errorf(order.NotFound, "order_not_found", "No order 4712 exists.")
			}
		}),
		"too large": with(post(never), func(e *example) {
			e.body, e.comment = strings.Repeat(" ", 10<<20), "@ten-megabytes.json"
		}),
		"rate limited": with(post(func(b *bench) { b.service.places(); b.place(portalSecret, "other", validOrder) }),
			func(e *example) {
				e.adjust = func(cfg *gateway.Config) { cfg.Limits.RatePerSecond, cfg.Limits.Burst = 50, 1 }
			}),
		"unavailable": post(placing(order.Placement{}, order.Errorf(order.Unavailable, "erp_unavailable",
			"The ERP cannot be reached. Nothing was accepted; try again with the same key.").RetryIn(5*time.Second))),
		"intent": get("/v1/intents/cart-8841", func(b *bench) {
			b.service.intent = func(context.Context, order.Caller, string, string) (order.Intent, error) {
				in := inDoubt("cart-8841")
				in.State, in.Attempts, in.UpdatedAt = order.Rejected, 2, start.Add(time.Minute)
				in.Failure = order.Errorf(order.Unprocessable, "erp_rejected", "The ERP refused the order: The customer is blocked.")
				return in, nil
			}
		}),
		"list": get("/v1/orders?status=draft&limit=1", func(b *bench) {
			b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
				return order.Listing{Orders: []order.Order{placed}, Next: order.Position{OrderedAt: placed.OrderedAt, ID: placed.ID},
					Sync: order.SyncStatus{State: order.Stale, SyncedAt: start.Add(-3 * time.Minute), Reason: "The ERP cannot be reached."}}, nil
			}
		}),
	}
}

// TestTheGuidesExamplesAreReal holds every example of docs/api.md to what the gateway answers.
func TestTheGuidesExamplesAreReal(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(apiGuide)
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)<!-- example: ([a-z ]+) -->\n```console\n.*?```\n")
	known, shown := examples(), map[string]bool{}
	renewed := block.ReplaceAllFunc(guide, func(found []byte) []byte {
		name := string(block.FindSubmatch(found)[1])
		e, exists := known[name]
		require.True(t, exists, "docs/api.md shows the example %q, which no test runs", name)
		shown[name] = true
		return fmt.Appendf(nil, "<!-- example: %s -->\n```console\n%s```\n", name, e.run(t))
	})
	require.Len(t, shown, len(known), "docs/api.md does not show every example")
	if *update {
		require.NoError(t, os.WriteFile(apiGuide, renewed, 0o644))
		return
	}
	require.Equal(t, string(renewed), string(guide), "run go test ./gateway -run Guide -update")
}

// run sends the example and returns the command and its answer as a terminal would show them.
func (e example) run(t *testing.T) string {
	adjust := []func(*gateway.Config){func(cfg *gateway.Config) {
		cfg.NewRequestID = func() string { return "019aa5c1-9d40-7c8e-b3a1-5f0e6f1f2b11" }
	}}
	if e.adjust != nil {
		adjust = append(adjust, e.adjust)
	}
	b := newBench(t, adjust...)
	if e.arrange != nil {
		e.arrange(b)
	}
	r := b.request(e.method, e.target, e.secret, e.body)
	if e.key != "" {
		r.with("Idempotency-Key", e.key)
	}
	a := r.send()

	var text strings.Builder
	fmt.Fprintf(&text, "$ curl -i \"$GATEWAY%s\" \\\n    -H \"Authorization: Bearer $KEY\"", e.target)
	if e.body != "" {
		if e.key != "" {
			fmt.Fprintf(&text, " \\\n    -H 'Idempotency-Key: %s'", e.key)
		}
		data := e.body
		if e.comment != "" {
			data = e.comment
		}
		fmt.Fprintf(&text, " \\\n    -H 'Content-Type: application/json' \\\n    --data-binary '%s'", data)
	}
	fmt.Fprintf(&text, "\nHTTP/1.1 %d %s\n", a.StatusCode, http.StatusText(a.StatusCode))
	for _, name := range []string{"Content-Type", "Idempotency-Replayed", "Location", "Retry-After", "Www-Authenticate", "X-Request-Id"} {
		if value := a.Header.Get(name); value != "" {
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	var body bytes.Buffer
	require.NoError(t, json.Indent(&body, bytes.TrimSpace(a.body), "", "  "))
	return text.String() + "\n" + body.String() + "\n"
}
