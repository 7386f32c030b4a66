package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
)

// progress shows how far long work is, on one line of a terminal. Where nobody watches it shows nothing.
type progress struct {
	out   io.Writer // nil: not a terminal
	label string
	began time.Time
	last  time.Time
	shown bool
}

func newProgress(w io.Writer, label string) *progress {
	p := &progress{label: label, began: time.Now()}
	if file, ok := w.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		p.out = w
	}
	return p
}

// show draws the line anew, at most ten times a second but always at the end. Total is 0 where it is not known yet.
func (p *progress) show(what string, done, total int) {
	now := time.Now()
	if p.out == nil || (done != total && now.Sub(p.last) < 100*time.Millisecond) {
		return
	}
	p.last, p.shown = now, true
	rate := float64(done) / max(now.Sub(p.began).Seconds(), 0.001)
	if total == 0 {
		fmt.Fprintf(p.out, "\r\x1b[K%s: %d %s, %.0f/s", p.label, done, what, rate)
		return
	}
	percent, left := 100*done/total, time.Duration(0)
	if rate > 0 {
		left = time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s: %d of %d %s (%d %%), %.0f/s, %s left", p.label, done, total, what, percent, rate, left)
}

func (p *progress) end() {
	if p.shown {
		fmt.Fprintln(p.out)
	}
}
