package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// Brief is as much of an order of the mirror as tells whether another one may be the same.
type Brief struct {
	ID           int64           `json:"id"`
	Number       string          `json:"number"`
	State        ERPState        `json:"erp_state"`
	Status       Status          `json:"status"`
	ERPPartnerID int64           `json:"erp_partner_id"`
	Reference    string          `json:"reference"`
	Source       string          `json:"source"`
	Currency     string          `json:"currency"`
	AmountTotal  decimal.Decimal `json:"amount_total"`
	CreatedAt    time.Time       `json:"created_at"`
}

// DuplicateReason says why orders are taken for one.
type DuplicateReason string

// The reasons.
const (
	SameReference DuplicateReason = "same_reference" // of one customer, with one reference of its own, made within the window
	SameContent   DuplicateReason = "same_content"   // of one customer, with the same lines and total, made within the window
)

// DuplicateGroup are orders that an earlier integration seems to have made of one: what is kept, and what is too many.
type DuplicateGroup struct {
	Reason  DuplicateReason `json:"reason"`
	Keep    Duplicate       `json:"keep"`
	Surplus []Duplicate     `json:"surplus"`
}

// Duplicate is an order of a group, with what speaks for or against cancelling it.
type Duplicate struct {
	Brief
	Deliveries int `json:"deliveries"`
	Invoices   int `json:"invoices"`
	// PlacedByGateway: the ERP has it under an external id of the gateway. It is asked of drafts without a source only.
	PlacedByGateway bool `json:"placed_by_gateway,omitempty"`
	// Kept says why a surplus order is not to be cancelled; empty if it may be.
	Kept string `json:"kept,omitempty"`
	// Cancelled: it was cancelled in the ERP by this run. Failure says why not, where that was tried.
	Cancelled bool   `json:"cancelled,omitempty"`
	Failure   string `json:"failure,omitempty"`
}
