package foreign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/uuid"

	"ordergate/store"
)

// Settings of a Database; each may be left zero.
type Settings struct {
	Clock func() time.Time // time.Now by default
	NewID func() string    // a unique name of up to 12 letters and digits; random by default
}

// Database is another system's. It is safe for concurrent use.
type Database struct {
	db     *sql.DB
	schema string
	now    func() time.Time
	newID  func() string

	// before is called with every statement that is about to run, and with COMMIT; after with COMMIT. An error takes the
	// place of the statement. Tests set them.
	before, after func(query string) error
}

// Open connects to the database of a DSN such as mysql://user:password@host:port/database; it must name a database.
// Close must be called. store.ErrUnavailable if the server does not answer.
func Open(ctx context.Context, dsn string, settings Settings) (*Database, error) {
	pool, err := store.OpenForeign(ctx, dsn)
	if err != nil {
		return nil, err
	}
	d := &Database{db: pool, now: settings.Clock, newID: settings.NewID}
	if d.now == nil {
		d.now = time.Now
	}
	if d.newID == nil {
		d.newID = func() string { return strings.ReplaceAll(uuid.NewString(), "-", "")[:12] }
	}
	var schema sql.NullString
	if err := d.one(ctx, d.db, "SELECT DATABASE()", nil, &schema); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	if schema.String == "" {
		return nil, errors.Join(errors.New("foreign: the address of the database names a server, but no database on it"), pool.Close())
	}
	d.schema = schema.String
	return d, nil
}

// Close ends all connections.
func (d *Database) Close() error { return d.db.Close() }

// executor is what *sql.DB and *sql.Tx have in common.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// exec runs a statement and returns how many rows it changed.
func (d *Database) exec(ctx context.Context, x executor, query string, args ...any) (int64, error) {
	if err := d.ask(d.before, query); err != nil {
		return 0, err
	}
	result, err := x.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each runs a query and calls row for each of its rows.
func (d *Database) each(ctx context.Context, x executor, query string, args []any, row func(*sql.Rows) error) error {
	if err := d.ask(d.before, query); err != nil {
		return err
	}
	rows, err := x.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads the first row of a query; sql.ErrNoRows if there is none.
func (d *Database) one(ctx context.Context, x executor, query string, args []any, into ...any) error {
	found := false
	err := d.each(ctx, x, query, args, func(rows *sql.Rows) error {
		if found {
			return nil
		}
		found = true
		return rows.Scan(into...)
	})
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

func (d *Database) ask(hook func(string) error, query string) error {
	if hook == nil {
		return nil
	}
	return hook(query)
}

// within runs statements in one transaction, and again if it lost against another one: run must set anew whatever it
// changes outside of the database.
func (d *Database) within(ctx context.Context, run func(tx *sql.Tx) error) error {
	return retry(ctx, func() error { return d.attempt(ctx, run) })
}

func (d *Database) attempt(ctx context.Context, run func(tx *sql.Tx) error) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = run(tx)
	if err == nil {
		err = d.ask(d.before, "COMMIT")
	}
	if err != nil {
		if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
			// The first error says what happened: a connection that is gone cannot be rolled back either.
			return fmt.Errorf("%w (and rolling back: %w)", err, rollbackErr)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return d.ask(d.after, "COMMIT")
}

// define runs a statement that changes the schema. It waits in short turns for transactions that use the table: who
// waits for a table's metadata makes everyone wait who comes after.
func (d *Database) define(ctx context.Context, query string) error {
	return retry(ctx, func() error {
		_, err := d.exec(ctx, d.db, query)
		return err
	})
}

// Error numbers of MySQL and MariaDB.
const (
	errDuplicateKeyName = 1061
	errDuplicateEntry   = 1062
	errCannotDrop       = 1091
	errLockWaitTimeout  = 1205
	errDeadlock         = 1213
	errParentMissing    = 1452
	errRecordChanged    = 1020 // MariaDB, with innodb_snapshot_isolation
	errNotSupported     = 1845 // ALGORITHM or LOCK
	errNotSupportedWhy  = 1846
	errOnlineLogTooFull = 1799 // more was written during an online ALTER than its log holds
)

func isError(err error, numbers ...uint16) bool {
	var my *mysql.MySQLError
	if !errors.As(err, &my) {
		return false
	}
	for _, n := range numbers {
		if my.Number == n {
			return true
		}
	}
	return false
}

// retry repeats what lost against another transaction, with growing random pauses.
func retry(ctx context.Context, attempt func() error) error {
	const attempts = 20
	const longest = 2 * time.Second
	pause := 20 * time.Millisecond
	for n := 1; ; n++ {
		err := attempt()
		if n == attempts || !isError(err, errLockWaitTimeout, errDeadlock, errRecordChanged, errOnlineLogTooFull) {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
		pause = min(2*pause, longest)
	}
}

// quote makes an identifier of a name.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// quoteAll lists names, each after a prefix such as "s.".
func quoteAll(prefix string, names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = prefix + quote(n)
	}
	return strings.Join(quoted, ", ")
}
