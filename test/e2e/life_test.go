package e2e

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/test/proxy"
)

// The life of an order over HTTP, looked at in Odoo at each step.
func TestLifeOfAnOrder(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("PO")
		placed := c.place(t, reference, orderBody(reference, map[string]any{"sku": "E-COM07", "quantity": "3"},
			map[string]any{"sku": "FURN_7777", "quantity": "2"})).requireStatus(t, http.StatusCreated)
		id := placed.id(t)
		line := func(i int) any { return placed.body["lines"].([]any)[i].(map[string]any)["erp_line_id"] }
		act := func(action, key string, body any) answer {
			return c.call(t, http.MethodPost, path("/v1/orders/%d/%s", id, action), body, "Idempotency-Key", reference+key)
		}
		act("fulfilments", "f0", map[string]any{}).requireProblem(t, http.StatusConflict, "action_not_possible")
		held := act("hold", "h1", map[string]any{"reason": "credit limit"}).requireStatus(t, http.StatusOK)
		require.Equal(t, "on_hold", held.body["status"])
		tags := s.people(t, "sale.order", "read", []any{id}, []any{"tag_ids"}).([]any)[0].(map[string]any)["tag_ids"]
		require.Len(t, tags, 1, "people in Odoo see it")
		act("confirm", "c0", nil).requireProblem(t, http.StatusConflict, "action_not_possible")
		confirmed := act("approve", "a1", nil).requireStatus(t, http.StatusOK)
		require.Contains(t, []any{"confirmed", "picking"}, confirmed.body["status"])
		act("confirm", "c1", nil).requireStatus(t, http.StatusOK)
		s.reserve(t, c, id, reference)

		tooMuch := map[string]any{"lines": []any{map[string]any{"erp_line_id": line(0), "quantity": "3.5"}}}
		act("fulfilments", "f2", tooMuch).requireProblem(t, http.StatusUnprocessableEntity, "more_than_left")
		unknown := map[string]any{"lines": []any{map[string]any{"erp_line_id": 2147483000, "quantity": "1"}}}
		act("fulfilments", "f3", unknown).requireProblem(t, http.StatusUnprocessableEntity, "unknown_line")
		part := map[string]any{"lines": []any{map[string]any{"erp_line_id": line(0), "quantity": "2"}}, "tracking_number": "1Z <&> ü/7"}
		sent := act("fulfilments", "f4", part).requireStatus(t, http.StatusOK)
		require.Equal(t, []any{"2", "0"}, delivered(sent))
		require.Equal(t, "shipped", sent.body["status"])
		require.Equal(t, "partial", sent.body["fulfilment"])
		act("cancel", "x1", map[string]any{"reason": "too late"}).requireProblem(t, http.StatusConflict, "action_not_possible")
		require.Len(t, sent.body["deliveries"], 2)
		again := act("fulfilments", "f4", part).requireStatus(t, http.StatusOK)
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		require.JSONEq(t, sent.raw, again.raw)
		first := s.people(t, "stock.picking", "search_read", []any{[]any{"sale_id", "=", id}, []any{"state", "=", "done"}},
			[]any{"carrier_tracking_ref"}).([]any)
		require.Len(t, first, 1)
		require.Equal(t, "1Z <&> ü/7", first[0].(map[string]any)["carrier_tracking_ref"])

		rest := act("fulfilments", "f5", map[string]any{}).requireStatus(t, http.StatusOK)
		require.Equal(t, []any{"3", "2"}, delivered(rest))
		require.Equal(t, "delivered", rest.body["status"])
		act("fulfilments", "f6", map[string]any{}).requireProblem(t, http.StatusConflict, "action_not_possible")

		billed := act("invoices", "i1", nil).requireStatus(t, http.StatusOK)
		invoices := billed.body["invoices"].([]any)
		require.Len(t, invoices, 1)
		invoice := invoices[0].(map[string]any)
		require.Equal(t, "posted", invoice["state"])
		require.Equal(t, billed.body["amount_total"], invoice["amount_total"])
		act("invoices", "i2", nil).requireProblem(t, http.StatusConflict, "nothing_to_invoice")
		pay := func(key, amount string) answer {
			return act(path("invoices/%v/payments", invoice["id"]), key, map[string]any{"amount": amount, "reference": reference + " <card> " + key})
		}
		pay("p0", "99999999").requireProblem(t, http.StatusUnprocessableEntity, "more_than_due")
		act("invoices/2147483000/payments", "p9", map[string]any{"amount": "1"}).requireProblem(t, http.StatusNotFound, "invoice_not_found")
		part1 := pay("p1", "10.00").requireStatus(t, http.StatusOK)
		require.Equal(t, "partial", part1.body["invoices"].([]any)[0].(map[string]any)["payment"])
		require.JSONEq(t, part1.raw, pay("p1", "10").requireStatus(t, http.StatusOK).raw)
		due := part1.body["invoices"].([]any)[0].(map[string]any)["amount_due"].(string)
		part2 := pay("p2", due).requireStatus(t, http.StatusOK)
		require.Equal(t, "0.00", part2.body["invoices"].([]any)[0].(map[string]any)["amount_due"])
		require.Equal(t, "paid", part2.body["payment"])
		require.Equal(t, "completed", part2.body["status"])
		memo := map[bool]string{true: "memo", false: "ref"}[s.odoo.Major >= 18]
		payments := s.people(t, "account.payment", "search_count", []any{[]any{memo, "like", reference}})
		require.EqualValues(t, 2, payments)

		open := s.people(t, "stock.picking", "search", []any{[]any{"sale_id", "=", id}, []any{"state", "not in", []any{"done", "cancel"}}})
		require.Empty(t, open)
	})
}

// reserve releases what confirming an order of two lines reserved, and reserves it again.
func (s *stack) reserve(t *testing.T, c *caller, id int64, reference string) {
	t.Helper()
	allocations := path("/v1/orders/%d/allocations", id)
	sum := func(member string) (total float64) {
		found := c.call(t, http.MethodGet, allocations, nil).requireStatus(t, http.StatusOK).body["allocations"].([]any)
		require.Len(t, found, 2)
		for _, a := range found {
			quantity, err := strconv.ParseFloat(a.(map[string]any)[member].(string), 64)
			require.NoError(t, err)
			total += quantity
		}
		return total
	}
	require.InDelta(t, 5, sum("demanded"), 0)
	c.call(t, http.MethodDelete, allocations, nil, "Idempotency-Key", reference+"l1").requireStatus(t, http.StatusOK)
	require.Zero(t, sum("reserved"))
	require.InDelta(t, 5, sum("short"), 0)
	lines := s.people(t, "stock.move.line", "search_count", []any{[]any{"move_id.sale_line_id.order_id", "=", id}})
	require.EqualValues(t, 0, lines)
	done := c.call(t, http.MethodPost, allocations, nil, "Idempotency-Key", reference+"r1").requireStatus(t, http.StatusOK)
	require.Equal(t, sum("short") > 0, len(done.body["shortages"].([]any)) > 0, "demo goods may have run out")
	again := c.call(t, http.MethodPost, allocations, nil, "Idempotency-Key", reference+"r1").requireStatus(t, http.StatusOK)
	require.JSONEq(t, done.raw, again.raw)
	history := c.call(t, http.MethodGet, path("/v1/orders/%d/history", id), nil).requireStatus(t, http.StatusOK)
	require.Contains(t, history.raw, "inventory:released")

	warehouse := c.call(t, http.MethodGet, allocations, nil).body["warehouse"].(map[string]any)
	assign := func(key string) answer {
		return c.call(t, http.MethodPost, path("/v1/orders/%d/warehouse", id), map[string]any{"warehouse": warehouse["code"]}, "Idempotency-Key", reference+key)
	}
	require.Equal(t, done.body["number"], assign("w1").requireStatus(t, http.StatusOK).body["number"], "it is there already")
	stock := c.call(t, http.MethodGet, path("/v1/stock?sku=E-COM07&warehouse=%v", warehouse["id"]), nil).requireStatus(t, http.StatusOK)
	require.Len(t, stock.body["stock"], 1)
	purchases := c.call(t, http.MethodGet, path("/v1/orders/%d/procurement", id), nil).requireStatus(t, http.StatusOK)
	require.Contains(t, purchases.body, "purchases")
}

func delivered(a answer) []any {
	var quantities []any
	for _, l := range a.body["lines"].([]any) {
		quantities = append(quantities, l.(map[string]any)["quantity_delivered"])
	}
	return quantities
}

func TestCancelAnOrder(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("PO")
		id := c.place(t, reference, orderBody(reference)).requireStatus(t, http.StatusCreated).id(t)
		cancelled := c.call(t, http.MethodPost, path("/v1/orders/%d/cancel", id), map[string]any{"reason": "ordered twice"},
			"Idempotency-Key", reference+"x").requireStatus(t, http.StatusOK)
		require.Equal(t, "cancelled", cancelled.body["status"])
		inOdoo := s.people(t, "sale.order", "read", []any{id}, []any{"state"}).([]any)[0].(map[string]any)
		require.Equal(t, "cancel", inOdoo["state"])
		history := c.call(t, http.MethodGet, path("/v1/orders/%d/history", id), nil).requireStatus(t, http.StatusOK)
		require.Contains(t, history.raw, "ordered twice")
		intent := c.call(t, http.MethodGet, "/v1/intents/"+reference+"x", nil).requireStatus(t, http.StatusOK)
		require.Equal(t, "performed", intent.body["state"])
		require.Equal(t, "cancel", intent.body["action"])
		c.call(t, http.MethodPost, path("/v1/orders/%d/confirm", id), nil, "Idempotency-Key", reference+"c").
			requireProblem(t, http.StatusConflict, "action_not_possible")
	})
}

// Each call that changes something loses its answer once after Odoo has committed. Nothing is done twice, and the caller's
// answer says that it was done.
func TestActionsWhoseAnswersAreLost(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("PO")
		id := c.place(t, reference, orderBody(reference)).requireStatus(t, http.StatusCreated).id(t)
		act := func(action, lost string, body any) answer {
			s.http.OnRequest(proxy.Contains("<string>"+lost+"</string>"), proxy.DropAnswer, 1)
			return c.call(t, http.MethodPost, path("/v1/orders/%d/%s", id, action), body, "Idempotency-Key", reference+lost).
				requireStatus(t, http.StatusOK)
		}
		require.Contains(t, []any{"confirmed", "picking"}, act("confirm", "action_confirm", nil).body["status"])
		require.Equal(t, []any{"2"}, delivered(act("fulfilments", "button_validate", map[string]any{})))
		billed := act("invoices", "create_invoices", nil).body["invoices"].([]any)
		require.Len(t, billed, 1)
		invoice := billed[0].(map[string]any)
		require.Equal(t, "posted", invoice["state"])
		paid := act(path("invoices/%v/payments", invoice["id"]), "action_create_payments",
			map[string]any{"amount": invoice["amount_due"], "reference": reference})
		require.Equal(t, "0.00", paid.body["invoices"].([]any)[0].(map[string]any)["amount_due"])
		memo := map[bool]string{true: "memo", false: "ref"}[s.odoo.Major >= 18]
		require.EqualValues(t, 1, s.people(t, "account.payment", "search_count", []any{[]any{memo, "like", reference}}))
		require.EqualValues(t, 1, s.people(t, "stock.picking", "search_count", []any{[]any{"sale_id", "=", id}}))
	})
}
