package odoo

import (
	"time"

	"github.com/shopspring/decimal"
)

// NewOrder is a sale.order to create if its external id is absent. ExternalID and the lines' are the name part of an
// ir.model.data record; letters, digits and underscores.
type NewOrder struct {
	ExternalID        string
	PartnerID         int64
	ShippingPartnerID int64  // 0: the partner's own delivery address
	Reference         string // client_order_ref
	Note              string // plain text
	Lines             []NewLine
}

// NewLine is one line of a NewOrder. UnitPrice is set on all lines of an order or on none: load takes an empty price
// for 0. Discount is in percent, and needs UnitPrice.
type NewLine struct {
	ExternalID string
	ProductID  int64
	Quantity   decimal.Decimal
	UnitPrice  *decimal.Decimal
	Discount   *decimal.Decimal
}

// NewPartner is a res.partner to create if its external id is absent. With ParentID it is a delivery address of that
// partner, or, if Billing, one for invoices.
type NewPartner struct {
	ExternalID string
	ParentID   int64
	Billing    bool
	Name       string
	Email      string
	Phone      string
	Ref        string // Odoo's internal reference of the contact
	Street     string
	Street2    string
	City       string
	Zip        string
	CountryID  int64
	StateID    int64
}

// Page asks for records written at or after Since, by rising id, after AfterID.
type Page struct {
	Since   time.Time // zero: all
	AfterID int64
	UpToID  int64 // 0: without end
	Limit   int
}

// LineHead tells that a line of an order was written.
type LineHead struct {
	ID        int64
	OrderID   int64
	WriteDate time.Time
}

// DocumentHead tells that a delivery or an invoice was written, and of which orders it is.
type DocumentHead struct {
	ID        int64
	OrderIDs  []int64
	WriteDate time.Time
}

// Version is what Odoo says of itself.
type Version struct {
	Major int    // 14, 19
	Full  string // "19.0"
}

// Permission is one thing the gateway's user must be allowed to do.
type Permission struct {
	Model     string
	Operation string // "create", "read", "write"
	Allowed   bool
}
