package odoo_test

import (
	"context"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

var stringCells = regexp.MustCompile(`<string>([^<]*)</string>`)

// sentCells are the texts of the last call after the method's name: columns, cells, context.
func sentCells(f *fakeOdoo) []string {
	var cells []string
	for _, match := range stringCells.FindAllStringSubmatch(f.lastBody(), -1)[4:] {
		cells = append(cells, match[1])
	}
	return cells
}

func amount(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

func TestOrdersSendOnlyFilledColumns(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, loaded(int64(1)))
	c := newClient(t, f.config())
	_, err := place(t.Context(), c, newOrder())
	require.NoError(t, err)
	require.Equal(t, []string{"id", "partner_id/.id", "order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty",
		"ordergate.o", "1", "ordergate.o_1", "2", "1", "update"}, sentCells(f))
	require.Contains(t, f.lastBody(), "<name>noupdate</name><value><boolean>1</boolean></value>")

	_, err = place(t.Context(), c, odoo.NewOrder{
		ExternalID: "o", PartnerID: 1, ShippingPartnerID: 3, Reference: "PO", Note: "a < b",
		Lines: []odoo.NewLine{
			{ExternalID: "o_1", ProductID: 2, Quantity: *amount("1.50"), UnitPrice: amount("19.90")},
			{ExternalID: "o_2", ProductID: 4, Quantity: *amount("1000000000"), UnitPrice: amount("0"), Discount: amount("12.5")},
		}})
	require.NoError(t, err)
	require.Equal(t, []string{"id", "partner_id/.id", "partner_shipping_id/.id", "client_order_ref", "note",
		"order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty", "order_line/price_unit", "order_line/discount",
		"ordergate.o", "1", "3", "PO", "&lt;p&gt;a &amp;lt; b&lt;/p&gt;", "ordergate.o_1", "2", "1.5", "19.9", "0",
		"", "", "", "", "", "ordergate.o_2", "4", "1000000000", "0", "12.5", "update"}, sentCells(f))
}

func TestOrdersThatLoadWouldMistakeAreRefused(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, loaded(int64(1)))
	c := newClient(t, f.config())
	lines := func(change func(first, second *odoo.NewLine)) odoo.NewOrder {
		o := newOrder()
		o.Lines = append(o.Lines, odoo.NewLine{ExternalID: "o_2", ProductID: 3, Quantity: *amount("1")})
		change(&o.Lines[0], &o.Lines[1])
		return o
	}
	unnamed, foreign, empty := newOrder(), newOrder(), newOrder()
	unnamed.ExternalID, foreign.ExternalID, empty.Lines = "", "sale.order", nil
	for name, o := range map[string]odoo.NewOrder{
		"a price on one line":       lines(func(_, second *odoo.NewLine) { second.UnitPrice = amount("1") }),
		"no price on one line":      lines(func(first, _ *odoo.NewLine) { first.UnitPrice = amount("1") }),
		"a discount without price":  lines(func(_, second *odoo.NewLine) { second.Discount = amount("1") }),
		"two lines of one id":       lines(func(_, second *odoo.NewLine) { second.ExternalID = "o_1" }),
		"a line of the order's id":  lines(func(_, second *odoo.NewLine) { second.ExternalID = "o" }),
		"a line without id":         lines(func(_, second *odoo.NewLine) { second.ExternalID = "" }),
		"an order without id":       unnamed,
		"an id of another module":   foreign,
		"an order without any line": empty,
	} {
		_, err := place(t.Context(), c, o)
		requireError(t, err, odoo.Rejected, odoo.BusinessRule)
		require.Zero(t, f.count("sale.order.load"), name)
	}
	_, err := ensure(t.Context(), c, odoo.NewPartner{ExternalID: "a b", Name: "x"})
	requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	require.Zero(t, f.count("res.partner.load"))
}

func TestTextsThatXMLCannotCarryAreRefused(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, loaded(int64(1)))
	c := newClient(t, f.config())
	for _, text := range []string{"\x00", "a\x1b[1m", "a\rb", "\xff", "\xed\xa0\x80", "\ufffe", "\uffff"} {
		o := newOrder()
		o.Reference = text
		_, err := place(t.Context(), c, o)
		requireError(t, err, odoo.Rejected, odoo.BusinessRule)
		_, err = c.FindOrders(t.Context(), text, "")
		requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	}
	require.Zero(t, f.count("sale.order.load"))
	require.Zero(t, f.count("sale.order.search"))
}

func TestLostRaceIsRepeated(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		"could not serialize access due to concurrent update\n",
		"deadlock detected\nDETAIL:  Process 1 waits for ShareLock",
		"could not obtain lock on row in relation \"sale_order\"",
		"canceling statement due to lock timeout",
	} {
		f := newFakeOdoo(t, nil)
		lost := 0
		f.onObject = func(w http.ResponseWriter, r *http.Request) {
			lost++
			if lost == 3 {
				loaded(int64(9))(w, r)
				return
			}
			value(map[string]any{"ids": false, "messages": []any{
				map[string]any{"message": "Some consequence of it"}, map[string]any{"message": message}}})(w, r)
		}
		id, err := place(t.Context(), newClient(t, f.config()), newOrder())
		require.NoError(t, err)
		require.EqualValues(t, 9, id)
		require.Equal(t, 3, f.count("sale.order.load"))
	}
}

func TestLostRaceIsNotRepeatedForEver(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, refusedLoad(map[string]any{"message": "could not serialize access due to concurrent update"}))
	c := newClient(t, f.config())
	_, err := ensure(t.Context(), c, odoo.NewPartner{ExternalID: "p", Name: "x"})
	requireError(t, err, odoo.Unknown, odoo.Serialization)
	require.Equal(t, 5, f.count("res.partner.load"))
	require.Equal(t, "closed", c.BreakerState())
}

// TestCellAtFault: of a wrong value in a line, Odoo names the field of all lines and the rows of the whole order.
func TestCellAtFault(t *testing.T) {
	t.Parallel()
	order := newOrder()
	order.Lines = append(order.Lines,
		odoo.NewLine{ExternalID: "o_2", ProductID: 777, Quantity: *amount("5")},
		odoo.NewLine{ExternalID: "o_3", ProductID: 888, Quantity: *amount("5")},
		odoo.NewLine{ExternalID: "o_4", ProductID: 888, Quantity: *amount("1")})
	rows := func(from, to int64) map[string]any { return map[string]any{"from": from, "to": to} }
	for name, test := range map[string]struct {
		message map[string]any
		field   string
		row     int
	}{
		"one cell holds the value": {map[string]any{"field": "order_line", "rows": rows(0, 3), "message": "No record for '777' in field 'Order Lines/Product'"},
			"order_line/product_id/.id", 1},
		"two cells hold the value": {map[string]any{"field": "order_line", "rows": rows(0, 3), "message": "No record for '888' in field 'Order Lines/Product'"},
			"order_line", -1},
		"the value of another field": {map[string]any{"field": "partner_id", "rows": rows(0, 0), "message": "No record for '777'"}, "partner_id", 0},
		"no field":                   {map[string]any{"rows": rows(2, 2), "message": "'777' is wrong"}, "", 2},
		"no rows":                    {map[string]any{"field": false, "message": "wrong"}, "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeOdoo(t, refusedLoad(test.message))
			_, err := place(t.Context(), newClient(t, f.config()), order)
			e := requireError(t, err, odoo.Rejected, odoo.BusinessRule)
			require.Equal(t, test.field, e.Field)
			require.Equal(t, test.row, e.Row)
		})
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	long := make([]byte, 10_000)
	for i := range long {
		long[i] = 'x'
	}
	f := newFakeOdoo(t, faulty(2, string(long)))
	c := newClient(t, f.config())
	err := c.ConfirmOrders(t.Context(), 1)
	e := requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	require.Len(t, []rune(e.Message), 300)
	require.Less(t, len(err.Error()), 3000)
	require.Equal(t, "sale.order.action_confirm", e.Method)
}

func TestBackoffEndsWithTheContext(t *testing.T) {
	t.Parallel()
	withBreaker(t, func(t *testing.T, s *scripted, c *odoo.Client) {
		asked := s.calls
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.object = func(*http.Request) (*http.Response, error) {
			time.AfterFunc(5*time.Millisecond, cancel) // the shortest backoff is 15 ms
			return xmlResponse(lostRaceXML), nil
		}
		_, err := place(ctx, c, newOrder())
		requireError(t, err, odoo.Unknown, odoo.Serialization)
		require.Equal(t, 1, s.calls-asked)
	})
}
