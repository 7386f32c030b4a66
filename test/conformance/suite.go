package conformance

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// Server is an Odoo, or what stands in for one.
type Server struct {
	Major    int // 14, 19
	URL      string
	Database string

	User     string        // the least-privilege user of a gateway
	Password string        // or API key
	Protocol odoo.Protocol // that is to be spoken: XMLRPC or JSON2

	AdminUser     string
	AdminPassword string

	Documents  bool // it has deliveries and invoices
	Warehouses bool // and what else is done with goods: returns, deliveries in steps
	Prints     bool // wkhtmltopdf is on its machine for sure
}

// Run runs the whole suite against one server.
func Run(t *testing.T, s Server) {
	b := newBundle(t, s)
	t.Run("Login", b.testLogin)
	t.Run("Version", b.testVersion)
	t.Run("Protocol", b.testProtocol)
	t.Run("KeyExpiry", b.testKeyExpiry)
	if s.Protocol == odoo.JSON2 {
		t.Run("SameOverXMLRPC", b.testSameOverXMLRPC)
	}
	t.Run("Permissions", b.testPermissions)
	t.Run("Clock", b.testClock)

	t.Run("PlaceOrder", b.testPlaceOrder)
	t.Run("PlaceOrderCreatesOnce", b.testPlaceOrderCreatesOnce)
	t.Run("PlaceOrderConcurrently", b.testPlaceOrderConcurrently)
	t.Run("PlaceOrderRejected", b.testPlaceOrderRejected)
	t.Run("PlaceOrderTexts", b.testPlaceOrderTexts)
	t.Run("PlaceOrderNumbers", b.testPlaceOrderNumbers)
	t.Run("PlaceOrderAtListPrice", b.testPlaceOrderAtListPrice)
	t.Run("PlaceOrderForDelivery", b.testPlaceOrderForDelivery)
	t.Run("PlacedOrder", b.testPlacedOrder)
	t.Run("PlacedByGateway", b.testPlacedByGateway)
	t.Run("PlaceOrdersTogether", b.testPlaceOrdersTogether)
	t.Run("PlaceOrdersAgain", b.testPlaceOrdersAgain)
	t.Run("PlaceOrdersKnownAndNew", b.testPlaceOrdersKnownAndNew)
	t.Run("PlaceOrdersOneBad", b.testPlaceOrdersOneBad)
	t.Run("PlaceOrdersManyBad", b.testPlaceOrdersManyBad)
	t.Run("PlaceOrdersOfAllKinds", b.testPlaceOrdersOfAllKinds)
	t.Run("PlaceOrdersConcurrently", b.testPlaceOrdersConcurrently)
	t.Run("LoadBlamesTheFirst", b.testLoadBlamesTheFirst)
	t.Run("ConfirmOrders", b.testConfirmOrders)
	t.Run("CancelOrders", b.testCancelOrders)
	t.Run("ChangeOrder", b.testChangeOrder)
	t.Run("Statuses", b.testStatuses)
	t.Run("HoldTags", b.testHoldTags)

	t.Run("OrdersLeavesOutDeleted", b.testOrdersLeavesOutDeleted)
	t.Run("OrdersLeavesOutSections", b.testOrdersLeavesOutSections)
	t.Run("OrderHeads", b.testOrderHeads)
	t.Run("LineHeads", b.testLineHeads)
	t.Run("FindAndCountOrders", b.testFindAndCountOrders)
	if s.Documents {
		t.Run("Documents", b.testDocuments)
		t.Run("Deliver", b.testDeliver)
		t.Run("Invoice", b.testInvoice)
		t.Run("InvoiceOfADraft", b.testInvoiceOfADraft)
		t.Run("InvoiceOfLess", b.testInvoiceOfLess)
	}
	if s.Warehouses {
		t.Run("CarrierCosts", b.testCarrierCosts)
		t.Run("Return", b.testReturn)
		t.Run("TwoPlaces", b.testTwoPlaces)
		t.Run("Lots", b.testLots)
		t.Run("Standing", b.testStanding)
		t.Run("StandingWithoutStock", b.testStandingWithoutStock)
		t.Run("StandingInSteps", b.testStandingInSteps)
		t.Run("Stock", b.testStock)
		t.Run("StockInSteps", b.testStockInSteps)
		t.Run("Warehouse", b.testWarehouse)
		t.Run("Purchases", b.testPurchases)
	}
	if !s.Documents {
		t.Run("WithoutStock", b.testWithoutStock)
	}

	t.Run("Totals", b.testTotals)
	t.Run("TotalsOfNothing", b.testTotalsOfNothing)
	t.Run("OrderHidden", b.testOrderHidden)

	t.Run("ProductsBySKU", b.testProductsBySKU)
	t.Run("ProductsArchivedAndUnsellable", b.testProductsArchivedAndUnsellable)
	t.Run("ProductsSince", b.testProductsSince)

	t.Run("EnsurePartner", b.testEnsurePartner)
	t.Run("EnsurePartnerConcurrently", b.testEnsurePartnerConcurrently)
	t.Run("EnsurePartnerForDelivery", b.testEnsurePartnerForDelivery)
	t.Run("EnsurePartnerRejected", b.testEnsurePartnerRejected)
	t.Run("EnsurePartnersTogether", b.testEnsurePartnersTogether)
	t.Run("EnsurePartnersMoreBadThanLoadNames", b.testEnsurePartnersMoreBadThanLoadNames)
	t.Run("Partners", b.testPartners)

	t.Run("Country", b.testCountry)
	t.Run("Precision", b.testPrecision)
}

// bundle is what the tests share: the client under test, the administrator, and a customer and products of their own.
type bundle struct {
	server  Server
	client  *odoo.Client
	admin   *admin
	tag     string // unique to this run; lower case letters and digits
	partner int64
	chair   int64 // list price 12.50, no taxes
	table   int64 // list price 99.99, no taxes
}

func newBundle(t *testing.T, s Server) *bundle {
	t.Helper()
	client, err := odoo.New(s.config())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	b := &bundle{server: s, client: client, admin: newAdmin(t, s), tag: newTag()}
	b.partner = b.admin.create(t, "res.partner", map[string]any{"name": "Customer " + b.tag})
	b.chair = b.newProduct(t, "Chair", "chair-"+b.tag, 12.5)
	b.table = b.newProduct(t, "Table", "table-"+b.tag, 99.99)
	return b
}

func (s Server) config() odoo.Config {
	return odoo.Config{URL: s.URL, Database: s.Database, User: s.User, Password: s.Password, Protocol: s.Protocol,
		CallTimeout: time.Minute}
}

const lowerCase = "abcdefghijklmnopqrstuvwxyz234567"

func newTag() string {
	random := make([]byte, 10)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	for i := range random {
		random[i] = lowerCase[random[i]%32]
	}
	return string(random)
}

// newProduct makes a product without taxes, so that amounts depend on nothing but prices.
func (b *bundle) newProduct(t *testing.T, name, sku string, price float64) int64 {
	t.Helper()
	return b.admin.create(t, "product.product", map[string]any{
		"name": name + " " + b.tag, "default_code": sku, "list_price": price,
		"taxes_id": []any{[]any{6, 0, []any{}}},
	})
}

// newOrder is a valid order of two lines; name makes its external ids unique in this run.
func (b *bundle) newOrder(name string) odoo.NewOrder {
	id := "conformance_" + b.tag + "_" + name
	return odoo.NewOrder{
		ExternalID: id, PartnerID: b.partner, Reference: "ref-" + name + "-" + b.tag,
		Lines: []odoo.NewLine{
			{ExternalID: id + "_1", ProductID: b.chair, Quantity: number("2")},
			{ExternalID: id + "_2", ProductID: b.table, Quantity: number("1")},
		},
	}
}

// place places an order that nothing speaks against.
func (b *bundle) place(t *testing.T, o odoo.NewOrder) int64 {
	t.Helper()
	id, err := placeOne(t.Context(), b.client, o)
	require.NoError(t, err)
	require.Positive(t, id)
	return id
}

// placeOne places one order.
func placeOne(ctx context.Context, c *odoo.Client, o odoo.NewOrder) (int64, error) {
	return only(c.PlaceOrders(ctx, []odoo.NewOrder{o}))
}

func ensureOne(ctx context.Context, c *odoo.Client, p odoo.NewPartner) (int64, error) {
	return only(c.EnsurePartners(ctx, []odoo.NewPartner{p}))
}

func only(results []odoo.Loaded) (int64, error) {
	if results[0].Err != nil {
		return results[0].ID, results[0].Err
	}
	return results[0].ID, nil
}

// order reads one order through the client under test.
func (b *bundle) order(t *testing.T, id int64) order.Snapshot {
	t.Helper()
	found, err := b.client.Orders(t.Context(), []int64{id})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

func number(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func numberPointer(s string) *decimal.Decimal {
	d := number(s)
	return &d
}

// requireNumber compares values, not spellings: 2.50 is 2.5.
func requireNumber(t *testing.T, want string, got decimal.Decimal, what string) {
	t.Helper()
	require.True(t, number(want).Equal(got), "%s: want %s, got %s", what, want, got)
}

// requireError checks that err is an *odoo.Error with this outcome and reason, and returns it.
func requireError(t *testing.T, err error, outcome odoo.Outcome, reason odoo.Reason) *odoo.Error {
	t.Helper()
	var e *odoo.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, outcome, e.Outcome, "%v", err)
	require.Equal(t, reason, e.Reason, "%v", err)
	require.NotEmpty(t, e.Method)
	require.NotContains(t, e.Message, "Traceback")
	return e
}
