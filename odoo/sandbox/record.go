package sandbox

import "slices"

// create makes a record of values as a caller gives them.
func (e *env) create(m *model, given map[string]any) (*row, error) {
	if err := e.checkNames(m, given); err != nil {
		return nil, err
	}
	values, commands, err := e.convert(m, nil, given)
	if err != nil {
		return nil, err
	}
	if m.beforeCreate != nil {
		if err := m.beforeCreate(e, values); err != nil {
			return nil, err
		}
	}
	delegated := e.takeDelegated(m, values)
	if m.delegate != "" && values[m.delegate] == nil {
		parent, err := e.create(e.db.models[m.byName[m.delegate].comodel], delegated)
		if err != nil {
			return nil, err
		}
		values[m.delegate] = parent.id
	}
	for _, f := range m.fields {
		if f.required && values[f.name] == nil {
			return nil, e.requiredError(m, f)
		}
	}
	r := e.insert(m, values)
	if err := e.applyCommands(m, r, commands); err != nil {
		return nil, err
	}
	if m.afterCreate != nil {
		return r, m.afterCreate(e, r)
	}
	return r, nil
}

// write changes a record to values as a caller gives them.
func (e *env) write(m *model, r *row, given map[string]any) error {
	if err := e.checkNames(m, given); err != nil {
		return err
	}
	values, commands, err := e.convert(m, r, given)
	if err != nil {
		return err
	}
	if m.beforeWrite != nil {
		if err := m.beforeWrite(e, r, values); err != nil {
			return err
		}
	}
	if delegated := e.takeDelegated(m, values); len(delegated) > 0 {
		parentModel, parent := e.follow(m, r, m.delegate)
		if err := e.write(parentModel, parent, delegated); err != nil {
			return err
		}
	}
	for name, v := range values {
		if v == nil && m.byName[name].required {
			return e.requiredError(m, m.byName[name])
		}
	}
	e.update(m, r, values)
	e.touch(m, r)
	if err := e.applyCommands(m, r, commands); err != nil {
		return err
	}
	if m.afterWrite != nil {
		return m.afterWrite(e, r, values)
	}
	return nil
}

// unlink deletes a record, unless something else needs it.
func (e *env) unlink(m *model, r *row) error {
	if m.beforeUnlink != nil {
		if err := m.beforeUnlink(e, r); err != nil {
			return err
		}
	}
	e.drop(m, r)
	return nil
}

// checkNames refuses names of fields that the model lacks.
func (e *env) checkNames(m *model, given map[string]any) error {
	for name := range given {
		if m.byName[name] == nil {
			return e.invalidFieldInValues(m, name)
		}
	}
	return nil
}

// takeDelegated removes from values those of fields that live in the delegate's record, and returns them.
func (e *env) takeDelegated(m *model, values map[string]any) map[string]any {
	taken := map[string]any{}
	if m.delegate == "" {
		return taken
	}
	for name, v := range values {
		if m.byName[name].column < 0 {
			taken[name] = v
			delete(values, name)
		}
	}
	return taken
}

// convert turns a caller's values into stored ones, and sets the commands of one2many fields apart. Values of computed
// fields are dropped, as Odoo does, unless a delegate stores them.
// r is the record that is written, nil for a new one.
func (e *env) convert(m *model, r *row, given map[string]any) (values map[string]any, commands map[string][]any, err error) {
	values, commands = map[string]any{}, map[string][]any{}
	for name, v := range given {
		f := m.byName[name]
		switch {
		case f.kind == kindOne2many:
			list, ok := v.([]any)
			if !ok && truth(v) {
				return nil, nil, programError("ValueError", "Wrong value for %s.%s: %v", m.name, name, v)
			}
			commands[name] = list
		default:
			owner := m
			if f.column < 0 {
				if owner, f = e.delegated(m, name); f == nil {
					continue
				}
			}
			if f.kind == kindMany2many {
				var standing []int64
				if r != nil && owner == m {
					standing, _ = e.value(m, r, f).([]int64)
				}
				linked, err := convertMany2many(standing, v)
				if err != nil {
					return nil, nil, err
				}
				ids, _ := linked.([]int64)
				for _, id := range ids { // PostgreSQL's foreign keys see to that
					if e.db.models[f.comodel].rows[id] == nil {
						return nil, nil, validationError("The operation cannot be completed: Another model is using the record you are trying to delete.")
					}
				}
				values[name] = linked
				continue
			}
			stored, err := e.convertValue(owner, f, v)
			if err != nil {
				return nil, nil, err
			}
			values[name] = stored
		}
	}
	return values, commands, nil
}

// delegated finds the field that a field of the same name of m stands for in the delegate's record; nil if there is none.
func (e *env) delegated(m *model, name string) (*model, *field) {
	if m.delegate == "" {
		return nil, nil
	}
	owner := e.db.models[m.byName[m.delegate].comodel]
	f := owner.byName[name]
	if f == nil || f.column < 0 {
		return nil, nil
	}
	return owner, f
}

func (e *env) convertValue(m *model, f *field, v any) (any, error) {
	switch f.kind {
	case kindBoolean:
		return truth(v), nil
	case kindInteger:
		n, err := toInteger(v)
		return n, err
	case kindFloat, kindMonetary:
		n, err := toFloat(v)
		if err != nil {
			return nil, err
		}
		if f.digits > 0 {
			n = roundTo(n, f.digits)
		}
		return n, nil
	case kindMany2one:
		return e.convertMany2one(f, v)
	case kindDatetime:
		return toTime(v)
	case kindSelection:
		if !truth(v) {
			return nil, nil
		}
		if !slices.ContainsFunc(f.options, func(o option) bool { return o.value == v }) {
			return nil, programError("ValueError", "Wrong value for %s.%s: '%v'", m.name, f.name, v)
		}
		return v, nil
	}
	if !truth(v) {
		return nil, nil
	}
	s, ok := v.(string)
	if !ok {
		s = toText(v)
	}
	if f.kind == kindHTML {
		s = sanitizeHTML(s)
	}
	return s, nil
}

func (e *env) convertMany2one(f *field, v any) (any, error) {
	if !truth(v) {
		return nil, nil
	}
	id, err := toInteger(v)
	if err != nil {
		return nil, err
	}
	comodel := e.db.models[f.comodel]
	if comodel.rows[id] == nil {
		return nil, e.missing(comodel, id)
	}
	return id, nil
}

// convertMany2many understands the commands that set a list as a whole, add to it and take from it, and a plain list of ids.
func convertMany2many(standing []int64, v any) (any, error) {
	if ids, ok := v.([]int64); ok {
		return ids, nil
	}
	ids := slices.Clone(standing)
	list, _ := v.([]any)
	if len(list) == 0 || !isCommand(list[0]) {
		ids = nil
	}
	for _, item := range list {
		switch item := item.(type) {
		case int64:
			ids = append(ids, item)
		case []any:
			if len(item) == 0 {
				return nil, programError("IndexError", "list index out of range")
			}
			command, err := toInteger(item[0])
			if err != nil {
				return nil, err
			}
			switch {
			case command == 6 && len(item) == 3:
				set, _ := item[2].([]any)
				return convertMany2many(nil, set)
			case (command == 3 || command == 4) && len(item) > 1:
				id, err := toInteger(item[1])
				if err != nil {
					return nil, err
				}
				ids = without(ids, id)
				if command == 4 {
					ids = append(ids, id)
				}
			case command == 5:
				ids = ids[:0]
			}
		}
	}
	return append([]int64{}, ids...), nil
}

func isCommand(v any) bool {
	_, ok := v.([]any)
	return ok
}

// without returns ids but for one.
func without(ids []int64, id int64) []int64 {
	return slices.DeleteFunc(slices.Clone(ids), func(other int64) bool { return other == id })
}

// applyCommands carries out the commands of one2many fields: (0, 0, values) creates, (1, id, values) writes, (2, id) and
// (3, id) delete, (4, id) moves here, (5) deletes all, (6, 0, ids) keeps only these.
func (e *env) applyCommands(m *model, r *row, byField map[string][]any) error {
	for name, commands := range byField {
		f := m.byName[name]
		comodel := e.db.models[f.comodel]
		for _, c := range commands {
			command, ok := c.([]any)
			if !ok || len(command) == 0 {
				return programError("ValueError", "Wrong value for %s.%s: %v", m.name, name, c)
			}
			if err := e.applyCommand(m, r, f, comodel, command); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *env) applyCommand(m *model, r *row, f *field, comodel *model, command []any) error {
	code, err := toInteger(command[0])
	if err != nil {
		return err
	}
	var target *row
	if code >= 1 && code <= 4 {
		if len(command) < 2 {
			return programError("IndexError", "list index out of range")
		}
		id, err := toInteger(command[1])
		if err != nil {
			return err
		}
		if target = comodel.rows[id]; target == nil {
			return e.missing(comodel, id)
		}
	}
	var values map[string]any
	if code <= 1 {
		if len(command) < 3 {
			return programError("IndexError", "list index out of range")
		}
		values, _ = command[2].(map[string]any)
	}
	switch code {
	case 0:
		child := map[string]any{f.inverse: r.id}
		for k, v := range values {
			child[k] = v
		}
		_, err := e.create(comodel, child)
		return err
	case 1:
		return e.write(comodel, target, values)
	case 2, 3:
		return e.unlink(comodel, target)
	case 4:
		return e.write(comodel, target, map[string]any{f.inverse: r.id})
	}
	keep := map[int64]bool{}
	if code == 6 && len(command) == 3 {
		list, _ := command[2].([]any)
		for _, v := range list {
			if id, err := toInteger(v); err == nil {
				keep[id] = true
			}
		}
	}
	for _, id := range e.children(r, f) {
		if keep[id] {
			continue
		}
		if err := e.unlink(comodel, comodel.rows[id]); err != nil {
			return err
		}
	}
	return nil
}
