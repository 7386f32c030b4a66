package ordersync

import (
	"context"
	"errors"

	"ordergate/odoo"
	"ordergate/order"
)

// callOff brings an intent to its end that was called off while it was in doubt. Its order is never sent again: if an
// earlier attempt made it, it is cancelled in the ERP; if none did, and none can any more, there is nothing to do. An
// order that the ERP would not cancel is there, and the intent ends as placed.
func (s *Service) callOff(ctx context.Context, a *attempt) {
	id := a.in.ERPOrderID
	if id == 0 {
		found, err := s.erp.PlacedOrder(ctx, s.externalID(&a.in))
		switch {
		case err != nil:
			a.fail(odoo.NotSent, err)
			return
		case found == 0 && (a.in.UnknownAt.IsZero() || s.doubtIsOver(&a.in)):
			a.calledOff = true
			return
		case found == 0:
			a.fail(odoo.NotSent, errMayStillAppear)
			return
		}
		id = found
	}
	a.in.ERPOrderID = id
	refusal := s.erp.CancelOrders(ctx, id)
	s.readOrders(ctx, []*attempt{a}, s.erp.Orders)
	switch {
	case errors.Is(a.err, errNotThere):
		s.lookForDeleted(ctx, a)
		a.calledOff = errors.Is(a.err, errDeleted)
	case a.err != nil:
	case a.snapshot.Status == order.Cancelled:
		if _, err := s.ingest(ctx, []order.Snapshot{*a.snapshot}, a.in.Caller); err != nil {
			a.fail(odoo.Unknown, err)
			return
		}
		a.calledOff = true
	case outcome(refusal) == odoo.Rejected:
		stays := order.Entry(id, order.HistoryCancelRefused)
		stays.WrittenBy, stays.RecordedAt = a.in.Caller, s.now()
		stays.Detail = "The order was called off before it was known to be placed, and the ERP would not cancel it."
		a.entries = []order.HistoryEntry{s.placedEntry(a), stays}
	default:
		a.snapshot = nil
		a.fail(odoo.Unknown, errors.Join(errNotCancelled, refusal))
	}
}

var (
	errMayStillAppear = errors.New("an earlier call may still take effect, and until that is certain nothing else is done")
	errNotCancelled   = errors.New("called off, but the ERP did not say whether it cancelled the order")
)
