package sandbox

import (
	"math"
	"slices"
	"strings"
)

// condition tells whether a record is selected.
type condition func(*row) bool

// compiled is a domain made ready to search with.
type compiled struct {
	condition      condition
	bounds         bounds
	mentionsActive bool // then archived records are not left out
}

func everything() bounds { return bounds{until: math.MaxInt64} }

// compile reads a domain: a list of conditions [field, operator, value] in prefix notation with '&', '|' and '!', where
// conditions that no operator takes are joined by and.
func (e *env) compile(m *model, domain any) (compiled, error) {
	tokens, ok := domain.([]any)
	if !ok && truth(domain) {
		if e.major < 17 {
			return compiled{}, programError("AssertionError", "Domains to normalize must have a 'domain' form: a list or tuple of domain components")
		}
		return compiled{}, programError("TypeError", "Domain() invalid argument type for domain: '%v'", domain)
	}
	p := domainParser{env: e, model: m, tokens: tokens}
	all := compiled{condition: func(*row) bool { return true }, bounds: everything()}
	for p.next < len(tokens) {
		term, err := p.term()
		if err != nil {
			return compiled{}, err
		}
		all = all.and(term)
	}
	return all, nil
}

type domainParser struct {
	env    *env
	model  *model
	tokens []any
	next   int
}

func (p *domainParser) term() (compiled, error) {
	if p.next >= len(p.tokens) {
		return compiled{}, p.malformed()
	}
	token := p.tokens[p.next]
	p.next++
	switch token {
	case "&", "|":
		a, err := p.term()
		if err != nil {
			return compiled{}, err
		}
		b, err := p.term()
		if err != nil {
			return compiled{}, err
		}
		if token == "&" {
			return a.and(b), nil
		}
		return compiled{
			condition:      func(r *row) bool { return a.condition(r) || b.condition(r) },
			bounds:         everything(),
			mentionsActive: a.mentionsActive || b.mentionsActive,
		}, nil
	case "!":
		a, err := p.term()
		if err != nil {
			return compiled{}, err
		}
		return compiled{
			condition:      func(r *row) bool { return !a.condition(r) },
			bounds:         everything(),
			mentionsActive: a.mentionsActive,
		}, nil
	}
	leaf, ok := token.([]any)
	if !ok || len(leaf) != 3 {
		return compiled{}, p.malformed()
	}
	return p.env.compileLeaf(p.model, leaf)
}

func (p *domainParser) malformed() error {
	if p.env.major < 17 {
		return programError("AssertionError", "This domain is syntactically not correct: %v", p.tokens)
	}
	return programError("ValueError", "Domain() malformed domain %v", p.tokens)
}

func (c compiled) and(d compiled) compiled {
	b := bounds{after: max(c.bounds.after, d.bounds.after), until: min(c.bounds.until, d.bounds.until)}
	switch {
	case c.bounds.listed && d.bounds.listed:
		b.listed = true
		for _, id := range c.bounds.ids {
			if slices.Contains(d.bounds.ids, id) {
				b.ids = append(b.ids, id)
			}
		}
	case c.bounds.listed:
		b.ids, b.listed = c.bounds.ids, true
	case d.bounds.listed:
		b.ids, b.listed = d.bounds.ids, true
	}
	return compiled{
		condition:      func(r *row) bool { return c.condition(r) && d.condition(r) },
		bounds:         b,
		mentionsActive: c.mentionsActive || d.mentionsActive,
	}
}

var operators = []string{"=", "!=", "<>", ">", ">=", "<", "<=", "in", "not in", "like", "not like", "ilike", "not ilike",
	"=like", "=ilike", "child_of"}

// leaf is one condition.
type leaf struct {
	path     string // as given
	operator string
	value    any
}

func (e *env) compileLeaf(m *model, given []any) (compiled, error) {
	operator, _ := given[1].(string)
	if n, ok := given[0].(int64); ok && operator == "=" { // (1, '=', 1) is true, (0, '=', 1) is false
		always := given[2] == n
		return compiled{condition: func(*row) bool { return always }, bounds: everything()}, nil
	}
	path, _ := given[0].(string)
	l := leaf{path, strings.ToLower(operator), given[2]}
	if !slices.Contains(operators, l.operator) {
		if e.major < 17 {
			return compiled{}, programError("ValueError", "Invalid leaf ('%s', '%s', %v)", path, operator, given[2])
		}
		return compiled{}, programError("ValueError", "Invalid operator in condition ('%s', '%s', %v)", path, operator, given[2])
	}
	if l.operator == "<>" {
		l.operator = "!="
	}
	c, err := e.compilePath(m, l, path)
	if err != nil {
		return compiled{}, err
	}
	result := compiled{condition: c, bounds: everything(), mentionsActive: path == "active"}
	if err := result.bounds.narrow(e, m, l); err != nil {
		return compiled{}, err
	}
	return result, nil
}

// narrow uses a condition on ids, or on the parent of a one2many, to look at few rows.
func (b *bounds) narrow(e *env, m *model, l leaf) error {
	if l.path == "id" {
		switch l.operator {
		case ">", ">=", "=", "<", "<=":
			n, err := toInteger(l.value)
			if err != nil {
				return err
			}
			switch l.operator {
			case ">":
				b.after = n
			case ">=":
				b.after = n - 1
			case "<":
				b.until = n - 1
			case "<=":
				b.until = n
			case "=":
				b.after, b.until = n-1, n
			}
		case "in":
			b.list(l.value, func(id int64) []int64 { return []int64{id} })
		}
		return nil
	}
	byValue, ok := m.index[l.path]
	if ok && m.byName[l.path].kind == kindMany2one {
		switch l.operator {
		case "in":
			b.list(l.value, func(id int64) []int64 { return byValue[id] })
		case "=":
			if id, isID := l.value.(int64); isID {
				b.list([]any{id}, func(id int64) []int64 { return byValue[id] })
			}
		}
	}
	return nil
}

// list restricts to the ids that expand gives for each listed one. A list with anything but ids in it is left to the
// condition itself.
func (b *bounds) list(value any, expand func(int64) []int64) {
	items, ok := value.([]any)
	if !ok {
		items = []any{value}
	}
	ids := make([]int64, 0, len(items))
	for _, item := range items {
		id, ok := item.(int64)
		if !ok {
			return
		}
		ids = append(ids, expand(id)...)
	}
	slices.Sort(ids)
	b.ids, b.listed = slices.Compact(ids), true
}

// compilePath makes the condition for what is left of a dotted path.
func (e *env) compilePath(m *model, l leaf, path string) (condition, error) {
	name, rest, dotted := strings.Cut(path, ".")
	f := m.byName[name]
	if f == nil {
		word := "condition"
		if e.major < 17 {
			word = "leaf"
		}
		return nil, programError("ValueError", "Invalid field %s.%s in %s ('%s', '%s', %v)", m.name, name, word, path, l.operator, l.value)
	}
	if !dotted {
		return e.compileField(m, f, l)
	}
	if f.comodel == "" {
		return nil, programError("ValueError", "Invalid field property '%s' on %s.%s", rest, m.name, name)
	}
	comodel := e.db.models[f.comodel]
	inner, err := e.compilePath(comodel, l, rest)
	if err != nil {
		return nil, err
	}
	return func(r *row) bool {
		switch v := e.value(m, r, f).(type) {
		case int64:
			target := comodel.rows[v]
			return target != nil && inner(target)
		case []int64:
			return slices.ContainsFunc(v, func(id int64) bool { return inner(comodel.rows[id]) })
		}
		return false
	}, nil
}
