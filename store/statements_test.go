package store

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm/logger"

	"ordergate/migrations"
	"ordergate/order"
)

// counter counts statements instead of logging them.
type counter struct {
	logger.Interface
	statements, writes atomic.Int64
}

func (c *counter) Trace(_ context.Context, _ time.Time, statement func() (string, int64), _ error) {
	c.statements.Add(1)
	if sql, _ := statement(); !strings.HasPrefix(sql, "SELECT") {
		c.writes.Add(1)
	}
}

func counted(t *testing.T) (*Store, *counter) {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ordergate.db"), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
	c := &counter{Interface: logger.Discard}
	s.gorm.Logger = c
	return s, c
}

func TestABatchIsAHandfulOfStatements(t *testing.T) {
	t.Parallel()
	s, count := counted(t)
	snapshots := make([]order.Snapshot, 200)
	for i := range snapshots {
		snapshots[i] = order.Snapshot{
			Order: order.Order{ID: int64(i + 1), Number: fmt.Sprint("S", i), Status: order.Draft,
				Lines: []order.Line{{ERPLineID: 1}, {ERPLineID: 2}}},
			WriteDate: time.Date(2026, 3, 14, 10, 0, 0, 0, time.UTC), ReadAt: time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC),
		}
	}
	upsert := func() (statements, writes int64) {
		count.statements.Store(0)
		count.writes.Store(0)
		_, err := s.UpsertOrders(t.Context(), 1, snapshots, "sync")
		require.NoError(t, err)
		return count.statements.Load(), count.writes.Load()
	}
	statements, _ := upsert()
	require.LessOrEqual(t, statements, int64(12), "200 new orders with 400 lines")

	statements, writes := upsert()
	require.EqualValues(t, 1, statements, "200 unchanged orders")
	require.Zero(t, writes)

	for i := range snapshots {
		snapshots[i].ReadAt = snapshots[i].ReadAt.Add(time.Minute)
	}
	statements, writes = upsert()
	require.EqualValues(t, 2, statements, "200 unchanged orders that were read later")
	require.EqualValues(t, 1, writes)

	snapshots[0].WriteDate = snapshots[0].WriteDate.Add(time.Minute)
	statements, _ = upsert()
	require.LessOrEqual(t, statements, int64(7), "one changed order among 200")
}

func TestAPageIsTwoStatements(t *testing.T) {
	t.Parallel()
	s, count := counted(t)
	written := time.Date(2026, 3, 14, 10, 0, 0, 0, time.UTC)
	_, err := s.UpsertOrders(t.Context(), 1, []order.Snapshot{
		{Order: order.Order{ID: 1}, WriteDate: written}, {Order: order.Order{ID: 2}, WriteDate: written}}, "sync")
	require.NoError(t, err)
	count.statements.Store(0)
	listing, err := s.ListOrders(t.Context(), 1, order.Filter{})
	require.NoError(t, err)
	require.Len(t, listing.Orders, 2)
	require.EqualValues(t, 2, count.statements.Load())
}

func TestABatchOfPlacementsIsAHandfulOfStatements(t *testing.T) {
	t.Parallel()
	s, count := counted(t)
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	lease := Lease{Token: "t1", Now: now, Until: now.Add(LeaseLasts), ERPNow: now}
	ids, placed := make([]int64, 20), make([]Placed, 20)
	for i := range ids {
		in := order.Intent{TenantID: 1, Source: "portal", Key: fmt.Sprint("k", i), State: order.Queued, Customer: fmt.Sprint("ref:u-", i)}
		require.NoError(t, s.InsertIntent(t.Context(), &in))
		ids[i] = in.ID
		placed[i] = Placed{IntentID: in.ID, Source: "portal", Caller: "shop",
			Snapshot: order.Snapshot{Order: order.Order{ID: int64(i + 1), Lines: []order.Line{{ERPLineID: 1}, {ERPLineID: 2}}}},
			Entries:  []order.HistoryEntry{{Code: order.HistoryPlaced}}}
	}
	count.statements.Store(0)
	claimed, err := s.ClaimIntents(t.Context(), 1, ids[:10], lease)
	require.NoError(t, err)
	require.Len(t, claimed, 10)
	require.EqualValues(t, 2, count.statements.Load(), "claiming")

	count.statements.Store(0)
	claimed, err = s.ClaimQueued(t.Context(), 1, 10, lease)
	require.NoError(t, err)
	require.Len(t, claimed, 10)
	require.LessOrEqual(t, count.statements.Load(), int64(5), "claiming in turn")

	count.statements.Store(0)
	stored, err := s.PlaceIntents(t.Context(), 1, "t1", placed)
	require.NoError(t, err)
	require.Len(t, stored, 20)
	require.LessOrEqual(t, count.statements.Load(), int64(13), "20 new orders with 40 lines and 20 entries")
}
