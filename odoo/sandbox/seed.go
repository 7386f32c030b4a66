package sandbox

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// Ids of the users and of the small tables.
const (
	AdminID    int64 = 2
	UserID     int64 = 7
	CurrencyID int64 = 1 // USD, two decimals
	TaxID      int64 = 1 // 15 %, on top of the price
	UnitID     int64 = 1 // Units
)

// ownCompanyID is the company that all records are of.
const ownCompanyID int64 = 1

// Partners that exist from the start.
const (
	CompanyID         int64 = 9  // Acme Corporation, with the two contacts
	ContactID         int64 = 18 // Nora Lindqvist of Acme Corporation
	SecondContactID   int64 = 19 // Tomas Ferreira of Acme Corporation
	OtherCompanyID    int64 = 10 // Gemini Furniture
	StrangerID        int64 = 20 // Ada Okafor, a person who has nothing to do with either company
	OtherStrangerID   int64 = 21 // Bernard Claes
	ArchivedPartnerID int64 = 22 // Closed Shop
)

// SKUs with something wrong with them.
const (
	ArchivedSKU   = "FURN_0007" // of a product that is archived
	UnsellableSKU = "FURN_0100" // of a product that may not be sold
	AmbiguousSKU  = "FURN_0200" // of two products
)

// Product is one of the seeded catalogue.
type Product struct {
	ID         int64
	TemplateID int64
	SKU        string
	Name       string
	Price      float64
	Taxed      bool // at 15 %
	Unsellable bool
	Archived   bool
}

// Catalogue lists the products that exist from the start.
func Catalogue() []Product {
	products := []Product{
		{SKU: "E-COM07", Name: "Large Cabinet", Price: 320},
		{SKU: "E-COM08", Name: "Storage Box", Price: 15.8, Taxed: true},
		{SKU: "E-COM09", Name: "Large Desk", Price: 1799},
		{SKU: "E-COM10", Name: "Pedal Bin", Price: 47, Taxed: true},
		{SKU: "E-COM11", Name: "Cabinet with Doors", Price: 14},
		{SKU: "FURN_0001", Name: "Desk Organizer", Price: 5.1, Taxed: true},
		{SKU: "FURN_0002", Name: "Desk Pad", Price: 2.35},
		{SKU: "FURN_7777", Name: "Office Chair", Price: 70},
		{SKU: "FURN_8888", Name: "Office Lamp", Price: 40, Taxed: true},
		{SKU: ArchivedSKU, Name: "Old Drawer", Price: 110.5, Archived: true},
		{SKU: UnsellableSKU, Name: "Workshop Shelf", Price: 25, Unsellable: true},
		{SKU: AmbiguousSKU, Name: "Bench, oak", Price: 160},
		{SKU: AmbiguousSKU, Name: "Bench, beech", Price: 145},
		{Name: "Assembly at Home", Price: 38.25},
	}
	for i := range products {
		products[i].TemplateID = int64(i + 1)
		products[i].ID = int64(i + 16)
	}
	return products
}

// SeededOrders is how many orders people made in Odoo before the gateway came.
const SeededOrders = 5

// newDatabase makes the tables of a version and fills them.
func newDatabase(o Options, users []user, now time.Time) (*database, error) {
	major := o.Major
	db := &database{models: map[string]*model{}, externalIDs: map[string]int64{}, documents: o.Documents}
	models := append(referenceModels(major), partnerModel(major), templateModel(o), productModel(o), tagModel(major), orderModel(o), lineModel(o))
	if o.Documents {
		models = append(append(models, stockModels(major)...), billingModels(major)...)
	}
	for _, m := range models {
		methods := genericMethods(major)
		maps.Copy(methods, m.methods)
		m.methods = methods
		db.models[m.name] = m
	}
	s := seeder{env: db.begin(major, users[0], now.Add(-72*time.Hour))}
	s.reference(users, now)
	s.partners()
	s.products()
	if o.Documents {
		s.warehouse()
	}
	s.orders(now)
	return db, s.err
}

// begin starts a transaction.
func (db *database) begin(major int, u user, now time.Time) *env {
	return &env{db: db, major: major, user: u, now: now, stale: map[int64]bool{}}
}

type seeder struct {
	env *env
	err error
}

// add creates a record with a given id.
func (s *seeder) add(model string, id int64, values map[string]any) {
	if s.err != nil {
		return
	}
	m := s.env.db.models[model]
	m.lastID = id - 1
	if _, err := s.env.create(m, values); err != nil {
		s.err = fmt.Errorf("sandbox: seed %s %d: %w", model, id, err)
	}
}

func (s *seeder) reference(users []user, now time.Time) {
	s.add("res.currency", CurrencyID, map[string]any{
		"name": "USD", "symbol": "$", "decimal_places": int64(2), "rounding": 0.01, "active": true})
	s.add(accountTax, TaxID, map[string]any{"name": "15%", "amount": 15.0})
	s.add("uom.uom", UnitID, map[string]any{"name": "Units"})
	for _, u := range users {
		s.add("res.users", u.id, map[string]any{"name": u.name, "login": u.login, "email": u.login + "@example.com"})
		key := map[string]any{"name": "API", "user_id": u.id}
		if s.env.major >= 18 {
			key["expiration_date"] = formatTime(now.Add(keyLife))
		}
		s.add(apiKeys, u.id, key)
	}
	quantity := "Product Unit"
	if s.env.major < 19 {
		quantity = "Product Unit of Measure"
	}
	for i, name := range []string{"Product Price", "Discount", quantity} {
		s.add(precision, int64(i+1), map[string]any{"name": name, "digits": int64(2)})
	}
	countries := []struct {
		id         int64
		code, name string
	}{{20, "BE", "Belgium"}, {38, "CA", "Canada"}, {57, "DE", "Germany"}, {68, "ES", "Spain"}, {75, "FR", "France"},
		{109, "IT", "Italy"}, {165, "NL", "Netherlands"}, {231, "GB", "United Kingdom"}, {233, "US", "United States"}}
	for _, c := range countries {
		s.add("res.country", c.id, map[string]any{"code": c.code, "name": c.name})
	}
	states := []struct {
		id, country int64
		code, name  string
	}{{13, 233, "CA", "California"}, {35, 233, "NY", "New York"}, {52, 233, "TX", "Texas"},
		{324, 109, "CA", "Cagliari"}, {429, 68, "CA", "Cádiz"}}
	for _, st := range states {
		s.add("res.country.state", st.id, map[string]any{"country_id": st.country, "code": st.code, "name": st.name})
	}
}

func (s *seeder) partners() {
	s.add(resPartner, 1, map[string]any{"name": "My Company", "is_company": true, "email": "info@mycompany.example"})
	s.add(resPartner, 3, map[string]any{"name": "Mitchell Admin", "parent_id": int64(1), "email": "admin@mycompany.example"})
	s.add(resPartner, CompanyID, map[string]any{"name": "Acme Corporation", "is_company": true, "email": "orders@acme.example",
		"phone": "+1 603-996-3829", "street": "77 Santa Barbara Rd", "city": "Pleasant Hill", "zip": "94523",
		"country_id": int64(233), "state_id": int64(13)})
	s.add(resPartner, OtherCompanyID, map[string]any{"name": "Gemini Furniture", "is_company": true,
		"email": "office@gemini.example", "city": "Gent", "zip": "9000", "street": "Veldstraat 12", "country_id": int64(20)})
	s.add(resPartner, ContactID, map[string]any{"name": "Nora Lindqvist", "parent_id": CompanyID, "email": "nora@acme.example"})
	s.add(resPartner, SecondContactID, map[string]any{"name": "Tomas Ferreira", "parent_id": CompanyID, "email": "tomas@acme.example"})
	s.add(resPartner, StrangerID, map[string]any{"name": "Ada Okafor", "email": "ada@okafor.example", "phone": "+44 20 7946 0018",
		"country_id": int64(231)})
	s.add(resPartner, OtherStrangerID, map[string]any{"name": "Bernard Claes", "email": "bernard@claes.example", "country_id": int64(20)})
	s.add(resPartner, ArchivedPartnerID, map[string]any{"name": "Closed Shop", "is_company": true, "active": false})
}

func (s *seeder) products() {
	for _, p := range Catalogue() {
		taxes := []any{}
		if p.Taxed {
			taxes = append(taxes, TaxID)
		}
		template := map[string]any{"name": p.Name, "list_price": p.Price, "taxes_id": taxes, "sale_ok": !p.Unsellable}
		if s.env.db.documents && strings.HasPrefix(p.SKU, "FURN_") {
			template["invoice_policy"] = "delivery" // as that of some of Odoo's own demo products
		}
		s.add(productTemplate, p.TemplateID, template)
		s.add(productProduct, p.ID, map[string]any{
			"product_tmpl_id": p.TemplateID, "default_code": p.SKU, "active": !p.Archived})
	}
}

func (s *seeder) warehouse() {
	s.add("stock.location", customerPlaceID, map[string]any{"name": "Customers", "usage": "customer"})
	s.add("stock.location", stockPlaceID, map[string]any{"name": "Stock", "usage": "internal"})
	s.add("stock.picking.type", outgoingTypeID, map[string]any{"name": "Delivery Orders", "code": "outgoing"})
	for i, name := range []string{"Standard delivery", "Express delivery"} {
		s.add("delivery.carrier", int64(i+1), map[string]any{"name": name, "company_id": ownCompanyID})
	}
}

// orders makes some of the past. Their ids differ from the numbers in their names, as they do in any real database.
func (s *seeder) orders(now time.Time) {
	p := Catalogue()
	orders := []struct {
		age       time.Duration
		partner   int64
		state     string
		reference any
		lines     map[int]float64 // index in the catalogue → quantity
	}{
		{70 * time.Hour, CompanyID, stateSale, "PO-77", map[int]float64{0: 2, 1: 10}},
		{50 * time.Hour, OtherCompanyID, stateSent, false, map[int]float64{2: 1}},
		{26 * time.Hour, ContactID, stateSale, "PO-78", map[int]float64{5: 12, 8: 3}},
		{25 * time.Hour, StrangerID, stateCancel, false, map[int]float64{7: 1}},
		{2 * time.Hour, CompanyID, stateDraft, "PO-79", map[int]float64{3: 4, 4: 1}},
	}
	for i, o := range orders {
		s.env.now = now.Add(-o.age)
		lines := []any{}
		for at := range p {
			if quantity := o.lines[at]; quantity > 0 {
				lines = append(lines, []any{int64(0), int64(0), map[string]any{"product_id": p[at].ID, "product_uom_qty": quantity}})
			}
		}
		s.add(saleOrder, int64(i+4), map[string]any{
			"partner_id": o.partner, "client_order_ref": o.reference, "state": o.state, "order_line": lines})
		s.env.flush()
	}
}
