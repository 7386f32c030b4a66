package odoo_test

import (
	htmlcode "html"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// flat is a load in the order in which a call writes its texts.
func flat(l order.Load) []string { return append(slices.Clone(l.Fields), slices.Concat(l.Rows...)...) }

func TestPreviewsAreWhatIsSent(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, loaded(int64(1)))
	c := newClient(t, f.config())
	sent := func() []string {
		cells := sentCells(f)
		for i := range cells {
			cells[i] = htmlcode.UnescapeString(cells[i])
		}
		return cells[:len(cells)-1] // the last is of the context
	}
	o := odoo.NewOrder{
		ExternalID: "o", PartnerID: 1, ShippingPartnerID: 3, Reference: "PO", Note: "a < b",
		Lines: []odoo.NewLine{
			{ExternalID: "o_1", ProductID: 2, Quantity: *amount("1.50"), UnitPrice: amount("19.90")},
			{ExternalID: "o_2", ProductID: 4, Quantity: *amount("1000"), UnitPrice: amount("0"), Discount: amount("12.5")},
		}}
	shown, err := c.PreviewOrder(t.Context(), o)
	require.NoError(t, err)
	require.Zero(t, f.count("sale.order.load"))
	require.Equal(t, "sale.order", shown.Model)
	_, err = place(t.Context(), c, o)
	require.NoError(t, err)
	require.Equal(t, sent(), flat(shown))

	address := odoo.NewPartner{ExternalID: "a", ParentID: 9, Name: "Ada & Co", Street: "1 Road", CountryID: 4}
	shown, err = c.PreviewPartner(address)
	require.NoError(t, err)
	require.Zero(t, f.count("res.partner.load"))
	require.NoError(t, asError(c.EnsurePartners(t.Context(), []odoo.NewPartner{address})[0].Err))
	require.Equal(t, sent(), flat(shown))

	o.PartnerID, o.ShippingPartnerID = odoo.ToBeCreated, odoo.ToBeCreated
	shown, err = c.PreviewOrder(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"ordergate.o", "new", "new", "PO"}, shown.Rows[0][:4])

	o.Lines = nil
	_, err = c.PreviewOrder(t.Context(), o)
	requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	address.Name = "bell \x07"
	_, err = c.PreviewPartner(address)
	requireError(t, err, odoo.Rejected, odoo.BusinessRule)
}

// asError is an error without one in it as no error at all.
func asError(e *odoo.Error) error {
	if e == nil {
		return nil
	}
	return e
}
