package odoo_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

func TestKeyExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	const key = "0123456789abcdef0123456789abcdef01234567"
	first := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		answer   http.HandlerFunc
		password string
		protocol odoo.Protocol
		major    int64
		want     odoo.KeyExpiry
	}{
		"one":     {jsonAnswer(200, `[{"id": 1, "expiration_date": "2026-12-01 00:00:00"}]`), "s", odoo.JSON2, 19, odoo.KeyExpiry{InUse: true, Keys: 1, Expires: first}},
		"endless": {jsonAnswer(200, `[{"id": 1, "expiration_date": false}]`), "s", odoo.JSON2, 19, odoo.KeyExpiry{InUse: true, Keys: 1}},
		"the first ends": {jsonAnswer(200, `[{"id": 1, "expiration_date": "2026-12-01 00:00:00"}, {"id": 2, "expiration_date": false},
			{"id": 3, "expiration_date": "2027-01-01 00:00:00"}, {"id": 4, "expiration_date": "2026-11-21 11:59:59"}]`), "s", odoo.JSON2, 19,
			odoo.KeyExpiry{InUse: true, Keys: 3, Expires: first}},
		"hidden":       {jsonError(403, "odoo.exceptions.AccessError", "No."), "s", odoo.JSON2, 19, odoo.KeyExpiry{InUse: true}},
		"password":     {nil, "s", odoo.XMLRPC, 19, odoo.KeyExpiry{}},
		"key over XML": {nil, key, odoo.XMLRPC, 19, odoo.KeyExpiry{InUse: true, Keys: 1, Expires: first}},
		"key of old":   {nil, key, odoo.XMLRPC, 17, odoo.KeyExpiry{InUse: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newJSONOdoo(t, test.answer)
			f.major, f.onObject = test.major, value([]any{map[string]any{"id": int64(1), "expiration_date": "2026-12-01 00:00:00"}})
			cfg := f.config()
			registry := prometheus.NewRegistry()
			cfg.Password, cfg.Protocol, cfg.Registerer, cfg.Clock = test.password, test.protocol, registry, func() time.Time { return now }
			f.date = now
			got, err := newClient(t, cfg).KeyExpiry(t.Context())
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			if test.want.Expires.IsZero() {
				require.Empty(t, shownKeyEnd(t, registry))
				return
			}
			require.Equal(t, []float64{float64(test.want.Expires.Unix())}, shownKeyEnd(t, registry))
		})
	}
}

// shownKeyEnd is what the gauge shows; nothing if it is absent.
func shownKeyEnd(t *testing.T, registry *prometheus.Registry) (shown []float64) {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "ordergate_odoo_key_expires_timestamp_seconds" {
			shown = append(shown, family.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return shown
}

func TestKeyThatWasReplacedByOneWithoutEnd(t *testing.T) {
	t.Parallel()
	f := newJSONOdoo(t, jsonAnswer(200, `[{"id": 1, "expiration_date": "2126-12-01 00:00:00"}]`))
	cfg := f.jsonConfig()
	registry := prometheus.NewRegistry()
	cfg.Registerer = registry
	c := newClient(t, cfg)
	_, err := c.KeyExpiry(t.Context())
	require.NoError(t, err)
	require.Len(t, shownKeyEnd(t, registry), 1)
	f.handle(func(f *fakeOdoo) { f.onJSON = jsonAnswer(200, `[{"id": 2, "expiration_date": false}]`) })
	_, err = c.KeyExpiry(t.Context())
	require.NoError(t, err)
	require.Empty(t, shownKeyEnd(t, registry))
}
