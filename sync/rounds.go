package ordersync

import "time"

// rounds decides when the background looks at the ERP again, and how far back. One goroutine at a time uses it.
type rounds struct {
	interval time.Duration // between two rounds, as a rule
	limit    time.Duration // Odoo's longest transaction

	took       time.Duration // by the last round
	changed    bool          // it found something
	idle       int           // rounds in a row that found nothing
	thoroughAt time.Time     // when the last thorough round began; zero: none did
	thorough   time.Duration // that it took

	// upTo is the highest id that the mirror had at the last round: by now what was under way then is in both sides, so
	// that their numbers of orders up to it can be compared. 0: no round was made yet.
	upTo int64
}

const (
	idleRounds    = 3  // after which the rounds become rarer
	share         = 10 // the background takes at most one part in so many of the time
	thoroughShare = 30 // and the long looks of it, which find next to nothing, one in so many
)

// isThorough reports whether a round at a time looks back for slow transactions. While much is written that is a long
// look, and the shorter ones see to what is new; it is made in time for the next one to begin where it ended.
func (r *rounds) isThorough(now time.Time) bool {
	return r.thoroughAt.IsZero() || now.Sub(r.thoroughAt) >= min(thoroughShare*r.thorough, r.limit) || now.Before(r.thoroughAt)
}

// ended notes a round that began at a time.
func (r *rounds) ended(began time.Time, took time.Duration, thorough, changed bool) {
	if thorough {
		r.thoroughAt, r.thorough = began, took
	}
	r.took, r.changed = took, changed
	if changed {
		r.idle = 0
	} else {
		r.idle++
	}
}

// pause is how long to wait before the next round: a third of the interval while there are changes, up to four times as
// long while there are none, and long enough to leave the ERP to others, but for a fifth of the longest transaction: what
// a deletion takes two rounds to show is not to take much longer than that.
func (r *rounds) pause() time.Duration {
	pause := r.interval
	switch {
	case r.changed:
		pause /= 3
	case r.idle > idleRounds:
		pause = min(pause<<min(r.idle-idleRounds, 8), slowest(r.interval))
	}
	return max(pause, min((share-1)*r.took, r.limit/5))
}

// slowest is the longest pause between two rounds of an ERP that answers well.
func slowest(interval time.Duration) time.Duration { return 4 * interval }
