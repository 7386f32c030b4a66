package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// briefPage is how many orders one query reads of all that a tenant has.
const briefPage = 500

// EachCustomersOrders calls visit with the orders of every customer, without tombstones, customer by customer, each one's
// by date. One customer's are in memory at a time.
func (s *Store) EachCustomersOrders(ctx context.Context, tenantID int64, visit func([]order.Brief) error) error {
	last := orderRow{OrderedAt: time.Unix(0, 0).UTC()}
	var one []order.Brief
	for {
		var rows []orderRow
		err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
			// In the words, and the order, of idx_orders_partner: sorting would take the whole table for each page.
			return db.Table("orders"+s.forceIndex("idx_orders_partner")).Select("erp_order_id", "number", "status", "erp_partner_id", "reference", "source", "currency", "amount_total",
				"erp_created_at", "ordered_at").
				Where("tenant_id = ? AND erp_partner_id >= ? AND deleted_at IS NULL", tenantID, last.ERPPartnerID).
				Where("(erp_partner_id > ? OR ordered_at > ? OR (ordered_at = ? AND erp_order_id > ?))",
					last.ERPPartnerID, last.OrderedAt, last.OrderedAt, last.ERPOrderID).
				Order("erp_partner_id, deleted_at, ordered_at, erp_order_id").Limit(briefPage).Find(&rows).Error
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if len(one) > 0 && one[0].ERPPartnerID != r.ERPPartnerID {
				if err := visit(one); err != nil {
					return err
				}
				one = nil
			}
			one = append(one, order.Brief{ID: r.ERPOrderID, Number: r.Number, Status: order.Status(r.Status), ERPPartnerID: r.ERPPartnerID,
				Reference: r.Reference, Source: r.Source, Currency: r.Currency, AmountTotal: r.AmountTotal, CreatedAt: timeOf(r.ERPCreatedAt)})
			last = r
		}
		if len(rows) < briefPage {
			break
		}
	}
	if len(one) == 0 {
		return nil
	}
	return visit(one)
}
