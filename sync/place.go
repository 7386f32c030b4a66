package ordersync

import (
	"context"
	"errors"
	"time"

	"ordergate/order"
	"ordergate/store"
)

// A lease must outlast all that is done under it: writing the intent down, the attempt (Config.PlaceBudget), and writing
// down how that ended.
const (
	acceptBudget = 10 * time.Second
	settleBudget = 20 * time.Second
	leaseMargin  = acceptBudget + settleBudget + 5*time.Second
)

// Place carries one order into the ERP and the mirror, once for every (tenant, source, key). See the package comment
// for what its outcomes mean. With an error that was stored before, Placement.Replayed is set beside it.
func (s *Service) Place(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error) {
	if err := order.ValidateKey(key); err != nil {
		return order.Placement{}, err
	}
	if caller.Role == order.RoleCustomer && req.Customer == (order.CustomerRef{}) {
		req.Customer = order.CustomerRef{ERPPartnerID: caller.ERPPartnerID}
	}
	req.Normalize()

	// A replay is answered before anything is judged: the answer stands even if the product is gone by now, or the caller
	// may no longer set prices.
	stored, err := s.mirror.Intent(ctx, s.tenant.ID, caller.Source, key)
	if err == nil {
		return s.replay(ctx, stored, req.Fingerprint())
	}
	if !order.IsKind(err, order.NotFound) {
		return order.Placement{}, databaseUnavailable(err)
	}

	if err := s.admit(caller, &req); err != nil {
		return order.Placement{}, err
	}
	if err := req.Validate(); err != nil {
		return order.Placement{}, err
	}
	plan, err := s.resolve(ctx, &req)
	if err != nil {
		return order.Placement{}, err
	}
	now := s.now()
	in := order.Intent{
		TenantID: s.tenant.ID, Source: caller.Source, Key: key, Fingerprint: req.Fingerprint(),
		State: order.Sending, Request: req, Plan: plan, Caller: caller.Name,
		LeaseToken: s.cfg.NewToken(), LeaseUntil: now.Add(s.cfg.PlaceBudget + leaseMargin),
		Attempts: 1, NextAttemptAt: now, CreatedAt: now, UpdatedAt: now,
	}
	mine, err := s.accept(ctx, &in)
	if err != nil {
		return order.Placement{}, err
	}
	if !mine {
		return s.replay(ctx, in, req.Fingerprint())
	}
	return s.carry(ctx, in)
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
		e := order.Errorf(order.Forbidden, "prices_forbidden",
			"This key may not set prices or discounts. Leave unit_price and discount out: the price list decides.")
		e.Violations = []order.Violation{{Field: "lines", Message: "leave unit_price and discount out"}}
		return e
	}
	if req.Confirm && !s.tenant.Settings.CustomerMayConfirm {
		e := order.Errorf(order.Forbidden, "confirm_forbidden", "This key may not confirm orders. Leave confirm out.")
		e.Violations = []order.Violation{{Field: "confirm", Message: "leave it out"}}
		return e
	}
	return nil
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
		case errors.Is(err, store.ErrExists):
			stored, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
			if err != nil {
				return false, outcomeUnknown(err) // whose the key is, and what became of it
			}
			mine := stored.LeaseToken == in.LeaseToken
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

// outcomeUnknown is the answer when the gateway cannot know whether it accepted an order. It promises nothing.
func outcomeUnknown(cause error) *order.Error {
	return order.Errorf(order.Internal, "outcome_unknown",
		"The gateway lost its database over this order and cannot tell what became of it. Send it again with the same key.").Because(cause)
}

// replay answers a request whose key was used before.
func (s *Service) replay(ctx context.Context, in order.Intent, fingerprint string) (order.Placement, error) {
	if in.Fingerprint != fingerprint {
		e := order.Errorf(order.Unprocessable, "idempotency_key_reused",
			"This Idempotency-Key was used for a different order. Use a new key for a new order, and the same body on every retry.")
		e.Violations = []order.Violation{{Field: "Idempotency-Key", Message: "was used for a different order"}}
		return order.Placement{}, e
	}
	switch in.State {
	case order.Placed:
		return order.Placement{Intent: in, Order: in.Result, Replayed: true}, nil
	case order.Rejected:
		return order.Placement{Intent: in, Replayed: true}, in.Failure
	}

	now := s.now()
	lease := store.Lease{Token: s.cfg.NewToken(), Now: now, Until: now.Add(s.cfg.PlaceBudget + leaseMargin)}
	claimed, ok, err := s.mirror.ClaimIntent(ctx, in.TenantID, in.ID, lease)
	switch {
	case err != nil:
		return order.Placement{}, outcomeUnknown(err) // if the claim was written, its lease runs out and the resolver comes
	case ok:
		return s.carry(ctx, claimed)
	}

	stored, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
	if err == nil && (stored.State == order.Placed || stored.State == order.Rejected) {
		return s.replay(ctx, stored, fingerprint)
	}
	return order.Placement{}, order.Errorf(order.Conflict, "key_in_flight",
		"An order with this Idempotency-Key is being placed at this moment. Try again in a second for its outcome.").RetryIn(time.Second)
}

// Intent returns the intent of a key of the caller's own source, or, for operators, of any source.
func (s *Service) Intent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error) {
	if source == "" {
		source = caller.Source
	}
	if source != caller.Source && caller.Role != order.RoleOperator {
		return order.Intent{}, order.Errorf(order.NotFound, "intent_not_found", "No intent with this key exists.")
	}
	in, err := s.mirror.Intent(ctx, s.tenant.ID, source, key)
	if err != nil {
		return order.Intent{}, databaseUnavailable(err)
	}
	return in, nil
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
