package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/test/proxy"
)

// Many orders at once: Odoo is asked once for all of them, and once more for each where it would not do one of them.
func TestManyOrdersAtOnce(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		p := s.serve(t)
		c := newCaller(t, p, s.portal)
		reference := unique("PO")
		place := func(suffix, customer string) (id, partner int64) {
			body := orderBody(reference + suffix)
			body["customer"] = map[string]any{"ref": reference + customer, "name": "Bulk " + customer}
			a := c.place(t, reference+suffix, body).requireStatus(t, http.StatusCreated)
			return a.id(t), int64(a.body["customer"].(map[string]any)["erp_partner_id"].(float64))
		}
		first, _ := place("-a", "somewhere")
		second, _ := place("-b", "somewhere")
		lost, partner := place("-c", "nowhere") // no route leads there, so that Odoo does not confirm the order
		nowhere := s.people(t, "stock.location", "create", map[string]any{"name": reference, "usage": "customer"})
		s.people(t, "res.partner", "write", []any{partner}, map[string]any{"property_stock_customer": nowhere})

		bulk := func(action string) (statuses []float64, results []any) {
			results = c.call(t, http.MethodPost, "/v1/orders/bulk", map[string]any{"action": action, "order_ids": []any{first, second, lost}},
				"Idempotency-Key", reference+action).requireStatus(t, http.StatusOK).body["results"].([]any)
			for _, r := range results {
				statuses = append(statuses, r.(map[string]any)["status"].(float64))
			}
			return statuses, results
		}
		s.http.OnCall(callOf("sale.order", "write"), proxy.DropAnswer, 1)
		statuses, _ := bulk("hold")
		require.Equal(t, []float64{200, 200, 200}, statuses, "their state says that it was done")
		statuses, results := bulk("approve")
		require.Equal(t, []float64{200, 200, 409}, statuses)
		require.Equal(t, "action_refused", results[2].(map[string]any)["failure"].(map[string]any)["code"])
		_, again := bulk("approve")
		require.Equal(t, results[2].(map[string]any)["failure"], again[2].(map[string]any)["failure"])
		require.Equal(t, true, again[2].(map[string]any)["replayed"])
		statuses, _ = bulk("cancel")
		require.Equal(t, []float64{200, 200, 200}, statuses)

		fourth, _ := place("-d", "somewhere")
		s.people(t, "sale.order", "action_confirm", []any{fourth})
		for _, action := range []string{"fulfil", "invoice"} {
			results := c.call(t, http.MethodPost, "/v1/orders/bulk", map[string]any{"action": action, "order_ids": []any{fourth, first}},
				"Idempotency-Key", reference+action).requireStatus(t, http.StatusOK).body["results"].([]any)
			require.EqualValues(t, http.StatusOK, results[0].(map[string]any)["status"], results)
			require.EqualValues(t, http.StatusConflict, results[1].(map[string]any)["status"], "it is cancelled")
		}
		require.EqualValues(t, 1, s.people(t, "account.move", "search_count", []any{[]any{"line_ids.sale_line_ids.order_id", "=", fourth}, []any{"state", "=", "posted"}}))

		counted := map[string]int{}
		for line := range strings.Lines(metric(t, p, "ordergate_odoo_calls_total")) {
			for _, method := range []string{"action_confirm", "action_cancel"} {
				if labels, value, _ := strings.Cut(strings.TrimSpace(line), "} "); strings.Contains(labels, `"sale.order.`+method+`"`) {
					n, err := strconv.Atoi(value)
					require.NoError(t, err)
					counted[method] += n
				}
			}
		}
		require.Equal(t, map[string]int{"action_confirm": 1 + 3, "action_cancel": 1}, counted)
	})
}
