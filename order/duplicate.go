package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// Brief is as much of an order of the mirror as tells whether another one may be the same.
type Brief struct {
	ID           int64
	Number       string
	Status       Status
	ERPPartnerID int64
	Reference    string
	Source       string
	Currency     string
	AmountTotal  decimal.Decimal
	CreatedAt    time.Time
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
	Reason  DuplicateReason
	Keep    Duplicate
	Surplus []Duplicate
}

// Duplicate is an order of a group, with what speaks for or against cancelling it.
type Duplicate struct {
	Brief
	Deliveries int
	Invoices   int
	// Kept says why a surplus order is not to be cancelled; empty if it may be.
	Kept string
	// Cancelled: it was cancelled in the ERP by this run. Failure says why not, where that was tried.
	Cancelled bool
	Failure   string
}
