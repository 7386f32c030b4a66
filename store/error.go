package store

import (
	"errors"
	"fmt"

	"ordergate/order"
)

// What a failed operation leaves behind. Test with errors.Is; the wrapped cause is for the log.
var (
	ErrUnavailable = errors.New("store: the database cannot be used; nothing was written")
	ErrUnknown     = errors.New("store: the connection failed; it may or may not have been written")
	ErrExists      = errors.New("store: the key is taken")
	ErrBusy        = errors.New("store: another action holds the order")
)

// failure is what went wrong with an operation on a table. Certainty is one of the errors above, or nil where the
// database refused the content or this package is at fault: nothing was written, and a retry would fail alike.
type failure struct {
	operation string
	table     string
	certainty error
	cause     error
}

func (f *failure) Error() string {
	if f.certainty == nil {
		return fmt.Sprintf("store: %s %s: %v", f.operation, f.table, f.cause)
	}
	return fmt.Sprintf("%v: %s %s: %v", f.certainty, f.operation, f.table, f.cause)
}

func (f *failure) Unwrap() []error {
	if f.certainty == nil {
		return []error{f.cause}
	}
	return []error{f.certainty, f.cause}
}

// settled reports whether an error says already all that a caller is to know.
func settled(err error) bool {
	var classified *failure
	var domain *order.Error
	return errors.As(err, &classified) || errors.As(err, &domain)
}
