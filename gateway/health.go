package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ordergate/order"
)

const (
	checkTimeout   = 2 * time.Second
	readinessFresh = time.Second // so that however many ask, the ERP and the database are asked once a second
)

// decisive are the checks without which nothing can be served. Reads outlive any other.
var decisive = map[string]bool{"database": true, "migrations": true}

// GetHealth answers GET /healthz.
func (a *api) GetHealth(context.Context, GetHealthRequestObject) (GetHealthResponseObject, error) {
	return GetHealth200JSONResponse{Status: HealthStatusOk, Version: a.version}, nil
}

// GetReadiness answers GET /readyz.
func (a *api) GetReadiness(ctx context.Context, _ GetReadinessRequestObject) (GetReadinessResponseObject, error) {
	ctx, _ = enter(ctx)
	state := a.readiness.state(ctx)
	if state.Status == ReadinessStatusNotReady {
		return GetReadiness503JSONResponse(state), nil
	}
	return GetReadiness200JSONResponse(state), nil
}

// readiness runs the checks, and keeps what they said for a moment.
type readiness struct {
	probes []*probe
	logger *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	last  Readiness
	since time.Time // of last; zero before the first
}

// probe is a check and whether it is being run. One that does not heed its context is not started again before it
// has returned, so that it can hold up one goroutine at most.
type probe struct {
	Check
	running atomic.Bool
}

func newReadiness(checks []Check, logger *slog.Logger, now func() time.Time) *readiness {
	r := &readiness{logger: logger, now: now}
	for _, check := range checks {
		r.probes = append(r.probes, &probe{Check: check})
	}
	return r
}

// register shows the state as a metric, by the same checks that /readyz runs.
func (r *readiness) register(registry *prometheus.Registry) error {
	err := registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ordergate_ready", Help: "What /readyz says: 1 ready, 0.5 degraded, 0 not ready.",
	}, func() float64 {
		switch r.state(context.Background()).Status {
		case ReadinessStatusReady:
			return 1
		case ReadinessStatusDegraded:
			return 0.5
		default:
			return 0
		}
	}))
	if err != nil {
		return fmt.Errorf("gateway: registering metrics: %w", err)
	}
	return nil
}

func (r *readiness) state(ctx context.Context) Readiness {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.since.IsZero() && r.now().Sub(r.since) < readinessFresh {
		return r.last
	}

	// The answer is shared: it must not be spoilt by the one who asked going away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	failures := make([]error, len(r.probes))
	var all sync.WaitGroup
	for i, p := range r.probes {
		all.Go(func() { failures[i] = p.run(ctx) })
	}
	all.Wait()

	state := Readiness{Status: ReadinessStatusReady, Checks: map[string]CheckResult{}}
	for i, p := range r.probes {
		err := failures[i]
		state.Checks[p.Name] = CheckResult{Ok: err == nil, Error: failureText(err)}
		switch {
		case err == nil:
		case decisive[p.Name]:
			state.Status = ReadinessStatusNotReady
		case state.Status == ReadinessStatusReady:
			state.Status = ReadinessStatusDegraded
		}
		r.logChange(p.Name, err)
	}
	r.last, r.since = state, r.now()
	return state
}

var (
	errCheckTimeout = fmt.Errorf("the check did not answer within %s", checkTimeout)
	errCheckRunning = errors.New("the check is still being run from the last time")
)

func (p *probe) run(ctx context.Context) error {
	if !p.running.CompareAndSwap(false, true) {
		return errCheckRunning
	}
	done := make(chan error, 1)
	go func() {
		err := p.runSafely(ctx)
		p.running.Store(false)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errCheckTimeout
	}
}

// runSafely makes an error of a panic, which outside of a request would end the process.
func (p *probe) runSafely(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return p.Run(ctx)
}

// failureText is what anyone who asks may read of a failed check; the log has the rest.
func failureText(err error) *string {
	var known *order.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known) && known.Kind != order.Internal:
		return &known.Message
	case errors.Is(err, errCheckTimeout), errors.Is(err, errCheckRunning), errors.Is(err, context.DeadlineExceeded):
		return orNull(fmt.Sprintf("The check did not answer within %s.", checkTimeout))
	default:
		return orNull("The check failed; the log says why.")
	}
}

// logChange writes a line when a check begins to fail or recovers, not each time it is asked.
func (r *readiness) logChange(name string, err error) {
	before, known := r.last.Checks[name]
	switch {
	case err != nil && (!known || before.Ok):
		r.logger.Warn("readiness check fails", "check", name, "error", err.Error())
	case err == nil && known && !before.Ok:
		r.logger.Info("readiness check recovered", "check", name)
	}
}
