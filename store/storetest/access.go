package storetest

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

func (f fixture) key(t *testing.T, name string) order.APIKey {
	t.Helper()
	_, prefix, hash, err := order.NewSecret(rand.Reader)
	require.NoError(t, err)
	key, err := f.CreateKey(t.Context(), order.APIKey{TenantID: f.tenant, Name: name, Role: order.RoleCustomer,
		Source: "portal", ERPPartnerID: 9, Prefix: prefix, Hash: hash})
	require.NoError(t, err)
	return key
}

var accessTests = map[string]func(t *testing.T, f fixture){
	"ATenantIsOneByItsName": func(t *testing.T, f fixture) {
		name := t.Name()
		first, err := f.EnsureTenant(t.Context(), name)
		require.NoError(t, err)
		again, err := f.EnsureTenant(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, first, again)
		for _, other := range []string{name + " ", name + "é", "X" + name} {
			id, err := f.EnsureTenant(t.Context(), other)
			require.NoError(t, err)
			require.NotEqual(t, first, id, other)
		}
	},

	"AKeyIsFoundByItsHash": func(t *testing.T, f fixture) {
		key := f.key(t, "shop")
		require.NotZero(t, key.ID)
		require.WithinDuration(t, time.Now(), key.CreatedAt, time.Minute)
		got, err := f.KeyByHash(t.Context(), key.Hash)
		require.NoError(t, err)
		require.Equal(t, key, got)
		_, err = f.KeyByHash(t.Context(), order.HashSecret("og_wrong"))
		requireNotFound(t, err, "key_not_found")
	},

	"AKeysNameIsNotUsedTwice": func(t *testing.T, f fixture) {
		key := f.key(t, "shop")
		require.NoError(t, f.RevokeKey(t.Context(), f.tenant, "shop"))
		key.Hash = order.HashSecret("another " + t.Name())
		_, err := f.CreateKey(t.Context(), key)
		require.ErrorIs(t, err, store.ErrExists)
		f.key(t, "Shop")
	},

	"AKeyIsRevokedByNameOrID": func(t *testing.T, f fixture) {
		byName, byID := f.key(t, "shop"), f.key(t, "other")
		misleading := f.key(t, fmt.Sprint(byID.ID+1_000_000))
		require.NoError(t, f.RevokeKey(t.Context(), f.tenant, "shop"))
		require.NoError(t, f.RevokeKey(t.Context(), f.tenant, fmt.Sprint(byID.ID)))
		requireNotFound(t, f.RevokeKey(t.Context(), f.tenant, "nobody"), "key_not_found")
		requireNotFound(t, f.RevokeKey(t.Context(), f.tenant, "987654321"), "key_not_found")

		keys, err := f.Keys(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Len(t, keys, 3)
		require.Equal(t, byName.ID, keys[0].ID)
		require.False(t, keys[0].RevokedAt.IsZero())
		require.False(t, keys[1].RevokedAt.IsZero())
		require.Equal(t, misleading, keys[2], "not revoked")

		require.NoError(t, f.RevokeKey(t.Context(), f.tenant, "shop"))
		again, err := f.Keys(t.Context(), f.tenant)
		require.NoError(t, err)
		require.Equal(t, keys[0].RevokedAt, again[0].RevokedAt, "revoking again changes nothing")
		found, err := f.KeyByHash(t.Context(), byName.Hash)
		require.NoError(t, err)
		require.Equal(t, keys[0], found)
	},

	"OrphansAreResolved": func(t *testing.T, f fixture) {
		for i, row := range []struct{ table, reason, json string }{
			{"orders", "no_erp_order_id", `{"id": 8, "number": "S8", "reference": "PO 8 — ü"}`},
			{"orders", "duplicate", `{"id": 9, "number": "S9", "reference": "PO 9"}`},
			{"order_lines", "no_erp_order_id", `{"id": 10, "order_id": 8}`},
			{"orders", "no_erp_order_id", `{"id": 11, "number": null, "reference": null}`},
		} {
			_, err := f.DB().ExecContext(t.Context(), `INSERT INTO dedupe_archive
				(tenant_id, run_id, table_name, row_id, reason, row_json, archived_at) VALUES (?, 'r', ?, ?, ?, ?, ?)`,
				f.tenant, row.table, 8+i, row.reason, row.json, At(10, 0))
			require.NoError(t, err)
		}
		orphans, err := f.Orphans(t.Context(), f.tenant, 0, 0)
		require.NoError(t, err)
		require.Len(t, orphans, 2)
		require.Equal(t, store.Orphan{ArchiveID: orphans[0].ArchiveID, Number: "S8", Reference: "PO 8 — ü"}, orphans[0])
		next, err := f.Orphans(t.Context(), f.tenant, orphans[0].ArchiveID, 5)
		require.NoError(t, err)
		require.Equal(t, orphans[1:], next)

		require.NoError(t, f.ResolveOrphan(t.Context(), f.tenant, orphans[0].ArchiveID, 4711))
		requireNotFound(t, f.ResolveOrphan(t.Context(), f.tenant, orphans[0].ArchiveID, 4712), "orphan_not_found")
		rest, err := f.Orphans(t.Context(), f.tenant, 0, 0)
		require.NoError(t, err)
		require.Equal(t, orphans[1:], rest)
		require.EqualValues(t, 4711,
			f.number(t, "SELECT resolved_erp_order_id FROM dedupe_archive WHERE id = ?", orphans[0].ArchiveID))
	},
}
