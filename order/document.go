package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// DocumentState is where a delivery or an invoice stands.
type DocumentState string

// The states. Deliveries are Waiting (for goods or for another delivery), Ready, Delivered or Cancelled; invoices are
// Open (a draft), Posted or Cancelled.
const (
	Waiting           DocumentState = "waiting"
	Ready             DocumentState = "ready"
	Delivered         DocumentState = "delivered"
	Open              DocumentState = "open"
	Posted            DocumentState = "posted"
	DocumentCancelled DocumentState = "cancelled"
)

// DocumentKind tells deliveries from invoices.
type DocumentKind string

// The kinds of documents.
const (
	Deliveries DocumentKind = "deliveries"
	Invoices   DocumentKind = "invoices"
)

// Delivery is a transfer of goods for an order, as the ERP says it stands.
type Delivery struct {
	ID          int64         `json:"id"`
	Number      string        `json:"number"` // "WH/OUT/00012"
	State       DocumentState `json:"state"`
	Return      bool          `json:"return,omitempty"`       // from the customer back
	BackorderOf int64         `json:"backorder_of,omitempty"` // the delivery that left this one over
	Carrier     string        `json:"carrier,omitempty"`
	Tracking    string        `json:"tracking,omitempty"` // tracking number
	ScheduledAt time.Time     `json:"scheduled_at,omitzero"`
	DoneAt      time.Time     `json:"done_at,omitzero"`
}

// Invoice is an invoice or credit note for an order, as the ERP says it stands. Amounts are in its currency, and
// positive for both.
type Invoice struct {
	ID          int64           `json:"id"`
	Number      string          `json:"number,omitempty"` // empty until it is posted
	State       DocumentState   `json:"state"`
	CreditNote  bool            `json:"credit_note,omitempty"`
	Payment     string          `json:"payment"` // Odoo's payment_state: "not_paid", "in_payment", "partial", "paid", "reversed"
	Currency    string          `json:"currency"`
	AmountTotal decimal.Decimal `json:"amount_total"`
	AmountDue   decimal.Decimal `json:"amount_due"`
	IssuedOn    string          `json:"issued_on,omitempty"` // a date, "2026-03-14"
	DueOn       string          `json:"due_on,omitempty"`
}
