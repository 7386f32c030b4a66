package ordersync

import (
	"context"
	"errors"

	"ordergate/failpoint"
	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// wish is one action that a caller asks for, on its way to its answer.
type wish struct {
	in    order.Intent // the one that its key has; before there is one, what it will be
	known bool         // its key has one
	first *wish        // of the bulk action that it is a part of; nil: it is of none

	answered  bool
	placement order.Placement
	err       error
}

func (w *wish) answer(p order.Placement, err error) {
	w.answered, w.placement, w.err = true, p, err
}

// putOff answers a wish that is not begun now.
func (w *wish) putOff(err error) {
	if w.known && w.in.State == order.Sending { // the resolver asks when there is something to learn
		w.answer(order.Placement{Intent: w.in}, nil)
		return
	}
	w.answer(order.Placement{}, err)
}

// wishFor looks at the key of an action, and at its caller's rights and its order where nothing has the key yet. They may be all that
// its answer takes.
func (s *Service) wishFor(ctx context.Context, caller order.Caller, key string, action order.Action) *wish {
	w := &wish{in: order.Intent{
		TenantID: s.tenant.ID, Source: caller.Source, Key: key, Fingerprint: action.Fingerprint(), State: order.Sending,
		Action: &action, ERPOrderID: action.OrderID, Caller: caller.Name, Attempts: 1,
	}}
	if err := s.lookAtWish(ctx, caller, w); err != nil {
		w.answer(order.Placement{}, err)
	}
	return w
}

func (s *Service) lookAtWish(ctx context.Context, caller order.Caller, w *wish) error {
	if err := order.ValidateKey(w.in.Key); err != nil {
		return err
	}
	stored, err := s.mirror.Intent(ctx, s.tenant.ID, caller.Source, w.in.Key)
	if err == nil {
		s.recognize(w, stored)
		return nil
	}
	if !order.IsKind(err, order.NotFound) {
		return databaseUnavailable(err)
	}
	if err := s.admitAction(caller, w.in.Action); err != nil {
		return err
	}
	if err := w.in.Action.Validate(); err != nil {
		return err
	}
	_, err = s.visibleOrder(ctx, caller, w.in.ERPOrderID)
	return err
}

// recognize takes the intent that the key of a wish has. It is the answer, or is to be tried again.
func (s *Service) recognize(w *wish, stored order.Intent) {
	if stored.Action == nil || stored.Fingerprint != w.in.Fingerprint {
		w.answer(order.Placement{}, keyReused())
		return
	}
	w.in, w.known = stored, true
	if p, err, known := s.standing(stored); known {
		w.answer(p, err)
	}
}

// actTogether carries out wishes of one kind together, and answers each. They have one place, which is given back by leave; err says why
// there is none.
func (s *Service) actTogether(ctx context.Context, wishes []*wish, leave func(), err error) {
	if err != nil {
		for _, w := range wishes {
			w.putOff(err)
		}
		return
	}
	token := s.leases.begin().Token
	var taken []*wish
	for _, w := range wishes {
		if s.take(ctx, w, token); !w.answered {
			taken = append(taken, w)
		}
	}
	if len(taken) == 0 {
		s.leases.end(token)
		leave()
		return
	}
	for i, t := range s.setOut(taken, token, leave) {
		taken[i].answer(s.await(ctx, t))
	}
}

// take brings the intent of a wish under a lease: it writes it, or claims the one that there is. A wish for which it cannot is answered.
func (s *Service) take(ctx context.Context, w *wish, token string) {
	if w.first != nil && w.first.isAnothers() {
		w.answer(order.Placement{}, w.first.err)
		return
	}
	if w.known {
		s.takeAgain(ctx, w, token)
		return
	}
	in, lease := w.in, s.leases.from(token) // a lease of now: those before may have taken long
	in.CreatedAt, in.UpdatedAt, in.LeaseToken, in.LeaseUntil = lease.Now, lease.Now, token, lease.Until
	mine, err := s.accept(ctx, &in)
	switch {
	case err != nil:
		w.answer(order.Placement{}, err)
	case mine:
		w.in = in
		failpoint.Hit(failpoint.IntentWritten)
	default:
		if s.recognize(w, in); !w.answered {
			s.takeAgain(ctx, w, token)
		}
	}
}

// isAnothers reports whether the key of a wish belongs to another one, or to a request that is under way.
func (w *wish) isAnothers() bool {
	var e *order.Error
	return errors.As(w.err, &e) && (e.Code == keyReused().Code || e.Code == keyInFlight().Code)
}

func (s *Service) takeAgain(ctx context.Context, w *wish, token string) {
	lease := s.leases.from(token)
	if w.in.State == order.Refused {
		lease.Anew = []int64{w.in.ID}
	}
	var claimed []order.Intent
	err := s.insist(ctx, func() (err error) {
		claimed, err = s.mirror.ClaimIntents(ctx, s.tenant.ID, []int64{w.in.ID}, lease)
		return err
	})
	switch {
	case len(claimed) == 1:
		w.in = claimed[0]
	case errors.Is(err, store.ErrBusy):
		w.answer(order.Placement{}, orderBusy())
	case err != nil: // it may be held for all that, and is carried out then
		w.answer(order.Placement{}, outcomeUnknown(err))
	default:
		w.answer(s.answerFromStore(ctx, w.in))
	}
}

// setOut begins an attempt at each action whose intent is held under token, and returns the tickets to wait with. The attempts
// outlive the request.
func (s *Service) setOut(taken []*wish, token string, leave func()) []*ticket {
	tickets, attempts := make([]*ticket, len(taken)), make([]*attempt, len(taken))
	for i, w := range taken {
		tickets[i] = newTicket(w.in)
		close(tickets[i].claimed)
		attempts[i] = s.newAttempt(w.in, tickets[i])
	}
	s.work.Go(func() {
		defer leave()
		s.carry(token, attempts)
	})
	return tickets
}

// perform makes one attempt at actions of one kind, of which more than one go together: it looks at the orders, asks for what is to be
// done, and looks again. What becomes of one order is judged by that order alone.
func (s *Service) perform(ctx context.Context, token string, attempts []*attempt) {
	p := s.performer(attempts[0].in.Action.Kind)
	s.lookAtOrders(ctx, attempts)
	var going []*attempt
	for _, a := range attempts {
		if a.going() {
			s.consider(ctx, token, a, p)
		}
		if a.going() {
			going = append(going, a)
		}
	}
	if len(going) == 0 || s.overtaken(token, going...) {
		return
	}
	callErrs := s.ask(ctx, token, p, going)
	failpoint.Hit(failpoint.OrdersSent)
	s.readTogether(ctx, going)
	for i, a := range going {
		a.answered = callErrs[i] == nil
		s.lookAtOutcome(ctx, a, p, callErrs[i])
	}
}

// ask asks the ERP for the actions of attempts: in one call, which is one transaction. What the ERP refuses of one order it refuses of all of
// them; then it is asked for each alone.
func (s *Service) ask(ctx context.Context, token string, p performer, attempts []*attempt) []error {
	callErrs := make([]error, len(attempts))
	if p.together == nil { // then there is one
		callErrs[0] = p.act(ctx, attempts[0], attempts[0].before.Order)
		return callErrs
	}
	several := len(attempts) > 1
	err := p.together(ctx, orderIDs(attempts)...)
	if several && outcome(err) == odoo.Rejected {
		for i, a := range attempts {
			callErrs[i] = errHalted
			if s.leases.holds(token) {
				callErrs[i] = odoo.Begun(p.together(ctx, a.in.ERPOrderID))
			}
		}
		return callErrs
	}
	for i, a := range attempts {
		callErrs[i], a.joint = err, several
	}
	return callErrs
}

// readTogether reads the orders of attempts in one call. What cannot be understood of one must not keep the others away: then each is
// read by itself.
func (s *Service) readTogether(ctx context.Context, attempts []*attempt) {
	s.readOrders(ctx, attempts, s.erp.Orders)
	if len(attempts) == 1 || reason(attempts[0].err) != odoo.BadAnswer {
		return
	}
	for i, a := range attempts {
		a.err = nil
		s.readOrders(ctx, attempts[i:i+1], s.erp.Orders)
	}
}

func orderIDs(attempts []*attempt) []int64 {
	ids := make([]int64, len(attempts))
	for i, a := range attempts {
		ids[i] = a.in.ERPOrderID
	}
	return ids
}
