package ordersync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
	ordersync "ordergate/sync"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
)

// People create, edit, confirm and delete orders while one audit after the other runs beside the sync: none of it is drift.
func TestAuditHasNoFalseFindingsUnderLoad(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 19} {
		t.Run(fmt.Sprintf("sandbox as %d", major), func(t *testing.T) {
			t.Parallel()
			auditUnderLoad(t, sandboxWorld(t, major, storetest.SQLite(t)), 8*time.Second)
		})
	}
	t.Run("Odoo 14", func(t *testing.T) {
		auditUnderLoad(t, realWorld(t, 14, env.Database(t, env.MariaDB(t))), 14*time.Second)
	})
}

func auditUnderLoad(t *testing.T, w *auditWorld, lasting time.Duration) {
	// On a busy machine one turn of the sync may take a second, and a deletion takes two turns to be noticed.
	w.cfg.TransactionLimit, w.cfg.SyncInterval, w.cfg.Registerer = 6*time.Second, 150*time.Millisecond, nil
	w.cfg.Jitter = func(d time.Duration) time.Duration { return d }
	live, err := ordersync.New(w.cfg)
	require.NoError(t, err)
	defer live.Close()
	require.NoError(t, live.FullSync(t.Context(), ordersync.FullSyncOptions{}))

	ctx, stop := context.WithTimeout(t.Context(), lasting)
	defer stop()
	syncing, stopSync := context.WithCancel(t.Context())
	var running, writers sync.WaitGroup
	running.Go(func() { live.Run(syncing) })
	var written atomic.Int64
	for writer := range 3 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(writer)))
			var mine []any
			for ctx.Err() == nil {
				act := func(method string, args ...any) any {
					answer, err := odoorpc.Execute(w.server.URL, w.server.Database, w.server.AdminUser, w.server.AdminPassword, "sale.order", method, args, nil)
					if err == nil {
						written.Add(1)
					}
					return answer
				}
				switch n := random.IntN(10); {
				case n < 3 || len(mine) < 3:
					if id, ok := act("create", map[string]any{"partner_id": w.partner, "order_line": []any{
						[]any{0, 0, map[string]any{"product_id": w.product, "product_uom_qty": 1.0}}}}).(int64); ok {
						mine = append(mine, id)
					}
				case n < 7:
					act("write", []any{mine[random.IntN(len(mine))]}, map[string]any{"client_order_ref": fmt.Sprint(random.IntN(1000))})
				case n < 8:
					act("action_confirm", []any{mine[random.IntN(len(mine))]})
				default:
					last := mine[len(mine)-1]
					mine = mine[:len(mine)-1]
					act("unlink", []any{last})
				}
			}
		})
	}
	audits, unsettled := 0, 0
	for ctx.Err() == nil {
		run, err := live.Audit(context.WithoutCancel(ctx), ordersync.AuditOptions{Since: w.since})
		require.NoError(t, err)
		found, err := live.ListFindings(t.Context(), operator, order.FindingFilter{RunID: run.ID})
		require.NoError(t, err)
		require.Empty(t, found)
		audits, unsettled = audits+1, unsettled+run.Unsettled
	}
	writers.Wait()
	stopSync()
	running.Wait()
	t.Logf("%d audits beside %d writes; %d times an order was being changed", audits, written.Load(), unsettled)
	require.Greater(t, audits, 2)
	require.Positive(t, unsettled, "the audits met changes")
	require.Greater(t, written.Load(), int64(20))
}

// A deletion has no date: while others sync, the audit gives them the time that they may take to notice it.
func TestAuditWaitsForTheSyncToNoticeADeletion(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 1)
	w.people(t, "sale.order", "unlink", []any{ids[0]})
	_, err := w.db.AdvanceCursor(t.Context(), w.tenant.ID, "sale.order", store.Cursor{SyncedAt: w.cfg.Clock(), Complete: true}, "")
	require.NoError(t, err)
	w.cfg.TransactionLimit, w.cfg.Registerer = 3*time.Second, nil
	s, err := ordersync.New(w.cfg)
	require.NoError(t, err)
	defer s.Close()
	done := make(chan order.AuditRun)
	go func() {
		run, _ := s.Audit(context.WithoutCancel(t.Context()), ordersync.AuditOptions{})
		done <- run
	}()
	time.Sleep(500 * time.Millisecond)
	require.NoError(t, w.FullSync(t.Context(), ordersync.FullSyncOptions{}))
	run := <-done
	require.Equal(t, order.AuditDone, run.State)
	require.Zero(t, run.FindingCount())
}
