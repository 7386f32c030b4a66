package faults

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ordergate/failpoint"
)

// Scenario is a kind of trouble. The seed decides when it comes, how often, and to whom.
type Scenario struct {
	Name  string
	Fault string // in words, for the report
	// Databases are those it can happen with; none means all.
	Databases []string
	// draw adds the trouble to a plan; nil for none.
	draw func(d drawer, p *Plan)
	// script, where there is one, acts in place of the plan's clients and events.
	script func(ctx context.Context, w *world) error
	// endWithin is how long every intent may take to its end once the faults are over; 0 is what the run gives.
	endWithin time.Duration
}

// Scenarios are all that seeds are spread over.
var Scenarios = slices.Concat(
	kills(),
	[]Scenario{
		odooTrouble("answer-dropped", "answer dropped after the commit", "answer dropped after"),
		odooTrouble("answer-delayed", "answer delayed past the timeout", "answer delayed after"),
		odooTrouble("answer-cut", "answer cut after the commit", "answer cut after"),
		odooTrouble("answer-reset", "connection reset after the commit", "reset after"),
		odooTrouble("slow-drip", "answer dripping after the commit", "slow drip after"),
		odooTrouble("bad-gateway", "502 after the commit", "502 after"),
		odooTrouble("fault-1-after", "fault 1 after the commit", "fault 1 after"),
		odooTrouble("late-commit", "commit after the gateway's timeout", "late commit"),
		odooTrouble("hang", "Odoo hangs", "hang"),
		odooTrouble("worker-killed", "worker killed in mid-call", "dropped"),
		odooTrouble("reset", "connection reset before the call", "reset"),
		odooTrouble("server-error", "HTTP 500", "500"),
		odooTrouble("html", "HTML instead of an answer", "html"),
		odooTrouble("fault-1", "fault 1, rolled back", "fault 1"),
		odooTrouble("serialization", "serialization failures", "serialization"),
		{Name: "resets", Fault: "all connections to Odoo reset", draw: func(d drawer, p *Plan) {
			for range 3 + d.IntN(8) {
				p.Events = append(p.Events, Event{At: d.between(0, 4*time.Second), What: eventOdooReset})
			}
		}},
		{Name: "refused", Fault: "connections to Odoo refused", draw: func(d drawer, p *Plan) {
			for at := d.between(0, time.Second); at < 5*time.Second; at += d.between(time.Second, 2*time.Second) {
				p.Events = append(p.Events, Event{At: at, What: eventOdooDown, For: d.between(50*time.Millisecond, 900*time.Millisecond)})
			}
		}},
		{Name: "outage", Fault: "Odoo down, with a full queue", draw: outage},
		{Name: "poison", Fault: "an order that Odoo cannot cope with", draw: poison},
		{Name: "two-replicas", Fault: "two replicas with one key", draw: twoReplicas},
		{Name: "stopped", Fault: "process stopped for longer than its lease", draw: stopped},
		{Name: "clock", Fault: "clock stepped by an hour", draw: clock},
		{Name: "database-cut", Fault: "database gone between two statements", Databases: []string{MariaDB, MySQL}, draw: databaseCut},
		{Name: "database-down", Fault: "database down", Databases: []string{MariaDB, MySQL}, draw: databaseDown},
		databaseError("deadlock", "deadlocks", "deadlock"),
		databaseError("read-only", "database read-only", "read-only"),
		databaseError("disk-full", "database's disk full", "disk full"),
		{Name: "locked", Fault: "database locked by another program", Databases: []string{SQLite}, draw: locked},
		{Name: "both-away", Fault: "database away, and then Odoo", draw: bothAway},
		{Name: "storm", Fault: "several at once", draw: storm},
	})

// choose returns the scenario of a run.
func choose(o Options) (Scenario, error) {
	from := Scenarios
	if o.Scenario != "" {
		from = slices.DeleteFunc(slices.Concat(Scenarios, Directed()), func(s Scenario) bool { return s.Name != o.Scenario })
	}
	if len(from) == 0 {
		return Scenario{}, fmt.Errorf("there is no scenario %q", o.Scenario)
	}
	var fitting []Scenario
	for _, s := range from {
		if len(s.Databases) == 0 || slices.Contains(s.Databases, o.Database) {
			fitting = append(fitting, s)
		}
	}
	if len(fitting) == 0 {
		return Scenario{}, fmt.Errorf("scenario %s needs one of %v", o.Scenario, from[0].Databases)
	}
	return fitting[o.Seed%uint64(len(fitting))], nil
}

// kills are the scenarios of SIGKILL, one for each point.
func kills() []Scenario {
	var all []Scenario
	for _, point := range failpoint.Points {
		all = append(all, Scenario{
			Name: "kill-" + string(point), Fault: "SIGKILL at " + string(point),
			draw: func(d drawer, p *Plan) {
				reach(d, p, "kill", point)
				if p.Replicas > 1 && d.chance(50) {
					p.Failpoints = append(p.Failpoints, fmt.Sprintf("kill:%s@%d", point, 2+d.IntN(6)))
				}
			},
		})
	}
	return all
}

// reach lets the first replica do something at a point, and adds what it takes for a process to pass that.
func reach(d drawer, p *Plan, what string, point failpoint.Point) {
	pass := 1 + d.IntN(4)
	if d.chance(50) && slices.Contains([]failpoint.Point{failpoint.IntentWritten, failpoint.OrdersSent, failpoint.AttemptStored}, point) {
		pass += 4 + d.IntN(12) // when more actions pass it than orders
	}
	switch point {
	case failpoint.QueueClaimed:
		pass++ // it is passed at the start already, when nothing is queued
	case failpoint.ResolverHeld:
		// The answers are lost, those to repetitions and to questions too: intents in doubt.
		pass = 1 + d.IntN(2)
		p.Events = append(p.Events, Event{At: 0, What: eventOdoo, Fault: "answer dropped after", Calls: pick(d, callsOrders, callsActions), Times: 5 + d.IntN(4)},
			Event{At: 0, What: eventOdoo, Fault: "500", Calls: callsReads, Times: 4 + d.IntN(4)})
	case failpoint.BeforeRelease:
		p.Events = append(p.Events, Event{At: 0, What: eventOdoo, Fault: pick(d, "500", "dropped", "hang"), Calls: callsOrders, Times: 4 + d.IntN(4)})
	}
	p.Failpoints = []string{fmt.Sprintf("%s:%s@%d", what, point, pass)}
}

// odooTrouble is a scenario in which calls to Odoo fail in one way.
func odooTrouble(name, words, fault string) Scenario {
	return Scenario{Name: name, Fault: words, draw: func(d drawer, p *Plan) {
		for range 2 + d.IntN(4) {
			e := Event{
				At: d.between(0, 4*time.Second), What: eventOdoo, Fault: fault, Times: 1 + d.IntN(4),
				Calls: pick(d, callsOrders, callsOrders, callsActions, callsActions, callsReads, callsAll), For: d.delay(),
			}
			p.Events = append(p.Events, e)
		}
		// The first strikes in any case.
		p.Events = append(p.Events, Event{At: 0, What: eventOdoo, Fault: fault, Times: 1 + d.IntN(3), Calls: callsOrders, For: d.delay()})
	}}
}

// outage: everybody wants orders queued, more than there is room for, while Odoo is away.
func outage(d drawer, p *Plan) {
	p.Settings["ORDERGATE_MAX_BACKLOG"] = pick(d, "5", "10")
	p.Settings["ORDERGATE_MAX_QUEUE"] = pick(d, "2", "5")
	for c := range p.Clients {
		for w := range p.Clients[c].Wishes {
			p.Clients[c].Wishes[w].Pause = d.between(0, 200*time.Millisecond)
			p.Clients[c].Wishes[w].Async = d.chance(70)
			p.Clients[c].Wishes[w].Chase = d.chance(20)
		}
	}
	p.Events = append(p.Events, Event{At: d.between(0, time.Second), What: eventOdooDown, For: d.between(3*time.Second, 8*time.Second)})
	if d.chance(50) {
		p.Events = append(p.Events, Event{At: 0, What: eventOdoo, Fault: "answer delayed after", Calls: callsOrders, Times: 2, For: d.delay()})
	}
}

// poison: one or two orders make Odoo fail, among others that do not.
func poison(d drawer, p *Plan) {
	p.Settings["ORDERGATE_MAX_STRIKES"] = pick(d, "2", "3")
	for range 1 + d.IntN(2) {
		c := d.IntN(len(p.Clients))
		wishes := p.Clients[c].Wishes
		w := &wishes[d.IntN(len(wishes))]
		w.Bad, w.Edit, w.Delete, w.OtherBody, w.Chase, w.Patience = BadPoison, false, false, false, true, 16
	}
	p.Events = append(p.Events, Event{At: 0, What: eventPoison})
}

func twoReplicas(d drawer, p *Plan) {
	p.Replicas = 2
	for c := range p.Clients {
		for w := range p.Clients[c].Wishes {
			p.Clients[c].Wishes[w].Twice = d.chance(80)
		}
	}
	if d.chance(50) {
		p.Events = append(p.Events, Event{At: d.between(0, 2*time.Second), What: eventOdoo, Fault: "answer delayed after", Calls: callsOrders, Times: 2, For: d.delay()})
	}
}

// stopped: a process stands still, at any moment or at a point, and goes on when others have taken over.
func stopped(d drawer, p *Plan) {
	p.Replicas = 2
	if d.chance(30) {
		p.Events = append(p.Events, Event{At: d.between(0, 3*time.Second), What: eventStop, Replica: 0})
		return
	}
	reach(d, p, "stop", pick(d, failpoint.Points...))
}

// clock: a process's clock jumps, there and back, while it works, and possibly dies in between.
func clock(d drawer, p *Plan) {
	p.Replicas = 2
	p.Events = append(p.Events, Event{At: d.between(0, 2*time.Second), What: eventClock, Replica: d.IntN(2), Text: pick(d, "1h", "-1h"),
		For: d.between(time.Second, 4*time.Second)})
	if d.chance(60) {
		p.Events = append(p.Events, Event{At: d.between(500*time.Millisecond, 4*time.Second), What: eventKill, Replica: d.IntN(2)})
	}
	if d.chance(60) {
		p.Events = append(p.Events, Event{At: 0, What: eventOdoo, Fault: "answer dropped after", Calls: callsOrders, Times: 4})
	}
}

// statements are parts of those that placing an order sends.
var statements = []string{"INSERT INTO `intents`", "INSERT INTO `orders`", "INSERT INTO `order_lines`", "UPDATE `intents`", "UPDATE intents", "COMMIT", "COMMIT", "FROM `intents`"}

func databaseCut(d drawer, p *Plan) {
	for range 3 + d.IntN(5) {
		p.Events = append(p.Events, Event{At: d.between(0, 4*time.Second), What: pick(d, eventDBCut, eventDBLost), Text: pick(d, statements...), Times: 1 + d.IntN(3)})
	}
	p.Events = append(p.Events, Event{At: 0, What: pick(d, eventDBCut, eventDBLost), Text: "COMMIT", Times: 1 + d.IntN(3)})
}

func databaseDown(d drawer, p *Plan) {
	for at := d.between(0, time.Second); at < 5*time.Second; at += d.between(2*time.Second, 4*time.Second) {
		p.Events = append(p.Events, Event{At: at, What: eventDBDown, For: d.between(100*time.Millisecond, 1900*time.Millisecond)})
	}
	if d.chance(50) {
		p.Events = append(p.Events, Event{At: 0, What: eventOdoo, Fault: "answer delayed after", Calls: callsOrders, Times: 3, For: d.between(300*time.Millisecond, 1200*time.Millisecond)})
	}
}

func databaseError(name, words, which string) Scenario {
	return Scenario{Name: name, Fault: words, Databases: []string{MariaDB, MySQL}, draw: func(d drawer, p *Plan) {
		p.Events = append(p.Events, Event{At: d.between(0, 2*time.Second), What: eventDBError, Text: which, For: d.between(500*time.Millisecond, 4*time.Second)})
	}}
}

func locked(d drawer, p *Plan) {
	for range 1 + d.IntN(2) {
		p.Events = append(p.Events, Event{At: d.between(0, 3*time.Second), What: eventDBLocked, For: d.between(time.Second, 7*time.Second)})
	}
}

// bothAway: callers are told that their orders are on their way while the database cannot be written, and when it can, Odoo
// is gone.
func bothAway(d drawer, p *Plan) {
	p.Settings["ORDERGATE_PLACE_BUDGET"], p.Settings["ORDERGATE_LANES"] = "4s", "1"
	for c := range p.Clients {
		p.Clients[c].Wishes = p.Clients[c].Wishes[:2]
		for w := range p.Clients[c].Wishes {
			wish := &p.Clients[c].Wishes[w]
			wish.Pause, wish.Async, wish.Chase, wish.Patience = d.between(0, 500*time.Millisecond), d.chance(20), false, 2
		}
	}
	away := d.between(200*time.Millisecond, 700*time.Millisecond)
	lasts := d.between(9*time.Second, 12*time.Second)
	p.Events = append(p.Events,
		Event{At: 0, What: eventOdoo, Fault: "answer delayed after", Calls: callsOrders, Times: 1, For: 800 * time.Millisecond},
		Event{At: away, What: eventDBDown, For: lasts},
		Event{At: away, What: eventDBLocked, For: lasts},
		Event{At: away + lasts - time.Second, What: eventOdooDown, For: d.between(6*time.Second, 14*time.Second)})
}

// storm: whatever there is, at the same time.
func storm(d drawer, p *Plan) {
	p.Replicas = 2
	p.Failpoints = []string{fmt.Sprintf("kill:%s@%d", pick(d, failpoint.Points...), 1+d.IntN(5)), ""}
	if d.chance(40) {
		p.Failpoints[1] = fmt.Sprintf("stop:%s@%d", pick(d, failpoint.Points...), 1+d.IntN(5))
	}
	for range 4 + d.IntN(5) {
		f := odooFaults[d.IntN(len(odooFaults))]
		p.Events = append(p.Events, Event{At: d.between(0, 4*time.Second), What: eventOdoo, Fault: f.name, Times: 1 + d.IntN(4),
			Calls: pick(d, callsOrders, callsActions, callsReads, callsAll), For: d.delay()})
	}
	if d.chance(40) {
		clock(d, p)
	}
	if d.chance(40) {
		p.Events = append(p.Events, Event{At: d.between(0, 3*time.Second), What: eventOdooDown, For: d.between(200*time.Millisecond, 3*time.Second)})
	}
	if d.chance(40) {
		databaseDown(d, p) // of no effect with SQLite
		databaseCut(d, p)
	}
}
