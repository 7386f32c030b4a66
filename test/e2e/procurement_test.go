package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What people in Odoo do with a purchase order stands in the history of the order that it is for, without anybody asking for it.
func TestPurchasesOfPeople(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		newSeller(t, s) // who sees no orders but its own: the first sync is a short one
		sku := unique("SERVICE")
		vendor := "partner_id"
		if s.odoo.Major < 15 {
			vendor = "name"
		}
		product := s.people(t, "product.product", "create", map[string]any{"name": sku, "default_code": sku, "type": "service", "list_price": 10.0,
			"seller_ids": []any{[]any{0, 0, map[string]any{vendor: s.people(t, "res.partner", "create", map[string]any{"name": sku}), "price": 4.0}}}})
		s.people(t, "product.product", "write", []any{product}, map[string]any{"service_to_purchase": true})
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("PO")
		id := c.place(t, reference, orderBody(reference, map[string]any{"sku": sku, "quantity": "2"})).requireStatus(t, http.StatusCreated).id(t)
		told := func(code string) {
			t.Helper()
			require.Eventually(t, func() bool {
				history := c.call(t, http.MethodGet, path("/v1/orders/%d/history", id), nil).requireStatus(t, http.StatusOK).raw
				return strings.Count(history, `"`+code+`"`) == 1
			}, time.Minute, 200*time.Millisecond, code)
		}
		s.people(t, "sale.order", "action_confirm", []any{id})
		told("procurement:ordered")
		purchase := s.people(t, "purchase.order", "search", []any{[]any{"order_line.sale_line_id.order_id", "=", id}}).([]any)[0]
		s.people(t, "purchase.order", "button_confirm", []any{purchase})
		told("procurement:confirmed")
		line := s.people(t, "purchase.order.line", "search", []any{[]any{"order_id", "=", purchase}}).([]any)[0]
		s.people(t, "purchase.order.line", "write", []any{line}, map[string]any{"qty_received": 2.0})
		told("procurement:received")
	})
}
