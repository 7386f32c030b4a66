package ordersync

import (
	"slices"
	"sync"
	"time"

	"ordergate/failpoint"
	"ordergate/order"
)

// ticket is a request that waits for the outcome of its intent.
type ticket struct {
	intent order.Intent
	alone  bool // its order may exist already, or be held up in the ERP: it must not hold up others

	claimed   chan struct{} // closed once a lane holds its intent
	done      chan struct{} // closed once placement and err are set
	placement order.Placement
	err       error

	mu           sync.Mutex
	sealed       bool // its outcome is being written down
	acknowledged bool // its caller was told 202
}

func newTicket(in order.Intent) *ticket {
	return &ticket{intent: in, alone: !in.UnknownAt.IsZero(), claimed: make(chan struct{}), done: make(chan struct{})}
}

// acknowledge reports whether the caller can be told that its order is on its way. False if the outcome is about to be
// known: it must then be waited for, because it may be that the order was not accepted.
func (t *ticket) acknowledge() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sealed {
		return false
	}
	t.acknowledged = true
	return true
}

// seal ends the time in which the caller can be told 202, and reports whether it was.
func (t *ticket) seal() (acknowledged bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sealed = true
	return t.acknowledged
}

func (t *ticket) answer(p order.Placement, err error) {
	t.placement, t.err = p, err
	close(t.done)
}

// batch is what goes to the ERP together: tickets, and as many from the queue in the database as there is room for.
type batch struct {
	lease   string    // under which the first ticket is claimed already; else empty
	tickets []*ticket // nobody claimed their intents yet, but for lease
	room    int
	pokes   int // how often the lanes had been poked when it was taken up
	flight  *flight
}

// lanes carries what waits to the ERP. While its lanes are busy, requests gather, and go together when one becomes free;
// there is no timer, so that a lone request goes at once.
type lanes struct {
	service  *Service
	capacity int // tickets that may wait

	mu      sync.Mutex
	queue   fairQueue
	coming  int  // tickets that have a place in the queue and are not in it yet
	busy    int  // lanes that carry a batch, or are about to
	backlog bool // the database may hold queued intents that nobody carries
	certain bool // of backlog: it was seen to
	pokes   int
	turn    bool // whose turn it is while only one order goes at a time: the backlog's
	flying  []*flight
	closed  bool
	pace    pace
}

// enter reserves a lane for a request that need not wait. Whoever got one calls run or leave.
func (l *lanes) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.busy >= l.pace.lanes() || l.queue.length+l.coming > 0 || !l.worthACall(1) {
		return false
	}
	l.busy++
	return true
}

// flight is a call under way.
type flight struct {
	orders int
	began  time.Time
}

// worthACall reports whether so many waiting orders are enough for a call beside those under way. While fewer wait than
// the largest of these carries, as many are about to come back as it answers: calls of like size make the most of each.
// One that takes much longer than calls do is not waited for. It needs mu.
func (l *lanes) worthACall(waiting int) bool {
	now := l.service.now()
	for _, f := range l.flying {
		if waiting < min(f.orders, l.pace.orders) && now.Sub(f.began) < 2*l.pace.spent {
			return false
		}
	}
	return true
}

// run starts a lane that enter has reserved with its first ticket, which is claimed under a lease.
func (l *lanes) run(t *ticket, lease string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(t.claimed)
	b := batch{lease: lease, tickets: []*ticket{t}}
	l.takeOff(&b)
	l.service.work.Go(func() { l.carry(b) })
}

// takeOff notes that a batch is under way; land, that it no longer is. They need mu.
func (l *lanes) takeOff(b *batch) {
	b.flight = &flight{orders: len(b.tickets), began: l.service.now()}
	l.flying = append(l.flying, b.flight)
}

func (l *lanes) land(b batch) {
	l.flying = slices.DeleteFunc(l.flying, func(f *flight) bool { return f == b.flight })
}

// leave gives a reserved lane back.
func (l *lanes) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	l.fill()
}

// reserve takes a place in the queue, if there is one and the answer can be expected within patience. Whoever got one
// calls push or unreserve.
func (l *lanes) reserve(patience time.Duration) *order.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ahead := l.queue.length + l.coming
	wait := l.pace.wait(ahead)
	switch {
	case l.closed:
		return order.Errorf(order.Unavailable, "stopping", "The gateway is about to stop. Nothing was accepted; try again.").RetryIn(time.Second)
	case l.isFull():
		l.service.metrics.shed.WithLabelValues("queue_full").Inc()
		return queueFull(wait)
	case l.busy > 0 && wait > patience && !failpoint.Out(failpoint.QueueBound):
		l.service.metrics.shed.WithLabelValues("wait_too_long").Inc()
		return waitTooLong(wait)
	}
	l.coming++
	return nil
}

func queueFull(retry time.Duration) *order.Error {
	return order.Errorf(order.Unavailable, "queue_full",
		"As many orders wait as can be waited for. Nothing was accepted; try again.").RetryIn(max(time.Second, retry))
}

func waitTooLong(retry time.Duration) *order.Error {
	return order.Errorf(order.Unavailable, "wait_too_long",
		"The order would not have been placed in the time that its caller waits. Nothing was accepted; try again, or ask for it to be queued (Prefer: respond-async).").
		RetryIn(max(time.Second, retry))
}

func (l *lanes) unreserve() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming--
}

// push queues a ticket whose place was reserved.
func (l *lanes) push(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming--
	l.queue.push(t)
	l.fill()
}

// withdraw takes a ticket back that nothing was done for yet. False if it is on its way.
func (l *lanes) withdraw(t *ticket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.remove(t)
}

// poke says that the database holds queued intents, or, if that is not certain, that it may.
func (l *lanes) poke(certain bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pokes++
	l.backlog, l.certain = true, l.certain || certain
	l.fill()
}

// full reports whether nobody can be taken into the queue at the moment. It spares the work for one who would be refused.
func (l *lanes) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isFull()
}

// isFull needs mu.
func (l *lanes) isFull() bool {
	return l.queue.length+l.coming >= l.capacity && !failpoint.Out(failpoint.QueueBound)
}

func (l *lanes) depth() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.length + l.coming
}

// limit is how many orders go in the next call.
func (l *lanes) limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pace.orders
}

// close keeps lanes from taking up more. Those that carry something come to its end.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// fill starts lanes for what waits. It needs mu.
func (l *lanes) fill() {
	for l.busy < l.pace.lanes() {
		b, any := l.next()
		if !any {
			return
		}
		l.busy++
		l.service.work.Go(func() { l.carry(b) })
	}
}

// carry carries a batch and then what waits by then, until nothing does.
func (l *lanes) carry(b batch) {
	for {
		began := l.service.now()
		ended := l.service.carryBatch(b)
		took := l.service.now().Sub(began)

		l.mu.Lock()
		l.land(b)
		if ended.attempts > 0 {
			l.pace.observe(took, ended.definite)
		}
		l.noteBacklog(b, ended)
		more := false
		if l.busy <= l.pace.lanes() {
			b, more = l.next()
		}
		if !more {
			l.busy--
			l.fill()
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// noteBacklog takes in what a batch saw of the queue in the database, unless more was queued meanwhile. It needs mu.
func (l *lanes) noteBacklog(b batch, ended ended) {
	if b.room == 0 || b.pokes != l.pokes {
		return
	}
	// Where it had some, the same customers may have more; but what was claimed in vain must not be claimed at once.
	l.certain = ended.queued > 0 && ended.definite
	l.backlog = l.certain
}

// next takes up what goes together in the next call. It needs mu.
func (l *lanes) next() (b batch, any bool) {
	if l.closed {
		return batch{}, false
	}
	backlog := l.backlog && l.service.erp.BreakerState() != breakerOpen
	if !(backlog && l.certain) && !l.worthACall(l.queue.length) {
		return batch{}, false
	}
	room := l.pace.orders
	if backlog && l.queue.length >= room {
		room = l.shareWithBacklog()
	}
	for room > 0 && l.queue.length > 0 {
		t := l.queue.pop()
		if t.alone && len(b.tickets) > 0 {
			l.queue.push(t) // behind the others of its customer, which do not go in turn
			break
		}
		b.tickets = append(b.tickets, t)
		room--
		if t.alone {
			l.takeOff(&b)
			return b, true
		}
	}
	if backlog {
		b.room, b.pokes = l.pace.orders-len(b.tickets), l.pokes
	}
	if len(b.tickets) == 0 && b.room == 0 {
		return batch{}, false
	}
	l.takeOff(&b)
	return b, true
}

// shareWithBacklog is how many requests go in a call that they could fill, so that the backlog does not wait for ever.
func (l *lanes) shareWithBacklog() int {
	if l.pace.orders == 1 {
		l.turn = !l.turn
		if l.turn {
			return 0
		}
		return 1
	}
	return l.pace.orders - max(1, l.pace.orders/4)
}
