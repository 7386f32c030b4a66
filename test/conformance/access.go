package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

func (b *bundle) testLogin(t *testing.T) {
	require.NoError(t, b.client.Ping(t.Context()))
	require.Equal(t, "closed", b.client.BreakerState())

	wrongPassword := b.server.config()
	wrongPassword.Password = "not the password"
	wrongUser := b.server.config()
	wrongUser.User = "nobody-" + b.tag
	wrongDatabase := b.server.config()
	wrongDatabase.Database = "nope-" + b.tag
	for name, cfg := range map[string]odoo.Config{
		"password": wrongPassword, "user": wrongUser, "database": wrongDatabase,
	} {
		t.Run("wrong "+name, func(t *testing.T) {
			client, err := odoo.New(cfg)
			require.NoError(t, err)
			defer client.Close()
			_, err = placeOne(t.Context(), client, b.newOrder("login_"+name))
			e := requireError(t, err, odoo.NotSent, odoo.LoginRefused)
			require.Contains(t, e.Message, cfg.Database, "the message names the database")
			require.NotContains(t, err.Error(), "not the password")
			require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", b.newOrder("login_"+name).Reference))
		})
	}
}

func (b *bundle) testVersion(t *testing.T) {
	v, err := b.client.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, b.server.Major, v.Major)
	require.Regexp(t, `^\d+\.\d`, v.Full)
}

func (b *bundle) testPermissions(t *testing.T) {
	permissions, err := b.client.Permissions(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, permissions)
	for _, p := range permissions {
		require.True(t, p.Allowed, "%s %s", p.Operation, p.Model)
	}
	require.Contains(t, permissions, odoo.Permission{Model: "sale.order", Operation: "create", Allowed: true})
}

// testClock holds the two clocks that the sync compares, Date's and write_date's, to each other.
func (b *bundle) testClock(t *testing.T) {
	s := b.order(t, b.place(t, b.newOrder("clock")))
	require.WithinDuration(t, b.client.Now(), s.WriteDate, 10*time.Second)
	require.WithinDuration(t, b.client.Now(), s.ReadAt, 10*time.Second)
	require.False(t, s.ReadAt.After(b.client.Now()))
}

func (b *bundle) testCountry(t *testing.T) {
	usa, california, err := b.client.Country(t.Context(), "US", "CA")
	require.NoError(t, err)
	require.Positive(t, usa)
	require.Positive(t, california)
	again, none, err := b.client.Country(t.Context(), "US", "")
	require.NoError(t, err)
	require.Equal(t, usa, again)
	require.Zero(t, none)
	again, none, err = b.client.Country(t.Context(), "US", "NOPE")
	require.NoError(t, err)
	require.Equal(t, usa, again)
	require.Zero(t, none)
	none, _, err = b.client.Country(t.Context(), "ZZ", "CA")
	require.NoError(t, err)
	require.Zero(t, none)
}

func (b *bundle) testPrecision(t *testing.T) {
	p, err := b.client.Precision(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{2, 2, 2}, []int{p.Quantity, p.Price, p.Discount}, "the demo data's")
}
