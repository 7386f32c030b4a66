package ordersync

import (
	"context"
	"fmt"
	"time"

	"ordergate/order"
)

// DrainBacklog lets the lanes look for queued intents, as Run does every second.
func (s *Service) DrainBacklog() { s.lanes.poke(false) }

// MirrorOrders brings orders to the mirror, as a sync that found them would.
func (s *Service) MirrorOrders(ctx context.Context, ids []int64) error {
	_, err := s.mirrorOrders(ctx, ids, nil)
	return err
}

// AuditIfDue does what Run does every minute.
func (s *Service) AuditIfDue(ctx context.Context) error { return s.auditIfDue(ctx) }

// RenewLeases does what a service does every three seconds while it holds some.
func (s *Service) RenewLeases() { s.leases.renew() }

// Suspicious tells groups of ids that may be duplicates, and the orders that are not decided yet.
func Suspicious(orders []order.Brief, window time.Duration, until time.Time) (groups []string, undecided []order.Brief) {
	found, undecided := suspicious(orders, window, until)
	for _, g := range found {
		groups = append(groups, fmt.Sprint(g.reason, g.ids))
	}
	return groups, undecided
}
