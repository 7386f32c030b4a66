// Package failpoint lets a fault run break the program on purpose: kill or halt it at a named point, take one of its
// guards out, or step its clock. In an ordinary build every function here is empty and costs nothing; the build tag
// "failpoints" makes them heed the environment variable ORDERGATE_FAILPOINTS.
//
// It is a package of its own because the points lie in several packages that otherwise do not know each other, and
// because no production binary may hold a switch that turns a guard off.
package failpoint

// Point is a place in the program at which it can be killed or halted.
type Point string

// The points, in the order in which an order passes them.
const (
	IntentWritten Point = "intent-written" // accepted and stored; nothing was sent
	QueueClaimed  Point = "queue-claimed"  // queued intents were claimed by a lane; nothing was sent
	PartiesReady  Point = "parties-ready"  // partners exist in the ERP; the orders were not sent
	OrdersSent    Point = "orders-sent"    // the ERP answered the placement; nothing was read back
	OrdersRead    Point = "orders-read"    // read back; nothing was mirrored
	AttemptStored Point = "attempt-stored" // the outcome is stored; nobody was told
	ResolverHeld  Point = "resolver-held"  // the resolver holds an intent in doubt; nothing was sent
	BeforeRelease Point = "before-release" // an attempt failed; that is not stored
)

// Points are all of them.
var Points = []Point{IntentWritten, QueueClaimed, PartiesReady, OrdersSent, OrdersRead, AttemptStored, ResolverHeld, BeforeRelease}

// Guard is a piece of the program without which a promise breaks.
type Guard string

// The guards that a fault run can take out.
const (
	ExternalID     Guard = "external-id"     // an order's external id derives from its key
	UnknownOutcome Guard = "unknown-outcome" // a lost answer leaves an intent in doubt
	DoubtLasts     Guard = "doubt-lasts"     // while an earlier call may still run no refusal is final
	StickyDoubt    Guard = "sticky-doubt"    // a refused repetition does not settle what the first call did
	Fence          Guard = "fence"           // who lost the lease writes nothing
	Replay         Guard = "replay"          // a known key is answered from its intent
	Fingerprint    Guard = "fingerprint"     // a known key with another order is refused
	Takeover       Guard = "takeover"        // an intent whose lease is over is taken up
	WrongClock     Guard = "wrong-clock"     // a lease too far in the future counts as over
	QueueBound     Guard = "queue-bound"     // a full queue refuses
	QueueOrder     Guard = "queue-order"     // a customer's queued orders go in turn
	Acknowledged   Guard = "acknowledged"    // what was answered 202 is not refused later
	DeletedStays   Guard = "deleted-stays"   // an order deleted in the ERP is not made again
	LeaveAlone     Guard = "leave-alone"     // a repetition does not overwrite what people edited
	OneAction      Guard = "one-action"      // an action holds its order until it is done
	PlanKept       Guard = "plan-kept"       // what an action comes to is stored before anything is sent
	PayOnce        Guard = "pay-once"        // nothing is paid or invoiced again while an earlier call may still run
	OrderProves    Guard = "order-proves"    // whether an action was done is read from the order, not from the answer
)

// Guards are all of them.
var Guards = []Guard{ExternalID, UnknownOutcome, DoubtLasts, StickyDoubt, Fence, Replay, Fingerprint, Takeover, WrongClock,
	QueueBound, QueueOrder, Acknowledged, DeletedStays, LeaveAlone, OneAction, PlanKept, PayOnce, OrderProves}
