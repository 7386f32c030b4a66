package foreign

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Columns say where a table holds what is read of it; empty: it does not.
type Columns struct {
	ID        string // the ERP order id; odoo_order_id by default
	Source    string // the system that placed the order
	Key       string // that system's idempotency key
	Reference string // that system's reference of the order
}

// ParseColumns reads FIELD=COLUMN pairs; the fields are id, source, key and reference. An *OptionError names what is wrong.
func ParseColumns(pairs []string) (Columns, error) {
	var c Columns
	for _, pair := range pairs {
		field, column, found := strings.Cut(pair, "=")
		if !found || !name.MatchString(column) {
			return c, optionErrorf("map", "%q is not FIELD=COLUMN", pair)
		}
		var into *string
		for _, m := range c.fields() {
			if m.field == field {
				into = m.column
			}
		}
		switch {
		case into == nil:
			return c, optionErrorf("map", "there is no field %q; there are id, source, key and reference", field)
		case *into != "":
			return c, optionErrorf("map", "%s is given twice", field)
		}
		*into = column
	}
	return c, nil
}

type fieldColumn struct {
	field  string
	column *string
}

func (c *Columns) fields() []fieldColumn {
	return []fieldColumn{{"id", &c.ID}, {"source", &c.Source}, {"key", &c.Key}, {"reference", &c.Reference}}
}

// check makes sure that the table has the columns, and spells them as it does.
func (c *Columns) check(root shape) error {
	for _, m := range c.fields() {
		if *m.column == "" {
			continue
		}
		column, found := root.column(*m.column)
		if !found {
			return optionErrorf("map", "%s: %s has no column %s that is stored; it has %s", m.field, root, *m.column, strings.Join(root.names(), ", "))
		}
		*m.column = column.Name
	}
	return nil
}

// Table is one that is only read. SELECT is the only right that this needs.
type Table struct {
	Name  string
	Rows  int64 // when it was looked at
	Blank int64 // of these, rows that name no order: NULL, 0 or empty

	database *Database
	layout   layout
	options  Options
	columns  Columns
	page     int // about how many rows are in memory at once
}

// Row is a row that names an order.
type Row struct {
	PrimaryKey string
	ERPID      string
	Surplus    bool // another row of the same ERP id is the one that Apply would keep
	Source     string
	Key        string
	Reference  string
}

// Table looks at a table. Of the options, Table, Keep and Children count. *OptionError if it cannot be read.
func (d *Database) Table(ctx context.Context, o Options, c Columns) (*Table, error) {
	o.IDColumn = c.ID
	o, err := o.completed()
	if err != nil {
		return nil, err
	}
	c.ID = o.IDColumn
	root, err := d.inspect(ctx, d.db, d.schema, o.Table, "table")
	if err != nil {
		return nil, err
	}
	if err := c.check(root); err != nil {
		return nil, err
	}
	t := &Table{Name: root.Name, database: d, options: o, columns: c, page: readRows}
	if t.layout, err = d.lookAtTable(ctx, d.db, o); err != nil {
		return nil, err
	}
	if o.Keep == KeepChildren { // nothing else depends on them here
		if err := d.addSteps(ctx, d.db, &t.layout, o); err != nil {
			return nil, err
		}
	}
	t.Rows, t.Blank, err = d.countRows(ctx, t.layout)
	return t, err
}

const readRows = 5000

// Each calls visit with the rows that name an order, by rising ERP id; rows that share one come together, the one that is
// kept first. Without an index that begins with the column of the ERP id, each page reads the whole table.
func (t *Table) Each(ctx context.Context, visit func([]Row) error) error {
	var after *string
	for {
		ids, err := t.database.nextIDs(ctx, t.database.db, t.layout, after, t.page)
		if err != nil {
			return fmt.Errorf("foreign: reading %s: %w", t.Name, err)
		}
		if ids == nil {
			return nil
		}
		rows, err := t.read(ctx, *ids)
		if err != nil {
			return fmt.Errorf("foreign: reading %s: %w", t.Name, err)
		}
		if err := visit(rows); err != nil {
			return err
		}
		after = &ids.last
	}
}

func (t *Table) read(ctx context.Context, ids idRange) ([]Row, error) {
	l := t.layout
	from := fmt.Sprintf("%s t WHERE %s AND %s", l.root().sql(), l.named("t."), ids.condition)
	candidates := l.candidates(t.options)
	for _, m := range []struct{ alias, column string }{{"source", t.columns.Source}, {"placed_key", t.columns.Key}, {"reference", t.columns.Reference}} {
		value := "NULL"
		if m.column != "" {
			value = "t." + quote(m.column)
		}
		candidates += ", " + value + " AS " + m.alias
	}
	ranked := l.ranked(t.options, candidates, from, "c.row_key, c.erp_id, c.source, c.placed_key, c.reference")
	query := fmt.Sprintf("SELECT %s, %s, r.place > 1, r.source, r.placed_key, r.reference FROM (%s) r ORDER BY r.erp_id, r.place",
		l.keyColumn().text("r.row_key"), l.idColumn().text("r.erp_id"), ranked)
	var rows []Row
	err := t.database.each(ctx, t.database.db, query, ids.args, func(found *sql.Rows) error {
		var r Row
		var source, key, reference sql.NullString
		if err := found.Scan(&r.PrimaryKey, &r.ERPID, &r.Surplus, &source, &key, &reference); err != nil {
			return err
		}
		r.Source, r.Key, r.Reference = source.String, key.String, reference.String
		rows = append(rows, r)
		return nil
	})
	return rows, err
}
