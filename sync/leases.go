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
	now := l.service.now()
	lease := store.Lease{
		Token: l.service.cfg.NewToken(), Now: now, Until: now.Add(store.LeaseLasts), ERPNow: l.service.erp.Now(),
	}
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

func (l *leases) end(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.until, token)
	if len(l.until) == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
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
	if err := l.service.mirror.RenewLeases(ctx, l.service.tenant.ID, tokens, until); err != nil {
		l.service.log.WarnContext(ctx, "leases could not be renewed; others may take over", "leases", len(tokens), "error", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, token := range tokens {
		if _, held := l.until[token]; held {
			l.until[token] = until
		}
	}
}
