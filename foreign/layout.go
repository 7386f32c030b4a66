package foreign

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// layout is what a run knows of the tables. It is kept with the run, because whoever continues or undoes it must work
// with the same tables in the same order.
type layout struct {
	Tables []shape `json:"tables"` // the table itself first; each has an archive, by its place here
	Key    string  `json:"key"`    // the table's primary key
	ID     string  `json:"id"`     // the column of the ERP order id
	Steps  []step  `json:"steps"`  // in this order for every batch; backwards to undo it
}

// step is one column of a child table that points to the table.
type step struct {
	Table  int    `json:"table"`
	Column string `json:"column"`
	// Bound: a foreign key keeps children from pointing to nothing.
	Bound bool `json:"bound"`
	// Collides: the column is part of a unique key of the child, so that a child of a surplus row may have no place
	// beside those of the row that is kept. It is archived then, and with it whatever points to it.
	Collides bool      `json:"collides"`
	Below    []descent `json:"below,omitempty"` // parents before their children
}

// descent is a foreign key from a table to a child of which rows may be archived.
type descent struct {
	Parent       int    `json:"parent"`
	ParentColumn string `json:"parent_column"`
	Table        int    `json:"table"`
	Column       string `json:"column"`
}

func (l layout) root() shape         { return l.Tables[0] }
func (l layout) name(s step) string  { return l.Tables[s.Table].Name + "." + s.Column }
func (l layout) keyColumn() column   { c, _ := l.root().column(l.Key); return c }
func (l layout) idColumn() column    { c, _ := l.root().column(l.ID); return c }
func (l layout) hasIDIndex() bool    { return slices.Contains(l.root().Indexed, l.ID) }
func (l layout) uniqueIndex() string { return uniqueName(l.root(), l.ID) }

// uniqueName returns the unique key over exactly one column; empty if there is none.
func uniqueName(s shape, column string) string {
	if slices.Equal(s.Primary, []string{column}) {
		return "PRIMARY"
	}
	for _, u := range s.Unique {
		if slices.Equal(u.Columns, []string{column}) {
			return u.Name
		}
	}
	return ""
}

// triggers lists what else may happen when rows are removed, moved or put back.
func (l layout) triggers() []string {
	var all []string
	for _, s := range l.Tables {
		for _, t := range s.Watched {
			all = append(all, s.Name+": "+t)
		}
	}
	return all
}

// look finds out all that a run must know. An *OptionError says why a table cannot be cleaned up.
func (d *Database) look(ctx context.Context, x executor, o Options) (layout, error) {
	l, err := d.lookAtTable(ctx, x, o)
	if err != nil {
		return layout{}, err
	}
	if l.ID == l.Key {
		return layout{}, optionErrorf("id_column", "%s is the primary key, which no two rows share", l.ID)
	}
	err = d.addSteps(ctx, x, &l, o)
	return l, err
}

// lookAtTable finds out what must be known of the table itself.
func (d *Database) lookAtTable(ctx context.Context, x executor, o Options) (layout, error) {
	root, err := d.inspect(ctx, x, d.schema, o.Table, "table")
	if err != nil {
		return layout{}, err
	}
	l := layout{Tables: []shape{root}}
	if l.Key, err = singleKey(root); err != nil {
		return layout{}, err
	}
	id, found := root.column(o.IDColumn)
	switch {
	case !found:
		return layout{}, optionErrorf("id_column", "%s has no column %s that is stored", root, o.IDColumn)
	case !keyKinds[id.Kind]:
		return layout{}, optionErrorf("id_column", "%s is a %s; an ERP order id is an integer or a short text", id.Name, id.Kind)
	}
	l.ID = id.Name
	return l, checkKeep(root, o)
}

// addSteps finds the children of the table.
func (d *Database) addSteps(ctx context.Context, x executor, l *layout, o Options) error {
	root := l.root()
	links, err := d.references(ctx, x, root)
	if err != nil {
		return err
	}
	for _, link := range links {
		if !strings.EqualFold(link.to, l.Key) {
			return optionErrorf("table", "%s.%s points to %s of %s, which is not its primary key; that is not supported",
				link.table, link.column, link.to, root)
		}
		if err := d.addStep(ctx, x, l, link, true, "table"); err != nil {
			return err
		}
	}
	for _, child := range o.Children {
		table, column, _ := strings.Cut(child, ".")
		link := reference{schema: d.schema, table: table, column: column, to: l.Key}
		if slices.ContainsFunc(links, func(r reference) bool {
			return strings.EqualFold(r.schema+"."+r.table+"."+r.column, d.schema+"."+child)
		}) {
			continue // found already
		}
		if err := d.addStep(ctx, x, l, link, false, "children"); err != nil {
			return err
		}
	}
	return nil
}

func singleKey(root shape) (string, error) {
	switch len(root.Primary) {
	case 0:
		return "", optionErrorf("table", "%s has no primary key, without which no row can be told from another", root)
	case 1:
	default:
		return "", optionErrorf("table", "the primary key of %s has the columns %s; only a key of one column is supported",
			root, strings.Join(root.Primary, ", "))
	}
	key, _ := root.column(root.Primary[0])
	if !keyKinds[key.Kind] {
		return "", optionErrorf("table", "the primary key %s is a %s; only integers and short texts or bytes are supported", root.Primary[0], key.Kind)
	}
	return key.Name, nil
}

// ageColumn is where most systems keep when a row was made.
const ageColumn = "created_at"

func checkKeep(root shape, o Options) error {
	wanted, _, err := o.keepColumn()
	if err != nil {
		return err
	}
	if wanted != "" {
		if _, found := root.column(wanted); !found {
			return optionErrorf("keep", "%s has no column %s that is stored", root, wanted)
		}
		return nil
	}
	key, _ := root.column(root.Primary[0])
	if _, dated := root.column(ageColumn); !dated && !key.isInteger() {
		return optionErrorf("keep", "%s has neither a column %s nor a rising primary key to tell which row is the oldest; name a column", root, ageColumn)
	}
	return nil
}

// addStep looks at a child table, and refuses what could not be undone.
func (d *Database) addStep(ctx context.Context, x executor, l *layout, link reference, bound bool, option string) error {
	at, err := d.addTable(ctx, x, l, link.schema, link.table, option)
	if err != nil {
		return err
	}
	child := l.Tables[at]
	column, found := child.column(link.column)
	switch {
	case !found:
		return optionErrorf(option, "%s has no column %s that is stored", child, link.column)
	case len(child.Primary) == 0:
		return optionErrorf(option, "%s, whose rows point to %s, has no primary key, without which they could not be moved back", child, l.root())
	case at == 0 && column.Name == l.Key:
		return optionErrorf(option, "%s.%s is the primary key itself", child, link.column)
	case !bound && !column.fits(l.keyColumn()):
		return optionErrorf(option, "%s.%s is a %s and cannot hold every %s of %s, a %s", child, column.Name, column.Type, l.Key, l.root(), l.keyColumn().Type)
	case !slices.Contains(child.Indexed, column.Name):
		return optionErrorf(option, "no index of %s begins with %s: every batch would read the whole table", child, column.Name)
	}
	s := step{Table: at, Column: column.Name, Bound: bound, Collides: collides(child, column.Name)}
	if !s.Collides {
		l.Steps = append(l.Steps, s)
		return nil
	}
	if at == 0 {
		return optionErrorf(option, "%s.%s points to the same table and is part of a unique key, which is not supported", child, column.Name)
	}
	if err := d.descend(ctx, x, l, &s, at, []int{at}); err != nil {
		return err
	}
	for _, below := range s.Below {
		if below.Parent == at && below.ParentColumn == column.Name {
			return optionErrorf(option, "%s.%s is itself what %s points to, which is not supported", child, column.Name, l.Tables[below.Table])
		}
	}
	l.Steps = append(l.Steps, s)
	return nil
}

func collides(child shape, column string) bool {
	if slices.Contains(child.Primary, column) {
		return true
	}
	for _, u := range child.Unique {
		// What a key without columns is over may be computed from the column.
		if len(u.Columns) == 0 || slices.Contains(u.Columns, column) {
			return true
		}
	}
	return false
}

// descend finds what points to the rows of a table that may be archived, and so on.
func (d *Database) descend(ctx context.Context, x executor, l *layout, s *step, parent int, path []int) error {
	links, err := d.references(ctx, x, l.Tables[parent])
	if err != nil {
		return err
	}
	for _, link := range links {
		at, err := d.addTable(ctx, x, l, link.schema, link.table, "table")
		if err != nil {
			return err
		}
		child := l.Tables[at]
		if at == 0 || slices.Contains(path, at) {
			return optionErrorf("table", "%s and %s point to each other, so that a row of %s which has no place beside another cannot be archived; that is not supported",
				child, l.Tables[parent], l.Tables[path[0]])
		}
		if len(child.Primary) == 0 {
			return optionErrorf("table", "%s, whose rows point to %s, has no primary key, without which they could not be put back", child, l.Tables[parent])
		}
		s.Below = append(s.Below, descent{Parent: parent, ParentColumn: link.to, Table: at, Column: link.column})
		if err := d.descend(ctx, x, l, s, at, append(slices.Clone(path), at)); err != nil {
			return err
		}
	}
	return nil
}

// addTable returns the place of a table in the layout.
func (d *Database) addTable(ctx context.Context, x executor, l *layout, schema, table, option string) (int, error) {
	s, err := d.inspect(ctx, x, schema, table, option)
	if err != nil {
		return 0, err
	}
	if at := slices.IndexFunc(l.Tables, s.same); at >= 0 {
		return at, nil
	}
	l.Tables = append(l.Tables, s)
	return len(l.Tables) - 1, nil
}

// unchanged makes sure that the tables still have the columns that they had, so that no archived row lacks one.
func (d *Database) unchanged(ctx context.Context, x executor, l layout) error {
	for _, s := range l.Tables {
		columns, _, err := d.columns(ctx, x, s.Schema, s.Name)
		if err != nil {
			return err
		}
		if !s.sameRows(shape{Columns: columns}) {
			return fmt.Errorf("foreign: the columns of %s have changed since the run began: undo it and begin anew", s)
		}
	}
	return nil
}
