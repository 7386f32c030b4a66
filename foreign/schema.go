package foreign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// shape is a table as far as its rows must be copied, compared and put back.
type shape struct {
	Schema  string   `json:"schema"`
	Name    string   `json:"name"`
	Columns []column `json:"columns"` // without generated ones, which the database computes anew
	Primary []string `json:"primary"`
	Unique  []unique `json:"unique,omitempty"`  // beside the primary key
	Indexed []string `json:"indexed,omitempty"` // columns that an index begins with
	Changes []string `json:"changes,omitempty"` // columns that an UPDATE sets to the current time by itself
	Watched []string `json:"triggers,omitempty"`
}

// column is a column as the database describes it.
type column struct {
	Name string `json:"name"`
	Type string `json:"type"` // with length and sign: bigint(20) unsigned
	Kind string `json:"kind"` // without: bigint
}

// unique is a unique key. Without columns it is over something else than whole stored columns.
type unique struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns,omitempty"`
}

func (s shape) sql() string    { return quote(s.Schema) + "." + quote(s.Name) }
func (s shape) String() string { return s.Name }

func (s shape) column(name string) (column, bool) {
	i := slices.IndexFunc(s.Columns, func(c column) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return column{}, false
	}
	return s.Columns[i], true
}

func (s shape) names() []string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	return names
}

func (s shape) same(other shape) bool { return s.Schema == other.Schema && s.Name == other.Name }

// sameRows reports whether the columns are still those of another moment.
func (s shape) sameRows(other shape) bool { return slices.Equal(s.Columns, other.Columns) }

// inspect reads a table's description, and refuses tables whose rows cannot be moved and put back safely. What the error
// is about is called option.
func (d *Database) inspect(ctx context.Context, x executor, schema, table, option string) (shape, error) {
	s := shape{Schema: schema, Name: table}
	var kind string
	var engine, create sql.NullString
	err := d.one(ctx, x, `SELECT table_name, table_type, engine, create_options FROM information_schema.tables
		WHERE table_schema = ? AND table_name = ?`, []any{schema, table}, &s.Name, &kind, &engine, &create)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return s, optionErrorf(option, "there is no table %s in the database %s", table, schema)
	case err != nil:
		return s, fmt.Errorf("foreign: looking for table %s: %w", table, err)
	case kind != "BASE TABLE":
		return s, optionErrorf(option, "%s is a %s, not an ordinary table", table, strings.ToLower(kind))
	case !strings.EqualFold(engine.String, "InnoDB"):
		return s, optionErrorf(option, "%s is kept by the engine %s, which has no transactions; only InnoDB is supported", table, engine.String)
	case strings.Contains(create.String, "partitioned"):
		return s, optionErrorf(option, "%s is partitioned, which is not supported", table)
	}
	if s.Columns, s.Changes, err = d.columns(ctx, x, schema, table); err != nil {
		return s, err
	}
	if err := d.keys(ctx, x, &s); err != nil {
		return s, err
	}
	err = d.each(ctx, x, `SELECT trigger_name FROM information_schema.triggers
		WHERE event_object_schema = ? AND event_object_table = ? ORDER BY trigger_name`, []any{schema, table},
		func(rows *sql.Rows) error {
			var trigger string
			err := rows.Scan(&trigger)
			s.Watched = append(s.Watched, trigger)
			return err
		})
	if err != nil {
		return s, fmt.Errorf("foreign: reading the triggers of %s: %w", table, err)
	}
	return s, nil
}

func (d *Database) columns(ctx context.Context, x executor, schema, table string) (columns []column, changes []string, err error) {
	err = d.each(ctx, x, `SELECT column_name, column_type, data_type, LOWER(extra), COALESCE(generation_expression, '')
		FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`,
		[]any{schema, table}, func(rows *sql.Rows) error {
			var c column
			var extra, generated string
			if err := rows.Scan(&c.Name, &c.Type, &c.Kind, &extra, &generated); err != nil {
				return err
			}
			if generated != "" || strings.Contains(extra, "generated always") {
				return nil
			}
			if strings.Contains(extra, "on update") {
				changes = append(changes, c.Name)
			}
			c.Kind = strings.ToLower(c.Kind)
			columns = append(columns, c)
			return nil
		})
	if err != nil {
		return nil, nil, fmt.Errorf("foreign: reading the columns of %s: %w", table, err)
	}
	return columns, changes, nil
}

// keys reads primary and unique keys, and which columns an index begins with.
func (d *Database) keys(ctx context.Context, x executor, s *shape) error {
	err := d.each(ctx, x, `SELECT index_name, non_unique, seq_in_index, column_name, sub_part FROM information_schema.statistics
		WHERE table_schema = ? AND table_name = ? AND index_type = 'BTREE' ORDER BY index_name, seq_in_index`,
		[]any{s.Schema, s.Name}, func(rows *sql.Rows) error {
			var index string
			var notUnique, place int
			var of sql.NullString
			var part sql.NullInt64
			if err := rows.Scan(&index, &notUnique, &place, &of, &part); err != nil {
				return err
			}
			_, stored := s.column(of.String)
			whole := of.Valid && !part.Valid && stored
			if place == 1 && whole {
				s.Indexed = append(s.Indexed, of.String)
			}
			switch {
			case index == "PRIMARY":
				s.Primary = append(s.Primary, of.String)
			case notUnique != 0:
			case place == 1 && whole:
				s.Unique = append(s.Unique, unique{Name: index, Columns: []string{of.String}})
			case place == 1:
				s.Unique = append(s.Unique, unique{Name: index})
			default:
				last := &s.Unique[len(s.Unique)-1]
				if !whole || len(last.Columns) == 0 {
					last.Columns = nil
				} else {
					last.Columns = append(last.Columns, of.String)
				}
			}
			return nil
		})
	if err != nil {
		return fmt.Errorf("foreign: reading the keys of %s: %w", s.Name, err)
	}
	return nil
}

// keyKinds are the types whose values can be told apart exactly in a comparison that an index serves.
var keyKinds = map[string]bool{
	"tinyint": true, "smallint": true, "mediumint": true, "int": true, "bigint": true,
	"char": true, "varchar": true, "binary": true, "varbinary": true, "uuid": true,
}

func (c column) isInteger() bool { return strings.HasSuffix(c.Kind, "int") }
func (c column) isBinary() bool  { return strings.HasSuffix(c.Kind, "binary") }

// isText reports whether two values of the column may be equal to the database and yet differ.
func (c column) isText() bool {
	return strings.HasSuffix(c.Kind, "char") || strings.HasSuffix(c.Kind, "text")
}

// fits reports whether a column can hold every value of another, unchanged.
func (c column) fits(other column) bool {
	if c.isInteger() {
		return c.Kind == other.Kind && strings.Contains(c.Type, "unsigned") == strings.Contains(other.Type, "unsigned")
	}
	return c.Type == other.Type
}

// reference is a foreign key of one column that points to a table.
type reference struct {
	schema, table, column, to string
}

// references finds the foreign keys that point to a table, of every schema that this user can see.
func (d *Database) references(ctx context.Context, x executor, to shape) ([]reference, error) {
	var found []reference
	composite := ""
	err := d.each(ctx, x, `SELECT table_schema, table_name, column_name, referenced_column_name, constraint_name, ordinal_position
		FROM information_schema.key_column_usage WHERE referenced_table_schema = ? AND referenced_table_name = ?
		ORDER BY table_schema, table_name, constraint_name, ordinal_position`, []any{to.Schema, to.Name},
		func(rows *sql.Rows) error {
			var r reference
			var constraint string
			var place int
			if err := rows.Scan(&r.schema, &r.table, &r.column, &r.to, &constraint, &place); err != nil {
				return err
			}
			if place > 1 {
				composite = fmt.Sprintf("the foreign key %s of %s points to several columns of %s, which is not supported", constraint, r.table, to.Name)
			}
			if !slices.Contains(found, r) {
				found = append(found, r)
			}
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("foreign: reading which tables refer to %s: %w", to.Name, err)
	}
	if composite != "" {
		return nil, optionErrorf("table", "%s", composite)
	}
	return found, nil
}
