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

	counts  Upserted
	rowIDs  map[int64]int64 // by ERP id
	history []historyRow
}

// placement is what is known of an order because it was placed from here.
type placement struct {
	source  string
	caller  string
	entries []order.HistoryEntry // what its history says instead of "appeared"
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
		a.order.ID, a.order.Source = row.ID, row.Source
		if p, placed := u.placements[row.ERPOrderID]; placed {
			a.order.Source = p.source
		}
		switch u.judge(a, row) {
		case newer:
			changed = append(changed, a)
			u.noteChange(a.order, row)
		case sameReadLater:
			later[a.order.ReadAt.Time] = append(later[a.order.ReadAt.Time], row.ID)
		}
	}
	if err := u.create(created); err != nil {
		return err
	}
	if err := u.change(changed); err != nil {
		return err
	}
	if err := u.noteReading(later); err != nil {
		return err
	}
	if err := u.notePlacements(arrivals, standing); err != nil {
		return err
	}
	if err := u.insertLines(created, changed); err != nil {
		return err
	}
	return insertHistory(u.tx, u.history)
}

// standing reads and locks what the mirror holds of the orders, by ERP id.
func (u *upsert) standing(arrivals []arrival) (map[int64]orderRow, error) {
	ids := make([]int64, len(arrivals))
	for i, a := range arrivals {
		ids[i] = a.order.ERPOrderID
	}
	var rows []orderRow
	err := u.store.forUpdate(u.tx).
		Select("id", "erp_order_id", "status", "source", "write_date", "lines_write_date", "read_at", "digest", "deleted_at").
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
	case compareAge(a.order, standing) < 0:
		u.counts.Older++
		return older
	}
	u.counts.Updated++
	return newer
}

// noteChange enters in the history what a newer state means to people.
func (u *upsert) noteChange(arriving, standing orderRow) {
	if standing.DeletedAt.Valid {
		u.note(arriving, order.HistoryRestored, "")
	}
	if standing.Status != arriving.Status {
		u.note(arriving, order.HistoryStatusChanged, standing.Status)
	}
}

func (u *upsert) note(arriving orderRow, code, from string) {
	recordedBy := u.recordedBy
	if p, placed := u.placements[arriving.ERPOrderID]; placed {
		recordedBy = p.caller
	}
	u.history = append(u.history, historyRow{TenantID: u.tenantID, OrderID: arriving.ID, Code: code,
		Severity: string(order.Info), FromStatus: from, ToStatus: arriving.Status, RecordedBy: recordedBy, RecordedAt: u.now})
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
		rows[i], ids[i] = a.order, a.order.ERPOrderID
	}
	sources, err := u.sources(ids)
	if err != nil {
		return fmt.Errorf("reading who placed them: %w", err)
	}
	for i := range rows {
		rows[i].TenantID, rows[i].Source = u.tenantID, sources[rows[i].ERPOrderID]
		rows[i].CreatedAt, rows[i].UpdatedAt = u.now, u.now
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
		if _, placed := u.placements[created[i].order.ERPOrderID]; !placed {
			u.note(created[i].order, order.HistoryAppeared, "")
		}
	}
	return nil
}

// sources tells for each order who placed it. After the mirror was lost, the intents still know.
func (u *upsert) sources(erpOrderIDs []int64) (map[int64]string, error) {
	sources := make(map[int64]string, len(erpOrderIDs))
	var others []int64
	for _, id := range erpOrderIDs {
		p, placed := u.placements[id]
		if !placed {
			p.source = order.SourceERP
			others = append(others, id)
		}
		sources[id] = p.source
	}
	if len(others) == 0 {
		return sources, nil
	}
	var placed []intentRow
	err := u.tx.Select("erp_order_id", "source").
		Where("tenant_id = ? AND erp_order_id IN ?", u.tenantID, others).Find(&placed).Error
	for _, intent := range placed {
		sources[intent.ERPOrderID.Int64] = intent.Source
	}
	return sources, err
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

// notePlacements appends the placements' own entries, and corrects the source where a sync was faster.
func (u *upsert) notePlacements(arrivals []arrival, standing map[int64]orderRow) error {
	for _, a := range arrivals {
		p, placed := u.placements[a.order.ERPOrderID]
		if !placed {
			continue
		}
		row, known := standing[a.order.ERPOrderID]
		if known && row.Source != p.source {
			err := u.tx.Model(&orderRow{}).Where("id = ? AND tenant_id = ?", row.ID, u.tenantID).
				Updates(map[string]any{"source": p.source, "updated_at": u.now}).Error
			if err != nil {
				return fmt.Errorf("setting the source: %w", err)
			}
		}
		for _, entry := range p.entries {
			u.history = append(u.history, newHistoryRow(u.tenantID, u.rowIDs[a.order.ERPOrderID], entry, u.now))
		}
	}
	return nil
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
