package faults

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Markdown is the table of fault by promise: what was run, and how often each promise was broken.
func Markdown(reports []*Report) string {
	type line struct {
		runs, orders, actions, requests, struck, kills int
		broken                                         map[Promise]int
	}
	add := func(l *line, r *Report) {
		l.runs, l.orders, l.actions, l.requests = l.runs+1, l.orders+r.Orders, l.actions+r.Actions, l.requests+r.Requests
		l.struck, l.kills = l.struck+r.Struck, l.kills+r.Kills
		for _, v := range r.Violations {
			l.broken[v.Promise]++
		}
	}
	lines, total := map[string]*line{}, &line{broken: map[Promise]int{}}
	var longest, sum time.Duration
	for _, r := range reports {
		l := lines[r.Fault]
		if l == nil {
			l = &line{broken: map[Promise]int{}}
			lines[r.Fault] = l
		}
		add(l, r)
		add(total, r)
		longest, sum = max(longest, r.Took), sum+r.Took
	}

	var b strings.Builder
	b.WriteString("| fault | runs | orders | actions | requests | struck | kills |")
	for _, p := range Promises {
		fmt.Fprintf(&b, " %s |", p)
	}
	b.WriteString("\n|---" + strings.Repeat("|--:", 6+len(Promises)) + "|\n")
	write := func(name string, l *line) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d |", name, l.runs, l.orders, l.actions, l.requests, l.struck, l.kills)
		for _, p := range Promises {
			fmt.Fprintf(&b, " %d |", l.broken[p])
		}
		b.WriteString("\n")
	}
	for _, name := range faultsInOrder(reports) {
		write(name, lines[name])
	}
	write("**all**", total)
	if len(reports) > 0 {
		fmt.Fprintf(&b, "\nA run took %s on average and %s at most.\n", (sum / time.Duration(len(reports))).Round(time.Second), longest.Round(time.Second))
	}
	return b.String()
}

// keyPrefix is what tells the keys of one run from those of another.
var keyPrefix = regexp.MustCompile(`\bf\d+-[0-9a-f]{8}-`)

// MarkdownGuards is the table of the guards that were taken out, and of what caught that.
func MarkdownGuards(reports []*Report) string {
	var b strings.Builder
	b.WriteString("| guard taken out | what happens then | caught by | as |\n|---|---|---|---|\n")
	for _, g := range GuardScenarios {
		for _, r := range reports {
			if len(r.Options.Out) != 1 || r.Options.Out[0] != g.Guard {
				continue
			}
			caught, as := "**nothing**", ""
			for _, v := range r.Violations {
				if v.Promise == g.Breaks {
					caught, as = string(v.Promise), v.Detail
					break
				}
			}
			as, _, _ = strings.Cut(keyPrefix.ReplaceAllString(as, ""), ": {")
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", g.Guard, g.Fault, caught, strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(as))
		}
	}
	return b.String()
}

// faultsInOrder lists the faults of the reports in the order of the scenarios.
func faultsInOrder(reports []*Report) []string {
	var names []string
	for _, s := range slices.Concat(Scenarios, Directed()) {
		if !slices.Contains(names, s.Fault) && slices.ContainsFunc(reports, func(r *Report) bool { return r.Fault == s.Fault }) {
			names = append(names, s.Fault)
		}
	}
	return names
}
