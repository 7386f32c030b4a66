package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// documentsPage is how many orders with documents are read at once.
const documentsPage = 1000

// MirroredDocuments returns the documents of orders without tombstones that were created in the ERP since a time, the zero
// time for all: an invoice of several orders comes once for each.
func (s *Store) MirroredDocuments(ctx context.Context, tenantID int64, since time.Time) (map[order.DocumentKind][]order.Document, error) {
	found := map[order.DocumentKind][]order.Document{}
	for after := int64(0); ; {
		var rows []orderRow
		err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
			return sliceOf(db, tenantID, order.Slice{CreatedFrom: since}).Select("o.erp_order_id", "o.documents").
				Where("o.documents IS NOT NULL AND o.erp_order_id > ?", after).Order("o.erp_order_id").Limit(documentsPage).Scan(&rows).Error
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			var of map[order.DocumentKind][]order.Document
			if err := json.Unmarshal([]byte(row.Documents.String), &of); err != nil {
				return nil, fmt.Errorf("decoding the documents of order %d: %w", row.ERPOrderID, err)
			}
			for kind, list := range of {
				for _, d := range list {
					d.OrderID = row.ERPOrderID
					found[kind] = append(found[kind], d)
				}
			}
			after = row.ERPOrderID
		}
		if len(rows) < documentsPage {
			return found, nil
		}
	}
}
