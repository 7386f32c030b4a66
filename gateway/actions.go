package gateway

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// HoldOrder answers POST /v1/orders/{id}/hold.
func (a *api) HoldOrder(ctx context.Context, request HoldOrderRequestObject) (HoldOrderResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey,
		order.Action{Kind: order.Hold, OrderID: request.ID, Reason: orNone(orNone(request.Body).Reason)})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return HoldOrder202JSONResponse{*accepted}, nil
	}
	return HoldOrder200JSONResponse{*done}, nil
}

// ApproveOrder answers POST /v1/orders/{id}/approve.
func (a *api) ApproveOrder(ctx context.Context, request ApproveOrderRequestObject) (ApproveOrderResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey, order.Action{Kind: order.Approve, OrderID: request.ID})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return ApproveOrder202JSONResponse{*accepted}, nil
	}
	return ApproveOrder200JSONResponse{*done}, nil
}

// ConfirmOrder answers POST /v1/orders/{id}/confirm.
func (a *api) ConfirmOrder(ctx context.Context, request ConfirmOrderRequestObject) (ConfirmOrderResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey, order.Action{Kind: order.Confirm, OrderID: request.ID})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return ConfirmOrder202JSONResponse{*accepted}, nil
	}
	return ConfirmOrder200JSONResponse{*done}, nil
}

// CancelOrder answers POST /v1/orders/{id}/cancel.
func (a *api) CancelOrder(ctx context.Context, request CancelOrderRequestObject) (CancelOrderResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey,
		order.Action{Kind: order.Cancel, OrderID: request.ID, Reason: orNone(orNone(request.Body).Reason)})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return CancelOrder202JSONResponse{*accepted}, nil
	}
	return CancelOrder200JSONResponse{*done}, nil
}

// FulfilOrder answers POST /v1/orders/{id}/fulfilments.
func (a *api) FulfilOrder(ctx context.Context, request FulfilOrderRequestObject) (FulfilOrderResponseObject, error) {
	body := orNone(request.Body)
	action := order.Action{
		Kind: order.Fulfil, OrderID: request.ID, Tracking: orNone(body.TrackingNumber), Carrier: orNone(body.Carrier), Note: orNone(body.Note),
	}
	var found []order.Violation
	for i, l := range orNone(body.Lines) {
		line := order.ActionLine{LineID: l.ERPLineID, Quantity: decimalAt(&found, l.Quantity, "lines[%d].quantity", i)}
		for j, lot := range orNone(l.Lots) {
			line.Lots = append(line.Lots, order.ActionLot{Lot: lot.Lot, Quantity: decimalAt(&found, lot.Quantity, "lines[%d].lots[%d].quantity", i, j)})
		}
		action.Lines = append(action.Lines, line)
	}
	if err := invalid(found); err != nil {
		return nil, err
	}
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey, action)
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return FulfilOrder202JSONResponse{*accepted}, nil
	}
	return FulfilOrder200JSONResponse{*done}, nil
}

// InvoiceOrder answers POST /v1/orders/{id}/invoices.
func (a *api) InvoiceOrder(ctx context.Context, request InvoiceOrderRequestObject) (InvoiceOrderResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey, order.Action{Kind: order.Bill, OrderID: request.ID})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return InvoiceOrder202JSONResponse{*accepted}, nil
	}
	return InvoiceOrder200JSONResponse{*done}, nil
}

// PayInvoice answers POST /v1/orders/{id}/invoices/{invoice_id}/payments.
func (a *api) PayInvoice(ctx context.Context, request PayInvoiceRequestObject) (PayInvoiceResponseObject, error) {
	var found []order.Violation
	amount := decimalAt(&found, request.Body.Amount, "amount")
	if err := invalid(found); err != nil {
		return nil, err
	}
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey, order.Action{
		Kind: order.Pay, OrderID: request.ID, InvoiceID: request.InvoiceID, Amount: &amount,
		Date: orNone(request.Body.Date), Reference: orNone(request.Body.Reference),
	})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return PayInvoice202JSONResponse{*accepted}, nil
	}
	return PayInvoice200JSONResponse{*done}, nil
}

// ReturnOrder answers POST /v1/orders/{id}/returns.
func (a *api) ReturnOrder(ctx context.Context, request ReturnOrderRequestObject) (ReturnOrderResponseObject, error) {
	body := orNone(request.Body)
	lines, err := quantitiesOf(body.Lines)
	if err != nil {
		return nil, err
	}
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey,
		order.Action{Kind: order.Return, OrderID: request.ID, Lines: lines, Reason: orNone(body.Reason)})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return ReturnOrder202JSONResponse{*accepted}, nil
	}
	return ReturnOrder200JSONResponse{*done}, nil
}

// ReceiveReturn answers POST /v1/orders/{id}/returns/{return_id}/receive.
func (a *api) ReceiveReturn(ctx context.Context, request ReceiveReturnRequestObject) (ReceiveReturnResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey,
		order.Action{Kind: order.Receive, OrderID: request.ID, ReturnID: request.ReturnID})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return ReceiveReturn202JSONResponse{*accepted}, nil
	}
	return ReceiveReturn200JSONResponse{*done}, nil
}

// RefundOrder answers POST /v1/orders/{id}/refunds.
func (a *api) RefundOrder(ctx context.Context, request RefundOrderRequestObject) (RefundOrderResponseObject, error) {
	body := orNone(request.Body)
	lines, err := quantitiesOf(body.Lines)
	if err != nil {
		return nil, err
	}
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey, order.Action{
		Kind: order.Refund, OrderID: request.ID, Lines: lines, Reason: orNone(body.Reason), Date: orNone(body.Date)})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return RefundOrder202JSONResponse{*accepted}, nil
	}
	return RefundOrder200JSONResponse{*done}, nil
}

func quantitiesOf(given *[]OrderLineQuantity) ([]order.ActionLine, error) {
	var found []order.Violation
	var lines []order.ActionLine
	for i, l := range orNone(given) {
		lines = append(lines, order.ActionLine{LineID: l.ERPLineID, Quantity: decimalAt(&found, l.Quantity, "lines[%d].quantity", i)})
	}
	return lines, invalid(found)
}

// decimalAt reads a number, and adds what is wrong with it to what was found.
func decimalAt(found *[]order.Violation, text, field string, at ...any) decimal.Decimal {
	d, err := order.ParseDecimal(text)
	if err != nil {
		*found = append(*found, order.Violation{Field: fmt.Sprintf(field, at...), Message: err.Error()})
	}
	return d
}

// decimalIfAt is decimalAt for a number that may be left out.
func decimalIfAt(found *[]order.Violation, text *string, field string, at ...any) *decimal.Decimal {
	if text == nil {
		return nil
	}
	d := decimalAt(found, *text, field, at...)
	return &d
}

// act carries an action out. It returns one of the three: the answer of what is done, of what is not known yet, or why it cannot
// be.
func (a *api) act(ctx context.Context, key string, action order.Action) (*ActionDoneJSONResponse, *ActionAcceptedJSONResponse, error) {
	done, accepted, err := a.perform(ctx, key, action)
	if err != nil || accepted != nil {
		return nil, accepted, err
	}
	return &ActionDoneJSONResponse{
		Body: renderOrder(*done.Order), Headers: ActionDoneResponseHeaders{
			ETag: etag(done.Order.Version), IdempotencyReplayed: orNull(done.Replayed),
		},
	}, nil, nil
}

// perform is act that leaves what is done to be rendered: its Order is set.
func (a *api) perform(ctx context.Context, key string, action order.Action) (order.Placement, *ActionAcceptedJSONResponse, error) {
	ctx, call := enter(ctx)
	outcome, err := call.service.Act(ctx, call.caller, key, action)
	switch {
	case err != nil && outcome.Replayed:
		return order.Placement{}, nil, &storedAnswer{err}
	case err != nil:
		return order.Placement{}, nil, err
	case outcome.Order != nil:
		return outcome, nil, nil
	}
	return order.Placement{}, &ActionAcceptedJSONResponse{
		Body: renderIntent(outcome.Intent, call.caller),
		Headers: ActionAcceptedResponseHeaders{
			Location: intentURL(outcome.Intent, call.caller), RetryAfter: a.pollAfter(outcome.Intent),
		},
	}, nil
}
