package ordersync

import (
	"context"
	"slices"

	"ordergate/order"
)

// planAssignment finds the warehouse that is meant, and notes the one that the order has.
func (s *Service) planAssignment(ctx context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
	warehouses, err := s.warehouses(ctx)
	if err != nil {
		return order.ActionPlan{}, err
	}
	found, known := order.FindWarehouse(warehouses, a.in.Action.Warehouse)
	if !known {
		return order.ActionPlan{}, unknownWarehouse(a.in.Action.Warehouse)
	}
	return order.ActionPlan{WarehouseID: found.ID, WarehouseWas: o.Warehouse}, nil
}

// assign sets the order's warehouse, unless there are deliveries: those the ERP leaves where they are, so that order and goods would part.
// It looks before every attempt, since somebody may have confirmed the order meanwhile.
func (s *Service) assign(ctx context.Context, a *attempt, o order.Order) error {
	if slices.ContainsFunc(o.Deliveries, func(d order.Delivery) bool { return d.State != order.DocumentCancelled }) {
		return order.Errorf(order.Conflict, "deliveries_exist",
			"Order %s has deliveries from its warehouse, and the ERP does not move them to another. Cancel the order, and place it again for the other warehouse.", o.Number)
	}
	return s.erp.AssignWarehouse(ctx, o.ID, a.in.Plan.Action.WarehouseID)
}

// assigned reports whether the order has the warehouse. One that it did not have before either, somebody else gave it since.
func (s *Service) assigned(_ context.Context, a *attempt, o order.Order) (bool, error) {
	plan := a.in.Plan.Action
	if plan == nil {
		return false, nil
	}
	if o.Warehouse == plan.WarehouseID || o.Warehouse == plan.WarehouseWas {
		return o.Warehouse == plan.WarehouseID, nil
	}
	return false, order.Errorf(order.Conflict, "assigned_otherwise",
		"Somebody assigned order %s to another warehouse in the ERP meanwhile. Look at the order, and assign it with a new key.", o.Number)
}

// planReservation notes the open transfers of the order's goods.
func (s *Service) planReservation(ctx context.Context, a *attempt, _ order.Order) (order.ActionPlan, error) {
	found, err := s.allocations(ctx, a.in.Action.OrderID)
	if err != nil {
		return order.ActionPlan{}, err
	}
	if len(found.Transfers) == 0 {
		return order.ActionPlan{}, nothingToDeliver()
	}
	return order.ActionPlan{Transfers: found.Transfers}, nil
}

func nothingToDeliver() *order.Error {
	return order.Errorf(order.Conflict, "nothing_to_fulfil", "Nothing is left to be delivered of this order.")
}

func (s *Service) reserve(ctx context.Context, a *attempt, _ order.Order) error {
	return s.erp.Reserve(ctx, a.in.Plan.Action.Transfers)
}

// reserved reports whether everything is reserved, or the ERP was asked, answered, and could reserve no more: that shows in no state of the
// order. Asked again it does no harm.
func (s *Service) reserved(ctx context.Context, a *attempt, o order.Order) (done bool, err error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	if a.allocations, err = s.allocations(ctx, o.ID); err != nil {
		return false, err
	}
	if len(a.allocations.Transfers) == 0 { // somebody cancelled it, or sent it out
		return false, nothingToDeliver()
	}
	return a.answered || len(a.allocations.Shortages()) == 0, nil
}

func (s *Service) release(ctx context.Context, a *attempt, _ order.Order) error {
	return s.erp.Release(ctx, a.in.Plan.Action.Transfers)
}

func (s *Service) released(ctx context.Context, a *attempt, o order.Order) (bool, error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	found, err := s.allocations(ctx, o.ID)
	switch {
	case err != nil:
		return false, err
	case found.Reserved() && a.answered:
		return false, order.Errorf(order.Conflict, "still_reserved",
			"Something stays reserved for the order: it is picked already, or was reserved again at the same time. Look at the allocations.")
	}
	return !found.Reserved(), nil
}

// stockEntries are what the history says of an action on the order's goods; nil for any other.
func (s *Service) stockEntries(a *attempt) []order.HistoryEntry {
	var e order.HistoryEntry
	switch a.in.Action.Kind {
	case order.Assign:
		e = order.Entry(a.in.ERPOrderID, order.HistoryAssigned)
		e.Payload = order.PayloadText(map[string]any{"warehouse_id": a.in.Plan.Action.WarehouseID})
	case order.Release:
		e = order.Entry(a.in.ERPOrderID, order.HistoryReleased)
	case order.Reserve:
		if short := a.shortages(); len(short) > 0 {
			return []order.HistoryEntry{s.shortEntry(a, short)}
		}
		e = order.Entry(a.in.ERPOrderID, order.HistoryReserved)
	default:
		return nil
	}
	e.WrittenBy, e.RecordedAt = a.in.Caller, s.now()
	return []order.HistoryEntry{e}
}

func (s *Service) shortEntry(a *attempt, short []order.Shortage) order.HistoryEntry {
	e := order.ShortEntry(a.in.ERPOrderID, short)
	e.WrittenBy, e.RecordedAt = a.in.Caller, s.now()
	return e
}

// shortages are what the answer of an attempt says is lacking.
func (a *attempt) shortages() []order.Shortage {
	switch {
	case a.in.Action != nil && a.in.Action.Kind == order.Reserve:
		return a.allocations.Shortages()
	case a.in.Plan.Stock != nil:
		return a.in.Plan.Stock.Short
	}
	return nil
}
