package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBatchSizeFollowsWhatTheERPBears(t *testing.T) {
	t.Parallel()
	p := newPace(20, 2, time.Second)
	require.Equal(t, 20, p.orders)
	require.Equal(t, 2, p.lanes())

	p.observe(2*time.Second, true)
	require.Equal(t, 10, p.orders, "a call that was slow was too large")
	p.observe(100*time.Millisecond, false)
	require.Equal(t, 1, p.orders, "one that got no answer makes the next as small as can be")
	require.Equal(t, 1, p.lanes(), "and the only one")
	for _, want := range []int{2, 4, 8, 16, 20, 20} {
		p.observe(100*time.Millisecond, true)
		require.Equal(t, want, p.orders)
		require.Equal(t, 2, p.lanes())
	}
	for range 10 {
		p.observe(2*time.Second, true)
	}
	require.Equal(t, 1, p.orders)
}

func TestExpectedWaitGrowsWithTheQueue(t *testing.T) {
	t.Parallel()
	p := newPace(20, 2, time.Second)
	require.Zero(t, p.wait(100), "nothing is known yet")
	p.observe(200*time.Millisecond, true)
	require.Equal(t, 300*time.Millisecond, p.wait(0))
	require.Equal(t, 300*time.Millisecond, p.wait(39))
	require.Equal(t, 500*time.Millisecond, p.wait(40))
	p.observe(200*time.Millisecond, false)
	require.Equal(t, 21*200*time.Millisecond+100*time.Millisecond, p.wait(20), "one at a time, one by one")
}

func TestCallsOfLikeSize(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := &Service{now: func() time.Time { return now }}
	l := lanes{service: s, pace: newPace(20, 2, time.Second)}
	require.True(t, l.worthACall(1), "nothing is under way")
	l.pace.observe(200*time.Millisecond, true)
	b := batch{tickets: make([]*ticket, 16)}
	l.takeOff(&b)
	require.False(t, l.worthACall(15), "as many are about to come back")
	require.True(t, l.worthACall(16))
	now = now.Add(399 * time.Millisecond)
	require.False(t, l.worthACall(1))
	now = now.Add(time.Millisecond)
	require.True(t, l.worthACall(1), "a call that takes this long is not waited for")
	l.land(b)
	require.Empty(t, l.flying)
}

// What is queued while a batch looks for queued orders is not forgotten because that batch found none.
func TestOrderQueuedDuringACallIsNotForgotten(t *testing.T) {
	t.Parallel()
	for name, poked := range map[string]bool{"queued meanwhile": true, "nothing queued": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lanes{pokes: 3}
			b := batch{room: 20, pokes: 3}
			if poked {
				l.pokes, l.backlog, l.certain = 4, true, true
			}
			l.noteBacklog(b, ended{})
			require.Equal(t, poked, l.backlog)
			require.Equal(t, poked, l.certain)
		})
	}
}
