package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/glebarez/sqlite"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"ordergate/migrations"
)

// Options are settings of a Store; each may be left zero.
type Options struct {
	MaxOpenConns int              // connections of the pool; 16 by default, 8 on SQLite
	Logger       *slog.Logger     // nothing is logged by default
	Clock        func() time.Time // time.Now by default
}

// Store is the database. It is safe for concurrent use.
type Store struct {
	gorm    *gorm.DB
	sql     *sql.DB
	dialect migrations.Dialect
	clock   func() time.Time
	search  searchBounds
}

// Open connects to the database of a DSN: sqlite:FILE, or mysql://user:password@host:port/database, also for MariaDB,
// with ?tls=true for an encrypted connection. It does not migrate. ErrUnavailable if the database does not answer.
// No error shows the password.
func Open(ctx context.Context, dsn string, options Options) (*Store, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	pool, dialect, err := openPool(dsn, options.Logger)
	if err != nil {
		return nil, err
	}
	limitPool(pool, dialect, options.MaxOpenConns)

	s := &Store{sql: pool, dialect: dialect, clock: options.Clock, search: defaultSearch}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	s.gorm, err = gorm.Open(dialector(pool, dialect), &gorm.Config{
		SkipDefaultTransaction: true,  // transaction begins them
		PrepareStmt:            false, // statements would outlive the connections that they were prepared on
		TranslateError:         false, // classify needs the driver's error to tell which key collided
		DisableAutomaticPing:   true,
		Logger:                 statementLog{options.Logger},
		NowFunc:                s.now,
	})
	if err != nil {
		return nil, errors.Join(classify("open", "database", err, beforeCommit), pool.Close())
	}
	return s, nil
}

func dialector(pool *sql.DB, dialect migrations.Dialect) gorm.Dialector {
	if dialect == migrations.SQLite {
		return sqlite.Dialector{Conn: pool}
	}
	// Not asking for the version also keeps the statements the same on MySQL and MariaDB.
	return gormmysql.New(gormmysql.Config{Conn: pool, SkipInitializeWithVersion: true})
}

func limitPool(pool *sql.DB, dialect migrations.Dialect, maxOpen int) {
	if maxOpen <= 0 {
		maxOpen = 16
		if dialect == migrations.SQLite {
			maxOpen = 8
		}
	}
	pool.SetMaxOpenConns(maxOpen)
	pool.SetMaxIdleConns(maxOpen)
	// Servers, proxies and failovers end old connections: ours end first.
	pool.SetConnMaxLifetime(3 * time.Minute)
	if dialect != migrations.SQLite {
		pool.SetConnMaxIdleTime(quietTimeout / 2)
	}
}

// Close ends all connections. It waits for statements that run.
func (s *Store) Close() error { return s.sql.Close() }

// Ping checks that the database answers. ErrUnavailable if it does not.
func (s *Store) Ping(ctx context.Context) error {
	return classify("ping", "database", s.sql.PingContext(ctx), beforeCommit)
}

// DB is the pool itself, for package migrations.
func (s *Store) DB() *sql.DB { return s.sql }

// Dialect is the SQL that the database speaks.
func (s *Store) Dialect() migrations.Dialect { return s.dialect }

// now is the clock's time as the database can hold it.
func (s *Store) now() time.Time { return timestamp(s.clock()) }

// timestamp is t as the database can hold it: UTC, in microseconds. MySQL would round what it cuts off.
func timestamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// nullTime stores the zero time as NULL.
func nullTime(t time.Time) sql.NullTime {
	return sql.NullTime{Time: timestamp(t), Valid: !t.IsZero()}
}

// timeOf is the reverse of nullTime.
func timeOf(t sql.NullTime) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}
