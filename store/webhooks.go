package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// Webhooks is what is known of a tenant's webhooks: where the ERP was told to post, with which secret, and what came.
type Webhooks struct {
	Address       string    // the URL that the ERP posts to, without the secret at its end
	Hash          string    // order.HashSecret of the secret
	PreviousHash  string    // of the secret before it; empty without one
	PreviousUntil time.Time // until when that one is still taken
	Early         bool      // this ERP posts before its transaction is committed
	InstalledAt   time.Time
	RotatedAt     time.Time // when the secret was made

	Counts WebhookCounts
}

// WebhookCounts is what came by webhooks, and what did not.
type WebhookCounts struct {
	NotifiedAt    time.Time // when the last notification came; zero before any
	Notifications int64
	Announced     int64 // changes that a webhook told of before the cursor found them
	Missed        int64 // changes that the cursor found and no webhook had told of
}

// Takes reports whether a secret with this hash is the current one, or the one before it while that is still taken.
func (w Webhooks) Takes(hash string, now time.Time) bool {
	current := sameHash(hash, w.Hash)
	previous := sameHash(hash, w.PreviousHash) && now.Before(w.PreviousUntil)
	return current || previous
}

// sameHash compares in a time that does not tell how much of a hash was right. An empty one is nobody's.
func sameHash(hash, stored string) bool {
	return stored != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(stored)) == 1
}

// webhookRow is a row of webhooks.
type webhookRow struct {
	TenantID      int64 `gorm:"primaryKey;autoIncrement:false"`
	Address       string
	Hash          string
	PreviousHash  string
	PreviousUntil sql.NullTime
	Early         bool
	InstalledAt   time.Time
	RotatedAt     time.Time
	NotifiedAt    sql.NullTime
	Notifications int64
	Announced     int64
	Missed        int64
}

func (webhookRow) TableName() string { return "webhooks" }

// Webhooks returns a tenant's webhooks. NotFound, code webhooks_not_installed, if it has none.
func (s *Store) Webhooks(ctx context.Context, tenantID int64) (Webhooks, error) {
	var row webhookRow
	err := s.read(ctx, "read", "webhooks", func(db *gorm.DB) error {
		err := db.Where("tenant_id = ?", tenantID).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return order.Errorf(order.NotFound, "webhooks_not_installed", "No webhooks are installed; `ordergate webhooks install` does it.")
		}
		return err
	})
	if err != nil {
		return Webhooks{}, err
	}
	return Webhooks{
		Address: row.Address, Hash: row.Hash, PreviousHash: row.PreviousHash, PreviousUntil: timeOf(row.PreviousUntil), Early: row.Early,
		InstalledAt: row.InstalledAt.UTC(), RotatedAt: row.RotatedAt.UTC(),
		Counts: WebhookCounts{NotifiedAt: timeOf(row.NotifiedAt), Notifications: row.Notifications, Announced: row.Announced, Missed: row.Missed},
	}, nil
}

// SaveWebhooks stores all of a tenant's webhooks but the counts, which go on from where they are.
func (s *Store) SaveWebhooks(ctx context.Context, tenantID int64, w Webhooks) error {
	row := webhookRow{TenantID: tenantID, Address: w.Address, Hash: w.Hash, PreviousHash: w.PreviousHash, Early: w.Early,
		PreviousUntil: nullTime(w.PreviousUntil), InstalledAt: timestamp(w.InstalledAt), RotatedAt: timestamp(w.RotatedAt)}
	return s.insertRace(ctx, "save", "webhooks", keyPrimary, func(tx *gorm.DB) error {
		var found int64
		if err := tx.Model(&webhookRow{}).Where("tenant_id = ?", tenantID).Count(&found).Error; err != nil {
			return err
		}
		if found == 0 {
			return tx.Create(&row).Error
		}
		return tx.Model(&webhookRow{}).Where("tenant_id = ?", tenantID).
			Select("address", "hash", "previous_hash", "previous_until", "early", "installed_at", "rotated_at").Updates(row).Error
	})
}

// RemoveWebhooks forgets a tenant's webhooks: no secret is taken any more. Doing it again changes nothing.
func (s *Store) RemoveWebhooks(ctx context.Context, tenantID int64) error {
	return s.transaction(ctx, "remove", "webhooks", func(tx *gorm.DB) error {
		return tx.Where("tenant_id = ?", tenantID).Delete(&webhookRow{}).Error
	})
}

// CountWebhooks adds what came since the last time to a tenant's counts. Several processes may add at the same moment.
// Nothing is counted for a tenant without webhooks.
func (s *Store) CountWebhooks(ctx context.Context, tenantID int64, more WebhookCounts) error {
	return s.transaction(ctx, "count", "webhooks", func(tx *gorm.DB) error {
		own := tx.Model(&webhookRow{}).Where("tenant_id = ?", tenantID)
		err := own.Session(&gorm.Session{}).Updates(map[string]any{
			"notifications": gorm.Expr("notifications + ?", more.Notifications),
			"announced":     gorm.Expr("announced + ?", more.Announced),
			"missed":        gorm.Expr("missed + ?", more.Missed),
		}).Error
		if err != nil || more.NotifiedAt.IsZero() {
			return err
		}
		at := nullTime(more.NotifiedAt)
		return own.Session(&gorm.Session{}).Where("notified_at IS NULL OR notified_at < ?", at).Update("notified_at", at).Error
	})
}
