package ordersync_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// scriptedERP is an ERP some of whose calls go wrong in ways that a server cannot be told to.
type scriptedERP struct {
	ordersync.ERP
	place    func() *odoo.Error          // before an order is sent
	read     func(ids []int64) error     // before orders are read
	partners func(read []order.Customer) // after partners were read
	hidden   int64                       // id of an order that listings do not show yet
	blind    bool                        // no order can be read, as by a user who sees only its own
}

func (e *scriptedERP) OrderHeads(ctx context.Context, page odoo.Page) ([]order.Head, error) {
	heads, err := e.ERP.OrderHeads(ctx, page)
	return slices.DeleteFunc(heads, func(h order.Head) bool { return h.ID == e.hidden }), err
}

func (e *scriptedERP) PlaceOrders(ctx context.Context, orders []odoo.NewOrder) []odoo.Loaded {
	if e.place != nil {
		if err := e.place(); err != nil {
			return slices.Repeat([]odoo.Loaded{{Err: err}}, len(orders))
		}
	}
	return e.ERP.PlaceOrders(ctx, orders)
}

func (e *scriptedERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	if e.read != nil {
		if err := e.read(ids); err != nil {
			return nil, err
		}
	}
	if e.blind {
		return nil, nil
	}
	return e.ERP.Orders(ctx, ids)
}

func (e *scriptedERP) OrdersJustPlaced(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	return e.Orders(ctx, ids)
}

func (e *scriptedERP) PartnersByID(ctx context.Context, ids []int64) ([]order.Customer, error) {
	read, err := e.ERP.PartnersByID(ctx, ids)
	if e.partners != nil {
		e.partners(read)
	}
	return read, err
}

func setupScripted(t *testing.T) (*bundle, *scriptedERP) {
	t.Helper()
	b := setup(t)
	erp := &scriptedERP{ERP: b.erp}
	b.cfg.ERP = erp
	b.restart(t)
	return b, erp
}

// A 202 is a promise: an ERP that cannot be reached for a moment does not end it.
func TestAcceptedOrderSurvivesAnERPThatComesAndGoes(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.Hang, Times: 1})
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, placed.Order)

	b.later(time.Hour)
	erp.place = func() *odoo.Error {
		erp.place = nil
		return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "gone for a moment", Row: -1}
	}
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Sending, b.intent(t, "k1").State)
	b.later(time.Hour)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
	require.Len(t, b.erpOrders(t, "PO-1"), 1)
}

// A refusal whose COMMIT may yet come through can be told neither as refused nor as accepted.
func TestRefusalWhoseCommitWasLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mirror := &failingMirror{Mirror: b.db, fails: map[string][]failure{"EndAttempts": {{err: store.ErrUnknown}}}}
	erp := &scriptedERP{ERP: b.erp, place: func() *odoo.Error {
		return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "down", Row: -1}
	}}
	b.restart(t, func(cfg *ordersync.Config) { cfg.Mirror, cfg.ERP = mirror, erp })
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Internal, "outcome_unknown")
}

// An order that was made and then deleted by people is not made again by whoever finishes its placement.
func TestOrderDeletedBeforeItWasReadBackIsNotResurrected(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	erp.read = func([]int64) error {
		return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.Timeout, Message: "slow", Row: -1}
	}
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, placed.Order)
	b.people(t, "sale.order", "unlink", []any{b.erpOrders(t, "PO-1")[0]})
	erp.read = nil

	b.later(time.Hour)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Empty(t, b.erpOrders(t, "PO-1"))
	in := b.intent(t, "k1")
	require.Equal(t, order.Rejected, in.State)
	require.Equal(t, "deleted_in_erp", in.Failure.Code)
}

// But one that the gateway's user may not read is there: to call it deleted would invite a second order.
func TestOrderThatIsHiddenIsNotCalledDeleted(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	erp.blind = true
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, placed.Order)
	erp.blind = false // its operators have mended the rights
	b.later(time.Hour)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
	require.Len(t, b.erpOrders(t, "PO-1"), 1)
}

// An intent that this version cannot read is no reason to leave the others waiting.
func TestUnreadableIntentDoesNotBlockTheResolver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []string{"k1", "k2"} {
		b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
		_, err := b.Place(t.Context(), portal, key, request("PO-"+key))
		require.NoError(t, err)
	}
	_, err := b.db.DB().ExecContext(t.Context(), `UPDATE intents SET failure = '{"kind":"of a later version"}' WHERE idempotency_key = 'k1'`)
	require.NoError(t, err)
	b.later(time.Hour)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "k2").State)
}

// A partner without a company must not be taken for one that sees everything.
func TestCustomerWithoutCompanySeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	erp.partners = func(read []order.Customer) {
		for i := range read {
			read[i].ERPCompanyID = 0
		}
	}
	require.NoError(t, b.Sync(t.Context()))
	caller := order.Caller{Name: "acme", Role: order.RoleCustomer, Source: "customer:9", ERPPartnerID: 9}
	listing, err := b.Orders(t.Context(), caller, order.Filter{Limit: 100})
	require.NoError(t, err)
	for _, o := range listing.Orders {
		require.EqualValues(t, 9, o.Customer.ERPPartnerID)
	}
}

// What cannot be read of one order is no reason not to read the others, and its absence from the mirror is known.
func TestOneUnreadableOrderDoesNotKeepTheOthersAway(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	ids := b.people(t, "sale.order", "search", []any{}).([]any)
	odd := ids[1].(int64)
	erp.read = func(asked []int64) error {
		for _, id := range asked {
			if id == odd {
				return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.BadAnswer, Message: "a state that nobody knows", Row: -1}
			}
		}
		return nil
	}
	require.NoError(t, b.Sync(t.Context()))
	n, err := b.db.CountOrders(t.Context(), b.cfg.Tenant.ID, order.IDRange{})
	require.NoError(t, err)
	require.EqualValues(t, len(ids)-1, n)

	// A deletion still shows, although the two sides never count alike.
	gone := ids[0].(int64)
	b.people(t, "sale.order", "action_cancel", []any{gone})
	b.people(t, "sale.order", "unlink", []any{gone})
	require.NoError(t, b.Sync(t.Context()))
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, gone)
	require.NoError(t, err)
	require.False(t, o.DeletedAt.IsZero())

	// But a proxy that answers for the ERP is not the order's fault: nothing is skipped then.
	erp.read = func([]int64) error {
		require.NoError(t, b.sandbox.SetDown(true))
		return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.BadAnswer, Message: "a page of HTML", Row: -1}
	}
	require.Error(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}))
}

func TestReplayIsAnsweredWhateverChangedSince(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Tenant.Settings.CustomerMayConfirm = true
	b.restart(t)
	caller := order.Caller{Name: "acme", Role: order.RoleCustomer, Source: "customer:9", ERPPartnerID: 9}
	wish := request("PO-1", func(r *order.Request) { r.Customer, r.Confirm = order.CustomerRef{}, true })
	first, err := b.Place(t.Context(), caller, "k1", wish)
	require.NoError(t, err)
	b.cfg.Tenant.Settings.CustomerMayConfirm = false
	b.restart(t)
	again, err := b.Place(t.Context(), caller, "k1", wish)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, first.Order.ID, again.Order.ID)
}

func TestConfirmThatCannotBeReadBackIsNotCalledRefused(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	reads := 0
	erp.read = func([]int64) error {
		if reads++; reads > 1 {
			return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "down", Row: -1, Cause: errors.New("refused")}
		}
		return nil
	}
	done, err := b.Act(t.Context(), portal, "c1", order.Action{Kind: order.Confirm, OrderID: placed.Order.ID})
	require.NoError(t, err)
	require.Nil(t, done.Order)
	in := b.intent(t, "c1")
	require.True(t, in.InDoubt())
}

// A key that another process took between the look-up and the insert is that process's.
func TestKeyTakenInBetweenIsNotCarriedTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := order.Intent{
		TenantID: b.cfg.Tenant.ID, Source: "portal", Key: "k1", State: order.Sending, Caller: "shop",
		LeaseToken: "another process", LeaseUntil: b.clock.Now().Add(store.LeaseLasts), Attempts: 1,
		NextAttemptAt: b.clock.Now(), CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
		Request: request("PO-1"), Plan: order.Plan{PartnerID: 9, ProductIDs: productIDs(t, b, "E-COM07")},
	}
	in.Fingerprint = in.Request.Fingerprint()
	require.NoError(t, b.db.InsertIntent(t.Context(), &in))
	notYet := order.Errorf(order.NotFound, "intent_not_found", "not yet")
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &failingMirror{Mirror: b.db, fails: map[string][]failure{"Intent": {{err: notYet}}}}
	})
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Conflict, "key_in_flight")
	require.Zero(t, b.sandbox.Calls("sale.order.load"))
}

// An order that was placed while the ERP's orders were being listed is not taken for a deleted one.
func TestOrderThatOneListingLackedIsNotBuried(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	erp.hidden = placed.Order.ID
	require.NoError(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}))
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, placed.Order.ID)
	require.NoError(t, err)
	require.True(t, o.DeletedAt.IsZero())
}

// An order that was mirrored and cannot be read any more is on both sides as before: it must not make up for one that the
// mirror lacks.
func TestOrderThatBecameUnreadableHidesNoMissingOne(t *testing.T) {
	t.Parallel()
	b, erp := setupScripted(t)
	require.NoError(t, b.Sync(t.Context()))
	ids := b.people(t, "sale.order", "search", []any{}).([]any)
	odd, lost := ids[0].(int64), ids[1].(int64)
	erp.read = func(asked []int64) error {
		if slices.Contains(asked, odd) {
			return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.BadAnswer, Message: "a price that is none", Row: -1}
		}
		return nil
	}
	b.later(time.Minute)
	b.people(t, "sale.order", "write", []any{odd}, map[string]any{"note": "odd"})
	require.NoError(t, b.Sync(t.Context()))

	for _, table := range []string{"order_lines WHERE order_id", "orders WHERE id"} {
		_, err := b.db.DB().ExecContext(t.Context(), "DELETE FROM "+table+" IN (SELECT id FROM orders WHERE erp_order_id = ?)", lost)
		require.NoError(t, err)
	}
	b.later(10 * time.Minute)
	require.NoError(t, b.Sync(t.Context()))
	_, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, lost)
	require.NoError(t, err)
}
