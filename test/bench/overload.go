package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	overloadLasts  = time.Minute
	overloadFactor = 2.0
	overloadWarmUp = 5 * time.Second

	peakClients   = 64 // enough to fill every call to Odoo
	peakLasts     = 20 * time.Second
	goodputShare  = 0.9
	refusedWithin = 50 * time.Millisecond
	memoryGrowth  = 1.1 // of the last third of the time over the first
)

// measureOverload offers twice of what the gateway can place.
func measureOverload(s *stage, r *report) error {
	if s.capacity == 0 {
		return errNoCapacity
	}
	g, err := s.startLoaded()
	if err != nil {
		return err
	}
	defer g.stop()

	samples, err := atOnce(peakClients, peakLasts, func(ctx context.Context, n int64) (int, error) {
		return g.place(ctx, s.wish("peak", n))
	})
	if err != nil {
		return err
	}
	peak := max(s.capacity, perSecond(samples, http.StatusCreated, runWarmUp, peakLasts))
	s.capacity = peak

	memory := watchMemory(g)
	usedBefore := s.usage(g)
	samples, err = arrivals(1, overloadFactor*peak, overloadLasts, func(ctx context.Context, n int64) (int, error) {
		return g.place(ctx, s.wish("overload", n))
	})
	resident := memory()
	if err != nil {
		return err
	}
	goodput := perSecond(samples, http.StatusCreated, overloadWarmUp, overloadLasts)
	placed := durations(samples, http.StatusCreated, sample.sinceDue)
	refused := durations(samples, http.StatusServiceUnavailable, sample.sinceSent)
	late := 0
	for _, took := range refused {
		if took > refusedWithin {
			late++
		}
	}
	var behind []time.Duration
	for _, sent := range samples {
		behind = append(behind, sent.sent-sent.due)
	}
	r.note("Overload: peak %.1f orders/s, %.1f offered; answers by status: %s; placed ones took p50 %s, p99 %s; of the refusals p50 took %s, p99 %s, and %d of %d longer than %s; the clients were p99 %s late themselves. Processor time a placed order: %s.",
		peak, overloadFactor*peak, statuses(samples), milliseconds(median(placed)), milliseconds(quantile(placed, 0.99)),
		milliseconds(median(refused)), milliseconds(quantile(refused, 0.99)), late, len(refused), milliseconds(refusedWithin),
		milliseconds(quantile(behind, 0.99)), s.usage(g).perOrder(usedBefore, float64(len(placed))))
	r.add(figure{
		what:    "orders a second at twice the load that it bears / its peak",
		gateway: fmt.Sprintf("%.1f /s", goodput), ratio: fmt.Sprintf("%.2f", goodput/peak),
		promised: fmt.Sprintf("at least %.2f", goodputShare), kept: goodput >= goodputShare*peak,
	})
	first, last := mean(resident[:len(resident)/3]), mean(resident[2*len(resident)/3:])
	r.add(figure{
		what:    "memory in the last third of that minute / in the first",
		gateway: fmt.Sprintf("%.0f MB", last), ratio: fmt.Sprintf("%.2f", last/first),
		promised: fmt.Sprintf("at most %.2f", memoryGrowth), kept: last <= memoryGrowth*first,
	})
	if len(refused) == 0 {
		return errors.New("nothing was refused: the peak was measured too low, while the machine did something else")
	}
	r.bound("refusals meanwhile, p99", milliseconds(quantile(refused, 0.99)), "at most "+milliseconds(refusedWithin),
		quantile(refused, 0.99) <= refusedWithin)
	return nil
}

// watchMemory reads a gateway's memory, in MB, twice a second until the function that it returns is called.
func watchMemory(g *gateway) (stop func() []float64) {
	quit, readings := make(chan struct{}), make(chan []float64)
	go func() {
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		var list []float64
		for {
			select {
			case <-quit:
				readings <- list
				return
			case <-ticker.C:
				if mb, err := g.memoryMB(); err == nil {
					list = append(list, mb)
				}
			}
		}
	}()
	return func() []float64 {
		close(quit)
		return <-readings
	}
}

func mean(list []float64) float64 {
	total := 0.0
	for _, v := range list {
		total += v
	}
	return total / float64(max(len(list), 1))
}
