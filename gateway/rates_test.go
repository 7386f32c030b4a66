package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRateLimitsForgetTheKeyThatWasQuietForLongest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	limits := newRateLimits(1, 1, 2, func() time.Time { return now })

	require.Zero(t, limits.take(1))
	require.Zero(t, limits.take(2))
	require.Positive(t, limits.take(1))
	require.Zero(t, limits.take(3))

	require.Len(t, limits.byKey, 2)
	require.Equal(t, 2, limits.recent.Len())
	require.Positive(t, limits.take(1), "used lately, so remembered")
	require.Zero(t, limits.take(2), "forgotten")
}
