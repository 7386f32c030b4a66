package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// InsertIntent stores a new intent in state Sending with its lease, and sets its ID, State, CreatedAt and UpdatedAt.
// ErrExists if the key (tenant, source, key) is taken. After ErrUnknown, Intent tells whether it was stored.
func (s *Store) InsertIntent(ctx context.Context, in *order.Intent) error {
	stored := *in
	stored.State = order.Sending
	stored.UpdatedAt = s.now()
	if stored.CreatedAt.IsZero() {
		stored.CreatedAt = stored.UpdatedAt
	}
	stored.CreatedAt = timestamp(stored.CreatedAt)
	row, err := newIntentRow(&stored)
	if err != nil {
		return classify("insert", "intents", err, beforeCommit)
	}
	err = s.transaction(ctx, "insert", "intents", func(tx *gorm.DB) error {
		row.ID = 0
		return tx.Create(&row).Error
	})
	if err != nil {
		return err
	}
	stored.ID = row.ID
	*in = stored
	return nil
}

// Intent returns the intent with a key. NotFound, code intent_not_found, if there is none.
func (s *Store) Intent(ctx context.Context, tenantID int64, source, key string) (order.Intent, error) {
	var in order.Intent
	err := s.read(ctx, "read", "intents", func(db *gorm.DB) error {
		var row intentRow
		err := db.Where("tenant_id = ? AND source = ? AND idempotency_key = ?", tenantID, source, key).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return order.Errorf(order.NotFound, "intent_not_found", "There is no order request with this key.")
		}
		if err != nil {
			return err
		}
		in, err = row.intent()
		return err
	})
	return in, err
}

// ClaimIntent takes the lease of an intent that nobody carries: one in Sending whose lease is free or over, or one in
// Refused, which begins anew. It counts an attempt. A token that was left behind means that a process died while the
// ERP may have been at work: UnknownAt becomes lease.Now. False if the intent cannot be claimed.
func (s *Store) ClaimIntent(
	ctx context.Context, tenantID, id int64, lease Lease,
) (order.Intent, bool, error) {
	var in order.Intent
	claimed := false
	err := s.transaction(ctx, "claim", "intents", func(tx *gorm.DB) error {
		claimed = false
		// MySQL assigns from left to right, and later expressions see the new values: state and lease_token come last.
		update := tx.Exec(`
			UPDATE intents SET
				unknown_at = CASE WHEN state = ? THEN NULL WHEN lease_token <> '' THEN ? ELSE unknown_at END,
				failure = CASE WHEN state = ? THEN NULL ELSE failure END,
				attempts = attempts + 1,
				updated_at = ?,
				lease_until = ?,
				lease_token = ?,
				state = ?
			WHERE id = ? AND tenant_id = ?
				AND (state = ? OR (state = ? AND (lease_token = '' OR lease_until <= ?)))`,
			string(order.Refused), timestamp(lease.Now), string(order.Refused), s.now(), nullTime(lease.Until),
			lease.Token, string(order.Sending),
			id, tenantID, string(order.Refused), string(order.Sending), timestamp(lease.Now))
		if update.Error != nil || update.RowsAffected == 0 {
			return update.Error
		}
		var row intentRow
		if err := tx.Where("id = ? AND tenant_id = ?", id, tenantID).Take(&row).Error; err != nil {
			return err
		}
		taken, err := row.intent()
		if err != nil {
			return err
		}
		in, claimed = taken, true
		return nil
	})
	if err != nil {
		return order.Intent{}, false, err
	}
	return in, claimed, nil
}

// DueIntents returns ids of intents in Sending that nobody carries and whose NextAttemptAt has come, oldest first.
func (s *Store) DueIntents(ctx context.Context, tenantID int64, now time.Time, limit int) ([]int64, error) {
	var ids []int64
	err := s.read(ctx, "read", "intents", func(db *gorm.DB) error {
		at := timestamp(now)
		return db.Model(&intentRow{}).
			Where("tenant_id = ? AND state = ?", tenantID, string(order.Sending)).
			Where("lease_token = '' OR lease_until <= ?", at).
			Where("next_attempt_at IS NULL OR next_attempt_at <= ?", at).
			Order("created_at, id").Limit(limit).Pluck("id", &ids).Error
	})
	return ids, err
}

// ReleaseIntent gives the lease back and leaves the intent in Sending. ErrLeaseLost if token is not the holder.
func (s *Store) ReleaseIntent(ctx context.Context, tenantID, id int64, token string, r Release) error {
	failure, err := encodeFailure(r.Failure)
	if err != nil {
		return classify("release", "intents", err, beforeCommit)
	}
	return s.transaction(ctx, "release", "intents", func(tx *gorm.DB) error {
		known := sql.NullInt64{Int64: r.ERPOrderID, Valid: r.ERPOrderID != 0}
		return fenced(tx, tenantID, id, token, map[string]any{
			"erp_order_id":    gorm.Expr("COALESCE(?, erp_order_id)", known),
			"unknown_at":      gorm.Expr("COALESCE(?, unknown_at)", nullTime(r.UnknownAt)),
			"failure":         gorm.Expr("COALESCE(?, failure)", failure),
			"next_attempt_at": nullTime(r.NextAttemptAt),
			"lease_token":     "",
			"lease_until":     nil,
			"updated_at":      s.now(),
		})
	})
}

// CloseIntent ends the intent as Rejected or Refused. ErrLeaseLost if token is not the holder.
func (s *Store) CloseIntent(
	ctx context.Context, tenantID, id int64, token string, state order.IntentState, failure *order.Error,
) error {
	if state != order.Rejected && state != order.Refused {
		return classify("close", "intents", fmt.Errorf("an intent cannot be closed as %q", state), beforeCommit)
	}
	encoded, err := encodeFailure(failure)
	if err != nil {
		return classify("close", "intents", err, beforeCommit)
	}
	return s.transaction(ctx, "close", "intents", func(tx *gorm.DB) error {
		return fenced(tx, tenantID, id, token, map[string]any{
			"state": string(state), "failure": encoded,
			"lease_token": "", "lease_until": nil, "next_attempt_at": nil,
			"updated_at": s.now(),
		})
	})
}

// fenced changes an intent if token still holds its lease. A holder whose lease is over, but was not taken, still
// holds it. The empty token holds nothing: it is what a free lease looks like.
func fenced(tx *gorm.DB, tenantID, id int64, token string, changes map[string]any) error {
	if token == "" {
		return ErrLeaseLost
	}
	update := tx.Model(&intentRow{}).
		Where("id = ? AND tenant_id = ? AND state = ? AND lease_token = ?", id, tenantID, string(order.Sending), token).
		Updates(changes)
	if update.Error == nil && update.RowsAffected == 0 {
		return ErrLeaseLost
	}
	return update.Error
}

// CountIntents counts the intents in Sending, and returns when the oldest of them was created; zero if there is none.
func (s *Store) CountIntents(ctx context.Context, tenantID int64) (open int64, oldest time.Time, err error) {
	err = s.read(ctx, "count", "intents", func(db *gorm.DB) error {
		sending := db.Model(&intentRow{}).Where("tenant_id = ? AND state = ?", tenantID, string(order.Sending)).
			Session(&gorm.Session{})
		if err := sending.Count(&open).Error; err != nil || open == 0 {
			return err
		}
		var created []time.Time
		err := sending.Order("created_at").Limit(1).Pluck("created_at", &created).Error
		if err == nil && len(created) == 1 {
			oldest = created[0].UTC()
		}
		return err
	})
	return open, oldest, err
}
