package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"ordergate/migrations"
	"ordergate/order"
)

// Orphan is an order of an earlier system that named no order of the ERP. The migration took it out of the mirror.
type Orphan struct {
	ArchiveID int64
	Number    string
	Reference string
}

// archiveRow is a row of dedupe_archive.
type archiveRow struct {
	ID                 int64
	TenantID           int64
	RowTable           string `gorm:"column:table_name"`
	RowID              int64
	Reason             string
	RowJSON            string `gorm:"column:row_json"`
	ArchivedAt         time.Time
	ResolvedAt         sql.NullTime
	ResolvedERPOrderID sql.NullInt64 `gorm:"column:resolved_erp_order_id"`
}

func (archiveRow) TableName() string { return "dedupe_archive" }

// Orphans returns up to limit orphans that are not resolved, after the archive id afterID, rising. Limit 0 means
// order.DefaultPageSize.
func (s *Store) Orphans(ctx context.Context, tenantID, afterID int64, limit int) ([]Orphan, error) {
	orphans := []Orphan{}
	err := s.read(ctx, "list", "dedupe_archive", func(db *gorm.DB) error {
		var rows []archiveRow
		err := unresolved(db, tenantID).Where("id > ?", afterID).
			Order("id").Limit(cmp.Or(limit, order.DefaultPageSize)).Find(&rows).Error
		if err != nil {
			return err
		}
		for _, row := range rows {
			var names struct{ Number, Reference *string }
			if err := json.Unmarshal([]byte(row.RowJSON), &names); err != nil {
				return fmt.Errorf("decoding archived row %d: %w", row.ID, err)
			}
			orphan := Orphan{ArchiveID: row.ID}
			if names.Number != nil {
				orphan.Number = *names.Number
			}
			if names.Reference != nil {
				orphan.Reference = *names.Reference
			}
			orphans = append(orphans, orphan)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return orphans, nil
}

// ResolveOrphan notes which order of the ERP an orphan turned out to be. NotFound, code orphan_not_found, if there is no
// such orphan or it is resolved already.
func (s *Store) ResolveOrphan(ctx context.Context, tenantID, archiveID, erpOrderID int64) error {
	return s.transaction(ctx, "resolve", "dedupe_archive", func(tx *gorm.DB) error {
		update := unresolved(tx.Model(&archiveRow{}), tenantID).Where("id = ?", archiveID).
			Updates(map[string]any{"resolved_at": s.now(), "resolved_erp_order_id": erpOrderID})
		if update.Error == nil && update.RowsAffected == 0 {
			return order.Errorf(order.NotFound, "orphan_not_found", "There is no unresolved orphan with this id.")
		}
		return update.Error
	})
}

func unresolved(db *gorm.DB, tenantID int64) *gorm.DB {
	return db.Where("tenant_id = ? AND table_name = ? AND reason = ? AND resolved_at IS NULL",
		tenantID, "orders", migrations.ReasonNoERPOrderID)
}
