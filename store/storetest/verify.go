package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// verifyTests tamper with histories past the store.
var verifyTests = map[string]func(t *testing.T, f fixture){
	"AnIntactHistoryHasNoFaults": func(t *testing.T, f fixture) {
		f.tell(t)
		check := verifyAll(t, f.Store, f.tenant)
		require.Equal(t, order.HistoryCheck{Orders: 3, Entries: 9}, check)
		one, err := f.VerifyOrderHistory(t.Context(), f.tenant, 2)
		require.NoError(t, err)
		require.Equal(t, order.HistoryCheck{Orders: 1, Entries: 7}, one)
		_, err = f.VerifyOrderHistory(t.Context(), f.tenant, 99)
		requireNotFound(t, err, "order_not_found")
		f.loseMirror(t)
		require.Equal(t, check, verifyAll(t, f.Store, f.tenant), "the histories do not need the mirror")
	},

	// Each column is part of what is chained.
	"AChangedEntryIsFound": func(t *testing.T, f fixture) {
		f.tell(t)
		for _, change := range []string{
			"status_code = 'order:cancelled'", "category = 'other'", "severity = 'info'", "payload = '{}'", "detail = 'other'", "closes = 2",
			"written_by = 'other'", "recorded_at = '2026-01-02 03:04:05.000006'", "request_key = 'other'", "module = 'other'", "hash = 'other'",
		} {
			f.tampered(t, "UPDATE history_entries SET "+change+" WHERE tenant_id = ? AND erp_order_id = 2 AND position = 4", order.FaultChanged, 4)
		}
		f.tampered(t, "UPDATE history_entries SET fact_key = 'other' WHERE tenant_id = ? AND erp_order_id = 2 AND position = 2", order.FaultChanged, 2)
		f.tampered(t, "UPDATE history_entries SET detail = 'other' WHERE tenant_id = ? AND erp_order_id = 2 AND position = 7", order.FaultChanged, 7)
	},

	"AnEntryThatWasRemovedIsFound": func(t *testing.T, f fixture) {
		f.tell(t)
		f.tampered(t, "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2 AND position = 1", order.FaultGap, 2)
		f.tampered(t, "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2 AND position = 4", order.FaultGap, 5)
		f.tampered(t, "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2 AND position = 7", order.FaultCut, 7)
		f.tampered(t, "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2 AND position > 2", order.FaultCut, 7)
		f.tampered(t, "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2", order.FaultCut, 0)
	},

	"ARemovedHistoryIsFound": func(t *testing.T, f fixture) {
		f.tell(t)
		f.exec(t, "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2", f.tenant)
		f.exec(t, "DELETE FROM history_latest WHERE tenant_id = ? AND erp_order_id = 2", f.tenant)
		f.exec(t, "DELETE FROM history_blocks WHERE tenant_id = ? AND erp_order_id = 2", f.tenant)
		f.exec(t, "DELETE FROM history_heads WHERE tenant_id = ? AND erp_order_id = 2", f.tenant)
		faults := f.verified(t)
		require.Len(t, faults, 1)
		require.Equal(t, order.FaultNone, faults[0].Kind)
		require.EqualValues(t, 2, faults[0].OrderID)
	},

	"AnEntryThatWasPutInBetweenIsFound": func(t *testing.T, f fixture) {
		f.tell(t)
		insert := `INSERT INTO history_entries (tenant_id, erp_order_id, position, module, status_code, category, severity, payload, detail, written_by,
			recorded_at, hash) SELECT tenant_id, erp_order_id, %s, module, 'warehouse:packed', category, 'info', payload, detail, written_by, recorded_at, hash
			FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2 AND position = 4`
		f.tampered(t, fmt.Sprintf(insert, "8"), order.FaultBehind, 8)
		f.tampered(t, fmt.Sprintf(insert, "0"), order.FaultGap, 0)

		// The entries behind it make room.
		f.exec(t, "UPDATE history_entries SET position = position + 100 WHERE tenant_id = ? AND erp_order_id = 2 AND position > 4", f.tenant)
		f.exec(t, "UPDATE history_entries SET position = position - 99 WHERE tenant_id = ? AND erp_order_id = 2 AND position > 100", f.tenant)
		f.exec(t, fmt.Sprintf(insert, "5"), f.tenant)
		f.requireFault(t, order.FaultChanged, 5)
	},

	// One who knows how entries are chained makes a false one that fits. What comes after it does not.
	"AChangedEntryWithARightHashIsFound": func(t *testing.T, f fixture) {
		f.tell(t)
		entries := f.history(t, 2)
		forged := entries[3]
		forged.Detail = "other"
		f.exec(t, "UPDATE history_entries SET detail = 'other', hash = ? WHERE tenant_id = ? AND erp_order_id = 2 AND position = 4",
			forged.Chain(entries[2].Hash, f.tenant), f.tenant)
		f.requireFault(t, order.FaultChanged, 5)

		forged = f.history(t, 2)[6]
		forged.Detail = "other"
		f.exec(t, "UPDATE history_entries SET detail = 'other', hash = ? WHERE tenant_id = ? AND erp_order_id = 2 AND position = 7",
			forged.Chain(entries[5].Hash, f.tenant), f.tenant)
		f.requireFault(t, order.FaultHead, 7)
	},

	"WhatStandsBesideTheEntriesIsCompared": func(t *testing.T, f fixture) {
		f.tell(t)
		f.tampered(t, "DELETE FROM history_heads WHERE tenant_id = ? AND erp_order_id = 2", order.FaultHead, 0)
		f.tampered(t, "UPDATE history_heads SET hash = 'other' WHERE tenant_id = ? AND erp_order_id = 2", order.FaultHead, 7)
		f.tampered(t, "DELETE FROM history_blocks WHERE tenant_id = ? AND erp_order_id = 2", order.FaultDerived, 0)
		f.tampered(t, "UPDATE history_blocks SET positions = 'x' WHERE tenant_id = ? AND erp_order_id = 2", order.FaultDerived, 0)
		f.tampered(t, "UPDATE history_latest SET status_code = 'order:draft' WHERE tenant_id = ? AND erp_order_id = 2 AND module = 'order'",
			order.FaultDerived, 0)
		f.tampered(t, "DELETE FROM history_latest WHERE tenant_id = ? AND erp_order_id = 2 AND module = 'order'", order.FaultDerived, 0)
	},

	// Orders are written to after somebody was at their histories, and what was done stays to be found.
	"WritingGoesOnAndHidesNothing": func(t *testing.T, f fixture) {
		for name, statement := range map[string]string{
			"cut":    "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2 AND position = 7",
			"behind": "UPDATE history_entries SET position = 8 WHERE tenant_id = ? AND erp_order_id = 2 AND position = 7",
			"head":   "DELETE FROM history_heads WHERE tenant_id = ? AND erp_order_id = 2",
			"all":    "DELETE FROM history_entries WHERE tenant_id = ? AND erp_order_id = 2",
		} {
			t.Run(name, func(t *testing.T) {
				f := newFixture(t, f.Store)
				f.tell(t)
				f.exec(t, statement, f.tenant)
				require.NotEmpty(t, f.verified(t))
				f.upsert(t, later(later(snapshot(2), order.Confirmed), order.Cancelled))
				f.write(t, damaged(2, "later"))
				require.NotEmpty(t, f.verified(t))
			})
		}
	},
}

// tell gives three orders histories: the second has seven entries, of which the fourth is of a module and blocks.
func (f fixture) tell(t *testing.T) {
	t.Helper()
	f.upsert(t, snapshot(1), snapshot(2), snapshot(3))
	f.upsert(t, later(snapshot(2), order.Confirmed))
	for _, key := range []string{"a", "b", "c", "d"} {
		f.write(t, damaged(2, key))
	}
	f.write(t, released(2, "e", 4))
}

// tampered does something to the tables, demands that a verification finds it, and undoes it.
func (f fixture) tampered(t *testing.T, statement string, kind order.HistoryFaultKind, entryID int64) {
	t.Helper()
	tables := []string{"history_entries", "history_heads", "history_latest", "history_blocks"}
	for _, table := range tables {
		f.exec(t, "DELETE FROM "+table+" WHERE tenant_id = ?", -f.tenant)
		f.exec(t, fmt.Sprintf("INSERT INTO %[1]s SELECT %[2]s FROM %[1]s WHERE tenant_id = ?", table, f.columns(t, table)), f.tenant)
	}
	f.exec(t, statement, f.tenant)
	f.requireFault(t, kind, entryID)
	for _, table := range tables {
		f.exec(t, "DELETE FROM "+table+" WHERE tenant_id = ?", f.tenant)
		f.exec(t, "UPDATE "+table+" SET tenant_id = -tenant_id WHERE tenant_id = ?", -f.tenant)
	}
	f.requireIntact(t)
}

// columns are those of a table, the tenant's number negated.
func (f fixture) columns(t *testing.T, table string) string {
	t.Helper()
	rows, err := f.DB().QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE 1 = 0")
	require.NoError(t, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	return strings.Replace(strings.Join(names, ", "), "tenant_id", "-tenant_id", 1)
}

func (f fixture) requireFault(t *testing.T, kind order.HistoryFaultKind, entryID int64) {
	t.Helper()
	for _, fault := range f.verified(t) {
		require.EqualValues(t, 2, fault.OrderID)
		if fault.Kind == kind && fault.EntryID == entryID {
			return
		}
	}
	require.Failf(t, "not found", "%s at entry %d in %v", kind, entryID, f.verified(t))
}

func (f fixture) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	var err error
	for range 5 { // SQLite lets one write at a time, and is not fair
		if _, err = f.DB().ExecContext(t.Context(), statement, args...); err == nil || !strings.Contains(err.Error(), "SQLITE_BUSY") {
			break
		}
	}
	require.NoError(t, err, statement)
}
