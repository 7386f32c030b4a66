package order

import (
	"strconv"
	"time"
)

// IntentState is where an intent stands. docs/intents.md draws the machine.
type IntentState string

// The states of an intent.
const (
	Queued    IntentState = "queued"    // waits for its turn; the ERP was not asked
	Sending   IntentState = "sending"   // being placed, or in doubt until the resolver knows
	Parked    IntentState = "parked"    // in doubt, and the ERP, which works, has no clear answer to it: an operator decides
	Placed    IntentState = "placed"    // the order exists in the ERP and in the mirror
	Performed IntentState = "performed" // the action took effect in the ERP, and the mirror shows it
	Rejected  IntentState = "rejected"  // the ERP refuses this order for good; none exists
	Refused   IntentState = "refused"   // not accepted; the ERP was not asked, and no order exists; may be tried again
	CalledOff IntentState = "cancelled" // called off; no order was placed, or it is cancelled in the ERP; an action was not done, or not to its end
	Adopted   IntentState = "adopted"   // another system's key, whose order the ERP had already; what was sent is not known
)

// IntentStates are all of them.
var IntentStates = []IntentState{Queued, Sending, Parked, Placed, Performed, Rejected, Refused, CalledOff, Adopted}

// Final reports whether nothing happens to the intent any more of the gateway's own accord.
func (s IntentState) Final() bool {
	return s == Placed || s == Performed || s == Rejected || s == Refused || s == CalledOff || s == Adopted
}

// Intent is the durable record of one wish: to place an order, or to do something with one.
type Intent struct {
	ID          int64
	TenantID    int64
	Source      string
	Key         string
	Fingerprint string // of the request; empty for Adopted
	State       IntentState
	Request     Request // empty with an Action
	Action      *Action // nil for an order to be placed
	Plan        Plan
	Caller      string // the name of the API key that sent it
	Customer    string // whose order it is, as the request names it (CustomerRef.QueueName): queued ones go in turn; empty with an Action

	// Acknowledged says that its caller was told 202: nothing but the order, the ERP's own refusal or a cancellation ends
	// it from then on.
	Acknowledged bool
	// LeaseToken names the attempt, or the waiting request, that carries the intent now; empty when nobody does.
	LeaseToken string
	LeaseUntil time.Time
	// UnknownAt is when an attempt last ended without a known outcome, by the ERP's clock: zero if none did. Until the
	// ERP's longest transaction has passed since, an order may still appear, and no refusal is final.
	UnknownAt time.Time
	// CancelRequestedAt is when somebody called the intent off while it was in doubt; zero if nobody did.
	CancelRequestedAt time.Time
	Attempts          int
	// Strikes counts the attempts at this order alone that got no clear answer from an ERP that answered something else
	// right after.
	Strikes       int
	NextAttemptAt time.Time

	ERPOrderID int64  // once known; of an Action from the beginning
	Result     *Order // once placed or performed: the order as it was answered, for replays; nil for Adopted
	Failure    *Error // once rejected, refused or cancelled; while in doubt, why

	CreatedAt time.Time
	UpdatedAt time.Time
}

// InDoubt reports whether an attempt ended without a known outcome and none has found out since.
func (in *Intent) InDoubt() bool {
	return in.State == Parked || in.State == Sending && !in.UnknownAt.IsZero()
}

// Plan is what a request was resolved to before anything was sent: every attempt sends the same.
type Plan struct {
	PartnerID  int64   `json:"partner_id,omitempty"`  // 0: the customer is new, and created if absent
	ProductIDs []int64 `json:"product_ids,omitempty"` // one a line of the request; none: not resolved yet
	CountryID  int64   `json:"country_id,omitempty"`  // of the shipping address
	StateID    int64   `json:"state_id,omitempty"`    // of the shipping address

	Stock  *StockCheck `json:"stock,omitempty"` // nil: not looked at, as long as its tenant does not want it
	Action *ActionPlan `json:"action,omitempty"`
}

// Resolved reports whether there is a plan at all. An order that was queued while the ERP was away may have none.
func (p Plan) Resolved() bool { return len(p.ProductIDs) > 0 || p.Action != nil }

// QueueName is the name under which a customer's queued orders wait for each other.
func (c CustomerRef) QueueName() string {
	if c.Ref != "" {
		return "ref:" + c.Ref
	}
	return "partner:" + strconv.FormatInt(c.ERPPartnerID, 10)
}

// Placement is the answer to a wish to place an order, or to do something with one. Order is nil while the intent is on its
// way: accepted, and not known to be placed or performed yet.
type Placement struct {
	Intent   Intent
	Order    *Order
	Replayed bool // this is the stored answer to an earlier request with the same key
}

// IntentFilter selects intents; zero fields do not. The newest come first.
type IntentFilter struct {
	Source   string
	States   []IntentState
	InDoubt  bool      // only those whose outcome an attempt left open
	From, To time.Time // of CreatedAt: at or after From, before To
	BeforeID int64     // the page after the one that ended with this id
	Limit    int
}

// IntentCounts is how many intents of a tenant have no final outcome.
type IntentCounts struct {
	Queued        int64
	Sending       int64     // those in doubt included
	InDoubt       int64     // of Sending
	Parked        int64     //
	OldestQueued  time.Time // when the oldest of them was created; zero without any
	OldestInDoubt time.Time // since when the oldest of Sending and Parked together was created; zero without any
}
