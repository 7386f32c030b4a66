//go:build failpoints

package failpoint

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStepMovesTheWallTimeAndNotTheMonotonicReading(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{0, time.Hour, -time.Hour, time.Nanosecond, -time.Nanosecond, 999999999, -999999999,
		90*time.Minute + 123456789, -24 * 365 * time.Hour} {
		before := time.Now()
		stepped := step(before, by)
		require.Equal(t, time.Duration(0), stepped.Sub(before), "monotonic, stepped by %s", by)
		require.Equal(t, by, stepped.Round(0).Sub(before.Round(0)), "wall, stepped by %s", by)
		require.Equal(t, before.Location(), stepped.Location())
		require.Equal(t, before.Round(0).Add(by).UnixNano(), stepped.UnixNano())
	}
}

func TestStepOfATimeWithoutMonotonicReading(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.Equal(t, at.Add(time.Hour), step(at, time.Hour))
}

func TestClockFollowsItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	t.Setenv(ClockVariable, file)
	offBy := func() time.Duration { return Now().Round(0).Sub(time.Now().Round(0)).Round(time.Minute) }
	require.Zero(t, offBy())
	for text, by := range map[string]time.Duration{"1h": time.Hour, "-90m\n": -90 * time.Minute, "0s": 0} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.Eventually(t, func() bool { return offBy() == by }, 5*time.Second, rereadAfter/5)
	}
	require.NoError(t, os.WriteFile(file, []byte("1h"), 0o600))
	require.Eventually(t, func() bool { return offBy() == time.Hour }, 5*time.Second, rereadAfter/5)
	require.NoError(t, os.Remove(file))
	require.Eventually(t, func() bool { return offBy() == 0 }, 5*time.Second, rereadAfter/5)
}

func TestClockIsReadOnceInAWhile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	offset.Lock()
	offset.value, offset.readAt = time.Hour, time.Now()
	at := offset.readAt
	offset.Unlock()
	require.Equal(t, time.Hour, wrongBy(file, at.Add(rereadAfter-1)))
	require.Equal(t, time.Duration(0), wrongBy(file, at.Add(rereadAfter)))
}
