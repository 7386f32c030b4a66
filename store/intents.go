package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ordergate/order"
)

// The indexes of intents that queries are held to.
const (
	indexIntentState    = "idx_intents_state"
	indexIntentSource   = "idx_intents_source"
	indexIntentCustomer = "idx_intents_customer"
	indexIntentQueue    = "idx_intents_queue"
	indexIntentLease    = "idx_intents_lease"
)

// InsertIntent stores a new intent, in state Queued or Sending, and sets its ID, CreatedAt and UpdatedAt. ErrExists if the
// key (tenant, source, key) is taken, ErrBusy if the order of its action is held by another one. After ErrUnknown, Intent tells
// whether it was stored.
func (s *Store) InsertIntent(ctx context.Context, in *order.Intent) error {
	stored := *in
	stored.UpdatedAt = s.now()
	if stored.CreatedAt.IsZero() {
		stored.CreatedAt = stored.UpdatedAt
	}
	stored.CreatedAt = timestamp(stored.CreatedAt)
	row, err := insertable(&stored)
	if err != nil {
		return classify("insert", "intents", err, beforeCommit)
	}
	err = s.transaction(ctx, "insert", "intents", func(tx *gorm.DB) error {
		row.ID = 0
		return tx.Create(&row).Error
	})
	if takenKey(err) == keyBusyOrder {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if err != nil {
		return err
	}
	stored.ID = row.ID
	*in = stored
	return nil
}

func insertable(in *order.Intent) (intentRow, error) {
	if in.State != order.Queued && in.State != order.Sending {
		return intentRow{}, fmt.Errorf("an intent cannot begin as %q", in.State)
	}
	if in.LeaseToken != "" && in.LeaseUntil.IsZero() {
		return intentRow{}, errors.New("a lease needs an end")
	}
	return newIntentRow(in)
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

// CountIntents counts the intents that have no final outcome.
func (s *Store) CountIntents(ctx context.Context, tenantID int64) (order.IntentCounts, error) {
	var counts order.IntentCounts
	err := s.read(ctx, "count", "intents", func(db *gorm.DB) error {
		var rows []struct {
			State   string
			Total   int64
			InDoubt int64
		}
		// What waits can be counted in the index alone.
		err := db.Raw(`
			SELECT state, COUNT(*) AS total, 0 AS in_doubt FROM intents
				WHERE tenant_id = ? AND state = ? GROUP BY state
			UNION ALL
			SELECT state, COUNT(*) AS total, COUNT(unknown_at) AS in_doubt FROM intents
				WHERE tenant_id = ? AND state IN ? GROUP BY state`,
			tenantID, string(order.Queued), tenantID, stateNames(order.Sending, order.Parked)).Scan(&rows).Error
		if err != nil {
			return err
		}
		for _, row := range rows {
			switch order.IntentState(row.State) {
			case order.Queued:
				counts.Queued = row.Total
			case order.Sending:
				counts.Sending, counts.InDoubt = row.Total, row.InDoubt
			case order.Parked:
				counts.Parked = row.Total
			}
		}
		if counts.OldestQueued, err = s.oldestIntent(db, tenantID, order.Queued); err != nil {
			return err
		}
		counts.OldestInDoubt, err = s.oldestIntent(db, tenantID, order.Sending, order.Parked)
		return err
	})
	if err != nil {
		return order.IntentCounts{}, err
	}
	return counts, nil
}

// oldestIntent returns when the first intent in any of the states was created; zero if there is none.
func (s *Store) oldestIntent(db *gorm.DB, tenantID int64, states ...order.IntentState) (time.Time, error) {
	var oldest time.Time
	for _, state := range states {
		var created []time.Time
		err := db.Table("intents"+s.forceIndex(indexIntentState)).
			Where("tenant_id = ? AND state = ?", tenantID, string(state)).
			Order("created_at").Limit(1).Pluck("created_at", &created).Error
		if err != nil {
			return time.Time{}, err
		}
		if len(created) == 1 && (oldest.IsZero() || created[0].Before(oldest)) {
			oldest = created[0].UTC()
		}
	}
	return oldest, nil
}

func stateNames(states ...order.IntentState) []string {
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	return names
}

// byID gives a column a value of its own in each of several rows, in one UPDATE of those rows.
func byID[V any](ids []int64, value func(id int64) V) clause.Expr {
	var b strings.Builder
	values := make([]any, 0, 2*len(ids))
	b.WriteString("CASE id")
	for _, id := range ids {
		b.WriteString(" WHEN ? THEN ?")
		values = append(values, id, value(id))
	}
	b.WriteString(" END")
	return gorm.Expr(b.String(), values...)
}
