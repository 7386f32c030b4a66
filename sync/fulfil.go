package ordersync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"ordergate/odoo"
	"ordergate/order"
)

// planFulfilment decides which deliveries go out, and with how much of each of their moves.
func (s *Service) planFulfilment(ctx context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
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
	carrierID, err := s.carrierOf(ctx, wish)
	if err != nil {
		return order.ActionPlan{}, err
	}
	if len(moves) == 0 {
		return order.ActionPlan{}, nothingToDeliver()
	}
	// What is ready goes first, and then the oldest.
	slices.SortStableFunc(moves, func(x, y order.Move) int {
		return cmp.Or(cmp.Compare(readiness(x), readiness(y)), cmp.Compare(x.DeliveryID, y.DeliveryID), cmp.Compare(x.ID, y.ID))
	})
	going, err := divide(wish.Lines, moves, o)
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
			plan.Deliveries = append(plan.Deliveries, order.PlannedDelivery{
				DeliveryID: m.DeliveryID, Tracking: wish.Tracking, CarrierID: carrierID, Note: wish.Note})
		}
	}
	for _, m := range moves {
		if i, goes := position[m.DeliveryID]; goes {
			plan.Deliveries[i].Moves = append(plan.Deliveries[i].Moves, order.PlannedMove{MoveID: m.ID, Quantity: going[m.ID], Lots: lots[m.ID]})
		}
	}
	return plan, nil
}

// mostOffered is how many delivery methods a caller is told of who named one that there is not.
const mostOffered = 10

// carrierOf is the id of the delivery method that a fulfilment names, 0 if it names none. It refuses what the ERP's deliveries do not have.
func (s *Service) carrierOf(ctx context.Context, wish *order.Action) (int64, error) {
	if wish.Carrier == "" && wish.Tracking == "" {
		return 0, nil
	}
	known, err := s.erp.HasCarriers(ctx)
	switch {
	case err != nil:
		return 0, err
	case !known:
		return 0, order.Errorf(order.Unsupported, "carriers_missing",
			"The ERP's deliveries have no carrier and no tracking number. Install the application Delivery Costs (delivery; from 17 on stock_delivery) there, or leave carrier and tracking_number out.")
	case wish.Carrier == "":
		return 0, nil
	}
	carriers, err := s.erp.Carriers(ctx, wish.OrderID)
	if err != nil {
		return 0, err
	}
	found, known := order.FindCarrier(carriers, wish.Carrier)
	if !known {
		return 0, unknownCarrier(wish.Carrier, carriers)
	}
	return found.ID, nil
}

func unknownCarrier(name string, all []order.Carrier) *order.Error {
	offer := ""
	if len(all) > 0 && len(all) <= mostOffered {
		names := make([]string, len(all))
		for i, c := range all {
			names[i] = strconv.Quote(c.Name)
		}
		offer = " There are: " + strings.Join(names, ", ") + "."
	}
	return order.Invalid("unknown_carrier", "carrier", "No delivery method, or more than one, has the name %q.%s", name, offer)
}

// noteEntry is what the history says of the note of a fulfilment.
func (s *Service) noteEntry(a *attempt) order.HistoryEntry {
	ids := make([]int64, len(a.in.Plan.Action.Deliveries))
	for i, p := range a.in.Plan.Action.Deliveries {
		ids[i] = p.DeliveryID
	}
	e := order.Entry(a.in.ERPOrderID, order.HistoryShipmentNoted)
	e.WrittenBy, e.RecordedAt, e.Detail, e.Payload = a.in.Caller, s.now(), a.in.Action.Note, order.PayloadText(map[string]any{"delivery_ids": ids})
	return e
}

func readiness(m order.Move) int {
	if m.State == order.Ready {
		return 0
	}
	return 1
}

// divide shares the quantities of lines out among their open moves; without lines all of every move goes.
func divide(lines []order.ActionLine, moves []order.Move, o order.Order) (map[int64]decimal.Decimal, error) {
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
			if m.LineID == l.LineID && !countsAsLine(m, o) {
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

// countsAsLine reports whether a move counts what its line of the order counts.
func countsAsLine(m order.Move, o order.Order) bool {
	return slices.ContainsFunc(o.Lines, func(l order.Line) bool { return l.ERPLineID == m.LineID && m.CountsAs(l) })
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
		"The ERP has no deliveries. Install the application Inventory (stock) there.")
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

// isPartlySent reports whether one of the planned deliveries went out.
func isPartlySent(a *attempt, o order.Order) bool {
	return slices.ContainsFunc(a.in.Plan.Action.Deliveries, func(p order.PlannedDelivery) bool {
		return deliveryOf(o, p.DeliveryID).State == order.DocumentDelivered
	})
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
