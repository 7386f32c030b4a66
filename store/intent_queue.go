package store

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/failpoint"
	"ordergate/order"
)

const (
	// queueWindow is how many queued intents are looked at for each that is wanted.
	queueWindow = 5
	// queueLookAhead is how many ids further the first of other customers are looked for, where the oldest belong to few.
	queueLookAhead = 10_000
	// claimRounds is how often one claim looks again because other processes took what it had found.
	claimRounds = 3
)

// line is the queue of one customer of one source.
type line struct{ source, customer string }

// waiting is a queued intent.
type waiting struct {
	ID       int64
	Source   string
	Customer string
	Free     bool // nobody carries it
}

func (w waiting) line() line { return line{w.Source, w.Customer} }

// ClaimQueued takes up to limit queued intents that nobody carries, as ClaimIntents does: the first of each customer of
// each source, the oldest first. It passes over the customers that have an acknowledged intent in Sending, or a first one
// that a process is about to send, so that a customer's acknowledged orders go one by one, however many processes claim.
// Fewer than limit means that the others have to wait for their turn, or, where several processes claim much at once,
// that these took them.
func (s *Store) ClaimQueued(ctx context.Context, tenantID int64, limit int, lease Lease) ([]order.Intent, error) {
	if err := lease.check(); err != nil {
		return nil, classify("claim", "intents", err, beforeCommit)
	}
	var claimed []order.Intent
	err := s.transaction(ctx, "claim", "intents", func(tx *gorm.DB) error {
		claimed = nil
		ids, err := s.lockNext(tx, tenantID, limit, lease.Now)
		if err != nil || len(ids) == 0 {
			return err
		}
		claimed, err = s.claim(tx, tenantID, ids, lease)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// lockNext locks the intents whose turn it is, and returns their ids.
func (s *Store) lockNext(tx *gorm.DB, tenantID int64, limit int, now time.Time) ([]int64, error) {
	seen, err := s.heldUp(tx, tenantID)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for range claimRounds {
		found, err := s.nextInTurn(tx, tenantID, limit-len(ids), now, seen)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			break
		}
		locked, err := s.lock(tx, tenantID, found, now)
		if err != nil {
			return nil, err
		}
		ids = append(ids, locked...)
		if len(locked) == len(found) {
			break
		}
		for _, w := range found { // others were faster: whose turn is it without these?
			seen = append(seen, w.line())
		}
	}
	return ids, nil
}

// heldUp returns the customers whose turn it cannot be now. There may be more: this spares passing over each of their
// orders, and readQueue asks again.
func (s *Store) heldUp(tx *gorm.DB, tenantID int64) ([]line, error) {
	if failpoint.Out(failpoint.QueueOrder) {
		return nil, nil
	}
	var rows []waiting
	err := tx.Table("intents"+s.forceIndex(indexIntentQueue)).Distinct("source", "customer").
		Where("tenant_id = ? AND state = ? AND acknowledged = 1", tenantID, string(order.Sending)).
		Limit(lookupIDs).Find(&rows).Error
	lines := make([]line, len(rows))
	for i, w := range rows {
		lines[i] = w.line()
	}
	return lines, err
}

// nextInTurn reads whose turn it is, without the customers in except. Each customer's line is read in one statement,
// so that it is known from its beginning as it stood at one moment.
func (s *Store) nextInTurn(tx *gorm.DB, tenantID int64, limit int, now time.Time, except []line) ([]waiting, error) {
	window := queueWindow * limit
	except = slices.Clone(except)
	var next []waiting
	var upTo int64 // the last id to look at; 0 for all
	for len(next) < limit {
		rows, err := s.readQueue(tx, tenantID, window, now, except, upTo)
		if err != nil {
			return nil, err
		}
		known := map[line]bool{}
		for _, w := range rows {
			if known[w.line()] && !failpoint.Out(failpoint.QueueOrder) {
				continue
			}
			if !known[w.line()] {
				except = append(except, w.line())
			}
			known[w.line()] = true
			if w.Free {
				next = append(next, w)
			}
		}
		if len(rows) < window {
			break
		}
		// The oldest belong to few customers: look behind them for others, but not through all that a customer has queued
		// unless there is nothing else to do.
		if len(next) > 0 {
			upTo = rows[len(rows)-1].ID + queueLookAhead
		}
	}
	return next[:min(len(next), limit)], nil
}

// readQueue reads the oldest queued intents of all customers whose turn may be now, but for those in except, and with
// them the acknowledged ones that hold up their customer's line because somebody carries them.
func (s *Store) readQueue(
	tx *gorm.DB, tenantID int64, limit int, now time.Time, except []line, upTo int64,
) ([]waiting, error) {
	free := uncarried(now)
	query := tx.Table("intents i"+s.forceIndex(indexIntentQueue)).
		Select("i.id, i.source, i.customer, ? AS free", free).
		Where("i.tenant_id = ? AND i.state = ?", tenantID, string(order.Queued))
	if failpoint.Out(failpoint.QueueOrder) {
		query = query.Where(free)
	} else {
		query = query.Where("(? OR i.acknowledged = 1)", free).
			Where("NOT EXISTS (SELECT 1 FROM intents s"+s.forceIndex(indexIntentCustomer)+
				" WHERE s.tenant_id = i.tenant_id AND s.customer = i.customer AND s.state = ?"+
				" AND s.source = i.source AND s.acknowledged = 1)", string(order.Sending))
	}
	for source, customers := range bySource(except) {
		query = query.Where("NOT (i.source = ? AND i.customer IN ?)", source, customers)
	}
	if upTo != 0 {
		query = query.Where("i.id <= ?", upTo)
	}
	var rows []waiting
	err := query.Order("i.id").Limit(limit).Scan(&rows).Error
	return rows, err
}

func bySource(lines []line) map[string][]string {
	customers := map[string][]string{}
	for _, l := range lines {
		customers[l.source] = append(customers[l.source], l.customer)
	}
	return customers
}

// lock locks intents that were found to be next, and returns the ids of those that still are.
func (s *Store) lock(tx *gorm.DB, tenantID int64, found []waiting, now time.Time) ([]int64, error) {
	ids := make([]int64, len(found))
	for i, w := range found {
		ids[i] = w.ID
	}
	var locked []int64
	err := s.forUpdate(tx).Table("intents"+s.forceIndex(keyPrimary)).
		Where("tenant_id = ? AND id IN ? AND state = ?", tenantID, ids, string(order.Queued)).
		Where(uncarried(now)).Order("id").Pluck("id", &locked).Error
	return locked, err
}

// QueueRefused lets an intent in Refused begin anew as a queued one whose caller is told 202. False if it is in another
// state.
func (s *Store) QueueRefused(ctx context.Context, tenantID, id int64) (bool, error) {
	changes := free(s.now())
	changes["state"], changes["acknowledged"] = string(order.Queued), true
	changes["failure"], changes["unknown_at"], changes["cancel_requested_at"], changes["strikes"] = nil, nil, nil, 0
	return s.changeIntent(ctx, "queue", tenantID, id, changes, func(q *gorm.DB) *gorm.DB {
		return q.Where("state = ?", string(order.Refused))
	})
}
