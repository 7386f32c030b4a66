package faults

import (
	"fmt"
	"sync"
)

// stage is what the proxies are given instead of a test. It runs clean-ups at the end of the run; that a fault which was
// planned did not strike is no failure here, for the report counts what struck.
type stage struct {
	mu       sync.Mutex
	cleanups []func()
}

func (s *stage) Helper()               {}
func (s *stage) Logf(string, ...any)   {}
func (s *stage) Errorf(string, ...any) {}

// Fatalf ends the run: the machine has no port to listen on, or the like.
func (s *stage) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// clear runs the clean-ups, the last first.
func (s *stage) clear() {
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			return
		}
		f := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		f()
	}
}
