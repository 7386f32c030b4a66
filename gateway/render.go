package gateway

import (
	"time"

	"ordergate/order"
)

// orNull makes null of a value that is not there: answers have every member of their schema.
func orNull[T comparable](value T) *T {
	var none T
	if value == none {
		return nil
	}
	return &value
}

// orNone reads a member that a request may leave out.
func orNone[T any](value *T) T {
	if value == nil {
		var none T
		return none
	}
	return *value
}

// utc is a time as answers show it.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func utcOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	shown := utc(t)
	return &shown
}

func pageSize(limit *Limit) int {
	if limit == nil {
		return order.DefaultPageSize
	}
	return *limit
}
