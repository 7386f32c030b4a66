package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ordergate/migrations"
)

// read runs queries outside of a transaction.
func (s *Store) read(ctx context.Context, operation, table string, run func(db *gorm.DB) error) error {
	return classify(operation, table, run(s.gorm.WithContext(ctx)), beforeCommit)
}

// transaction runs statements in one transaction, and runs them again if it lost against another one: run must change
// nothing but the database, or set what it changes anew each time.
func (s *Store) transaction(ctx context.Context, operation, table string, run func(tx *gorm.DB) error) error {
	return repeat(ctx, lostRace, func() error { return s.attempt(ctx, operation, table, run) })
}

// insertRace is transaction for run that inserts rows which it did not find: if another process inserted one of them in
// between, it collides on key, and finds it the next time.
func (s *Store) insertRace(
	ctx context.Context, operation, table, key string, run func(tx *gorm.DB) error,
) error {
	collided := func(err error) bool { return errors.Is(err, ErrExists) && takenKey(err) == key }
	return repeat(ctx, collided, func() error { return s.transaction(ctx, operation, table, run) })
}

func (s *Store) attempt(ctx context.Context, operation, table string, run func(tx *gorm.DB) error) error {
	tx := s.gorm.WithContext(ctx).Begin()
	if tx.Error != nil {
		return classify(operation, table, tx.Error, beforeCommit)
	}
	ended := false
	defer func() {
		if !ended { // run panicked
			tx.Rollback()
		}
	}()
	err := run(tx)
	if err != nil {
		rollbackErr := tx.Rollback().Error
		ended = true
		if rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = errors.Join(err, rollbackErr)
		}
		return classify(operation, table, err, beforeCommit)
	}
	err = tx.Commit().Error
	ended = true
	return classify(operation, table, err, atCommit)
}

// repeat runs attempt again while its error is one that passes, a few times, with growing random pauses so that
// those who collided do not collide again.
func repeat(ctx context.Context, passing func(error) bool, attempt func() error) error {
	const attempts = 6
	pause := 10 * time.Millisecond
	for n := 1; ; n++ {
		err := attempt()
		if err == nil || n == attempts || !passing(err) || errors.Is(err, ErrUnknown) {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause *= 2
	}
}

// forUpdate locks what a query reads until the transaction ends. SQLite has no such clause and needs none: its
// transactions hold the only write lock from their beginning.
func (s *Store) forUpdate(query *gorm.DB) *gorm.DB {
	if s.dialect == migrations.SQLite {
		return query
	}
	return query.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
}
