package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

const (
	// upsertBatch is how many orders one transaction brings up to date: it bounds how long their rows are locked.
	upsertBatch = 200
	// insertRows is how many rows one INSERT has. SQLite allows 32766 values in a statement, and a row has up to 29.
	insertRows = 500
	// lookupIDs is how many ids one IN list has.
	lookupIDs = 1000
	// readAtStep is how much later an unchanged order must have been read for the mirror to note it. Noting less would
	// write at every listing, and tell nothing: the ERP's times have a precision of one second.
	readAtStep = 2 * time.Second
)

// UpsertOrders brings the mirror to the snapshots, in transactions of up to 200 orders. An older state never replaces
// a newer one, an unchanged one writes nothing, and what happened is entered in the history: an order's first
// appearance, each change of its status, and its return if it was marked deleted. The source of an order that the
// mirror did not know is the one of the intent that placed it, or order.SourceERP. If an error ends it, the batches
// before it stay: Upserted counts them.
func (s *Store) UpsertOrders(
	ctx context.Context, tenantID int64, snapshots []order.Snapshot, recordedBy string,
) (Upserted, error) {
	var total Upserted
	arrivals, err := prepareSnapshots(snapshots, &total)
	if err != nil {
		return total, classify("upsert", "orders", err, beforeCommit)
	}
	for batch := range slices.Chunk(arrivals, upsertBatch) {
		var counts Upserted
		err := s.insertRace(ctx, "upsert", "orders", keyOrder, func(tx *gorm.DB) error {
			up := upsert{store: s, tx: tx, tenantID: tenantID, now: s.now(), recordedBy: recordedBy}
			err := up.run(batch)
			counts = up.counts
			return err
		})
		if err != nil {
			return total, err
		}
		total.Created += counts.Created
		total.Updated += counts.Updated
		total.Unchanged += counts.Unchanged
		total.Older += counts.Older
	}
	return total, nil
}

// prepareSnapshots sorts by id, so that concurrent transactions lock rows in the same order, and keeps the newest
// snapshot of each order.
func prepareSnapshots(snapshots []order.Snapshot, total *Upserted) ([]arrival, error) {
	newest := map[int64]arrival{}
	for _, s := range snapshots {
		a, err := prepareSnapshot(s)
		if err != nil {
			return nil, err
		}
		if other, twice := newest[s.ID]; twice {
			total.Older++
			if compareAge(a.order, other.order) < 0 {
				continue
			}
		}
		newest[s.ID] = a
	}
	arrivals := make([]arrival, 0, len(newest))
	for _, a := range newest {
		arrivals = append(arrivals, a)
	}
	slices.SortFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.order.ERPOrderID, b.order.ERPOrderID) })
	return arrivals, nil
}

// readingSlack is how far ReadAt may lie before the moment of reading: the ERP tells its time in whole seconds, and how
// long a call waited for its turn is part of it.
const readingSlack = 3 * time.Second

// compareAge is negative if arriving is an older state of an order than standing, positive if it is newer, and 0 if they
// are of the same age. The order's write_date decides, then that of its lines. But deleting the line that was written
// last takes the lines' date back, and may leave the order's alone: there the later reading is the newer state. Two
// readings within the slack are told apart by the date of the documents, or not at all; then the one that arrives counts, and
// the next sync, which reads again what was read so soon after it was written, has the last word.
func compareAge(arriving, standing orderRow) int {
	if c := timeOf(arriving.WriteDate).Compare(timeOf(standing.WriteDate)); c != 0 {
		return c
	}
	reading := 0
	if apart := timeOf(arriving.ReadAt).Sub(timeOf(standing.ReadAt)); apart.Abs() > readingSlack {
		reading = cmp.Compare(apart, 0)
	}
	lines := timeOf(arriving.LinesWriteDate).Compare(timeOf(standing.LinesWriteDate))
	if lines == 0 || (lines < 0 && reading >= 0) {
		return cmp.Or(reading, timeOf(arriving.DocumentsWriteDate).Compare(timeOf(standing.DocumentsWriteDate)))
	}
	return lines
}
