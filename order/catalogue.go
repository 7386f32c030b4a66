package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// Product is a product.product of Odoo as the mirror holds it.
type Product struct {
	ERPProductID  int64
	SKU           string // default_code; empty where the product has none
	Name          string
	UnitOfMeasure string
	ListPrice     decimal.Decimal
	Currency      string
	Sellable      bool // sale_ok
	Active        bool // false once archived
	WriteDate     time.Time
}

// Customer is a res.partner of Odoo as a portal knows it.
type Customer struct {
	ERPPartnerID int64
	ERPCompanyID int64  // the commercial partner: the company that this contact belongs to, or itself
	Ref          string // the portal's own name for it, unique in the tenant; empty if none was given
	Name         string
	Email        string
	Phone        string
	Active       bool
	WriteDate    time.Time
	CreatedAt    time.Time // when the mirror first held it
}

// Precision says how many decimals the ERP keeps; a value with more would be rounded behind the caller's back,
// and so is refused.
type Precision struct {
	Quantity int
	Price    int
	Discount int
}
