package gateway

import (
	"context"
	"regexp"

	"github.com/gin-gonic/gin"

	"ordergate/order"
)

const headerRequestID = "X-Request-Id"

var acceptableRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// call is what the gateway knows of the request that it is answering. Middleware fills it in as it learns.
type call struct {
	requestID string
	operation operation    // zero if no route matched
	caller    order.Caller // zero before authentication
	service   Service      // nil before authentication
	problem   string       // code of the problem that was answered; empty if none was
	body      *reservation // the bytes that the body may take; nil before the reservation and without a body

	preferenceApplied string // as the header says it; empty if no preference was heeded
}

type callKey struct{}

// enter returns the context to hand to a service, and the call. The generated server passes handlers a *gin.Context,
// which is used again for another request after this one: it must not reach what may outlive the request.
func enter(ctx context.Context) (context.Context, *call) {
	if c, ok := ctx.(*gin.Context); ok {
		ctx = c.Request.Context()
	}
	return ctx, callOf(ctx)
}

// callOf returns the call that identify put into the context.
func callOf(ctx context.Context) *call {
	return ctx.Value(callKey{}).(*call)
}

// identify gives the request its id: the sender's own if it is acceptable, else a new one.
func identify(newID func() string) gin.HandlerFunc {
	return func(c *gin.Context) {
		id := c.GetHeader(headerRequestID)
		if !acceptableRequestID.MatchString(id) {
			id = newID()
		}
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), callKey{}, &call{requestID: id}))
		c.Header(headerRequestID, id)
	}
}
