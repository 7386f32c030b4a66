package ordersync

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

func TestKeyFinding(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		key    odoo.KeyExpiry
		ok     bool
		detail string
	}{
		"password": {odoo.KeyExpiry{}, true, "password"},
		"hidden":   {odoo.KeyExpiry{InUse: true}, true, "does not say"},
		"endless":  {odoo.KeyExpiry{InUse: true, Keys: 1}, true, "does not end"},
		"far":      {odoo.KeyExpiry{InUse: true, Keys: 1, Expires: now.Add(keyNotice)}, true, "ends on 2026-12-12, in 21 days"},
		"near":     {odoo.KeyExpiry{InUse: true, Keys: 1, Expires: now.Add(keyNotice - 1)}, false, "in 20 days"},
		"of many":  {odoo.KeyExpiry{InUse: true, Keys: 3, Expires: now}, false, "one of the 3 that the gateway's user has ends on 2026-11-21, in 0 days"},
	} {
		f := keyFinding(test.key, now)
		require.Equal(t, test.ok, f.OK, name)
		require.Equal(t, test.ok, f.Advice == "", name)
		require.Contains(t, f.Detail, test.detail, name)
	}
}

// keyERP is an ERP whose key ends at some time.
type keyERP struct {
	ERP
	key odoo.KeyExpiry
	err error
	now time.Time
}

func (e *keyERP) KeyExpiry(context.Context) (odoo.KeyExpiry, error) { return e.key, e.err }

func (e *keyERP) Now() time.Time { return e.now }

// TestKeyWatch: it warns once a day, weeks ahead, and no longer when the key was replaced.
func TestKeyWatch(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	erp := &keyERP{now: now, key: odoo.KeyExpiry{InUse: true, Keys: 1, Expires: now.Add(22 * 24 * time.Hour)}}
	s := &Service{erp: erp, log: slog.New(slog.NewTextHandler(&logged, nil)), now: func() time.Time { return erp.now }}
	var watch keyWatch
	warnings := func(after time.Duration) int {
		t.Helper()
		erp.now = erp.now.Add(after)
		require.NoError(t, watch.look(t.Context(), s))
		return strings.Count(logged.String(), "about to end")
	}
	require.Equal(t, 0, warnings(0))
	require.Equal(t, 1, warnings(25*time.Hour))
	require.Contains(t, logged.String(), "days_left=20")
	require.Equal(t, 1, warnings(time.Hour))
	require.Equal(t, 2, warnings(23*time.Hour))
	erp.key.Expires = erp.now.Add(90 * 24 * time.Hour)
	require.Equal(t, 2, warnings(24*time.Hour))
	erp.key.Expires = time.Time{}
	require.Equal(t, 2, warnings(24*time.Hour), "it never ends")

	erp.err = errors.New("down")
	require.ErrorIs(t, watch.look(t.Context(), s), erp.err)
}
