package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"ordergate/migrations"
	"ordergate/store"
	"ordergate/store/storetest"
	"ordergate/test/env"
)

const steps = 25

func open(t *testing.T, dsn string) *store.Store {
	t.Helper()
	return storetest.Open(t, dsn, store.Options{})
}

func TestUpAppliesEveryStepOnceAndTellsOfIt(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		pending, err := migrations.Pending(t.Context(), s.DB(), s.Dialect())
		require.NoError(t, err)
		require.Equal(t, steps, pending)

		var told []migrations.Applied
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), func(a migrations.Applied) { told = append(told, a) }))
		require.Len(t, told, steps)
		require.Equal(t, "orders", told[0].Name)
		require.Equal(t, "dedupe", told[4].Name)
		require.Equal(t, "orders_unique_erp_order", told[5].Name)
		require.Equal(t, "sync_cursors", told[13].Name)
		require.Equal(t, "intents_queue", told[14].Name)
		require.Equal(t, "order_listings", told[19].Name)
		require.Equal(t, "order_companies", told[20].Name)
		require.Equal(t, "order_terms", told[21].Name)
		require.Equal(t, "history_entries", told[22].Name)
		require.Equal(t, "order_standing", told[23].Name)
		require.Equal(t, "intent_actions", told[steps-1].Name)

		told = nil
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), func(a migrations.Applied) { told = append(told, a) }))
		require.Empty(t, told)

		all, err := migrations.Status(t.Context(), s.DB(), s.Dialect())
		require.NoError(t, err)
		last := int64(0)
		for _, step := range all {
			require.Greater(t, step.Version, last)
			last = step.Version
			require.True(t, step.Applied, "step %d", step.Version)
			require.NotEmpty(t, step.Name)
			require.False(t, step.AppliedAt.IsZero())
		}
	})
}

func TestStatusWritesNothing(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		_, err := migrations.Status(t.Context(), s.DB(), s.Dialect())
		require.NoError(t, err)
		_, err = s.DB().ExecContext(t.Context(), "SELECT * FROM goose_db_version")
		require.Error(t, err, "the version table was created")
	})
}

// A process may die after a step's DDL is committed and before goose has noted the step: the step then runs again.
func TestEveryStepMayRunAgainAfterACrash(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		all, err := migrations.Status(t.Context(), s.DB(), s.Dialect())
		require.NoError(t, err)
		for i, step := range all {
			version := step.Version
			require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), version, nil))
			if version == 1 {
				exec(t, s.DB(), "INSERT INTO orders (erp_order_id, number) VALUES (7, 'S7'), (7, 'S7'), (NULL, 'lost')")
			}
			exec(t, s.DB(), "DELETE FROM goose_db_version WHERE version_id = ?", version)
			require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), version, nil), "step %d", version)
			pending, err := migrations.Pending(t.Context(), s.DB(), s.Dialect())
			require.NoError(t, err)
			require.Equal(t, steps-i-1, pending)
		}
		require.EqualValues(t, 1, count(t, s.DB(), "SELECT COUNT(*) FROM orders"))
	})
}

// Whose outcome was unknown had been told 202, and is owed an order or a refusal of the ERP's own.
func TestIntentsInDoubtWereAcknowledged(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := open(t, dsn(t))
		require.NoError(t, migrations.UpTo(t.Context(), s.DB(), s.Dialect(), 14, nil))
		for key, row := range map[string][]any{"doubt": {"sending", storetest.At(10, 0)}, "fresh": {"sending", nil},
			"over": {"rejected", storetest.At(10, 0)}} {
			exec(t, s.DB(), `INSERT INTO intents (tenant_id, source, idempotency_key, fingerprint, state, request, plan, caller,
				lease_token, attempts, unknown_at, created_at, updated_at)
				VALUES (1, 'portal', ?, '', ?, '{}', '{}', '', '', 1, ?, ?, ?)`,
				key, row[0], row[1], storetest.At(9, 0), storetest.At(9, 0))
		}
		require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
		for key, acknowledged := range map[string]bool{"doubt": true, "fresh": false, "over": false} {
			in, err := s.Intent(t.Context(), 1, "portal", key)
			require.NoError(t, err)
			require.Equal(t, acknowledged, in.Acknowledged, key)
			require.Empty(t, in.Customer)
			require.Zero(t, in.Strikes)
			require.True(t, in.CancelRequestedAt.IsZero())
		}
	})
}

func TestReplicasMigrateAtTheSameMoment(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		one := dsn(t)
		const replicas = 4
		stores := make([]*store.Store, replicas)
		for i := range stores {
			stores[i] = open(t, one)
		}
		group, ctx := errgroup.WithContext(t.Context())
		for _, s := range stores {
			group.Go(func() error { return migrations.Up(ctx, s.DB(), s.Dialect(), nil) })
		}
		require.NoError(t, group.Wait())
		require.Zero(t, must(migrations.Pending(t.Context(), stores[0].DB(), stores[0].Dialect())))
		if stores[0].Dialect() == migrations.MySQL {
			require.EqualValues(t, steps, count(t, stores[0].DB(), "SELECT COUNT(*) FROM goose_db_version WHERE version_id > 0"),
				"a step was applied twice")
		}
	})
}

func TestOneReplicaWaitsForTheOther(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(testing.TB) string{"MySQL": env.MySQL, "MariaDB": env.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := env.Database(t, server(t))
			first, second := open(t, dsn), open(t, dsn)
			begun, proceed, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				done <- migrations.Up(context.WithoutCancel(t.Context()), first.DB(), migrations.MySQL, func(a migrations.Applied) {
					if a.Version == 1 {
						close(begun)
						<-proceed
					}
				})
			}()
			<-begun
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err := migrations.Up(ctx, second.DB(), migrations.MySQL, func(a migrations.Applied) {
				t.Errorf("step %d was applied while the other replica migrated", a.Version)
			})
			close(proceed)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NoError(t, <-done)
			require.NoError(t, migrations.Up(t.Context(), second.DB(), migrations.MySQL, nil))
		})
	}
}

func TestTheConstraintHolds(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := storetest.Migrated(t, dsn(t), store.Options{})
		insert := `INSERT INTO orders (tenant_id, erp_order_id, number, status, erp_partner_id, reference, currency,
			amount_untaxed, amount_tax, amount_total, ordered_at, created_at, updated_at, note, search_text)
			VALUES (?, ?, '', 'draft', 1, '', 'EUR', 0, 0, 0, '2026-01-01', '2026-01-01', '2026-01-01', '', '')`
		exec(t, s.DB(), insert, 1, 7)
		exec(t, s.DB(), insert, 2, 7)
		_, err := s.DB().ExecContext(t.Context(), insert, 1, 7)
		require.Error(t, err, "a second row of one ERP order")
		_, err = s.DB().ExecContext(t.Context(), insert, 1, nil)
		require.Error(t, err, "a row without an ERP order")
	})
}

func TestAPoolThatIsTooSmallIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		s := storetest.Open(t, dsn(t), store.Options{MaxOpenConns: 2})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := migrations.Up(ctx, s.DB(), s.Dialect(), nil)
		if s.Dialect() == migrations.SQLite {
			require.NoError(t, err, "one connection is enough there")
			return
		}
		require.ErrorContains(t, err, "3 are needed")
		s.DB().SetMaxOpenConns(3)
		require.NoError(t, migrations.Up(ctx, s.DB(), s.Dialect(), nil))
	})
}

func TestAFailedStepIsNamed(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.SQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := migrations.Up(ctx, s.DB(), s.Dialect(), func(a migrations.Applied) {
		if a.Version == 2 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "step 3 (order_history)")
	require.NoError(t, migrations.Up(t.Context(), s.DB(), s.Dialect(), nil))
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	require.NoError(t, err)
}

func count(t *testing.T, db *sql.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("unexpected error: %v", err))
	}
	return value
}
