package ordersync_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store/storetest"
	ordersync "ordergate/sync"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
)

// eachAuditWorld runs a test against sandboxes of both versions on every database, and against both real Odoos.
func eachAuditWorld(t *testing.T, test func(t *testing.T, w *auditWorld)) {
	for _, major := range []int{14, 19} {
		t.Run(fmt.Sprintf("sandbox as %d", major), func(t *testing.T) {
			storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
				t.Parallel()
				test(t, sandboxWorld(t, major, dsn(t)))
			})
		})
	}
	t.Run("Odoo 14 and MariaDB", func(t *testing.T) { test(t, realWorld(t, 14, env.Database(t, env.MariaDB(t)))) })
	t.Run("Odoo 19 and MySQL", func(t *testing.T) { test(t, realWorld(t, 19, env.Database(t, env.MySQL(t)))) })
}

// impossibleIDs are ids that no Odoo has; their sum is more than a database can hold.
var impossibleIDs = []int64{1 << 62, 1<<62 + 1}

func TestAuditFindsNamesAndRepairsEveryKindOfDrift(t *testing.T) {
	t.Parallel()
	eachAuditWorld(t, func(t *testing.T, w *auditWorld) {
		ids := w.orders(t, 16)
		require.Zero(t, w.audit(t, true).FindingCount())
		want := map[int64]order.FindingKind{}

		w.mirror(t, ids[0], "DELETE FROM order_lines WHERE order_id = ?")
		w.mirror(t, ids[0], "DELETE FROM orders WHERE id = ?")
		want[ids[0]] = order.FindingMissing
		w.mirror(t, ids[1], "UPDATE orders SET deleted_at = ? WHERE id = ?", time.Now().UTC())
		want[ids[1]] = order.FindingMissing

		w.people(t, "sale.order", "write", []any{ids[2]}, map[string]any{"client_order_ref": "edited"})
		want[ids[2]] = order.FindingStale
		w.mirror(t, ids[3], "UPDATE orders SET erp_state = 'sale', status = 'confirmed' WHERE id = ?")
		want[ids[3]] = order.FindingStale
		w.mirror(t, ids[4], "UPDATE orders SET note = 'forged', write_date = ? WHERE id = ?", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
		want[ids[4]] = order.FindingStale
		w.mirror(t, ids[5], "UPDATE orders SET erp_partner_id = erp_partner_id + 1 WHERE id = ?")
		want[ids[5]] = order.FindingStale

		w.people(t, "sale.order", "unlink", []any{ids[6]})
		want[ids[6]] = order.FindingDeleted
		w.stray(t, ids[7], ids[15]+5000, nil)
		want[ids[15]+5000] = order.FindingStray
		for _, id := range impossibleIDs {
			w.stray(t, ids[7], id, time.Now().UTC())
			want[id] = order.FindingStray
		}

		w.mirror(t, ids[8], "UPDATE orders SET amount_total = amount_total + 0.01 WHERE id = ?")
		want[ids[8]] = order.FindingAmount
		w.mirror(t, ids[9], "UPDATE orders SET amount_untaxed = amount_untaxed - 0.01, amount_tax = amount_tax + 0.01 WHERE id = ?")
		want[ids[9]] = order.FindingAmount
		w.mirror(t, ids[10], "UPDATE orders SET currency = 'XTS' WHERE id = ?")
		want[ids[10]] = order.FindingAmount

		w.mirror(t, ids[11], "UPDATE order_lines SET quantity = quantity + 1, unit_price = 5 WHERE order_id = ? AND position = 0")
		want[ids[11]] = order.FindingLine
		w.mirror(t, ids[12], "DELETE FROM order_lines WHERE order_id = ? AND position = 1")
		want[ids[12]] = order.FindingLine
		want[ids[13]] = order.FindingLine
		if w.unlinkLine(t, ids[13]) {
			want[ids[13]] = order.FindingStale
		}
		w.later(10 * time.Minute)

		reported := w.audit(t, false)
		found := w.findings(t, reported)
		require.Equal(t, want, kindsOf(found))
		require.Equal(t, len(want), reported.FindingCount())
		require.Zero(t, reported.Repaired)
		for _, f := range found {
			require.Equal(t, order.FindingFound, f.State)
			require.NotEmpty(t, f.Detail)
		}

		repaired := w.audit(t, true)
		require.Equal(t, len(want), repaired.FindingCount())
		require.Zero(t, repaired.Left(), "%+v", w.findings(t, repaired))
		for _, f := range w.findings(t, repaired) {
			require.Equal(t, order.FindingRepaired, f.State)
		}
		for _, id := range []int64{ids[6], ids[15] + 5000, impossibleIDs[0], impossibleIDs[1]} {
			o, err := w.db.Order(t.Context(), w.tenant.ID, id)
			require.NoError(t, err)
			require.False(t, o.DeletedAt.IsZero(), "a tombstone")
		}

		last := w.audit(t, true)
		require.Zero(t, last.FindingCount(), "%+v", w.findings(t, last))
		require.Zero(t, last.Unexplained)
		runs, err := w.ListAuditRuns(t.Context(), operator, order.AuditFilter{})
		require.NoError(t, err)
		require.Len(t, runs, 4)
		require.Equal(t, last.ID, runs[0].ID)
	})
}

// Each sum must lead to what only it shows, without help from the others.
func TestEachSumOfAnAuditShowsItsDrift(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 19} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			w := sandboxWorld(t, major, storetest.SQLite(t))
			ids := w.orders(t, 8)
			empty := w.people(t, "sale.order", "create", map[string]any{"partner_id": w.partner}).(int64)
			require.NoError(t, w.MirrorOrders(t.Context(), []int64{empty}))
			w.later(40 * 24 * time.Hour)
			for _, drift := range []struct {
				what string
				make func()
				want map[int64]order.FindingKind
			}{
				{"a state", func() { w.mirror(t, ids[0], "UPDATE orders SET erp_state = 'sent' WHERE id = ?") },
					map[int64]order.FindingKind{ids[0]: order.FindingStale}},
				{"a customer", func() { w.mirror(t, ids[1], "UPDATE orders SET erp_partner_id = 9 WHERE id = ?") },
					map[int64]order.FindingKind{ids[1]: order.FindingStale}},
				{"a total", func() { w.mirror(t, ids[2], "UPDATE orders SET amount_total = amount_total - 0.01 WHERE id = ?") },
					map[int64]order.FindingKind{ids[2]: order.FindingAmount}},
				{"a tax", func() { w.mirror(t, ids[2], "UPDATE orders SET amount_tax = amount_tax + 0.01 WHERE id = ?") },
					map[int64]order.FindingKind{ids[2]: order.FindingAmount}},
				{"an untaxed amount", func() { w.mirror(t, ids[2], "UPDATE orders SET amount_untaxed = amount_untaxed + 0.01 WHERE id = ?") },
					map[int64]order.FindingKind{ids[2]: order.FindingAmount}},
				{"an order under another's id", func() { w.mirror(t, empty, "UPDATE orders SET erp_order_id = erp_order_id + 1 WHERE id = ?") },
					map[int64]order.FindingKind{empty: order.FindingMissing, empty + 1: order.FindingDeleted}},
				{"a month of creation", func() {
					w.mirror(t, ids[3], "UPDATE orders SET erp_created_at = '2020-01-01 00:00:00+00:00' WHERE id = ?")
				},
					map[int64]order.FindingKind{ids[3]: order.FindingStale}},
				{"a row of an earlier system", func() { w.mirror(t, ids[3], "UPDATE orders SET erp_created_at = NULL WHERE id = ?") },
					map[int64]order.FindingKind{ids[3]: order.FindingStale}},
				{"a day of writing", func() { w.mirror(t, ids[3], "UPDATE orders SET write_date = '2020-01-01 00:00:00+00:00' WHERE id = ?") },
					map[int64]order.FindingKind{ids[3]: order.FindingStale}},
				{"a line for nothing", func() {
					w.mirror(t, ids[4], "UPDATE order_lines SET quantity = 0, position = 1 WHERE order_id = ? AND position = 1")
				},
					map[int64]order.FindingKind{ids[4]: order.FindingLine}},
				{"a line's id", func() {
					w.mirror(t, ids[5], "UPDATE order_lines SET erp_line_id = erp_line_id + 1000 WHERE order_id = ? AND position = 1")
				},
					map[int64]order.FindingKind{ids[5]: order.FindingLine}},
				{"a line's tax", func() {
					w.mirror(t, ids[5], "UPDATE order_lines SET tax = tax + 0.01 WHERE order_id = ? AND position = 1")
				},
					map[int64]order.FindingKind{ids[5]: order.FindingLine}},
				{"a delivered quantity", func() {
					w.mirror(t, ids[5], "UPDATE order_lines SET delivered = 1 WHERE order_id = ? AND position = 1")
				},
					map[int64]order.FindingKind{ids[5]: order.FindingLine}},
				{"an invoiced quantity", func() {
					w.mirror(t, ids[5], "UPDATE order_lines SET invoiced = 1 WHERE order_id = ? AND position = 1")
				},
					map[int64]order.FindingKind{ids[5]: order.FindingLine}},
				{"deliveries that the ERP does not have", func() {
					w.mirror(t, ids[6], `UPDATE orders SET documents = '{"deliveries":[{"id":7,"state":"waiting"},{"id":90000,"state":"ready"}]}' WHERE id = ?`)
				},
					map[int64]order.FindingKind{ids[6]: order.FindingStale}},
				{"an invoice that the ERP does not have", func() {
					w.mirror(t, ids[6], `UPDATE orders SET documents = '{"invoices":[{"id":7,"state":"open","amount_total":"1","amount_due":"1"}]}' WHERE id = ?`)
				},
					map[int64]order.FindingKind{ids[6]: order.FindingStale}},
				{"a line of another order", func() {
					w.mirror(t, ids[7], "UPDATE order_lines SET order_id = ? WHERE order_id = ? AND position = 1", w.rowID(t, ids[6]))
				}, map[int64]order.FindingKind{ids[6]: order.FindingLine, ids[7]: order.FindingLine}},
			} {
				drift.make()
				w.later(time.Minute) // apart from the reading that repaired the one before
				run := w.audit(t, true)
				require.Equal(t, drift.want, kindsOf(w.findings(t, run)), drift.what)
				require.Zero(t, run.Left(), drift.what)
				require.Zero(t, w.audit(t, false).FindingCount(), drift.what)
			}
		})
	}
}

func TestAuditSinceLeavesOlderOrdersAlone(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	old := w.orders(t, 2)
	w.later(24 * time.Hour)
	require.NoError(t, w.erp.Ping(t.Context()))
	w.since = w.erp.Now().Truncate(time.Second)
	fresh := w.orders(t, 1)
	// The first is new to the mirror only: the second lies between it and the third.
	w.mirror(t, old[0], "UPDATE orders SET erp_created_at = ? WHERE id = ?", w.since.Add(time.Second))
	w.mirror(t, old[1], "UPDATE orders SET amount_total = 1 WHERE id = ?")
	w.mirror(t, fresh[0], "UPDATE orders SET amount_total = 1 WHERE id = ?")
	require.Equal(t, map[int64]order.FindingKind{old[0]: order.FindingStale, fresh[0]: order.FindingAmount},
		kindsOf(w.findings(t, w.audit(t, true))))
	w.since = time.Time{}
	require.Equal(t, map[int64]order.FindingKind{old[1]: order.FindingAmount}, kindsOf(w.findings(t, w.audit(t, true))))
}

// Which company an order is stored under is the mirror's own doing, and so is putting it right.
func TestAuditCorrectsWhoseCustomersOrdersAre(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 2)
	listed := func() int {
		listing, err := w.db.ListOrders(t.Context(), w.tenant.ID, order.Filter{CompanyID: w.partner})
		require.NoError(t, err)
		return len(listing.Orders)
	}
	before := listed()
	w.mirror(t, ids[0], "UPDATE orders SET erp_company_id = 0 WHERE id = ?")
	require.Zero(t, w.audit(t, false).FindingCount())
	require.Equal(t, before-1, listed(), "nothing was to be repaired")
	require.Zero(t, w.audit(t, true).FindingCount())
	require.Equal(t, before, listed())
}

// Sums must lead to old orders too, whose dates are not looked at one by one.
func TestAuditFindsDriftOfLongAgo(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 19} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			w := sandboxWorld(t, major, storetest.SQLite(t))
			ids := w.orders(t, 3)
			w.later(24 * time.Hour)
			w.people(t, "sale.order", "write", []any{ids[0]}, map[string]any{"client_order_ref": "edited the day after"})
			w.later(40 * 24 * time.Hour)
			w.orders(t, 2)
			w.unlinkLine(t, ids[1])
			w.people(t, "sale.order", "unlink", []any{ids[2]})
			w.later(40 * 24 * time.Hour)

			run := w.audit(t, true)
			require.Equal(t, map[int64]order.FindingKind{ids[0]: order.FindingStale, ids[1]: order.FindingLine, ids[2]: order.FindingDeleted},
				kindsOf(w.findings(t, run)))
			require.Zero(t, run.Left())
			require.NotZero(t, w.erp.heads.Load(), "the day of the edit led to it")
		})
	}
}

// Two edits on one day leave no sum different: the dates of what was written since the last audit do.
func TestAuditLooksAtTheDatesOfWhatWasWrittenSinceTheLastOne(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	// In the middle of a day, so that nothing below crosses midnight.
	w.later(36*time.Hour - time.Duration(time.Now().UTC().Hour())*time.Hour)
	ids := w.orders(t, 2)
	require.Zero(t, w.audit(t, true).FindingCount())
	w.later(time.Minute)
	w.people(t, "sale.order", "write", []any{ids[0]}, map[string]any{"client_order_ref": "edited"})
	snapshots, err := w.erp.Orders(t.Context(), ids[1:])
	require.NoError(t, err)
	w.people(t, "sale.order.line", "write", []any{snapshots[0].Lines[0].ERPLineID}, map[string]any{"name": "described anew"})
	w.later(time.Hour)
	require.Equal(t, map[int64]order.FindingKind{ids[0]: order.FindingStale, ids[1]: order.FindingStale},
		kindsOf(w.findings(t, w.audit(t, true))))
}

// unseen makes the mirror miss an edit that only the order's date shows: the order was written on the same day before.
func (w *auditWorld) unseen(t *testing.T) int64 {
	t.Helper()
	w.later(36*time.Hour - time.Duration(w.cfg.Clock().UTC().Hour())*time.Hour) // the middle of a day
	id := w.orders(t, 1)[0]
	require.Zero(t, w.audit(t, true).FindingCount())
	w.later(time.Minute)
	w.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": "edited"})
	return id
}

// What an audit finds and leaves, whatever the reason, the next ones look at again until it is repaired.
func TestWhatAnAuditLeftIsFoundAgain(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]struct {
		repair bool
		state  order.FindingState
	}{"a report": {false, order.FindingFound}, "a repair that failed": {true, order.FindingFailed}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
				t.Parallel()
				w := sandboxWorld(t, 19, dsn(t))
				id := w.unseen(t)
				w.later(10 * time.Minute)
				w.cfg.Mirror, w.cfg.Registerer = &deafMirror{Mirror: w.db, keep: true}, nil
				deaf, err := ordersync.New(w.cfg)
				require.NoError(t, err)
				defer deaf.Close()
				noon, err := deaf.Audit(t.Context(), ordersync.AuditOptions{Repair: first.repair})
				require.NoError(t, err)
				require.Equal(t, first.state, w.findings(t, noon)[id].State)

				w.later(10 * 24 * time.Hour) // longer than any look at dates
				again := w.audit(t, false)
				require.Equal(t, map[int64]order.FindingKind{id: order.FindingStale}, kindsOf(w.findings(t, again)))
				require.NoError(t, w.AuditIfDue(t.Context()))
				require.EqualValues(t, 1, w.gathered(t)["ordergate_audit_findings_left"])

				w.later(24 * time.Hour)
				nightly := w.audit(t, true)
				require.Equal(t, 1, nightly.Repaired)
				require.Zero(t, w.audit(t, true).FindingCount())
				for _, run := range []order.AuditRun{noon, again, nightly} {
					f := w.findings(t, run)[id]
					require.Equal(t, order.FindingRepaired, f.State, "it is at an end in every run")
					require.False(t, f.EndedAt.IsZero())
				}
				w.erp.reads.Store(0)
				w.audit(t, true)
				require.Zero(t, w.erp.reads.Load(), "and is not looked at any more")
			})
		})
	}
}

// The longer an audit waits, the longer ago an order may have been written that it leaves to the sync.
func TestTheNextAuditLooksAtWhatWasUnsettled(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	id := w.unseen(t)
	w.later(20 * time.Minute)
	run, err := w.Audit(t.Context(), ordersync.AuditOptions{Repair: true, Pause: time.Hour})
	require.NoError(t, err)
	require.Zero(t, run.FindingCount())
	require.Equal(t, 1, run.Unsettled)
	w.later(24 * time.Hour)
	require.Equal(t, map[int64]order.FindingKind{id: order.FindingStale}, kindsOf(w.findings(t, w.audit(t, true))))
}

func TestAuditWithoutDriftAsksLittle(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 19} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			w := sandboxWorld(t, major, storetest.SQLite(t))
			w.orders(t, 60)
			w.later(40 * 24 * time.Hour)
			w.orders(t, 60)
			w.later(40 * 24 * time.Hour)
			w.erp.reads.Store(0)
			run := w.audit(t, true)
			require.Zero(t, run.FindingCount())
			require.EqualValues(t, 9, run.Calls, "heads of orders, lines and documents, orders by month, lines, days, documents")
			require.Less(t, run.Rows, int64(15), "two months and days, and the sandbox's own orders")
			require.Zero(t, w.erp.reads.Load(), "no order is read")
			require.EqualValues(t, 1, w.erp.totals.Load())
		})
	}
}

func TestAuditReadsOnlyTheOrdersAroundADifference(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 450)
	w.later(2 * 24 * time.Hour)
	w.mirror(t, ids[200], "UPDATE orders SET amount_total = amount_total + 0.01 WHERE id = ?")
	run := w.audit(t, true)
	require.Equal(t, map[int64]order.FindingKind{ids[200]: order.FindingAmount}, kindsOf(w.findings(t, run)))
	require.Less(t, run.Rows, int64(600), "one range of a hundred orders and their lines, twice")
	require.Less(t, run.Calls, int64(30))

	w.mirror(t, ids[200], "UPDATE orders SET erp_created_at = '2020-01-01 00:00:00+00:00' WHERE id = ?")
	w.later(time.Minute)
	require.Equal(t, map[int64]order.FindingKind{ids[200]: order.FindingStale}, kindsOf(w.findings(t, w.audit(t, true))),
		"the month leads to it down to the last range")
}

// What was written lately is the sync's, and so is what the sync brings while the audit waits.
func TestAuditLeavesToTheSyncWhatItsTurnHasNotComeFor(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 3)
	fresh := w.newOrder(t)
	w.people(t, "sale.order", "write", []any{ids[0]}, map[string]any{"client_order_ref": "edited"})
	run := w.audit(t, true)
	require.Zero(t, run.FindingCount())
	require.Equal(t, 2, run.Unsettled)
	w.later(10 * time.Minute)
	require.Equal(t, map[int64]order.FindingKind{ids[0]: order.FindingStale, fresh: order.FindingMissing},
		kindsOf(w.findings(t, w.audit(t, false))))

	// A sync that runs in the pause takes the differences away.
	w.people(t, "sale.order", "unlink", []any{ids[1]})
	w.later(10 * time.Minute)
	w.cfg.SyncInterval, w.cfg.Registerer = 500*time.Millisecond, nil
	slow, err := ordersync.New(w.cfg)
	require.NoError(t, err)
	defer slow.Close()
	done := make(chan order.AuditRun)
	go func() {
		run, _ := slow.Audit(context.WithoutCancel(t.Context()), ordersync.AuditOptions{})
		done <- run
	}()
	for w.erp.reads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, w.FullSync(t.Context(), ordersync.FullSyncOptions{}))
	run = <-done
	require.Equal(t, order.AuditDone, run.State)
	require.Zero(t, run.FindingCount())
}

// What the gateway's user may not see in Odoo, another company's orders, is no deleted order.
func TestAuditTellsHiddenOrdersFromDeletedOnes(t *testing.T) {
	t.Parallel()
	for name, world := range map[string]func(t *testing.T) *auditWorld{
		"Odoo 14": func(t *testing.T) *auditWorld { return realWorld(t, 14, env.Database(t, env.MariaDB(t))) },
		"Odoo 19": func(t *testing.T) *auditWorld { return realWorld(t, 19, env.Database(t, env.MySQL(t))) },
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t)
			ids := w.orders(t, 2)
			company := w.people(t, "res.company", "create", map[string]any{"name": fmt.Sprint("Hidden ", time.Now().UnixNano())}).(int64)
			users := w.people(t, "res.users", "search", []any{[]any{"login", "=", w.server.AdminUser}})
			w.people(t, "res.users", "write", users, map[string]any{"company_ids": []any{[]any{4, company}}})
			answer, err := odoorpc.Execute(w.server.URL, w.server.Database, w.server.AdminUser, w.server.AdminPassword, "sale.order", "create",
				[]any{map[string]any{"partner_id": w.partner, "company_id": company}},
				map[string]any{"context": map[string]any{"allowed_company_ids": []any{company}}})
			require.NoError(t, err)
			hidden := answer.(int64)
			// As if the mirror had read it when it was the gateway's company's.
			w.stray(t, ids[0], hidden, time.Now().UTC())
			w.people(t, "sale.order", "unlink", []any{ids[1]})
			w.later(10 * time.Minute)

			run := w.audit(t, true)
			require.Equal(t, map[int64]order.FindingKind{hidden: order.FindingStray, ids[1]: order.FindingDeleted}, kindsOf(w.findings(t, run)))
			require.Zero(t, run.Left())
			require.Zero(t, w.audit(t, true).FindingCount())
		})
	}
}
