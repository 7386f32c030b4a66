package gateway

import (
	"context"
	"net/url"
	"time"

	"ordergate/order"
)

// Callers are asked to look at an intent again when its next attempt is due, within these bounds.
const (
	minPollAfter = 2 * time.Second
	maxPollAfter = time.Minute
)

// GetIntent answers GET /v1/intents/{key}.
func (a *api) GetIntent(ctx context.Context, request GetIntentRequestObject) (GetIntentResponseObject, error) {
	ctx, call := enter(ctx)
	intent, err := call.service.Intent(ctx, call.caller, orNone(request.Params.Source), request.Key)
	if err != nil {
		return nil, err
	}
	return GetIntent200JSONResponse(a.renderIntent(intent, call.caller)), nil
}

func (a *api) renderIntent(in order.Intent, caller order.Caller) Intent {
	rendered := Intent{
		Key: in.Key, Source: in.Source, State: IntentState(in.State), OrderID: orNull(in.ERPOrderID),
		StatusURL: intentURL(in, caller), Attempts: in.Attempts,
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

// intentURL is where the caller finds the intent. A key may hold any printable character, slashes too.
func intentURL(in order.Intent, caller order.Caller) string {
	address := "/v1/intents/" + url.PathEscape(in.Key)
	if in.Source != caller.Source {
		address += "?" + url.Values{"source": {in.Source}}.Encode()
	}
	return address
}

// pollAfter says, in seconds, when there may be news of an intent that is in doubt.
func (a *api) pollAfter(in order.Intent) int {
	return seconds(min(max(in.NextAttemptAt.Sub(a.now()), minPollAfter), maxPollAfter))
}
