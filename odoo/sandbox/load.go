package sandbox

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// callLoad imports rows of text, as Odoo's own spreadsheet import does. A record whose external id exists is written, or, if
// the call is an update and the external id is protected from updates, left as it is; others are created. Either all rows take effect
// or none.
func callLoad(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("fields", "data")
	if err != nil {
		return nil, err
	}
	l := loader{env: e, model: m}
	if err := l.parseHeader(v["fields"]); err != nil {
		return nil, err
	}
	data, _ := v["data"].([]any)
	rows := make([][]any, len(data))
	for i, r := range data {
		row, _ := r.([]any)
		if len(row) < len(l.columns) {
			return nil, programError("IndexError", "list index out of range")
		}
		rows[i] = row
	}
	savepoint := len(e.undo)
	var batch []extracted
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && l.continues(rows[to]) {
			to++
		}
		at := position{from, to - 1, len(batch)}
		externalID, values, bad := l.convertRecord(rows[from:to], at)
		l.failed = l.failed || bad
		batch = append(batch, extracted{at, externalID, values})
		from = to
	}
	ids, err := l.flush(batch, savepoint)
	if err != nil {
		return nil, err
	}
	var answer any = ids
	if l.failed {
		l.rollback(savepoint)
		answer = false
	}
	return record{{"ids", answer}, {"messages", l.messages}, {"nextrow", 0}}, nil
}

// extracted is a record as its rows give it.
type extracted struct {
	at         position
	externalID string
	values     map[string]any
}

// column is one of the header: a field of the record, or, with sub, a field of its one2many records.
type column struct {
	field   *field // nil for the external id of the record itself
	sub     *field // nil for the external id of the one2many record
	nested  bool   // about a one2many record
	binding string // "", ".id" (database id) or "id" (external id), for many2one
}

type loader struct {
	env      *env
	model    *model
	columns  []column
	messages []record
	failed   bool
}

func (l *loader) parseHeader(fields any) error {
	list, _ := fields.([]any)
	for _, item := range list {
		path := strings.Split(toText(item), "/")
		var c column
		if path[0] != "id" {
			c.field = l.model.byName[path[0]]
			if c.field == nil {
				return l.invalidColumn(path[0])
			}
			rest := path[1:]
			if c.field.kind == kindOne2many && len(rest) > 0 {
				c.nested = true
				if rest[0] != "id" {
					c.sub = l.env.db.models[c.field.comodel].byName[rest[0]]
					if c.sub == nil {
						return l.invalidColumn(rest[0])
					}
					rest = rest[1:]
				} else {
					rest = nil
				}
			}
			if len(rest) > 0 {
				c.binding = rest[0]
			}
		}
		l.columns = append(l.columns, c)
	}
	return nil
}

func (l *loader) invalidColumn(name string) error {
	if l.env.major < 17 {
		return programError("KeyError", "'%s'", name)
	}
	return programError("ValueError", "Invalid field name '%s'", name)
}

// continues tells whether a row only adds a one2many record to the one above it.
func (l *loader) continues(row []any) bool {
	nested := false
	for i, c := range l.columns {
		if !truth(row[i]) {
			continue
		}
		if !c.nested {
			return false
		}
		nested = true
	}
	return nested
}

// flush makes the records together, or, where that fails, one by one, to find out which of them are to blame. Only an
// error of the program is returned; what is wrong with the data becomes a message.
func (l *loader) flush(batch []extracted, savepoint int) ([]int64, error) {
	ids, together := l.applyAll(batch)
	if together == nil {
		return ids, nil
	}
	l.rollback(savepoint)
	ids = nil
	errorsFound := 0
	for i, x := range batch {
		before := len(l.env.undo)
		id, err := l.apply(x.externalID, x.values)
		if err == nil {
			ids = append(ids, id)
			continue
		}
		l.rollback(before)
		if err := l.report(x.at, err); err != nil {
			return nil, err
		}
		errorsFound++
		if errorsFound >= maxErrors && errorsFound*10 >= i+1 {
			l.messages = append(l.messages, record{{"type", "warning"}, {"message", interrupted}})
			break
		}
	}
	if errorsFound > 0 {
		l.blameFirst(batch[0].at, together)
	}
	return ids, nil
}

// load stops to look for errors at some point.
const (
	maxErrors   = 10
	interrupted = "Found more than 10 errors and more than one error per 10 records, interrupted to avoid showing too many errors."
)

func (l *loader) applyAll(batch []extracted) ([]int64, error) {
	ids := make([]int64, 0, len(batch))
	for _, x := range batch {
		id, err := l.apply(x.externalID, x.values)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// blameFirst puts before all messages what went wrong when the records were made together, unless one of them says just
// that. It names the first record, whichever it was. Old versions do not do so.
func (l *loader) blameFirst(at position, together error) {
	var f *fault
	if l.env.major < 17 || !errors.As(together, &f) || f.code == codeProgram {
		return
	}
	blame := l.refusal(at, f.text)
	if !slices.ContainsFunc(l.messages, func(m record) bool { return reflect.DeepEqual(m, blame) }) {
		l.messages = slices.Insert(l.messages, 0, blame)
	}
}

// rollback undoes what was done since a savepoint. load is the first thing in its transaction, so that nothing else has
// orders whose amounts are still to be computed.
func (l *loader) rollback(savepoint int) {
	l.env.rollback(savepoint)
	clear(l.env.stale)
}

// report makes a message of an error in the data, and returns others.
func (l *loader) report(at position, err error) error {
	var field *fieldError
	var constraint *constraintError
	var surprise *unexpected
	var f *fault
	switch {
	case errors.As(err, &field):
		l.refuse(at, field.message, member{"field", field.field})
	case errors.As(err, &constraint):
		l.refuse(at, constraint.message)
	case errors.As(err, &f) && f.code == codeAccess && l.env.major < 17:
		l.refuse(at, (&unexpected{"<class 'odoo.exceptions.AccessError'>: " + f.text}).Error(), resolveOthers)
	case errors.As(err, &surprise):
		l.refuse(at, surprise.Error(), resolveOthers)
	case errors.As(err, &f) && f.code != codeProgram:
		l.refuse(at, f.text)
	default:
		return err
	}
	return nil
}

// unexpected is an exception that load in old versions did not foresee.
type unexpected struct {
	exception string
}

func (u *unexpected) Error() string { return "Unknown error during import: " + u.exception }

var resolveOthers = member{"moreinfo", "Resolve other errors first"}

// position says which rows of the data, and which record, a message is about.
type position struct {
	from, to, record int
}

func (p position) rows() record { return record{{"from", p.from}, {"to", p.to}} }

// refuse reports a record that the database or the model would not take.
func (l *loader) refuse(at position, message string, more ...member) {
	l.failed = true
	l.messages = append(l.messages, l.refusal(at, message, more...))
}

func (l *loader) refusal(at position, message string, more ...member) record {
	return slices.Concat(record{{"rows", at.rows()}, {"record", at.record}, {"type", "error"}, {"message", message}}, more)
}

// complain reports a cell that cannot be understood.
func (l *loader) complain(at position, f *field, bad *cellError) {
	r := record{{"rows", at.rows()}, {"type", bad.kind()}, {"record", at.record}, {"field", f.name}, {"message", bad.message}}
	if bad.moreInfo != nil {
		r = append(r, member{"moreinfo", bad.moreInfo})
	}
	if l.env.major >= 17 {
		r = append(r, member{"field_name", f.label})
	}
	l.messages = append(l.messages, r)
}

// convertRecord turns the cells of one record into values. Cells that cannot be understood are reported and left out.
func (l *loader) convertRecord(rows [][]any, at position) (externalID string, values map[string]any, bad bool) {
	values = map[string]any{}
	reported := map[*field]bool{}
	report := func(f *field, err *cellError) {
		l.complain(at, f, err)
		bad = bad || !err.warning
		reported[f] = reported[f] || !err.warning
	}
	for i, c := range l.columns {
		cell := toText(rows[0][i])
		switch {
		case c.nested:
		case c.field == nil:
			externalID = cell
		default:
			v, err := l.convertCell(c.field, c.binding, cell, c.field.label)
			if err != nil {
				report(c.field, err)
			}
			if err == nil || err.warning {
				values[c.field.name] = v
			}
		}
	}
	for _, row := range rows {
		for f, child := range l.convertChildren(row, report) {
			list, _ := values[f.name].([]any)
			values[f.name] = append(list, child)
		}
	}
	for f := range reported {
		delete(values, f.name)
	}
	return externalID, values, bad
}

// child is a record of a one2many field, as one row gives it.
type child struct {
	externalID string
	values     map[string]any
}

func (l *loader) convertChildren(row []any, report func(*field, *cellError)) map[*field]child {
	children := map[*field]child{}
	filled := map[*field]bool{}
	for i, c := range l.columns {
		if c.nested && truth(row[i]) {
			filled[c.field] = true
		}
	}
	broken := map[*field]bool{}
	for i, c := range l.columns {
		if !c.nested || !filled[c.field] || broken[c.field] {
			continue
		}
		ch, ok := children[c.field]
		if !ok {
			ch.values = map[string]any{}
		}
		cell := toText(row[i])
		if c.sub == nil {
			ch.externalID = cell
		} else {
			v, err := l.convertCell(c.sub, c.binding, cell, c.field.label+"/"+c.sub.label)
			if err != nil {
				report(c.field, err)
				broken[c.field] = !err.warning
			}
			ch.values[c.sub.name] = v
		}
		children[c.field] = ch
	}
	return children
}

// apply creates or writes the record.
func (l *loader) apply(externalID string, values map[string]any) (int64, error) {
	e, m := l.env, l.model
	mode, _ := e.context["mode"].(string)
	noupdate, _ := e.flag("noupdate")
	externalID = qualify(externalID)
	var existing *row
	if model, id, protected, ok := e.resolve(externalID); ok {
		if model != m.name && e.major >= 17 {
			return 0, userError("For external id %s when trying to create/update a record of model %s found record of different model %s (%d)",
				externalID, m.name, model, id)
		}
		protected = protected && mode == "update"
		if model != m.name && protected {
			return id, nil // of a record of another model: old versions do not look
		}
		existing = m.rows[id]
		if existing != nil && protected {
			return existing.id, nil
		}
	}
	values = maps.Clone(values) // they may be applied once more
	children := map[*field][]child{}
	for name, v := range values {
		f := m.byName[name]
		if f.kind != kindOne2many {
			continue
		}
		delete(values, name)
		list, _ := v.([]any)
		for _, c := range list {
			children[f] = append(children[f], c.(child))
		}
	}
	operation := "create"
	if existing != nil {
		operation = "write"
	}
	if !e.allowed(m, operation) {
		return 0, e.accessError(m, operation)
	}
	if err := l.checkChildren(externalID, existing, children); err != nil {
		return 0, err
	}
	if existing == nil {
		r, err := e.create(m, dropNil(values))
		if err != nil {
			return 0, err
		}
		existing = r
		if err := e.bindLoaded(externalID, m, r.id, noupdate); err != nil {
			return 0, err
		}
	} else if err := e.write(m, existing, values); err != nil {
		return 0, err
	}
	for f, list := range children {
		for _, c := range list {
			if err := l.applyChild(f, existing.id, c, noupdate); err != nil {
				return 0, err
			}
		}
	}
	return existing.id, nil
}

// checkChildren refuses what Odoo does: children without external ids on a record that has none either, and one
// external id for two children.
func (l *loader) checkChildren(externalID string, existing *row, children map[*field][]child) error {
	for _, list := range children {
		seen := map[string]bool{}
		for _, c := range list {
			nameless := c.externalID == "" && externalID == "" && existing == nil
			if nameless || c.externalID != "" && seen[c.externalID] {
				if l.env.major < 17 {
					return &unexpected{"<class 'KeyError'>: 'record'"}
				}
				return userError("Cannot update a record without specifying its id or xml_id")
			}
			seen[c.externalID] = true
		}
	}
	return nil
}

func (l *loader) applyChild(f *field, parent int64, c child, noupdate bool) error {
	e := l.env
	comodel := e.db.models[f.comodel]
	externalID := qualify(c.externalID)
	if model, id, _, ok := e.resolve(externalID); ok && model == comodel.name && comodel.rows[id] != nil {
		c.values[f.inverse] = parent
		return e.write(comodel, comodel.rows[id], c.values)
	}
	values := keepGiven(comodel, c.values)
	values[f.inverse] = parent
	r, err := e.create(comodel, values)
	if err != nil {
		return err
	}
	return e.bindLoaded(externalID, comodel, r.id, noupdate)
}

// bindLoaded gives a new record its external id, if it was given one that is free.
func (e *env) bindLoaded(externalID string, m *model, id int64, noupdate bool) error {
	if strings.Contains(externalID, " ") {
		const message = "new row for relation \"ir_model_data\" violates check constraint \"ir_model_data_name_nospaces\"\n"
		return &constraintError{message, userError(message)}
	}
	if _, _, _, taken := e.resolve(externalID); externalID != "" && !taken {
		e.bind(externalID, m, id, noupdate)
	}
	return nil
}

// qualify gives an external id without a module the one that imports have.
func qualify(externalID string) string {
	if externalID == "" || strings.Contains(externalID, ".") {
		return externalID
	}
	return "__import__." + externalID
}

// dropNil leaves out what is empty, so that defaults apply.
func dropNil(values map[string]any) map[string]any {
	given := map[string]any{}
	for name, v := range values {
		if v != nil {
			given[name] = v
		}
	}
	return given
}

// keepGiven is dropNil, but an empty number stays: an empty cell is 0 to load, and no question to the price list.
func keepGiven(m *model, values map[string]any) map[string]any {
	given := dropNil(values)
	for name, v := range values {
		if k := m.byName[name].kind; v == nil && (k == kindFloat || k == kindMonetary) {
			given[name] = 0.0
		}
	}
	return given
}
