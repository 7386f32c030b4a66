package odoo_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

// TestLostAnswerIsAskedForOnceMore: the second call finds what the first one made.
func TestLostAnswerIsAskedForOnceMore(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]http.HandlerFunc{
		"connection closed": closeConnection, "cut": cutBody, "status 502": status(502), "status 500": status(500), "HTML": html,
		"no database": faulty(1, traceback+`psycopg2.OperationalError: FATAL:  database "shop" does not exist`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for losses, count := range map[int]int{1: 2, 2: 2} {
				var calls loadCalls
				f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
					if call <= losses {
						return lost
					}
					return made(names)
				}))
				results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(3))
				require.Len(t, calls.sizes(), count)
				if losses == 1 {
					requireMade(t, results)
					continue
				}
				for _, r := range results {
					require.Equal(t, odoo.Unknown, r.Err.Outcome)
				}
			}
		})
	}
}

func TestTimeoutIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, hang)
	cfg := f.config()
	cfg.CallTimeout = 200 * time.Millisecond
	for _, r := range newClient(t, cfg).PlaceOrders(t.Context(), newOrders(4)) {
		requireError(t, r.Err, odoo.Unknown, odoo.Timeout)
	}
	require.Equal(t, 1, f.count("sale.order.load"))
}

// TestFirstDoubtStays: what a repetition is told settles nothing about the first call, which may still be running.
func TestFirstDoubtStays(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(names []string) http.HandlerFunc{
		"refused by name": func(names []string) http.HandlerFunc {
			if position := slices.Index(names, "o1"); position >= 0 {
				return refusedFor(about(position, "No longer sold"))
			}
			return made(names)
		},
		"refused": func(names []string) http.HandlerFunc {
			if slices.Contains(names, "o1") {
				return faulty(2, "No longer sold")
			}
			return made(names)
		},
		"not sent": func(names []string) http.HandlerFunc {
			if slices.Contains(names, "o1") && len(names) == 1 {
				return status(404)
			}
			return made(names)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls loadCalls
			f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
				if call == 1 {
					return closeConnection
				}
				return then(names)
			}))
			orders := newOrders(4)
			if name == "not sent" {
				orders = orders[1:2]
			}
			results := newClient(t, f.config()).PlaceOrders(t.Context(), orders)
			for i, r := range results {
				if orders[i].ExternalID == "o1" {
					e := requireError(t, r.Err, odoo.Unknown, odoo.ConnectionLost)
					require.Equal(t, "sale.order.load", e.Method)
					continue
				}
				require.EqualValues(t, 100+i, r.ID, "success is success")
			}
		})
	}
}

// TestFirstDoubtIsTheOneTold: later ones are its consequences.
func TestFirstDoubtIsTheOneTold(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(_ []string, call int) http.HandlerFunc {
		if call == 1 {
			return faulty(1, traceback)
		}
		return closeConnection
	}))
	for _, r := range newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(2)) {
		requireError(t, r.Err, odoo.Unknown, odoo.ServerError)
	}
}

// TestDoubtSurvivesALostRace: the first attempt ended in a fault, which does not prove that it was rolled back.
func TestDoubtSurvivesALostRace(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(_ []string, call int) http.HandlerFunc {
		if call == 1 {
			return faulty(1, traceback+"psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update")
		}
		return refusedFor(about(0, "No"), about(1, "No"))
	}))
	for _, r := range newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(2)) {
		requireError(t, r.Err, odoo.Unknown, odoo.Serialization)
	}
}

// TestLostRaceOfABatchIsCertain: load's own messages say that nothing was made, so that a later refusal is final.
func TestLostRaceOfABatchIsCertain(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		switch call {
		case 1:
			return refusedFor(about(0, "A consequence"), about(1, "could not serialize access due to concurrent update"))
		case 2:
			return refusedFor(about(1, "No"))
		}
		return made(names)
	}))
	results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(3))
	requireMade(t, results, 1)
	requireError(t, results[1].Err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, []int{3, 3, 2}, calls.sizes())
}

// TestNotSentWhileHalving leaves in doubt what was, and sends nothing more.
func TestNotSentWhileHalving(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		switch call {
		case 1:
			return faulty(1, traceback)
		case 2:
			return made(names)
		}
		return status(404)
	}))
	orders := newOrders(6)
	orders[4].Note, orders[5].Note = "a", "b" // another call, which is not made
	results := newClient(t, f.config()).PlaceOrders(t.Context(), orders)
	requireMade(t, results, 2, 3, 4, 5)
	for _, i := range []int{2, 3} {
		requireError(t, results[i].Err, odoo.Unknown, odoo.ServerError)
	}
	for _, i := range []int{4, 5} {
		requireError(t, results[i].Err, odoo.NotSent, odoo.Misconfigured)
	}
	require.Equal(t, []int{4, 2, 2}, calls.sizes())
}

func TestEndOfTheContextEndsABatch(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		if call == 1 {
			return refusedFor(about(1, "No"))
		}
		return func(w http.ResponseWriter, r *http.Request) {
			cancel()
			hang(w, r)
		}
	}))
	orders := newOrders(4)
	orders[3].Note = "another call"
	results := newClient(t, f.config()).PlaceOrders(ctx, orders)
	requireError(t, results[0].Err, odoo.Unknown, odoo.Cancelled)
	requireError(t, results[1].Err, odoo.Rejected, odoo.BusinessRule)
	requireError(t, results[2].Err, odoo.Unknown, odoo.Cancelled)
	requireError(t, results[3].Err, odoo.NotSent, odoo.Cancelled)
}

// TestRepetitionsHaveABudget: of lost answers only so many are asked for again; the rest stay unknown for the resolver.
func TestRepetitionsHaveABudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{object: answersStatus(204)}
		registry := prometheus.NewRegistry()
		c, err := odoo.New(odoo.Config{URL: "http://erp.example", Database: "shop", User: "u", Password: "p", Transport: s,
			Registerer: registry, Breaker: odoo.BreakerConfig{Failures: 1000}})
		require.NoError(t, err)
		place := func() int {
			before := s.calls
			requireError(t, c.PlaceOrders(t.Context(), newOrders(2))[0].Err, odoo.Unknown, odoo.BadAnswer)
			return s.calls - before
		}
		repeated := 0
		for range 40 {
			repeated += place() - 1
		}
		require.Greater(t, repeated, 10)
		require.Less(t, repeated, 25, "10 at the beginning, a fifth of 40, and a little for the time it took")
		time.Sleep(3 * time.Second)
		require.Equal(t, 2, place(), "a second is worth a repetition")
		require.EqualValues(t, repeated+1, counted(t, registry, "ordergate_odoo_repeats_total", "made"))
		require.EqualValues(t, 40-repeated, counted(t, registry, "ordergate_odoo_repeats_total", "no_budget"))
	})
}

// counted is what a counter with the label result shows.
func counted(t *testing.T, registry *prometheus.Registry, name, result string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if family.GetName() == name && label.GetName() == "result" && label.GetValue() == result {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}
