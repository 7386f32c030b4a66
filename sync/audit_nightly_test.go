package ordersync_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
	ordersync "ordergate/sync"
)

// replica makes another process of the same gateway, with a clock that stands still.
func (w *auditWorld) replica(t *testing.T, at *time.Time, tune func(*ordersync.Config)) *ordersync.Service {
	t.Helper()
	cfg := w.cfg
	cfg.Registerer, cfg.AuditAt, cfg.AuditRepair = nil, 3*time.Hour, true
	cfg.Clock = func() time.Time { return *at }
	if tune != nil {
		tune(&cfg)
	}
	s, err := ordersync.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func (w *auditWorld) runs(t *testing.T) []order.AuditRun {
	t.Helper()
	runs, err := w.ListAuditRuns(t.Context(), operator, order.AuditFilter{})
	require.NoError(t, err)
	return runs
}

func TestNightlyAuditRunsOnceANightInOneReplica(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 1)
	w.mirror(t, ids[0], "UPDATE orders SET amount_total = 1 WHERE id = ?")

	now := time.Date(2030, 5, 1, 2, 59, 0, 0, time.UTC)
	a, b := w.replica(t, &now, nil), w.replica(t, &now, nil)
	both := func() {
		require.NoError(t, a.AuditIfDue(t.Context()))
		require.NoError(t, b.AuditIfDue(t.Context()))
	}
	both()
	require.Empty(t, w.runs(t), "before its time")
	now = now.Add(time.Minute + 10*time.Second)
	both()
	require.Empty(t, w.runs(t), "each replica waits a while of its own")
	now = now.Add(time.Minute)
	both()
	runs := w.runs(t)
	require.Len(t, runs, 1)
	require.Equal(t, order.Nightly, runs[0].Trigger)
	require.Equal(t, "2030-05-01", runs[0].Night)
	require.Equal(t, map[order.FindingKind]int{order.FindingAmount: 1}, runs[0].Found)
	require.Zero(t, runs[0].Left(), "it repairs")

	now = time.Date(2030, 5, 2, 6, 1, 0, 0, time.UTC)
	both()
	require.Len(t, w.runs(t), 1, "a process that starts in the morning does not catch up")
	now = time.Date(2030, 5, 2, 5, 59, 0, 0, time.UTC)
	both()
	require.Len(t, w.runs(t), 2)

	off := w.replica(t, &now, func(cfg *ordersync.Config) { cfg.AuditAt = 0 })
	now = time.Date(2030, 5, 3, 0, 10, 0, 0, time.UTC)
	require.NoError(t, off.AuditIfDue(t.Context()))
	require.Len(t, w.runs(t), 2)
	midnight := w.replica(t, &now, func(cfg *ordersync.Config) { cfg.AuditAt, cfg.AuditRepair = 24*time.Hour, false })
	require.NoError(t, midnight.AuditIfDue(t.Context()))
	require.Equal(t, "2030-05-03", w.runs(t)[0].Night)
	require.False(t, w.runs(t)[0].Repair)
}

// brokenERP fails where a test tells it to.
type brokenERP struct {
	*countingERP
	totals error
	hidden bool
}

func (e *brokenERP) OrderTotals(ctx context.Context, slice order.Slice, byMonth bool) ([]order.Totals, error) {
	if e.totals != nil {
		return nil, e.totals
	}
	return e.countingERP.OrderTotals(ctx, slice, byMonth)
}

func (e *brokenERP) OrderHidden(ctx context.Context, id int64) (bool, error) {
	if e.hidden {
		return true, nil
	}
	return e.countingERP.OrderHidden(ctx, id)
}

func TestNightlyAuditThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	erp := &brokenERP{countingERP: w.erp, totals: &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.BreakerOpen, Message: "no"}}
	now := time.Date(2030, 5, 1, 3, 10, 0, 0, time.UTC)
	s := w.replica(t, &now, func(cfg *ordersync.Config) { cfg.ERP = erp })
	require.Error(t, s.AuditIfDue(t.Context()))
	require.Equal(t, order.AuditFailed, w.runs(t)[0].State)
	require.NotEmpty(t, w.runs(t)[0].Failure)
	last, err := w.db.LastAudit(t.Context(), w.tenant.ID)
	require.NoError(t, err)
	require.Zero(t, last)

	erp.totals = nil
	now = now.Add(time.Minute)
	require.NoError(t, s.AuditIfDue(t.Context()))
	require.Equal(t, order.AuditFailed, w.runs(t)[0].State, "not at once")
	now = now.Add(10 * time.Minute)
	require.NoError(t, s.AuditIfDue(t.Context()))
	require.Len(t, w.runs(t), 2)
	require.Equal(t, order.AuditDone, w.runs(t)[0].State)
	require.Equal(t, order.AuditFailed, w.runs(t)[1].State, "each attempt is a run of its own")
}

// fallenMirror is that of a process which dies when it has stored what it found, and before the audit ends.
type fallenMirror struct{ ordersync.Mirror }

func (fallenMirror) DoubtOrders(context.Context, int64, []int64) error { return errors.New("killed") }

func (fallenMirror) EndFindings(context.Context, int64, []order.Finding) error {
	return errors.New("killed")
}

func (fallenMirror) EndAudit(context.Context, int64, order.AuditRun, string) error {
	return errors.New("killed")
}

func TestAnAuditWhoseProcessDiedHasFailedAndIsTakenOver(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		w := sandboxWorld(t, 19, dsn(t))
		ids := w.orders(t, 1)
		w.mirror(t, ids[0], "UPDATE orders SET amount_total = 1 WHERE id = ?")
		now := time.Date(2030, 5, 1, 3, 10, 0, 0, time.UTC)
		state := func(s *ordersync.Service) order.AuditState {
			runs, err := s.ListAuditRuns(t.Context(), operator, order.AuditFilter{})
			require.NoError(t, err)
			return runs[0].State
		}
		dying := w.replica(t, &now, func(cfg *ordersync.Config) { cfg.Mirror = fallenMirror{w.db} })
		require.ErrorContains(t, dying.AuditIfDue(t.Context()), "killed")
		healthy := w.replica(t, &now, nil)
		require.Equal(t, order.AuditRunning, state(healthy), "nobody knows yet")
		now = now.Add(11 * time.Minute)
		require.Equal(t, order.AuditFailed, state(healthy))

		require.NoError(t, healthy.AuditIfDue(t.Context()))
		runs := w.runs(t)
		require.Len(t, runs, 2)
		require.Zero(t, runs[0].Left())
		require.Len(t, w.findings(t, runs[0]), 1, "as many as the run says")
		require.Equal(t, order.FindingRepaired, w.findings(t, runs[1])[ids[0]].State, "what the dead one found is at an end too")

		// One by command has no successor.
		_, err := dying.Audit(t.Context(), ordersync.AuditOptions{})
		require.Error(t, err)
		require.Equal(t, order.AuditRunning, state(healthy))
		now = now.Add(11 * time.Minute)
		require.Equal(t, order.AuditFailed, state(healthy))
	})
}

// leaseMirror remembers for how long audits take leases.
type leaseMirror struct {
	ordersync.Mirror
	begun, renewed time.Time
}

func (m *leaseMirror) BeginAudit(ctx context.Context, tenantID int64, run order.AuditRun, token string, until time.Time) (order.AuditRun, bool, error) {
	m.begun = until
	return m.Mirror.BeginAudit(ctx, tenantID, run, token, until)
}

func (m *leaseMirror) RenewAudit(ctx context.Context, tenantID, id int64, token string, until time.Time) (bool, error) {
	m.renewed = until
	return m.Mirror.RenewAudit(ctx, tenantID, id, token, until)
}

func TestAnAuditsLeaseOutlastsItsPause(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	mirror := &leaseMirror{Mirror: w.db}
	now := time.Date(2030, 5, 1, 3, 10, 0, 0, time.UTC)
	s := w.replica(t, &now, func(cfg *ordersync.Config) { cfg.Mirror = mirror })
	_, err := s.Audit(t.Context(), ordersync.AuditOptions{Pause: time.Hour})
	require.NoError(t, err)
	require.Greater(t, mirror.begun.Sub(now), time.Hour)
	require.Greater(t, mirror.renewed.Sub(now), time.Hour)
}

func TestAuditOfAMirrorThatWasNeverSyncedIsRefused(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	_, err := w.db.DB().ExecContext(t.Context(), "DELETE FROM sync_cursors")
	require.NoError(t, err)
	_, err = w.Audit(t.Context(), ordersync.AuditOptions{})
	requireKind(t, err, order.Conflict, "never_synced")
	require.Empty(t, w.runs(t))
	now := time.Date(2030, 5, 1, 3, 10, 0, 0, time.UTC)
	require.NoError(t, w.replica(t, &now, nil).AuditIfDue(t.Context()), "nothing to complain about every minute")
}

func TestAuditsAreTheOperators(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	_, err := w.ListAuditRuns(t.Context(), portal, order.AuditFilter{})
	requireKind(t, err, order.Forbidden, "role_forbidden")
	_, err = w.ListFindings(t.Context(), portal, order.FindingFilter{})
	requireKind(t, err, order.Forbidden, "role_forbidden")
}

func TestAuditNamesAnOrderThatTheERPHidesAStray(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 1)
	w.people(t, "sale.order", "unlink", []any{ids[0]})
	w.later(10 * time.Minute)
	w.cfg.ERP, w.cfg.Registerer = &brokenERP{countingERP: w.erp, hidden: true}, nil
	s, err := ordersync.New(w.cfg)
	require.NoError(t, err)
	defer s.Close()
	run, err := s.Audit(t.Context(), ordersync.AuditOptions{Repair: true})
	require.NoError(t, err)
	require.Equal(t, map[order.FindingKind]int{order.FindingStray: 1}, run.Found)
	require.Zero(t, run.Left())
}

// deafMirror does not take up orders.
type deafMirror struct {
	ordersync.Mirror
	err  error
	keep bool   // forgets nothing either
	turn func() // what happens when it should take some up
}

func (m *deafMirror) DoubtOrders(ctx context.Context, tenantID int64, ids []int64) error {
	if m.keep {
		return nil
	}
	return m.Mirror.DoubtOrders(ctx, tenantID, ids)
}

func (m *deafMirror) UpsertOrders(context.Context, int64, []order.Snapshot, string) (store.Upserted, error) {
	if m.turn != nil {
		m.turn()
	}
	return store.Upserted{}, m.err
}

func TestARepairThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 2)
	w.mirror(t, ids[0], "UPDATE orders SET amount_total = 1 WHERE id = ?")
	w.people(t, "sale.order", "unlink", []any{ids[1]})
	w.later(10 * time.Minute)
	for _, example := range []struct {
		err  error
		want string
	}{
		{errors.Join(store.ErrUnavailable, errors.New("no disk")), "no disk"},
		{errors.New("a price of 1e300"), "still different: "},
		{nil, "still different: "},
	} {
		w.cfg.Mirror, w.cfg.Registerer = &deafMirror{Mirror: w.db, err: example.err}, nil
		s, err := ordersync.New(w.cfg)
		require.NoError(t, err)
		defer s.Close()
		run, err := s.Audit(t.Context(), ordersync.AuditOptions{Repair: true})
		require.NoError(t, err)
		f := w.findings(t, run)[ids[0]]
		require.Equal(t, order.FindingFailed, f.State)
		require.True(t, strings.Contains(f.Failure, example.want), f.Failure)
		require.Positive(t, run.Left())
	}
	require.Zero(t, w.audit(t, true).Left(), "what was doubted is found and repaired")
}

// Somebody who writes an order during its repair must not make a repair of one that failed.
func TestARepairIsNoneWhileTheOrderDiffers(t *testing.T) {
	t.Parallel()
	for _, example := range []struct {
		err  error
		want string
	}{{errors.Join(store.ErrUnavailable, errors.New("no disk")), "no disk"}, {nil, "written again"}} {
		w := sandboxWorld(t, 19, storetest.SQLite(t))
		ids := w.orders(t, 1)
		w.mirror(t, ids[0], "UPDATE orders SET amount_total = 1 WHERE id = ?")
		w.cfg.Mirror, w.cfg.Registerer = &deafMirror{Mirror: w.db, err: example.err, turn: func() {
			w.people(t, "sale.order", "write", []any{ids[0]}, map[string]any{"client_order_ref": "edited"})
		}}, nil
		s, err := ordersync.New(w.cfg)
		require.NoError(t, err)
		defer s.Close()
		run, err := s.Audit(t.Context(), ordersync.AuditOptions{Repair: true})
		require.NoError(t, err)
		f := w.findings(t, run)[ids[0]]
		require.Equal(t, order.FindingFailed, f.State)
		require.Contains(t, f.Failure, example.want)
		require.Equal(t, 1, run.Left())
		w.later(10 * time.Minute)
		require.Zero(t, w.audit(t, true).Left())
		require.Equal(t, order.FindingRepaired, w.findings(t, run)[ids[0]].State, "the next audit sees to it")
	}
}

// takenOver is a mirror in which another process has taken the run up.
type takenOver struct{ ordersync.Mirror }

func (takenOver) RenewAudit(context.Context, int64, int64, string, time.Time) (bool, error) {
	return false, nil
}

func TestAnAuditThatWasTakenOverEnds(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	w.cfg.Mirror, w.cfg.Registerer = takenOver{w.db}, nil
	s, err := ordersync.New(w.cfg)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Audit(t.Context(), ordersync.AuditOptions{})
	require.ErrorIs(t, err, ordersync.ErrNightTaken)
}

func TestAuditsAreCounted(t *testing.T) {
	t.Parallel()
	w := sandboxWorld(t, 19, storetest.SQLite(t))
	ids := w.orders(t, 2)
	w.mirror(t, ids[0], "UPDATE orders SET amount_total = 1 WHERE id = ?")
	w.later(10 * time.Minute)
	w.audit(t, false)
	require.NoError(t, w.AuditIfDue(t.Context()))
	values := w.gathered(t)
	require.EqualValues(t, 1, values["ordergate_audit_findings_total amount"])
	require.Contains(t, values, "ordergate_audit_findings_total stray")
	require.EqualValues(t, 1, values["ordergate_audit_findings_left"])
	require.EqualValues(t, 1, values["ordergate_audit_seconds done"])
	w.audit(t, true)
	require.NoError(t, w.AuditIfDue(t.Context()))
	values = w.gathered(t)
	require.EqualValues(t, 0, values["ordergate_audit_findings_left"])
	require.NotEqual(t, values["ordergate_audit_last_success_timestamp_seconds"], values["ordergate_audit_last_success_timestamp_seconds"], "NaN: there is no nightly audit")

	// With a nightly one, every replica tells the same.
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	nightly := w.replica(t, &now, func(cfg *ordersync.Config) { cfg.Registerer = w.fresh() })
	require.NoError(t, nightly.AuditIfDue(t.Context()))
	last, err := w.db.LastAudit(t.Context(), w.tenant.ID)
	require.NoError(t, err)
	require.EqualValues(t, last.Began.Unix(), w.gathered(t)["ordergate_audit_last_success_timestamp_seconds"])
}

// fresh replaces the registry, for another service of the same names.
func (w *auditWorld) fresh() prometheus.Registerer {
	w.registry = prometheus.NewRegistry()
	return w.registry
}

// gathered are the values of the audits' metrics, by name and label; a histogram's is its count.
func (w *auditWorld) gathered(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := w.registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "ordergate_audit_") {
			continue
		}
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				if label.GetName() != "tenant" {
					name += " " + label.GetValue()
				}
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}
