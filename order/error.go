package order

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what sort of failure an Error is. The HTTP layer maps each kind to one status, in one place.
type Kind int

// The kinds, with the HTTP status that each becomes.
const (
	Internal        Kind = iota // 500: a defect, or an outcome that nobody can know; nothing is promised
	Malformed                   // 400: not understood as a request at all
	Unauthenticated             // 401: no credentials, or none that are known
	Forbidden                   // 403: the caller's role does not permit it
	NotFound                    // 404: does not exist, or is somebody else's
	Conflict                    // 409: cannot be done now; the state of the thing does not allow it
	TooLarge                    // 413: over a size limit
	Unprocessable               // 422: understood, and refused for what it says
	RateLimited                 // 429: too many requests from this caller
	Unavailable                 // 503: not accepted, nothing was or will be done; safe to retry
	Unsupported                 // 501: the ERP lacks an application that this takes

	PreconditionFailed   // 412: what the request was made for is not what stands
	PreconditionRequired // 428: it must say what it was made for
)

// Violation names one field that was refused.
type Violation struct {
	Field   string // path in the request body, such as "lines[2].quantity", or a header or parameter name
	Message string // what is wrong with it and what would be right
}

// Error is a failure that a caller may be told of. Code is stable and meant for programs, Message for people.
// Cause is for the log only and never leaves the process.
type Error struct {
	Kind       Kind
	Code       string // snake_case, stable: "unknown_sku", "key_in_flight"
	Message    string
	Violations []Violation   // the fields at fault, where there are any
	RetryAfter time.Duration // how long to wait before a retry is worth it; 0 where a retry is pointless
	Version    string        // PreconditionFailed: the version that stands
	Cause      error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	b.WriteString(": ")
	b.WriteString(e.Message)
	for _, v := range e.Violations {
		fmt.Fprintf(&b, " [%s: %s]", v.Field, v.Message)
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error of a kind. The message is shown to callers: it must name no internals.
func Errorf(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes an Unprocessable error for one field.
func Invalid(code, field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Kind: Unprocessable, Code: code, Message: message,
		Violations: []Violation{{Field: field, Message: message}}}
}

// Because returns a copy of e that carries cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// RetryIn returns a copy of e that asks the caller to wait for d before trying again.
func (e *Error) RetryIn(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// IsKind reports whether err is an Error of kind.
func IsKind(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
