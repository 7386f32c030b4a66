package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// entryRow is a row of history_entries. They belong to the ERP's order, not to its row in orders: a mirror that was dropped and
// rebuilt has the same histories.
type entryRow struct {
	TenantID   int64
	ERPOrderID int64 `gorm:"column:erp_order_id"`
	Position   int64 // from 1 on, without gaps
	Module     string
	StatusCode string
	Category   string
	Severity   string
	Payload    string
	Detail     string
	Closes     sql.NullInt64 // unique for an order: a blocking entry is closed once
	WrittenBy  string
	RecordedAt time.Time
	FactKey    sql.NullString // unique for an order; NULL: it may be said again
	RequestKey sql.NullString // unique for a module; NULL: the gateway wrote it
	Hash       string
}

func (entryRow) TableName() string { return "history_entries" }

// newEntryRow is the row of an entry whose ID and Hash are set.
func newEntryRow(tenantID int64, e order.HistoryEntry) entryRow {
	return entryRow{TenantID: tenantID, ERPOrderID: e.OrderID, Position: e.ID, Module: e.Module(), StatusCode: e.Code,
		Category: e.Category, Severity: string(e.Severity), Payload: e.Payload, Detail: e.Detail,
		Closes: sql.NullInt64{Int64: e.Closes, Valid: e.Closes != 0}, WrittenBy: e.WrittenBy, RecordedAt: e.RecordedAt,
		FactKey: nullText(e.Fact), RequestKey: nullText(e.Key), Hash: e.Hash}
}

func (r entryRow) entry() order.HistoryEntry {
	return order.HistoryEntry{ID: r.Position, OrderID: r.ERPOrderID, Code: r.StatusCode, Category: r.Category,
		Severity: order.Severity(r.Severity), Payload: r.Payload, Detail: r.Detail, Closes: r.Closes.Int64, WrittenBy: r.WrittenBy,
		RecordedAt: r.RecordedAt.UTC(), Fact: r.FactKey.String, Key: r.RequestKey.String, Hash: r.Hash}
}

func nullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

// entriesOf is the entries of an order, in the order in which they were written.
func (s *Store) entriesOf(db *gorm.DB, tenantID, erpOrderID int64) *gorm.DB {
	return ofOrder(db.Table(s.held("history_entries", keyPrimary)), tenantID, erpOrderID).Order("position")
}

// ofOrder keeps a query to one order's rows.
func ofOrder(db *gorm.DB, tenantID, erpOrderID int64) *gorm.DB {
	return db.Where("tenant_id = ? AND erp_order_id = ?", tenantID, erpOrderID)
}

// History returns a page of an order's entries, oldest first; those of tombstones too, and of orders that the mirror does not
// have any more. None for an order without a history. Limit is 1 to order.MaxPageSize, or 0 for order.DefaultPageSize.
func (s *Store) History(ctx context.Context, tenantID, id int64, f order.HistoryFilter) ([]order.HistoryEntry, error) {
	var entries []order.HistoryEntry
	err := s.read(ctx, "read", "history_entries", func(db *gorm.DB) (err error) {
		entries, err = entriesIn(s.entriesOf(db, tenantID, id).Where("position > ?", f.AfterID).
			Limit(cmp.Or(f.Limit, order.DefaultPageSize)))
		if err != nil {
			return err
		}
		return s.markClosed(db, tenantID, id, entries)
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// entriesIn returns the entries of a query.
func entriesIn(query *gorm.DB) ([]order.HistoryEntry, error) {
	var rows []entryRow
	err := query.Find(&rows).Error
	entries := make([]order.HistoryEntry, len(rows))
	for i, row := range rows {
		entries[i] = row.entry()
	}
	return entries, err
}

// markClosed tells of an order's blocking entries by which later entry each was closed.
func (s *Store) markClosed(db *gorm.DB, tenantID, id int64, entries []order.HistoryEntry) error {
	var blocking []int64
	for _, e := range entries {
		if e.Severity == order.Blocking {
			blocking = append(blocking, e.ID)
		}
	}
	for chunk := range slices.Chunk(blocking, lookupIDs) {
		var closing []entryRow
		err := s.entriesOf(db, tenantID, id).Select("position", "closes", "recorded_at").Where("closes IN ?", chunk).Find(&closing).Error
		if err != nil {
			return err
		}
		for _, row := range closing {
			at, _ := slices.BinarySearchFunc(entries, row.Closes.Int64, func(e order.HistoryEntry, id int64) int { return cmp.Compare(e.ID, id) })
			entries[at].ClosedBy, entries[at].ClosedAt = row.Position, row.RecordedAt.UTC()
		}
	}
	return nil
}

// HistoryStatus returns the latest entry of each module of an order, and its open blocking ones.
func (s *Store) HistoryStatus(ctx context.Context, tenantID, id int64) (order.HistoryStatus, error) {
	var status order.HistoryStatus
	err := s.read(ctx, "read", "history_latest", func(db *gorm.DB) error {
		var latest []latestRow
		if err := ofOrder(db, tenantID, id).Order("module").Find(&latest).Error; err != nil {
			return err
		}
		positions := make([]int64, len(latest))
		for i, row := range latest {
			positions[i] = row.Position
		}
		entries, err := entriesIn(s.entriesOf(db, tenantID, id).Where("position IN ?", positions))
		if err != nil {
			return err
		}
		if err := s.markClosed(db, tenantID, id, entries); err != nil {
			return err
		}
		slices.SortFunc(entries, func(a, b order.HistoryEntry) int { return cmp.Compare(a.Module(), b.Module()) })
		status.Latest = entries
		status.Blocks, err = s.openBlocks(db, tenantID, id)
		return err
	})
	if err != nil {
		return order.HistoryStatus{}, err
	}
	return status, nil
}

// OpenBlocks returns the blocking entries of an order that no later one has closed, oldest first.
func (s *Store) OpenBlocks(ctx context.Context, tenantID, id int64) ([]order.HistoryEntry, error) {
	var blocks []order.HistoryEntry
	err := s.read(ctx, "read", "history_blocks", func(db *gorm.DB) (err error) {
		blocks, err = s.openBlocks(db, tenantID, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return blocks, nil
}

func (s *Store) openBlocks(db *gorm.DB, tenantID, id int64) ([]order.HistoryEntry, error) {
	var row blocksRow
	err := ofOrder(db, tenantID, id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return []order.HistoryEntry{}, nil
	}
	if err != nil {
		return nil, err
	}
	open, err := row.open()
	if err != nil {
		return nil, err
	}
	return entriesIn(s.entriesOf(db, tenantID, id).Where("position IN ?", open))
}

// HistoryCounts counts the tenant's orders, tombstones included, by the latest code of each module, and those that are blocked.
func (s *Store) HistoryCounts(ctx context.Context, tenantID int64) (order.HistoryCounts, error) {
	counts := order.HistoryCounts{Codes: map[string]int64{}}
	err := s.read(ctx, "count", "history_latest", func(db *gorm.DB) error {
		var rows []struct {
			StatusCode string
			N          int64
		}
		err := db.Table(s.held("history_latest", indexLatestCode)).Select("status_code, COUNT(*) AS n").Where("tenant_id = ?", tenantID).
			Group("status_code").Scan(&rows).Error
		if err != nil {
			return err
		}
		for _, row := range rows {
			counts.Codes[row.StatusCode] = row.N
		}
		return db.Model(&blocksRow{}).Where("tenant_id = ?", tenantID).Count(&counts.Blocked).Error
	})
	return counts, err
}

func errOrderNotFound() *order.Error {
	return order.Errorf(order.NotFound, "order_not_found", "There is no order with this id.")
}
