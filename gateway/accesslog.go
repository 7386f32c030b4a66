package gateway

import (
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"ordergate/order"
)

// statusClientGone is what log and metrics say of a request whose sender did not wait for the answer.
const statusClientGone = 499

// logAccess writes one line for each request. It names the route, never the path or the query, and no header but the
// request id: keys of customers, search terms and credentials stay out of the log.
func logAccess(logger *slog.Logger, now func() time.Time) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := now()
		c.Next()

		call := callOf(c)
		level := slog.LevelInfo
		if call.operation.quiet {
			level = slog.LevelDebug
		}
		attributes := []slog.Attr{
			slog.String("method", methodLabel(c.Request.Method)),
			slog.String("route", call.operation.label()),
			slog.Int("status", c.Writer.Status()),
			slog.Int("bytes", max(c.Writer.Size(), 0)),
			slog.Duration("duration", now().Sub(start)),
			slog.String("request_id", call.requestID),
			slog.String("remote", c.ClientIP()),
		}
		if call.caller != (order.Caller{}) {
			attributes = append(attributes,
				slog.Int64("tenant", call.caller.TenantID),
				slog.String("key", call.caller.Name),
				slog.String("role", string(call.caller.Role)))
		}
		if call.problem != "" {
			attributes = append(attributes, slog.String("problem", call.problem))
		}
		logger.LogAttrs(c.Request.Context(), level, "request", attributes...)
	}
}
