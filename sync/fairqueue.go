package ordersync

import "slices"

// fairQueue holds the tickets that wait for a lane. It serves sources in turn, and the customers of a source in turn, so
// that one who sends a thousand orders does not keep another waiting who sends one. The tickets of one customer keep
// their order. It is not safe for concurrent use.
type fairQueue struct {
	sources turns[*turns[*fifo]]
	length  int
}

// turns serves queues by name, one after the other. A queue that becomes empty loses its turn.
type turns[Q any] struct {
	names  []string // whose turn it is, in front
	queues map[string]Q
}

type fifo struct{ tickets []*ticket }

// get returns the queue of a name, and makes it if it is not there.
func (t *turns[Q]) get(name string, create func() Q) Q {
	q, there := t.queues[name]
	if !there {
		if t.queues == nil {
			t.queues = map[string]Q{}
		}
		q = create()
		t.queues[name] = q
		t.names = append(t.names, name)
	}
	return q
}

// next returns the queue whose turn it is, and moves it to the end.
func (t *turns[Q]) next() (name string, q Q) {
	name = t.names[0]
	t.names = append(t.names[1:], name)
	return name, t.queues[name]
}

func (t *turns[Q]) drop(name string) {
	delete(t.queues, name)
	t.names = slices.DeleteFunc(t.names, func(n string) bool { return n == name })
}

func (q *fairQueue) push(t *ticket) {
	customers := q.sources.get(t.intent.Source, func() *turns[*fifo] { return &turns[*fifo]{} })
	line := customers.get(t.intent.Customer, func() *fifo { return &fifo{} })
	line.tickets = append(line.tickets, t)
	q.length++
}

// pop returns the next ticket; nil if there is none.
func (q *fairQueue) pop() *ticket {
	if q.length == 0 {
		return nil
	}
	_, customers := q.sources.next()
	_, line := customers.next()
	t := line.tickets[0]
	q.remove(t)
	return t
}

// remove takes a ticket out; false if it is not there any more.
func (q *fairQueue) remove(t *ticket) bool {
	customers, there := q.sources.queues[t.intent.Source]
	if !there {
		return false
	}
	line, there := customers.queues[t.intent.Customer]
	if !there {
		return false
	}
	at := slices.Index(line.tickets, t)
	if at < 0 {
		return false
	}
	line.tickets = slices.Delete(line.tickets, at, at+1)
	q.length--
	if len(line.tickets) == 0 {
		customers.drop(t.intent.Customer)
	}
	if len(customers.names) == 0 {
		q.sources.drop(t.intent.Source)
	}
	return true
}
