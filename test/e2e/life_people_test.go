package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whose turn a step is.
const (
	gatewayAlone = -1
	peopleBegin  = 0 // and take every other step
	peopleFollow = 1
)

// What the gateway does with an order and what people do with it in Odoo leave the same timeline: when the gateway does all of it, and
// when people take every other step. In which of them they begin is a matter of time.
func TestLifeSharedWithPeople(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		p := s.with(settings{"ORDERGATE_SYNC_INTERVAL": "300ms", "ORDERGATE_FRESHNESS": "300ms"}).serve(t)
		turn := peopleFollow
		if !s.json2 && s.odoo.Major >= 15 {
			turn = peopleBegin
		}
		for _, turn := range []int{gatewayAlone, turn} {
			l := newLife(t, s, p)
			for i, step := range l.steps() {
				if i%2 == turn || step.gateway == nil {
					step.people()
				} else {
					step.gateway()
				}
				l.awaitStep(i, step)
			}
		}
		_, _, code := s.command(t, "history", "verify")
		require.Zero(t, code)
	})
}

// life is an order, and what is done with it.
type life struct {
	*testing.T
	stack     *stack
	caller    *caller
	reference string
	id        int64
	line      any      // of three pieces
	asked     int      // of the gateway
	told      []string // by the history, so far
}

func newLife(t *testing.T, s *stack, p *process) *life {
	t.Helper()
	l := &life{T: t, stack: s, caller: newCaller(t, p, s.portal), reference: unique("PO"), told: []string{"order:placed"}}
	placed := l.caller.place(t, l.reference, orderBody(l.reference, map[string]any{"sku": "E-COM07", "quantity": "3"})).
		requireStatus(t, http.StatusCreated)
	l.id, l.line = placed.id(t), placed.body["lines"].([]any)[0].(map[string]any)["erp_line_id"]
	return l
}

// lifeStep is one step of a life: how it is taken through the gateway, how in Odoo, how the order stands then, and what its history says
// of it.
type lifeStep struct {
	gateway, people             func() // gateway is nil where only people can
	status, fulfilment, payment string
	told                        []string
}

func (l *life) steps() []lifeStep {
	some := func(quantity string) []any { return []any{map[string]any{"erp_line_id": l.line, "quantity": quantity}} }
	receive := func() { l.act(path("returns/%v/receive", l.transfer("incoming")), nil) }
	if l.stack.odoo.Major < 15 { // see docs/actions.md: it takes more rights than the gateway has
		receive = nil
	}
	return []lifeStep{
		{func() { l.act("hold", map[string]any{}) }, l.peopleHold, "on_hold", "none", "none", []string{"order:on_hold"}},
		{func() { l.act("approve", nil) }, l.peopleApprove, "picking", "none", "none", []string{"order:picking", "inventory:delivery_created"}},
		{func() { l.act("fulfilments", map[string]any{"lines": some("1"), "tracking_number": "T-1"}) },
			func() { l.stack.peopleMove(l.T, l.transfer("outgoing"), "T-1", 1) }, "shipped", "partial", "none",
			[]string{"order:shipped", "inventory:shipped", "inventory:delivery_created"}},
		{func() { l.act("fulfilments", map[string]any{"tracking_number": "T-2"}) },
			func() { l.stack.peopleMove(l.T, l.transfer("outgoing"), "T-2", 2) }, "delivered", "full", "none",
			[]string{"order:delivered", "inventory:shipped"}},
		{func() { l.act("invoices", nil) }, l.peopleInvoice, "delivered", "full", "unpaid", []string{"billing:invoice_created", "billing:invoice_posted"}},
		{func() { l.pay("10.00") }, func() { l.peoplePay(10) }, "delivered", "full", "partial", []string{"payment:partial"}},
		{func() { l.pay(l.due()) }, func() { l.peoplePay(0) }, "completed", "full", "paid", []string{"order:completed", "payment:paid"}},
		{func() { l.act("returns", map[string]any{"lines": some("1")}) }, l.peopleReturn, "completed", "full", "paid",
			[]string{"inventory:return_created"}},
		{receive, func() { l.stack.peopleMove(l.T, l.transfer("incoming"), "", 1) }, "delivered", "partially_returned", "paid",
			[]string{"order:delivered", "inventory:returned"}},
		{func() { l.act("refunds", map[string]any{}) }, l.peopleCredit, "completed", "partially_returned", "partially_refunded",
			[]string{"order:completed", "billing:credit_note_created", "billing:credit_note_posted"}},
		{func() { l.pay(l.due()) }, func() { l.peoplePay(0) }, "completed", "partially_returned", "partially_refunded", []string{"payment:credit_settled"}},
	}
}

// act does something through the gateway.
func (l *life) act(action string, body any) {
	l.Helper()
	l.asked++
	l.caller.call(l.T, http.MethodPost, path("/v1/orders/%d/%s", l.id, action), body,
		"Idempotency-Key", fmt.Sprintf("%s-%d", l.reference, l.asked)).requireStatus(l.T, http.StatusOK)
}

func (l *life) pay(amount string) {
	l.Helper()
	l.act(path("invoices/%v/payments", l.invoice()["id"]), map[string]any{"amount": amount})
}

// order is the order as the mirror has it.
func (l *life) order() map[string]any {
	l.Helper()
	return l.caller.call(l.T, http.MethodGet, path("/v1/orders/%d", l.id), nil).requireStatus(l.T, http.StatusOK).body
}

// invoice is the latest document of the order, a credit note once there is one.
func (l *life) invoice() map[string]any {
	l.Helper()
	invoices := l.order()["invoices"].([]any)
	return invoices[len(invoices)-1].(map[string]any)
}

func (l *life) due() string {
	l.Helper()
	return l.invoice()["amount_due"].(string)
}

// transfer is the one that is open.
func (l *life) transfer(code string) any {
	l.Helper()
	found := l.stack.people(l.T, "stock.picking", "search", []any{[]any{"sale_id", "=", l.id}, []any{"picking_type_id.code", "=", code},
		[]any{"state", "not in", []any{"done", "cancel"}}}).([]any)
	require.Len(l.T, found, 1)
	return found[0]
}

func (l *life) peopleHold() {
	tags := l.stack.people(l.T, "crm.tag", "search", []any{[]any{"name", "=", "On hold"}}).([]any)
	require.Len(l.T, tags, 1, "the gateway made it when it put an order on hold")
	l.stack.people(l.T, "sale.order", "write", []any{l.id}, map[string]any{"tag_ids": []any{[]any{4, tags[0]}}})
}

func (l *life) peopleApprove() {
	l.stack.people(l.T, "sale.order", "action_confirm", []any{l.id})
}

func (l *life) peopleInvoice() {
	about := map[string]any{"active_model": "sale.order", "active_ids": []any{l.id}, "active_id": l.id}
	l.stack.peopleFill(l.T, about, "sale.advance.payment.inv", map[string]any{"advance_payment_method": "delivered"}, "create_invoices")
	l.stack.within(l.T, map[string]any{}, "account.move", "action_post", l.documents("out_invoice"))
}

// documents are the drafts of a kind.
func (l *life) documents(kind string) []any {
	l.Helper()
	ids := l.stack.people(l.T, "account.move", "search", []any{[]any{"line_ids.sale_line_ids.order_id", "=", l.id},
		[]any{"move_type", "=", kind}, []any{"state", "=", "draft"}}).([]any)
	require.Len(l.T, ids, 1)
	return ids
}

// peoplePay pays an amount, or all that is due.
func (l *life) peoplePay(amount float64) {
	about := map[string]any{"active_model": "account.move", "active_ids": []any{l.invoice()["id"]}}
	values := map[string]any{}
	if amount > 0 {
		values["amount"] = amount
	}
	l.stack.peopleFill(l.T, about, "account.payment.register", values, "action_create_payments")
}

// peopleReturn announces that one piece comes back.
func (l *life) peopleReturn() {
	done := l.stack.people(l.T, "stock.picking", "search_read", []any{[]any{"sale_id", "=", l.id}, []any{"state", "=", "done"}},
		[]any{"location_id"}).([]any)
	transfer := done[0].(map[string]any)
	moves := l.stack.people(l.T, "stock.move", "search_read", []any{[]any{"picking_id", "=", transfer["id"]}}, []any{"product_id"}).([]any)
	move := moves[0].(map[string]any)
	values := map[string]any{"picking_id": transfer["id"], "product_return_moves": []any{[]any{0, 0, map[string]any{
		"product_id": move["product_id"].([]any)[0], "move_id": move["id"], "quantity": 1.0, "to_refund": true}}}}
	button := "action_create_returns"
	if l.stack.odoo.Major < 18 {
		button, values["location_id"] = "create_returns", transfer["location_id"].([]any)[0]
	}
	l.stack.peopleFill(l.T, map[string]any{"active_model": "stock.picking", "active_ids": []any{transfer["id"]}, "active_id": transfer["id"]},
		"stock.return.picking", values, button)
}

// peopleCredit credits one piece.
func (l *life) peopleCredit() {
	invoice := l.invoice()["id"]
	read := l.stack.people(l.T, "account.move", "read", []any{invoice}, []any{"journal_id"}).([]any)[0].(map[string]any)
	l.stack.peopleFill(l.T, map[string]any{"active_model": "account.move", "active_ids": []any{invoice}, "active_id": invoice},
		"account.move.reversal", map[string]any{"reason": "does not fit", "journal_id": read["journal_id"].([]any)[0]}, "reverse_moves")
	draft := l.documents("out_refund")
	lines := l.stack.people(l.T, "account.move.line", "search", []any{[]any{"move_id", "=", draft[0]}, []any{"sale_line_ids", "!=", false}}).([]any)
	require.Len(l.T, lines, 1)
	l.stack.people(l.T, "account.move", "write", draft, map[string]any{"invoice_line_ids": []any{[]any{1, lines[0], map[string]any{"quantity": 1.0}}}})
	l.stack.within(l.T, map[string]any{}, "account.move", "action_post", draft)
}

// awaitStep waits until the mirror shows what a step led to.
func (l *life) awaitStep(i int, step lifeStep) {
	l.Helper()
	require.EventuallyWithT(l.T, func(c *assert.CollectT) {
		timeline := l.timeline()
		if !assert.Len(c, timeline, len(l.told)+len(step.told)) {
			return
		}
		assert.Equal(c, l.told, timeline[:len(l.told)])
		assert.ElementsMatch(c, step.told, timeline[len(l.told):], "in one reading or two")
		o := l.order()
		assert.Equal(c, []any{step.status, step.fulfilment, step.payment}, []any{o["status"], o["fulfilment"], o["payment"]})
	}, 20*time.Second, 50*time.Millisecond, "step %d", i)
	l.told = l.timeline()
}

// timeline is the codes of the order's history, oldest first.
func (l *life) timeline() (codes []string) {
	l.Helper()
	page := l.caller.call(l.T, http.MethodGet, path("/v1/orders/%d/history?limit=100", l.id), nil).requireStatus(l.T, http.StatusOK)
	for _, e := range page.body["history"].([]any) {
		codes = append(codes, e.(map[string]any)["status_code"].(string))
	}
	return codes
}
