package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	mostBareClients  = 16
	gatewayClients   = 32
	rounds           = 2
	bareRunLasts     = 8 * time.Second
	gatewayRunLasts  = 20 * time.Second
	runWarmUp        = time.Second // at the beginning of a run, which is not counted
	throughputFactor = 4.0

	// What bare load reaches with as many orders under way as there are gatewayClients is what Odoo allows: the gateway reads
	// back, stores and answers besides.
	loadLanes  = 2
	loadOrders = gatewayClients / loadLanes
	loadShare  = 0.6
)

// errNoCapacity is what the parts fail with that build on measureThroughput, if that failed.
var errNoCapacity = errors.New("the throughput is not known")

// bareConcurrency is how many clients call Odoo directly at once, in the runs of which the best counts.
var bareConcurrency = []int{1, 2, 4, 8, mostBareClients}

// measureThroughput measures how many orders a second 32 callers get placed, and how many the direct client creates with as
// many callers as suit it best.
func measureThroughput(s *stage, r *report) error {
	g, err := s.startLoaded()
	if err != nil {
		return err
	}
	defer g.stop()

	bare := make(map[int]float64, len(bareConcurrency))
	ours, loaded := 0.0, 0.0
	for round := range rounds {
		for _, clients := range bareConcurrency {
			rate, err := s.bareThroughput(round, clients)
			if err != nil {
				return fmt.Errorf("direct client: %w", err)
			}
			bare[clients] += rate / rounds
		}
		rate, err := s.loadThroughput(round)
		if err != nil {
			return fmt.Errorf("bare load: %w", err)
		}
		loaded += rate / rounds
		rate, err = s.gatewayThroughput(g, round, r)
		if err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
		ours += rate / rounds
	}

	all := ""
	for _, clients := range bareConcurrency {
		all += fmt.Sprintf(" %d: %.1f,", clients, bare[clients])
		if bare[clients] > s.bareBest {
			s.bareBest, s.bareBestAt = bare[clients], clients
		}
	}
	s.capacity = ours
	r.note("Orders a second of the direct client by concurrency:%s best with %d.", all, s.bareBestAt)
	r.add(figure{
		what:    fmt.Sprintf("orders a second, %d clients / `create` at its best concurrency", gatewayClients),
		gateway: fmt.Sprintf("%.1f /s", ours), bare: fmt.Sprintf("%.1f /s", s.bareBest),
		ratio: fmt.Sprintf("%.2f", ours/s.bareBest), promised: fmt.Sprintf("at least %.2f", throughputFactor),
		kept: ours/s.bareBest >= throughputFactor,
	})
	r.note("Bare `load` in calls of %d, %d at a time: %.1f orders/s, %.2f of `create`: as much as can be reached with so many orders under way, "+
		"before any is read back, stored and answered.", loadOrders, loadLanes, loaded, loaded/s.bareBest)
	r.add(figure{
		what:    fmt.Sprintf("the same / bare `load` in calls of %d, %d at a time", loadOrders, loadLanes),
		gateway: fmt.Sprintf("%.1f /s", ours), bare: fmt.Sprintf("%.1f /s", loaded),
		ratio: fmt.Sprintf("%.2f", ours/loaded), promised: fmt.Sprintf("at least %.2f", loadShare), kept: ours/loaded >= loadShare,
	})
	return nil
}

func (s *stage) bareThroughput(round, clients int) (float64, error) {
	samples, err := atOnce(clients, bareRunLasts, func(_ context.Context, n int64) (int, error) {
		_, err := s.odoo.create(fmt.Sprintf("%s-bare-%d-%d-%d", s.name, round, clients, n), int(n))
		return http.StatusCreated, err
	})
	return perSecond(samples, http.StatusCreated, runWarmUp, bareRunLasts), err
}

func (s *stage) loadThroughput(round int) (float64, error) {
	samples, err := atOnce(loadLanes, bareRunLasts, func(_ context.Context, n int64) (int, error) {
		references := make([]string, loadOrders)
		for i := range references {
			references[i] = fmt.Sprintf("%s-batch-%d-%d-%d", s.name, round, n, i)
		}
		return http.StatusCreated, s.odoo.load(references)
	})
	return loadOrders * perSecond(samples, http.StatusCreated, runWarmUp, bareRunLasts), err
}

// gatewayThroughput also notes what a placement passes through, and how long that takes.
func (s *stage) gatewayThroughput(g *gateway, round int, r *report) (float64, error) {
	before, err := g.meters()
	if err != nil {
		return 0, err
	}
	usedBefore := s.usage(g)
	samples, err := atOnce(gatewayClients, gatewayRunLasts, func(ctx context.Context, n int64) (int, error) {
		status, err := g.place(ctx, s.wish(fmt.Sprintf("load-%d", round), n))
		if err == nil && status != http.StatusCreated {
			err = fmt.Errorf("an order was answered with status %d", status)
		}
		return status, err
	})
	if err != nil {
		return 0, err
	}
	used := s.usage(g).perOrder(usedBefore, float64(len(samples)))
	after, err := g.meters()
	if err != nil {
		return 0, err
	}
	rate := perSecond(samples, http.StatusCreated, runWarmUp, gatewayRunLasts)
	took := durations(samples, http.StatusCreated, sample.sinceDue)
	r.note("Gateway, round %d: %.1f orders/s, p50 %s, p99 %s; %.1f orders a batch, which took %.0f ms, of them %.0f for `load` and %.0f for reading back. Processor time an order: %s.",
		round+1, rate, milliseconds(median(took)), milliseconds(quantile(took, 0.99)),
		after.mean(before, "ordergate_batch_orders", ""), 1000*after.mean(before, "ordergate_batch_seconds", ""),
		1000*after.mean(before, "ordergate_odoo_call_seconds", `"sale.order.load"`),
		1000*after.mean(before, "ordergate_odoo_call_seconds", `"sale.order.web_read"`), used)
	return rate, nil
}

// wish is order number n of a load: by one of the sources, for one of its customers.
func (s *stage) wish(load string, n int64) wish {
	return wish{
		apiKey:    s.sources[n%sources],
		customer:  fmt.Sprintf("%s-%d-%d", s.name, n%sources, n/sources%customers),
		reference: fmt.Sprintf("%s-%s-%d", s.name, load, n),
	}
}

// startLoaded starts a gateway whose customers exist already.
func (s *stage) startLoaded(more ...string) (*gateway, error) {
	g, err := s.start(more...)
	if err != nil {
		return nil, err
	}
	if err := s.warmUp(g); err != nil {
		g.stop()
		return nil, err
	}
	return g, nil
}

func (s *stage) warmUp(g *gateway) error {
	if err := g.waitUntilSynced(s.key); err != nil {
		return err
	}
	for n := range int64(sources * customers) {
		if err := g.mustPlace(s.wish("customer", n)); err != nil {
			return err
		}
	}
	return nil
}
