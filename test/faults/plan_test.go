package faults

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/failpoint"
)

func TestPlanIsAFunctionOfSeedAndScenario(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios {
		require.Equal(t, draw(7, s, false), draw(7, s, false), s.Name)
		require.NotEqual(t, draw(7, s, false).Clients, draw(8, s, false).Clients, s.Name)
	}
	require.NotEqual(t, draw(7, Scenarios[0], false).Clients, draw(7, Scenarios[1], false).Clients)
}

func TestPlansAreWithinTheLimits(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios {
		for seed := range uint64(50) {
			real := seed%2 == 0
			p := draw(seed, s, real)
			require.Len(t, p.Failpoints, p.Replicas, s.Name)
			require.True(t, slices.IsSortedFunc(p.Events, func(a, b Event) int { return int(a.At - b.At) }), s.Name)
			for _, e := range p.Events {
				require.Less(t, e.Replica, p.Replicas, "%s: %s", s.Name, e)
				if e.What == eventOdoo {
					_, known := findOdooFault(e.Fault)
					require.True(t, known, "%s: %s", s.Name, e)
					require.Less(t, e.For, timesOf(real).transaction, "%s: %s", s.Name, e)
					require.Positive(t, e.Times, "%s: %s", s.Name, e)
				}
			}
		}
	}
}

func TestEveryPointHasAKill(t *testing.T) {
	t.Parallel()
	for _, point := range failpoint.Points {
		require.True(t, slices.ContainsFunc(Scenarios, func(s Scenario) bool { return s.Name == "kill-"+string(point) }), point)
	}
}

func TestSeedsReachEveryScenarioOfADatabase(t *testing.T) {
	t.Parallel()
	for _, database := range []string{SQLite, MariaDB, MySQL} {
		seen := map[string]bool{}
		for seed := range uint64(len(Scenarios)) {
			s, err := choose(Options{Seed: seed, Database: database})
			require.NoError(t, err)
			require.True(t, len(s.Databases) == 0 || slices.Contains(s.Databases, database), s.Name)
			require.Nil(t, s.script, "%s is directed", s.Name)
			seen[s.Name] = true
		}
		for _, s := range Scenarios {
			require.Equal(t, len(s.Databases) == 0 || slices.Contains(s.Databases, database), seen[s.Name], s.Name)
		}
	}
	_, err := choose(Options{Scenario: "no such"})
	require.Error(t, err)
	_, err = choose(Options{Scenario: "locked", Database: MariaDB})
	require.Error(t, err)
}

func TestSeedsAreSpreadOverDatabases(t *testing.T) {
	t.Parallel()
	s := Servers{Database: map[string]string{MariaDB: "x", MySQL: "y"}}
	count := map[string]int{}
	for seed := range uint64(300) {
		count[s.DatabaseFor(seed)]++
	}
	require.Len(t, count, 3)
	for name, n := range count {
		require.Greater(t, n, 60, name)
	}
	require.Equal(t, SQLite, Servers{}.DatabaseFor(5))
}
