package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"ordergate/order"
)

// GetOrderHistory answers GET /v1/orders/{id}/history.
func (a *api) GetOrderHistory(ctx context.Context, request GetOrderHistoryRequestObject) (GetOrderHistoryResponseObject, error) {
	ctx, call := enter(ctx)
	after, err := readCursorID(request.Params.Cursor, listHistory)
	if err != nil {
		return nil, err
	}
	limit := pageSize(request.Params.Limit)
	entries, err := call.service.History(ctx, call.caller, request.ID, order.HistoryFilter{AfterID: after, Limit: limit + 1})
	if err != nil {
		return nil, err
	}
	page := GetOrderHistory200JSONResponse{OrderID: request.ID, History: renderHistory(entries[:min(len(entries), limit)])}
	if len(entries) > limit {
		next := encodeCursor(cursor{List: listHistory, ID: entries[limit-1].ID})
		page.NextCursor = &next
	}
	return page, nil
}

// WriteOrderHistory answers POST /v1/orders/{id}/history.
func (a *api) WriteOrderHistory(ctx context.Context, request WriteOrderHistoryRequestObject) (WriteOrderHistoryResponseObject, error) {
	ctx, call := enter(ctx)
	entry, err := readHistoryEntry(request.ID, request.Body)
	if err != nil {
		return nil, err
	}
	written, replayed, err := call.service.WriteHistory(ctx, call.caller, request.Params.IdempotencyKey, entry)
	if err != nil {
		return nil, err
	}
	return WriteOrderHistory201JSONResponse{
		Body:    renderHistoryEntry(written),
		Headers: WriteOrderHistory201ResponseHeaders{IdempotencyReplayed: orNull(replayed)},
	}, nil
}

// GetOrderStatus answers GET /v1/orders/{id}/status.
func (a *api) GetOrderStatus(ctx context.Context, request GetOrderStatusRequestObject) (GetOrderStatusResponseObject, error) {
	ctx, call := enter(ctx)
	status, err := call.service.HistoryStatus(ctx, call.caller, request.ID)
	if err != nil {
		return nil, err
	}
	return GetOrderStatus200JSONResponse{
		OrderID: request.ID, Blocked: len(status.Blocks) > 0,
		Latest: renderHistory(status.Latest), Blocks: renderHistory(status.Blocks),
	}, nil
}

// GetHistoryCounts answers GET /v1/history/counts.
func (a *api) GetHistoryCounts(ctx context.Context, _ GetHistoryCountsRequestObject) (GetHistoryCountsResponseObject, error) {
	ctx, call := enter(ctx)
	counts, err := call.service.HistoryCounts(ctx)
	if err != nil {
		return nil, err
	}
	shown := GetHistoryCounts200JSONResponse{Codes: []HistoryCount{}, BlockedOrders: counts.Blocked}
	for _, code := range slices.Sorted(maps.Keys(counts.Codes)) {
		shown.Codes = append(shown.Codes, HistoryCount{StatusCode: code, Orders: counts.Codes[code]})
	}
	return shown, nil
}

// readHistoryEntry turns the body into the domain's entry. What it says is the service's to judge.
func readHistoryEntry(orderID int64, body *HistoryEntryRequest) (order.HistoryEntry, error) {
	entry := order.HistoryEntry{
		OrderID: orderID, Code: body.StatusCode, Category: cmp.Or(orNone(body.Category), order.CategoryGeneral),
		Severity: cmp.Or(order.Severity(orNone(body.Severity)), order.Info), Detail: orNone(body.Detail), Closes: orNone(body.Closes),
	}
	if body.Payload == nil {
		return entry, nil
	}
	payload, err := order.CanonicalPayload(*body.Payload)
	if err != nil {
		return entry, invalid([]order.Violation{{Field: "payload", Message: "must be an object"}})
	}
	entry.Payload = payload
	return entry, nil
}

func renderHistory(entries []order.HistoryEntry) []HistoryEntry {
	rendered := make([]HistoryEntry, len(entries))
	for i, e := range entries {
		rendered[i] = renderHistoryEntry(e)
	}
	return rendered
}

func renderHistoryEntry(e order.HistoryEntry) HistoryEntry {
	rendered := HistoryEntry{
		ID: e.ID, Module: e.Module(), StatusCode: e.Code, Category: e.Category, Severity: HistorySeverity(e.Severity),
		Detail: orNull(e.Detail), RecordedAt: utc(e.RecordedAt), WrittenBy: e.WrittenBy, Closes: orNull(e.Closes),
		ClosedAt: utcOrNull(e.ClosedAt), ClosedByEntry: orNull(e.ClosedBy), Hash: e.Hash,
	}
	if e.Payload != "" {
		payload := json.RawMessage(e.Payload)
		rendered.Payload = &payload
	}
	return rendered
}
