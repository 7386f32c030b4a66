package gateway

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// boundSending gives a caller a limited time to take its answer, from the answer's first byte on. One who does not read
// would otherwise hold its place until the server's WriteTimeout, which must leave room for the longest request. There
// must be such a timeout (NewServer sets one): it ends this deadline when the connection's next request begins.
func boundSending(limit time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Writer = &boundedWriter{ResponseWriter: c.Writer, limit: limit}
		c.Next()
	}
}

type boundedWriter struct {
	gin.ResponseWriter
	limit time.Duration
	begun bool
}

func (w *boundedWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

func (w *boundedWriter) WriteString(s string) (int, error) {
	w.begin()
	return w.ResponseWriter.WriteString(s)
}

func (w *boundedWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	// A writer without a connection, such as a test's recorder, needs no deadline; a connection that is broken says so
	// to the write that follows. The deadline is one of the network, so the clock is the network's.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.limit))
}
