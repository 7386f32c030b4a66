package ordersync

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// planReturn decides what comes back of which delivery: of what went out first, first.
func (s *Service) planReturn(ctx context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
	wish := a.in.Action
	if err := s.notTooFine(ctx, wish.Lines); err != nil {
		return order.ActionPlan{}, err
	}
	sent, known, err := s.erp.SentMoves(ctx, o.ID)
	if err != nil {
		return order.ActionPlan{}, err
	}
	if !known {
		return order.ActionPlan{}, stockMissing()
	}
	a.sent = sent
	left, nothing := map[int64]decimal.Decimal{}, true
	for _, m := range sent {
		left[m.ID] = decimal.Max(decimal.Zero, m.Done.Sub(m.Returned))
		nothing = nothing && left[m.ID].IsZero()
	}
	if nothing {
		return order.ActionPlan{}, order.Errorf(order.Conflict, "nothing_to_return",
			"Nothing of this order is with the customer: it was not delivered yet, or came back, or is to.")
	}
	back, err := divideReturn(wish.Lines, sent, left, o)
	if err != nil {
		return order.ActionPlan{}, err
	}
	var plan order.ActionPlan
	for _, m := range sent {
		if !back[m.ID].IsPositive() {
			continue
		}
		i := slices.IndexFunc(plan.Returns, func(p order.PlannedReturn) bool { return p.DeliveryID == m.DeliveryID })
		if i < 0 {
			i, plan.Returns = len(plan.Returns), append(plan.Returns, order.PlannedReturn{DeliveryID: m.DeliveryID})
		}
		plan.Returns[i].Moves = append(plan.Returns[i].Moves, order.PlannedReturnMove{
			MoveID: m.ID, LineID: m.LineID, Quantity: back[m.ID], Asked: m.Asked,
			ProductID: m.ProductID, OwnQuantity: m.InOwnUnit(back[m.ID])})
	}
	return plan, nil
}

// divideReturn shares the quantities of lines out over what can come back of their moves; without lines all of it does.
func divideReturn(lines []order.ActionLine, sent []order.SentMove, left map[int64]decimal.Decimal, o order.Order) (map[int64]decimal.Decimal, error) {
	if len(lines) == 0 {
		return left, nil
	}
	back := map[int64]decimal.Decimal{}
	for i, l := range lines {
		wanted, all, delivered := l.Quantity, decimal.Zero, false
		for _, m := range sent {
			if m.LineID != l.LineID {
				continue
			}
			if !countsAsLine(m.Move, o) {
				return nil, order.Invalid("unit_differs", fmt.Sprintf("lines[%d].erp_line_id", i),
					"Line %d is delivered in another unit than it is sold in, or in parts. Leave lines out to return all of it, or return it in the ERP.", l.LineID)
			}
			back[m.ID] = decimal.Min(wanted, left[m.ID])
			wanted, all, delivered = wanted.Sub(back[m.ID]), all.Add(left[m.ID]), true
		}
		switch {
		case !delivered:
			return nil, order.Invalid("unknown_line", fmt.Sprintf("lines[%d].erp_line_id", i), "Nothing was delivered of a line %d.", l.LineID)
		case wanted.IsPositive():
			return nil, order.Invalid("more_than_delivered", fmt.Sprintf("lines[%d].quantity", i),
				"Of line %d only %s were delivered and are not coming back already.", l.LineID, all)
		}
	}
	return back, nil
}

// giveBack makes the returns that are planned and not there yet.
func (s *Service) giveBack(ctx context.Context, a *attempt, _ order.Order) error {
	return eachPart(a.in.Plan.Action.Returns, func(p order.PlannedReturn) error {
		if isAsked(p, a.sent) {
			return nil
		}
		return s.erp.Return(ctx, p)
	})
}

// returned reports whether all that was planned is asked back, whatever became of that since. A return of the same goods that
// somebody made in that moment is the one that was asked for.
func (s *Service) returned(ctx context.Context, a *attempt, o order.Order) (bool, error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	sent, _, err := s.erp.SentMoves(ctx, o.ID)
	if err != nil {
		return false, err
	}
	a.sent = sent
	for _, p := range a.in.Plan.Action.Returns {
		if isAsked(p, sent) {
			continue
		}
		for _, planned := range p.Moves {
			if m := sentMove(sent, planned.MoveID); m.Returned.Add(planned.Quantity).GreaterThan(m.Done) {
				return false, order.Errorf(order.Conflict, "returned_otherwise",
					"Somebody made another return of line %d in the ERP at the same time. Look at the order, and return what is left with a new key.", planned.LineID)
			}
		}
		return false, nil
	}
	return true, nil
}

// isAsked reports whether so much more than before is to come back, or was, of every move.
func isAsked(p order.PlannedReturn, sent []order.SentMove) bool {
	return !slices.ContainsFunc(p.Moves, func(planned order.PlannedReturnMove) bool {
		return sentMove(sent, planned.MoveID).Asked.LessThan(planned.Asked.Add(planned.Quantity))
	})
}

func sentMove(sent []order.SentMove, id int64) order.SentMove {
	for _, m := range sent {
		if m.ID == id {
			return m
		}
	}
	return order.SentMove{}
}

// planReceipt decides that all of a return is received.
func (s *Service) planReceipt(ctx context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
	id := a.in.Action.ReturnID
	d := deliveryOf(o, id)
	switch {
	case d.Kind != order.DeliveryReturn && !a.before.AllDeliveries:
		return order.ActionPlan{}, s.deliveriesUnseen(ctx, o, id)
	case d.Kind != order.DeliveryReturn:
		return order.ActionPlan{}, returnNotFound(o, id)
	case d.State == order.DocumentCancelled:
		return order.ActionPlan{}, returnCancelled(d)
	}
	moves, err := s.erp.DeliveryMoves(ctx, id)
	if err != nil {
		return order.ActionPlan{}, err
	}
	lots, err := s.lotsBack(ctx, moves)
	if err != nil {
		return order.ActionPlan{}, err
	}
	plan := order.PlannedDelivery{DeliveryID: id}
	for _, m := range moves {
		plan.Moves = append(plan.Moves, order.PlannedMove{MoveID: m.ID, Quantity: m.Quantity, Lots: lots[m.ID]})
	}
	return order.ActionPlan{Deliveries: []order.PlannedDelivery{plan}}, nil
}

// deliveriesUnseen says why an order that is read without its deliveries has no such return.
func (s *Service) deliveriesUnseen(ctx context.Context, o order.Order, returnID int64) error {
	_, known, err := s.erp.OpenMoves(ctx, o.ID)
	switch {
	case err != nil:
		return err
	case !known:
		return stockMissing()
	}
	return returnNotFound(o, returnID)
}

func returnNotFound(o order.Order, id int64) *order.Error {
	return order.Errorf(order.NotFound, "return_not_found", "Order %s has no return %d.", o.Number, id)
}

// lotsBack are the lots that come back with moves, by move, where the ERP does not propose them: those that went out, if all of them
// come back.
func (s *Service) lotsBack(ctx context.Context, moves []order.Move) (map[int64][]order.MovedLot, error) {
	var ids []int64
	for _, m := range moves {
		if m.Tracked {
			ids = append(ids, m.ID, m.ReturnOf)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := s.erp.MovedLots(ctx, ids)
	if err != nil {
		return nil, err
	}
	back := map[int64][]order.MovedLot{}
	for _, m := range moves {
		if !m.Tracked || isNamed(m, known[m.ID]) {
			continue
		}
		if !m.OwnUnit || !isNamed(m, known[m.ReturnOf]) {
			return nil, order.Errorf(order.Unprocessable, "lots_required",
				"Which lots or serial numbers of line %d came back only a person can say: receive the return in the ERP.", m.LineID)
		}
		back[m.ID] = known[m.ReturnOf]
	}
	return back, nil
}

// isNamed reports whether lots are all of a move's goods.
func isNamed(m order.Move, lots []order.MovedLot) bool {
	sum := decimal.Zero
	for _, l := range lots {
		if l.LotID == 0 {
			return false
		}
		sum = sum.Add(l.Quantity)
	}
	return sum.Equal(m.Quantity)
}

// received reports whether the return was received, by whomever.
func received(_ context.Context, a *attempt, o order.Order) (bool, error) {
	d := deliveryOf(o, a.in.Action.ReturnID)
	if a.in.Plan.Action != nil && d.State == order.DocumentCancelled {
		return false, returnCancelled(d)
	}
	return d.Kind == order.DeliveryReturn && d.State == order.DocumentDelivered, nil
}

func returnCancelled(d order.Delivery) *order.Error {
	return order.Errorf(order.Conflict, "return_cancelled", "The return %s is cancelled in the ERP. Make another one.", d.Number)
}
