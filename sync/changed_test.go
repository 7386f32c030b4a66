package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestChanged(t *testing.T) {
	t.Parallel()
	const limit = 150 * time.Second
	written := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return written.Add(d) }
	mirrored := order.Head{ID: 1, WriteDate: written, LinesWriteDate: written, ReadAt: after(10 * time.Second)}
	head := order.Head{ID: 1, WriteDate: written, LinesWriteDate: written}
	tests := []struct {
		name     string
		head     order.Head
		mirrored order.Head
		now      time.Time
		want     bool
	}{
		{"the mirror has it as it is", head, mirrored, after(time.Minute), false},
		{"the mirror lacks it", head, order.Head{}, after(time.Minute), true},
		{"the order was written", order.Head{ID: 1, WriteDate: after(time.Second)}, mirrored, after(time.Minute), true},
		{"only a line was", order.Head{ID: 1, LinesWriteDate: after(time.Second)}, mirrored, after(time.Minute), true},
		{"only its line is in the window, and known", order.Head{ID: 1, LinesWriteDate: written}, mirrored, after(time.Minute), false},
		{"it was read within the second of the write", head, order.Head{ID: 1, WriteDate: written, LinesWriteDate: written, ReadAt: after(time.Second)}, after(time.Minute), true},
		{"nothing that began then can still commit", head, mirrored, after(limit + 3*time.Second), true},
		{"it was read after that", head, order.Head{ID: 1, WriteDate: written, LinesWriteDate: written, ReadAt: after(limit)}, after(time.Hour), false},
		{"nobody knows when it was read", head, order.Head{ID: 1, WriteDate: written, LinesWriteDate: written}, after(time.Minute), true},
	}
	for _, test := range tests {
		require.Equal(t, test.want, changed(test.head, test.mirrored, test.now, limit), test.name)
	}
}

func TestCursorNeverPassesTheBeginningOfItsSync(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	require.Equal(t, began, earlier(began.Add(time.Minute), began))
	require.Equal(t, began.Add(-time.Minute), earlier(began.Add(-time.Minute), began))
	require.Equal(t, began.Add(-5*time.Minute), lookBack(began, began.Add(time.Hour), 150*time.Second))
	require.Equal(t, began.Add(-5*time.Minute), lookBack(began.Add(time.Hour), began, 150*time.Second), "the ERP's clock was put back")
	require.True(t, lookBack(time.Time{}, began, 150*time.Second).IsZero(), "never synced: everything")
}
