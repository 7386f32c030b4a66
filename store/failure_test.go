package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
	"ordergate/test/env"
	"ordergate/test/proxy"
)

// servers runs a test on MySQL and on MariaDB, behind a proxy.
func servers(t *testing.T, test func(t *testing.T, s *store.Store, p *proxy.TCPProxy)) {
	for name, server := range map[string]func(testing.TB) string{"MySQL": env.MySQL, "MariaDB": env.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(env.Database(t, server(t)))
			require.NoError(t, err)
			p := proxy.TCP(t, u.Host)
			u.Host = p.Addr()
			test(t, storetest.Migrated(t, u.String(), store.Options{}), p)
		})
	}
}

func intent(key string) *order.Intent {
	return &order.Intent{TenantID: 1, Source: "portal", Key: key, State: order.Sending, LeaseToken: "t1",
		LeaseUntil: storetest.At(12, 0)}
}

func snapshot(id int64) order.Snapshot {
	return order.Snapshot{Order: order.Order{ID: id, Number: "S1", Status: order.Draft, Currency: "EUR",
		Lines: []order.Line{{ERPLineID: 1, Quantity: decimal.New(1, 0)}}}, WriteDate: storetest.At(10, 0)}
}

func TestALostAnswerToCommitIsUnknown(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, p *proxy.TCPProxy) {
		p.CutAfter(proxy.Contains("COMMIT"))
		in := intent("k")
		err := s.InsertIntent(t.Context(), in)
		require.ErrorIs(t, err, store.ErrUnknown)
		require.NotErrorIs(t, err, store.ErrUnavailable)
		require.ErrorContains(t, err, "insert intents")

		stored, err := s.Intent(t.Context(), 1, "portal", "k")
		require.NoError(t, err, "it was committed")

		p.CutAfter(proxy.Contains("COMMIT"))
		_, err = s.PlaceIntents(t.Context(), 1, "t1", []store.Placed{{IntentID: stored.ID, Snapshot: snapshot(1)}})
		require.ErrorIs(t, err, store.ErrUnknown)
		stored, err = s.Intent(t.Context(), 1, "portal", "k")
		require.NoError(t, err)
		require.Equal(t, order.Placed, stored.State)
	})
}

// Whether the server received the COMMIT cannot be told from here: the client only knows that it wrote it.
func TestACommitThatWasCutOffIsUnknown(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, p *proxy.TCPProxy) {
		p.CutBefore(proxy.Contains("COMMIT"))
		require.ErrorIs(t, s.InsertIntent(t.Context(), intent("k")), store.ErrUnknown)
		_, err := s.Intent(t.Context(), 1, "portal", "k")
		require.True(t, order.IsKind(err, order.NotFound), "it was not committed")
	})
}

func TestALostStatementIsNothingWritten(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, p *proxy.TCPProxy) {
		for name, cut := range map[string]func(func([]byte) bool){"before": p.CutBefore, "after": p.CutAfter} {
			cut(proxy.Contains("INSERT INTO `intents`"))
			err := s.InsertIntent(t.Context(), intent(name))
			require.ErrorIs(t, err, store.ErrUnavailable)
			require.NotErrorIs(t, err, store.ErrUnknown)
			_, err = s.Intent(t.Context(), 1, "portal", name)
			require.True(t, order.IsKind(err, order.NotFound), "without a COMMIT nothing is written")
		}
		p.CutAfter(proxy.Contains("FROM orders o"))
		_, err := s.ListOrders(t.Context(), 1, order.Filter{})
		require.ErrorIs(t, err, store.ErrUnavailable)
	})
}

func TestAServerThatIsGoneAndBack(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, p *proxy.TCPProxy) {
		require.NoError(t, s.Ping(t.Context()))
		p.Refuse(true)
		p.Cut()
		require.ErrorIs(t, s.InsertIntent(t.Context(), intent("k")), store.ErrUnavailable)
		_, err := s.Order(t.Context(), 1, 1)
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorIs(t, s.Ping(t.Context()), store.ErrUnavailable)
		p.Refuse(false)
		require.NoError(t, s.InsertIntent(t.Context(), intent("k")))
	})
}

func TestConnectionsThatTheServerKilledAreReplaced(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, _ *proxy.TCPProxy) {
		s.DB().SetMaxOpenConns(1)
		var id int64
		require.NoError(t, s.DB().QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id))
		killer := killerOf(t)
		_, err := killer.ExecContext(t.Context(), fmt.Sprintf("KILL %d", id))
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return s.InsertIntent(t.Context(), intent("k")) == nil
		}, 5*time.Second, 10*time.Millisecond)
	})
}

// killerOf opens a connection that does not pass the proxy, to the server that the running subtest is for.
func killerOf(t *testing.T) *sql.DB {
	t.Helper()
	server := env.MySQL
	if strings.Contains(t.Name(), "MariaDB") {
		server = env.MariaDB
	}
	return storetest.Open(t, server(t), store.Options{}).DB()
}

func TestAKilledTransactionWroteNothing(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, _ *proxy.TCPProxy) {
		// Another transaction holds the key, so that the insert waits, and is killed while it does.
		blocker, err := s.DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = blocker.ExecContext(t.Context(), `INSERT INTO intents (tenant_id, source, idempotency_key, fingerprint, state,
			request, plan, caller, lease_token, attempts, created_at, updated_at)
			VALUES (1, 'portal', 'k', '', 'sending', '{}', '{}', '', '', 1, NOW(), NOW())`)
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() { failed <- s.InsertIntent(context.WithoutCancel(t.Context()), intent("k")) }()

		killer := killerOf(t)
		var id int64
		require.Eventually(t, func() bool {
			return killer.QueryRowContext(t.Context(), `SELECT id FROM information_schema.processlist
				WHERE info LIKE 'INSERT INTO `+"`intents`"+`%' AND db = ?`, databaseOf(t, s)).Scan(&id) == nil
		}, 4*time.Second, 5*time.Millisecond)
		_, err = killer.ExecContext(t.Context(), fmt.Sprintf("KILL %d", id))
		require.NoError(t, err)
		err = <-failed
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.NotErrorIs(t, err, store.ErrUnknown)
		require.NoError(t, blocker.Rollback())
		_, err = s.Intent(t.Context(), 1, "portal", "k")
		require.True(t, order.IsKind(err, order.NotFound))
	})
}

func databaseOf(t *testing.T, s *store.Store) string {
	t.Helper()
	var name string
	require.NoError(t, s.DB().QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&name))
	return name
}

func TestALostDeadlockIsFoughtAgain(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, _ *proxy.TCPProxy) {
		_, err := s.UpsertOrders(t.Context(), 1, []order.Snapshot{snapshot(1), snapshot(2)}, "sync")
		require.NoError(t, err)
		changed := []order.Snapshot{snapshot(1), snapshot(2)}
		for i := range changed {
			changed[i].WriteDate = storetest.At(11, 0)
		}
		// The other transaction holds order 2 and wants order 1, which the store has locked by then. Having written
		// more, it is not the one that the server ends.
		other, err := s.DB().BeginTx(t.Context(), nil)
		require.NoError(t, err)
		for range 50 {
			_, err = other.ExecContext(t.Context(), "INSERT INTO tenants (name, created_at) SELECT UUID(), NOW(6)")
			require.NoError(t, err)
		}
		_, err = other.ExecContext(t.Context(), "UPDATE orders SET note = 'other' WHERE erp_order_id = 2 AND tenant_id = 1")
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			_, err := s.UpsertOrders(context.WithoutCancel(t.Context()), 1, changed, "sync")
			done <- err
		}()
		waitForLockWait(t, s)
		_, err = other.ExecContext(t.Context(), "UPDATE orders SET note = 'other' WHERE erp_order_id = 1 AND tenant_id = 1")
		require.NoError(t, err)
		require.NoError(t, other.Commit())
		require.NoError(t, <-done)
		o, err := s.Order(t.Context(), 1, 2)
		require.NoError(t, err)
		require.Empty(t, o.Note)
	})
}

func waitForLockWait(t *testing.T, s *store.Store) {
	t.Helper()
	killer := killerOf(t)
	name := databaseOf(t, s)
	require.Eventually(t, func() bool {
		var n int
		err := killer.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM information_schema.innodb_trx t
			JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
			WHERE t.trx_state = 'LOCK WAIT' AND p.db = ?`, name).Scan(&n)
		return err == nil && n > 0
	}, 5*time.Second, 250*time.Millisecond) // what the server shows is renewed only after nobody has looked for 100 ms
}

func TestAnExpiredContextWroteNothing(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := storetest.Migrated(t, dsn(t), store.Options{})
		s.DB().SetMaxOpenConns(1)
		held, err := s.DB().Conn(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err = s.InsertIntent(ctx, intent("k")) // waits for the only connection
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = s.Order(ctx, 1, 1)
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.NoError(t, held.Close())
		_, err = s.Intent(t.Context(), 1, "portal", "k")
		require.True(t, order.IsKind(err, order.NotFound))
	})
}

func TestADatabaseWithoutSchemaIsUnavailable(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := storetest.Open(t, dsn(t), store.Options{})
		err := s.InsertIntent(t.Context(), intent("k"))
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorContains(t, err, "insert intents")
	})
}

func TestContentThatTheDatabaseRefusesIsNoOutage(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, _ *proxy.TCPProxy) {
		in := intent("k")
		in.LeaseToken = strings.Repeat("x", 300)
		err := s.InsertIntent(t.Context(), in)
		require.Error(t, err)
		require.NotErrorIs(t, err, store.ErrUnavailable, "a retry cannot help")
		require.NotErrorIs(t, err, store.ErrUnknown)
	})
}

func TestAReadOnlyDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ordergate.db")
	s := storetest.Migrated(t, "sqlite:"+file, store.Options{MaxOpenConns: 1})
	_, err := s.DB().ExecContext(t.Context(), "PRAGMA query_only = 1")
	require.NoError(t, err)
	require.ErrorIs(t, s.InsertIntent(t.Context(), intent("k")), store.ErrUnavailable)
}

func TestOpenFailsWithoutShowingThePassword(t *testing.T) {
	t.Parallel()
	unusable := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(unusable, "text"), []byte(strings.Repeat("no database ", 500)), 0o600))
	for dsn, certainty := range map[string]error{
		"mysql://gateway:s3cret@127.0.0.1:1/og":                store.ErrUnavailable,
		"mysql://gateway:s3cret@[::1/og":                       nil,
		"mysql://gateway:s3cret%zz@127.0.0.1:1/og":             nil,
		"mysql://gateway:s3cret@127.0.0.1:1/og?tls=s3cret":     nil,
		"mysql://gateway:s3cret@127.0.0.1:1/og?charset=latin1": nil,
		"mysql://gateway:s3cret@/og":                           nil,
		"postgres://gateway:s3cret@127.0.0.1/og":               nil,
		"s3cret":                                               nil,
		"sqlite:":                                              nil,
		"sqlite::memory:":                                      nil,
		"sqlite:" + filepath.Join(unusable, "none", "x"):       store.ErrUnavailable,
		"sqlite:" + filepath.Join(unusable, "text"):            store.ErrUnavailable,
	} {
		s, err := store.Open(t.Context(), dsn, store.Options{})
		require.Error(t, err, dsn)
		require.Nil(t, s)
		require.NotContains(t, err.Error(), "s3cret")
		if certainty != nil {
			require.ErrorIs(t, err, certainty, dsn)
		}
	}
}

func TestAWrongPasswordIsUnavailable(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, s *store.Store, p *proxy.TCPProxy) {
		_, err := store.Open(t.Context(), "mysql://nobody:s3cret@"+p.Addr()+"/og", store.Options{})
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.NotContains(t, err.Error(), "s3cret")
	})
}
