package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Dialect is the SQL that a database speaks. MariaDB speaks MySQL's.
type Dialect string

// The dialects.
const (
	MySQL  Dialect = "mysql"
	SQLite Dialect = "sqlite"
)

// versionTable is where goose records which steps were applied.
const versionTable = "goose_db_version"

// mysqlConnections are needed at once: goose keeps one, a step in Go takes another, and a third renews the lock. With
// fewer they would wait for each other for ever.
const mysqlConnections = 3

//go:embed mysql/*.sql mysql/alter/*.sql sqlite/*.sql sqlite/alter/*.sql
var files embed.FS

// Applied tells of a step that was just applied.
type Applied struct {
	Version  int64
	Name     string
	Duration time.Duration
}

// Step is one step of the chain and whether the database has it.
type Step struct {
	Version   int64
	Name      string
	Applied   bool
	AppliedAt time.Time // UTC; zero while the step is pending
}

// Up applies every pending step and calls progress, which may be nil, after each. Any number of processes may call it
// on one database at the same moment: each step is applied once. After an error or a crash it goes on where it stopped.
//
// The database must be one that package store opened, or have its settings: times in UTC and parsed, for SQLite
// transactions that begin immediately, and for MySQL at least three connections.
func Up(ctx context.Context, db *sql.DB, dialect Dialect, progress func(Applied)) error {
	return UpTo(ctx, db, dialect, math.MaxInt64, progress)
}

// UpTo is Up, and stops after the step with this version.
func UpTo(ctx context.Context, db *sql.DB, dialect Dialect, version int64, progress func(Applied)) (err error) {
	provider, err := newProvider(db, dialect)
	if err != nil {
		return err
	}
	if dialect == MySQL {
		if limit := db.Stats().MaxOpenConnections; limit > 0 && limit < mysqlConnections {
			return fmt.Errorf("migrations: the pool is limited to %d connections, and %d are needed", limit, mysqlConnections)
		}
		unlock, lockErr := lockReplicasOut(ctx, db)
		if lockErr != nil {
			return lockErr
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}

	steps, err := Status(ctx, db, dialect)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if step.Applied || step.Version > version {
			continue
		}
		result, err := provider.ApplyVersion(ctx, step.Version, true)
		if errors.Is(err, goose.ErrAlreadyApplied) {
			continue // by another process: SQLite has no lock around the whole chain
		}
		if err != nil {
			return fmt.Errorf("migrations: step %d (%s): %w", step.Version, step.Name, err)
		}
		if progress != nil {
			progress(Applied{Version: step.Version, Name: step.Name, Duration: result.Duration})
		}
	}
	return nil
}

// Status lists all steps by rising version. It writes nothing.
func Status(ctx context.Context, db *sql.DB, dialect Dialect) ([]Step, error) {
	provider, err := newProvider(db, dialect)
	if err != nil {
		return nil, err
	}
	appliedAt, err := appliedVersions(ctx, db, dialect)
	if err != nil {
		return nil, fmt.Errorf("migrations: reading which steps were applied: %w", err)
	}
	sources := provider.ListSources()
	steps := make([]Step, len(sources))
	for i, source := range sources {
		at, applied := appliedAt[source.Version]
		steps[i] = Step{Version: source.Version, Name: stepName(source), Applied: applied, AppliedAt: at}
	}
	return steps, nil
}

// Pending counts the steps that the database lacks. It writes nothing.
func Pending(ctx context.Context, db *sql.DB, dialect Dialect) (int, error) {
	steps, err := Status(ctx, db, dialect)
	if err != nil {
		return 0, err
	}
	pending := 0
	for _, step := range steps {
		if !step.Applied {
			pending++
		}
	}
	return pending, nil
}

func appliedVersions(ctx context.Context, db *sql.DB, dialect Dialect) (map[int64]time.Time, error) {
	exists, err := tableExists(ctx, db, dialect, versionTable)
	if err != nil || !exists {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT version_id, tstamp FROM "+versionTable+" WHERE is_applied ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var at sql.NullTime
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		applied[version] = at.Time.UTC()
	}
	return applied, rows.Err()
}

func newProvider(db *sql.DB, dialect Dialect) (*goose.Provider, error) {
	gooseDialect, known := map[Dialect]goose.Dialect{MySQL: goose.DialectMySQL, SQLite: goose.DialectSQLite3}[dialect]
	if !known {
		return nil, fmt.Errorf("migrations: unknown dialect %q", dialect)
	}
	steps, err := fs.Sub(files, string(dialect))
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	provider, err := goose.NewProvider(gooseDialect, db, steps,
		goose.WithTableName(versionTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
		goose.WithGoMigrations(goSteps(dialect)...),
	)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return provider, nil
}

// stepName is "orders" for 00001_orders.sql; goose knows the steps that are written in Go by number only.
func stepName(source *goose.Source) string {
	if name, isGo := goStepNames[source.Version]; isGo {
		return name
	}
	_, name, _ := strings.Cut(strings.TrimSuffix(path.Base(source.Path), ".sql"), "_")
	return name
}

// lockReplicasOut waits until no other process migrates the database. The lock is held around everything that goose
// does, because goose creates its version table before it takes the lock that one gives it. A process that dies leaves
// a lease that the others wait out.
func lockReplicasOut(ctx context.Context, db *sql.DB) (unlock func() error, err error) {
	const (
		lease    = 30 * time.Second
		renewal  = 5 * time.Second
		interval = 250 * time.Millisecond
		attempts = 4 * 60 * 30 // half an hour: removing duplicates from millions of rows takes its time
	)
	locker, err := lock.NewMySQLTableLocker(
		lock.WithTableLeaseDuration(lease),
		lock.WithTableHeartbeatInterval(renewal),
		lock.WithTableLockTimeout(interval, attempts),
	)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	if err := locker.Lock(ctx, db); err != nil {
		return nil, fmt.Errorf("migrations: waiting for the lock: %w", err)
	}
	return func() error {
		if err := locker.Unlock(context.WithoutCancel(ctx), db); err != nil {
			return fmt.Errorf("migrations: releasing the lock: %w", err)
		}
		return nil
	}, nil
}
