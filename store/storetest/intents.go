package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

var intentTests = map[string]func(t *testing.T, f fixture){
	"AnIntentComesBackAsItWent": func(t *testing.T, f fixture) {
		in := f.intent("k")
		price := dec("19.9")
		in.Request.Lines[0].UnitPrice = &price
		in.Request.Note = "Grüße 🎁 it's \\ \"here\""
		in.UnknownAt, in.NextAttemptAt = At(11, 0).Add(123456*time.Microsecond), At(13, 0)
		require.NoError(t, f.InsertIntent(t.Context(), in))
		require.NotZero(t, in.ID)
		require.Equal(t, order.Sending, in.State)
		require.False(t, in.CreatedAt.IsZero())
		require.Equal(t, *in, f.stored(t, "k"))
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

	"OnlyALeaseThatIsFreeOrOverIsClaimed": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		_, claimed, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t2", At(12, 0)))
		require.NoError(t, err)
		require.False(t, claimed, "the lease of t1 runs until 12:01")
		require.Equal(t, "t1", f.stored(t, "k").LeaseToken)

		got, claimed, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t2", At(12, 1)))
		require.NoError(t, err)
		require.True(t, claimed)
		require.Equal(t, "t2", got.LeaseToken)
		require.Equal(t, At(12, 2), got.LeaseUntil)
		require.Equal(t, 2, got.Attempts)
		require.Equal(t, got, f.stored(t, "k"))

		_, claimed, err = f.ClaimIntent(t.Context(), f.tenant, in.ID+1_000_000, lease("t2", At(12, 1)))
		require.NoError(t, err)
		require.False(t, claimed)
	},

	"ALeaseLeftBehindMakesTheOutcomeUnknown": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		got, claimed, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t2", At(12, 5)))
		require.NoError(t, err)
		require.True(t, claimed)
		require.Equal(t, At(12, 5), got.UnknownAt)
	},

	"AClaimAfterACleanReleaseKeepsWhatIsKnown": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.NoError(t, f.ReleaseIntent(t.Context(), f.tenant, in.ID, "t1", store.Release{NextAttemptAt: At(12, 1), ERPOrderID: 4711}))
		got, claimed, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t2", At(12, 5)))
		require.NoError(t, err)
		require.True(t, claimed)
		require.True(t, got.UnknownAt.IsZero())
		require.EqualValues(t, 4711, got.ERPOrderID)

		why := order.Errorf(order.Unavailable, "erp_timeout", "Odoo did not answer in time.").RetryIn(3 * time.Second)
		require.NoError(t, f.ReleaseIntent(t.Context(), f.tenant, in.ID, "t2",
			store.Release{UnknownAt: At(12, 6), NextAttemptAt: At(12, 7), Failure: why.Because(assertCause)}))
		released := f.stored(t, "k")
		require.Equal(t, order.Sending, released.State)
		require.EqualValues(t, 4711, released.ERPOrderID, "a later attempt that does not know it keeps it")
		require.Empty(t, released.LeaseToken)
		require.True(t, released.LeaseUntil.IsZero())
		require.Equal(t, At(12, 7), released.NextAttemptAt)
		require.Equal(t, why, released.Failure, "without its cause")

		got, _, err = f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t3", At(12, 9)))
		require.NoError(t, err)
		require.Equal(t, At(12, 6), got.UnknownAt, "a claim after a clean release must not move it")
		require.NoError(t, f.ReleaseIntent(t.Context(), f.tenant, in.ID, "t3", store.Release{}))
		require.Equal(t, At(12, 6), f.stored(t, "k").UnknownAt, "a release that says nothing must keep it")
		require.Equal(t, why, f.stored(t, "k").Failure)
	},

	"ARefusedIntentBeginsAnew": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.NoError(t, f.ReleaseIntent(t.Context(), f.tenant, in.ID, "t1", store.Release{UnknownAt: At(12, 0)}))
		_, _, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t2", At(12, 1)))
		require.NoError(t, err)
		why := order.Invalid("sku_unknown", "lines[0].sku", "There is no product with the SKU %q.", "X")
		require.NoError(t, f.CloseIntent(t.Context(), f.tenant, in.ID, "t2", order.Refused, why))
		refused := f.stored(t, "k")
		require.Equal(t, order.Refused, refused.State)
		require.Equal(t, why, refused.Failure)
		require.Empty(t, refused.LeaseToken)

		got, claimed, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t3", At(12, 2)))
		require.NoError(t, err)
		require.True(t, claimed)
		require.Equal(t, order.Sending, got.State)
		require.True(t, got.UnknownAt.IsZero())
		require.Nil(t, got.Failure)
	},

	"ARejectedIntentIsOver": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		why := order.Errorf(order.Unprocessable, "rejected_by_erp", "The customer is blocked.")
		require.NoError(t, f.CloseIntent(t.Context(), f.tenant, in.ID, "t1", order.Rejected, why))
		_, claimed, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t2", At(23, 0)))
		require.NoError(t, err)
		require.False(t, claimed)
		require.ErrorIs(t, f.CloseIntent(t.Context(), f.tenant, in.ID, "t1", order.Refused, why), store.ErrLeaseLost)
		require.Equal(t, order.Rejected, f.stored(t, "k").State)
	},

	"AnIntentIsClosedAsRejectedOrRefusedOnly": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		for _, state := range []order.IntentState{order.Sending, order.Placed, "lost"} {
			require.Error(t, f.CloseIntent(t.Context(), f.tenant, in.ID, "t1", state, nil))
		}
		require.Equal(t, order.Sending, f.stored(t, "k").State)
	},

	"WhoLostTheLeaseChangesNothing": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		_, _, err := f.ClaimIntent(t.Context(), f.tenant, in.ID, lease("t2", At(12, 5)))
		require.NoError(t, err)
		before := f.stored(t, "k")
		why := order.Errorf(order.Conflict, "late", "Too late.")
		for _, token := range []string{"t1", "", "T2", "t2 "} {
			late := *in
			late.LeaseToken = token
			_, err := f.PlaceIntent(t.Context(), &late, snapshot(1), nil)
			require.ErrorIs(t, err, store.ErrLeaseLost, "token %q", token)
			require.ErrorIs(t, f.CloseIntent(t.Context(), f.tenant, in.ID, token, order.Rejected, why), store.ErrLeaseLost)
			require.ErrorIs(t, f.ReleaseIntent(t.Context(), f.tenant, in.ID, token, store.Release{}), store.ErrLeaseLost)
		}
		require.Equal(t, before, f.stored(t, "k"))
		_, err = f.Order(t.Context(), f.tenant, 1)
		requireNotFound(t, err, "order_not_found")
	},

	"AFreeLeaseHasNoHolder": func(t *testing.T, f fixture) {
		in := f.inserted(t, "k")
		require.NoError(t, f.ReleaseIntent(t.Context(), f.tenant, in.ID, "t1", store.Release{}))
		require.ErrorIs(t, f.ReleaseIntent(t.Context(), f.tenant, in.ID, "", store.Release{}), store.ErrLeaseLost)
		in.LeaseToken = ""
		_, err := f.PlaceIntent(t.Context(), in, snapshot(1), nil)
		require.ErrorIs(t, err, store.ErrLeaseLost)
	},

	"DueIntentsAreThoseThatNobodyCarries": func(t *testing.T, f fixture) {
		carried := f.intent("carried")
		abandoned, waiting, due, closed := f.intent("abandoned"), f.intent("waiting"), f.intent("due"), f.intent("closed")
		carried.LeaseUntil = At(15, 0)
		for i, in := range []*order.Intent{due, abandoned, carried, waiting, closed} {
			in.CreatedAt = At(10, 10-i)
			require.NoError(t, f.InsertIntent(t.Context(), in))
		}
		require.NoError(t, f.ReleaseIntent(t.Context(), f.tenant, waiting.ID, "t1", store.Release{NextAttemptAt: At(14, 1)}))
		require.NoError(t, f.ReleaseIntent(t.Context(), f.tenant, due.ID, "t1", store.Release{NextAttemptAt: At(14, 0)}))
		require.NoError(t, f.CloseIntent(t.Context(), f.tenant, closed.ID, "t1", order.Refused, nil))

		ids, err := f.DueIntents(t.Context(), f.tenant, At(14, 0), 10)
		require.NoError(t, err)
		require.Equal(t, []int64{abandoned.ID, due.ID}, ids, "the oldest first")
		ids, err = f.DueIntents(t.Context(), f.tenant, At(14, 0), 1)
		require.NoError(t, err)
		require.Equal(t, []int64{abandoned.ID}, ids)
	},

	"OpenIntentsAreCounted": func(t *testing.T, f fixture) {
		open, oldest, err := f.CountIntents(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Zero(t, open)
		require.True(t, oldest.IsZero())

		for i, key := range []string{"a", "b", "c"} {
			in := f.intent(key)
			in.CreatedAt = At(10, i).Add(654321 * time.Microsecond)
			require.NoError(t, f.InsertIntent(t.Context(), in))
		}
		first := f.stored(t, "a")
		require.NoError(t, f.CloseIntent(t.Context(), f.tenant, first.ID, "t1", order.Rejected, nil))
		open, oldest, err = f.CountIntents(t.Context(), f.tenant)
		require.NoError(t, err)
		require.EqualValues(t, 2, open)
		require.Equal(t, At(10, 1).Add(654321*time.Microsecond), oldest)
	},
}

var assertCause = order.Errorf(order.Internal, "secret", "dial tcp 10.0.0.7")
