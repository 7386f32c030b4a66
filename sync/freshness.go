package ordersync

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ordergate/order"
	"ordergate/store"
)

// syncTimeout bounds a sync that readers share: it goes on after they have given up waiting, but not for ever.
const syncTimeout = time.Minute

// sharedSync lets concurrent readers wait for one sync instead of starting one each.
type sharedSync struct {
	mu      sync.Mutex
	running *sharedCall
}

type sharedCall struct {
	began time.Time
	done  chan struct{} // closed at the end
	found int           // orders in which there was something new; it and err are set before done is closed
	err   error
}

// joinSync starts a sync of changes, or joins the one that runs.
func (s *Service) joinSync() *sharedCall {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if s.shared.running != nil {
		return s.shared.running
	}
	call := &sharedCall{began: s.now(), done: make(chan struct{})}
	s.shared.running = call
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.life, syncTimeout)
		defer cancel()
		call.found, call.err = s.syncRecent(ctx, call.began, "")
		s.metrics.observeSync("read", s.now().Sub(call.began), call.err)
		s.shared.mu.Lock()
		s.shared.running = nil
		s.shared.mu.Unlock()
		close(call.done)
	})
	return call
}

// freshen brings the mirror within its freshness bound if that can be done within the read budget, and says how old
// it is. The error is the database's.
func (s *Service) freshen(ctx context.Context) (order.SyncStatus, error) {
	asked := s.now()
	status, err := s.syncStatus(ctx)
	if err != nil || status.State == order.Fresh || status.Reason == neverSynced {
		return status, err
	}
	if s.erp.BreakerState() == "open" {
		status.Reason = "The ERP does not answer."
		return status, nil
	}

	budget := time.NewTimer(s.cfg.ReadBudget)
	defer budget.Stop()
	for {
		call := s.joinSync()
		select {
		case <-call.done:
		case <-budget.C:
			status.Reason = fmt.Sprintf("Bringing the changes from the ERP takes longer than %s.", s.cfg.ReadBudget)
			return status, nil
		case <-ctx.Done():
			return status, ctx.Err()
		}
		if call.err != nil {
			s.log.WarnContext(ctx, "sync on read failed", "error", call.err)
			status.Reason = "The changes could not be brought from the ERP."
			return status, nil
		}
		// One that was joined may have begun too long ago to count. The next one began after this reader came.
		if !call.began.Before(asked) || s.now().Sub(call.began) <= s.cfg.Freshness {
			return order.SyncStatus{State: order.Fresh, SyncedAt: call.began}, nil
		}
	}
}

const neverSynced = "The first full sync has not finished yet."

// syncStatus says how old the mirror's orders are.
func (s *Service) syncStatus(ctx context.Context) (order.SyncStatus, error) {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return order.SyncStatus{}, databaseUnavailable(err)
	}
	age := s.now().Sub(cursor.SyncedAt)
	switch {
	case !cursor.Complete:
		return order.SyncStatus{State: order.Stale, Reason: neverSynced}, nil
	case age < -store.ClockSlack: // noted by a clock that was wrong
		return order.SyncStatus{State: order.Stale, Reason: "When the mirror was synced is not known."}, nil
	case age <= s.cfg.Freshness:
		return order.SyncStatus{State: order.Fresh, SyncedAt: cursor.SyncedAt}, nil
	default:
		reason := fmt.Sprintf("The mirror is %s old.", age.Round(time.Second))
		return order.SyncStatus{State: order.Stale, SyncedAt: cursor.SyncedAt, Reason: reason}, nil
	}
}
