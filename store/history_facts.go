package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// KnownFacts returns what an order's history says. It is empty for an order without one.
func (s *Store) KnownFacts(ctx context.Context, tenantID, id int64) (order.Known, error) {
	var known order.Known
	err := s.read(ctx, "read", "history_entries", func(db *gorm.DB) error {
		var facts []string
		err := s.entriesOf(db, tenantID, id).Where("fact_key IS NOT NULL").Pluck("fact_key", &facts).Error
		known = order.Known{}
		for _, fact := range facts {
			known.Learn(fact)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return known, nil
}

// TellHistory appends to an order's history what news makes of what it says. The order's row is locked meanwhile, so that a fact is told
// once, whoever else sees it. Error: NotFound, code order_not_found, if the mirror does not have the order.
func (s *Store) TellHistory(ctx context.Context, tenantID, id int64, writtenBy string, news func(order.Known) []order.HistoryEntry) error {
	return s.transaction(ctx, "append", "history_entries", func(tx *gorm.DB) error {
		var row orderRow
		err := s.forUpdate(tx).Select("id", "ordered_at").Where("tenant_id = ? AND erp_order_id = ?", tenantID, id).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errOrderNotFound()
		}
		if err != nil {
			return err
		}
		history, err := s.appendTo(tx, tenantID, s.now(), map[int64]time.Time{id: row.OrderedAt})
		if err != nil {
			return err
		}
		history.add(id, writtenBy, news(history.known[id])...)
		return history.write()
	})
}
