package faults

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/failpoint"
)

func TestEveryGuardHasAScenario(t *testing.T) {
	t.Parallel()
	for _, g := range failpoint.Guards {
		require.True(t, slices.ContainsFunc(GuardScenarios, func(s Guarded) bool { return s.Guard == g }), "no scenario for %q", g)
	}
	require.Len(t, GuardScenarios, len(failpoint.Guards))
}

// A promise that holds although its guard is out would be one that no run can tell from a broken one.
func TestEveryGuardIsNeeded(t *testing.T) {
	t.Parallel()
	var all []Options
	for _, g := range GuardScenarios {
		o := Options{Binary: binary, Database: SQLite, Seed: 1}
		all = append(all, g.With(o), g.Without(o))
	}
	outcomes := runAll(t, 6, all)
	for i, g := range GuardScenarios {
		t.Run(string(g.Guard), func(t *testing.T) {
			with, without := outcomes[2*i], outcomes[2*i+1]
			require.NoError(t, with.err)
			require.Empty(t, with.report.Violations, with.report.String())
			require.NoError(t, without.err)
			require.True(t, without.report.Broken(g.Breaks), "%q was not broken without the guard\n%s", g.Breaks, without.report)
		})
	}
}
