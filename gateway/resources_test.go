package gateway_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestOrdersArePaged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var before order.Position
	next := order.Position{OrderedAt: start.Add(123456789), ID: 4711}
	b.service.orders = func(_ context.Context, _ order.Caller, f order.Filter) (order.Listing, error) {
		before = f.Before
		return order.Listing{Orders: []order.Order{cabinet()}, Next: next, Sync: fresh()}, nil
	}

	cursor := b.get("/v1/orders", portalSecret).json(t)["next_cursor"].(string)
	require.Equal(t, order.Position{}, before)

	require.Equal(t, http.StatusOK, b.get("/v1/orders?cursor="+cursor, portalSecret).StatusCode)
	require.True(t, next.OrderedAt.Equal(before.OrderedAt), "to the nanosecond")
	require.Equal(t, next.ID, before.ID)
}

func TestACursorThatWasChangedIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, unlimited)
	b.service.products = func(_ context.Context, _ order.Caller, f order.CatalogueFilter) ([]order.Product, order.SyncStatus, error) {
		return []order.Product{{ERPProductID: 31, Name: "Cabinet", WriteDate: start}}, fresh(), nil
	}
	cursor := b.get("/v1/products?limit=1", portalSecret).json(t)["next_cursor"].(string)
	refused := func(target string) {
		b.get(target, portalSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "cursor")
	}

	for i := range cursor {
		for _, replacement := range []byte{'A', 'Q', '9', '-'} {
			if changed := cursor[:i] + string(replacement) + cursor[i+1:]; changed != cursor {
				refused("/v1/products?cursor=" + changed)
			}
		}
		if i > 0 {
			refused("/v1/products?cursor=" + cursor[:i])
		}
	}
	refused("/v1/products?cursor=" + cursor + "=")
	refused("/v1/products?cursor=" + cursor + "%0A")
	refused("/v1/orders?cursor=" + cursor)
	refused("/v1/customers?cursor=" + cursor)
}

func TestListProducts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.CatalogueFilter
	b.service.products = func(_ context.Context, _ order.Caller, f order.CatalogueFilter) ([]order.Product, order.SyncStatus, error) {
		asked = f
		return []order.Product{
			{ERPProductID: 31, SKU: "E-COM07", Name: "Cabinet", UnitOfMeasure: "Units", ListPrice: money("19.9"), Currency: "EUR", Sellable: true, Active: true, WriteDate: start},
			{ERPProductID: 32, Name: "Chair", ListPrice: money("1980"), Currency: "JPY", WriteDate: start},
			{ERPProductID: 33, Name: "Lamp", ListPrice: money("1.5"), Currency: "KWD", WriteDate: start},
			{ERPProductID: 34, Name: "Gift", ListPrice: money("3"), WriteDate: start},
		}, fresh(), nil
	}

	a := b.get("/v1/products?q=E-COM&limit=4", customerSecret)

	require.Equal(t, order.CatalogueFilter{Query: "E-COM", Limit: 4}, asked)
	products := a.json(t)["products"].([]any)
	require.Equal(t, map[string]any{"erp_product_id": 31.0, "sku": "E-COM07", "name": "Cabinet", "unit_of_measure": "Units",
		"list_price": "19.90", "currency": "EUR", "sellable": true, "active": true, "updated_at": "2026-11-21T09:30:00Z"}, products[0])
	for i, price := range []string{"19.90", "1980", "1.500", "3.00"} {
		require.Equal(t, price, products[i].(map[string]any)["list_price"])
	}
	require.Nil(t, products[1].(map[string]any)["sku"])

	cursor := a.json(t)["next_cursor"].(string)
	last := b.get("/v1/products?limit=5&cursor="+cursor, customerSecret)
	require.Equal(t, order.CatalogueFilter{AfterID: 34, Limit: 5}, asked)
	require.Nil(t, last.json(t)["next_cursor"], "a page that is not full is the last")
}

func TestListCustomers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.CatalogueFilter
	b.service.list = func(_ context.Context, _ order.Caller, f order.CatalogueFilter) ([]order.Customer, order.SyncStatus, error) {
		asked = f
		return []order.Customer{{ERPPartnerID: 9, ERPCompanyID: 8, Ref: "u-17", Name: "Ada", Email: "a@b", Active: true, WriteDate: start}}, fresh(), nil
	}

	a := b.get("/v1/customers?q=ada&limit=1", portalSecret)

	require.Equal(t, order.CatalogueFilter{Query: "ada", Limit: 1}, asked)
	require.Equal(t, []any{map[string]any{"erp_partner_id": 9.0, "erp_company_id": 8.0, "ref": "u-17", "name": "Ada", "email": "a@b",
		"phone": nil, "active": true, "created_at": nil, "updated_at": "2026-11-21T09:30:00Z"}}, a.json(t)["customers"])
	b.get("/v1/customers?cursor="+a.json(t)["next_cursor"].(string), operatorSecret)
	require.Equal(t, order.CatalogueFilter{AfterID: 9, Limit: order.DefaultPageSize}, asked)
}

func TestCreateCustomer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	known := false
	b.service.create = func(_ context.Context, _ order.Caller, c order.CustomerRef) (order.Customer, bool, error) {
		require.Equal(t, order.CustomerRef{Ref: "u-17", Name: "Ada", Email: "a@b", Phone: "1"}, c)
		created := !known
		known = true
		return order.Customer{ERPPartnerID: 9, Ref: "u-17", Name: "Ada", Active: true}, created, nil
	}
	send := func(body string) answer {
		return b.request(http.MethodPost, "/v1/customers", portalSecret, body).send()
	}

	first := send(`{"ref": "u-17", "name": "Ada", "email": "a@b", "phone": "1"}`)
	require.Equal(t, http.StatusCreated, first.StatusCode)
	again := send(`{"ref": "u-17", "name": "Ada", "email": "a@b", "phone": "1"}`)
	require.Equal(t, http.StatusOK, again.StatusCode)
	require.JSONEq(t, string(first.body), string(again.body))

	send(`{"name": "Ada"}`).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "ref")
	send(`{"ref": "a", "name": "A", "erp_partner_id": 9}`).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "erp_partner_id")
}

func TestReadsThatFail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	away := order.Errorf(order.Unavailable, "database_unavailable", "Away.")
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) { return order.Listing{}, away }
	b.service.order = func(context.Context, order.Caller, int64) (order.Order, order.OrderSync, error) {
		return order.Order{}, order.OrderSync{}, away
	}
	b.service.history = func(context.Context, order.Caller, int64, order.HistoryFilter) ([]order.HistoryEntry, error) {
		return nil, away
	}
	b.service.act = func(context.Context, order.Caller, string, order.Action) (order.Placement, error) {
		return order.Placement{}, away
	}
	noIntent := func(context.Context, order.Caller, string, string) (order.Intent, error) { return order.Intent{}, away }
	b.service.intent, b.service.retry, b.service.cancel = noIntent, noIntent, noIntent
	b.service.intents = func(context.Context, order.Caller, order.IntentFilter) ([]order.Intent, error) { return nil, away }
	b.service.products = func(context.Context, order.Caller, order.CatalogueFilter) ([]order.Product, order.SyncStatus, error) {
		return nil, order.SyncStatus{}, away
	}
	b.service.list = func(context.Context, order.Caller, order.CatalogueFilter) ([]order.Customer, order.SyncStatus, error) {
		return nil, order.SyncStatus{}, away
	}
	b.service.create = func(context.Context, order.Caller, order.CustomerRef) (order.Customer, bool, error) {
		return order.Customer{}, false, away
	}
	b.service.report = func(context.Context, order.Caller) (order.SyncReport, error) { return order.SyncReport{}, away }
	b.service.syncNow = func(context.Context, order.Caller, order.SyncWish) (int, order.SyncStatus, error) {
		return 0, order.SyncStatus{}, away
	}
	for _, target := range []string{"/v1/orders", "/v1/orders/1", "/v1/orders/1/history", "/v1/intents", "/v1/intents/k", "/v1/products", "/v1/customers", "/v1/sync"} {
		b.get(target, portalSecret).requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	}
	b.request(http.MethodPost, "/v1/orders/1/confirm", portalSecret, "").with("Idempotency-Key", "c").send().requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	b.request(http.MethodPost, "/v1/sync", portalSecret, "{}").send().requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	b.request(http.MethodPost, "/v1/intents/k/retry", portalSecret, "").send().requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	b.request(http.MethodDelete, "/v1/intents/k", portalSecret, "").send().requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	b.request(http.MethodPost, "/v1/customers", portalSecret, `{"ref":"a","name":"A"}`).send().requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
}
