package storetest

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

var endTests = map[string]func(t *testing.T, f fixture){
	"WhatWasRefusedCanBeQueued": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		queued, err := f.QueueRefused(t.Context(), f.tenant, in.ID)
		require.NoError(t, err)
		require.False(t, queued, "it is being sent")
		failure := order.Errorf(order.Unavailable, "erp_unavailable", "down")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Refused, Failure: failure, Strike: true}))
		queued, err = f.QueueRefused(t.Context(), f.tenant+1, in.ID)
		require.NoError(t, err)
		require.False(t, queued, "another tenant's")

		queued, err = f.QueueRefused(t.Context(), f.tenant, in.ID)
		require.NoError(t, err)
		require.True(t, queued)
		anew := f.stored(t, "k")
		require.Equal(t, order.Queued, anew.State)
		require.True(t, anew.Acknowledged)
		require.Nil(t, anew.Failure)
		require.Zero(t, anew.Strikes)
		require.Equal(t, []string{"k"}, f.next(t, "t2", 1))
	},

	"AnEndSaysWhatStandsFromThenOn": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		why := order.Errorf(order.Unavailable, "erp_timeout", "Odoo did not answer in time.").RetryIn(3 * time.Second)
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Sending, Acknowledged: true, UnknownAt: At(12, 6),
			Strike: true, NextAttemptAt: At(12, 7), ERPOrderID: 4711, Failure: why.Because(assertCause)}))
		got := f.stored(t, "k")
		require.Equal(t, order.Sending, got.State)
		require.True(t, got.InDoubt())
		require.True(t, got.Acknowledged)
		require.Equal(t, At(12, 6), got.UnknownAt)
		require.Equal(t, 1, got.Strikes)
		require.Equal(t, At(12, 7), got.NextAttemptAt)
		require.EqualValues(t, 4711, got.ERPOrderID)
		require.Equal(t, why, got.Failure, "without its cause")
		require.Empty(t, got.LeaseToken)
		require.True(t, got.LeaseUntil.IsZero())

		f.claim(t, lease("t2", At(12, 9)), in)
		require.True(t, f.end(t, "t2", store.End{IntentID: in.ID, State: order.Sending}))
		got = f.stored(t, "k")
		require.True(t, got.Acknowledged, "it is never taken back")
		require.Equal(t, At(12, 6), got.UnknownAt, "an end that says nothing keeps it")
		require.Equal(t, 1, got.Strikes)
		require.True(t, got.NextAttemptAt.IsZero())
		require.EqualValues(t, 4711, got.ERPOrderID)
		require.Equal(t, why, got.Failure)

		f.claim(t, lease("t3", At(12, 9)), in)
		require.True(t, f.end(t, "t3", store.End{IntentID: in.ID, State: order.Sending, Strike: true}))
		require.Equal(t, 2, f.stored(t, "k").Strikes)
	},

	"WhatIsNotTriedAgainHasNoTime": func(t *testing.T, f fixture) {
		for _, state := range []order.IntentState{order.Queued, order.Parked, order.Rejected, order.Refused, order.CalledOff} {
			in := f.insert(t, string(state), func(in *order.Intent) { in.NextAttemptAt = At(11, 0) })
			require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: state, NextAttemptAt: At(13, 0)}))
			got := f.stored(t, string(state))
			require.Equal(t, state, got.State)
			require.True(t, got.NextAttemptAt.IsZero())
			require.Empty(t, got.LeaseToken)
			require.True(t, got.LeaseUntil.IsZero())
		}
		ids, err := f.DueIntents(t.Context(), f.tenant, At(23, 0), 10)
		require.NoError(t, err)
		require.Empty(t, ids)
		claimed, err := f.ClaimQueued(t.Context(), f.tenant, 10, lease("t2", At(12, 0)))
		require.NoError(t, err)
		require.Equal(t, []string{"queued"}, keysOf(claimed), "what is back in the queue waits for its turn only")
	},

	"ABatchEndsInSeveralWays": func(t *testing.T, f fixture) {
		rejected, doubt, lost, over := f.inserted(t, "rejected"), f.inserted(t, "doubt"), f.inserted(t, "lost"), f.inserted(t, "over")
		f.place(t, over, snapshot(1))
		f.claim(t, lease("t2", At(12, 5)), lost)
		before := f.stored(t, "lost")
		held, err := f.EndAttempts(t.Context(), f.tenant, "t1", []store.End{
			{IntentID: over.ID, State: order.Refused}, {IntentID: lost.ID, State: order.Rejected},
			{IntentID: doubt.ID, State: order.Sending, UnknownAt: At(12, 0)}, {IntentID: rejected.ID, State: order.Rejected}})
		require.NoError(t, err)
		require.Equal(t, idsOf(rejected, doubt), held)
		require.Equal(t, order.Rejected, f.stored(t, "rejected").State)
		doubted := f.stored(t, "doubt")
		require.True(t, doubted.InDoubt())
		require.Equal(t, before, f.stored(t, "lost"))
		require.Equal(t, order.Placed, f.stored(t, "over").State)

		held, err = f.EndAttempts(t.Context(), f.tenant, "t1", nil)
		require.NoError(t, err)
		require.Empty(t, held)
	},

	"AnAttemptEndsInAStateOfItsOwnOnly": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		for _, state := range []order.IntentState{order.Placed, "lost", ""} {
			_, err := f.EndAttempts(t.Context(), f.tenant, "t1", []store.End{{IntentID: in.ID, State: state}})
			require.Error(t, err, state)
		}
		require.Equal(t, *in, f.stored(t, "k"))
	},

	"ARejectedIntentIsOver": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		why := order.Errorf(order.Unprocessable, "rejected_by_erp", "The customer is blocked.")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Rejected, Failure: why}))
		require.Empty(t, f.claim(t, lease("t2", At(23, 0)), in))
		require.False(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Refused}))
		require.Equal(t, order.Rejected, f.stored(t, "k").State)
	},

	"WhoLostTheLeaseChangesNothing": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		queued := f.insert(t, "queued", func(in *order.Intent) { in.State, in.LeaseToken = order.Queued, "t2" })
		f.claim(t, lease("t2", At(12, 5)), in)
		before, beforeQueued := f.stored(t, "k"), f.stored(t, "queued")
		for _, token := range []string{"t1", "", "T2", "t2 "} {
			placed, err := f.PlaceIntents(t.Context(), f.tenant, token, []store.Placed{placing(in, snapshot(1))})
			require.NoError(t, err)
			require.Empty(t, placed, "token %q", token)
			require.False(t, f.end(t, token, store.End{IntentID: in.ID, State: order.Rejected}))
			saved, err := f.SavePlans(t.Context(), f.tenant, token, map[int64]order.Plan{in.ID: in.Plan})
			require.NoError(t, err)
			require.Empty(t, saved)
			closed, err := f.CloseQueued(t.Context(), f.tenant, queued.ID, token, nil)
			require.NoError(t, err)
			require.False(t, closed)
		}
		require.Equal(t, before, f.stored(t, "k"))
		require.Equal(t, beforeQueued, f.stored(t, "queued"))
		_, err := f.Order(t.Context(), f.tenant, 1)
		requireNotFound(t, err, "order_not_found")
	},

	"AFreeLeaseHasNoHolder": func(t *testing.T, f fixture) {
		in, queued := f.inserted(t, "k"), f.queued(t, "queued", "ref:u-17")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Sending}))
		require.False(t, f.end(t, "", store.End{IntentID: in.ID, State: order.Rejected}))
		placed, err := f.PlaceIntents(t.Context(), f.tenant, "", []store.Placed{placing(in, snapshot(1))})
		require.NoError(t, err)
		require.Empty(t, placed)
		closed, err := f.CloseQueued(t.Context(), f.tenant, queued.ID, "", nil)
		require.NoError(t, err)
		require.False(t, closed)
	},

	"AWaitingIntentIsClosedByItsHolder": func(t *testing.T, f fixture) {
		in := f.insert(t, "k", func(in *order.Intent) { in.State = order.Queued })
		why := order.Errorf(order.Unavailable, "busy", "Too many orders wait.").RetryIn(time.Second)
		closed, err := f.CloseQueued(t.Context(), f.tenant, in.ID, "t1", why)
		require.NoError(t, err)
		require.True(t, closed)
		got := f.stored(t, "k")
		require.Equal(t, order.Refused, got.State)
		require.Equal(t, why, got.Failure)
		require.Empty(t, got.LeaseToken)
		closed, err = f.CloseQueued(t.Context(), f.tenant, in.ID, "t1", why)
		require.NoError(t, err)
		require.False(t, closed)

		sending := f.inserted(t, "sending")
		closed, err = f.CloseQueued(t.Context(), f.tenant, sending.ID, "t1", why)
		require.NoError(t, err)
		require.False(t, closed, "its order may be in the ERP")
	},

	"OperatorsChangeWhatTheStateAllows": func(t *testing.T, f fixture) {
		why := order.Errorf(order.Conflict, "called_off", "It was called off.")
		calls := map[string]struct {
			allowed []order.IntentState
			to      order.IntentState
			call    func(id int64) (bool, error)
			check   func(t *testing.T, got order.Intent)
		}{
			"CancelWaiting": {[]order.IntentState{order.Queued, order.Refused}, order.CalledOff,
				func(id int64) (bool, error) { return f.CancelWaiting(t.Context(), f.tenant, id, why) },
				func(t *testing.T, got order.Intent) {
					require.Equal(t, why, got.Failure)
					require.Empty(t, got.LeaseToken)
				}},
			"RequestCancel": {[]order.IntentState{order.Sending, order.Parked}, order.Sending,
				func(id int64) (bool, error) { return f.RequestCancel(t.Context(), f.tenant, id, At(13, 0), At(13, 1)) },
				func(t *testing.T, got order.Intent) {
					require.Equal(t, At(13, 0), got.CancelRequestedAt)
					require.Equal(t, 1, got.Strikes)
				}},
			"RetryIntent": {[]order.IntentState{order.Sending, order.Parked}, order.Sending,
				func(id int64) (bool, error) { return f.RetryIntent(t.Context(), f.tenant, id, At(13, 0)) },
				func(t *testing.T, got order.Intent) {
					require.True(t, got.CancelRequestedAt.IsZero())
					require.Zero(t, got.Strikes)
				}},
		}
		for name, c := range calls {
			for _, state := range order.IntentStates {
				in := f.inState(t, name+" "+string(state), state)
				before := f.stored(t, in.Key)
				changed, err := c.call(in.ID)
				require.NoError(t, err)
				got := f.stored(t, in.Key)
				allowed := false
				for _, s := range c.allowed {
					allowed = allowed || s == state
				}
				require.Equal(t, allowed, changed, in.Key)
				if !allowed {
					require.Equal(t, before, got, in.Key)
					continue
				}
				require.Equal(t, c.to, got.State, in.Key)
				c.check(t, got)
				ids, err := f.DueIntents(t.Context(), f.tenant, At(13, 0), 100)
				require.NoError(t, err)
				if c.to == order.Sending {
					require.Contains(t, ids, in.ID, "due at once")
				} else {
					require.NotContains(t, ids, in.ID)
				}
			}
			changed, err := c.call(1 << 40)
			require.NoError(t, err)
			require.False(t, changed)
		}
	},

	"CancellingInterruptsNobodyAndKeepsTheFirstTime": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.False(t, f.requestCancel(t, in, in.LeaseUntil.Add(-time.Second), At(12, 0)), "somebody carries it")
		require.False(t, f.requestCancel(t, in, At(13, 0), time.Time{}), "what was left behind would be in doubt since nobody knows when")
		require.Equal(t, *in, f.stored(t, "k"))
		for _, at := range []time.Time{At(13, 0), At(14, 0)} {
			require.True(t, f.requestCancel(t, in, at, at.Add(erpAhead)))
		}
		require.Equal(t, At(13, 0), f.stored(t, "k").CancelRequestedAt)
	},

	"CancellingTakesAwayALeaseThatWasLeftBehind": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.True(t, f.requestCancel(t, in, At(13, 0), At(13, 0).Add(erpAhead)))
		got := f.stored(t, "k")
		require.Empty(t, got.LeaseToken)
		require.Equal(t, At(13, 0).Add(erpAhead), got.UnknownAt, "the ERP may have been at work")
		placed, err := f.PlaceIntents(t.Context(), f.tenant, "t1", []store.Placed{placing(in, snapshot(4711))})
		require.NoError(t, err)
		require.Empty(t, placed, "whoever comes back to it does not know that it was called off")

		claimed := f.claim(t, lease("t2", At(13, 5)), in)
		require.Equal(t, At(13, 0).Add(erpAhead), claimed[0].UnknownAt)
		require.True(t, f.end(t, "t2", store.End{IntentID: in.ID, State: order.Sending}))
		require.True(t, f.requestCancel(t, in, At(14, 0), time.Time{}), "nothing was left behind")
	},

	"AWaitingIntentIsCancelledWhoeverHoldsIt": func(t *testing.T, f fixture) {
		in := f.insert(t, "k", func(in *order.Intent) { in.State = order.Queued })
		done, err := f.CancelWaiting(t.Context(), f.tenant, in.ID, nil)
		require.NoError(t, err)
		require.True(t, done)
		batch := lease("t2", At(12, 0))
		batch.Held = []string{"t1"}
		require.Empty(t, f.claim(t, batch, in))
	},
}

// inState stores an intent with a strike that nobody carries, in a state.
func (f fixture) inState(t *testing.T, key string, state order.IntentState) *order.Intent {
	t.Helper()
	if state == order.Adopted {
		f.upsert(t, snapshot(9000))
		f.adopt(t, store.Adoption{ERPOrderID: 9000, Keys: []store.AdoptedKey{{Source: "portal", Key: key}}})
		in := f.stored(t, key)
		return &in
	}
	in := f.insert(t, key, func(in *order.Intent) {
		in.Strikes, in.Acknowledged = 1, true
		if state == order.Performed {
			in.Action = &order.Action{Kind: order.Confirm, OrderID: 8000}
		}
	})
	if state == order.Placed || state == order.Performed {
		f.place(t, in, snapshot(cmp.Or(f.stored(t, key).ERPOrderID, in.ID)))
		return in
	}
	require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: state, NextAttemptAt: At(22, 0)}))
	return in
}

var assertCause = order.Errorf(order.Internal, "secret", "dial tcp 10.0.0.7")

// requestCancel notes that an intent was called off, and reports whether it could be.
func (f fixture) requestCancel(t *testing.T, in *order.Intent, at, erpNow time.Time) bool {
	t.Helper()
	noted, err := f.RequestCancel(t.Context(), f.tenant, in.ID, at, erpNow)
	require.NoError(t, err)
	return noted
}
