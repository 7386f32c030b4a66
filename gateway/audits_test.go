package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestListAudits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.AuditFilter
	b.service.audits = func(_ context.Context, _ order.Caller, f order.AuditFilter) ([]order.AuditRun, error) {
		asked = f
		return []order.AuditRun{
			{ID: 12, Trigger: order.Nightly, State: order.AuditDone, Repair: true, Began: start, Ended: start.Add(time.Second),
				Found: map[order.FindingKind]int{order.FindingStale: 3}, Repaired: 2},
			{ID: 11, Trigger: order.ByCommand, State: order.AuditFailed, Began: start, Failure: "the ERP went away"},
		}, nil
	}
	a := b.get("/v1/audits?limit=1", operatorSecret)
	require.Equal(t, http.StatusOK, a.StatusCode)
	got := a.json(t)
	require.Equal(t, []any{map[string]any{"id": 12.0, "trigger": "nightly", "state": "done", "repair": true, "since": nil,
		"began_at": "2026-11-21T09:30:00Z", "ended_at": "2026-11-21T09:30:01Z", "failure": nil, "found": map[string]any{"stale": 3.0},
		"repaired": 2.0, "left": 1.0}}, got["audits"])
	require.Equal(t, 2, asked.Limit)
	b.get("/v1/audits?limit=1&cursor="+got["next_cursor"].(string), operatorSecret)
	require.EqualValues(t, 12, asked.BeforeID)
	require.Nil(t, b.get("/v1/audits", operatorSecret).json(t)["next_cursor"])
	b.get("/v1/audits?cursor=x", operatorSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "cursor")
	b.get("/v1/audits", portalSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
}

func TestListFindings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked order.FindingFilter
	b.service.findings = func(_ context.Context, _ order.Caller, f order.FindingFilter) ([]order.Finding, error) {
		asked = f
		return []order.Finding{{ID: 44, RunID: 12, ERPOrderID: 4711, Kind: order.FindingAmount, State: order.FindingFailed,
			Detail: "total", Failure: "the database refused it", FoundAt: start}}, nil
	}
	got := b.get("/v1/audits/findings?audit=12&kind=amount&state=failed", operatorSecret).json(t)
	require.Equal(t, order.FindingFilter{RunID: 12, Kind: order.FindingAmount, State: order.FindingFailed, Limit: 51}, asked)
	require.Equal(t, []any{map[string]any{"id": 44.0, "audit": 12.0, "order_id": 4711.0, "number": nil, "kind": "amount", "state": "failed",
		"detail": "total", "failure": "the database refused it", "found_at": "2026-11-21T09:30:00Z", "ended_at": nil}}, got["findings"])
	b.get("/v1/audits/findings?kind=odd", operatorSecret).requireProblem(t, http.StatusUnprocessableEntity, "invalid_request", "kind")
}
