package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

const (
	backfillOrders = 4000 // that Odoo has at least; more than a full read notes its place in
	backfillRuns   = 3
	backfillPage   = 500 // orders a page of the bare loop
	backfillShare  = 0.8
)

// measureBackfill measures how many orders a second a full read brings into an empty mirror, and how many a bare loop of
// search_read reads and drops.
func measureBackfill(s *stage, r *report) error {
	if err := s.fillOdoo(backfillOrders); err != nil {
		return err
	}
	var ours, bare []time.Duration
	orders, memory := 0, int64(0)
	for range backfillRuns {
		began := time.Now()
		n, err := s.odoo.readAll()
		if err != nil {
			return fmt.Errorf("bare loop: %w", err)
		}
		orders = n
		bare = append(bare, time.Since(began))

		took, used, err := s.fullSync()
		if err != nil {
			return err
		}
		ours, memory = append(ours, took), max(memory, used)
	}
	rate := func(took []time.Duration) float64 { return float64(orders) / median(took).Seconds() }
	share := rate(ours) / rate(bare)
	r.add(figure{
		what:    fmt.Sprintf("orders a second of a full read of %d into an empty mirror / a bare loop of `search_read`", orders),
		gateway: fmt.Sprintf("%.0f /s", rate(ours)), bare: fmt.Sprintf("%.0f /s", rate(bare)), ratio: fmt.Sprintf("%.2f", share),
		promised: fmt.Sprintf("at least %.2f", backfillShare), kept: share >= backfillShare,
	})
	r.note("A full read needs %d MB at most, the program included.", memory>>20)
	return nil
}

// fillOdoo lets Odoo have so many orders at least.
func (s *stage) fillOdoo(wanted int64) error {
	has, err := s.odoo.countOrders("")
	if err != nil {
		return err
	}
	for ; has < wanted; has += 50 {
		references := make([]string, 50)
		for i := range references {
			references[i] = fmt.Sprintf("%s-fill-%d-%d", s.name, has, i)
		}
		if err := s.odoo.load(references); err != nil {
			return err
		}
	}
	return nil
}

// fullSync empties the mirror and runs `ordergate sync --full`. The time includes the start of the program.
func (s *stage) fullSync() (took time.Duration, memory int64, err error) {
	for _, table := range []string{"history_entries", "history_heads", "history_latest", "order_lines", "orders", "sync_cursors"} {
		if err := s.sql("DELETE FROM " + s.database + "." + table); err != nil {
			return 0, 0, err
		}
	}
	cmd := exec.Command(s.binary, "sync", "--full")
	cmd.Env = slices.Concat(s.environment, s.oneTenant())
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("ordergate sync --full: %w", err)
	}
	took = time.Since(began)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory = usage.Maxrss << 10
	}
	return took, memory, nil
}

// readAll reads every order and its lines, page by page, and returns how many orders that were.
func (o *bareOdoo) readAll() (orders int, err error) {
	after := any(int64(0))
	for {
		page, err := o.execute("sale.order", "search_read", []any{[]any{[]any{"id", ">", after}}},
			map[string]any{"fields": orderFields, "order": "id asc", "limit": backfillPage})
		if err != nil {
			return 0, err
		}
		list, _ := page.([]any)
		if len(list) == 0 {
			return orders, nil
		}
		ids := make([]any, len(list))
		for i, record := range list {
			ids[i] = record.(map[string]any)["id"]
		}
		after = ids[len(ids)-1]
		_, err = o.execute("sale.order.line", "search_read", []any{[]any{[]any{"order_id", "in", ids}}}, map[string]any{"fields": lineFields})
		if err != nil {
			return 0, err
		}
		orders += len(list)
	}
}
