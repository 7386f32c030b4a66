package ordersync

import (
	"context"
	"sync"
	"time"

	"ordergate/failpoint"
	"ordergate/order"
)

// backlog bounds how many orders are queued in the database. It counts what this process accepts itself, and learns the
// rest whenever the gauges are measured: with several processes the bound is passed by what the others accept in between.
type backlog struct {
	most int64

	mu     sync.Mutex
	queued int64
}

// admit makes room for one more.
func (b *backlog) admit() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queued >= b.most && !failpoint.Out(failpoint.QueueBound) {
		return order.Errorf(order.Unavailable, "backlog_full",
			"As many orders are queued as can be. Nothing was accepted; try again later.").RetryIn(time.Minute)
	}
	b.queued++
	return nil
}

func (b *backlog) learn(queued int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queued = queued
}

// drainBacklog lets the lanes look for queued intents: those that other processes accepted, that waited for the ERP to
// come back, or that a crash left behind.
func (s *Service) drainBacklog(context.Context) error {
	s.lanes.poke(false)
	return nil
}
