package sandbox

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// aggregate is a sum over the records of a group, as a call asks for it.
type aggregate struct {
	name     string // under which it is answered
	function string
	field    *field
}

var (
	groupField    = regexp.MustCompile(`^(\w+)(?::(\w+)(?:\((\w+)\))?)?$`) // name, name:function, name:function(field)
	groupPeriods  = map[string]func(time.Time) (from, until time.Time, label string){"month": monthOf, "day": dayOf}
	aggregateRule = "Invalid field specification %q."
)

func monthOf(t time.Time) (from, until time.Time, label string) {
	from = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return from, from.AddDate(0, 1, 0), from.Format("January 2006")
}

func dayOf(t time.Time) (from, until time.Time, label string) {
	from = t.Truncate(24 * time.Hour)
	return from, from.AddDate(0, 0, 1), from.Format("02 Jan 2006")
}

// callReadGroup answers as the versions before 19 do, and 19 still does: each group with its values, __count and the
// domain that selects its records.
func callReadGroup(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("domain", "fields", "groupby", "offset?", "limit?", "orderby?", "lazy?")
	if err != nil {
		return nil, err
	}
	fields, _ := v["fields"].([]any)
	var sums []aggregate
	for _, item := range fields {
		parts := groupField.FindStringSubmatch(toText(item))
		if parts == nil || parts[2] == "" {
			return nil, userError(aggregateRule, item)
		}
		name := parts[3]
		if name == "" {
			name = parts[1]
		}
		if m.byName[name] == nil {
			return nil, e.invalidField(m, name)
		}
		sums = append(sums, aggregate{parts[1], parts[2], m.byName[name]})
	}
	return e.group(m, v["domain"], v["groupby"], sums, false)
}

// callFormattedReadGroup answers as 19 does.
func callFormattedReadGroup(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("domain", "groupby?", "aggregates?", "having?", "offset?", "limit?", "order?")
	if err != nil {
		return nil, err
	}
	specs, _ := v["aggregates"].([]any)
	var sums []aggregate
	for _, item := range specs {
		name := toText(item)
		if name == "__count" {
			continue
		}
		parts := groupField.FindStringSubmatch(name)
		if parts == nil || parts[2] == "" || parts[3] != "" {
			return nil, programError("ValueError", "Invalid aggregate method %q", name)
		}
		if m.byName[parts[1]] == nil {
			return nil, e.invalidField(m, parts[1])
		}
		sums = append(sums, aggregate{name, parts[2], m.byName[parts[1]]})
	}
	return e.group(m, v["domain"], v["groupby"], sums, true)
}

// group sums the selected records up. Without a groupby there is one group, even of nothing.
func (e *env) group(m *model, domain, groupby any, sums []aggregate, formatted bool) (any, error) {
	ids, err := e.search(m, domain, 0, 0, "id")
	if err != nil {
		return nil, err
	}
	var keys []string
	var keyFields []*field
	var periods []string
	list, _ := groupby.([]any)
	for _, item := range list {
		name, period, _ := strings.Cut(toText(item), ":")
		f := m.byName[name]
		if f == nil {
			return nil, e.invalidField(m, name)
		}
		if f.kind == kindDatetime && period == "" {
			period = "month"
		}
		if period != "" && groupPeriods[period] == nil {
			return nil, programError("ValueError", "Granularity specification isn't correct: %q", period)
		}
		keys, keyFields, periods = append(keys, toText(item)), append(keyFields, f), append(periods, period)
	}

	type bucket struct {
		values []any
		rows   []*row
	}
	var buckets []*bucket
	if len(keys) == 0 {
		buckets = []*bucket{{}}
	}
	for _, id := range ids {
		r := m.rows[id]
		values := make([]any, len(keys))
		for i, f := range keyFields {
			values[i] = e.value(m, r, f)
			if t, ok := values[i].(time.Time); ok {
				values[i], _, _ = groupPeriods[periods[i]](t)
			}
			if f.kind == kindBoolean {
				values[i] = truth(values[i])
			}
		}
		at := slices.IndexFunc(buckets, func(b *bucket) bool { return slices.Equal(b.values, values) })
		if at < 0 {
			at, buckets = len(buckets), append(buckets, &bucket{values: values})
		}
		buckets[at].rows = append(buckets[at].rows, r)
	}

	answer := make([]record, len(buckets))
	for i, b := range buckets {
		rec := record{{"__count", int64(len(b.rows))}}
		extra := []any{}
		for j, f := range keyFields {
			v := e.show(f, b.values[j])
			if t, ok := b.values[j].(time.Time); ok {
				from, until, label := groupPeriods[periods[j]](t)
				begin, end := from.Format(timeLayout), until.Format(timeLayout)
				extra = append(extra, []any{f.name, ">=", begin}, []any{f.name, "<", end})
				if v = label; formatted {
					v = []any{begin, label}
				}
			} else {
				extra = append(extra, []any{f.name, "=", e.show(f, b.values[j])})
			}
			rec = append(rec, member{keys[j], v})
		}
		for _, s := range sums {
			v, err := e.aggregate(m, b.rows, s)
			if err != nil {
				return nil, err
			}
			rec = append(rec, member{s.name, v})
		}
		name := "__domain"
		if formatted {
			name = "__extra_domain"
		} else if asked, ok := domain.([]any); ok {
			extra = append(extra, asked...)
		}
		answer[i] = append(rec, member{name, extra})
	}
	return answer, nil
}

// aggregate leaves empty values out, as SQL does; over none it is empty, which old versions fail to marshal.
func (e *env) aggregate(m *model, rows []*row, s aggregate) (any, error) {
	var values []float64
	var latest time.Time
	for _, r := range rows {
		switch v := e.value(m, r, s.field).(type) {
		case int64:
			values = append(values, float64(v))
		case float64:
			values = append(values, v)
		case time.Time:
			if v.After(latest) {
				latest = v
			}
		}
	}
	if !latest.IsZero() && s.function == "max" {
		return latest, nil
	}
	if len(values) == 0 {
		if e.major < 17 {
			return nil, programError("TypeError", "cannot marshal None unless allow_none is enabled")
		}
		return false, nil
	}
	result := 0.0
	whole := s.field.kind == kindInteger || s.field.kind == kindMany2one
	switch s.function {
	case "sum", "avg":
		for _, v := range values {
			result += v
		}
		if s.function == "avg" {
			result, whole = result/float64(len(values)), false
		} else {
			result = roundTo(result, 6) // columns of money are exact there
		}
	case "min":
		result = slices.Min(values)
	case "max":
		result = slices.Max(values)
	default:
		return nil, userError("Invalid aggregation function %q.", s.function)
	}
	if !whole {
		return result, nil
	}
	if result > 1<<31-1 && !e.json2 {
		return nil, programError("OverflowError", "int exceeds XML-RPC limits")
	}
	return int64(result), nil
}
