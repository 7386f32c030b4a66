package store

import (
	"context"

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
		history, err := s.appendToOne(tx, tenantID, id)
		if err != nil {
			return err
		}
		history.add(id, writtenBy, news(history.known[id])...)
		return history.write()
	})
}
