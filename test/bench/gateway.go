package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// gateway is a running one.
type gateway struct {
	cmd    *exec.Cmd
	base   string
	key    string
	client *http.Client
	log    *os.File
}

// manyConnections is more than the gateway answers at once.
const manyConnections = 2048

// start runs the gateway with more settings, and waits until it answers.
func (s *stage) start(more ...string) (*gateway, error) {
	return s.startWith(slices.Concat(s.oneTenant(), more)...)
}

func (s *stage) startWith(settings ...string) (*gateway, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	g := &gateway{
		cmd: exec.Command(s.binary, "serve"), base: "http://" + address, key: s.key,
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: manyConnections}},
	}
	// To a file: a pipe would have this process copy every line while it measures.
	if g.log, err = os.CreateTemp(s.directory, "gateway-*.log"); err != nil {
		return nil, err
	}
	g.cmd.Env = slices.Concat(s.environment, settings, []string{"ORDERGATE_LISTEN=" + address})
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for range 600 {
		response, err := g.client.Get(g.base + "/healthz")
		if err == nil {
			return g, response.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.stop()
	return nil, fmt.Errorf("the gateway does not answer:\n%s", g.lastWords())
}

// lastWords is the end of the gateway's log.
func (g *gateway) lastWords() string {
	text, err := os.ReadFile(g.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

func (g *gateway) stop() { g.end(syscall.SIGTERM) }

func (g *gateway) kill() { g.end(syscall.SIGKILL) }

func (g *gateway) end(signal os.Signal) {
	_ = g.cmd.Process.Signal(signal)
	_ = g.cmd.Wait()
	_ = g.log.Close()
	g.client.CloseIdleConnections()
}

// waitUntilSynced waits for the first full sync of a key's tenant.
func (g *gateway) waitUntilSynced(key string) error {
	for range 3000 {
		listing, err := fetch(g.client, g.base+"/v1/orders?limit=1", key)
		if err != nil {
			return err
		}
		if status, ok := listing["sync"].(map[string]any); ok && status["state"] == "fresh" {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the first sync does not end")
}

func (g *gateway) memoryMB() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS in the process's status")
}

// meters are the gateway's metrics: name and labels as they stand in /metrics, and the value.
type meters map[string]float64

func (g *gateway) meters() (meters, error) {
	response, err := g.client.Get(g.base + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	m := meters{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, found := cutLast(lines.Text(), " ")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		if m[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, err
		}
	}
	return m, lines.Err()
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

// sum adds up the metrics of a name whose labels hold a text.
func (m meters) sum(name, label string) float64 {
	total := 0.0
	for full, value := range m {
		of, labels, _ := strings.Cut(full, "{")
		if of == name && strings.Contains(labels, label) {
			total += value
		}
	}
	return total
}

// mean is the mean of what a histogram has observed since an earlier reading; 0 if that is nothing.
func (m meters) mean(earlier meters, histogram, label string) float64 {
	count := m.sum(histogram+"_count", label) - earlier.sum(histogram+"_count", label)
	if count == 0 {
		return 0
	}
	return (m.sum(histogram+"_sum", label) - earlier.sum(histogram+"_sum", label)) / count
}

// wish is an order that is to be placed: two lines.
type wish struct {
	apiKey    string
	customer  string // its ref
	reference string // also the idempotency key
	async     bool
}

// place sends an order, and returns the status of the answer.
func (g *gateway) place(ctx context.Context, w wish) (status int, err error) {
	body := fmt.Sprintf(`{"customer":{"ref":%q,"name":"Benchmark %s"},"reference":%q,"lines":[{"sku":%q,"quantity":"2"},{"sku":%q,"quantity":"1"}]}`,
		w.customer, w.customer, w.reference, skus[0], skus[1])
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base+"/v1/orders", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+w.apiKey)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", w.reference)
	if w.async {
		request.Header.Set("Prefer", "respond-async")
	}
	response, err := g.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 400 && response.StatusCode != http.StatusServiceUnavailable {
		err = fmt.Errorf("an order was answered with status %d: %s", response.StatusCode, bytes.TrimSpace(answer))
	}
	return response.StatusCode, err
}
