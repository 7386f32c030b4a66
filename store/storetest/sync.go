package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/store"
)

// syncTests are about what the sync remembers: cursors, leases, and how far a full read has come.
var syncTests = map[string]func(t *testing.T, f fixture){
	"CursorsOnlyAdvance": func(t *testing.T, f fixture) {
		require.Zero(t, f.cursor(t, "sale.order"))
		for _, step := range []struct{ arriving, want store.Cursor }{
			{store.Cursor{WriteDate: At(10, 0), SyncedAt: At(10, 1)}, store.Cursor{WriteDate: At(10, 0), SyncedAt: At(10, 1)}},
			{store.Cursor{WriteDate: At(11, 0), SyncedAt: At(11, 1), Complete: true}, store.Cursor{WriteDate: At(11, 0), SyncedAt: At(11, 1), Complete: true}},
			{store.Cursor{WriteDate: At(9, 0), SyncedAt: At(9, 1)}, store.Cursor{WriteDate: At(11, 0), SyncedAt: At(11, 1), Complete: true}},
			{store.Cursor{SyncedAt: At(12, 0)}, store.Cursor{WriteDate: At(11, 0), SyncedAt: At(12, 0), Complete: true}},
		} {
			f.advance(t, step.arriving, "")
			require.Equal(t, step.want, f.cursor(t, "sale.order"))
		}
		require.Zero(t, f.cursor(t, "res.partner"))
	},

	"AWrongClocksSyncIsForgotten": func(t *testing.T, f fixture) {
		f.advance(t, store.Cursor{SyncedAt: time.Now().Add(time.Hour)}, "")
		f.advance(t, store.Cursor{SyncedAt: At(10, 0)}, "")
		require.Equal(t, At(10, 0), f.cursor(t, "sale.order").SyncedAt)
	},

	"OnlyOneHoldsTheSync": func(t *testing.T, f fixture) {
		lease := func(holder string, now time.Time) store.SyncLease {
			return store.SyncLease{Holder: holder, Now: now, Until: now.Add(store.SyncLeaseLasts)}
		}
		require.True(t, f.hold(t, lease("a", At(10, 0))))
		require.False(t, f.hold(t, lease("b", At(10, 0))))
		require.True(t, f.hold(t, lease("a", At(10, 0).Add(store.SyncLeaseLasts*2/3))), "its holder prolongs it")
		require.False(t, f.hold(t, lease("b", At(10, 0).Add(store.SyncLeaseLasts*4/3))))
		require.True(t, f.hold(t, lease("b", At(10, 0).Add(store.SyncLeaseLasts*5/3))), "it is over")
		require.False(t, f.hold(t, lease("a", At(10, 0).Add(store.SyncLeaseLasts*2))))
		require.True(t, f.hold(t, lease("a", At(9, 0))), "it ends further in the future than leases last")

		require.NoError(t, f.LeaveSync(t.Context(), f.tenant, store.BackgroundSync, "b"))
		require.False(t, f.hold(t, lease("b", At(9, 0))), "who does not have it cannot give it back")
		require.NoError(t, f.LeaveSync(t.Context(), f.tenant, store.BackgroundSync, "a"))
		require.True(t, f.hold(t, lease("b", At(9, 0))))
		_, err := f.HoldSync(t.Context(), f.tenant, store.BackgroundSync, store.SyncLease{})
		require.ErrorContains(t, err, "a lease needs")
	},

	"WhoWasTakenOverMovesNoCursor": func(t *testing.T, f fixture) {
		require.True(t, f.hold(t, store.SyncLease{Holder: "a", Now: At(10, 0), Until: At(10, 1)}))
		require.True(t, f.advance(t, store.Cursor{WriteDate: At(10, 0)}, "a"))
		require.True(t, f.hold(t, store.SyncLease{Holder: "b", Now: At(10, 1), Until: At(10, 2)}))
		require.False(t, f.advance(t, store.Cursor{WriteDate: At(11, 0)}, "a"))
		require.Equal(t, At(10, 0), f.cursor(t, "sale.order").WriteDate)
		require.True(t, f.advance(t, store.Cursor{WriteDate: At(11, 0)}, "b"))
	},

	"AFullReadIsRemembered": func(t *testing.T, f fixture) {
		got, err := f.Backfill(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Zero(t, got)
		f.holdFullSync(t, "reader", At(10, 0))
		for _, b := range []store.Backfill{
			{AfterID: 7, Orders: 5, ERPBegan: At(10, 0)}, {AfterID: 9, Orders: 6, ERPBegan: At(10, 0)},
			{Since: At(1, 0), AfterID: 1, ERPBegan: At(11, 0)},
		} {
			require.True(t, f.saveBackfill(t, "reader", b))
			got, err = f.Backfill(t.Context(), f.tenant)
			require.NoError(t, err)
			require.Equal(t, b, got)
		}
		require.True(t, f.endBackfill(t, "reader"))
		got, err = f.Backfill(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Zero(t, got)
	},

	"OnlyWhoseTurnItIsNotesHowFarAFullReadHasCome": func(t *testing.T, f fixture) {
		f.holdFullSync(t, "first", At(10, 0))
		require.True(t, f.saveBackfill(t, "first", store.Backfill{AfterID: 7, ERPBegan: At(10, 0)}))
		f.holdFullSync(t, "second", At(11, 0))
		require.False(t, f.saveBackfill(t, "first", store.Backfill{AfterID: 5, ERPBegan: At(10, 0)}))
		require.False(t, f.endBackfill(t, "first"))
		got, err := f.Backfill(t.Context(), f.tenant)
		require.NoError(t, err)
		require.EqualValues(t, 7, got.AfterID)
		require.True(t, f.endBackfill(t, "second"))
		require.False(t, f.saveBackfill(t, "first", store.Backfill{AfterID: 8, ERPBegan: At(10, 0)}), "what has ended does not come back")
		got, err = f.Backfill(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Zero(t, got)
	},
}

// holdFullSync takes the lease of full reads.
func (f fixture) holdFullSync(t *testing.T, holder string, now time.Time) {
	t.Helper()
	held, err := f.HoldSync(t.Context(), f.tenant, store.FullSync, store.SyncLease{Holder: holder, Now: now, Until: now.Add(store.SyncLeaseLasts)})
	require.NoError(t, err)
	require.True(t, held)
}

func (f fixture) saveBackfill(t *testing.T, holder string, b store.Backfill) bool {
	t.Helper()
	saved, err := f.SaveBackfill(t.Context(), f.tenant, holder, b)
	require.NoError(t, err)
	return saved
}

func (f fixture) endBackfill(t *testing.T, holder string) bool {
	t.Helper()
	ended, err := f.EndBackfill(t.Context(), f.tenant, holder)
	require.NoError(t, err)
	return ended
}

func (f fixture) cursor(t *testing.T, model string) store.Cursor {
	t.Helper()
	c, err := f.Cursor(t.Context(), f.tenant, model)
	require.NoError(t, err)
	return c
}

func (f fixture) advance(t *testing.T, c store.Cursor, holder string) bool {
	t.Helper()
	advanced, err := f.AdvanceCursor(t.Context(), f.tenant, "sale.order", c, holder)
	require.NoError(t, err)
	return advanced
}

func (f fixture) hold(t *testing.T, lease store.SyncLease) bool {
	t.Helper()
	held, err := f.HoldSync(t.Context(), f.tenant, store.BackgroundSync, lease)
	require.NoError(t, err)
	return held
}
