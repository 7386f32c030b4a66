package faults

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "github.com/glebarez/go-sqlite" // the driver "sqlite"
	"github.com/go-sql-driver/mysql"

	"ordergate/test/proxy"
)

// database is the one that the gateways of a run share, and how it can fail.
type database struct {
	url    string  // for the gateways
	direct *sql.DB // past every proxy
	file   string  // of SQLite; else empty

	tcp *proxy.TCPProxy // nil for SQLite

	mu       sync.Mutex
	cuts     int // statements that a connection was cut at
	triggers []string
	locks    sync.WaitGroup
}

// openDatabase makes a database of its own for a run. It goes when the stage is cleared.
func openDatabase(ctx context.Context, s *stage, o Options, directory string) (*database, error) {
	if o.Database == SQLite {
		return openSQLite(s, directory)
	}
	server, there := o.Servers.Database[o.Database]
	if !there {
		return nil, fmt.Errorf("no server is known for %s", o.Database)
	}
	return openMySQL(ctx, s, server)
}

func openSQLite(s *stage, directory string) (*database, error) {
	file := filepath.Join(directory, "ordergate.db")
	direct, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	d := &database{url: "sqlite:" + file, file: file, direct: direct}
	s.Cleanup(func() {
		d.locks.Wait()
		_ = direct.Close()
	})
	return d, nil
}

func openMySQL(ctx context.Context, s *stage, server string) (*database, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, errors.New("the database server's address is not a URL")
	}
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	name := "og_test_" + hex.EncodeToString(random)
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User = "tcp", u.Host, u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Timeout, config.ReadTimeout = 10*time.Second, time.Minute
	config.MultiStatements = true
	if err := execute(ctx, config, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("creating a database: %w", err)
	}
	admin := config.Clone()
	s.Cleanup(func() {
		_ = execute(context.Background(), admin, "DROP DATABASE "+name) // it is empty space at worst
	})

	config.DBName = name
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	d := &database{direct: sql.OpenDB(connector), tcp: proxy.TCP(s, u.Host)}
	s.Cleanup(func() { _ = d.direct.Close() })
	u.Host, u.Path = d.tcp.Addr(), "/"+name
	d.url = u.String()
	return d, nil
}

func execute(ctx context.Context, config *mysql.Config, statement string) error {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// setDown makes the database unreachable, with what is connected cut off, or reachable again.
func (d *database) setDown(down bool) {
	if d.tcp == nil {
		return
	}
	d.tcp.Refuse(down)
	if down {
		d.tcp.Cut()
	}
}

// cut ends the connection on which the next statement goes that holds a text: before the server has it, or after the server
// carried it out, so that its answer is lost.
func (d *database) cut(text string, after bool) {
	if d.tcp == nil {
		return
	}
	match := func(sent []byte) bool {
		if !strings.Contains(string(sent), text) {
			return false
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.cuts++
		return true
	}
	if after {
		d.tcp.CutAfter(match)
	} else {
		d.tcp.CutBefore(match)
	}
}

// databaseErrors are what MySQL and MariaDB say when they cannot do what they are asked, by name.
var databaseErrors = map[string]struct {
	number   int
	state    string
	sometime bool // strikes one statement in two, not all
}{
	"deadlock":  {1213, "40001", true},
	"read-only": {1290, "HY000", false},
	"disk full": {1114, "HY000", false},
}

// fail makes writes of intents and orders fail with one of databaseErrors until heal.
func (d *database) fail(ctx context.Context, name string) error {
	e, known := databaseErrors[name]
	if !known || d.tcp == nil {
		return fmt.Errorf("no database error %q", name)
	}
	signal := fmt.Sprintf("SIGNAL SQLSTATE '%s' SET MYSQL_ERRNO = %d, MESSAGE_TEXT = 'made by a fault run'", e.state, e.number)
	if e.sometime {
		signal = "IF RAND() < 0.5 THEN " + signal + "; END IF"
	}
	for _, on := range []string{"INSERT ON intents", "UPDATE ON intents", "INSERT ON orders"} {
		trigger := "fault_" + strings.ToLower(strings.ReplaceAll(on, " ", "_"))
		if _, err := d.direct.ExecContext(ctx, "CREATE TRIGGER "+trigger+" BEFORE "+on+" FOR EACH ROW BEGIN "+signal+"; END"); err != nil {
			return err
		}
		d.mu.Lock()
		d.triggers = append(d.triggers, trigger)
		d.mu.Unlock()
	}
	return nil
}

// lock keeps SQLite's write lock for a while, as another program does that has the file open.
func (d *database) lock(ctx context.Context, howLong time.Duration) {
	if d.file == "" {
		return
	}
	d.locks.Go(func() {
		conn, err := d.direct.Conn(ctx)
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return
		}
		select {
		case <-time.After(howLong):
		case <-ctx.Done():
		}
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	})
}

// heal ends everything that was wrong.
func (d *database) heal(ctx context.Context) error {
	d.locks.Wait()
	if d.tcp == nil {
		return nil
	}
	d.tcp.Behave()
	d.tcp.Refuse(false)
	d.mu.Lock()
	triggers := d.triggers
	d.triggers = nil
	d.mu.Unlock()
	for _, trigger := range triggers {
		if _, err := d.direct.ExecContext(ctx, "DROP TRIGGER IF EXISTS "+trigger); err != nil {
			return err
		}
	}
	return nil
}

// struck is how many statements were cut off.
func (d *database) struck() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cuts
}

// row is a row of any table as text; NULL is empty.
type row map[string]string

// rows returns the answer to a query.
func (d *database) rows(ctx context.Context, query string, args ...any) ([]row, error) {
	result, err := d.direct.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	names, err := result.Columns()
	if err != nil {
		return nil, err
	}
	var all []row
	for result.Next() {
		values := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := result.Scan(into...); err != nil {
			return nil, err
		}
		r := row{}
		for i, name := range names {
			r[name] = values[i].String
		}
		all = append(all, r)
	}
	return all, result.Err()
}
