package ordersync_test

import (
	"context"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// loadingERP keeps what was sent to create something.
type loadingERP struct {
	ordersync.ERP
	orders   []odoo.NewOrder
	partners []odoo.NewPartner
}

func (e *loadingERP) PlaceOrders(ctx context.Context, orders []odoo.NewOrder) []odoo.Loaded {
	e.orders = append(e.orders, orders...)
	return e.ERP.PlaceOrders(ctx, orders)
}

func (e *loadingERP) EnsurePartners(ctx context.Context, partners []odoo.NewPartner) []odoo.Loaded {
	e.partners = append(e.partners, partners...)
	return e.ERP.EnsurePartners(ctx, partners)
}

func TestPreviewShowsWhatPlacingSends(t *testing.T) {
	t.Parallel()
	erp := &loadingERP{}
	b := setup(t, func(cfg *ordersync.Config) { erp.ERP = cfg.ERP; cfg.ERP = erp })
	price := decimal.RequireFromString("12.5")
	req := request("PO-1", func(r *order.Request) {
		r.Customer = order.CustomerRef{Ref: "u-1", Name: "Ada", Email: "ada@example.com"}
		r.ShippingAddress = &order.Address{Name: "Ada", Street: "1 Road", City: "Town", Country: "BE"}
		r.Lines[0].UnitPrice = &price
		r.Confirm = true
	})
	shown, err := b.Preview(t.Context(), portal, "k", req)
	require.NoError(t, err)
	require.Equal(t, "k", shown.Key)
	require.True(t, shown.Confirm)
	require.Empty(t, erp.orders, "nothing is sent")
	require.Empty(t, erp.partners)
	require.Empty(t, b.erpOrders(t, "PO-1"))
	_, err = b.Intent(t.Context(), portal, "", "k")
	requireKind(t, err, order.NotFound, "intent_not_found")
	require.Contains(t, shown.Order.Rows[0], "new")
	require.Equal(t, "new", shown.ShippingAddress.Rows[0][0])

	placed, err := b.Place(t.Context(), portal, "k", req)
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	require.Len(t, erp.partners, 2)
	customer, err := b.erp.PreviewPartner(erp.partners[0])
	require.NoError(t, err)
	require.Equal(t, customer, *shown.Customer)

	// With a customer that is known, everything is.
	again, err := b.Preview(t.Context(), portal, "k", req)
	require.NoError(t, err)
	require.Nil(t, again.Customer)
	address, err := b.erp.PreviewPartner(erp.partners[1])
	require.NoError(t, err)
	require.Equal(t, address, *again.ShippingAddress)
	sent := erp.orders[0]
	sent.ShippingPartnerID = odoo.ToBeCreated
	loaded, err := b.erp.PreviewOrder(t.Context(), sent)
	require.NoError(t, err)
	require.Equal(t, loaded, again.Order)

	fresh, err := b.Preview(t.Context(), portal, "", req)
	require.NoError(t, err)
	require.NotEmpty(t, fresh.Key)
	require.NotEqual(t, loaded.Rows[0][0], fresh.Order.Rows[0][0])
}

// What placing refuses before it sends anything, a preview refuses in the same words.
func TestPreviewRefusesWhatPlacingRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own := order.Caller{Name: "ada", Role: order.RoleCustomer, Source: "portal", ERPPartnerID: 9}
	refuses := func(caller order.Caller, edit func(*order.Request), kind order.Kind, code string) {
		t.Helper()
		req := request("PO-1", edit)
		_, shown := b.Preview(t.Context(), caller, "", req)
		_, placed := b.Place(t.Context(), caller, code, request("PO-1", edit))
		require.Equal(t, requireKind(t, placed, kind, code).Message, requireKind(t, shown, kind, code).Message)
	}
	refuses(portal, func(r *order.Request) { r.Lines[0].SKU = "NONE" }, order.Unprocessable, "unknown_sku")
	refuses(portal, func(r *order.Request) { r.Lines[0].Quantity = decimal.Zero }, order.Unprocessable, "invalid_request")
	refuses(portal, func(r *order.Request) { r.Customer.ERPPartnerID = 1 << 30 }, order.Unprocessable, "unknown_customer")
	refuses(own, func(r *order.Request) { r.Customer.ERPPartnerID = 10 }, order.Forbidden, "customer_forbidden")
	refuses(own, func(r *order.Request) { r.Confirm = true }, order.Forbidden, "confirm_forbidden")
	_, err := b.Preview(t.Context(), portal, "tab\t", request("PO-1"))
	requireKind(t, err, order.Malformed, "idempotency_key_invalid")

	shown, err := b.Preview(t.Context(), own, "", request("PO-1", func(r *order.Request) { r.Customer = order.CustomerRef{} }))
	require.NoError(t, err)
	require.Equal(t, "9", shown.Order.Rows[0][1], "its own")
	b.down(t)
	_, err = b.Preview(t.Context(), portal, "", request("PO-1", func(r *order.Request) { r.Lines[0].SKU = "NEWER" }))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
}
