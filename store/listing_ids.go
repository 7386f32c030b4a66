package store

import (
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ordergate/order"
)

// unionParts is how many partners' orders one statement merges. SQLite takes no more than 500.
const unionParts = 200

// rowsByID is rows for orders that the index does not have in the order of the page: it is asked for the ids of the
// first of them, and only their rows are read. Tombstones and what terms leave are sorted; partners' orders are merged.
func (q selection) rowsByID() ([]listedRow, error) {
	var found []listedRow
	for {
		ids, err := q.ids()
		if err != nil || len(ids) == 0 {
			return found, err
		}
		var rows []listedRow
		err = withCustomers(q.db, q.store.ordersBy(keyPrimary)).Where("o.tenant_id = ? AND o.id IN ?", q.tenantID, ids).
			Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		slices.SortFunc(rows, func(a, b listedRow) int { return latestFirst(a.Row, b.Row) })
		found = append(found, rows...)
		if len(found) >= q.limit || len(ids) < q.limit {
			return found[:min(len(found), q.limit)], nil
		}
		// Some were never read from the ERP, which the index does not know.
		var last orderRow
		err = q.db.Select("erp_order_id", "ordered_at").
			Where("tenant_id = ? AND id = ?", q.tenantID, ids[len(ids)-1]).Take(&last).Error
		if err != nil {
			return nil, err
		}
		q.filter.Before = order.Position{OrderedAt: last.OrderedAt, ID: last.ERPOrderID}
	}
}

// ids returns the row ids of the first orders, in order.
func (q selection) ids() (ids []int64, err error) {
	if q.index == indexTerms {
		return q.idsByTerm()
	}
	if q.inOneRange() {
		err := inOrder(q.ranged(of(q.partners)).Select("o.id")).Limit(q.limit).Scan(&ids).Error
		return ids, err
	}
	partners, size := q.partners, func(int) int { return q.limit }
	if len(partners) > q.limit {
		// Only whose own first order is among the first ones has others there, and the more of them are before it the fewer.
		heads, err := q.merged(partners, func(int) int { return 1 })
		if err != nil {
			return nil, err
		}
		partners = make([]int64, len(heads))
		for i, h := range heads {
			partners[i] = h.ERPPartnerID
		}
		size = func(i int) int { return q.limit - i }
	}
	rows, err := q.merged(partners, size)
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids, err
}

// merged returns the first orders, in order, among the first of each partner, of which size says how many that are. Each
// partner's are in one place of the index.
func (q selection) merged(partners []int64, size func(i int) int) (first []orderRow, err error) {
	for start := 0; start < len(partners); start += unionParts {
		chunk := partners[start:min(start+unionParts, len(partners))]
		each := make([]any, len(chunk))
		for i, partner := range chunk {
			each[i] = inOrder(q.ranged(of([]int64{partner})).Select("o.id, o.erp_partner_id, o.ordered_at, o.erp_order_id")).
				Limit(size(start + i))
		}
		union := strings.TrimSuffix(strings.Repeat("SELECT * FROM (?) p UNION ALL ", len(chunk)), " UNION ALL ")
		var rows []orderRow
		err := q.db.Raw("SELECT * FROM ("+union+") merged ORDER BY ordered_at DESC, erp_order_id DESC LIMIT ?",
			append(each, q.limit)...).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		first = append(first, rows...)
	}
	slices.SortFunc(first, latestFirst)
	return first[:min(len(first), q.limit)], nil
}

// ranged is the selected orders of some partners, from the index alone where that knows all conditions.
func (q selection) ranged(whose clause.Expr) *gorm.DB {
	orders := q.db.Table(q.store.ordersBy(q.index))
	if q.covered() {
		return q.indexed(orders, whose)
	}
	return q.narrowed(orders, whose).Where("o.write_date IS NOT NULL")
}
