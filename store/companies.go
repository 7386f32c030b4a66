package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"ordergate/migrations"
	"ordergate/order"
)

// Each order's row has the company of its customer, so that a company's orders are in one place of an index. It is what
// the customer's row says, or the customer itself if the mirror has no such row, at every commit. Two guards keep it so
// where an order and its customer are written at the same moment: whoever writes orders holds their customers' rows, and
// looks again for those that were missing once the orders are there to be found; whoever writes a customer that moves
// brings along the orders that are there, and waits for those that are being written.

// movedOrders is how many orders one transaction moves between companies. Those of a single customer go together.
const movedOrders = 1000

// companyBatch is how many orders are looked through at once.
const companyBatch = 1000

// companyColumn is the company of orders o, by their customers c.
const companyColumn = "COALESCE(NULLIF(c.erp_company_id, 0), o.erp_partner_id)"

var errManyMoves = errors.New("store: the customers have too many orders to be moved at once")

// company is the one whose orders the customer's are, never 0.
func (r customerRow) company() int64 { return cmp.Or(r.ERPCompanyID, r.ERPPartnerID) }

// setCompanies gives arrivals that are about to be written their customers' companies.
func (u *upsert) setCompanies(groups ...[]arrival) error {
	u.strangers = map[int64]bool{}
	for _, group := range groups {
		for _, a := range group {
			u.strangers[a.order.ERPPartnerID] = true
		}
	}
	companies, err := u.recognize()
	if err != nil {
		return err
	}
	for _, group := range groups {
		for i := range group {
			partner := group[i].order.ERPPartnerID
			group[i].order.ERPCompanyID = cmp.Or(companies[partner], partner)
		}
	}
	return nil
}

// recognize returns the companies of those strangers that the mirror knows, who then are none any more.
func (u *upsert) recognize() (map[int64]int64, error) {
	companies, err := u.store.readCompanies(u.tx, u.tenantID, slices.Sorted(maps.Keys(u.strangers)))
	for partner := range companies {
		delete(u.strangers, partner)
	}
	return companies, err
}

// readCompanies returns the companies of those of the partners that the mirror knows. Their rows stay as they are until the
// transaction ends.
func (s *Store) readCompanies(tx *gorm.DB, tenantID int64, partners []int64) (map[int64]int64, error) {
	companies := make(map[int64]int64, len(partners))
	if len(partners) == 0 {
		return companies, nil
	}
	query := "SELECT erp_partner_id, erp_company_id FROM customers WHERE tenant_id = ? AND erp_partner_id IN ? ORDER BY erp_partner_id"
	if s.dialect != migrations.SQLite { // whose transactions exclude each other
		query += " LOCK IN SHARE MODE" // FOR SHARE is unknown to MariaDB
	}
	var rows []customerRow
	if err := tx.Raw(query, tenantID, partners).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("reading whose customers they are: %w", err)
	}
	for _, row := range rows {
		companies[row.ERPPartnerID] = row.company()
	}
	return companies, nil
}

// correctCompanies looks again for customers that were not there before their orders were written: a transaction that
// brought one in between has not seen these orders. One that comes later does.
func (u *upsert) correctCompanies(groups ...[]arrival) error {
	if u.store.dialect == migrations.SQLite {
		return nil
	}
	companies, err := u.recognize()
	if err != nil {
		return err
	}
	moves := map[int64][]int64{}
	for _, a := range slices.Concat(groups...) {
		if company := companies[a.order.ERPPartnerID]; company != 0 && company != a.order.ERPCompanyID {
			moves[company] = append(moves[company], a.order.ID)
		}
	}
	for company, ids := range moves {
		err := u.tx.Model(&orderRow{}).Where("tenant_id = ? AND id IN ?", u.tenantID, ids).
			Update("erp_company_id", company).Error
		if err != nil {
			return fmt.Errorf("correcting whose customers they are: %w", err)
		}
	}
	return nil
}

// limitMoves refuses to move the orders of several customers, if they are more than one transaction moves, with errManyMoves.
func (s *Store) limitMoves(tx *gorm.DB, tenantID int64, companies map[int64]int64) error {
	if len(companies) < 2 {
		return nil
	}
	var beyond []int64
	err := tx.Table(s.ordersBy(indexPartner)).
		Where("o.tenant_id = ? AND o.erp_partner_id IN ?", tenantID, slices.Sorted(maps.Keys(companies))).
		Offset(movedOrders).Limit(1).Pluck("o.id", &beyond).Error
	if err == nil && len(beyond) > 0 {
		return errManyMoves
	}
	return err
}

// moveOrders brings the orders of customers to the companies that these are moving to, by customer, in the transaction that
// writes their rows, after these.
func (s *Store) moveOrders(tx *gorm.DB, tenantID int64, companies map[int64]int64) error {
	to := map[int64][]int64{}
	for _, partner := range slices.Sorted(maps.Keys(companies)) {
		to[companies[partner]] = append(to[companies[partner]], partner)
	}
	for _, company := range slices.Sorted(maps.Keys(to)) {
		err := tx.Exec("UPDATE "+s.held("orders", indexPartner.name)+" SET erp_company_id = ?"+
			" WHERE tenant_id = ? AND erp_partner_id IN ? AND erp_company_id <> ?", company, tenantID, to[company], company).Error
		if err != nil {
			return fmt.Errorf("moving orders to company %d: %w", company, err)
		}
	}
	return nil
}

// settleOrders brings a customer's orders to the company that its row says. If it has none, the orders are looked for
// before the last look at it, for the same reason as those of strangers.
func (s *Store) settleOrders(tx *gorm.DB, tenantID, partner int64) error {
	for range 2 {
		companies, err := s.readCompanies(tx, tenantID, []int64{partner})
		if err != nil {
			return err
		}
		company, known := companies[partner]
		if err := s.moveOrders(tx, tenantID, map[int64]int64{partner: cmp.Or(company, partner)}); err != nil || known {
			return err
		}
	}
	return nil
}

// CorrectCompanies brings orders to their customers' companies where their rows say otherwise, as they do after a process
// of an earlier version wrote into this schema, and returns of how many customers it did.
func (s *Store) CorrectCompanies(ctx context.Context, tenantID int64) (corrected int, err error) {
	for after := int64(0); ; {
		var ids, partners []int64
		err := s.read(ctx, "read", "orders", func(db *gorm.DB) error {
			orders := db.Table(s.held("orders o", keyOrder)).Where("o.tenant_id = ? AND o.erp_order_id > ?", tenantID, after)
			err := orders.Session(&gorm.Session{}).Order("o.erp_order_id").Limit(companyBatch).Pluck("o.erp_order_id", &ids).Error
			if err != nil || len(ids) == 0 {
				return err
			}
			return orders.Joins("LEFT JOIN "+s.held("customers c", keyCustomerPartner)+" ON c.tenant_id = o.tenant_id AND c.erp_partner_id = o.erp_partner_id").
				Where("o.erp_order_id <= ? AND o.erp_company_id <> "+companyColumn, ids[len(ids)-1]).
				Distinct().Pluck("o.erp_partner_id", &partners).Error
		})
		if err != nil || len(ids) == 0 {
			return corrected, err
		}
		for _, partner := range partners {
			err := s.transaction(ctx, "correct", "orders", func(tx *gorm.DB) error {
				return s.settleOrders(tx, tenantID, partner)
			})
			if err != nil {
				return corrected, err
			}
			corrected++
		}
		after = ids[len(ids)-1]
	}
}

// inHalves runs write for customers, and for each half of them if that moves too many orders at once.
func inHalves(customers []order.Customer, write func([]order.Customer) error) error {
	err := write(customers)
	if len(customers) < 2 || !errors.Is(err, errManyMoves) {
		return err
	}
	half := len(customers) / 2
	if err := inHalves(customers[:half], write); err != nil {
		return err
	}
	return inHalves(customers[half:], write)
}
