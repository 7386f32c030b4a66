package ordersync

import (
	"context"

	"ordergate/order"
)

// History returns a page of the history of an order that the caller may see, oldest entry first.
func (s *Service) History(ctx context.Context, caller order.Caller, id int64, f order.HistoryFilter) ([]order.HistoryEntry, error) {
	if _, err := s.visibleOrder(ctx, caller, id); err != nil {
		return nil, err
	}
	entries, err := s.mirror.History(ctx, s.tenant.ID, id, f)
	if err != nil {
		return nil, databaseUnavailable(err)
	}
	return entries, nil
}

// HistoryStatus returns what the history of an order comes to that the caller may see.
func (s *Service) HistoryStatus(ctx context.Context, caller order.Caller, id int64) (order.HistoryStatus, error) {
	if _, err := s.visibleOrder(ctx, caller, id); err != nil {
		return order.HistoryStatus{}, err
	}
	status, err := s.mirror.HistoryStatus(ctx, s.tenant.ID, id)
	if err != nil {
		return order.HistoryStatus{}, databaseUnavailable(err)
	}
	return status, nil
}

// HistoryCounts counts the tenant's orders by the latest code of each module.
func (s *Service) HistoryCounts(ctx context.Context) (order.HistoryCounts, error) {
	counts, err := s.mirror.HistoryCounts(ctx, s.tenant.ID)
	if err != nil {
		return order.HistoryCounts{}, databaseUnavailable(err)
	}
	return counts, nil
}

// WriteHistory appends an entry of the caller's module to an order's history, once for each key of that module, and returns it as it
// was written. Replayed if an earlier call did. It asks the ERP only for an order that the mirror does not have. Errors: Forbidden, NotFound, Unprocessable
// for what is wrong with the entry or another entry of the key, Conflict if the order's history does not take it, Unavailable.
func (s *Service) WriteHistory(
	ctx context.Context, caller order.Caller, key string, e order.HistoryEntry,
) (written order.HistoryEntry, replayed bool, err error) {
	module := caller.WritesAs()
	if module == "" {
		return order.HistoryEntry{}, false, order.Errorf(order.Forbidden, "role_forbidden", "Keys of role %s may not write history entries.", caller.Role)
	}
	if err := order.ValidateKey(key); err != nil {
		return order.HistoryEntry{}, false, err
	}
	if err := order.CheckEntry(module, e); err != nil {
		return order.HistoryEntry{}, false, err
	}
	if _, err := s.visibleOrder(ctx, caller, e.OrderID); err != nil {
		return order.HistoryEntry{}, false, err
	}
	e.Key, e.WrittenBy = key, caller.Name
	written, replayed, err = s.mirror.WriteHistory(ctx, s.tenant.ID, e, func(block order.HistoryEntry) error {
		if caller.MayClose(block) {
			return nil
		}
		return order.Errorf(order.Forbidden, "block_forbidden", "Entry %d is of %s: only that module and operators may close it.", block.ID, block.Module())
	})
	if err != nil {
		return order.HistoryEntry{}, replayed, databaseUnavailable(err)
	}
	return written, replayed, nil
}

// requireUnblocked refuses what an open blocking entry of the order stands in the way of: Conflict, code order_blocked.
func (s *Service) requireUnblocked(ctx context.Context, id int64) error {
	blocks, err := s.mirror.OpenBlocks(ctx, s.tenant.ID, id)
	if err != nil {
		return databaseUnavailable(err)
	}
	return order.BlockedBy(id, blocks)
}
