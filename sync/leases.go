package ordersync

import (
	"context"
	"slices"
	"sync"
	"time"

	"ordergate/store"
)

// leases keeps up what this process holds, for as long as it holds it. A process that dies, or is halted, lets its leases
// run out, and another takes over.
type leases struct {
	service *Service

	mu    sync.Mutex
	until map[string]time.Time // by token, with a monotonic reading
	idle  chan struct{}        // closed when nothing is held any more; nil while nothing is
}

const renewEvery = store.LeaseLasts / 4

// begin returns a new lease from now on, which is kept up until end.
func (l *leases) begin() store.Lease {
	lease := l.from(l.service.cfg.NewToken())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until[lease.Token] = lease.Until
	if l.idle == nil {
		idle := make(chan struct{})
		l.idle = idle
		l.service.work.Go(func() { l.keepUp(idle) })
	}
	return lease
}

// from is the lease of a token for what is taken up at this moment.
func (l *leases) from(token string) store.Lease {
	now := l.service.now()
	return store.Lease{Token: token, Now: now, Until: now.Add(store.LeaseLasts), ERPNow: l.service.erpNow()}
}

// erpNow is the ERP's clock; zero while that is not known.
func (s *Service) erpNow() time.Time {
	if !s.erp.NowIsKnown() {
		return time.Time{}
	}
	return s.erp.Now()
}

func (l *leases) end(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.until, token)
	if len(l.until) == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// has reports whether a lease is one of this process.
func (l *leases) has(token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, held := l.until[token]
	return held
}

// holds reports whether a lease was given or renewed so lately that nobody can have taken it over.
func (l *leases) holds(token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, held := l.until[token]
	return held && l.service.now().Before(until)
}

func (l *leases) keepUp(idle <-chan struct{}) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-idle:
			return
		case <-ticker.C:
			l.renew()
		}
	}
}

func (l *leases) renew() {
	ctx, cancel := context.WithTimeout(context.Background(), renewEvery)
	defer cancel()
	l.mu.Lock()
	tokens := make([]string, 0, len(l.until))
	for token := range l.until {
		tokens = append(tokens, token)
	}
	l.mu.Unlock()
	slices.Sort(tokens)

	until := l.service.now().Add(store.LeaseLasts)
	renewed, err := l.service.mirror.RenewLeases(ctx, l.service.tenant.ID, tokens, until)
	if err != nil {
		l.service.log.WarnContext(ctx, "leases could not be renewed; others may take over", "leases", len(tokens), "error", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// What was taken over is not prolonged, and what is not claimed yet has time until its lease is over. A lease that was over stays so: of
	// several intents that a token holds another may have taken one.
	now := l.service.now()
	for _, token := range renewed {
		if over, held := l.until[token]; held && now.Before(over) {
			l.until[token] = until
		}
	}
}
