package store

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"ordergate/migrations"
	"ordergate/order"
)

// whole reads orders and then their lines in one query, so that what is shown stood in the ERP at one moment: if lines
// belong to another state of their order than the one that was read, which is rare, everything is read again from one
// snapshot of the database.
func (s *Store) whole(
	db *gorm.DB, tenantID int64, read func(db *gorm.DB) ([]listedRow, error),
) ([]order.Order, error) {
	orders, torn, err := assemble(db, tenantID, read)
	if err != nil || !torn {
		return orders, err
	}
	options := &sql.TxOptions{ReadOnly: true}
	if s.dialect == migrations.MySQL {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx := db.Begin(options)
	if tx.Error != nil {
		return nil, tx.Error
	}
	defer tx.Rollback()
	orders, torn, err = assemble(tx, tenantID, read)
	if err == nil && torn {
		return nil, errors.New("a snapshot of the database holds two states of an order")
	}
	return orders, err
}

func assemble(
	db *gorm.DB, tenantID int64, read func(db *gorm.DB) ([]listedRow, error),
) (orders []order.Order, torn bool, err error) {
	rows, err := read(db)
	if err != nil || len(rows) == 0 {
		return []order.Order{}, false, err
	}
	lines, torn, err := linesOf(db, tenantID, rows)
	if err != nil || torn {
		return nil, torn, err
	}
	orders = make([]order.Order, len(rows))
	for i, row := range rows {
		if orders[i], err = row.order(lines[row.Row.ID]); err != nil {
			return nil, false, fmt.Errorf("order %d: %w", row.Row.ERPOrderID, err)
		}
	}
	return orders, false, nil
}

// digestedLine is a line, or none, with the state of the order that it belongs to.
type digestedLine struct {
	Row    lineRow `gorm:"embedded"`
	LineID sql.NullInt64
	Digest string
}

// linesOf reads the lines of orders, by row id. It is torn if an order is not the one that was read any more.
func linesOf(db *gorm.DB, tenantID int64, rows []listedRow) (lines map[int64][]order.Line, torn bool, err error) {
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.Row.ID
	}
	var found []digestedLine
	err = db.Table("orders o").
		Select("o.id AS order_id, o.digest, l.id AS line_id, COALESCE(l.position, 0) AS position,"+
			" COALESCE(l.erp_line_id, 0) AS erp_line_id, COALESCE(l.erp_product_id, 0) AS erp_product_id,"+
			" COALESCE(l.sku, '') AS sku, COALESCE(l.name, '') AS name, COALESCE(l.unit_of_measure, '') AS unit_of_measure,"+
			" COALESCE(l.quantity, 0) AS quantity, COALESCE(l.unit_price, 0) AS unit_price,"+
			" COALESCE(l.discount, 0) AS discount, COALESCE(l.subtotal, 0) AS subtotal,"+
			" COALESCE(l.tax, 0) AS tax, COALESCE(l.total, 0) AS total,"+
			" COALESCE(l.delivered, 0) AS delivered, COALESCE(l.invoiced, 0) AS invoiced").
		Joins("LEFT JOIN order_lines l ON l.order_id = o.id AND l.tenant_id = o.tenant_id").
		Where("o.tenant_id = ? AND o.id IN ?", tenantID, ids).
		Scan(&found).Error
	if err != nil {
		return nil, false, err
	}
	digests := map[int64]string{}
	byOrder := map[int64][]digestedLine{}
	for _, line := range found {
		digests[line.Row.OrderID] = line.Digest
		if line.LineID.Valid {
			byOrder[line.Row.OrderID] = append(byOrder[line.Row.OrderID], line)
		}
	}
	lines = make(map[int64][]order.Line, len(rows))
	for _, row := range rows {
		if digest, stands := digests[row.Row.ID]; !stands || digest != row.Row.Digest {
			return nil, true, nil
		}
		own := byOrder[row.Row.ID]
		slices.SortFunc(own, func(a, b digestedLine) int {
			return cmp.Or(cmp.Compare(a.Row.Position, b.Row.Position), cmp.Compare(a.LineID.Int64, b.LineID.Int64))
		})
		lines[row.Row.ID] = make([]order.Line, len(own))
		for i, line := range own {
			lines[row.Row.ID][i] = line.Row.line()
		}
	}
	return lines, false, nil
}
