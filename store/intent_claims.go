package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// ClaimIntents takes up those of the intents that nobody carries: they go to Sending under the lease, and an attempt is
// counted. Claimable are: Refused that lease.Anew names; Queued and Sending whose lease is free, over, or further in the
// future than leases last; Queued that a token of lease.Held holds. One in Sending whose token was left behind means
// that a process died while the ERP may have been at work: its UnknownAt becomes lease.ERPNow, if that is later. It returns
// what the lease holds of them then, by rising id: after ErrUnknown the same call again finds what was claimed. One that was Refused
// begins anew, an action without its plan. ErrBusy, and none is claimed, if such a one is an action on an order that another one holds.
func (s *Store) ClaimIntents(ctx context.Context, tenantID int64, ids []int64, lease Lease) ([]order.Intent, error) {
	if err := lease.check(); err != nil {
		return nil, classify("claim", "intents", err, beforeCommit)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var claimed []order.Intent
	err := s.transaction(ctx, "claim", "intents", func(tx *gorm.DB) error {
		var err error
		claimed, err = s.claim(tx, tenantID, ids, lease)
		return err
	})
	if takenKey(err) == keyBusyOrder {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func (s *Store) claim(tx *gorm.DB, tenantID int64, ids []int64, lease Lease) ([]order.Intent, error) {
	refused, queued, sending := string(order.Refused), string(order.Queued), string(order.Sending)
	abandoned, erpNow := []string{queued, sending}, lease.ERPNow
	if erpNow.IsZero() {
		abandoned, erpNow = []string{queued}, lease.Now // which dates nothing, and is a time to every database
	}
	// MySQL assigns from left to right, and later expressions see the new values: state and lease_token come last.
	update := tx.Exec(`
		UPDATE intents`+s.forceIndex(keyPrimary)+` SET
			unknown_at = CASE WHEN state = ? THEN NULL
				WHEN state = ? AND lease_token <> '' AND (unknown_at IS NULL OR unknown_at < ?) THEN ? ELSE unknown_at END,
			failure = CASE WHEN state = ? THEN NULL ELSE failure END,
			acknowledged = CASE WHEN state = ? THEN 0 ELSE acknowledged END,
			cancel_requested_at = CASE WHEN state = ? THEN NULL ELSE cancel_requested_at END,
			strikes = CASE WHEN state = ? THEN 0 ELSE strikes END,
			plan = CASE WHEN state = ? AND kind <> ? THEN '{}' ELSE plan END,
			busy_order_id = CASE WHEN kind = ? THEN NULL ELSE erp_order_id END,
			attempts = attempts + 1,
			updated_at = ?,
			lease_until = ?,
			lease_token = ?,
			state = ?
		WHERE tenant_id = ? AND id IN ?
			AND ((state = ? AND id IN ?) OR (state IN ? AND ?) OR (state = ? AND lease_token IN ?))`,
		refused, sending, timestamp(erpNow), timestamp(erpNow), refused, refused, refused, refused, refused, placing, placing,
		s.now(), timestamp(lease.Until), lease.Token, sending,
		tenantID, ids, refused, lease.Anew, abandoned, uncarried(lease.Now), queued, lease.Held)
	if update.Error != nil {
		return nil, update.Error
	}
	var rows []intentRow
	err := tx.Where("tenant_id = ? AND id IN ? AND state = ? AND lease_token = ?", tenantID, ids, sending, lease.Token).
		Order("id").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	return s.readable(tx, tenantID, rows)
}

// readable returns the intents of rows. Those that this version cannot read, as a later one may have written them, are set
// aside: they must not keep the others from their turn.
func (s *Store) readable(tx *gorm.DB, tenantID int64, rows []intentRow) ([]order.Intent, error) {
	intents := make([]order.Intent, 0, len(rows))
	var unreadable []int64
	for _, row := range rows {
		in, err := row.intent()
		if err != nil {
			unreadable = append(unreadable, row.ID)
			continue
		}
		intents = append(intents, in)
	}
	if len(unreadable) == 0 {
		return intents, nil
	}
	changes := free(s.now())
	changes["state"] = string(order.Parked)
	return intents, tx.Model(&intentRow{}).Where("tenant_id = ? AND id IN ?", tenantID, unreadable).Updates(changes).Error
}

// DueIntents returns ids of intents in Sending that nobody carries and whose NextAttemptAt has come, or lies further in
// the future than waits last; oldest first.
func (s *Store) DueIntents(ctx context.Context, tenantID int64, now time.Time, limit int) ([]int64, error) {
	var ids []int64
	err := s.read(ctx, "read", "intents", func(db *gorm.DB) error {
		return db.Table("intents"+s.forceIndex(indexIntentState)).
			Where("tenant_id = ? AND state = ?", tenantID, string(order.Sending)).
			Where(uncarried(now)).Where(due(now)).
			Order("created_at, id").Limit(limit).Pluck("id", &ids).Error
	})
	return ids, err
}

// RenewLeases prolongs the leases of those tokens that still hold one, and returns these tokens.
func (s *Store) RenewLeases(ctx context.Context, tenantID int64, tokens []string, until time.Time) (renewed []string, err error) {
	// MySQL looks into the index for as many values of a list as this, and for more of them guesses, and reads it all.
	const lookups = 100
	tokens = slices.DeleteFunc(slices.Clone(tokens), func(token string) bool { return token == "" }) // that is a free lease
	for chunk := range slices.Chunk(tokens, lookups) {
		var held []string
		err := s.transaction(ctx, "renew", "intents", func(tx *gorm.DB) error {
			held = nil
			// Looked up first: an UPDATE by token would lock the index before the row, and all others lock the row first.
			var ids []int64
			err := tx.Table("intents"+s.forceIndex(indexIntentLease)).
				Where("tenant_id = ? AND lease_token IN ?", tenantID, chunk).
				Order("id").Pluck("id", &ids).Error // without an order MySQL would not look into an index it is held to
			if err != nil || len(ids) == 0 {
				return err
			}
			err = s.forUpdate(tx).Table("intents"+s.forceIndex(keyPrimary)).
				Where("tenant_id = ? AND id IN ? AND lease_token IN ?", tenantID, ids, chunk).
				Order("id").Pluck("lease_token", &held).Error
			if err != nil || len(held) == 0 {
				return err
			}
			return tx.Exec("UPDATE intents"+s.forceIndex(keyPrimary)+" SET lease_until = ?"+
				" WHERE tenant_id = ? AND id IN ? AND lease_token IN ?",
				timestamp(until), tenantID, ids, held).Error
		})
		if err != nil {
			return renewed, err
		}
		renewed = append(renewed, held...)
	}
	slices.Sort(renewed)
	return slices.Compact(renewed), nil
}

// heldBy selects and locks those of the intents that token holds, by rising id.
func (s *Store) heldBy(tx *gorm.DB, tenantID int64, token string, ids []int64, states ...order.IntentState) *gorm.DB {
	return s.forUpdate(tx).Table("intents"+s.forceIndex(keyPrimary)).
		Where("tenant_id = ? AND id IN ? AND state IN ?", tenantID, ids, stateNames(states...)).
		Scopes(fence(token)).Order("id")
}
