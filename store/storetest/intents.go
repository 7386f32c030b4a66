package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

var intentTests = map[string]func(t *testing.T, f fixture){
	"AnIntentComesBackAsItWent": func(t *testing.T, f fixture) {
		for _, state := range []order.IntentState{order.Sending, order.Queued} {
			in := f.intent(string(state))
			price := dec("19.9")
			in.State = state
			in.Request.Lines[0].UnitPrice = &price
			in.Request.Note = "Grüße 🎁 it's \\ \"here\""
			in.UnknownAt, in.NextAttemptAt = At(11, 0).Add(123456*time.Microsecond), At(13, 0)
			in.CancelRequestedAt, in.Strikes, in.Acknowledged = At(11, 30), 3, true
			require.NoError(t, f.InsertIntent(t.Context(), in))
			require.NotZero(t, in.ID)
			require.False(t, in.CreatedAt.IsZero())
			require.Equal(t, *in, f.stored(t, string(state)))
		}
	},

	"ACustomerMayHaveTheLongestRef": func(t *testing.T, f fixture) {
		ref := ""
		for range order.MaxRefLength {
			ref += "🎁"
		}
		customer := order.CustomerRef{Ref: ref}.QueueName()
		f.queued(t, "k", customer)
		require.Equal(t, customer, f.stored(t, "k").Customer)
	},

	"AnIntentBeginsQueuedOrSending": func(t *testing.T, f fixture) {
		for _, state := range append([]order.IntentState{"", "lost"}, order.IntentStates...) {
			if state == order.Queued || state == order.Sending {
				continue
			}
			in := f.intent("k")
			in.State = state
			err := f.InsertIntent(t.Context(), in)
			require.Error(t, err, state)
			require.NotErrorIs(t, err, store.ErrUnavailable)
		}
		_, err := f.Intent(t.Context(), f.tenant, "portal", "k")
		requireNotFound(t, err, "intent_not_found")
	},

	"ALeaseThatWouldNeverEndIsRefused": func(t *testing.T, f fixture) {
		in := f.intent("k")
		in.LeaseUntil = time.Time{}
		require.Error(t, f.InsertIntent(t.Context(), in))
		in = f.inserted(t, "k")
		good := lease("t2", At(23, 0))
		for _, spoil := range []func(*store.Lease){
			func(l *store.Lease) { l.Token = "" },
			func(l *store.Lease) { l.Until = time.Time{} },
		} {
			bad := good
			spoil(&bad)
			_, err := f.ClaimIntents(t.Context(), f.tenant, idsOf(in), bad)
			require.Error(t, err)
			_, err = f.ClaimQueued(t.Context(), f.tenant, 1, bad)
			require.Error(t, err)
		}
		require.Len(t, f.claim(t, good, in), 1)
	},

	"AMissingIntentIsNotFound": func(t *testing.T, f fixture) {
		_, err := f.Intent(t.Context(), f.tenant, "portal", "none")
		requireNotFound(t, err, "intent_not_found")
	},

	"KeysAreComparedByteByByte": func(t *testing.T, f fixture) {
		keys := []string{"ABC", "abc", "abc ", "abç", "abc", "ab\u0063\u0327"}
		for i, key := range keys {
			in := f.intent(key)
			err := f.InsertIntent(t.Context(), in)
			if i == 4 {
				require.ErrorIs(t, err, store.ErrExists)
				require.NotErrorIs(t, err, store.ErrUnavailable)
				continue
			}
			require.NoError(t, err, "%q", key)
		}
		for _, key := range keys {
			require.Equal(t, key, f.stored(t, key).Key)
		}
		_, err := f.Intent(t.Context(), f.tenant, "portal ", "ABC")
		requireNotFound(t, err, "intent_not_found")
	},

	"OneKeyOfTwoSourcesIsTwoIntents": func(t *testing.T, f fixture) {
		f.inserted(t, "k")
		other := f.intent("k")
		other.Source = "shopify:eu"
		require.NoError(t, f.InsertIntent(t.Context(), other))
	},

	"OpenIntentsAreCounted": func(t *testing.T, f fixture) {
		counts, err := f.CountIntents(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Zero(t, counts)

		for i, key := range []string{"parked", "rejected", "sending", "doubt", "doubt 2", "queued", "queued 2"} {
			f.insert(t, key, func(in *order.Intent) {
				in.CreatedAt = At(10, i).Add(654321 * time.Microsecond)
				if i > 4 {
					in.State = order.Queued
				}
			})
		}
		end := func(key string, state order.IntentState) {
			require.True(t, f.end(t, "t1", store.End{IntentID: f.stored(t, key).ID, State: state, UnknownAt: At(11, 0)}))
		}
		end("rejected", order.Rejected)
		end("doubt", order.Sending)
		end("doubt 2", order.Sending)
		want := order.IntentCounts{Queued: 2, Sending: 4, InDoubt: 2,
			OldestQueued:  At(10, 5).Add(654321 * time.Microsecond),
			OldestInDoubt: At(10, 0).Add(654321 * time.Microsecond)}
		counts, err = f.CountIntents(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, want, counts)

		end("parked", order.Parked)
		want.Sending, want.Parked = 3, 1
		counts, err = f.CountIntents(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, want, counts, "the oldest is a parked one")
	},

	"IntentsAreListedTheNewestFirst": func(t *testing.T, f fixture) {
		f.populateList(t)
		listed := func(filter order.IntentFilter) []string {
			t.Helper()
			page, err := f.ListIntents(t.Context(), f.tenant, filter)
			require.NoError(t, err)
			return keysOf(page)
		}
		require.Equal(t, []string{"doubt", "queued", "shop", "placed", "parked", "rejected"}, listed(order.IntentFilter{}))
		require.Equal(t, []string{"shop"}, listed(order.IntentFilter{Source: "shopify:eu"}))
		require.Equal(t, []string{"doubt", "queued", "placed", "parked", "rejected"}, listed(order.IntentFilter{Source: "portal"}))
		require.Equal(t, []string{"doubt", "parked"}, listed(order.IntentFilter{InDoubt: true}))
		require.Equal(t, []string{"parked"}, listed(order.IntentFilter{InDoubt: true,
			States: []order.IntentState{order.Parked, order.Placed}}))
		require.Empty(t, listed(order.IntentFilter{InDoubt: true, States: []order.IntentState{order.Placed}}))
		require.Equal(t, []string{"queued", "placed"},
			listed(order.IntentFilter{States: []order.IntentState{order.Placed, order.Queued}}))
		require.Equal(t, []string{"placed", "parked"}, listed(order.IntentFilter{Limit: 2,
			States: []order.IntentState{order.Placed, order.Parked, order.Placed}}), "a state that is named twice")
		require.Equal(t, []string{"placed", "parked"}, listed(order.IntentFilter{From: At(10, 1), To: At(10, 3)}))
		require.Empty(t, listed(order.IntentFilter{Source: "none"}))

		page, err := f.ListIntents(t.Context(), f.tenant, order.IntentFilter{Limit: 2})
		require.NoError(t, err)
		require.Equal(t, f.stored(t, "doubt"), page[0], "as it is read alone")
	},

	"PagesOfIntentsAreComplete": func(t *testing.T, f fixture) {
		states := []order.IntentState{order.Queued, order.Sending}
		for i := range 23 {
			f.insert(t, fmt.Sprint(i), func(in *order.Intent) {
				in.CreatedAt = At(8, i/5) // up to five share a moment
				in.State = states[i%2]
			})
		}
		for _, filter := range []order.IntentFilter{{Limit: 4}, {Limit: 4, Source: "portal"}} {
			var seen []string
			for pages := 0; ; pages++ {
				require.Less(t, pages, 10)
				page, err := f.ListIntents(t.Context(), f.tenant, filter)
				require.NoError(t, err)
				if len(page) == 0 {
					break
				}
				seen = append(seen, keysOf(page)...)
				filter.BeforeID = page[len(page)-1].ID
			}
			require.Len(t, seen, 23)
			for i, key := range seen {
				require.Equal(t, fmt.Sprint(22-i), key)
			}
		}
	},

	"APageGoesOnWhereAnIntentWasPurged": func(t *testing.T, f fixture) {
		for i := range 5 {
			f.insert(t, fmt.Sprint(i), func(in *order.Intent) { in.CreatedAt = At(8, i) })
		}
		gone := f.stored(t, "3")
		_, err := f.DB().ExecContext(t.Context(), "DELETE FROM intents WHERE id = ?", gone.ID)
		require.NoError(t, err)
		page, err := f.ListIntents(t.Context(), f.tenant, order.IntentFilter{BeforeID: gone.ID})
		require.NoError(t, err)
		require.Equal(t, []string{"2", "1", "0"}, keysOf(page))

		first := f.stored(t, "0").ID
		page, err = f.ListIntents(t.Context(), f.tenant, order.IntentFilter{BeforeID: first})
		require.NoError(t, err)
		require.Empty(t, page)
		_, err = f.DB().ExecContext(t.Context(), "DELETE FROM intents WHERE id = ?", first)
		require.NoError(t, err)
		page, err = f.ListIntents(t.Context(), f.tenant, order.IntentFilter{BeforeID: first})
		require.NoError(t, err)
		require.Empty(t, page, "all before it were purged")
	},

	"OnlyWhatEndedLongAgoIsPurged": func(t *testing.T, f fixture) {
		f.populateList(t)
		for _, key := range []string{"refused", "refused too"} {
			require.True(t, f.end(t, "t1", store.End{IntentID: f.inserted(t, key).ID, State: order.Refused}))
		}
		late := f.inserted(t, "late")
		require.True(t, f.end(t, "t1", store.End{IntentID: late.ID, State: order.Rejected}))
		called := f.queued(t, "called off", "ref:u-17")
		done, err := f.CancelWaiting(t.Context(), f.tenant, called.ID, nil)
		require.NoError(t, err)
		require.True(t, done)
		_, err = f.DB().ExecContext(t.Context(), "UPDATE intents SET created_at = ?, updated_at = ? WHERE tenant_id = ?",
			At(10, 0), At(11, 0), f.tenant)
		require.NoError(t, err)
		_, err = f.DB().ExecContext(t.Context(), "UPDATE intents SET updated_at = ? WHERE id = ?", At(12, 0), late.ID)
		require.NoError(t, err)

		purge := func(before time.Time, limit int) int {
			n, err := f.PurgeIntents(t.Context(), f.tenant, before, limit)
			require.NoError(t, err)
			return n
		}
		require.Zero(t, purge(At(11, 0), 10))
		require.Equal(t, 3, purge(At(12, 0), 3))
		require.Equal(t, 2, purge(At(12, 0), 10))
		require.Zero(t, purge(At(12, 0), 10))
		page, err := f.ListIntents(t.Context(), f.tenant, order.IntentFilter{})
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"doubt", "queued", "shop", "parked", "late"}, keysOf(page))
	},
}

// populateList stores, from the oldest on: "rejected", "parked", "placed", "shop" of another source, "queued" of another
// customer, and "doubt".
func (f fixture) populateList(t *testing.T) {
	t.Helper()
	for i, key := range []string{"rejected", "parked", "placed", "shop", "queued", "doubt"} {
		f.insert(t, key, func(in *order.Intent) {
			in.CreatedAt = At(10, i)
			switch key {
			case "shop":
				in.Source = "shopify:eu"
			case "queued":
				in.State, in.Customer = order.Queued, "ref:u-2"
			}
		})
	}
	for key, state := range map[string]order.IntentState{"rejected": order.Rejected, "parked": order.Parked, "doubt": order.Sending} {
		require.True(t, f.end(t, "t1", store.End{IntentID: f.stored(t, key).ID, State: state, UnknownAt: At(11, 0)}))
	}
	placed := f.stored(t, "placed")
	f.place(t, &placed, snapshot(1))
}
