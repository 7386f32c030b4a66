package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"ordergate/order"
)

const (
	// verifyBatch is how many orders' heads are held at once. Entries are read one by one.
	verifyBatch = 500
	// mostFaults is how many faults are told of one order.
	mostFaults = 20
)

// VerifyHistory compares the histories of up to 500 orders after an ERP id with their chains, and returns the last of these orders; 0
// behind the last one. What looks wrong is looked at again under the order's lock, so that writing at the same time is no fault.
func (s *Store) VerifyHistory(ctx context.Context, tenantID, afterID int64) (check order.HistoryCheck, lastID int64, err error) {
	var ids []int64
	err = s.read(ctx, "verify", "history_entries", func(db *gorm.DB) (err error) {
		ids, err = ordersToVerify(db, tenantID, afterID)
		return err
	})
	if err != nil || len(ids) == 0 {
		return order.HistoryCheck{}, 0, err
	}
	check, err = s.verify(ctx, tenantID, ids)
	return check, ids[len(ids)-1], err
}

// VerifyOrderHistory compares the history of one order with its chain. NotFound, code order_not_found, if there is neither order nor history.
func (s *Store) VerifyOrderHistory(ctx context.Context, tenantID, id int64) (order.HistoryCheck, error) {
	err := s.read(ctx, "verify", "history_entries", func(db *gorm.DB) error {
		ids, err := ordersToVerify(db, tenantID, id-1)
		if err == nil && !slices.Contains(ids, id) {
			return errOrderNotFound()
		}
		return err
	})
	if err != nil {
		return order.HistoryCheck{}, err
	}
	return s.verify(ctx, tenantID, []int64{id})
}

// ordersToVerify returns ids of the next orders that have a row, a head or entries.
func ordersToVerify(db *gorm.DB, tenantID, afterID int64) ([]int64, error) {
	found := map[int64]bool{}
	for _, table := range []string{"orders", "history_heads", "history_entries"} {
		var ids []int64
		err := db.Table(table).Distinct("erp_order_id").Where("tenant_id = ? AND erp_order_id > ?", tenantID, afterID).
			Order("erp_order_id").Limit(verifyBatch).Pluck("erp_order_id", &ids).Error
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			found[id] = true
		}
	}
	ids := slices.Sorted(maps.Keys(found))
	return ids[:min(len(ids), verifyBatch)], nil
}

func (s *Store) verify(ctx context.Context, tenantID int64, ids []int64) (order.HistoryCheck, error) {
	var first verification
	err := s.read(ctx, "verify", "history_entries", func(db *gorm.DB) (err error) {
		first, err = verifyHistories(db, tenantID, ids)
		return err
	})
	if err != nil {
		return order.HistoryCheck{}, err
	}
	check := order.HistoryCheck{Orders: int64(len(ids)), Entries: first.entries}
	for _, id := range slices.Sorted(maps.Keys(first.faults)) {
		faults, err := s.verifyLocked(ctx, tenantID, id)
		if err != nil {
			return check, err
		}
		check.Faults = append(check.Faults, faults...)
	}
	return check, nil
}

// verifyLocked looks at the history of one order while nobody can write to it. An order that is just being made cannot be locked: what
// is found then is looked at again.
func (s *Store) verifyLocked(ctx context.Context, tenantID, id int64) ([]order.HistoryFault, error) {
	const attempts = 3
	for n := 1; ; n++ {
		var found verification
		locked := false
		err := s.transaction(ctx, "verify", "history_entries", func(tx *gorm.DB) error {
			var held []int64
			err := errors.Join(
				s.forUpdate(tx.Model(&orderRow{})).Where("tenant_id = ? AND erp_order_id = ?", tenantID, id).Pluck("erp_order_id", &held).Error,
				s.forUpdate(tx.Model(&headRow{})).Where("tenant_id = ? AND erp_order_id = ?", tenantID, id).Pluck("erp_order_id", &held).Error)
			if err != nil {
				return err
			}
			locked = len(held) > 0
			found, err = verifyHistories(tx, tenantID, []int64{id})
			return err
		})
		if err != nil || locked || len(found.faults) == 0 || n == attempts {
			return found.faults[id], err
		}
	}
}

// verification is what is found in some histories.
type verification struct {
	entries int64
	faults  map[int64][]order.HistoryFault

	tenantID int64
	heads    map[int64]headRow
	latest   map[int64]map[string]latestEntry // by order and module, as history_latest has them
	blocks   map[int64][]int64                // as history_blocks has them
}

type latestEntry struct {
	code     string
	position int64
}

func verifyHistories(db *gorm.DB, tenantID int64, ids []int64) (verification, error) {
	v := verification{faults: map[int64][]order.HistoryFault{}, tenantID: tenantID, heads: map[int64]headRow{},
		latest: map[int64]map[string]latestEntry{}, blocks: map[int64][]int64{}}
	if err := v.readDerived(db, ids); err != nil {
		return v, err
	}
	rows, err := db.Model(&entryRow{}).Where("tenant_id = ? AND erp_order_id IN ?", tenantID, ids).Order("erp_order_id, position").Rows()
	if err != nil {
		return v, err
	}
	defer rows.Close()
	walks := map[int64]bool{}
	var w *walk
	for rows.Next() {
		var row entryRow
		if err := db.ScanRows(rows, &row); err != nil {
			return v, err
		}
		if w == nil || w.id != row.ERPOrderID {
			w.end(&v)
			w = &walk{id: row.ERPOrderID, latest: map[string]latestEntry{}}
			walks[w.id] = true
		}
		w.step(&v, row)
		v.entries++
	}
	w.end(&v)
	for _, id := range ids {
		if walks[id] {
			continue
		}
		if head := v.heads[id]; head.Position > 0 {
			v.fault(id, 0, order.FaultCut, "all %d entries are missing", head.Position)
		} else {
			v.fault(id, 0, order.FaultNone, "there is no history")
		}
	}
	return v, rows.Err()
}

func (v *verification) fault(orderID, entryID int64, kind order.HistoryFaultKind, format string, args ...any) {
	if len(v.faults[orderID]) < mostFaults {
		v.faults[orderID] = append(v.faults[orderID], order.HistoryFault{OrderID: orderID, EntryID: entryID, Kind: kind, Detail: fmt.Sprintf(format, args...)})
	}
}

// readDerived reads what stands beside the entries. It is read before them: an order that is written to in between is looked at again.
func (v *verification) readDerived(db *gorm.DB, ids []int64) error {
	of := func(db *gorm.DB) *gorm.DB { return db.Where("tenant_id = ? AND erp_order_id IN ?", v.tenantID, ids) }
	var heads []headRow
	var latest []latestRow
	var blocks []blocksRow
	if err := errors.Join(of(db).Find(&heads).Error, of(db).Find(&latest).Error, of(db).Find(&blocks).Error); err != nil {
		return err
	}
	for _, row := range heads {
		v.heads[row.ERPOrderID] = row
	}
	for _, row := range latest {
		if v.latest[row.ERPOrderID] == nil {
			v.latest[row.ERPOrderID] = map[string]latestEntry{}
		}
		v.latest[row.ERPOrderID][row.Module] = latestEntry{row.StatusCode, row.Position}
	}
	for _, row := range blocks {
		open, err := row.open()
		if err != nil {
			v.fault(row.ERPOrderID, 0, order.FaultDerived, "the list of open blocks cannot be read")
			open = []int64{}
		}
		v.blocks[row.ERPOrderID] = open
	}
	return nil
}

// walk goes through one order's entries.
type walk struct {
	id       int64
	position int64 // of the entry before
	hash     string
	latest   map[string]latestEntry
	open     []int64
}

func (w *walk) step(v *verification, row entryRow) {
	e := row.entry()
	switch {
	case e.ID != w.position+1:
		v.fault(w.id, e.ID, order.FaultGap, "entry %d follows entry %d", e.ID, w.position)
	case e.Hash != e.Chain(w.hash, v.tenantID) || row.Module != e.Module():
		v.fault(w.id, e.ID, order.FaultChanged, "entry %d (%s) is not what was written, or was not written behind entry %d", e.ID, e.Code, w.position)
	}
	w.position, w.hash = e.ID, e.Hash
	w.latest[e.Module()] = latestEntry{e.Code, e.ID}
	if e.Severity == order.Blocking {
		w.open = append(w.open, e.ID)
	}
	if e.Closes != 0 {
		w.open = slices.DeleteFunc(w.open, func(id int64) bool { return id == e.Closes })
	}
}

// end compares where the walk came to with what stands beside the entries.
func (w *walk) end(v *verification) {
	if w == nil {
		return
	}
	head, known := v.heads[w.id]
	switch {
	case !known:
		v.fault(w.id, 0, order.FaultHead, "it is not known where the history ends")
	case head.Position > w.position:
		v.fault(w.id, head.Position, order.FaultCut, "entries %d to %d are missing", w.position+1, head.Position)
	case head.Position < w.position:
		v.fault(w.id, head.Position+1, order.FaultBehind, "entries %d to %d stand behind the end", head.Position+1, w.position)
	case head.Hash != w.hash:
		v.fault(w.id, w.position, order.FaultHead, "the history ended with another entry")
	}
	if !maps.Equal(w.latest, v.latest[w.id]) {
		v.fault(w.id, 0, order.FaultDerived, "the latest codes are not those of the entries")
	}
	if !slices.Equal(w.open, v.blocks[w.id]) {
		v.fault(w.id, 0, order.FaultDerived, "the open blocks are not those of the entries")
	}
}
