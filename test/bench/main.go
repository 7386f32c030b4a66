// Command bench measures the gateway beside the raw calls to Odoo that it stands for, in one run, and prints ratios: on
// a shared machine only those mean anything. It needs a real Odoo 19 and a MariaDB (ORDERGATE_TEST_ODOO19 and
// ORDERGATE_TEST_MARIADB, as the tests do); `make bench` boots both, Odoo with two workers.
//
// What is compared is measured alternately, one of each in turn, so that whatever else the machine does meets both alike.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	kept, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if !kept {
		fmt.Fprintln(os.Stderr, "bench: a promised figure was not reached")
		os.Exit(1)
	}
}

// part is a group of figures that are measured together.
type part struct {
	name    string
	measure func(s *stage, r *report) error
	asked   bool // takes so long that it is measured only when it is asked for by name
}

// parts stand in the order in which they are measured. Those after throughput use what it found.
var parts = []part{
	{name: "alone", measure: measureAlone},
	{name: "actions", measure: measureActions},
	{name: "tenants", measure: measureTenants},
	{name: "throughput", measure: measureThroughput},
	{name: "latency", measure: measureLatency},
	{name: "overload", measure: measureOverload},
	{name: "recovery", measure: measureRecovery},
	{name: "backfill", measure: measureBackfill},
	{name: "audit", measure: measureAudit, asked: true},
	{name: "listing", measure: measureListings, asked: true},
}

// dedupe is the name of the part that needs no Odoo, and no gateway that serves.
const dedupe = "dedupe"

func run() (kept bool, err error) {
	names := make([]string, len(parts), len(parts)+1)
	for i, p := range parts {
		names[i] = p.name
	}
	names = append(names, dedupe)
	only := flag.String("only", "", "measure only these parts, separated by commas: "+strings.Join(names, ", ")+
		"; audit and listing fill a database with many orders, and are measured only when they are named here; dedupe is named alone, and needs no Odoo")
	binary := flag.String("gateway", "", "measure this program instead of building one")
	flag.Parse()
	if *only == dedupe {
		r := &report{}
		err := measureDedupe(os.Getenv("ORDERGATE_TEST_MARIADB"), *binary, r)
		r.print(os.Stdout)
		return r.kept(), err
	}
	chosen, err := choose(*only)
	if err != nil {
		return false, err
	}

	odoo, err := connect(os.Getenv("ORDERGATE_TEST_ODOO19"))
	if err != nil {
		return false, err
	}
	s, err := newStage(os.Getenv("ORDERGATE_TEST_MARIADB"), *binary, odoo)
	if err != nil {
		return false, err
	}
	defer s.close()

	r := &report{}
	r.note("%s", describeMachine(odoo))
	var failed error
	for _, p := range chosen {
		fmt.Fprintf(os.Stderr, "bench: %s\n", p.name)
		if err := p.measure(s, r); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	r.print(os.Stdout)
	return r.kept(), failed
}

// choose returns the parts of a list of names, and throughput with those that build on it; for an empty list all but those
// that want to be asked for.
func choose(only string) ([]part, error) {
	if only == "" {
		return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.asked }), nil
	}
	wanted := map[string]bool{}
	for _, name := range strings.Split(only, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	if wanted["latency"] || wanted["overload"] || wanted["recovery"] {
		wanted["throughput"] = true
	}
	var chosen []part
	for _, p := range parts {
		if wanted[p.name] {
			chosen = append(chosen, p)
			delete(wanted, p.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("there is no part %q", name)
	}
	return chosen, nil
}
