package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// PlaceIntent stores the order with its lines, appends the entries to its history, and closes the intent as Placed, all
// in one transaction. It returns the order as stored, which is newer than s if the mirror already held a newer state,
// and sets State, ERPOrderID, Result and the lease of in. ErrLeaseLost if in.LeaseToken is not the holder: then
// nothing was written. After ErrUnknown, Intent tells whether it was placed.
func (s *Store) PlaceIntent(
	ctx context.Context, in *order.Intent, snapshot order.Snapshot, entries []order.HistoryEntry,
) (order.Order, error) {
	arriving, err := prepareSnapshot(snapshot)
	if err != nil {
		return order.Order{}, classify("place", "intents", err, beforeCommit)
	}
	var stored order.Order
	err = s.insertRace(ctx, "place", "orders", keyOrder, func(tx *gorm.DB) error {
		up := upsert{store: s, tx: tx, tenantID: in.TenantID, now: s.now(), recordedBy: in.Caller,
			placedBy: in.Source, entries: entries}
		if err := up.run([]arrival{arriving}); err != nil {
			return err
		}
		placed, err := s.orderIn(tx, in.TenantID, snapshot.ID)
		if err != nil {
			return err
		}
		stored = placed
		result, err := json.Marshal(placed)
		if err != nil {
			return fmt.Errorf("encoding the result: %w", err)
		}
		return fenced(tx, in.TenantID, in.ID, in.LeaseToken, map[string]any{
			"state": string(order.Placed), "erp_order_id": snapshot.ID,
			"result": sql.NullString{String: string(result), Valid: true}, "failure": nil,
			"lease_token": "", "lease_until": nil, "next_attempt_at": nil,
			"updated_at": s.now(),
		})
	})
	if err != nil {
		return order.Order{}, err
	}
	in.State, in.ERPOrderID, in.Failure = order.Placed, snapshot.ID, nil
	in.LeaseToken, in.LeaseUntil, in.NextAttemptAt = "", time.Time{}, time.Time{}
	result := stored
	in.Result = &result
	return stored, nil
}
