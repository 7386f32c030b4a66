package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// stage is a built gateway, a database of its own, and keys.
type stage struct {
	directory   string
	binary      string
	environment []string // what every process of the gateway gets
	odoo        *bareOdoo
	server      *url.URL // of the database
	db          *sql.DB
	name        string // of this run; no other has it
	database    string
	key         string   // of a portal
	sources     []string // their keys

	// What measureThroughput found: orders a second of the gateway, and of the direct client with so many callers.
	capacity   float64 // measureOverload may find more
	bareBest   float64
	bareBestAt int
}

// sources is how many systems send orders when many do, each with a key of its own, and customers how many customers each
// of them orders for.
const (
	sources   = 4
	customers = 8
)

// newStage builds the program unless one is given, creates and migrates a database, and makes keys.
func newStage(server, binary string, odoo *bareOdoo) (*stage, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, errors.New("ORDERGATE_TEST_MARIADB is not set to mysql://user@host:port/")
	}
	name := fmt.Sprintf("bench_%d", time.Now().UnixMilli())
	s := &stage{odoo: odoo, server: u, binary: binary, name: name, database: "og_" + name}
	if s.directory, err = os.MkdirTemp("", "ordergate-bench-"); err != nil {
		return nil, err
	}
	if s.binary == "" {
		s.binary = filepath.Join(s.directory, "ordergate")
		build := exec.Command("go", "build", "-o", s.binary, "ordergate/cmd/ordergate")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building the gateway: %w\n%s", err, output)
		}
	}
	if s.db, err = openServer(u); err != nil {
		return nil, err
	}
	if err := s.sql("CREATE DATABASE " + s.database); err != nil {
		return nil, err
	}
	s.environment = append(os.Environ(), "ORDERGATE_DATABASE="+u.JoinPath(s.database).String(), "ORDERGATE_RATE_LIMIT=100000")
	if _, err := s.command("migrate", "up"); err != nil {
		return nil, err
	}
	if s.key, err = s.newKey("bench"); err != nil {
		return nil, err
	}
	for n := range sources {
		key, err := s.newKey(fmt.Sprintf("shop-%d", n))
		if err != nil {
			return nil, err
		}
		s.sources = append(s.sources, key)
	}
	return s, nil
}

// oneTenant are the settings of a gateway before one Odoo.
func (s *stage) oneTenant() []string {
	return []string{
		"ORDERGATE_ODOO_URL=" + s.odoo.base, "ORDERGATE_ODOO_DB=" + s.odoo.database,
		"ORDERGATE_ODOO_USER=" + s.odoo.user, "ORDERGATE_ODOO_PASSWORD=" + s.odoo.password,
	}
}

// newKey makes a portal's key for a source of that name, with more settings if there are several tenants.
func (s *stage) newKey(name string) (string, error) {
	return s.commandWith(s.oneTenant(), "key", "create", "--role", "portal", "--name", name, "--source", s.name+"-"+name)
}

func (s *stage) close() {
	if err := s.sql("DROP DATABASE " + s.database); err != nil {
		fmt.Fprintln(os.Stderr, "bench: dropping the database:", err)
	}
	_ = s.db.Close()
	_ = os.RemoveAll(s.directory)
}

func (s *stage) command(args ...string) (string, error) { return s.commandWith(nil, args...) }

func (s *stage) commandWith(settings []string, args ...string) (string, error) {
	cmd := exec.Command(s.binary, args...)
	cmd.Env = slices.Concat(s.environment, settings)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ordergate %s: %w: %s", args[0], err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

func openServer(u *url.URL) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User = "tcp", u.Host, u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (s *stage) sql(statement string) error {
	_, err := s.db.ExecContext(context.Background(), statement)
	return err
}

// count returns the number of intents of which a condition holds.
func (s *stage) count(condition string) (n int64, err error) {
	err = s.db.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM "+s.database+".intents WHERE "+condition).Scan(&n)
	return n, err
}

// waitUntilFinal waits until no intent is open.
func (s *stage) waitUntilFinal(patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		open, err := s.count(openIntents)
		switch {
		case err != nil || open == 0:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("%d intents are still open after %s", open, patience)
		}
	}
}
