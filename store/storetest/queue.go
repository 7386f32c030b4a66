package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// next claims queued intents and returns their keys.
func (f fixture) next(t *testing.T, token string, limit int) []string {
	t.Helper()
	claimed, err := f.ClaimQueued(t.Context(), f.tenant, limit, lease(token, stillHeld()))
	require.NoError(t, err)
	for _, in := range claimed {
		require.Equal(t, order.Sending, in.State)
		require.Equal(t, token, in.LeaseToken)
		require.Equal(t, in, f.stored(t, in.Key))
	}
	return keysOf(claimed)
}

var queueTests = map[string]func(t *testing.T, f fixture){
	"TheFirstOfEachCustomerGoFirst": func(t *testing.T, f fixture) {
		for _, key := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
			f.queued(t, key, key[:1])
		}
		require.Equal(t, []string{"a1", "b1"}, f.next(t, "t1", 2))
		require.Equal(t, []string{"c1"}, f.next(t, "t2", 4))
	},

	"OneOfEachCustomerIsTakenAtATime": func(t *testing.T, f fixture) {
		for _, key := range []string{"a1", "a2", "a3", "b1"} {
			f.queued(t, key, key[:1])
		}
		require.Equal(t, []string{"a1", "b1"}, f.next(t, "t1", 20))
		require.Empty(t, f.next(t, "t2", 20))
		require.Empty(t, f.next(t, "t2", 0))
	},

	"ACustomerIsSeenBehindTheManyOfAnother": func(t *testing.T, f fixture) {
		for i := range 60 {
			f.queued(t, fmt.Sprint("a", i), "a")
		}
		for i := range 30 {
			f.queued(t, fmt.Sprint("b", i), "b")
		}
		f.queued(t, "c0", "c")
		require.Equal(t, []string{"a0", "b0", "c0"}, f.next(t, "t1", 3))
	},

	"FarBehindTheManyOfACustomerOthersAreLookedForIfNothingElseIsLeft": func(t *testing.T, f fixture) {
		for i := range 12 {
			f.queued(t, fmt.Sprint("a", i), "a")
		}
		f.queued(t, "b0", "b")
		_, err := f.DB().ExecContext(t.Context(), "UPDATE intents SET id = id - 100000000 WHERE tenant_id = ? AND customer = 'a'", f.tenant)
		require.NoError(t, err)
		require.Equal(t, []string{"a0"}, f.next(t, "t1", 2))
		a0 := f.stored(t, "a0")
		require.True(t, f.end(t, "t1", store.End{IntentID: a0.ID, State: order.Queued}))
		_, err = f.DB().ExecContext(t.Context(), "UPDATE intents SET lease_token = 'x', lease_until = ? WHERE id = ?",
			stillHeld().Add(time.Second), a0.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"b0"}, f.next(t, "t2", 2))
	},

	"ACustomerWaitsForWhatWasAcknowledged": func(t *testing.T, f fixture) {
		for _, key := range []string{"a1", "a2", "b1"} {
			f.queued(t, key, key[:1])
		}
		require.Equal(t, []string{"a1"}, f.next(t, "t1", 1))
		require.Equal(t, []string{"b1"}, f.next(t, "t2", 20), "a1 is being sent")
		a1 := f.stored(t, "a1")
		require.True(t, f.end(t, "t1", store.End{IntentID: a1.ID, State: order.Sending, UnknownAt: At(12, 0), NextAttemptAt: At(13, 0)}))
		require.Empty(t, f.next(t, "t3", 20), "a1 is in doubt")
		f.claim(t, lease("t4", At(13, 0)), &a1)
		require.True(t, f.end(t, "t4", store.End{IntentID: a1.ID, State: order.Queued}))
		require.Equal(t, []string{"a1"}, f.next(t, "t5", 20))
	},

	"WhatIsLeftToAnOperatorHoldsNobodyUp": func(t *testing.T, f fixture) {
		for _, key := range []string{"a1", "a2"} {
			f.queued(t, key, "a")
		}
		require.Equal(t, []string{"a1"}, f.next(t, "t1", 1))
		require.True(t, f.end(t, "t1", store.End{IntentID: f.stored(t, "a1").ID, State: order.Parked}))
		require.Equal(t, []string{"a2"}, f.next(t, "t2", 20))
	},

	"OnlyWhatWasAcknowledgedHoldsACustomerUp": func(t *testing.T, f fixture) {
		f.insert(t, "at once", func(in *order.Intent) { in.Customer = "a" })
		f.insert(t, "waiting", func(in *order.Intent) { in.Customer, in.State = "a", order.Queued })
		f.queued(t, "a1", "a")
		require.Equal(t, []string{"a1"}, f.next(t, "t2", 20))
	},

	"AnAcknowledgedIntentThatSomebodyHoldsHoldsUpThoseBehindIt": func(t *testing.T, f fixture) {
		f.queued(t, "a1", "a")
		f.insert(t, "a2", func(in *order.Intent) { in.Customer, in.State, in.Acknowledged = "a", order.Queued, true })
		for i := 3; i < 20; i++ {
			f.queued(t, fmt.Sprint("a", i), "a")
		}
		f.queued(t, "b1", "b")
		require.Equal(t, []string{"a1", "b1"}, f.next(t, "t2", 3))
	},

	"SourcesAreQueuesOfTheirOwn": func(t *testing.T, f fixture) {
		f.insert(t, "sending", func(in *order.Intent) { in.Customer, in.Source, in.Acknowledged = "a", "shopify:eu", true })
		f.queued(t, "a1", "a")
		require.Equal(t, []string{"a1"}, f.next(t, "t2", 20))
	},

	"OnlyWhatNobodyHoldsIsTaken": func(t *testing.T, f fixture) {
		now := stillHeld()
		for key, until := range map[string]time.Time{"held": now.Add(time.Second), "over": now, "wrong": now.AddDate(1, 0, 0)} {
			f.insert(t, key, func(in *order.Intent) { in.State, in.Customer, in.LeaseUntil = order.Queued, key, until })
		}
		require.ElementsMatch(t, []string{"over", "wrong"}, f.next(t, "t2", 20))
	},

	"ManyClaimersTakeEachOrderOnceAndInTurn": func(t *testing.T, f fixture) {
		const customers, each = 8, 12
		var keys [customers * each]string
		for i := range keys {
			customer := fmt.Sprint(i % customers)
			keys[i] = fmt.Sprintf("%s/%02d", customer, i/customers)
			f.queued(t, keys[i], customer)
		}
		var mu sync.Mutex
		taken := map[string]int{}
		sending := map[string]string{} // the token that carries a customer's orders
		turns := map[string][]string{} // by customer
		contend(t, func(ctx context.Context, i int) error {
			for round := 0; ; round++ {
				token := fmt.Sprint("lane ", i, " ", round)
				claimed, err := f.ClaimQueued(ctx, f.tenant, 1+rand.N(6), lease(token, stillHeld()))
				if err != nil {
					return err
				}
				if len(claimed) == 0 {
					counts, err := f.CountIntents(ctx, f.tenant)
					if err != nil || counts.Queued == 0 {
						return err
					}
					continue
				}
				mu.Lock()
				for _, in := range claimed {
					if other := sending[in.Customer]; other != "" && other != token {
						err = fmt.Errorf("%s was taken while %q carried one before it", in.Key, other)
					}
					sending[in.Customer] = token
					taken[in.Key]++
					turns[in.Customer] = append(turns[in.Customer], in.Key)
				}
				mu.Unlock()
				if err != nil {
					return err
				}
				ends := make([]store.End, len(claimed))
				for j, in := range claimed {
					ends[j] = store.End{IntentID: in.ID, State: order.Rejected}
				}
				mu.Lock()
				for _, in := range claimed {
					delete(sending, in.Customer)
				}
				mu.Unlock()
				if _, err := f.EndAttempts(ctx, f.tenant, token, ends); err != nil {
					return err
				}
			}
		})
		for _, key := range keys {
			require.Equal(t, 1, taken[key], key)
		}
		for customer, keys := range turns {
			require.IsIncreasing(t, keys, "customer %s", customer)
		}
	},
}
