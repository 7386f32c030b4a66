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
	precision, err := s.erp.Precision(ctx)
	if err != nil {
		return order.ActionPlan{}, err
	}
	for i, l := range wish.Lines {
		if !l.Quantity.Equal(l.Quantity.Truncate(int32(precision.Quantity))) {
			return order.ActionPlan{}, tooFine(fmt.Sprintf("lines[%d].quantity", i), precision.Quantity)
		}
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
	var plan order.ActionPlan
	position := map[int64]int{}
	for _, m := range moves {
		if going[m.ID].IsPositive() && m.Tracked {
			return order.ActionPlan{}, order.Errorf(order.Unprocessable, "lots_required",
				"A product of line %d is tracked by lots or serial numbers, which this request cannot name.", m.LineID)
		}
		if _, known := position[m.DeliveryID]; !known && going[m.ID].IsPositive() {
			position[m.DeliveryID] = len(plan.Deliveries)
			plan.Deliveries = append(plan.Deliveries, order.PlannedDelivery{DeliveryID: m.DeliveryID, Tracking: wish.Tracking})
		}
	}
	for _, m := range moves {
		if i, goes := position[m.DeliveryID]; goes {
			plan.Deliveries[i].Moves = append(plan.Deliveries[i].Moves, order.PlannedMove{MoveID: m.ID, Quantity: going[m.ID]})
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

// tooFine refuses a number with more decimals than the ERP keeps, which it would round in silence.
func tooFine(field string, decimals int) *order.Error {
	return order.Invalid("invalid_request", field, "may have at most %d decimals", decimals)
}

// fulfil sends out what is planned and not delivered yet. What one delivery is refused does not keep the others: a Conflict
// says then that only a part of it was done.
func (s *Service) fulfil(ctx context.Context, a *attempt, o order.Order) error {
	var refused, failed error
	sent := 0
	for _, p := range a.in.Plan.Action.Deliveries {
		if deliveryOf(o, p.DeliveryID).State == order.DocumentDelivered {
			sent++
			continue
		}
		switch err := s.erp.Deliver(ctx, p); {
		case err == nil:
			sent++
		case outcome(err) == odoo.Rejected:
			refused = err
		default:
			failed = err
		}
	}
	var e *odoo.Error
	switch {
	case failed != nil && sent > 0:
		return odoo.Begun(failed)
	case failed != nil:
		return failed
	case refused != nil && sent > 0 && errors.As(refused, &e):
		return order.Errorf(order.Conflict, "partly_done",
			"Only a part went out: the ERP would not send the rest: %s Look at the order, and fulfil what is left with a new key.", e.Message).Because(refused)
	}
	return refused
}

// fulfilled reports whether the planned deliveries went out with what was planned. If somebody else sent them out otherwise, or
// cancelled them, there is nothing left to be done.
func (s *Service) fulfilled(ctx context.Context, a *attempt, o order.Order) (bool, error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	planned := map[int64]decimal.Decimal{}
	var ids []int64
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
			planned[m.MoveID] = m.Quantity
			if m.Quantity.IsPositive() {
				ids = append(ids, m.MoveID)
			}
		}
	}
	moves, err := s.erp.Moves(ctx, ids)
	if err != nil {
		return false, err
	}
	for _, m := range moves {
		if !m.Done.Equal(planned[m.ID]) {
			return false, order.Errorf(order.Conflict, "fulfilled_otherwise",
				"Somebody sent out the delivery %d in the ERP at the same time, with %s instead of %s of line %d. Look at the order, and fulfil what is left with a new key.",
				m.DeliveryID, m.Done, planned[m.ID], m.LineID)
		}
	}
	return true, nil
}

func deliveryOf(o order.Order, id int64) order.Delivery {
	for _, d := range o.Deliveries {
		if d.ID == id {
			return d
		}
	}
	return order.Delivery{}
}
