package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"ordergate/migrations"
	"ordergate/order"
)

// listedRow is an order with what the mirror knows of its customer.
type listedRow struct {
	Row           orderRow `gorm:"embedded"`
	CustomerRef   sql.NullString
	CustomerName  sql.NullString
	CustomerEmail sql.NullString
}

func (l listedRow) order(lines []order.Line) (order.Order, error) {
	r := l.Row
	documents, err := r.documents()
	if err != nil {
		return order.Order{}, err
	}
	original, err := r.original()
	if err != nil {
		return order.Order{}, err
	}
	o := order.Order{
		ID: r.ERPOrderID, Number: r.Number, Status: order.Status(r.Status),
		Customer: order.Party{ERPPartnerID: r.ERPPartnerID, Ref: l.CustomerRef.String, Name: l.CustomerName.String,
			Email: l.CustomerEmail.String},
		Reference: r.Reference, Source: r.Source, Note: r.Note,
		Currency: r.Currency, CurrencyDecimals: r.CurrencyDecimals,
		AmountUntaxed: r.AmountUntaxed, AmountTax: r.AmountTax, AmountTotal: r.AmountTotal, Lines: lines,
		Deliveries: documents.Deliveries, Invoices: documents.Invoices,
		OrderedAt: r.OrderedAt.UTC(), CreatedAt: timeOf(r.ERPCreatedAt), UpdatedAt: timeOf(r.ERPUpdatedAt),
		DeletedAt: timeOf(r.DeletedAt),
	}
	if original != nil {
		edits := original.Compare(o)
		o.Edits = &edits
	}
	return o, nil
}

// Order returns one order with its lines, tombstones included. NotFound, code order_not_found, if the mirror does not
// have it.
func (s *Store) Order(ctx context.Context, tenantID, id int64) (order.Order, error) {
	var o order.Order
	err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
		orders, err := s.ordersIn(db, tenantID, []int64{id})
		if err != nil {
			return err
		}
		found, there := orders[id]
		if !there {
			return errOrderNotFound()
		}
		o = found
		return nil
	})
	return o, err
}

// ordersIn returns those of the orders that the mirror has, by id.
func (s *Store) ordersIn(db *gorm.DB, tenantID int64, ids []int64) (map[int64]order.Order, error) {
	found, err := s.whole(db, tenantID, func(db *gorm.DB) ([]listedRow, error) {
		var rows []listedRow
		err := withCustomers(db, "").Where("o.tenant_id = ? AND o.erp_order_id IN ?", tenantID, ids).Scan(&rows).Error
		return rows, err
	})
	orders := make(map[int64]order.Order, len(found))
	for _, o := range found {
		orders[o.ID] = o
	}
	return orders, err
}

// ListOrders returns a page of orders with their lines, the latest first. Limit is 1 to order.MaxPageSize, or 0 for
// order.DefaultPageSize. Sync is left for the caller to fill.
func (s *Store) ListOrders(ctx context.Context, tenantID int64, f order.Filter) (order.Listing, error) {
	limit := cmp.Or(f.Limit, order.DefaultPageSize)
	var listing order.Listing
	err := s.read(ctx, "list", "orders", func(db *gorm.DB) error {
		more := false
		orders, err := s.whole(db, tenantID, func(db *gorm.DB) ([]listedRow, error) {
			rows, err := s.page(db, tenantID, f, limit+1)
			more = len(rows) > limit
			return rows[:min(len(rows), limit)], err
		})
		if err != nil {
			return err
		}
		listing.Orders = orders
		if more {
			last := orders[len(orders)-1]
			listing.Next = order.Position{OrderedAt: last.OrderedAt, ID: last.ID}
		}
		return nil
	})
	if err != nil {
		return order.Listing{}, err
	}
	return listing, nil
}

// page reads the orders of a page without their lines.
func (s *Store) page(db *gorm.DB, tenantID int64, f order.Filter, limit int) ([]listedRow, error) {
	partners, all, err := visiblePartners(db, tenantID, f)
	if err != nil || (!all && len(partners) == 0) {
		return nil, err
	}
	index := "idx_orders_listing"
	switch {
	case len(partners) == 1:
		index = "idx_orders_partner"
	case len(partners) > 1:
		index = "" // their orders are not in one place: the database weighs their number against the page's
	case f.Sync == order.SyncDrifted:
		index = "idx_orders_edited"
	case f.Status != "":
		index = "idx_orders_status"
	}

	q := withCustomers(db, s.forceIndex(index)).Where("o.tenant_id = ?", tenantID)
	switch f.Sync {
	case order.SyncDeleted:
		q = q.Where("o.deleted_at IS NOT NULL")
	case order.SyncDrifted:
		q = q.Where("o.deleted_at IS NULL AND o.edited = 1")
	default:
		q = q.Where("o.deleted_at IS NULL")
	}
	if f.Source != "" {
		q = q.Where("o.source = ?", f.Source)
	}
	if !all {
		q = q.Where("o.erp_partner_id IN ?", partners)
	}
	if f.Status != "" {
		q = q.Where("o.status = ?", string(f.Status))
	}
	if f.Query != "" {
		q = q.Where("INSTR(o.search_text, ?) > 0", searchText(f.Query))
	}
	if !f.From.IsZero() {
		q = q.Where("o.ordered_at >= ?", timestamp(f.From))
	}
	if !f.To.IsZero() {
		q = q.Where("o.ordered_at < ?", timestamp(f.To))
	}
	if f.Before.ID != 0 {
		at := timestamp(f.Before.OrderedAt)
		q = q.Where("o.ordered_at <= ? AND (o.ordered_at < ? OR o.erp_order_id < ?)", at, at, f.Before.ID)
	}
	var rows []listedRow
	err = q.Order("o.ordered_at DESC, o.erp_order_id DESC").Limit(limit).Scan(&rows).Error
	return rows, err
}

// forceIndex holds MySQL and MariaDB to an index that has the rows in the order they are asked for. Left alone, both
// begin a later page at the first row as soon as it lies in the larger half of the table, and skip from there.
func (s *Store) forceIndex(index string) string {
	if index == "" || s.dialect == migrations.SQLite {
		return ""
	}
	return " FORCE INDEX (" + index + ")"
}

// withCustomers selects orders as o. A customer that the mirror does not have leaves only its id. Rows of an earlier
// system that were never read from the ERP (they have no write_date) hold too little to be shown.
func withCustomers(db *gorm.DB, forceIndex string) *gorm.DB {
	return db.Table("orders o" + forceIndex).
		Select("o.id, o.erp_order_id, o.number, o.status, o.erp_partner_id, o.reference, o.source, o.note, o.currency," +
			" o.currency_decimals, o.amount_untaxed, o.amount_tax, o.amount_total, o.ordered_at, o.erp_created_at," +
			" o.erp_updated_at, o.documents, o.original, o.digest, o.deleted_at," +
			" c.ref AS customer_ref, c.name AS customer_name, c.email AS customer_email").
		Joins("LEFT JOIN customers c ON c.tenant_id = o.tenant_id AND c.erp_partner_id = o.erp_partner_id").
		Where("o.write_date IS NOT NULL")
}

// visiblePartners returns the partners that a filter selects; all is true if it selects by none. They are looked up
// first, because the database might otherwise go through the orders of all partners by date.
func visiblePartners(db *gorm.DB, tenantID int64, f order.Filter) (partners []int64, all bool, err error) {
	all = true
	narrow := func(selected []int64) {
		if all {
			partners, all = selected, false
			return
		}
		partners = slices.DeleteFunc(partners, func(id int64) bool { return !slices.Contains(selected, id) })
	}
	if f.ERPPartnerID != 0 {
		narrow([]int64{f.ERPPartnerID})
	}
	if f.CustomerRef != "" {
		var named []int64
		err := db.Model(&customerRow{}).Where("tenant_id = ? AND ref = ?", tenantID, f.CustomerRef).
			Pluck("erp_partner_id", &named).Error
		if err != nil {
			return nil, false, err
		}
		narrow(named)
	}
	if f.CompanyID != 0 {
		var contacts []int64
		err := db.Model(&customerRow{}).Where("tenant_id = ? AND erp_company_id = ?", tenantID, f.CompanyID).
			Pluck("erp_partner_id", &contacts).Error
		if err != nil {
			return nil, false, err
		}
		// A company's own orders are its own even before the mirror knows it.
		narrow(append(contacts, f.CompanyID))
	}
	return partners, all, nil
}

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
