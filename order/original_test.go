package order_test

import (
	"encoding/json"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestEditsOfAnOrder(t *testing.T) {
	t.Parallel()
	d := decimal.RequireFromString
	price := d("19.90")
	request := order.Request{Reference: "PO-1", Lines: []order.RequestLine{
		{SKU: "A", Quantity: d("2"), UnitPrice: &price}, {SKU: "B", Quantity: d("1")}, {SKU: "A", Quantity: d("5")},
	}}
	plan := order.Plan{ProductIDs: []int64{1, 2, 1}}
	placed := func() order.Order {
		return order.Order{Reference: "PO-1", AmountTotal: d("100.00"), Currency: "EUR", Lines: []order.Line{
			{ERPLineID: 11, ERPProductID: 1, SKU: "A", Quantity: d("2.000000"), UnitPrice: d("19.9"), Discount: d("0")},
			{ERPLineID: 12, ERPProductID: 2, SKU: "B", Quantity: d("1"), UnitPrice: d("7"), Discount: d("0")},
			{ERPLineID: 13, ERPProductID: 1, SKU: "A", Quantity: d("5"), UnitPrice: d("21"), Discount: d("0")},
		}}
	}
	sent := order.NewOriginal(request, plan, placed())
	text, err := json.Marshal(sent)
	require.NoError(t, err)
	var kept order.Original
	require.NoError(t, json.Unmarshal(text, &kept))

	for _, test := range []struct {
		name    string
		edit    func(o *order.Order)
		summary string
	}{
		{"not at all", func(*order.Order) {}, ""},
		{"lines in another sequence", func(o *order.Order) { o.Lines[0], o.Lines[2] = o.Lines[2], o.Lines[0] }, ""},
		{"a quantity", func(o *order.Order) { o.Lines[2].Quantity, o.AmountTotal = d("6"), d("121") },
			"changed A (quantity 6 instead of 5); total 121.00 instead of 100.00 EUR"},
		{"a price that was sent", func(o *order.Order) { o.Lines[0].UnitPrice = d("1") }, "changed A (price 1.00 instead of 19.90)"},
		{"a price that the price list set", func(o *order.Order) { o.Lines[1].UnitPrice = d("8") }, "changed B (price 8.00 instead of 7.00)"},
		{"a discount", func(o *order.Order) { o.Lines[1].Discount = d("50") }, "changed B (discount 50 % instead of 0 %)"},
		{"a line more", func(o *order.Order) {
			o.Lines = append(o.Lines, order.Line{ERPLineID: 14, Name: "Shipping", Quantity: d("1")})
		}, "added 1 × Shipping"},
		{"a line less", func(o *order.Order) { o.Lines = o.Lines[1:] }, "removed 2 × A"},
		{"a product for another", func(o *order.Order) { o.Lines[1].ERPProductID, o.Lines[1].SKU = 3, "C" }, "added 1 × C; removed 1 × B"},
		{"the reference", func(o *order.Order) { o.Reference = "PO-2" }, `reference "PO-2" instead of "PO-1"`},
		{"all of the text, none of the numbers", func(o *order.Order) { o.Lines[0].Name, o.Note = "x", "y" }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			now := placed()
			test.edit(&now)
			edits := kept.Compare(now)
			require.Equal(t, test.summary, edits.Summary("EUR", 2))
			require.Equal(t, test.summary != "", edits.Any())
		})
	}
}

// Who edits an order before it was read back has edited what was sent.
func TestEditsBeforeTheReadBack(t *testing.T) {
	t.Parallel()
	d := decimal.RequireFromString
	request := order.Request{Lines: []order.RequestLine{{SKU: "A", Quantity: d("2")}}}
	edited := order.Order{Lines: []order.Line{{ERPProductID: 1, SKU: "A", Quantity: d("3"), UnitPrice: d("9")}}}
	sent := order.NewOriginal(request, order.Plan{ProductIDs: []int64{1}}, edited)
	require.Nil(t, sent.Lines[0].UnitPrice, "the price was not asked for, and may be the editor's")
	require.Equal(t, "changed A (quantity 3 instead of 2)", sent.Compare(edited).Summary("EUR", 2))
}
