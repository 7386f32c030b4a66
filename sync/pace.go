package ordersync

import "time"

// pace decides how many orders go in one call, and on how many lanes, by what the ERP bore so far. It is not safe for
// concurrent use.
type pace struct {
	mostOrders int // in a call
	mostLanes  int
	tooSlow    time.Duration // a call that takes this long was too large

	orders  int  // in the next call
	doubted bool // the last call got no definite answer for any order: one small call at a time until one does
	// spent is how long an attempt takes, smoothed; zero before the first.
	spent time.Duration
}

func newPace(orders, lanes int, tooSlow time.Duration) pace {
	return pace{mostOrders: orders, mostLanes: lanes, tooSlow: tooSlow, orders: orders}
}

// lanes is how many calls may be under way at once.
func (p *pace) lanes() int {
	if p.doubted {
		return 1
	}
	return p.mostLanes
}

// observe takes in how an attempt went. Definite says that the ERP gave a clear answer about some order of it.
func (p *pace) observe(took time.Duration, definite bool) {
	const weight = 4 // of what was, against 1 of what is
	if p.spent == 0 {
		p.spent = took
	}
	p.spent = (p.spent*weight + took) / (weight + 1)

	switch {
	case !definite:
		p.orders = 1
	case took >= p.tooSlow:
		p.orders = max(1, p.orders/2)
	default:
		p.orders = min(p.mostOrders, p.orders*2)
	}
	p.doubted = !definite
}

// wait estimates how long it takes until the answer of an order that joins so many that wait already.
func (p *pace) wait(ahead int) time.Duration {
	calls := ahead/p.orders + 1
	rounds := (calls + p.lanes() - 1) / p.lanes()
	// Half an attempt is left, on average, of those under way.
	return time.Duration(rounds)*p.spent + p.spent/2
}
