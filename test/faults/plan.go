package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Plan is what a run is to do. It is a pure function of the seed and the scenario.
type Plan struct {
	Settings map[string]string // of every process: ORDERGATE_* and values
	Replicas int
	// Failpoints are those of a process at its first start, by replica; later starts have none.
	Failpoints []string
	Clients    []ClientPlan
	Events     []Event
}

// ClientPlan is what one client wants, one wish after the other.
type ClientPlan struct {
	Customer string // its ref
	Wishes   []Wish
}

// Wish is an order that a client wants placed, and how it goes about it.
type Wish struct {
	Name  string // the key is made of it
	Lines []WishLine
	Pause time.Duration // before the first request

	Async     bool // asks for 202 at once
	Twice     bool // sends every request to two replicas at the same time
	OtherBody bool // sends another order under the same key as well
	Patience  int  // how many requests at most while there is no answer that settles it
	Chase     bool // asks on after a 202, until there is an order
	Replay    bool // asks again when all is over
	Edit      bool // people change the order in Odoo when all is over, before that
	Delete    bool // people delete it
	Bad       string
	Acts      []Act // what the client does with the order once it is placed
	// Salt makes the client's own small decisions: which replica, how long to wait.
	Salt uint64
}

// What can be wrong with a wish.
const (
	BadSKU    = "unknown SKU"
	BadGone   = "product deleted in Odoo" // the gateway's catalogue still has it at first
	BadPoison = "Odoo cannot cope"        // it answers fault 1 to whatever holds this order
)

// WishLine is a line of a wish. Price is empty for the price list's.
type WishLine struct {
	SKU, Quantity, Price string
}

// Event is something that fails, or happens, at a time after the clients have begun.
type Event struct {
	At      time.Duration
	What    string // one of the names in events.go
	Replica int
	Fault   string        // of "odoo": one of odooFaults
	Calls   string        // of "odoo": "orders", "reads" or "all"
	Times   int           // of "odoo" and of cuts
	For     time.Duration // how long it lasts
	Text    string        // of cuts: in which statement; of database errors: which; of the clock: by how much
}

func (e Event) String() string {
	parts := []string{fmt.Sprintf("%6dms", e.At.Milliseconds()), e.What}
	if e.What == eventKill || e.What == eventStop || e.What == eventClock {
		parts = append(parts, fmt.Sprintf("of replica %d", e.Replica))
	}
	if e.Fault != "" {
		parts = append(parts, fmt.Sprintf("%s on %s, %d times", e.Fault, e.Calls, e.Times))
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	if e.For > 0 {
		parts = append(parts, "for "+e.For.String())
	}
	return strings.Join(parts, " ")
}

func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan: %d replicas, %d clients, failpoints %q, settings", p.Replicas, len(p.Clients), p.Failpoints)
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(name, "ORDERGATE_"), p.Settings[name])
	}
	b.WriteString("\n")
	for _, e := range p.Events {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	return b.String()
}

// drawer draws plans. All randomness of a run comes from it.
type drawer struct {
	*rand.Rand
	times times
}

// times are what a run waits for. A real Odoo, which other tests may keep busy, is given more.
type times struct {
	call        time.Duration // the longest that a gateway waits for a call
	transaction time.Duration // what gateways take for Odoo's longest transaction; whatever a run delays is shorter
	end         time.Duration // until every intent has ended, once the faults are over
}

func timesOf(real bool) times {
	if real {
		return times{call: 6 * time.Second, transaction: 10 * time.Second, end: 3 * time.Minute}
	}
	return times{call: 1500 * time.Millisecond, transaction: 5 * time.Second, end: time.Minute}
}

func newDrawer(seed uint64, scenario string, t times) drawer {
	var mixed uint64
	for _, c := range []byte(scenario) {
		mixed = mixed*131 + uint64(c)
	}
	return drawer{rand.New(rand.NewPCG(seed, mixed)), t}
}

// chance is true in so many of a hundred cases.
func (d drawer) chance(percent int) bool { return d.IntN(100) < percent }

// between returns a duration of whole milliseconds in [low, high).
func (d drawer) between(low, high time.Duration) time.Duration {
	return (low + time.Duration(d.Int64N(int64(high-low)))).Truncate(time.Millisecond)
}

func pick[T any](d drawer, from ...T) T { return from[d.IntN(len(from))] }

// draw makes the plan of a scenario from a seed.
func draw(seed uint64, s Scenario, real bool) Plan {
	d := newDrawer(seed, s.Name, timesOf(real))
	p := Plan{Settings: drawSettings(d), Replicas: 1, Clients: drawClients(d, real)}
	if d.chance(40) {
		p.Replicas = 2
	}
	if s.draw != nil {
		s.draw(d, &p)
	}
	for len(p.Failpoints) < p.Replicas {
		p.Failpoints = append(p.Failpoints, "")
	}
	slices.SortStableFunc(p.Events, func(a, b Event) int { return int(a.At - b.At) })
	return p
}

// delay is longer than a gateway waits for a call, and shorter than Odoo's longest transaction.
func (d drawer) delay() time.Duration {
	return d.between(d.times.call+100*time.Millisecond, d.times.transaction-time.Second)
}

func drawSettings(d drawer) map[string]string {
	return map[string]string{
		"ORDERGATE_ODOO_TIMEOUT":           d.times.call.String(),
		"ORDERGATE_ODOO_TRANSACTION_LIMIT": d.times.transaction.String(),
		"ORDERGATE_PLACE_BUDGET":           (d.times.call + pick(d, 3500*time.Millisecond, 6500*time.Millisecond)).String(),
		"ORDERGATE_BATCH_SIZE":             pick(d, "2", "5", "20"),
		"ORDERGATE_LANES":                  pick(d, "1", "2", "2", "3"),
		"ORDERGATE_MAX_QUEUE":              "50",
		"ORDERGATE_MAX_BACKLOG":            "200",
		"ORDERGATE_SYNC_INTERVAL":          "1s",
		"ORDERGATE_RATE_LIMIT":             "100000",
	}
}

func drawClients(d drawer, real bool) []ClientPlan {
	clients, wishes, acting := 6, 4, 50 // in a hundred orders something is done with so many
	if real {
		clients, wishes, acting = 4, 3, 60
	}
	plans := make([]ClientPlan, clients)
	for c := range plans {
		// The last two are one customer's: its orders come from two sides.
		plans[c].Customer = fmt.Sprintf("customer-%d", min(c, clients-2))
		for w := range wishes {
			plans[c].Wishes = append(plans[c].Wishes, drawWish(d, fmt.Sprintf("c%d-%d", c, w), acting, real))
		}
	}
	return plans
}

func drawWish(d drawer, name string, acting int, real bool) Wish {
	w := Wish{
		Name: name, Pause: d.between(0, 700*time.Millisecond), Patience: 12, Salt: d.Uint64(),
		Async: d.chance(35), Twice: d.chance(10), OtherBody: d.chance(8), Chase: d.chance(50), Replay: d.chance(60),
	}
	switch {
	case d.chance(10):
		w.Patience = 1 // sends it once, whatever comes of it
	case d.chance(8):
		w.Bad = BadSKU
	case d.chance(8):
		w.Bad = BadGone
	case d.chance(10):
		w.Edit = true
	case d.chance(8):
		w.Delete = true
	}
	w.Lines = drawLines(d)
	if w.Bad == "" && !w.Edit && !w.Delete && d.chance(acting) {
		w.Acts, w.Chase = drawActs(d, real), true
	}
	return w
}

func drawLines(d drawer) []WishLine {
	skus := []string{"E-COM07", "E-COM08", "E-COM10", "E-COM11", "FURN_7777", "FURN_8888"} // every Odoo's demo data has them
	d.Shuffle(len(skus), func(i, j int) { skus[i], skus[j] = skus[j], skus[i] })
	priced := d.chance(30)
	lines := make([]WishLine, 1+d.IntN(4))
	for i := range lines {
		lines[i] = WishLine{SKU: skus[i], Quantity: fmt.Sprint(1 + d.IntN(9))}
		if priced {
			lines[i].Price = fmt.Sprintf("%d.%02d", 1+d.IntN(500), d.IntN(100))
		}
	}
	return lines
}

func sortedKeys[K int | string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
