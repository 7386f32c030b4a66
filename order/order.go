package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// SourceERP is the source of an order that no caller of the gateway placed: someone made it in Odoo.
const SourceERP = "odoo"

// Order is one sale.order as the mirror holds it. Money and quantities are exact decimals in units of the currency
// and of the line's unit of measure; times are UTC.
type Order struct {
	ID               int64  // the ERP order id; it is the public id too
	Number           string // "S04711"
	State            ERPState
	Status           Status
	Fulfilment       Fulfilment
	Payment          Payment
	Customer         Party
	ShipTo, BillTo   int64  `json:"-"` // the partners that are its addresses; the mirror does not have them: 0
	Warehouse        int64  `json:"-"` // that it is sent from; 0: the ERP does not say, or it comes from the mirror
	Reference        string // the customer's own reference (client_order_ref)
	Source           string
	Note             string // plain text
	Currency         string // ISO 4217
	CurrencyDecimals int
	AmountUntaxed    decimal.Decimal
	AmountTax        decimal.Decimal
	AmountTotal      decimal.Decimal
	Lines            []Line
	Deliveries       []Delivery
	Invoices         []Invoice
	OrderedAt        time.Time // date_order
	CreatedAt        time.Time // in the ERP
	UpdatedAt        time.Time // in the ERP: the latest write to the order, its lines, deliveries or invoices
	// Edits are how it differs from what its caller sent; nil for one that nobody sent through the gateway.
	Edits *Edits
	// Version is another one whenever the ERP says anything else of the order: of its lines, addresses or documents too. Empty
	// where the mirror does not know.
	Version string
	// Shortages are told in the answer to who placed the order or reserved for it, and are no part of the mirror: of what less was
	// available then than was demanded.
	Shortages []Shortage `json:",omitempty"`
	DeletedAt time.Time  // zero, or when the mirror saw that the ERP no longer has it (tombstone)
}

// Party is the customer of an order.
type Party struct {
	ERPPartnerID int64
	Ref          string // the portal's own name for the customer; empty if no portal named it
	Name         string
	Email        string
}

// Line is one product line of an order. Sections and notes of Odoo's layout are not lines.
type Line struct {
	ERPLineID     int64
	ERPProductID  int64
	SKU           string
	Name          string
	UnitOfMeasure string
	UnitID        int64 `json:"-"` // in the ERP; the mirror does not have it: 0
	Quantity      decimal.Decimal
	UnitPrice     decimal.Decimal // before discount and tax rules of the ERP
	Discount      decimal.Decimal // percent
	Subtotal      decimal.Decimal // without tax
	Tax           decimal.Decimal
	Total         decimal.Decimal // with tax
	Delivered     decimal.Decimal // of Quantity
	Invoiced      decimal.Decimal // of Quantity
}

// Snapshot is an order as the ERP answered it once, with what is needed to tell which of two snapshots is newer.
type Snapshot struct {
	Order // Source, Customer.Ref, Customer.Name, Customer.Email, DeletedAt and the lines' SKU are not the ERP's: left empty

	WriteDate      time.Time // the order's own write_date; second precision, start of the writing transaction
	LinesWriteDate time.Time // the latest write_date among its lines; zero without lines
	// DocumentsWriteDate is the latest write_date among its deliveries and invoices; zero without any.
	DocumentsWriteDate time.Time
	// AllDeliveries and AllInvoices say that none is missing. Quotations are read without, and so are those that the gateway's user may not read.
	AllDeliveries, AllInvoices bool

	ReadAt time.Time // a moment, by the ERP's clock, before which everything committed is in this snapshot
}

// IDRange are the ids above After, up to UpTo. The zero IDRange is all of them.
type IDRange struct {
	After int64
	UpTo  int64 // 0: without end
}

// Head is the little that tells whether an order changed: read in bulk, compared with the mirror.
type Head struct {
	ID             int64
	WriteDate      time.Time
	LinesWriteDate time.Time
	// DocumentsWriteDate is as in Snapshot.
	DocumentsWriteDate time.Time
	ReadAt             time.Time // as in Snapshot; only set on heads that come from the mirror
}
