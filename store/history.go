package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// historyRow is a row of order_history.
type historyRow struct {
	ID         int64
	TenantID   int64
	OrderID    int64 // of the row in orders
	Code       string
	Severity   string
	FromStatus string
	ToStatus   string
	Detail     string
	RecordedBy string
	RecordedAt time.Time
}

func (historyRow) TableName() string { return "order_history" }

func newHistoryRow(tenantID, rowID int64, entry order.HistoryEntry, now time.Time) historyRow {
	recordedAt := now
	if !entry.RecordedAt.IsZero() {
		recordedAt = timestamp(entry.RecordedAt)
	}
	return historyRow{TenantID: tenantID, OrderID: rowID, Code: entry.Code, Severity: string(entry.Severity),
		FromStatus: string(entry.From), ToStatus: string(entry.To), Detail: entry.Detail,
		RecordedBy: entry.RecordedBy, RecordedAt: recordedAt}
}

func insertHistory(tx *gorm.DB, rows []historyRow) error {
	if len(rows) == 0 {
		return nil
	}
	return tx.CreateInBatches(&rows, insertRows).Error
}

// maxHistory is how many entries of an order are read: far more than an order's life writes.
const maxHistory = 1000

// History returns an order's first 1000 entries, oldest first; those of tombstones too. NotFound, code order_not_found, if the
// mirror does not have the order.
func (s *Store) History(ctx context.Context, tenantID, id int64) ([]order.HistoryEntry, error) {
	var entries []order.HistoryEntry
	err := s.read(ctx, "read", "order_history", func(db *gorm.DB) error {
		rowID, err := rowIDOf(db, tenantID, id)
		if err != nil {
			return err
		}
		var rows []historyRow
		err = db.Where("tenant_id = ? AND order_id = ?", tenantID, rowID).Order("recorded_at, id").Limit(maxHistory).Find(&rows).Error
		entries = make([]order.HistoryEntry, len(rows))
		for i, r := range rows {
			entries[i] = order.HistoryEntry{
				ID: r.ID, OrderID: id, Code: r.Code, Severity: order.Severity(r.Severity),
				From: order.Status(r.FromStatus), To: order.Status(r.ToStatus), Detail: r.Detail,
				RecordedBy: r.RecordedBy, RecordedAt: r.RecordedAt.UTC(),
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

func rowIDOf(db *gorm.DB, tenantID, erpOrderID int64) (int64, error) {
	var row orderRow
	err := db.Select("id").Where("tenant_id = ? AND erp_order_id = ?", tenantID, erpOrderID).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, errOrderNotFound()
	}
	return row.ID, err
}

func errOrderNotFound() *order.Error {
	return order.Errorf(order.NotFound, "order_not_found", "There is no order with this id.")
}
