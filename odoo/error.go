package odoo

import (
	"errors"
	"fmt"
)

// Outcome says what is certain about a call that failed. It is the question that matters after a write.
type Outcome int

// The outcomes.
const (
	Unknown  Outcome = iota // the call may have taken effect, may still take effect, or may not
	Rejected                // Odoo answered that it refused, and rolled back: nothing took effect
	NotSent                 // the call never reached Odoo's code: nothing took effect
)

func (o Outcome) String() string { return [...]string{"unknown", "rejected", "not sent"}[o] }

// Reason says why a call failed.
type Reason string

// The reasons.
const (
	BusinessRule   Reason = "business_rule"   // Odoo's own word about the content: shown to people
	LoginRefused   Reason = "login_refused"   // wrong user, password, API key or database name
	AccessRights   Reason = "access_rights"   // the user lacks a permission in Odoo
	Serialization  Reason = "serialization"   // lost against a concurrent transaction; repeating helps
	BreakerOpen    Reason = "breaker_open"    // the circuit breaker let nothing through
	Unreachable    Reason = "unreachable"     // no connection: refused, no route, no such host
	Timeout        Reason = "timeout"         // no answer in time
	ConnectionLost Reason = "connection_lost" // the connection ended before the answer did
	ServerError    Reason = "server_error"    // HTTP 5xx, fault 1, or JSON-2's own 500: an error inside Odoo
	BadAnswer      Reason = "bad_answer"      // neither XML-RPC nor JSON-2, too large, too deep, or not what the method returns
	Misconfigured  Reason = "misconfigured"   // HTTP 4xx: the address is not an Odoo, or the call not one that it knows
	TooLarge       Reason = "too_large"       // HTTP 413: a proxy takes no calls of this size
	Cancelled      Reason = "cancelled"       // the caller's context was cancelled
)

// Error is a failed call. Message is fit for people: never a traceback. Cause is for the log.
type Error struct {
	Outcome Outcome
	Reason  Reason
	Method  string // "sale.order.load"
	Message string
	Field   string // the Odoo field at fault, such as "order_line/product_id/.id"; empty if Odoo named none
	Row     int    // the row of load's data at fault; -1 if Odoo named none
	Cause   error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("odoo: %s: %s (outcome %s): %s", e.Method, e.Reason, e.Outcome, e.Message)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// Begun turns the failure of a later one of several calls into that of all of them: what the earlier ones did stands, so that
// NotSent would say too little.
func Begun(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Outcome != NotSent {
		return err
	}
	begun := *e
	begun.Outcome = Unknown
	return &begun
}

// NotBegun turns the failure of a call that changes nothing, made before one that does, into that of the whole.
func NotBegun(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Outcome != Unknown {
		return err
	}
	before := *e
	before.Outcome = NotSent
	return &before
}
