package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"ordergate/order"
)

// Codes that the gateway itself acts on.
const (
	codeInternal       = "internal"
	codeOutcomeUnknown = "outcome_unknown"
	codeKeyInFlight    = "key_in_flight"
	codeInvalid        = "invalid_request"
)

// maxViolations bounds an answer to a body in which everything is wrong.
const maxViolations = 100

// kinds maps each kind of the domain's errors to its status, and to a title for codes that openapi.yaml does not list.
var kinds = map[order.Kind]struct {
	status int
	title  string
}{
	order.Internal:        {http.StatusInternalServerError, "Something is broken in the gateway"},
	order.Malformed:       {http.StatusBadRequest, "The request cannot be understood"},
	order.Unauthenticated: {http.StatusUnauthorized, "A valid API key is needed"},
	order.Forbidden:       {http.StatusForbidden, "The key does not permit this"},
	order.NotFound:        {http.StatusNotFound, "No such thing"},
	order.Conflict:        {http.StatusConflict, "This cannot be done now"},
	order.TooLarge:        {http.StatusRequestEntityTooLarge, "The request is too large"},
	order.Unprocessable:   {http.StatusUnprocessableEntity, "The request is refused for what it says"},
	order.RateLimited:     {http.StatusTooManyRequests, "Too many requests"},
	order.Unavailable:     {http.StatusServiceUnavailable, "The gateway cannot do this now"},
	order.Unsupported:     {http.StatusNotImplemented, "The ERP lacks what this takes"},

	order.PreconditionFailed:   {http.StatusPreconditionFailed, "What stands is not what the request was made for"},
	order.PreconditionRequired: {http.StatusPreconditionRequired, "The request must say what it was made for"},
}

// transportError is a failure of HTTP itself, whose status no kind of the domain stands for.
type transportError struct {
	status int
	cause  *order.Error
}

func (e *transportError) Error() string { return e.cause.Error() }
func (e *transportError) Unwrap() error { return e.cause }

// storedAnswer is an error that an earlier request with the same key was answered with.
type storedAnswer struct{ cause error }

func (e *storedAnswer) Error() string { return "replayed: " + e.cause.Error() }
func (e *storedAnswer) Unwrap() error { return e.cause }

// problems turns every error into the answer that its caller gets. Nothing else in the gateway writes an error.
type problems struct {
	logger *slog.Logger
	titles map[string]string // by code
}

// write answers with a problem document and ends the request. What it does not know becomes a blank 500, and the log
// keeps the cause.
func (p *problems) write(c *gin.Context, err error) {
	c.Abort()
	call := callOf(c)
	status, shown := publish(err, isWrite(c.Request.Method))
	if hasGone(c, status, err) {
		call.problem = "client_gone"
		c.Status(statusClientGone)
		c.Writer.WriteHeaderNow()
		return
	}
	call.problem = shown.Code
	p.log(c, status, err)

	var stored *storedAnswer
	if errors.As(err, &stored) {
		c.Header(headerReplayed, "true")
	}
	if version := etag(shown.Version); version != nil {
		c.Header("ETag", *version)
	}
	if shown.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(seconds(shown.RetryAfter)))
	}
	if call.preferenceApplied != "" {
		c.Header("Preference-Applied", call.preferenceApplied)
	}
	body, err := json.Marshal(p.document(status, shown, call.requestID))
	if err != nil {
		panic("gateway: a problem always marshals: " + err.Error())
	}
	c.Data(status, "application/problem+json", append(body, '\n'))
}

// hasGone tells whether the failure is only that the sender did not wait. A body that comes too slowly ends the context
// as well, and a defect is one whoever waits for it: those are answered.
func hasGone(c *gin.Context, status int, err error) bool {
	return errors.Is(c.Request.Context().Err(), context.Canceled) &&
		(errors.Is(err, context.Canceled) || status == http.StatusServiceUnavailable)
}

// publish decides what a caller is told of an error.
func publish(err error, write bool) (status int, shown *order.Error) {
	var transport *transportError
	if errors.As(err, &transport) {
		return transport.status, transport.cause
	}
	var known *order.Error
	switch {
	case errors.As(err, &known):
		shown = known
	// Of a write that ran out of time nobody knows what became: only its service may say that nothing was accepted.
	case errors.Is(err, context.DeadlineExceeded) && !write:
		shown = order.Errorf(order.Unavailable, "timeout", "The answer took too long. Try again.")
	default:
		shown = order.Errorf(order.Internal, codeInternal, "")
	}
	shown = withoutInternals(shown)
	if shown.RetryAfter <= 0 {
		shown = shown.RetryIn(defaultRetry(shown.Kind))
	}
	return kinds[shown.Kind].status, shown
}

// withoutInternals blanks what the domain calls internal, except that a caller should know when repeating the request
// is the way to find out what became of it.
func withoutInternals(e *order.Error) *order.Error {
	_, known := kinds[e.Kind]
	if known && (e.Kind != order.Internal || e.Code == codeOutcomeUnknown) {
		return e
	}
	return order.Errorf(order.Internal, codeInternal,
		"The gateway failed. Its operators find the cause in the log under the request id.")
}

// defaultRetry is when to try again where the error does not say: every 429 and 503 carries a Retry-After.
func defaultRetry(kind order.Kind) time.Duration {
	switch kind {
	case order.RateLimited:
		return time.Second
	case order.Unavailable:
		return 5 * time.Second
	default:
		return 0
	}
}

func (p *problems) document(status int, e *order.Error, requestID string) Problem {
	problem := Problem{
		Type:      "/docs#error-" + e.Code,
		Title:     p.title(e),
		Status:    status,
		Code:      e.Code,
		Detail:    e.Message,
		RequestID: requestID,
	}
	if len(e.Violations) > 0 {
		problem.Field = &e.Violations[0].Field
		fields := fieldErrors(e.Violations)
		problem.Errors = &fields
	}
	if e.RetryAfter > 0 {
		wait := seconds(e.RetryAfter)
		problem.RetryAfter = &wait
	}
	return problem
}

func (p *problems) title(e *order.Error) string {
	if title, listed := p.titles[e.Code]; listed {
		return title
	}
	return kinds[e.Kind].title
}

func fieldErrors(violations []order.Violation) []FieldError {
	violations = violations[:min(len(violations), maxViolations)]
	fields := make([]FieldError, len(violations))
	for i, v := range violations {
		fields[i] = FieldError{Field: v.Field, Message: v.Message}
	}
	return fields
}

// seconds rounds up to whole seconds, at least one: a retry must not come too early.
func seconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}

func (p *problems) log(c *gin.Context, status int, err error) {
	level := slog.LevelDebug
	switch {
	case status == http.StatusInternalServerError:
		level = slog.LevelError
	case status > http.StatusInternalServerError:
		level = slog.LevelWarn
	}
	call := callOf(c)
	p.logger.LogAttrs(c.Request.Context(), level, "request failed",
		slog.String("request_id", call.requestID), slog.String("route", call.operation.label()), slog.String("error", err.Error()))
}

// recoverPanics answers a panic like any other defect. If the answer has begun, the connection is cut instead, so that
// half an answer is not taken for a whole one.
func recoverPanics(p *problems) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			err := fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			if c.Writer.Written() {
				p.log(c, http.StatusInternalServerError, err)
				panic(http.ErrAbortHandler)
			}
			p.write(c, err)
		}()
		c.Next()
	}
}

func isWrite(method string) bool {
	return method != http.MethodGet && method != http.MethodHead
}
