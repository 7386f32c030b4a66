package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"ordergate/order"
)

// PlaceIntents stores the orders with their lines, appends the entries to their histories, and closes the intents as
// Placed, those of actions as Performed, all in one transaction. It returns the orders as stored, by intent; one is newer than its snapshot if the mirror
// already held a newer state. An intent that token does not hold is missing: nothing was written of it. After ErrUnknown,
// Intent tells whether they were placed.
func (s *Store) PlaceIntents(
	ctx context.Context, tenantID int64, token string, placed []Placed,
) (map[int64]order.Order, error) {
	if len(placed) == 0 {
		return map[int64]order.Order{}, nil
	}
	ids := make([]int64, len(placed))
	for i, p := range placed {
		ids[i] = p.IntentID
	}
	var stored map[int64]order.Order
	err := s.insertRace(ctx, "place", "orders", keyOrder, func(tx *gorm.DB) error {
		stored = make(map[int64]order.Order, len(placed))
		var held []int64
		if err := s.heldBy(tx, tenantID, token, ids, order.Sending).Pluck("id", &held).Error; err != nil || len(held) == 0 {
			return err
		}
		mine := heldOf(placed, held)
		if err := s.mirrorPlaced(tx, tenantID, mine); err != nil {
			return err
		}
		orders, err := s.ordersIn(tx, tenantID, orderIDsOf(mine))
		if err != nil {
			return err
		}
		for _, p := range mine {
			o := orders[p.Snapshot.ID]
			o.Shortages = p.Shortages
			stored[p.IntentID] = o
		}
		return s.closePlaced(tx, tenantID, held, stored)
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

func heldOf(placed []Placed, held []int64) []Placed {
	isHeld := make(map[int64]bool, len(held))
	for _, id := range held {
		isHeld[id] = true
	}
	var mine []Placed
	for _, p := range placed {
		if isHeld[p.IntentID] {
			mine = append(mine, p)
		}
	}
	return mine
}

func orderIDsOf(placed []Placed) []int64 {
	ids := make([]int64, len(placed))
	for i, p := range placed {
		ids[i] = p.Snapshot.ID
	}
	return ids
}

// mirrorPlaced brings the mirror to what was placed. Should two intents have the same order, it is that of the first, and
// has the entries of both.
func (s *Store) mirrorPlaced(tx *gorm.DB, tenantID int64, placed []Placed) error {
	snapshots := make([]order.Snapshot, len(placed))
	placements := make(map[int64]placement, len(placed))
	for i, p := range placed {
		snapshots[i] = p.Snapshot
		of, twice := placements[p.Snapshot.ID]
		if !twice {
			of = placement{action: p.Action, source: p.Source, caller: p.Caller, original: p.Original}
		}
		of.entries = append(of.entries, p.Entries...)
		placements[p.Snapshot.ID] = of
	}
	arrivals, err := prepareSnapshots(snapshots, &Upserted{})
	if err != nil {
		return err
	}
	up := upsert{store: s, tx: tx, tenantID: tenantID, now: s.now(), placements: placements}
	return up.run(arrivals)
}

func (s *Store) closePlaced(tx *gorm.DB, tenantID int64, held []int64, orders map[int64]order.Order) error {
	results := make(map[int64]string, len(held))
	for id, o := range orders {
		text, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("encoding the result: %w", err)
		}
		results[id] = string(text)
	}
	changes := free(s.now())
	changes["state"] = gorm.Expr("CASE WHEN kind = ? THEN ? ELSE ? END", placing, string(order.Placed), string(order.Performed))
	changes["failure"], changes["busy_order_id"] = nil, nil
	changes["erp_order_id"] = byID(held, func(id int64) int64 { return orders[id].ID })
	changes["result"] = byID(held, func(id int64) string { return results[id] })
	return tx.Model(&intentRow{}).Where("tenant_id = ? AND id IN ?", tenantID, held).Updates(changes).Error
}
