package ordersync_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
	"ordergate/test/odoorpc"
)

func TestEditsByPeopleShowInTheNextListing(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *ordersync.Config) { cfg.Freshness = time.Nanosecond })
	require.NoError(t, b.Sync(t.Context()))
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	id := placed.Order.ID
	find := func() order.Order {
		listing, err := b.Orders(t.Context(), portal, order.Filter{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, order.Fresh, listing.Sync.State, listing.Sync.Reason)
		require.Equal(t, id, listing.Orders[0].ID, "the latest order comes first")
		return listing.Orders[0]
	}

	// Several edits within one second share a write_date, and must all show.
	for _, reference := range []string{"PO-a", "PO-b", "PO-c"} {
		b.people(t, "sale.order", "write", []any{id}, map[string]any{"client_order_ref": reference})
		require.Equal(t, reference, find().Reference)
	}
	b.people(t, "sale.order.line", "write", []any{find().Lines[0].ERPLineID}, map[string]any{"name": "Cabinet, engraved"})
	require.Equal(t, "Cabinet, engraved", find().Lines[0].Name, "the order's own write_date does not move for this")

	hold := b.people(t, "crm.tag", "create", map[string]any{"name": "On hold"})
	b.people(t, "sale.order", "write", []any{id}, map[string]any{"tag_ids": []any{[]any{4, hold, 0}}})
	require.Equal(t, order.OnHold, find().Status)
	b.people(t, "sale.order", "write", []any{id}, map[string]any{"tag_ids": []any{[]any{3, hold, 0}}})
	require.Equal(t, order.Draft, find().Status)

	b.people(t, "sale.order", "action_confirm", []any{id})
	require.Equal(t, order.Confirmed, find().Status)
	history, err := b.History(t.Context(), portal, id, order.HistoryFilter{})
	require.NoError(t, err)
	codes := make([]string, len(history))
	for i, e := range history {
		codes[i] = e.Code
	}
	require.Contains(t, codes, order.StatusCode(order.Confirmed))

	b.people(t, "sale.order.line", "write", []any{find().Lines[0].ERPLineID}, map[string]any{"qty_delivered": 1})
	require.Equal(t, order.Shipped, find().Status)
	require.Equal(t, order.FulfilmentPartial, find().Fulfilment)
}

func TestOrdersOfPeopleAppearAndDeletedOnesGo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	product := productIDs(t, b, "E-COM07")[0]
	id := b.people(t, "sale.order", "create", map[string]any{
		"partner_id": 9, "client_order_ref": "by hand",
		"order_line": []any{[]any{0, 0, map[string]any{"product_id": product, "product_uom_qty": 3}}},
	}).(int64)
	require.NoError(t, b.Sync(t.Context()))
	o, _, err := b.Order(t.Context(), portal, id)
	require.NoError(t, err)
	require.Equal(t, order.SourceERP, o.Source)

	b.people(t, "sale.order", "unlink", []any{id})
	require.NoError(t, b.Sync(t.Context()))
	o, _, err = b.Order(t.Context(), portal, id)
	require.NoError(t, err)
	require.False(t, o.DeletedAt.IsZero())
	_, err = b.confirm(t, operator, id)
	requireKind(t, err, order.NotFound, "order_not_found")
	listing, err := b.Orders(t.Context(), portal, order.Filter{Query: "by hand", Limit: 10})
	require.NoError(t, err)
	require.Empty(t, listing.Orders)
}

func TestOrderUnknownToTheMirrorComesFromTheERP(t *testing.T) {
	t.Parallel()
	b := setup(t) // never synced
	listing, err := b.Orders(t.Context(), portal, order.Filter{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, order.Stale, listing.Sync.State)
	require.Empty(t, listing.Orders)

	ids := b.people(t, "sale.order", "search", []any{}).([]any)
	o, _, err := b.Order(t.Context(), portal, ids[0].(int64))
	require.NoError(t, err)
	require.Equal(t, ids[0].(int64), o.ID)
	_, _, err = b.Order(t.Context(), portal, 999999)
	requireKind(t, err, order.NotFound, "order_not_found")
}

func TestDroppedMirrorIsRebuiltWithTheSameIDs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))
	before, err := b.Orders(t.Context(), portal, order.Filter{Limit: 100})
	require.NoError(t, err)

	for _, table := range []string{"order_lines", "orders", "sync_cursors"} {
		_, err := b.db.DB().ExecContext(t.Context(), "DELETE FROM "+table)
		require.NoError(t, err)
	}
	require.NoError(t, b.Sync(t.Context()))
	after, err := b.Orders(t.Context(), portal, order.Filter{Limit: 100})
	require.NoError(t, err)
	require.Len(t, after.Orders, len(before.Orders))
	for i := range after.Orders {
		require.Equal(t, before.Orders[i].ID, after.Orders[i].ID)
		require.Equal(t, before.Orders[i].Source, after.Orders[i].Source)
	}
	o, _, err := b.Order(t.Context(), portal, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, "portal", o.Source, "the intent knows where the order came from")
}

func TestListingsOutliveTheERP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.clock.advance(time.Hour)
	require.NoError(t, b.sandbox.SetDown(true))
	listing, err := b.Orders(t.Context(), portal, order.Filter{Limit: 10})
	require.NoError(t, err)
	require.NotEmpty(t, listing.Orders)
	require.Equal(t, order.Stale, listing.Sync.State)
	require.WithinDuration(t, b.clock.Now().Add(-time.Hour), listing.Sync.SyncedAt, time.Minute)
	require.NotEmpty(t, listing.Sync.Reason)
}

func TestListingDoesNotWaitPastItsBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *ordersync.Config) { cfg.Freshness, cfg.ReadBudget = time.Nanosecond, 50*time.Millisecond })
	require.NoError(t, b.Sync(t.Context()))
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.search_read", Kind: sandbox.Delay, Times: 10, Delay: 3 * time.Second})
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.line.search_read", Kind: sandbox.Delay, Times: 10, Delay: 3 * time.Second})
	began := time.Now()
	listing, err := b.Orders(t.Context(), portal, order.Filter{Limit: 10})
	require.NoError(t, err)
	require.Less(t, time.Since(began), 2*time.Second)
	require.Equal(t, order.Stale, listing.Sync.State)
}

// A transaction that began a minute ago and commits now is behind whatever a reader has asked for since.
func TestSlowTransactionShowsWithTheNextRoundOfTheBackground(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))
	pass := func(d time.Duration) { b.clock.advance(d); b.erpClock.advance(d) }
	pass(time.Minute)
	require.NoError(t, b.Sync(t.Context()))

	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.write", Kind: sandbox.LateCommit, Delay: 1500 * time.Millisecond})
	_, err = odoorpc.Execute(b.sandbox.URL(), sandbox.Database, sandbox.AdminUser, sandbox.AdminPassword,
		"sale.order", "write", []any{[]any{placed.Order.ID}, map[string]any{"client_order_ref": "slow"}}, nil)
	require.Error(t, err, "whoever made the change has not heard of it yet")
	pass(time.Minute)
	_, err = b.Place(t.Context(), portal, "k2", request("PO-2")) // something newer, that moves every cursor on
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))
	require.Empty(t, b.erpOrders(t, "slow"), "it has not committed yet")
	for range 2 {
		pass(10 * time.Second)
		listing, err := b.Orders(t.Context(), portal, order.Filter{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, order.Fresh, listing.Sync.State)
	}
	require.Eventually(t, func() bool { return len(b.erpOrders(t, "slow")) == 1 }, 30*time.Second, 20*time.Millisecond)

	require.NoError(t, b.Sync(t.Context()))
	o, _, err := b.Order(t.Context(), portal, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, "slow", o.Reference)
}

// slowHeads counts the syncs that begin, and holds them until it is told to go on.
type slowHeads struct {
	ordersync.ERP
	began atomic.Int64
	goOn  chan struct{}
}

func (e *slowHeads) OrderHeads(ctx context.Context, page odoo.Page) ([]order.Head, error) {
	e.began.Add(1)
	<-e.goOn
	return e.ERP.OrderHeads(ctx, page)
}

func TestConcurrentReadersShareOneSync(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	slow := &slowHeads{ERP: b.erp, goOn: make(chan struct{})}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.ReadBudget = slow, time.Minute })
	b.clock.advance(time.Hour)

	var readers sync.WaitGroup
	var waiting atomic.Int64
	for range 20 {
		readers.Go(func() {
			waiting.Add(1)
			listing, err := b.Orders(context.WithoutCancel(t.Context()), portal, order.Filter{Limit: 1})
			if err != nil || listing.Sync.State != order.Fresh {
				t.Errorf("listing: %v %+v", err, listing.Sync)
			}
		})
	}
	require.Eventually(t, func() bool { return waiting.Load() == 20 && slow.began.Load() == 1 }, 30*time.Second, time.Millisecond)
	time.Sleep(time.Second) // let the last ones come to where they wait, also on a slow machine
	close(slow.goOn)
	readers.Wait()
	require.EqualValues(t, 1, slow.began.Load())
}

func TestCustomerSeesItsCompanyOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact, company, stranger := sandbox.ContactID, int64(9), sandbox.StrangerID
	key := func(partner int64) order.Caller {
		return order.Caller{Name: "c", Role: order.RoleCustomer, Source: "customer:x", ERPPartnerID: partner}
	}
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-company"))
	require.NoError(t, err)
	other, err := b.Place(t.Context(), portal, "k2", request("PO-stranger", func(r *order.Request) { r.Customer.ERPPartnerID = stranger }))
	require.NoError(t, err)
	require.NoError(t, b.Sync(t.Context()))

	for _, partner := range []int64{contact, company} {
		_, _, err = b.Order(t.Context(), key(partner), placed.Order.ID)
		require.NoError(t, err)
		_, _, err = b.Order(t.Context(), key(partner), other.Order.ID)
		requireKind(t, err, order.NotFound, "order_not_found")
		_, err = b.History(t.Context(), key(partner), other.Order.ID, order.HistoryFilter{})
		requireKind(t, err, order.NotFound, "order_not_found")
		listing, err := b.Orders(t.Context(), key(partner), order.Filter{Limit: 100})
		require.NoError(t, err)
		require.Equal(t, placed.Order.ID, listing.Orders[0].ID)
		for _, o := range listing.Orders {
			require.Contains(t, []int64{contact, company}, o.Customer.ERPPartnerID)
		}
	}
	_, err = b.confirm(t, key(company), placed.Order.ID)
	requireKind(t, err, order.Forbidden, "confirm_forbidden")
	_, _, err = b.Customers(t.Context(), key(company), order.CatalogueFilter{Limit: 10})
	requireKind(t, err, order.Forbidden, "role_forbidden")
	_, err = b.Intent(t.Context(), key(company), "portal", "k1")
	requireKind(t, err, order.NotFound, "intent_not_found")
}

// confirm confirms an order under a key of its own, whose outcome must be known at once.
func (b *bundle) confirm(t *testing.T, caller order.Caller, id int64) (order.Order, error) {
	t.Helper()
	done, err := b.Act(t.Context(), caller, uuid.NewString(), order.Action{Kind: order.Confirm, OrderID: id})
	if err != nil {
		return order.Order{}, err
	}
	require.NotNil(t, done.Order)
	return *done.Order, nil
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	id := placed.Order.ID
	for range 2 { // confirming twice changes nothing
		o, err := b.confirm(t, operator, id)
		require.NoError(t, err)
		require.Equal(t, order.Confirmed, o.Status)
	}
	require.Equal(t, 1, b.sandbox.Calls("sale.order.action_confirm"))

	_, err = b.confirm(t, operator, 999999)
	requireKind(t, err, order.NotFound, "order_not_found")

	placed, err = b.Place(t.Context(), portal, "k2", request("PO-2"))
	require.NoError(t, err)
	b.people(t, "sale.order", "action_cancel", []any{placed.Order.ID})
	_, err = b.confirm(t, operator, placed.Order.ID)
	requireKind(t, err, order.Conflict, "action_not_possible")

	placed, err = b.Place(t.Context(), portal, "k3", request("PO-3"))
	require.NoError(t, err)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: sandbox.DropAnswer, Times: 1})
	o, err := b.confirm(t, operator, placed.Order.ID)
	require.NoError(t, err, "the state proves it, whatever became of the answer")
	require.Equal(t, order.Confirmed, o.Status)
}

func TestConfirmAtPlacing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	confirm := func(r *order.Request) { r.Confirm = true }
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1", confirm))
	require.NoError(t, err)
	require.Equal(t, order.Confirmed, placed.Order.Status)

	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: sandbox.DropBefore, Times: 1})
	placed, err = b.Place(t.Context(), portal, "k2", request("PO-2", confirm))
	require.NoError(t, err)
	require.Nil(t, placed.Order, "the order exists, but is not what was asked for yet")
	b.clock.advance(5 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	in := b.intent(t, "k2")
	require.Equal(t, order.Placed, in.State)
	require.Equal(t, order.Confirmed, in.Result.Status)
	require.Len(t, b.erpOrders(t, "PO-2"), 1)
}

func TestOlderSnapshotNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	old, err := b.erp.Orders(t.Context(), []int64{placed.Order.ID})
	require.NoError(t, err)
	old[0].WriteDate = old[0].WriteDate.Add(-time.Minute)
	old[0].Reference = "PO-old"
	done, err := b.db.UpsertOrders(t.Context(), b.cfg.Tenant.ID, old, "test")
	require.NoError(t, err)
	require.Equal(t, store.Upserted{Older: 1}, done)
	o, _, err := b.Order(t.Context(), portal, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, "PO-1", o.Reference)
}

// A product that the database refuses stops the catalogue, and not the orders.
func TestTroubleWithTheCatalogueDoesNotStopTheOrders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &failingMirror{Mirror: b.db, fails: map[string][]failure{"UpsertProducts": {{err: errors.New("out of range")}}}}
	})
	require.ErrorContains(t, b.Sync(t.Context()), "out of range")
	n, err := b.db.CountOrders(t.Context(), b.cfg.Tenant.ID, order.IDRange{})
	require.NoError(t, err)
	require.EqualValues(t, sandbox.SeededOrders, n)
}

// pickyMirror refuses a batch that holds one particular order, as a database does whose columns it does not fit.
type pickyMirror struct {
	ordersync.Mirror
	refused int64
}

func (m *pickyMirror) UpsertOrders(ctx context.Context, tenantID int64, snapshots []order.Snapshot, by string) (store.Upserted, error) {
	for _, s := range snapshots {
		if s.ID == m.refused {
			return store.Upserted{}, errors.New("out of range")
		}
	}
	return m.Mirror.UpsertOrders(ctx, tenantID, snapshots, by)
}

func TestOneImpossibleOrderDoesNotKeepTheOthersAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.people(t, "sale.order", "search", []any{}).([]any)
	require.Greater(t, len(ids), 2)
	refused := ids[1].(int64)
	b.restart(t, func(cfg *ordersync.Config) { cfg.Mirror = &pickyMirror{cfg.Mirror, refused} })
	require.NoError(t, b.Sync(t.Context()))
	n, err := b.db.CountOrders(t.Context(), b.cfg.Tenant.ID, order.IDRange{})
	require.NoError(t, err)
	require.EqualValues(t, len(ids)-1, n)
}
