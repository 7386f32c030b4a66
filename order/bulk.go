package order

import (
	"fmt"
	"slices"
)

// MaxBulk is how many orders a bulk action may have.
const MaxBulk = 100

// BulkKinds are the actions that can be done with many orders at once: those that need no more than a reason.
var BulkKinds = []ActionKind{Confirm, Hold, Approve, Cancel, Fulfil, Bill}

// Bulk is the wish to do the same with many orders, each for itself.
type Bulk struct {
	Kind     ActionKind `json:"action"`
	OrderIDs []int64    `json:"order_ids"`
	Reason   string     `json:"reason,omitempty"` // of holds and cancellations, for people
}

// BulkOutcome is what became of one order of a bulk action: Placement and Err are as of the action by itself, under Key.
type BulkOutcome struct {
	OrderID   int64
	Key       string
	Placement Placement
	Err       error
}

// Validate checks all that can be told without a database or the ERP, and names every field at fault.
func (b *Bulk) Validate() *Error {
	var v violations
	if !slices.Contains(BulkKinds, b.Kind) {
		v.add("action", "must be one of %v", BulkKinds)
	}
	if len(b.OrderIDs) == 0 || len(b.OrderIDs) > MaxBulk {
		v.add("order_ids", "must be between 1 and %d", MaxBulk)
		return v.err()
	}
	seen := map[int64]bool{}
	for i, id := range b.OrderIDs {
		if seen[id] {
			v.add(fmt.Sprintf("order_ids[%d]", i), "is given twice")
		}
		seen[id] = true
	}
	v.text("reason", b.Reason, MaxDetail, manyLines)
	if b.Reason != "" && b.Kind != Hold && b.Kind != Cancel {
		v.add("reason", "is of holds and cancellations only")
	}
	return v.err()
}

// Actions are those that it consists of, in the sequence of its orders. Each tells of which bulk action it is a part, so that a key
// stands for that and no other.
func (b *Bulk) Actions() []Action {
	whole := fingerprintOf(b)
	actions := make([]Action, len(b.OrderIDs))
	for i, id := range b.OrderIDs {
		actions[i] = Action{Kind: b.Kind, OrderID: id, Reason: b.Reason, Bulk: whole}
	}
	return actions
}
