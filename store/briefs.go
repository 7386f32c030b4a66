package store

import (
	"context"

	"gorm.io/gorm"

	"ordergate/order"
)

// Briefs returns up to limit orders with ids after afterID, by rising id, without tombstones.
func (s *Store) Briefs(ctx context.Context, tenantID, afterID int64, limit int) ([]order.Brief, error) {
	var rows []orderRow
	err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
		return db.Table("orders"+s.forceIndex(keyOrder)).
			Select("erp_order_id", "number", "erp_state", "status", "erp_partner_id", "reference", "source", "currency", "amount_total", "erp_created_at").
			Where("tenant_id = ? AND erp_order_id > ? AND deleted_at IS NULL", tenantID, afterID).
			Order("erp_order_id").Limit(limit).Find(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	briefs := make([]order.Brief, len(rows))
	for i, r := range rows {
		briefs[i] = order.Brief{ID: r.ERPOrderID, Number: r.Number, State: order.ERPState(r.ERPState), Status: order.Status(r.Status), ERPPartnerID: r.ERPPartnerID,
			Reference: r.Reference, Source: r.Source, Currency: r.Currency, AmountTotal: r.AmountTotal, CreatedAt: timeOf(r.ERPCreatedAt)}
	}
	return briefs, nil
}
