package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/order"
	"ordergate/store"
)

// exerciseQueuePlans asks how the database would run the queries that grow with the intents that wait and that are over.
func exerciseQueuePlans(t *testing.T, s *store.Store) {
	f := newFixture(t, s)
	for _, state := range []order.IntentState{order.Queued, order.Placed, order.Rejected} {
		const rows = 1500
		var values []any
		for i := range rows {
			values = append(values, f.tenant, fmt.Sprint("source ", i%3), fmt.Sprint(state, i), string(state),
				fmt.Sprint("ref:", i%400), At(9, i), At(9, i))
		}
		_, err := f.DB().ExecContext(t.Context(), "INSERT INTO intents (tenant_id, source, idempotency_key, fingerprint, state,"+
			" request, plan, caller, lease_token, attempts, acknowledged, customer, created_at, updated_at) VALUES "+
			strings.TrimSuffix(strings.Repeat("(?, ?, ?, '', ?, '{}', '{}', '', '', 1, 1, ?, ?, ?),", rows), ","), values...)
		require.NoError(t, err)
	}
	for i := range 30 {
		f.insert(t, fmt.Sprint("sending", i), func(in *order.Intent) { in.LeaseToken = fmt.Sprint("token ", i) })
	}
	f.analyze(t, "intents")
	if f.Dialect() == migrations.MySQL {
		f.exerciseQueueReads(t)
	}

	forced := func(index string) string {
		if f.Dialect() == migrations.SQLite {
			return ""
		}
		return " FORCE INDEX (" + index + ")"
	}
	where := fmt.Sprint(" WHERE tenant_id = ", f.tenant, " AND ")
	newest := " ORDER BY created_at DESC, id DESC LIMIT 20"
	free := "(lease_token = '' OR lease_until <= '2026-03-14 10:00:00')"
	for name, c := range map[string]struct{ query, index string }{
		"queue": {"SELECT i.id, i.source, i.customer FROM intents i" + forced("idx_intents_queue") +
			fmt.Sprint(" WHERE i.tenant_id = ", f.tenant) + " AND i.state = 'queued' AND " + free +
			" AND NOT EXISTS (SELECT 1 FROM intents s" + forced("idx_intents_customer") + " WHERE s.tenant_id = i.tenant_id" +
			" AND s.customer = i.customer AND s.state = 'sending' AND s.source = i.source AND s.acknowledged = 1)" +
			" AND NOT (i.source = 'source 1' AND i.customer IN ('ref:1', 'ref:2')) ORDER BY i.id LIMIT 20", "idx_intents_queue"},
		"listing of a state":    {"SELECT id FROM intents" + forced("idx_intents_state") + where + "state = 'rejected'" + newest, "idx_intents_state"},
		"listing of a source":   {"SELECT id FROM intents" + forced("idx_intents_source") + where + "state = 'placed' AND source = 'source 1'" + newest, "idx_intents_source"},
		"listing of a customer": {"SELECT id FROM intents" + forced("idx_intents_customer") + where + "state = 'placed' AND customer = 'ref:1'" + newest, "idx_intents_customer"},
		"purge": {"SELECT id FROM intents" + forced("idx_intents_state") + where + "state = 'placed' AND updated_at < '2026-03-14 10:00:00'" +
			" AND created_at < '2026-03-14 10:00:00' ORDER BY created_at LIMIT 20", "idx_intents_state"},
		"leases": {"SELECT id FROM intents" + where + "lease_token IN ('token 1', 'token 2')", "idx_intents_lease"},
	} {
		t.Run(name, func(t *testing.T) { requireIndexed(t, f.plan(t, c.query), c.index) })
	}
}

// exerciseQueueReads counts the rows that the store's own calls touch.
func (f fixture) exerciseQueueReads(t *testing.T) {
	limit := f.DB().Stats().MaxOpenConnections
	f.DB().SetMaxOpenConns(1) // the counters are those of a connection
	defer f.DB().SetMaxOpenConns(limit)

	list := func(filter order.IntentFilter) func() error {
		filter.Limit = 20
		return func() error {
			page, err := f.ListIntents(t.Context(), f.tenant, filter)
			if err == nil && len(page) != 20 {
				err = fmt.Errorf("%d intents listed", len(page))
			}
			return err
		}
	}
	page, err := f.ListIntents(t.Context(), f.tenant, order.IntentFilter{Limit: 1, States: []order.IntentState{order.Placed}, To: At(20, 0)})
	require.NoError(t, err)
	middle := page[0].ID
	nothing := f.rowsRead(t, func() error { return nil })
	for name, call := range map[string]func() error{
		"intents":                       list(order.IntentFilter{}),
		"intents, later page":           list(order.IntentFilter{BeforeID: middle}),
		"intents of a source":           list(order.IntentFilter{Source: "source 1", BeforeID: middle}),
		"intents of a state":            list(order.IntentFilter{States: []order.IntentState{order.Rejected}, BeforeID: middle}),
		"intents of a source and state": list(order.IntentFilter{Source: "source 1", States: []order.IntentState{order.Rejected}}),
		"intents of a period":           list(order.IntentFilter{From: At(15, 0), To: At(15, 30)}),
		"claim": func() error {
			claimed, err := f.ClaimQueued(t.Context(), f.tenant, 5, lease("reader", At(12, 30)))
			if err == nil && len(claimed) != 5 {
				err = fmt.Errorf("%d claimed", len(claimed))
			}
			return err
		},
		"renew": func() error {
			_, err := f.RenewLeases(t.Context(), f.tenant, []string{"token 1", "token 2", "gone"}, At(12, 2))
			return err
		},
		"due": func() error { _, err := f.DueIntents(t.Context(), f.tenant, At(23, 0), 10); return err },
		"purge": func() error {
			n, err := f.PurgeIntents(t.Context(), f.tenant, At(20, 0), 10)
			if err == nil && n != 10 {
				err = fmt.Errorf("%d purged", n)
			}
			return err
		},
	} {
		t.Run("rows read: "+name, func(t *testing.T) {
			require.Less(t, f.rowsRead(t, call)-nothing, int64(500))
		})
	}
}
