//go:build failpoints

package failpoint

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// walker makes a test process pass points instead of running tests: "intent-written,intent-written".
const walker = "FAILPOINT_TEST_WALK"

func TestMain(m *testing.M) {
	walk, walking := os.LookupEnv(walker)
	if !walking {
		os.Exit(m.Run())
	}
	for p := range strings.SplitSeq(walk, ",") {
		Hit(Point(p))
		println("passed", p)
	}
}

// walk starts a process with a plan that passes points, and returns it with what it will have said on stderr.
func walk(t *testing.T, plan, points string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{Variable + "=" + plan, walker + "=" + points}
	said := &bytes.Buffer{}
	cmd.Stderr = said
	require.NoError(t, cmd.Start())
	return cmd, said
}

func TestKillStrikesAtItsPass(t *testing.T) {
	t.Parallel()
	cmd, said := walk(t, "kill:intent-written@2", "intent-written,orders-sent,intent-written,orders-read")
	_ = cmd.Wait() // how it ended is asked of ProcessState
	require.Equal(t, syscall.SIGKILL, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
	require.Equal(t, "passed intent-written\npassed orders-sent\nfailpoint: kill at intent-written, pass 2\n", said.String())
}

func TestStopWaitsToBeContinued(t *testing.T) {
	t.Parallel()
	cmd, said := walk(t, "stop:orders-sent@1", "orders-sent,orders-read")
	var status syscall.WaitStatus
	_, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.NoError(t, cmd.Wait())
	require.Equal(t, "failpoint: stop at orders-sent, pass 1\npassed orders-sent\npassed orders-read\n", said.String())
}

func TestSleepWaits(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	cmd, said := walk(t, "sleep:orders-sent@1=300ms;sleep:orders-read@9=1h", "orders-sent,orders-read")
	require.NoError(t, cmd.Wait())
	require.GreaterOrEqual(t, time.Since(begin), 300*time.Millisecond)
	require.Contains(t, said.String(), "failpoint: sleep at orders-sent, pass 1")
}

func TestUnknownNamesKeepTheProgramFromStarting(t *testing.T) {
	t.Parallel()
	cmd, said := walk(t, "kill:intent-writen@1", "orders-sent")
	require.Error(t, cmd.Wait())
	require.Contains(t, said.String(), `there is no point "intent-writen"`)
	require.NotContains(t, said.String(), "passed")
}

func TestUnknownPointInTheProgramPanics(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { Hit("nowhere") })
}

func TestParse(t *testing.T) {
	t.Parallel()
	p, err := parse(" kill:orders-sent@3; sleep:orders-sent@4=2s ;out:fence;out:replay;")
	require.NoError(t, err)
	require.Equal(t, map[Point][]action{OrdersSent: {{"kill", 3, 0}, {"sleep", 4, 2 * time.Second}}}, p.actions)
	require.Equal(t, map[Guard]bool{Fence: true, Replay: true}, p.out)

	for text, complaint := range map[string]string{
		"explode:orders-sent@1":    `there is no "explode"`,
		"kill":                     `there is no point ""`,
		"kill:nowhere@1":           `there is no point "nowhere"`,
		"kill:orders-sent":         "a number from 1 on",
		"kill:orders-sent@0":       "a number from 1 on",
		"kill:orders-sent@1=2s":    "a duration belongs to sleep",
		"sleep:orders-sent@1":      "a duration belongs to sleep",
		"sleep:orders-sent@1=long": "invalid duration",
		"out:everything":           `there is no guard "everything"`,
	} {
		_, err := parse(text)
		require.ErrorContains(t, err, complaint, text)
	}
}

func TestGuardsAreInUnlessTakenOut(t *testing.T) {
	t.Parallel()
	for _, g := range Guards {
		require.False(t, Out(g))
	}
}
