package ordersync_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

func TestPlacedOrderIsInERPAndMirror(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1", func(r *order.Request) { r.Note = "a <b> & \"c\"\nd" }))
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	require.False(t, placed.Replayed)
	require.Equal(t, []int64{placed.Order.ID}, b.erpOrders(t, "PO-1"))

	o, _, err := b.Order(t.Context(), portal, placed.Order.ID)
	require.NoError(t, err)
	require.Equal(t, order.Draft, o.Status)
	require.Equal(t, "portal", o.Source)
	require.Equal(t, "a <b> & \"c\"\nd", o.Note)
	require.Equal(t, int64(9), o.Customer.ERPPartnerID)
	require.Len(t, o.Lines, 1)
	require.Equal(t, "E-COM07", o.Lines[0].SKU)
	require.True(t, o.Lines[0].Quantity.Equal(decimal.New(2, 0)))
	require.True(t, o.AmountUntaxed.Equal(decimal.New(640, 0)), o.AmountUntaxed.String())

	history, err := b.History(t.Context(), portal, o.ID, order.HistoryFilter{})
	require.NoError(t, err)
	require.Len(t, history, 1)
	require.Equal(t, order.HistoryPlaced, history[0].Code)
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
}

func TestReplayGetsTheStoredAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	calls := b.sandbox.Calls("sale.order.load")

	again, err := b.Place(t.Context(), portal, "k1", request("PO-1", func(r *order.Request) {
		r.Lines[0].Quantity = decimal.RequireFromString("2.00")
	}))
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, first.Order.ID, again.Order.ID)
	require.Equal(t, first.Order.Number, again.Order.Number)

	_, err = b.Place(t.Context(), portal, "k1", request("PO-2"))
	requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
	require.Equal(t, calls, b.sandbox.Calls("sale.order.load"), "a replay must not reach the ERP")
}

func TestKeysOfDifferentSourcesAreDifferent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	other, err := b.Place(t.Context(), operator, "k1", request("PO-1"))
	require.NoError(t, err)
	require.NotEqual(t, one.Order.ID, other.Order.ID)
}

func TestManyIdenticalRequestsMakeOneOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	outcomes := make(chan string, 64)
	for range 64 {
		wg.Go(func() {
			placed, err := b.Place(t.Context(), portal, "double-click", request("PO-64"))
			switch {
			case order.IsKind(err, order.Conflict):
				outcomes <- "in flight"
			case err != nil:
				outcomes <- err.Error()
			default:
				outcomes <- fmt.Sprint("order ", placed.Order.ID)
			}
		})
	}
	wg.Wait()
	close(outcomes)
	ids := b.erpOrders(t, "PO-64")
	require.Len(t, ids, 1)
	for o := range outcomes {
		require.Contains(t, []string{"in flight", fmt.Sprint("order ", ids[0])}, o)
	}
}

// Every way in which the ERP's answer can be lost after it committed, and what the caller hears.
func TestLostAnswersNeverMakeASecondOrder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		fault    sandbox.Fault
		accepted bool // 202 at first, instead of 201
	}{
		{"connection closed after the commit", sandbox.Fault{Kind: sandbox.DropAnswer, Times: 1}, false},
		{"answer cut in half", sandbox.Fault{Kind: sandbox.CutAnswer, Times: 1}, false},
		{"fault after the commit", sandbox.Fault{Kind: sandbox.FaultAfterCommit, Times: 1}, false},
		{"bad gateway after the commit", sandbox.Fault{Kind: sandbox.ServerErrorAfterCommit, Times: 1}, false},
		{"closed twice", sandbox.Fault{Kind: sandbox.DropAnswer, Times: 2}, false},
		{"hangs after the commit", sandbox.Fault{Kind: sandbox.HangAfterCommit, Times: 1}, false},
		{"closed three times", sandbox.Fault{Kind: sandbox.DropAnswer, Times: 3}, true},
		{"commits after everybody gave up", sandbox.Fault{Kind: sandbox.LateCommit, Times: 2, Delay: 700 * time.Millisecond}, true},
		{"a page of a proxy", sandbox.Fault{Kind: sandbox.HTML, Times: 2}, true},
		{"a bomb", sandbox.Fault{Kind: sandbox.GzipBomb, Times: 2}, true},
		{"endless nesting", sandbox.Fault{Kind: sandbox.DeepNesting, Times: 2}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			require.NoError(t, b.Sync(t.Context()))
			test.fault.Method = "sale.order.load"
			b.sandbox.Misbehave(test.fault)

			placed, err := b.Place(t.Context(), portal, "k1", request("PO-lost"))
			require.NoError(t, err)
			if !test.accepted {
				require.NotNil(t, placed.Order)
				require.Len(t, b.erpOrders(t, "PO-lost"), 1)
				return
			}
			require.Nil(t, placed.Order, "nobody can know yet")
			require.Equal(t, order.Sending, b.intent(t, "k1").State)

			b.later(2 * time.Minute)
			require.Eventually(t, func() bool {
				_, err := b.ResolveDue(t.Context())
				return err == nil && b.intent(t, "k1").State == order.Placed
			}, 30*time.Second, 50*time.Millisecond)
			ids := b.erpOrders(t, "PO-lost")
			require.Len(t, ids, 1)

			again, err := b.Place(t.Context(), portal, "k1", request("PO-lost"))
			require.NoError(t, err)
			require.True(t, again.Replayed)
			require.Equal(t, ids[0], again.Order.ID)
		})
	}
}

func TestRetryOfTheCallerResolvesWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, placed.Order)

	placed, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	require.Equal(t, []int64{placed.Order.ID}, b.erpOrders(t, "PO-1"))
}

func TestERPDownIsNotAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Sync(t.Context()))
	_, err := b.erp.Precision(t.Context())
	require.NoError(t, err)
	b.down(t)
	_, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
	e := requireKind(t, err, order.Unavailable, "erp_unavailable")
	require.Positive(t, e.RetryAfter)

	require.NoError(t, b.sandbox.SetDown(false))
	b.later(time.Hour)
	n, err := b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "what was not accepted must never be placed by itself")
	require.Empty(t, b.erpOrders(t, "PO-1"))

	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	require.False(t, placed.Replayed)
}

func TestRejectionIsFinalAndReplayed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// The mirror believes in a product that the ERP does not have.
	require.NoError(t, b.db.UpsertProducts(t.Context(), b.cfg.Tenant.ID, []order.Product{{
		ERPProductID: 99999, SKU: "GHOST", Name: "Ghost", Currency: "USD", Active: true, Sellable: true,
	}}))
	ghost := request("PO-1", func(r *order.Request) {
		r.Lines = append(r.Lines, order.RequestLine{SKU: "GHOST", Quantity: decimal.New(1, 0)})
	})
	_, err := b.Place(t.Context(), portal, "k1", ghost)
	e := requireKind(t, err, order.Unprocessable, "erp_rejected")
	require.Equal(t, "lines[1].sku", e.Violations[0].Field)
	require.Empty(t, b.erpOrders(t, "PO-1"))
	require.Equal(t, order.Rejected, b.intent(t, "k1").State)

	calls := b.sandbox.Calls("sale.order.load")
	replayed, err := b.Place(t.Context(), portal, "k1", ghost)
	again := requireKind(t, err, order.Unprocessable, "erp_rejected")
	require.True(t, replayed.Replayed)
	require.Equal(t, e.Message, again.Message)
	require.Equal(t, e.Violations, again.Violations)
	require.Equal(t, calls, b.sandbox.Calls("sale.order.load"))
}

// A rejection that follows a lost answer may be overtaken by the first call, which may still be running.
func TestRejectionAfterALostAnswerIsNotFinalAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.db.UpsertProducts(t.Context(), b.cfg.Tenant.ID, []order.Product{{
		ERPProductID: 99999, SKU: "GHOST", Name: "Ghost", Currency: "USD", Active: true, Sellable: true,
	}}))
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.Hang, Times: 1})
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1", func(r *order.Request) { r.Lines[0].SKU = "GHOST" }))
	require.NoError(t, err)
	require.Nil(t, placed.Order)

	b.later(10 * time.Second)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Sending, b.intent(t, "k1").State, "the first call may still commit")

	b.later(2 * b.cfg.TransactionLimit)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Rejected, b.intent(t, "k1").State, "no transaction lives that long")
	require.Empty(t, b.erpOrders(t, "PO-1"))
}

// However long the ERP is away after it committed, the order is not given up.
func TestERPDownForLongAfterALostAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.HangAfterCommit, Times: 2})
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, placed.Order)

	require.NoError(t, b.sandbox.SetDown(true))
	for range 3 {
		b.later(time.Hour)
		_, err = b.ResolveDue(t.Context())
		require.NoError(t, err)
		placed, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
		require.NoError(t, err, "nobody can say that it does not exist")
		require.Nil(t, placed.Order)
	}
	require.NoError(t, b.sandbox.SetDown(false))
	require.Eventually(t, func() bool { // the lane may not have landed, and takes the hour that went by for what a call takes
		placed, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
		return err == nil && placed.Order != nil
	}, 30*time.Second, 10*time.Millisecond)
	require.Len(t, b.erpOrders(t, "PO-1"), 1)
}

// Odoo 14 refuses to repeat an order whose product was archived since, although the order exists.
func TestProductArchivedAfterALostAnswer(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 19} {
		b := setupWith(t, major)
		b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
		placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
		require.NoError(t, err)
		require.Nil(t, placed.Order)

		b.people(t, "product.product", "write", []any{productIDs(t, b, "E-COM07")[0]}, map[string]any{"active": false})
		b.later(2*b.cfg.TransactionLimit + time.Minute)
		_, err = b.ResolveDue(t.Context())
		require.NoError(t, err)
		require.Equal(t, order.Placed, b.intent(t, "k1").State, "Odoo %d", major)
		require.Len(t, b.erpOrders(t, "PO-1"), 1)
	}
}

func TestDatabaseFailures(t *testing.T) {
	t.Parallel()
	unavailable := failure{err: store.ErrUnavailable}
	unknown, committed := failure{err: store.ErrUnknown}, failure{err: store.ErrUnknown, after: true}
	tests := []struct {
		name  string
		fails map[string][]failure
		code  string // of the error; "" for accepted or placed
		order bool   // 201
		left  order.IntentState
	}{
		{"down before", map[string][]failure{"InsertIntent": {unavailable}}, "database_unavailable", false, ""},
		{"lost the connection, had not written", map[string][]failure{"InsertIntent": {unknown}}, "", true, order.Placed},
		{"lost the connection, had written", map[string][]failure{"InsertIntent": {committed}}, "", true, order.Placed},
		{"lost the connection and stays away", map[string][]failure{"InsertIntent": slices.Repeat([]failure{unknown}, 20)}, "outcome_unknown", false, ""},
		{"lost the connection, then refuses", map[string][]failure{"InsertIntent": append([]failure{committed}, slices.Repeat([]failure{unavailable}, 20)...)}, "outcome_unknown", false, order.Sending},
		{"down after the ERP", map[string][]failure{"PlaceIntents": {unavailable}}, "", false, order.Sending},
		{"lost after the ERP, had written", map[string][]failure{"PlaceIntents": {committed}}, "", true, order.Placed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *ordersync.Config) {
				cfg.Mirror = &failingMirror{Mirror: cfg.Mirror, fails: test.fails}
			})
			placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
			if test.code != "" {
				var e *order.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, test.code, e.Code)
				require.Empty(t, b.erpOrders(t, "PO-1"), "nothing may reach the ERP before it is written down")
			} else {
				require.NoError(t, err)
				require.Equal(t, test.order, placed.Order != nil)
				require.Len(t, b.erpOrders(t, "PO-1"), 1)
			}

			b.restart(t)
			in, err := b.Intent(t.Context(), portal, "", "k1")
			if test.left == "" {
				requireKind(t, err, order.NotFound, "intent_not_found")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.left, in.State)
			if in.State == order.Sending { // a crash would leave the same; the resolver takes it up when the lease is over
				b.later(10 * time.Minute)
				_, err := b.ResolveDue(t.Context())
				require.NoError(t, err)
				require.Equal(t, order.Placed, b.intent(t, "k1").State)
				require.Len(t, b.erpOrders(t, "PO-1"), 1)
			}
		})
	}
}

// A refusal that the database does not hold must not be told: the resolver could still place the order.
func TestRefusalIsToldOnlyOnceStored(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *ordersync.Config) {
		cfg.Mirror = &failingMirror{Mirror: cfg.Mirror, fails: map[string][]failure{"EndAttempts": {{err: store.ErrUnavailable}}}}
	})
	require.NoError(t, b.Sync(t.Context()))
	_, err := b.erp.Precision(t.Context())
	require.NoError(t, err)
	b.down(t)
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err, "accepted, not refused")
	require.Nil(t, placed.Order)

	require.NoError(t, b.sandbox.SetDown(false))
	b.later(10 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
}

// What another process has taken over, this one can no longer finish.
func TestInFlightKeyIsNotCarriedTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := order.Intent{
		TenantID: b.cfg.Tenant.ID, Source: "portal", Key: "k1", State: order.Sending, Caller: "shop",
		LeaseToken: "another process", LeaseUntil: b.clock.Now().Add(store.LeaseLasts), Attempts: 1,
		NextAttemptAt: b.clock.Now(), CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
		Request: request("PO-1"), Plan: order.Plan{PartnerID: 9},
	}
	in.Fingerprint = in.Request.Fingerprint()
	in.Plan.ProductIDs = productIDs(t, b, "E-COM07")
	require.NoError(t, b.db.InsertIntent(t.Context(), &in))

	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Conflict, "key_in_flight")
	n, err := b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.Empty(t, b.erpOrders(t, "PO-1"))

	b.later(2 * time.Minute) // the other process crashed
	placed, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	require.Len(t, b.erpOrders(t, "PO-1"), 1)
}

func productIDs(t *testing.T, b *bundle, skus ...string) []int64 {
	t.Helper()
	products, err := b.erp.ProductsBySKU(t.Context(), skus)
	require.NoError(t, err)
	require.Len(t, products, len(skus))
	ids := make([]int64, len(products))
	for i, p := range products {
		ids[i] = p.ERPProductID
	}
	return ids
}
