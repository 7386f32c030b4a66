package env

import (
	"os"
	"os/exec"
	"testing"
)

// Tool makes sure that a program is installed, or skips the test.
func Tool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv(requireVariable) == "all" {
		t.Fatalf("%s is not installed, and %s=all forbids skipping", name, requireVariable)
	}
	t.Skipf("%s is not installed", name)
}
