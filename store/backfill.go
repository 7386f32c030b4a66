package store

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"
)

// Backfill is how far a full read of the orders has come.
type Backfill struct {
	Since    time.Time // only orders written since; zero: all
	AfterID  int64     // those up to this id are stored
	Orders   int64     // how many that were
	ERPBegan time.Time // when it began, by the ERP's clock; zero: no full read is under way
}

// backfillRow is a row of sync_backfills.
type backfillRow struct {
	TenantID  int64 `gorm:"primaryKey;autoIncrement:false"`
	Since     sql.NullTime
	AfterID   int64
	Orders    int64
	ERPBegan  time.Time `gorm:"column:erp_began"`
	UpdatedAt time.Time
}

func (backfillRow) TableName() string { return "sync_backfills" }

// Backfill returns how far a full read has come; the zero Backfill if none is under way.
func (s *Store) Backfill(ctx context.Context, tenantID int64) (Backfill, error) {
	var row backfillRow
	err := s.read(ctx, "read", "sync_backfills", func(db *gorm.DB) error {
		return takeIfAny(db.Where("tenant_id = ?", tenantID), &row)
	})
	if err != nil || row.TenantID == 0 {
		return Backfill{}, err
	}
	return Backfill{Since: timeOf(row.Since), AfterID: row.AfterID, Orders: row.Orders, ERPBegan: row.ERPBegan.UTC()}, nil
}

// SaveBackfill notes how far a full read has come. False, and nothing is noted, unless holder has the lease of full reads: one
// that was halted must not bring back what another has gone on with, or ended.
func (s *Store) SaveBackfill(ctx context.Context, tenantID int64, holder string, b Backfill) (saved bool, err error) {
	row := backfillRow{TenantID: tenantID, Since: nullTime(b.Since), AfterID: b.AfterID, Orders: b.Orders,
		ERPBegan: timestamp(b.ERPBegan), UpdatedAt: s.now()}
	err = s.insertRace(ctx, "save", "sync_backfills", keyPrimary, func(tx *gorm.DB) error {
		saved = false
		if held, err := s.holds(tx, tenantID, FullSync, holder); err != nil || !held {
			return err
		}
		saved = true
		update := tx.Model(&backfillRow{}).Where("tenant_id = ?", tenantID).
			Select("since", "after_id", "orders", "erp_began", "updated_at").Updates(row)
		if update.Error != nil || update.RowsAffected > 0 {
			return update.Error
		}
		return tx.Create(&row).Error
	})
	return saved, err
}

// EndBackfill forgets a full read. False, and it is kept, unless holder has the lease of full reads.
func (s *Store) EndBackfill(ctx context.Context, tenantID int64, holder string) (ended bool, err error) {
	err = s.transaction(ctx, "end", "sync_backfills", func(tx *gorm.DB) error {
		ended = false
		if held, err := s.holds(tx, tenantID, FullSync, holder); err != nil || !held {
			return err
		}
		ended = true
		return tx.Where("tenant_id = ?", tenantID).Delete(&backfillRow{}).Error
	})
	return ended, err
}
