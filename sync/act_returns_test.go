package ordersync_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// returnMove is goods of one move that come back with a return of their own.
type returnMove struct {
	of       int64
	quantity decimal.Decimal
	state    order.DocumentState
}

type creditNote struct {
	id    int64
	memo  string
	of    order.PlannedCredit
	state order.DocumentState
}

func (e *documentERP) SentMoves(context.Context, int64) ([]order.SentMove, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.delivery.State != order.DocumentDelivered {
		return nil, true, nil
	}
	sent := make([]order.SentMove, len(e.moves))
	for i, m := range e.moves {
		sent[i].Move = m
		for _, r := range e.back {
			if r.of != m.ID {
				continue
			}
			sent[i].Asked = sent[i].Asked.Add(r.quantity)
			if r.state != order.DocumentCancelled {
				sent[i].Returned = sent[i].Returned.Add(r.quantity)
			}
			if r.state == order.DocumentDelivered {
				sent[i].Refunded = sent[i].Refunded.Add(r.quantity)
			}
		}
	}
	return sent, true, nil
}

func (e *documentERP) Return(_ context.Context, p order.PlannedReturn) error {
	if p.DeliveryID != e.delivery.ID && e.refuseReturn != nil {
		return e.refuseReturn
	}
	return e.change(func() {
		for _, m := range p.Moves {
			e.back = append(e.back, returnMove{m.MoveID, m.Quantity, order.Ready})
		}
	})
}

// DeliveryMoves gives the return 90 + n one move, 900 + n.
func (e *documentERP) DeliveryMoves(_ context.Context, id int64) ([]order.Move, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return []order.Move{{ID: 810 + id, DeliveryID: id, Quantity: e.back[id-90].quantity, State: order.Ready, Tracked: e.moves[0].Tracked,
		OwnUnit: e.moves[0].OwnUnit, ReturnOf: e.back[id-90].of}}, nil
}

func (e *documentERP) InvoicedLines(context.Context, int64) (invoiced []order.InvoicedLine, credited []order.CreditedLine, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, in := range e.invoices {
		for _, m := range e.moves {
			invoiced = append(invoiced, order.InvoicedLine{InvoiceID: in.ID, LineID: m.LineID, Quantity: m.Quantity, Alike: m.UnitID != 999})
		}
	}
	for _, n := range e.notes {
		for _, l := range n.of.Lines {
			if n.state != order.DocumentCancelled {
				credited = append(credited, order.CreditedLine{InvoiceID: n.of.InvoiceID, LineID: l.LineID, Quantity: l.Quantity, Alike: true})
			}
		}
	}
	return invoiced, credited, nil
}

func (e *documentERP) Credit(_ context.Context, p order.PlannedCredit, _, memo string) error {
	return e.change(func() {
		e.notes = append(e.notes, creditNote{int64(600 + len(e.notes)), memo, p, order.Posted})
	})
}

func (e *documentERP) Refunded(_ context.Context, p order.PlannedRefund) (order.RefundState, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	states := order.RefundState{}
	for _, n := range e.notes {
		if n.memo == p.Memo {
			lines := map[int64]decimal.Decimal{}
			for _, l := range n.of.Lines {
				lines[l.LineID] = l.Quantity
				if e.uncut {
					lines[l.LineID] = decimal.NewFromInt(9)
				}
			}
			states[n.of.InvoiceID] = order.CreditNote{State: n.state, Lines: lines}
		}
	}
	return states, nil
}

func (e *documentERP) Lots(_ context.Context, moves []order.Move, names []string) ([]order.Lot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.lots), func(l order.Lot) bool { return !slices.Contains(names, l.Name) }), nil
}

func (e *documentERP) MovedLots(context.Context, []int64) (map[int64][]order.MovedLot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.moved, nil
}

// setupSent is setupDocuments with the goods sent out and invoiced.
func setupSent(t *testing.T) (*bundle, *documentERP) {
	t.Helper()
	b, erp := setupDocuments(t)
	_, err := b.Act(t.Context(), portal, "f1", erp.fulfil())
	require.NoError(t, err)
	erp.left = true
	_, err = b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
	require.NoError(t, err)
	return b, erp
}

func (e *documentERP) giveBack(lines ...order.ActionLine) order.Action {
	return order.Action{Kind: order.Return, OrderID: e.of, Lines: lines, Reason: "does not fit"}
}

func (e *documentERP) receive(id int64) order.Action {
	return order.Action{Kind: order.Receive, OrderID: e.of, ReturnID: id}
}

func (e *documentERP) refund(lines ...order.ActionLine) order.Action {
	return order.Action{Kind: order.Refund, OrderID: e.of, Lines: lines, Reason: "does not fit\nat all"}
}

func pieces(line int64, quantity string) order.ActionLine {
	return order.ActionLine{LineID: line, Quantity: decimal.RequireFromString(quantity)}
}

func TestReturnThatCannotBe(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	line, all := erp.moves[0].LineID, erp.moves[0].Quantity.String()
	for key, test := range map[string]struct {
		lines       []order.ActionLine
		code, field string
	}{
		"unknown": {[]order.ActionLine{pieces(line, "1"), pieces(1, "1")}, "unknown_line", "lines[1].erp_line_id"},
		"more":    {[]order.ActionLine{pieces(line, "99")}, "more_than_delivered", "lines[0].quantity"},
		"finer":   {[]order.ActionLine{pieces(line, "0.001")}, "invalid_request", "lines[0].quantity"},
	} {
		_, err := b.Act(t.Context(), portal, key, erp.giveBack(test.lines...))
		e := requireKind(t, err, order.Unprocessable, test.code)
		require.Equal(t, test.field, e.Violations[0].Field)
	}
	require.Empty(t, erp.back)
	_, err := b.Act(t.Context(), portal, "r1", erp.giveBack(pieces(line, "1")))
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "r2", erp.giveBack(pieces(line, all)))
	requireKind(t, err, order.Unprocessable, "more_than_delivered")
	_, err = b.Act(t.Context(), portal, "r3", erp.giveBack())
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "r4", erp.giveBack())
	requireKind(t, err, order.Conflict, "nothing_to_return")
	sum := decimal.Zero
	for _, r := range erp.back {
		if r.of == erp.moves[0].ID {
			sum = sum.Add(r.quantity)
		}
	}
	require.Equal(t, all, sum.String())
	erp.back, erp.moves[0].UnitID = nil, 999
	_, err = b.Act(t.Context(), portal, "r5", erp.giveBack(pieces(line, "1")))
	requireKind(t, err, order.Unprocessable, "unit_differs")
}

// A return whose answer was lost is looked for, and not made again while the first call may still run. One that people cancelled
// in between was made for all that.
func TestAReturnIsMadeOnce(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	line := erp.moves[0].LineID
	erp.lose = errLost
	done, err := b.Act(t.Context(), portal, "r1", erp.giveBack(pieces(line, "1")))
	require.NoError(t, err)
	require.NotNil(t, done.Order, "it was found")
	require.Len(t, erp.back, 1)
	history, err := b.History(t.Context(), portal, erp.of, order.HistoryFilter{Limit: 100})
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(history, func(e order.HistoryEntry) bool { return e.Code == order.HistoryReason && e.Detail == "does not fit" }))

	for _, people := range []func(){
		func() {
			erp.back = append(erp.back, returnMove{erp.moves[0].ID, decimal.NewFromInt(1), order.DocumentCancelled})
		}, // theirs, and cancelled
		func() {},
	} {
		made := len(erp.back)
		key := "r-late-" + string(rune('a'+made))
		erp.never = errLost
		done, err = b.Act(t.Context(), portal, key, erp.giveBack(pieces(line, "1")))
		require.NoError(t, err)
		require.Nil(t, done.Order)
		for range 3 {
			b.later(time.Minute)
			_, err = b.ResolveDue(t.Context())
			require.NoError(t, err)
			require.Len(t, erp.back, made, "the first call may still run")
		}
		people()
		b.later(5 * time.Minute)
		_, err = b.ResolveDue(t.Context())
		require.NoError(t, err)
		require.Len(t, erp.back, made+1)
		require.Equal(t, order.Performed, b.intent(t, key).State)
	}
}

func TestReturningBesidePeople(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		theirs string
		code   string // empty: it is done
		made   int
	}{
		"the same goods":                         {theirs: "1", made: 1},
		"so much that ours do not come back too": {theirs: "0.5", made: 1, code: "returned_otherwise"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, erp := setupSent(t)
			erp.moves[0].Quantity, erp.moves[0].Done = decimal.NewFromInt(1), decimal.NewFromInt(1)
			erp.never = errLost
			erp.first = func() {
				erp.back = append(erp.back, returnMove{erp.moves[0].ID, decimal.RequireFromString(test.theirs), order.Ready})
			}
			wish := erp.giveBack(pieces(erp.moves[0].LineID, "1"))
			done, err := b.Act(t.Context(), portal, "r1", wish)
			require.NoError(t, err)
			if test.code != "" {
				require.Nil(t, done.Order, "ours may come yet")
				b.refusedLater(t, "r1", wish, test.code)
			} else {
				require.NotNil(t, done.Order)
			}
			require.Len(t, erp.back, test.made)
		})
	}
}

func TestReceiving(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	line := erp.moves[0].LineID
	_, err := b.Act(t.Context(), portal, "r1", erp.giveBack(pieces(line, "1")))
	require.NoError(t, err)
	for key, id := range map[string]int64{"none": 91, "no return": 70} {
		_, err = b.Act(t.Context(), portal, key, erp.receive(id))
		requireKind(t, err, order.NotFound, "return_not_found")
	}
	erp.lose = errLost
	done, err := b.Act(t.Context(), portal, "v1", erp.receive(90))
	require.NoError(t, err)
	require.NotNil(t, done.Order, "it was found")
	require.Equal(t, order.DocumentDelivered, erp.back[0].state)
	_, err = b.Act(t.Context(), portal, "v2", erp.receive(90))
	require.NoError(t, err, "it was received already")

	erp.back = append(erp.back, returnMove{erp.moves[0].ID, decimal.NewFromInt(1), order.DocumentCancelled})
	_, err = b.Act(t.Context(), portal, "v3", erp.receive(91))
	requireKind(t, err, order.Conflict, "return_cancelled")
	erp.back[1].state = order.Ready
	erp.never, erp.first = errLost, func() { erp.back[1].state = order.DocumentCancelled }
	done, err = b.Act(t.Context(), portal, "v4", erp.receive(91))
	require.NoError(t, err)
	require.Nil(t, done.Order, "the call may still run")
	b.refusedLater(t, "v4", erp.receive(91), "return_cancelled")
}

// refusedLater requires that an action whose answer was lost is refused once no call can still run.
func (b *bundle) refusedLater(t *testing.T, key string, wish order.Action, code string) {
	t.Helper()
	b.later(6 * time.Minute)
	_, err := b.Act(t.Context(), portal, key, wish)
	requireKind(t, err, order.Conflict, code)
}

// What may still run of several parts counts, whatever becomes of the others: nothing is begun anew while it does.
func TestOfTwoReturnsTheFirstMayStillRun(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	other := erp.moves[0]
	other.ID, other.DeliveryID = 799, 71
	erp.moves = append(erp.moves, other)
	erp.never, erp.refuseReturn = errLost, &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "away", Row: -1}
	wish := erp.giveBack(pieces(other.LineID, other.Quantity.Add(decimal.NewFromInt(1)).String()))
	done, err := b.Act(t.Context(), portal, "r1", wish)
	require.NoError(t, err)
	require.Nil(t, done.Order)
	require.Equal(t, order.Sending, b.intent(t, "r1").State, "it is in doubt")
}

// Lots that Odoo had not reserved make lines of the delivery: two calls at once would make them twice.
func TestLotsAreSentOnceAtATime(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	erp.moves = erp.moves[:1]
	erp.moves[0].Quantity, erp.moves[0].Tracked, erp.moves[0].OwnUnit = decimal.NewFromInt(1), true, true
	erp.lots = []order.Lot{{ID: 5, Name: "SN-1", Free: decimal.NewFromInt(1)}}
	wish := order.Action{Kind: order.Fulfil, OrderID: erp.of, Lines: []order.ActionLine{{LineID: erp.moves[0].LineID, Quantity: decimal.NewFromInt(1),
		Lots: []order.ActionLot{{Lot: "SN-1", Quantity: decimal.NewFromInt(1)}}}}}
	erp.never = errLost
	_, err := b.Act(t.Context(), portal, "f1", wish)
	require.NoError(t, err)
	b.later(time.Minute)
	_, err = b.Act(t.Context(), portal, "f1", wish)
	require.NoError(t, err)
	require.Equal(t, order.Ready, erp.delivery.State, "the first call may still run")
	erp.moved = map[int64][]order.MovedLot{erp.moves[0].ID: {{LotID: 5, Quantity: decimal.NewFromInt(1)}}}
	b.later(6 * time.Minute)
	done, err := b.Act(t.Context(), portal, "f1", wish)
	require.NoError(t, err)
	require.NotNil(t, done.Order)
	require.Equal(t, order.DocumentDelivered, erp.delivery.State)
}

func TestFulfilmentOfLots(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	m := &erp.moves[0]
	m.Tracked, m.OwnUnit = true, true
	one := decimal.NewFromInt(1)
	erp.lots = []order.Lot{{ID: 5, Name: "A", Free: decimal.Zero}, {ID: 6, Name: "A", Free: one}, {ID: 7, Name: "B", Free: one}}
	with := func(quantity string, lots ...order.ActionLot) order.Action {
		l := pieces(m.LineID, quantity)
		l.Lots = lots
		return erp.fulfil(l)
	}
	lot := func(name, quantity string) order.ActionLot {
		return order.ActionLot{Lot: name, Quantity: decimal.RequireFromString(quantity)}
	}
	for key, test := range map[string]struct {
		action      order.Action
		code, field string
	}{
		"without":   {with("1"), "lots_required", "lines[0].lots"},
		"unknown":   {with("2", lot("A", "1"), lot("C", "1")), "unknown_lot", "lines[0].lots[1].lot"},
		"more":      {with("2", lot("A", "2")), "lot_unavailable", "lines[0].lots[0].quantity"},
		"finer":     {with("1", lot("A", "0.999"), lot("B", "0.001")), "invalid_request", "lines[0].lots[0].quantity"},
		"other sum": {with("2", lot("A", "1")), "invalid_request", "lines[0].lots"},
	} {
		_, err := b.Act(t.Context(), portal, key, test.action)
		e := requireKind(t, err, order.Unprocessable, test.code)
		require.Equal(t, test.field, e.Violations[0].Field, key)
	}
	_, err := b.Act(t.Context(), portal, "f0", erp.fulfil())
	require.Equal(t, "lines", requireKind(t, err, order.Unprocessable, "lots_required").Violations[0].Field)
	m.OwnUnit = false
	_, err = b.Act(t.Context(), portal, "f1", with("1", lot("A", "1")))
	requireKind(t, err, order.Unprocessable, "unit_differs")
	m.OwnUnit, m.Tracked = true, false
	_, err = b.Act(t.Context(), portal, "not tracked", with("1", lot("A", "1")))
	requireKind(t, err, order.Unprocessable, "invalid_request")
	m.Tracked = true

	planned := []order.MovedLot{{LotID: 6, Quantity: one}, {LotID: 7, Quantity: one}}
	erp.moved = map[int64][]order.MovedLot{m.ID: {{LotID: 6, Quantity: one}, {LotID: 5, Quantity: one}}}
	_, err = b.Act(t.Context(), portal, "f2", with("2", lot("A", "1"), lot("B", "1")))
	requireKind(t, err, order.Conflict, "fulfilled_otherwise")
	require.Equal(t, planned, b.intent(t, "f2").Plan.Action.Deliveries[0].Moves[0].Lots)
}

// Which pieces come back is what the ERP proposes, or all that went out; else a person must look.
func TestReceivingLots(t *testing.T) {
	t.Parallel()
	one, went := decimal.NewFromInt(1), int64(700)
	for name, test := range map[string]struct {
		moved   map[int64][]order.MovedLot
		other   bool // the move counts in another unit than its lots
		refused bool
		lots    []order.MovedLot
	}{
		"proposed":        {moved: map[int64][]order.MovedLot{900: {{LotID: 5, Quantity: one}}}},
		"all that went":   {moved: map[int64][]order.MovedLot{900: {{Quantity: one}}, went: {{LotID: 6, Quantity: one}}}, lots: []order.MovedLot{{LotID: 6, Quantity: one}}},
		"one of two":      {moved: map[int64][]order.MovedLot{went: {{LotID: 6, Quantity: one}, {LotID: 7, Quantity: one}}}, refused: true},
		"in another unit": {moved: map[int64][]order.MovedLot{went: {{LotID: 6, Quantity: one}}}, other: true, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, erp := setupSent(t)
			_, err := b.Act(t.Context(), portal, "r1", erp.giveBack(pieces(erp.moves[0].LineID, "1")))
			require.NoError(t, err)
			erp.moves[0].Tracked, erp.moves[0].OwnUnit, erp.moved = true, !test.other, test.moved
			_, err = b.Act(t.Context(), portal, "v1", erp.receive(90))
			if test.refused {
				requireKind(t, err, order.Unprocessable, "lots_required")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.lots, b.intent(t, "v1").Plan.Action.Deliveries[0].Moves[0].Lots)
		})
	}
}

// Goods that went out in two deliveries come back with a return of each, and what one attempt left is all that the next one makes.
func TestAReturnOfTwoDeliveries(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	other := erp.moves[0]
	other.ID, other.DeliveryID = 799, 71
	erp.moves = append(erp.moves, other)
	erp.never = errLost
	done, err := b.Act(t.Context(), portal, "r1", erp.giveBack(pieces(other.LineID, other.Quantity.Add(decimal.NewFromInt(1)).String())))
	require.NoError(t, err)
	require.Nil(t, done.Order)
	plan := b.intent(t, "r1").Plan.Action.Returns
	require.Equal(t, []int64{70, 71}, []int64{plan[0].DeliveryID, plan[1].DeliveryID}, "the older delivery first")
	require.Equal(t, "1", plan[1].Moves[0].Quantity.String())
	require.Len(t, erp.back, 1)
	require.Equal(t, other.ID, erp.back[0].of)
	b.later(6 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Len(t, erp.back, 2)
	require.Equal(t, erp.moves[0].ID, erp.back[1].of)
	require.Equal(t, order.Performed, b.intent(t, "r1").State)
}
