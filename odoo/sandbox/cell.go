package sandbox

import (
	"fmt"
	"strings"
)

// cellError is a cell that cannot be understood.
type cellError struct {
	message  string
	moreInfo any
	warning  bool
}

func (c *cellError) kind() string {
	if c.warning {
		return "warning"
	}
	return "error"
}

// convertCell turns a cell into a value as create takes it; nil for an empty cell.
func (l *loader) convertCell(f *field, binding, cell, label string) (any, *cellError) {
	if cell == "" {
		return nil, nil
	}
	switch f.kind {
	case kindFloat, kindMonetary:
		n, err := parseFloat(cell)
		if err != nil {
			return nil, &cellError{message: fmt.Sprintf("'%s' does not seem to be a number for field '%s'", cell, label)}
		}
		return n, nil
	case kindInteger:
		n, err := toInteger(cell)
		if err != nil {
			return nil, &cellError{message: fmt.Sprintf("'%s' does not seem to be an integer for field '%s'", cell, label)}
		}
		return n, nil
	case kindBoolean:
		return l.convertBoolean(cell, label)
	case kindSelection:
		var labels []any
		for _, o := range f.options {
			if cell == o.value || cell == o.label {
				return o.value, nil
			}
			labels = append(labels, o.label)
		}
		return nil, &cellError{message: fmt.Sprintf("Value '%s' not found in selection field '%s'", cell, label), moreInfo: labels}
	case kindDatetime:
		t, err := parseTime(cell)
		if err != nil {
			return nil, &cellError{message: fmt.Sprintf("'%s' does not seem to be a valid datetime for field '%s'", cell, label),
				moreInfo: "Use the format '2012-12-31 23:59:59'"}
		}
		return formatTime(t), nil
	case kindMany2one:
		return l.convertReference(f, binding, cell, label)
	}
	return cell, nil
}

func (l *loader) convertBoolean(cell, label string) (any, *cellError) {
	switch strings.ToLower(cell) {
	case "1", "true", "yes":
		return true, nil
	case "0", "false", "no":
		return false, nil
	}
	const hint = "Use '1' for yes and '0' for no"
	if l.env.major < 17 {
		return true, &cellError{message: fmt.Sprintf("Unknown value '%s' for boolean field '%s', assuming 'yes'", cell, label),
			moreInfo: hint, warning: true}
	}
	return nil, &cellError{message: fmt.Sprintf("Unknown value '%s' for boolean field '%s'", cell, label), moreInfo: hint}
}

// convertReference finds the record that a many2one cell names. Old versions do not find an archived one, unless the
// context says active_test false.
func (l *loader) convertReference(f *field, binding, cell, label string) (any, *cellError) {
	e := l.env
	comodel := e.db.models[f.comodel]
	by := "name"
	var id int64
	switch binding {
	case ".id":
		by = "database id"
		n, err := toInteger(cell)
		if err != nil {
			return nil, &cellError{message: fmt.Sprintf("Invalid database id '%s' for the field '%s'", cell, label),
				moreInfo: l.possibleValues(comodel)}
		}
		if r := comodel.rows[n]; r != nil && l.visible(comodel, r) {
			id = n
		}
	case "id":
		by = "external id"
		if model, target, _, ok := e.resolve(qualify(cell)); ok && model == comodel.name {
			id = target
		}
	default:
		for _, candidate := range comodel.ids {
			r := comodel.rows[candidate]
			if comodel.displayName(e, r) == cell && l.visible(comodel, r) {
				id = candidate
				break
			}
		}
	}
	if id == 0 {
		return nil, &cellError{message: fmt.Sprintf("No matching record found for %s '%s' in field '%s'", by, cell, label),
			moreInfo: l.possibleValues(comodel)}
	}
	return id, nil
}

func (l *loader) visible(m *model, r *row) bool {
	if m.byName["active"] == nil || l.env.major >= 17 {
		return true
	}
	if test, given := l.env.flag("active_test"); given && !test {
		return true
	}
	return truth(l.env.get(m, r, "active"))
}

// possibleValues is the action that the web client opens beside such a message.
func (l *loader) possibleValues(comodel *model) record {
	views := "tree,form"
	if l.env.major >= 17 {
		views = "list,form"
	}
	return record{
		{"name", "Possible Values"}, {"type", "ir.actions.act_window"}, {"target", "new"}, {"view_mode", views},
		{"views", []any{[]any{false, "list"}, []any{false, "form"}}}, {"context", record{{"create", false}}},
		{"help", "See all possible values"}, {"res_model", modelData},
		{"domain", []any{[]any{"model", "=", comodel.name}}},
	}
}
