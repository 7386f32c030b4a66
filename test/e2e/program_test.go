package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is the program under test, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "ordergate-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(directory)
		binary = filepath.Join(directory, "ordergate")
		build := exec.Command("go", "build", "-o", binary, "ordergate/cmd/ordergate")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, output)
			return 1
		}
		return m.Run()
	}())
}

// settings are the environment of a program under test.
type settings map[string]string

func (s settings) with(more settings) settings {
	all := make(settings, len(s)+len(more))
	for k, v := range s {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

// command runs a command of the program to its end.
func (s settings) command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = s.environ()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		require.NoError(t, err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed, and returns what it printed.
func (s settings) must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := s.command(t, args...)
	require.Zero(t, code, "ordergate %s\n%s%s", strings.Join(args, " "), stdout, stderr)
	return stdout
}

func (s settings) environ() []string {
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for k, v := range s {
		environ = append(environ, k+"="+v)
	}
	return environ
}

// process is a running `ordergate serve`.
type process struct {
	cmd    *exec.Cmd
	base   string // "http://127.0.0.1:12345"
	exited chan struct{}
	log    *transcript
}

// serve starts the program and waits until it answers. It is ended with the test.
func (s settings) serve(t *testing.T, args ...string) *process {
	t.Helper()
	address := freeAddress(t)
	cmd := exec.Command(binary, append([]string{"serve"}, args...)...)
	// What a killed process leaves behind goes with the test.
	cmd.Env = s.with(settings{"ORDERGATE_LISTEN": address, "TMPDIR": t.TempDir()}).environ()
	p := &process{cmd: cmd, base: "http://" + address, exited: make(chan struct{}), log: &transcript{}}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	require.NoError(t, cmd.Start())
	go func() {
		_ = cmd.Wait() // how it ended is asked of ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", p.log)
		}
	})
	require.Eventually(t, func() bool {
		select {
		case <-p.exited:
			t.Fatalf("the gateway ended at once:\n%s", p.log)
		default:
		}
		response, err := http.Get(p.base + "/healthz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond, "the gateway does not answer")
	return p
}

// kill ends the program as a crash would (SIGKILL), and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means it is gone already
	<-p.exited
}

// stop asks the program to end, and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(50 * time.Second):
		t.Fatal("the gateway does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// transcript keeps what a process prints.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// freeAddress returns an address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
