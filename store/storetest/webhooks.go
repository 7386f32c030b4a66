package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"ordergate/order"
	"ordergate/store"
)

// webhooks are such as an installation leaves, with a secret of one's choice.
func webhooks(secret string) store.Webhooks {
	return store.Webhooks{Address: "https://gateway.example/hooks/odoo/default/", Hash: order.HashSecret(secret),
		InstalledAt: At(9, 0), RotatedAt: At(9, 30)}
}

var webhookTests = map[string]func(t *testing.T, f fixture){
	"WebhooksAreSavedAndRemoved": func(t *testing.T, f fixture) {
		_, err := f.Webhooks(t.Context(), f.tenant)
		requireNotFound(t, err, "webhooks_not_installed")
		w := webhooks("one")
		require.NoError(t, f.SaveWebhooks(t.Context(), f.tenant, w))
		require.NoError(t, f.SaveWebhooks(t.Context(), f.tenant, w), "the same again")
		got, err := f.Webhooks(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, w, got)

		w.PreviousHash, w.PreviousUntil, w.Hash, w.Early = w.Hash, At(10, 10), order.HashSecret("two"), true
		w.Address, w.RotatedAt = "https://other.example/hooks/odoo/default/", At(10, 0)
		require.NoError(t, f.SaveWebhooks(t.Context(), f.tenant, w))
		got, err = f.Webhooks(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, w, got)

		require.NoError(t, f.RemoveWebhooks(t.Context(), f.tenant))
		require.NoError(t, f.RemoveWebhooks(t.Context(), f.tenant))
		_, err = f.Webhooks(t.Context(), f.tenant)
		requireNotFound(t, err, "webhooks_not_installed")
	},

	"TheSecretBeforeIsTakenForAWhile": func(t *testing.T, f fixture) {
		w := webhooks("new")
		w.PreviousHash, w.PreviousUntil = order.HashSecret("old"), At(10, 0)
		require.NoError(t, f.SaveWebhooks(t.Context(), f.tenant, w))
		w, err := f.Webhooks(t.Context(), f.tenant)
		require.NoError(t, err)
		require.True(t, w.Takes(order.HashSecret("new"), At(23, 0)))
		require.True(t, w.Takes(order.HashSecret("old"), At(9, 59)))
		require.False(t, w.Takes(order.HashSecret("old"), At(10, 0)))
		require.False(t, w.Takes(order.HashSecret("guess"), At(9, 0)))
		require.False(t, w.Takes("", At(9, 0)))
		w.PreviousHash = ""
		require.False(t, w.Takes("", At(9, 0)), "no previous secret is not an empty one")
	},

	"WebhookCountsOfReplicasAddUp": func(t *testing.T, f fixture) {
		require.NoError(t, f.CountWebhooks(t.Context(), f.tenant, store.WebhookCounts{Notifications: 1}), "without webhooks")
		require.NoError(t, f.SaveWebhooks(t.Context(), f.tenant, webhooks("one")))
		var group errgroup.Group
		for i := range 8 {
			group.Go(func() error {
				return f.CountWebhooks(t.Context(), f.tenant, store.WebhookCounts{
					NotifiedAt: At(10, i), Notifications: 5, Announced: 2, Missed: 1})
			})
		}
		require.NoError(t, group.Wait())
		require.NoError(t, f.CountWebhooks(t.Context(), f.tenant, store.WebhookCounts{Missed: 1}))
		want := store.WebhookCounts{NotifiedAt: At(10, 7), Notifications: 40, Announced: 16, Missed: 9}
		w, err := f.Webhooks(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, want, w.Counts)

		require.NoError(t, f.SaveWebhooks(t.Context(), f.tenant, webhooks("two")), "a rotation")
		w, err = f.Webhooks(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, want, w.Counts)
		require.Equal(t, 30*time.Minute, w.RotatedAt.Sub(w.InstalledAt))
	},
}
