package e2e

import (
	"net/http"
	"strconv"
	"strings"
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
		placed := c.place(t, reference, orderBody(reference, map[string]any{"sku": "E-COM07", "quantity": "1"},
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
		change := func(etag, key string) answer {
			return c.call(t, http.MethodPatch, path("/v1/orders/%d", id), map[string]any{
				"note":             "three, please",
				"lines":            []any{map[string]any{"erp_line_id": line(0), "quantity": "3"}},
				"shipping_address": map[string]any{"name": "Dock <4>", "street": "Quay 1", "city": "Ghent", "country": "BE"},
			}, "Idempotency-Key", reference+key, "If-Match", etag)
		}
		etag := held.header.Get("ETag")
		s.people(t, "sale.order", "write", []any{id}, map[string]any{"note": "seen at the fair"})
		now := change(etag, "e1").requireProblem(t, http.StatusPreconditionFailed, "order_changed").header.Get("ETag")
		require.NotEqual(t, etag, now)
		require.Equal(t, now, c.call(t, http.MethodGet, path("/v1/orders/%d", id), nil).requireStatus(t, http.StatusOK).header.Get("ETag"))
		changed := change(now, "e2").requireStatus(t, http.StatusOK)
		require.Equal(t, "3", changed.body["lines"].([]any)[0].(map[string]any)["quantity"])
		require.Equal(t, "three, please", changed.body["note"])
		require.Equal(t, "on_hold", changed.body["status"])
		require.Empty(t, changed.body["edits"].(map[string]any)["changed"], "it is as its caller wants it")
		require.Equal(t, "true", change(now, "e2").requireStatus(t, http.StatusOK).header.Get("Idempotency-Replayed"))
		require.NotEqual(t, now, changed.header.Get("ETag"))
		confirmed := act("approve", "a1", nil).requireStatus(t, http.StatusOK)
		require.Contains(t, []any{"confirmed", "picking"}, confirmed.body["status"])
		bulk := c.call(t, http.MethodPost, "/v1/orders/bulk", map[string]any{"action": "confirm", "order_ids": []any{id, 2147483000}},
			"Idempotency-Key", reference+"c1").requireStatus(t, http.StatusOK).body["results"].([]any)
		require.EqualValues(t, http.StatusOK, bulk[0].(map[string]any)["status"])
		require.EqualValues(t, http.StatusNotFound, bulk[1].(map[string]any)["status"])
		s.reserve(t, c, id, reference)

		tooMuch := map[string]any{"lines": []any{map[string]any{"erp_line_id": line(0), "quantity": "3.5"}}}
		act("fulfilments", "f2", tooMuch).requireProblem(t, http.StatusUnprocessableEntity, "more_than_left")
		unknown := map[string]any{"lines": []any{map[string]any{"erp_line_id": 2147483000, "quantity": "1"}}}
		act("fulfilments", "f3", unknown).requireProblem(t, http.StatusUnprocessableEntity, "unknown_line")
		carrier := s.people(t, "delivery.carrier", "search_read", []any{[]any{"delivery_type", "=", "fixed"}, []any{"invoice_policy", "=", "estimated"}},
			[]any{"name"}).([]any)[0].(map[string]any)["name"].(string)
		part := map[string]any{"lines": []any{map[string]any{"erp_line_id": line(0), "quantity": "2"}}, "tracking_number": "1Z <&> ü/7",
			"carrier": carrier + "?", "note": "Two parcels, <b>."}
		act("fulfilments", "f8", part).requireProblem(t, http.StatusUnprocessableEntity, "unknown_carrier")
		part["carrier"] = strings.ToUpper(carrier)
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
			[]any{"carrier_tracking_ref", "note"}).([]any)
		require.Len(t, first, 1)
		require.Equal(t, "1Z <&> ü/7", first[0].(map[string]any)["carrier_tracking_ref"])
		require.Contains(t, first[0].(map[string]any)["note"], "Two parcels, ")
		require.Equal(t, carrier, sent.body["deliveries"].([]any)[0].(map[string]any)["carrier"])

		rest := act("fulfilments", "f5", map[string]any{"tracking_number": "1Z-2"}).requireStatus(t, http.StatusOK)
		require.Equal(t, []any{"3", "2"}, delivered(rest))
		require.Equal(t, "delivered", rest.body["status"])
		require.EqualValues(t, 1, s.people(t, "stock.picking", "search_count", []any{[]any{"sale_id", "=", id}, []any{"state", "=", "done"},
			[]any{"carrier_tracking_ref", "=", "1Z-2"}}))
		act("cancel", "x2", nil).requireProblem(t, http.StatusConflict, "action_not_possible")
		act("fulfilments", "f6", map[string]any{}).requireProblem(t, http.StatusConflict, "action_not_possible")

		billed := act("invoices", "i1", nil).requireStatus(t, http.StatusOK)
		invoices := billed.body["invoices"].([]any)
		require.Len(t, invoices, 1)
		invoice := invoices[0].(map[string]any)
		require.Equal(t, "posted", invoice["state"])
		require.Equal(t, billed.body["amount_total"], invoice["amount_total"])
		listed := c.call(t, http.MethodGet, path("/v1/orders/%d/invoices", id), nil).requireStatus(t, http.StatusOK)
		require.Equal(t, billed.body["invoices"], listed.body["invoices"])
		if pdf := c.call(t, http.MethodGet, path("/v1/orders/%d/invoices/%v/pdf", id, invoice["id"]), nil); pdf.status == http.StatusOK {
			require.True(t, strings.HasPrefix(pdf.raw, "%PDF-"))
			require.Equal(t, "application/pdf", pdf.header.Get("Content-Type"))
		} else { // Debian 13, on which Odoo 19 runs, has no wkhtmltopdf
			require.Equal(t, 19, s.odoo.Major)
			pdf.requireProblem(t, http.StatusNotImplemented, "pdf_missing")
		}
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

		s.givesBack(t, id, line(0), act)
		history := c.call(t, http.MethodGet, path("/v1/orders/%d/history", id), nil).requireStatus(t, http.StatusOK).raw
		for _, code := range []string{"inventory:noted", "inventory:return_created", "inventory:returned", "billing:credit_note_created", "billing:credit_note_posted", "payment:credit_settled"} {
			require.Equal(t, 1, strings.Count(history, `"`+code+`"`), code)
		}
	})
}

// givesBack sends one piece of a delivered and paid order back, receives it, credits it and pays the credit note out.
func (s *stack) givesBack(t *testing.T, id int64, line any, act func(action, key string, body any) answer) {
	t.Helper()
	one := map[string]any{"lines": []any{map[string]any{"erp_line_id": line, "quantity": "1"}}, "reason": "does not fit"}
	tooMuch := map[string]any{"lines": []any{map[string]any{"erp_line_id": line, "quantity": "3.5"}}}
	act("returns", "r0", tooMuch).requireProblem(t, http.StatusUnprocessableEntity, "more_than_delivered")
	act("refunds", "n0", map[string]any{}).requireProblem(t, http.StatusConflict, "nothing_to_refund")
	back := act("returns", "r1", one).requireStatus(t, http.StatusOK)
	require.Equal(t, "completed", back.body["status"])
	require.JSONEq(t, back.raw, act("returns", "r1", one).requireStatus(t, http.StatusOK).raw)
	deliveries := back.body["deliveries"].([]any)
	coming := deliveries[len(deliveries)-1].(map[string]any)
	require.Equal(t, []any{"return", "ready"}, []any{coming["kind"], coming["state"]})

	act("returns/2147483000/receive", "v0", nil).requireProblem(t, http.StatusNotFound, "return_not_found")
	came := s.receive(t, id, coming["id"], "v1", act)
	require.Equal(t, []any{"2", "2"}, delivered(came))
	require.Equal(t, []any{"delivered", "partially_returned", "paid"}, []any{came.body["status"], came.body["fulfilment"], came.body["payment"]})

	credited := act("refunds", "n1", map[string]any{"reason": "does not fit"}).requireStatus(t, http.StatusOK)
	require.JSONEq(t, credited.raw, act("refunds", "n1", map[string]any{"reason": "does not fit"}).requireStatus(t, http.StatusOK).raw)
	require.Equal(t, []any{"completed", "partially_refunded"}, []any{credited.body["status"], credited.body["payment"]})
	invoices := credited.body["invoices"].([]any)
	require.Len(t, invoices, 2)
	note := invoices[1].(map[string]any)
	require.Equal(t, []any{true, "posted"}, []any{note["credit_note"], note["state"]})
	act("refunds", "n2", map[string]any{"lines": []any{map[string]any{"erp_line_id": line, "quantity": "2.5"}}}).
		requireProblem(t, http.StatusUnprocessableEntity, "more_than_invoiced")

	out := act(path("invoices/%v/payments", note["id"]), "p3", map[string]any{"amount": note["amount_due"], "reference": "back"}).requireStatus(t, http.StatusOK)
	require.Equal(t, "0.00", out.body["invoices"].([]any)[1].(map[string]any)["amount_due"])
}

// receive receives a return, or where Odoo wants more rights for that has people do it; see docs/actions.md.
func (s *stack) receive(t *testing.T, id int64, coming any, key string, act func(action, key string, body any) answer) answer {
	t.Helper()
	a := act(path("returns/%v/receive", coming), key, nil)
	if s.odoo.Major >= 15 {
		return a.requireStatus(t, http.StatusOK)
	}
	require.Contains(t, a.requireProblem(t, http.StatusForbidden, "erp_rights_missing").body["detail"], "Inventory/Administrator")
	s.peopleMove(t, coming, "", 1)
	return act(path("returns/%v/receive", coming), key, nil).requireStatus(t, http.StatusOK)
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
	c.call(t, http.MethodDelete, allocations, nil, "Idempotency-Key", reference+"a-release").requireStatus(t, http.StatusOK)
	require.Zero(t, sum("reserved"))
	require.InDelta(t, 5, sum("short"), 0)
	lines := s.people(t, "stock.move.line", "search_count", []any{[]any{"move_id.sale_line_id.order_id", "=", id}})
	require.EqualValues(t, 0, lines)
	done := c.call(t, http.MethodPost, allocations, nil, "Idempotency-Key", reference+"a-reserve").requireStatus(t, http.StatusOK)
	require.Equal(t, sum("short") > 0, len(done.body["shortages"].([]any)) > 0, "demo goods may have run out")
	again := c.call(t, http.MethodPost, allocations, nil, "Idempotency-Key", reference+"a-reserve").requireStatus(t, http.StatusOK)
	require.JSONEq(t, done.raw, again.raw)
	history := c.call(t, http.MethodGet, path("/v1/orders/%d/history", id), nil).requireStatus(t, http.StatusOK)
	require.Contains(t, history.raw, "inventory:released")

	warehouse := c.call(t, http.MethodGet, allocations, nil).body["warehouse"].(map[string]any)
	assign := func(key string) answer {
		return c.call(t, http.MethodPost, path("/v1/orders/%d/warehouse", id), map[string]any{"warehouse": warehouse["code"]}, "Idempotency-Key", reference+key)
	}
	require.Equal(t, done.body["number"], assign("w1").requireStatus(t, http.StatusOK).body["number"], "it is there already")
	warehouses := c.call(t, http.MethodGet, "/v1/warehouses", nil).requireStatus(t, http.StatusOK).body["warehouses"].([]any)
	require.Contains(t, warehouses, warehouse)
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
		for _, action := range []string{"confirm", "fulfilments", "invoices"} {
			c.call(t, http.MethodPost, path("/v1/orders/%d/%s", id, action), nil, "Idempotency-Key", reference+action).
				requireProblem(t, http.StatusConflict, "action_not_possible")
		}
	})
}

// Each call that changes something loses its answer once after Odoo has committed. Nothing is done twice, and the caller's
// answer says that it was done.
func TestActionsWhoseAnswersAreLost(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("PO")
		placed := c.place(t, reference, orderBody(reference)).requireStatus(t, http.StatusCreated)
		id, line := placed.id(t), placed.body["lines"].([]any)[0].(map[string]any)["erp_line_id"]
		act := func(action, model, lost string, body any) answer {
			struck := s.http.Counts().Faulted
			s.http.OnCall(callOf(model, lost), proxy.DropAnswer, 1)
			a := c.call(t, http.MethodPost, path("/v1/orders/%d/%s", id, action), body, "Idempotency-Key", reference+action+lost).
				requireStatus(t, http.StatusOK)
			require.Equal(t, struck+1, s.http.Counts().Faulted, "the answer of %s was lost", lost)
			return a
		}
		require.Contains(t, []any{"confirmed", "picking"}, act("confirm", "sale.order", "action_confirm", nil).body["status"])
		require.Equal(t, []any{"2"}, delivered(act("fulfilments", "stock.picking", "button_validate", map[string]any{})))
		billed := act("invoices", "sale.advance.payment.inv", "create_invoices", nil).body["invoices"].([]any)
		require.Len(t, billed, 1)
		invoice := billed[0].(map[string]any)
		require.Equal(t, "posted", invoice["state"])
		paid := act(path("invoices/%v/payments", invoice["id"]), "account.payment.register", "action_create_payments",
			map[string]any{"amount": invoice["amount_due"], "reference": reference})
		require.Equal(t, "0.00", paid.body["invoices"].([]any)[0].(map[string]any)["amount_due"])
		memo := map[bool]string{true: "memo", false: "ref"}[s.odoo.Major >= 18]
		require.EqualValues(t, 1, s.people(t, "account.payment", "search_count", []any{[]any{memo, "like", reference}}))
		require.EqualValues(t, 1, s.people(t, "stock.picking", "search_count", []any{[]any{"sale_id", "=", id}}))

		button := map[bool]string{true: "action_create_returns", false: "create_returns"}[s.odoo.Major >= 18]
		back := act("returns", "stock.return.picking", button, map[string]any{}).body["deliveries"].([]any)
		require.Len(t, back, 2)
		if s.odoo.Major >= 15 { // before, the gateway's user may not
			act(path("returns/%v/receive", back[1].(map[string]any)["id"]), "stock.picking", "button_validate", nil)
		}
		credited := act("refunds", "account.move.reversal", "reverse_moves", map[string]any{"lines": []any{map[string]any{"erp_line_id": line, "quantity": "1"}}}).body["invoices"].([]any)
		require.Len(t, credited, 2)
		require.Equal(t, "posted", credited[1].(map[string]any)["state"])
		require.EqualValues(t, 2, s.people(t, "stock.picking", "search_count", []any{[]any{"sale_id", "=", id}}))
		require.EqualValues(t, 1, s.people(t, "account.move", "search_count", []any{[]any{"reversed_entry_id", "=", invoice["id"]}}))
	})
}
