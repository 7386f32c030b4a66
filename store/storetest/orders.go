package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// later is the snapshot as it was read a minute later, after a change of status.
func later(s order.Snapshot, status order.Status) order.Snapshot {
	s.Status = status
	s.WriteDate, s.UpdatedAt = s.WriteDate.Add(time.Minute), s.UpdatedAt.Add(time.Minute)
	s.ReadAt = s.ReadAt.Add(time.Minute)
	return s
}

// requireSameOrder compares orders whose decimals may be spelled differently.
func requireSameOrder(t *testing.T, want, got order.Order) {
	t.Helper()
	amounts := func(o order.Order) []string {
		texts := []string{o.AmountUntaxed.String(), o.AmountTax.String(), o.AmountTotal.String()}
		for _, l := range o.Lines {
			texts = append(texts, l.Quantity.String(), l.UnitPrice.String(), l.Discount.String(), l.Subtotal.String(),
				l.Tax.String(), l.Total.String(), l.Delivered.String(), l.Invoiced.String())
		}
		return texts
	}
	require.Equal(t, amounts(want), amounts(got))
	strip := func(o order.Order) order.Order {
		o.Version = ""
		o.AmountUntaxed, o.AmountTax, o.AmountTotal = dec("0"), dec("0"), dec("0")
		o.Lines = slices.Clone(o.Lines)
		for i := range o.Lines {
			l := &o.Lines[i]
			l.Quantity, l.UnitPrice, l.Discount, l.Subtotal, l.Tax, l.Total, l.Delivered, l.Invoiced =
				dec("0"), dec("0"), dec("0"), dec("0"), dec("0"), dec("0"), dec("0"), dec("0")
		}
		return o
	}
	require.Equal(t, strip(want), strip(got))
}

var orderTests = map[string]func(t *testing.T, f fixture){
	"AnOrderComesBackAsTheERPSaidIt": func(t *testing.T, f fixture) {
		s := snapshot(7)
		s.Number, s.Reference, s.Note = "S\u00e9rie 🎁", "it's \\ \"PO\" %_", "two\nlines\tand a tab "
		s.OrderedAt = At(9, 30).In(time.FixedZone("CET", 3600)).Add(123456789 * time.Nanosecond)
		require.Equal(t, store.Upserted{Created: 1}, f.upsert(t, s))

		want := s.Order
		want.Source = order.SourceERP
		want.OrderedAt = At(9, 30).Add(123456 * time.Microsecond)
		got := f.order(t, 7)
		requireSameOrder(t, want, got)
		require.Equal(t, time.UTC, got.OrderedAt.Location())
		require.Equal(t, time.UTC, got.UpdatedAt.Location())
		require.Equal(t, []string{order.HistoryAppeared}, f.codes(t, 7))
	},

	// A caller's change must not overwrite what it did not see.
	"AnOrdersVersionIsOfAllThatTheERPSays": func(t *testing.T, f fixture) {
		s := snapshot(7)
		seen := map[string]bool{}
		for _, edit := range []func(){
			func() {}, func() { s.WriteDate = s.WriteDate.Add(time.Second) }, func() { s.LinesWriteDate = s.LinesWriteDate.Add(time.Hour) },
			func() { s.Lines[0].Quantity = dec("77") }, func() { s.Lines[0].UnitPrice = dec("7.77") }, func() { s.Lines[0].Discount = dec("7") },
			func() { s.Note = "another" }, func() { s.Reference = "another" }, func() { s.ShipTo = 5 }, func() { s.BillTo = 5 },
			func() { s.Invoices = []order.Invoice{{ID: 9, State: order.Open, Payment: "not_paid"}} },
		} {
			edit()
			s.ReadAt = s.ReadAt.Add(time.Minute)
			f.upsert(t, s)
			version, err := store.Version(s)
			require.NoError(t, err)
			require.Equal(t, version, f.order(t, 7).Version)
			require.False(t, seen[version])
			seen[version] = true
			s.ReadAt = s.ReadAt.Add(time.Minute)
			again, err := store.Version(s)
			require.NoError(t, err)
			require.Equal(t, version, again, "when it was read says nothing")
		}
	},

	"DocumentsComeBack": func(t *testing.T, f fixture) {
		s := snapshot(7)
		f.upsert(t, s)
		require.Empty(t, f.order(t, 7).Deliveries)
		s.Deliveries = []order.Delivery{
			{ID: 3, Number: "WH/OUT/3", State: order.DocumentDelivered, Kind: order.DeliveryOutgoing, Carrier: "Bird", Tracking: "🐦 1", ScheduledAt: At(11, 0), DoneAt: At(12, 0)},
			{ID: 4, Number: "WH/OUT/4", State: order.Ready, Kind: order.DeliveryOutgoing, BackorderOf: 3, ScheduledAt: At(13, 0)},
		}
		s.Invoices = []order.Invoice{{ID: 9, Number: "INV/9", State: order.Posted, Payment: "partial", Currency: "EUR",
			AmountTotal: dec("48.16"), AmountDue: dec("8.16"), IssuedOn: "2026-03-14"}}
		s.Lines[0].Delivered, s.Lines[0].Invoiced = dec("1.5"), dec("2")
		s.State, s.Status, s.Fulfilment, s.Payment = order.StateSale, order.Shipped, order.FulfilmentPartial, order.PaymentPartial
		s.DocumentsWriteDate, s.ReadAt = At(12, 30), At(12, 31)
		require.Equal(t, store.Upserted{Updated: 1}, f.upsert(t, s), "only its documents changed")
		got := f.order(t, 7)
		require.Equal(t, s.Deliveries, got.Deliveries)
		require.Equal(t, s.Invoices, got.Invoices)
		require.Equal(t, order.StateSale, got.State)
		require.Equal(t, order.Standing{Status: order.Shipped, Fulfilment: order.FulfilmentPartial, Payment: order.PaymentPartial},
			order.Standing{Status: got.Status, Fulfilment: got.Fulfilment, Payment: got.Payment})
		require.Equal(t, "1.5", got.Lines[0].Delivered.String())
		require.Equal(t, "2", got.Lines[0].Invoiced.String())
		heads, err := f.OrderHeads(t.Context(), f.tenant, []int64{7})
		require.NoError(t, err)
		require.Equal(t, At(12, 30), heads[7].DocumentsWriteDate)

		stale := snapshot(7)
		require.Equal(t, store.Upserted{Older: 1}, f.upsert(t, stale), "what was read before they were made")
		require.Len(t, f.order(t, 7).Deliveries, 2)
	},

	"AMissingOrderIsNotFound": func(t *testing.T, f fixture) {
		_, err := f.Order(t.Context(), f.tenant, 1)
		requireNotFound(t, err, "order_not_found")
	},

	"DecimalsAreExact": func(t *testing.T, f fixture) {
		values := []string{"0.3", "19.9", "1000000000.123456", "-0.000001", "999999999999999999.99", "0", "100"}
		for i, value := range values {
			s := snapshot(int64(i + 1))
			s.AmountTotal, s.Lines[0].Quantity, s.Lines[0].UnitPrice = dec(value), dec(value), dec(value)
			f.upsert(t, s)
			got := f.order(t, s.ID)
			require.Equal(t, value, got.AmountTotal.String())
			require.Equal(t, value, got.Lines[0].Quantity.String())
			require.Equal(t, value, got.Lines[0].UnitPrice.String())
		}
		s := snapshot(100)
		s.AmountTotal = dec("0.1").Add(dec("0.2"))
		s.AmountTax = dec("0.12345650000000001")
		f.upsert(t, s)
		require.True(t, f.order(t, 100).AmountTotal.Equal(dec("0.3")))
		require.Equal(t, "0.123457", f.order(t, 100).AmountTax.String(), "the same rounding on every database")
		s.ReadAt = s.ReadAt.Add(time.Hour)
		require.Equal(t, store.Upserted{Unchanged: 1}, f.upsert(t, s), "a rounded value must not look like a change")
	},

	"LongTextsFit": func(t *testing.T, f fixture) {
		s := snapshot(1)
		long := make([]rune, 6000)
		for i := range long {
			long[i] = 'ü'
		}
		s.Number, s.Reference, s.Note, s.Lines[0].Name, s.Lines[0].SKU = string(long), string(long), string(long), string(long), string(long)
		f.upsert(t, s)
		require.Equal(t, string(long), f.order(t, 1).Lines[0].SKU)
	},

	"AnUnchangedOrderWritesNothing": func(t *testing.T, f fixture) {
		s := snapshot(1)
		f.upsert(t, s)
		rows := func() []string {
			return append(f.column(t.Context(), t, "SELECT updated_at FROM orders WHERE tenant_id = ?", f.tenant),
				append(f.column(t.Context(), t, "SELECT read_at FROM orders WHERE tenant_id = ?", f.tenant),
					f.column(t.Context(), t, "SELECT id FROM order_lines WHERE tenant_id = ? ORDER BY id", f.tenant)...)...)
		}
		before := rows()
		require.Equal(t, store.Upserted{Unchanged: 1}, f.upsert(t, s))
		s.ReadAt = s.ReadAt.Add(time.Second)
		require.Equal(t, store.Upserted{Unchanged: 1}, f.upsert(t, s))
		require.Equal(t, before, rows())
		require.Equal(t, []string{order.HistoryAppeared}, f.codes(t, 1))
	},

	"AnUnchangedOrderThatWasReadLaterIsNoted": func(t *testing.T, f fixture) {
		s, other := snapshot(1), snapshot(2)
		f.upsert(t, s, other)
		lines := f.column(t.Context(), t, "SELECT id FROM order_lines WHERE tenant_id = ? ORDER BY id", f.tenant)
		s.ReadAt = s.ReadAt.Add(2 * time.Second)
		require.Equal(t, store.Upserted{Unchanged: 2}, f.upsert(t, s, other))
		heads, err := f.OrderHeads(t.Context(), f.tenant, []int64{1, 2, 3})
		require.NoError(t, err)
		require.Equal(t, map[int64]order.Head{
			1: {ID: 1, WriteDate: At(10, 0), LinesWriteDate: At(10, 0), ReadAt: At(10, 1).Add(2 * time.Second)},
			2: {ID: 2, WriteDate: At(10, 0), LinesWriteDate: At(10, 0), ReadAt: At(10, 1)},
		}, heads)
		require.Equal(t, lines, f.column(t.Context(), t, "SELECT id FROM order_lines WHERE tenant_id = ? ORDER BY id", f.tenant))
		s.ReadAt = At(9, 0)
		f.upsert(t, s)
		heads, err = f.OrderHeads(t.Context(), f.tenant, []int64{1})
		require.NoError(t, err)
		require.Equal(t, At(10, 1).Add(2*time.Second), heads[1].ReadAt, "it must not go back")
	},

	"AnOlderStateNeverReplacesANewerOne": func(t *testing.T, f fixture) {
		type state struct{ write, lines, read time.Time }
		at := func(write, lines, read int) state { return state{At(11, write), At(11, lines), At(12, read)} }
		stands := at(5, 5, 5)
		cases := map[string]struct {
			arrives state
			wins    bool
		}{
			"written earlier, read later":           {at(4, 9, 9), false},
			"written later, read earlier":           {at(6, 5, 1), true},
			"written later, lines earlier":          {at(6, 1, 5), true},
			"lines written later":                   {at(5, 6, 5), true},
			"lines written earlier, read before":    {at(5, 4, 4), false},
			"lines written earlier, read together":  {at(5, 4, 5), true},
			"latest line deleted: read later":       {at(5, 4, 6), true},
			"written at the same time, read later":  {at(5, 5, 6), true},
			"written and read at the same time":     {at(5, 5, 5), true},
			"written at the same time, read before": {at(5, 5, 4), false},
			"read before, within the slack":         {state{At(11, 5), At(11, 5), At(12, 5).Add(-2 * time.Second)}, true},
		}
		id := int64(0)
		for name, c := range cases {
			id++
			apply := func(s order.Snapshot, st state) order.Snapshot {
				s.WriteDate, s.LinesWriteDate, s.ReadAt = st.write, st.lines, st.read
				return s
			}
			f.upsert(t, apply(snapshot(id), stands))
			other := apply(snapshot(id), c.arrives)
			other.Note = "another state"
			other.Lines = other.Lines[:1]
			counts := f.upsert(t, other)
			got := f.order(t, id)
			if c.wins {
				require.Equal(t, store.Upserted{Updated: 1}, counts, name)
				require.Equal(t, "another state", got.Note, name)
				require.Len(t, got.Lines, 1, name)
			} else {
				require.Equal(t, store.Upserted{Older: 1}, counts, name)
				require.Equal(t, "leave at the door", got.Note, name)
				require.Len(t, got.Lines, 2, name)
			}
		}
	},

	"OneBatchMayHoldAnOrderTwice": func(t *testing.T, f fixture) {
		counts := f.upsert(t, later(snapshot(1), order.Confirmed), snapshot(1))
		require.Equal(t, store.Upserted{Created: 1, Older: 1}, counts)
		require.Equal(t, order.Confirmed, f.order(t, 1).Status)
	},

	"AChangedStatusIsEnteredInTheHistory": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		f.upsert(t, later(snapshot(1), order.Confirmed))
		edited := later(later(snapshot(1), order.Confirmed), order.Confirmed)
		edited.Note = "edited"
		f.upsert(t, edited)
		entries := f.history(t, 1)
		require.Len(t, entries, 2)
		require.Equal(t, order.HistoryAppeared, entries[0].Code)
		require.JSONEq(t, `{"status": "draft"}`, entries[0].Payload)
		changed := entries[1]
		require.Equal(t, order.StatusCode(order.Confirmed), changed.Code)
		require.JSONEq(t, `{"from": "draft", "to": "confirmed"}`, changed.Payload)
		require.Equal(t, order.CategoryLifecycle, changed.Category)
		require.Equal(t, order.Info, changed.Severity)
		require.Equal(t, "sync", changed.WrittenBy)
		require.EqualValues(t, 1, changed.OrderID)
		require.WithinDuration(t, time.Now(), changed.RecordedAt, time.Minute)
		require.Equal(t, time.UTC, changed.RecordedAt.Location())
	},

	"ADeletedOrderBecomesATombstoneAndMayReturn": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1), snapshot(2), snapshot(3))
		read := snapshot(1).ReadAt
		n, err := f.MarkDeleted(t.Context(), f.tenant, []int64{3, 1, 99}, read.Add(10*time.Second), "sync")
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		n, err = f.MarkDeleted(t.Context(), f.tenant, []int64{1}, read.Add(time.Hour), "sync")
		require.NoError(t, err)
		require.Zero(t, n, "it is deleted already")

		require.False(t, f.order(t, 1).DeletedAt.IsZero())
		require.Len(t, f.order(t, 1).Lines, 2)
		total, err := f.CountOrders(t.Context(), f.tenant, order.IDRange{})
		require.NoError(t, err)
		require.EqualValues(t, 1, total)
		ids, err := f.OrderIDs(t.Context(), f.tenant, 0, 10)
		require.NoError(t, err)
		require.Equal(t, []int64{2}, ids)
		heads, err := f.OrderHeads(t.Context(), f.tenant, []int64{1, 2})
		require.NoError(t, err)
		require.NotContains(t, heads, int64(1))
		listing, err := f.ListOrders(t.Context(), f.tenant, order.Filter{})
		require.NoError(t, err)
		require.Len(t, listing.Orders, 1)

		stale := snapshot(1)
		stale.WriteDate = stale.WriteDate.Add(-time.Minute)
		require.Equal(t, store.Upserted{Older: 1}, f.upsert(t, stale))
		for _, before := range []time.Duration{0, 9 * time.Second, 10 * time.Second} {
			slow := snapshot(1)
			slow.ReadAt = read.Add(before)
			require.Equal(t, store.Upserted{Older: 1}, f.upsert(t, slow), "it was read before it was deleted, and stored later")
		}
		back := snapshot(1)
		back.ReadAt = read.Add(11 * time.Second)
		require.Equal(t, store.Upserted{Updated: 2}, f.upsert(t, back, later(snapshot(3), order.Cancelled)))
		require.True(t, f.order(t, 1).DeletedAt.IsZero())
		require.Equal(t, []string{order.HistoryAppeared, order.HistoryDeleted, order.HistoryRestored}, f.codes(t, 1))
		require.Equal(t, []string{order.HistoryAppeared, order.HistoryDeleted, order.HistoryRestored,
			order.StatusCode(order.Cancelled)}, f.codes(t, 3))
	},

	"ManyOrdersAtOnce": func(t *testing.T, f fixture) {
		snapshots := make([]order.Snapshot, 450)
		for i := range snapshots {
			snapshots[i] = snapshot(int64(1000 - i))
		}
		snapshots[0].Lines = nil
		for len(snapshots[1].Lines) < 1200 {
			snapshots[1].Lines = append(snapshots[1].Lines, snapshots[1].Lines[0])
		}
		require.Equal(t, store.Upserted{Created: 450}, f.upsert(t, snapshots...))
		require.Equal(t, store.Upserted{Unchanged: 450}, f.upsert(t, snapshots...))
		require.Empty(t, f.order(t, 1000).Lines)
		require.Len(t, f.order(t, 999).Lines, 1200)
		requireSameOrder(t, snapshots[1].Order, withSource(f.order(t, 999), ""))

		for i := range snapshots {
			snapshots[i] = later(snapshots[i], order.Picking)
		}
		require.Equal(t, store.Upserted{Updated: 450}, f.upsert(t, snapshots...))
		require.EqualValues(t, 1200+2*448, f.number(t, "SELECT COUNT(*) FROM order_lines WHERE tenant_id = ?", f.tenant))
		ids, err := f.OrderIDs(t.Context(), f.tenant, 600, 3)
		require.NoError(t, err)
		require.Equal(t, []int64{601, 602, 603}, ids)
		require.Equal(t, store.Upserted{}, f.upsert(t))
	},
}

func withSource(o order.Order, source string) order.Order {
	o.Source = source
	return o
}
