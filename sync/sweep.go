package ordersync

import (
	"cmp"
	"context"
	"math"
	"slices"

	"ordergate/odoo"
	"ordergate/order"
)

// findDeleted looks for orders that were deleted in the ERP, which leave nothing behind that a cursor could find: the
// number of orders tells. It looks at those that were there at the last round, because what is placed meanwhile is in one
// of the two first.
func (s *Service) findDeleted(ctx context.Context) error {
	last, err := s.mirror.LastOrderID(ctx, s.tenant.ID)
	if err != nil {
		return err
	}
	known := order.IDRange{UpTo: cmp.Or(s.rounds.upTo, last)}
	s.rounds.upTo = last
	if known.UpTo == 0 {
		return nil // an empty mirror, of an ERP without orders
	}
	return s.narrow(ctx, known)
}

// narrow finds where in a range the ERP and the mirror hold different numbers of orders, by halving it, and brings the
// mirror to the ERP's state there.
func (s *Service) narrow(ctx context.Context, r order.IDRange) error {
	inERP, inMirror, err := s.countBoth(ctx, r)
	if err != nil || inERP == inMirror {
		return err
	}
	s.log.InfoContext(ctx, "the mirror and the ERP hold different numbers of orders; looking for the difference",
		"after", r.After, "up_to", r.UpTo, "erp", inERP, "mirror", inMirror)
	return s.halve(ctx, r, inERP, inMirror)
}

func (s *Service) halve(ctx context.Context, r order.IDRange, inERP, inMirror int64) error {
	if inERP == inMirror || ctx.Err() != nil {
		return ctx.Err()
	}
	if max(inERP, inMirror) <= headPage || r.UpTo-r.After <= headPage {
		return s.sweep(ctx, r)
	}
	middle := r.After + (r.UpTo-r.After)/2
	lower, upper := order.IDRange{After: r.After, UpTo: middle}, order.IDRange{After: middle, UpTo: r.UpTo}
	lowerInERP, lowerInMirror, err := s.countBoth(ctx, lower)
	if err != nil {
		return err
	}
	if err := s.halve(ctx, lower, lowerInERP, lowerInMirror); err != nil {
		return err
	}
	return s.halve(ctx, upper, inERP-lowerInERP, inMirror-lowerInMirror)
}

// countBoth counts the orders of a range that the ERP has and the mirror could hold, and those that it does hold.
func (s *Service) countBoth(ctx context.Context, r order.IDRange) (inERP, inMirror int64, err error) {
	if inMirror, err = s.mirror.CountOrders(ctx, s.tenant.ID, r); err != nil {
		return 0, 0, err
	}
	inERP, err = s.erp.CountOrders(ctx, r)
	return inERP - s.impossible.count(r), inMirror, err
}

// sweep compares every order of a range: it reads those that the mirror may lack something of, and makes tombstones of
// those that only the mirror has.
func (s *Service) sweep(ctx context.Context, r order.IDRange) error {
	erpNow := s.erp.Now()
	s.impossible.forget(r) // the walk meets those that remain
	return s.compare(ctx, r, func(c comparison) error {
		if _, err := s.bury(ctx, c.absent); err != nil {
			return err
		}
		var ids []int64
		for _, h := range c.heads {
			if changed(h, c.mirrored[h.ID], erpNow, s.cfg.TransactionLimit) {
				ids = append(ids, h.ID)
			}
		}
		_, err := s.mirrorOrders(ctx, ids, nil)
		return err
	})
}

// comparison is what the two sides hold of one range of ids.
type comparison struct {
	heads    []order.Head         // of the ERP, by rising id
	mirrored map[int64]order.Head // what the mirror holds of those, by id
	absent   []int64              // the mirror's, that the ERP did not list; it may have got them since
}

// compare walks the orders of both sides, of a range, by rising id.
func (s *Service) compare(ctx context.Context, r order.IDRange, visit func(comparison) error) error {
	after := r.After
	for {
		heads, err := s.erp.OrderHeads(ctx, odoo.Page{AfterID: after, UpToID: r.UpTo, Limit: headPage})
		if err != nil {
			return err
		}
		last := cmp.Or(r.UpTo, math.MaxInt64)
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
		if c.absent, err = s.absentFrom(ctx, ids, order.IDRange{After: after, UpTo: last}); err != nil {
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

// absentFrom returns the mirror's ids of a range that are not among ids, which are sorted.
func (s *Service) absentFrom(ctx context.Context, ids []int64, r order.IDRange) ([]int64, error) {
	var absent []int64
	after, last := r.After, cmp.Or(r.UpTo, math.MaxInt64)
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
	if err != nil {
		return nil, err
	}
	_, err = s.markDeleted(ctx, gone)
	return gone, err
}

// markDeleted makes tombstones of orders that the ERP does not have, and returns of how many it had not done so before.
func (s *Service) markDeleted(ctx context.Context, gone []int64) (found int, err error) {
	if len(gone) == 0 {
		return 0, nil
	}
	n, err := s.mirror.MarkDeleted(ctx, s.tenant.ID, gone, s.erp.Now(), "sync")
	s.metrics.mirrored.WithLabelValues("deleted").Add(float64(n))
	s.found.Add(n)
	return int(n), err
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
