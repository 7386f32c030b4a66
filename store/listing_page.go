package store

import (
	"cmp"
	"strings"

	"gorm.io/gorm"

	"ordergate/migrations"
	"ordergate/order"
)

// listingIndex is an index that has the orders of a listing in its order, with the conditions that it knows by its first
// columns.
type listingIndex struct {
	name                                     string
	partner, company, status, source, edited bool
	code, blocked                            bool // an index of what derives from histories, which has no tombstones apart
}

// All but that of edits have the tombstones behind the other orders, in the order in which they were found.
var (
	indexListing       = listingIndex{name: "idx_orders_listing"}
	indexPartner       = listingIndex{name: "idx_orders_partner", partner: true}
	indexPartnerStatus = listingIndex{name: "idx_orders_partner_status", partner: true, status: true}
	indexCompany       = listingIndex{name: "idx_orders_company", company: true}
	indexCompanyStatus = listingIndex{name: "idx_orders_company_status", company: true, status: true}
	indexStatus        = listingIndex{name: "idx_orders_status", status: true}
	indexSource        = listingIndex{name: "idx_orders_source", source: true}
	indexSourceStatus  = listingIndex{name: "idx_orders_source_status", source: true, status: true}
	indexEdited        = listingIndex{name: "idx_orders_edited", edited: true}
	indexCode          = listingIndex{name: indexLatestCode, code: true}
	indexBlocked       = listingIndex{name: indexBlocksOrder, blocked: true}
)

// fewOrders is how far an index is looked into to learn how sparsely the orders lie in it.
const fewOrders = 500

// selection is what a page of a listing is of, and how much of it is wanted.
type selection struct {
	store    *Store
	db       *gorm.DB
	tenantID int64
	filter   order.Filter
	partner  int64 // whose orders; 0: any customer's
	limit    int
	search   search         // what filter.Query asks for
	index    listingIndex   // by which the orders are read
	until    order.Position // of the last order that is read; ID 0: to the end
}

// page reads the first orders that a filter selects, without their lines.
func (s *Store) page(db *gorm.DB, tenantID int64, f order.Filter, limit int) ([]listedRow, error) {
	q := selection{store: s, db: db, tenantID: tenantID, filter: f, limit: limit}
	if f.Code == order.HistoryDeleted && f.Sync != order.SyncDeleted {
		return nil, nil // they are all tombstones
	}
	somebody, err := q.resolveCustomer()
	if err != nil || !somebody {
		return nil, err
	}
	if f.Query != "" {
		return q.found()
	}
	if q.index, err = q.choose(); err != nil {
		return nil, err
	}
	return q.read()
}

// resolveCustomer sets whose orders are selected. False if they are nobody's: there is no such customer, or it is none of
// the company's.
func (q *selection) resolveCustomer() (bool, error) {
	f := q.filter
	row := customerRow{ERPPartnerID: f.ERPPartnerID} // one that the mirror does not know stands for itself
	switch {
	case f.CustomerRef != "":
		err := takeIfAny(q.db.Where("tenant_id = ? AND ref = ?", q.tenantID, f.CustomerRef), &row)
		if err != nil || row.ID == 0 || (f.ERPPartnerID != 0 && f.ERPPartnerID != row.ERPPartnerID) {
			return false, err
		}
	case f.ERPPartnerID != 0 && f.CompanyID != 0:
		err := takeIfAny(q.db.Where("tenant_id = ? AND erp_partner_id = ?", q.tenantID, f.ERPPartnerID), &row)
		if err != nil {
			return false, err
		}
	}
	q.partner = row.ERPPartnerID
	return q.partner == 0 || f.CompanyID == 0 || f.CompanyID == row.company(), nil
}

// candidates are the indexes that know some of the conditions, none of them less than another. Those that mostly leave
// fewer orders come first.
func (q selection) candidates() []listingIndex {
	f := q.filter
	var indexes []listingIndex
	switch {
	case q.partner != 0 && f.Status != "":
		indexes = append(indexes, indexPartnerStatus)
	case q.partner != 0:
		indexes = append(indexes, indexPartner)
	case f.CompanyID != 0 && f.Status != "":
		indexes = append(indexes, indexCompanyStatus)
	case f.CompanyID != 0:
		indexes = append(indexes, indexCompany)
	}
	if f.Sync == order.SyncDrifted {
		indexes = append(indexes, indexEdited)
	}
	if f.Blocked && f.Sync != order.SyncDeleted {
		indexes = append(indexes, indexBlocked)
	}
	if f.Code != "" && f.Sync != order.SyncDeleted {
		indexes = append(indexes, indexCode)
	}
	switch {
	case f.Source != "" && f.Status != "":
		indexes = append(indexes, indexSourceStatus)
	case f.Source != "":
		indexes = append(indexes, indexSource)
	case f.Status != "" && q.partner == 0 && f.CompanyID == 0:
		indexes = append(indexes, indexStatus)
	}
	if len(indexes) == 0 {
		indexes = append(indexes, indexListing)
	}
	return indexes
}

// choose returns the index to read by: of several that know some of the conditions, the one in which as many orders from
// where the page begins reach farthest back, or that has fewer. Tombstones are all read: there the second is all that counts.
func (q selection) choose() (listingIndex, error) {
	candidates := q.candidates()
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	return q.least(candidates, func(index listingIndex) *gorm.DB {
		orders := q.indexed(q.db.Table(q.store.ordersBy(index)), index)
		if q.filter.Sync == order.SyncDeleted {
			orders = orders.Select("1")
		} else {
			orders = index.inOrder(orders.Select(index.place() + ".ordered_at"))
		}
		return orders.Offset(fewOrders).Limit(1)
	})
}

// least returns the index of which a query of one value says the least, or nothing: of several the first.
func (q selection) least(candidates []listingIndex, query func(listingIndex) *gorm.DB) (listingIndex, error) {
	var probes []string
	var values []any
	for i, index := range candidates {
		probes = append(probes, "SELECT ? AS candidate, (?) AS value")
		values = append(values, i, query(index))
	}
	var best int // NULL comes first
	err := q.db.Raw("SELECT candidate FROM ("+strings.Join(probes, " UNION ALL ")+") probed ORDER BY value, candidate LIMIT 1",
		values...).Scan(&best).Error
	return candidates[best], err
}

// read reads the page by the index.
func (q selection) read() ([]listedRow, error) {
	if q.index == indexTerms || q.filter.Sync == order.SyncDeleted {
		return q.rowsByID()
	}
	return q.rows()
}

// rows reads the orders in the order of the index, and stops where the page is full. Those between them that a condition
// leaves out which the index does not know are read all the same.
func (q selection) rows() ([]listedRow, error) {
	var rows []listedRow
	found := q.visible(withCustomers(q.db, q.store.ordersBy(q.index)))
	err := q.index.inOrder(q.narrowed(found)).Limit(q.limit).Scan(&rows).Error
	return rows, err
}

// inOrder is the order of all listings.
func (known listingIndex) inOrder(found *gorm.DB) *gorm.DB {
	return found.Order(known.place() + ".ordered_at DESC, " + known.place() + ".erp_order_id DESC")
}

// place is the table that has the places in the listing: orders o, or what derives from their histories h.
func (known listingIndex) place() string {
	if known.code || known.blocked {
		return "h"
	}
	return "o"
}

func latestFirst(a, b orderRow) int {
	return cmp.Or(b.OrderedAt.Compare(a.OrderedAt), cmp.Compare(b.ERPOrderID, a.ERPOrderID))
}

// narrowed adds the conditions of the filter to a query of orders o.
func (q selection) narrowed(found *gorm.DB) *gorm.DB {
	f, known := q.filter, q.index
	found = q.indexed(found, known)
	if f.Sync == order.SyncDrifted && !known.edited {
		found = found.Where("o.edited = 1")
	}
	if known.edited {
		found = found.Where("o.deleted_at IS NULL")
	}
	if q.partner != 0 && !known.partner {
		found = found.Where("o.erp_partner_id = ?", q.partner)
	}
	if f.CompanyID != 0 && !known.company && !known.partner {
		found = found.Where("o.erp_company_id = ?", f.CompanyID)
	}
	if f.Status != "" && !known.status {
		found = found.Where("o.status = ?", string(f.Status))
	}
	if f.Source != "" && !known.source {
		found = found.Where("o.source = ?", f.Source)
	}
	// EXISTS would let the database begin there, and leave the index.
	if f.Blocked && !known.blocked {
		found = found.Where("(SELECT COUNT(*) FROM history_blocks b WHERE b.tenant_id = o.tenant_id AND b.erp_order_id = o.erp_order_id) > 0")
	}
	if f.Code != "" && !known.code {
		module, _, _ := strings.Cut(f.Code, ":")
		found = found.Where("(SELECT l.status_code FROM history_latest l WHERE l.tenant_id = o.tenant_id AND l.erp_order_id = o.erp_order_id"+
			" AND l.module = ?) = ?", module, f.Code)
	}
	if f.Query != "" {
		found = found.Where("INSTR(o.search_text, ?) > 0", q.search.Text)
	}
	return found
}

// visible leaves of orders o and their customers c only what the company may see, by what the customer's row says at this
// moment: the company in the order's row is there to find orders, and a mistake in it must not show them to others.
func (q selection) visible(found *gorm.DB) *gorm.DB {
	if q.filter.CompanyID == 0 {
		return found
	}
	return found.Where(companyColumn+" = ?", q.filter.CompanyID)
}

// indexed adds those of the conditions that an index knows.
func (q selection) indexed(found *gorm.DB, known listingIndex) *gorm.DB {
	f := q.filter
	found = found.Where(known.place()+".tenant_id = ?", q.tenantID)
	if known.code {
		found = found.Where("h.status_code = ?", f.Code)
	}
	if known.partner {
		found = found.Where("o.erp_partner_id = ?", q.partner)
	}
	if known.company {
		found = found.Where("o.erp_company_id = ?", f.CompanyID)
	}
	if known.source {
		found = found.Where("o.source = ?", f.Source)
	}
	if known.status {
		found = found.Where("o.status = ?", string(f.Status))
	}
	if known.edited {
		found = found.Where("o.edited = 1")
	}
	switch {
	case f.Sync == order.SyncDeleted && q.store.dialect == migrations.SQLite:
		found = found.Where("o.deleted_at > ''") // IS NOT NULL is no range to it; a time is a text there
	case f.Sync == order.SyncDeleted:
		found = found.Where("o.deleted_at IS NOT NULL")
	case !known.edited:
		found = found.Where("o.deleted_at IS NULL")
	}
	if !f.From.IsZero() {
		found = found.Where(known.place()+".ordered_at >= ?", timestamp(f.From))
	}
	if !f.To.IsZero() {
		found = found.Where(known.place()+".ordered_at < ?", timestamp(f.To))
	}
	if q.until.ID != 0 {
		found = known.beyond(found, ">=", q.until, q.store.dialect)
	}
	if f.Before.ID != 0 {
		found = known.beyond(found, "<", f.Before, q.store.dialect)
	}
	return found
}

// beyond begins behind the page before, or ends. Any number of orders may have one time, so that the id is part of where the
// index is entered: in the words that the database understands as such.
func (known listingIndex) beyond(found *gorm.DB, side string, p order.Position, dialect migrations.Dialect) *gorm.DB {
	at := timestamp(p.OrderedAt)
	orderedAt, id := known.place()+".ordered_at", known.place()+".erp_order_id"
	if dialect == migrations.SQLite {
		return found.Where("("+orderedAt+", "+id+") "+side+" (?, ?)", at, p.ID)
	}
	return found.Where("("+orderedAt+" "+side[:1]+" ? OR ("+orderedAt+" = ? AND "+id+" "+side+" ?))", at, at, p.ID)
}

// forceIndex holds MySQL and MariaDB to an index that has the rows in the order they are asked for. Left alone, both
// begin a later page at the first row as soon as it lies in the larger half of the table, and skip from there.
func (s *Store) forceIndex(index string) string {
	if s.dialect == migrations.SQLite {
		return ""
	}
	return " FORCE INDEX (" + index + ")"
}

// held is a table, as it is named in a statement, held to an index on every database: one that was never analyzed guesses.
func (s *Store) held(table, index string) string {
	switch {
	case s.dialect != migrations.SQLite:
		return table + s.forceIndex(index)
	case index == keyPrimary:
		return table // it has no name there
	}
	return table + " INDEXED BY " + index
}

// ordersBy is the table of orders, as o, held to an index. What derives from histories comes before it, as h, and each order of it
// is looked up.
func (s *Store) ordersBy(index listingIndex) string {
	derived := map[string]string{indexLatestCode: "history_latest h", indexBlocksOrder: "history_blocks h"}[index.name]
	if derived == "" {
		return s.held("orders o", index.name)
	}
	return s.held(derived, index.name) + s.inTurn() + s.held("orders o", keyOrder) +
		" ON o.tenant_id = h.tenant_id AND o.erp_order_id = h.erp_order_id"
}

// inTurn joins two tables in the order in which they are written.
func (s *Store) inTurn() string {
	if s.dialect == migrations.SQLite {
		return " CROSS JOIN "
	}
	return " STRAIGHT_JOIN "
}

// withCustomers selects orders as o. A customer that the mirror does not have leaves only its id. Rows of an earlier
// system that were never read from the ERP (they have no write_date) hold too little to be shown.
func withCustomers(db *gorm.DB, orders string) *gorm.DB {
	return db.Table(orders).
		Select("o.id, o.erp_order_id, o.number, o.erp_state, o.status, o.fulfilment, o.payment, o.erp_partner_id, o.reference, o.source, o.note, o.currency," +
			" o.currency_decimals, o.amount_untaxed, o.amount_tax, o.amount_total, o.ordered_at, o.erp_created_at," +
			" o.erp_updated_at, o.documents, o.original, o.digest, o.deleted_at," +
			" c.ref AS customer_ref, c.name AS customer_name, c.email AS customer_email").
		Joins("LEFT JOIN customers c ON c.tenant_id = o.tenant_id AND c.erp_partner_id = o.erp_partner_id").
		Where("o.write_date IS NOT NULL")
}
