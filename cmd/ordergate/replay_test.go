package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// A replay from the command line: what it prints, and how it ends.
func TestReplayCommand(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	stand, err := sandbox.Start(sandbox.Options{Clock: func() time.Time { return time.Now().UTC().Add(time.Duration(ahead.Load())) }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")
	command := func(args ...string) (code int, out, errOut string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append(args, "--database", dsn), terminal{&stdout, &stderr})
		return code, stdout.String(), stderr.String()
	}
	code, _, _ := command("migrate", "up")
	require.Zero(t, code)
	flags := []string{"--odoo-url", stand.URL(), "--odoo-db", sandbox.Database, "--odoo-user", sandbox.User, "--odoo-password", sandbox.Password}
	code, _, _ = command(append([]string{"sync"}, flags...)...)
	require.Zero(t, code)
	replay := func(args ...string) (int, string, string) {
		return command(append(append([]string{"replay", "--pause", "1ms"}, flags...), args...)...)
	}

	db, err := store.Open(t.Context(), dsn, store.Options{})
	require.NoError(t, err)
	defer db.Close()
	tenant, err := db.Tenant(t.Context(), defaultTenant)
	require.NoError(t, err)
	client, err := odoo.New(odoo.Config{Tenant: defaultTenant, URL: stand.URL(), Database: sandbox.Database, User: sandbox.User, Password: sandbox.Password})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	service, err := ordersync.New(ordersync.Config{Tenant: order.Tenant{ID: tenant, Name: defaultTenant}, ERP: client, Mirror: db})
	require.NoError(t, err)
	t.Cleanup(service.Close)
	caller := order.Caller{Name: "shop", Role: order.RolePortal, Source: "portal"}
	wish := order.Request{Customer: order.CustomerRef{ERPPartnerID: 9}, Lines: []order.RequestLine{{SKU: "E-COM07", Quantity: decimal.New(2, 0)}}}
	placed, err := service.Place(t.Context(), caller, "cart-1", wish)
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	require.NoError(t, db.InsertIntent(t.Context(), &order.Intent{TenantID: tenant, Source: "portal", Key: "cart-2", State: order.Queued,
		Request: wish, Fingerprint: wish.Fingerprint(), Customer: wish.Customer.QueueName(), CreatedAt: time.Now(), UpdatedAt: time.Now()}))
	ahead.Store(int64(10 * time.Minute))

	code, out, _ := replay()
	require.Zero(t, code, out)
	require.Contains(t, out, "Tenant default: 0 differences in 2 requests (")
	code, out, _ = replay("--intent", "cart-2", "--dry-run")
	require.Zero(t, code, out)
	require.Contains(t, out, "Would be sent: sale.order.load\n  1 id: ordergate.order_")
	require.Contains(t, out, "  1 order_line/product_uom_qty: 2\n")
	code, _, errOut := replay("--intent", "cart-3")
	require.Equal(t, 1, code)
	require.Contains(t, errOut, `source portal has no request with the key "cart-3"`)
	code, _, errOut = replay("--intent", "cart-1", "--since", "1h")
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "--since does not go with --intent")

	_, err = db.DB().ExecContext(t.Context(), "UPDATE orders SET amount_total = amount_total + 1, number = 'S'||char(27)||'[2J' WHERE erp_order_id = ?", placed.Order.ID)
	require.NoError(t, err)
	code, out, _ = replay("--dry-run")
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "1 differences in 2 requests")
	require.Regexp(t, `portal +cart-1 +\d+ +S\d+ +amount +found +total: mirror`, out)
	require.NotContains(t, out, "\x1b")
	require.Contains(t, out, "without --dry-run")
	code, out, _ = replay("--since", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	require.Zero(t, code, out)

	code, out, _ = replay("--json")
	require.Zero(t, code, "all is repaired")
	var reports []replayReport
	require.NoError(t, json.Unmarshal([]byte(out), &reports))
	require.Len(t, reports, 1)
	require.Equal(t, map[ordersync.ReplayKind]int{"amount": 1}, reports[0].Found)
	require.Equal(t, order.FindingRepaired, reports[0].Findings[0].State)
	require.Zero(t, reports[0].Left)
	code, out, _ = replay()
	require.Zero(t, code, out)
	require.Contains(t, out, ": 0 differences")
}
