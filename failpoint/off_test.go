//go:build !failpoints

package failpoint_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/failpoint"
)

func TestOrdinaryBuildHasNoSwitches(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	require.NoError(t, os.WriteFile(file, []byte("1h"), 0o600))
	t.Setenv("ORDERGATE_CLOCK_FILE", file)
	t.Setenv("ORDERGATE_FAILPOINTS", "kill:intent-written@1;out:fence")
	for _, p := range failpoint.Points {
		failpoint.Hit(p)
	}
	for _, g := range failpoint.Guards {
		require.False(t, failpoint.Out(g))
	}
	require.WithinDuration(t, time.Now(), failpoint.Now(), time.Minute)
}

// The other build is not part of an ordinary run of the tests.
func TestBuildWithFailpoints(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"vet", "-tags", "failpoints", "ordergate/failpoint"},
		{"test", "-tags", "failpoints", "ordergate/failpoint"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v\n%s", args, output)
	}
}
