package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// keyRow is a row of api_keys.
type keyRow struct {
	ID           int64
	TenantID     int64
	Name         string
	Role         string
	Source       string
	ERPPartnerID int64 `gorm:"column:erp_partner_id"`
	Module       string
	Prefix       string
	Hash         string
	CreatedAt    time.Time
	RevokedAt    sql.NullTime
}

func (keyRow) TableName() string { return "api_keys" }

func (r keyRow) key() order.APIKey {
	return order.APIKey{
		ID: r.ID, TenantID: r.TenantID, Name: r.Name, Role: order.Role(r.Role), Source: r.Source,
		ERPPartnerID: r.ERPPartnerID, Module: r.Module, Prefix: r.Prefix, Hash: r.Hash,
		CreatedAt: r.CreatedAt.UTC(), RevokedAt: timeOf(r.RevokedAt),
	}
}

func errKeyNotFound() *order.Error {
	return order.Errorf(order.NotFound, "key_not_found", "There is no such API key.")
}

// CreateKey stores a key and returns it with its ID and CreatedAt. ErrExists if the tenant has a key of this name,
// revoked ones included, so that a name in the history means one key for ever.
func (s *Store) CreateKey(ctx context.Context, key order.APIKey) (order.APIKey, error) {
	var row keyRow
	err := s.transaction(ctx, "create", "api_keys", func(tx *gorm.DB) error {
		row = keyRow{TenantID: key.TenantID, Name: key.Name, Role: string(key.Role), Source: key.Source,
			ERPPartnerID: key.ERPPartnerID, Module: key.Module, Prefix: key.Prefix, Hash: key.Hash, CreatedAt: s.now()}
		return tx.Create(&row).Error
	})
	if err != nil {
		return order.APIKey{}, err
	}
	return row.key(), nil
}

// Keys returns the keys of a tenant, revoked ones too, in the order of their creation.
func (s *Store) Keys(ctx context.Context, tenantID int64) ([]order.APIKey, error) {
	var rows []keyRow
	err := s.read(ctx, "list", "api_keys", func(db *gorm.DB) error {
		return db.Where("tenant_id = ?", tenantID).Order("id").Find(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	keys := make([]order.APIKey, len(rows))
	for i, row := range rows {
		keys[i] = row.key()
	}
	return keys, nil
}

// RevokeKey ends a key, named by its name or, if none has that name, by its id. Revoking it again changes nothing.
// NotFound, code key_not_found, if the tenant has no such key.
func (s *Store) RevokeKey(ctx context.Context, tenantID int64, nameOrID string) error {
	return s.transaction(ctx, "revoke", "api_keys", func(tx *gorm.DB) error {
		row, err := findKey(tx, tenantID, nameOrID)
		if err != nil {
			return err
		}
		return tx.Model(&keyRow{}).Where("id = ? AND tenant_id = ? AND revoked_at IS NULL", row.ID, tenantID).
			Update("revoked_at", s.now()).Error
	})
}

func findKey(db *gorm.DB, tenantID int64, nameOrID string) (keyRow, error) {
	var row keyRow
	err := db.Where("tenant_id = ? AND name = ?", tenantID, nameOrID).Take(&row).Error
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return row, err
	}
	id, err := strconv.ParseInt(nameOrID, 10, 64)
	if err != nil {
		return keyRow{}, errKeyNotFound()
	}
	err = db.Where("tenant_id = ? AND id = ?", tenantID, id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return keyRow{}, errKeyNotFound()
	}
	return row, err
}

// KeyByHash returns the key with a hash, of whatever tenant: it is what tells the tenant. A revoked key is returned too,
// with RevokedAt set. NotFound, code key_not_found, if there is none.
func (s *Store) KeyByHash(ctx context.Context, hash string) (order.APIKey, error) {
	var row keyRow
	err := s.read(ctx, "read", "api_keys", func(db *gorm.DB) error {
		err := db.Where("hash = ?", hash).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errKeyNotFound()
		}
		return err
	})
	if err != nil {
		return order.APIKey{}, err
	}
	return row.key(), nil
}
