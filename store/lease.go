package store

import (
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ordergate/failpoint"
	"ordergate/order"
)

const (
	// LeaseLasts is how long a lease is given for. Who carries an intent for longer renews it.
	LeaseLasts = 12 * time.Second
	// MaxBackoff is the longest wait between two attempts at an intent.
	MaxBackoff = time.Minute
)

// ClockSlack is how far the clocks of the processes may be apart: a lease that ends further in the future than leases
// last, and this, was written by a wrong clock.
const ClockSlack = 30 * time.Second

// Lease is what a claim takes. Token and Until must be set; each claim needs a token of its own.
type Lease struct {
	Token string
	Now   time.Time // by the clock of this process
	Until time.Time
	// ERPNow is the ERP's clock: the UnknownAt of what a crash left behind. Zero while it is not known: nothing in Sending is
	// claimed then, because its doubt could not be dated.
	ERPNow time.Time
	// Held are tokens of this process under which intents are queued.
	Held []string
	// Anew are intents that begin anew if they are in Refused. Another process may have refused what is queued here, and
	// have said so.
	Anew []int64
}

// check refuses a lease that could not be told from a free one, or would never be over.
func (l Lease) check() error {
	if l.Token == "" || l.Until.IsZero() {
		return errors.New("a lease needs a token and an end")
	}
	return nil
}

// Carried reports whether a lease, as an intent holds it, keeps others from the intent: it is neither free nor over, nor
// was it written by a wrong clock. It is what uncarried is in SQL.
func Carried(in order.Intent, now time.Time) bool {
	return in.LeaseToken != "" && in.LeaseUntil.After(now) && !in.LeaseUntil.After(now.Add(LeaseLasts+ClockSlack))
}

// uncarried is the condition that nobody carries an intent: its lease is free, over, or was written by a wrong clock.
func uncarried(now time.Time) clause.Expr {
	condition, values := "lease_token = ''", []any{}
	if !failpoint.Out(failpoint.Takeover) {
		condition += " OR lease_until <= ?"
		values = append(values, timestamp(now))
	}
	if !failpoint.Out(failpoint.WrongClock) {
		condition += " OR lease_until > ?"
		values = append(values, timestamp(now.Add(LeaseLasts+ClockSlack)))
	}
	return gorm.Expr("("+condition+")", values...)
}

// due is the condition that the time of an intent's next attempt has come, or was written by a wrong clock.
func due(now time.Time) clause.Expr {
	condition, values := "next_attempt_at IS NULL OR next_attempt_at <= ?", []any{timestamp(now)}
	if !failpoint.Out(failpoint.WrongClock) {
		condition += " OR next_attempt_at > ?"
		values = append(values, timestamp(now.Add(2*MaxBackoff)))
	}
	return gorm.Expr("("+condition+")", values...)
}

// fence keeps a query to what token holds. A holder whose lease is over, but was not taken, still holds it. The empty
// token holds nothing: it is what a free lease looks like.
func fence(token string) func(*gorm.DB) *gorm.DB {
	return func(query *gorm.DB) *gorm.DB {
		if failpoint.Out(failpoint.Fence) {
			return query
		}
		return query.Where("lease_token = ? AND lease_token <> ''", token)
	}
}

// Placed is one order of a batch that the ERP has made, or has done an action with.
type Placed struct {
	IntentID int64
	Action   bool
	Source   string
	Caller   string
	Snapshot order.Snapshot
	Original order.Original // what was sent; of an action only what a change left, and without lines otherwise
	Entries  []order.HistoryEntry
	// Shortages go into the answer that is kept for the intent.
	Shortages []order.Shortage
}

// End says how an attempt ended that placed nothing.
type End struct {
	IntentID int64
	// State is where the intent stands now: Rejected, Refused, CalledOff; Sending, Queued or Parked if it goes on.
	State order.IntentState
	// Acknowledged says that the caller was, or will be, told 202. It is never taken back.
	Acknowledged bool
	UnknownAt    time.Time // when the attempt ended without a known outcome, by the ERP's clock; zero keeps what stands
	Strike       bool      // counts one more
	// NextAttemptAt is when it is due again; zero for at once, or where that has no meaning.
	NextAttemptAt time.Time
	ERPOrderID    int64        // of the order, where it is known to have been made; 0 keeps what stands
	Failure       *order.Error // why; nil keeps what stands
}

// Upserted counts what a batch of snapshots did to the mirror.
type Upserted struct {
	Created, Updated, Unchanged, Older int
}

// Cursor is how far a model was synced.
type Cursor struct {
	WriteDate time.Time // the latest write_date seen, by the ERP's clock
	SyncedAt  time.Time // when the last complete sync began, by the local clock
	Complete  bool      // a full sync has come to its end once
}
