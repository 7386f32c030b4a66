package sandbox

import (
	"fmt"
	"time"
)

// kind is the type of a field, by Odoo's name for it.
type kind string

const (
	kindInteger   kind = "integer"
	kindFloat     kind = "float"
	kindMonetary  kind = "monetary"
	kindChar      kind = "char"
	kindText      kind = "text"
	kindHTML      kind = "html"
	kindBoolean   kind = "boolean"
	kindDate      kind = "date" // kept as Odoo writes it, "2026-03-14"
	kindDatetime  kind = "datetime"
	kindSelection kind = "selection"
	kindMany2one  kind = "many2one"
	kindOne2many  kind = "one2many"
	kindMany2many kind = "many2many"
)

// option is a value of a selection field and its label.
type option struct {
	value, label string
}

// field describes a field of a model. Its values are, in Go: int64 for integer and many2one, float64, string, bool,
// time.Time, []int64 for the x2many kinds, and nil for what Odoo shows as False.
type field struct {
	name, label string
	kind        kind
	comodel     string // of the relational kinds
	inverse     string // of a one2many: the many2one field of comodel that points back
	digits      int    // decimals that a float is rounded to; 0 keeps it as it is
	required    bool
	indexed     bool // keep the rows by value, for one2many and for lookups
	options     []option
	compute     func(e *env, m *model, r *row) any // instead of a stored value
	column      int                                // in row.values; -1 if nothing is stored
}

// model is a table and what is particular about it. The hooks may be nil.
type model struct {
	name, label string
	fields      []*field
	byName      map[string]*field
	order       string // of search, unless the call says otherwise
	displayName func(e *env, r *row) string
	delegate    string // many2one whose record holds further fields, as product.product has those of product.template
	denied      string // operations that the gateway's user may not do, such as "create write unlink"

	beforeCreate func(e *env, values map[string]any) error
	afterCreate  func(e *env, r *row) error
	beforeWrite  func(e *env, r *row, values map[string]any) error
	afterWrite   func(e *env, r *row, values map[string]any) error
	beforeUnlink func(e *env, r *row) error
	methods      map[string]method

	rows   map[int64]*row
	ids    []int64 // rising
	lastID int64
	index  map[string]map[any][]int64 // of the indexed fields: value → ids, rising
	stored int                        // how many values a row has
}

// row is a record. Nobody keeps one beyond the call that found it.
type row struct {
	id               int64
	values           []any
	created, written time.Time
}

// define makes a model of fields, and adds those that every model has.
func define(name, label string, fields []*field) *model {
	m := &model{
		name: name, label: label, order: "id", byName: map[string]*field{},
		rows: map[int64]*row{}, index: map[string]map[any][]int64{},
	}
	m.displayName = func(e *env, r *row) string {
		if n, ok := e.get(m, r, "name").(string); ok {
			return n
		}
		return fmt.Sprintf("%s,%d", m.name, r.id)
	}
	fields = append(fields,
		&field{name: "id", label: "ID", kind: kindInteger, compute: func(_ *env, _ *model, r *row) any { return r.id }},
		&field{name: "display_name", label: "Display Name", kind: kindChar,
			compute: func(e *env, m *model, r *row) any { return m.displayName(e, r) }},
		&field{name: "create_date", label: "Created on", kind: kindDatetime,
			compute: func(_ *env, _ *model, r *row) any { return r.created }},
		&field{name: "write_date", label: "Last Updated on", kind: kindDatetime,
			compute: func(_ *env, _ *model, r *row) any { return r.written }},
	)
	for _, f := range fields {
		f.column = -1
		if f.compute == nil && f.kind != kindOne2many {
			f.column = m.stored
			m.stored++
		}
		if f.indexed {
			m.index[f.name] = map[any][]int64{}
		}
		m.byName[f.name] = f
	}
	m.fields = fields
	return m
}

// related makes a field that shows a field of the record that the many2one field via points at.
func related(name, label string, k kind, comodel, via, of string) *field {
	return &field{name: name, label: label, kind: k, comodel: comodel, compute: func(e *env, m *model, r *row) any {
		target, t := e.follow(m, r, via)
		if t == nil {
			return nil
		}
		return e.get(target, t, of)
	}}
}
