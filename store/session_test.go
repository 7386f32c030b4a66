package store_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
	"ordergate/test/env"
)

func TestSessionsHaveTheSettingsThatThePackageNeeds(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(testing.TB) string{"MySQL": env.MySQL, "MariaDB": env.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t, env.Database(t, server(t)), store.Options{})
			isolation := "@@transaction_isolation"
			if name == "MariaDB" {
				isolation = "@@tx_isolation"
			}
			var mode, zone, collation, level string
			require.NoError(t, s.DB().QueryRowContext(t.Context(),
				"SELECT @@sql_mode, @@time_zone, @@collation_connection, "+isolation).Scan(&mode, &zone, &collation, &level))
			require.Contains(t, mode, "STRICT_ALL_TABLES")
			require.Contains(t, mode, "NO_ZERO_DATE")
			require.Equal(t, "+00:00", zone)
			require.Equal(t, "utf8mb4_bin", collation)
			require.Equal(t, "READ-COMMITTED", level)

			_, err := s.DB().ExecContext(t.Context(), "CREATE TABLE t (id INT PRIMARY KEY, v INT)")
			require.NoError(t, err)
			_, err = s.DB().ExecContext(t.Context(), "INSERT INTO t VALUES (1, 1)")
			require.NoError(t, err)
			result, err := s.DB().ExecContext(t.Context(), "UPDATE t SET v = 1 WHERE id = 1")
			require.NoError(t, err)
			rows, err := result.RowsAffected()
			require.NoError(t, err)
			require.EqualValues(t, 1, rows, "found rows, not changed rows")
		})
	}
}

// A process that was halted in the middle of a transaction keeps nobody else waiting for long, and finds nothing written
// when it wakes.
func TestAHaltedTransactionGivesItsLocksBack(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(testing.TB) string{"MySQL": env.MySQL, "MariaDB": env.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := env.Database(t, server(t))
			halted, other := storetest.Migrated(t, dsn, store.Options{}), storetest.Open(t, dsn, store.Options{})
			tenant, err := other.EnsureTenant(t.Context(), "t")
			require.NoError(t, err)
			hold := func(s *store.Store, holder string, now time.Time) (bool, error) {
				return s.HoldSync(t.Context(), tenant, store.BackgroundSync, store.SyncLease{Holder: holder, Now: now, Until: now.Add(store.SyncLeaseLasts)})
			}
			now := time.Now()
			held, err := hold(halted, "halted", now)
			require.NoError(t, err)
			require.True(t, held)
			tx, err := halted.DB().BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "UPDATE sync_leases SET held_until = held_until")
			require.NoError(t, err)

			require.Eventually(t, func() bool {
				held, err := hold(other, "other", now.Add(2*store.SyncLeaseLasts))
				return err == nil && held
			}, 20*time.Second, 100*time.Millisecond, "the lease's row stays locked")
			_, err = tx.ExecContext(t.Context(), "UPDATE sync_leases SET holder = 'halted'")
			require.Error(t, err)
			require.Error(t, tx.Commit())
			held, err = hold(halted, "halted", now.Add(2*store.SyncLeaseLasts))
			require.NoError(t, err, "the pool goes on with another connection")
			require.False(t, held)
		})
	}
}

func TestSQLiteSettingsHoldOnEveryConnection(t *testing.T) {
	t.Parallel()
	s := storetest.Migrated(t, storetest.SQLite(t), store.Options{MaxOpenConns: 3})
	for range 3 {
		conn, err := s.DB().Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		for pragma, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000",
			"synchronous": "2"} {
			var got string
			require.NoError(t, conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
			require.Equal(t, want, got, pragma)
		}
	}
}

func TestSQLiteFilesMayHaveAnyName(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, name := range []string{"plain.db", "with space.db", "100%.db", "a?b=c.db", "a#b.db", "ünïcode.db", "%41.db"} {
		s := storetest.Open(t, "sqlite:"+filepath.Join(directory, name), store.Options{})
		require.NoError(t, s.Ping(t.Context()))
		require.FileExists(t, filepath.Join(directory, name))
	}
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	databases := 0
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".db") {
			databases++
		}
	}
	require.Equal(t, 7, databases)
}

func TestTheClockIsTheOneGiven(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 678901234, time.FixedZone("CET", 3600))
	s := storetest.Migrated(t, storetest.SQLite(t), store.Options{Clock: func() time.Time { return now }})
	in := intent("k")
	require.NoError(t, s.InsertIntent(t.Context(), in))
	want := time.Date(2030, 1, 2, 2, 4, 5, 678901000, time.UTC)
	require.Equal(t, want, in.CreatedAt)
	stored, err := s.Intent(t.Context(), 1, "portal", "k")
	require.NoError(t, err)
	require.Equal(t, want, stored.CreatedAt)
	require.Equal(t, want, stored.UpdatedAt)
}

func TestFailedStatementsAreLoggedWithoutValues(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := storetest.Open(t, storetest.SQLite(t), store.Options{
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	in := intent("key-of-a-customer")
	in.Request.Customer.Email = "ada@example.com"
	require.Error(t, s.InsertIntent(t.Context(), in), "there is no schema")
	require.Contains(t, log.String(), "INSERT INTO `intents`")
	require.NotContains(t, log.String(), "ada@example.com")
	require.NotContains(t, log.String(), "key-of-a-customer")
}

// The stored form of a result is read by later versions: a field that is renamed in package order would lose it.
func TestAStoredResultStaysReadable(t *testing.T) {
	t.Parallel()
	s := storetest.Migrated(t, storetest.SQLite(t), store.Options{})
	in := intent("k")
	require.NoError(t, s.InsertIntent(t.Context(), in))
	const result = `{"ID":4711,"Number":"S04711","Status":"done","Customer":{"ERPPartnerID":9,"Ref":"u-17","Name":"Ada",
		"Email":"ada@example.com"},"Reference":"PO-1","Source":"portal","Note":"n","Currency":"EUR","CurrencyDecimals":2,
		"AmountUntaxed":"39.8","AmountTax":"8.36","AmountTotal":"48.16","Lines":[{"ERPLineID":1,"ERPProductID":31,"SKU":"A",
		"Name":"Cabinet","UnitOfMeasure":"Units","Quantity":"2","UnitPrice":"19.9","Discount":"5","Subtotal":"39.8",
		"Tax":"8.36","Total":"48.16"}],"Deliveries":[{"id":3,"number":"O3","state":"ready"},{"id":4,"number":"R4","state":"ready","return":true}],
		"OrderedAt":"2026-03-14T10:00:00Z","CreatedAt":"2026-03-14T10:00:00Z",
		"UpdatedAt":"2026-03-14T10:00:00Z","DeletedAt":"0001-01-01T00:00:00Z"}`
	const failure = `{"kind":"unprocessable","code":"sku_unknown","message":"No.","violations":[{"Field":"lines[0].sku",
		"Message":"No."}],"retry_after":1000000000}`
	_, err := s.DB().ExecContext(t.Context(), "UPDATE intents SET result = ?, failure = ?", result, failure)
	require.NoError(t, err)
	stored, err := s.Intent(t.Context(), 1, "portal", "k")
	require.NoError(t, err)
	got := *stored.Result
	require.Equal(t, "S04711", got.Number)
	require.Equal(t, order.Standing{Status: order.Confirmed, Fulfilment: order.FulfilmentNone, Payment: order.PaymentNone},
		order.Standing{Status: got.Status, Fulfilment: got.Fulfilment, Payment: got.Payment}, "a status that there was before the others")
	require.Equal(t, order.Party{ERPPartnerID: 9, Ref: "u-17", Name: "Ada", Email: "ada@example.com"}, got.Customer)
	require.Equal(t, []order.Delivery{{ID: 3, Number: "O3", State: order.Ready, Kind: order.DeliveryOutgoing},
		{ID: 4, Number: "R4", State: order.Ready, Kind: order.DeliveryReturn}}, got.Deliveries)
	require.Equal(t, "48.16", got.AmountTotal.String())
	require.Equal(t, "19.9", got.Lines[0].UnitPrice.String())
	require.Equal(t, "5", got.Lines[0].Discount.String())
	require.Equal(t, storetest.At(10, 0), got.OrderedAt)
	require.Equal(t, &order.Error{Kind: order.Unprocessable, Code: "sku_unknown", Message: "No.", RetryAfter: time.Second,
		Violations: []order.Violation{{Field: "lines[0].sku", Message: "No."}}}, stored.Failure)
}
