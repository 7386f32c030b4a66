package gateway

import (
	"context"

	"ordergate/order"
)

// ListAudits answers GET /v1/audits.
func (a *api) ListAudits(ctx context.Context, request ListAuditsRequestObject) (ListAuditsResponseObject, error) {
	ctx, call := enter(ctx)
	p := request.Params
	before, err := readCursorID(p.Cursor, listAudits)
	if err != nil {
		return nil, err
	}
	limit := pageSize(p.Limit)
	runs, err := call.service.ListAuditRuns(ctx, call.caller, order.AuditFilter{BeforeID: before, Limit: limit + 1})
	if err != nil {
		return nil, err
	}
	page := ListAudits200JSONResponse{Audits: []Audit{}}
	for _, r := range runs[:min(len(runs), limit)] {
		found := make(map[string]int, len(r.Found))
		for kind, n := range r.Found {
			found[string(kind)] = n
		}
		page.Audits = append(page.Audits, Audit{
			ID: r.ID, Trigger: AuditTrigger(r.Trigger), State: AuditState(r.State), Repair: r.Repair, Since: utcOrNull(r.Since),
			BeganAt: utc(r.Began), EndedAt: utcOrNull(r.Ended), Failure: orNull(r.Failure), Found: found, Repaired: r.Repaired, Left: r.Left(),
		})
	}
	if len(runs) > limit {
		next := encodeCursor(cursor{List: listAudits, ID: runs[limit-1].ID})
		page.NextCursor = &next
	}
	return page, nil
}

// ListFindings answers GET /v1/audits/findings.
func (a *api) ListFindings(ctx context.Context, request ListFindingsRequestObject) (ListFindingsResponseObject, error) {
	ctx, call := enter(ctx)
	p := request.Params
	before, err := readCursorID(p.Cursor, listFindings)
	if err != nil {
		return nil, err
	}
	limit := pageSize(p.Limit)
	findings, err := call.service.ListFindings(ctx, call.caller, order.FindingFilter{
		RunID: orNone(p.Audit), Kind: order.FindingKind(orNone(p.Kind)), State: order.FindingState(orNone(p.State)),
		BeforeID: before, Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	page := ListFindings200JSONResponse{Findings: []Finding{}}
	for _, f := range findings[:min(len(findings), limit)] {
		page.Findings = append(page.Findings, Finding{
			ID: f.ID, Audit: f.RunID, OrderID: f.ERPOrderID, Number: orNull(f.Number), Kind: FindingKind(f.Kind),
			State: FindingState(f.State), Detail: f.Detail, Failure: orNull(f.Failure), FoundAt: utc(f.FoundAt), EndedAt: utcOrNull(f.EndedAt),
		})
	}
	if len(findings) > limit {
		next := encodeCursor(cursor{List: listFindings, ID: findings[limit-1].ID})
		page.NextCursor = &next
	}
	return page, nil
}

// readCursorID reads the id that a cursor of a list ends with; 0 without one.
func readCursorID(text *string, list string) (int64, error) {
	if text == nil {
		return 0, nil
	}
	at, ok := decodeCursor(*text, list)
	if !ok {
		return 0, invalid([]order.Violation{{Field: "cursor", Message: notACursor}})
	}
	return at.ID, nil
}
