package store

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"ordergate/order"
)

// WriteHistory appends an entry that a caller wrote, once for each key of the code's module, and returns it as it was written. Replayed if
// an earlier call did. Errors: NotFound, code order_not_found, if the mirror does not have the order; Unprocessable, codes
// idempotency_key_reused (the key's entry is another) and block_not_found (Closes names no blocking entry); Conflict, codes block_closed,
// history_full and too_many_blocks. MayClose decides, by its error, about the entry to be closed.
func (s *Store) WriteHistory(
	ctx context.Context, tenantID int64, e order.HistoryEntry, mayClose func(order.HistoryEntry) error,
) (written order.HistoryEntry, replayed bool, err error) {
	err = s.insertRace(ctx, "append", "history_entries", keyHistoryRequest, func(tx *gorm.DB) error {
		earlier, err := writtenWith(tx, tenantID, e.Module(), e.Key)
		if err != nil {
			return err
		}
		if earlier != nil {
			written, replayed = *earlier, true
			if !earlier.SameWish(e) {
				return order.Errorf(order.Unprocessable, "idempotency_key_reused",
					"The Idempotency-Key was used for another history entry. Use a new key for each.")
			}
			return nil
		}
		replayed = false
		history, err := s.appendToOne(tx, tenantID, e.OrderID)
		if err != nil {
			return err
		}
		if err := history.mayTake(e, mayClose); err != nil {
			return err
		}
		history.add(e.OrderID, e.WrittenBy, e)
		if err := history.write(); err != nil {
			return err
		}
		last, err := entriesIn(s.entriesOf(tx, tenantID, e.OrderID).Where("position = ?", history.heads[e.OrderID].Position))
		if err == nil {
			written = last[0]
		}
		return err
	})
	if err != nil {
		return order.HistoryEntry{}, replayed, err
	}
	return written, replayed, nil
}

// writtenWith returns the entry that a module wrote with a key; nil if none.
func writtenWith(db *gorm.DB, tenantID int64, module, key string) (*order.HistoryEntry, error) {
	var row entryRow
	err := db.Where("tenant_id = ? AND module = ? AND request_key = ?", tenantID, module, key).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := row.entry()
	return &e, nil
}

// mayTake says why an order's history does not take an entry that a caller wrote. A full one takes what opens its order's way, and nothing
// that bars it again.
func (a *appending) mayTake(e order.HistoryEntry, mayClose func(order.HistoryEntry) error) error {
	if a.heads[e.OrderID].Position >= order.MaxEntries && (e.Closes == 0 || e.Severity == order.Blocking) {
		return order.Errorf(order.Conflict, "history_full", "The order's history has %d entries and takes no more of modules.", order.MaxEntries)
	}
	if e.Closes != 0 {
		if err := a.mayBeClosed(e.OrderID, e.Closes, mayClose); err != nil {
			return err
		}
	}
	if e.Severity != order.Blocking {
		return nil
	}
	open, err := a.store.openBlocks(a.tx, a.tenantID, e.OrderID)
	if err != nil {
		return err
	}
	if len(open) >= order.MaxOpenBlocks {
		return order.Errorf(order.Conflict, "too_many_blocks", "The order is blocked by %d entries already.", len(open))
	}
	return nil
}

func (a *appending) mayBeClosed(erpOrderID, id int64, mayClose func(order.HistoryEntry) error) error {
	found, err := entriesIn(a.store.entriesOf(a.tx, a.tenantID, erpOrderID).Where("position = ? AND severity = ?", id, string(order.Blocking)))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return order.Invalid("block_not_found", "closes", "names no blocking entry of this order")
	}
	if err := mayClose(found[0]); err != nil {
		return err
	}
	if err := a.store.markClosed(a.tx, a.tenantID, erpOrderID, found); err != nil {
		return err
	}
	if !found[0].Open() {
		return order.Errorf(order.Conflict, "block_closed", "Entry %d was closed by entry %d.", id, found[0].ClosedBy)
	}
	return nil
}
