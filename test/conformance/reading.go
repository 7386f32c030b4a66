package conformance

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

func (b *bundle) testOrdersLeavesOutDeleted(t *testing.T) {
	kept, gone := b.newOrder("kept"), b.newOrder("gone")
	keptID, goneID := b.place(t, kept), b.place(t, gone)
	b.admin.unlink(t, "sale.order", goneID)

	found, err := b.client.Orders(t.Context(), []int64{goneID, keptID, noSuchID})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, keptID, found[0].ID)
	found, err = b.client.Orders(t.Context(), []int64{goneID})
	require.NoError(t, err)
	require.Empty(t, found)
	found, err = b.client.Orders(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, found)

	require.NotEqual(t, goneID, b.place(t, gone), "an external id is deleted with its record: only the intent knows")
}

func (b *bundle) testOrdersLeavesOutSections(t *testing.T) {
	id := b.place(t, b.newOrder("sections"))
	for _, kind := range []string{"line_section", "line_note"} {
		b.admin.create(t, "sale.order.line", map[string]any{"order_id": id, "display_type": kind, "name": "for people"})
	}
	require.Len(t, b.order(t, id).Lines, 2)
}

func (b *bundle) testOrderHeads(t *testing.T) {
	var ids []int64
	for _, name := range []string{"head_1", "head_2", "head_3", "head_4", "head_5"} {
		ids = append(ids, b.place(t, b.newOrder(name)))
	}
	since := b.order(t, ids[0]).WriteDate

	var seen []int64
	for page := (odoo.Page{Since: since, AfterID: ids[0] - 1, Limit: 2}); ; {
		heads, err := b.client.OrderHeads(t.Context(), page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(heads), 2)
		for _, h := range heads {
			require.Greater(t, h.ID, page.AfterID, "by rising id")
			require.False(t, h.WriteDate.Before(since))
			page.AfterID = h.ID
			seen = append(seen, h.ID)
		}
		if len(heads) < 2 {
			break
		}
	}
	require.Subset(t, seen, ids, "inclusive of the second that it begins with")

	later, err := b.client.OrderHeads(t.Context(), odoo.Page{Since: since.Add(time.Hour), Limit: 10})
	require.NoError(t, err)
	require.Empty(t, later)
	first, err := b.client.OrderHeads(t.Context(), odoo.Page{Limit: 1})
	require.NoError(t, err)
	require.Len(t, first, 1)
}

// testLineHeads edits the text of a line, which moves no total, and so not the order's own write_date.
func (b *bundle) testLineHeads(t *testing.T) {
	before := b.order(t, b.place(t, b.newOrder("line_heads")))
	line := before.Lines[0].ERPLineID
	page := odoo.Page{Since: before.LinesWriteDate.Add(time.Second), AfterID: line - 1, Limit: 1}

	// write_date has whole seconds: the edit shows once one has passed.
	var heads []odoo.LineHead
	require.Eventually(t, func() bool {
		b.admin.write(t, "sale.order.line", line, map[string]any{"name": "edited"})
		var err error
		heads, err = b.client.LineHeads(t.Context(), page)
		require.NoError(t, err)
		return len(heads) == 1 && heads[0].ID == line
	}, 10*time.Second, 200*time.Millisecond)
	require.Equal(t, before.ID, heads[0].OrderID)

	after := b.order(t, before.ID)
	require.Equal(t, before.WriteDate, after.WriteDate, "the order's own write_date")
	require.Equal(t, heads[0].WriteDate, after.LinesWriteDate)
	require.Equal(t, after.LinesWriteDate, after.UpdatedAt)
	require.Equal(t, "edited", after.Lines[0].Name)
}

func (b *bundle) testFindAndCountOrders(t *testing.T) {
	before, err := b.client.CountOrders(t.Context(), order.IDRange{})
	require.NoError(t, err)
	one, two := b.newOrder("find_1"), b.newOrder("find_2")
	two.Reference = one.Reference
	first, second := b.place(t, one), b.place(t, two)
	after, err := b.client.CountOrders(t.Context(), order.IDRange{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, after, before+2)

	found, err := b.client.FindOrders(t.Context(), b.order(t, first).Number, "")
	require.NoError(t, err)
	require.Equal(t, []int64{first}, found)
	found, err = b.client.FindOrders(t.Context(), "", one.Reference)
	require.NoError(t, err)
	require.Equal(t, []int64{first, second}, found)
	found, err = b.client.FindOrders(t.Context(), "no such number "+b.tag, "")
	require.NoError(t, err)
	require.Empty(t, found)
}

func (b *bundle) testProductsBySKU(t *testing.T) {
	twin := b.newProduct(t, "Chair too", "chair-"+b.tag, 1)
	found, err := b.client.ProductsBySKU(t.Context(), []string{"chair-" + b.tag, "table-" + b.tag, "none-" + b.tag})
	require.NoError(t, err)
	require.Equal(t, []int64{b.chair, b.table, twin}, productIDs(found), "an ambiguous SKU finds both")
	for _, sku := range []string{"CHAIR-" + b.tag, "chair-" + b.tag + " ", "chair-%", "chair"} {
		other, err := b.client.ProductsBySKU(t.Context(), []string{sku})
		require.NoError(t, err)
		require.Empty(t, other, sku)
	}

	table := found[slices.IndexFunc(found, func(p order.Product) bool { return p.ERPProductID == b.table })]
	require.Equal(t, "table-"+b.tag, table.SKU)
	require.Equal(t, "Table "+b.tag, table.Name)
	require.NotEmpty(t, table.UnitOfMeasure)
	requireNumber(t, "99.99", table.ListPrice, "list price")
	require.Len(t, table.Currency, 3)
	require.True(t, table.Sellable)
	require.True(t, table.Active)
	require.False(t, table.WriteDate.IsZero())
}

func (b *bundle) testProductsArchivedAndUnsellable(t *testing.T) {
	archived := b.newProduct(t, "Archived", "archived-"+b.tag, 1)
	b.admin.write(t, "product.product", archived, map[string]any{"active": false})
	unsellable := b.newProduct(t, "Unsellable", "unsellable-"+b.tag, 1)
	b.admin.write(t, "product.product", unsellable, map[string]any{"sale_ok": false})

	bySKU, err := b.client.ProductsBySKU(t.Context(), []string{"archived-" + b.tag, "unsellable-" + b.tag})
	require.NoError(t, err)
	byID, err := b.client.ProductsByID(t.Context(), []int64{unsellable, archived, noSuchID})
	require.NoError(t, err)
	require.Equal(t, bySKU, byID)
	require.Equal(t, []int64{archived, unsellable}, productIDs(byID))
	require.False(t, byID[0].Active)
	require.True(t, byID[0].Sellable)
	require.True(t, byID[1].Active)
	require.False(t, byID[1].Sellable)
}

func (b *bundle) testProductsSince(t *testing.T) {
	id := b.newProduct(t, "Since", "since-"+b.tag, 1)
	found, err := b.client.ProductsByID(t.Context(), []int64{id})
	require.NoError(t, err)
	created := found[0].WriteDate
	since := created.Add(time.Second)

	// sale_ok is the template's: on some versions only its write_date moves.
	require.Eventually(t, func() bool {
		b.admin.write(t, "product.product", id, map[string]any{"sale_ok": false})
		found, err = b.client.Products(t.Context(), odoo.Page{Since: since, AfterID: id - 1, Limit: 1})
		require.NoError(t, err)
		return len(found) == 1 && found[0].ERPProductID == id
	}, 10*time.Second, 200*time.Millisecond)
	require.False(t, found[0].WriteDate.Before(since), "or a cursor over write_date would never pass it")

	found, err = b.client.Products(t.Context(), odoo.Page{AfterID: id - 1, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []int64{id}, productIDs(found))
}

func productIDs(products []order.Product) []int64 {
	ids := make([]int64, len(products))
	for i, p := range products {
		ids[i] = p.ERPProductID
	}
	return ids
}
