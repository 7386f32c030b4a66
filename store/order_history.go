package store

import (
	"time"

	"ordergate/order"
)

// telling is what a batch of orders tells the histories.
type telling struct {
	created, changed []arrival
	corrected        []arrival // of which it was found only now how they differ from what was sent
}

// tell enters in the histories what the batch came to: who placed an order or that it appeared, what the ERP says of it that its
// history does not, and how it differs from what was sent.
func (u *upsert) tell(batch telling, standing map[int64]orderRow) error {
	orderedAt := map[int64]time.Time{}
	var moved []int64
	for id := range u.placements {
		orderedAt[id] = standing[id].OrderedAt
	}
	for _, a := range batch.changed {
		id := a.order.ERPOrderID
		orderedAt[id] = a.order.OrderedAt
		if !standing[id].OrderedAt.Equal(a.order.OrderedAt) {
			moved = append(moved, id)
		}
	}
	for _, a := range batch.created { // the history may be older than the order's row
		orderedAt[a.order.ERPOrderID] = a.order.OrderedAt
		moved = append(moved, a.order.ERPOrderID)
	}
	history, err := u.store.appendTo(u.tx, u.tenantID, u.now, orderedAt)
	if err != nil {
		return err
	}
	if err := history.move(moved); err != nil {
		return err
	}

	for id, p := range u.placements {
		if !p.action {
			history.addOnce(id, p.caller, p.entries...)
		}
	}
	for _, arrivals := range [][]arrival{batch.created, batch.changed} {
		for _, a := range arrivals {
			id := a.order.ERPOrderID
			if !history.begun(id) {
				appeared := order.Entry(id, order.HistoryAppeared)
				appeared.Payload = order.PayloadText(map[string]any{"status": a.order.Status})
				history.add(id, u.writer(id), appeared)
			}
			history.add(id, u.writer(id), a.seen.News(history.known[id])...)
			history.add(id, u.writer(id), a.seen.NewsOfDeletions(history.known[id])...)
			history.add(id, u.writer(id), history.known[id].NewsOfEdits(id, a.order.Edits.String)...)
		}
	}
	for id, p := range u.placements {
		if p.action { // why it was done stands behind what came of it
			history.addOnce(id, p.caller, p.entries...)
		}
	}
	for _, a := range batch.corrected {
		id := a.order.ERPOrderID
		history.add(id, u.writer(id), history.known[id].NewsOfEdits(id, a.order.Edits.String)...)
	}
	return history.write()
}

// writer is who enters what happened to an order: who placed it, or who read it.
func (u *upsert) writer(erpOrderID int64) string {
	if p, placed := u.placements[erpOrderID]; placed {
		return p.caller
	}
	return u.recordedBy
}
