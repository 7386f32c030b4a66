package conformance

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

func (b *bundle) testPlaceOrder(t *testing.T) {
	o := b.newOrder("place")
	o.Note = "leave at the door"
	id := b.place(t, o)
	s := b.order(t, id)
	require.Equal(t, id, s.ID)
	require.NotEmpty(t, s.Number)
	require.Equal(t, order.Draft, s.Status)
	require.Equal(t, b.partner, s.Customer.ERPPartnerID)
	require.Equal(t, o.Reference, s.Reference)
	require.Equal(t, o.Note, s.Note)
	require.Len(t, s.Currency, 3)
	require.Equal(t, 2, s.CurrencyDecimals)
	require.False(t, s.OrderedAt.IsZero())
	require.False(t, s.CreatedAt.IsZero())
	require.False(t, s.WriteDate.IsZero())
	require.False(t, s.LinesWriteDate.IsZero())
	require.False(t, s.UpdatedAt.Before(s.WriteDate))
	require.Len(t, s.Lines, 2)
	require.Equal(t, b.chair, s.Lines[0].ERPProductID)
	require.Equal(t, b.table, s.Lines[1].ERPProductID)
	for _, l := range s.Lines {
		require.Positive(t, l.ERPLineID)
		require.Contains(t, l.Name, b.tag, "the product's name")
		require.NotEmpty(t, l.UnitOfMeasure)
	}
}

func (b *bundle) testPlaceOrderCreatesOnce(t *testing.T) {
	o := b.newOrder("once")
	id := b.place(t, o)
	require.Equal(t, id, b.place(t, o), "the same order again")
	require.EqualValues(t, 1, b.admin.count(t, "sale.order", "client_order_ref", o.Reference))
	require.Len(t, b.order(t, id).Lines, 2, "no line was appended")

	line := b.order(t, id).Lines[0].ERPLineID
	b.admin.write(t, "sale.order", id, map[string]any{"client_order_ref": "edited-" + b.tag})
	b.admin.write(t, "sale.order.line", line, map[string]any{"product_uom_qty": 7.0})
	require.Equal(t, id, b.place(t, o), "after an edit")
	edited := b.order(t, id)
	require.Equal(t, "edited-"+b.tag, edited.Reference, "the edit stays")
	requireNumber(t, "7", edited.Lines[0].Quantity, "the edit of the line stays")
	require.Len(t, edited.Lines, 2)
	require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", o.Reference), "no second order")

	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	require.Equal(t, id, b.place(t, o), "after the confirmation")
	require.Equal(t, b.afterConfirming(), b.order(t, id).Status)
}

func (b *bundle) testPlaceOrderConcurrently(t *testing.T) {
	const callers = 6
	o := b.newOrder("race")
	ids, errs := make([]int64, callers), make([]error, callers)
	var callersDone sync.WaitGroup
	for i := range callers {
		callersDone.Go(func() { ids[i], errs[i] = placeOne(t.Context(), b.client, o) })
	}
	callersDone.Wait()
	for i := range callers {
		require.NoError(t, errs[i])
		require.Equal(t, ids[0], ids[i])
	}
	require.EqualValues(t, 1, b.admin.count(t, "sale.order", "client_order_ref", o.Reference))
	require.Len(t, b.order(t, ids[0]).Lines, 2)
}

const noSuchID = 99_999_999

func (b *bundle) testPlaceOrderRejected(t *testing.T) {
	badProduct := b.newOrder("bad_product")
	badProduct.Lines[1].ProductID = noSuchID
	badPartner := b.newOrder("bad_partner")
	badPartner.PartnerID = noSuchID
	mixedPrices := b.newOrder("mixed_prices")
	mixedPrices.Lines[1].UnitPrice = numberPointer("1")
	noLines := b.newOrder("no_lines")
	noLines.Lines = nil
	for name, test := range map[string]struct {
		order odoo.NewOrder
		field string
		row   int
	}{
		"product":      {badProduct, "order_line/product_id/.id", 1},
		"partner":      {badPartner, "partner_id/.id", 0},
		"mixed prices": {mixedPrices, "order_line/price_unit", 1},
		"no lines":     {noLines, "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := placeOne(t.Context(), b.client, test.order)
			e := requireError(t, err, odoo.Rejected, odoo.BusinessRule)
			require.Equal(t, test.field, e.Field)
			require.Equal(t, test.row, e.Row)
			require.NotEmpty(t, e.Message)
			require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", test.order.Reference))
		})
	}
	require.Equal(t, "closed", b.client.BreakerState(), "refusals are no failures")

	mended := b.newOrder("bad_product")
	require.Positive(t, b.place(t, mended), "a refusal leaves nothing behind that would stand in the way")
}

// lineTexts must survive in fields of one line, noteTexts in notes as well.
var (
	lineTexts = map[string]string{
		"xml":          `<b>&amp;</b> & "double" 'single' ]]> <!-- --> <![CDATA[x]]> &#65; <?pi?>`,
		"spaces":       "  two  before, two after  ",
		"unicode":      "Žluťoučký кінь 馬 😀 e\u0301 \u00a0nbsp \u2028ls \u200dzwj \ufeffbom",
		"right-left":   "שלום \u202eabc",
		"placeholders": `%s %(x)d {{ 7*7 }} ${7*7} \n \\ %%`,
		"booleans":     "False",
		"number":       "0012,50",
		"external id":  "__import__.x,base.main_company",
		"sql":          `'; DROP TABLE sale_order; --`,
	}
	noteTexts = map[string]string{
		"lines":          "one\ntwo\n\nfour",
		"ends":           "\n\n  begins and ends  \n",
		"tab":            "a\tb",
		"indented":       "list:\n  - one\n  -  two",
		"html":           "<p>not a paragraph</p><br/>&nbsp;<script>alert(1)</script>",
		"only a newline": "\n",
		"only spaces":    "   ",
	}
)

func (b *bundle) testPlaceOrderTexts(t *testing.T) {
	for name, text := range lineTexts {
		t.Run("reference and note/"+name, func(t *testing.T) {
			o := b.newOrder("text_" + newTag())
			o.Reference, o.Note = text, text
			id := b.place(t, o)
			s := b.order(t, id)
			require.Equal(t, text, s.Reference)
			require.Equal(t, text, s.Note)
			require.Equal(t, text, b.admin.read(t, "sale.order", id, "client_order_ref")["client_order_ref"])
		})
	}
	for name, text := range noteTexts {
		t.Run("note/"+name, func(t *testing.T) {
			o := b.newOrder("note_" + newTag())
			o.Note = text
			require.Equal(t, text, b.order(t, b.place(t, o)).Note)
		})
	}
	t.Run("refused", func(t *testing.T) {
		for _, text := range []string{"bell \a", "nul \x00", "return \r", "\xff\xfe", "\uffff"} {
			o := b.newOrder("refused")
			o.Reference, o.Note = text, ""
			_, err := placeOne(t.Context(), b.client, o)
			requireError(t, err, odoo.Rejected, odoo.BusinessRule)
		}
	})
	t.Run("edited in Odoo", func(t *testing.T) {
		id := b.place(t, b.newOrder("edited_note"))
		note := "one\ntwo & three"
		if b.server.Major >= 15 {
			note = "<p>one</p><p><b>two</b> &amp; three</p>"
		}
		b.admin.write(t, "sale.order", id, map[string]any{"note": note})
		require.Equal(t, "one\ntwo & three", b.order(t, id).Note)
	})
}

func (b *bundle) testPlaceOrderNumbers(t *testing.T) {
	o := b.newOrder("numbers")
	o.Lines = []odoo.NewLine{
		{ProductID: b.chair, Quantity: number("2"), UnitPrice: numberPointer("19.90")},
		{ProductID: b.chair, Quantity: number("0.5"), UnitPrice: numberPointer("1234567.89"), Discount: numberPointer("12.5")},
		{ProductID: b.table, Quantity: number("100000000"), UnitPrice: numberPointer("0.01"), Discount: numberPointer("0")},
		{ProductID: b.table, Quantity: number("3"), UnitPrice: numberPointer("0")},
		{ProductID: b.table, Quantity: number("1"), UnitPrice: numberPointer("10"), Discount: numberPointer("100")},
	}
	for i := range o.Lines {
		o.Lines[i].ExternalID = o.ExternalID + "_" + string(rune('1'+i))
	}
	s := b.order(t, b.place(t, o))
	want := []struct{ quantity, price, discount, total string }{
		{"2", "19.9", "0", "39.8"},
		{"0.5", "1234567.89", "12.5", "540123.45"},
		{"100000000", "0.01", "0", "1000000"},
		{"3", "0", "0", "0"},
		{"1", "10", "100", "0"},
	}
	require.Len(t, s.Lines, len(want))
	for i, w := range want {
		l := s.Lines[i]
		requireNumber(t, w.quantity, l.Quantity, "quantity")
		requireNumber(t, w.price, l.UnitPrice, "price")
		requireNumber(t, w.discount, l.Discount, "discount")
		requireNumber(t, w.total, l.Subtotal, "subtotal")
		requireNumber(t, "0", l.Tax, "tax")
		requireNumber(t, w.total, l.Total, "total")
	}
	requireNumber(t, "1540163.25", s.AmountUntaxed, "untaxed")
	requireNumber(t, "0", s.AmountTax, "tax")
	requireNumber(t, "1540163.25", s.AmountTotal, "total")
}

func (b *bundle) testPlaceOrderAtListPrice(t *testing.T) {
	s := b.order(t, b.place(t, b.newOrder("list_price")))
	requireNumber(t, "12.5", s.Lines[0].UnitPrice, "price of the chair")
	requireNumber(t, "99.99", s.Lines[1].UnitPrice, "price of the table")
	requireNumber(t, "124.99", s.AmountTotal, "total")
}

func (b *bundle) testPlaceOrderForDelivery(t *testing.T) {
	address, err := ensureOne(t.Context(), b.client, odoo.NewPartner{
		ExternalID: "conformance_" + b.tag + "_partner_ship", ParentID: b.partner, Name: "Warehouse", Street: "Kade 1", City: "Gent"})
	require.NoError(t, err)
	o := b.newOrder("delivery")
	o.ShippingPartnerID = address
	id := b.place(t, o)
	read := b.admin.read(t, "sale.order", id, "partner_shipping_id", "partner_id")
	require.Equal(t, address, read["partner_shipping_id"].([]any)[0])
	require.Equal(t, b.partner, read["partner_id"].([]any)[0])
	require.Equal(t, b.partner, b.order(t, id).Customer.ERPPartnerID)
}

// afterConfirming is the status of an order that was just confirmed: where there are deliveries, its goods are ready at once.
func (b *bundle) afterConfirming() order.Status {
	if b.server.Documents {
		return order.Picking
	}
	return order.Confirmed
}

func (b *bundle) testConfirmOrders(t *testing.T) {
	id := b.place(t, b.newOrder("confirm"))
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	require.Equal(t, b.afterConfirming(), b.order(t, id).Status)

	err := b.client.ConfirmOrders(t.Context(), id)
	if b.server.Major >= 17 {
		requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	} else {
		require.NoError(t, err)
	}
	require.Equal(t, b.afterConfirming(), b.order(t, id).Status, "whatever the second call answered")

	err = b.client.ConfirmOrders(t.Context(), noSuchID)
	e := requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, "Record does not exist or has been deleted.", e.Message)

	many := []int64{b.place(t, b.newOrder("confirm_a")), b.place(t, b.newOrder("confirm_b")), b.place(t, b.newOrder("confirm_c"))}
	require.NoError(t, b.client.CancelOrders(t.Context(), many[2]))
	requireError(t, b.client.ConfirmOrders(t.Context(), many...), odoo.Rejected, odoo.BusinessRule)
	for _, id := range many[:2] {
		require.Equal(t, order.Draft, b.order(t, id).Status, "all or none")
	}
	require.NoError(t, b.client.ConfirmOrders(t.Context(), many[:2]...))
	for _, id := range many[:2] {
		o := b.order(t, id)
		require.Equal(t, b.afterConfirming(), o.Status)
		if b.server.Documents {
			require.Len(t, o.Deliveries, 1, "each its own")
		}
	}
}

func (b *bundle) testCancelOrders(t *testing.T) {
	draft, confirmed := b.place(t, b.newOrder("cancel_draft")), b.place(t, b.newOrder("cancel_confirmed"))
	require.NoError(t, b.client.ConfirmOrders(t.Context(), confirmed))
	for _, id := range []int64{draft, confirmed} {
		require.NoError(t, b.client.CancelOrders(t.Context(), id))
		require.Equal(t, order.Cancelled, b.order(t, id).Status)
		require.NoError(t, b.client.CancelOrders(t.Context(), id), "once more")
		require.Equal(t, order.Cancelled, b.order(t, id).Status)
	}
	requireError(t, b.client.CancelOrders(t.Context(), noSuchID), odoo.Rejected, odoo.BusinessRule)

	many := []int64{b.place(t, b.newOrder("cancel_a")), b.place(t, b.newOrder("cancel_b"))}
	require.NoError(t, b.client.ConfirmOrders(t.Context(), many[0]))
	requireError(t, b.client.CancelOrders(t.Context(), many[0], many[1], noSuchID), odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, order.Draft, b.order(t, many[1]).Status, "all or none")
	require.NoError(t, b.client.CancelOrders(t.Context(), many...))
	for _, id := range many {
		require.Equal(t, order.Cancelled, b.order(t, id).Status)
	}
}

func (b *bundle) testStatuses(t *testing.T) {
	id := b.place(t, b.newOrder("statuses"))
	for _, step := range []struct {
		state string
		want  order.Status
	}{{"sent", order.Draft}, {"cancel", order.Cancelled}, {"sale", order.Confirmed}} { // a state alone makes no delivery
		b.admin.write(t, "sale.order", id, map[string]any{"state": step.state})
		s := b.order(t, id)
		require.Equal(t, step.want, s.Status)
		require.Equal(t, order.ERPState(step.state), s.State)
	}
	locked := map[string]any{"state": "done"}
	if b.server.Major >= 17 {
		locked = map[string]any{"locked": true}
	}
	b.admin.write(t, "sale.order", id, locked)
	s := b.order(t, id)
	require.Equal(t, order.StateDone, s.State)
	require.Equal(t, order.Confirmed, s.Status, "locked, which says nothing of goods or money")
}

func (b *bundle) testPlacedOrder(t *testing.T) {
	o := b.newOrder("lookup")
	id, err := b.client.PlacedOrder(t.Context(), o.ExternalID)
	require.NoError(t, err)
	require.Zero(t, id)
	require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", o.Reference))
	named := func() int64 {
		id, err := b.client.OrderNamed(t.Context(), o.ExternalID)
		require.NoError(t, err)
		return id
	}
	require.Zero(t, named())

	placed := b.place(t, o)
	require.Equal(t, placed, named())
	line, err := b.client.OrderNamed(t.Context(), o.Lines[0].ExternalID)
	require.NoError(t, err)
	require.Zero(t, line, "no order")
	b.admin.write(t, "product.product", o.Lines[0].ProductID, map[string]any{"active": false})
	defer b.admin.write(t, "product.product", o.Lines[0].ProductID, map[string]any{"active": true})
	id, err = b.client.PlacedOrder(t.Context(), o.ExternalID)
	require.NoError(t, err)
	require.Equal(t, placed, id, "also where the product was archived since")
	require.Len(t, b.order(t, id).Lines, 2, "looking changes nothing")
	require.EqualValues(t, 1, b.admin.count(t, "sale.order", "client_order_ref", o.Reference))

	b.admin.unlink(t, "sale.order", id)
	id, err = b.client.PlacedOrder(t.Context(), o.ExternalID)
	require.NoError(t, err)
	require.Zero(t, id, "deleted")
	require.Zero(t, named())
	require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", o.Reference))
}

func (b *bundle) testPlacedByGateway(t *testing.T) {
	placed := b.place(t, b.newOrder("ours"))
	others := b.admin.create(t, "sale.order", map[string]any{"partner_id": b.partner})
	for i, id := range []int64{placed, others} { // as an export by a person gives
		b.admin.create(t, "ir.model.data", map[string]any{"module": "__export__", "name": fmt.Sprintf("o_%s_%d", b.tag, i), "model": "sale.order", "res_id": id})
	}
	for id, wanted := range map[int64]bool{placed: true, others: false, 99_999_999: false} {
		ours, err := b.client.PlacedByGateway(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, wanted, ours, "order %d", id)
	}
	named := 0 // in one call for both
	for _, m := range b.admin.call(t, "sale.order", "get_metadata", []any{[]any{placed, others}}, nil).([]any) {
		if name, _ := m.(map[string]any)["xmlid"].(string); name != "" {
			named++
		}
	}
	require.Equal(t, b.server.Major < 17, named == 1)
	b.admin.write(t, "sale.order", placed, map[string]any{"client_order_ref": "edited-" + b.tag})
	ours, err := b.client.PlacedByGateway(t.Context(), placed)
	require.NoError(t, err)
	require.True(t, ours)
}
