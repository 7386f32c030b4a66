package ordersync_test

import (
	"sync"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
)

func TestUnusableSKUs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tests := []struct{ name, sku, code string }{
		{"unknown", "NO-SUCH", "unknown_sku"},
		{"another spelling", "e-com07", "unknown_sku"},
		{"shared by two products", sandbox.AmbiguousSKU, "ambiguous_sku"},
		{"archived", sandbox.ArchivedSKU, "archived_sku"},
		{"not for sale", sandbox.UnsellableSKU, "unsellable_sku"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := b.Place(t.Context(), portal, "sku "+test.name, request("PO-sku", func(r *order.Request) {
				r.Lines = append(r.Lines, order.RequestLine{SKU: test.sku, Quantity: decimal.New(1, 0)})
			}))
			e := requireKind(t, err, order.Unprocessable, test.code)
			require.Equal(t, "lines[1].sku", e.Violations[0].Field)
			_, err = b.Intent(t.Context(), portal, "", "sku "+test.name)
			requireKind(t, err, order.NotFound, "intent_not_found")
		})
	}
	require.Empty(t, b.erpOrders(t, "PO-sku"))
	require.Zero(t, b.sandbox.Calls("sale.order.load"))
}

func TestSKUNewerThanTheMirrorIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.people(t, "product.product", "create", map[string]any{"name": "New thing", "default_code": "NEW-1", "list_price": 10})
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1", func(r *order.Request) { r.Lines[0].SKU = "NEW-1" }))
	require.NoError(t, err)
	require.Equal(t, "NEW-1", placed.Order.Lines[0].SKU)
}

func TestSKUThatMayBeSoldSinceAMomentIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.people(t, "product.product", "write", []any{productIDs(t, b, sandbox.UnsellableSKU)[0]}, map[string]any{"sale_ok": true})
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1", func(r *order.Request) { r.Lines[0].SKU = sandbox.UnsellableSKU }))
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
}

func TestMoreDecimalsThanTheERPKeepsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	price := decimal.RequireFromString("19.905")
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1", func(r *order.Request) {
		r.Lines[0].Quantity, r.Lines[0].UnitPrice = decimal.RequireFromString("0.001"), &price
	}))
	e := requireKind(t, err, order.Unprocessable, "invalid_request")
	require.Equal(t, "lines[0].quantity", e.Violations[0].Field)
	require.Equal(t, "lines[0].unit_price", e.Violations[1].Field)
}

func TestNewCustomerIsCreatedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	newcomer := func(r *order.Request) {
		r.Customer = order.CustomerRef{Ref: "u-17", Name: "Ada <Byron> & Co", Email: "ada@example.com"}
	}
	var wg sync.WaitGroup
	for _, key := range []string{"k1", "k2", "k3", "k4"} {
		wg.Go(func() {
			placed, err := b.Place(t.Context(), portal, key, request("PO-"+key, newcomer))
			if err != nil || placed.Order == nil || placed.Order.Customer.Ref != "u-17" {
				t.Errorf("%s: %v %+v", key, err, placed.Order)
			}
		})
	}
	wg.Wait()
	partners := b.people(t, "res.partner", "search_read", []any{[]any{"email", "=", "ada@example.com"}}, []any{"name"}).([]any)
	require.Len(t, partners, 1)
	require.Equal(t, "Ada <Byron> & Co", partners[0].(map[string]any)["name"])

	// What people edited in the ERP stays.
	id := partners[0].(map[string]any)["id"].(int64)
	b.people(t, "res.partner", "write", []any{id}, map[string]any{"name": "Ada Lovelace"})
	_, err := b.Place(t.Context(), portal, "k5", request("PO-k5", newcomer))
	require.NoError(t, err)
	partners = b.people(t, "res.partner", "search_read", []any{[]any{"id", "=", id}}, []any{"name"}).([]any)
	require.Equal(t, "Ada Lovelace", partners[0].(map[string]any)["name"])

	_, err = b.Place(t.Context(), portal, "k6", request("PO-k6", func(r *order.Request) { r.Customer = order.CustomerRef{Ref: "nameless"} }))
	e := requireKind(t, err, order.Unprocessable, "invalid_request")
	require.Equal(t, "customer.name", e.Violations[0].Field)
	_, err = b.Place(t.Context(), portal, "k7", request("PO-k7", func(r *order.Request) { r.Customer = order.CustomerRef{ERPPartnerID: 999999} }))
	requireKind(t, err, order.Unprocessable, "unknown_customer")
}

// The partner's creation is not the order's: an order that was not sent is refused for good, not in doubt.
func TestLostAnswerForThePartnerLeavesNoDoubtAboutTheOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "res.partner.load", Kind: sandbox.DropAnswer, Times: 2})
	newcomer := func(r *order.Request) {
		r.Customer = order.CustomerRef{Ref: "u-18", Name: "Bob", Email: "bob@example.com"}
	}
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1", newcomer))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
	require.Empty(t, b.erpOrders(t, "PO-1"))

	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1", newcomer))
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	partners := b.people(t, "res.partner", "search", []any{[]any{"email", "=", "bob@example.com"}}).([]any)
	require.Len(t, partners, 1)
}

func TestShippingAddressIsCreatedOncePerContent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	to := func(street string) func(r *order.Request) {
		return func(r *order.Request) {
			r.ShippingAddress = &order.Address{Name: "Gate 3", Street: street, City: "Brussels", Zip: "1000", Country: "BE"}
		}
	}
	for key, street := range map[string]string{"k1": "Main St 1", "k2": "Main St 1", "k3": "Side St 2"} {
		placed, err := b.Place(t.Context(), portal, key, request("PO-"+key, to(street)))
		require.NoError(t, err)
		require.NotNil(t, placed.Order)
	}
	children := b.people(t, "res.partner", "search_read", []any{[]any{"parent_id", "=", 9}, []any{"type", "=", "delivery"}}, []any{"street"}).([]any)
	require.Len(t, children, 2)

	_, err := b.Place(t.Context(), portal, "k4", request("PO-k4", to("Main St 1"), func(r *order.Request) { r.ShippingAddress.Country = "XX" }))
	e := requireKind(t, err, order.Unprocessable, "unknown_country")
	require.Equal(t, "shipping_address.country", e.Violations[0].Field)
}

func TestCustomerRoleMayNotNameOthersSetPricesOrConfirm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	caller := order.Caller{Name: "acme", Role: order.RoleCustomer, Source: "customer:9", ERPPartnerID: 9}
	price := decimal.New(1, 0)
	tests := []struct {
		name, code string
		edit       func(*order.Request)
	}{
		{"another customer", "customer_forbidden", func(r *order.Request) { r.Customer.ERPPartnerID = 10 }},
		{"a ref", "customer_forbidden", func(r *order.Request) { r.Customer = order.CustomerRef{Ref: "u-1", Name: "U"} }},
		{"a price", "prices_forbidden", func(r *order.Request) { r.Lines[0].UnitPrice = &price }},
		{"confirm", "confirm_forbidden", func(r *order.Request) { r.Confirm = true }},
	}
	for _, test := range tests {
		_, err := b.Place(t.Context(), caller, "k "+test.name, request("PO-no", test.edit))
		requireKind(t, err, order.Forbidden, test.code)
	}
	require.Empty(t, b.erpOrders(t, "PO-no"))

	placed, err := b.Place(t.Context(), caller, "k1", request("PO-own", func(r *order.Request) { r.Customer = order.CustomerRef{} }))
	require.NoError(t, err)
	require.Equal(t, int64(9), placed.Order.Customer.ERPPartnerID)

	b.cfg.Tenant.Settings = order.Settings{CustomerMaySetPrices: true, CustomerMayConfirm: true}
	b.restart(t)
	placed, err = b.Place(t.Context(), caller, "k2", request("PO-allowed", func(r *order.Request) {
		r.Lines[0].UnitPrice, r.Confirm = &price, true
	}))
	require.NoError(t, err)
	require.Equal(t, order.Confirmed, placed.Order.Status)
	require.True(t, placed.Order.AmountUntaxed.Equal(decimal.New(2, 0)))
}

// What people deleted in the ERP must not be named for ever because the mirror still knows it.
func TestDeletedProductAndCustomerAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	newProduct := func() int64 {
		return b.people(t, "product.product", "create", map[string]any{"name": "Renewed", "default_code": "RENEW", "list_price": 10}).(int64)
	}
	wish := func(ref string) order.Request {
		return request("PO-renew", func(r *order.Request) {
			r.Lines[0].SKU = "RENEW"
			r.Customer = order.CustomerRef{Ref: ref, Name: "Renewed", Email: "renewed@example.com"}
		})
	}
	first := newProduct()
	_, _, err := b.CreateCustomer(t.Context(), portal, order.CustomerRef{Ref: "u-r", Name: "Renewed"})
	require.NoError(t, err)
	known, err := b.db.CustomerByRef(t.Context(), b.cfg.Tenant.ID, "u-r")
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))
	b.people(t, "product.product", "unlink", []any{first})
	b.people(t, "res.partner", "unlink", []any{known.ERPPartnerID})
	second := newProduct()

	_, err = b.Place(t.Context(), portal, "k1", wish("u-r"))
	requireKind(t, err, order.Unprocessable, "erp_rejected")
	placed, err := b.Place(t.Context(), portal, "k2", wish("u-r"))
	require.NoError(t, err)
	require.Equal(t, second, placed.Order.Lines[0].ERPProductID)
	require.NotEqual(t, known.ERPPartnerID, placed.Order.Customer.ERPPartnerID)
	require.Equal(t, "u-r", placed.Order.Customer.Ref)
}
