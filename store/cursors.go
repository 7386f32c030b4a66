package store

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

// cursorRow is a row of sync_cursors.
type cursorRow struct {
	TenantID  int64  `gorm:"primaryKey;autoIncrement:false"`
	Model     string `gorm:"primaryKey"`
	WriteDate sql.NullTime
	SyncedAt  sql.NullTime
	Complete  bool
}

func (cursorRow) TableName() string { return "sync_cursors" }

// Cursor returns how far a model was synced; the zero Cursor for one that never was.
func (s *Store) Cursor(ctx context.Context, tenantID int64, model string) (Cursor, error) {
	var row cursorRow
	err := s.read(ctx, "read", "sync_cursors", func(db *gorm.DB) error {
		err := db.Where("tenant_id = ? AND model = ?", tenantID, model).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil
		}
		return err
	})
	return Cursor{WriteDate: timeOf(row.WriteDate), SyncedAt: timeOf(row.SyncedAt), Complete: row.Complete}, err
}

// SaveCursor stores how far a model was synced.
func (s *Store) SaveCursor(ctx context.Context, tenantID int64, model string, c Cursor) error {
	row := cursorRow{TenantID: tenantID, Model: model, WriteDate: nullTime(c.WriteDate), SyncedAt: nullTime(c.SyncedAt),
		Complete: c.Complete}
	return s.insertRace(ctx, "save", "sync_cursors", keyPrimary, func(tx *gorm.DB) error {
		update := tx.Model(&cursorRow{}).Where("tenant_id = ? AND model = ?", tenantID, model).
			Select("write_date", "synced_at", "complete").Updates(row)
		if update.Error != nil || update.RowsAffected > 0 {
			return update.Error
		}
		return tx.Create(&row).Error
	})
}
