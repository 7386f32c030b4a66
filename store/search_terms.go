package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordergate/order"
)

// termsRows is how many terms one statement writes. SQLite allows 32766 values in a statement, and a term has 5.
const termsRows = 2000

// termRow is a row of order_terms: what a search finds an order by, and its place in a listing. One that is left behind
// without its order, or by another state of it, finds nothing: the orders' rows decide.
type termRow struct {
	TenantID   int64
	Quarter    int // order.SearchQuarter of OrderedAt
	Term       string
	ERPOrderID int64 `gorm:"column:erp_order_id"`
	OrderedAt  time.Time
}

func (termRow) TableName() string { return "order_terms" }

func (r orderRow) terms() []string { return order.SearchTerms(r.Number, r.Reference) }

// changeTerms removes the terms by which orders are no longer found, and writes those of orders that are new or whose
// texts or place changed.
func (u *upsert) changeTerms(created, changed []arrival, standing map[int64]orderRow) error {
	var written []termRow
	write := func(row orderRow, terms []string) {
		for _, term := range terms {
			written = append(written, termRow{u.tenantID, order.SearchQuarter(row.OrderedAt), term, row.ERPOrderID, row.OrderedAt})
		}
	}
	for _, a := range created {
		write(a.order, a.order.terms())
	}
	for _, a := range changed {
		before := standing[a.order.ERPOrderID]
		if before.SearchText == a.order.SearchText && before.OrderedAt.Equal(a.order.OrderedAt) {
			continue
		}
		terms, gone, quarter := a.order.terms(), before.terms(), order.SearchQuarter(before.OrderedAt)
		if quarter == order.SearchQuarter(a.order.OrderedAt) {
			gone = slices.DeleteFunc(gone, func(term string) bool { return slices.Contains(terms, term) })
		}
		if len(gone) > 0 {
			err := u.tx.Where("tenant_id = ? AND quarter = ? AND term IN ? AND erp_order_id = ?", u.tenantID, quarter, gone, a.order.ERPOrderID).
				Delete(&termRow{}).Error
			if err != nil {
				return fmt.Errorf("removing terms: %w", err)
			}
		}
		write(a.order, terms)
	}
	// Sorted, as they stand in the table: neighbours are written together.
	slices.SortFunc(written, func(a, b termRow) int {
		return cmp.Or(cmp.Compare(a.Quarter, b.Quarter), strings.Compare(a.Term, b.Term), cmp.Compare(a.ERPOrderID, b.ERPOrderID))
	})
	for batch := range slices.Chunk(written, termsRows) {
		values := make([]any, 0, 5*len(batch))
		for _, row := range batch {
			values = append(values, row.TenantID, row.Quarter, row.Term, row.ERPOrderID, row.OrderedAt)
		}
		err := u.tx.Exec("REPLACE INTO order_terms (tenant_id, quarter, term, erp_order_id, ordered_at) VALUES "+
			strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", len(batch)), ", "), values...).Error
		if err != nil {
			return fmt.Errorf("writing terms: %w", err)
		}
	}
	return nil
}
