package ordersync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// mirrorOrders reads orders whole and ingests them, a page at a time. It returns in how many there was something new.
func (s *Service) mirrorOrders(ctx context.Context, ids []int64, progress func(done int)) (found int, err error) {
	done := 0
	for page := range slices.Chunk(ids, orderPage) {
		n, err := s.mirrorPage(ctx, page)
		found += n
		if err != nil {
			return found, err
		}
		done += len(page)
		if progress != nil {
			progress(done)
		}
	}
	return found, nil
}

// mirrorPage reads and ingests some orders. One that cannot be understood or stored for what it holds (an addon may
// invent a state, people can type a price of 1e300) must not keep the others away: it is found by halving, logged and
// left out. It returns in how many there was something new.
func (s *Service) mirrorPage(ctx context.Context, ids []int64) (found int, err error) {
	snapshots, err := s.erp.Orders(ctx, ids)
	if err == nil {
		found, err = s.ingest(ctx, snapshots, "sync")
	}
	if err == nil || !aboutContent(err) || ctx.Err() != nil {
		return found, err
	}
	if len(ids) > 1 {
		half := len(ids) / 2
		lower, err := s.mirrorPage(ctx, ids[:half])
		if err != nil {
			return lower, err
		}
		upper, err := s.mirrorPage(ctx, ids[half:])
		return lower + upper, err
	}
	// It must not be taken for the order's fault that a proxy answers for the ERP at the moment.
	if pingErr := s.erp.Ping(ctx); pingErr != nil {
		return 0, errors.Join(err, pingErr)
	}
	held, heldErr := s.mirror.OrderHeads(ctx, s.tenant.ID, ids)
	if heldErr != nil {
		return 0, heldErr
	}
	if held[ids[0]].ID == 0 { // otherwise both sides count it, as it was
		s.impossible.add(ids[0])
	}
	s.metrics.mirrored.WithLabelValues("impossible").Inc()
	s.log.ErrorContext(ctx, "an order of the ERP cannot be mirrored", "erp_order_id", ids[0], "error", err)
	return 0, nil
}

// aboutContent reports whether an error may be about what one record holds, rather than about the ERP or the database.
func aboutContent(err error) bool {
	var fromERP *odoo.Error
	if errors.As(err, &fromERP) {
		return fromERP.Reason == odoo.BadAnswer
	}
	return !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUnknown)
}

// idSet holds the ids of the orders that cannot be mirrored and never were, which the ERP counts and the mirror does not.
type idSet struct {
	mu  sync.Mutex
	ids map[int64]bool
}

func (s *idSet) add(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = make(map[int64]bool)
	}
	s.ids[id] = true
}

func (s *idSet) forget(r order.IDRange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.ids, func(id int64, _ bool) bool { return id > r.After && (r.UpTo == 0 || id <= r.UpTo) })
}

func (s *idSet) count(r order.IDRange) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(0)
	for id := range s.ids {
		if id > r.After && (r.UpTo == 0 || id <= r.UpTo) {
			n++
		}
	}
	return n
}
