package store

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ordergate/failpoint"
	"ordergate/order"
)

// intentRow is a row of intents.
type intentRow struct {
	ID             int64
	TenantID       int64
	Source         string
	IdempotencyKey string
	Fingerprint    string
	State          string
	Request        string // JSON
	Plan           string // JSON
	Caller         string
	LeaseToken     string
	LeaseUntil     sql.NullTime
	UnknownAt      sql.NullTime
	Attempts       int
	NextAttemptAt  sql.NullTime
	ERPOrderID     sql.NullInt64  `gorm:"column:erp_order_id"`
	Result         sql.NullString // JSON
	Failure        sql.NullString // JSON
	CreatedAt      time.Time
	UpdatedAt      time.Time `gorm:"autoUpdateTime:false"`

	Customer          string
	Acknowledged      bool
	CancelRequestedAt sql.NullTime
	Strikes           int

	Kind        string        // what is wished for: placing, or an order.ActionKind
	BusyOrderID sql.NullInt64 // the order that an open action holds: one at a time does
}

func (intentRow) TableName() string { return "intents" }

func newIntentRow(in *order.Intent) (intentRow, error) {
	request, kind, err := encodeWish(in)
	if err != nil {
		return intentRow{}, err
	}
	plan, err := encodePlan(in.Plan)
	if err != nil {
		return intentRow{}, err
	}
	failure, err := encodeFailure(in.Failure)
	if err != nil {
		return intentRow{}, err
	}
	row := intentRow{
		TenantID: in.TenantID, Source: in.Source, IdempotencyKey: in.Key, Fingerprint: in.Fingerprint,
		State: string(in.State), Kind: kind, Request: request, Plan: plan, Caller: in.Caller,
		LeaseToken: in.LeaseToken, LeaseUntil: nullTime(in.LeaseUntil), UnknownAt: nullTime(in.UnknownAt),
		Attempts: in.Attempts, NextAttemptAt: nullTime(in.NextAttemptAt), Failure: failure,
		CreatedAt: in.CreatedAt, UpdatedAt: in.UpdatedAt,
		Customer: in.Customer, Acknowledged: in.Acknowledged, CancelRequestedAt: nullTime(in.CancelRequestedAt),
		Strikes: in.Strikes,
	}
	if in.Action != nil {
		row.ERPOrderID = sql.NullInt64{Int64: in.Action.OrderID, Valid: true}
		if !failpoint.Out(failpoint.OneAction) {
			row.BusyOrderID = row.ERPOrderID
		}
	}
	return row, nil
}

// placing is the Kind of an intent to place an order.
const placing = "place"

// encodeWish returns what an intent wishes for as JSON, and its Kind.
func encodeWish(in *order.Intent) (text, kind string, err error) {
	var wish any = in.Request
	kind = placing
	if in.Action != nil {
		wish, kind = in.Action, string(in.Action.Kind)
	}
	encoded, err := json.Marshal(wish)
	if err != nil {
		return "", "", fmt.Errorf("encoding the request: %w", err)
	}
	return string(encoded), kind, nil
}

// decodeWish is the other way.
func decodeWish(r intentRow, in *order.Intent) error {
	var wish any = &in.Request
	if r.Kind != placing {
		if !slices.Contains(order.ActionKinds, order.ActionKind(r.Kind)) {
			return fmt.Errorf("intent %d is of the unknown kind %.40q", r.ID, r.Kind)
		}
		in.Action = new(order.Action)
		wish = in.Action
	}
	if err := json.Unmarshal([]byte(r.Request), wish); err != nil {
		return fmt.Errorf("decoding the request of intent %d: %w", r.ID, err)
	}
	return nil
}

// formerStatuses are those that results may have which were stored before statuses derived from more than the ERP's state.
var formerStatuses = map[order.Status]order.Status{"sent": order.Draft, "done": order.Confirmed}

// intent decodes a row. With an error it returns what can be read.
func (r intentRow) intent() (order.Intent, error) {
	in := order.Intent{
		ID: r.ID, TenantID: r.TenantID, Source: r.Source, Key: r.IdempotencyKey, Fingerprint: r.Fingerprint,
		State: order.IntentState(r.State), Caller: r.Caller,
		LeaseToken: r.LeaseToken, LeaseUntil: timeOf(r.LeaseUntil), UnknownAt: timeOf(r.UnknownAt),
		Attempts: r.Attempts, NextAttemptAt: timeOf(r.NextAttemptAt), ERPOrderID: r.ERPOrderID.Int64,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		Customer: r.Customer, Acknowledged: r.Acknowledged, CancelRequestedAt: timeOf(r.CancelRequestedAt),
		Strikes: r.Strikes,
	}
	if err := decodeWish(r, &in); err != nil {
		return in, err
	}
	plan, err := decodePlan(r)
	if err != nil {
		return in, err
	}
	in.Plan = plan
	if r.Result.Valid {
		in.Result = new(order.Order)
		if err := json.Unmarshal([]byte(r.Result.String), in.Result); err != nil {
			return in, fmt.Errorf("decoding the result of intent %d: %w", r.ID, err)
		}
		in.Result.Status = cmp.Or(formerStatuses[in.Result.Status], in.Result.Status)
		in.Result.Fulfilment = cmp.Or(in.Result.Fulfilment, order.FulfilmentNone)
		in.Result.Payment = cmp.Or(in.Result.Payment, order.PaymentNone)
	}
	failure, err := decodeFailure(r.Failure)
	if err != nil {
		return in, fmt.Errorf("decoding the failure of intent %d: %w", r.ID, err)
	}
	in.Failure = failure
	return in, nil
}

func encodePlan(plan order.Plan) (string, error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return "", fmt.Errorf("encoding the plan: %w", err)
	}
	return string(text), nil
}

func decodePlan(r intentRow) (order.Plan, error) {
	var plan order.Plan
	if err := json.Unmarshal([]byte(r.Plan), &plan); err != nil {
		return order.Plan{}, fmt.Errorf("decoding the plan of intent %d: %w", r.ID, err)
	}
	return plan, nil
}

// storedFailure is an order.Error as JSON. The cause stays behind: it is for the log of the process that saw it.
type storedFailure struct {
	Kind       string            `json:"kind"`
	Code       string            `json:"code"`
	Message    string            `json:"message"`
	Violations []order.Violation `json:"violations,omitempty"`
	RetryAfter time.Duration     `json:"retry_after,omitempty"` // nanoseconds
	Version    string            `json:"version,omitempty"`
}

// failureKinds are the names that kinds have in the database, where a number would change its meaning when a kind is
// added. The index is the kind.
var failureKinds = [...]string{
	order.Internal:        "internal",
	order.Malformed:       "malformed",
	order.Unauthenticated: "unauthenticated",
	order.Forbidden:       "forbidden",
	order.NotFound:        "not_found",
	order.Conflict:        "conflict",
	order.TooLarge:        "too_large",
	order.Unprocessable:   "unprocessable",
	order.RateLimited:     "rate_limited",
	order.Unavailable:     "unavailable",
	order.Unsupported:     "unsupported",

	order.PreconditionFailed:   "precondition_failed",
	order.PreconditionRequired: "precondition_required",
}

func encodeFailure(e *order.Error) (sql.NullString, error) {
	if e == nil {
		return sql.NullString{}, nil
	}
	if e.Kind < 0 || int(e.Kind) >= len(failureKinds) {
		return sql.NullString{}, fmt.Errorf("encoding a failure: unknown kind %d", e.Kind)
	}
	text, err := json.Marshal(storedFailure{Kind: failureKinds[e.Kind], Code: e.Code, Message: e.Message,
		Violations: e.Violations, RetryAfter: e.RetryAfter, Version: e.Version})
	if err != nil {
		return sql.NullString{}, fmt.Errorf("encoding a failure: %w", err)
	}
	return sql.NullString{String: string(text), Valid: true}, nil
}

func decodeFailure(text sql.NullString) (*order.Error, error) {
	if !text.Valid {
		return nil, nil
	}
	var stored storedFailure
	if err := json.Unmarshal([]byte(text.String), &stored); err != nil {
		return nil, err
	}
	kind := slices.Index(failureKinds[:], stored.Kind)
	if kind < 0 {
		return nil, fmt.Errorf("unknown kind %q", stored.Kind)
	}
	return &order.Error{Kind: order.Kind(kind), Code: stored.Code, Message: stored.Message,
		Violations: stored.Violations, RetryAfter: stored.RetryAfter, Version: stored.Version}, nil
}
