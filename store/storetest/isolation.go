package storetest

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// exerciseIsolation gives two tenants the same ids, keys and names, lets the second call every method on what is the
// first one's, and demands that the first one's rows stay as they were and are never seen.
func exerciseIsolation(t *testing.T, s *store.Store) {
	owner := newFixture(t, s)
	key := owner.populate(t)
	tables := []string{"orders", "order_lines", "history_entries", "history_heads", "history_latest", "history_blocks", "order_terms", "intents", "products", "customers", "sync_cursors", "api_keys",
		"dedupe_archive", "webhooks", "audit_runs", "audit_findings", "sync_leases", "sync_backfills"}
	contents := func() []string {
		var all []string
		for _, table := range tables {
			rows := owner.rows(t, table)
			require.NotEmpty(t, rows, table)
			all = append(all, rows...)
		}
		return all
	}
	intent, waiting, held := owner.stored(t, "k"), owner.stored(t, "waiting"), owner.stored(t, "held")
	archive := owner.number(t, "SELECT id FROM dedupe_archive WHERE tenant_id = ?", owner.tenant)
	audit := owner.begun(t, nightly("2026-03-14"), "owner")
	finding := owner.finding(t, audit.ID, 1, order.FindingLine)
	before := contents()

	ctx := t.Context()
	// Each call is made by a tenant without rows of its own; seen is what it got of the owner's.
	calls := map[string]func(t *testing.T, f fixture) (seen any, err error){
		"Intent": func(t *testing.T, f fixture) (any, error) {
			_, err := f.Intent(ctx, f.tenant, "portal", "k")
			return nil, missing(err)
		},
		"ListIntents": func(t *testing.T, f fixture) (any, error) {
			var seen []order.Intent
			for _, filter := range []order.IntentFilter{{}, {Source: "portal"}, {BeforeID: 1 << 40},
				{States: []order.IntentState{order.Queued}}} {
				page, err := f.ListIntents(ctx, f.tenant, filter)
				if err != nil {
					return nil, err
				}
				seen = append(seen, page...)
			}
			return list(seen, nil)
		},
		"ClaimIntents": func(t *testing.T, f fixture) (any, error) {
			stolen := lease("thief", At(23, 0))
			stolen.Held, stolen.Anew = []string{"t1"}, []int64{intent.ID, waiting.ID}
			return list(f.ClaimIntents(ctx, f.tenant, []int64{intent.ID, waiting.ID}, stolen))
		},
		"ClaimQueued": func(t *testing.T, f fixture) (any, error) {
			return list(f.ClaimQueued(ctx, f.tenant, 10, lease("thief", At(23, 0))))
		},
		"DueIntents": func(t *testing.T, f fixture) (any, error) { return list(f.DueIntents(ctx, f.tenant, At(23, 0), 10)) },
		"RenewLeases": func(t *testing.T, f fixture) (any, error) {
			return list(f.RenewLeases(ctx, f.tenant, []string{"t1"}, At(23, 0)))
		},
		"SavePlans": func(t *testing.T, f fixture) (any, error) {
			return list(f.SavePlans(ctx, f.tenant, "t1", map[int64]order.Plan{intent.ID: intent.Plan}))
		},
		"EndAttempts": func(t *testing.T, f fixture) (any, error) {
			return list(f.EndAttempts(ctx, f.tenant, "t1", []store.End{{IntentID: intent.ID, State: order.Rejected}}))
		},
		"PlaceIntents": func(t *testing.T, f fixture) (any, error) {
			placed, err := f.PlaceIntents(ctx, f.tenant, "t1", []store.Placed{placing(&intent, later(snapshot(1), order.Cancelled))})
			return len(placed), err
		},
		"CloseQueued": func(t *testing.T, f fixture) (any, error) {
			return f.CloseQueued(ctx, f.tenant, held.ID, "t1", nil)
		},
		"CancelWaiting": func(t *testing.T, f fixture) (any, error) { return f.CancelWaiting(ctx, f.tenant, waiting.ID, nil) },
		"RequestCancel": func(t *testing.T, f fixture) (any, error) {
			return f.RequestCancel(ctx, f.tenant, intent.ID, At(23, 0), At(23, 0))
		},
		"RetryIntent": func(t *testing.T, f fixture) (any, error) { return f.RetryIntent(ctx, f.tenant, intent.ID, At(23, 0)) },
		"PurgeIntents": func(t *testing.T, f fixture) (any, error) {
			return f.PurgeIntents(ctx, f.tenant, time.Now().Add(time.Hour), 10)
		},
		"CountIntents": func(t *testing.T, f fixture) (any, error) { return f.CountIntents(ctx, f.tenant) },
		"InsertIntent": func(t *testing.T, f fixture) (any, error) { return nil, f.InsertIntent(ctx, f.intent("k")) },
		"UpsertOrders": func(t *testing.T, f fixture) (any, error) {
			counts, err := f.UpsertOrders(ctx, f.tenant, []order.Snapshot{later(snapshot(1), order.Cancelled)}, "sync")
			require.Equal(t, store.Upserted{Created: 1}, counts)
			return nil, err
		},
		"Order": func(t *testing.T, f fixture) (any, error) {
			_, err := f.Order(ctx, f.tenant, 1)
			return nil, missing(err)
		},
		"ListOrders": func(t *testing.T, f fixture) (any, error) {
			var seen []order.Order
			for _, filter := range []order.Filter{{}, {CompanyID: 9}, {CustomerRef: "u-17"}, {ERPPartnerID: 9}, {Query: "s"},
				{Status: order.Draft}, {Blocked: true}, {Code: "warehouse:damaged"}, {Code: "warehouse:damaged", CompanyID: 9}} {
				listing, err := f.ListOrders(ctx, f.tenant, filter)
				if err != nil {
					return nil, err
				}
				seen = append(seen, listing.Orders...)
			}
			return list(seen, nil)
		},
		"AdoptOrders": func(t *testing.T, f fixture) (any, error) {
			adoptions := []store.Adoption{{ERPOrderID: 1, Source: "thief", Keys: []store.AdoptedKey{{Source: "portal", Key: "k"}}}}
			done, err := f.AdoptOrders(ctx, f.tenant, adoptions, true)
			require.Equal(t, []store.Adopted{{}}, done)
			if err == nil {
				done, err = f.AdoptOrders(ctx, f.tenant, adoptions, false)
				require.Equal(t, []store.Adopted{{Sourced: true, Keys: 1}}, done, "the key is free here")
			}
			return nil, err
		},
		"Briefs": func(t *testing.T, f fixture) (any, error) { return list(f.Briefs(ctx, f.tenant, 0, 10)) },
		"OrderHeads": func(t *testing.T, f fixture) (any, error) {
			heads, err := f.OrderHeads(ctx, f.tenant, []int64{1})
			return len(heads), err
		},
		"CountOrders":     func(t *testing.T, f fixture) (any, error) { return f.CountOrders(ctx, f.tenant, order.IDRange{}) },
		"PartnerOrderIDs": func(t *testing.T, f fixture) (any, error) { return list(f.PartnerOrderIDs(ctx, f.tenant, 9, 0, 10)) },
		"OrderIDs":        func(t *testing.T, f fixture) (any, error) { return list(f.OrderIDs(ctx, f.tenant, 0, 10)) },
		"MarkDeleted": func(t *testing.T, f fixture) (any, error) {
			return f.MarkDeleted(ctx, f.tenant, []int64{1}, At(23, 0), "sync")
		},
		"History": func(t *testing.T, f fixture) (any, error) {
			return list(f.History(ctx, f.tenant, 1, order.HistoryFilter{}))
		},
		"HistoryStatus": func(t *testing.T, f fixture) (any, error) {
			status, err := f.HistoryStatus(ctx, f.tenant, 1)
			return len(status.Latest) + len(status.Blocks), err
		},
		"OpenBlocks": func(t *testing.T, f fixture) (any, error) { return list(f.OpenBlocks(ctx, f.tenant, 1)) },
		"KnownFacts": func(t *testing.T, f fixture) (any, error) {
			known, err := f.KnownFacts(ctx, f.tenant, 1)
			return len(known), err
		},
		"TellHistory": func(t *testing.T, f fixture) (any, error) {
			err := f.TellHistory(ctx, f.tenant, 1, "thief", func(known order.Known) []order.HistoryEntry {
				return known.NewsOfPurchases(1, []order.Purchase{{ID: 17}})
			})
			return nil, missing(err)
		},
		"HistoryCounts": func(t *testing.T, f fixture) (any, error) {
			counts, err := f.HistoryCounts(ctx, f.tenant)
			return len(counts.Codes) + int(counts.Blocked), err
		},
		"WriteHistory": func(t *testing.T, f fixture) (any, error) {
			_, _, err := f.WriteHistory(ctx, f.tenant, damaged(1, "scan 1"), anyMayClose)
			return nil, missing(err)
		},
		"VerifyHistory": func(t *testing.T, f fixture) (any, error) {
			check, last, err := f.VerifyHistory(ctx, f.tenant, 0)
			return int(check.Orders + last), err
		},
		"VerifyOrderHistory": func(t *testing.T, f fixture) (any, error) {
			_, err := f.VerifyOrderHistory(ctx, f.tenant, 1)
			return nil, missing(err)
		},
		"Tenant": func(t *testing.T, f fixture) (any, error) {
			_, err := f.Tenant(ctx, "no such tenant")
			return nil, missing(err)
		},
		"UpsertProducts": func(t *testing.T, f fixture) (any, error) {
			p := product(31, "stolen")
			p.WriteDate = At(23, 0)
			return nil, f.UpsertProducts(ctx, f.tenant, []order.Product{p})
		},
		"ForgetProducts":  func(t *testing.T, f fixture) (any, error) { return nil, f.ForgetProducts(ctx, f.tenant, []int64{31}) },
		"ForgetCustomers": func(t *testing.T, f fixture) (any, error) { return nil, f.ForgetCustomers(ctx, f.tenant, []int64{9}) },
		"ProductsBySKU": func(t *testing.T, f fixture) (any, error) {
			return list(f.ProductsBySKU(ctx, f.tenant, []string{"E-COM07"}))
		},
		"ProductsByID": func(t *testing.T, f fixture) (any, error) { return list(f.ProductsByID(ctx, f.tenant, []int64{31})) },
		"ListProducts": func(t *testing.T, f fixture) (any, error) {
			return list(f.ListProducts(ctx, f.tenant, order.CatalogueFilter{Query: "e"}))
		},
		"UpsertCustomers": func(t *testing.T, f fixture) (any, error) {
			c := customer(9, "u-17")
			c.WriteDate = At(23, 0)
			return nil, f.UpsertCustomers(ctx, f.tenant, []order.Customer{c})
		},
		"CorrectCompanies": func(t *testing.T, f fixture) (any, error) { return f.CorrectCompanies(ctx, f.tenant) },
		"CustomerByRef": func(t *testing.T, f fixture) (any, error) {
			_, err := f.CustomerByRef(ctx, f.tenant, "u-17")
			return nil, missing(err)
		},
		"CustomersByPartner": func(t *testing.T, f fixture) (any, error) {
			return list(f.CustomersByPartner(ctx, f.tenant, []int64{9}))
		},
		"ListCustomers": func(t *testing.T, f fixture) (any, error) {
			return list(f.ListCustomers(ctx, f.tenant, order.CatalogueFilter{Query: "u"}))
		},
		"Cursor": func(t *testing.T, f fixture) (any, error) { return f.Cursor(ctx, f.tenant, "sale.order") },
		"AdvanceCursor": func(t *testing.T, f fixture) (any, error) {
			return f.AdvanceCursor(ctx, f.tenant, "sale.order", store.Cursor{WriteDate: At(23, 0)}, "other")
		},
		"HoldSync": func(t *testing.T, f fixture) (any, error) {
			_, err := f.HoldSync(ctx, f.tenant, store.BackgroundSync, store.SyncLease{Holder: "me", Now: At(23, 0), Until: At(23, 1)})
			return nil, err
		},
		"LeaveSync": func(t *testing.T, f fixture) (any, error) {
			return nil, f.LeaveSync(ctx, f.tenant, store.BackgroundSync, "other")
		},
		"Backfill": func(t *testing.T, f fixture) (any, error) { return f.Backfill(ctx, f.tenant) },
		"SaveBackfill": func(t *testing.T, f fixture) (any, error) {
			return f.SaveBackfill(ctx, f.tenant, "reader", store.Backfill{AfterID: 77, ERPBegan: At(23, 0)})
		},
		"EndBackfill":  func(t *testing.T, f fixture) (any, error) { return f.EndBackfill(ctx, f.tenant, "reader") },
		"LastOrderID":  func(t *testing.T, f fixture) (any, error) { return f.LastOrderID(ctx, f.tenant) },
		"CountMirror":  func(t *testing.T, f fixture) (any, error) { return f.CountMirror(ctx, f.tenant) },
		"OrderInDoubt": func(t *testing.T, f fixture) (any, error) { return f.OrderInDoubt(ctx, f.tenant, 1) },
		"Keys":         func(t *testing.T, f fixture) (any, error) { return list(f.Keys(ctx, f.tenant)) },
		"RevokeKey by name": func(t *testing.T, f fixture) (any, error) {
			return nil, missing(f.RevokeKey(ctx, f.tenant, key.Name))
		},
		"RevokeKey by id": func(t *testing.T, f fixture) (any, error) {
			return nil, missing(f.RevokeKey(ctx, f.tenant, fmt.Sprint(key.ID)))
		},
		"CreateKey": func(t *testing.T, f fixture) (any, error) { f.key(t, key.Name); return nil, nil },
		"Orphans":   func(t *testing.T, f fixture) (any, error) { return list(f.Orphans(ctx, f.tenant, 0, 10)) },
		"ResolveOrphan": func(t *testing.T, f fixture) (any, error) {
			return nil, missing(f.ResolveOrphan(ctx, f.tenant, archive, 1))
		},
		"Webhooks": func(t *testing.T, f fixture) (any, error) {
			_, err := f.Webhooks(ctx, f.tenant)
			return nil, missing(err)
		},
		"SaveWebhooks": func(t *testing.T, f fixture) (any, error) {
			return nil, f.SaveWebhooks(ctx, f.tenant, webhooks("other"))
		},
		"RemoveWebhooks": func(t *testing.T, f fixture) (any, error) { return nil, f.RemoveWebhooks(ctx, f.tenant) },
		"CountWebhooks": func(t *testing.T, f fixture) (any, error) {
			return nil, f.CountWebhooks(ctx, f.tenant, store.WebhookCounts{NotifiedAt: At(23, 0), Notifications: 1, Announced: 1, Missed: 1})
		},
	}
	maps.Copy(calls, auditCalls(audit, finding))
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			seen, err := call(t, newFixture(t, s))
			require.NoError(t, err)
			if seen != nil {
				require.Zero(t, seen)
			}
			require.Equal(t, before, contents())
		})
	}

	t.Run("customers of an order", func(t *testing.T) {
		f := newFixture(t, s)
		f.upsert(t, snapshot(1))
		require.Equal(t, order.Party{ERPPartnerID: 9}, f.order(t, 1).Customer, "the name is the other tenant's")
	})
	t.Run("source of an order", func(t *testing.T) {
		f := newFixture(t, s)
		f.upsert(t, snapshot(2))
		require.Equal(t, order.SourceERP, f.order(t, 2).Source, "the intent is the other tenant's")
	})
}

// populate gives a tenant a row in every table.
func (f fixture) populate(t *testing.T) order.APIKey {
	t.Helper()
	require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{customer(9, "u-17")}))
	require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{product(31, "E-COM07")}))
	_, err := f.AdvanceCursor(t.Context(), f.tenant, "sale.order", store.Cursor{WriteDate: At(10, 0)}, "")
	require.NoError(t, err)
	_, err = f.HoldSync(t.Context(), f.tenant, store.BackgroundSync, store.SyncLease{Holder: "other", Now: At(10, 0), Until: At(10, 1)})
	require.NoError(t, err)
	f.holdFullSync(t, "reader", At(10, 0))
	_, err = f.SaveBackfill(t.Context(), f.tenant, "reader", store.Backfill{AfterID: 7, ERPBegan: At(10, 0)})
	require.NoError(t, err)
	require.NoError(t, f.SaveWebhooks(t.Context(), f.tenant, webhooks("secret")))
	f.upsert(t, snapshot(1))
	f.write(t, damaged(1, "scan 1"))
	f.inserted(t, "k")
	placed := f.inserted(t, "placed")
	f.place(t, placed, snapshot(2))
	f.queued(t, "waiting", "ref:u-17")
	f.insert(t, "held", func(in *order.Intent) { in.State = order.Queued })
	_, err = f.DB().ExecContext(t.Context(), `INSERT INTO dedupe_archive
		(tenant_id, run_id, table_name, row_id, reason, row_json, archived_at)
		VALUES (?, 'r', 'orders', 8, 'no_erp_order_id', '{}', ?)`, f.tenant, At(10, 0))
	require.NoError(t, err)
	return f.key(t, "shop")
}

// rows returns the tenant's rows of a table as text.
func (f fixture) rows(t *testing.T, table string) []string {
	t.Helper()
	rows, err := f.DB().QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE tenant_id = ? ORDER BY 1, 2, 3", f.tenant)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var texts []string
	for rows.Next() {
		values := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		require.NoError(t, rows.Scan(targets...))
		for i, v := range values {
			if raw, isBytes := v.([]byte); isBytes {
				values[i] = string(raw)
			}
		}
		texts = append(texts, fmt.Sprint(table, values))
	}
	require.NoError(t, rows.Err())
	return texts
}

// missing turns the right answer to a stranger into nil.
func missing(err error) error {
	if order.IsKind(err, order.NotFound) {
		return nil
	}
	return fmt.Errorf("not found expected, got %w", orSuccess(err))
}

var errSuccess = fmt.Errorf("success")

func orSuccess(err error) error {
	if err == nil {
		return errSuccess
	}
	return err
}

func list[T any](values []T, err error) (any, error) { return len(values), err }
