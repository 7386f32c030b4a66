package ordersync

import (
	"context"
	"errors"
	"time"

	"ordergate/failpoint"
	"ordergate/order"
	"ordergate/store"
)

const (
	// acceptBudget bounds how long the database may take to say whether an intent was written.
	acceptBudget = 10 * time.Second
	// answerMargin is what is left of a caller's deadline for sending the answer.
	answerMargin = 200 * time.Millisecond
)

// Place carries one order into the ERP and the mirror, once for every (tenant, source, key). See the package comment
// for what its outcomes mean. With an error that was stored before, Placement.Replayed is set beside it.
//
// It waits for as long as Config.PlaceBudget, or until ctx ends, if that is earlier. An order that was not sent to the
// ERP by then is not accepted; one that was sent is.
func (s *Service) Place(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error) {
	in, known, err := s.wish(ctx, caller, key, req)
	if err != nil {
		return order.Placement{}, err
	}
	if known {
		return s.replay(ctx, in)
	}
	if err := s.admitToERP(); err != nil {
		return order.Placement{}, err
	}
	if in.Plan, err = s.resolve(ctx, &in.Request); err != nil {
		return order.Placement{}, err
	}
	return s.placeNow(ctx, in)
}

// Enqueue accepts an order to be placed when its turn comes, also while the ERP is away: the placement is the intent, on
// its way. What can be judged without the ERP is judged at once. In everything else it is like Place.
func (s *Service) Enqueue(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error) {
	in, known, err := s.wish(ctx, caller, key, req)
	if err != nil {
		return order.Placement{}, err
	}
	if known && in.State == order.Refused {
		return s.queueRefused(ctx, in)
	}
	if known {
		return s.replay(ctx, in)
	}
	in.Plan, err = s.resolve(ctx, &in.Request)
	switch {
	case err == nil:
	case reason(err) != "": // the ERP cannot be asked now: it is when the order's turn comes
		in.Plan = order.Plan{}
	default:
		return order.Placement{}, err
	}
	if err := s.admitToBacklog(); err != nil {
		return order.Placement{}, err
	}
	in.State, in.Acknowledged = order.Queued, true
	sent, fingerprint := in.Request, in.Fingerprint
	mine, err := s.accept(ctx, &in)
	if err != nil {
		return order.Placement{}, err
	}
	if !mine {
		return s.replayOf(ctx, in, sent, fingerprint)
	}
	failpoint.Hit(failpoint.IntentWritten)
	s.lanes.poke(true)
	return order.Placement{Intent: in}, nil
}

// queueRefused queues an order that was not accepted when its caller would have waited for it.
func (s *Service) queueRefused(ctx context.Context, in order.Intent) (order.Placement, error) {
	if err := s.admitToBacklog(); err != nil {
		return order.Placement{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptBudget)
	defer cancel()
	err := s.insist(ctx, func() error {
		_, err := s.mirror.QueueRefused(ctx, in.TenantID, in.ID)
		return err
	})
	if err != nil {
		return order.Placement{}, outcomeUnknown(err)
	}
	s.lanes.poke(true)
	// Somebody else may have been first, and have waited for it.
	stored, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
	if err != nil {
		return order.Placement{}, outcomeUnknown(err)
	}
	if s.carried(stored) && !stored.Acknowledged {
		return order.Placement{}, keyInFlight()
	}
	return answerOf(stored)
}

func (s *Service) admitToBacklog() error {
	err := s.backlog.admit()
	if err != nil {
		s.metrics.shed.WithLabelValues("backlog_full").Inc()
	}
	return err
}

// wish turns a request into an intent that is not stored yet, or returns the one that its key has already.
func (s *Service) wish(ctx context.Context, caller order.Caller, key string, req order.Request) (in order.Intent, known bool, err error) {
	if err := order.ValidateKey(key); err != nil {
		return order.Intent{}, false, err
	}
	if failpoint.Out(failpoint.Replay) {
		key += s.cfg.NewToken()
	}
	ownOrder(caller, &req)
	fingerprint := req.Fingerprint()

	// A replay is answered before anything is judged: the answer stands even if the product is gone by now, or the caller
	// may no longer set prices.
	stored, err := s.mirror.Intent(ctx, s.tenant.ID, caller.Source, key)
	if err == nil {
		return stored, true, sameOrder(stored, req, fingerprint)
	}
	if !order.IsKind(err, order.NotFound) {
		return order.Intent{}, false, databaseUnavailable(err)
	}

	if err := s.judgeRequest(caller, &req); err != nil {
		return order.Intent{}, false, err
	}
	now := s.now()
	return order.Intent{
		TenantID: s.tenant.ID, Source: caller.Source, Key: key, Fingerprint: fingerprint,
		Request: req, Caller: caller.Name, Customer: req.Customer.QueueName(), CreatedAt: now, UpdatedAt: now,
	}, false, nil
}

// ownOrder spells a request in the one way that is judged and compared; a customer's order is its own.
func ownOrder(caller order.Caller, req *order.Request) {
	if caller.Role == order.RoleCustomer && req.Customer == (order.CustomerRef{}) {
		req.Customer = order.CustomerRef{ERPPartnerID: caller.ERPPartnerID}
	}
	req.Normalize()
}

// judgeRequest says what is wrong with a request, as far as it takes neither the mirror nor the ERP.
func (s *Service) judgeRequest(caller order.Caller, req *order.Request) error {
	if err := s.admit(caller, req); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	return nil
}

// admit holds a caller to its role.
func (s *Service) admit(caller order.Caller, req *order.Request) error {
	if caller.Role != order.RoleCustomer {
		return nil
	}
	if req.Customer != (order.CustomerRef{ERPPartnerID: caller.ERPPartnerID}) {
		e := order.Errorf(order.Forbidden, "customer_forbidden",
			"This key is bound to one customer and cannot order for another. Leave customer out.")
		e.Violations = []order.Violation{{Field: "customer", Message: "leave it out"}}
		return e
	}
	if req.SetsPrices() && !s.tenant.Settings.CustomerMaySetPrices {
		return pricesForbidden()
	}
	if req.Confirm && !s.tenant.Settings.CustomerMayConfirm {
		e := order.Errorf(order.Forbidden, "confirm_forbidden", "This key may not confirm orders. Leave confirm out.")
		e.Violations = []order.Violation{{Field: "confirm", Message: "leave it out"}}
		return e
	}
	return nil
}

func pricesForbidden() *order.Error {
	e := order.Errorf(order.Forbidden, "prices_forbidden",
		"This key may not set prices or discounts. Leave unit_price and discount out: the price list decides.")
	e.Violations = []order.Violation{{Field: "lines", Message: "leave unit_price and discount out"}}
	return e
}

// accept writes the intent down: from here on it is never lost. It returns false, and the intent that stands, if the
// key was taken by another request.
//
// A write whose connection fails may have been committed. It is then repeated until the database says which: the
// unique key tells, and the lease token tells whose it is. If the database stays away there is nothing to promise,
// neither that the order will come nor that it will not, and the answer is Internal, never 503.
func (s *Service) accept(ctx context.Context, in *order.Intent) (mine bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptBudget)
	defer cancel()

	inDoubt := false
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		err := s.mirror.InsertIntent(ctx, in)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, store.ErrBusy) && !s.keyTaken(ctx, in):
			return false, orderBusy()
		case errors.Is(err, store.ErrExists):
			stored, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
			if err != nil {
				return false, outcomeUnknown(err) // whose the key is, and what became of it
			}
			mine := stored.LeaseToken == in.LeaseToken && in.LeaseToken != ""
			*in = stored
			return mine, nil
		case errors.Is(err, store.ErrUnknown):
			inDoubt = true
		case !inDoubt:
			return false, databaseUnavailable(err)
		}
		if wait > 2*time.Second || sleep(ctx, wait) != nil {
			return false, outcomeUnknown(err)
		}
	}
}

// keyTaken reports whether it may be the intent's own key that keeps its order busy: a database that finds two unique keys taken
// names one.
func (s *Service) keyTaken(ctx context.Context, in *order.Intent) bool {
	_, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
	return !order.IsKind(err, order.NotFound)
}

// outcomeUnknown is the answer when the gateway cannot know whether it accepted an order. It promises nothing.
func outcomeUnknown(cause error) *order.Error {
	return order.Errorf(order.Internal, "outcome_unknown",
		"The gateway lost its database over this order and cannot tell what became of it. Send it again with the same key.").Because(cause)
}

// placeNow stores a new intent and waits for its outcome. If a lane is free it goes at once; otherwise it waits for the next
// call, with whatever else has come by then.
func (s *Service) placeNow(ctx context.Context, in order.Intent) (order.Placement, error) {
	patience := s.patience(ctx)
	atOnce := s.lanes.enter()
	in.State = order.Sending
	giveUp := s.lanes.leave
	if !atOnce {
		if err := s.lanes.reserve(patience); err != nil {
			return order.Placement{}, err
		}
		in.State = order.Queued
		giveUp = s.lanes.unreserve
	}
	lease := s.leases.begin()
	in.LeaseToken, in.LeaseUntil = lease.Token, lease.Until
	if atOnce {
		in.Attempts = 1
	}
	sent, fingerprint := in.Request, in.Fingerprint
	mine, err := s.accept(ctx, &in)
	if err != nil || !mine {
		s.leases.end(lease.Token)
		giveUp()
	}
	if err != nil {
		return order.Placement{}, err
	}
	if !mine {
		return s.replayOf(ctx, in, sent, fingerprint)
	}
	failpoint.Hit(failpoint.IntentWritten)

	t := newTicket(in)
	if atOnce {
		s.lanes.run(t, lease.Token)
	} else {
		s.lanes.push(t)
	}
	return s.await(ctx, t)
}

// patience is how long a caller waits for an answer from now on.
func (s *Service) patience(ctx context.Context) time.Duration {
	patience := s.cfg.PlaceBudget
	if deadline, limited := ctx.Deadline(); limited {
		patience = min(patience, time.Until(deadline)-answerMargin)
	}
	return patience
}

// await waits for a ticket's outcome. Of an order that was not sent when its caller's patience is over, or the caller
// has gone, nothing is left; one that is on its way will be placed.
func (s *Service) await(ctx context.Context, t *ticket) (order.Placement, error) {
	timer := time.NewTimer(s.patience(ctx))
	defer timer.Stop()
	select {
	case <-t.done:
		return t.placement, t.err
	case <-timer.C:
	case <-ctx.Done():
	}
	if s.lanes.withdraw(t) {
		s.metrics.shed.WithLabelValues("not_in_time").Inc()
		return s.withdrawn(ctx, t.intent)
	}
	// Until a lane holds the intent its order may still be refused, and that it is on its way would be too much to say.
	select {
	case <-t.done:
		return t.placement, t.err
	case <-t.claimed:
	}
	if t.acknowledge() {
		in := t.intent
		in.State, in.Acknowledged = order.Sending, true
		return order.Placement{Intent: in}, nil
	}
	<-t.done // what is being written down is told soon
	return t.placement, t.err
}

// withdrawn answers for an intent that waited in vain, and was not sent by this process.
func (s *Service) withdrawn(ctx context.Context, in order.Intent) (order.Placement, error) {
	defer s.leases.end(in.LeaseToken)
	switch {
	case in.State == order.Refused:
		return order.Placement{Intent: in}, waitTooLong(0)
	case in.State != order.Queued:
		return order.Placement{Intent: in}, nil // in doubt as before: the resolver goes on
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptBudget)
	defer cancel()
	failure := waitTooLong(0)
	var closed bool
	err := s.insist(ctx, func() (err error) {
		closed, err = s.mirror.CloseQueued(ctx, in.TenantID, in.ID, in.LeaseToken, failure)
		return err
	})
	switch {
	case err != nil:
		return order.Placement{}, outcomeUnknown(err)
	case closed:
		return order.Placement{Intent: in}, failure
	}
	// It was closed by an earlier try whose answer was lost, taken over after a halt of this process, or called off.
	return s.answerFromStore(ctx, in)
}

// replayOf is replay for a key that another request took in the meantime.
func (s *Service) replayOf(ctx context.Context, in order.Intent, sent order.Request, fingerprint string) (order.Placement, error) {
	if err := sameOrder(in, sent, fingerprint); err != nil {
		return order.Placement{}, err
	}
	return s.replay(ctx, in)
}

// sameOrder returns an error if a key's intent is another order than the one that comes with the key now. What was sent with
// an adopted key is not known, but for its reference at most.
func sameOrder(in order.Intent, sent order.Request, fingerprint string) error {
	same := in.Fingerprint == fingerprint
	if in.State == order.Adopted {
		same = in.Request.Reference == "" || sent.Reference == "" || in.Request.Reference == sent.Reference
	}
	if same || failpoint.Out(failpoint.Fingerprint) {
		return nil
	}
	return keyReused()
}

func keyReused() *order.Error {
	e := order.Errorf(order.Unprocessable, "idempotency_key_reused",
		"This Idempotency-Key was used for a different request. Use a new key for a new one, and the same body on every retry.")
	e.Violations = []order.Violation{{Field: "Idempotency-Key", Message: "was used for a different request"}}
	return e
}

// replay answers a request whose key was used before for the same order.
func (s *Service) replay(ctx context.Context, in order.Intent) (order.Placement, error) {
	if in.State == order.Adopted {
		return s.replayAdopted(ctx, in)
	}
	if p, err, known := s.standing(in); known {
		return p, err
	}
	err := s.admitToERP()
	if err == nil {
		err = s.lanes.reserve(s.patience(ctx))
	}
	switch {
	case err == nil:
	case in.State == order.Sending: // the resolver asks when there is something to learn
		return order.Placement{Intent: in}, nil
	case in.State == order.Queued: // left behind by a crash, and taken up as soon as there is room
		return order.Placement{}, keyInFlight()
	default:
		return order.Placement{}, err
	}
	t := newTicket(in)
	s.lanes.push(t)
	return s.await(ctx, t)
}

// standing is the answer that an intent's key has without another attempt; false where there is to be one.
func (s *Service) standing(in order.Intent) (p order.Placement, err error, known bool) {
	switch in.State {
	case order.Placed, order.Performed:
		return order.Placement{Intent: in, Order: in.Result, Replayed: true}, nil, true
	case order.Rejected, order.CalledOff:
		return order.Placement{Intent: in, Replayed: true}, in.Failure, true
	case order.Parked:
		return order.Placement{Intent: in}, nil, true
	case order.Queued:
		if in.Acknowledged {
			return order.Placement{Intent: in}, nil, true
		}
	}
	switch {
	case s.carried(in) && in.Acknowledged:
		return order.Placement{Intent: in}, nil, true
	case s.carried(in):
		return order.Placement{}, keyInFlight(), true
	}
	return order.Placement{}, nil, false
}

// replayAdopted answers for a key that was adopted: with its order as it stands, since nobody knows how it was answered the
// first time. If neither mirror nor ERP can tell, what is certain is that the order was placed.
func (s *Service) replayAdopted(ctx context.Context, in order.Intent) (order.Placement, error) {
	o, err := s.mirror.Order(ctx, s.tenant.ID, in.ERPOrderID)
	if order.IsKind(err, order.NotFound) {
		if o, err = s.fetchOrder(ctx, in.ERPOrderID); order.IsKind(err, order.Unavailable) {
			return order.Placement{Intent: in}, nil
		}
	}
	switch {
	case order.IsKind(err, order.NotFound), err == nil && !o.DeletedAt.IsZero():
		return order.Placement{Intent: in, Replayed: true}, order.Errorf(order.Unprocessable, "deleted_in_erp",
			"The order of this key was order %d, and was deleted in the ERP. It is not placed again.", in.ERPOrderID)
	case err != nil:
		return order.Placement{}, databaseUnavailable(err)
	}
	return order.Placement{Intent: in, Order: &o, Replayed: true}, nil
}

// carried reports whether somebody carries the intent at this moment.
func (s *Service) carried(in order.Intent) bool {
	return in.State != order.Refused && store.Carried(in, s.now())
}

func keyInFlight() *order.Error {
	return order.Errorf(order.Conflict, "key_in_flight",
		"The first request with this Idempotency-Key is being carried out at this moment. Try again in a second for its outcome.").RetryIn(time.Second)
}

// admitToERP refuses what would only be refused later, before any work is done for it.
func (s *Service) admitToERP() *order.Error {
	switch {
	case s.erp.BreakerState() == breakerOpen:
		s.metrics.shed.WithLabelValues("breaker_open").Inc()
		return erpResting(nil)
	case s.lanes.full():
		s.metrics.shed.WithLabelValues("queue_full").Inc()
		return queueFull(time.Second)
	}
	return nil
}

// insist repeats a write of the database until it is known what became of it, or ctx ends.
func (s *Service) insist(ctx context.Context, write func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := write()
		if err == nil || !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
