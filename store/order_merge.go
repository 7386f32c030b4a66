package store

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// upsert brings one batch of orders up to date within a transaction.
type upsert struct {
	store      *Store
	tx         *gorm.DB
	tenantID   int64
	now        time.Time
	recordedBy string

	placements map[int64]placement // of the orders that are being placed, by ERP id

	counts    Upserted
	rowIDs    map[int64]int64 // by ERP id
	strangers map[int64]bool  // partners that the mirror did not know
}

// placement is what is known of an order because it was placed, or something was done with it, from here.
type placement struct {
	action   bool // the order stood before: its source is not known
	source   string
	caller   string
	original order.Original       // without lines where it is not known
	entries  []order.HistoryEntry // what its history says instead of "appeared"
}

// agrees reports whether it changed an order that was sent through the gateway, whose caller agreed to all that stands.
func (p placement) agrees(standing orderRow) bool {
	return p.action && len(p.original.Lines) > 0 && standing.Original.Valid
}

// run takes the arrivals sorted by ERP id, one for each order.
func (u *upsert) run(arrivals []arrival) error {
	standing, err := u.standing(arrivals)
	if err != nil {
		return fmt.Errorf("reading what stands: %w", err)
	}
	u.rowIDs = make(map[int64]int64, len(arrivals))
	var created, changed []arrival
	later := map[time.Time][]int64{}
	for _, a := range arrivals {
		row, known := standing[a.order.ERPOrderID]
		if !known {
			created = append(created, a)
			continue
		}
		u.rowIDs[row.ERPOrderID] = row.ID
		a.order.ID, a.order.Source, a.order.Original = row.ID, row.Source, row.Original
		p, placed := u.placements[row.ERPOrderID]
		if placed && !p.action {
			a.order.Source = p.source
		}
		if placed && p.agrees(row) {
			if a.order.Original, err = originalText(p.original); err != nil {
				return err
			}
		}
		if err := a.compareWithOriginal(); err != nil {
			return err
		}
		switch u.judge(a, row) {
		case newer:
			changed = append(changed, a)
		case sameReadLater:
			later[a.order.ReadAt.Time] = append(later[a.order.ReadAt.Time], row.ID)
		}
	}
	if err := u.setCompanies(created, changed); err != nil {
		return err
	}
	if err := u.create(created); err != nil {
		return err
	}
	if err := u.change(changed); err != nil {
		return err
	}
	if err := u.correctCompanies(created, changed); err != nil {
		return err
	}
	if err := u.changeTerms(created, changed, standing); err != nil {
		return err
	}
	if err := u.noteReading(later); err != nil {
		return err
	}
	if err := u.insertLines(created, changed); err != nil {
		return err
	}
	corrected, err := u.correctOrigins(arrivals, standing)
	if err != nil {
		return err
	}
	return u.tell(telling{created: created, changed: changed, corrected: corrected}, standing)
}

// standing reads and locks what the mirror holds of the orders, by ERP id.
func (u *upsert) standing(arrivals []arrival) (map[int64]orderRow, error) {
	ids := make([]int64, len(arrivals))
	for i, a := range arrivals {
		ids[i] = a.order.ERPOrderID
	}
	var rows []orderRow
	err := u.store.forUpdate(u.tx).
		Select("id", "erp_order_id", "status", "source", "write_date", "lines_write_date", "documents_write_date", "read_at", "digest", "deleted_at",
			"original", "edits", "number", "reference", "ordered_at", "search_text").
		Where("tenant_id = ? AND erp_order_id IN ?", u.tenantID, ids).
		Order("erp_order_id").Find(&rows).Error
	standing := make(map[int64]orderRow, len(rows))
	for _, row := range rows {
		standing[row.ERPOrderID] = row
	}
	return standing, err
}

type verdict int

const (
	older verdict = iota
	same
	sameReadLater
	newer
)

// judge decides what becomes of an arrival whose order the mirror holds, and counts it.
func (u *upsert) judge(a arrival, standing orderRow) verdict {
	unchanged := a.order.Digest == standing.Digest && !standing.DeletedAt.Valid
	switch {
	case unchanged && timeOf(a.order.ReadAt).Sub(timeOf(standing.ReadAt)) >= readAtStep:
		u.counts.Unchanged++
		return sameReadLater
	case unchanged:
		u.counts.Unchanged++
		return same
	case standing.DeletedAt.Valid && !timeOf(a.order.ReadAt).After(timeOf(standing.ReadAt)), compareAge(a.order, standing) < 0:
		u.counts.Older++
		return older
	}
	u.counts.Updated++
	return newer
}

// create inserts orders and sets their row ids. They are read back, because what a server says about the ids of a
// multi-row INSERT depends on its settings.
func (u *upsert) create(created []arrival) error {
	if len(created) == 0 {
		return nil
	}
	rows := make([]orderRow, len(created))
	ids := make([]int64, len(created))
	for i, a := range created {
		ids[i] = a.order.ERPOrderID
	}
	origins, err := u.origins(ids)
	if err != nil {
		return fmt.Errorf("reading who placed them: %w", err)
	}
	for i := range created {
		a := &created[i]
		origin := origins[a.order.ERPOrderID]
		a.order.TenantID, a.order.Source = u.tenantID, origin.source
		a.order.CreatedAt, a.order.UpdatedAt = u.now, u.now
		if a.order.Original, err = originalText(origin.original); err != nil {
			return err
		}
		if err := a.compareWithOriginal(); err != nil {
			return err
		}
		rows[i] = a.order
	}
	if err := u.tx.CreateInBatches(&rows, insertRows).Error; err != nil {
		return fmt.Errorf("inserting: %w", err)
	}
	u.counts.Created += len(rows)

	if err := u.readRowIDs(ids); err != nil {
		return fmt.Errorf("reading the new ids: %w", err)
	}
	for i := range created {
		created[i].order.ID = u.rowIDs[created[i].order.ERPOrderID]
	}
	return nil
}

// origins tells for each order who placed it, and what was sent. After the mirror was lost, the intents still know.
func (u *upsert) origins(erpOrderIDs []int64) (map[int64]placement, error) {
	origins := make(map[int64]placement, len(erpOrderIDs))
	var others []int64
	for _, id := range erpOrderIDs {
		p, placed := u.placements[id]
		if !placed || p.action {
			p = placement{source: order.SourceERP}
			others = append(others, id)
		}
		origins[id] = p
	}
	if len(others) == 0 {
		return origins, nil
	}
	var rows []intentRow
	// The first of those that have an order counts: keys of other systems may have been adopted for it later.
	err := u.tx.Where("tenant_id = ? AND erp_order_id IN ? AND kind IN ?", u.tenantID, others, []string{placing, string(order.Amend)}).
		Order("id DESC").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	agreed := map[int64]order.Original{} // by the latest change of each
	for _, row := range rows {
		id := row.ERPOrderID.Int64
		in, err := row.intent()
		if row.Kind != placing {
			if _, later := agreed[id]; !later && err == nil && in.Result != nil {
				agreed[id] = order.OriginalOf(*in.Result)
			}
			continue
		}
		p := placement{source: row.Source}
		if original, changed := agreed[id]; changed {
			p.original = original
		} else if err == nil && in.Result != nil {
			p.original = order.NewOriginal(in.Request, in.Plan, *in.Result)
		}
		origins[id] = p
	}
	return origins, nil
}

// change overwrites what the ERP says of orders, and removes their old lines.
func (u *upsert) change(changed []arrival) error {
	if len(changed) == 0 {
		return nil
	}
	ids := make([]int64, len(changed))
	for i, a := range changed {
		ids[i] = a.order.ID
		row := a.order
		row.UpdatedAt = u.now
		err := u.tx.Model(&orderRow{}).Where("id = ? AND tenant_id = ?", row.ID, u.tenantID).
			Select("*").Omit("id", "tenant_id", "erp_order_id", "created_at").Updates(row).Error
		if err != nil {
			return fmt.Errorf("updating: %w", err)
		}
	}
	err := u.tx.Where("tenant_id = ? AND order_id IN ?", u.tenantID, ids).Delete(&lineRow{}).Error
	if err != nil {
		return fmt.Errorf("removing old lines: %w", err)
	}
	return nil
}

// noteReading records that unchanged orders were read again. Orders that were read together share one moment.
func (u *upsert) noteReading(later map[time.Time][]int64) error {
	for readAt, ids := range later {
		err := u.tx.Model(&orderRow{}).Where("tenant_id = ? AND id IN ?", u.tenantID, ids).
			Update("read_at", readAt).Error
		if err != nil {
			return fmt.Errorf("noting when they were read: %w", err)
		}
	}
	return nil
}

// correctOrigins corrects who placed orders that a sync brought before their placement was stored, and returns those of
// which it found how they differ from what was sent.
func (u *upsert) correctOrigins(arrivals []arrival, standing map[int64]orderRow) ([]arrival, error) {
	var corrected []arrival
	for _, a := range arrivals {
		p, placed := u.placements[a.order.ERPOrderID]
		row, known := standing[a.order.ERPOrderID]
		if !placed || !known {
			continue
		}
		if p.action {
			p.source = row.Source
		}
		if p.action && !p.agrees(row) || !p.action && row.Source == p.source && row.Original.Valid {
			continue
		}
		compared, err := u.setOrigin(&a, row, p)
		if err != nil {
			return nil, fmt.Errorf("setting who placed it: %w", err)
		}
		if compared {
			corrected = append(corrected, a)
		}
	}
	return corrected, nil
}

// setOrigin corrects an order that a sync brought before its placement was stored. If that sync saw a newer state, how this
// differs from what was sent is found when it is read the next time: it then looks like another state.
func (u *upsert) setOrigin(a *arrival, standing orderRow, p placement) (compared bool, err error) {
	if a.order.Original, err = originalText(p.original); err != nil {
		return false, err
	}
	a.order.ID = standing.ID
	changes := map[string]any{"source": p.source, "original": a.order.Original, "updated_at": u.now}
	if a.order.Digest != standing.Digest && compareAge(a.order, standing) < 0 {
		changes["digest"] = ""
	} else {
		if err := a.compareWithOriginal(); err != nil {
			return false, err
		}
		compared = true
		changes["edits"], changes["edited"] = a.order.Edits, a.order.Edited
	}
	return compared, u.tx.Model(&orderRow{}).Where("id = ? AND tenant_id = ?", standing.ID, u.tenantID).Updates(changes).Error
}

func (u *upsert) insertLines(groups ...[]arrival) error {
	var lines []lineRow
	for _, a := range slices.Concat(groups...) {
		for _, line := range a.lines {
			line.TenantID, line.OrderID = u.tenantID, a.order.ID
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if err := u.tx.CreateInBatches(&lines, insertRows).Error; err != nil {
		return fmt.Errorf("inserting lines: %w", err)
	}
	return nil
}

func (u *upsert) readRowIDs(erpOrderIDs []int64) error {
	var rows []orderRow
	err := u.tx.Select("id", "erp_order_id").
		Where("tenant_id = ? AND erp_order_id IN ?", u.tenantID, erpOrderIDs).Find(&rows).Error
	for _, row := range rows {
		u.rowIDs[row.ERPOrderID] = row.ID
	}
	return err
}
