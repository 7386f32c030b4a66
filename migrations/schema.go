package migrations

import (
	"context"
	"database/sql"
	"fmt"
)

// executor is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// column is a column as the database describes it. Kind is its type without length: "varchar", "decimal".
type column struct {
	Name string
	Kind string
}

func tableExists(ctx context.Context, db executor, dialect Dialect, table string) (bool, error) {
	query := "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
	if dialect == SQLite {
		query = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
	}
	var n int
	if err := db.QueryRowContext(ctx, query, table).Scan(&n); err != nil {
		return false, fmt.Errorf("looking for table %s: %w", table, err)
	}
	return n > 0, nil
}

func columnsOf(ctx context.Context, db executor, dialect Dialect, table string) ([]column, error) {
	query := `SELECT column_name, data_type FROM information_schema.columns
		WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position`
	if dialect == SQLite {
		query = "SELECT name, lower(type) FROM pragma_table_info(?) ORDER BY cid"
	}
	rows, err := db.QueryContext(ctx, query, table)
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	defer rows.Close()
	var columns []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.Name, &c.Kind); err != nil {
			return nil, fmt.Errorf("reading the columns of %s: %w", table, err)
		}
		columns = append(columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	return columns, nil
}

func columnExists(ctx context.Context, db executor, dialect Dialect, table, name string) (bool, error) {
	columns, err := columnsOf(ctx, db, dialect, table)
	if err != nil {
		return false, err
	}
	for _, c := range columns {
		if c.Name == name {
			return true, nil
		}
	}
	return false, nil
}

func indexExists(ctx context.Context, db executor, dialect Dialect, table, index string) (bool, error) {
	query := `SELECT COUNT(*) FROM information_schema.statistics
		WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ?`
	if dialect == SQLite {
		query = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND name = ?"
	}
	var n int
	if err := db.QueryRowContext(ctx, query, table, index).Scan(&n); err != nil {
		return false, fmt.Errorf("looking for index %s: %w", index, err)
	}
	return n > 0, nil
}
