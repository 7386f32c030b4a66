package store

import (
	"slices"

	"ordergate/order"
)

// rowsByID is rows for tombstones and what terms leave, which the index does not have in the order of the page: they are
// sorted within it, and only the rows of the first of them are read.
func (q selection) rowsByID() ([]listedRow, error) {
	var found []listedRow
	for {
		ids, err := q.ids()
		if err != nil || len(ids) == 0 {
			return found, err
		}
		var rows []listedRow
		err = q.visible(withCustomers(q.db, q.store.held("orders o", keyPrimary))).Where("o.tenant_id = ? AND o.id IN ?", q.tenantID, ids).
			Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		slices.SortFunc(rows, func(a, b listedRow) int { return latestFirst(a.Row, b.Row) })
		found = append(found, rows...)
		if len(found) >= q.limit || len(ids) < q.limit {
			return found[:min(len(found), q.limit)], nil
		}
		// Some are not to be shown, which the index does not know.
		var last orderRow
		err = q.db.Select("erp_order_id", "ordered_at").
			Where("tenant_id = ? AND id = ?", q.tenantID, ids[len(ids)-1]).Take(&last).Error
		if err != nil {
			return nil, err
		}
		q.filter.Before = order.Position{OrderedAt: last.OrderedAt, ID: last.ERPOrderID}
	}
}

// ids returns the row ids of the first orders, in order, from the index alone where that knows all conditions.
func (q selection) ids() (ids []int64, err error) {
	if q.index == indexTerms {
		return q.idsByTerm()
	}
	orders := q.store.ordersBy(q.index)
	found := q.indexed(q.db.Table(orders), q.index)
	if !q.covered() {
		found = q.narrowed(q.db.Table(orders)).Where("o.write_date IS NOT NULL")
	}
	err = q.index.inOrder(found.Select("o.id")).Limit(q.limit).Scan(&ids).Error
	return ids, err
}

// covered reports whether the index knows all conditions, so that no row need be read to tell whether it is selected.
func (q selection) covered() bool {
	f, known := q.filter, q.index
	return (q.partner == 0 || known.partner) && (f.CompanyID == 0 || known.company || known.partner) &&
		(f.Status == "" || known.status) && (f.Source == "" || known.source) && !f.Blocked && f.Code == "" && f.Query == ""
}
