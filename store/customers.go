package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// catalogueBatch is how many customers or products one transaction brings up to date.
const catalogueBatch = 500

// customerRow is a row of customers.
type customerRow struct {
	ID           int64
	TenantID     int64
	ERPPartnerID int64          `gorm:"column:erp_partner_id"`
	ERPCompanyID int64          `gorm:"column:erp_company_id"`
	Ref          sql.NullString // NULL where no portal named it: any number of customers may have none
	Name         string
	Email        string
	Phone        string
	Active       bool
	SearchText   string
	WriteDate    sql.NullTime
	CreatedAt    time.Time
	UpdatedAt    time.Time `gorm:"autoUpdateTime:false"`
}

func (customerRow) TableName() string { return "customers" }

func (r customerRow) customer() order.Customer {
	return order.Customer{
		ERPPartnerID: r.ERPPartnerID, ERPCompanyID: r.ERPCompanyID, Ref: r.Ref.String, Name: r.Name, Email: r.Email,
		Phone: r.Phone, Active: r.Active, WriteDate: timeOf(r.WriteDate), CreatedAt: r.CreatedAt.UTC(),
	}
}

// merge is the row with what a customer says. A ref is kept where the customer has none, and what the ERP said later
// is kept where the customer is an older state.
func (r customerRow) merge(c order.Customer) customerRow {
	if c.Ref != "" {
		r.Ref = sql.NullString{String: c.Ref, Valid: true}
	}
	if !timestamp(c.WriteDate).Before(timeOf(r.WriteDate)) {
		r.ERPCompanyID, r.Name, r.Email, r.Phone, r.Active = c.ERPCompanyID, c.Name, c.Email, c.Phone, c.Active
		r.WriteDate = nullTime(c.WriteDate)
	}
	r.SearchText = searchText(r.Ref.String, r.Name, r.Email)
	return r
}

// UpsertCustomers stores what the ERP says of partners; a Ref that the mirror holds is kept where c.Ref is empty, and an
// older state never replaces a newer one. The orders of a customer that moves to another company go with it. ErrExists if a
// ref belongs to another partner of the tenant: then the batch that it is in was not stored.
func (s *Store) UpsertCustomers(ctx context.Context, tenantID int64, customers []order.Customer) error {
	sorted := slices.SortedStableFunc(slices.Values(customers), func(a, b order.Customer) int {
		return cmp.Compare(a.ERPPartnerID, b.ERPPartnerID)
	})
	for batch := range slices.Chunk(sorted, catalogueBatch) {
		err := inHalves(batch, func(some []order.Customer) error {
			return s.insertRace(ctx, "upsert", "customers", keyCustomerPartner, func(tx *gorm.DB) error {
				return s.upsertCustomers(tx, tenantID, some)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) upsertCustomers(tx *gorm.DB, tenantID int64, batch []order.Customer) error {
	ids := make([]int64, len(batch))
	for i, c := range batch {
		ids[i] = c.ERPPartnerID
	}
	var standing []customerRow
	err := s.forUpdate(tx).Where("tenant_id = ? AND erp_partner_id IN ?", tenantID, ids).
		Order("erp_partner_id").Find(&standing).Error
	if err != nil {
		return err
	}
	now := s.now()
	before := make(map[int64]customerRow, len(standing))
	after := make(map[int64]customerRow, len(batch))
	for _, row := range standing {
		before[row.ERPPartnerID], after[row.ERPPartnerID] = row, row
	}
	for _, c := range batch {
		row, known := after[c.ERPPartnerID]
		if !known {
			row = customerRow{TenantID: tenantID, ERPPartnerID: c.ERPPartnerID, CreatedAt: now, UpdatedAt: now}
		}
		after[c.ERPPartnerID] = row.merge(c)
	}

	moves := map[int64]int64{}
	for id, row := range after {
		if company := row.company(); company != cmp.Or(before[id].ERPCompanyID, id) {
			moves[id] = company
		}
	}
	if err := s.limitMoves(tx, tenantID, moves); err != nil {
		return err
	}

	var created []customerRow
	for _, id := range slices.Compact(ids) {
		row := after[id]
		old, known := before[id]
		switch {
		case !known:
			created = append(created, row)
		case row.customer() != old.customer():
			row.UpdatedAt = now
			err := tx.Model(&customerRow{}).Where("id = ? AND tenant_id = ?", row.ID, tenantID).
				Select("*").Omit("id", "tenant_id", "erp_partner_id", "created_at").Updates(row).Error
			if err != nil {
				return err
			}
		}
	}
	if len(created) > 0 {
		if err := tx.CreateInBatches(&created, insertRows).Error; err != nil {
			return err
		}
	}
	return s.moveOrders(tx, tenantID, moves)
}

// CustomerByRef returns the customer that the portal calls ref. NotFound, code customer_not_found, if there is none.
func (s *Store) CustomerByRef(ctx context.Context, tenantID int64, ref string) (order.Customer, error) {
	var row customerRow
	err := s.read(ctx, "read", "customers", func(db *gorm.DB) error {
		err := db.Where("tenant_id = ? AND ref = ?", tenantID, ref).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return order.Errorf(order.NotFound, "customer_not_found", "There is no customer with this ref.")
		}
		return err
	})
	if err != nil {
		return order.Customer{}, err
	}
	return row.customer(), nil
}

// CustomersByPartner returns the customers that the mirror has of these partners, by rising ERP id.
func (s *Store) CustomersByPartner(
	ctx context.Context, tenantID int64, partnerIDs []int64,
) ([]order.Customer, error) {
	customers := []order.Customer{}
	err := s.read(ctx, "read", "customers", func(db *gorm.DB) error {
		for chunk := range slices.Chunk(slices.Sorted(slices.Values(partnerIDs)), lookupIDs) {
			var rows []customerRow
			err := db.Where("tenant_id = ? AND erp_partner_id IN ?", tenantID, chunk).
				Order("erp_partner_id").Find(&rows).Error
			if err != nil {
				return err
			}
			for _, row := range rows {
				customers = append(customers, row.customer())
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return customers, nil
}

// ListCustomers returns a page of customers, by rising ERP id. Limit 0 means order.DefaultPageSize.
func (s *Store) ListCustomers(
	ctx context.Context, tenantID int64, f order.CatalogueFilter,
) ([]order.Customer, error) {
	var rows []customerRow
	err := s.read(ctx, "list", "customers", func(db *gorm.DB) error {
		return searched(db, f).Where("tenant_id = ? AND erp_partner_id > ?", tenantID, f.AfterID).
			Order("erp_partner_id").Find(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	customers := make([]order.Customer, len(rows))
	for i, row := range rows {
		customers[i] = row.customer()
	}
	return customers, nil
}

// searched narrows a listing of the catalogue.
func searched(db *gorm.DB, f order.CatalogueFilter) *gorm.DB {
	q := db.Limit(cmp.Or(f.Limit, order.DefaultPageSize))
	if f.Query != "" {
		q = q.Where("INSTR(search_text, ?) > 0", searchText(f.Query))
	}
	return q
}

// ForgetCustomers drops customers that the ERP no longer has, refs included: those are free for another partner. Their
// orders are no company's then.
func (s *Store) ForgetCustomers(ctx context.Context, tenantID int64, partnerIDs []int64) error {
	for _, id := range partnerIDs {
		err := s.transaction(ctx, "forget", "customers", func(tx *gorm.DB) error {
			err := tx.Where("tenant_id = ? AND erp_partner_id = ?", tenantID, id).Delete(&customerRow{}).Error
			if err != nil {
				return err
			}
			return s.settleOrders(tx, tenantID, id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
