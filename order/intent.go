package order

import "time"

// IntentState is where an intent stands. docs/intents.md draws the machine.
type IntentState string

// The states of an intent. Sending is the only one that is not final for its attempt; Refused may be tried again
// with the same key, and then goes back to Sending.
const (
	Sending  IntentState = "sending"  // being placed, or in doubt until the resolver knows
	Placed   IntentState = "placed"   // the order exists in the ERP and in the mirror
	Rejected IntentState = "rejected" // the ERP refuses this order for good; none exists
	Refused  IntentState = "refused"  // not accepted; the ERP was not asked, and no order exists
)

// Intent is the durable record of one wish to place an order.
type Intent struct {
	ID          int64
	TenantID    int64
	Source      string
	Key         string
	Fingerprint string
	State       IntentState
	Request     Request
	Plan        Plan
	Caller      string // the name of the API key that sent it

	// LeaseToken names the process that carries the intent now; empty when the last attempt ended in good order.
	LeaseToken string
	LeaseUntil time.Time
	// UnknownAt is when an attempt last ended without a known outcome: zero if none did. Until the ERP's longest
	// transaction has passed since, an order may still appear, and no refusal is final.
	UnknownAt     time.Time
	Attempts      int
	NextAttemptAt time.Time

	ERPOrderID int64  // once placed
	Result     *Order // once placed: the order as it was answered, for replays
	Failure    *Error // once rejected or refused; while in doubt, why

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Plan is what a request was resolved to before anything was sent: every attempt sends the same.
type Plan struct {
	PartnerID  int64   `json:"partner_id,omitempty"` // 0: the customer is new, and created if absent
	ProductIDs []int64 `json:"product_ids"`          // one a line of the request
	CountryID  int64   `json:"country_id,omitempty"` // of the shipping address
	StateID    int64   `json:"state_id,omitempty"`   // of the shipping address
}

// Placement is the answer to a wish to place an order. Order is nil while the intent is in doubt: accepted, and not
// known to be placed yet.
type Placement struct {
	Intent   Intent
	Order    *Order
	Replayed bool // this is the stored answer to an earlier request with the same key
}
