package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/env"
)

// sale is an order of two lines in an Odoo that only sells, and who acts on it.
type sale struct {
	*caller
	reference string
	id        int64
	lines     []int64 // their ids
}

func (s *stack) placeSale(t *testing.T, c *caller) sale {
	t.Helper()
	reference := unique("PO")
	placed := c.place(t, reference, orderBody(reference, map[string]any{"sku": "E-COM07", "quantity": "1"},
		map[string]any{"sku": "FURN_7777", "quantity": "2"})).requireStatus(t, http.StatusCreated)
	o := sale{caller: c, reference: reference, id: placed.id(t)}
	for _, l := range placed.body["lines"].([]any) {
		o.lines = append(o.lines, int64(l.(map[string]any)["erp_line_id"].(float64)))
	}
	return o
}

// act calls what follows the order's own address.
func (o sale) act(t *testing.T, method, action, key string, body any) answer {
	t.Helper()
	return o.call(t, method, path("/v1/orders/%d%s", o.id, action), body, "Idempotency-Key", o.reference+key)
}

func (o sale) do(t *testing.T, action, key string, body any) answer {
	t.Helper()
	return o.act(t, http.MethodPost, "/"+action, key, body)
}

// handOver enters what was delivered, as people do where no deliveries do it for them.
func (s *stack) handOver(t *testing.T, o sale) {
	t.Helper()
	for _, line := range o.lines {
		ordered := s.people(t, "sale.order.line", "read", []any{line}, []any{"product_uom_qty"}).([]any)[0].(map[string]any)["product_uom_qty"]
		s.people(t, "sale.order.line", "write", []any{line}, map[string]any{"qty_delivered": ordered})
	}
}

// Where Odoo has no stock, what takes stock says what is missing, and everything else works.
func TestLifeWithoutStock(t *testing.T) {
	t.Parallel()
	eachWithoutStock(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.with(settings{"ORDERGATE_STOCK_CHECK": "refuse"}).serve(t), s.portal)
		o := s.placeSale(t, c)
		held := o.do(t, "hold", "h", map[string]any{"reason": "new customer"}).requireStatus(t, http.StatusOK)
		require.Equal(t, "on_hold", held.body["status"])
		three := map[string]any{"lines": []any{map[string]any{"erp_line_id": o.lines[1], "quantity": "3"}}}
		changed := c.call(t, http.MethodPatch, path("/v1/orders/%d", o.id), three, "Idempotency-Key", o.reference+"e", "If-Match", held.header.Get("ETag"))
		require.Equal(t, "3", changed.requireStatus(t, http.StatusOK).body["lines"].([]any)[1].(map[string]any)["quantity"])
		require.Equal(t, "confirmed", o.do(t, "approve", "a", nil).requireStatus(t, http.StatusOK).body["status"])

		missing := func(a answer, code, application string) {
			t.Helper()
			require.Contains(t, a.requireProblem(t, http.StatusNotImplemented, code).body["detail"], application)
		}
		missing(o.do(t, "fulfilments", "f", nil), "stock_missing", "Inventory")
		missing(o.do(t, "fulfilments", "carrier", map[string]any{"tracking_number": "1Z"}), "stock_missing", "Inventory")
		missing(o.do(t, "allocations", "r", nil), "stock_missing", "Inventory")
		missing(o.do(t, "warehouse", "w", map[string]any{"warehouse": "WH"}), "stock_missing", "Inventory")
		missing(o.act(t, http.MethodDelete, "/allocations", "d", nil), "stock_missing", "Inventory")
		missing(o.act(t, http.MethodGet, "/allocations", "", nil), "stock_missing", "Inventory")
		missing(c.call(t, http.MethodGet, "/v1/warehouses", nil), "stock_missing", "Inventory")
		missing(c.call(t, http.MethodGet, "/v1/stock?sku=E-COM07", nil), "stock_missing", "Inventory")
		missing(o.act(t, http.MethodGet, "/procurement", "", nil), "purchase_missing", "Purchase")
		bulk := c.call(t, http.MethodPost, "/v1/orders/bulk", map[string]any{"action": "fulfil", "order_ids": []any{o.id}},
			"Idempotency-Key", o.reference+"bulk").requireStatus(t, http.StatusOK).body["results"].([]any)[0].(map[string]any)
		require.EqualValues(t, http.StatusNotImplemented, bulk["status"])

		s.handOver(t, o)
		billed := o.do(t, "invoices", "i", nil).requireStatus(t, http.StatusOK)
		missing(o.do(t, "returns", "b", nil), "stock_missing", "Inventory")
		missing(o.do(t, "returns/1/receive", "v", nil), "stock_missing", "Inventory")
		require.Equal(t, []any{"delivered", "full", "unpaid"}, []any{billed.body["status"], billed.body["fulfilment"], billed.body["payment"]})
		invoice := billed.body["invoices"].([]any)[0].(map[string]any)
		paid := o.do(t, path("invoices/%v/payments", invoice["id"]), "p", map[string]any{"amount": invoice["amount_due"], "reference": o.reference})
		require.Equal(t, []any{"completed", "paid"}, []any{paid.requireStatus(t, http.StatusOK).body["status"], paid.body["payment"]})
		o.do(t, "refunds", "n1", nil).requireProblem(t, http.StatusConflict, "nothing_to_refund")
		credited := o.do(t, "refunds", "n2", map[string]any{"lines": []any{map[string]any{"erp_line_id": o.lines[1], "quantity": "1"}}})
		require.Equal(t, "partially_refunded", credited.requireStatus(t, http.StatusOK).body["payment"])

		other := s.placeSale(t, c)
		require.Equal(t, "cancelled", other.do(t, "cancel", "x", nil).requireStatus(t, http.StatusOK).body["status"])
		history := o.act(t, http.MethodGet, "/history", "", nil).requireStatus(t, http.StatusOK).raw
		for _, code := range []string{"order:on_hold", "order:confirmed", "billing:invoice_posted", "payment:paid", "billing:credit_note_posted"} {
			require.Contains(t, history, `"`+code+`"`)
		}
		s.must(t, "history", "verify")
	})
}

// Where the gateway's user may see no invoices, what takes some names the group that may, and everything else works that Odoo lets work. Odoo
// does not sell without accounting.
func TestLifeWithoutAccounting(t *testing.T) {
	t.Parallel()
	eachWithoutStock(t, func(t *testing.T, s *stack) {
		s.odoo.User, s.odoo.Password = env.Seller, env.SellerPassword
		password := s.odoo.Password
		if s.json2 {
			password = s.odoo.APIKey(t)
		}
		s.settings = s.settings.with(settings{"ORDERGATE_ODOO_USER": s.odoo.User, "ORDERGATE_ODOO_PASSWORD": password})
		c := newCaller(t, s.serve(t), s.portal)
		o := s.placeSale(t, c)
		require.Equal(t, "confirmed", o.do(t, "confirm", "c", nil).requireStatus(t, http.StatusOK).body["status"])
		s.handOver(t, o)
		for _, action := range []string{"invoices", "refunds"} {
			a := o.do(t, action, action, nil).requireProblem(t, http.StatusForbidden, "erp_rights_missing")
			require.Contains(t, a.body["detail"], "Invoicing/Billing")
		}
		require.Empty(t, o.act(t, http.MethodGet, "/invoices", "", nil).requireStatus(t, http.StatusOK).body["invoices"])
		o.do(t, "invoices/1/payments", "p", map[string]any{"amount": "1"}).requireProblem(t, http.StatusForbidden, "erp_rights_missing")
		require.Eventually(t, func() bool {
			return c.call(t, http.MethodGet, path("/v1/orders/%d", o.id), nil).requireStatus(t, http.StatusOK).body["status"] == "delivered"
		}, 30*time.Second, 200*time.Millisecond)
		cancelled := s.placeSale(t, c).do(t, "cancel", "x", nil)
		if s.odoo.Major == 14 {
			require.Equal(t, "cancelled", cancelled.requireStatus(t, http.StatusOK).body["status"])
		} else { // it looks at the order's invoices first
			require.Contains(t, cancelled.requireProblem(t, http.StatusForbidden, "erp_rights_missing").body["detail"], "Accounting/Invoicing")
		}
	})
}

// An order with an invoice that a record rule hides is shown without its invoices, and keeps no other order away.
func TestHiddenInvoice(t *testing.T) {
	t.Parallel()
	eachWithoutStock(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		orders := []sale{s.placeSale(t, c), s.placeSale(t, c), s.placeSale(t, c)}
		var invoices []int64
		for _, o := range orders {
			o.do(t, "confirm", "c", nil).requireStatus(t, http.StatusOK)
			s.handOver(t, o)
			billed := o.do(t, "invoices", "i", nil).requireStatus(t, http.StatusOK).body["invoices"].([]any)
			invoices = append(invoices, int64(billed[0].(map[string]any)["id"].(float64)))
		}
		hidden := orders[1]
		s.people(t, "account.move", "write", []any{invoices[1]}, map[string]any{"ref": env.HiddenReference})
		for _, o := range orders {
			s.people(t, "sale.order", "write", []any{o.id}, map[string]any{"client_order_ref": o.reference + "-seen"})
		}
		for i, o := range orders {
			require.Eventually(t, func() bool { // what the sync makes of all of them together
				listed := c.call(t, http.MethodGet, "/v1/orders?q="+o.reference+"-seen", nil).requireStatus(t, http.StatusOK).body["orders"].([]any)
				return len(listed) == 1
			}, 30*time.Second, 200*time.Millisecond, "order %d of three", i+1)
		}
		shown := func(o sale) []any {
			return o.act(t, http.MethodGet, "/invoices", "", nil).requireStatus(t, http.StatusOK).body["invoices"].([]any)
		}
		require.Equal(t, []int{1, 0, 1}, []int{len(shown(orders[0])), len(shown(hidden)), len(shown(orders[2]))})

		s.people(t, "sale.order.line", "write", []any{hidden.lines[0]}, map[string]any{"product_uom_qty": 5, "qty_delivered": 5})
		a := hidden.do(t, "invoices", "i2", nil).requireProblem(t, http.StatusForbidden, "erp_rights_missing")
		require.Contains(t, a.body["detail"], "hides")
		hidden.do(t, path("invoices/%v/payments", invoices[1]), "p", map[string]any{"amount": "1"}).requireProblem(t, http.StatusForbidden, "erp_rights_missing")
		s.people(t, "account.move", "write", []any{invoices[1]}, map[string]any{"ref": false})
		require.Len(t, hidden.do(t, "invoices", "i2", nil).requireStatus(t, http.StatusOK).body["invoices"], 2)
	})
}
