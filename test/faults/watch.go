package faults

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// watch looks at Odoo, the mirror and the metrics while a run goes on, for what would not show at its end any more.
type watch struct {
	world   *world
	client  http.Client
	running sync.WaitGroup
	stop    context.CancelFunc

	mu   sync.Mutex
	seen sightings
}

// sightings are what a watch has seen.
type sightings struct {
	doubles  map[string][]int64 // by key: the ids of the orders, where there was more than one at a time
	ghosts   map[int64]string   // orders in the mirror that Odoo did not have right after: their references, by id
	everERP  map[int64]string   // every order that Odoo had: references by id
	queue    int64              // the greatest depth of the queue
	backlog  int64
	memory   int64 // the most resident bytes of a process
	measured int   // how many times the metrics could be read
}

func newWatch(w *world) *watch {
	return &watch{world: w, client: http.Client{Timeout: 3 * time.Second}, stop: func() {},
		seen: sightings{doubles: map[string][]int64{}, ghosts: map[int64]string{}, everERP: map[int64]string{}}}
}

// start looks again and again until end.
func (w *watch) start(ctx context.Context) {
	ctx, w.stop = context.WithCancel(ctx)
	interval := 200 * time.Millisecond
	if w.world.options.real() {
		interval = time.Second
	}
	w.running.Go(func() {
		for pause(ctx, interval) {
			_ = w.look(ctx) // looked at again in a moment; the end of the run insists
		}
	})
	w.running.Go(func() {
		for pause(ctx, interval) {
			for _, r := range w.world.replicas {
				w.measure(ctx, r)
			}
		}
	})
}

func (w *watch) end() {
	w.stop()
	w.running.Wait()
	w.client.CloseIdleConnections()
}

// found returns what was seen so far.
func (w *watch) found() sightings {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.seen
	s.doubles, s.ghosts, s.everERP = maps.Clone(s.doubles), maps.Clone(s.ghosts), maps.Clone(s.everERP)
	return s
}

// look compares the mirror, read first, with Odoo, read after.
func (w *watch) look(ctx context.Context) error {
	mirrored, err := w.world.db.rows(ctx, "SELECT erp_order_id, reference FROM orders WHERE reference LIKE ? AND deleted_at IS NULL",
		w.world.prefix+"%")
	if err != nil {
		return err
	}
	references, err := w.world.erp.references(w.world.prefix)
	if err != nil {
		return err
	}
	byKey := map[string][]int64{}
	for id, key := range references {
		byKey[key] = append(byKey[key], id)
	}
	deleted := w.world.deletedOrders()

	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.seen.everERP, references)
	for key, ids := range byKey {
		if len(ids) > 1 {
			slices.Sort(ids)
			w.seen.doubles[key] = ids
		}
	}
	for _, r := range mirrored {
		id := atoi(r["erp_order_id"])
		if _, there := w.seen.everERP[id]; !there && !deleted[id] {
			w.seen.ghosts[id] = r["reference"]
		}
	}
	return nil
}

// measure reads the metrics of a replica, if it answers.
func (w *watch) measure(ctx context.Context, r *replica) {
	memory := r.current().memory()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url()+"/metrics", nil)
	if err != nil {
		return
	}
	response, err := w.client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	gauges := map[string]int64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if n, err := strconv.ParseFloat(value, 64); found && err == nil {
			gauges[name] += int64(n)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.measured++
	w.seen.memory = max(w.seen.memory, memory)
	w.seen.queue = max(w.seen.queue, gauges["ordergate_queue_depth"])
	w.seen.backlog = max(w.seen.backlog, gauges["ordergate_backlog_depth"])
}

func (w *world) deletedOrders() map[int64]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make(map[int64]bool, len(w.changes.deleted))
	for _, id := range w.changes.deleted {
		ids[id] = true
	}
	return ids
}

// waitFinal waits until no intent is on its way any more, and returns those that are when the time is over.
func (w *world) waitFinal(ctx context.Context, within time.Duration) ([]row, error) {
	deadline := time.Now().Add(within)
	for {
		open, err := w.db.rows(ctx, "SELECT idempotency_key, state FROM intents WHERE state IN ('queued', 'sending')")
		if err != nil {
			return nil, fmt.Errorf("reading the intents: %w", err)
		}
		if len(open) == 0 || time.Now().After(deadline) {
			return open, nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}
