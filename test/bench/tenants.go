package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	tenants          = 10
	tenantsRounds    = 2
	tenantsRunLasts  = 40 * time.Second
	tenantsLoad      = 0.5 // of what a lone direct client creates, is what all of them send together
	neighbourLimit   = 1.2
	breakerRecovered = 2 * time.Minute
)

// measureTenants measures how long the orders of nine tenants take before and while the Odoo of a tenth hangs. All have one
// Odoo, which the tenth reaches through a proxy.
func measureTenants(s *stage, r *report) error {
	u, err := url.Parse(s.odoo.base)
	if err != nil {
		return err
	}
	proxy, err := startHangable(u.Host)
	if err != nil {
		return err
	}
	defer proxy.close()
	settings, err := s.tenTenants("http://" + proxy.address())
	if err != nil {
		return err
	}
	keys := make([]string, tenants)
	for n := range tenants {
		name := fmt.Sprintf("tenant-%d", n)
		keys[n], err = s.commandWith(settings, "key", "create", "--tenant", name, "--role", "portal", "--name", name, "--source", s.name)
		if err != nil {
			return err
		}
	}
	// Orders of one are seen by all here, because they share an Odoo: without this every order would be synced ten times.
	g, err := s.startWith(append(settings, "ORDERGATE_SYNC_INTERVAL=1h")...)
	if err != nil {
		return err
	}
	defer g.stop()
	for _, key := range keys {
		if err := g.waitUntilSynced(key); err != nil {
			return err
		}
		if err := g.mustPlace(wish{apiKey: key, customer: s.name + "-tenants", reference: s.name + "-tenants-first"}); err != nil {
			return err
		}
	}

	lone, err := s.bareThroughput(0, 1)
	if err != nil {
		return err
	}
	rate := tenantsLoad * lone
	var before, during []time.Duration
	for round := range tenantsRounds {
		samples, _, err := s.tenantsRun(g, keys, rate, round, "well")
		if err != nil {
			return err
		}
		before = append(before, samples...)

		proxy.hang(true)
		samples, hanging, err := s.tenantsRun(g, keys, rate, round, "hanging")
		proxy.hang(false)
		if err != nil {
			return err
		}
		during = append(during, samples...)
		r.note("Hanging tenant, round %d: its own answers by status: %s.", round+1, hanging)
		if err := g.waitUntilPlaces(wish{apiKey: keys[0], customer: s.name + "-tenants", reference: fmt.Sprintf("%s-again-%d", s.name, round)}); err != nil {
			return err
		}
		if err := s.waitUntilFinal(breakerRecovered); err != nil {
			return err
		}
	}
	r.note("Ten tenants, %.1f orders a second: p50 of nine %s, and %s while the tenth hangs; %d and %d orders.",
		rate, milliseconds(median(before)), milliseconds(median(during)), len(before), len(during))
	r.atMost(neighbourLimit, "p99 of nine tenants while the Odoo of a tenth hangs / before", quantile(during, 0.99), quantile(before, 0.99))
	return nil
}

// tenTenants writes the file of tenants, of which the first has its Odoo at an address of its own, and returns the settings.
func (s *stage) tenTenants(first string) ([]string, error) {
	var file strings.Builder
	file.WriteString("tenants:\n")
	for n := range tenants {
		base := s.odoo.base
		if n == 0 {
			base = first
		}
		fmt.Fprintf(&file, "  - name: tenant-%d\n    odoo: {url: %q, database: %q, user: %q, password_env: BENCH_ODOO_PASSWORD}\n",
			n, base, s.odoo.database, s.odoo.user)
	}
	path := filepath.Join(s.directory, "tenants.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		return nil, err
	}
	return []string{"ORDERGATE_TENANTS=" + path, "BENCH_ODOO_PASSWORD=" + s.odoo.password}, nil
}

// tenantsRun sends orders of all tenants, and returns how long those of the nine took, and how the first was answered. All
// orders of the nine must be placed.
func (s *stage) tenantsRun(g *gateway, keys []string, rate float64, round int, state string) (nine []time.Duration, first string, err error) {
	run := fmt.Sprintf("%s-%s-%d", s.name, state, round)
	ofFirst := make(chan sample, mostOutstanding)
	samples, err := arrivals(uint64(round+1), rate, tenantsRunLasts, func(ctx context.Context, n int64) (int, error) {
		status, err := g.place(ctx, wish{apiKey: keys[n%tenants], customer: s.name + "-tenants", reference: fmt.Sprintf("%s-%d", run, n)})
		if n%tenants == 0 && err == nil {
			ofFirst <- sample{status: status}
			return 0, nil
		}
		return status, err
	})
	close(ofFirst)
	if err != nil {
		return nil, "", err
	}
	var answers []sample
	for a := range ofFirst {
		answers = append(answers, a)
	}
	nine = durations(samples, http.StatusCreated, sample.sinceDue)
	if placed, all := len(nine), len(samples)-len(answers); placed < all {
		return nil, "", fmt.Errorf("%s: of %d orders of the nine tenants %d were placed; all answers by status, 0 for the tenth: %s",
			state, all, placed, statuses(samples))
	}
	return nine, statuses(answers), nil
}

// waitUntilPlaces repeats an order until it is placed.
func (g *gateway) waitUntilPlaces(w wish) error {
	for began := time.Now(); ; {
		err := g.mustPlace(w)
		if err == nil || time.Since(began) > breakerRecovered {
			return err
		}
		time.Sleep(time.Second)
	}
}
