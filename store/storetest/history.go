package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// historyTests are about what histories say, and what derives from them.
var historyTests = map[string]func(t *testing.T, f fixture){
	"FactsOfTheERPAreEnteredOnce": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		confirmed := delivered(later(snapshot(1), order.Confirmed))
		f.upsert(t, confirmed)
		want := []string{order.HistoryAppeared, "order:confirmed", order.HistoryDeliveryCreated, order.HistoryShipped, order.HistoryInvoiceCreated,
			order.HistoryInvoicePosted, order.HistoryPartlyPaid}
		require.Equal(t, want, f.codes(t, 1))

		f.upsert(t, confirmed)
		again := later(confirmed, order.Confirmed)
		again.Note = "edited"
		f.upsert(t, again)
		require.Equal(t, want, f.codes(t, 1), "nothing new is said of an order that was edited")
		f.loseMirror(t)
		f.upsert(t, again)
		require.Equal(t, want, f.codes(t, 1), "a mirror that is built again has the histories that were there")
		f.requireIntact(t)
	},

	"TwoReplicasEnterAFactOnce": func(t *testing.T, f fixture) {
		const n = 4
		for id := int64(1); id <= n; id++ {
			f.upsert(t, snapshot(id))
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for id := int64(1); id <= n; id++ {
					_, err := f.UpsertOrders(t.Context(), f.tenant, []order.Snapshot{delivered(later(snapshot(id), order.Confirmed))}, "sync")
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for id := int64(1); id <= n; id++ {
			require.Len(t, f.codes(t, id), 7)
		}
		f.requireIntact(t)
	},

	"APlacementIsEnteredOnce": func(t *testing.T, f fixture) {
		placed := order.HistoryEntry{Code: order.HistoryPlaced, Fact: order.PlacedFact("portal", "k")}
		f.place(t, f.inserted(t, "k"), snapshot(1), placed)
		f.place(t, f.inserted(t, "k again"), snapshot(1), placed)
		require.Equal(t, []string{order.HistoryPlaced}, f.codes(t, 1))
	},

	// What is read while somebody writes is no fault.
	"VerifyingBesideWriters": func(t *testing.T, f fixture) {
		const n = 60
		var writers sync.WaitGroup
		for w := range 2 {
			writers.Go(func() {
				for i := range n {
					s := snapshot(1)
					for range i {
						s = later(s, []order.Status{order.Draft, order.Confirmed}[i%2])
					}
					s.ID = int64(1 + (i+w)%3)
					f.upsertAsync(t, s)
				}
			})
		}
		done := make(chan struct{})
		go func() { writers.Wait(); close(done) }()
		for {
			f.requireIntact(t)
			select {
			case <-done:
				f.requireIntact(t)
				return
			default:
			}
		}
	},

	// Two readings of one moment, before and after an invoice was paid: the earlier comes in last.
	"AnEarlierReadingTakesNoDocumentBack": func(t *testing.T, f fixture) {
		before := delivered(later(snapshot(1), order.Confirmed))
		before.DocumentsWriteDate = At(12, 0)
		after := delivered(later(snapshot(1), order.Confirmed))
		after.Invoices[0].Payment, after.DocumentsWriteDate = "paid", At(12, 1)
		f.upsert(t, before)
		f.upsert(t, after)
		told := f.codes(t, 1)
		require.Equal(t, store.Upserted{Older: 1}, f.upsert(t, before))
		require.Equal(t, told, f.codes(t, 1))
	},

	"AFactIsUniqueInTheDatabase": func(t *testing.T, f fixture) {
		f.upsert(t, later(snapshot(1), order.Confirmed))
		_, err := f.DB().ExecContext(t.Context(), `INSERT INTO history_entries (tenant_id, erp_order_id, position, module, status_code, category,
			severity, payload, detail, written_by, recorded_at, fact_key, hash) VALUES (?, 1, 3, 'order', 'order:confirmed', '', '', '', '', '', ?,
			'status=confirmed#1', '')`, f.tenant, At(12, 0))
		require.Error(t, err)
	},

	"AnOrderThatWasGoneIsRestoredInANewMirror": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{1}, At(11, 0), "sync")
		require.NoError(t, err)
		f.loseMirror(t)
		f.upsert(t, later(snapshot(1), order.Draft))
		require.Equal(t, []string{order.HistoryAppeared, order.HistoryDeleted, order.HistoryRestored}, f.codes(t, 1))
	},

	"ModulesWriteOnceForEachKey": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1), snapshot(2))
		written := f.write(t, damaged(1, "scan 1"))
		require.EqualValues(t, 2, written.ID)
		require.Equal(t, damaged(1, "scan 1").Payload, written.Payload)
		require.Equal(t, "scanner", written.WrittenBy)
		require.NotEmpty(t, written.Hash)

		f.write(t, released(1, "scan 2", 2))
		again, replayed, err := f.WriteHistory(t.Context(), f.tenant, damaged(1, "scan 1"), anyMayClose)
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, written, again, "the answer of then")

		for name, change := range map[string]func(*order.HistoryEntry){
			"order":    func(e *order.HistoryEntry) { e.OrderID = 2 },
			"code":     func(e *order.HistoryEntry) { e.Code = "warehouse:other" },
			"category": func(e *order.HistoryEntry) { e.Category = "other" },
			"severity": func(e *order.HistoryEntry) { e.Severity = order.Info },
			"payload":  func(e *order.HistoryEntry) { e.Payload = "{}" },
			"detail":   func(e *order.HistoryEntry) { e.Detail = "other" },
			"closes":   func(e *order.HistoryEntry) { e.Closes = 2 },
		} {
			e := damaged(1, "scan 1")
			change(&e)
			_, _, err := f.WriteHistory(t.Context(), f.tenant, e, anyMayClose)
			requireCode(t, err, order.Unprocessable, "idempotency_key_reused", name)
		}
		other := damaged(2, "scan 1")
		other.Code = "shop:damaged"
		f.write(t, other) // the key of another module
		_, _, err = f.WriteHistory(t.Context(), f.tenant, damaged(99, "scan 9"), anyMayClose)
		requireNotFound(t, err, "order_not_found")
		f.requireIntact(t)
	},

	"ModulesWriteAtTheSameTime": func(t *testing.T, f fixture) {
		const n = 12
		f.upsert(t, snapshot(1))
		var all sync.WaitGroup
		for i := range 2 * n {
			all.Go(func() {
				_, _, err := f.WriteHistory(t.Context(), f.tenant, damaged(1, fmt.Sprint("scan ", i/2)), anyMayClose)
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() { f.upsertAsync(t, delivered(later(snapshot(1), order.Confirmed))) })
		all.Wait()
		entries := f.history(t, 1)
		require.Len(t, entries, n+7, "each key wrote once")
		for i, e := range entries {
			require.EqualValues(t, i+1, e.ID)
		}
		f.requireIntact(t)
	},

	// As for an order that a process of the version before wrote after the migration.
	"ModulesWriteAtTheSameTimeWhereThereIsNoHistory": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		for _, table := range []string{"history_entries", "history_heads", "history_latest"} {
			f.exec(t, "DELETE FROM "+table+" WHERE tenant_id = ?", f.tenant)
		}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if _, _, err := f.WriteHistory(t.Context(), f.tenant, damaged(1, fmt.Sprint(i)), anyMayClose); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Len(t, f.history(t, 1), 8)
		f.requireIntact(t)
	},

	"ABlockIsClosedByALaterEntry": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1), snapshot(2))
		open := func() (ids []int64) {
			blocks, err := f.OpenBlocks(t.Context(), f.tenant, 1)
			require.NoError(t, err)
			for _, b := range blocks {
				require.True(t, b.Open())
				ids = append(ids, b.ID)
			}
			return ids
		}
		require.Empty(t, open())
		f.write(t, damaged(1, "a"))
		f.write(t, damaged(1, "b"))
		require.Equal(t, []int64{2, 3}, open())

		refused := func(e order.HistoryEntry, mayClose func(order.HistoryEntry) error) error {
			_, _, err := f.WriteHistory(t.Context(), f.tenant, e, mayClose)
			return err
		}
		no := order.Errorf(order.Forbidden, "no", "")
		require.ErrorIs(t, refused(released(1, "c", 2), func(order.HistoryEntry) error { return no }), no)
		requireCode(t, refused(released(1, "c", 1), anyMayClose), order.Unprocessable, "block_not_found", "it blocks nothing")
		requireCode(t, refused(released(1, "c", 9), anyMayClose), order.Unprocessable, "block_not_found", "there is no such entry")
		requireCode(t, refused(released(2, "c", 2), anyMayClose), order.Unprocessable, "block_not_found", "it is another order's")
		require.Equal(t, []int64{2, 3}, open())

		closing := f.write(t, released(1, "c", 2))
		require.Equal(t, []int64{3}, open())
		requireCode(t, refused(released(1, "d", 2), anyMayClose), order.Conflict, "block_closed", "")
		closed := f.history(t, 1)[1]
		require.Equal(t, closing.ID, closed.ClosedBy)
		require.Equal(t, closing.RecordedAt, closed.ClosedAt)

		f.write(t, released(1, "e", 3))
		require.Empty(t, open())
		f.requireIntact(t)
	},

	"WhatModulesWriteIsBounded": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		for i := range order.MaxOpenBlocks {
			f.write(t, damaged(1, fmt.Sprint(i)))
		}
		_, _, err := f.WriteHistory(t.Context(), f.tenant, damaged(1, "more"), anyMayClose)
		requireCode(t, err, order.Conflict, "too_many_blocks", "")
		_, err = f.DB().ExecContext(t.Context(), "UPDATE history_heads SET position = ? WHERE tenant_id = ?", order.MaxEntries, f.tenant)
		require.NoError(t, err)
		note := damaged(1, "note")
		note.Severity = order.Info
		_, _, err = f.WriteHistory(t.Context(), f.tenant, note, anyMayClose)
		requireCode(t, err, order.Conflict, "history_full", "")
		barring := released(1, "in its place", 2)
		barring.Severity = order.Blocking
		_, _, err = f.WriteHistory(t.Context(), f.tenant, barring, anyMayClose)
		requireCode(t, err, order.Conflict, "history_full", "one block for another could go on for ever")
		f.write(t, released(1, "the last", 2))
	},

	"TheStatusIsTheLatestOfEachModule": func(t *testing.T, f fixture) {
		f.upsert(t, delivered(later(snapshot(1), order.Confirmed)))
		f.write(t, damaged(1, "a"))
		f.write(t, damaged(1, "b"))
		f.write(t, released(1, "c", 8))
		status, err := f.HistoryStatus(t.Context(), f.tenant, 1)
		require.NoError(t, err)
		var codes []string
		for _, e := range status.Latest {
			codes = append(codes, e.Code)
		}
		require.Equal(t, []string{order.HistoryInvoicePosted, order.HistoryShipped, "order:confirmed", order.HistoryPartlyPaid, "warehouse:released"}, codes)
		require.Len(t, status.Blocks, 1)
		require.EqualValues(t, 9, status.Blocks[0].ID)

		status, err = f.HistoryStatus(t.Context(), f.tenant, 99)
		require.NoError(t, err)
		require.Empty(t, status.Latest)
	},

	"OrdersAreFoundAndCountedByTheirCodes": func(t *testing.T, f fixture) {
		for id := int64(1); id <= 6; id++ {
			s := snapshot(id)
			s.OrderedAt = At(10, int(id))
			f.upsert(t, s)
		}
		f.write(t, damaged(2, "2"))
		f.write(t, damaged(4, "4"))
		f.write(t, damaged(4, "4 again"))
		f.write(t, damaged(5, "5"))
		f.write(t, released(5, "5 r", 2))
		require.Equal(t, []int64{4, 2}, f.listed(t, order.Filter{Blocked: true}))
		require.Equal(t, []int64{5}, f.listed(t, order.Filter{Code: "warehouse:released"}))
		require.Equal(t, []int64{4, 2}, f.listed(t, order.Filter{Code: "warehouse:damaged"}))
		require.Equal(t, []int64{4, 2}, f.listed(t, order.Filter{Code: "warehouse:damaged", Blocked: true, Status: order.Draft, ERPPartnerID: 9}))
		require.Equal(t, []int64{2}, f.listed(t, order.Filter{Blocked: true, Query: "PO-2"}))
		require.Empty(t, f.listed(t, order.Filter{Code: "warehouse:released", Blocked: true}))
		require.Equal(t, []int64{2}, f.listed(t, order.Filter{Blocked: true, Before: order.Position{OrderedAt: At(10, 4), ID: 4}}))
		require.Equal(t, []int64{4}, f.listed(t, order.Filter{Code: "warehouse:damaged", From: At(10, 3)}))
		require.Equal(t, []int64{2}, f.listed(t, order.Filter{Code: "warehouse:damaged", To: At(10, 3)}))

		moved := later(snapshot(2), order.Draft)
		moved.OrderedAt = At(11, 0)
		f.upsert(t, moved)
		require.Equal(t, []int64{2, 4}, f.listed(t, order.Filter{Blocked: true}), "the order's place changed")
		require.Equal(t, []int64{2, 4}, f.listed(t, order.Filter{Code: "warehouse:damaged"}))
		require.Equal(t, []int64{4}, f.listed(t, order.Filter{Blocked: true, Before: order.Position{OrderedAt: At(11, 0), ID: 2}}))

		_, err := f.MarkDeleted(t.Context(), f.tenant, []int64{4}, At(23, 0), "sync")
		require.NoError(t, err)
		require.Equal(t, []int64{2}, f.listed(t, order.Filter{Blocked: true}))
		require.Equal(t, []int64{4}, f.listed(t, order.Filter{Blocked: true, Sync: order.SyncDeleted}))
		require.Equal(t, []int64{4}, f.listed(t, order.Filter{Code: order.HistoryDeleted, Sync: order.SyncDeleted}))
		require.Empty(t, f.listed(t, order.Filter{Code: order.HistoryDeleted}))

		counts, err := f.HistoryCounts(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, order.HistoryCounts{Blocked: 2, Codes: map[string]int64{order.HistoryAppeared: 5, order.HistoryDeleted: 1,
			"warehouse:damaged": 2, "warehouse:released": 1}}, counts)

		f.loseMirror(t)
		back := snapshot(2)
		back.OrderedAt = At(9, 0)
		f.upsert(t, back, snapshot(4))
		require.Equal(t, []int64{4, 2}, f.listed(t, order.Filter{Blocked: true}), "by the places that they have in the new mirror")
	},

	"AHistoryIsReadInPages": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		for i := range 5 {
			f.write(t, damaged(1, fmt.Sprint(i)))
		}
		var ids []int64
		for filter := (order.HistoryFilter{Limit: 4}); ; {
			page, err := f.History(t.Context(), f.tenant, 1, filter)
			require.NoError(t, err)
			for _, e := range page {
				ids = append(ids, e.ID)
				filter.AfterID = e.ID
			}
			if len(page) < filter.Limit {
				break
			}
		}
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6}, ids)
	},
}

// delivered is an order with a delivery that was shipped, and an invoice that was paid in part.
func delivered(s order.Snapshot) order.Snapshot {
	s.Deliveries = []order.Delivery{{ID: 10 * s.ID, Number: "WH/OUT/00012", State: order.DocumentDelivered, Carrier: "DHL", Tracking: "00340434", DoneAt: At(11, 0)}}
	s.Invoices = []order.Invoice{{ID: 10 * s.ID, Number: "INV/1", State: order.Posted, Payment: "partial", Currency: "EUR", AmountTotal: dec("48.16"),
		AmountDue: dec("40")}}
	return s
}

// damaged is a blocking entry of the warehouse's.
func damaged(orderID int64, key string) order.HistoryEntry {
	return order.HistoryEntry{OrderID: orderID, Code: "warehouse:damaged", Category: "quality", Severity: order.Blocking, Payload: `{"pallet":"17"}`,
		Detail: "crushed — 谢谢", WrittenBy: "scanner", Key: key}
}

// released is an entry of the warehouse's that closes another.
func released(orderID int64, key string, closes int64) order.HistoryEntry {
	return order.HistoryEntry{OrderID: orderID, Code: "warehouse:released", Category: "quality", Severity: order.Info, Closes: closes,
		WrittenBy: "scanner", Key: key}
}

func anyMayClose(order.HistoryEntry) error { return nil }

// write writes an entry that was not written before.
func (f fixture) write(t *testing.T, e order.HistoryEntry) order.HistoryEntry {
	t.Helper()
	written, replayed, err := f.WriteHistory(t.Context(), f.tenant, e, anyMayClose)
	require.NoError(t, err)
	require.False(t, replayed)
	return written
}

func (f fixture) upsertAsync(t *testing.T, s order.Snapshot) {
	if _, err := f.UpsertOrders(t.Context(), f.tenant, []order.Snapshot{s}, "sync"); err != nil {
		t.Error(err)
	}
}

func requireCode(t *testing.T, err error, kind order.Kind, code, why string) {
	t.Helper()
	var e *order.Error
	require.ErrorAs(t, err, &e, why)
	require.Equal(t, code, e.Code, why)
	require.Equal(t, kind, e.Kind, why)
}

// verified returns what a verification of all the tenant's histories finds.
func (f fixture) verified(t *testing.T) []order.HistoryFault {
	t.Helper()
	return verifyAll(t, f.Store, f.tenant).Faults
}

func verifyAll(t *testing.T, s *store.Store, tenant int64) (all order.HistoryCheck) {
	t.Helper()
	for after := int64(0); ; {
		check, last, err := s.VerifyHistory(t.Context(), tenant, after)
		require.NoError(t, err)
		all.Orders += check.Orders
		all.Entries += check.Entries
		all.Faults = append(all.Faults, check.Faults...)
		if last == 0 {
			return all
		}
		after = last
	}
}

func (f fixture) requireIntact(t *testing.T) {
	t.Helper()
	require.Empty(t, f.verified(t))
}
