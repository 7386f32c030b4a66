package proxy_test

import (
	"fmt"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rehearsal is a test within a test: it keeps its failures and clean-ups to itself.
type rehearsal struct {
	testing.TB
	failures []string
	cleanups []func()
}

// rehearse runs body as a test of its own, to its end, and returns its failures.
func rehearse(body func(t testing.TB)) []string {
	r := &rehearsal{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		body(r)
	}()
	<-done
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	return r.failures
}

func (r *rehearsal) Helper()             {}
func (r *rehearsal) Logf(string, ...any) {}
func (r *rehearsal) Cleanup(f func())    { r.cleanups = append(r.cleanups, f) }
func (r *rehearsal) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *rehearsal) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
