package gateway

import (
	"net/http"
	"time"
)

// NewServer returns a server for the handler with the time and size limits that keep a slow or hostile sender from
// holding a connection for ever. Its owner calls ListenAndServe and Shutdown.
func NewServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second, // header and body
		// Counts from the end of the header: the body's time, the longest request and the sending of its answer, for which
		// boundSending sets an earlier end once the answer begins.
		WriteTimeout:   30*time.Second + maxRequestTimeout + 30*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
}
