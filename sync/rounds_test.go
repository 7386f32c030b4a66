package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRoundsFollowWhatHappens(t *testing.T) {
	t.Parallel()
	r := rounds{interval: 15 * time.Second, limit: 150 * time.Second}
	now := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	require.Equal(t, 15*time.Second, r.pause())

	r.ended(now, time.Millisecond, true, true)
	require.Equal(t, 5*time.Second, r.pause(), "quick while there are changes")
	var pauses []time.Duration
	for range 8 {
		r.ended(now, time.Millisecond, true, false)
		pauses = append(pauses, r.pause())
	}
	require.Equal(t, []time.Duration{15 * time.Second, 15 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
		time.Minute, time.Minute, time.Minute}, pauses, "slow while there are none")

	r.ended(now, 2*time.Second, true, true)
	require.Equal(t, 18*time.Second, r.pause(), "a tenth of the time")
	r.ended(now, time.Minute, true, true)
	require.Equal(t, 30*time.Second, r.pause(), "but changes are not left for long")
}

func TestLongLooksAreMadeInTimeForTheNextOne(t *testing.T) {
	t.Parallel()
	r := rounds{interval: 15 * time.Second, limit: 150 * time.Second}
	now := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	require.True(t, r.isThorough(now), "the first one")
	r.ended(now, time.Second, true, true)
	require.False(t, r.isThorough(now.Add(29*time.Second)))
	require.True(t, r.isThorough(now.Add(30*time.Second)), "a thirtieth of the time")
	r.ended(now, time.Minute, true, true)
	require.False(t, r.isThorough(now.Add(149*time.Second)))
	require.True(t, r.isThorough(now.Add(150*time.Second)), "a look back covers twice as much")
	require.True(t, r.isThorough(now.Add(-time.Hour)), "the clock was put back")
	r.ended(now.Add(20*time.Second), time.Second, false, true)
	require.True(t, r.isThorough(now.Add(150*time.Second)), "a short one does not count")
}
