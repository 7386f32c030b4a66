package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replayed is what `ordergate replay --json` prints, as far as the test looks at it.
type replayed struct {
	Intents  int `json:"intents"`
	Repaired int `json:"repaired"`
	Left     int `json:"left"`
	Findings []struct {
		Key   string `json:"key"`
		Kind  string `json:"kind"`
		State string `json:"state"`
	} `json:"findings"`
}

// A row of the mirror is forged and another one lost; the intents lead to both. A dry run of a placement, and of a replay, changes
// nothing anywhere.
func TestReplayAndDryRun(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		p := s.serve(t)
		c := newCaller(t, p, s.portal)
		reference := unique("replay")
		ref := unique("u")
		body := orderBody(reference+"-dry", map[string]any{"sku": "E-COM07", "quantity": "2", "unit_price": "12.50"}, map[string]any{"sku": "FURN_7777", "quantity": "1", "unit_price": "3"})
		body["customer"] = map[string]any{"ref": ref, "name": "Dry & Sons", "email": ref + "@example.com"}
		body["shipping_address"] = map[string]any{"name": "Dock 1", "street": "Quay 1", "city": "Antwerp", "country": "BE"}
		dry := c.call(t, http.MethodPost, "/v1/orders?dry_run=true", body).requireStatus(t, http.StatusOK)
		require.Zero(t, s.countOrders(t, reference+"-dry"))
		require.Empty(t, s.partnerIDs(t, ref+"@example.com"))
		key := dry.body["idempotency_key"].(string)
		c.call(t, http.MethodGet, "/v1/intents/"+key, nil).requireProblem(t, http.StatusNotFound, "intent_not_found")
		placed := c.place(t, key, body).requireStatus(t, http.StatusCreated).id(t)
		shown := dry.body["values"].(map[string]any)["order"].(map[string]any)["rows"].([]any)[0].([]any)[0]
		made := s.people(t, "sale.order", "get_metadata", []any{placed}).([]any)[0].(map[string]any)["xmlid"]
		require.Equal(t, made, shown, "the external id that was shown")

		forged := c.place(t, reference+"-forged", orderBody(reference+"-forged")).requireStatus(t, http.StatusCreated).id(t)
		lost := c.place(t, reference+"-lost", orderBody(reference+"-lost")).requireStatus(t, http.StatusCreated).id(t)
		p.kill()
		replay := func(code int, args ...string) (r replayed) {
			t.Helper()
			stdout, stderr, ended := s.command(t, append([]string{"replay", "--json", "--pause", "1ms"}, args...)...)
			require.Equal(t, code, ended, "%s%s", stdout, stderr)
			var reports []replayed
			require.NoError(t, json.Unmarshal([]byte(stdout), &reports))
			return reports[0]
		}
		time.Sleep(2 * time.Second) // what was read in the same second cannot be told to be older
		require.Empty(t, replay(0).Findings)

		db := s.database(t)
		for _, statement := range []string{"UPDATE orders SET amount_total = amount_total + 1 WHERE erp_order_id = ?",
			"UPDATE order_lines SET quantity = 7 WHERE order_id = (SELECT id FROM orders WHERE erp_order_id = ?)"} {
			_, err := db.ExecContext(t.Context(), statement, forged)
			require.NoError(t, err)
		}
		for _, statement := range []string{"DELETE FROM order_lines WHERE order_id = (SELECT id FROM orders WHERE erp_order_id = ?)",
			"DELETE FROM orders WHERE erp_order_id = ?"} {
			_, err := db.ExecContext(t.Context(), statement, lost)
			require.NoError(t, err)
		}
		want := map[string]string{reference + "-forged": "amount found", reference + "-lost": "missing found"}
		found := func(r replayed) map[string]string {
			kinds := map[string]string{}
			for _, f := range r.Findings {
				kinds[f.Key] = f.Kind + " " + f.State
			}
			return kinds
		}
		require.Equal(t, want, found(replay(3, "--dry-run", "--since", "1h")))
		require.Equal(t, want, found(replay(3, "--dry-run")), "a dry run mends nothing")
		mended := replay(0)
		require.Equal(t, 2, mended.Repaired)
		require.Zero(t, mended.Left)
		require.Empty(t, replay(0).Findings)
		require.Equal(t, 1, s.countOrders(t, reference+"-forged"), "in Odoo itself")
		require.Equal(t, 1, s.countOrders(t, reference+"-lost"))

		c = newCaller(t, s.serve(t), s.portal)
		require.Equal(t, "portal", c.call(t, http.MethodGet, path("/v1/orders/%d", lost), nil).requireStatus(t, http.StatusOK).body["source"])
	})
}
