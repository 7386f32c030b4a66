package ordersync

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"ordergate/store"
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
		s.keepSynced(ctx)
		return nil
	})
	group.Go(func() error {
		s.every(ctx, always(resolveInterval), "resolver", func(ctx context.Context) error {
			_, err := s.ResolveDue(ctx)
			return err
		})
		return nil
	})
	group.Go(func() error {
		s.every(ctx, always(resolveInterval), "queue", s.drainBacklog)
		return nil
	})
	group.Go(func() error {
		s.every(ctx, always(purgeInterval), "purge", s.Purge)
		return nil
	})
	group.Go(func() error {
		s.every(ctx, always(measureInterval), "gauges", s.measure)
		return nil
	})
	group.Go(func() error { s.webhooks.run(ctx); return nil })
	group.Go(func() error {
		var watch keyWatch
		s.every(ctx, always(keyInterval), "API key", func(ctx context.Context) error { return watch.look(ctx, s) })
		return nil
	})
	group.Go(func() error { s.every(ctx, always(auditTick), "audit", s.auditIfDue); return nil })
	_ = group.Wait() // the functions above return nil
}

func always(interval time.Duration) func() time.Duration {
	return func() time.Duration { return interval }
}

// every runs work now, and again an interval after it ended.
func (s *Service) every(ctx context.Context, interval func() time.Duration, what string, work func(context.Context) error) {
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
		if sleep(ctx, s.cfg.Jitter(interval())) != nil {
			return
		}
	}
}

// keepSynced syncs, as often as rounds says, for as long as this process is the one to do so for the tenant, and otherwise
// waits for its turn.
func (s *Service) keepSynced(ctx context.Context) {
	s.every(ctx, always(renewSyncLease), "lease of the sync", func(ctx context.Context) error {
		_, err := s.runner.run(ctx, store.BackgroundSync, func(ctx context.Context) error {
			s.every(ctx, s.pause, "sync", s.round)
			return nil
		})
		return err
	})
	s.runner.leave(store.BackgroundSync)
}

// round syncs if this process still has the lease. One that was halted may wake here long after another has taken over.
func (s *Service) round(ctx context.Context) error {
	held, err := s.runner.hold(ctx, store.BackgroundSync)
	if err != nil {
		return err
	}
	if !held {
		return errTakenOver
	}
	return seenTo(s.Sync(ctx))
}

// seenTo is what a failed round comes to in the background: that another process reads everything is none.
func seenTo(err error) error {
	if errors.Is(err, ErrBackfillElsewhere) {
		return nil
	}
	return err
}

func (s *Service) pause() time.Duration {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	return s.rounds.pause()
}

// Sync brings everything that changed in the ERP since the last time: products and customers first, which orders
// name, then orders, then what was deleted, then what histories are to say of purchases. The first time, it reads everything;
// ErrBackfillElsewhere if another process does so at the moment. Trouble with one of them does not keep the others from their turn: orders
// fetch what they miss.
func (s *Service) Sync(ctx context.Context) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	return errors.Join(s.syncProducts(ctx), s.syncPartners(ctx), s.syncOrders(ctx), s.syncPurchases(ctx))
}

// syncUnannounced makes a round because Odoo tried to tell of something and could not. Of the youngest orders, too, some may
// have been deleted.
func (s *Service) syncUnannounced(ctx context.Context) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.rounds.upTo = 0
	return s.syncOrders(ctx)
}

// syncOrders makes one round. It needs syncing.
func (s *Service) syncOrders(ctx context.Context) error {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return err
	}
	if !cursor.Complete {
		return s.FullSync(ctx, FullSyncOptions{})
	}
	began, found := s.now(), s.found.Load()
	thorough := s.rounds.isThorough(began)
	look := func() error {
		_, err := s.syncRecent(ctx, began, s.runner.holder())
		return err
	}
	if thorough {
		look = func() error { return s.syncChanges(ctx) }
	}
	err = look()
	s.metrics.observeSync("background", s.now().Sub(began), err)
	if errors.Is(err, errTooManyChanges) {
		s.log.WarnContext(ctx, "everything is read again, a page at a time", "reason", err)
		return s.FullSync(ctx, FullSyncOptions{Restart: true})
	}
	if err != nil {
		return err
	}
	err = s.findDeleted(ctx)
	s.rounds.ended(began, s.now().Sub(began), thorough, s.found.Load() != found)
	return err
}
