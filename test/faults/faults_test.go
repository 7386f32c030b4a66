package faults

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/test/env"
)

// firstSeed is that of the runs that every test makes; the command makes longer ones from others.
const firstSeed = 1000

// eachScenario returns one run of every scenario that a database can have, from seeds of their own.
func eachScenario(o Options) []Options {
	var all []Options
	for i, s := range Scenarios {
		if len(s.Databases) > 0 && !slices.Contains(s.Databases, o.Database) {
			continue
		}
		o.Seed, o.Scenario = firstSeed+uint64(i), s.Name
		all = append(all, o)
	}
	return all
}

// requireKept fails the test for every run in which a promise was broken, and if most of the faults did not strike.
func requireKept(t *testing.T, all []Options, outcomes []outcome) {
	t.Helper()
	idle := 0
	for i, o := range outcomes {
		t.Run(fmt.Sprintf("%s, seed %d", all[i].Scenario, all[i].Seed), func(t *testing.T) {
			require.NoError(t, o.err)
			require.Empty(t, o.report.Violations, o.report.String())
			t.Log(o.report)
			if o.report.Struck == 0 {
				idle++
			}
		})
	}
	require.LessOrEqual(t, idle, len(all)/5, "faults that never strike test nothing")
}

func TestPromisesHoldOnTheSandbox(t *testing.T) {
	t.Parallel()
	all := eachScenario(Options{Binary: binary, Database: SQLite})
	requireKept(t, all, runAll(t, 6, all))
}

func TestPromisesHoldOnAServersDatabase(t *testing.T) {
	t.Parallel()
	for _, server := range []struct {
		name string
		url  func(testing.TB) string
		all  bool // scenarios, or only those that happen to databases
	}{
		{MariaDB, env.MariaDB, true},
		{MySQL, env.MySQL, false},
	} {
		t.Run(server.name, func(t *testing.T) {
			o := Options{Binary: binary, Database: server.name, Servers: Servers{Database: map[string]string{server.name: server.url(t)}}}
			all := slices.DeleteFunc(eachScenario(o), func(o Options) bool {
				ofDatabases := slices.ContainsFunc(Scenarios, func(s Scenario) bool { return s.Name == o.Scenario && len(s.Databases) > 0 })
				return !ofDatabases && (!server.all || o.Seed%3 != 0)
			})
			requireKept(t, all, runAll(t, 6, all))
		})
	}
}

func TestPromisesHoldOnRealOdoo(t *testing.T) {
	t.Parallel()
	for _, odoo := range []struct {
		name  string
		major int
	}{{Odoo14, 14}, {Odoo19, 19}} {
		t.Run(odoo.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Binary: binary, Odoo: odoo.name, Database: SQLite,
				Servers: Servers{Odoo: map[string]env.OdooServer{odoo.name: env.Odoo(t, odoo.major)}}}
			var all []Options
			for i, scenario := range []string{"answer-dropped", "kill-orders-sent", "late-commit", "storm"} {
				o.Seed, o.Scenario = firstSeed+uint64(i), scenario
				all = append(all, o)
			}
			requireKept(t, all, runAll(t, 2, all))
		})
	}
}
