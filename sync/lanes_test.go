package ordersync_test

import (
	"context"
	"fmt"
	"sync"
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

// answer is what one of several callers heard.
type answer struct {
	placement order.Placement
	err       error
}

// placeAll places orders at the same time, and returns the answers by key.
func (b *bundle) placeAll(t *testing.T, wishes map[string]order.Request) map[string]answer {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers := map[string]answer{}
	for key, wish := range wishes {
		wg.Go(func() {
			p, err := b.Place(t.Context(), portal, key, wish)
			mu.Lock()
			defer mu.Unlock()
			answers[key] = answer{p, err}
		})
	}
	wg.Wait()
	return answers
}

// ghost makes the mirror believe in a product that the ERP does not have.
func (b *bundle) ghost(t *testing.T) func(*order.Request) {
	t.Helper()
	require.NoError(t, b.db.UpsertProducts(t.Context(), b.cfg.Tenant.ID, []order.Product{{
		ERPProductID: 99999, SKU: "GHOST", Name: "Ghost", Currency: "USD", Active: true, Sellable: true,
	}}))
	return func(r *order.Request) {
		r.Lines = append(r.Lines, order.RequestLine{SKU: "GHOST", Quantity: decimal.New(1, 0)})
	}
}

func TestOrdersThatArriveTogetherGoTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.Delay, Times: -1, Delay: 100 * time.Millisecond})
	wishes := map[string]order.Request{}
	for i := range 42 {
		wishes[fmt.Sprint("k", i)] = request(fmt.Sprint("PO-", i))
	}
	for key, a := range b.placeAll(t, wishes) {
		require.NoError(t, a.err)
		require.Equal(t, []int64{a.placement.Order.ID}, b.erpOrders(t, wishes[key].Reference))
		require.Equal(t, order.Placed, b.intent(t, key).State)
	}
	require.LessOrEqual(t, b.sandbox.Calls("sale.order.load"), 8, "two go at once, the others as soon as a lane is free")
	require.LessOrEqual(t, b.sandbox.Calls("sale.order.web_read"), 10)
}

func TestBadOrderDoesNotSinkItsNeighbours(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ghost := b.ghost(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.Delay, Times: 2, Delay: 200 * time.Millisecond})
	wishes := map[string]order.Request{}
	for i := range 12 {
		wishes[fmt.Sprint("k", i)] = request(fmt.Sprint("PO-", i))
	}
	wishes["bad"] = request("PO-bad", ghost)
	answers := b.placeAll(t, wishes)
	e := requireKind(t, answers["bad"].err, order.Unprocessable, "erp_rejected")
	require.Equal(t, "lines[1].sku", e.Violations[0].Field)
	delete(answers, "bad")
	for key, a := range answers {
		require.NoError(t, a.err, key)
		require.NotNil(t, a.placement.Order, key)
	}
	require.Empty(t, b.erpOrders(t, "PO-bad"))
}

// An order that makes Odoo fail without naming it is found, and left to people; its neighbours do not notice.
func TestPoisonedOrderIsParkedAndItsNeighboursPlaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Matching: "PO-poison", Kind: sandbox.Fault1, Times: -1})
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.Delay, Times: 2, Delay: 200 * time.Millisecond})
	wishes := map[string]order.Request{"poison": request("PO-poison")}
	for i := range 9 {
		wishes[fmt.Sprint("k", i)] = request(fmt.Sprint("PO-", i))
	}
	for key, a := range b.placeAll(t, wishes) {
		require.NoError(t, a.err, key)
		require.Equal(t, key == "poison", a.placement.Order == nil, key)
	}
	for range 12 {
		b.later(2 * time.Minute)
		_, err := b.ResolveDue(t.Context())
		require.NoError(t, err)
	}
	in := b.intent(t, "poison")
	require.Equal(t, order.Parked, in.State)
	require.Equal(t, 10, in.Strikes)
	require.Equal(t, "parked", in.Failure.Code)
	n, err := b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "it is left alone")
	p, err := b.Place(t.Context(), portal, "poison", request("PO-poison"))
	require.NoError(t, err)
	require.Equal(t, order.Parked, p.Intent.State)
	require.Error(t, b.CheckIntents(t.Context()))

	// Once what ails the ERP is mended, an operator has it tried again.
	b.sandbox.Behave()
	_, err = b.RetryIntent(t.Context(), portal, "", "poison")
	require.NoError(t, err)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "poison").State)
	require.Len(t, b.erpOrders(t, "PO-poison"), 1)
	require.NoError(t, b.CheckIntents(t.Context()))
	_, err = b.RetryIntent(t.Context(), portal, "", "poison")
	requireKind(t, err, order.Conflict, "intent_not_parked")
}

// That the ERP is away for days parks nothing.
func TestERPThatIsAwayCountsAgainstNoOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	b.down(t)
	for range 30 {
		b.later(time.Hour)
		_, err := b.ResolveDue(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, order.Sending, b.intent(t, "k1").State)
	require.Zero(t, b.intent(t, "k1").Strikes)
}

func TestOrdersAreQueuedWhileTheERPIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.down(t)
	for i := range 30 {
		p, err := b.Enqueue(t.Context(), portal, fmt.Sprint("k", i), request(fmt.Sprint("PO-", i)))
		require.NoError(t, err)
		require.Nil(t, p.Order)
		require.Equal(t, order.Queued, p.Intent.State)
	}
	bad, err := b.Enqueue(t.Context(), portal, "bad", request("PO-bad", func(r *order.Request) { r.Lines[0].SKU = "NO-SUCH" }))
	require.NoError(t, err, "nobody can tell yet")
	require.Nil(t, bad.Order)
	_, err = b.Enqueue(t.Context(), portal, "k1", request("PO-2"))
	requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
	again, err := b.Enqueue(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, again.Order)
	again, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, again.Order, "a 202 stays one until its turn has come")

	require.NoError(t, b.sandbox.SetDown(false))
	b.drain(t, "k29")
	b.drain(t, "bad")
	var last int64
	for i := range 30 {
		in := b.intent(t, fmt.Sprint("k", i))
		require.Equal(t, order.Placed, in.State)
		require.Equal(t, []int64{in.ERPOrderID}, b.erpOrders(t, fmt.Sprint("PO-", i)))
		require.Greater(t, in.ERPOrderID, last, "in the order in which they were accepted")
		last = in.ERPOrderID
	}
	in := b.intent(t, "bad")
	require.Equal(t, order.Rejected, in.State)
	require.Equal(t, "unknown_sku", in.Failure.Code)
	p, err := b.Enqueue(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.True(t, p.Replayed)
	require.NotNil(t, p.Order)
}

// drain waits until a key's intent has come to its end.
func (b *bundle) drain(t *testing.T, key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		b.DrainBacklog()
		return b.intent(t, key).State.Final()
	}, time.Minute, 20*time.Millisecond)
}

func TestFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	erp := &gatedERP{ERP: b.erp, gate: make(chan struct{})}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.Lanes, cfg.MaxQueue = erp, 1, 3 })
	wishes := map[string]order.Request{}
	for i := range 4 {
		wishes[fmt.Sprint("k", i)] = request(fmt.Sprint("PO-", i))
	}
	done := make(chan map[string]answer)
	go func() { done <- b.placeAll(t, wishes) }()
	require.Eventually(t, func() bool { return b.CheckQueue(t.Context()) != nil }, 30*time.Second, time.Millisecond)

	_, err := b.Place(t.Context(), portal, "late", request("PO-late"))
	e := requireKind(t, err, order.Unavailable, "queue_full")
	require.Positive(t, e.RetryAfter)
	_, err = b.Intent(t.Context(), portal, "", "late")
	requireKind(t, err, order.NotFound, "intent_not_found")
	close(erp.gate)
	for key, a := range <-done {
		require.NoError(t, a.err, key)
	}
}

// gatedERP holds placements up until its gate is opened.
type gatedERP struct {
	ordersync.ERP
	gate chan struct{}
}

func (e *gatedERP) PlaceOrders(ctx context.Context, orders []odoo.NewOrder) []odoo.Loaded {
	<-e.gate
	return e.ERP.PlaceOrders(ctx, orders)
}

// An order that was not sent when its caller's time was over is not accepted, and never placed.
func TestOrderThatWaitedInVainLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	erp := &gatedERP{ERP: b.erp, gate: make(chan struct{})}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.Lanes = erp, 1 })
	first := make(chan answer)
	go func() {
		p, err := b.Place(t.Context(), portal, "first", request("PO-first"))
		first <- answer{p, err}
	}()
	require.Eventually(t, func() bool {
		in, err := b.Intent(t.Context(), portal, "", "first")
		return err == nil && in.State == order.Sending
	}, 30*time.Second, time.Millisecond)

	impatient, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	_, err := b.Place(impatient, portal, "second", request("PO-second"))
	requireKind(t, err, order.Unavailable, "wait_too_long")
	require.Equal(t, order.Refused, b.intent(t, "second").State)

	close(erp.gate)
	require.NoError(t, (<-first).err)
	b.later(time.Hour)
	b.DrainBacklog()
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Empty(t, b.erpOrders(t, "PO-second"))
	p, err := b.Place(t.Context(), portal, "second", request("PO-second"))
	require.NoError(t, err)
	require.NotNil(t, p.Order, "the same key begins anew")
}

// Who was told 202 because the ERP was slow is not told otherwise when it then turns out that nothing was sent.
func TestSlowOrderThatWasAcknowledgedIsNotRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	release := make(chan struct{})
	erp := &scriptedERP{ERP: b.erp}
	erp.place = func() *odoo.Error {
		<-release
		return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "down", Row: -1}
	}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = erp })
	impatient, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	p, err := b.Place(impatient, portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, p.Order)
	close(release)
	require.Eventually(t, func() bool { return b.intent(t, "k1").State == order.Queued }, 30*time.Second, 5*time.Millisecond)
	erp.place = nil
	b.drain(t, "k1")
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
}

// A process that was halted for longer than its lease lasts has been overtaken.
func TestHaltedProcessSendsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	loads := b.sandbox.Calls("sale.order.load")
	b.restart(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &insertHook{Mirror: b.db, after: func() { b.clock.advance(store.LeaseLasts + time.Second) }}
	})
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Unavailable, "wait_too_long")
	require.Equal(t, loads, b.sandbox.Calls("sale.order.load"))
}

type insertHook struct {
	ordersync.Mirror
	after func()
}

func (m *insertHook) InsertIntent(ctx context.Context, in *order.Intent) error {
	defer m.after()
	return m.Mirror.InsertIntent(ctx, in)
}

// What another process has taken over, and ended, is that process's: its outcome is the one that is told.
func TestOvertakenProcessTellsWhatTheOtherStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	erp := &scriptedERP{ERP: b.erp}
	other := order.Errorf(order.Unprocessable, "erp_rejected", "the other's word")
	erp.place = func() *odoo.Error {
		in := b.intent(t, "k1")
		now := b.clock.Now().Add(time.Hour)
		claimed, err := b.db.ClaimIntents(t.Context(), in.TenantID, []int64{in.ID}, store.Lease{Token: "other", Now: now, Until: now.Add(time.Minute), ERPNow: now})
		require.NoError(t, err)
		require.Len(t, claimed, 1)
		ended, err := b.db.EndAttempts(t.Context(), in.TenantID, "other", []store.End{{IntentID: in.ID, State: order.Rejected, Failure: other}})
		require.NoError(t, err)
		require.Len(t, ended, 1)
		return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "down", Row: -1}
	}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = erp })
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	e := requireKind(t, err, order.Unprocessable, "erp_rejected")
	require.Equal(t, other.Message, e.Message)
}

func TestNothingIsWrittenWhileTheERPIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = restingERP{b.erp} })
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
	_, err = b.Intent(t.Context(), portal, "", "k1")
	requireKind(t, err, order.NotFound, "intent_not_found")
	p, err := b.Enqueue(t.Context(), portal, "k2", request("PO-2"))
	require.NoError(t, err)
	require.Equal(t, order.Queued, p.Intent.State)
	require.Zero(t, b.intent(t, "k2").Attempts)
}

type restingERP struct{ ordersync.ERP }

func (restingERP) BreakerState() string { return "open" }

// Who was refused, and asks for the same order to be queued instead, is not refused again.
func TestRefusedOrderCanBeQueued(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	_, err := b.erp.Precision(t.Context())
	require.NoError(t, err)
	b.down(t)
	_, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
	p, err := b.Enqueue(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, p.Order)
	require.Equal(t, order.Queued, p.Intent.State)
	require.NoError(t, b.sandbox.SetDown(false))
	b.drain(t, "k1")
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
	require.Len(t, b.erpOrders(t, "PO-1"), 1)
}
