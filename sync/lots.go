package ordersync

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// chooseLots finds the lots that lines name, and shares them out over the moves that go, by move. Where a product is tracked, the
// caller says which of its goods went.
func (s *Service) chooseLots(
	ctx context.Context, lines []order.ActionLine, moves []order.Move, going map[int64]decimal.Decimal,
) (map[int64][]order.MovedLot, error) {
	named := map[int64]int{}
	for i, l := range lines {
		named[l.LineID] = i
	}
	of := map[int][]order.Move{} // the tracked moves that go, by the line that names their lots
	for _, m := range moves {
		i, known := named[m.LineID]
		switch {
		case !going[m.ID].IsPositive():
		case m.Tracked && !known:
			return nil, lotsRequired("lines", m.LineID)
		case m.Tracked && len(lines[i].Lots) == 0:
			return nil, lotsRequired(fmt.Sprintf("lines[%d].lots", i), m.LineID)
		case m.Tracked && !m.OwnUnit:
			return nil, order.Invalid("unit_differs", fmt.Sprintf("lines[%d].lots", i),
				"Line %d is delivered in another unit than its lots are counted in. Send it out in the ERP.", m.LineID)
		case m.Tracked:
			of[i] = append(of[i], m)
		case known && len(lines[i].Lots) > 0:
			return nil, order.Invalid("invalid_request", fmt.Sprintf("lines[%d].lots", i), "the product of line %d is not tracked by lots or serial numbers", m.LineID)
		}
	}
	chosen := map[int64][]order.MovedLot{}
	for i := range lines {
		if len(of[i]) == 0 {
			continue
		}
		lots, err := s.findLots(ctx, i, lines[i].Lots, of[i])
		if err != nil {
			return nil, err
		}
		for _, m := range of[i] {
			chosen[m.ID], lots = takeLots(going[m.ID], lots)
		}
	}
	return chosen, nil
}

// findLots are the lots that line i names, with the quantities that it wants.
func (s *Service) findLots(ctx context.Context, i int, wanted []order.ActionLot, moves []order.Move) ([]order.MovedLot, error) {
	names := make([]string, len(wanted))
	for j, w := range wanted {
		names[j] = w.Lot
	}
	known, err := s.erp.Lots(ctx, moves, names)
	if err != nil {
		return nil, err
	}
	best := map[string]order.Lot{} // each company may have one of a name: it is the one that is in stock
	for _, l := range known {
		if other, twice := best[l.Name]; !twice || l.Free.GreaterThan(other.Free) {
			best[l.Name] = l
		}
	}
	lots := make([]order.MovedLot, len(wanted))
	for j, w := range wanted {
		l, exists := best[w.Lot]
		switch {
		case !exists:
			return nil, order.Invalid("unknown_lot", fmt.Sprintf("lines[%d].lots[%d].lot", i, j), "The product of the line has no lot or serial number %q.", w.Lot)
		case w.Quantity.GreaterThan(l.Free):
			return nil, order.Invalid("lot_unavailable", fmt.Sprintf("lines[%d].lots[%d].quantity", i, j),
				"Of the lot %q only %s can go out: the rest is not in stock, or reserved for other orders.", w.Lot, l.Free)
		}
		lots[j] = order.MovedLot{LotID: l.ID, Quantity: w.Quantity}
	}
	return lots, nil
}

// takeLots takes a quantity from the first of some lots, and returns what is left of them.
func takeLots(quantity decimal.Decimal, lots []order.MovedLot) (taken, left []order.MovedLot) {
	for _, l := range lots {
		part := decimal.Min(quantity, l.Quantity)
		quantity = quantity.Sub(part)
		if part.IsPositive() {
			taken = append(taken, order.MovedLot{LotID: l.LotID, Quantity: part})
		}
		if rest := l.Quantity.Sub(part); rest.IsPositive() {
			left = append(left, order.MovedLot{LotID: l.LotID, Quantity: rest})
		}
	}
	return taken, left
}

// sameLots reports whether two lists come to the same quantity of each lot.
func sameLots(x, y []order.MovedLot) bool {
	sum := map[int64]decimal.Decimal{}
	for _, l := range x {
		sum[l.LotID] = sum[l.LotID].Add(l.Quantity)
	}
	for _, l := range y {
		sum[l.LotID] = sum[l.LotID].Sub(l.Quantity)
	}
	for _, difference := range sum {
		if !difference.IsZero() {
			return false
		}
	}
	return true
}

// namesLots reports whether lots go with a delivery. Where Odoo had not reserved them that makes lines of the move, which a call that is
// still running and another one would both make.
func namesLots(plan *order.ActionPlan) bool {
	return slices.ContainsFunc(plan.Deliveries, func(d order.PlannedDelivery) bool {
		return slices.ContainsFunc(d.Moves, func(m order.PlannedMove) bool { return len(m.Lots) > 0 })
	})
}

func lotsRequired(field string, lineID int64) *order.Error {
	return order.Invalid("lots_required", field, "The product of line %d is tracked by lots or serial numbers: name those that go.", lineID)
}
