package ordersync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"ordergate/odoo"
	"ordergate/order"
)

// planFulfilment decides which deliveries go out, and with how much of each of their moves.
func (s *Service) planFulfilment(ctx context.Context, a *attempt, _ order.Order) (order.ActionPlan, error) {
	wish := a.in.Action
	if err := s.notTooFine(ctx, wish.Lines); err != nil {
		return order.ActionPlan{}, err
	}
	moves, known, err := s.erp.OpenMoves(ctx, wish.OrderID)
	if err != nil {
		return order.ActionPlan{}, err
	}
	if !known {
		return order.ActionPlan{}, stockMissing()
	}
	if wish.Tracking != "" {
		if known, err = s.erp.HasTracking(ctx); err != nil {
			return order.ActionPlan{}, err
		}
		if !known {
			return order.ActionPlan{}, order.Errorf(order.Unsupported, "tracking_missing",
				"The ERP's deliveries have no tracking number. Install the application Delivery Costs (delivery; from 17 on stock_delivery) there, or leave tracking_number out.")
		}
	}
	if len(moves) == 0 {
		return order.ActionPlan{}, nothingToDeliver()
	}
	// What is ready goes first, and then the oldest.
	slices.SortStableFunc(moves, func(x, y order.Move) int {
		return cmp.Or(cmp.Compare(readiness(x), readiness(y)), cmp.Compare(x.DeliveryID, y.DeliveryID), cmp.Compare(x.ID, y.ID))
	})
	going, err := divide(wish.Lines, moves)
	if err != nil {
		return order.ActionPlan{}, err
	}
	lots, err := s.chooseLots(ctx, wish.Lines, moves, going)
	if err != nil {
		return order.ActionPlan{}, err
	}
	var plan order.ActionPlan
	position := map[int64]int{}
	for _, m := range moves {
		if _, known := position[m.DeliveryID]; !known && going[m.ID].IsPositive() {
			position[m.DeliveryID] = len(plan.Deliveries)
			plan.Deliveries = append(plan.Deliveries, order.PlannedDelivery{DeliveryID: m.DeliveryID, Tracking: wish.Tracking})
		}
	}
	for _, m := range moves {
		if i, goes := position[m.DeliveryID]; goes {
			plan.Deliveries[i].Moves = append(plan.Deliveries[i].Moves, order.PlannedMove{MoveID: m.ID, Quantity: going[m.ID], Lots: lots[m.ID]})
		}
	}
	return plan, nil
}

func readiness(m order.Move) int {
	if m.State == order.Ready {
		return 0
	}
	return 1
}

// divide shares the quantities of lines out among their open moves; without lines all of every move goes.
func divide(lines []order.ActionLine, moves []order.Move) (map[int64]decimal.Decimal, error) {
	going := make(map[int64]decimal.Decimal, len(moves))
	if len(lines) == 0 {
		for _, m := range moves {
			going[m.ID] = m.Quantity
		}
		return going, nil
	}
	for i, l := range lines {
		left, open := l.Quantity, decimal.Zero
		for _, m := range moves {
			if m.LineID == l.LineID && !m.Alike {
				return nil, order.Invalid("unit_differs", fmt.Sprintf("lines[%d].erp_line_id", i),
					"Line %d is delivered in another unit than it is sold in, or in parts. Leave lines out to send all of it, or send it out in the ERP.", l.LineID)
			}
			if m.LineID == l.LineID {
				going[m.ID] = decimal.Min(left, m.Quantity)
				left, open = left.Sub(going[m.ID]), open.Add(m.Quantity)
			}
		}
		switch {
		case open.IsZero():
			return nil, order.Invalid("unknown_line", fmt.Sprintf("lines[%d].erp_line_id", i), "Nothing is to be delivered of a line %d.", l.LineID)
		case left.IsPositive():
			return nil, order.Invalid("more_than_left", fmt.Sprintf("lines[%d].quantity", i), "Of line %d only %s are left to be delivered.", l.LineID, open)
		}
	}
	return going, nil
}

// notTooFine refuses quantities that the ERP would round in silence.
func (s *Service) notTooFine(ctx context.Context, lines []order.ActionLine) error {
	precision, err := s.erp.Precision(ctx)
	if err != nil {
		return err
	}
	tooMany := func(q decimal.Decimal) bool { return !q.Equal(q.Truncate(int32(precision.Quantity))) }
	for i, l := range lines {
		if tooMany(l.Quantity) {
			return tooFine(fmt.Sprintf("lines[%d].quantity", i), precision.Quantity)
		}
		for j, lot := range l.Lots {
			if tooMany(lot.Quantity) {
				return tooFine(fmt.Sprintf("lines[%d].lots[%d].quantity", i, j), precision.Quantity)
			}
		}
	}
	return nil
}

func stockMissing() *order.Error {
	return order.Errorf(order.Unsupported, "stock_missing",
		"The ERP has no deliveries, or the gateway's user may not see them. Install the application Inventory (stock) there, or grant its User group.")
}

// tooFine refuses a number with more decimals than the ERP keeps, which it would round in silence.
func tooFine(field string, decimals int) *order.Error {
	return order.Invalid("invalid_request", field, "may have at most %d decimals", decimals)
}

// fulfil sends out what is planned and not delivered yet.
func (s *Service) fulfil(ctx context.Context, a *attempt, o order.Order) error {
	return eachPart(a.in.Plan.Action.Deliveries, func(p order.PlannedDelivery) error {
		if deliveryOf(o, p.DeliveryID).State == order.DocumentDelivered {
			return nil
		}
		return s.erp.Deliver(ctx, p)
	})
}

// eachPart asks the ERP for the parts of an action. What one is refused does not keep the others: a Conflict says then that only
// a part of it was done.
func eachPart[T any](parts []T, ask func(T) error) error {
	var refused, failed error
	made := 0
	for _, p := range parts {
		switch err := ask(p); {
		case err == nil:
			made++
		case outcome(err) == odoo.Rejected:
			refused = err
		case outcome(failed) != odoo.Unknown || failed == nil: // which one that may still run says most
			failed = err
		}
	}
	var e *odoo.Error
	switch {
	case failed != nil && made > 0:
		return odoo.Begun(failed)
	case failed != nil:
		return failed
	case refused != nil && made > 0 && errors.As(refused, &e):
		return order.Errorf(order.Conflict, "partly_done",
			"Only a part of it was done: the ERP would not do the rest: %s Look at the order, and ask for what is left with a new key.", e.Message).Because(refused)
	}
	return refused
}

// fulfilled reports whether the planned deliveries went out with what was planned. If somebody else sent them out otherwise, or
// cancelled them, there is nothing left to be done.
func (s *Service) fulfilled(ctx context.Context, a *attempt, o order.Order) (bool, error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	planned := map[int64]order.PlannedMove{}
	var ids, tracked []int64
	for _, p := range a.in.Plan.Action.Deliveries {
		d := deliveryOf(o, p.DeliveryID)
		switch d.State {
		case order.DocumentDelivered:
		case order.DocumentCancelled, "":
			return false, order.Errorf(order.Conflict, "fulfilled_otherwise",
				"Somebody cancelled the delivery %d in the ERP at the same time. Look at the order, and fulfil what is left with a new key.", p.DeliveryID)
		default:
			return false, nil
		}
		for _, m := range p.Moves {
			planned[m.MoveID] = m
			if m.Quantity.IsPositive() {
				ids = append(ids, m.MoveID)
			}
			if len(m.Lots) > 0 {
				tracked = append(tracked, m.MoveID)
			}
		}
	}
	moves, err := s.erp.Moves(ctx, ids)
	if err != nil {
		return false, err
	}
	for _, m := range moves {
		sent := m.Done
		if m.State != order.DocumentDelivered { // it was left behind: in a back order, say, where it is reserved again
			sent = decimal.Zero
		}
		if !sent.Equal(planned[m.ID].Quantity) {
			return false, order.Errorf(order.Conflict, "fulfilled_otherwise",
				"Somebody sent out the delivery %d in the ERP at the same time, with %s instead of %s of line %d. Look at the order, and fulfil what is left with a new key.",
				deliveryOfMove(a.in.Plan.Action, m.ID), sent, planned[m.ID].Quantity, m.LineID)
		}
	}
	if len(tracked) == 0 {
		return true, nil
	}
	moved, err := s.erp.MovedLots(ctx, tracked)
	if err != nil {
		return false, err
	}
	for _, m := range moves {
		if len(planned[m.ID].Lots) > 0 && !sameLots(planned[m.ID].Lots, moved[m.ID]) {
			return false, order.Errorf(order.Conflict, "fulfilled_otherwise",
				"Somebody sent out the delivery %d in the ERP at the same time, with other lots of line %d. Look at the order.", m.DeliveryID, m.LineID)
		}
	}
	return true, nil
}

// deliveryOfMove is the delivery that a move was planned to go with; it may be in another one by now.
func deliveryOfMove(plan *order.ActionPlan, moveID int64) int64 {
	for _, p := range plan.Deliveries {
		if slices.ContainsFunc(p.Moves, func(m order.PlannedMove) bool { return m.MoveID == moveID }) {
			return p.DeliveryID
		}
	}
	return 0
}

func deliveryOf(o order.Order, id int64) order.Delivery {
	for _, d := range o.Deliveries {
		if d.ID == id {
			return d
		}
	}
	return order.Delivery{}
}
