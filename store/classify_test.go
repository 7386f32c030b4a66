package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"ordergate/migrations"
	"ordergate/order"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	my := func(number uint16, message string) error { return &mysql.MySQLError{Number: number, Message: message} }
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	neither := errors.New("neither")
	for name, c := range map[string]struct {
		err            error
		before, commit error
	}{
		"dial refused":           {refused, ErrUnavailable, ErrUnknown}, // COMMIT never dials
		"nothing sent":           {driver.ErrBadConn, ErrUnavailable, ErrUnavailable},
		"connection lost":        {mysql.ErrInvalidConn, ErrUnavailable, ErrUnknown},
		"end of stream":          {io.ErrUnexpectedEOF, ErrUnavailable, ErrUnknown},
		"context over":           {context.DeadlineExceeded, ErrUnavailable, ErrUnavailable}, // database/sql sends no COMMIT then
		"context cancelled":      {context.Canceled, ErrUnavailable, ErrUnavailable},
		"rolled back":            {sql.ErrTxDone, ErrUnavailable, ErrUnavailable},
		"read-only server":       {my(1290, "--read-only"), ErrUnavailable, ErrUnavailable},
		"read-only mode":         {my(1836, "running in read-only mode"), ErrUnavailable, ErrUnavailable},
		"disk full":              {my(1021, "disk full"), ErrUnavailable, ErrUnavailable},
		"too many connections":   {my(1040, "too many connections"), ErrUnavailable, ErrUnavailable},
		"deadlock":               {my(1213, "deadlock"), ErrUnavailable, ErrUnavailable},
		"lock wait":              {my(1205, "lock wait timeout"), ErrUnavailable, ErrUnavailable},
		"no such table":          {my(1146, "no such table"), ErrUnavailable, ErrUnavailable},
		"shutdown":               {my(1053, "shutdown in progress"), ErrUnavailable, ErrUnknown},
		"interrupted":            {my(1317, "query interrupted"), ErrUnavailable, ErrUnknown},
		"killed":                 {my(1927, "connection was killed"), ErrUnavailable, ErrUnknown},
		"too long":               {my(1406, "data too long"), neither, neither},
		"out of range":           {my(1264, "out of range"), neither, neither},
		"duplicate":              {my(1062, "Duplicate entry '1' for key 'intents.uniq_intents_key'"), ErrExists, ErrExists},
		"defect of this program": {gorm.ErrInvalidField, neither, ErrUnknown},
	} {
		for when, want := range map[moment]error{beforeCommit: c.before, atCommit: c.commit} {
			err := classify("insert", "intents", c.err, when)
			require.ErrorIs(t, err, c.err, name)
			require.ErrorContains(t, err, "insert intents", name)
			for _, certainty := range []error{ErrUnavailable, ErrUnknown, ErrExists} {
				require.Equal(t, certainty == want, errors.Is(err, certainty), "%s, moment %d: %v", name, when, err)
			}
		}
	}
}

func TestClassifyLeavesAloneWhatIsSaid(t *testing.T) {
	t.Parallel()
	require.NoError(t, classify("read", "orders", nil, atCommit))
	for _, err := range []error{order.Errorf(order.NotFound, "x", "y"),
		classify("a", "b", io.EOF, beforeCommit)} {
		require.Equal(t, err, classify("read", "orders", err, atCommit))
	}
}

func TestTakenKeyIsNamed(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"Duplicate entry '1-portal-k' for key 'intents.uniq_intents_key'": "uniq_intents_key", // MySQL
		"Duplicate entry '1-portal-k' for key 'uniq_intents_key'":         "uniq_intents_key", // MariaDB
		"Duplicate entry 'for key 'x'' for key 'uniq_intents_key'":        "uniq_intents_key",
		"Duplicate entry '1-m' for key 'PRIMARY'":                         "PRIMARY",
		"something else": "unnamed key",
	} {
		err := fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: 1062, Message: message})
		require.Equal(t, want, takenKey(err))
	}
	require.Empty(t, takenKey(io.EOF))
}

// Every unique key of the schema must be known by its SQLite columns, or a race on it would not be fought again.
func TestEveryUniqueKeyIsKnownOnSQLite(t *testing.T) {
	t.Parallel()
	s, _ := counted(t)
	require.Equal(t, migrations.SQLite, s.Dialect())
	rows, err := s.DB().QueryContext(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%UNIQUE%'")
	require.NoError(t, err)
	defer rows.Close()
	known := map[string]bool{keyPrimary: true}
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		known[name] = true
	}
	require.NoError(t, rows.Err())
	used := map[string]bool{}
	for columns, key := range keysByColumns {
		require.True(t, known[key], "%s: no index %s", columns, key)
		used[key] = true
	}
	require.Len(t, used, len(known)) // several tables have a primary key of which this package knows
}
