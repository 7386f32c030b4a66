package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	openAtKill       = 1000
	waitingAtKill    = 100 // of them by callers who wait; the others are queued in the database
	enqueuers        = 16
	lanesFill        = 3 * time.Second  // until the calls to Odoo have grown to their size
	recoveryWithin   = 30 * time.Second // besides Odoo's own time
	recoveryPatience = 5 * time.Minute
	openIntents      = "state IN ('queued', 'sending', 'parked')"
)

// measureRecovery kills a gateway that has a thousand orders under way or queued, starts another, and waits until all of
// them are final.
func measureRecovery(s *stage, r *report) error {
	if s.capacity == 0 {
		return errNoCapacity
	}
	g, err := s.startLoaded()
	if err != nil {
		return err
	}
	accepted, err := s.killWithOpen(g, openAtKill)
	if err != nil {
		return err
	}
	open, err := s.count(openIntents)
	if err != nil {
		return err
	}
	sending, err := s.count("state = 'sending'")
	if err != nil {
		return err
	}

	began := time.Now()
	g, err = s.start()
	if err != nil {
		return err
	}
	defer g.stop()
	if err := s.waitUntilFinal(recoveryPatience); err != nil {
		return fmt.Errorf("%w:\n%s", err, g.lastWords())
	}
	took := time.Since(began)

	if err := s.checkOnce(accepted); err != nil {
		return err
	}
	own := time.Duration(float64(open) / s.capacity * float64(time.Second))
	r.note("Killed with %d intents open, %d of them sent; %d orders had been answered with 201 or 202. Odoo's own time for so many is %.1f s.",
		open, sending, accepted, own.Seconds())
	r.bound(fmt.Sprintf("all %d intents final after SIGKILL and restart", open), fmt.Sprintf("%.1f s", took.Seconds()),
		fmt.Sprintf("at most %.1f s", (recoveryWithin+own).Seconds()), took <= recoveryWithin+own)
	return nil
}

// killWithOpen has orders queued, by callers who wait for them and by others who do not, until so many intents are open, and
// kills the gateway. It returns how many orders were answered with 201 or 202.
func (s *stage) killWithOpen(g *gateway, want int64) (accepted int64, err error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var numbers, accepts atomic.Int64
	var killed atomic.Bool
	var group sync.WaitGroup
	var mu sync.Mutex
	var failure error
	send := func(async bool) {
		for ctx.Err() == nil {
			w := s.wish("recovery", numbers.Add(1))
			w.async = async
			status, err := g.place(context.WithoutCancel(ctx), w)
			switch {
			case err != nil && !killed.Load():
				mu.Lock()
				failure = errors.Join(failure, err)
				mu.Unlock()
				stop()
			case err == nil && status != http.StatusServiceUnavailable:
				accepts.Add(1)
			}
		}
	}
	for range waitingAtKill {
		group.Go(func() { send(false) })
	}
	time.Sleep(lanesFill)
	for range enqueuers {
		group.Go(func() { send(true) })
	}
	for ctx.Err() == nil {
		open, countErr := s.count(openIntents)
		if countErr != nil || open >= want {
			err = countErr
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	killed.Store(true)
	stop()
	g.kill()
	group.Wait()
	return accepts.Load(), errors.Join(err, failure)
}

// checkOnce checks that no order of the load is missing in Odoo or there twice.
func (s *stage) checkOnce(accepted int64) error {
	load := s.name + "-recovery-"
	placed, err := s.count("state = 'placed' AND idempotency_key LIKE '" + load + "%'")
	if err != nil {
		return err
	}
	made, err := s.odoo.countOrders(load)
	if err != nil {
		return err
	}
	if placed != made || placed < accepted {
		return fmt.Errorf("%d orders were answered with 201 or 202, %d are placed, and %d are in Odoo", accepted, placed, made)
	}
	return nil
}
