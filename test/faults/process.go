package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ordergate/failpoint"
)

// replica is one of the gateways of a run: a process, and after its end the next one at the same address.
type replica struct {
	number    int
	binary    string
	environ   []string
	address   string
	clockFile string

	mu      sync.Mutex
	process *process // the latest
	log     transcript
}

// process is one running gateway.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// startTimeout is how long a gateway may take until it answers. It is generous because many runs share a machine.
const startTimeout = 60 * time.Second

func newReplica(number int, binary, directory string, environ []string) (*replica, error) {
	// An address of its own: the port must still be free when the next process starts, and connections that others make
	// from 127.0.0.1 take ports at random.
	listener, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250)))
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	r := &replica{
		number: number, binary: binary, address: listener.Addr().String(),
		clockFile: filepath.Join(directory, fmt.Sprintf("clock-%d", number)),
	}
	r.environ = append(environ, "ORDERGATE_LISTEN="+r.address, failpointClock+"="+r.clockFile, "TMPDIR="+directory)
	return r, nil
}

// The variables of package failpoint, whose names only a build with its tag has.
const (
	failpointVariable = "ORDERGATE_FAILPOINTS"
	failpointClock    = "ORDERGATE_CLOCK_FILE"
)

// start starts a process with failpoints, and does not wait for it to answer.
func (r *replica) start(failpoints string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	cmd := exec.Command(r.binary, "serve")
	cmd.Env = append(r.environ, failpointVariable+"="+failpoints)
	cmd.Stdout, cmd.Stderr = &r.log, &r.log
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is asked of ProcessState
		close(p.exited)
	}()
	r.process = p
	return nil
}

func (r *replica) current() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process
}

func (r *replica) url() string { return "http://" + r.address }

// answers waits until the gateway answers. Whoever starts it again if it ends meanwhile is the supervisor.
func (r *replica) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if r.healthy() {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the gateway does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the process with SIGKILL and waits until it is gone. False if it had ended before.
func (r *replica) kill() bool {
	p := r.current()
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
	}
	_ = p.cmd.Process.Kill() // an error means that it has ended meanwhile
	<-p.exited
	return true
}

func (r *replica) signal(s syscall.Signal) { _ = r.current().cmd.Process.Signal(s) }

// ended reports whether the process has ended, and if so, whether by SIGKILL.
func (p *process) ended() (ended, killed bool) {
	select {
	case <-p.exited:
		status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return true, ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	default:
		return false, false
	}
}

// halted reports whether the process is stopped by SIGSTOP.
func (p *process) halted() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return false
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(fields, "T")
}

// memory returns the resident bytes of the process; 0 if they cannot be told.
func (p *process) memory() int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// setClock makes the clock of the process wrong by a duration.
func (r *replica) setClock(by time.Duration) error {
	next := r.clockFile + ".next"
	if err := os.WriteFile(next, []byte(by.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, r.clockFile)
}

// passed counts what the process said of failpoints: "kill", "stop", "sleep".
func (r *replica) passed(what string) int {
	return strings.Count(r.log.String(), "failpoint: "+what+" at ")
}

// outOf is the failpoints that take guards out.
func outOf(guards []failpoint.Guard) string {
	items := make([]string, len(guards))
	for i, g := range guards {
		items[i] = "out:" + string(g)
	}
	return strings.Join(items, ";")
}

// transcript keeps the beginning and the end of what the processes of a replica print.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// transcriptLimit is enough for any run, and bounds one that goes astray.
const transcriptLimit = 8 << 20

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len() < transcriptLimit {
		t.text.Write(p)
	}
	return len(p), nil
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// tail returns the last lines.
func (t *transcript) tail(lines int) string {
	all := strings.Split(strings.TrimRight(t.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n") + "\n"
}

// command runs a command of the gateway to its end, and returns what it printed to stdout.
func command(ctx context.Context, binary string, environ []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environ
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ordergate %s: %w\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// healthy reports whether the gateway answers now.
func (r *replica) healthy() bool {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(r.url() + "/healthz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
