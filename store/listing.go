package store

import (
	"cmp"
	"context"
	"database/sql"

	"gorm.io/gorm"

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
		ID: r.ERPOrderID, Number: r.Number, State: order.ERPState(r.ERPState), Status: order.Status(r.Status),
		Fulfilment: order.Fulfilment(r.Fulfilment), Payment: order.Payment(r.Payment),
		Customer: order.Party{ERPPartnerID: r.ERPPartnerID, Ref: l.CustomerRef.String, Name: l.CustomerName.String,
			Email: l.CustomerEmail.String},
		Reference: r.Reference, Source: r.Source, Note: r.Note,
		Currency: r.Currency, CurrencyDecimals: r.CurrencyDecimals,
		AmountUntaxed: r.AmountUntaxed, AmountTax: r.AmountTax, AmountTotal: r.AmountTotal, Lines: lines,
		Deliveries: documents.Deliveries, Invoices: documents.Invoices,
		OrderedAt: r.OrderedAt.UTC(), CreatedAt: timeOf(r.ERPCreatedAt), UpdatedAt: timeOf(r.ERPUpdatedAt),
		DeletedAt: timeOf(r.DeletedAt), Version: r.Digest,
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
		err := withCustomers(db, "orders o").Where("o.tenant_id = ? AND o.erp_order_id IN ?", tenantID, ids).Scan(&rows).Error
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
