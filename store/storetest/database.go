package storetest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/store"
	"ordergate/test/env"
)

// Databases runs a test on each database that the machine offers: SQLite always, MySQL and MariaDB where the
// environment names a server. dsn makes the DSN of an empty database of the test's own.
func Databases(t *testing.T, test func(t *testing.T, dsn func(t testing.TB) string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		test(t, SQLite)
	})
	t.Run("MySQL", func(t *testing.T) {
		server := env.MySQL(t)
		test(t, func(t testing.TB) string { return env.Database(t, server) })
	})
	t.Run("MariaDB", func(t *testing.T) {
		server := env.MariaDB(t)
		test(t, func(t testing.TB) string { return env.Database(t, server) })
	})
}

// SQLite returns the DSN of a database that does not exist yet, in a directory that goes with the test.
func SQLite(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "ordergate.db")
}

// Open opens a database as it is, and closes it when the test ends.
func Open(t testing.TB, dsn string, options store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Migrated opens a database and brings it to the current schema.
func Migrated(t testing.TB, dsn string, options store.Options) *store.Store {
	t.Helper()
	s := Open(t, dsn, options)
	require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
	return s
}

// At is a moment of a day that the suite's orders happen on, in UTC.
func At(hour, minute int) time.Time { return time.Date(2026, 3, 14, hour, minute, 0, 0, time.UTC) }
