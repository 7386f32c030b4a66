package ordersync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ordergate/failpoint"
	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// attempt is one try to place the order of one intent, within a batch, or to do something with an order. An attempt that has
// neither err nor an order yet goes on.
type attempt struct {
	in     order.Intent
	ticket *ticket // nil if nobody waits for it

	partnerID, shippingID int64

	snapshot *order.Snapshot // the order as it was read back
	before   *order.Snapshot // of an action: the order as it was looked at first
	entries  []order.HistoryEntry
	// answered says that the ERP answered this attempt's action without an error, which by itself proves nothing.
	answered    bool
	joint       bool              // what was asked of the ERP last was about other orders too
	allocations order.Allocations // of an action that reserved goods, as they were found last
	sent        []order.SentMove  // of a return: what went out, as it was found last
	// calledOff says that the order, if there is one, is cancelled in the ERP, and that the intent ends with that.
	calledOff bool

	err     error
	outcome odoo.Outcome // of err: what is certain about what this attempt did to the order
	// alone: no earlier attempt has made the order, or will. Without it no refusal is final.
	alone  bool
	early  bool // somebody asked for it before its time had come
	strike bool // the ERP has no clear answer to this order, and answers others
}

// newAttempt is a try at an intent that was just claimed.
func (s *Service) newAttempt(in order.Intent, t *ticket) *attempt {
	return &attempt{in: in, ticket: t, alone: in.UnknownAt.IsZero(), early: in.NextAttemptAt.After(s.now())}
}

// fail ends an attempt.
func (a *attempt) fail(outcome odoo.Outcome, err error) { a.err, a.outcome = err, outcome }

// going reports whether there is still something to do.
func (a *attempt) going() bool { return a.err == nil && !a.calledOff && a.snapshot == nil }

// unsent reports whether the order is still to be sent: nobody knows of it in the ERP.
func (a *attempt) unsent() bool {
	return a.going() && (a.in.ERPOrderID == 0 || failpoint.Out(failpoint.DeletedStays))
}

// carry makes one attempt at each order of a batch, or at actions of one kind, under the lease of token, writes down how they ended,
// and tells those who wait. It outlives the requests that asked for it: a caller who hangs up does not leave an order half placed.
// Definite says whether the ERP gave a clear answer about any order.
func (s *Service) carry(token string, attempts []*attempt) (definite bool) {
	defer s.leases.end(token)
	if len(attempts) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.PlaceBudget)
	if attempts[0].in.Action != nil {
		s.perform(ctx, token, attempts)
	} else {
		began := s.now()
		s.place(ctx, token, attempts)
		s.metrics.batchOrders.Observe(float64(len(attempts)))
		s.metrics.batchSeconds.Observe(s.now().Sub(began).Seconds())
	}
	cancel()
	for _, a := range attempts {
		definite = definite || a.err == nil || a.outcome == odoo.Rejected
	}

	// What was found must be written down even when the budget is used up.
	ctx, cancel = context.WithTimeout(context.Background(), settleBudget)
	defer cancel()
	s.settle(ctx, token, attempts)
	return definite
}

// ended says how a batch went.
type ended struct {
	attempts int  // orders that it carried
	queued   int  // of those, how many nobody waited for
	definite bool // the ERP gave a clear answer about one at least
}

// carryBatch claims a batch and carries it.
func (s *Service) carryBatch(b batch) ended {
	ctx, cancel := context.WithTimeout(context.Background(), acceptBudget)
	defer cancel()
	if b.lease != "" {
		attempts := []*attempt{{in: b.tickets[0].intent, ticket: b.tickets[0], alone: true}}
		return ended{attempts: 1, definite: s.carry(b.lease, attempts)}
	}
	lease := s.leases.begin()
	attempts := s.claimTickets(ctx, b.tickets, lease)
	var queued []*attempt
	if b.room > 0 {
		queued = s.claimQueued(ctx, b.room, lease)
		attempts = append(attempts, queued...)
	}
	failpoint.Hit(failpoint.QueueClaimed)
	return ended{attempts: len(attempts), queued: len(queued), definite: s.carry(lease.Token, attempts)}
}

// claimTickets takes the lease of the intents that tickets wait for, and answers those that somebody else took.
func (s *Service) claimTickets(ctx context.Context, tickets []*ticket, lease store.Lease) []*attempt {
	waiting := make(map[int64]*ticket, len(tickets))
	ids := make([]int64, 0, len(tickets))
	for _, t := range tickets {
		if waiting[t.intent.ID] != nil {
			t.answer(order.Placement{}, keyInFlight())
			continue
		}
		waiting[t.intent.ID] = t
		ids = append(ids, t.intent.ID)
		switch token := t.intent.LeaseToken; {
		case t.intent.State == order.Refused:
			lease.Anew = append(lease.Anew, t.intent.ID)
		case t.intent.State == order.Queued && s.leases.has(token): // another's it may be that was left behind
			lease.Held = append(lease.Held, token)
			defer s.leases.end(token)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var claimed []order.Intent
	err := s.insist(ctx, func() (err error) {
		claimed, err = s.mirror.ClaimIntents(ctx, s.tenant.ID, ids, lease)
		return err
	})
	if err != nil {
		s.log.ErrorContext(ctx, "waiting orders could not be claimed; they stay queued", "orders", len(ids), "error", err)
	}
	attempts := make([]*attempt, len(claimed))
	for i, in := range claimed {
		attempts[i] = s.newAttempt(in, waiting[in.ID])
		close(waiting[in.ID].claimed)
		delete(waiting, in.ID)
	}
	for _, t := range waiting {
		t.answer(s.answerUnclaimed(ctx, t.intent, err))
	}
	return attempts
}

// claimQueued takes queued intents that nobody waits for.
func (s *Service) claimQueued(ctx context.Context, room int, lease store.Lease) []*attempt {
	claimed, err := s.mirror.ClaimQueued(ctx, s.tenant.ID, room, lease)
	if err != nil {
		s.log.WarnContext(ctx, "the queue could not be read", "error", err)
	}
	attempts := make([]*attempt, len(claimed))
	for i, in := range claimed {
		attempts[i] = s.newAttempt(in, nil)
	}
	return attempts
}

// answerUnclaimed answers for an intent that could not be claimed when its turn came: because of err, or because somebody
// else took it.
func (s *Service) answerUnclaimed(ctx context.Context, in order.Intent, err error) (order.Placement, error) {
	if err != nil {
		return order.Placement{}, outcomeUnknown(err)
	}
	return s.answerFromStore(ctx, in)
}

// place brings every attempt either to an order that was read back, or to an error.
func (s *Service) place(ctx context.Context, token string, attempts []*attempt) {
	for _, a := range attempts {
		if !a.in.CancelRequestedAt.IsZero() && !s.overtaken(token, a) {
			s.callOff(ctx, a)
		}
	}
	s.planMissing(ctx, token, attempts)
	s.checkStock(ctx, token, attempts)
	s.ensureParties(ctx, attempts)
	failpoint.Hit(failpoint.PartiesReady)
	s.createOrders(ctx, token, attempts)
	failpoint.Hit(failpoint.OrdersSent)
	s.readBack(ctx, token, attempts)
	failpoint.Hit(failpoint.OrdersRead)
}

// overtaken fails attempts, and reports that, if their lease may be another's by now: this process was halted for longer
// than leases last, or lost its database, and what it is about to send is stale. It is asked right before each call that
// changes orders. Whoever is halted after that still sends: what that does, external ids bound.
func (s *Service) overtaken(token string, attempts ...*attempt) bool {
	if s.leases.holds(token) {
		return false
	}
	for _, a := range attempts {
		a.snapshot = nil
		if a.in.ERPOrderID != 0 && a.in.Action == nil {
			a.fail(odoo.Unknown, errHalted)
		} else {
			a.fail(odoo.NotSent, errHalted)
		}
	}
	return true
}

// planMissing resolves the orders that were accepted while the ERP could not be asked, and stores what they are resolved
// to: every attempt must send the same.
func (s *Service) planMissing(ctx context.Context, token string, attempts []*attempt) {
	plans := map[int64]order.Plan{}
	var planned []*attempt
	for _, a := range attempts {
		if !a.going() || a.in.Plan.Resolved() {
			continue
		}
		plan, err := s.resolve(ctx, &a.in.Request)
		switch {
		case err == nil:
			a.in.Plan = plan
			plans[a.in.ID] = plan
			planned = append(planned, a)
		case order.IsKind(err, order.Unprocessable):
			a.fail(odoo.Rejected, err)
			s.lookAfter(ctx, a, false)
		default:
			a.fail(odoo.NotSent, err)
		}
	}
	if len(plans) == 0 {
		return
	}
	saved, err := s.mirror.SavePlans(ctx, s.tenant.ID, token, plans)
	if err == nil && len(saved) == len(plans) {
		return
	}
	for _, a := range planned {
		a.fail(odoo.NotSent, errors.Join(errHalted, err))
	}
}

// ensureParties finds the partner that each order is for, created if it is a new customer, and the partner it is to be
// delivered to, 0 for the customer's own address. If that fails the order itself was not sent, whatever became of the
// partner: that is created once, whoever tries again.
func (s *Service) ensureParties(ctx context.Context, attempts []*attempt) {
	var newcomers []*attempt
	var partners []odoo.NewPartner
	for _, a := range attempts {
		if !a.unsent() {
			continue
		}
		a.partnerID = a.in.Plan.PartnerID
		if a.partnerID == 0 {
			newcomers = append(newcomers, a)
			partners = append(partners, newCustomer(s.tenant.Name, a.in.Request.Customer))
		}
	}
	s.ensure(ctx, newcomers, partners, func(a *attempt, id int64) { a.partnerID = id })
	s.mirrorNewcomers(ctx, slices.DeleteFunc(newcomers, func(a *attempt) bool { return !a.going() }))

	var addressed []*attempt
	partners = nil
	for _, a := range attempts {
		if address := a.in.Request.ShippingAddress; address != nil && a.unsent() {
			addressed = append(addressed, a)
			partners = append(partners, newAddress(s.tenant.Name, a.partnerID, *address, a.in.Plan))
		}
	}
	s.ensure(ctx, addressed, partners, func(a *attempt, id int64) { a.shippingID = id })
}

func (s *Service) ensure(ctx context.Context, attempts []*attempt, partners []odoo.NewPartner, set func(*attempt, int64)) {
	if len(attempts) == 0 {
		return
	}
	for i, loaded := range s.erp.EnsurePartners(ctx, partners) {
		a := attempts[i]
		switch {
		case loaded.Err == nil:
			set(a, loaded.ID)
		case loaded.Err.Outcome == odoo.Rejected:
			a.fail(odoo.Rejected, loaded.Err)
			s.lookAfter(ctx, a, false)
		default:
			a.fail(odoo.NotSent, loaded.Err)
		}
	}
}

// createOrders sends what is not known to be in the ERP.
func (s *Service) createOrders(ctx context.Context, token string, attempts []*attempt) {
	var sent []*attempt
	var orders []odoo.NewOrder
	for _, a := range attempts {
		if a.unsent() {
			sent = append(sent, a)
			orders = append(orders, newOrder(s.tenant.Name, &a.in, a.partnerID, a.shippingID))
		}
	}
	if len(orders) == 0 || s.overtaken(token, sent...) {
		return
	}
	for i, loaded := range s.erp.PlaceOrders(ctx, orders) {
		a := sent[i]
		if loaded.Err == nil {
			a.in.ERPOrderID = loaded.ID
			continue
		}
		a.fail(loaded.Err.Outcome, loaded.Err)
		if a.outcome == odoo.Unknown && failpoint.Out(failpoint.UnknownOutcome) {
			a.outcome = odoo.NotSent
		}
		s.lookAfter(ctx, a, len(orders) == 1)
	}
}

// lookAfter looks what is in the ERP after a failed call, where that failure leaves it open.
//
// A refusal does not: what the order names may have been archived since an earlier attempt made it, and then the
// repetition is refused although the order is there. And an earlier attempt may still be running in the ERP.
//
// An unknown outcome may be the order's own fault: it is, if it was sent alone and the ERP answers the next question.
func (s *Service) lookAfter(ctx context.Context, a *attempt, alone bool) {
	if a.outcome == odoo.Rejected {
		s.forgetDeleted(ctx, &a.in)
	}
	doubted := a.outcome == odoo.Rejected && !a.in.UnknownAt.IsZero()
	if !doubted && a.outcome != odoo.Unknown {
		return
	}
	if a.outcome == odoo.Unknown && (!alone || reason(a.err) == odoo.BreakerOpen) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookBudget)
	defer cancel()
	id, err := s.erp.PlacedOrder(ctx, s.externalID(&a.in))
	switch {
	case err != nil && doubted:
		a.fail(odoo.NotSent, errors.Join(a.err, err))
	case err != nil: // the ERP is in trouble, and not this order
	case id != 0:
		a.err, a.in.ERPOrderID = nil, id
	case doubted:
		a.alone = s.doubtIsOver(&a.in)
	default:
		a.strike = true
	}
}

// doubtIsOver reports whether no call that was made before an intent's last unknown outcome can still be running: it may
// have waited as long for one of the ERP's workers as it then ran. Both times are the ERP's, which is asked right before.
func (s *Service) doubtIsOver(in *order.Intent) bool {
	return s.doubtLasts(in) < 0 || failpoint.Out(failpoint.DoubtLasts)
}

// doubtLasts is how long such a call may still be running; less than 0 if none can be.
func (s *Service) doubtLasts(in *order.Intent) time.Duration {
	return in.UnknownAt.Add(2 * s.cfg.TransactionLimit).Sub(s.erp.Now())
}

// readBack reads the orders that exist, in one call, and confirms those that are to be confirmed. Their ids are kept with
// the intents from here on, and nothing creates them again: an order that people deleted before it was read back is not
// resurrected.
func (s *Service) readBack(ctx context.Context, token string, attempts []*attempt) {
	var made []*attempt
	var toConfirm []*attempt
	for _, a := range attempts {
		if a.going() && a.in.ERPOrderID != 0 {
			made = append(made, a)
		}
	}
	s.readOrders(ctx, made, s.erp.OrdersJustPlaced)
	for _, a := range made {
		if a.in.Request.Confirm && a.snapshot != nil && a.snapshot.Status.Unconfirmed() && s.mayConfirm(ctx, a) {
			toConfirm = append(toConfirm, a)
		}
	}
	if len(toConfirm) > 0 && !s.overtaken(token, toConfirm...) {
		s.confirmAll(ctx, toConfirm)
	}
	for _, a := range made {
		switch {
		case errors.Is(a.err, errNotThere):
			s.lookForDeleted(ctx, a)
		case a.snapshot != nil:
			a.entries = append([]order.HistoryEntry{s.placedEntry(a)}, a.entries...)
			if short := a.shortages(); len(short) > 0 {
				a.entries = append(a.entries, s.shortEntry(a, short))
			}
		}
	}
}

// mayConfirm reports whether an order that is to be confirmed when it is placed still may be: since an earlier attempt made it, people may have
// put it on hold, and a module may have blocked it.
func (s *Service) mayConfirm(ctx context.Context, a *attempt) bool {
	err := s.requireUnblocked(ctx, a.snapshot.ID)
	if refused := order.Confirm.Permit(a.snapshot.Order); refused != nil {
		err = refused
	}
	var e *order.Error
	switch {
	case err == nil:
		return true
	case isRefusal(err) && errors.As(err, &e):
		a.entries = append(a.entries, s.confirmRefused(a, e.Message))
	default:
		a.snapshot = nil
		a.fail(odoo.Unknown, err)
	}
	return false
}

func (s *Service) confirmRefused(a *attempt, why string) order.HistoryEntry {
	refused := order.Entry(a.snapshot.ID, order.HistoryConfirmRefused)
	refused.WrittenBy, refused.RecordedAt, refused.Detail = a.in.Caller, s.now(), why
	return refused
}

func (s *Service) placedEntry(a *attempt) order.HistoryEntry {
	placed := order.Entry(a.snapshot.ID, order.HistoryPlaced)
	placed.WrittenBy, placed.RecordedAt = a.in.Caller, s.now()
	placed.Detail = fmt.Sprintf("placed by %s with key %q", a.in.Source, a.in.Key)
	placed.Fact = order.PlacedFact(a.in.Source, a.in.Key)
	return placed
}

// readOrders reads the orders of attempts. One that the ERP does not show ends with errNotThere.
func (s *Service) readOrders(ctx context.Context, attempts []*attempt, read func(context.Context, []int64) ([]order.Snapshot, error)) {
	if len(attempts) == 0 {
		return
	}
	ids := make([]int64, len(attempts))
	for i, a := range attempts {
		ids[i] = a.in.ERPOrderID
	}
	snapshots, err := read(ctx, ids)
	byID := make(map[int64]*order.Snapshot, len(snapshots))
	for i := range snapshots {
		byID[snapshots[i].ID] = &snapshots[i]
	}
	for _, a := range attempts {
		a.snapshot = byID[a.in.ERPOrderID]
		switch {
		case err != nil:
			a.snapshot = nil
			a.fail(odoo.Unknown, err)
		case a.snapshot == nil:
			a.fail(odoo.Unknown, fmt.Errorf("order %d: %w", a.in.ERPOrderID, errNotThere))
		}
	}
}

// lookForDeleted ends the doubt about an order that was placed and is not shown: without its external id it was deleted. An
// order that is only hidden from the gateway's user by a rule of the ERP still has it.
func (s *Service) lookForDeleted(ctx context.Context, a *attempt) {
	id, err := s.erp.PlacedOrder(ctx, s.externalID(&a.in))
	if err == nil && id == 0 {
		a.alone = true
		a.fail(odoo.Rejected, errDeleted)
	}
}

// confirmAll confirms orders one by one, because one that cannot be confirmed must not keep the others from it, and reads
// them again: an order's state, and not what the call returned, says what became of it.
func (s *Service) confirmAll(ctx context.Context, attempts []*attempt) {
	refusals := make(map[*attempt]error, len(attempts))
	for _, a := range attempts {
		refusals[a] = s.erp.ConfirmOrders(ctx, a.in.ERPOrderID)
	}
	s.readOrders(ctx, attempts, s.erp.Orders)
	for _, a := range attempts {
		refusal := refusals[a]
		if a.snapshot == nil || refusal == nil || !a.snapshot.Status.Unconfirmed() {
			continue
		}
		if outcome(refusal) != odoo.Rejected {
			a.snapshot = nil
			a.fail(odoo.Unknown, refusal)
			continue
		}
		var e *odoo.Error
		errors.As(refusal, &e)
		a.entries = append(a.entries, s.confirmRefused(a, "The ERP would not confirm the order: "+e.Message))
	}
}

var (
	// errNotThere says that the ERP does not show an order that was placed: it was deleted, or is hidden by a rule.
	errNotThere = errors.New("the order was placed and the ERP does not show it: does the gateway's user see all documents?")
	// errDeleted says that it was deleted.
	errDeleted = errors.New("the order was placed and then deleted in the ERP")
	// errHalted says that this process did not run for so long that others may have taken over.
	errHalted = errors.New("the lease was over before the order was sent")
)

func (s *Service) externalID(in *order.Intent) string {
	return orderExternalID(s.tenant.Name, in.Source, in.Key)
}

// newOrder is what an intent sends to the ERP, the same at every attempt.
func newOrder(tenant string, in *order.Intent, partnerID, shippingID int64) odoo.NewOrder {
	externalID := orderExternalID(tenant, in.Source, in.Key)
	if failpoint.Out(failpoint.ExternalID) {
		externalID = orderExternalID(tenant, in.Source, in.Key+in.LeaseToken)
	}
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

func newCustomer(tenant string, c order.CustomerRef) odoo.NewPartner {
	return odoo.NewPartner{
		ExternalID: customerExternalID(tenant, c.Ref), Name: c.Name, Email: c.Email, Phone: c.Phone, Ref: c.Ref,
	}
}

func newAddress(tenant string, partnerID int64, a order.Address, plan order.Plan) odoo.NewPartner {
	return odoo.NewPartner{
		ExternalID: addressExternalID(tenant, partnerID, a), ParentID: partnerID,
		Name: a.Name, Street: a.Street, Street2: a.Street2, City: a.City, Zip: a.Zip,
		Phone: a.Phone, Email: a.Email, CountryID: plan.CountryID, StateID: plan.StateID,
	}
}
