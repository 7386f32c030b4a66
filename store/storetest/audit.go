package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// aprilOrder is an order of the next month, by another customer.
func aprilOrder(id int64) order.Snapshot {
	s := snapshot(id)
	s.CreatedAt = time.Date(2026, 4, 30, 23, 59, 59, 0, time.UTC)
	s.WriteDate = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	s.Customer.ERPPartnerID, s.State, s.Status = 11, order.StateSale, order.Picking
	return s
}

func month(m time.Month) time.Time { return time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC) }

func nightly(night string) order.AuditRun {
	return order.AuditRun{Trigger: order.Nightly, Night: night, Repair: true, Began: At(3, 0), Found: map[order.FindingKind]int{}}
}

// begun begins an audit that nothing keeps back.
func (f fixture) begun(t *testing.T, run order.AuditRun, token string) order.AuditRun {
	t.Helper()
	run, ok, err := f.BeginAudit(t.Context(), f.tenant, run, token, run.Began.Add(10*time.Minute))
	require.NoError(t, err)
	require.True(t, ok)
	require.NotZero(t, run.ID)
	return run
}

func (f fixture) finding(t *testing.T, run int64, id int64, kind order.FindingKind) order.Finding {
	t.Helper()
	added, err := f.AddFindings(t.Context(), f.tenant, []order.Finding{{RunID: run, ERPOrderID: id, Number: "S1", Kind: kind,
		State: order.FindingFound, Detail: "total: mirror 1, ERP 2", FoundAt: At(3, 1)}})
	require.NoError(t, err)
	require.Len(t, added, 1)
	return added[0]
}

var auditTests = map[string]func(t *testing.T, f fixture){
	"SumsAreByMonthStateAndCurrency": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1), snapshot(2), aprilOrder(7), snapshot(9))
		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{9}, At(23, 0), "sync")
		require.NoError(t, err)

		march := order.Totals{Group: order.TotalsGroup{Period: month(time.March), State: order.StateDraft, Currency: "EUR"},
			Count: 2, IDSum: 3, RefSum: 18, FirstID: 1, LastID: 2, Amounts: []decimal.Decimal{dec("79.60"), dec("16.72"), dec("96.32")}}
		april := order.Totals{Group: order.TotalsGroup{Period: month(time.April), State: order.StateSale, Currency: "EUR"},
			Count: 1, IDSum: 7, RefSum: 11, FirstID: 7, LastID: 7, Amounts: []decimal.Decimal{dec("39.80"), dec("8.36"), dec("48.16")}}
		totals, err := f.OrderTotals(t.Context(), f.tenant, order.Slice{}, true)
		require.NoError(t, err)
		require.Len(t, totals, 2)
		require.Empty(t, order.DifferentTotals([]order.Totals{march, april}, totals), "%+v", totals)
		for _, want := range []order.Totals{march, april} {
			i := 0
			if totals[0].Group != want.Group {
				i = 1
			}
			require.Equal(t, []int64{want.FirstID, want.LastID}, []int64{totals[i].FirstID, totals[i].LastID})
		}

		april.Group.Period = time.Time{}
		for _, slice := range []order.Slice{{FirstID: 3}, {CreatedFrom: month(time.April)}, {FirstID: 3, LastID: 8, CreatedUntil: month(time.May)}} {
			totals, err = f.OrderTotals(t.Context(), f.tenant, slice, false)
			require.NoError(t, err)
			require.Empty(t, order.DifferentTotals([]order.Totals{april}, totals), "%+v", totals)
		}

		lines, err := f.LineTotals(t.Context(), f.tenant, order.Slice{})
		require.NoError(t, err)
		require.Empty(t, order.DifferentTotals([]order.Totals{{Group: order.TotalsGroup{Currency: "EUR"}, Count: 6,
			IDSum: 11 + 12 + 21 + 22 + 71 + 72, RefSum: 20, Amounts: []decimal.Decimal{dec("9"), dec("119.40"), dec("25.08"), dec("144.48"), dec("0"), dec("0")}}}, lines), "%+v", lines)

		days, err := f.WriteDays(t.Context(), f.tenant, order.Slice{})
		require.NoError(t, err)
		require.Empty(t, order.DifferentTotals([]order.Totals{
			{Group: order.TotalsGroup{Period: At(0, 0)}, Count: 2, IDSum: 3},
			{Group: order.TotalsGroup{Period: month(time.May)}, Count: 1, IDSum: 7}}, days), "%+v", days)
	},
	"DocumentsAreListedWithTheirOrders": func(t *testing.T, f fixture) {
		with := func(s order.Snapshot) order.Snapshot {
			s.Deliveries = []order.Delivery{{ID: 10 * s.ID, State: order.Waiting}, {ID: 10*s.ID + 1, State: order.DocumentDelivered}}
			s.Invoices = []order.Invoice{{ID: 5, State: order.Posted}} // the same one for all of them
			return s
		}
		f.upsert(t, with(snapshot(1)), snapshot(2), with(aprilOrder(7)), with(snapshot(9)))
		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{9}, At(23, 0), "sync")
		require.NoError(t, err)
		found, err := f.MirroredDocuments(t.Context(), f.tenant, time.Time{})
		require.NoError(t, err)
		require.Equal(t, map[order.DocumentKind][]order.Document{
			order.Deliveries: {{ID: 10, OrderID: 1, State: order.Waiting}, {ID: 11, OrderID: 1, State: order.DocumentDelivered},
				{ID: 70, OrderID: 7, State: order.Waiting}, {ID: 71, OrderID: 7, State: order.DocumentDelivered}},
			order.Invoices: {{ID: 5, OrderID: 1, State: order.Posted}, {ID: 5, OrderID: 7, State: order.Posted}},
		}, found)
		require.Empty(t, order.DifferentTotals([]order.Totals{{Group: order.TotalsGroup{Document: order.Posted}, Count: 1, IDSum: 5}},
			order.TotalsOfDocuments(order.Invoices, found[order.Invoices])), "an invoice counts once")
		found, err = f.MirroredDocuments(t.Context(), f.tenant, month(time.April))
		require.NoError(t, err)
		require.Len(t, found[order.Deliveries], 2)
	},
	"ACentInManyOrdersShows": func(t *testing.T, f fixture) {
		var many []order.Snapshot
		for id := int64(1); id <= 300; id++ {
			s := snapshot(id)
			s.AmountTotal = dec("100000000.01")
			many = append(many, s)
		}
		f.upsert(t, many...)
		before, err := f.OrderTotals(t.Context(), f.tenant, order.Slice{}, false)
		require.NoError(t, err)
		_, err = f.DB().ExecContext(t.Context(), "UPDATE orders SET amount_total = amount_total + 0.01 WHERE tenant_id = ? AND erp_order_id = 150", f.tenant)
		require.NoError(t, err)
		after, err := f.OrderTotals(t.Context(), f.tenant, order.Slice{}, false)
		require.NoError(t, err)
		require.NotEmpty(t, order.DifferentTotals(before, after))
	},
	"AnOrderIsReadAsItWasMirrored": func(t *testing.T, f fixture) {
		s := snapshot(5)
		s.Lines[0].Delivered, s.Lines[0].Invoiced = dec("1"), dec("2")
		s.Deliveries = []order.Delivery{{ID: 3, Number: "WH/OUT/3", State: order.DocumentDelivered, Kind: order.DeliveryOutgoing, DoneAt: At(9, 0)}}
		s.Invoices = []order.Invoice{{ID: 4, State: order.Open, Currency: "EUR", AmountTotal: dec("1.5"), AmountDue: dec("1.5")}}
		s.DocumentsWriteDate = At(9, 30)
		f.upsert(t, s, snapshot(6))
		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{6}, At(23, 0), "sync")
		require.NoError(t, err)
		found, err := f.MirroredOrders(t.Context(), f.tenant, []int64{5, 6, 7})
		require.NoError(t, err)
		require.Len(t, found, 2)
		got := found[5]
		require.Equal(t, []time.Time{s.WriteDate, s.LinesWriteDate, s.DocumentsWriteDate, s.ReadAt},
			[]time.Time{got.WriteDate, got.LinesWriteDate, got.DocumentsWriteDate, got.ReadAt})
		s.Source = order.SourceERP
		requireSameOrder(t, s.Order, got.Order)
		require.False(t, found[6].DeletedAt.IsZero())
	},
	"ADoubtedOrderIsReplaced": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(5))
		_, err := f.DB().ExecContext(t.Context(), "UPDATE orders SET number = 'forged', write_date = ? WHERE tenant_id = ?", At(23, 0), f.tenant)
		require.NoError(t, err)
		require.Zero(t, f.upsert(t, snapshot(5)).Updated, "an equal digest writes nothing")
		require.NoError(t, f.DoubtOrders(t.Context(), f.tenant, []int64{5}))
		require.Equal(t, "forged", f.order(t, 5).Number, "shown until it is read")
		require.Equal(t, 1, f.upsert(t, snapshot(5)).Updated)
		require.Equal(t, "S00005", f.order(t, 5).Number)
		require.Equal(t, []string{order.HistoryAppeared}, f.codes(t, 5))
	},
	"ANightHasOneAudit": func(t *testing.T, f fixture) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 4 {
			wg.Go(func() {
				_, ok, err := f.BeginAudit(t.Context(), f.tenant, nightly("2026-03-14"), t.Name(), At(3, 10))
				mu.Lock()
				defer mu.Unlock()
				if ok && err == nil {
					won++
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, won)
		f.begun(t, nightly("2026-03-15"), "other")
		f.begun(t, order.AuditRun{Trigger: order.ByCommand, Began: At(3, 0)}, "a")
		f.begun(t, order.AuditRun{Trigger: order.ByCommand, Began: At(3, 0)}, "b")
	},
	"AnAbandonedAuditIsTakenUp": func(t *testing.T, f fixture) {
		first := f.begun(t, nightly("2026-03-14"), "first")
		again := nightly("2026-03-14")
		again.Began = At(3, 9)
		_, ok, err := f.BeginAudit(t.Context(), f.tenant, again, "second", At(3, 19))
		require.NoError(t, err)
		require.False(t, ok, "its lease runs")
		held, err := f.RenewAudit(t.Context(), f.tenant, first.ID, "first", At(3, 20))
		require.NoError(t, err)
		require.True(t, held)
		again.Began = At(3, 15)
		_, ok, err = f.BeginAudit(t.Context(), f.tenant, again, "second", At(3, 25))
		require.NoError(t, err)
		require.False(t, ok, "it was renewed")
		f.finding(t, first.ID, 1, order.FindingMissing)
		again.Began = At(3, 21)
		second := f.begun(t, again, "second")

		held, err = f.RenewAudit(t.Context(), f.tenant, first.ID, "first", At(4, 0))
		require.NoError(t, err)
		require.False(t, held)
		first.State, first.Ended = order.AuditDone, At(3, 22)
		require.NoError(t, f.EndAudit(t.Context(), f.tenant, first, "first"))
		runs, err := f.ListAuditRuns(t.Context(), f.tenant, order.AuditFilter{})
		require.NoError(t, err)
		require.Len(t, runs, 2)
		require.Equal(t, second.ID, runs[0].ID)
		require.Equal(t, order.AuditRunning, runs[0].State)
		require.Equal(t, At(3, 31), runs[0].LeaseUntil)
		require.Equal(t, order.AuditFailed, runs[1].State, "the first one's end counts no more")
		require.Equal(t, At(3, 20), runs[1].Ended)
		require.NotEmpty(t, runs[1].Failure)
		found, err := f.ListFindings(t.Context(), f.tenant, order.FindingFilter{RunID: second.ID})
		require.NoError(t, err)
		require.Empty(t, found, "each attempt has findings of its own")
		third := nightly("2026-03-14")
		third.Began = At(3, 30)
		_, ok, err = f.BeginAudit(t.Context(), f.tenant, third, "third", At(3, 40))
		require.NoError(t, err)
		require.False(t, ok, "the night is the second one's")
	},
	"AFailedAuditIsBegunAgainLater": func(t *testing.T, f fixture) {
		run := f.begun(t, nightly("2026-03-14"), "a")
		run.State, run.Ended, run.Failure = order.AuditFailed, At(3, 1), "the ERP is down"
		require.NoError(t, f.EndAudit(t.Context(), f.tenant, run, "a"))
		again := nightly("2026-03-14")
		again.Began = At(3, 10)
		_, ok, err := f.BeginAudit(t.Context(), f.tenant, again, "b", At(3, 20))
		require.NoError(t, err)
		require.False(t, ok)
		again.Began = At(3, 12)
		run = f.begun(t, again, "b")
		run.State, run.Ended, run.Failure = order.AuditDone, At(3, 13), ""
		require.NoError(t, f.EndAudit(t.Context(), f.tenant, run, "b"))
		again.Began = At(5, 0)
		_, ok, err = f.BeginAudit(t.Context(), f.tenant, again, "c", At(5, 10))
		require.NoError(t, err)
		require.False(t, ok, "the night is done")
		runs, err := f.ListAuditRuns(t.Context(), f.tenant, order.AuditFilter{})
		require.NoError(t, err)
		require.Len(t, runs, 2)
		require.Equal(t, []order.AuditState{order.AuditDone, order.AuditFailed}, []order.AuditState{runs[0].State, runs[1].State})
		require.Equal(t, "the ERP is down", runs[1].Failure)
	},
	"AnAuditComesBackAsItEnded": func(t *testing.T, f fixture) {
		last, err := f.LastAudit(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Zero(t, last)
		run := f.begun(t, nightly("2026-03-14"), "a")
		run.State, run.Ended = order.AuditDone, At(3, 5)
		run.Calls, run.Rows, run.Repaired, run.Unsettled, run.Unexplained, run.Settled = 5, 17, 2, 1, 3, At(2, 55)
		run.Found = map[order.FindingKind]int{order.FindingMissing: 2, order.FindingLine: 1}
		require.NoError(t, f.EndAudit(t.Context(), f.tenant, run, "a"))
		partial := f.begun(t, order.AuditRun{Trigger: order.ByCommand, Began: At(9, 0), Since: At(1, 0)}, "b")
		partial.State = order.AuditDone
		require.NoError(t, f.EndAudit(t.Context(), f.tenant, partial, "b"))

		runs, err := f.ListAuditRuns(t.Context(), f.tenant, order.AuditFilter{})
		require.NoError(t, err)
		require.Len(t, runs, 2)
		require.Equal(t, At(1, 0), runs[0].Since)
		require.Equal(t, run, runs[1])
		require.Equal(t, 1, runs[1].Left())
		runs, err = f.ListAuditRuns(t.Context(), f.tenant, order.AuditFilter{BeforeID: partial.ID, Limit: 1})
		require.NoError(t, err)
		require.Len(t, runs, 1)
		require.Equal(t, run.ID, runs[0].ID)
		last, err = f.LastAudit(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, run, last, "of everything")
	},
	"FindingsAreOpenUntilTheyAreRepaired": func(t *testing.T, f fixture) {
		run, other := f.begun(t, nightly("2026-03-14"), "a").ID, f.begun(t, nightly("2026-03-15"), "b").ID
		a, b, c := f.finding(t, run, 1, order.FindingMissing), f.finding(t, run, 2, order.FindingLine), f.finding(t, other, 1, order.FindingMissing)
		a.State, a.Failure, a.EndedAt = order.FindingFailed, "why", At(3, 2)
		b.State, b.EndedAt = order.FindingRepaired, At(3, 2)
		require.NoError(t, f.EndFindings(t.Context(), f.tenant, []order.Finding{a, b}))
		open, err := f.OpenFindings(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.ElementsMatch(t, []int64{a.ID, c.ID}, open[1])
	},
	"FindingsAreListedByRunKindAndState": func(t *testing.T, f fixture) {
		run, other := f.begun(t, nightly("2026-03-14"), "a").ID, f.begun(t, nightly("2026-03-15"), "b").ID
		a, b, c := f.finding(t, run, 1, order.FindingMissing), f.finding(t, run, 2, order.FindingLine), f.finding(t, other, 3, order.FindingLine)
		b.State, b.EndedAt = order.FindingRepaired, At(3, 2)
		a.State, a.Failure, a.EndedAt = order.FindingFailed, "why", At(3, 2)
		require.NoError(t, f.EndFindings(t.Context(), f.tenant, []order.Finding{a, b}))
		for _, example := range []struct {
			filter order.FindingFilter
			want   []order.Finding
		}{
			{order.FindingFilter{}, []order.Finding{c, b, a}},
			{order.FindingFilter{RunID: run}, []order.Finding{b, a}},
			{order.FindingFilter{Kind: order.FindingLine}, []order.Finding{c, b}},
			{order.FindingFilter{Kind: order.FindingLine, State: order.FindingFound}, []order.Finding{c}},
			{order.FindingFilter{BeforeID: c.ID, Limit: 1}, []order.Finding{b}},
		} {
			found, err := f.ListFindings(t.Context(), f.tenant, example.filter)
			require.NoError(t, err)
			require.Equal(t, example.want, found)
		}
	},
}

// auditCalls are those of exerciseIsolation on audits.
func auditCalls(run order.AuditRun, finding order.Finding) map[string]func(t *testing.T, f fixture) (seen any, err error) {
	return map[string]func(t *testing.T, f fixture) (any, error){
		"OrderTotals": func(t *testing.T, f fixture) (any, error) {
			return list(f.OrderTotals(t.Context(), f.tenant, order.Slice{}, true))
		},
		"LineTotals": func(t *testing.T, f fixture) (any, error) {
			return list(f.LineTotals(t.Context(), f.tenant, order.Slice{}))
		},
		"WriteDays": func(t *testing.T, f fixture) (any, error) {
			return list(f.WriteDays(t.Context(), f.tenant, order.Slice{}))
		},
		"MirroredOrders": func(t *testing.T, f fixture) (any, error) {
			found, err := f.MirroredOrders(t.Context(), f.tenant, []int64{1, 2})
			return len(found), err
		},
		"MirroredDocuments": func(t *testing.T, f fixture) (any, error) {
			found, err := f.MirroredDocuments(t.Context(), f.tenant, time.Time{})
			return len(found), err
		},
		"DoubtOrders": func(t *testing.T, f fixture) (any, error) {
			return nil, f.DoubtOrders(t.Context(), f.tenant, []int64{1})
		},
		"BeginAudit": func(t *testing.T, f fixture) (any, error) { f.begun(t, nightly(run.Night), "thief"); return nil, nil },
		"RenewAudit": func(t *testing.T, f fixture) (any, error) {
			return f.RenewAudit(t.Context(), f.tenant, run.ID, "owner", At(23, 0))
		},
		"EndAudit": func(t *testing.T, f fixture) (any, error) {
			return nil, f.EndAudit(t.Context(), f.tenant, order.AuditRun{ID: run.ID, State: order.AuditFailed}, "owner")
		},
		"LastAudit": func(t *testing.T, f fixture) (any, error) { return f.LastAudit(t.Context(), f.tenant) },
		"EndFindings": func(t *testing.T, f fixture) (any, error) {
			return nil, f.EndFindings(t.Context(), f.tenant, []order.Finding{{ID: finding.ID, State: order.FindingRepaired}})
		},
		"OpenFindings": func(t *testing.T, f fixture) (any, error) {
			open, err := f.OpenFindings(t.Context(), f.tenant)
			return len(open), err
		},
		"ListAuditRuns": func(t *testing.T, f fixture) (any, error) {
			return list(f.ListAuditRuns(t.Context(), f.tenant, order.AuditFilter{}))
		},
		"ListFindings": func(t *testing.T, f fixture) (any, error) {
			return list(f.ListFindings(t.Context(), f.tenant, order.FindingFilter{RunID: run.ID}))
		},
	}
}
