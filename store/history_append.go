package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// headRow is a row of history_heads: where the history of an order ends. What was cut off a history's end is missed by it.
type headRow struct {
	TenantID   int64
	ERPOrderID int64  `gorm:"column:erp_order_id"`
	Position   int64  // of the last entry; 0: the order has no entries yet
	Hash       string // of the last entry; empty without any
}

func (headRow) TableName() string { return "history_heads" }

// latestRow is a row of history_latest: the latest entry of a module of an order, and the order's place in the listings.
type latestRow struct {
	TenantID   int64
	ERPOrderID int64 `gorm:"column:erp_order_id"`
	Module     string
	StatusCode string
	Position   int64
	OrderedAt  time.Time
}

func (latestRow) TableName() string { return "history_latest" }

// blocksRow is a row of history_blocks: an order that has open blocking entries, and its place in the listings.
type blocksRow struct {
	TenantID   int64
	ERPOrderID int64  `gorm:"column:erp_order_id"`
	Positions  string // of these entries, a JSON list, rising
	OrderedAt  time.Time
}

func (blocksRow) TableName() string { return "history_blocks" }

func (r blocksRow) open() (positions []int64, err error) {
	if err := json.Unmarshal([]byte(r.Positions), &positions); err != nil {
		return nil, fmt.Errorf("reading the open blocks of order %d: %w", r.ERPOrderID, err)
	}
	return positions, nil
}

const (
	indexLatestCode  = "idx_history_latest_code"
	indexBlocksOrder = "idx_history_blocks_order"
)

// appending adds entries to the histories of some orders, in a transaction that has locked the orders' rows. What is derived
// from the entries is written with them.
type appending struct {
	store    *Store
	tx       *gorm.DB
	tenantID int64
	now      time.Time

	orderedAt map[int64]time.Time // of the orders, by ERP id
	heads     map[int64]headRow   // of those that have one
	known     map[int64]order.Known
	added     map[int64][]order.HistoryEntry
}

// appendTo reads the ends of the orders' histories, and what these say. Orders are given with their orderedAt.
func (s *Store) appendTo(tx *gorm.DB, tenantID int64, now time.Time, orderedAt map[int64]time.Time) (*appending, error) {
	a := &appending{store: s, tx: tx, tenantID: tenantID, now: now, orderedAt: orderedAt, heads: map[int64]headRow{},
		known: map[int64]order.Known{}, added: map[int64][]order.HistoryEntry{}}
	ids := slices.Sorted(maps.Keys(orderedAt))
	for _, id := range ids {
		a.known[id] = order.Known{}
	}
	for chunk := range slices.Chunk(ids, lookupIDs) {
		if err := a.readHeads(chunk); err != nil {
			return nil, fmt.Errorf("reading where histories end: %w", err)
		}
		if err := a.readFacts(chunk); err != nil {
			return nil, fmt.Errorf("reading what histories say: %w", err)
		}
	}
	return a, nil
}

// appendToOne locks an order's row and begins to append to its history. Error: NotFound, code order_not_found, if the mirror does not have
// the order.
func (s *Store) appendToOne(tx *gorm.DB, tenantID, id int64) (*appending, error) {
	var row orderRow
	err := s.forUpdate(tx).Select("id", "ordered_at").Where("tenant_id = ? AND erp_order_id = ?", tenantID, id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errOrderNotFound()
	}
	if err != nil {
		return nil, err
	}
	return s.appendTo(tx, tenantID, s.now(), map[int64]time.Time{id: row.OrderedAt})
}

// readHeads reads and locks the heads of histories.
func (a *appending) readHeads(ids []int64) error {
	var heads []headRow
	err := a.store.forUpdate(a.tx).Where("tenant_id = ? AND erp_order_id IN ?", a.tenantID, ids).Order("erp_order_id").Find(&heads).Error
	for _, head := range heads {
		a.heads[head.ERPOrderID] = head
	}
	return err
}

// readFacts learns what histories say. Where an entry stands behind its head, or without one, somebody has been at the tables: new
// entries go behind it and are chained to the head, so that the gap stays to be found.
func (a *appending) readFacts(ids []int64) error {
	var rows []entryRow
	err := a.tx.Table(a.store.held("history_entries", keyHistoryFact)).Select("erp_order_id", "position", "fact_key").
		Where("tenant_id = ? AND erp_order_id IN ?", a.tenantID, ids).Find(&rows).Error
	slices.SortFunc(rows, func(a, b entryRow) int { return cmp.Compare(a.Position, b.Position) })
	for _, row := range rows {
		a.known[row.ERPOrderID].Learn(row.FactKey.String)
		head := a.heads[row.ERPOrderID]
		head.Position = max(head.Position, row.Position)
		a.heads[row.ERPOrderID] = head
	}
	return err
}

// begun reports whether an order has a history.
func (a *appending) begun(erpOrderID int64) bool {
	return a.heads[erpOrderID].Position > 0 || len(a.added[erpOrderID]) > 0
}

// add appends entries of an order. Where they do not say who wrote them, when, of what category and how severe they are, this is
// writtenBy, now, and what their code says.
func (a *appending) add(erpOrderID int64, writtenBy string, entries ...order.HistoryEntry) {
	for _, e := range entries {
		byCode := order.Entry(erpOrderID, e.Code)
		e.OrderID, e.WrittenBy = erpOrderID, cmp.Or(e.WrittenBy, writtenBy)
		e.Category, e.Severity = cmp.Or(e.Category, byCode.Category), cmp.Or(e.Severity, byCode.Severity)
		if e.RecordedAt.IsZero() {
			e.RecordedAt = a.now
		}
		e.RecordedAt = timestamp(e.RecordedAt)
		a.added[erpOrderID] = append(a.added[erpOrderID], e)
	}
}

// addOnce is add for entries whose facts are said once, and passes over those that were.
func (a *appending) addOnce(erpOrderID int64, writtenBy string, entries ...order.HistoryEntry) {
	known := a.known[erpOrderID]
	for _, e := range entries {
		if e.Fact != "" && known.Knows(e.Fact) {
			continue
		}
		known.Learn(e.Fact)
		a.add(erpOrderID, writtenBy, e)
	}
}

// write numbers and chains what was added, and writes it with all that derives from it.
func (a *appending) write() error {
	if len(a.added) == 0 {
		return nil
	}
	var rows []entryRow
	var heads []headRow
	latest := map[latestKey]latestRow{}
	opened, closed := map[int64][]int64{}, map[int64][]int64{}
	for _, id := range slices.Sorted(maps.Keys(a.added)) {
		head := a.heads[id]
		head.TenantID, head.ERPOrderID = a.tenantID, id
		for _, e := range a.added[id] {
			e.ID = head.Position + 1
			e.Hash = e.Chain(head.Hash, a.tenantID)
			head.Position, head.Hash = e.ID, e.Hash
			rows = append(rows, newEntryRow(a.tenantID, e))
			latest[latestKey{id, e.Module()}] = latestRow{a.tenantID, id, e.Module(), e.Code, e.ID, a.orderedAt[id]}
			if e.Severity == order.Blocking {
				opened[id] = append(opened[id], e.ID)
			}
			if e.Closes != 0 {
				closed[id] = append(closed[id], e.Closes)
			}
		}
		a.heads[id] = head
		heads = append(heads, head)
	}
	clear(a.added)
	if err := a.tx.CreateInBatches(&rows, insertRows).Error; err != nil {
		return fmt.Errorf("appending to histories: %w", err)
	}
	if err := replaceHeads(a.tx, heads); err != nil {
		return fmt.Errorf("noting where histories end: %w", err)
	}
	if err := replaceLatest(a.tx, latest); err != nil {
		return fmt.Errorf("noting the latest entries: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(a.orderedAt)) {
		if len(opened[id])+len(closed[id]) == 0 {
			continue
		}
		if err := a.changeBlocks(id, opened[id], closed[id]); err != nil {
			return fmt.Errorf("noting what blocks: %w", err)
		}
	}
	return nil
}

func replaceHeads(tx *gorm.DB, heads []headRow) error {
	for chunk := range slices.Chunk(heads, insertRows) {
		values := make([]any, 0, 4*len(chunk))
		for _, h := range chunk {
			values = append(values, h.TenantID, h.ERPOrderID, h.Position, h.Hash)
		}
		if err := replaceRows(tx, "history_heads (tenant_id, erp_order_id, position, hash)", 4, values); err != nil {
			return err
		}
	}
	return nil
}

type latestKey struct {
	erpOrderID int64
	module     string
}

func replaceLatest(tx *gorm.DB, latest map[latestKey]latestRow) error {
	keys := slices.SortedFunc(maps.Keys(latest), func(a, b latestKey) int {
		return cmp.Or(cmp.Compare(a.erpOrderID, b.erpOrderID), strings.Compare(a.module, b.module))
	})
	for chunk := range slices.Chunk(keys, insertRows) {
		values := make([]any, 0, 6*len(chunk))
		for _, key := range chunk {
			r := latest[key]
			values = append(values, r.TenantID, r.ERPOrderID, r.Module, r.StatusCode, r.Position, r.OrderedAt)
		}
		err := replaceRows(tx, "history_latest (tenant_id, erp_order_id, module, status_code, position, ordered_at)", 6, values)
		if err != nil {
			return err
		}
	}
	return nil
}

// replaceRows writes rows of so many columns, in place of those with the same primary key.
func replaceRows(tx *gorm.DB, into string, columns int, values []any) error {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", columns), ", ") + "), "
	return tx.Exec("REPLACE INTO "+into+" VALUES "+strings.TrimSuffix(strings.Repeat(row, len(values)/columns), ", "), values...).Error
}

// changeBlocks brings the row of an order's open blocking entries up to date.
func (a *appending) changeBlocks(erpOrderID int64, opened, closed []int64) error {
	var row blocksRow
	var open []int64
	err := ofOrder(a.tx, a.tenantID, erpOrderID).Take(&row).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
	case err != nil:
		return err
	default:
		if open, err = row.open(); err != nil {
			return err
		}
	}
	open = slices.DeleteFunc(append(open, opened...), func(id int64) bool { return slices.Contains(closed, id) })
	if len(open) == 0 {
		return ofOrder(a.tx, a.tenantID, erpOrderID).Delete(&blocksRow{}).Error
	}
	text, err := json.Marshal(open)
	if err != nil {
		return err
	}
	return replaceRows(a.tx, "history_blocks (tenant_id, erp_order_id, positions, ordered_at)", 4,
		[]any{a.tenantID, erpOrderID, string(text), a.orderedAt[erpOrderID]})
}

// move keeps the places in the listings of those of the orders that have a history, for what derives from it.
func (a *appending) move(erpOrderIDs []int64) error {
	var begun []int64
	for _, id := range erpOrderIDs {
		if a.heads[id].Position > 0 {
			begun = append(begun, id)
		}
	}
	for chunk := range slices.Chunk(begun, lookupIDs) {
		for _, table := range []string{"history_latest", "history_blocks"} {
			var places []latestRow
			err := a.tx.Table(table).Distinct("erp_order_id", "ordered_at").
				Where("tenant_id = ? AND erp_order_id IN ?", a.tenantID, chunk).Find(&places).Error
			if err != nil {
				return err
			}
			for _, at := range places {
				if at.OrderedAt.Equal(a.orderedAt[at.ERPOrderID]) {
					continue
				}
				err := ofOrder(a.tx.Table(table), a.tenantID, at.ERPOrderID).Update("ordered_at", a.orderedAt[at.ERPOrderID]).Error
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}
