package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHeardAnnouncementsAreRememberedForAWhile(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return began.Add(d) }
	var h heard
	requireHeard := func(id int64, at time.Time, announced, certain bool) {
		t.Helper()
		a, c := h.after(id, at)
		require.Equal(t, [2]bool{announced, certain}, [2]bool{a, c})
	}
	requireHeard(1, began, false, true)
	h.note(1, after(time.Second))
	requireHeard(1, began, true, true)
	requireHeard(1, after(time.Second), true, true)
	requireHeard(1, after(2*time.Second), false, true)
	requireHeard(2, began, false, true)

	h.note(2, after(6*time.Minute))
	requireHeard(1, began, true, true)
	h.note(3, after(12*time.Minute))
	requireHeard(2, after(6*time.Minute), true, true)
	requireHeard(1, after(time.Minute), false, false)
	requireHeard(4, after(6*time.Minute), false, true)
}

// However many orders are announced, what is remembered of them is bounded; what may be forgotten is not judged.
func TestHeardAnnouncementsAreBounded(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	var h heard
	for id := range int64(3 * maxHeard) {
		h.note(1+id, began.Add(time.Duration(id)*time.Millisecond))
		require.LessOrEqual(t, len(h.current)+len(h.previous), 2*maxHeard)
	}
	announced, certain := h.after(1, began)
	require.False(t, announced)
	require.False(t, certain, "it was announced, and forgotten")
	announced, _ = h.after(3*maxHeard, began)
	require.True(t, announced)
}
