package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// ListIntents returns a page of intents, the newest first. Limit 0 means order.DefaultPageSize. One that cannot be read in
// full is listed all the same, with a failure that says so.
func (s *Store) ListIntents(ctx context.Context, tenantID int64, f order.IntentFilter) ([]order.Intent, error) {
	var intents []order.Intent
	err := s.read(ctx, "list", "intents", func(db *gorm.DB) error {
		ids, err := s.intentPage(db, tenantID, f)
		if err != nil {
			return err
		}
		var rows []intentRow
		if len(ids) > 0 {
			err = db.Where("tenant_id = ? AND id IN ?", tenantID, ids).Order("created_at DESC, id DESC").Find(&rows).Error
			if err != nil {
				return err
			}
		}
		intents = make([]order.Intent, len(rows))
		for i, row := range rows {
			intents[i], err = row.intent()
			if err != nil {
				intents[i].Failure = order.Errorf(order.Internal, "unreadable", "This version cannot read what is stored of the request.").Because(err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return intents, nil
}

// intentPage returns the ids of a page. It asks for each state on its own: an index has the intents of one state in the
// order of the page, but not those of several.
func (s *Store) intentPage(db *gorm.DB, tenantID int64, f order.IntentFilter) ([]int64, error) {
	before, err := s.intentPosition(db, tenantID, f.BeforeID)
	if err != nil || f.BeforeID != 0 && before.id == 0 {
		return nil, err
	}
	limit := cmp.Or(f.Limit, order.DefaultPageSize)
	states := f.States
	if len(states) == 0 {
		states = order.IntentStates
	}
	var parts []string
	var values []any
	for _, state := range slices.Compact(slices.Sorted(slices.Values(states))) {
		if f.InDoubt && state != order.Sending && state != order.Parked {
			continue
		}
		parts = append(parts, "SELECT * FROM (?) AS "+string(rune('a'+len(parts))))
		values = append(values, s.intentsIn(db, tenantID, state, f, before).Limit(limit))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	var ids []int64
	err = db.Raw("SELECT id FROM ("+strings.Join(parts, " UNION ALL ")+") AS page ORDER BY created_at DESC, id DESC LIMIT ?",
		append(values, limit)...).Scan(&ids).Error
	return ids, err
}

// intentsIn selects the intents in one state that a filter selects, the newest first.
func (s *Store) intentsIn(
	db *gorm.DB, tenantID int64, state order.IntentState, f order.IntentFilter, before intentPosition,
) *gorm.DB {
	index := indexIntentState
	if f.Source != "" {
		index = indexIntentSource
	}
	q := db.Table("intents"+s.forceIndex(index)).Select("id, created_at").
		Where("tenant_id = ? AND state = ?", tenantID, string(state))
	if f.Source != "" {
		q = q.Where("source = ?", f.Source)
	}
	if f.InDoubt && state == order.Sending {
		q = q.Where("unknown_at IS NOT NULL")
	}
	if !f.From.IsZero() {
		q = q.Where("created_at >= ?", timestamp(f.From))
	}
	if !f.To.IsZero() {
		q = q.Where("created_at < ?", timestamp(f.To))
	}
	if before.id != 0 {
		q = q.Where("created_at <= ? AND (created_at < ? OR id < ?)", before.createdAt, before.createdAt, before.id)
	}
	return q.Order("created_at DESC, id DESC")
}

// intentPosition is where a page begins: behind it. The zero value is before all.
type intentPosition struct {
	createdAt time.Time
	id        int64
}

// intentPosition finds where the page after an intent begins. If the intent was purged in the meantime, the one that was
// stored before it stands in; the zero position if there is none.
func (s *Store) intentPosition(db *gorm.DB, tenantID, id int64) (intentPosition, error) {
	if id == 0 {
		return intentPosition{}, nil
	}
	var rows []intentRow
	err := db.Table("intents"+s.forceIndex(keyPrimary)).Select("id", "created_at").
		Where("tenant_id = ? AND id <= ?", tenantID, id).Order("id DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return intentPosition{}, err
	}
	position := intentPosition{createdAt: rows[0].CreatedAt, id: rows[0].ID}
	if position.id != id {
		position.id++ // itself belongs to the page
	}
	return position, nil
}
