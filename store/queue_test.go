package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
	"ordergate/test/proxy"
)

// Another process takes a1, or holds it again, after it was found to be next and before it is locked.
func TestAClaimLeavesACustomerWhoseTurnChangedAndTakesOthers(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, _ *proxy.TCPProxy) {
		for _, key := range []string{"a1", "a2", "b1", "c1"} {
			require.NoError(t, s.InsertIntent(t.Context(), &order.Intent{TenantID: 1, Source: "portal", Key: key,
				State: order.Queued, Customer: key[:1], Acknowledged: true}))
		}
		claim := func(limit int, state order.IntentState) []string {
			other, err := s.DB().BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = other.ExecContext(t.Context(), `UPDATE intents SET state = ?, lease_token = 'other', lease_until = ?
				WHERE idempotency_key = 'a1'`, string(state), storetest.At(12, 1))
			require.NoError(t, err)
			now := storetest.At(12, 1).Add(-time.Second)
			lease := store.Lease{Token: "t1", Now: now, Until: now.Add(store.LeaseLasts), ERPNow: now}
			var claimed []order.Intent
			done := make(chan error, 1)
			go func() {
				var err error
				claimed, err = s.ClaimQueued(context.WithoutCancel(t.Context()), 1, limit, lease)
				done <- err
			}()
			waitForLockWait(t, s)
			require.NoError(t, other.Commit())
			require.NoError(t, <-done)
			keys := []string{}
			for _, in := range claimed {
				keys = append(keys, in.Key)
			}
			_, err = s.DB().ExecContext(t.Context(), "UPDATE intents SET state = 'queued', lease_token = '', lease_until = NULL")
			require.NoError(t, err)
			return keys
		}
		require.Equal(t, []string{"b1", "c1"}, claim(2, order.Sending), "c1 instead of a1")
		require.Equal(t, []string{"b1", "c1"}, claim(4, order.Sending), "a2 has to wait for a1")
		require.Equal(t, []string{"b1", "c1"}, claim(4, order.Queued), "a2 has to wait for a1")
	})
}
