package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// report is what was measured: a table of figures, and notes on how they came about.
type report struct {
	figures []figure
	notes   []string
}

// figure is one line of the table.
type figure struct {
	what, gateway, bare, ratio, promised string
	kept                                 bool
}

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *report) add(f figure) { r.figures = append(r.figures, f) }

// atMost adds a figure whose ratio may be so much.
func (r *report) atMost(limit float64, what string, ours, bare time.Duration) {
	ratio := float64(ours) / float64(bare)
	r.add(figure{
		what: what, gateway: milliseconds(ours), bare: milliseconds(bare), ratio: fmt.Sprintf("%.2f", ratio),
		promised: fmt.Sprintf("at most %.2f", limit), kept: ratio <= limit,
	})
}

// bound adds a figure that is not a ratio to anything.
func (r *report) bound(what, measured, promised string, kept bool) {
	r.add(figure{what: what, gateway: measured, promised: promised, kept: kept})
}

func (r *report) kept() bool {
	for _, f := range r.figures {
		if !f.kept {
			return false
		}
	}
	return true
}

func (r *report) print(w io.Writer) {
	fmt.Fprintln(w, "| what | gateway | bare | ratio | promised | |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, f := range r.figures {
		verdict := "kept"
		if !f.kept {
			verdict = "**missed**"
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join([]string{f.what, f.gateway, f.bare, f.ratio, f.promised, verdict}, " | "))
	}
	fmt.Fprintln(w)
	for _, n := range r.notes {
		fmt.Fprintf(w, "- %s\n", n)
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
