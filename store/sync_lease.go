package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
)

// SyncLeaseLasts is how long the lease of a background sync is given for. Who syncs for longer renews it.
const SyncLeaseLasts = 6 * time.Second

// The leases.
const (
	BackgroundSync = "background sync" // without it, no cursor is advanced in its holder's name
	FullSync       = "full sync"       // without it, nobody notes how far a full read has come
)

// SyncLease is what HoldSync takes; all of it must be set.
type SyncLease struct {
	Holder string
	Now    time.Time // by the clock of this process
	Until  time.Time
}

// syncLeaseRow is a row of sync_leases.
type syncLeaseRow struct {
	TenantID  int64  `gorm:"primaryKey;autoIncrement:false"`
	Name      string `gorm:"primaryKey"`
	Holder    string
	HeldUntil time.Time
}

func (syncLeaseRow) TableName() string { return "sync_leases" }

// HoldSync takes a lease, or prolongs it. False while another holder has it: one that is over, or was
// written by a wrong clock, keeps nobody out.
func (s *Store) HoldSync(ctx context.Context, tenantID int64, name string, lease SyncLease) (held bool, err error) {
	if lease.Holder == "" || lease.Now.IsZero() || lease.Until.IsZero() {
		return false, errors.New("a lease needs a holder, the time and an end")
	}
	err = s.insertRace(ctx, "hold", "sync_leases", keyPrimary, func(tx *gorm.DB) error {
		held = false
		standing := syncLeaseRow{}
		err := takeIfAny(s.forUpdate(tx).Where("tenant_id = ? AND name = ?", tenantID, name), &standing)
		if err != nil {
			return err
		}
		row := syncLeaseRow{TenantID: tenantID, Name: name, Holder: lease.Holder, HeldUntil: timestamp(lease.Until)}
		if standing.Holder == "" {
			held = true
			return tx.Create(&row).Error
		}
		over := !standing.HeldUntil.After(lease.Now) || standing.HeldUntil.After(lease.Now.Add(SyncLeaseLasts+ClockSlack))
		if standing.Holder != lease.Holder && !over {
			return nil
		}
		held = true
		return tx.Model(&syncLeaseRow{}).Where("tenant_id = ? AND name = ?", tenantID, name).
			Select("holder", "held_until").Updates(row).Error
	})
	return held, err
}

// holds reports whether a holder has a lease, which then does not change hands before the transaction ends.
func (s *Store) holds(tx *gorm.DB, tenantID int64, name, holder string) (bool, error) {
	var lease syncLeaseRow
	err := takeIfAny(s.forUpdate(tx).Where("tenant_id = ? AND name = ? AND holder = ?", tenantID, name, holder), &lease)
	return lease.Holder != "", err
}

// LeaveSync gives a lease back, if holder has it.
func (s *Store) LeaveSync(ctx context.Context, tenantID int64, name, holder string) error {
	return s.transaction(ctx, "leave", "sync_leases", func(tx *gorm.DB) error {
		return tx.Where("tenant_id = ? AND name = ? AND holder = ?", tenantID, name, holder).Delete(&syncLeaseRow{}).Error
	})
}
