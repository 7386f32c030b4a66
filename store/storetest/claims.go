package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

var claimTests = map[string]func(t *testing.T, f fixture){
	"OnlyALeaseThatIsFreeOrOverIsClaimed": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.Empty(t, f.claim(t, lease("t2", stillHeld()), in), "the lease of t1 runs until 12:01")
		require.Equal(t, "t1", f.stored(t, "k").LeaseToken)

		claimed := f.claim(t, lease("t2", At(12, 1)), in)
		require.Len(t, claimed, 1)
		require.Equal(t, "t2", claimed[0].LeaseToken)
		require.Equal(t, At(12, 1).Add(store.LeaseLasts), claimed[0].LeaseUntil)
		require.Equal(t, 2, claimed[0].Attempts)
		require.Equal(t, claimed[0], f.stored(t, "k"))

		none, err := f.ClaimIntents(t.Context(), f.tenant, []int64{in.ID + 1_000_000}, lease("t2", At(12, 1)))
		require.NoError(t, err)
		require.Empty(t, none)
		none, err = f.ClaimIntents(t.Context(), f.tenant, nil, lease("t2", At(12, 1)))
		require.NoError(t, err)
		require.Empty(t, none)
	},

	"ABatchIsClaimedByRisingID": func(t *testing.T, f fixture) {
		carried := f.insert(t, "carried", func(in *order.Intent) { in.LeaseUntil = At(12, 1) })
		over := f.insert(t, "over", func(in *order.Intent) { in.LeaseUntil = At(11, 59) })
		free := f.queued(t, "free", "ref:u-17")
		rejected, parked := f.inserted(t, "rejected"), f.inserted(t, "parked")
		require.True(t, f.end(t, "t1", store.End{IntentID: rejected.ID, State: order.Rejected}))
		require.True(t, f.end(t, "t1", store.End{IntentID: parked.ID, State: order.Parked}))
		claimed := f.claim(t, lease("t2", stillHeld()), free, parked, rejected, over, carried)
		require.Equal(t, []string{"over", "free"}, keysOf(claimed))
		for _, in := range claimed {
			require.Equal(t, order.Sending, in.State)
			require.Equal(t, "t2", in.LeaseToken)
		}
	},

	"WhatCannotBeReadIsSetAsideAndListed": func(t *testing.T, f fixture) {
		bad, good := f.queued(t, "bad", "ref:a"), f.queued(t, "good", "ref:b")
		_, err := f.DB().ExecContext(t.Context(), "UPDATE intents SET plan = '[' WHERE id = ?", bad.ID)
		require.NoError(t, err)
		claimed, err := f.ClaimQueued(t.Context(), f.tenant, 10, lease("t1", stillHeld()))
		require.NoError(t, err)
		require.Equal(t, []string{"good"}, keysOf(claimed))
		listed, err := f.ListIntents(t.Context(), f.tenant, order.IntentFilter{States: []order.IntentState{order.Parked}})
		require.NoError(t, err)
		require.Equal(t, []string{"bad"}, keysOf(listed))
		require.Equal(t, "unreadable", listed[0].Failure.Code)
		require.Equal(t, order.Sending, f.stored(t, good.Key).State)
	},

	"ALeaseTooFarInTheFutureCountsAsOver": func(t *testing.T, f fixture) {
		now := At(12, 0)
		plausible := f.insert(t, "plausible", func(in *order.Intent) { in.LeaseUntil = now.Add(store.LeaseLasts + 30*time.Second) })
		wrong := f.insert(t, "wrong", func(in *order.Intent) { in.LeaseUntil = now.Add(store.LeaseLasts + 31*time.Second) })
		queued := f.insert(t, "queued", func(in *order.Intent) { in.State, in.LeaseUntil = order.Queued, now.AddDate(10, 0, 0) })
		ids, err := f.DueIntents(t.Context(), f.tenant, now, 10)
		require.NoError(t, err)
		require.Equal(t, []int64{wrong.ID}, ids)
		require.True(t, store.Carried(f.stored(t, "plausible"), now), "and what is told of a lease is what the claims go by")
		require.False(t, store.Carried(f.stored(t, "wrong"), now))
		require.False(t, store.Carried(f.stored(t, "queued"), now))
		require.Equal(t, []string{"wrong", "queued"}, keysOf(f.claim(t, lease("t2", now), plausible, wrong, queued)))
	},

	"AWaitingIntentIsClaimedByWhoHoldsIt": func(t *testing.T, f fixture) {
		held := f.insert(t, "held", func(in *order.Intent) { in.State, in.LeaseToken = order.Queued, "request 1" })
		other := f.insert(t, "other", func(in *order.Intent) { in.State, in.LeaseToken = order.Queued, "request 2" })
		sending := f.insert(t, "sending", func(in *order.Intent) { in.LeaseToken = "request 1" })
		batch := lease("t2", stillHeld())
		batch.Held = []string{"request 1", "request 3"}
		claimed := f.claim(t, batch, held, other, sending)
		require.Equal(t, []string{"held"}, keysOf(claimed), "a token of the process does not open what is being sent")
		require.True(t, claimed[0].UnknownAt.IsZero(), "the ERP was not asked")
	},

	"AClaimWhoseAnswerWasLostMayBeRepeated": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		first := f.claim(t, lease("t2", At(12, 5)), in)
		require.Equal(t, first, f.claim(t, lease("t2", At(12, 5)), in))
		require.Equal(t, 2, first[0].Attempts)
	},

	"ALeaseLeftBehindMakesTheOutcomeUnknown": func(t *testing.T, f fixture) {
		sending := f.inserted(t, "sending")
		queued := f.insert(t, "queued", func(in *order.Intent) { in.State = order.Queued })
		claimed := f.claim(t, lease("t2", At(12, 5)), sending, queued)
		require.Equal(t, At(12, 5).Add(erpAhead), claimed[0].UnknownAt, "by the ERP's clock")
		require.True(t, claimed[1].UnknownAt.IsZero(), "the ERP was not asked")
	},

	"WhatWasBeingSentWaitsUntilTheTimeOfTheERPIsKnown": func(t *testing.T, f fixture) {
		sending := f.inserted(t, "sending")
		queued := f.insert(t, "queued", func(in *order.Intent) { in.State = order.Queued })
		timeless := lease("t2", At(12, 5))
		timeless.ERPNow = time.Time{}
		require.Equal(t, []string{"queued"}, keysOf(f.claim(t, timeless, sending, queued)))
		require.Equal(t, "t1", f.stored(t, "sending").LeaseToken)
	},

	"ADoubtIsNotDatedBack": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Sending, UnknownAt: At(12, 30)}))
		f.claim(t, lease("t2", At(12, 1)), in)
		got := f.claim(t, lease("t3", At(12, 5)), in)[0]
		require.Equal(t, At(12, 30), got.UnknownAt)
		got = f.claim(t, lease("t4", At(12, 40)), in)[0]
		require.Equal(t, At(12, 40).Add(erpAhead), got.UnknownAt)
	},

	"AClaimAfterACleanEndKeepsWhatIsKnown": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Sending, NextAttemptAt: At(12, 1), ERPOrderID: 4711}))
		got := f.claim(t, lease("t2", At(12, 5)), in)[0]
		require.True(t, got.UnknownAt.IsZero())
		require.EqualValues(t, 4711, got.ERPOrderID)

		require.True(t, f.end(t, "t2", store.End{IntentID: in.ID, State: order.Sending, UnknownAt: At(12, 6)}))
		got = f.claim(t, lease("t3", At(12, 9)), in)[0]
		require.Equal(t, At(12, 6), got.UnknownAt)
	},

	"ARefusedIntentBeginsAnew": func(t *testing.T, f fixture) {
		in := f.insert(t, "k", func(in *order.Intent) { in.CancelRequestedAt = At(11, 0) })
		why := order.Invalid("sku_unknown", "lines[0].sku", "There is no product with the SKU %q.", "X")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Refused, Acknowledged: true, Strike: true,
			UnknownAt: At(12, 0), Failure: why}))
		require.Equal(t, why, f.stored(t, "k").Failure)

		require.Empty(t, f.claim(t, lease("t2", At(12, 2)), in), "it was said that there will be no order: only who asks again begins anew")
		anew := lease("t3", At(12, 2))
		anew.Anew = []int64{in.ID}
		claimed := f.claim(t, anew, in)
		require.Len(t, claimed, 1)
		got := claimed[0]
		require.Equal(t, order.Sending, got.State)
		require.Equal(t, 2, got.Attempts)
		require.True(t, got.UnknownAt.IsZero())
		require.True(t, got.CancelRequestedAt.IsZero())
		require.Nil(t, got.Failure)
		require.False(t, got.Acknowledged)
		require.Zero(t, got.Strikes)
	},

	"AClaimKeepsWhatStandsOfOthers": func(t *testing.T, f fixture) {
		in := f.insert(t, "k", func(in *order.Intent) { in.CancelRequestedAt = At(11, 0) })
		why := order.Errorf(order.Unavailable, "in_doubt", "Wait.")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Sending, Acknowledged: true, Strike: true,
			UnknownAt: At(12, 0), Failure: why}))
		got := f.claim(t, lease("t2", At(12, 2)), in)[0]
		require.Equal(t, why, got.Failure)
		require.True(t, got.Acknowledged)
		require.Equal(t, 1, got.Strikes)
		require.Equal(t, At(11, 0), got.CancelRequestedAt)
	},

	"DueIntentsAreThoseThatNobodyCarries": func(t *testing.T, f fixture) {
		now := At(14, 0)
		ids := map[string]int64{}
		for i, key := range []string{"wrong clock", "waiting", "due", "abandoned", "carried", "patient", "closed", "parked"} {
			in := f.insert(t, key, func(in *order.Intent) { in.CreatedAt = At(10, 30-i) })
			ids[key] = in.ID
		}
		f.insert(t, "carried too", func(in *order.Intent) { in.LeaseUntil = now.Add(time.Second) })
		f.renew(t, At(12, 1), "t1")
		_, err := f.DB().ExecContext(t.Context(), "UPDATE intents SET lease_until = ? WHERE tenant_id = ? AND idempotency_key LIKE 'carried%'",
			now.Add(time.Second), f.tenant)
		require.NoError(t, err)
		wait := func(key string, state order.IntentState, until time.Time) {
			require.True(t, f.end(t, "t1", store.End{IntentID: ids[key], State: state, NextAttemptAt: until}))
		}
		wait("waiting", order.Sending, now.Add(time.Second))
		wait("patient", order.Sending, now.Add(2*store.MaxBackoff))
		wait("wrong clock", order.Sending, now.Add(2*store.MaxBackoff+time.Second))
		wait("due", order.Sending, now)
		wait("closed", order.Refused, time.Time{})
		wait("parked", order.Parked, time.Time{})
		f.queued(t, "queued", "ref:u-17")

		got, err := f.DueIntents(t.Context(), f.tenant, now, 10)
		require.NoError(t, err)
		require.Equal(t, []int64{ids["abandoned"], ids["due"], ids["wrong clock"]}, got, "the oldest first")
		got, err = f.DueIntents(t.Context(), f.tenant, now, 1)
		require.NoError(t, err)
		require.Equal(t, []int64{ids["abandoned"]}, got)
	},

	"ARenewedLeaseLastsLonger": func(t *testing.T, f fixture) {
		f.insert(t, "a", func(in *order.Intent) { in.LeaseToken = "a" })
		f.insert(t, "b", func(in *order.Intent) { in.LeaseToken, in.State = "b", order.Queued })
		f.insert(t, "c", func(in *order.Intent) { in.LeaseToken = "c" })
		f.queued(t, "free", "ref:u-17")
		require.Equal(t, []string{"a", "b"}, f.renew(t, At(13, 0), "b", "a", "", "gone"))
		require.Equal(t, At(13, 0), f.stored(t, "a").LeaseUntil)
		require.Equal(t, At(13, 0), f.stored(t, "b").LeaseUntil)
		require.Equal(t, At(12, 1), f.stored(t, "c").LeaseUntil)
		require.True(t, f.stored(t, "free").LeaseUntil.IsZero(), "what nobody holds cannot be renewed")
		require.Empty(t, f.renew(t, At(13, 0)))
	},

	"ALostLeaseIsNotRevived": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		taken := f.claim(t, lease("t2", At(12, 5)), in)
		require.Equal(t, []string{"t2"}, f.renew(t, taken[0].LeaseUntil, "t1", "t2"))
		require.Equal(t, taken[0], f.stored(t, "k"))
	},

	"PlansAreStoredOnce": func(t *testing.T, f fixture) {
		bare := func(in *order.Intent) { in.Plan = order.Plan{} }
		first, second := f.insert(t, "first", bare), f.insert(t, "second", bare)
		planned := f.inserted(t, "planned")
		lost := f.insert(t, "lost", func(in *order.Intent) { in.Plan, in.LeaseToken = order.Plan{}, "t2" })
		plans := map[int64]order.Plan{}
		for _, in := range []*order.Intent{first, second, planned, lost} {
			plans[in.ID] = order.Plan{PartnerID: 100 + in.ID, ProductIDs: []int64{in.ID, 7}}
		}
		for range 2 {
			saved, err := f.SavePlans(t.Context(), f.tenant, "t1", plans)
			require.NoError(t, err)
			require.Equal(t, idsOf(first, second), saved, "a repetition finds what it stored")
		}
		require.Equal(t, plans[first.ID], f.stored(t, "first").Plan)
		require.Equal(t, plans[second.ID], f.stored(t, "second").Plan)
		require.Equal(t, planned.Plan, f.stored(t, "planned").Plan, "what was sent before must be sent again")
		require.False(t, f.stored(t, "lost").Plan.Resolved())
		saved, err := f.SavePlans(t.Context(), f.tenant, "t1", nil)
		require.NoError(t, err)
		require.Empty(t, saved)
	},
}
