package ordersync

import (
	"context"
	"time"

	"ordergate/order"
)

// Intent returns the intent of a key of the caller's own source, which no two customers share, or, for operators, of any source.
// NotFound where there is none or it is not the caller's to see.
func (s *Service) Intent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error) {
	if source == "" {
		source = caller.Source
	}
	unknown := order.Errorf(order.NotFound, "intent_not_found", "There is no order request with this key.")
	if source != caller.Source && caller.Role != order.RoleOperator {
		return order.Intent{}, unknown
	}
	in, err := s.mirror.Intent(ctx, s.tenant.ID, source, key)
	if err != nil {
		return order.Intent{}, databaseUnavailable(err)
	}
	return in, nil
}

// Intents returns a page of the intents that the caller may see, the newest first: those of its source, or for operators all.
func (s *Service) Intents(ctx context.Context, caller order.Caller, f order.IntentFilter) ([]order.Intent, error) {
	if caller.Role != order.RoleOperator {
		if f.Source != "" && f.Source != caller.Source {
			return nil, nil
		}
		f.Source = caller.Source
	}
	found, err := s.mirror.ListIntents(ctx, s.tenant.ID, f)
	if err != nil {
		return nil, databaseUnavailable(err)
	}
	return found, nil
}

// RetryIntent lets an intent that is parked or in doubt be tried again at once, with all its attempts before it.
func (s *Service) RetryIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error) {
	in, err := s.Intent(ctx, caller, source, key)
	if err != nil {
		return order.Intent{}, err
	}
	if s.carried(in) {
		return order.Intent{}, intentInFlight()
	}
	retried, err := s.mirror.RetryIntent(ctx, s.tenant.ID, in.ID, s.now())
	if err != nil {
		return order.Intent{}, databaseUnavailable(err)
	}
	if !retried {
		return order.Intent{}, order.Errorf(order.Conflict, "intent_not_parked",
			"The request is %s: there is nothing to try again. One that was refused is tried again by sending it with the same key.", in.State)
	}
	s.log.InfoContext(ctx, "an intent is to be tried again", "key", key, "source", in.Source, "by", caller.Name)
	return s.Intent(ctx, caller, source, key)
}

// CancelIntent calls an intent off. One that waits ends at once. One in doubt is never sent again: it ends when it is known
// that the ERP has no such order, or when the order is cancelled there, or, of an action, when it is known whether it was done, which then
// stays so; until then it stays in Sending, with CancelRequestedAt. Conflict if it is being placed at this moment, is placed, or was rejected.
func (s *Service) CancelIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error) {
	in, err := s.Intent(ctx, caller, source, key)
	if err != nil {
		return order.Intent{}, err
	}
	var done bool
	switch in.State {
	case order.CalledOff:
		return in, nil
	case order.Performed:
		return order.Intent{}, order.Errorf(order.Conflict, "intent_performed", "What was asked for is done: there is nothing to call off.")
	case order.Placed, order.Adopted:
		return order.Intent{}, order.Errorf(order.Conflict, "intent_placed",
			"The order was placed: it is order %d. Cancel that.", in.ERPOrderID)
	case order.Rejected:
		return order.Intent{}, order.Errorf(order.Conflict, "intent_rejected", "The ERP rejected the request: there is nothing to cancel.")
	case order.Queued, order.Refused:
		done, err = s.mirror.CancelWaiting(ctx, s.tenant.ID, in.ID, calledOff())
	default:
		if s.carried(in) {
			return order.Intent{}, intentInFlight()
		}
		done, err = s.mirror.RequestCancel(ctx, s.tenant.ID, in.ID, s.now(), s.erpNow())
	}
	switch {
	case err != nil:
		return order.Intent{}, databaseUnavailable(err)
	case !done:
		return order.Intent{}, intentInFlight()
	}
	s.log.InfoContext(ctx, "an intent was called off", "key", key, "source", in.Source, "by", caller.Name)
	return s.Intent(ctx, caller, source, key)
}

func intentInFlight() *order.Error {
	return order.Errorf(order.Conflict, "intent_in_flight",
		"The request is being carried out at this moment. Try again in a second.").RetryIn(time.Second)
}

// purgeBatch is how many intents one statement deletes, so that none is locked for long.
const purgeBatch = 500

// Purge deletes the intents that ended longer ago than Config.KeepKeys. Their keys are free then.
func (s *Service) Purge(ctx context.Context) error {
	before := s.now().Add(-s.cfg.KeepKeys)
	for {
		purged, err := s.mirror.PurgeIntents(ctx, s.tenant.ID, before, purgeBatch)
		s.metrics.purged.Add(float64(purged))
		if err != nil || purged < purgeBatch {
			return err
		}
	}
}
