package ordersync

import (
	"context"
	"errors"
	"time"

	"ordergate/store"
)

// resolverBatch bounds how many intents one round of the resolver takes up.
const resolverBatch = 50

// ResolveDue takes up the intents that nobody carries and whose time has come: those in doubt, and those that a crash
// left behind. It returns how many it carried.
func (s *Service) ResolveDue(ctx context.Context) (int, error) {
	ids, err := s.mirror.DueIntents(ctx, s.tenant.ID, s.now(), resolverBatch)
	if err != nil {
		return 0, err
	}
	carried := 0
	for _, id := range ids {
		if ctx.Err() != nil {
			return carried, ctx.Err()
		}
		now := s.now()
		lease := store.Lease{Token: s.cfg.NewToken(), Now: now, Until: now.Add(s.cfg.PlaceBudget + leaseMargin)}
		in, ok, err := s.mirror.ClaimIntent(ctx, s.tenant.ID, id, lease)
		switch {
		case errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown):
			return carried, err
		case err != nil: // this one cannot be read; it must not keep the others waiting
			s.log.ErrorContext(ctx, "an intent cannot be taken up", "intent", id, "error", err)
			s.metrics.resolved.WithLabelValues("unreadable").Inc()
			continue
		}
		if !ok {
			continue // another process was faster
		}
		placement, err := s.carry(ctx, in)
		carried++
		result := "in_doubt"
		switch {
		case err != nil:
			result = "rejected"
		case placement.Order != nil:
			result = "placed"
		}
		s.metrics.resolved.WithLabelValues(result).Inc()
		s.log.InfoContext(ctx, "resolved an intent", "key", in.Key, "source", in.Source, "attempt", in.Attempts,
			"result", result, "age", s.now().Sub(in.CreatedAt).Round(time.Second).String())
	}
	return carried, nil
}
