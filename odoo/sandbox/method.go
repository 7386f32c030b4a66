package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// method is something that execute_kw can call on a model.
type method struct {
	operation string // the right that the user needs: read, write, create or unlink; empty for none
	writes    bool   // needs the database for itself
	run       func(e *env, m *model, a arguments) (any, error)
}

// arguments are those of one call, without the context.
type arguments struct {
	method     string
	positional []any
	keyword    map[string]any
	named      bool // by JSON-2: the ids beside the others, and refusals of its own
	ids        any
}

// genericMethods are those of every model.
func genericMethods(major int) map[string]method {
	methods := map[string]method{
		"search":              {"read", false, callSearch},
		"search_count":        {"read", false, callSearchCount},
		"search_read":         {"read", false, callSearchRead},
		"read":                {"read", false, callRead},
		"read_group":          {"read", false, callReadGroup},
		"get_metadata":        {"read", false, callGetMetadata},
		"fields_get":          {"", false, callFieldsGet},
		"check_access_rights": {"", false, callCheckAccessRights},
		"create":              {"create", true, callCreate},
		"write":               {"write", true, callWrite},
		"unlink":              {"unlink", true, callUnlink},
		"load":                {"", true, callLoad}, // reports a missing right in its own way
	}
	if major >= 17 {
		methods["web_read"] = method{"read", false, callWebRead}
		methods["web_search_read"] = method{"read", false, callWebSearchRead}
	}
	if major >= 18 {
		methods["has_access"] = method{"", false, callHasAccess}
	}
	if major >= 19 {
		methods["formatted_read_group"] = method{"read", false, callFormattedReadGroup}
	}
	return methods
}

// values matches the arguments with the names of parameters. Those that end in "?" may be left out.
func (a arguments) values(parameters ...string) (map[string]any, error) {
	if len(a.positional) > len(parameters) {
		return nil, programError("TypeError", "%s() takes %d positional arguments but %d were given",
			a.method, len(parameters)+1, len(a.positional)+1)
	}
	values := map[string]any{}
	for i, p := range parameters {
		name, optional := strings.CutSuffix(p, "?")
		if i < len(a.positional) {
			values[name] = a.positional[i]
			continue
		}
		v, given := a.keyword[name]
		if !given && !optional && a.named {
			return nil, httpError(http.StatusUnprocessableEntity, "UnprocessableEntity", "missing a required argument: '%s'", name)
		}
		if !given && !optional {
			return nil, programError("TypeError", "%s() missing 1 required positional argument: '%s'", a.method, name)
		}
		values[name] = v
	}
	for name := range a.keyword {
		if !slices.Contains(parameters, name) && !slices.Contains(parameters, name+"?") {
			if a.named {
				return nil, httpError(http.StatusUnprocessableEntity, "UnprocessableEntity", "got an unexpected keyword argument '%s'", name)
			}
			return nil, programError("TypeError", "%s() got an unexpected keyword argument '%s'", a.method, name)
		}
	}
	return values, nil
}

// self takes the ids that a method is called on from the arguments.
func (a arguments) self() ([]int64, arguments, error) {
	if a.named {
		ids, err := toIDs(a.ids)
		return ids, a, err
	}
	if len(a.positional) == 0 {
		return nil, a, programError("IndexError", "tuple index out of range")
	}
	ids, err := toIDs(a.positional[0])
	a.positional = a.positional[1:]
	return ids, a, err
}

func toIDs(v any) ([]int64, error) {
	list, ok := v.([]any)
	if !ok {
		if !truth(v) {
			return nil, nil
		}
		list = []any{v}
	}
	ids := make([]int64, len(list))
	for i, item := range list {
		id, err := toInteger(item)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// domainName is what the first parameter of search is called.
func (e *env) domainName() string {
	if e.major < 17 {
		return "args"
	}
	return "domain"
}

func (e *env) searchWith(m *model, v map[string]any, domain any) ([]int64, error) {
	offset, err := toInteger(v["offset"])
	if err != nil {
		return nil, err
	}
	limit, err := toInteger(v["limit"])
	if err != nil {
		return nil, err
	}
	if offset < 0 || limit < 0 {
		return nil, programError("psycopg2.errors.InvalidRowCountInLimitClause", "LIMIT and OFFSET must not be negative")
	}
	order, _ := v["order"].(string)
	return e.search(m, domain, int(offset), int(limit), order)
}

func callSearch(e *env, m *model, a arguments) (any, error) {
	v, err := a.values(e.domainName(), "offset?", "limit?", "order?")
	if err != nil {
		return nil, err
	}
	ids, err := e.searchWith(m, v, v[e.domainName()])
	return ids, err
}

func callSearchCount(e *env, m *model, a arguments) (any, error) {
	parameters := []string{e.domainName()}
	if e.major >= 17 {
		parameters = append(parameters, "limit?")
	}
	v, err := a.values(parameters...)
	if err != nil {
		return nil, err
	}
	v["order"] = "id"
	ids, err := e.searchWith(m, v, v[e.domainName()])
	return len(ids), err
}

func callSearchRead(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("domain?", "fields?", "offset?", "limit?", "order?")
	if err != nil {
		return nil, err
	}
	fields, err := e.fieldsOf(m, v["fields"])
	if err != nil {
		return nil, err
	}
	ids, err := e.searchWith(m, v, v["domain"])
	if err != nil {
		return nil, err
	}
	return e.read(m, ids, fields), nil
}

func callRead(e *env, m *model, a arguments) (any, error) {
	ids, a, err := a.self()
	if err != nil {
		return nil, err
	}
	v, err := a.values("fields?", "load?")
	if err != nil {
		return nil, err
	}
	fields, err := e.fieldsOf(m, v["fields"])
	if err != nil {
		return nil, err
	}
	return e.read(m, ids, fields), nil
}

// callGetMetadata answers with when records were made and written, and with the first external id of each; before version 17,
// of only one of them. Who made them the sandbox does not note.
func callGetMetadata(e *env, m *model, a arguments) (any, error) {
	ids, a, err := a.self()
	if err != nil {
		return nil, err
	}
	if _, err := a.values(); err != nil {
		return nil, err
	}
	data := e.db.models[modelData]
	told := false
	records := e.read(m, ids, []*field{m.byName["create_date"], m.byName["write_date"]})
	for i := range records {
		var first *row
		for _, id := range data.index["res_id"][records[i][0].value.(int64)] {
			if d := data.rows[id]; e.text(data, d, "model") == m.name && (first == nil || d.id < first.id) {
				first = d
			}
		}
		name, protected := any(false), any(false)
		if first != nil && (!told || e.major >= 17) {
			told = true
			name, protected = e.text(data, first, "complete_name"), e.get(data, first, "noupdate")
		}
		records[i] = append(records[i], member{"xmlid", name}, member{"noupdate", protected})
	}
	return records, nil
}

// fieldsOf finds fields by name; none named means all.
func (e *env) fieldsOf(m *model, names any) ([]*field, error) {
	list, _ := names.([]any)
	if len(list) == 0 {
		return slices.DeleteFunc(slices.Clone(m.fields), func(f *field) bool { return f.name == "id" }), nil
	}
	fields := make([]*field, 0, len(list))
	for _, item := range list {
		name := toText(item)
		f := m.byName[name]
		if f == nil {
			return nil, e.invalidField(m, name)
		}
		if name != "id" {
			fields = append(fields, f)
		}
	}
	return fields, nil
}

// read answers with the records that exist; the others are left out in silence, as Odoo does for plain ids.
func (e *env) read(m *model, ids []int64, fields []*field) []record {
	records := make([]record, 0, len(ids))
	for _, id := range ids {
		r := m.rows[id]
		if r == nil {
			continue
		}
		rec := make(record, 0, len(fields)+1)
		rec = append(rec, member{"id", r.id})
		for _, f := range fields {
			rec = append(rec, member{f.name, e.show(f, e.value(m, r, f))})
		}
		records = append(records, rec)
	}
	return records
}

// show turns a value into what read answers.
func (e *env) show(f *field, v any) any {
	switch f.kind {
	case kindMany2one:
		id, ok := v.(int64)
		if !ok {
			return nil
		}
		comodel := e.db.models[f.comodel]
		target := comodel.rows[id]
		if target == nil {
			return nil
		}
		return []any{id, comodel.displayName(e, target)}
	case kindInteger:
		if v == nil {
			return int64(0)
		}
	case kindFloat, kindMonetary:
		if v == nil {
			return 0.0
		}
	case kindOne2many, kindMany2many:
		if v == nil {
			return []int64{}
		}
	}
	return v
}

func callCreate(e *env, m *model, a arguments) (any, error) {
	parameter := "vals_list"
	if e.major < 17 && (len(a.positional) > 0 || a.keyword["vals"] != nil) {
		parameter = "vals"
	}
	v, err := a.values(parameter)
	if err != nil {
		return nil, err
	}
	if values, ok := v[parameter].(map[string]any); ok {
		r, err := e.create(m, values)
		if err != nil {
			return nil, err
		}
		if a.named {
			return []int64{r.id}, nil
		}
		return r.id, nil
	}
	list, _ := v[parameter].([]any)
	ids := make([]int64, 0, len(list))
	for _, item := range list {
		values, ok := item.(map[string]any)
		if !ok {
			return nil, programError("TypeError", "'%T' object is not iterable", item)
		}
		r, err := e.create(m, values)
		if err != nil {
			return nil, err
		}
		ids = append(ids, r.id)
	}
	return ids, nil
}

// existing returns the records that a writing method is called on, or says which one is gone.
func (e *env) existing(m *model, ids []int64) ([]*row, error) {
	rows := make([]*row, len(ids))
	for i, id := range ids {
		if rows[i] = m.rows[id]; rows[i] == nil {
			return nil, e.missing(m, id)
		}
	}
	return rows, nil
}

// records returns the records that a method without parameters is called on.
func (a arguments) records(e *env, m *model) ([]*row, error) {
	ids, a, err := a.self()
	if err != nil {
		return nil, err
	}
	if _, err := a.values(); err != nil {
		return nil, err
	}
	return e.existing(m, ids)
}

func callWrite(e *env, m *model, a arguments) (any, error) {
	ids, a, err := a.self()
	if err != nil {
		return nil, err
	}
	v, err := a.values("vals")
	if err != nil {
		return nil, err
	}
	values, ok := v["vals"].(map[string]any)
	if !ok {
		return nil, programError("ValueError", "dictionary update sequence element #0 has length 1; 2 is required")
	}
	rows, err := e.existing(m, ids)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := e.write(m, r, values); err != nil {
			return nil, err
		}
	}
	return true, nil
}

func callUnlink(e *env, m *model, a arguments) (any, error) {
	rows, err := a.records(e, m)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := e.unlink(m, r); err != nil {
			return nil, err
		}
	}
	if m.name == saleOrderLine && e.major < 17 {
		return none{}, nil
	}
	return true, nil
}

func callFieldsGet(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("allfields?", "attributes?")
	if err != nil {
		return nil, err
	}
	wanted, _ := v["allfields"].([]any)
	attributes, _ := v["attributes"].([]any)
	var answer record
	for _, f := range m.fields {
		if len(wanted) > 0 && !slices.Contains(wanted, any(f.name)) {
			continue
		}
		description := record{
			{"type", string(f.kind)}, {"string", f.label}, {"required", f.required},
			{"readonly", f.compute != nil}, {"store", f.column >= 0 || f.kind == kindOne2many},
		}
		if f.comodel != "" {
			description = append(description, member{"relation", f.comodel})
		}
		if f.digits > 0 {
			description = append(description, member{"digits", []any{16, f.digits}})
		}
		if len(attributes) > 0 {
			description = slices.DeleteFunc(description, func(d member) bool { return !slices.Contains(attributes, any(d.name)) })
		}
		answer = append(answer, member{f.name, description})
	}
	return answer, nil
}

// call runs a method of a model and returns its answer.
func (e *env) call(x execution) (any, error) {
	m := e.db.models[x.model]
	if m == nil && x.named {
		return nil, httpError(http.StatusNotFound, "NotFound", "the model '%s' does not exist", x.model)
	}
	if m == nil {
		return nil, userError("Object %s doesn't exist", x.model)
	}
	if strings.HasPrefix(x.method, "_") {
		if e.major < 17 {
			return nil, &fault{code: codeAccess, text: fmt.Sprintf("Private methods (such as %s) cannot be called remotely.", x.method)}
		}
		return nil, &fault{code: codeAccess, text: fmt.Sprintf("Private methods (such as '%s.%s') cannot be called remotely.", x.model, x.method)}
	}
	method, ok := m.methods[x.method]
	switch {
	case ok:
	case e.major < 17:
		return nil, programError("AttributeError", "type object '%s' has no attribute '%s'", x.model, x.method)
	case x.named:
		return nil, httpError(http.StatusNotFound, "NotFound", "The method '%s.%s' does not exist", x.model, x.method)
	default:
		return nil, programError("AttributeError", "The method '%s.%s' does not exist", x.model, x.method)
	}
	if method.operation != "" && !e.allowed(m, method.operation) {
		return nil, e.accessError(m, method.operation)
	}
	return method.run(e, m, arguments{x.method, x.positional, x.keyword, x.named, x.ids})
}
