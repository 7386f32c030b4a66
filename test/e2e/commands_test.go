package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/env"
	"ordergate/test/proxy"
)

// serveSandbox starts the sandbox as a stranger does, and returns what it printed.
func serveSandbox(t *testing.T) (p *process, printed string) {
	t.Helper()
	p = settings{}.serve(t, "--sandbox")
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "Read the contract") }, 10*time.Second, 10*time.Millisecond)
	return p, p.log.String()
}

func TestSandboxAsAStrangerStartsIt(t *testing.T) {
	t.Parallel()
	p, printed := serveSandbox(t)
	c := newCaller(t, p, regexp.MustCompile(`Bearer (og_[A-Za-z0-9_-]+)`).FindStringSubmatch(printed)[1])
	placed := c.place(t, "my-first-order", orderBody("PO-1")).requireStatus(t, http.StatusCreated)
	at := fmt.Sprintf("/v1/orders/%d", int64(placed.body["id"].(float64)))
	for _, action := range []string{"/confirm", "/fulfilments", "/invoices"} {
		c.call(t, http.MethodPost, at+action, map[string]any{}, "Idempotency-Key", action).requireStatus(t, http.StatusOK)
	}
	for _, lacking := range []string{"/v1/warehouses", "/v1/stock?sku=E-COM07", at + "/allocations", at + "/procurement"} {
		c.call(t, http.MethodGet, lacking, nil).requireStatus(t, http.StatusNotImplemented)
	}
	require.Eventually(t, func() bool {
		listing := c.call(t, http.MethodGet, "/v1/orders", nil).requireStatus(t, http.StatusOK)
		return len(listing.body["orders"].([]any)) > 1
	}, 10*time.Second, 50*time.Millisecond, "the orders that people made in the stand-in are listed too")
	c.call(t, http.MethodGet, "/readyz", nil).requireStatus(t, http.StatusOK)
	for _, page := range []string{"/docs", "/openapi.yaml", "/metrics"} {
		response, err := http.Get(p.base + page)
		require.NoError(t, err)
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NotEmpty(t, content)
	}
	require.Zero(t, p.stop(t), "SIGTERM drains and ends well")
}

// The command that the sandbox prints is pasted as it stands, twice.
func TestCommandThatTheSandboxPrints(t *testing.T) {
	t.Parallel()
	env.Tool(t, "bash")
	env.Tool(t, "curl")
	_, printed := serveSandbox(t)
	command := printed[strings.Index(printed, "curl -i"):]
	command = command[:strings.Index(command, "\n\n")]
	for _, replayed := range []bool{false, true} {
		output, err := exec.Command("bash", "-c", command).Output()
		require.NoError(t, err)
		require.Contains(t, string(output), "HTTP/1.1 201 Created")
		require.Equal(t, replayed, strings.Contains(string(output), "Idempotency-Replayed: true"))
	}
}

// A request in flight when SIGTERM comes is answered.
func TestSIGTERMDrains(t *testing.T) {
	t.Parallel()
	eachStack(t, func(t *testing.T, s *stack) {
		p := s.serve(t)
		key := unique("drain")
		s.http.OnCall(loadOfOrders, proxy.DelayAnswer(1500*time.Millisecond), 1)
		answered := make(chan answer, 1)
		go func() {
			a, err := newCaller(t, p, s.portal).try(http.MethodPost, "/v1/orders", orderBody(key), "Idempotency-Key", key)
			if err != nil {
				t.Error(err)
			}
			answered <- a
		}()
		require.Eventually(t, func() bool { return s.countOrders(t, key) == 1 }, 20*time.Second, 20*time.Millisecond)
		require.Zero(t, p.stop(t))
		require.Equal(t, http.StatusCreated, (<-answered).status)
	})
}

func TestCommandsOfTheProgram(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, s *stack) {
		require.Contains(t, s.must(t, "version"), "ordergate")
		require.Contains(t, s.must(t, "migrate", "up"), "up to date")
		s.must(t, "migrate", "status")
		report := s.must(t, "doctor")
		require.NotContains(t, report, "BAD")
		require.Contains(t, report, path("Odoo %d", s.odoo.Major))
		var findings []map[string]any
		require.NoError(t, json.Unmarshal([]byte(s.must(t, "doctor", "--json")), &findings))
		require.NotEmpty(t, findings)
		over, key := "over xmlrpc", "none in use"
		if s.json2 {
			over, key = "over json2", "ends on "
		}
		require.Contains(t, report, over)
		require.Contains(t, report, key)

		s.must(t, "sync")
		s.must(t, "sync", "--full")
		_, stderr, code := settings{}.command(t, "serve")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "ORDERGATE_DATABASE")
		_, stderr, code = s.command(t, "key", "create", "--role", "customer", "--name", "x")
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "--customer")
		_, _, code = s.command(t, "no-such-command")
		require.Equal(t, 2, code)
		require.NotContains(t, s.must(t, "key", "list"), s.portal)
	})
}
