package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordergate/order"
)

func TestKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.service.places()
	send := func(keys ...string) answer {
		r := b.request(http.MethodPost, "/v1/orders", portalSecret, validOrder)
		r.Header["Idempotency-Key"] = keys
		return r.send()
	}

	send().requireProblem(t, http.StatusBadRequest, "idempotency_key_missing", "Idempotency-Key")
	send("").requireProblem(t, http.StatusBadRequest, "idempotency_key_missing", "Idempotency-Key")
	send("k", "k").requireProblem(t, http.StatusBadRequest, "idempotency_key_invalid", "Idempotency-Key")
	send("", "k").requireProblem(t, http.StatusBadRequest, "idempotency_key_invalid", "Idempotency-Key")
	for _, key := range []string{strings.Repeat("k", 256), "a\tb", "a\x00", "a\x7f", "clé", "\xff", "a\u00a0b", "😀"} {
		send(key).requireProblem(t, http.StatusBadRequest, "idempotency_key_invalid", "Idempotency-Key")
	}
	require.Empty(t, *asked, "nothing of them is placed")
}

// The IETF's draft writes a key as a string in quotation marks. They are part of the key: a key is what was sent, byte
// for byte, and never what a parser makes of it.
func TestKeysArePassedOnByteForByte(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var passed string
	b.service.place = func(_ context.Context, _ order.Caller, key string, _ order.Request) (order.Placement, error) {
		passed = key
		o := cabinet()
		return order.Placement{Order: &o}, nil
	}
	keys := []string{
		"a", "A", `"a"`, `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, `"unclosed`, `"a\"b"`, `\`, "a, b", "a,b", "a;b=c", ":YQ==:", "?1", "1.0", "1",
		"a/b", "%41", "+", "a  b", "null", strings.Repeat("k", 255),
	}
	for _, key := range keys {
		require.Equal(t, http.StatusCreated, b.place(portalSecret, key, validOrder).StatusCode, key)
		require.Equal(t, key, passed)
	}
}

// placingOnce is a service in the manner of the real one: it keeps of the first request with a key what a database keeps,
// its fingerprint and the JSON of its outcome.
func placingOnce(outcome func(order.Request) (*order.Order, *order.Error)) func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
	type stored struct{ fingerprint, order, failure string }
	kept := map[string]stored{}
	return func(_ context.Context, _ order.Caller, key string, req order.Request) (order.Placement, error) {
		req.Normalize()
		first, known := kept[key]
		if !known {
			placed, failure := outcome(req)
			kept[key] = stored{req.Fingerprint(), encode(placed), encode(failure)}
			if failure != nil {
				return order.Placement{}, failure
			}
			return order.Placement{Order: placed}, nil
		}
		if first.fingerprint != req.Fingerprint() {
			return order.Placement{}, order.Errorf(order.Unprocessable, "idempotency_key_reused", "Used for a different order.")
		}
		if failure := decode[order.Error](first.failure); failure != nil {
			return order.Placement{Replayed: true}, failure
		}
		return order.Placement{Order: decode[order.Order](first.order), Replayed: true}, nil
	}
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func decode[T any](text string) *T {
	var v *T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	return v
}

func TestAReplayHasTheBytesOfTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited)
	amount := rapid.Custom(func(t *rapid.T) string {
		return order.FormatQuantity(money(rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,6})?`).Draw(t, "amount")))
	})
	rapid.Check(t, func(t *rapid.T) {
		o := cabinet()
		o.CurrencyDecimals = rapid.IntRange(0, 4).Draw(t, "decimals")
		o.AmountUntaxed, o.AmountTax = money(amount.Draw(t, "untaxed")), money(amount.Draw(t, "tax"))
		o.Note, o.Reference = rapid.String().Draw(t, "note"), rapid.SampledFrom([]string{"", "PO <&> \u2028"}).Draw(t, "reference")
		o.OrderedAt = start.Add(time.Duration(rapid.Int64Range(0, 1e18).Draw(t, "ordered at"))).In(time.FixedZone("", 5400))
		o.Lines[0].Quantity, o.Lines[0].UnitPrice = money(amount.Draw(t, "quantity")), money("19.900")
		if rapid.Bool().Draw(t, "no lines") {
			o.Lines = nil
		}
		b.service.place = placingOnce(func(order.Request) (*order.Order, *order.Error) { return &o, nil })

		first := b.place(portalSecret, "k", validOrder)
		again := b.place(portalSecret, "k", validOrder)

		require.Equal(t, http.StatusCreated, first.StatusCode)
		require.Equal(t, first.StatusCode, again.StatusCode)
		require.Equal(t, string(first.body), string(again.body))
		require.Equal(t, first.Header.Get("Location"), again.Header.Get("Location"))
		require.Empty(t, first.Header.Get("Idempotency-Replayed"))
		require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	})
}

func TestAReplayedProblemDiffersInItsRequestIDOnly(t *testing.T) {
	t.Parallel()
	failures := map[string]*order.Error{
		"rejected": {Kind: order.Unprocessable, Code: "erp_rejected", Message: "The ERP refused the order: <b>Blocked</b>.",
			Violations: []order.Violation{{Field: "lines[0].sku", Message: "is blocked"}, {Field: "note", Message: "é"}}},
		"cancelled": order.Errorf(order.Unprocessable, "intent_cancelled", "This order was called off."),
		"gone":      order.Errorf(order.Forbidden, "customer_gone", "The customer is gone."),
	}
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.service.place = placingOnce(func(order.Request) (*order.Order, *order.Error) { return nil, failure })
			send := func(id string) answer {
				return b.request(http.MethodPost, "/v1/orders", portalSecret, validOrder).with("Idempotency-Key", "k").with("X-Request-Id", id).send()
			}

			first, again := send("first"), send("again")

			require.Equal(t, first.StatusCode, again.StatusCode)
			require.Equal(t, strings.Replace(string(first.body), `"request_id":"first"`, `"request_id":"again"`, 1), string(again.body))
			require.NotEqual(t, string(first.body), string(again.body))
			require.Empty(t, first.Header.Get("Idempotency-Replayed"))
			require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
		})
	}
}

func TestTheSameOrderMayBeSpeltDifferently(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited)
	var fingerprint string
	b.service.place = func(_ context.Context, _ order.Caller, _ string, req order.Request) (order.Placement, error) {
		fingerprint = req.Fingerprint()
		o := cabinet()
		return order.Placement{Order: &o}, nil
	}
	of := func(body string) string {
		a := b.place(portalSecret, "k", body)
		require.Equal(t, http.StatusCreated, a.StatusCode, "%s: %s", body, a.body)
		return fingerprint
	}
	first := of(`{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.9"}]}`)
	for what, body := range map[string]string{
		"member order":    `{"lines":[{"unit_price":"19.9","quantity":"2","sku":"E-COM07"}],"customer":{"ref":"u-17"}}`,
		"white space":     "{\n\t\"customer\": {\"ref\" : \"u-17\"},\r\n \"lines\": [ {\"sku\": \"E-COM07\", \"quantity\": \"2\", \"unit_price\": \"19.9\"} ] }\n",
		"trailing zeros":  `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"2.000","unit_price":"19.90"}]}`,
		"leading zeros":   `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"02","unit_price":"0019.9"}]}`,
		"defaults":        `{"customer":{"ref":"u-17","name":"","email":"","phone":""},"reference":"","note":"","confirm":false,"lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.9"}]}`,
		"escapes":         `{"customer":{"ref":"\u0075-17"},"lines":[{"sku":"\u0045-COM07","quantity":"\u0032","unit_price":"19.9"}]}`,
		"escaped members": `{"customer":{"r\u0065f":"u-17"},"lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.9"}]}`,
	} {
		require.Equal(t, first, of(body), what)
	}
	for what, body := range map[string]string{
		"quantity":    `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"3","unit_price":"19.9"}]}`,
		"price":       `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.91"}]}`,
		"no price":    `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"2"}]}`,
		"discount":    `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.9","discount":"0"}]}`,
		"customer":    `{"customer":{"ref":"U-17"},"lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.9"}]}`,
		"two lines":   `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":"1","unit_price":"19.9"},{"sku":"E-COM07","quantity":"1","unit_price":"19.9"}]}`,
		"confirm":     `{"customer":{"ref":"u-17"},"confirm":true,"lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.9"}]}`,
		"white space": `{"customer":{"ref":"u-17"},"note":" ","lines":[{"sku":"E-COM07","quantity":"2","unit_price":"19.9"}]}`,
	} {
		require.NotEqual(t, first, of(body), what)
	}
	number := `{"customer":{"ref":"u-17"},"lines":[{"sku":"E-COM07","quantity":2,"unit_price":"19.9"}]}`
	b.place(portalSecret, "k", number).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "lines[0].quantity")
}
