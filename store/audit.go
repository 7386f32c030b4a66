package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// auditRunRow is a row of audit_runs.
type auditRunRow struct {
	ID         int64
	TenantID   int64
	Trigger    string         `gorm:"column:started_by"`
	Night      sql.NullString // unique with the tenant: one run a night; NULL for those that another one replaced
	Repair     bool
	Since      sql.NullTime
	State      string
	LeaseToken string
	LeaseUntil sql.NullTime
	BeganAt    time.Time
	EndedAt    sql.NullTime
	Failure    string
	ERPCalls   int64 `gorm:"column:erp_calls"`
	ERPRows    int64 `gorm:"column:erp_rows"`
	Counts     string
}

func (auditRunRow) TableName() string { return "audit_runs" }

// auditCounts is the JSON of the column counts: what a run came to.
type auditCounts struct {
	Found       map[order.FindingKind]int `json:"found,omitempty"`
	Repaired    int                       `json:"repaired"`
	Unsettled   int                       `json:"unsettled"`
	Unexplained int                       `json:"unexplained"`
	Settled     time.Time                 `json:"settled,omitzero"`
}

func (r auditRunRow) run() (order.AuditRun, error) {
	var counts auditCounts
	if err := json.Unmarshal([]byte(r.Counts), &counts); err != nil {
		return order.AuditRun{}, fmt.Errorf("decoding the counts of audit %d: %w", r.ID, err)
	}
	if counts.Found == nil {
		counts.Found = map[order.FindingKind]int{}
	}
	return order.AuditRun{
		ID: r.ID, Trigger: order.AuditTrigger(r.Trigger), Night: r.Night.String, Repair: r.Repair, Since: timeOf(r.Since),
		State: order.AuditState(r.State), Began: r.BeganAt.UTC(), Ended: timeOf(r.EndedAt), Failure: r.Failure,
		LeaseUntil: timeOf(r.LeaseUntil), Calls: r.ERPCalls, Rows: r.ERPRows, Found: counts.Found, Repaired: counts.Repaired,
		Unsettled: counts.Unsettled, Unexplained: counts.Unexplained, Settled: counts.Settled,
	}, nil
}

// findingRow is a row of audit_findings.
type findingRow struct {
	ID         int64
	TenantID   int64
	RunID      int64
	ERPOrderID int64 `gorm:"column:erp_order_id"`
	Number     string
	Kind       string
	State      string
	Detail     string
	Failure    string
	FoundAt    time.Time
	EndedAt    sql.NullTime
}

func (findingRow) TableName() string { return "audit_findings" }

// auditRetry is how long after its failure a night's audit is begun again.
const auditRetry = 10 * time.Minute

// BeginAudit enters a run as running, under a lease, and returns it with its ID. A night has one run: false if it is done, is
// another process's, or failed just now. One that failed longer ago, or was abandoned, stays in the list as failed, with what
// it found, and leaves the night to its successor.
func (s *Store) BeginAudit(ctx context.Context, tenantID int64, run order.AuditRun, token string, until time.Time) (order.AuditRun, bool, error) {
	var row auditRunRow
	begun := false
	begin := func(tx *gorm.DB) error {
		row, begun = auditRunRow{
			TenantID: tenantID, Trigger: string(run.Trigger), Night: sql.NullString{String: run.Night, Valid: run.Night != ""},
			Repair: run.Repair, Since: nullTime(run.Since), State: string(order.AuditRunning),
			LeaseToken: token, LeaseUntil: nullTime(until), BeganAt: timestamp(run.Began), Counts: "{}",
		}, false
		if row.Night.Valid {
			var standing auditRunRow
			err := s.forUpdate(tx).Where("tenant_id = ? AND night = ?", tenantID, run.Night).Take(&standing).Error
			if err == nil {
				free, err := leaveNight(tx, standing, row.BeganAt)
				if err != nil || !free {
					return err
				}
			} else if !errors.Is(err, gorm.ErrRecordNotFound) {
				return err
			}
		}
		begun = true
		return tx.Create(&row).Error
	}
	err := s.insertRace(ctx, "begin", "audit_runs", keyAuditNight, begin)
	if err != nil || !begun {
		return run, false, err
	}
	run.ID = row.ID
	return run, true, nil
}

// leaveNight ends a run for good whose night another one may begin again; false if none may.
func leaveNight(tx *gorm.DB, standing auditRunRow, now time.Time) (bool, error) {
	before, err := standing.run()
	if err != nil {
		return false, err
	}
	run := before.AsOf(now)
	abandoned := run.State != before.State
	if run.State != order.AuditFailed || !abandoned && !run.Ended.Add(auditRetry).Before(now) {
		return false, nil
	}
	return true, tx.Model(&auditRunRow{}).Where("tenant_id = ? AND id = ?", standing.TenantID, standing.ID).
		Updates(map[string]any{"night": nil, "state": string(run.State), "ended_at": nullTime(run.Ended), "failure": run.Failure,
			"lease_until": nil}).Error
}

// RenewAudit prolongs the lease of a run. False if it is at an end: another process took its night over.
func (s *Store) RenewAudit(ctx context.Context, tenantID, id int64, token string, until time.Time) (bool, error) {
	held := false
	err := s.transaction(ctx, "renew", "audit_runs", func(tx *gorm.DB) error {
		var standing auditRunRow
		err := s.forUpdate(tx).Where("tenant_id = ? AND id = ? AND lease_token = ? AND state = ?",
			tenantID, id, token, string(order.AuditRunning)).Take(&standing).Error
		if held = err == nil; errors.Is(err, gorm.ErrRecordNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return tx.Model(&auditRunRow{}).Where("tenant_id = ? AND id = ?", tenantID, id).Update("lease_until", timestamp(until)).Error
	})
	return held, err
}

// EndAudit stores how a run ended, if it is this token's and not at an end.
func (s *Store) EndAudit(ctx context.Context, tenantID int64, run order.AuditRun, token string) error {
	counts, err := json.Marshal(auditCounts{run.Found, run.Repaired, run.Unsettled, run.Unexplained, timestamp(run.Settled)})
	if err != nil {
		return classify("end", "audit_runs", err, beforeCommit)
	}
	return s.transaction(ctx, "end", "audit_runs", func(tx *gorm.DB) error {
		return tx.Model(&auditRunRow{}).Where("tenant_id = ? AND id = ? AND lease_token = ? AND state = ?",
			tenantID, run.ID, token, string(order.AuditRunning)).
			Updates(map[string]any{
				"state": string(run.State), "ended_at": nullTime(run.Ended), "failure": run.Failure, "lease_until": nil,
				"erp_calls": run.Calls, "erp_rows": run.Rows, "counts": string(counts),
			}).Error
	})
}

// LastAudit returns the latest audit of everything that came to its end; zero if none did.
func (s *Store) LastAudit(ctx context.Context, tenantID int64) (order.AuditRun, error) {
	var rows []auditRunRow
	err := s.read(ctx, "read", "audit_runs", func(db *gorm.DB) error {
		return db.Where("tenant_id = ? AND state = ? AND since IS NULL", tenantID, string(order.AuditDone)).
			Order("id DESC").Limit(1).Find(&rows).Error
	})
	if err != nil || len(rows) == 0 {
		return order.AuditRun{}, err
	}
	return rows[0].run()
}

// AddFindings stores findings and returns them with their ids.
func (s *Store) AddFindings(ctx context.Context, tenantID int64, findings []order.Finding) ([]order.Finding, error) {
	added := slices.Clone(findings)
	err := s.transaction(ctx, "insert", "audit_findings", func(tx *gorm.DB) error {
		for i, f := range findings {
			row := findingRow{
				TenantID: tenantID, RunID: f.RunID, ERPOrderID: f.ERPOrderID, Number: f.Number, Kind: string(f.Kind),
				State: string(f.State), Detail: f.Detail, Failure: f.Failure, FoundAt: timestamp(f.FoundAt), EndedAt: nullTime(f.EndedAt),
			}
			if err := tx.Create(&row).Error; err != nil {
				return err
			}
			added[i].ID = row.ID
		}
		return nil
	})
	return added, err
}

// EndFindings stores what became of findings: State, Failure and EndedAt.
func (s *Store) EndFindings(ctx context.Context, tenantID int64, findings []order.Finding) error {
	return s.transaction(ctx, "update", "audit_findings", func(tx *gorm.DB) error {
		for _, f := range findings {
			err := tx.Model(&findingRow{}).Where("tenant_id = ? AND id = ?", tenantID, f.ID).
				Updates(map[string]any{"state": string(f.State), "failure": f.Failure, "ended_at": nullTime(f.EndedAt)}).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// OpenFindings returns the ids of the findings, by order, that no audit has seen repaired.
func (s *Store) OpenFindings(ctx context.Context, tenantID int64) (map[int64][]int64, error) {
	var open map[int64][]int64
	err := s.read(ctx, "read", "audit_findings", func(db *gorm.DB) error {
		var rows []findingRow
		err := db.Select("id", "erp_order_id").Where("tenant_id = ? AND state <> ?", tenantID, string(order.FindingRepaired)).Find(&rows).Error
		open = make(map[int64][]int64, len(rows))
		for _, row := range rows {
			open[row.ERPOrderID] = append(open[row.ERPOrderID], row.ID)
		}
		return err
	})
	return open, err
}

// ListAuditRuns returns a page of runs, the newest first. Limit 0 means order.DefaultPageSize.
func (s *Store) ListAuditRuns(ctx context.Context, tenantID int64, f order.AuditFilter) ([]order.AuditRun, error) {
	var runs []order.AuditRun
	err := s.read(ctx, "list", "audit_runs", func(db *gorm.DB) error {
		q := db.Where("tenant_id = ?", tenantID)
		if f.BeforeID != 0 {
			q = q.Where("id < ?", f.BeforeID)
		}
		var rows []auditRunRow
		if err := q.Order("id DESC").Limit(cmp.Or(f.Limit, order.DefaultPageSize)).Find(&rows).Error; err != nil {
			return err
		}
		runs = make([]order.AuditRun, len(rows))
		for i, row := range rows {
			var err error
			if runs[i], err = row.run(); err != nil {
				return err
			}
		}
		return nil
	})
	return runs, err
}

// ListFindings returns a page of findings, the newest first. Limit 0 means order.DefaultPageSize.
func (s *Store) ListFindings(ctx context.Context, tenantID int64, f order.FindingFilter) ([]order.Finding, error) {
	var findings []order.Finding
	err := s.read(ctx, "list", "audit_findings", func(db *gorm.DB) error {
		q := db.Where("tenant_id = ?", tenantID)
		if f.RunID != 0 {
			q = q.Where("run_id = ?", f.RunID)
		}
		if f.Kind != "" {
			q = q.Where("kind = ?", string(f.Kind))
		}
		if f.State != "" {
			q = q.Where("state = ?", string(f.State))
		}
		if f.BeforeID != 0 {
			q = q.Where("id < ?", f.BeforeID)
		}
		var rows []findingRow
		if err := q.Order("id DESC").Limit(cmp.Or(f.Limit, order.DefaultPageSize)).Find(&rows).Error; err != nil {
			return err
		}
		findings = make([]order.Finding, len(rows))
		for i, r := range rows {
			findings[i] = order.Finding{
				ID: r.ID, RunID: r.RunID, ERPOrderID: r.ERPOrderID, Number: r.Number, Kind: order.FindingKind(r.Kind),
				State: order.FindingState(r.State), Detail: r.Detail, Failure: r.Failure,
				FoundAt: r.FoundAt.UTC(), EndedAt: timeOf(r.EndedAt),
			}
		}
		return nil
	})
	return findings, err
}
