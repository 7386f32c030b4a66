package faults

import (
	"fmt"
	"strings"
	"time"
)

// Promise is something that must hold in every run.
type Promise string

// The promises. What breaks each of them exactly is said in check.go.
const (
	Once     Promise = "one key, one order"
	Kept     Promise = "acknowledged is kept"
	Nothing  Promise = "refused leaves nothing"
	Answer   Promise = "one key, one answer"
	ERPFirst Promise = "ERP first"
	InTurn   Promise = "queued go in turn"
	Done     Promise = "done once or not at all"
	History  Promise = "histories hold"
	Edits    Promise = "edits stay"
	Deleted  Promise = "deleted stays deleted"
	Bounded  Promise = "everything is bounded"
	Ends     Promise = "every intent ends"
	Alive    Promise = "the process lives"
)

// Promises are all of them, in the order of the report's columns.
var Promises = []Promise{Once, Kept, Nothing, Answer, ERPFirst, InTurn, Done, History, Edits, Deleted, Bounded, Ends, Alive}

// Violation is a broken promise.
type Violation struct {
	Promise Promise
	Key     string // whose promise it is; empty where it is nobody's in particular
	Other   string // another key that has to do with it; mostly empty
	Detail  string
}

func (v Violation) String() string {
	if v.Key == "" {
		return fmt.Sprintf("%s: %s", v.Promise, v.Detail)
	}
	return fmt.Sprintf("%s: key %s: %s", v.Promise, v.Key, v.Detail)
}

// Report is what one run did and found.
type Report struct {
	Options  Options
	Scenario string
	Fault    string // what failed, in words: the row of the table
	Plan     Plan
	Took     time.Duration

	Orders   int // wishes that were placed, or tried to be
	Actions  int // that were asked for
	Requests int
	Answers  map[int]int // by status; 0 is no answer
	Kills    int         // processes that ended by SIGKILL
	Struck   int         // faults that struck, kills included

	Violations []Violation
	Histories  map[string]string // of the keys with violations
	Logs       []string          // the ends of the processes' logs; only of runs with violations
}

// Broken reports whether a promise was.
func (r *Report) Broken(p Promise) bool {
	for _, v := range r.Violations {
		if v.Promise == p {
			return true
		}
	}
	return false
}

// String tells a run: one line, and for a run with violations all that is needed to understand and repeat it.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %s, Odoo %s, %s: %d orders, %d actions, %d requests %s, %d faults struck, %d kills, %d violations, %s\n",
		r.Options.Seed, r.Scenario, r.Options.Odoo, r.Options.Database, r.Orders, r.Actions, r.Requests, answers(r.Answers), r.Struck, r.Kills,
		len(r.Violations), r.Took.Round(100*time.Millisecond))
	if len(r.Violations) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "repeat with: go run ./test/faults/cmd %s\n%s", r.Options.arguments(r.Scenario), r.Plan)
	shown := map[string]bool{}
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "VIOLATION %s\n", v)
	}
	for _, v := range r.Violations {
		for _, key := range []string{v.Key, v.Other} {
			if key != "" && !shown[key] {
				shown[key] = true
				b.WriteString(r.Histories[key])
			}
		}
	}
	for _, log := range r.Logs {
		b.WriteString(log)
	}
	return b.String()
}

func answers(byStatus map[int]int) string {
	var parts []string
	for _, status := range sortedKeys(byStatus) {
		name := fmt.Sprint(status)
		if status == 0 {
			name = "none"
		}
		parts = append(parts, fmt.Sprintf("%s×%d", name, byStatus[status]))
	}
	return "(" + strings.Join(parts, " ") + ")"
}
