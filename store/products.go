package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"gorm.io/gorm"

	"ordergate/order"
)

// productRow is a row of products.
type productRow struct {
	ID            int64
	TenantID      int64
	ERPProductID  int64 `gorm:"column:erp_product_id"`
	SKU           string
	Name          string
	UnitOfMeasure string
	ListPrice     decimal.Decimal
	Currency      string
	Sellable      bool
	Active        bool
	SearchText    string
	WriteDate     sql.NullTime
	CreatedAt     time.Time
	UpdatedAt     time.Time `gorm:"autoUpdateTime:false"`
}

func (productRow) TableName() string { return "products" }

func (r productRow) product() order.Product {
	return order.Product{
		ERPProductID: r.ERPProductID, SKU: r.SKU, Name: r.Name, UnitOfMeasure: r.UnitOfMeasure, ListPrice: r.ListPrice,
		Currency: r.Currency, Sellable: r.Sellable, Active: r.Active, WriteDate: timeOf(r.WriteDate),
	}
}

// merge is the row with what a product says, unless that is an older state.
func (r productRow) merge(p order.Product) productRow {
	if timestamp(p.WriteDate).Before(timeOf(r.WriteDate)) {
		return r
	}
	r.SKU, r.Name, r.UnitOfMeasure, r.ListPrice = p.SKU, p.Name, p.UnitOfMeasure, amount(p.ListPrice)
	r.Currency, r.Sellable, r.Active, r.WriteDate = p.Currency, p.Sellable, p.Active, nullTime(p.WriteDate)
	r.SearchText = searchText(r.SKU, r.Name)
	return r
}

// says reports whether both rows hold the same.
func (r productRow) says(other productRow) bool {
	equalPrice := r.ListPrice.Equal(other.ListPrice)
	a, b := r.product(), other.product()
	a.ListPrice, b.ListPrice = decimal.Zero, decimal.Zero
	return equalPrice && a == b
}

// UpsertProducts stores what the ERP says of products. An older state never replaces a newer one.
func (s *Store) UpsertProducts(ctx context.Context, tenantID int64, products []order.Product) error {
	sorted := slices.SortedStableFunc(slices.Values(products), func(a, b order.Product) int {
		return cmp.Compare(a.ERPProductID, b.ERPProductID)
	})
	for batch := range slices.Chunk(sorted, catalogueBatch) {
		err := s.insertRace(ctx, "upsert", "products", keyProduct, func(tx *gorm.DB) error {
			return s.upsertProducts(tx, tenantID, batch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) upsertProducts(tx *gorm.DB, tenantID int64, batch []order.Product) error {
	ids := make([]int64, len(batch))
	for i, p := range batch {
		ids[i] = p.ERPProductID
	}
	var standing []productRow
	err := s.forUpdate(tx).Where("tenant_id = ? AND erp_product_id IN ?", tenantID, ids).
		Order("erp_product_id").Find(&standing).Error
	if err != nil {
		return err
	}
	now := s.now()
	before := make(map[int64]productRow, len(standing))
	after := make(map[int64]productRow, len(batch))
	for _, row := range standing {
		before[row.ERPProductID], after[row.ERPProductID] = row, row
	}
	for _, p := range batch {
		row, known := after[p.ERPProductID]
		if !known {
			row = productRow{TenantID: tenantID, ERPProductID: p.ERPProductID, CreatedAt: now, UpdatedAt: now}
		}
		after[p.ERPProductID] = row.merge(p)
	}

	var created []productRow
	for _, id := range slices.Compact(ids) {
		row := after[id]
		old, known := before[id]
		switch {
		case !known:
			created = append(created, row)
		case !row.says(old):
			row.UpdatedAt = now
			err := tx.Model(&productRow{}).Where("id = ? AND tenant_id = ?", row.ID, tenantID).
				Select("*").Omit("id", "tenant_id", "erp_product_id", "created_at").Updates(row).Error
			if err != nil {
				return err
			}
		}
	}
	if len(created) == 0 {
		return nil
	}
	return tx.CreateInBatches(&created, insertRows).Error
}

// ProductsBySKU returns every product that has one of the SKUs, archived ones too, by rising ERP id.
func (s *Store) ProductsBySKU(ctx context.Context, tenantID int64, skus []string) ([]order.Product, error) {
	return readProducts(ctx, s, tenantID, "sku IN ?", skus)
}

// ProductsByID returns the products that the mirror has, archived ones too, by rising ERP id.
func (s *Store) ProductsByID(ctx context.Context, tenantID int64, ids []int64) ([]order.Product, error) {
	return readProducts(ctx, s, tenantID, "erp_product_id IN ?", ids)
}

func readProducts[K cmp.Ordered](
	ctx context.Context, s *Store, tenantID int64, condition string, keys []K,
) ([]order.Product, error) {
	products := []order.Product{}
	err := s.read(ctx, "read", "products", func(db *gorm.DB) error {
		unique := slices.Compact(slices.Sorted(slices.Values(keys)))
		for chunk := range slices.Chunk(unique, lookupIDs) {
			var rows []productRow
			if err := db.Where("tenant_id = ?", tenantID).Where(condition, chunk).Find(&rows).Error; err != nil {
				return err
			}
			for _, row := range rows {
				products = append(products, row.product())
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(products, func(a, b order.Product) int { return cmp.Compare(a.ERPProductID, b.ERPProductID) })
	return products, nil
}

// ListProducts returns a page of products, archived ones too, by rising ERP id. Limit 0 means order.DefaultPageSize.
func (s *Store) ListProducts(
	ctx context.Context, tenantID int64, f order.CatalogueFilter,
) ([]order.Product, error) {
	var rows []productRow
	err := s.read(ctx, "list", "products", func(db *gorm.DB) error {
		return searched(db, f).Where("tenant_id = ? AND erp_product_id > ?", tenantID, f.AfterID).
			Order("erp_product_id").Find(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	products := make([]order.Product, len(rows))
	for i, row := range rows {
		products[i] = row.product()
	}
	return products, nil
}

// ForgetProducts drops products that the ERP no longer has. Orders keep what their lines say of them.
func (s *Store) ForgetProducts(ctx context.Context, tenantID int64, ids []int64) error {
	return s.transaction(ctx, "forget", "products", func(tx *gorm.DB) error {
		return tx.Where("tenant_id = ? AND erp_product_id IN ?", tenantID, ids).Delete(&productRow{}).Error
	})
}
