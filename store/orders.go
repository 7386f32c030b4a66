package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// OrderHeads returns what the mirror holds of these orders, by id. Tombstones are left out: an order that the ERP has
// again must look unknown, so that it is read.
func (s *Store) OrderHeads(ctx context.Context, tenantID int64, ids []int64) (map[int64]order.Head, error) {
	heads := make(map[int64]order.Head, len(ids))
	err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
		for chunk := range slices.Chunk(ids, lookupIDs) {
			var rows []orderRow
			err := db.Select("erp_order_id", "write_date", "lines_write_date", "documents_write_date", "read_at").
				Where("tenant_id = ? AND erp_order_id IN ? AND deleted_at IS NULL", tenantID, chunk).Find(&rows).Error
			if err != nil {
				return err
			}
			for _, r := range rows {
				heads[r.ERPOrderID] = order.Head{ID: r.ERPOrderID, WriteDate: timeOf(r.WriteDate),
					LinesWriteDate: timeOf(r.LinesWriteDate), DocumentsWriteDate: timeOf(r.DocumentsWriteDate), ReadAt: timeOf(r.ReadAt)}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return heads, nil
}

// CountOrders counts the orders of a range of ids, without tombstones.
func (s *Store) CountOrders(ctx context.Context, tenantID int64, r order.IDRange) (int64, error) {
	var n int64
	err := s.read(ctx, "count", "orders", func(db *gorm.DB) error {
		query := db.Model(&orderRow{}).Where("tenant_id = ? AND erp_order_id > ? AND deleted_at IS NULL", tenantID, r.After)
		if r.UpTo != 0 {
			query = query.Where("erp_order_id <= ?", r.UpTo)
		}
		return query.Count(&n).Error
	})
	return n, err
}

// CountMirror counts orders for a SyncReport: Orders, Edited and Deleted.
func (s *Store) CountMirror(ctx context.Context, tenantID int64) (order.SyncReport, error) {
	var report order.SyncReport
	err := s.read(ctx, "count", "orders", func(db *gorm.DB) error {
		count := func(into *int64, condition string) error {
			return db.Model(&orderRow{}).Where("tenant_id = ? AND "+condition, tenantID).Count(into).Error
		}
		return errors.Join(count(&report.Orders, "deleted_at IS NULL"), count(&report.Edited, "edited = 1 AND deleted_at IS NULL"),
			count(&report.Deleted, "deleted_at IS NOT NULL"))
	})
	return report, err
}

// OrderInDoubt reports whether an intent of this order has no known outcome.
func (s *Store) OrderInDoubt(ctx context.Context, tenantID, id int64) (bool, error) {
	var n int64
	err := s.read(ctx, "count", "intents", func(db *gorm.DB) error {
		return db.Model(&intentRow{}).Where("tenant_id = ? AND erp_order_id = ? AND state IN ?", tenantID, id,
			[]string{string(order.Sending), string(order.Parked)}).
			Where("kind = ? OR state = ? OR unknown_at IS NOT NULL", placing, string(order.Parked)). // an action under way is none
			Count(&n).Error
	})
	return n > 0, err
}

// LastOrderID returns the highest id, tombstones included; 0 without orders.
func (s *Store) LastOrderID(ctx context.Context, tenantID int64) (int64, error) {
	var id sql.NullInt64
	err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
		return db.Model(&orderRow{}).Where("tenant_id = ?", tenantID).Select("MAX(erp_order_id)").Scan(&id).Error
	})
	return id.Int64, err
}

// PartnerOrderIDs returns up to limit ids of a partner's orders from fromID on, without tombstones.
func (s *Store) PartnerOrderIDs(ctx context.Context, tenantID, partnerID, fromID int64, limit int) ([]int64, error) {
	var ids []int64
	err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
		return db.Table("orders"+s.forceIndex(indexPartner.name)).
			Where("tenant_id = ? AND erp_partner_id = ? AND deleted_at IS NULL AND erp_order_id >= ?", tenantID, partnerID, fromID).
			Limit(limit).Pluck("erp_order_id", &ids).Error
	})
	return ids, err
}

// OrderIDs returns up to limit ids after afterID, rising, without tombstones.
func (s *Store) OrderIDs(ctx context.Context, tenantID, afterID int64, limit int) ([]int64, error) {
	var ids []int64
	err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
		return db.Table("orders"+s.forceIndex(keyOrder)).
			Where("tenant_id = ? AND erp_order_id > ? AND deleted_at IS NULL", tenantID, afterID).
			Order("erp_order_id").Limit(limit).Pluck("erp_order_id", &ids).Error
	})
	return ids, err
}

// MarkDeleted makes tombstones of orders that the ERP did not have at a time, by its clock, with a history entry each, and
// counts them. Orders that are unknown or tombstones already are left alone. Only a later reading brings a tombstone back.
func (s *Store) MarkDeleted(ctx context.Context, tenantID int64, ids []int64, asOf time.Time, recordedBy string) (int64, error) {
	var total int64
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), upsertBatch) {
		var marked int64
		err := s.transaction(ctx, "mark deleted", "orders", func(tx *gorm.DB) error {
			n, err := s.markDeleted(tx, tenantID, chunk, asOf, recordedBy)
			marked = n
			return err
		})
		if err != nil {
			return total, err
		}
		total += marked
	}
	return total, nil
}

func (s *Store) markDeleted(tx *gorm.DB, tenantID int64, ids []int64, asOf time.Time, recordedBy string) (int64, error) {
	var rows []orderRow
	err := s.forUpdate(tx).Select("id", "erp_order_id", "status", "ordered_at").
		Where("tenant_id = ? AND erp_order_id IN ? AND deleted_at IS NULL", tenantID, ids).
		Order("erp_order_id").Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	now := s.now()
	rowIDs := make([]int64, len(rows))
	orderedAt := make(map[int64]time.Time, len(rows))
	for i, row := range rows {
		rowIDs[i], orderedAt[row.ERPOrderID] = row.ID, row.OrderedAt
	}
	history, err := s.appendTo(tx, tenantID, now, orderedAt)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		gone := order.Entry(row.ERPOrderID, order.HistoryDeleted)
		gone.Payload = order.PayloadText(map[string]any{"status": row.Status})
		history.add(row.ERPOrderID, recordedBy, history.known[row.ERPOrderID].Say(order.SubjectPlace, order.Gone, gone))
	}
	err = tx.Model(&orderRow{}).Where("tenant_id = ? AND id IN ?", tenantID, rowIDs).
		Updates(map[string]any{"deleted_at": sql.NullTime{Time: now, Valid: true}, "read_at": nullTime(asOf), "updated_at": now}).Error
	if err != nil {
		return 0, err
	}
	return int64(len(rows)), history.write()
}
