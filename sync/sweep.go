package ordersync

import (
	"context"
	"math"
	"slices"
	"time"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// FullSync reads every order of the ERP into the mirror, and marks those that the ERP no longer has. It can be run at
// any time, beside everything else, and rebuilds a mirror that was dropped.
func (s *Service) FullSync(ctx context.Context) error {
	began, erpBegan := s.now(), s.erp.Now()
	latest, err := s.sweep(ctx, func(order.Head, order.Head) bool { return true })
	if err != nil {
		return err
	}
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return err
	}
	return s.mirror.SaveCursor(ctx, s.tenant.ID, ordersModel, store.Cursor{
		WriteDate: advance(cursor.WriteDate, latest, erpBegan), SyncedAt: began, Complete: true,
	})
}

// sweepIfCountsDiffer looks for orders that were deleted in the ERP, which leave nothing behind that a cursor could
// find: the number of orders tells.
func (s *Service) sweepIfCountsDiffer(ctx context.Context) error {
	inMirror, err := s.mirror.CountOrders(ctx, s.tenant.ID)
	if err != nil {
		return err
	}
	inERP, err := s.erp.CountOrders(ctx)
	if err != nil || inERP == inMirror+s.impossible.count() {
		return err
	}
	s.log.InfoContext(ctx, "the mirror and the ERP hold different numbers of orders; looking for the difference", "erp", inERP, "mirror", inMirror)
	erpNow := s.erp.Now()
	_, err = s.sweep(ctx, func(head, mirrored order.Head) bool {
		return changed(head, mirrored, erpNow, s.cfg.TransactionLimit)
	})
	return err
}

// sweep reads those of the ERP's orders that wanted asks for, and makes tombstones of those that only the mirror has.
// It returns the latest write_date seen.
func (s *Service) sweep(ctx context.Context, wanted func(head, mirrored order.Head) bool) (latest time.Time, err error) {
	total, err := s.erp.CountOrders(ctx)
	if err != nil {
		return latest, err
	}
	s.impossible.forget() // the walk meets those that remain
	done := 0
	err = s.compare(ctx, func(c comparison) error {
		if _, err := s.bury(ctx, c.absent); err != nil {
			return err
		}
		var ids []int64
		for _, h := range c.heads {
			latest = later(latest, h.WriteDate)
			if wanted(h, c.mirrored[h.ID]) {
				ids = append(ids, h.ID)
			}
		}
		skipped := len(c.heads) - len(ids)
		err := s.mirrorOrders(ctx, ids, func(read int) { s.cfg.Progress("orders", done+skipped+read, int(total)) })
		done += len(c.heads)
		return err
	})
	if err == nil {
		s.cfg.Progress("orders", done, done)
	}
	return latest, err
}

// comparison is what the two sides hold of one range of ids.
type comparison struct {
	heads    []order.Head         // of the ERP, by rising id
	mirrored map[int64]order.Head // what the mirror holds of those, by id
	absent   []int64              // the mirror's, that the ERP did not list; it may have got them since
}

// compare walks the orders of both sides by rising id.
func (s *Service) compare(ctx context.Context, visit func(comparison) error) error {
	after := int64(0)
	for {
		heads, err := s.erp.OrderHeads(ctx, odoo.Page{AfterID: after, Limit: headPage})
		if err != nil {
			return err
		}
		last := int64(math.MaxInt64)
		if len(heads) == headPage {
			last = heads[len(heads)-1].ID
		}
		c := comparison{heads: heads}
		ids := make([]int64, len(heads))
		for i, h := range heads {
			ids[i] = h.ID
		}
		if c.mirrored, err = s.mirror.OrderHeads(ctx, s.tenant.ID, ids); err != nil {
			return err
		}
		if c.absent, err = s.absentFrom(ctx, ids, after, last); err != nil {
			return err
		}
		if err := visit(c); err != nil {
			return err
		}
		if len(heads) < headPage {
			return nil
		}
		after = last
	}
}

// absentFrom returns the mirror's ids in (after, last] that are not among ids, which are sorted.
func (s *Service) absentFrom(ctx context.Context, ids []int64, after, last int64) ([]int64, error) {
	var absent []int64
	for {
		mirrored, err := s.mirror.OrderIDs(ctx, s.tenant.ID, after, headPage)
		if err != nil {
			return nil, err
		}
		for _, id := range mirrored {
			if _, found := slices.BinarySearch(ids, id); !found && id <= last {
				absent = append(absent, id)
			}
		}
		if len(mirrored) < headPage || mirrored[len(mirrored)-1] >= last {
			return absent, nil
		}
		after = mirrored[len(mirrored)-1]
	}
}

// bury makes tombstones of those of the ids that the ERP does not have: each is asked for once more, because it may
// have been placed since the ERP's orders were listed. It returns the ids that are gone.
func (s *Service) bury(ctx context.Context, ids []int64) ([]int64, error) {
	gone, err := s.gone(ctx, ids)
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	n, err := s.mirror.MarkDeleted(ctx, s.tenant.ID, gone, "sync")
	s.metrics.mirrored.WithLabelValues("deleted").Add(float64(n))
	return gone, err
}

// gone returns those of the ids that the ERP does not have at this moment.
func (s *Service) gone(ctx context.Context, ids []int64) ([]int64, error) {
	var gone []int64
	for page := range slices.Chunk(ids, orderPage) {
		present, err := s.erp.ExistingOrders(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, id := range page {
			if _, found := slices.BinarySearch(present, id); !found {
				gone = append(gone, id)
			}
		}
	}
	return gone, nil
}
