package store

import "errors"

// What a failed operation leaves behind. Test with errors.Is; the wrapped cause is for the log.
var (
	ErrUnavailable = errors.New("store: the database cannot be used; nothing was written")
	ErrUnknown     = errors.New("store: the connection failed; it may or may not have been written")
	ErrExists      = errors.New("store: the key is taken")
	ErrLeaseLost   = errors.New("store: another process carries the intent")
)
