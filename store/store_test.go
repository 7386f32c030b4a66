package store_test

import (
	"testing"

	"ordergate/store"
	"ordergate/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, dsn func(testing.TB) string) {
		t.Parallel()
		storetest.Exercise(t, func(t *testing.T) *store.Store {
			return storetest.Migrated(t, dsn(t), store.Options{})
		})
	})
}
