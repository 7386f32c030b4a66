package odoo

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

// BreakerConfig says when the client stops asking an Odoo that is in trouble.
type BreakerConfig struct {
	Failures uint32        // this many failures in a row open it; 5
	OpenFor  time.Duration // then nothing is sent for so long, and one call tries; 10 s
}

// breaker lets calls through while Odoo works. A failure is what says that Odoo is in trouble: no connection, no answer
// in time, HTTP 5xx, an answer that cannot be read. Odoo's refusals are successes, whatever they say, and a call that its
// own caller gave up says nothing.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[answer]
}

func newBreaker(cfg BreakerConfig, log *slog.Logger) *breaker {
	if cfg.Failures == 0 {
		cfg.Failures = 5
	}
	if cfg.OpenFor <= 0 {
		cfg.OpenFor = 10 * time.Second
	}
	return &breaker{gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
		Timeout:      cfg.OpenFor,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= cfg.Failures },
		IsSuccessful: provesOdooWorks,
		IsExcluded:   saysNothing,
		OnStateChange: func(_ string, from, to gobreaker.State) {
			log.LogAttrs(context.Background(), slog.LevelWarn, "circuit breaker of Odoo",
				slog.String("from", from.String()), slog.String("to", to.String()))
		},
	})}
}

// do makes a call, or refuses to.
func (b *breaker) do(call func() (answer, error)) (answer, error) {
	a, err := b.circuit.Execute(call)
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return answer{}, notSent(BreakerOpen, "Odoo has been failing; it is given a rest before the next try", err)
	}
	return a, err
}

// errLoginWorked is what a login that worked is to the circuit breaker: nothing.
var errLoginWorked = errors.New("the login worked")

// doLogin is do for the calls of a login. That they work says too little: an Odoo that answers every order with an error
// still lets one log in, and the logins between the errors would keep the breaker closed.
func (b *breaker) doLogin(call func() (answer, error)) (answer, error) {
	var a answer
	var err error
	_, counted := b.do(func() (answer, error) {
		a, err = call()
		if provesOdooWorks(err) {
			return answer{}, errLoginWorked
		}
		return answer{}, err
	})
	if errors.Is(counted, errLoginWorked) {
		return a, err
	}
	return answer{}, counted
}

func (b *breaker) state() string { return b.circuit.State().String() }

func provesOdooWorks(err error) bool {
	if err == nil {
		return true
	}
	var f *fault
	if errors.As(err, &f) {
		return !f.withoutDatabase()
	}
	return isReason(err, Misconfigured) || isReason(err, TooLarge) // a quick refusal by HTTP: waiting would not help, and one request may be to blame
}

func saysNothing(err error) bool {
	return isReason(err, Cancelled) || errors.Is(err, errImpatient) || errors.Is(err, errLoginWorked)
}
