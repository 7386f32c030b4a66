package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// describeMachine says what the figures were measured on.
func describeMachine(odoo *bareOdoo) string {
	workers, known := odoo.workers()
	says := "an Odoo whose workers cannot be seen from here"
	switch {
	case known && workers == 0:
		says = "a threaded Odoo, without workers"
	case known:
		says = fmt.Sprintf("an Odoo of %d workers", workers)
	}
	return fmt.Sprintf("Measured on %d processors that also ran Odoo, PostgreSQL, MariaDB and the clients, with %s.", runtime.NumCPU(), says)
}

var workersFlag = regexp.MustCompile(`--workers[ =]([0-9]+)`)

// workers returns how many workers Odoo was started with, if it runs on this machine.
func (o *bareOdoo) workers() (n int, known bool) {
	for _, p := range processes() {
		if !p.serves(o.base) {
			continue
		}
		if found := workersFlag.FindStringSubmatch(p.command); found != nil {
			n, err := strconv.Atoi(found[1])
			return n, err == nil
		}
	}
	return 0, false
}

// process is one of this machine's.
type process struct {
	id      int
	name    string
	command string
	used    time.Duration // of processors
}

// serves reports whether it is the Odoo of an address.
func (p process) serves(base string) bool {
	u, err := url.Parse(base)
	return err == nil && strings.Contains(p.command, "--http-port "+u.Port()+" ")
}

// processes returns those that can be looked at; none where there is no /proc.
func processes() []process {
	var list []process
	directories, _ := filepath.Glob("/proc/[0-9]*")
	for _, directory := range directories {
		id, err := strconv.Atoi(filepath.Base(directory))
		if err != nil {
			continue
		}
		command, err := os.ReadFile(filepath.Join(directory, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		stat, err := os.ReadFile(filepath.Join(directory, "stat"))
		if err != nil {
			continue
		}
		// The name is in brackets and may hold anything; user and system time are the 12th and 13th field after it.
		opening, closing := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[closing+1:]))
		if opening < 0 || len(fields) < 13 {
			continue
		}
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		list = append(list, process{
			id: id, name: string(stat[opening+1 : closing]),
			command: strings.ReplaceAll(string(command), "\x00", " "), used: time.Duration(user+system) * tick,
		})
	}
	return list
}

// tick is the unit of the times in /proc: 1/100 s on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// usage is how much of the processors each of the programs took that a placement passes through.
type usage map[string]time.Duration

func (s *stage) usage(g *gateway) usage {
	u := usage{}
	for _, p := range processes() {
		switch {
		case p.id == os.Getpid():
			u["clients"] += p.used
		case g != nil && p.id == g.cmd.Process.Pid:
			u["gateway"] += p.used
		case p.serves(s.odoo.base):
			u["Odoo"] += p.used
		case strings.HasPrefix(p.command, "postgres") && strings.Contains(p.command, " "+s.odoo.database+" "):
			u["PostgreSQL"] += p.used
		case p.name == "mariadbd":
			u["MariaDB"] += p.used
		}
	}
	return u
}

// perOrder says how much processor time each program took for each of some orders after an earlier reading, as
// "Odoo 9.8 ms, gateway 1.1 ms".
func (u usage) perOrder(earlier usage, orders float64) string {
	var shares []string
	for _, name := range []string{"Odoo", "PostgreSQL", "gateway", "MariaDB", "clients"} {
		if used := u[name] - earlier[name]; used > 0 && orders > 0 {
			shares = append(shares, name+" "+milliseconds(time.Duration(float64(used)/orders)))
		}
	}
	return strings.Join(shares, ", ")
}
