package e2e

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOrderFromPlacingToListing(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		reference := unique("PO")
		body := orderBody(reference, map[string]any{"sku": "E-COM07", "quantity": "2"}, map[string]any{"sku": "FURN_7777", "quantity": "1.5"})
		body["note"] = "Ring <twice> & \"wait\"\nthen\tknock — 谢谢 😀"
		placed := c.place(t, reference, body).requireStatus(t, http.StatusCreated)
		id := placed.id(t)
		require.Equal(t, path("/v1/orders/%d", id), placed.header.Get("Location"))
		require.Equal(t, "draft", placed.body["status"])
		require.Equal(t, body["note"], placed.body["note"])
		require.Equal(t, "portal", placed.body["source"])
		lines := placed.body["lines"].([]any)
		require.Len(t, lines, 2)
		require.Equal(t, "2", lines[0].(map[string]any)["quantity"])
		require.Equal(t, "1.5", lines[1].(map[string]any)["quantity"])
		require.NotEqual(t, "0.00", lines[0].(map[string]any)["unit_price"], "the price list decides")
		require.Equal(t, 1, s.countOrders(t, reference))

		inOdoo := s.people(t, "sale.order", "read", []any{id}, []any{"name", "amount_total", "client_order_ref"}).([]any)[0].(map[string]any)
		require.Equal(t, inOdoo["name"], placed.body["number"])

		replay := c.place(t, reference, body).requireStatus(t, http.StatusCreated)
		require.Equal(t, "true", replay.header.Get("Idempotency-Replayed"))
		require.JSONEq(t, placed.raw, replay.raw)
		c.place(t, reference, orderBody("other")).requireProblem(t, http.StatusUnprocessableEntity, "idempotency_key_reused")
		intent := c.call(t, http.MethodGet, "/v1/intents/"+url.PathEscape(reference), nil).requireStatus(t, http.StatusOK)
		require.Equal(t, "placed", intent.body["state"])

		got := c.call(t, http.MethodGet, path("/v1/orders/%d", id), nil).requireStatus(t, http.StatusOK)
		require.Equal(t, placed.body["amount_total"], got.body["amount_total"])
		confirmed := c.call(t, http.MethodPost, path("/v1/orders/%d/confirm", id), nil, "Idempotency-Key", unique("confirm")).requireStatus(t, http.StatusOK)
		require.Contains(t, []string{"confirmed", "picking"}, confirmed.body["status"], "goods that need no stock are ready at once")
		c.call(t, http.MethodPost, path("/v1/orders/%d/confirm", id), nil, "Idempotency-Key", unique("confirm")).requireStatus(t, http.StatusOK)

		history := c.call(t, http.MethodGet, path("/v1/orders/%d/history", id), nil).requireStatus(t, http.StatusOK)
		require.Contains(t, history.raw, path("order:%s", confirmed.body["status"]))

		// The background's first full sync may still run; then the listing is complete.
		require.Eventually(t, func() bool {
			listing := c.call(t, http.MethodGet, "/v1/orders?q="+reference, nil).requireStatus(t, http.StatusOK)
			state := listing.body["sync"].(map[string]any)["state"]
			return state == "fresh" && len(listing.body["orders"].([]any)) == 1
		}, 30*time.Second, 200*time.Millisecond)

		// What people change in Odoo shows within the freshness bound and the sync interval.
		s.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference + "-edited"})
		require.Eventually(t, func() bool {
			listing := c.call(t, http.MethodGet, "/v1/orders?q="+reference+"-edited", nil).requireStatus(t, http.StatusOK)
			return len(listing.body["orders"].([]any)) == 1
		}, 30*time.Second, 200*time.Millisecond)

		// What they delete becomes a tombstone with the next round of the background.
		doomed := c.place(t, reference+"-doomed", orderBody(reference+"-doomed")).requireStatus(t, http.StatusCreated).id(t)
		s.people(t, "sale.order", "unlink", []any{doomed})
		require.Eventually(t, func() bool {
			got := c.call(t, http.MethodGet, path("/v1/orders/%d", doomed), nil).requireStatus(t, http.StatusOK)
			return got.body["deleted_at"] != nil
		}, 60*time.Second, time.Second)
		gone := c.call(t, http.MethodGet, "/v1/orders?q="+reference+"-doomed", nil).requireStatus(t, http.StatusOK)
		require.Empty(t, gone.body["orders"])

		require.NotEmpty(t, c.call(t, http.MethodGet, "/v1/products?limit=5", nil).requireStatus(t, http.StatusOK).body["products"])
		require.NotEmpty(t, c.call(t, http.MethodGet, "/v1/customers?limit=5", nil).requireStatus(t, http.StatusOK).body["customers"])
	})
}

func TestListingPagesThroughEverythingOnce(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		batch := unique("PAGE")
		for i := range 5 {
			c.place(t, path("%s-%d", batch, i), orderBody(path("%s-%d", batch, i))).requireStatus(t, http.StatusCreated)
		}
		seen := map[float64]bool{}
		cursor := ""
		for range 10 {
			page := c.call(t, http.MethodGet, "/v1/orders?limit=2&q="+batch+cursor, nil).requireStatus(t, http.StatusOK)
			for _, o := range page.body["orders"].([]any) {
				id := o.(map[string]any)["id"].(float64)
				require.False(t, seen[id], "listed twice")
				seen[id] = true
			}
			next, more := page.body["next_cursor"].(string)
			if !more {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(next)
		}
		require.Len(t, seen, 5)
	})
}

func TestNewCustomerIsCreatedInOdooOnce(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		c := newCaller(t, s.serve(t), s.portal)
		ref := unique("u")
		email := ref + "@example.com"
		customer := map[string]any{"ref": ref, "name": "Zoë <b>&\"'", "email": email}
		created := c.call(t, http.MethodPost, "/v1/customers", customer).requireStatus(t, http.StatusCreated)
		require.Equal(t, customer["name"], created.body["name"])
		c.call(t, http.MethodPost, "/v1/customers", customer).requireStatus(t, http.StatusOK)
		body := orderBody(ref)
		body["customer"] = map[string]any{"ref": ref}
		placed := c.place(t, ref, body).requireStatus(t, http.StatusCreated)
		require.Equal(t, ref, placed.body["customer"].(map[string]any)["ref"])
		require.Len(t, s.partnerIDs(t, email), 1)
	})
}

func TestRolesSeeWhatIsTheirs(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		p := s.serve(t)
		shop := newCaller(t, p, s.portal)
		refs := []string{unique("a"), unique("b")}
		var partners, ids []int64
		for _, ref := range refs {
			body := orderBody(ref)
			body["customer"] = map[string]any{"ref": ref, "name": "Customer " + ref, "email": ref + "@example.com"}
			placed := shop.place(t, ref, body).requireStatus(t, http.StatusCreated)
			ids = append(ids, placed.id(t))
			partners = append(partners, int64(placed.body["customer"].(map[string]any)["erp_partner_id"].(float64)))
		}
		own := newCaller(t, p, s.createKey(t, "--role", "customer", "--name", refs[0], "--customer", path("%d", partners[0])))
		own.call(t, http.MethodGet, path("/v1/orders/%d", ids[0]), nil).requireStatus(t, http.StatusOK)
		own.call(t, http.MethodGet, path("/v1/orders/%d", ids[1]), nil).requireProblem(t, http.StatusNotFound, "order_not_found")
		own.call(t, http.MethodGet, path("/v1/orders/%d/history", ids[1]), nil).requireProblem(t, http.StatusNotFound, "order_not_found")
		listing := own.call(t, http.MethodGet, "/v1/orders", nil).requireStatus(t, http.StatusOK)
		require.Len(t, listing.body["orders"], 1)
		own.call(t, http.MethodGet, "/v1/customers", nil).requireStatus(t, http.StatusForbidden)
		own.call(t, http.MethodPost, path("/v1/orders/%d/confirm", ids[0]), nil, "Idempotency-Key", unique("confirm")).requireProblem(t, http.StatusForbidden, "confirm_forbidden")

		body := orderBody(unique("other"))
		body["customer"] = map[string]any{"erp_partner_id": partners[1]}
		own.place(t, unique("k"), body).requireProblem(t, http.StatusForbidden, "customer_forbidden")
		body = orderBody(unique("price"), map[string]any{"sku": "E-COM07", "quantity": "1", "unit_price": "0.01"})
		delete(body, "customer")
		own.place(t, unique("k"), body).requireProblem(t, http.StatusForbidden, "prices_forbidden")
		delete(body["lines"].([]map[string]any)[0], "unit_price")
		own.place(t, unique("k"), body).requireStatus(t, http.StatusCreated)

		newCaller(t, p, "").call(t, http.MethodGet, "/v1/orders", nil).requireStatus(t, http.StatusUnauthorized)
		newCaller(t, p, "og_wrong").call(t, http.MethodGet, "/v1/orders", nil).requireStatus(t, http.StatusUnauthorized)
		revoked := newCaller(t, p, s.createKey(t, "--role", "portal", "--name", "short-lived"))
		revoked.call(t, http.MethodGet, "/v1/orders", nil).requireStatus(t, http.StatusOK)
		s.must(t, "key", "revoke", "short-lived")
		revoked.call(t, http.MethodGet, "/v1/orders", nil).requireStatus(t, http.StatusUnauthorized)
	})
}
