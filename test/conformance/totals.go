package conformance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/test/odoorpc"
)

// testTotals holds the sums that Odoo computes against those of the orders that it answers one by one: cancelled orders,
// sections, and an order without lines among them.
func (b *bundle) testTotals(t *testing.T) {
	var ids []int64
	for i := range 4 {
		o := b.newOrder(fmt.Sprintf("totals_%d", i))
		price := decimal.New(int64(1234567+i), -2)
		for j := range o.Lines {
			o.Lines[j].UnitPrice = &price
		}
		ids = append(ids, b.place(t, o))
	}
	b.admin.create(t, "sale.order.line", map[string]any{"order_id": ids[0], "display_type": "line_section", "name": "for people"})
	require.NoError(t, b.client.ConfirmOrders(t.Context(), ids[1]))
	require.NoError(t, b.client.CancelOrders(t.Context(), ids[2]))
	for _, line := range b.order(t, ids[3]).Lines {
		b.admin.unlinkLine(t, line.ERPLineID)
	}
	slice := order.Slice{FirstID: ids[0], LastID: ids[3]}
	inSlice, err := b.client.OrderIDs(t.Context(), slice, 1000)
	require.NoError(t, err)
	require.Subset(t, inSlice, ids)
	require.True(t, slices.IsSorted(inSlice))
	orders, err := b.client.Orders(t.Context(), inSlice)
	require.NoError(t, err)
	slice.CreatedFrom, slice.CreatedUntil = orders[0].CreatedAt.AddDate(0, 0, -1), orders[0].CreatedAt.AddDate(0, 0, 1)

	for _, byMonth := range []bool{false, true} {
		totals, err := b.client.OrderTotals(t.Context(), slice, byMonth)
		require.NoError(t, err)
		requireSameTotals(t, orderTotals(orders, byMonth), totals)
	}
	lines, err := b.client.LineTotals(t.Context(), slice)
	require.NoError(t, err)
	requireSameTotals(t, lineTotals(orders), lines)
	require.NotZero(t, lines[0].Count)
	days, err := b.client.WriteDays(t.Context(), slice)
	require.NoError(t, err)
	requireSameTotals(t, writeDays(orders), days)

	day := orders[0].WriteDate.Truncate(24 * time.Hour)
	heads, err := b.client.HeadsWrittenIn(t.Context(), order.Slice{FirstID: ids[0]}, day, day.AddDate(0, 0, 1), 1)
	require.NoError(t, err)
	require.Equal(t, []order.Head{{ID: ids[0], WriteDate: orders[0].WriteDate}}, heads)
	heads, err = b.client.HeadsWrittenIn(t.Context(), order.Slice{}, day.AddDate(0, 0, 1), day.AddDate(0, 0, 2), 1)
	require.NoError(t, err)
	require.Empty(t, heads)
}

func (b *bundle) testTotalsOfNothing(t *testing.T) {
	nothing := order.Slice{FirstID: order.MaxERPID - 1, LastID: order.MaxERPID}
	orders, err := b.client.OrderTotals(t.Context(), nothing, true)
	require.NoError(t, err)
	require.Empty(t, orders)
	lines, err := b.client.LineTotals(t.Context(), nothing)
	require.NoError(t, err)
	require.Empty(t, lines)
	days, err := b.client.WriteDays(t.Context(), order.Slice{CreatedFrom: time.Now().AddDate(1, 0, 0)})
	require.NoError(t, err)
	require.Empty(t, days)
}

func (b *bundle) testOrderHidden(t *testing.T) {
	id := b.place(t, b.newOrder("hidden"))
	for _, of := range []int64{id, noSuchID} {
		hidden, err := b.client.OrderHidden(t.Context(), of)
		require.NoError(t, err)
		require.False(t, hidden)
	}
}

// unlinkLine deletes a line. Odoo 14 answers with a fault although it did: only looking tells.
func (a *admin) unlinkLine(t *testing.T, id int64) {
	t.Helper()
	_, err := odoorpc.Execute(a.server.URL, a.server.Database, a.server.AdminUser, a.server.AdminPassword,
		"sale.order.line", "unlink", []any{[]any{id}}, nil)
	require.Zero(t, a.count(t, "sale.order.line", "id", id), "%v", err)
}

func orderTotals(orders []order.Snapshot, byMonth bool) []order.Totals {
	s := summing{}
	for _, o := range orders {
		g := order.TotalsGroup{State: o.State, Currency: o.Currency}
		if byMonth {
			g.Period = time.Date(o.CreatedAt.Year(), o.CreatedAt.Month(), 1, 0, 0, 0, 0, time.UTC)
		}
		s.add(g, o.ID, o.Customer.ERPPartnerID, true, o.AmountUntaxed, o.AmountTax, o.AmountTotal)
	}
	return s.totals
}

func lineTotals(orders []order.Snapshot) []order.Totals {
	s := summing{}
	for _, o := range orders {
		for _, l := range o.Lines {
			s.add(order.TotalsGroup{Currency: o.Currency}, l.ERPLineID, o.ID, false, l.Quantity, l.Subtotal, l.Tax, l.Total)
		}
	}
	return s.totals
}

func writeDays(orders []order.Snapshot) []order.Totals {
	s := summing{}
	for _, o := range orders {
		s.add(order.TotalsGroup{Period: o.WriteDate.Truncate(24 * time.Hour)}, o.ID, 0, false)
	}
	return s.totals
}

type summing struct{ totals []order.Totals }

func (s *summing) add(g order.TotalsGroup, id, ref int64, span bool, amounts ...decimal.Decimal) {
	i := slices.IndexFunc(s.totals, func(t order.Totals) bool { return t.Group == g })
	if i < 0 {
		i, s.totals = len(s.totals), append(s.totals, order.Totals{Group: g, Amounts: make([]decimal.Decimal, len(amounts))})
		if span {
			s.totals[i].FirstID = id
		}
	}
	t := &s.totals[i]
	t.Count, t.IDSum, t.RefSum = t.Count+1, t.IDSum+id, t.RefSum+ref
	if span {
		t.FirstID, t.LastID = min(t.FirstID, id), max(t.LastID, id)
	}
	for j, amount := range amounts {
		t.Amounts[j] = t.Amounts[j].Add(amount)
	}
}

func requireSameTotals(t *testing.T, want, got []order.Totals) {
	t.Helper()
	require.NotEmpty(t, want)
	require.Len(t, got, len(want))
	require.Empty(t, order.DifferentTotals(want, got), "want %+v, got %+v", want, got)
	for _, w := range want {
		i := slices.IndexFunc(got, func(g order.Totals) bool { return g.Group == w.Group })
		require.GreaterOrEqual(t, i, 0)
		require.Equal(t, w.FirstID, got[i].FirstID)
		require.Equal(t, w.LastID, got[i].LastID)
	}
}
