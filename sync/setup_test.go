package ordersync_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
	"ordergate/test/odoorpc"
)

// bundle is a service in front of a sandbox and a fresh SQLite database, with everything a test may want to turn.
type bundle struct {
	*ordersync.Service
	sandbox *sandbox.Server
	erp     *odoo.Client
	admin   *odoo.Client // to act as people in Odoo do
	db      *store.Store
	clock   *clock
	// erpClock is the sandbox's.
	erpClock *clock
	cfg      ordersync.Config
}

var (
	portal   = order.Caller{Name: "shop", Role: order.RolePortal, Source: "portal"}
	operator = order.Caller{Name: "desk", Role: order.RoleOperator, Source: "manual"}
)

// setup makes a bundle; tune may change the service's configuration, mirror and ERP included.
func setup(t *testing.T, tune ...func(*ordersync.Config)) *bundle {
	t.Helper()
	return setupWith(t, 19, tune...)
}

// setupWith is setup with a version of Odoo.
func setupWith(t *testing.T, major int, tune ...func(*ordersync.Config)) *bundle {
	t.Helper()
	ctx := t.Context()
	erpClock := &clock{}
	stand, err := sandbox.Start(sandbox.Options{Major: major, Clock: erpClock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })

	db, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "mirror.db"), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, migrations.Up(ctx, db.DB(), db.Dialect(), nil))
	tenantID, err := db.EnsureTenant(ctx, "test")
	require.NoError(t, err)

	b := &bundle{sandbox: stand, db: db, clock: &clock{}, erpClock: erpClock}
	b.erp = b.client(t, sandbox.User, sandbox.Password)
	b.admin = b.client(t, sandbox.AdminUser, sandbox.AdminPassword)
	b.cfg = ordersync.Config{
		Tenant: order.Tenant{ID: tenantID, Name: "test"}, ERP: b.erp, Mirror: db,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: b.clock.Now,
		Jitter:           func(d time.Duration) time.Duration { return d / 10 },
		TransactionLimit: 150 * time.Second,
	}
	b.restart(t, tune...)
	return b
}

// restart makes a new service on the same database and ERP, as a new process would.
func (b *bundle) restart(t *testing.T, tune ...func(*ordersync.Config)) {
	t.Helper()
	cfg := b.cfg
	for _, f := range tune {
		f(&cfg)
	}
	s, err := ordersync.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	b.Service = s
}

// down takes the ERP away, and waits until the client has noticed that its kept connections are gone: a call on one of
// those would be in doubt, and not refused.
func (b *bundle) down(t *testing.T) {
	t.Helper()
	require.NoError(t, b.sandbox.SetDown(true))
	b.erp.Close()
}

func (b *bundle) client(t *testing.T, user, password string) *odoo.Client {
	t.Helper()
	c, err := odoo.New(odoo.Config{
		Tenant: "test", URL: b.sandbox.URL(), Database: sandbox.Database, User: user, Password: password,
		CallTimeout: time.Second, Breaker: odoo.BreakerConfig{Failures: 1000},
	})
	require.NoError(t, err)
	return c
}

// later moves the clocks of gateway and ERP ahead.
func (b *bundle) later(d time.Duration) {
	b.clock.advance(d)
	b.erpClock.advance(d)
}

// people does something in the ERP as its users do, past the gateway.
func (b *bundle) people(t *testing.T, model, method string, args ...any) any {
	t.Helper()
	answer, err := odoorpc.Execute(b.sandbox.URL(), sandbox.Database, sandbox.AdminUser, sandbox.AdminPassword, model, method, args, nil)
	require.NoError(t, err)
	return answer
}

// erpOrders counts the orders that the ERP has with a reference: the truth that the promises are about.
func (b *bundle) erpOrders(t *testing.T, reference string) []int64 {
	t.Helper()
	ids, err := b.admin.FindOrders(context.WithoutCancel(t.Context()), "", reference)
	require.NoError(t, err)
	return ids
}

func (b *bundle) intent(t *testing.T, key string) order.Intent {
	t.Helper()
	in, err := b.Intent(t.Context(), portal, "", key)
	require.NoError(t, err)
	return in
}

// clock runs with the real one, and can be moved ahead of it.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().UTC().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// request is a valid one for customer 9 of the sandbox, told apart by its reference.
func request(reference string, edit ...func(*order.Request)) order.Request {
	r := order.Request{
		Customer: order.CustomerRef{ERPPartnerID: 9}, Reference: reference,
		Lines: []order.RequestLine{{SKU: "E-COM07", Quantity: decimal.RequireFromString("2")}},
	}
	for _, f := range edit {
		f(&r)
	}
	return r
}

// requireKind asserts that err is a domain error of a kind and code.
func requireKind(t *testing.T, err error, kind order.Kind, code string) *order.Error {
	t.Helper()
	var e *order.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", err)
	require.Equal(t, kind, e.Kind, "%v", err)
	return e
}

// failingMirror makes chosen operations of a mirror fail.
type failingMirror struct {
	ordersync.Mirror
	mu    sync.Mutex
	fails map[string][]failure
}

// failure is one failed operation: whether it took effect all the same, and the error it returns.
type failure struct {
	after bool
	err   error
}

func (m *failingMirror) next(operation string) (failure, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.fails[operation]
	if len(queue) == 0 {
		return failure{}, false
	}
	m.fails[operation] = queue[1:]
	return queue[0], true
}

func (m *failingMirror) run(operation string, work func() error) error {
	f, failing := m.next(operation)
	if !failing {
		return work()
	}
	if f.after {
		if err := work(); err != nil {
			return err
		}
	}
	return f.err
}

func (m *failingMirror) InsertIntent(ctx context.Context, in *order.Intent) error {
	return m.run("InsertIntent", func() error { return m.Mirror.InsertIntent(ctx, in) })
}

func (m *failingMirror) EndAttempts(ctx context.Context, tenantID int64, token string, ends []store.End) (ids []int64, err error) {
	err = m.run("EndAttempts", func() error { ids, err = m.Mirror.EndAttempts(ctx, tenantID, token, ends); return err })
	return ids, err
}

func (m *failingMirror) PlaceIntents(ctx context.Context, tenantID int64, token string, placed []store.Placed) (orders map[int64]order.Order, err error) {
	err = m.run("PlaceIntents", func() error { orders, err = m.Mirror.PlaceIntents(ctx, tenantID, token, placed); return err })
	return orders, err
}

func (m *failingMirror) ClaimIntents(ctx context.Context, tenantID int64, ids []int64, lease store.Lease) (claimed []order.Intent, err error) {
	err = m.run("ClaimIntents", func() error { claimed, err = m.Mirror.ClaimIntents(ctx, tenantID, ids, lease); return err })
	return claimed, err
}

func (m *failingMirror) CloseQueued(ctx context.Context, tenantID, id int64, token string, f *order.Error) (closed bool, err error) {
	err = m.run("CloseQueued", func() error { closed, err = m.Mirror.CloseQueued(ctx, tenantID, id, token, f); return err })
	return closed, err
}

func (m *failingMirror) Intent(ctx context.Context, tenantID int64, source, key string) (in order.Intent, err error) {
	err = m.run("Intent", func() error { in, err = m.Mirror.Intent(ctx, tenantID, source, key); return err })
	return in, err
}

func (m *failingMirror) UpsertProducts(ctx context.Context, tenantID int64, products []order.Product) error {
	return m.run("UpsertProducts", func() error { return m.Mirror.UpsertProducts(ctx, tenantID, products) })
}
