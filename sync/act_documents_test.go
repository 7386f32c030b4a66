package ordersync_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// documentERP has one delivery and the invoices of one order beside what the sandbox has, and does with them what Odoo does.
type documentERP struct {
	ordersync.ERP

	mu       sync.Mutex
	of       int64 // the order
	moves    []order.Move
	delivery order.Delivery
	invoices []order.Invoice
	memos    []string

	lose  error  // what the next call that changes something answers, although it did it
	never error  // what it answers without having done it
	first func() // what people do right before it

	second       order.Delivery // beside the first; ID 0: none
	refuseSecond error

	lots  []order.Lot                // that can go out
	moved map[int64][]order.MovedLot // what went out of them, by move
	left  bool                       // the order says that its goods have left
	back  []returnMove               // what is to come back, or came
	notes []creditNote
	uncut bool // credit notes have all of their invoice

	hidden bool // one of its invoices, so that none is told

	carriers  []order.Carrier         // none: deliveries have no delivery method and no tracking number
	delivered []order.PlannedDelivery // what it was asked to send out

	refuseReturn error // of another delivery than the first

	invoiceable func() // what happens while it is asked what can be invoiced; nil: nothing
}

var errLost = &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.ConnectionLost, Message: "lost", Row: -1, Cause: errors.New("reset")}

func setupDocuments(t *testing.T) (*bundle, *documentERP) {
	t.Helper()
	b := setup(t)
	erp := &documentERP{ERP: b.cfg.ERP}
	b.cfg.ERP = erp
	b.restart(t)
	erp.of = b.placed(t, "PO-1")
	_, err := b.Act(t.Context(), portal, "confirm", confirm(erp.of))
	require.NoError(t, err)
	found, err := erp.ERP.Orders(t.Context(), []int64{erp.of})
	require.NoError(t, err)
	erp.delivery = order.Delivery{ID: 70, Number: "WH/OUT/70", State: order.Ready}
	for i, l := range found[0].Lines {
		erp.moves = append(erp.moves, order.Move{ID: int64(700 + i), DeliveryID: 70, LineID: l.ERPLineID, Quantity: l.Quantity, State: order.Ready,
			ProductID: l.ERPProductID, UnitID: l.UnitID})
	}
	return b, erp
}

// change is one call that changes something.
func (e *documentERP) change(do func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if first := e.first; first != nil {
		e.first = nil
		first()
	}
	if err := e.never; err != nil {
		e.never = nil
		return err
	}
	do()
	err := e.lose
	e.lose = nil
	return err
}

func (e *documentERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	snapshots, err := e.ERP.Orders(ctx, ids)
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range snapshots {
		if snapshots[i].ID == e.of && e.delivery.ID != 0 {
			snapshots[i].AllDeliveries, snapshots[i].AllInvoices = true, !e.hidden
			snapshots[i].Deliveries = []order.Delivery{e.delivery}
			if e.second.ID != 0 {
				snapshots[i].Deliveries = append(snapshots[i].Deliveries, e.second)
			}
			for id := int64(90); int(id) < 90+len(e.back); id++ {
				snapshots[i].Deliveries = append(snapshots[i].Deliveries,
					order.Delivery{ID: id, Number: "WH/IN/" + strconv.FormatInt(id, 10), Kind: order.DeliveryReturn, State: e.back[id-90].state})
			}
			if e.hidden {
				continue
			}
			snapshots[i].Invoices = slices.Clone(e.invoices)
			for _, n := range e.notes {
				snapshots[i].Invoices = append(snapshots[i].Invoices, order.Invoice{ID: n.id, CreditNote: true, State: n.state, Currency: "USD", Payment: "not_paid"})
			}
		}
		if snapshots[i].ID == e.of && e.left {
			snapshots[i].Status = order.Delivered
		}
	}
	return snapshots, err
}

func (e *documentERP) OpenMoves(context.Context, int64) ([]order.Move, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.delivery.State != order.Ready {
		return nil, true, nil
	}
	return slices.Clone(e.moves), true, nil
}

func (e *documentERP) Moves(_ context.Context, ids []int64) ([]order.Move, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.moves), func(m order.Move) bool { return !slices.Contains(ids, m.ID) }), nil
}

func (e *documentERP) HasCarriers(context.Context) (bool, error) { return len(e.carriers) > 0, nil }

func (e *documentERP) Carriers(context.Context, int64) ([]order.Carrier, error) {
	return e.carriers, nil
}

// send is what validating the delivery does.
func (e *documentERP) send(quantity func(order.Move) decimal.Decimal) {
	for i := range e.moves {
		e.moves[i].Done, e.moves[i].State = quantity(e.moves[i]), order.DocumentDelivered
	}
	e.delivery.State = order.DocumentDelivered
}

func (e *documentERP) Deliver(_ context.Context, p order.PlannedDelivery) error {
	e.delivered = append(e.delivered, p)
	if e.second.ID != 0 && p.DeliveryID == e.second.ID {
		return e.refuseSecond
	}
	return e.change(func() {
		if p.DeliveryID >= 90 {
			e.back[p.DeliveryID-90].state = order.DocumentDelivered
			return
		}
		if e.delivery.State != order.Ready {
			return
		}
		e.send(func(m order.Move) decimal.Decimal {
			for _, planned := range p.Moves {
				if planned.MoveID == m.ID {
					return planned.Quantity
				}
			}
			return decimal.Zero
		})
	})
}

func (e *documentERP) Invoiceable(context.Context, int64) (something, known bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.invoiceable != nil {
		e.invoiceable()
	}
	return !slices.ContainsFunc(e.invoices, func(in order.Invoice) bool { return !in.CreditNote || in.State == order.Open }), true, nil
}

func (e *documentERP) Invoice(_ context.Context, _ int64, _, drafts []int64) error {
	return e.change(func() {
		for i := range e.invoices {
			if slices.Contains(drafts, e.invoices[i].ID) {
				e.invoices[i].State = order.Posted
			}
		}
		if len(drafts) > 0 {
			return
		}
		e.draft(80)
		e.invoices[0].State = order.Posted
	})
}

func (e *documentERP) draft(id int64) {
	e.invoices = append(e.invoices, order.Invoice{ID: id, Number: "INV/80", State: order.Open, Payment: "not_paid", Currency: "USD",
		AmountTotal: decimal.NewFromInt(100), AmountDue: decimal.NewFromInt(100)})
}

func (e *documentERP) Pay(_ context.Context, p order.PlannedPayment, _ string) error {
	return e.change(func() {
		e.memos = append(e.memos, p.Memo)
		e.invoices[0].AmountDue = e.invoices[0].AmountDue.Sub(p.Amount)
	})
}

func (e *documentERP) Paid(_ context.Context, memo string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.memos, memo), nil
}

func (e *documentERP) fulfil(lines ...order.ActionLine) order.Action {
	return order.Action{Kind: order.Fulfil, OrderID: e.of, Lines: lines}
}

func (e *documentERP) pay(amount int64) order.Action {
	d := decimal.NewFromInt(amount)
	return order.Action{Kind: order.Pay, OrderID: e.of, InvoiceID: 80, Amount: &d, Reference: "card"}
}

func TestFulfilmentBesidePeople(t *testing.T) {
	t.Parallel()
	all := func(m order.Move) decimal.Decimal { return m.Quantity }
	half := func(m order.Move) decimal.Decimal { return m.Quantity.Div(decimal.NewFromInt(2)) }
	for name, test := range map[string]struct {
		before, between func(e *documentERP)
		code            string // empty: it is done
	}{
		"nobody else":                                     {},
		"somebody sends it out before":                    {before: func(e *documentERP) { e.send(all) }, code: "nothing_to_fulfil"},
		"somebody sends it out as planned in that moment": {between: func(e *documentERP) { e.send(all) }},
		"somebody sends out half of it in that moment":    {between: func(e *documentERP) { e.send(half) }, code: "fulfilled_otherwise"},
		"somebody leaves it for a back order in that moment": {between: func(e *documentERP) {
			e.send(all)
			e.moves[0].State, e.moves[0].DeliveryID = order.Ready, 71 // where it is reserved again
		}, code: "fulfilled_otherwise"},
		"somebody cancels it in that moment": {
			between: func(e *documentERP) { e.delivery.State = order.DocumentCancelled }, code: "fulfilled_otherwise"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, erp := setupDocuments(t)
			if test.before != nil {
				test.before(erp)
			}
			if test.between != nil {
				erp.first = func() { test.between(erp) }
			}
			done, err := b.Act(t.Context(), portal, "f1", erp.fulfil())
			if test.code != "" {
				requireKind(t, err, order.Conflict, test.code)
				return
			}
			require.NoError(t, err)
			require.Equal(t, order.DocumentDelivered, done.Order.Deliveries[0].State)
		})
	}
}

func TestFulfilmentThatCannotBe(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	line := func(id int64, quantity string) order.ActionLine {
		return order.ActionLine{LineID: id, Quantity: decimal.RequireFromString(quantity)}
	}
	known := erp.moves[0].LineID
	for key, test := range map[string]struct {
		action order.Action
		kind   order.Kind
		code   string
		field  string
	}{
		"unknown": {erp.fulfil(line(known, "1"), line(1, "1")), order.Unprocessable, "unknown_line", "lines[1].erp_line_id"},
		"more":    {erp.fulfil(line(known, "99")), order.Unprocessable, "more_than_left", "lines[0].quantity"},
		"finer":   {erp.fulfil(line(known, "0.001")), order.Unprocessable, "invalid_request", "lines[0].quantity"},
		"number":  {order.Action{Kind: order.Fulfil, OrderID: erp.of, Tracking: "1Z"}, order.Unsupported, "carriers_missing", ""},
		"carrier": {order.Action{Kind: order.Fulfil, OrderID: erp.of, Carrier: "DHL"}, order.Unsupported, "carriers_missing", ""},
		"twice":   {erp.fulfil(line(known, "1"), line(known, "1")), order.Unprocessable, "invalid_request", "lines[1].erp_line_id"},
		"nothing": {erp.fulfil(line(known, "0")), order.Unprocessable, "invalid_request", "lines[0].quantity"},
	} {
		_, err := b.Act(t.Context(), portal, key, test.action)
		e := requireKind(t, err, test.kind, test.code)
		if test.field != "" {
			require.Equal(t, test.field, e.Violations[0].Field)
		}
		require.Equal(t, order.Ready, erp.delivery.State)
	}
	erp.moves[0].UnitID = 999
	_, err := b.Act(t.Context(), portal, "unit", erp.fulfil(line(known, "1")))
	requireKind(t, err, order.Unprocessable, "unit_differs")
	erp.moves[0].Tracked = true
	_, err = b.Act(t.Context(), portal, "lots", erp.fulfil())
	requireKind(t, err, order.Unprocessable, "lots_required")
}

// What was decided before the first call is what every later attempt sends, whatever the order looks like by then.
func TestFulfilmentKeepsItsPlan(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	erp.never = errLost
	done, err := b.Act(t.Context(), portal, "f1", erp.fulfil())
	require.NoError(t, err)
	require.Nil(t, done.Order)
	planned := erp.moves[0].Quantity
	erp.moves[0].Quantity = planned.Add(decimal.NewFromInt(5)) // somebody edits the order
	done, err = b.Act(t.Context(), portal, "f1", erp.fulfil())
	require.NoError(t, err)
	require.NotNil(t, done.Order)
	require.True(t, planned.Equal(erp.moves[0].Done))
}

func TestInvoicingWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	bill := order.Action{Kind: order.Bill, OrderID: erp.of}
	erp.lose = errLost
	done, err := b.Act(t.Context(), portal, "i1", bill)
	require.NoError(t, err)
	require.Equal(t, order.Posted, done.Order.Invoices[0].State)
	_, err = b.Act(t.Context(), portal, "i2", bill)
	requireKind(t, err, order.Conflict, "nothing_to_invoice")
	require.Len(t, erp.invoices, 1)
}

// A payment whose answer was lost is looked for, and not made again while the first call may still run.
func TestAPaymentIsMadeOnce(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	_, err := b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
	require.NoError(t, err)

	erp.lose = errLost
	done, err := b.Act(t.Context(), portal, "p1", erp.pay(30))
	require.NoError(t, err)
	require.NotNil(t, done.Order, "it was found")
	require.Len(t, erp.memos, 1)

	erp.never = errLost
	done, err = b.Act(t.Context(), portal, "p2", erp.pay(30))
	require.NoError(t, err)
	require.Nil(t, done.Order)
	for range 3 {
		b.later(time.Minute)
		_, err = b.Act(t.Context(), portal, "p2", erp.pay(30))
		require.NoError(t, err)
		_, err = b.ResolveDue(t.Context())
		require.NoError(t, err)
		require.Len(t, erp.memos, 1, "the first call may still run")
	}
	b.later(5 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Len(t, erp.memos, 2)
	require.NotEqual(t, erp.memos[0], erp.memos[1])
	require.Equal(t, order.Performed, b.intent(t, "p2").State)

	_, err = b.Act(t.Context(), portal, "p3", erp.pay(41))
	requireKind(t, err, order.Unprocessable, "more_than_due")
	other := erp.pay(1)
	other.InvoiceID = 81
	_, err = b.Act(t.Context(), portal, "p4", other)
	requireKind(t, err, order.NotFound, "invoice_not_found")
	erp.invoices[0].State = order.DocumentCancelled
	_, err = b.Act(t.Context(), portal, "p5", erp.pay(1))
	requireKind(t, err, order.Conflict, "invoice_not_payable")
	require.Len(t, erp.memos, 2)
}

// A call to invoice whose answer was lost may still run, and would invoice what becomes invoiceable meanwhile. What was drafted is posted at once.
func TestAnInvoiceIsMadeOnce(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	bill := order.Action{Kind: order.Bill, OrderID: erp.of}
	erp.never = errLost
	done, err := b.Act(t.Context(), portal, "i1", bill)
	require.NoError(t, err)
	require.Nil(t, done.Order)
	for range 3 {
		b.later(time.Minute)
		_, err = b.ResolveDue(t.Context())
		require.NoError(t, err)
		require.Empty(t, erp.invoices, "the first call may still run")
		require.Equal(t, order.Sending, b.intent(t, "i1").State)
	}
	erp.draft(80) // it did
	b.later(time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Performed, b.intent(t, "i1").State)
	require.Len(t, erp.invoices, 1)
	require.Equal(t, order.Posted, erp.invoices[0].State)
}

// The key of a payment is deleted after its time. What was paid under it stands in the ERP.
func TestAPaymentIsMadeOnceAlsoWhenItsKeyIsForgotten(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	_, err := b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "p1", erp.pay(30))
	require.NoError(t, err)
	b.later(31 * 24 * time.Hour)
	require.NoError(t, b.Purge(t.Context()))
	_, err = b.Intent(t.Context(), portal, "", "p1")
	requireKind(t, err, order.NotFound, "intent_not_found")

	done, err := b.Act(t.Context(), portal, "p1", erp.pay(30))
	require.NoError(t, err)
	require.NotNil(t, done.Order)
	require.False(t, done.Replayed, "the key was forgotten")
	require.Len(t, erp.memos, 1, "and its payment recognized")

	b.later(31 * 24 * time.Hour)
	require.NoError(t, b.Purge(t.Context()))
	_, err = b.Act(t.Context(), portal, "p1", erp.pay(20))
	require.NoError(t, err)
	require.Len(t, erp.memos, 2, "the key is free for another payment")
}

// What the gateway's user may not do in the ERP is said, and may be asked for again once it may.
func TestAnActionThatTheERPDoesNotPermit(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	erp.never = &odoo.Error{Outcome: odoo.Rejected, Reason: odoo.AccessRights, Row: -1,
		Message: "You are not allowed to create 'Invoice'. This operation is allowed for the following groups: - Accounting/Billing"}
	bill := order.Action{Kind: order.Bill, OrderID: erp.of}
	_, err := b.Act(t.Context(), portal, "i1", bill)
	e := requireKind(t, err, order.Forbidden, "erp_rights_missing")
	require.Contains(t, e.Message, "Accounting/Billing")
	done, err := b.Act(t.Context(), portal, "i1", bill)
	require.NoError(t, err)
	require.Equal(t, order.Posted, done.Order.Invoices[0].State)
}

// An action whose lease ran out between looking and acting, because its process was halted, sends nothing.
func TestAHaltedActionSendsNothing(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	erp.invoiceable = func() { b.later(time.Minute) }
	_, err := b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
	requireKind(t, err, order.Unavailable, "wait_too_long")
	require.Empty(t, erp.invoices)
	require.Equal(t, order.Refused, b.intent(t, "i1").State)
}

// A draft is posted where nothing else can be invoiced, also one that a refused posting left behind; beside something else it is
// somebody's, and a credit note is never taken for an invoice.
func TestInvoicingBesideADraft(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	erp.invoices = []order.Invoice{{ID: 79, State: order.Open, CreditNote: true}}
	bill := order.Action{Kind: order.Bill, OrderID: erp.of}
	_, err := b.Act(t.Context(), portal, "i0", bill)
	requireKind(t, err, order.Conflict, "nothing_to_invoice")
	erp.invoices[0].State = order.Posted
	erp.draft(80)
	done, err := b.Act(t.Context(), portal, "i1", bill)
	require.NoError(t, err)
	require.Equal(t, order.Posted, done.Order.Invoices[1].State)
	require.Len(t, erp.invoices, 2)
}

// Of two deliveries one is refused: the caller is told that a part went out, and the mirror shows which.
func TestFulfilmentOfWhichAPartIsRefused(t *testing.T) {
	t.Parallel()
	refusal := &odoo.Error{Outcome: odoo.Rejected, Reason: odoo.BusinessRule, Message: "No lot.", Row: -1}
	b, erp := setupDocuments(t)
	erp.second = order.Delivery{ID: 71, Number: "WH/OUT/71", State: order.Ready}
	erp.moves = append(erp.moves, order.Move{ID: 799, DeliveryID: 71, LineID: erp.moves[0].LineID, Quantity: decimal.NewFromInt(1), State: order.Ready})
	erp.refuseSecond = refusal
	_, err := b.Act(t.Context(), portal, "f1", erp.fulfil())
	e := requireKind(t, err, order.Conflict, "partly_done")
	require.Contains(t, e.Message, "No lot.")
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, erp.of)
	require.NoError(t, err)
	require.Equal(t, order.DocumentDelivered, o.Deliveries[0].State)
}

// A key whose first attempt was refused for a missing right begins anew, with all checks.
func TestARefusedActionForgetsItsPlan(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	_, err := b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
	require.NoError(t, err)
	erp.never = &odoo.Error{Outcome: odoo.Rejected, Reason: odoo.AccessRights, Message: "No.", Row: -1}
	_, err = b.Act(t.Context(), portal, "p1", erp.pay(80))
	requireKind(t, err, order.Forbidden, "erp_rights_missing")
	_, err = b.Act(t.Context(), portal, "p2", erp.pay(80))
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "p1", erp.pay(80))
	requireKind(t, err, order.Unprocessable, "more_than_due")
	require.Len(t, erp.memos, 1)

	cents := decimal.RequireFromString("1.005")
	finer := erp.pay(1)
	finer.Amount = &cents
	_, err = b.Act(t.Context(), portal, "p3", finer)
	requireKind(t, err, order.Unprocessable, "invalid_request")
}

// An adopted key is another system's, and no action's.
func TestAnActionWithAnAdoptedKey(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	_, err := b.db.AdoptOrders(t.Context(), b.cfg.Tenant.ID, []store.Adoption{{ERPOrderID: erp.of, Keys: []store.AdoptedKey{{Source: "portal", Key: "old"}}}}, true)
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "old", confirm(erp.of))
	requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
}
