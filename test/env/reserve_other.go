//go:build !unix

package env

import "testing"

// reserveOdoos does nothing where files cannot be locked: run the packages one by one there (go test -p 1).
func reserveOdoos(testing.TB) {}
