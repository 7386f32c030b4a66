package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/odoorpc"
)

// What becomes of an order in Odoo is told in its history, whoever did it, once; also of a mirror that is built again.
func TestHistoryTellsWhatHappensInOdoo(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		p := s.serve(t)
		c, desk := newCaller(t, p, s.portal), newCaller(t, p, s.operator)
		scanner := newCaller(t, p, s.createKey(t, "--role", "module", "--module", "warehouse", "--name", "scanner"))
		sku := unique("SKU")
		s.people(t, "product.product", "create", map[string]any{"name": sku, "default_code": sku, "type": "consu", "invoice_policy": "order", "list_price": 10.0})
		reference := unique("PO")
		id := c.place(t, reference, orderBody(reference, map[string]any{"sku": sku, "quantity": "2"})).requireStatus(t, http.StatusCreated).id(t)
		history := path("/v1/orders/%d/history", id)

		block := map[string]any{"status_code": "warehouse:damaged", "severity": "blocking", "payload": map[string]any{"pallet": "17"}}
		written := scanner.call(t, http.MethodPost, history, block, "Idempotency-Key", "scan 1").requireStatus(t, http.StatusCreated)
		again := scanner.call(t, http.MethodPost, history, block, "Idempotency-Key", "scan 1").requireStatus(t, http.StatusCreated)
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		require.JSONEq(t, written.raw, again.raw)
		c.call(t, http.MethodPost, path("/v1/orders/%d/confirm", id), nil, "Idempotency-Key", reference+"c1").requireProblem(t, http.StatusConflict, "order_blocked")
		blocked := desk.call(t, http.MethodGet, "/v1/orders?blocked=true&status_code=warehouse:damaged&q="+reference, nil).requireStatus(t, http.StatusOK)
		require.Len(t, blocked.body["orders"], 1)
		desk.call(t, http.MethodPost, history, map[string]any{"status_code": "operator:released", "closes": written.body["id"]}, "Idempotency-Key", "r").
			requireStatus(t, http.StatusCreated)
		c.call(t, http.MethodPost, path("/v1/orders/%d/confirm", id), nil, "Idempotency-Key", reference+"c2").requireStatus(t, http.StatusOK)

		// Odoo 14 does what these ask for, and cannot always marshal what it returns.
		act := func(model, method string, of map[string]any, args ...any) any {
			answer, _ := odoorpc.Execute(s.odoo.URL, s.odoo.Database, s.odoo.AdminUser, s.odoo.AdminPassword, model, method, args, map[string]any{"context": of})
			return answer
		}
		pickings := s.people(t, "stock.picking", "search", []any{[]any{"sale_id", "=", id}}).([]any)
		require.Len(t, pickings, 1)
		act("stock.picking", "action_cancel", nil, pickings)
		ofOrder := map[string]any{"active_model": "sale.order", "active_ids": []any{id}, "active_id": id}
		act("sale.advance.payment.inv", "create_invoices", ofOrder,
			[]any{act("sale.advance.payment.inv", "create", ofOrder, map[string]any{"advance_payment_method": "delivered"})})
		invoices := s.people(t, "account.move", "search", []any{[]any{"line_ids.sale_line_ids.order_id", "=", id}}).([]any)
		require.Len(t, invoices, 1)
		act("account.move", "action_post", nil, invoices)
		ofInvoice := map[string]any{"active_model": "account.move", "active_ids": invoices, "active_id": invoices[0]}
		act("account.payment.register", "action_create_payments", ofInvoice,
			[]any{act("account.payment.register", "create", ofInvoice, map[string]any{"amount": 5.0})})

		codes := func() (codes []string) {
			for _, e := range c.call(t, http.MethodGet, history, nil).requireStatus(t, http.StatusOK).body["history"].([]any) {
				codes = append(codes, e.(map[string]any)["status_code"].(string))
			}
			return codes
		}
		want := []string{"order:placed", "warehouse:damaged", "operator:released", "order:picking", "inventory:delivery_created",
			"inventory:delivery_cancelled", "order:confirmed", "billing:invoice_created", "billing:invoice_posted", "payment:partial"}
		require.Eventually(t, func() bool {
			c.call(t, http.MethodPost, "/v1/sync", map[string]any{"order_id": id}).requireStatus(t, http.StatusOK)
			return len(codes()) >= len(want)
		}, 30*time.Second, 200*time.Millisecond)
		require.ElementsMatch(t, want, codes())
		before := codes()
		found := c.call(t, http.MethodGet, "/v1/orders?status_code=payment:partial&q="+reference, nil).requireStatus(t, http.StatusOK)
		require.Len(t, found.body["orders"], 1)

		db := s.database(t)
		for _, table := range []string{"order_lines", "orders", "sync_cursors"} {
			_, err := db.ExecContext(t.Context(), "DELETE FROM "+table)
			require.NoError(t, err)
		}
		c.call(t, http.MethodPost, "/v1/sync", map[string]any{"order_id": id}).requireStatus(t, http.StatusOK)
		require.Equal(t, before, codes())
		require.Contains(t, s.must(t, "history", "verify"), "Tenant default: 0 faults")
	})
}
