package ordersync

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// resolveInterval is how often the resolver looks for work.
	resolveInterval = time.Second
	// measureInterval is how often the gauges are brought up to date: oftener than anybody scrapes them.
	measureInterval = 5 * time.Second
	// purgeInterval is how often intents are deleted that are older than their keys are kept.
	purgeInterval = time.Hour
)

// Run keeps the mirror up to date and brings intents in doubt to their end, until ctx ends; it returns when all of it has
// stopped. Failures are logged and tried again: an ERP that is down must not end the gateway.
func (s *Service) Run(ctx context.Context) {
	var group errgroup.Group
	group.Go(func() error {
		s.every(ctx, s.cfg.SyncInterval, "sync", s.Sync)
		return nil
	})
	group.Go(func() error {
		s.every(ctx, resolveInterval, "resolver", func(ctx context.Context) error {
			_, err := s.ResolveDue(ctx)
			return err
		})
		return nil
	})
	group.Go(func() error {
		s.every(ctx, resolveInterval, "queue", s.drainBacklog)
		return nil
	})
	group.Go(func() error {
		s.every(ctx, purgeInterval, "purge", s.Purge)
		return nil
	})
	group.Go(func() error {
		s.every(ctx, measureInterval, "gauges", s.measure)
		return nil
	})
	group.Go(func() error { s.every(ctx, auditTick, "audit", s.auditIfDue); return nil })
	_ = group.Wait() // the functions above return nil
}

// every runs work now and then again an interval after it ended.
func (s *Service) every(ctx context.Context, interval time.Duration, what string, work func(context.Context) error) {
	failing := false
	for {
		err := work(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.WarnContext(ctx, "background work failed; it goes on", "work", what, "error", err)
			failing = true
		case failing:
			s.log.InfoContext(ctx, "background work is well again", "work", what)
			failing = false
		}
		if sleep(ctx, s.cfg.Jitter(interval)) != nil {
			return
		}
	}
}

// Sync brings everything that changed in the ERP since the last time: products and customers first, which orders
// name, then orders, then what was deleted. The first time, it reads everything. Trouble with one of them does not keep
// the others from their turn: orders fetch what they miss.
func (s *Service) Sync(ctx context.Context) error {
	return errors.Join(s.syncProducts(ctx), s.syncPartners(ctx), s.syncOrders(ctx))
}

func (s *Service) syncOrders(ctx context.Context) error {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return err
	}
	if !cursor.Complete {
		return s.FullSync(ctx)
	}
	began := s.now()
	err = s.syncChanges(ctx)
	s.metrics.observeSync("background", s.now().Sub(began), err)
	if err != nil {
		return err
	}
	return s.sweepIfCountsDiffer(ctx)
}
