package gateway

import (
	"context"
	"net/url"
	"slices"
	"time"

	"ordergate/order"
)

// Callers are asked to look at an intent again when its next attempt is due, within these bounds.
const (
	minPollAfter = 2 * time.Second
	maxPollAfter = time.Minute
)

// ListIntents answers GET /v1/intents.
func (a *api) ListIntents(ctx context.Context, request ListIntentsRequestObject) (ListIntentsResponseObject, error) {
	ctx, call := enter(ctx)
	filter, err := readIntentFilter(request.Params)
	if err != nil {
		return nil, err
	}
	intents, err := call.service.Intents(ctx, call.caller, filter)
	if err != nil {
		return nil, err
	}

	page := ListIntents200JSONResponse{Intents: make([]Intent, len(intents))}
	for i, in := range intents {
		page.Intents[i] = renderIntent(in, call.caller)
	}
	if len(intents) == filter.Limit {
		next := encodeCursor(cursor{List: listIntents, ID: intents[len(intents)-1].ID})
		page.NextCursor = &next
	}
	return page, nil
}

// GetIntent answers GET /v1/intents/{key}.
func (a *api) GetIntent(ctx context.Context, request GetIntentRequestObject) (GetIntentResponseObject, error) {
	ctx, call := enter(ctx)
	intent, err := call.service.Intent(ctx, call.caller, orNone(request.Params.Source), request.Key)
	if err != nil {
		return nil, err
	}
	return GetIntent200JSONResponse(renderIntent(intent, call.caller)), nil
}

// RetryIntent answers POST /v1/intents/{key}/retry.
func (a *api) RetryIntent(ctx context.Context, request RetryIntentRequestObject) (RetryIntentResponseObject, error) {
	ctx, call := enter(ctx)
	intent, err := call.service.RetryIntent(ctx, call.caller, orNone(request.Params.Source), request.Key)
	if err != nil {
		return nil, err
	}
	return RetryIntent202JSONResponse{
		Body: renderIntent(intent, call.caller),
		Headers: RetryIntent202ResponseHeaders{
			Location: intentURL(intent, call.caller), RetryAfter: a.pollAfter(intent),
		},
	}, nil
}

// CancelIntent answers DELETE /v1/intents/{key}.
func (a *api) CancelIntent(ctx context.Context, request CancelIntentRequestObject) (CancelIntentResponseObject, error) {
	ctx, call := enter(ctx)
	intent, err := call.service.CancelIntent(ctx, call.caller, orNone(request.Params.Source), request.Key)
	if err != nil {
		return nil, err
	}
	if intent.State == order.CalledOff {
		return CancelIntent200JSONResponse(renderIntent(intent, call.caller)), nil
	}
	return CancelIntent202JSONResponse{
		Body: renderIntent(intent, call.caller),
		Headers: CancelIntent202ResponseHeaders{
			Location: intentURL(intent, call.caller), RetryAfter: a.pollAfter(intent),
		},
	}, nil
}

func readIntentFilter(p ListIntentsParams) (order.IntentFilter, error) {
	filter := order.IntentFilter{Source: orNone(p.Source), InDoubt: p.InDoubt != nil, Limit: pageSize(p.Limit)}
	for _, s := range orNone(p.State) {
		if state := order.IntentState(s); !slices.Contains(filter.States, state) {
			filter.States = append(filter.States, state)
		}
	}
	var found []order.Violation
	filter.From, filter.To = readMoment(&found, "from", p.From), readMoment(&found, "to", p.To)
	if p.Cursor != nil {
		at, ok := decodeCursor(*p.Cursor, listIntents)
		if !ok {
			found = append(found, order.Violation{Field: "cursor", Message: notACursor})
		}
		filter.BeforeID = at.ID
	}
	return filter, invalid(found)
}

func renderIntent(in order.Intent, caller order.Caller) Intent {
	rendered := Intent{
		Key: in.Key, Source: in.Source, Caller: orNull(in.Caller), State: IntentState(in.State), InDoubt: in.InDoubt(),
		Customer: IntentCustomer{
			Ref: orNull(in.Request.Customer.Ref), ERPPartnerID: orNull(in.Request.Customer.ERPPartnerID),
		},
		Reference: orNull(in.Request.Reference), Action: actionOf(in), OrderID: orNull(in.ERPOrderID),
		StatusURL: intentURL(in, caller), Attempts: in.Attempts, CancelRequestedAt: utcOrNull(in.CancelRequestedAt),
		CreatedAt: utc(in.CreatedAt), UpdatedAt: utc(in.UpdatedAt),
	}
	if in.ERPOrderID != 0 {
		address := orderURL(in.ERPOrderID)
		rendered.OrderURL = &address
	}
	if in.Failure != nil {
		shown := withoutInternals(in.Failure)
		rendered.Failure = &Failure{Code: shown.Code, Detail: shown.Message, Errors: fieldErrors(shown.Violations)}
	}
	return rendered
}

// actionOf is what an intent is to do with an order; nil if it is to place one.
func actionOf(in order.Intent) *string {
	if in.Action == nil {
		return nil
	}
	return orNull(string(in.Action.Kind))
}

// intentURL is where the caller finds the intent. A key may hold any printable character, slashes too.
func intentURL(in order.Intent, caller order.Caller) string {
	address := "/v1/intents/" + url.PathEscape(in.Key)
	if in.Source != caller.Source {
		address += "?" + url.Values{"source": {in.Source}}.Encode()
	}
	return address
}

// pollAfter says, in seconds, when there may be news of an intent that has no outcome yet.
func (a *api) pollAfter(in order.Intent) int {
	if in.State == order.Parked {
		return seconds(maxPollAfter) // it waits for a person
	}
	return seconds(min(max(in.NextAttemptAt.Sub(a.now()), minPollAfter), maxPollAfter))
}
