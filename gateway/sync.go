package gateway

import (
	"context"

	"ordergate/order"
)

// GetSync answers GET /v1/sync.
func (a *api) GetSync(ctx context.Context, _ GetSyncRequestObject) (GetSyncResponseObject, error) {
	ctx, call := enter(ctx)
	report, err := call.service.SyncReport(ctx, call.caller)
	if err != nil {
		return nil, err
	}
	answer := GetSync200JSONResponse{
		Sync: renderSync(report.Status), Orders: report.Orders, Edited: report.Edited, Deleted: report.Deleted, InDoubt: report.InDoubt,
	}
	if f := report.FullSync; f != nil {
		answer.FullSync = &FullSync{Orders: f.Orders, AfterID: f.AfterID, Since: utcOrNull(f.Since)}
	}
	return answer, nil
}

// StartSync answers POST /v1/sync.
func (a *api) StartSync(ctx context.Context, request StartSyncRequestObject) (StartSyncResponseObject, error) {
	ctx, call := enter(ctx)
	wish := order.SyncWish{OrderID: orNone(request.Body.OrderID), CustomerRef: orNone(request.Body.Customer)}
	if wish.OrderID != 0 && wish.CustomerRef != "" {
		return nil, invalid([]order.Violation{{Field: "customer", Message: "give order_id or customer, not both"}})
	}
	found, status, err := call.service.SyncNow(ctx, call.caller, wish)
	if err != nil {
		return nil, err
	}
	return StartSync200JSONResponse{Orders: int64(found), Sync: renderSync(status)}, nil
}

func renderSync(s order.SyncStatus) SyncStatus {
	return SyncStatus{State: SyncStatusState(s.State), SyncedAt: utcOrNull(s.SyncedAt), Reason: orNull(s.Reason)}
}

func renderOrderSync(s order.OrderSync) OrderSync {
	return OrderSync{State: OrderSyncState(s.State), SyncedAt: utcOrNull(s.SyncedAt), Reason: orNull(s.Reason)}
}
