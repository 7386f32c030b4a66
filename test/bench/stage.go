package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// stage is a built gateway and a database of its own.
type stage struct {
	directory string
	binary    string
	settings  []string
	server    *url.URL // of the database
	database  string
	key       string
}

// newStage builds the program, creates and migrates a database, and makes a key.
func newStage(server string, odoo *bareOdoo) (*stage, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, errors.New("ORDERGATE_TEST_MARIADB is not set to mysql://user@host:port/")
	}
	s := &stage{server: u, database: fmt.Sprintf("og_bench_%d", os.Getpid())}
	if s.directory, err = os.MkdirTemp("", "ordergate-bench-"); err != nil {
		return nil, err
	}
	s.binary = filepath.Join(s.directory, "ordergate")
	build := exec.Command("go", "build", "-o", s.binary, "ordergate/cmd/ordergate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the gateway: %w\n%s", err, output)
	}
	if err := s.sql("CREATE DATABASE " + s.database); err != nil {
		return nil, err
	}
	s.settings = append(os.Environ(),
		"ORDERGATE_DATABASE="+u.JoinPath(s.database).String(),
		"ORDERGATE_ODOO_URL="+odoo.base, "ORDERGATE_ODOO_DB="+odoo.database,
		"ORDERGATE_ODOO_USER="+odoo.user, "ORDERGATE_ODOO_PASSWORD="+odoo.password,
		"ORDERGATE_RATE_LIMIT=100000",
	)
	if _, err := s.command("migrate", "up"); err != nil {
		return nil, err
	}
	s.key, err = s.command("key", "create", "--role", "portal", "--name", "bench", "--source", s.database)
	if err != nil {
		return nil, err
	}
	odoo.partner, err = s.anyPartner(odoo)
	return s, err
}

func (s *stage) anyPartner(odoo *bareOdoo) (int64, error) {
	ids, err := odoo.execute("res.partner", "search", []any{[]any{[]any{"is_company", "=", true}}}, map[string]any{"limit": 1})
	if err != nil {
		return 0, err
	}
	return ids.([]any)[0].(int64), nil
}

func (s *stage) close() {
	if err := s.sql("DROP DATABASE " + s.database); err != nil {
		fmt.Fprintln(os.Stderr, "bench: dropping the database:", err)
	}
	_ = os.RemoveAll(s.directory)
}

func (s *stage) command(args ...string) (string, error) {
	cmd := exec.Command(s.binary, args...)
	cmd.Env = s.settings
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ordergate %s: %w: %s", args[0], err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

func (s *stage) sql(statement string) error {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User = "tcp", s.server.Host, s.server.User.Username()
	cfg.Passwd, _ = s.server.User.Password()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement)
	return err
}

// gateway is a running one.
type gateway struct {
	cmd      *exec.Cmd
	base     string
	key      string
	client   *http.Client
	customer string // the ref of the customer whose orders are listed
	log      *bytes.Buffer
}

// start runs the gateway with more settings, and waits until it answers.
func (s *stage) start(more ...string) (*gateway, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	g := &gateway{
		cmd: exec.Command(s.binary, "serve"), base: "http://" + address, key: s.key, log: &bytes.Buffer{},
		client: &http.Client{Timeout: time.Minute}, customer: s.database,
	}
	g.cmd.Env = append(append(s.settings, more...), "ORDERGATE_LISTEN="+address)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		response, err := g.client.Get(g.base + "/healthz")
		if err == nil {
			return g, response.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.stop()
	return nil, fmt.Errorf("the gateway does not answer:\n%s", g.log)
}

func (g *gateway) stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	_ = g.cmd.Wait()
}

// waitUntilSynced waits for the first full sync.
func (g *gateway) waitUntilSynced() error {
	for range 600 {
		listing, err := fetch(g.client, http.MethodGet, g.base+"/v1/orders?limit=1", g.key, nil, http.StatusOK, nil)
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

func (g *gateway) memoryMB() (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kb, err := strconv.Atoi(strings.Fields(value)[0])
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS in the process's status")
}

// place posts a two-line order for the customer whose orders are not listed.
func (g *gateway) place(reference string) error {
	_, err := g.post(reference, "bench-placing")
	return err
}

func (g *gateway) post(reference, customer string) (map[string]any, error) {
	return fetch(g.client, http.MethodPost, g.base+"/v1/orders", g.key, map[string]any{
		"customer":  map[string]any{"ref": customer, "name": "Benchmark " + customer},
		"reference": reference,
		"lines":     []any{map[string]any{"sku": skus[0], "quantity": "2"}, map[string]any{"sku": skus[1], "quantity": "1"}},
	}, http.StatusCreated, http.Header{"Idempotency-Key": {customer + " " + reference}})
}

// prepareCustomer makes sure that the customer has that many orders, and returns its partner.
func (g *gateway) prepareCustomer(orders int) (partner int64, err error) {
	var placed map[string]any
	for i := range orders {
		if placed, err = g.post(fmt.Sprintf("listed-%d", i), g.customer); err != nil {
			return 0, err
		}
	}
	return int64(placed["customer"].(map[string]any)["erp_partner_id"].(float64)), nil
}

// list gets the customer's orders, and checks that it got them all.
func (g *gateway) list(want int) error {
	listing, err := fetch(g.client, http.MethodGet, fmt.Sprintf("%s/v1/orders?customer=%s&limit=%d", g.base, g.customer, want), g.key, nil, http.StatusOK, nil)
	if err != nil {
		return err
	}
	if got := len(listing["orders"].([]any)); got != want {
		return fmt.Errorf("listing has %d orders, want %d", got, want)
	}
	if status := listing["sync"].(map[string]any); status["state"] != "fresh" {
		return fmt.Errorf("listing is %v", status)
	}
	return nil
}
