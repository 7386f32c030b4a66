package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/odoorpc"
	"ordergate/test/proxy"
)

// When somebody does the same in Odoo as a caller of the gateway, nothing is done twice that Odoo's own state forbids, and the caller is told
// what stands; see docs/actions.md.
func TestPeopleDoTheSame(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		p := s.with(settings{"ORDERGATE_ODOO_TRANSACTION_LIMIT": "3s"}).serve(t) // or doubt would last for minutes
		for _, when := range []moment{rightBefore, rightAfter, beforeItIsRepeated} {
			l := &sameLife{life: newLife(t, s, p), when: when}
			for _, step := range l.steps() {
				l.take(step)
			}
			l = &sameLife{life: newLife(t, s, p), when: when}
			l.take(l.cancel())
		}
		s.must(t, "history", "verify")
	})
}

// moment is when somebody does the same.
type moment string

const (
	rightBefore        moment = "right before the gateway's first call"
	rightAfter         moment = "right after its last one"
	beforeItIsRepeated moment = "while that is lost on its way, before it is sent again"
)

// sameLife is an order of three pieces of which each step is taken twice.
type sameLife struct {
	*life
	when moment

	refused error // what Odoo said to people last, if it did
}

// sameStep is an action of the gateway, what somebody does in Odoo beside it, and what must hold then.
type sameStep struct {
	action, method string
	body           func() (path string, body any)
	// first and last are the models and methods of the calls before and after which people come, and lost, or else last, of the one that is
	// lost. To fulfil and to receive, quantities are written before the first.
	first, last, lost [2]string
	people            func() func()
	holds             func(a answer) bool
}

func (l *sameLife) take(step sameStep) {
	l.Helper()
	address, body := step.body()
	at, people := step.last, step.people()
	var strike proxy.Action
	switch l.when {
	case rightBefore:
		at, strike = step.first, proxy.First(people, proxy.DelayAnswer(0))
	case rightAfter:
		strike = proxy.Then(proxy.DelayAnswer(0), people)
	case beforeItIsRepeated:
		strike = proxy.First(people, proxy.Refuse)
		if step.lost[0] != "" {
			at = step.lost
		}
	}
	headers := []string{"Idempotency-Key", l.reference + step.action}
	if step.method == http.MethodPatch {
		headers = append(headers, "If-Match", "*")
	}
	l.refused = nil
	struck := l.stack.http.Counts().Faulted
	l.stack.http.OnCall(callOf(at[0], at[1]), strike, 1)
	var a answer
	require.Eventually(l.T, func() bool {
		a = l.caller.call(l.T, step.method, path("/v1/orders/%d%s", l.id, address), body, headers...)
		return a.status != http.StatusAccepted && a.body["code"] != "key_in_flight"
	}, time.Minute, 200*time.Millisecond)
	require.Equal(l.T, struck+1, l.stack.http.Counts().Faulted, "%s %s: %s", step.action, l.when, a.raw)
	if l.when != rightAfter { // then it may be too late for people
		require.NoError(l.T, l.refused, "%s %s", step.action, l.when)
	}
	require.True(l.T, step.holds(a), "%s %s: %s", step.action, l.when, a.raw)
}

func (l *sameLife) steps() []sameStep {
	fixed := func(path string, body any) func() (string, any) { return func() (string, any) { return path, body } }
	// on is a button of the order's; its answer says nothing.
	on := func(model, method string, of func() []any) func() func() {
		return func() func() {
			ids := of()
			return func() {
				l.quietly(map[string]any{"skip_sms": true, "skip_immediate": true, "skip_backorder": true}, model, method, ids)
			}
		}
	}
	order := func() []any { return []any{l.id} }
	transfer := func(code string) func() []any { return func() []any { return []any{l.transfer(code)} } }
	at := func(model, method string) [2]string { return [2]string{model, method} }
	done := func(a answer) bool { return a.status == http.StatusOK }
	stands := func(status string) func(answer) bool {
		return func(a answer) bool { return done(a) && a.body["status"] == status }
	}
	returns := map[moment]int64{rightBefore: 2, rightAfter: 2, beforeItIsRepeated: 1}
	one := map[string]any{"lines": []any{map[string]any{"erp_line_id": l.line, "quantity": "1"}}}
	steps := []sameStep{
		{action: "change", method: http.MethodPatch, body: fixed("", map[string]any{"note": "ours"}),
			first: at("sale.order", "write"), last: at("sale.order", "write"),
			people: func() func() {
				return func() { l.quietly(nil, "sale.order", "write", order(), map[string]any{"note": "<p>theirs</p>"}) }
			},
			holds: func(a answer) bool { // the later one counts
				return l.when == rightBefore && done(a) && a.body["note"] == "ours" || l.when != rightBefore && a.body["code"] == "changed_otherwise"
			}},
		{action: "hold", method: http.MethodPost, body: fixed("/hold", nil),
			first: at("sale.order", "write"), last: at("sale.order", "write"), people: l.putOnHold, holds: stands("on_hold")},
		{action: "approve", method: http.MethodPost, body: fixed("/approve", nil),
			first: at("sale.order", "write"), last: at("sale.order", "action_confirm"), people: on("sale.order", "action_confirm", order),
			holds: func(a answer) bool { return stands("picking")(a) && l.transfers("outgoing") == 1 }},
		{action: "release", method: http.MethodDelete, body: fixed("/allocations", nil),
			first: at("stock.picking", "do_unreserve"), last: at("stock.picking", "do_unreserve"),
			people: on("stock.picking", "do_unreserve", transfer("outgoing")), holds: done},
		{action: "reserve", method: http.MethodPost, body: fixed("/allocations", nil),
			first: at("stock.picking", "action_assign"), last: at("stock.picking", "action_assign"),
			people: on("stock.picking", "action_assign", transfer("outgoing")), holds: stands("picking")},
		{action: "fulfil", method: http.MethodPost, body: fixed("/fulfilments", nil),
			first: at("stock.picking", "button_validate"), last: at("stock.picking", "button_validate"),
			people: on("stock.picking", "button_validate", transfer("outgoing")),
			holds: func(a answer) bool {
				return stands("delivered")(a) && delivered(a)[0] == "3" && l.transfers("outgoing") == 1
			}},
		{action: "invoice", method: http.MethodPost, body: fixed("/invoices", nil),
			first: at("sale.advance.payment.inv", "create"), last: at("account.move", "action_post"),
			lost: at("sale.advance.payment.inv", "create_invoices"),
			people: func() func() {
				about := map[string]any{"active_model": "sale.order", "active_ids": order(), "active_id": l.id}
				return func() {
					l.press(about, "sale.advance.payment.inv", map[string]any{"advance_payment_method": "delivered"}, "create_invoices")
				}
			},
			holds: func(a answer) bool { return done(a) && l.posted("out_invoice", "") == 1 }},
		{action: "pay a part", method: http.MethodPost, body: l.payment(func() string { return "10.00" }),
			first: at("account.payment.register", "create"), last: at("account.payment.register", "action_create_payments"),
			people: l.pays(map[string]any{"amount": 10.0}),
			holds:  func(a answer) bool { return done(a) && l.payments() == 1 && l.due() == "940.00" }}, // both stand
		{action: "pay the rest", method: http.MethodPost, body: l.payment(l.due),
			first: at("account.payment.register", "create"), last: at("account.payment.register", "action_create_payments"),
			people: l.pays(map[string]any{}),
			holds: func(a answer) bool {
				return l.when != rightAfter && a.body["code"] == "paid_otherwise" && l.payments() == 1 || l.when == rightAfter && done(a) && l.payments() == 2
			}},
		{action: "return", method: http.MethodPost, body: fixed("/returns", one),
			first: at("stock.return.picking", "create"), last: at("stock.return.picking", l.returnButton()), people: l.returns,
			holds: func(a answer) bool { // both stand, but that a repetition takes theirs for it
				return done(a) && l.transfers("incoming") == returns[l.when]
			}},
		{action: "refund", method: http.MethodPost, body: fixed("/refunds", one),
			first: at("account.move.reversal", "create"), last: at("account.move", "action_post"), people: l.credits,
			holds: func(a answer) bool { // both stand
				return done(a) && l.posted("out_refund", "(og-") == 1 && l.posted("out_refund", "") == 2
			}},
	}
	if l.stack.odoo.Major >= 15 { // before, it takes more rights than the gateway has; see docs/actions.md
		steps = append(steps, sameStep{action: "receive", method: http.MethodPost,
			body:  func() (string, any) { return path("/returns/%v/receive", l.newest("incoming")), nil },
			first: at("stock.picking", "button_validate"), last: at("stock.picking", "button_validate"),
			people: on("stock.picking", "button_validate", func() []any { return []any{l.newest("incoming")} }),
			holds:  func(a answer) bool { return done(a) && delivered(a)[0] == "2" }})
	}
	return steps
}

// putOnHold does it with the tag that the gateway makes first.
func (l *sameLife) putOnHold() func() {
	return func() {
		tags, _ := l.quietly(nil, "crm.tag", "search", []any{[]any{"name", "=", "On hold"}}).([]any)
		if len(tags) == 0 {
			l.refused = errors.New("there is no tag")
			return
		}
		l.quietly(nil, "sale.order", "write", []any{l.id}, map[string]any{"tag_ids": []any{[]any{4, tags[0]}}})
	}
}

// payment is what the gateway is asked to pay.
func (l *sameLife) payment(amount func() string) func() (string, any) {
	return func() (string, any) {
		return path("/invoices/%v/payments", l.invoice()["id"]), map[string]any{"amount": amount(), "reference": l.reference}
	}
}

// pays pays the invoice, all that is due of it if no amount is among the values.
func (l *sameLife) pays(values map[string]any) func() func() {
	return func() func() {
		about := map[string]any{"active_model": "account.move", "active_ids": []any{l.invoice()["id"]}}
		return func() { l.press(about, "account.payment.register", values, "action_create_payments") }
	}
}

func (l *sameLife) returnButton() string {
	if l.stack.odoo.Major >= 18 {
		return "action_create_returns"
	}
	return "create_returns"
}

// returns announces that one piece comes back.
func (l *sameLife) returns() func() {
	sent := l.stack.people(l.T, "stock.picking", "search_read", []any{[]any{"sale_id", "=", l.id}}, []any{"location_id"}).([]any)[0].(map[string]any)
	move := l.stack.people(l.T, "stock.move", "search_read", []any{[]any{"picking_id", "=", sent["id"]}}, []any{"product_id"}).([]any)[0].(map[string]any)
	values := map[string]any{"picking_id": sent["id"], "product_return_moves": []any{[]any{0, 0, map[string]any{
		"product_id": move["product_id"].([]any)[0], "move_id": move["id"], "quantity": 1.0, "to_refund": true}}}}
	if l.stack.odoo.Major < 18 {
		values["location_id"] = sent["location_id"].([]any)[0]
	}
	about := map[string]any{"active_model": "stock.picking", "active_ids": []any{sent["id"]}, "active_id": sent["id"]}
	return func() { l.press(about, "stock.return.picking", values, l.returnButton()) }
}

// credits credits one piece.
func (l *sameLife) credits() func() {
	invoice := l.stack.people(l.T, "account.move", "search_read", []any{[]any{"line_ids.sale_line_ids.order_id", "=", l.id},
		[]any{"move_type", "=", "out_invoice"}}, []any{"journal_id"}).([]any)[0].(map[string]any)
	values := map[string]any{"reason": "theirs", "journal_id": invoice["journal_id"].([]any)[0]}
	about := map[string]any{"active_model": "account.move", "active_ids": []any{invoice["id"]}, "active_id": invoice["id"]}
	return func() {
		l.press(about, "account.move.reversal", values, "reverse_moves")
		lines, _ := l.quietly(nil, "account.move.line", "search_read", []any{[]any{"move_id.reversed_entry_id", "=", invoice["id"]},
			[]any{"move_id.ref", "like", "theirs"}, []any{"sale_line_ids", "!=", false}}, []any{"move_id"}).([]any)
		for _, of := range lines {
			line := of.(map[string]any)
			draft := []any{line["move_id"].([]any)[0]}
			l.quietly(nil, "account.move", "write", draft, map[string]any{"invoice_line_ids": []any{[]any{1, line["id"], map[string]any{"quantity": 1.0}}}})
			l.quietly(nil, "account.move", "action_post", draft)
		}
	}
}

// transfers counts the deliveries of the order, or what comes back.
func (l *sameLife) transfers(code string) int64 {
	return l.count("stock.picking", []any{"sale_id", "=", l.id}, []any{"picking_type_id.code", "=", code})
}

// newest is the open transfer that was made last.
func (l *sameLife) newest(code string) any {
	return l.stack.people(l.T, "stock.picking", "search", []any{[]any{"sale_id", "=", l.id}, []any{"picking_type_id.code", "=", code},
		[]any{"state", "not in", []any{"done", "cancel"}}}, 0, 1, "id desc").([]any)[0]
}

// posted counts the posted invoices or credit notes of the order whose reference has a text.
func (l *sameLife) posted(kind, text string) int64 {
	conditions := []any{[]any{"line_ids.sale_line_ids.order_id", "=", l.id}, []any{"state", "=", "posted"}, []any{"move_type", "=", kind}}
	if text != "" {
		conditions = append(conditions, []any{"ref", "like", text})
	}
	return l.count("account.move", conditions...)
}

// payments counts those of the gateway.
func (l *sameLife) payments() int64 {
	memo := map[bool]string{true: "memo", false: "ref"}[l.stack.odoo.Major >= 18]
	return l.count("account.payment", []any{memo, "like", l.reference})
}

// press fills in one of Odoo's dialogues and presses its button, which Odoo may refuse.
func (l *sameLife) press(context map[string]any, model string, values map[string]any, button string) {
	if dialogue := l.quietly(context, model, "create", values); dialogue != nil {
		l.quietly(context, model, button, []any{dialogue})
	}
}

func (l *sameLife) cancel() sameStep {
	return sameStep{action: "cancel", method: http.MethodPost, body: func() (string, any) { return "/cancel", nil },
		first: [2]string{"sale.order", "action_cancel"}, last: [2]string{"sale.order", "action_cancel"},
		people: func() func() { return func() { l.quietly(nil, "sale.order", "action_cancel", []any{l.id}) } },
		holds:  func(a answer) bool { return a.status == http.StatusOK && a.body["status"] == "cancelled" }}
}

// quietly does something in Odoo, which may refuse it: then refused says so. That an answer cannot be written is no refusal.
func (l *sameLife) quietly(context map[string]any, model, method string, args ...any) any {
	var kwargs map[string]any
	if context != nil {
		kwargs = map[string]any{"context": context}
	}
	answer, err := odoorpc.Execute(l.stack.odoo.URL, l.stack.odoo.Database, l.stack.odoo.AdminUser, l.stack.odoo.AdminPassword, model, method, args, kwargs)
	if err != nil && !strings.Contains(err.Error(), "cannot marshal") {
		l.refused = err
	}
	return answer
}

func (l *sameLife) count(model string, conditions ...any) int64 {
	l.Helper()
	n, _ := l.stack.people(l.T, model, "search_count", conditions).(int64)
	return n
}
