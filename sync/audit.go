package ordersync

import (
	"context"
	"slices"
	"time"

	"ordergate/order"
)

// AuditOptions say what an audit looks at and does.
type AuditOptions struct {
	Trigger order.AuditTrigger // ByCommand if empty
	Repair  bool               // bring the mirror to the ERP's state where they differ
	Since   time.Time          // only orders created or written in the ERP since; zero for all
	Night   string             // of a nightly audit: the day. A night has one audit, whichever process runs it
	// Pause is how long a difference must last to count: the sync beside the audit must have had its turn by then. Two of
	// its intervals if 0.
	Pause time.Duration
}

// AuditStore keeps audits and their findings, and sums the mirror up as the ERP does.
type AuditStore interface {
	// OrderTotals sums orders without tombstones up by status and currency, and by the month of their creation if byMonth.
	OrderTotals(ctx context.Context, tenantID int64, slice order.Slice, byMonth bool) ([]order.Totals, error)
	// LineTotals sums their lines up, by currency.
	LineTotals(ctx context.Context, tenantID int64, slice order.Slice) ([]order.Totals, error)
	// WriteDays counts them by the day on which they were last written.
	WriteDays(ctx context.Context, tenantID int64, slice order.Slice) ([]order.Totals, error)
	// MirroredOrders returns orders with their lines as the mirror holds them, by id, tombstones included.
	MirroredOrders(ctx context.Context, tenantID int64, ids []int64) (map[int64]order.Snapshot, error)
	// MirroredDocuments returns the deliveries and invoices of orders without tombstones that were created since a time.
	MirroredDocuments(ctx context.Context, tenantID int64, since time.Time) (map[order.DocumentKind][]order.Document, error)
	// DoubtOrders makes the mirror forget what it has read of orders, so that the next reading replaces it.
	DoubtOrders(ctx context.Context, tenantID int64, ids []int64) error
	// CorrectCompanies brings orders to their customers' companies where their rows say otherwise, and returns of how many
	// customers it did.
	CorrectCompanies(ctx context.Context, tenantID int64) (int, error)

	// BeginAudit enters a run under a lease and sets its ID; false if the night has one already that did not fail.
	BeginAudit(ctx context.Context, tenantID int64, run order.AuditRun, token string, until time.Time) (order.AuditRun, bool, error)
	// RenewAudit prolongs the lease; false if another process has taken the night over.
	RenewAudit(ctx context.Context, tenantID, id int64, token string, until time.Time) (bool, error)
	EndAudit(ctx context.Context, tenantID int64, run order.AuditRun, token string) error
	// LastAudit returns the latest audit of everything that came to its end; zero if none did.
	LastAudit(ctx context.Context, tenantID int64) (order.AuditRun, error)
	AddFindings(ctx context.Context, tenantID int64, findings []order.Finding) ([]order.Finding, error)
	EndFindings(ctx context.Context, tenantID int64, findings []order.Finding) error
	// OpenFindings returns the ids of the findings, by order, that no audit has seen repaired.
	OpenFindings(ctx context.Context, tenantID int64) (map[int64][]int64, error)
	ListAuditRuns(ctx context.Context, tenantID int64, f order.AuditFilter) ([]order.AuditRun, error)
	ListFindings(ctx context.Context, tenantID int64, f order.FindingFilter) ([]order.Finding, error)
}

// auditLease is how long a run's lease is given for, besides its pause; it is renewed at every step.
const auditLease = 10 * time.Minute

// saveTimeout bounds the writing down of how an audit ended, which its own context may have ended before.
const saveTimeout = 10 * time.Second

// audit is one run under way.
type audit struct {
	sides
	options AuditOptions
	run     order.AuditRun
	token   string
	all     order.Slice // what is compared

	open     map[int64][]int64 // findings of earlier audits that are not repaired, by order
	suspects map[int64]bool    // orders that may differ
	ranges   []idRange         // in which some may
	leaves   []leaf            // ranges whose sums differ, with the orders in them
}

// idRange is a range of order ids, both ends included.
type idRange struct{ first, last int64 }

// leaf is a range of ids whose sums differ, and the orders that either side has there.
type leaf struct {
	idRange
	ids []int64
}

// Audit compares the mirror with the ERP, by sums first and order by order only where those differ, and names each order
// that differs. With Repair it brings those orders to the ERP's state and looks again. What is changing at the moment is no
// finding: a difference counts if it outlasts the pause. The findings are in the database, by the run's ID.
//
// Error: the run's Failure says it too; the run is returned in any case. ErrNightTaken if the night has an audit already.
func (s *Service) Audit(ctx context.Context, o AuditOptions) (order.AuditRun, error) {
	if o.Trigger == "" {
		o.Trigger = order.ByCommand
	}
	setDefault(&o.Pause, 2*s.cfg.SyncInterval)
	a := &audit{
		sides: sides{Service: s, settled: s.cfg.TransactionLimit + o.Pause}, options: o, token: s.cfg.NewToken(),
		suspects: map[int64]bool{}, all: order.Slice{CreatedFrom: o.Since},
	}
	a.run = order.AuditRun{
		Trigger: o.Trigger, Night: o.Night, Repair: o.Repair, Since: o.Since, State: order.AuditRunning,
		Began: s.now().UTC(), Settled: s.erp.Now().UTC().Add(-a.settled), Found: map[order.FindingKind]int{},
	}
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil {
		return a.run, err
	}
	if !cursor.Complete {
		return a.run, errNeverSynced
	}
	run, begun, err := s.mirror.BeginAudit(ctx, s.tenant.ID, a.run, a.token, a.leaseUntil())
	if err != nil {
		return a.run, err
	}
	if !begun {
		return run, ErrNightTaken
	}
	a.run = run
	return a.finish(ctx, a.perform(ctx))
}

// ErrNightTaken is the error of a nightly audit that has run already, or runs in another process.
var ErrNightTaken = order.Errorf(order.Conflict, "night_taken", "This night's audit has run already, or runs in another process.")

// errNeverSynced is the error of what needs a mirror that was once complete.
var errNeverSynced = order.Errorf(order.Conflict, "never_synced", "%s Try again when it has.", neverSynced)

// perform finds the differences, names them and, if asked to, repairs them.
func (a *audit) perform(ctx context.Context) error {
	for _, step := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"open findings", a.reopen},
		{"recent orders", a.compareRecent},
		{"months", a.compareMonths},
		{"days", a.compareDays},
		{"documents", a.compareDocuments},
		{"ranges", a.compareRanges},
		{"companies", a.correctCompanies},
	} {
		if err := a.renew(ctx); err != nil {
			return err
		}
		if err := step.run(ctx); err != nil {
			return err
		}
	}
	findings, err := a.judge(ctx)
	if err != nil || len(findings) == 0 {
		return err
	}
	for i, f := range findings {
		a.run.Found[f.Kind]++
		a.metrics.auditFindings.WithLabelValues(string(f.Kind)).Inc()
		if i < loggedFindings {
			a.log.WarnContext(ctx, "the mirror differs from the ERP", "kind", f.Kind, "erp_order_id", f.ERPOrderID, "detail", f.Detail)
		}
	}
	// All are stored before the first is repaired: a crash in between leaves no repair that nobody hears of.
	var stored []order.Finding
	for page := range slices.Chunk(findings, orderPage) {
		added, err := a.mirror.AddFindings(ctx, a.tenant.ID, page)
		if err != nil {
			return err
		}
		stored = append(stored, added...)
	}
	if !a.options.Repair {
		return nil
	}
	return a.repair(ctx, stored)
}

// loggedFindings is how many findings of a run go to the log; the table has all.
const loggedFindings = 100

func (a *audit) leaseUntil() time.Time { return a.now().Add(auditLease + a.options.Pause) }

// renew keeps the night this process's, or ends the run if another has taken it over.
func (a *audit) renew(ctx context.Context) error {
	held, err := a.mirror.RenewAudit(ctx, a.tenant.ID, a.run.ID, a.token, a.leaseUntil())
	if err == nil && !held {
		return ErrNightTaken
	}
	return err
}

// finish writes down how the run ended, also if its context has.
func (a *audit) finish(ctx context.Context, failure error) (order.AuditRun, error) {
	a.run.Ended, a.run.State = a.now().UTC(), order.AuditDone
	a.run.Calls, a.run.Rows = a.calls, a.rows
	if failure != nil {
		a.run.State, a.run.Failure = order.AuditFailed, failure.Error()
	}
	a.metrics.auditSeconds.WithLabelValues(string(a.run.State)).Observe(a.run.Ended.Sub(a.run.Began).Seconds())
	a.log.InfoContext(ctx, "audit ended", "run", a.run.ID, "state", a.run.State, "findings", a.run.FindingCount(),
		"repaired", a.run.Repaired, "unsettled", a.run.Unsettled, "calls", a.run.Calls, "rows", a.run.Rows)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := a.mirror.EndAudit(ctx, a.tenant.ID, a.run, a.token); failure == nil {
		failure = err
	}
	return a.run, failure
}

// ListAuditRuns returns a page of audits, the newest first; those whose process has died are failed. They are the operators': others get Forbidden.
func (s *Service) ListAuditRuns(ctx context.Context, caller order.Caller, f order.AuditFilter) ([]order.AuditRun, error) {
	if caller.Role != order.RoleOperator {
		return nil, auditsForbidden()
	}
	runs, err := s.mirror.ListAuditRuns(ctx, s.tenant.ID, f)
	if err != nil {
		return nil, databaseUnavailable(err)
	}
	for i := range runs {
		runs[i] = runs[i].AsOf(s.now())
	}
	return runs, nil
}

// ListFindings returns a page of what audits found, the newest first. They are the operators': others get Forbidden.
func (s *Service) ListFindings(ctx context.Context, caller order.Caller, f order.FindingFilter) ([]order.Finding, error) {
	if caller.Role != order.RoleOperator {
		return nil, auditsForbidden()
	}
	findings, err := s.mirror.ListFindings(ctx, s.tenant.ID, f)
	if err != nil {
		return nil, databaseUnavailable(err)
	}
	return findings, nil
}

func auditsForbidden() *order.Error {
	return order.Errorf(order.Forbidden, "role_forbidden", "This key may not see audits.")
}
