package e2e

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/test/env"
	"ordergate/test/proxy"
)

// rounds is which process began the rounds of the background's sync, one letter each, in turn.
type rounds struct {
	mu    sync.Mutex
	begun strings.Builder
}

// see is a match for the proxy before Odoo of one process. It matches nothing.
func (r *rounds) see(process string) func([]byte) bool {
	begins := proxy.Contains("search_read", "product_tmpl_id.write_date") // all but the first
	return func(body []byte) bool {
		if begins(body) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.begun.WriteString(process)
		}
		return false
	}
}

func (r *rounds) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun.String()
}

func (r *rounds) of(process string) int { return strings.Count(r.String(), process) }

// waitFor waits until a process has begun so many rounds more.
func (r *rounds) waitFor(t *testing.T, process string, more int, within time.Duration) {
	t.Helper()
	before, began := r.of(process), time.Now()
	require.Eventually(t, func() bool { return r.of(process) >= before+more }, within, 5*time.Millisecond, "process %s makes no rounds: %s", process, r)
	t.Logf("%d rounds of %s took %s", more, process, time.Since(began).Round(10*time.Millisecond))
}

// Two processes share a database. One of them makes the rounds; when it is halted for longer than its lease the other takes
// over, and it makes none when it wakes; when that other is killed it takes over again.
func TestOneOfTwoProcessesSyncs(t *testing.T) {
	t.Parallel()
	// The lease is over after 6 seconds, or 8 if its holder was halted in a transaction, and it is looked for every 3 at most.
	// The rest is for a busy machine.
	const takenOver = 15 * time.Second
	erp, err := sandbox.Start(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, erp.Close()) })
	shared := settings{
		"ORDERGATE_DATABASE": env.Database(t, env.MariaDB(t)), "ORDERGATE_ODOO_DB": sandbox.Database,
		"ORDERGATE_ODOO_USER": sandbox.User, "ORDERGATE_ODOO_PASSWORD": sandbox.Password,
		"ORDERGATE_SYNC_INTERVAL": "200ms", "ORDERGATE_AUDIT_AT": "off",
	}
	shared.must(t, "migrate", "up")
	var begun rounds
	serve := func(name string) *process {
		before := proxy.HTTP(t, erp.URL())
		before.OnRequest(begun.see(name), proxy.Refuse, proxy.Always)
		return shared.with(settings{"ORDERGATE_ODOO_URL": before.URL()}).serve(t)
	}

	a := serve("a")
	begun.waitFor(t, "a", 2, 20*time.Second)
	b := serve("b")
	begun.waitFor(t, "a", 5, 20*time.Second)
	require.Zero(t, begun.of("b"), "two sync: %s", &begun)

	require.NoError(t, a.cmd.Process.Signal(syscall.SIGSTOP))
	t.Cleanup(func() { _ = a.cmd.Process.Signal(syscall.SIGCONT) })
	begun.waitFor(t, "b", 1, takenOver)
	halted := begun.of("a")
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGCONT))
	begun.waitFor(t, "b", 8, 20*time.Second)
	require.Equal(t, halted, begun.of("a"), "who was halted goes on beside its successor: %s", &begun)

	b.kill()
	killed := begun.of("b")
	begun.waitFor(t, "a", 3, takenOver)
	require.Equal(t, killed, begun.of("b"))
	require.Regexp(t, "^a+b+a+$", begun.String())
}
