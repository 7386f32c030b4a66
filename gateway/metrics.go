package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the gateway's own figures. Every label has a bounded set of values.
type metrics struct {
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	refused    *prometheus.CounterVec
	placements *prometheus.CounterVec
	duplicates *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ordergate_http_requests_total", Help: "Requests answered.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ordergate_http_request_seconds", Help: "Time to answer a request.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ordergate_http_in_flight", Help: "Requests under /v1 that are being answered.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ordergate_http_refused_total", Help: "Requests refused before any work, by limit: in_flight, tenant_in_flight, body_bytes, rate, or, of notifications, notifications_in_flight and notifications_rate.",
		}, []string{"limit"}),
		placements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ordergate_placements_total",
			Help: "Requests to place an order, by answer: the HTTP status, or replay for a stored answer.",
		}, []string{"answer"}),
		duplicates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ordergate_duplicates_prevented_total",
			Help: "Repeated requests that made no second order: replay (answered from store) or in_flight (told to wait).",
		}, []string{"how"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight, m.refused, m.placements, m.duplicates} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("gateway: registering metrics: %w", err)
		}
	}
	return m, nil
}

// observe counts the request once it is answered.
func (m *metrics) observe(now func() time.Time) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := now()
		c.Next()

		call := callOf(c)
		route, status := call.operation.label(), strconv.Itoa(c.Writer.Status())
		m.requests.WithLabelValues(route, methodLabel(c.Request.Method), status).Inc()
		m.seconds.WithLabelValues(route).Observe(now().Sub(start).Seconds())
		if call.operation.places && !isDryRun(c.Request.URL.Query()) {
			m.countPlacement(c, call, status)
		}
	}
}

func (m *metrics) countPlacement(c *gin.Context, call *call, status string) {
	switch {
	case c.Writer.Header().Get(headerReplayed) != "":
		m.placements.WithLabelValues("replay").Inc()
		m.duplicates.WithLabelValues("replay").Inc()
	case call.problem == codeKeyInFlight:
		m.placements.WithLabelValues(status).Inc()
		m.duplicates.WithLabelValues("in_flight").Inc()
	default:
		m.placements.WithLabelValues(status).Inc()
	}
}

// methodLabel keeps made-up methods from becoming labels.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}
