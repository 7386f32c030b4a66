package ordersync

import (
	"context"
	"errors"
	"math"
	"time"

	"ordergate/order"
)

const (
	// auditTick is how often it is looked whether an audit is due.
	auditTick = time.Minute
	// auditSpread keeps the replicas from asking for the night's audit all at once, and several tenants from being audited
	// together.
	auditSpread = 10 * time.Minute
	// auditWindow is how long after its time a night's audit is still begun: one that failed, or whose process died.
	auditWindow = 3 * time.Hour
)

// auditIfDue runs the night's audit when its time has come, in one process of all, and keeps the gauges of audits.
func (s *Service) auditIfDue(ctx context.Context) error {
	if err := s.measureAudits(ctx); err != nil || s.cfg.AuditAt <= 0 {
		return err
	}
	now := s.now().UTC()
	due := now.Truncate(24 * time.Hour).Add(s.cfg.AuditAt)
	if due.After(now) {
		due = due.AddDate(0, 0, -1) // its window may reach over midnight
	}
	since := now.Sub(due)
	if since < s.auditDelay || since > auditWindow {
		return nil
	}
	_, err := s.Audit(ctx, AuditOptions{Trigger: order.Nightly, Repair: s.cfg.AuditRepair, Night: due.Format(time.DateOnly)})
	var e *order.Error
	if errors.As(err, &e) && (e.Code == ErrNightTaken.Code || e.Code == errNeverSynced.Code) {
		return nil
	}
	if err == nil {
		err = s.measureAudits(ctx)
	}
	return err
}

// measureAudits sets the gauges, which are the same in every replica.
func (s *Service) measureAudits(ctx context.Context) error {
	last, err := s.mirror.LastAudit(ctx, s.tenant.ID)
	if err != nil {
		return err
	}
	switch {
	case s.cfg.AuditAt <= 0:
		s.metrics.auditSuccess.Set(math.NaN()) // nobody is to miss an audit that was switched off
	case last.ID == 0:
		s.metrics.auditSuccess.Set(float64(s.began.Unix())) // the first night is still to come
	default:
		s.metrics.auditSuccess.Set(float64(last.Began.Unix()))
	}
	s.metrics.auditLeft.Set(float64(last.Left()))
	return nil
}
