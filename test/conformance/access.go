package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
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

// testProtocol holds that Auto finds what the server and the password are good for.
func (b *bundle) testProtocol(t *testing.T) {
	cfg := b.server.config()
	cfg.Protocol = odoo.Auto
	client, err := odoo.New(cfg)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.Ping(t.Context()))
	for _, c := range []*odoo.Client{b.client, client} {
		spoken, err := c.Protocol(t.Context())
		require.NoError(t, err)
		require.Equal(t, b.server.Protocol, spoken)
	}
}

// testSameOverXMLRPC holds that an order does not look edited because the protocol changed. Over XML-RPC a key is as good as
// the password.
func (b *bundle) testSameOverXMLRPC(t *testing.T) {
	cfg := b.server.config()
	cfg.Protocol = odoo.XMLRPC
	other, err := odoo.New(cfg)
	require.NoError(t, err)
	defer other.Close()
	o := b.newOrder("protocols")
	o.Note = "Zoë: <b>&\"'\n\ttwo  spaces 😀"
	ids := []int64{b.place(t, o), b.place(t, b.newOrder("protocols_plain"))}
	require.NoError(t, b.client.ConfirmOrders(t.Context(), ids[1]))
	over := func(c *odoo.Client) (orders []order.Snapshot, partners []order.Customer, totals []order.Totals) {
		orders, err := c.Orders(t.Context(), ids)
		require.NoError(t, err)
		for i := range orders {
			orders[i].ReadAt = time.Time{}
		}
		partners, err = c.PartnersByID(t.Context(), []int64{b.partner})
		require.NoError(t, err)
		totals, err = c.OrderTotals(t.Context(), order.Slice{FirstID: ids[0], LastID: ids[1]}, true)
		require.NoError(t, err)
		return orders, partners, totals
	}
	orders, partners, totals := over(b.client)
	sameOrders, samePartners, sameTotals := over(other)
	require.Len(t, orders, 2)
	require.Equal(t, sameOrders, orders)
	require.Equal(t, samePartners, partners)
	require.NotEmpty(t, totals)
	require.Equal(t, sameTotals, totals)
}

func (b *bundle) testKeyExpiry(t *testing.T) {
	key, err := b.client.KeyExpiry(t.Context())
	require.NoError(t, err)
	if b.server.Protocol == odoo.XMLRPC {
		require.Equal(t, odoo.KeyExpiry{}, key, "it logs in with a password")
		return
	}
	require.True(t, key.InUse)
	require.Positive(t, key.Keys)
	require.True(t, key.Expires.After(b.client.Now()), "%s", key.Expires)
	require.True(t, key.Expires.Before(b.client.Now().AddDate(0, 0, 91)), "%s", key.Expires)
}

func (b *bundle) testPermissions(t *testing.T) {
	permissions, err := b.client.Permissions(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, permissions)
	for _, p := range permissions {
		require.True(t, p.Allowed, "%s %s", p.Operation, p.Model)
	}
	require.Contains(t, permissions, odoo.Permission{Model: "sale.order", Operation: "create", Allowed: true})
	address, err := b.client.SenderAddress(t.Context())
	require.NoError(t, err)
	require.Equal(t, "gateway@example.com", address)
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
