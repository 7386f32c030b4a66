package ordersync

import (
	"context"
	"errors"
	"slices"
	"time"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"

	"golang.org/x/sync/errgroup"
)

// The models that have a cursor.
const (
	ordersModel   = "sale.order"
	productsModel = "product.product"
	partnersModel = "res.partner"

	purchasesModel = "purchase.order"
)

// Sizes of pages: heads are small, whole orders are not.
const (
	headPage  = 1000
	orderPage = 200
)

// syncChanges brings to the mirror every order that was written in the ERP since the last time, slow transactions included.
//
// Three facts of Odoo shape it. write_date is the start of the writing transaction, so that a slow transaction commits
// behind what a cursor has seen: the sync looks back by twice the longest transaction. Over RPC it has second precision,
// so that an equal write_date does not prove an equal row: see changed. And a line, a delivery or an invoice may change
// without the write_date of its order moving: they are looked at too. Pages run by id, because many rows may share one write_date.
func (s *Service) syncChanges(ctx context.Context) error {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return err
	}
	began, erpBegan := s.now(), s.erp.Now()
	_, latest, err := s.bringSince(ctx, lookBack(cursor.WriteDate, erpBegan, s.cfg.TransactionLimit), erpBegan)
	if err != nil {
		return err
	}
	return s.advance(ctx, ordersModel, store.Cursor{WriteDate: earlier(latest, erpBegan), SyncedAt: began}, s.runner.holder())
}

// advance moves a model's cursor, unless it is to be moved as the lease's holder and another process has taken the sync
// over from that.
func (s *Service) advance(ctx context.Context, model string, c store.Cursor, holder string) error {
	advanced, err := s.mirror.AdvanceCursor(ctx, s.tenant.ID, model, c, holder)
	if err == nil && !advanced {
		s.log.WarnContext(ctx, "another process has taken the sync over; the cursor is its own now", "model", model)
	}
	return err
}

// recentMargin is how far a reader's sync looks back behind the last one: for transactions of ordinary length, and for
// clocks of the ERP's servers that do not quite agree.
const recentMargin = 15 * time.Second

// syncRecent leaves to syncChanges what commits later than recentMargin after it began, and so need not look at
// everything of the last minutes again: for readers, who wait, and for the background while much is written. It does not
// move the cursor's write_date. It returns in how many orders there was something new.
func (s *Service) syncRecent(ctx context.Context, began time.Time, holder string) (found int, err error) {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return 0, err
	}
	erpBegan := s.erp.Now()
	since := erpBegan.Add(-max(0, began.Sub(cursor.SyncedAt)) - recentMargin)
	found, _, err = s.bringSince(ctx, since, erpBegan)
	if err != nil {
		return found, err
	}
	return found, s.advance(ctx, ordersModel, store.Cursor{SyncedAt: began}, holder)
}

// bringSince brings the orders that were written since a time and that the mirror does not hold as they are. It returns
// in how many there was something new, and the latest write_date seen.
func (s *Service) bringSince(ctx context.Context, since, erpNow time.Time) (found int, latest time.Time, err error) {
	heads, latest, err := s.changedHeads(ctx, since)
	if err != nil {
		return 0, latest, err
	}
	mirrored, err := s.mirror.OrderHeads(ctx, s.tenant.ID, sortedIDs(heads))
	if err != nil {
		return 0, latest, err
	}
	var ids []int64
	var lag time.Duration
	for _, id := range sortedIDs(heads) {
		if changed(heads[id], mirrored[id], erpNow, s.cfg.TransactionLimit) {
			ids = append(ids, id)
		}
		if written := heads[id].WriteDate; written.After(mirrored[id].WriteDate) {
			lag = max(lag, erpNow.Sub(written))
		}
	}
	s.metrics.lag.Set(lag.Seconds())
	s.webhooks.judge(ctx, heads, mirrored, erpNow)
	found, err = s.mirrorOrders(ctx, ids, nil)
	return found, latest, err
}

// changedHeads lists the orders that were written, or one of whose lines, deliveries or invoices was, since a time.
func (s *Service) changedHeads(ctx context.Context, since time.Time) (map[int64]order.Head, time.Time, error) {
	var orders []order.Head
	var lines []odoo.LineHead
	var deliveries, invoices []odoo.DocumentHead
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		orders, err = pages(groupCtx, since, s.cfg.MostChanges, s.erp.OrderHeads, func(h order.Head) int64 { return h.ID })
		return err
	})
	group.Go(func() (err error) {
		lines, err = pages(groupCtx, since, s.cfg.MostChanges, s.erp.LineHeads, func(h odoo.LineHead) int64 { return h.ID })
		return err
	})
	group.Go(func() (err error) {
		deliveries, err = pages(groupCtx, since, s.cfg.MostChanges, s.erp.DeliveryHeads, func(h odoo.DocumentHead) int64 { return h.ID })
		return err
	})
	group.Go(func() (err error) {
		invoices, err = pages(groupCtx, since, s.cfg.MostChanges, s.erp.InvoiceHeads, func(h odoo.DocumentHead) int64 { return h.ID })
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, time.Time{}, err
	}

	heads := make(map[int64]order.Head, len(orders))
	var latest time.Time
	for _, h := range orders {
		heads[h.ID] = h
		latest = later(latest, h.WriteDate)
	}
	for _, l := range lines {
		h := heads[l.OrderID]
		h.ID = l.OrderID
		h.LinesWriteDate = later(h.LinesWriteDate, l.WriteDate)
		heads[l.OrderID] = h
		latest = later(latest, l.WriteDate)
	}
	for _, d := range slices.Concat(deliveries, invoices) {
		for _, id := range d.OrderIDs {
			h := heads[id]
			h.ID = id
			h.DocumentsWriteDate = later(h.DocumentsWriteDate, d.WriteDate)
			heads[id] = h
		}
		latest = later(latest, d.WriteDate)
	}
	return heads, latest, nil
}

// changed reports whether the mirror may lack something of an order that was written lately. head is what the ERP
// says, its dates zero where they lie before the time looked at; mirrored is zero for an order the mirror lacks.
//
// An equal write_date is only conclusive once no transaction that began in that second can still commit. Until then a
// row counts as unchanged if it was read after the second was over, and is read one last time when the time has come.
func changed(head, mirrored order.Head, erpNow time.Time, transactionLimit time.Duration) bool {
	if mirrored.ID == 0 {
		return true
	}
	if !head.WriteDate.IsZero() && !head.WriteDate.Equal(mirrored.WriteDate) {
		return true
	}
	if head.LinesWriteDate.After(mirrored.LinesWriteDate) || head.DocumentsWriteDate.After(mirrored.DocumentsWriteDate) {
		return true
	}
	written := later(later(head.WriteDate, head.LinesWriteDate), head.DocumentsWriteDate)
	if mirrored.ReadAt.Before(written.Add(2 * time.Second)) {
		return true
	}
	settled := written.Add(transactionLimit)
	return mirrored.ReadAt.Before(settled) && erpNow.After(settled.Add(2*time.Second))
}

// errTooManyChanges says that more was written than is listed at once: by an upgrade of the ERP, or a change of all prices.
var errTooManyChanges = errors.New("more was written in the ERP since the last sync than is listed at once")

// pages reads every record written since a time, page by page; errTooManyChanges if they are more than most, unless that is 0.
func pages[R any](ctx context.Context, since time.Time, most int, read func(context.Context, odoo.Page) ([]R, error), id func(R) int64) ([]R, error) {
	var all []R
	page := odoo.Page{Since: since, Limit: headPage}
	for {
		records, err := read(ctx, page)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
		if most > 0 && len(all) > most {
			return nil, errTooManyChanges
		}
		if len(records) < page.Limit {
			return all, nil
		}
		page.AfterID = id(records[len(records)-1])
	}
}

// lookBack is where a sync begins that was at cursor. A cursor that lies in the future, because the ERP's clock was put
// back, must not hide what is written until then.
func lookBack(cursor, erpNow time.Time, transactionLimit time.Duration) time.Time {
	if cursor.IsZero() {
		return cursor
	}
	return earlier(cursor, erpNow).Add(-2 * transactionLimit)
}

// earlier keeps a cursor from moving past the moment at which the sync began: what was written while it ran may lie on a
// page that had been read already.
func earlier(latest, began time.Time) time.Time {
	if latest.After(began) {
		return began
	}
	return latest
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func sortedIDs(heads map[int64]order.Head) []int64 {
	ids := make([]int64, 0, len(heads))
	for id := range heads {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
