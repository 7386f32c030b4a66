package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"gorm.io/gorm"

	"ordergate/migrations"
	"ordergate/order"
)

// totalsRow is a group of orders or lines as the database sums it up. Amounts that a query has no use for are zero.
type totalsRow struct {
	Period   sql.NullString // "2026-11" or "2026-11-21"
	ERPState string         `gorm:"column:erp_state"`
	Currency string
	Count    int64 `gorm:"column:n"`
	IDSum    int64 `gorm:"column:id_sum"`
	RefSum   int64 `gorm:"column:ref_sum"`
	FirstID  int64 `gorm:"column:first_id"`
	LastID   int64 `gorm:"column:last_id"`
	Amount1  decimal.Decimal
	Amount2  decimal.Decimal
	Amount3  decimal.Decimal
	Amount4  decimal.Decimal
	Amount5  decimal.Decimal
	Amount6  decimal.Decimal
}

// totals turns a row into what the ERP answers for the same group. A period that is not set stays zero.
func (r totalsRow) totals(layout string, amounts int) order.Totals {
	t := order.Totals{
		Group: order.TotalsGroup{State: order.ERPState(r.ERPState), Currency: r.Currency},
		Count: r.Count, IDSum: r.IDSum, RefSum: r.RefSum, FirstID: r.FirstID, LastID: r.LastID,
	}
	if period, err := time.Parse(layout, r.Period.String); err == nil {
		t.Group.Period = period
	}
	if amounts > 0 {
		t.Amounts = []decimal.Decimal{r.Amount1, r.Amount2, r.Amount3, r.Amount4, r.Amount5, r.Amount6}[:amounts]
	}
	return t
}

const (
	monthLayout = "2006-01"
	dayLayout   = time.DateOnly
)

// OrderTotals sums orders without tombstones up by the ERP's state and currency, and by the month of their creation in the ERP if
// byMonth. Rows of an earlier system, whose creation is not known, are in the zero month.
func (s *Store) OrderTotals(ctx context.Context, tenantID int64, slice order.Slice, byMonth bool) ([]order.Totals, error) {
	columns := "o.erp_state, o.currency, COUNT(*) AS n, SUM(o.erp_order_id) AS id_sum, SUM(o.erp_partner_id) AS ref_sum," +
		" MIN(o.erp_order_id) AS first_id, MAX(o.erp_order_id) AS last_id, SUM(o.amount_untaxed) AS amount1," +
		" SUM(o.amount_tax) AS amount2, SUM(o.amount_total) AS amount3"
	group := "o.erp_state, o.currency"
	if byMonth {
		columns, group = s.datePart("o.erp_created_at", len(monthLayout))+" AS period, "+columns, "period, "+group
	}
	return s.totals(ctx, monthLayout, 3, func(db *gorm.DB) *gorm.DB {
		return sliceOf(db, tenantID, slice).Select(columns).Group(group)
	})
}

// LineTotals sums the lines of orders without tombstones up, by currency.
func (s *Store) LineTotals(ctx context.Context, tenantID int64, slice order.Slice) ([]order.Totals, error) {
	return s.totals(ctx, monthLayout, 6, func(db *gorm.DB) *gorm.DB {
		return sliceOf(db, tenantID, slice).
			Joins("JOIN order_lines l ON l.order_id = o.id AND l.tenant_id = o.tenant_id").
			Select("o.currency, COUNT(*) AS n, SUM(l.erp_line_id) AS id_sum, SUM(o.erp_order_id) AS ref_sum," +
				" SUM(l.quantity) AS amount1, SUM(l.subtotal) AS amount2, SUM(l.tax) AS amount3, SUM(l.total) AS amount4," +
				" SUM(l.delivered) AS amount5, SUM(l.invoiced) AS amount6").
			Group("o.currency")
	})
}

// WriteDays counts orders without tombstones by the day on which they were last written in the ERP.
func (s *Store) WriteDays(ctx context.Context, tenantID int64, slice order.Slice) ([]order.Totals, error) {
	return s.totals(ctx, dayLayout, 0, func(db *gorm.DB) *gorm.DB {
		return sliceOf(db, tenantID, slice).
			Select(s.datePart("o.write_date", len(dayLayout)) + " AS period, COUNT(*) AS n, SUM(o.erp_order_id) AS id_sum").
			Group("period")
	})
}

func (s *Store) totals(
	ctx context.Context, layout string, amounts int, query func(db *gorm.DB) *gorm.DB,
) ([]order.Totals, error) {
	var totals []order.Totals
	err := s.read(ctx, "sum up", "orders", func(db *gorm.DB) error {
		var rows []totalsRow
		if err := query(db).Scan(&rows).Error; err != nil {
			return err
		}
		totals = make([]order.Totals, len(rows))
		for i, row := range rows {
			totals[i] = row.totals(layout, amounts)
		}
		return nil
	})
	return totals, err
}

// datePart is the beginning of a time as text: its month or its day.
func (s *Store) datePart(column string, length int) string {
	if s.dialect == migrations.SQLite {
		if length == len(monthLayout) {
			return "substr(" + column + ", 1, 7)"
		}
		return "substr(" + column + ", 1, 10)"
	}
	if length == len(monthLayout) {
		return "DATE_FORMAT(" + column + ", '%Y-%m')"
	}
	return "DATE_FORMAT(" + column + ", '%Y-%m-%d')"
}

// sliceOf selects orders as o.
func sliceOf(db *gorm.DB, tenantID int64, slice order.Slice) *gorm.DB {
	q := db.Table("orders o").Where("o.tenant_id = ? AND o.deleted_at IS NULL", tenantID)
	if slice.FirstID != 0 {
		q = q.Where("o.erp_order_id >= ?", slice.FirstID)
	}
	if slice.LastID != 0 {
		q = q.Where("o.erp_order_id <= ?", slice.LastID)
	}
	if !slice.CreatedFrom.IsZero() {
		q = q.Where("o.erp_created_at >= ?", timestamp(slice.CreatedFrom))
	}
	if !slice.CreatedUntil.IsZero() {
		q = q.Where("o.erp_created_at < ?", timestamp(slice.CreatedUntil))
	}
	return q
}

// MirroredOrders returns what the mirror holds of orders, by id, tombstones and rows of an earlier system included, in the
// form in which the ERP answers them. Orders and lines are of one moment.
func (s *Store) MirroredOrders(ctx context.Context, tenantID int64, ids []int64) (map[int64]order.Snapshot, error) {
	found := make(map[int64]order.Snapshot, len(ids))
	err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
		options := &sql.TxOptions{ReadOnly: true}
		if s.dialect == migrations.MySQL {
			options.Isolation = sql.LevelRepeatableRead
		}
		tx := db.Begin(options)
		if tx.Error != nil {
			return tx.Error
		}
		defer tx.Rollback()
		for chunk := range slices.Chunk(ids, lookupIDs) {
			if err := mirrored(tx, tenantID, chunk, found); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

func mirrored(tx *gorm.DB, tenantID int64, ids []int64, found map[int64]order.Snapshot) error {
	var rows []orderRow
	if err := tx.Where("tenant_id = ? AND erp_order_id IN ?", tenantID, ids).Find(&rows).Error; err != nil {
		return err
	}
	rowIDs := make([]int64, len(rows))
	for i, row := range rows {
		rowIDs[i] = row.ID
	}
	lines := map[int64][]order.Line{}
	for chunk := range slices.Chunk(rowIDs, lookupIDs) {
		var of []lineRow
		err := tx.Where("tenant_id = ? AND order_id IN ?", tenantID, chunk).Order("order_id, position, id").Find(&of).Error
		if err != nil {
			return err
		}
		for _, l := range of {
			lines[l.OrderID] = append(lines[l.OrderID], l.line())
		}
	}
	for _, row := range rows {
		documents, err := row.documents()
		if err != nil {
			return fmt.Errorf("decoding the documents of order %d: %w", row.ERPOrderID, err)
		}
		found[row.ERPOrderID] = order.Snapshot{
			Order: order.Order{
				ID: row.ERPOrderID, Number: row.Number, State: order.ERPState(row.ERPState), Status: order.Status(row.Status),
				Fulfilment: order.Fulfilment(row.Fulfilment), Payment: order.Payment(row.Payment),
				Customer:  order.Party{ERPPartnerID: row.ERPPartnerID},
				Reference: row.Reference, Source: row.Source, Note: row.Note,
				Currency: row.Currency, CurrencyDecimals: row.CurrencyDecimals,
				AmountUntaxed: row.AmountUntaxed, AmountTax: row.AmountTax, AmountTotal: row.AmountTotal,
				Lines: lines[row.ID], Deliveries: documents.Deliveries, Invoices: documents.Invoices, OrderedAt: row.OrderedAt.UTC(),
				CreatedAt: timeOf(row.ERPCreatedAt), UpdatedAt: timeOf(row.ERPUpdatedAt), DeletedAt: timeOf(row.DeletedAt),
			},
			WriteDate: timeOf(row.WriteDate), LinesWriteDate: timeOf(row.LinesWriteDate),
			DocumentsWriteDate: timeOf(row.DocumentsWriteDate), ReadAt: timeOf(row.ReadAt),
		}
	}
	return nil
}

// DoubtOrders makes the mirror forget when and how it read orders, so that the next reading of the ERP replaces what it
// holds, whatever that claims to be: otherwise an order whose row was changed by hand would count as unchanged, or as
// newer than the ERP. What is shown of the orders stays until then.
func (s *Store) DoubtOrders(ctx context.Context, tenantID int64, ids []int64) error {
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), upsertBatch) {
		err := s.transaction(ctx, "doubt", "orders", func(tx *gorm.DB) error {
			return tx.Model(&orderRow{}).Where("tenant_id = ? AND erp_order_id IN ?", tenantID, chunk).
				Updates(map[string]any{"digest": "", "write_date": doubted, "lines_write_date": nil, "read_at": nil}).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// doubted is older than every write of an ERP. It is not NULL: that would hide the order from listings until it is read.
var doubted = time.Unix(0, 0).UTC()
