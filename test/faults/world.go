package faults

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// world is all that a run needs: processes, an Odoo, a database.
type world struct {
	options  Options
	times    times
	plan     Plan
	scenario Scenario
	prefix   string // of every key of this run: a real Odoo keeps the orders of earlier ones

	stage     *stage
	directory string
	erp       *erp
	db        *database
	replicas  []*replica
	portal    string // secrets of API keys
	operator  string
	products  map[string]int64 // ids by SKU
	goneSKU   string
	poison    []string // keys

	history *history
	watch   *watch
	clients *clients

	struck atomic.Int64 // faults that strike when they are made, unlike those of proxies and failpoints
	kills  atomic.Int64

	mu      sync.Mutex
	changes changes
	stopped atomic.Bool // the script lets stopped processes go on itself

	supervising sync.WaitGroup
	stop        context.CancelFunc // ends the supervisors
}

// changes are what people did in Odoo.
type changes struct {
	edited  map[string]bool  // keys
	deleted map[string]int64 // by key: the order's id
	died    []string         // processes that ended on their own
}

// build makes a world, with every gateway answering.
func build(ctx context.Context, o Options, s Scenario, p Plan) (w *world, err error) {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	w = &world{
		options: o, times: timesOf(o.real()), plan: p, scenario: s, stage: &stage{}, products: map[string]int64{},
		prefix:  fmt.Sprintf("f%d-%s-", o.Seed, hex.EncodeToString(random)),
		changes: changes{edited: map[string]bool{}, deleted: map[string]int64{}},
		stop:    func() {},
	}
	defer func() {
		if err != nil {
			w.end()
		}
	}()
	if w.directory, err = os.MkdirTemp("", "ordergate-faults-"); err != nil {
		return w, err
	}
	w.stage.Cleanup(func() { _ = os.RemoveAll(w.directory) })
	if w.erp, err = openERP(w.stage, o); err != nil {
		return w, err
	}
	if w.db, err = openDatabase(ctx, w.stage, o, w.directory); err != nil {
		return w, err
	}
	if err := w.prepareDatabase(ctx); err != nil {
		return w, err
	}
	if err := w.prepareCatalogue(); err != nil {
		return w, err
	}
	return w, w.startReplicas(ctx)
}

func (w *world) prepareDatabase(ctx context.Context) error {
	if _, err := command(ctx, w.options.Binary, w.environ(), "migrate", "up"); err != nil {
		return err
	}
	var err error
	if w.portal, err = command(ctx, w.options.Binary, w.environ(), "key", "create", "--role", "portal", "--name", "shop"); err != nil {
		return err
	}
	w.operator, err = command(ctx, w.options.Binary, w.environ(), "key", "create", "--role", "operator", "--source", "portal", "--name", "desk")
	return err
}

// prepareCatalogue notes the products, and makes one that the gateways will know and that is gone when it is ordered.
func (w *world) prepareCatalogue() error {
	skus := map[string]bool{}
	gone := false
	for _, c := range w.plan.Clients {
		for _, wish := range c.Wishes {
			gone = gone || wish.Bad == BadGone
			for _, l := range wish.Lines {
				skus[l.SKU] = true
			}
			if wish.Bad == BadPoison {
				w.poison = append(w.poison, w.key(wish))
			}
		}
	}
	var err error
	if w.products, err = w.erp.products(sortedKeys(skus)); err != nil {
		return err
	}
	for sku := range skus {
		if w.products[sku] == 0 {
			return fmt.Errorf("odoo has no product %s", sku)
		}
	}
	if gone {
		w.goneSKU = w.prefix + "GONE"
		if w.products[w.goneSKU], err = w.erp.createProduct(w.goneSKU); err != nil {
			return err
		}
	}
	return nil
}

// startReplicas starts the gateways and waits until they answer, and know the catalogue.
func (w *world) startReplicas(ctx context.Context) error {
	supervised, stop := context.WithCancel(ctx)
	w.stop = stop
	w.history = newHistory()
	for i := range w.plan.Replicas {
		r, err := newReplica(i, w.options.Binary, w.directory, w.environ())
		if err != nil {
			return err
		}
		w.replicas = append(w.replicas, r)
		if err := r.start(join(w.plan.Failpoints[i], outOf(w.options.Out))); err != nil {
			return err
		}
		// Some points are passed before anybody calls.
		w.supervising.Go(func() { w.supervise(supervised, r) })
	}
	for _, r := range w.replicas {
		if err := r.answers(ctx); err != nil {
			return fmt.Errorf("%w\n%s", err, r.log.tail(40))
		}
	}
	if w.goneSKU != "" {
		if err := w.awaitProduct(ctx, w.goneSKU); err != nil {
			return err
		}
		if err := w.erp.removeProduct(w.products[w.goneSKU]); err != nil {
			return err
		}
	}
	w.history.begin()
	return nil
}

// awaitProduct waits until the gateways' catalogue has a product.
func (w *world) awaitProduct(ctx context.Context, sku string) error {
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		rows, err := w.db.rows(ctx, "SELECT sku FROM products WHERE sku = ?", sku)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.New("the gateway does not bring its catalogue up to date")
}

func (w *world) environ() []string {
	environ := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"ORDERGATE_DATABASE=" + w.db.url, "ORDERGATE_ODOO_URL=" + w.erp.url(), "ORDERGATE_ODOO_DB=" + w.erp.server.Database,
		"ORDERGATE_ODOO_USER=" + w.erp.server.User, "ORDERGATE_ODOO_PASSWORD=" + w.erp.server.Password,
	}
	for name, value := range w.plan.Settings {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// key is the idempotency key of a wish, and the reference of its order.
func (w *world) key(wish Wish) string { return w.prefix + wish.Name }

// restartAfter is how long a process is gone before the next one starts, as under an init system.
const restartAfter = 300 * time.Millisecond

// supervise keeps a gateway running: it starts it again when it was killed, and continues it when it was stopped for long
// enough.
func (w *world) supervise(ctx context.Context, r *replica) {
	ready, haltedSince := false, time.Time{}
	for pause(ctx, 25*time.Millisecond) {
		p := r.current()
		if ended, killed := p.ended(); ended {
			switch {
			case killed:
				w.kills.Add(1)
				w.history.note("replica %d was killed", r.number)
			case ready:
				w.mu.Lock()
				w.changes.died = append(w.changes.died, fmt.Sprintf("replica %d ended with %s", r.number, p.cmd.ProcessState))
				w.mu.Unlock()
				w.history.note("replica %d ended on its own", r.number)
			default:
				w.history.note("replica %d could not start", r.number) // without its database, say
			}
			if !pause(ctx, restartAfter) {
				return
			}
			ready, haltedSince = false, time.Time{}
			if err := r.start(outOf(w.options.Out)); err != nil {
				w.history.note("replica %d: %v", r.number, err)
			}
			continue
		}
		if !ready && r.healthy() {
			ready = true
			w.history.note("replica %d answers again", r.number)
		}
		switch {
		case !p.halted():
			haltedSince = time.Time{}
		case haltedSince.IsZero():
			haltedSince = time.Now()
			w.history.note("replica %d is stopped", r.number)
		case time.Since(haltedSince) > stopLasts && !w.stopped.Load():
			w.history.note("replica %d goes on", r.number)
			r.signal(syscall.SIGCONT)
		}
	}
}

// heal ends all faults. What was delayed already stays delayed.
func (w *world) heal(ctx context.Context) error {
	w.erp.heal()
	err := w.db.heal(ctx)
	for _, r := range w.replicas {
		err = errors.Join(err, r.setClock(0))
		if p := r.current(); p.halted() {
			r.signal(syscall.SIGCONT)
		}
	}
	w.history.note("the faults are over")
	return err
}

// struckTotal counts all faults that struck.
func (w *world) struckTotal() int {
	n := int(w.struck.Load()) + w.erp.http.Counts().Faulted + w.db.struck() + int(w.kills.Load())
	for _, r := range w.replicas {
		n += r.passed("stop") + r.passed("sleep")
	}
	return n
}

// end stops everything. The world cannot be used any more.
func (w *world) end() {
	w.stop()
	w.supervising.Wait()
	for _, r := range w.replicas {
		r.kill()
	}
	w.stage.clear()
}

func join(failpoints ...string) string {
	joined := ""
	for _, f := range failpoints {
		if f != "" {
			joined += f + ";"
		}
	}
	return joined
}
