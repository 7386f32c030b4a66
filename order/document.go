package order

import (
	"encoding/json"
	"io"
	"time"

	"github.com/shopspring/decimal"
)

// DocumentState is where a delivery or an invoice stands.
type DocumentState string

// The states. Deliveries are Waiting (for goods or for another delivery), Ready, DocumentDelivered or DocumentCancelled;
// invoices are Open (a draft), Posted or DocumentCancelled.
const (
	Waiting           DocumentState = "waiting"
	Ready             DocumentState = "ready"
	DocumentDelivered DocumentState = "delivered"
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

// DeliveryKind says which way a transfer of goods goes.
type DeliveryKind string

// The kinds of deliveries.
const (
	DeliveryOutgoing DeliveryKind = "outgoing" // to the customer, from a warehouse or straight from a supplier
	DeliveryStep     DeliveryKind = "step"     // inside a warehouse, on the way out: picking, packing
	DeliveryReturn   DeliveryKind = "return"   // from the customer back
	DeliveryReceipt  DeliveryKind = "receipt"  // from a supplier, of goods that were bought for the order
)

// Delivery is a transfer of goods for an order, as the ERP says it stands.
type Delivery struct {
	ID          int64         `json:"id"`
	Number      string        `json:"number"` // "WH/OUT/00012"
	State       DocumentState `json:"state"`
	Kind        DeliveryKind  `json:"kind"`
	BackorderOf int64         `json:"backorder_of,omitempty"` // the delivery that left this one over
	Carrier     string        `json:"carrier,omitempty"`
	Tracking    string        `json:"tracking,omitempty"` // tracking number
	ScheduledAt time.Time     `json:"scheduled_at,omitzero"`
	DoneAt      time.Time     `json:"done_at,omitzero"`
}

// UnmarshalJSON also reads a delivery as it was stored before it had a kind: it only said whether it was a return.
func (d *Delivery) UnmarshalJSON(text []byte) error {
	type plain Delivery
	stored := struct {
		plain
		Return bool `json:"return"`
	}{}
	if err := json.Unmarshal(text, &stored); err != nil {
		return err
	}
	*d = Delivery(stored.plain)
	switch {
	case d.Kind != "":
	case stored.Return:
		d.Kind = DeliveryReturn
	default:
		d.Kind = DeliveryOutgoing
	}
	return nil
}

// File is a document to be read once and closed, whatever becomes of it.
type File struct {
	Name    string // ASCII, without a path
	Size    int64
	Content io.ReadCloser
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
