package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// EndAttempts writes down how attempts ended that placed nothing, in one transaction, and gives the leases back. It returns
// the ids of the intents that token held, by rising id: nothing was written of the others.
func (s *Store) EndAttempts(ctx context.Context, tenantID int64, token string, ends []End) ([]int64, error) {
	ids := make([]int64, len(ends))
	changes := make(map[int64]map[string]any, len(ends))
	for i, end := range ends {
		changed, err := end.changes(s.now())
		if err != nil {
			return nil, classify("end", "intents", err, beforeCommit)
		}
		ids[i], changes[end.IntentID] = end.IntentID, changed
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var held []int64
	err := s.transaction(ctx, "end", "intents", func(tx *gorm.DB) error {
		held = nil
		if err := s.heldBy(tx, tenantID, token, ids, order.Sending).Pluck("id", &held).Error; err != nil {
			return err
		}
		for _, id := range held {
			err := tx.Model(&intentRow{}).Where("id = ? AND tenant_id = ?", id, tenantID).Updates(changes[id]).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}

func (e End) changes(now time.Time) (map[string]any, error) {
	open := []order.IntentState{order.Sending, order.Queued, order.Parked}
	final := []order.IntentState{order.Rejected, order.Refused, order.CalledOff}
	if !slices.Contains(open, e.State) && !slices.Contains(final, e.State) {
		return nil, fmt.Errorf("an attempt cannot end as %q", e.State)
	}
	failure, err := encodeFailure(e.Failure)
	if err != nil {
		return nil, err
	}
	changes := free(now)
	if e.State.Final() {
		changes["busy_order_id"] = nil
	}
	changes["state"] = string(e.State)
	if e.State == order.Sending {
		changes["next_attempt_at"] = nullTime(e.NextAttemptAt)
	}
	if e.Acknowledged {
		changes["acknowledged"] = true
	}
	if !e.UnknownAt.IsZero() {
		changes["unknown_at"] = nullTime(e.UnknownAt)
	}
	if e.Strike {
		changes["strikes"] = gorm.Expr("strikes + 1")
	}
	if e.ERPOrderID != 0 {
		changes["erp_order_id"] = e.ERPOrderID
	}
	if failure.Valid {
		changes["failure"] = failure
	}
	return changes, nil
}

// free is what changes of an intent that nobody carries any more and that is not to be tried again.
func free(now time.Time) map[string]any {
	return map[string]any{"lease_token": "", "lease_until": nil, "next_attempt_at": nil, "updated_at": now}
}

// CloseQueued ends a queued intent as Refused if token holds it. False if it does not any more.
func (s *Store) CloseQueued(ctx context.Context, tenantID, id int64, token string, failure *order.Error) (bool, error) {
	return s.endWaiting(ctx, "close", tenantID, id, order.Refused, failure, func(q *gorm.DB) *gorm.DB {
		return q.Where("state = ?", string(order.Queued)).Scopes(fence(token))
	})
}

// CancelWaiting ends an intent in Queued, whoever holds it, or in Refused, as CalledOff with the failure that its key is
// answered with from then on. False if it is in another state.
func (s *Store) CancelWaiting(ctx context.Context, tenantID, id int64, failure *order.Error) (bool, error) {
	return s.endWaiting(ctx, "cancel", tenantID, id, order.CalledOff, failure, func(q *gorm.DB) *gorm.DB {
		return q.Where("state IN ?", stateNames(order.Queued, order.Refused))
	})
}

func (s *Store) endWaiting(
	ctx context.Context, operation string, tenantID, id int64, state order.IntentState, failure *order.Error,
	where func(*gorm.DB) *gorm.DB,
) (bool, error) {
	encoded, err := encodeFailure(failure)
	if err != nil {
		return false, classify(operation, "intents", err, beforeCommit)
	}
	changes := free(s.now())
	changes["state"], changes["failure"], changes["busy_order_id"] = string(state), encoded, nil
	return s.changeIntent(ctx, operation, tenantID, id, changes, where)
}

// RequestCancel notes on an intent in Sending or Parked, which nobody carries, that it was called off at a time, if nobody
// noted that before, and makes it due at once, in Sending. A lease that was left behind is taken away, so that whoever comes
// back to it cannot close the intent without knowing of this; what it held is in doubt from erpNow on. False if it is in
// another state, or somebody carries it, or, where erpNow is zero because it is not known, a lease was left behind.
func (s *Store) RequestCancel(ctx context.Context, tenantID, id int64, at, erpNow time.Time) (bool, error) {
	requested, dated := false, cmp.Or(erpNow, at)
	err := s.transaction(ctx, "cancel", "intents", func(tx *gorm.DB) error {
		// MySQL assigns from left to right, and later expressions see the new values: lease_token and state come last.
		update := tx.Exec(`
			UPDATE intents`+s.forceIndex(keyPrimary)+` SET
				unknown_at = CASE WHEN lease_token <> '' AND (unknown_at IS NULL OR unknown_at < ?) THEN ? ELSE unknown_at END,
				cancel_requested_at = COALESCE(cancel_requested_at, ?),
				next_attempt_at = ?,
				updated_at = ?,
				lease_until = NULL,
				lease_token = '',
				state = ?
			WHERE tenant_id = ? AND id = ? AND state IN ? AND ? AND (lease_token = '' OR ?)`,
			timestamp(dated), timestamp(dated), timestamp(at), timestamp(at), s.now(), string(order.Sending),
			tenantID, id, stateNames(order.Sending, order.Parked), uncarried(at), !erpNow.IsZero())
		requested = update.RowsAffected > 0
		return update.Error
	})
	if err != nil {
		return false, err
	}
	return requested, nil
}

// RetryIntent makes an intent in Parked or Sending due at once, in Sending, its strikes forgotten. False if it is in
// another state.
func (s *Store) RetryIntent(ctx context.Context, tenantID, id int64, at time.Time) (bool, error) {
	return s.changeIntent(ctx, "retry", tenantID, id, map[string]any{
		"state":           string(order.Sending),
		"strikes":         0,
		"next_attempt_at": nullTime(at),
		"updated_at":      s.now(),
	}, func(q *gorm.DB) *gorm.DB { return q.Where("state IN ?", stateNames(order.Sending, order.Parked)) })
}

// changeIntent changes one intent, and reports whether it was there in the state that where asks for.
func (s *Store) changeIntent(
	ctx context.Context, operation string, tenantID, id int64, changes map[string]any, where func(*gorm.DB) *gorm.DB,
) (bool, error) {
	changed := false
	err := s.transaction(ctx, operation, "intents", func(tx *gorm.DB) error {
		update := where(tx.Model(&intentRow{}).Where("id = ? AND tenant_id = ?", id, tenantID)).Updates(changes)
		changed = update.RowsAffected > 0
		return update.Error
	})
	if err != nil {
		return false, err
	}
	return changed, nil
}

// SavePlans stores the plans of intents, by id, that had none, or the same without a look at the stock, and returns the ids of those that
// now have the plan, by rising id: token did not hold the others, or they had another plan.
func (s *Store) SavePlans(
	ctx context.Context, tenantID int64, token string, plans map[int64]order.Plan,
) ([]int64, error) {
	encoded := make(map[int64]string, len(plans))
	unchecked := make(map[int64]string, len(plans))
	ids := make([]int64, 0, len(plans))
	for id, plan := range plans {
		text, err := encodePlan(plan)
		if err != nil {
			return nil, classify("plan", "intents", err, beforeCommit)
		}
		encoded[id] = text
		plan.Stock = nil
		if unchecked[id], err = encodePlan(plan); err != nil {
			return nil, classify("plan", "intents", err, beforeCommit)
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var saved []int64
	err := s.transaction(ctx, "plan", "intents", func(tx *gorm.DB) error {
		saved = nil
		var rows []intentRow
		err := s.heldBy(tx, tenantID, token, ids, order.Queued, order.Sending).Select("id", "plan").Find(&rows).Error
		if err != nil {
			return err
		}
		for _, row := range rows {
			standing, err := decodePlan(row)
			if err != nil {
				return err
			}
			if !standing.Resolved() || row.Plan == encoded[row.ID] || row.Plan == unchecked[row.ID] {
				saved = append(saved, row.ID)
			}
		}
		if len(saved) == 0 {
			return nil
		}
		return tx.Model(&intentRow{}).Where("tenant_id = ? AND id IN ?", tenantID, saved).Updates(map[string]any{
			"plan":       byID(saved, func(id int64) string { return encoded[id] }),
			"updated_at": s.now(),
		}).Error
	})
	if err != nil {
		return nil, err
	}
	return saved, nil
}

// PurgeIntents deletes up to limit intents that ended before a time: Placed, Performed, Rejected, Refused, CalledOff. It returns how
// many those were. Those in Adopted stay: nothing in the ERP tells of their keys.
func (s *Store) PurgeIntents(ctx context.Context, tenantID int64, before time.Time, limit int) (int, error) {
	var purged int64
	err := s.transaction(ctx, "purge", "intents", func(tx *gorm.DB) error {
		purged = 0
		for _, state := range order.IntentStates {
			if !state.Final() || state == order.Adopted || purged >= int64(limit) {
				continue
			}
			ended := func(q *gorm.DB) *gorm.DB {
				return q.Where("tenant_id = ? AND state = ? AND updated_at < ?", tenantID, string(state), timestamp(before))
			}
			// What ended before a time was created before it: the index is by creation.
			var ids []int64
			err := tx.Table("intents"+s.forceIndex(indexIntentState)).Scopes(ended).
				Where("created_at < ?", timestamp(before)).
				Order("created_at").Limit(limit-int(purged)).Pluck("id", &ids).Error
			if err != nil {
				return err
			}
			for chunk := range slices.Chunk(ids, lookupIDs) {
				deletion := tx.Scopes(ended).Where("id IN ?", chunk).Delete(&intentRow{})
				if deletion.Error != nil {
					return deletion.Error
				}
				purged += deletion.RowsAffected
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(purged), nil
}
