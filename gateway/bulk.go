package gateway

import (
	"context"
	"net/http"

	"ordergate/order"
)

// ActOnOrders answers POST /v1/orders/bulk.
func (a *api) ActOnOrders(ctx context.Context, request ActOnOrdersRequestObject) (ActOnOrdersResponseObject, error) {
	ctx, call := enter(ctx)
	outcomes, err := call.service.ActOnMany(ctx, call.caller, request.Params.IdempotencyKey, order.Bulk{
		Kind: order.ActionKind(request.Body.Action), OrderIDs: request.Body.OrderIds, Reason: orNone(request.Body.Reason),
	})
	if err != nil {
		return nil, err
	}
	results := make([]BulkOutcome, len(outcomes))
	for i, o := range outcomes {
		results[i] = renderBulkOutcome(o)
	}
	return ActOnOrders200JSONResponse{Results: results}, nil
}

func renderBulkOutcome(o order.BulkOutcome) BulkOutcome {
	rendered := BulkOutcome{OrderID: o.OrderID, Key: o.Key, Status: http.StatusAccepted, Replayed: o.Placement.Replayed}
	switch {
	case o.Err != nil:
		status, shown := publish(o.Err, true)
		rendered.Status = status
		rendered.Failure = &Failure{Code: shown.Code, Detail: shown.Message, Errors: fieldErrors(shown.Violations)}
	case o.Placement.Order != nil:
		done := renderOrder(*o.Placement.Order)
		rendered.Status, rendered.Order = http.StatusOK, &done
	}
	return rendered
}
