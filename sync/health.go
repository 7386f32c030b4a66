package ordersync

import (
	"context"
	"time"

	"ordergate/order"
)

// longInDoubt is how long an intent may be in doubt before people should look: long after the resolver had its chances.
const longInDoubt = 10 * time.Minute

// CheckQueue returns an error while nearly as many requests wait as may.
func (s *Service) CheckQueue(context.Context) error {
	depth := s.lanes.depth()
	if depth*10 < s.lanes.capacity*8 {
		return nil
	}
	return order.Errorf(order.Unavailable, "queue_full", "%d requests wait for the ERP, of at most %d.", depth, s.lanes.capacity)
}

// CheckIntents returns an error while intents wait for an operator, or have been in doubt for long.
func (s *Service) CheckIntents(ctx context.Context) error {
	counts, err := s.mirror.CountIntents(ctx, s.tenant.ID)
	if err != nil {
		return databaseUnavailable(err)
	}
	if counts.Parked > 0 {
		return order.Errorf(order.Unavailable, "parked",
			"%d orders are parked: see `ordergate intents list --state parked`.", counts.Parked)
	}
	if counts.InDoubt > 0 && s.now().Sub(counts.OldestInDoubt) > longInDoubt {
		return order.Errorf(order.Unavailable, "in_doubt",
			"%d orders are in doubt, some for more than %s: see `ordergate intents list --in-doubt`.", counts.InDoubt, longInDoubt)
	}
	return nil
}
