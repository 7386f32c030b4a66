package ordersync

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ordergate/failpoint"
	"ordergate/odoo"
	"ordergate/order"
)

// Act does something with an order that stands, once for each key of the caller's source, in the ERP first. Placement.Order is
// the order as it then stands, nil while the outcome is not known. One action at a time holds an order: Conflict, code
// order_busy, while another one does. Errors: Malformed (the key), Forbidden, NotFound; Unprocessable for what the action says, or if the
// key was another request's; PreconditionFailed if the order is not any more what a change was made for; Conflict if the order's status, or
// the ERP, does not allow it; Unsupported if the ERP lacks what it takes; Unavailable if nothing was done or will be; Internal, code
// outcome_unknown, if that is not known.
func (s *Service) Act(ctx context.Context, caller order.Caller, key string, action order.Action) (order.Placement, error) {
	w := s.wishFor(ctx, caller, key, action)
	if !w.answered {
		leave, err := s.enterAction()
		s.actTogether(ctx, []*wish{w}, leave, err)
	}
	return w.placement, w.err
}

// admitAction holds a caller to its role.
func (s *Service) admitAction(caller order.Caller, action *order.Action) error {
	kind := action.Kind
	if kind == order.Amend {
		return s.admitChange(caller, action)
	}
	if caller.Role != order.RoleCustomer {
		return nil
	}
	if kind != order.Confirm {
		return order.Errorf(order.Forbidden, "role_forbidden", "This key may not %s orders.", kind)
	}
	if !s.tenant.Settings.CustomerMayConfirm {
		return order.Errorf(order.Forbidden, "confirm_forbidden", "This key may not confirm orders.")
	}
	return nil
}

// enterAction takes one of the places for actions that are under way at once. Whoever got one calls leave.
func (s *Service) enterAction() (leave func(), err error) {
	if s.erp.BreakerState() == breakerOpen {
		s.metrics.shed.WithLabelValues("breaker_open").Inc()
		return nil, erpResting(nil)
	}
	if !s.acting.TryAcquire(1) {
		s.metrics.shed.WithLabelValues("queue_full").Inc()
		return nil, queueFull(time.Second)
	}
	return func() { s.acting.Release(1) }, nil
}

func orderBusy() *order.Error {
	return order.Errorf(order.Conflict, "order_busy",
		"Something else is being done with this order. Try again in a second; its outcome decides what is possible then.").RetryIn(time.Second)
}

// performer is how one kind of action is carried out.
type performer struct {
	// plan decides what the action comes to by what the ERP holds now, before anything is sent: every attempt does the same. An
	// *order.Error refuses the action. nil where the order's id says all.
	plan func(context.Context, *attempt, order.Order) (order.ActionPlan, error)
	// act asks the ERP for it. Neither its success nor its failure proves anything.
	act func(context.Context, *attempt, order.Order) error
	// together, set instead of act where no more than their ids differs, asks for it with several orders in one transaction.
	together func(ctx context.Context, ids ...int64) error
	// done reports whether the order, as the ERP now says it stands, shows that it was done; an *order.Error if something
	// happened that leaves no room for it.
	done func(context.Context, *attempt, order.Order) (bool, error)
	// once says that asking again, while an earlier call may still run, could do it twice. Of the others Odoo's own state
	// forbids that.
	once bool
	// again reports, where once is set, whether the order shows that what must not be asked for again was done, and the rest may be.
	again func(*attempt, order.Order) bool
	// byInvoices says that the order's invoices show whether it was done: all of them must be seen.
	byInvoices bool
	// partly reports whether the order shows that a part of what was planned was done; nil where there are no parts.
	partly func(*attempt, order.Order) bool
}

// mayRepeat reports whether an action of which something was sent may be asked for again, by an order as it stands now.
func (p performer) mayRepeat(a *attempt, o order.Order) bool {
	once := p.once || namesLots(a.in.Plan.Action)
	return !once || a.alone || p.again != nil && p.again(a, o) || failpoint.Out(failpoint.PayOnce)
}

func (s *Service) performer(kind order.ActionKind) performer {
	tags := func(set func(hold, approved int64) (add, remove []int64)) func(context.Context, ...int64) error {
		return func(ctx context.Context, ids ...int64) (err error) {
			for range 2 { // a tag that is remembered may have been deleted
				var hold, approved int64
				if hold, approved, err = s.erp.HoldTags(ctx); err != nil {
					return err
				}
				add, remove := set(hold, approved)
				if err = s.erp.SetTags(ctx, ids, add, remove); outcome(err) != odoo.Rejected {
					return err
				}
			}
			return err
		}
	}
	hold := tags(func(hold, approved int64) (add, remove []int64) { return []int64{hold}, []int64{approved} })
	release := tags(func(hold, approved int64) (add, remove []int64) { return []int64{approved}, []int64{hold} })
	byStatus := func(_ context.Context, _ *attempt, o order.Order) (bool, error) { return kind.Done(o.Status), nil }
	return map[order.ActionKind]performer{
		order.Hold: {done: byStatus, together: hold},
		order.Approve: {done: byStatus, together: func(ctx context.Context, ids ...int64) error {
			if err := release(ctx, ids...); err != nil {
				return err
			}
			return odoo.Begun(s.erp.ConfirmOrders(ctx, ids...))
		}},
		order.Confirm: {done: byStatus, together: s.erp.ConfirmOrders},
		order.Cancel:  {done: byStatus, together: s.erp.CancelOrders},
		order.Fulfil:  {done: s.fulfilled, act: s.fulfil, plan: s.planFulfilment, partly: isPartlySent},
		order.Bill:    {done: billed, act: s.bill, plan: s.planBill, once: true, byInvoices: true, again: isDrafted, partly: isDrafted},
		order.Pay:     {done: s.paid, act: s.pay, plan: s.planPayment, once: true, byInvoices: true},
		order.Return:  {done: s.returned, act: s.giveBack, plan: s.planReturn, once: true},
		order.Receive: {done: received, act: s.fulfil, plan: s.planReceipt},
		order.Refund:  {done: s.refunded, act: s.refund, plan: s.planRefund, once: true, byInvoices: true},
		order.Amend:   {done: changeStands, act: s.change, plan: s.planChange, once: true}, // or it could undo what people did since
		order.Assign:  {done: s.assigned, act: s.assign, plan: s.planAssignment},
		order.Reserve: {done: s.reserved, act: s.reserve, plan: s.planReservation},
		order.Release: {done: s.released, act: s.release, plan: s.planReservation},
	}[kind]
}

// consider holds an attempt to the order as it stands. It goes on where there is something to ask for.
func (s *Service) consider(ctx context.Context, token string, a *attempt, p performer) {
	before := a.before
	a.alone = a.in.UnknownAt.IsZero() || s.doubtIsOver(&a.in)
	done, err := p.done(ctx, a, before.Order)
	if !done && a.in.Plan.Action != nil {
		err = cmp.Or(s.requireInvoices(ctx, p, *before), err)
	}
	switch {
	case err != nil:
		a.judge(err)
	case done:
		a.snapshot = before
		if !a.in.UnknownAt.IsZero() { // or others did it, for reasons of their own
			a.entries = s.actionEntries(a, before.Order)
		}
	case !a.in.CancelRequestedAt.IsZero() && a.alone:
		a.calledOff = true
	case !a.in.CancelRequestedAt.IsZero():
		a.fail(odoo.NotSent, errMayStillAppear)
	case a.in.Plan.Action != nil && !p.mayRepeat(a, before.Order):
		a.fail(odoo.NotSent, errMayStillAppear)
	case a.in.Plan.Action == nil:
		s.begin(ctx, token, a, p, before.Order)
	default:
		s.requireGoing(ctx, a, p.partly != nil && p.partly(a, before.Order))
	}
}

// begin decides whether an action of which nothing was sent yet may be, and what it comes to.
func (s *Service) begin(ctx context.Context, token string, a *attempt, p performer, o order.Order) {
	kind := a.in.Action.Kind
	if refused := kind.Permit(o); refused != nil {
		a.judge(refused)
		return
	}
	if err := s.requireInvoices(ctx, p, *a.before); err != nil {
		a.judge(err)
		return
	}
	if s.requireGoing(ctx, a, false); a.going() && p.plan != nil {
		s.planAction(ctx, token, a, p, o)
	}
}

// requireGoing ends the attempt if an open block stands in its way. That is looked at before every attempt: it may be hours after the
// first one, of which a part may have been done.
func (s *Service) requireGoing(ctx context.Context, a *attempt, partly bool) {
	if !a.in.Action.Kind.StoppedByBlocks() {
		return
	}
	err := s.requireUnblocked(ctx, a.in.ERPOrderID)
	var blocked *order.Error
	switch {
	case err == nil:
	case partly && isRefusal(err) && errors.As(err, &blocked):
		a.judge(order.Errorf(order.Conflict, "partly_done",
			"Only a part of it was done before that was stopped: %s Look at the order, and ask for what is left with a new key.", blocked.Message).Because(err))
	default:
		a.judge(err)
	}
}

// planAction decides what an action comes to, and stores that before anything is sent.
func (s *Service) planAction(ctx context.Context, token string, a *attempt, p performer, o order.Order) {
	plan, err := p.plan(ctx, a, o)
	if err != nil {
		a.judge(err)
		return
	}
	a.in.Plan.Action = &plan
	if failpoint.Out(failpoint.PlanKept) {
		return
	}
	saved, err := s.mirror.SavePlans(ctx, s.tenant.ID, token, map[int64]order.Plan{a.in.ID: a.in.Plan})
	if err != nil || len(saved) == 0 {
		a.fail(odoo.NotSent, errors.Join(errHalted, err))
	}
}

// lookAtOutcome decides by the order, as it was just read, what became of a call.
func (s *Service) lookAtOutcome(ctx context.Context, a *attempt, p performer, callErr error) {
	after := a.snapshot
	a.snapshot = nil
	switch {
	case after != nil:
	case callErr != nil && outcome(callErr) == odoo.NotSent:
		a.fail(odoo.NotSent, callErr)
		return
	default:
		a.fail(odoo.Unknown, errors.Join(callErr, a.err))
		return
	}
	done, err := p.done(ctx, a, after.Order)
	if !done {
		err = cmp.Or(s.requireInvoices(ctx, p, *after), err)
	}
	if failpoint.Out(failpoint.OrderProves) {
		done, err = callErr == nil, nil
	}
	switch {
	case err != nil && (!isRefusal(err) || lacking(err) != nil || mayStillRun(callErr)):
		a.fail(odoo.Unknown, errors.Join(callErr, err))
	case err != nil:
		a.judge(err)
	case done:
		a.snapshot, a.entries = after, s.actionEntries(a, after.Order)
	case callErr == nil:
		a.fail(odoo.Rejected, errNothingDone)
	case isRefusal(callErr):
		a.judge(callErr)
	default:
		a.fail(outcome(callErr), callErr)
		a.strike = a.outcome == odoo.Unknown && !a.joint && !errors.Is(callErr, errHalted) // the ERP answers, and not to this
	}
	if a.err != nil { // what was done of it is to be seen at once
		if _, err := s.ingest(ctx, []order.Snapshot{*after}, a.in.Caller); err != nil {
			s.log.WarnContext(ctx, "the order of an action could not be mirrored; the sync will", "erp_order_id", after.ID, "error", err)
		}
	}
}

// mayStillRun reports whether a call that failed may take effect yet: what the order shows is then no last word.
func mayStillRun(callErr error) bool {
	var e *odoo.Error
	return errors.As(callErr, &e) && e.Outcome == odoo.Unknown
}

// judge ends an attempt with a refusal, or because the ERP could not be asked before anything was sent. What that lacks can be
// mended there, and is no refusal.
func (a *attempt) judge(err error) {
	if isRefusal(err) && lacking(err) == nil {
		a.fail(odoo.Rejected, err)
		return
	}
	a.fail(odoo.NotSent, err)
}

// isRefusal reports whether an error is what a caller is told of a wish that cannot be granted.
func isRefusal(err error) bool {
	var e *order.Error
	return errors.As(err, &e) && e.Kind != order.Unavailable && e.Kind != order.Internal
}

// lookAtOrders reads the orders of attempts. Nothing was sent by those for which that fails.
func (s *Service) lookAtOrders(ctx context.Context, attempts []*attempt) {
	s.readTogether(ctx, attempts)
	for _, a := range attempts {
		a.before, a.snapshot = a.snapshot, nil
		switch {
		case errors.Is(a.err, errNotThere):
			a.alone = true
			a.judge(order.Errorf(order.NotFound, "order_not_found", "The ERP has no order %d any more.", a.in.ERPOrderID))
		case a.err != nil:
			a.fail(odoo.NotSent, a.err)
		}
	}
}

// actionEntries are what the history says of an action beside the status that it led to.
func (s *Service) actionEntries(a *attempt, after order.Order) []order.HistoryEntry {
	if a.in.Action.Kind == order.Amend {
		return []order.HistoryEntry{s.changedEntry(a, after)}
	}
	if entries := s.stockEntries(a); entries != nil {
		return entries
	}
	if a.in.Action.Note != "" {
		return []order.HistoryEntry{s.noteEntry(a)}
	}
	if a.in.Action.Reason == "" {
		return nil
	}
	reason := order.Entry(a.in.ERPOrderID, order.HistoryReason)
	reason.WrittenBy, reason.RecordedAt, reason.Detail = a.in.Caller, s.now(), a.in.Action.Reason
	return []order.HistoryEntry{reason}
}

// errNothingDone says that the ERP answered without an error and left the order as it was: with a dialogue, for example.
var errNothingDone = errors.New("the ERP answered and did nothing")

// actionRefusal turns what ended an action into what its caller is told.
func actionRefusal(a *attempt) *order.Error {
	var judged *order.Error
	if errors.As(a.err, &judged) {
		return judged
	}
	kind := a.in.Action.Kind
	var e *odoo.Error
	if errors.As(a.err, &e) {
		return order.Errorf(order.Conflict, "action_refused", "The ERP would not %s the order: %s", kind, e.Message).Because(a.err)
	}
	return order.Errorf(order.Conflict, "action_refused", "The ERP would not %s the order, and did not say why.", kind).Because(a.err)
}

// rightsMissing is the answer where the gateway's user may not do it in the ERP.
func rightsMissing(a *attempt) *order.Error {
	var e *odoo.Error
	errors.As(a.err, &e)
	return erpRightsMissing(string(a.in.Action.Kind)+" orders", e.Message, a.err)
}
