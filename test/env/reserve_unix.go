//go:build unix

package env

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// reserved is locked, and so kept open, until the process ends.
var reserved struct {
	sync.Mutex
	file *os.File
}

// reserveOdoos keeps the Odoos to the tests of this process until it ends. Packages are tested at the same time, and on a
// small machine an Odoo that serves two of them answers too late for both. It is one lock for all of them: two packages
// that each held one would wait for each other.
func reserveOdoos(t testing.TB) {
	t.Helper()
	reserved.Lock()
	defer reserved.Unlock()
	if reserved.file != nil {
		return
	}
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "ordergate-test-odoo.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatalf("reserving Odoo for the tests of this package: %v", err)
	}
	reserved.file = file
}
