package ordersync

import (
	"context"
	"maps"
	"slices"
	"time"

	"ordergate/order"
)

// view is one order as both sides have it at about one moment.
type view struct {
	id           int64
	erp, mirror  *order.Snapshot // nil: not there; the mirror's is not nil for a tombstone
	unreadable   error           // why the ERP's order cannot be understood
	difference   string          // empty if the two agree
	kind         order.FindingKind
	beingWritten bool // lately, on either side: the sync has not had its turn
}

// sides are the ERP and the mirror, for whoever compares orders in both.
type sides struct {
	*Service
	settled     time.Duration // how long ago an order must have been written for a difference to count
	calls, rows int64         // that were made to the ERP, and that they brought
}

// asked counts a call to the ERP and what it brought.
func (c *sides) asked(rows int) {
	c.calls++
	c.rows += int64(rows)
}

// judge looks at the suspects twice, with a pause in between in which the sync may do its work, and names what differs
// both times.
func (a *audit) judge(ctx context.Context) ([]order.Finding, error) {
	first, err := a.look(ctx, slices.Sorted(maps.Keys(a.suspects)))
	if err != nil {
		return nil, err
	}
	explained := map[int64]bool{}
	var differing []int64
	for _, v := range first {
		if v.before(a.options.Since) {
			continue
		}
		explained[v.id] = true
		if v.beingWritten {
			a.run.Unsettled++
			continue
		}
		differing = append(differing, v.id)
	}
	for _, l := range a.leaves {
		if !slices.ContainsFunc(l.ids, func(id int64) bool { return explained[id] }) {
			a.run.Unexplained++
		}
	}
	if len(differing) == 0 {
		return nil, nil
	}
	if err := sleep(ctx, a.options.Pause); err != nil {
		return nil, err
	}
	second, err := a.look(ctx, differing)
	if err != nil {
		return nil, err
	}
	if second, err = a.awaitBurials(ctx, second); err != nil {
		return nil, err
	}
	var findings []order.Finding
	for _, v := range second {
		if v.beingWritten {
			a.run.Unsettled++
			continue
		}
		if v.erp == nil && v.unreadable == nil {
			if v.kind, err = a.goneOrNever(ctx, v); err != nil {
				return nil, err
			}
		}
		findings = append(findings, order.Finding{RunID: a.run.ID, ERPOrderID: v.id, Number: v.number(), Kind: v.kind,
			State: order.FindingFound, Detail: v.difference, FoundAt: a.now().UTC()})
	}
	return findings, nil
}

// awaitBurials looks at the orders that the ERP no longer has until the sync must have noticed. A deletion leaves no date that
// tells how long ago it was; and the sync, which goes by the number of orders, may take more than one turn while others
// are created. Where nobody syncs, nobody is waited for.
func (a *audit) awaitBurials(ctx context.Context, views []view) ([]view, error) {
	absent := func(v view) bool { return v.erp == nil && v.unreadable == nil }
	for began := a.now(); slices.ContainsFunc(views, absent) && a.now().Sub(began) < a.settled; {
		cursor, err := a.mirror.Cursor(ctx, a.tenant.ID, ordersModel)
		if err != nil {
			return nil, err
		}
		if a.now().Sub(cursor.SyncedAt) > a.settled {
			break
		}
		if err := sleep(ctx, a.options.Pause); err != nil {
			return nil, err
		}
		var ids []int64
		rest := views[:0]
		for _, v := range views {
			if absent(v) {
				ids = append(ids, v.id)
			} else {
				rest = append(rest, v)
			}
		}
		again, err := a.look(ctx, ids)
		if err != nil {
			return nil, err
		}
		views = append(rest, again...)
	}
	return views, nil
}

// look returns the orders that differ. Of those that agree, the open findings end.
func (a *audit) look(ctx context.Context, ids []int64) ([]view, error) {
	views, err := a.sides.look(ctx, ids, view.differs, func(done, total int) error {
		a.cfg.Progress("orders", done, total)
		return a.renew(ctx)
	})
	if err != nil {
		return nil, err
	}
	return views, a.closeOpen(ctx, ids, views)
}

func (v view) differs() bool { return v.difference != "" }

// look reads orders whole from both sides, the ERP first, compares them and returns those that the caller keeps. An order that
// differs and that the mirror has read since the ERP was asked is looked at again. Done is called after each page.
func (c *sides) look(ctx context.Context, ids []int64, keep func(view) bool, done func(done, total int) error) ([]view, error) {
	var views []view
	pending := ids
	for round := 1; len(pending) > 0; round++ {
		var again []int64
		looked := 0
		for page := range slices.Chunk(pending, orderPage) {
			list, err := c.lookAt(ctx, page)
			if err != nil {
				return nil, err
			}
			for _, v := range list {
				if v.differs() && v.erp != nil && v.mirror != nil && v.mirror.ReadAt.After(v.erp.ReadAt) {
					if round < 3 {
						again = append(again, v.id)
						continue
					}
					v.beingWritten = true
				}
				if keep(v) {
					views = append(views, v)
				}
			}
			looked += len(page)
			if err := done(looked, len(pending)); err != nil {
				return nil, err
			}
		}
		pending = again
	}
	return views, nil
}

// closeOpen ends what earlier audits found of orders that agree now, whoever repaired them.
func (a *audit) closeOpen(ctx context.Context, ids []int64, differing []view) error {
	if len(a.open) == 0 {
		return nil
	}
	differ := make(map[int64]bool, len(differing))
	for _, v := range differing {
		differ[v.id] = true
	}
	var closed []order.Finding
	for _, id := range ids {
		if differ[id] {
			continue
		}
		for _, finding := range a.open[id] {
			closed = append(closed, order.Finding{ID: finding, State: order.FindingRepaired, EndedAt: a.now().UTC()})
		}
		delete(a.open, id)
	}
	for page := range slices.Chunk(closed, orderPage) {
		if err := a.mirror.EndFindings(ctx, a.tenant.ID, page); err != nil {
			return err
		}
	}
	return nil
}

func (c *sides) lookAt(ctx context.Context, ids []int64) ([]view, error) {
	possible := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id <= 0 || id > order.MaxERPID })
	unreadable := map[int64]error{}
	snapshots, err := c.readWhole(ctx, possible, unreadable)
	if err != nil {
		return nil, err
	}
	inERP := make(map[int64]*order.Snapshot, len(snapshots))
	for i := range snapshots {
		inERP[snapshots[i].ID] = &snapshots[i]
	}
	mirrored, err := c.mirror.MirroredOrders(ctx, c.tenant.ID, ids)
	if err != nil {
		return nil, err
	}
	erpNow := c.erp.Now()
	views := make([]view, len(ids))
	for i, id := range ids {
		v := view{id: id, erp: inERP[id], unreadable: unreadable[id]}
		if m, known := mirrored[id]; known {
			v.mirror = &m
		}
		v.compare()
		for _, side := range []*order.Snapshot{v.erp, v.mirror} {
			if side != nil && erpNow.Sub(lastWritten(side)).Abs() < c.settled {
				v.beingWritten = true
			}
			if side != nil {
				side.Lines, side.Deliveries, side.Invoices, side.Note = nil, nil, nil, "" // a mirror may differ in all of its orders
			}
		}
		views[i] = v
	}
	return views, nil
}

// readWhole reads orders of the ERP. One that cannot be understood is found by halving, and does not keep the others away.
func (c *sides) readWhole(ctx context.Context, ids []int64, unreadable map[int64]error) ([]order.Snapshot, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	snapshots, err := c.erp.Orders(ctx, ids)
	rows := len(snapshots)
	for _, s := range snapshots {
		rows += len(s.Lines)
	}
	c.asked(rows)
	switch {
	case err == nil:
		return snapshots, nil
	case !aboutContent(err) || ctx.Err() != nil:
		return nil, err
	case len(ids) == 1:
		if pingErr := c.erp.Ping(ctx); pingErr != nil {
			return nil, pingErr
		}
		unreadable[ids[0]] = err
		return nil, nil
	}
	left, err := c.readWhole(ctx, ids[:len(ids)/2], unreadable)
	if err != nil {
		return nil, err
	}
	right, err := c.readWhole(ctx, ids[len(ids)/2:], unreadable)
	return append(left, right...), err
}

// goneOrNever tells an order that the ERP has deleted from one that it hides, or that the mirror never got from there: a row
// that was written by hand has no time of reading.
func (c *sides) goneOrNever(ctx context.Context, v view) (order.FindingKind, error) {
	if v.id <= 0 || v.id > order.MaxERPID || v.mirror.ReadAt.IsZero() {
		return order.FindingStray, nil
	}
	hidden, err := c.erp.OrderHidden(ctx, v.id)
	c.asked(0)
	if hidden {
		return order.FindingStray, err
	}
	return order.FindingDeleted, err
}

// compare sets the difference between the two sides and its kind.
func (v *view) compare() {
	shown := v.mirror != nil && v.mirror.DeletedAt.IsZero()
	switch {
	case v.unreadable != nil:
		v.kind, v.difference = order.FindingStale, "the ERP's order cannot be understood"
		if !shown {
			v.kind = order.FindingMissing
		}
	case v.erp == nil && !shown:
	case v.erp == nil:
		v.kind, v.difference = order.FindingDeleted, "the ERP does not have the order"
	case v.mirror == nil:
		v.kind, v.difference = order.FindingMissing, "the mirror does not have the order"
	case !shown:
		v.kind, v.difference = order.FindingMissing, "the mirror holds the order for deleted"
	default:
		v.kind, v.difference = compareOrders(v.mirror, v.erp)
	}
}

// before reports whether both sides say that the order was neither created nor written since a time.
func (v *view) before(since time.Time) bool {
	if v.erp == nil && v.mirror == nil {
		return false
	}
	for _, side := range []*order.Snapshot{v.erp, v.mirror} {
		if side != nil && !later(side.CreatedAt, lastWritten(side)).Before(since) {
			return false
		}
	}
	return true
}

// lastWritten is when an order, a line or a document of it was last written.
func lastWritten(s *order.Snapshot) time.Time {
	return later(later(s.WriteDate, s.LinesWriteDate), s.DocumentsWriteDate)
}

func (v *view) number() string {
	switch {
	case v.erp != nil:
		return v.erp.Number
	case v.mirror != nil:
		return v.mirror.Number
	}
	return ""
}
