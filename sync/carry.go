package ordersync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// attempt is how one try to place an intent's order ended.
type attempt struct {
	snapshot order.Snapshot
	entries  []order.HistoryEntry
	err      error        // nil: placed
	outcome  odoo.Outcome // of err: what is certain about what this attempt did to the order
	// alone: no earlier attempt has made the order, or will. Without it no refusal is final.
	alone bool
}

// carry makes one attempt at an intent whose lease the caller holds, writes down how it ended, and answers. It
// outlives the request that asked for it: a caller who hangs up does not leave an order half placed.
func (s *Service) carry(ctx context.Context, in order.Intent) (order.Placement, error) {
	erpCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.PlaceBudget)
	a := s.attempt(erpCtx, &in)
	cancel()

	// What the attempt found must be written down even when its budget is used up.
	dbCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleBudget)
	defer cancel()
	return s.settle(dbCtx, in, a)
}

// attempt creates what the order needs and the order itself, and reads it back.
func (s *Service) attempt(ctx context.Context, in *order.Intent) attempt {
	if in.ERPOrderID != 0 {
		return s.placed(ctx, in, in.ERPOrderID)
	}
	alone := true
	if !in.UnknownAt.IsZero() {
		// An earlier attempt may have made the order, or may still be running in the ERP. Repeating it would not always
		// tell: what the order names may have been archived since, and then the repetition is refused.
		// A call may wait as long for one of the ERP's workers as it then runs.
		alone = s.now().Sub(in.UnknownAt) > 2*s.cfg.TransactionLimit
		id, err := s.erp.PlacedOrder(ctx, orderExternalID(s.tenant.Name, in.Source, in.Key))
		if err != nil {
			return attempt{err: err, outcome: odoo.NotSent}
		}
		if id != 0 {
			return s.placed(ctx, in, id)
		}
	}
	partnerID, shippingID, err := s.ensureParties(ctx, in)
	if err != nil {
		// The order itself was not sent, whatever became of the partner: that is created once, whoever tries again.
		o := outcome(err)
		if o != odoo.Rejected {
			o = odoo.NotSent
		}
		return attempt{err: err, outcome: o, alone: alone}
	}

	id, err := s.placeOrder(ctx, newOrder(s.tenant.Name, in, partnerID, shippingID))
	if err != nil {
		if outcome(err) == odoo.Rejected {
			s.forgetDeleted(ctx, in)
		}
		return attempt{err: err, outcome: outcome(err), alone: alone}
	}
	return s.placed(ctx, in, id)
}

// placed does what is left once the order exists. Its id is kept with the intent from here on, and nothing creates it
// again: an order that people deleted before it was read back is not resurrected.
func (s *Service) placed(ctx context.Context, in *order.Intent, id int64) attempt {
	in.ERPOrderID = id
	snapshot, confirmEntry, err := s.finish(ctx, in, id)
	if errors.Is(err, errNotThere) && s.deleted(ctx, in) {
		return attempt{err: errDeleted, outcome: odoo.Rejected, alone: true}
	}
	if err != nil {
		return attempt{err: err, outcome: odoo.Unknown}
	}
	entries := []order.HistoryEntry{{
		Code: order.HistoryPlaced, Severity: order.Info, To: snapshot.Status, RecordedBy: in.Caller, RecordedAt: s.now(),
		Detail: fmt.Sprintf("placed by %s with key %q", in.Source, in.Key),
	}}
	if confirmEntry != nil {
		entries = append(entries, *confirmEntry)
	}
	return attempt{snapshot: snapshot, entries: entries}
}

// deleted reports whether the ERP certainly has no order of the intent any more. An order that is only hidden from the
// gateway's user by a rule of the ERP still has its external id.
func (s *Service) deleted(ctx context.Context, in *order.Intent) bool {
	id, err := s.erp.PlacedOrder(ctx, orderExternalID(s.tenant.Name, in.Source, in.Key))
	return err == nil && id == 0
}

// ensureParties returns the partner the order is for, created if it is a new customer, and the partner it is to be
// delivered to, 0 for the customer's own address.
func (s *Service) ensureParties(ctx context.Context, in *order.Intent) (partnerID, shippingID int64, err error) {
	partnerID = in.Plan.PartnerID
	if partnerID == 0 {
		c, err := s.createCustomer(ctx, in.Request.Customer)
		if err != nil {
			return 0, 0, err
		}
		partnerID = c.ERPPartnerID
	}
	if a := in.Request.ShippingAddress; a != nil {
		shippingID, err = s.erp.EnsurePartner(ctx, odoo.NewPartner{
			ExternalID: addressExternalID(s.tenant.Name, partnerID, *a), ParentID: partnerID,
			Name: a.Name, Street: a.Street, Street2: a.Street2, City: a.City, Zip: a.Zip,
			Phone: a.Phone, Email: a.Email, CountryID: in.Plan.CountryID, StateID: in.Plan.StateID,
		})
		if err != nil {
			return 0, 0, err
		}
	}
	return partnerID, shippingID, nil
}

// placeOrder sends the order, and once more at once if the answer was lost on the way: that finds the order that the
// first call made, and spares the caller a 202. A first call that stays unknown keeps the outcome unknown, whatever
// the second one says: it may still be running.
func (s *Service) placeOrder(ctx context.Context, o odoo.NewOrder) (int64, error) {
	id, err := s.erp.PlaceOrder(ctx, o)
	if err == nil || outcome(err) != odoo.Unknown {
		return id, err
	}
	switch reason(err) {
	case odoo.ConnectionLost, odoo.ServerError, odoo.BadAnswer:
	default:
		return 0, err // out of time, or already repeated by the client
	}
	s.metrics.repeated.Inc()
	if sleep(ctx, s.cfg.Jitter(100*time.Millisecond)) != nil {
		return 0, err
	}
	id, again := s.erp.PlaceOrder(ctx, o)
	if again != nil {
		return 0, err
	}
	return id, nil
}

// finish confirms the order if that was asked for, and reads it back.
func (s *Service) finish(ctx context.Context, in *order.Intent, id int64) (order.Snapshot, *order.HistoryEntry, error) {
	var refusal error
	if in.Request.Confirm {
		// It may have been made, and confirmed, long ago, and people may have worked on it since.
		before, err := s.readOrder(ctx, id)
		if err != nil {
			return order.Snapshot{}, nil, err
		}
		if before.Status != order.Draft && before.Status != order.Sent {
			return before, nil, nil
		}
		refusal = s.erp.ConfirmOrder(ctx, id)
	}
	snapshot, err := s.readOrder(ctx, id)
	if err != nil {
		return order.Snapshot{}, nil, err
	}
	if refusal == nil || (snapshot.Status != order.Draft && snapshot.Status != order.Sent) {
		return snapshot, nil, nil
	}
	if outcome(refusal) != odoo.Rejected {
		return order.Snapshot{}, nil, refusal
	}
	var e *odoo.Error
	errors.As(refusal, &e)
	return snapshot, &order.HistoryEntry{
		Code: order.HistoryConfirmRefused, Severity: order.Warning, RecordedBy: in.Caller, RecordedAt: s.now(),
		Detail: "The ERP would not confirm the order: " + e.Message,
	}, nil
}

var (
	// errNotThere says that the ERP does not show an order that was placed: it was deleted, or is hidden by a rule.
	errNotThere = errors.New("the order was placed and the ERP does not show it: does the gateway's user see all documents?")
	// errDeleted says that it was deleted.
	errDeleted = errors.New("the order was placed and then deleted in the ERP")
)

// readOrder reads one order that was placed. errNotThere if the ERP does not show it.
func (s *Service) readOrder(ctx context.Context, id int64) (order.Snapshot, error) {
	snapshots, err := s.erp.Orders(ctx, []int64{id})
	if err != nil {
		return order.Snapshot{}, err
	}
	if len(snapshots) != 1 {
		return order.Snapshot{}, fmt.Errorf("order %d: %w", id, errNotThere)
	}
	return snapshots[0], nil
}

// settle writes down how an attempt ended, and answers. An outcome is only told once it is stored: a refusal that
// the database does not hold could be overtaken by the resolver.
func (s *Service) settle(ctx context.Context, in order.Intent, a attempt) (order.Placement, error) {
	if a.err == nil {
		placed, err := s.recordPlaced(ctx, &in, a)
		if err == nil {
			in.State, in.ERPOrderID, in.Result = order.Placed, placed.ID, &placed
			return order.Placement{Intent: in, Order: &placed}, nil
		}
		s.log.ErrorContext(ctx, "order is in the ERP, but could not be mirrored; the resolver will", "key", in.Key, "erp_order_id", a.snapshot.ID, "error", err)
		a.err, a.outcome = err, odoo.Unknown
		return s.release(ctx, in, a)
	}

	s.log.WarnContext(ctx, "order was not placed", "key", in.Key, "source", in.Source, "attempt", in.Attempts, "outcome", a.outcome.String(), "error", a.err)
	switch {
	case a.outcome == odoo.Rejected && a.alone && reason(a.err) != odoo.AccessRights:
		return s.close(ctx, in, order.Rejected, rejection(a.err))
	case a.outcome != odoo.Unknown && in.UnknownAt.IsZero():
		return s.close(ctx, in, order.Refused, unavailable(a.err))
	default: // in doubt, or accepted earlier with a 202: then nothing but a rejection ends it without an order
		return s.release(ctx, in, a)
	}
}

// close ends an intent without an order, and answers with the failure.
func (s *Service) close(ctx context.Context, in order.Intent, state order.IntentState, failure *order.Error) (order.Placement, error) {
	err := s.mirror.CloseIntent(ctx, in.TenantID, in.ID, in.LeaseToken, state, failure)
	if err == nil {
		return order.Placement{Intent: in}, failure
	}
	s.log.ErrorContext(ctx, "refusal could not be stored", "key", in.Key, "error", err)
	answer, answerErr := s.answerFromStore(ctx, order.Placement{Intent: in})
	if answerErr == nil && answer.Order == nil && state == order.Refused && errors.Is(err, store.ErrUnknown) {
		// It may yet be stored, and then nobody carries the intent: neither 202 nor 503 would be true.
		return order.Placement{}, outcomeUnknown(err)
	}
	return answer, answerErr
}

// release gives back an intent whose outcome is open, and answers that it is accepted.
func (s *Service) release(ctx context.Context, in order.Intent, a attempt) (order.Placement, error) {
	accepted := order.Placement{Intent: in}
	release := store.Release{
		NextAttemptAt: s.now().Add(s.backoff(in.Attempts)), Failure: inDoubt(a.err), ERPOrderID: in.ERPOrderID,
	}
	if a.outcome == odoo.Unknown {
		release.UnknownAt = s.now()
	}
	if err := s.mirror.ReleaseIntent(ctx, in.TenantID, in.ID, in.LeaseToken, release); err != nil {
		s.log.ErrorContext(ctx, "intent in doubt could not be released; its lease will run out", "key", in.Key, "error", err)
		return s.answerFromStore(ctx, accepted)
	}
	accepted.Intent.Failure = release.Failure
	return accepted, nil
}

// recordPlaced mirrors a placed order and closes its intent.
func (s *Service) recordPlaced(ctx context.Context, in *order.Intent, a attempt) (order.Order, error) {
	snapshots := []order.Snapshot{a.snapshot}
	if err := s.complete(ctx, snapshots); err != nil {
		return order.Order{}, err
	}
	return s.mirror.PlaceIntent(ctx, in, snapshots[0], a.entries)
}

// answerFromStore answers after a write whose fate is unclear: with the outcome if it was stored after all, by us or
// by whoever took the intent over, and otherwise that the order is accepted and still on its way.
func (s *Service) answerFromStore(ctx context.Context, accepted order.Placement) (order.Placement, error) {
	in := accepted.Intent
	stored, err := s.mirror.Intent(ctx, in.TenantID, in.Source, in.Key)
	if err != nil {
		return accepted, nil
	}
	switch stored.State {
	case order.Placed:
		return order.Placement{Intent: stored, Order: stored.Result}, nil
	case order.Rejected, order.Refused:
		return order.Placement{Intent: stored}, stored.Failure
	default:
		return accepted, nil
	}
}

// inDoubt is what an intent shows while its outcome is not known.
func inDoubt(cause error) *order.Error {
	return order.Errorf(order.Unavailable, "in_doubt",
		"The ERP has not given a clear answer yet. The gateway asks again until it does; the order will exist once, or be rejected with the reason shown here.").Because(cause)
}

// backoff is the wait before the attempt that follows attempt number n.
func (s *Service) backoff(n int) time.Duration {
	d := time.Second << min(n-1, 6)
	return s.cfg.Jitter(min(d, time.Minute))
}

// newOrder is what an intent sends to the ERP, the same at every attempt.
func newOrder(tenant string, in *order.Intent, partnerID, shippingID int64) odoo.NewOrder {
	externalID := orderExternalID(tenant, in.Source, in.Key)
	o := odoo.NewOrder{
		ExternalID: externalID, PartnerID: partnerID, ShippingPartnerID: shippingID,
		Reference: in.Request.Reference, Note: in.Request.Note,
		Lines: make([]odoo.NewLine, len(in.Request.Lines)),
	}
	for i, l := range in.Request.Lines {
		o.Lines[i] = odoo.NewLine{
			ExternalID: lineExternalID(externalID, i), ProductID: in.Plan.ProductIDs[i],
			Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount,
		}
	}
	return o
}
