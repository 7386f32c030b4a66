package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

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

func (r cursorRow) cursor() Cursor {
	return Cursor{WriteDate: timeOf(r.WriteDate), SyncedAt: timeOf(r.SyncedAt), Complete: r.Complete}
}

// Cursor returns how far a model was synced; the zero Cursor for one that never was.
func (s *Store) Cursor(ctx context.Context, tenantID int64, model string) (Cursor, error) {
	var row cursorRow
	err := s.read(ctx, "read", "sync_cursors", func(db *gorm.DB) error {
		return takeIfAny(db.Where("tenant_id = ? AND model = ?", tenantID, model), &row)
	})
	return row.cursor(), err
}

// takeIfAny reads the row of a query; without one it leaves row as it is.
func takeIfAny(query *gorm.DB, row any) error {
	err := query.Take(row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	return err
}

// AdvanceCursor notes that a model was synced as far as c says. What is noted already is never taken back: who was
// halted and writes late does no harm, and a reader may note its sync beside the background's. With a holder it does
// nothing unless that holds the lease of the background's sync, and says so with false.
func (s *Store) AdvanceCursor(ctx context.Context, tenantID int64, model string, c Cursor, holder string) (advanced bool, err error) {
	err = s.insertRace(ctx, "save", "sync_cursors", keyPrimary, func(tx *gorm.DB) error {
		advanced = false
		if holder != "" {
			if held, err := s.holds(tx, tenantID, BackgroundSync, holder); err != nil || !held {
				return err
			}
		}
		advanced = true
		standing := cursorRow{}
		err := takeIfAny(s.forUpdate(tx).Where("tenant_id = ? AND model = ?", tenantID, model), &standing)
		if err != nil {
			return err
		}
		merged := standing.cursor().merge(c, s.now())
		row := cursorRow{TenantID: tenantID, Model: model, WriteDate: nullTime(merged.WriteDate), SyncedAt: nullTime(merged.SyncedAt),
			Complete: merged.Complete}
		if standing.Model == "" {
			return tx.Create(&row).Error
		}
		return tx.Model(&cursorRow{}).Where("tenant_id = ? AND model = ?", tenantID, model).
			Select("write_date", "synced_at", "complete").Updates(row).Error
	})
	return advanced, err
}

// merge takes the later of each. A sync that lies in the future was noted by a wrong clock and counts for nothing.
func (c Cursor) merge(arriving Cursor, now time.Time) Cursor {
	if arriving.WriteDate.After(c.WriteDate) {
		c.WriteDate = arriving.WriteDate
	}
	if arriving.SyncedAt.After(c.SyncedAt) || c.SyncedAt.After(now.Add(ClockSlack)) {
		c.SyncedAt = arriving.SyncedAt
	}
	c.Complete = c.Complete || arriving.Complete
	return c
}
