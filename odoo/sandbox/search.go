package sandbox

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// search returns the ids of the records that a domain selects, in order. Limit 0 is none.
func (e *env) search(m *model, domain any, offset, limit int, order string) ([]int64, error) {
	c, err := e.compile(m, domain)
	if err != nil {
		return nil, err
	}
	if order == "" {
		order = m.order
	}
	terms, err := e.parseOrder(m, order)
	if err != nil {
		return nil, err
	}
	matches := c.condition
	if f := m.byName["active"]; f != nil && !c.mentionsActive {
		if test, given := e.flag("active_test"); test || !given {
			matches = func(r *row) bool { return c.condition(r) && truth(e.value(m, r, f)) }
		}
	}
	byID := len(terms) == 1 && terms[0].field.name == "id" && !terms[0].descending
	enough := -1
	if byID && limit > 0 {
		enough = offset + limit
	}
	var found []*row
	for _, id := range c.bounds.candidates(m) {
		if r := m.rows[id]; r != nil && matches(r) {
			found = append(found, r)
			if len(found) == enough {
				break
			}
		}
	}
	if !byID {
		slices.SortFunc(found, func(a, b *row) int { return e.compareRows(m, a, b, terms) })
	}
	found = found[min(offset, len(found)):]
	if limit > 0 {
		found = found[:min(limit, len(found))]
	}
	ids := make([]int64, len(found))
	for i, r := range found {
		ids[i] = r.id
	}
	return ids, nil
}

// bounds narrow a search down before rows are looked at.
type bounds struct {
	after, until int64   // ids above after, and up to until
	ids          []int64 // only these, if listed; rising
	listed       bool
}

func (b bounds) candidates(m *model) []int64 {
	ids := m.ids
	if b.listed {
		ids = b.ids
	}
	from, _ := slices.BinarySearch(ids, b.after+1)
	to, found := slices.BinarySearch(ids, b.until)
	if found {
		to++
	}
	return ids[from:max(from, to)]
}

type orderTerm struct {
	field      *field
	descending bool
}

var orderSyntax = regexp.MustCompile(`(?i)^\s*([a-z0-9_]+(\s+(asc|desc))?(\s+nulls\s+(first|last))?)(\s*,\s*[a-z0-9_]+(\s+(asc|desc))?(\s+nulls\s+(first|last))?)*\s*$`)

func (e *env) parseOrder(m *model, order string) ([]orderTerm, error) {
	if !orderSyntax.MatchString(order) {
		return nil, userError("Invalid \"order\" specified (%s). A valid \"order\" specification is a comma-separated "+
			"list of valid field names (optionally followed by asc/desc for the direction)", order)
	}
	var terms []orderTerm
	for part := range strings.SplitSeq(order, ",") {
		words := strings.Fields(part)
		f := m.byName[words[0]]
		if f == nil {
			return nil, programError("ValueError", "Invalid field '%s' on model '%s'", words[0], m.name)
		}
		terms = append(terms, orderTerm{f, len(words) > 1 && strings.EqualFold(words[1], "desc")})
	}
	return terms, nil
}

// compareRows orders as PostgreSQL does: what is empty comes last, and first when descending. A many2one is ordered by the
// order of its model.
func (e *env) compareRows(m *model, a, b *row, terms []orderTerm) int {
	for _, t := range terms {
		c := 0
		if t.field.kind == kindMany2one {
			c = e.compareTargets(m, a, b, t.field)
		} else {
			c = compareValues(e.value(m, a, t.field), e.value(m, b, t.field))
		}
		if t.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func (e *env) compareTargets(m *model, a, b *row, f *field) int {
	target, ra := e.follow(m, a, f.name)
	_, rb := e.follow(m, b, f.name)
	switch {
	case ra == rb:
		return 0
	case ra == nil:
		return 1
	case rb == nil:
		return -1
	}
	terms, err := e.parseOrder(target, target.order)
	if err != nil {
		panic(fmt.Sprintf("sandbox: order of %s: %v", target.name, err))
	}
	return e.compareRows(target, ra, rb, terms)
}

// compareValues orders two values of one field; empty ones come last.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a == nil && b == nil:
			return 0
		case a == nil:
			return 1
		}
		return -1
	}
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b)
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	case bool:
		if b, ok := b.(bool); ok && a != b {
			if a {
				return 1
			}
			return -1
		}
	}
	return 0
}
