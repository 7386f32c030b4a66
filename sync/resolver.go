package ordersync

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"ordergate/failpoint"
)

// resolverBatch bounds how many intents one round of the resolver takes up.
const resolverBatch = 200

// ResolveDue takes up the intents that nobody carries and whose time has come: those in doubt, and those that a crash
// left behind. Each goes alone, and not many at a time: its order may be what the ERP cannot cope with, or be held up there
// by an earlier attempt that still runs. It returns how many it took up. While the ERP is left alone it does nothing.
func (s *Service) ResolveDue(ctx context.Context) (int, error) {
	if s.erp.BreakerState() == breakerOpen {
		return 0, nil
	}
	ids, err := s.mirror.DueIntents(ctx, s.tenant.ID, s.now(), resolverBatch)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	// What a crash left behind is in doubt from now on, by the ERP's clock.
	if !s.erp.NowIsKnown() {
		if err := s.erp.Ping(ctx); err != nil {
			return 0, err
		}
	}
	var group errgroup.Group
	group.SetLimit(s.cfg.Lanes)
	var taken atomic.Int64
	for _, id := range ids {
		if ctx.Err() != nil || s.erp.BreakerState() == breakerOpen {
			break
		}
		group.Go(func() error {
			token, attempts := s.claimDue(ctx, id)
			s.carry(token, attempts)
			taken.Add(int64(len(attempts)))
			return nil
		})
	}
	_ = group.Wait() // the functions above return nil
	return int(taken.Load()), ctx.Err()
}

// claimDue takes the lease of one intent in doubt.
func (s *Service) claimDue(ctx context.Context, id int64) (token string, attempts []*attempt) {
	lease := s.leases.begin()
	claimed, err := s.mirror.ClaimIntents(ctx, s.tenant.ID, []int64{id}, lease)
	if err != nil {
		s.log.ErrorContext(ctx, "an intent cannot be taken up", "intent", id, "error", err)
		s.metrics.resolved.WithLabelValues("unreadable").Inc()
	}
	for _, in := range claimed {
		attempts = append(attempts, s.newAttempt(in, nil))
	}
	failpoint.Hit(failpoint.ResolverHeld)
	return lease.Token, attempts
}
