package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	_ "github.com/glebarez/go-sqlite" // the driver "sqlite"
	"github.com/go-sql-driver/mysql"

	"ordergate/migrations"
)

// How long the network may take. A statement that takes longer than ioTimeout is as good as lost.
const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 30 * time.Second
)

// quietTimeout is how long a session may say nothing before the server ends it, in whole seconds. It counts between the
// statements of a transaction: a process that is halted there, or whose machine vanishes, would keep its locks from all
// others for as long as the server believes in it, which is hours. The pool gives up idle connections well before.
const quietTimeout = 8 * time.Second

// errBadDSN shows what a DSN looks like instead of what was given: that may hold a password.
var errBadDSN = errors.New("store: the database must be sqlite:FILE or mysql://user:password@host:port/database" +
	" (characters such as @ / : ? # % in user or password percent-encoded)")

// openPool makes the connection pool that a DSN asks for, without connecting.
func openPool(dsn string, logger *slog.Logger) (*sql.DB, migrations.Dialect, error) {
	scheme, rest, found := strings.Cut(dsn, ":")
	switch {
	case found && scheme == "sqlite":
		db, err := openSQLite(rest)
		return db, migrations.SQLite, err
	case found && scheme == "mysql":
		config, err := mysqlConfig(dsn)
		if err != nil {
			return nil, "", err
		}
		config.Params["wait_timeout"] = strconv.Itoa(int(quietTimeout.Seconds()))
		config.Logger = driverLog{logger}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, "", fmt.Errorf("store: the settings of the database: %w", err)
		}
		return sql.OpenDB(readCommitted{connector}), migrations.MySQL, nil
	}
	return nil, "", errBadDSN
}

// OpenForeign makes a pool for tables of another system, in MySQL or MariaDB, and connects. The gateway's own rules for
// what may stand in a column do not hold there, so that rows come back as they were: zero dates, an id of 0, whatever an
// older server let in. Statements may take their time, but not wait long for locks that the other system wants too.
// Times are not parsed. ErrUnavailable if the database does not answer.
func OpenForeign(ctx context.Context, dsn string) (*sql.DB, error) {
	if scheme, _, _ := strings.Cut(dsn, ":"); scheme != "mysql" {
		return nil, errors.New("store: a table of another system must be in a database like mysql://user:password@host:port/database" +
			" (also for MariaDB)")
	}
	config, err := mysqlConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.ReadTimeout, config.WriteTimeout = 0, 0
	config.ParseTime, config.ClientFoundRows = false, false
	config.Params["sql_mode"] = "'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'"
	config.Params["lock_wait_timeout"] = "5" // for the locks on a table's definition, a day otherwise
	config.Logger = driverLog{slog.New(slog.DiscardHandler)}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("store: the settings of the database: %w", err)
	}
	pool := sql.OpenDB(readCommitted{connector})
	limitPool(pool, migrations.MySQL, 4)
	if err := classify("ping", "database", pool.PingContext(ctx), beforeCommit); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}

// openSQLite lets readers work beside the one writer (WAL), makes writers wait for each other instead of failing, and
// takes the write lock when a transaction begins: one that had to take it later could only fail.
func openSQLite(file string) (*sql.DB, error) {
	if file == "" || strings.HasPrefix(file, ":memory:") {
		return nil, fmt.Errorf("%w; a database in memory is not supported", errBadDSN)
	}
	settings := url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	}
	escaped := (&url.URL{Path: file}).EscapedPath()
	return sql.Open("sqlite", "file:"+escaped+"?"+settings.Encode())
}

// mysqlConfig reads a DSN. What this package depends on is set here and cannot be asked for otherwise.
func mysqlConfig(dsn string) (*mysql.Config, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" {
		return nil, errBadDSN // the parser's own error would show the password
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	config := mysql.NewConfig()
	config.Net = "tcp"
	config.Addr = net.JoinHostPort(u.Hostname(), port)
	config.DBName = strings.TrimPrefix(u.Path, "/")
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	if err := applyParameters(config, u.RawQuery); err != nil {
		return nil, err
	}

	config.Timeout, config.ReadTimeout, config.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	config.ClientFoundRows = true // an UPDATE that changes nothing still tells whether its row exists
	config.ParseTime = true
	config.Loc = time.UTC
	config.Collation = "utf8mb4_bin"
	config.InterpolateParams = true // one round trip a statement instead of three
	config.Params = map[string]string{
		"sql_mode": "'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO," +
			"NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'",
		"time_zone":                "'+00:00'",
		"innodb_lock_wait_timeout": "5", // under ioTimeout, so that the server says what happened
	}
	return config, nil
}

func applyParameters(config *mysql.Config, query string) error {
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return errBadDSN
	}
	for name, values := range parameters {
		if name != "tls" {
			return fmt.Errorf("store: the database URL has the unknown parameter %q; only tls is known", name)
		}
		switch values[0] {
		case "true", "false", "skip-verify", "preferred":
			config.TLSConfig = values[0]
		default:
			return fmt.Errorf("store: tls in the database URL must be true, false, skip-verify or preferred")
		}
	}
	return nil
}

// readCommitted opens connections that lock no gaps between rows: under MySQL's default two transactions that look for
// an order which neither finds, and then insert it, end in a deadlock. (The variable that sets the level has different
// names on MySQL and MariaDB; the statement is the same.)
type readCommitted struct{ driver.Connector }

func (c readCommitted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	const setLevel = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, setLevel, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
