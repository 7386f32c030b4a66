package store

import (
	"cmp"
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

	place int // in its line, from 0
}

func (w waiting) line() line { return line{w.Source, w.Customer} }

// ClaimQueued takes up to limit queued intents that nobody carries, as ClaimIntents does: the first of each customer of
// each source, the oldest first, then those that follow them. It passes over the customers that have an acknowledged
// intent in Sending, or one before the others that a process is about to send, so that a customer's acknowledged orders
// go in turn, however many processes claim. Fewer than limit means that the others have to wait for their turn, or, where
// several processes claim much at once, that these took them.
func (s *Store) ClaimQueued(ctx context.Context, tenantID int64, limit int, lease Lease) ([]order.Intent, error) {
	if err := lease.check(); err != nil {
		return nil, classify("claim", "intents", err, beforeCommit)
	}
	var claimed []order.Intent
	err := s.transaction(ctx, "claim", "intents", func(tx *gorm.DB) error {
		claimed = nil
		var ids []int64
		var seen []line
		for range claimRounds {
			found, err := s.nextInTurn(tx, tenantID, limit-len(ids), lease.Now, seen)
			if err != nil || len(found) == 0 {
				return err
			}
			locked, err := s.lockInTurn(tx, tenantID, found, lease.Now)
			if err != nil {
				return err
			}
			ids = append(ids, locked...)
			if len(locked) == len(found) {
				break
			}
			for _, w := range found {
				seen = append(seen, w.line())
			}
		}
		if len(ids) == 0 {
			return nil
		}
		var err error
		claimed, err = s.claim(tx, tenantID, ids, lease)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// nextInTurn reads whose turn it is, without the customers in except. Each customer's line is read in one statement,
// so that it is known from its beginning as it stood at one moment.
func (s *Store) nextInTurn(tx *gorm.DB, tenantID int64, limit int, now time.Time, except []line) ([]waiting, error) {
	window := queueWindow * limit
	except = slices.Clone(except)
	lines := map[line][]waiting{}
	for heads := 0; heads < limit; {
		rows, err := s.readQueue(tx, tenantID, window, now, except)
		if err != nil {
			return nil, err
		}
		held := map[line]bool{}
		for _, w := range rows {
			l := w.line()
			if lines[l] == nil && !held[l] {
				except = append(except, l)
			}
			held[l] = held[l] || !w.Free
			if held[l] {
				continue
			}
			if w.place = len(lines[l]); w.place == 0 {
				heads++
			}
			lines[l] = append(lines[l], w)
		}
		if len(rows) < window {
			break
		}
		// The oldest belong to few customers: look behind them for others.
	}
	var next []waiting
	for _, l := range lines {
		next = append(next, l...)
	}
	slices.SortFunc(next, func(a, b waiting) int { return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.ID, b.ID)) })
	return next[:min(len(next), limit)], nil
}

// readQueue reads the oldest queued intents of all customers whose turn may be now, but for those in except, and with
// them the acknowledged ones that hold up their customer's line because somebody carries them.
func (s *Store) readQueue(tx *gorm.DB, tenantID int64, limit int, now time.Time, except []line) ([]waiting, error) {
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
	for _, l := range except {
		query = query.Where("NOT (i.source = ? AND i.customer = ?)", l.source, l.customer)
	}
	var rows []waiting
	err := query.Order("i.id").Limit(limit).Scan(&rows).Error
	return rows, err
}

// lockInTurn locks intents that were found to be next, and returns the ids of those that still are. Where one of a
// customer's was taken in the meantime, the others have to wait for it.
func (s *Store) lockInTurn(tx *gorm.DB, tenantID int64, found []waiting, now time.Time) ([]int64, error) {
	ids := make([]int64, len(found))
	for i, w := range found {
		ids[i] = w.ID
	}
	var locked []int64
	err := s.forUpdate(tx).Table("intents"+s.forceIndex(keyPrimary)).
		Where("tenant_id = ? AND id IN ? AND state = ?", tenantID, ids, string(order.Queued)).
		Where(uncarried(now)).Order("id").Pluck("id", &locked).Error
	if err != nil || failpoint.Out(failpoint.QueueOrder) {
		return locked, err
	}
	broken := map[line]bool{}
	for _, w := range found {
		if _, still := slices.BinarySearch(locked, w.ID); !still {
			broken[w.line()] = true
		}
	}
	var inTurn []int64
	for _, w := range found {
		if !broken[w.line()] {
			inTurn = append(inTurn, w.ID)
		}
	}
	return inTurn, nil
}
