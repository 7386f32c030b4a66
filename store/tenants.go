package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// tenantRow is a row of tenants.
type tenantRow struct {
	ID        int64
	Name      string
	CreatedAt time.Time
}

func (tenantRow) TableName() string { return "tenants" }

// Tenant returns the id of the tenant with a name. NotFound, code tenant_not_found, if there is none.
func (s *Store) Tenant(ctx context.Context, name string) (int64, error) {
	var row tenantRow
	err := s.read(ctx, "read", "tenants", func(db *gorm.DB) error {
		err := db.Where("name = ?", name).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return order.Errorf(order.NotFound, "tenant_not_found", "There is no tenant named %q; the first key makes it.", name)
		}
		return err
	})
	return row.ID, err
}

// Tenants returns the tenants that the database has rows of, without their settings, by id.
func (s *Store) Tenants(ctx context.Context) ([]order.Tenant, error) {
	var rows []tenantRow
	err := s.read(ctx, "list", "tenants", func(db *gorm.DB) error { return db.Order("id").Find(&rows).Error })
	if err != nil {
		return nil, err
	}
	tenants := make([]order.Tenant, len(rows))
	for i, row := range rows {
		tenants[i] = order.Tenant{ID: row.ID, Name: row.Name}
	}
	return tenants, nil
}

// EnsureTenant returns the id of the tenant with a name, and creates it if there is none. The first tenant of a database
// has id 1, as the rows that an earlier system left.
func (s *Store) EnsureTenant(ctx context.Context, name string) (int64, error) {
	var id int64
	err := s.insertRace(ctx, "ensure", "tenants", keyTenantName, func(tx *gorm.DB) error {
		var found []tenantRow
		if err := tx.Where("name = ?", name).Find(&found).Error; err != nil {
			return err
		}
		if len(found) > 0 {
			id = found[0].ID
			return nil
		}
		row := tenantRow{Name: name, CreatedAt: s.now()}
		err := tx.Create(&row).Error
		id = row.ID
		return err
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}
