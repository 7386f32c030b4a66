package odoo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := newBudget(func() time.Time { return now })
	empty := func() (withdrawn int) {
		for b.withdraw() {
			withdrawn++
		}
		return withdrawn
	}
	require.Equal(t, 10, empty(), "what it begins with")

	for range 4 {
		b.deposit()
	}
	require.Zero(t, empty())
	b.deposit()
	require.Equal(t, 1, empty(), "five calls pay for one")

	now = now.Add(3 * time.Second)
	require.Equal(t, 3, empty(), "a second pays for one")
	now = now.Add(-time.Hour)
	require.Zero(t, empty(), "a clock that is set back pays nothing")
	for range 5 {
		b.deposit()
	}
	require.Equal(t, 1, empty(), "nor does it cost anything")
	for range 100 {
		b.deposit()
	}
	require.Equal(t, 10, empty(), "it does not save more than that")
}
