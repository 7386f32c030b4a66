package odoo

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts and times the calls. Its labels are bounded: a method is one of calledMethods.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	repeats *prometheus.CounterVec
	keyEnd  *prometheus.GaugeVec // without labels, so that it can be absent
}

// calledMethods are all that this package calls. A method that is missing here is counted as "other".
var calledMethods = map[string]bool{
	"sale.order.load": true, "sale.order.action_confirm": true, "sale.order.action_cancel": true, "sale.order.search": true, "sale.order.search_count": true,
	"sale.order.search_read": true, "sale.order.read": true, "sale.order.web_read": true, "sale.order.web_search_read": true,
	"sale.order.line.search_read": true, "sale.order.line.read": true,
	"product.product.search_read":  true,
	"product.template.search_read": true,
	"res.partner.load":             true, "res.partner.search_read": true,
	"res.currency.search_read":        true,
	"uom.uom.search_read":             true,
	"res.country.search_read":         true,
	"res.country.state.search_read":   true,
	"decimal.precision.precision_get": true,
	"res.users.apikeys.search_read":   true,
}

func newMetrics(registerer prometheus.Registerer, tenant string, b *breaker) (*metrics, error) {
	labels := prometheus.Labels{"tenant": tenant}
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ordergate_odoo_calls_total", ConstLabels: labels,
			Help: "Calls of Odoo by method and result; the result is ok or the reason of the failure.",
		}, []string{"method", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ordergate_odoo_call_seconds", ConstLabels: labels,
			Help:    "Duration of calls of Odoo, waiting for a connection and logging in included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60},
		}, []string{"method"}),
		repeats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ordergate_odoo_repeats_total", ConstLabels: labels,
			Help: "Calls that were, or for want of retry budget were not, repeated at once because their answer was lost.",
		}, []string{"result"}),
		keyEnd: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ordergate_odoo_key_expires_timestamp_seconds", ConstLabels: labels,
			Help: "When the first API key of the gateway's user in Odoo ends; absent if it uses none, none ends, or Odoo does not show them.",
		}, nil),
	}
	if registerer == nil {
		return m, nil
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ordergate_odoo_breaker_open", ConstLabels: labels,
		Help: "Circuit breaker of Odoo: 0 closed, 0.5 half-open, 1 open.",
	}, func() float64 { return map[string]float64{"half-open": 0.5, "open": 1}[b.state()] })
	for _, collector := range []prometheus.Collector{m.calls, m.seconds, m.repeats, m.keyEnd, open} {
		if err := registerer.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// repeat counts a repetition that was wanted.
func (m *metrics) repeat(made bool) {
	result := "made"
	if !made {
		result = "no_budget"
	}
	m.repeats.WithLabelValues(result).Inc()
}

func (m *metrics) observe(method string, err error, took time.Duration) {
	if !calledMethods[method] {
		method = "other"
	}
	result := "ok"
	var e *Error
	if errors.As(err, &e) {
		result = string(e.Reason)
	}
	m.calls.WithLabelValues(method, result).Inc()
	m.seconds.WithLabelValues(method).Observe(took.Seconds())
}
