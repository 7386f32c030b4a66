package ordersync

import (
	"context"
	"errors"
	"time"

	"ordergate/failpoint"
	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

const (
	// settleBudget bounds how long it may take to write down how a batch ended.
	settleBudget = 20 * time.Second
	// lookBudget bounds the question that follows a failed call.
	lookBudget = 5 * time.Second
)

// settle writes down how the attempts of a batch ended, and tells those who wait. An outcome is only told once it is
// stored: a refusal that the database does not hold could be overtaken by the resolver.
func (s *Service) settle(ctx context.Context, token string, attempts []*attempt) {
	for _, a := range attempts {
		if a.ticket != nil && a.ticket.seal() {
			a.in.Acknowledged = true
		}
	}
	var placed, ended []*attempt
	for _, a := range attempts {
		if a.snapshot != nil && a.err == nil && !a.calledOff {
			placed = append(placed, a)
		}
	}
	s.recordPlaced(ctx, token, placed)
	for _, a := range attempts {
		if a.err != nil || a.calledOff {
			ended = append(ended, a)
		}
	}
	if len(ended) > 0 {
		s.recordEnds(ctx, token, ended)
	}
}

// recordPlaced mirrors the orders and closes their intents: all together, or, if that fails for what one of them holds,
// each for itself.
func (s *Service) recordPlaced(ctx context.Context, token string, placed []*attempt) {
	if len(placed) == 0 {
		return
	}
	stored, err := s.storePlaced(ctx, token, placed)
	failpoint.Hit(failpoint.AttemptStored)
	away := err != nil && general(err)
	if err != nil && !away && len(placed) > 1 {
		for i := range placed {
			s.recordPlaced(ctx, token, placed[i:i+1])
		}
		return
	}
	for _, a := range placed {
		o, done := stored[a.in.ID]
		switch {
		case err != nil:
			s.log.ErrorContext(ctx, "order is in the ERP, but could not be mirrored; the resolver will", "key", a.in.Key,
				"erp_order_id", a.in.ERPOrderID, "error", err)
			a.fail(odoo.Unknown, err)
			a.strike = !away
		case !done:
			a.answer(s.answerFromStore(ctx, a.in))
		default:
			a.in.State, a.in.Result = order.Placed, &o
			if a.in.Action != nil {
				a.in.State = order.Performed
			}
			s.noteEnd(a, string(a.in.State))
			a.answer(order.Placement{Intent: a.in, Order: &o}, nil)
		}
	}
}

func (s *Service) storePlaced(ctx context.Context, token string, placed []*attempt) (map[int64]order.Order, error) {
	snapshots := make([]order.Snapshot, len(placed))
	for i, a := range placed {
		snapshots[i] = *a.snapshot
	}
	if err := s.complete(ctx, snapshots); err != nil {
		return nil, err
	}
	rows := make([]store.Placed, len(placed))
	for i, a := range placed {
		rows[i] = store.Placed{
			IntentID: a.in.ID, Action: a.in.Action != nil, Source: a.in.Source, Caller: a.in.Caller, Snapshot: snapshots[i], Entries: a.entries,
			Shortages: a.shortages(),
		}
		switch {
		case !rows[i].Action:
			rows[i].Original = order.NewOriginal(a.in.Request, a.in.Plan, snapshots[i].Order)
		case a.in.Action.Kind == order.Amend:
			rows[i].Original = order.OriginalOf(snapshots[i].Order)
		}
	}
	return s.mirror.PlaceIntents(ctx, s.tenant.ID, token, rows)
}

// recordEnds writes down the attempts that placed nothing.
func (s *Service) recordEnds(ctx context.Context, token string, ended []*attempt) {
	failpoint.Hit(failpoint.BeforeRelease)
	ends := make([]store.End, len(ended))
	for i, a := range ended {
		ends[i] = s.end(a)
		level := s.log.WarnContext
		if a.calledOff || isRefusal(a.err) { // what somebody asked for, or should not have
			level = s.log.InfoContext
		}
		level(ctx, "an attempt came to nothing", "key", a.in.Key, "source", a.in.Source, "attempt", a.in.Attempts,
			"state", string(ends[i].State), "outcome", a.outcome.String(), "error", a.err)
	}
	written, err := s.mirror.EndAttempts(ctx, s.tenant.ID, token, ends)
	if err != nil {
		s.log.ErrorContext(ctx, "the end of attempts could not be stored; their leases will run out", "orders", len(ends), "error", err)
	}
	failpoint.Hit(failpoint.AttemptStored)
	still := make(map[int64]bool, len(written))
	for _, id := range written {
		still[id] = true
	}
	for i, a := range ended {
		end := ends[i]
		switch {
		case err != nil:
			a.answer(s.answerUnstored(ctx, a.in, end, err))
		case !still[a.in.ID]:
			a.answer(s.answerFromStore(ctx, a.in))
		default:
			s.noteEnd(a, string(end.State))
			a.in.State, a.in.Failure, a.in.NextAttemptAt = end.State, end.Failure, end.NextAttemptAt
			a.answer(answerOf(a.in))
		}
	}
}

// end decides what becomes of an intent whose attempt placed nothing.
func (s *Service) end(a *attempt) store.End {
	end := store.End{
		IntentID: a.in.ID, Acknowledged: a.in.Acknowledged, ERPOrderID: a.in.ERPOrderID,
	}
	promised := a.in.Acknowledged && !failpoint.Out(failpoint.Acknowledged)
	noRights := reason(a.err) == odoo.AccessRights && !isRefusal(a.err) // a part that was done is not to be asked for again
	own := a.strike || noRights || a.outcome == odoo.NotSent && !general(a.err)
	switch {
	case a.calledOff:
		end.State, end.Failure = order.CalledOff, calledOff()
		return end
	case a.outcome == odoo.Rejected && a.alone && !noRights:
		end.State, end.Failure = order.Rejected, refusal(a)
		return end
	case a.outcome != odoo.Unknown && a.in.UnknownAt.IsZero() && !promised:
		end.State, end.Failure = order.Refused, unaccepted(a)
		return end
	case a.outcome == odoo.NotSent && a.in.UnknownAt.IsZero() && !own && a.in.Action == nil:
		end.State, end.Failure = order.Queued, a.in.Failure
		return end
	}
	// In doubt, or accepted with a 202: then nothing but a rejection ends it without an order.
	end.State, end.Acknowledged = order.Sending, true
	end.Failure = inDoubt(a.err)
	wait := s.backoff(a.in.Attempts)
	switch {
	case a.outcome == odoo.Unknown:
		end.UnknownAt = s.erp.Now()
	case !a.in.UnknownAt.IsZero() && (a.outcome == odoo.Rejected || errors.Is(a.err, errMayStillAppear)): // all it takes now is time
		wait = min(wait, max(s.doubtLasts(&a.in), time.Second))
	}
	end.NextAttemptAt = s.now().Add(wait)
	end.Strike = own
	if a.early { // an eager caller neither puts off the attempts that are due, nor uses them up
		if a.in.NextAttemptAt.Before(end.NextAttemptAt) {
			end.NextAttemptAt = a.in.NextAttemptAt
		}
		end.Strike = false
	}
	if end.Strike && a.in.Strikes+1 >= s.cfg.MaxStrikes && (a.in.CancelRequestedAt.IsZero() || lacking(a.err) != nil) {
		end.State, end.Failure, end.NextAttemptAt = order.Parked, parked(a.err), time.Time{}
	}
	return end
}

// unaccepted is what the caller of an attempt is told that sent nothing: the same key may be used again.
func unaccepted(a *attempt) *order.Error {
	if lacks := lacking(a.err); lacks != nil {
		return lacks
	}
	if a.in.Action != nil && reason(a.err) == odoo.AccessRights {
		return rightsMissing(a)
	}
	return unavailable(a.err)
}

// refusal is what the caller of a rejected attempt is told.
func refusal(a *attempt) *order.Error {
	if a.in.Action != nil {
		return actionRefusal(a)
	}
	return rejection(a.err)
}

// answer tells whoever waits for the attempt.
func (a *attempt) answer(p order.Placement, err error) {
	if a.ticket != nil {
		a.ticket.answer(p, err)
	}
}

// noteEnd counts and logs what became of an intent that took more than one attempt, or that nobody waits for any more.
func (s *Service) noteEnd(a *attempt, result string) {
	if result == string(order.Sending) {
		result = "in_doubt"
	}
	if a.in.Attempts < 2 && a.ticket != nil {
		return
	}
	s.metrics.resolved.WithLabelValues(result).Inc()
	s.log.Info("resolved an intent", "key", a.in.Key, "source", a.in.Source, "attempt", a.in.Attempts, "result", result,
		"age", s.now().Sub(a.in.CreatedAt).Round(time.Second).String())
}

// answerOf is what an intent's state says to its caller.
func answerOf(in order.Intent) (order.Placement, error) {
	switch in.State {
	case order.Placed, order.Performed:
		return order.Placement{Intent: in, Order: in.Result}, nil
	case order.Rejected, order.Refused, order.CalledOff:
		return order.Placement{Intent: in}, in.Failure
	default:
		return order.Placement{Intent: in}, nil
	}
}

// answerFromStore answers for an intent that this process no longer holds: by what whoever took it over has stored, or that
// it is on its way.
func (s *Service) answerFromStore(ctx context.Context, in order.Intent) (order.Placement, error) {
	stored, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
	switch {
	case err != nil:
		return order.Placement{}, outcomeUnknown(err)
	case !stored.State.Final() && (s.carried(stored) || !stored.Acknowledged):
		return order.Placement{}, keyInFlight()
	}
	return answerOf(stored)
}

// answerUnstored answers after the end of an attempt could not be written down. If it was stored after all, that counts.
// Otherwise the intent is open, its lease runs out, and the resolver brings it to an end: it is accepted.
func (s *Service) answerUnstored(ctx context.Context, in order.Intent, end store.End, cause error) (order.Placement, error) {
	stored, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
	if err == nil && stored.State.Final() {
		return answerOf(stored)
	}
	if end.State == order.Refused && errors.Is(cause, store.ErrUnknown) {
		// It may yet be stored, and then nobody carries the intent: neither 202 nor 503 would be true.
		return order.Placement{}, outcomeUnknown(cause)
	}
	return order.Placement{Intent: in}, nil
}

// inDoubt is what an intent shows while its outcome is not known.
func inDoubt(cause error) *order.Error {
	return order.Errorf(order.Unavailable, "in_doubt",
		"The ERP has not given a clear answer yet. The gateway asks again until it does; what was asked for happens once, or is rejected with the reason shown here.").Because(cause)
}

// parked is what an intent shows that is left to an operator.
func parked(cause error) *order.Error {
	said := ""
	var e *odoo.Error
	if lacks := lacking(cause); lacks != nil {
		said = " " + lacks.Message
	} else if errors.As(cause, &e) {
		said = " It last said: " + e.Message + "."
	}
	return order.Errorf(order.Unavailable, "parked",
		"The ERP works, and has no clear answer to this request. An operator must look at it, and then retry or cancel it.%s", said).Because(cause)
}

// calledOff is what the key of a cancelled intent is answered with.
func calledOff() *order.Error {
	return order.Errorf(order.Unprocessable, "intent_cancelled",
		"This request was called off before it was carried out, and will not be. Use a new key for a new one.")
}

// backoff is the wait before the attempt that follows attempt number n.
func (s *Service) backoff(n int) time.Duration {
	d := time.Second << min(max(n-1, 0), 6)
	return s.cfg.Jitter(min(d, store.MaxBackoff))
}
