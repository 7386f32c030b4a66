package sandbox

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// negations are the operators that select what another one does not.
var negations = map[string]string{"!=": "=", "not in": "in", "not like": "like", "not ilike": "ilike"}

func (e *env) compileField(m *model, f *field, l leaf) (condition, error) {
	if positive, ok := negations[l.operator]; ok {
		l.operator = positive
		c, err := e.compileField(m, f, l)
		if err != nil {
			return nil, err
		}
		return func(r *row) bool { return !c(r) }, nil
	}
	switch l.operator {
	case "=":
		return e.compileEqual(m, f, l.value)
	case "in":
		return e.compileIn(m, f, l)
	case "like", "ilike", "=like", "=ilike":
		return e.compileLike(m, f, l), nil
	case "child_of":
		return e.compileChildOf(m, f, l.value)
	}
	return e.compileComparison(m, f, l)
}

func (e *env) compileEqual(m *model, f *field, value any) (condition, error) {
	if !truth(value) && e.matchesEmpty(f, value) {
		return func(r *row) bool {
			v := e.value(m, r, f)
			ids, isList := v.([]int64)
			return v == nil || v == false || v == value || e.major >= 17 && v == "" || isList && len(ids) == 0
		}, nil
	}
	switch f.kind {
	case kindBoolean:
		want := truth(value)
		return func(r *row) bool { return truth(e.value(m, r, f)) == want }, nil
	case kindMany2one, kindOne2many, kindMany2many:
		if name, ok := value.(string); ok {
			comodel := e.db.models[f.comodel]
			return e.related(m, f, func(id int64) bool {
				target := comodel.rows[id]
				return target != nil && comodel.displayName(e, target) == name
			}), nil
		}
		want, err := toInteger(value)
		return e.related(m, f, func(id int64) bool { return id == want }), err
	case kindDatetime:
		from, until, err := e.instant(value)
		return func(r *row) bool {
			t, ok := e.value(m, r, f).(time.Time)
			return ok && !t.Before(from) && (t.Equal(from) || t.Before(until))
		}, err
	}
	want, err := operand(f, value)
	return func(r *row) bool { return e.value(m, r, f) == want }, err
}

// matchesEmpty tells whether a value that is false in Python stands for "not set" of this field, rather than for 0.
func (e *env) matchesEmpty(f *field, value any) bool {
	switch value.(type) {
	case nil, bool:
		return true
	case string:
		return e.major >= 17 // there, text that is not set equals the empty one
	}
	return false
}

// related holds for a record if any id of a relational field does.
func (e *env) related(m *model, f *field, holds func(int64) bool) condition {
	return func(r *row) bool {
		switch v := e.value(m, r, f).(type) {
		case int64:
			return holds(v)
		case []int64:
			return slices.ContainsFunc(v, holds)
		}
		return false
	}
}

func (e *env) compileIn(m *model, f *field, l leaf) (condition, error) {
	values, ok := l.value.([]any)
	if !ok {
		if e.major < 17 {
			return nil, programError("ValueError", "Invalid domain term ('%s', 'in', %v)", l.path, l.value)
		}
		values = []any{l.value}
	}
	wanted := map[any]bool{}
	var others []condition
	for _, v := range values {
		switch f.kind {
		case kindInteger, kindChar, kindText, kindSelection:
			if truth(v) {
				want, err := operand(f, v)
				if err != nil {
					return nil, err
				}
				wanted[want] = true
				continue
			}
		}
		c, err := e.compileEqual(m, f, v)
		if err != nil {
			return nil, err
		}
		others = append(others, c)
	}
	return func(r *row) bool {
		return len(wanted) > 0 && wanted[e.value(m, r, f)] ||
			slices.ContainsFunc(others, func(c condition) bool { return c(r) })
	}, nil
}

func (e *env) compileLike(m *model, f *field, l leaf) condition {
	pattern := toText(l.value)
	var b strings.Builder
	b.WriteString("(?s)")
	if strings.Contains(l.operator, "ilike") {
		b.WriteString("(?i)")
	}
	exact := strings.HasPrefix(l.operator, "=")
	if exact {
		b.WriteString("^")
	}
	for _, c := range pattern {
		switch c {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	if exact {
		b.WriteString("$")
	}
	re := regexp.MustCompile(b.String())
	return func(r *row) bool {
		switch v := e.value(m, r, f).(type) {
		case string:
			return re.MatchString(v)
		case int64:
			if f.kind == kindMany2one {
				comodel := e.db.models[f.comodel]
				target := comodel.rows[v]
				return target != nil && re.MatchString(comodel.displayName(e, target))
			}
		}
		return false
	}
}

// compileChildOf selects records, or records with a partner, at or below the given ones in the tree of parent_id.
func (e *env) compileChildOf(m *model, f *field, value any) (condition, error) {
	comodel := m
	if f.comodel != "" {
		comodel = e.db.models[f.comodel]
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	below := map[int64]bool{}
	var pending []int64
	for _, v := range list {
		id, err := toInteger(v)
		if err != nil {
			return nil, err
		}
		pending = append(pending, id)
	}
	for len(pending) > 0 {
		id := pending[0]
		pending = pending[1:]
		if comodel.rows[id] == nil || below[id] {
			continue
		}
		below[id] = true
		pending = append(pending, comodel.index["parent_id"][id]...)
	}
	return e.related(m, f, func(id int64) bool { return below[id] }), nil
}

func (e *env) compileComparison(m *model, f *field, l leaf) (condition, error) {
	if f.kind == kindDatetime {
		return e.compileTime(m, f, l)
	}
	if _, isBool := l.value.(bool); isBool && f.kind != kindBoolean && e.major >= 17 {
		return nil, programError("psycopg2.errors.UndefinedFunction", "operator does not exist: %s %s boolean", f.kind, l.operator)
	}
	want, err := operand(f, l.value)
	if err != nil {
		return nil, err
	}
	return func(r *row) bool {
		v := e.value(m, r, f)
		if v == nil {
			return false
		}
		return ordered(l.operator, compareValues(v, want))
	}, nil
}

func ordered(operator string, c int) bool {
	switch operator {
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	}
	return c <= 0
}

// compileTime compares with microseconds inside. Newer versions take a given second for all of it: "> 10:00:00" then
// begins at 10:00:01.
func (e *env) compileTime(m *model, f *field, l leaf) (condition, error) {
	from, until, err := e.instant(l.value)
	if err != nil {
		return nil, err
	}
	return func(r *row) bool {
		t, ok := e.value(m, r, f).(time.Time)
		if !ok {
			return false
		}
		switch l.operator {
		case ">=":
			return !t.Before(from)
		case "<":
			return t.Before(from)
		case ">":
			return t.After(from) && !t.Before(until)
		}
		return t.Equal(from) || t.Before(until)
	}, nil
}

// instant reads a time of a domain: the moments from from to just before until, which in old versions are just one.
func (e *env) instant(value any) (from, until time.Time, err error) {
	s, _ := value.(string)
	from, parseErr := parseTime(s)
	if parseErr != nil {
		if e.major < 17 {
			return from, until, programError("psycopg2.errors.InvalidDatetimeFormat", "invalid input syntax for type timestamp: %q", s)
		}
		return from, until, programError("ValueError", "Invalid term '%s' in expression date: '%s'", s, s)
	}
	if e.major < 17 || from.Nanosecond() != 0 {
		return from, from, nil
	}
	return from, from.Add(time.Second), nil
}

// operand brings a value of a domain to the type of a field.
func operand(f *field, value any) (any, error) {
	switch f.kind {
	case kindInteger, kindMany2one:
		return toInteger(value)
	case kindFloat, kindMonetary:
		return toFloat(value)
	case kindBoolean:
		return truth(value), nil
	}
	return toText(value), nil
}
