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
	prefer                            string
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
	preferring := func(prefer string, e example) example {
		return with(e, func(e *example) { e.prefer = prefer })
	}
	never := placing(order.Placement{}, fmt.Errorf("must not be asked"))
	rejected := order.Errorf(order.Unprocessable, "erp_rejected", "The ERP refused the order: The customer is blocked.")
	calledOff := order.Errorf(order.Unprocessable, "intent_cancelled",
		"This request was called off before it was carried out, and will not be. Use a new key for a new one.")
	changing := func(method, target string, change func(*order.Intent)) example {
		return example{method: method, target: target, secret: operatorSecret, arrange: func(b *bench) {
			answer := func(_ context.Context, _ order.Caller, source, key string) (order.Intent, error) {
				in := inDoubt(key)
				in.Source = source
				change(&in)
				return in, nil
			}
			b.service.retry, b.service.cancel = answer, answer
		}}
	}

	return map[string]example{
		"placed":   post(placing(order.Placement{Order: &placed}, nil)),
		"replayed": post(placing(order.Placement{Order: &placed, Replayed: true}, nil)),
		"accepted": post(placing(order.Placement{Intent: inDoubt("cart-8841")}, nil)),
		"queued": preferring("respond-async", post(func(b *bench) {
			b.service.enqueue = func(_ context.Context, _ order.Caller, key string, _ order.Request) (order.Placement, error) {
				return order.Placement{Intent: queued(key)}, nil
			}
		})),
		"dry run": with(post(func(b *bench) {
			b.service.preview = func(_ context.Context, _ order.Caller, key string, _ order.Request) (order.Preview, error) {
				const name = "ordergate.order_0c1d2e3f40516273849a5b6c7d8e9fa0b1c2d3e4"
				return order.Preview{
					Key: key,
					Customer: &order.Load{Model: "res.partner", Fields: []string{"id", "name", "email", "ref"},
						Rows: [][]string{{"ordergate.customer_7e2b5b1e4fd0c1f0a9d1f2c34b5a69788a1c2d3e", "Ada Lovelace", "ada@example.com", "u-17"}}},
					Order: order.Load{Model: "sale.order",
						Fields: []string{"id", "partner_id/.id", "client_order_ref", "order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty"},
						Rows:   [][]string{{name, "new", "PO-1", name + "_line_1", "31", "2"}}},
				}, nil
			}
		}), func(e *example) { e.target += "?dry_run=true" }),
		"wait too long": preferring("wait=5", post(placing(order.Placement{}, order.Errorf(order.Unavailable, "wait_too_long",
			"The order would not have been placed in the time that its caller waits. Nothing was accepted; try again, or ask for it to be queued (Prefer: respond-async).").RetryIn(8*time.Second)))),
		"queue full": post(placing(order.Placement{}, order.Errorf(order.Unavailable, "queue_full",
			"As many orders wait as can be waited for. Nothing was accepted; try again.").RetryIn(3*time.Second))),
		"rejected":       post(placing(order.Placement{}, rejected)),
		"rejected again": post(placing(order.Placement{Replayed: true}, rejected)),
		"cancelled":      post(placing(order.Placement{Replayed: true}, calledOff)),
		"outcome unknown": post(placing(order.Placement{}, order.Errorf(order.Internal, "outcome_unknown",
			"The gateway lost its database over this order and cannot tell what became of it. Send it again with the same key."))),
		"overloaded": with(post(never), func(e *example) {
			e.adjust = func(cfg *gateway.Config) { cfg.Limits.MaxInFlight = 1 }
			e.arrange = func(b *bench) { b.t.Cleanup(b.hangs(b.service, portalSecret, 1)) }
		}),
		"in flight": post(placing(order.Placement{}, order.Errorf(order.Conflict, "key_in_flight",
			"The first request with this Idempotency-Key is being carried out at this moment. Try again in a second for its outcome.").RetryIn(time.Second))),
		"reused": with(post(placing(order.Placement{}, &order.Error{Kind: order.Unprocessable, Code: "idempotency_key_reused",
			Message:    "This Idempotency-Key was used for a different request. Use a new key for a new one, and the same body on every retry.",
			Violations: []order.Violation{{Field: "Idempotency-Key", Message: "was used for a different request"}}})),
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
			b.service.order = func(context.Context, order.Caller, int64) (order.Order, order.OrderSync, error) {
				return order.Order{}, order.OrderSync{}, order.Errorf(order.NotFound, "order_not_found", "No order 4712 exists.")
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
			"The ERP cannot be reached. Nothing was accepted or changed; try again, with the same key if there is one.").RetryIn(5*time.Second))),
		"intent": get("/v1/intents/cart-8841", func(b *bench) {
			b.service.intent = func(context.Context, order.Caller, string, string) (order.Intent, error) {
				in := inDoubt("cart-8841")
				in.State, in.Attempts, in.UpdatedAt = order.Rejected, 2, start.Add(time.Minute)
				in.Failure = order.Errorf(order.Unprocessable, "erp_rejected", "The ERP refused the order: The customer is blocked.")
				return in, nil
			}
		}),
		"intents": {method: http.MethodGet, target: "/v1/intents?state=parked&source=portal", secret: operatorSecret, arrange: func(b *bench) {
			b.service.intents = func(context.Context, order.Caller, order.IntentFilter) ([]order.Intent, error) {
				in := inDoubt("cart-8841")
				in.State, in.Attempts, in.UpdatedAt = order.Parked, 12, start.Add(9*time.Minute)
				in.Failure = order.Errorf(order.Unavailable, "parked",
					"The ERP works, and has no clear answer to this request. An operator must look at it, and then retry or cancel it.")
				return []order.Intent{in}, nil
			}
		}},
		"retry": changing(http.MethodPost, "/v1/intents/cart-8841/retry?source=portal", func(in *order.Intent) { in.Attempts = 12 }),
		"called off": changing(http.MethodDelete, "/v1/intents/cart-8841?source=portal", func(in *order.Intent) {
			in.State, in.Attempts, in.UnknownAt = order.CalledOff, 0, time.Time{}
			in.Failure = calledOff
		}),
		"to be called off": changing(http.MethodDelete, "/v1/intents/cart-8841?source=portal", func(in *order.Intent) {
			in.CancelRequestedAt = start.Add(time.Minute)
		}),
		"history": get("/v1/orders/4711/history?limit=1", func(b *bench) {
			b.service.history = func(_ context.Context, _ order.Caller, id int64, _ order.HistoryFilter) ([]order.HistoryEntry, error) {
				shipped := order.Entry(id, order.HistoryShipped)
				shipped.ID, shipped.WrittenBy, shipped.RecordedAt = 4, "sync", start.Add(time.Hour)
				shipped.Payload = order.PayloadText(map[string]any{"delivery_id": int64(12), "number": "WH/OUT/00012", "carrier": "DHL", "tracking": "00340434"})
				shipped.Hash = shipped.Chain("", 1)
				return []order.HistoryEntry{shipped, damaged(5)}, nil
			}
		}),
		"entry written": {method: http.MethodPost, target: "/v1/orders/4711/history", secret: moduleSecret, key: "scan-17",
			body: `{"status_code":"warehouse:damaged","category":"quality","severity":"blocking","payload":{"pallet":"17"},"detail":"One box is crushed."}`,
			arrange: func(b *bench) {
				b.service.writeHistory = func(_ context.Context, caller order.Caller, _ string, e order.HistoryEntry) (order.HistoryEntry, bool, error) {
					e.ID, e.WrittenBy, e.RecordedAt = 5, caller.Name, start
					e.Hash = e.Chain("", 1)
					return e, false, nil
				}
			}},
		"order blocked": {method: http.MethodPost, target: "/v1/orders/4711/confirm", secret: portalSecret, key: "confirm-4711", arrange: func(b *bench) {
			b.service.act = func(_ context.Context, _ order.Caller, _ string, action order.Action) (order.Placement, error) {
				return order.Placement{}, order.BlockedBy(action.OrderID, []order.HistoryEntry{damaged(5)})
			}
		}},
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
	if e.prefer != "" {
		r.with("Prefer", e.prefer)
	}
	a := r.send()

	var text strings.Builder
	text.WriteString("$ curl -i ")
	if e.method != http.MethodGet && e.body == "" {
		fmt.Fprintf(&text, "-X %s ", e.method)
	}
	fmt.Fprintf(&text, "\"$GATEWAY%s\" \\\n    -H \"Authorization: Bearer $KEY\"", e.target)
	if e.key != "" {
		fmt.Fprintf(&text, " \\\n    -H 'Idempotency-Key: %s'", e.key)
	}
	if e.prefer != "" {
		fmt.Fprintf(&text, " \\\n    -H 'Prefer: %s'", e.prefer)
	}
	if e.body != "" {
		data := e.body
		if e.comment != "" {
			data = e.comment
		}
		fmt.Fprintf(&text, " \\\n    -H 'Content-Type: application/json' \\\n    --data-binary '%s'", data)
	}
	fmt.Fprintf(&text, "\nHTTP/1.1 %d %s\n", a.StatusCode, http.StatusText(a.StatusCode))
	for _, name := range []string{"Content-Type", "Etag", "Idempotency-Replayed", "Location", "Preference-Applied", "Retry-After", "Www-Authenticate", "X-Request-Id"} {
		if value := a.Header.Get(name); value != "" {
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	var body bytes.Buffer
	require.NoError(t, json.Indent(&body, bytes.TrimSpace(a.body), "", "  "))
	return text.String() + "\n" + body.String() + "\n"
}
