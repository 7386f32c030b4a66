package ordersync

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ordergate/odoo"
	"ordergate/store"
)

// readers read many orders, several calls at a time, each as large as the ERP bears.
type readers struct {
	service     *Service
	connections int

	mu   sync.Mutex
	size int // orders of the next call
}

const (
	smallestRead = 10
	largestRead  = 500
	readTarget   = 2 * time.Second // that a call may take; one that takes less than half of it lets the next be larger
	readAttempts = 5               // at a call that fails for no reason of the orders'
	readPause    = time.Second     // before the second attempt; twice as long before each further one
)

func newReaders(s *Service, connections int) *readers {
	if connections <= 0 {
		connections = backfillConnections
	}
	return &readers{service: s, connections: min(connections, mostConnections), size: orderPage / 2}
}

// read brings orders into the mirror, and tells how many it has brought.
func (r *readers) read(ctx context.Context, ids []int64, progress func(done int)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.connections)
	var mu sync.Mutex
	done := 0
	for len(ids) > 0 && ctx.Err() == nil {
		part := ids[:min(r.next(), len(ids))]
		ids = ids[len(part):]
		group.Go(func() error {
			if err := r.readPart(ctx, part); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done += len(part)
			progress(done)
			return nil
		})
	}
	return group.Wait()
}

// readPart reads some orders: in one call, or, where that fails, in smaller ones.
func (r *readers) readPart(ctx context.Context, ids []int64) error {
	for attempt := 1; len(ids) > 0; {
		part := ids[:min(r.next(), len(ids))]
		if attempt == 1 {
			part = ids
		}
		began := r.service.now()
		_, err := r.service.mirrorPage(ctx, part)
		switch {
		case err == nil:
			r.observe(r.service.now().Sub(began))
			ids = ids[len(part):]
			attempt = 1
		case attempt == readAttempts || ctx.Err() != nil || !mayPass(err):
			return err
		default:
			r.shrink()
			if sleep(ctx, r.service.cfg.Jitter(readPause<<(attempt-1))) != nil {
				return err
			}
			attempt++
		}
	}
	return nil
}

// mayPass reports whether a read that failed may succeed if it is tried again, or in smaller parts.
func mayPass(err error) bool {
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) {
		return true
	}
	switch reason(err) {
	case odoo.Unreachable, odoo.ConnectionLost, odoo.Timeout, odoo.ServerError, odoo.BreakerOpen, odoo.Serialization:
		return true
	}
	return false
}

func (r *readers) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size
}

// observe learns from a call that succeeded.
func (r *readers) observe(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case took > readTarget:
		r.size = max(smallestRead, r.size*2/3)
	case took < readTarget/2:
		r.size = min(largestRead, r.size*3/2)
	}
}

// shrink learns from one that failed.
func (r *readers) shrink() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size = max(smallestRead, r.size/2)
}
