package ordersync

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"ordergate/odoo"
	"ordergate/order"
)

const (
	// leafWidth is how many ids a range has that is not split further: its orders are read whole.
	leafWidth = 100
	// rangeParts is into how many a range is split whose sums differ.
	rangeParts = 10
	// firstLook and longestLook bound how far back an audit compares the dates of single orders: without an audit before
	// it, and at most.
	firstLook   = 24 * time.Hour
	longestLook = 7 * 24 * time.Hour
)

// reopen makes suspects of the orders that an earlier audit found and nobody has seen repaired: what led to them, a date or a
// day, may lead nobody there again.
func (a *audit) reopen(ctx context.Context) (err error) {
	a.open, err = a.mirror.OpenFindings(ctx, a.tenant.ID)
	for id := range a.open {
		a.suspects[id] = true
	}
	return err
}

// compareRecent looks at every order written since the last audit, and every line, delivery and invoice: sums do not tell an order that was
// edited twice on one day from one that was edited once.
func (a *audit) compareRecent(ctx context.Context) error {
	since := a.options.Since
	if since.IsZero() {
		last, err := a.mirror.LastAudit(ctx, a.tenant.ID)
		if err != nil {
			return err
		}
		since = a.run.Began.Add(-firstLook)
		if last.ID != 0 {
			// What began before Settled may have been committed after it was looked for.
			since = later(last.Settled.Add(-a.cfg.TransactionLimit), a.run.Began.Add(-longestLook))
		}
	}
	heads, err := a.recentHeads(ctx, since)
	if err != nil {
		return err
	}
	ids := sortedIDs(heads)
	mirrored, err := a.mirror.OrderHeads(ctx, a.tenant.ID, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		h, m := heads[id], mirrored[id]
		if m.ID == 0 || !h.WriteDate.IsZero() && !h.WriteDate.Equal(m.WriteDate) || h.LinesWriteDate.After(m.LinesWriteDate) ||
			h.DocumentsWriteDate.After(m.DocumentsWriteDate) {
			a.suspects[id] = true
		}
	}
	return nil
}

func (a *audit) recentHeads(ctx context.Context, since time.Time) (map[int64]order.Head, error) {
	heads := map[int64]order.Head{}
	orders, err := pages(ctx, since, 0, counted(a, a.erp.OrderHeads), func(h order.Head) int64 { return h.ID })
	if err != nil {
		return nil, err
	}
	for _, h := range orders {
		heads[h.ID] = h
	}
	lines, err := pages(ctx, since, 0, counted(a, a.erp.LineHeads), func(h odoo.LineHead) int64 { return h.ID })
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		h := heads[l.OrderID]
		h.ID, h.LinesWriteDate = l.OrderID, later(h.LinesWriteDate, l.WriteDate)
		heads[l.OrderID] = h
	}
	for _, read := range []func(context.Context, odoo.Page) ([]odoo.DocumentHead, error){a.erp.DeliveryHeads, a.erp.InvoiceHeads} {
		documents, err := pages(ctx, since, 0, counted(a, read), func(h odoo.DocumentHead) int64 { return h.ID })
		if err != nil {
			return nil, err
		}
		for _, d := range documents {
			for _, id := range d.OrderIDs {
				h := heads[id]
				h.ID, h.DocumentsWriteDate = id, later(h.DocumentsWriteDate, d.WriteDate)
				heads[id] = h
			}
		}
	}
	return heads, nil
}

// counted reads a page for the audit's count of calls and rows.
func counted[R any](a *audit, read func(context.Context, odoo.Page) ([]R, error)) func(context.Context, odoo.Page) ([]R, error) {
	return func(ctx context.Context, p odoo.Page) ([]R, error) {
		list, err := read(ctx, p)
		a.asked(len(list))
		return list, err
	}
}

// compareMonths compares the sums of orders by the month of their creation, and those of lines as a whole; only if these
// differ it looks for the months. What differs becomes ranges of ids.
func (a *audit) compareMonths(ctx context.Context) error {
	inERP, inMirror, err := a.orderTotals(ctx, a.all, true)
	if err != nil {
		return err
	}
	spans := map[time.Time]idRange{} // of each month, on both sides
	for _, t := range slices.Concat(inERP, inMirror) {
		spans[t.Group.Period] = spans[t.Group.Period].with(t)
	}
	differing := map[time.Time]bool{}
	for _, t := range order.DifferentTotals(inERP, inMirror) {
		differing[t.Group.Period] = true
		a.ranges = append(a.ranges, idRange{}.with(t))
	}
	same, err := a.linesAgree(ctx, a.all)
	if err != nil {
		return err
	}
	for month, span := range spans {
		if same {
			break
		}
		if month.IsZero() || differing[month] {
			continue // its lines are compared with its orders
		}
		of := a.all
		of.CreatedFrom, of.CreatedUntil = later(of.CreatedFrom, month), month.AddDate(0, 1, 0)
		agree, err := a.linesAgree(ctx, of)
		if err != nil {
			return err
		}
		if !agree {
			a.ranges = append(a.ranges, span)
		}
	}
	// No ERP has ids this great, nor could be asked for them.
	beyond, err := a.mirror.OrderIDs(ctx, a.tenant.ID, order.MaxERPID, headPage)
	for _, id := range beyond {
		a.suspects[id] = true
	}
	return err
}

// compareDays compares how many orders were last written on each day, and looks at the dates of those of a day that
// differs. An order whose latest state the mirror lacks is there in the ERP, and in the mirror on an earlier day.
func (a *audit) compareDays(ctx context.Context) error {
	inERP, inMirror, err := a.bothSides(ctx, func(ctx context.Context) ([]order.Totals, error) {
		return a.erp.WriteDays(ctx, a.all)
	}, func(ctx context.Context) ([]order.Totals, error) {
		return a.mirror.WriteDays(ctx, a.tenant.ID, a.slice(a.all))
	})
	if err != nil {
		return err
	}
	days := map[time.Time]bool{}
	for _, t := range order.DifferentTotals(inERP, inMirror) {
		days[t.Group.Period] = true
	}
	for day := range days {
		if day.IsZero() {
			continue
		}
		if err := a.compareDay(ctx, day); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) compareDay(ctx context.Context, day time.Time) error {
	of := a.all
	for {
		heads, err := a.erp.HeadsWrittenIn(ctx, of, day, day.AddDate(0, 0, 1), headPage)
		a.asked(len(heads))
		if err != nil {
			return err
		}
		ids := make([]int64, len(heads))
		for i, h := range heads {
			ids[i] = h.ID
		}
		mirrored, err := a.mirror.OrderHeads(ctx, a.tenant.ID, ids)
		if err != nil {
			return err
		}
		for _, h := range heads {
			if !mirrored[h.ID].WriteDate.Equal(h.WriteDate) {
				a.suspects[h.ID] = true
			}
		}
		if len(heads) < headPage {
			return nil
		}
		of.FirstID = ids[len(ids)-1] + 1
	}
}

// compareRanges narrows the ranges down to few orders.
func (a *audit) compareRanges(ctx context.Context) error {
	for i, r := range joined(a.ranges) {
		a.cfg.Progress("ranges", i, len(a.ranges))
		if err := a.descend(ctx, r); err != nil {
			return err
		}
	}
	a.cfg.Progress("ranges", len(a.ranges), len(a.ranges))
	for _, l := range a.leaves {
		for _, id := range l.ids {
			a.suspects[id] = true
		}
	}
	return nil
}

// descend splits a range that differs, and goes on with the parts that do.
func (a *audit) descend(ctx context.Context, r idRange) error {
	width := r.last - r.first + 1
	if width <= leafWidth {
		return a.enter(ctx, r)
	}
	step := max(leafWidth, (width+rangeParts-1)/rangeParts)
	for first := r.first; first <= r.last; first += step {
		part := idRange{first, min(first+step-1, r.last)}
		of := a.all
		of.FirstID, of.LastID = part.first, part.last
		inERP, inMirror, err := a.orderTotals(ctx, of, true)
		if err != nil {
			return err
		}
		agree := len(order.DifferentTotals(inERP, inMirror)) == 0
		if agree {
			if agree, err = a.linesAgree(ctx, of); err != nil {
				return err
			}
		}
		if agree {
			continue
		}
		if err := a.descend(ctx, part); err != nil {
			return err
		}
	}
	return a.renew(ctx)
}

// enter lists the orders of a range, of both sides.
func (a *audit) enter(ctx context.Context, r idRange) error {
	of := a.all
	of.FirstID, of.LastID = r.first, r.last
	inERP, err := a.erp.OrderIDs(ctx, of, leafWidth)
	a.asked(len(inERP))
	if err != nil {
		return err
	}
	mirrored, err := a.mirror.OrderIDs(ctx, a.tenant.ID, r.first-1, leafWidth)
	if err != nil {
		return err
	}
	ids := inERP
	for _, id := range mirrored {
		if id <= r.last {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	a.leaves = append(a.leaves, leaf{r, slices.Compact(ids)})
	return nil
}

func (a *audit) orderTotals(ctx context.Context, slice order.Slice, byMonth bool) (inERP, inMirror []order.Totals, err error) {
	return a.bothSides(ctx, func(ctx context.Context) ([]order.Totals, error) {
		return a.erp.OrderTotals(ctx, slice, byMonth)
	}, func(ctx context.Context) ([]order.Totals, error) {
		return a.mirror.OrderTotals(ctx, a.tenant.ID, a.slice(slice), byMonth)
	})
}

func (a *audit) linesAgree(ctx context.Context, slice order.Slice) (bool, error) {
	inERP, inMirror, err := a.bothSides(ctx, func(ctx context.Context) ([]order.Totals, error) {
		return a.erp.LineTotals(ctx, slice)
	}, func(ctx context.Context) ([]order.Totals, error) {
		return a.mirror.LineTotals(ctx, a.tenant.ID, a.slice(slice))
	})
	return len(order.DifferentTotals(inERP, inMirror)) == 0, err
}

type sums = func(context.Context) ([]order.Totals, error)

// bothSides asks the ERP and the database at the same time.
func (a *audit) bothSides(ctx context.Context, erp, mirror sums) (inERP, inMirror []order.Totals, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { inERP, err = erp(groupCtx); return err })
	group.Go(func() (err error) { inMirror, err = mirror(groupCtx); return err })
	err = group.Wait()
	a.asked(len(inERP))
	return inERP, inMirror, err
}

// slice is a slice of the mirror: without ids that no ERP has, whose sums no number holds.
func (a *audit) slice(of order.Slice) order.Slice {
	of.LastID = cmp.Or(of.LastID, order.MaxERPID)
	return of
}

// with widens a range by the ids of a group; the zero range is empty.
func (r idRange) with(t order.Totals) idRange {
	if r == (idRange{}) {
		return idRange{t.FirstID, t.LastID}
	}
	return idRange{min(r.first, t.FirstID), max(r.last, t.LastID)}
}

// joined sorts ranges and makes one of those that overlap.
func joined(ranges []idRange) []idRange {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b idRange) int { return cmp.Compare(a.first, b.first) })
	var out []idRange
	for _, r := range sorted {
		if n := len(out); n > 0 && r.first <= out[n-1].last {
			out[n-1].last = max(out[n-1].last, r.last)
			continue
		}
		out = append(out, r)
	}
	return out
}
