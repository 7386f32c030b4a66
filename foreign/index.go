package foreign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// keepUnique adds the unique index on the ERP id. Where rows share an id that names no order, the index cannot be, and
// a note says so. Error errDuplicateEntry of the database if there are duplicates again.
func (d *Database) keepUnique(ctx context.Context, r Run) (index, note string, err error) {
	l := r.layout
	blank := ""
	err = d.one(ctx, d.db, fmt.Sprintf("SELECT %s FROM %s t WHERE t.%s IS NOT NULL AND NOT %s GROUP BY t.%s HAVING COUNT(*) > 1 LIMIT 1",
		l.idColumn().text("t."+quote(l.ID)), l.root().sql(), quote(l.ID), l.named("t."), quote(l.ID)), nil, &blank)
	if err == nil {
		return "", fmt.Sprintf("no unique index was added, because several rows have the id %q, which names no order: set it to NULL in those, and call again", blank), nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return "", "", err
	}
	return r.progress.IndexWanted, "", d.addIndex(ctx, l, "UNIQUE INDEX", r.progress.IndexWanted)
}

// uniqueIndexName is of the index that a run adds on a column; another column's is another.
func uniqueIndexName(column string) string {
	name := []rune("ordergate_unique_" + column)
	return string(name[:min(len(name), 64)])
}

// addIndex makes an index on the ERP id if there is none of its name, without keeping others from writing where the
// server can do that.
func (d *Database) addIndex(ctx context.Context, l layout, kind, index string) error {
	stands, err := d.indexStands(ctx, l, index)
	if err != nil || stands {
		return err
	}
	statement := fmt.Sprintf("ALTER TABLE %s ADD %s %s (%s)", l.root().sql(), kind, quote(index), quote(l.ID))
	err = d.define(ctx, statement+", ALGORITHM=INPLACE, LOCK=NONE")
	if isError(err, errNotSupported, errNotSupportedWhy) {
		err = d.define(ctx, statement)
	}
	if isError(err, errDuplicateKeyName) {
		return nil // by another process, just now
	}
	return err
}

// dropIndexes drops those that a run added, as far as they stand.
func (d *Database) dropIndexes(ctx context.Context, r Run) error {
	for _, index := range []string{r.progress.IndexWanted, r.helperIndex()} {
		if err := d.dropIndex(ctx, r.layout, index); err != nil {
			return fmt.Errorf("dropping the index %s: %w", index, err)
		}
	}
	return nil
}

func (d *Database) dropIndex(ctx context.Context, l layout, index string) error {
	stands, err := d.indexStands(ctx, l, index)
	if err != nil || !stands {
		return err
	}
	statement := fmt.Sprintf("ALTER TABLE %s DROP INDEX %s", l.root().sql(), quote(index))
	err = d.define(ctx, statement+", ALGORITHM=INPLACE, LOCK=NONE")
	if isError(err, errNotSupported, errNotSupportedWhy) {
		err = d.define(ctx, statement)
	}
	if isError(err, errCannotDrop) {
		return nil // by another process
	}
	return err
}

func (d *Database) indexStands(ctx context.Context, l layout, index string) (bool, error) {
	var n int
	err := d.one(ctx, d.db, "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? AND index_name = ?",
		[]any{l.root().Schema, l.root().Name, index}, &n)
	return n > 0, err
}
