package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"ordergate/order"
	"ordergate/store"
)

// contenders is how many do the same thing at once. They share a pool that is smaller.
const contenders = 24

var concurrencyTests = map[string]func(t *testing.T, f fixture){
	"OneOfManyInsertsOfAKeyWins": func(t *testing.T, f fixture) {
		var won, lost atomic.Int64
		contend(t, func(ctx context.Context, i int) error {
			in := f.intent("k")
			in.LeaseToken = fmt.Sprint("t", i)
			err := f.InsertIntent(ctx, in)
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, store.ErrExists):
				lost.Add(1)
			default:
				return err
			}
			return nil
		})
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, contenders-1, lost.Load())
	},

	"OneOfManyClaimsWins": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		var won atomic.Int64
		contend(t, func(ctx context.Context, i int) error {
			claimed, err := f.ClaimIntents(ctx, f.tenant, []int64{in.ID}, lease(fmt.Sprint("c", i), At(13, 0)))
			won.Add(int64(len(claimed)))
			return err
		})
		require.EqualValues(t, 1, won.Load())
		require.Equal(t, 2, f.stored(t, "k").Attempts)
	},

	"ManyEnsureOneTenant": func(t *testing.T, f fixture) {
		var ids [contenders]int64
		contend(t, func(ctx context.Context, i int) error {
			id, err := f.EnsureTenant(ctx, t.Name())
			ids[i] = id
			return err
		})
		for _, id := range ids {
			require.Equal(t, ids[0], id)
			require.NotZero(t, id)
		}
	},

	"ConcurrentUpsertsOfTheSameOrdersEndInTheNewestState": func(t *testing.T, f fixture) {
		const orders = 20
		contend(t, func(ctx context.Context, i int) error {
			snapshots := make([]order.Snapshot, orders)
			for j := range snapshots {
				id := int64(j + 1)
				if i%2 == 0 {
					id = int64(orders - j) // the other way round: whoever locks as it goes deadlocks
				}
				s := snapshot(id)
				s.Note = fmt.Sprint("state ", i)
				s.WriteDate = s.WriteDate.Add(time.Duration(i) * time.Second)
				snapshots[j] = s
			}
			_, err := f.UpsertOrders(ctx, f.tenant, snapshots, "sync")
			return err
		})
		for id := int64(1); id <= orders; id++ {
			o := f.order(t, id)
			require.Equal(t, fmt.Sprint("state ", contenders-1), o.Note)
			require.Len(t, o.Lines, 2)
			require.Equal(t, []string{order.HistoryAppeared}, f.codes(t, id))
		}
	},

	"PlacementAndSyncOfOneOrderMeet": func(t *testing.T, f fixture) {
		intents := make([]*order.Intent, contenders/2)
		for i := range intents {
			intents[i] = f.inserted(t, fmt.Sprint("k", i))
		}
		contend(t, func(ctx context.Context, i int) error {
			s := snapshot(int64(i/2 + 1))
			if i%2 == 0 {
				_, err := f.UpsertOrders(ctx, f.tenant, []order.Snapshot{s}, "sync")
				return err
			}
			placed, err := f.PlaceIntents(ctx, f.tenant, "t1",
				[]store.Placed{placing(intents[i/2], s, order.HistoryEntry{Code: order.HistoryPlaced})})
			if err == nil && len(placed) != 1 {
				err = fmt.Errorf("intent %d was not placed", i/2)
			}
			return err
		})
		for id := int64(1); id <= contenders/2; id++ {
			require.Equal(t, "portal", f.order(t, id).Source)
			require.Contains(t, f.codes(t, id), order.HistoryPlaced)
		}
	},

	"ConcurrentCatalogueWritesMeet": func(t *testing.T, f fixture) {
		f.holdFullSync(t, "reader", At(10, 0))
		contend(t, func(ctx context.Context, i int) error {
			if err := f.UpsertProducts(ctx, f.tenant, []order.Product{product(1, "A"), product(2, "B")}); err != nil {
				return err
			}
			if err := f.UpsertCustomers(ctx, f.tenant, []order.Customer{customer(2, "b"), customer(1, "a")}); err != nil {
				return err
			}
			if _, err := f.SaveBackfill(ctx, f.tenant, "reader", store.Backfill{AfterID: int64(i), ERPBegan: At(10, i)}); err != nil {
				return err
			}
			_, err := f.AdvanceCursor(ctx, f.tenant, "sale.order", store.Cursor{WriteDate: At(10, i)}, "")
			return err
		})
		c, err := f.Cursor(t.Context(), f.tenant, "sale.order")
		require.NoError(t, err)
		require.Equal(t, At(10, contenders-1), c.WriteDate, "the latest of them, whoever came last")
		require.EqualValues(t, 2, f.number(t, "SELECT COUNT(*) FROM customers WHERE tenant_id = ?", f.tenant))
	},

	"AReaderSeesOrderAndLinesOfOneMoment": func(t *testing.T, f fixture) {
		states := []order.Snapshot{snapshot(1), snapshot(1)}
		states[0].AmountTotal, states[0].Lines = dec("1"), states[0].Lines[:1]
		states[0].Lines[0].Total = dec("1")
		states[1].AmountTotal, states[1].Lines = dec("0"), nil
		f.upsert(t, states[0])

		group, ctx := errgroup.WithContext(t.Context())
		writing, stop := context.WithTimeout(ctx, 700*time.Millisecond)
		defer stop()
		group.Go(func() error {
			for n := 1; writing.Err() == nil; n++ {
				s := states[n%2]
				s.WriteDate = s.WriteDate.Add(time.Duration(n) * time.Second)
				if _, err := f.UpsertOrders(ctx, f.tenant, []order.Snapshot{s}, "sync"); err != nil {
					return err
				}
			}
			return nil
		})
		for range 3 {
			group.Go(func() error {
				for writing.Err() == nil {
					listing, err := f.ListOrders(ctx, f.tenant, order.Filter{})
					if err != nil {
						return err
					}
					o := listing.Orders[0]
					if want := o.AmountTotal.IntPart(); int64(len(o.Lines)) != want {
						return fmt.Errorf("an order of total %s has %d lines", o.AmountTotal, len(o.Lines))
					}
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
	},
}

func contend(t *testing.T, do func(ctx context.Context, i int) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	for i := range contenders {
		group.Go(func() error { return do(ctx, i) })
	}
	require.NoError(t, group.Wait())
}
