package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/store"
)

const (
	stormLasts = 45 * time.Second // ORDERGATE_STORM asks for another duration
	mostStorms = 4                // beside the first
	// stormTransactions is what the gateway is told is Odoo's longest transaction. The look back is twice as long.
	stormTransactions = 30 * time.Second
)

// TestMirrorIsRightAfterAStorm lets people work in Odoo, some of them in transactions that commit late, while callers place
// and list orders and the gateway is killed again and again. An Odoo that can tells the gateway of changes meanwhile, through
// a bad post. When it is over, mirror and Odoo are equal without a full sync, within the time that the sync looks back; and
// they are again after the mirror was dropped and rebuilt.
func TestMirrorIsRightAfterAStorm(t *testing.T) {
	lasts, seed := stormLasts, uint64(time.Now().UnixNano())
	if text := os.Getenv("ORDERGATE_STORM"); text != "" {
		var err error
		lasts, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	if text := os.Getenv("ORDERGATE_STORM_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	// Not beside other tests: what the storm does to its orders would be news to each of their gateways.
	eachStack(t, func(t *testing.T, s *stack) {
		t.Logf("seed %d", seed)
		s.settings = s.settings.with(settings{
			"ORDERGATE_ODOO_TRANSACTION_LIMIT": stormTransactions.String(), "ORDERGATE_SYNC_INTERVAL": "3s", "ORDERGATE_FRESHNESS": "1s",
		})
		st := &storm{stack: s, people: newPeople(t, s, unique("storm"))}
		st.gateway = s.serve(t)
		st.waitUntilSynced(t)
		st.hookUp(t, seed)
		st.rage(t, lasts, seed)
		for more := seed; st.post != nil && !st.post.metAll() && more < seed+mostStorms; { // a busy Odoo gets to little in that time
			more++
			st.rage(t, lasts, more)
		}
		t.Logf("people did %v; %d orders were placed, %d listings read, %d kills", st.people.did, st.placed, st.listed, st.kills)
		require.Positive(t, st.placed)
		require.Positive(t, st.listed)
		require.Positive(t, st.people.did["slow transaction"])
		if st.post != nil {
			st.post.report(t)
		}

		st.requireEqual(t, 2*stormTransactions+30*time.Second)
		st.drop(t)
		// The gateway may have begun to fill it by itself.
		require.Eventually(t, func() bool {
			_, stderr, code := s.command(t, "sync", "--full")
			return code == 0 || !strings.Contains(stderr, "another process reads all orders")
		}, time.Minute, time.Second)
		st.requireEqual(t, 20*time.Second)
	})
}

// storm is one run.
type storm struct {
	stack  *stack
	people *people
	post   *badPost // nil where Odoo cannot tell of changes

	mu                    sync.Mutex
	gateway               *process // that runs now
	placed, listed, kills int
	twice                 []string // orders that a listing showed twice
}

func (st *storm) waitUntilSynced(t *testing.T) {
	t.Helper()
	c := newCaller(t, st.gateway, st.stack.operator)
	require.Eventually(t, func() bool {
		a := c.call(t, http.MethodGet, "/v1/sync", nil)
		sync, ok := a.body["sync"].(map[string]any)
		return ok && sync["synced_at"] != nil
	}, time.Minute, 200*time.Millisecond)
}

func (st *storm) rage(t *testing.T, lasts time.Duration, seed uint64) {
	ctx, end := context.WithTimeout(t.Context(), lasts)
	defer end()
	var group sync.WaitGroup
	for i := range uint64(2) {
		group.Go(func() { st.people.work(ctx, rand.New(rand.NewPCG(seed, i))) })
	}
	group.Go(func() { st.people.dawdle(ctx, rand.New(rand.NewPCG(seed, 10))) })
	for i := range 2 {
		group.Go(func() { st.place(ctx, t, i) })
	}
	group.Go(func() { st.list(ctx, t) })
	for kill := time.NewTicker(12 * time.Second); ; {
		select {
		case <-kill.C:
			st.gateway.kill()
			next := st.stack.serve(t)
			st.mu.Lock()
			st.gateway = next
			st.kills++
			st.mu.Unlock()
			continue
		case <-ctx.Done():
		}
		kill.Stop()
		break
	}
	group.Wait()
	require.Empty(t, st.twice, "a listing showed an order twice")
}

// caller is a portal's that asks the gateway that runs now.
func (st *storm) caller(t *testing.T, key string) *caller {
	st.mu.Lock()
	defer st.mu.Unlock()
	return newCaller(t, st.gateway, key)
}

// place places orders, and tries each again, with its key, until it gets an answer that says what became of it.
func (st *storm) place(ctx context.Context, t *testing.T, worker int) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s-%d-%d", st.people.tag, worker, n)
		body := orderBody(st.people.tag+" "+key, map[string]any{"sku": st.people.tag + "-0", "quantity": strconv.Itoa(1 + n%5)},
			map[string]any{"sku": st.people.tag + "-1", "quantity": "1.5"})
		for ctx.Err() == nil {
			a, err := st.caller(t, st.stack.portal).try(http.MethodPost, "/v1/orders", body, "Idempotency-Key", key)
			if err == nil && a.status == http.StatusCreated {
				st.mu.Lock()
				st.placed++
				st.mu.Unlock()
				break
			}
			time.Sleep(300 * time.Millisecond)
		}
	}
}

// list pages through the orders of the storm.
func (st *storm) list(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		orders, whole := st.page(t)
		st.mu.Lock()
		seen := map[int64]bool{}
		for _, o := range orders {
			id := int64(o["id"].(float64))
			if seen[id] {
				st.twice = append(st.twice, fmt.Sprint(id))
			}
			seen[id] = true
		}
		if whole {
			st.listed++
		}
		st.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
	}
}

// page reads a listing of the storm's orders to its end, unless the gateway is killed meanwhile.
func (st *storm) page(t *testing.T) (orders []map[string]any, whole bool) {
	cursor := ""
	for {
		a, err := st.caller(t, st.stack.operator).try(http.MethodGet, "/v1/orders?limit=10&q="+st.people.tag+cursor, nil)
		if err != nil || a.status != http.StatusOK {
			return orders, false
		}
		for _, o := range a.body["orders"].([]any) {
			orders = append(orders, o.(map[string]any))
		}
		next, more := a.body["next_cursor"].(string)
		if !more {
			return orders, true
		}
		cursor = "&cursor=" + next
	}
}

// requireEqual waits for the mirror to hold what Odoo holds, to the cent.
func (st *storm) requireEqual(t *testing.T, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		inOdoo, inMirror := st.people.inOdoo(t), st.inMirror(t)
		var differ []string
		for id := range maps.Keys(inOdoo) {
			if inOdoo[id] != inMirror[id] {
				differ = append(differ, fmt.Sprintf("%d\n  Odoo:   %s\n  mirror: %s", id, inOdoo[id], inMirror[id]))
			}
		}
		for id := range maps.Keys(inMirror) {
			if inOdoo[id] == "" {
				differ = append(differ, fmt.Sprintf("%d\n  Odoo:   none\n  mirror: %s", id, inMirror[id]))
			}
		}
		if len(differ) == 0 {
			return
		}
		if time.Now().After(deadline) {
			slices.Sort(differ)
			require.Failf(t, "mirror and Odoo differ", "%d of %d orders, %s after the storm:\n%s", len(differ), len(inOdoo), within, differ[0])
		}
		time.Sleep(time.Second)
	}
}

func (st *storm) inMirror(t *testing.T) map[int64]string {
	t.Helper()
	listed, whole := st.page(t)
	require.True(t, whole)
	orders := map[int64]string{}
	for _, o := range listed {
		var lines, deliveries []string
		all := o["lines"].([]any)
		slices.SortFunc(all, func(a, b any) int {
			return int(a.(map[string]any)["erp_line_id"].(float64) - b.(map[string]any)["erp_line_id"].(float64))
		})
		for _, v := range all {
			l := v.(map[string]any)
			lines = append(lines, fmt.Sprintf("%.0f %q %s × %s = %s, %s delivered", l["erp_line_id"], l["name"], decimals(l["quantity"]),
				decimals(l["unit_price"]), decimals(l["total"]), decimals(l["quantity_delivered"])))
		}
		for _, v := range o["deliveries"].([]any) {
			d := v.(map[string]any)
			deliveries = append(deliveries, fmt.Sprintf("%.0f %t %s", d["id"], d["state"] == "delivered", textOf(d["tracking"])))
		}
		state := o["status"].(string)
		if state != "draft" && state != "cancelled" {
			state = "confirmed"
		}
		orders[int64(o["id"].(float64))] = fmt.Sprintf("%s %s %s %s %v %v", state, textOf(o["reference"]), decimals(o["amount_total"]),
			decimals(o["amount_tax"]), lines, deliveries)
	}
	return orders
}

// drop empties the mirror. What was accepted, and under which keys, stays: that is not a copy of anything.
func (st *storm) drop(t *testing.T) {
	t.Helper()
	db, err := store.Open(t.Context(), st.stack.settings["ORDERGATE_DATABASE"], store.Options{})
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, st.empty(db.DB()))
}

func (st *storm) empty(db *sql.DB) error {
	for _, table := range []string{"order_lines", "orders", "sync_cursors"} {
		if _, err := db.Exec("DELETE FROM " + table); err != nil {
			return err
		}
	}
	return nil
}

// decimals spells a number in the shortest way.
func decimals(v any) string {
	switch v := v.(type) {
	case float64:
		return decimal.NewFromFloat(v).Round(6).String()
	case string:
		return decimal.RequireFromString(v).Round(6).String()
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprint(v)
}

// textOf makes nothing of what is empty, as Odoo says it and as the gateway does.
func textOf(v any) string {
	text, _ := v.(string)
	return text
}
