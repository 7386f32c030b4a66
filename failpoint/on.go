//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Variable is the environment variable that says what is to break: a list separated by semicolons of
//
//	kill:POINT@N            SIGKILL to itself when POINT is passed for the Nth time
//	stop:POINT@N            SIGSTOP to itself; it goes on at SIGCONT
//	sleep:POINT@N=DURATION  a wait, while the rest of the process runs
//	out:GUARD               the guard is taken out
//
// Before it acts, the process says so in a line on stderr: "failpoint: kill at intent-written, pass 3".
const Variable = "ORDERGATE_FAILPOINTS"

// plan is what the environment asked for.
type plan struct {
	actions map[Point][]action
	out     map[Guard]bool
}

// action is what happens at one pass of a point.
type action struct {
	what string // "kill", "stop" or "sleep"
	pass int64  // the first is 1
	wait time.Duration
}

var (
	planned = mustParse(os.Getenv(Variable))
	passes  = counters()
)

// mustParse refuses to start with a plan that names anything unknown: a run whose fault never strikes proves nothing.
func mustParse(text string) plan {
	p, err := parse(text)
	if err != nil {
		panic("failpoint: " + Variable + ": " + err.Error())
	}
	return p
}

func parse(text string) (plan, error) {
	p := plan{actions: map[Point][]action{}, out: map[Guard]bool{}}
	for item := range strings.SplitSeq(text, ";") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		what, rest, _ := strings.Cut(item, ":")
		var err error
		switch what {
		case "kill", "stop", "sleep":
			err = p.addAction(what, rest)
		case "out":
			err = p.takeOut(Guard(rest))
		default:
			err = fmt.Errorf("there is no %q, only kill, stop, sleep and out", what)
		}
		if err != nil {
			return plan{}, fmt.Errorf("%q: %w", item, err)
		}
	}
	return p, nil
}

func (p plan) addAction(what, rest string) error {
	rest, duration, timed := strings.Cut(rest, "=")
	name, number, _ := strings.Cut(rest, "@")
	point := Point(name)
	if !slices.Contains(Points, point) {
		return fmt.Errorf("there is no point %q, only %q", name, Points)
	}
	a := action{what: what}
	var err error
	if a.pass, err = strconv.ParseInt(number, 10, 64); err != nil || a.pass < 1 {
		return fmt.Errorf("the point must be followed by @ and a number from 1 on")
	}
	if timed != (what == "sleep") {
		return fmt.Errorf("a duration belongs to sleep, and to nothing else")
	}
	if timed {
		if a.wait, err = time.ParseDuration(duration); err != nil {
			return err
		}
	}
	p.actions[point] = append(p.actions[point], a)
	return nil
}

func (p plan) takeOut(g Guard) error {
	if !slices.Contains(Guards, g) {
		return fmt.Errorf("there is no guard %q, only %q", g, Guards)
	}
	p.out[g] = true
	return nil
}

func counters() map[Point]*atomic.Int64 {
	all := make(map[Point]*atomic.Int64, len(Points))
	for _, p := range Points {
		all[p] = new(atomic.Int64)
	}
	return all
}

// Hit passes a point, and does what is planned for this pass of it.
func Hit(p Point) {
	counter := passes[p]
	if counter == nil {
		panic(fmt.Sprintf("failpoint: the program passes %q, which is not among Points", p))
	}
	pass := counter.Add(1)
	for _, a := range planned.actions[p] {
		if a.pass == pass {
			a.carryOut(p)
		}
	}
}

func (a action) carryOut(p Point) {
	fmt.Fprintf(os.Stderr, "failpoint: %s at %s, pass %d\n", a.what, p, a.pass)
	switch a.what {
	case "kill":
		signal(syscall.SIGKILL)
		select {} // another thread may take the signal: nothing goes on here until then
	case "stop":
		signal(syscall.SIGSTOP)
		// Another thread may take the signal. It is there before this wait is over, and the wait goes on after SIGCONT.
		time.Sleep(20 * time.Millisecond)
	case "sleep":
		time.Sleep(a.wait)
	}
}

func signal(s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic("failpoint: " + err.Error())
	}
}

// Out reports whether a guard was taken out.
func Out(g Guard) bool { return planned.out[g] }
