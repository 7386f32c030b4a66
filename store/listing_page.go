package store

import (
	"cmp"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ordergate/migrations"
	"ordergate/order"
)

// The indexes that have the orders of a listing in its order. All but the last have the tombstones behind the other
// orders, in the order in which they were found.
const (
	indexListing       = "idx_orders_listing"
	indexPartner       = "idx_orders_partner"
	indexStatus        = "idx_orders_status"
	indexPartnerStatus = "idx_orders_partner_status"
	indexSource        = "idx_orders_source"
	indexEdited        = "idx_orders_edited"
)

// fewOrders is how far an index is looked into, and then farther, to learn whether what it leaves is short enough to be
// looked through for the conditions that it does not know.
var fewOrders = []int{500, 2000}

// selection is what a page of a listing is of, and how much of it is wanted.
type selection struct {
	store    *Store
	db       *gorm.DB
	tenantID int64
	filter   order.Filter
	partners []int64 // whose orders, unless all is set
	all      bool
	limit    int
	search   search         // what filter.Query asks for
	index    string         // by which the orders are read
	until    order.Position // of the last order that is read; ID 0: to the end
}

// page reads the first orders that a filter selects, without their lines.
func (s *Store) page(db *gorm.DB, tenantID int64, f order.Filter, limit int) ([]listedRow, error) {
	partners, all, err := visiblePartners(db, tenantID, f)
	if err != nil || (!all && len(partners) == 0) {
		return nil, err
	}
	q := selection{store: s, db: db, tenantID: tenantID, filter: f, partners: partners, all: all, limit: limit}
	if f.Query != "" {
		if found, err := q.lookFor(f.Query); !found {
			return nil, err
		}
	}
	if q.index, err = q.choose(); err != nil {
		return nil, err
	}
	switch {
	case q.index == indexTerms, !q.inOneRange(), f.Sync == order.SyncDeleted:
		return q.rowsByID()
	case f.Query != "":
		return q.walk()
	}
	return q.rows()
}

// candidates are the indexes that know some of the conditions. Those that mostly leave less come first.
func (q selection) candidates() []string {
	var indexes []string
	if q.filter.Query != "" {
		indexes = append(indexes, indexTerms)
	}
	switch {
	case !q.all && q.filter.Status != "":
		indexes = append(indexes, indexPartnerStatus)
	case !q.all:
		indexes = append(indexes, indexPartner)
	}
	if q.filter.Sync == order.SyncDrifted {
		indexes = append(indexes, indexEdited)
	}
	if q.filter.Source != "" {
		indexes = append(indexes, indexSource)
	}
	if q.all && q.filter.Status != "" {
		indexes = append(indexes, indexStatus)
	}
	return append(indexes, indexListing)
}

// choose returns the index to read by: of several that know some of the conditions, the first that leaves few orders.
// If none does, each of the conditions holds for so many that an order which has all of them is mostly near.
func (q selection) choose() (string, error) {
	candidates := q.candidates()
	searched := candidates[0] == indexTerms
	known := candidates[:len(candidates)-1] // all orders are never few
	if len(known) > 1 {
		for _, few := range fewOrders {
			for _, q.index = range known {
				if leaves, err := q.leaves(few); leaves || err != nil {
					return q.index, err
				}
			}
		}
	}
	if !searched {
		return candidates[0], nil
	}
	q.index = indexTerms
	if leaves, err := q.leaves(q.store.search.sorted); leaves || err != nil {
		return q.index, err
	}
	return candidates[1], nil
}

// leaves reports whether the index leaves no more than so many orders, or terms.
func (q selection) leaves(few int) (bool, error) {
	var entries *gorm.DB
	if q.index == indexTerms {
		entries, few = q.begun(q.store.terms()), min(few, q.store.search.sorted)
	} else {
		entries = q.indexed(q.db.Table(q.store.ordersBy(q.index)), of(q.partners))
	}
	var beyond []int64
	err := entries.Select("erp_order_id").Offset(few).Limit(1).Scan(&beyond).Error
	return len(beyond) == 0, err
}

// byPartner reports whether the index has the orders of each partner by themselves.
func (q selection) byPartner() bool { return q.index == indexPartner || q.index == indexPartnerStatus }

// inOneRange reports whether the index has all orders of the selection in one place.
func (q selection) inOneRange() bool { return !q.byPartner() || len(q.partners) == 1 }

// rows reads the orders in the order of the index, and stops where the page is full. Those between them that a condition
// leaves out which the index does not know are read all the same.
func (q selection) rows() ([]listedRow, error) {
	var rows []listedRow
	found := q.narrowed(withCustomers(q.db, q.store.ordersBy(q.index)), of(q.partners))
	err := inOrder(found).Limit(q.limit).Scan(&rows).Error
	return rows, err
}

// inOrder is the order of all listings.
func inOrder(found *gorm.DB) *gorm.DB { return found.Order("o.ordered_at DESC, o.erp_order_id DESC") }

func latestFirst(a, b orderRow) int {
	return cmp.Or(b.OrderedAt.Compare(a.OrderedAt), cmp.Compare(b.ERPOrderID, a.ERPOrderID))
}

// covered reports whether the index knows all conditions, so that no row need be read to tell whether it is selected.
func (q selection) covered() bool {
	f := q.filter
	return (q.all || q.byPartner()) &&
		(f.Status == "" || q.index == indexPartnerStatus || q.index == indexStatus) &&
		(f.Source == "" || q.index == indexSource) && f.Sync != order.SyncDrifted && f.Query == ""
}

// of is whose orders are selected: those of the partners.
func of(partners []int64) clause.Expr { return gorm.Expr("o.erp_partner_id IN ?", partners) }

// narrowed adds the conditions of the filter to a query of orders o, and whose they are.
func (q selection) narrowed(found *gorm.DB, whose clause.Expr) *gorm.DB {
	found = q.indexed(found, whose)
	f := q.filter
	if f.Sync == order.SyncDrifted && q.index != indexEdited {
		found = found.Where("o.edited = 1")
	}
	if q.index == indexEdited {
		found = found.Where("o.deleted_at IS NULL")
	}
	if !q.all && !q.byPartner() {
		found = found.Where(whose)
	}
	if f.Status != "" && q.index != indexStatus && q.index != indexPartnerStatus {
		found = found.Where("o.status = ?", string(f.Status))
	}
	if f.Source != "" && q.index != indexSource {
		found = found.Where("o.source = ?", f.Source)
	}
	if f.Query != "" {
		found = found.Where("INSTR(o.search_text, ?) > 0", q.search.Text)
	}
	return found
}

// indexed adds those of the conditions that the index knows.
func (q selection) indexed(found *gorm.DB, whose clause.Expr) *gorm.DB {
	f := q.filter
	found = found.Where("o.tenant_id = ?", q.tenantID)
	switch q.index {
	case indexPartner:
		found = found.Where(whose)
	case indexPartnerStatus:
		found = found.Where(whose).Where("o.status = ?", string(f.Status))
	case indexStatus:
		found = found.Where("o.status = ?", string(f.Status))
	case indexSource:
		found = found.Where("o.source = ?", f.Source)
	case indexEdited:
		found = found.Where("o.edited = 1")
	}
	switch {
	case f.Sync == order.SyncDeleted && q.store.dialect == migrations.SQLite:
		found = found.Where("o.deleted_at > ''") // IS NOT NULL is no range to it; a time is a text there
	case f.Sync == order.SyncDeleted:
		found = found.Where("o.deleted_at IS NOT NULL")
	case q.index != indexEdited:
		found = found.Where("o.deleted_at IS NULL")
	}
	if !f.From.IsZero() {
		found = found.Where("o.ordered_at >= ?", timestamp(f.From))
	}
	if !f.To.IsZero() {
		found = found.Where("o.ordered_at < ?", timestamp(f.To))
	}
	if q.until.ID != 0 {
		found = q.beyond(found, ">=", q.until)
	}
	if f.Before.ID != 0 {
		found = q.beyond(found, "<", f.Before)
	}
	return found
}

// beyond begins behind the page before, or ends. Any number of orders may have one time, so that the id is part of where the
// index is entered: in the words that the database understands as such.
func (q selection) beyond(found *gorm.DB, side string, p order.Position) *gorm.DB {
	at := timestamp(p.OrderedAt)
	if q.store.dialect == migrations.SQLite {
		return found.Where("(o.ordered_at, o.erp_order_id) "+side+" (?, ?)", at, p.ID)
	}
	return found.Where("(o.ordered_at "+side[:1]+" ? OR (o.ordered_at = ? AND o.erp_order_id "+side+" ?))", at, at, p.ID)
}

// forceIndex holds MySQL and MariaDB to an index that has the rows in the order they are asked for. Left alone, both
// begin a later page at the first row as soon as it lies in the larger half of the table, and skip from there.
func (s *Store) forceIndex(index string) string {
	if s.dialect == migrations.SQLite {
		return ""
	}
	return " FORCE INDEX (" + index + ")"
}

// ordersBy is the table of orders, as o, held to an index on every database: one that was never analyzed guesses.
func (s *Store) ordersBy(index string) string {
	if s.dialect == migrations.SQLite {
		if index == keyPrimary {
			return "orders o" // it has no name there
		}
		return "orders o INDEXED BY " + index
	}
	return "orders o" + s.forceIndex(index)
}

// withCustomers selects orders as o. A customer that the mirror does not have leaves only its id. Rows of an earlier
// system that were never read from the ERP (they have no write_date) hold too little to be shown.
func withCustomers(db *gorm.DB, orders string) *gorm.DB {
	return db.Table(orders).
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
	slices.Sort(partners)
	return slices.Compact(partners), all, nil
}
