package store

import (
	"database/sql"
	"slices"

	"gorm.io/gorm"

	"ordergate/order"
)

// indexTerms stands for the table of terms. It has orders by the words that a search may begin with, not in the order of
// a listing: what it leaves is sorted.
var indexTerms = listingIndex{name: "order_terms"}

// searchBounds are how far a search goes one way before it goes another. Which way was taken does not show in what it finds.
type searchBounds struct {
	few    int // the most terms, or orders of another index, all of which are read rather than any sorted; no more than sorted
	sorted int // the most terms that are sorted for a page without looking for it elsewhere first
	walked int // how many orders are looked through, the latest first, for a text that more terms have
}

// defaultSearch takes about as long for a page either way.
var defaultSearch = searchBounds{few: 2000, sorted: 20_000, walked: 3000}

// search is what a text is looked for by.
type search struct {
	order.Search
	quarters []int // in which orders of the selection may be
}

// found is the page of a search. The terms and the indexes of the other conditions are compared first: what leaves few is
// read, and of several the one that leaves the fewest. Else the terms are sorted, unless they are very many.
func (q selection) found() ([]listedRow, error) {
	bounds := q.store.search
	if somewhere, err := q.lookFor(q.filter.Query); !somewhere {
		return nil, err
	}
	terms, err := q.countTerms(bounds.few)
	if err != nil {
		return nil, err
	}
	q.index = indexTerms
	if terms > q.limit {
		if q.index, err = q.shorterThan(terms); err != nil {
			return nil, err
		}
	}
	if q.index != indexTerms || terms <= bounds.few {
		return q.read()
	}
	many, err := q.moreTerms(bounds.sorted)
	if err != nil {
		return nil, err
	}
	if !many {
		return q.read()
	}
	if q.index, err = q.choose(); err != nil {
		return nil, err
	}
	if q.filter.Sync == order.SyncDeleted {
		return q.read()
	}
	return q.walk()
}

// lookFor sets what is searched. False if no order can have it.
func (q *selection) lookFor(query string) (found bool, err error) {
	if q.search.Search, found = order.ParseSearch(query); !found {
		return false, nil
	}
	var held struct{ First, Last sql.NullInt64 } // quarters that have terms
	err = q.db.Raw("SELECT (SELECT MIN(quarter) FROM order_terms WHERE tenant_id = ?) AS first,"+
		" (SELECT MAX(quarter) FROM order_terms WHERE tenant_id = ?) AS last", q.tenantID, q.tenantID).Scan(&held).Error
	if err != nil || !held.First.Valid {
		return false, err
	}
	first, last := int(held.First.Int64), int(held.Last.Int64)
	if !q.filter.From.IsZero() {
		first = max(first, order.SearchQuarter(q.filter.From))
	}
	if !q.filter.To.IsZero() {
		last = min(last, order.SearchQuarter(q.filter.To))
	}
	if q.filter.Before.ID != 0 {
		last = min(last, order.SearchQuarter(q.filter.Before.OrderedAt))
	}
	for quarter := first; quarter <= last; quarter++ {
		q.search.quarters = append(q.search.quarters, quarter)
	}
	return len(q.search.quarters) > 0, nil
}

// begun are the terms t that begin with what is looked for: a range in each quarter.
func (q selection) begun(terms string) *gorm.DB {
	return q.db.Table(terms).Where("t.tenant_id = ? AND t.quarter IN ? AND t.term >= ? AND t.term < ?",
		q.tenantID, q.search.quarters, q.search.Term, q.search.Term+order.AfterTerms)
}

// countTerms returns how many terms there are to read, or one more than most if they are more.
func (q selection) countTerms(most int) (n int, err error) {
	err = q.db.Raw("SELECT COUNT(*) FROM (?) entries", q.begun(q.store.terms()).Select("1").Limit(most+1)).Scan(&n).Error
	return n, err
}

// moreTerms reports whether there are more terms to read than so many.
func (q selection) moreTerms(than int) (bool, error) {
	var beyond []int64
	err := q.begun(q.store.terms()).Select("t.erp_order_id").Offset(than).Limit(1).Scan(&beyond).Error
	return len(beyond) > 0, err
}

// shorterThan returns the index of the other conditions that leaves the fewest orders, if these are fewer than the terms,
// and else the terms. No index is looked into any farther.
func (q selection) shorterThan(terms int) (listingIndex, error) {
	return q.least(append([]listingIndex{indexTerms}, q.candidates()...), func(index listingIndex) *gorm.DB {
		if index == indexTerms {
			return q.db.Raw("SELECT ?", terms)
		}
		orders := q.indexed(q.db.Table(q.store.ordersBy(index)), index)
		return q.db.Raw("SELECT COUNT(*) FROM (?) entries", orders.Select("1").Limit(terms))
	})
}

// terms is the table of terms, as t.
func (s *Store) terms() string { return "order_terms t" + s.forceIndex(keyPrimary) }

// termsWithOrders is the table of terms, as t, and then that of their orders, as o: MySQL and MariaDB sort the terms, and read
// no more orders than it takes to fill the page; what is said of the orders' ordered_at they ask of the terms. SQLite reads
// all of them.
func (s *Store) termsWithOrders() string {
	return s.terms() + s.inTurn() + s.held("orders o", keyOrder) + " ON o.tenant_id = t.tenant_id AND o.erp_order_id = t.erp_order_id AND o.ordered_at = t.ordered_at"
}

// idsByTerm is ids for what the terms leave. An order that has several of the terms stands there in a row. If these are too
// few orders for the page, it stays so: there may be more behind them.
func (q selection) idsByTerm() (ids []int64, err error) {
	err = q.narrowed(q.begun(q.store.termsWithOrders())).Select("o.id").
		Order("t.ordered_at DESC, t.erp_order_id DESC").Limit(2 * q.limit).Scan(&ids).Error
	if once := slices.Compact(slices.Clone(ids)); len(once) >= q.limit {
		return once[:q.limit], err
	}
	return ids, err
}

// walk looks for a frequent text among the latest orders, where a page of it mostly is. If it is not, as where numbers
// run with time and the text begins old ones, all its terms are sorted after all.
func (q selection) walk() ([]listedRow, error) {
	var end []orderRow
	err := q.index.inOrder(q.indexed(q.db.Table(q.store.ordersBy(q.index)), q.index)).
		Select(q.index.place() + ".ordered_at, " + q.index.place() + ".erp_order_id").Offset(q.store.search.walked).Limit(1).Scan(&end).Error
	if err != nil {
		return nil, err
	}
	if len(end) > 0 {
		q.until = order.Position{OrderedAt: end[0].OrderedAt, ID: end[0].ERPOrderID}
	}
	rows, err := q.rows()
	if err != nil || len(rows) == q.limit || len(end) == 0 {
		return rows, err
	}
	q.index, q.until = indexTerms, order.Position{}
	return q.rowsByID()
}
