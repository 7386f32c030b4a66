package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	latencyRounds   = 3
	latencyRunLasts = 20 * time.Second
	// latencyLoad is the share of the direct client's best throughput that is offered to both.
	latencyLoad = 0.8
)

// measureLatency sends orders to the gateway and to Odoo, at the same random times, and compares how long the slowest take
// from the moment they were due. The direct client has as many connections as at its best throughput: what finds all of
// them in use waits, as it does in a pool.
func measureLatency(s *stage, r *report) error {
	if s.capacity == 0 {
		return errNoCapacity
	}
	g, err := s.startLoaded()
	if err != nil {
		return err
	}
	defer g.stop()

	rate := latencyLoad * s.bareBest
	var ours, bare []time.Duration
	for round := range latencyRounds {
		seed := uint64(round + 1)
		connections := make(chan struct{}, s.bareBestAt)
		samples, err := arrivals(seed, rate, latencyRunLasts, func(_ context.Context, n int64) (int, error) {
			connections <- struct{}{}
			defer func() { <-connections }()
			_, err := s.odoo.create(fmt.Sprintf("%s-due-%d-%d", s.name, round, n), int(n))
			return http.StatusCreated, err
		})
		if err != nil {
			return fmt.Errorf("direct client: %w", err)
		}
		bare = append(bare, durations(samples, http.StatusCreated, sample.sinceDue)...)

		samples, err = arrivals(seed, rate, latencyRunLasts, func(ctx context.Context, n int64) (int, error) {
			return g.place(ctx, s.wish(fmt.Sprintf("latency-%d", round), n))
		})
		if err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
		placed := durations(samples, http.StatusCreated, sample.sinceDue)
		if len(placed) < len(samples) {
			return fmt.Errorf("gateway: answers by status: %s", statuses(samples))
		}
		ours = append(ours, placed...)
	}
	r.note("At %.1f orders a second, %.2f of the direct client's best: p50 %s through the gateway, %s directly.",
		rate, latencyLoad, milliseconds(median(ours)), milliseconds(median(bare)))
	r.atMost(1, "p99 of both at the same offered load / `create` alone", quantile(ours, 0.99), quantile(bare, 0.99))
	return nil
}
