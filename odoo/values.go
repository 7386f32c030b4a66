package odoo

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// timeLayout is how Odoo writes a datetime, always in UTC.
const timeLayout = "2006-01-02 15:04:05"

// record reads the fields of one record as Odoo answers them. Odoo writes false for whatever is empty. The first value of
// the wrong shape is kept as err, so that a whole record is read before one check.
type record struct {
	values map[string]any
	err    error
}

// records reads a list of records.
func records(v any) ([]record, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, badAnswer(fmt.Errorf("%T instead of a list of records", v))
	}
	out := make([]record, len(list))
	for i, element := range list {
		values, ok := element.(map[string]any)
		if !ok {
			return nil, badAnswer(fmt.Errorf("%T instead of a record", element))
		}
		out[i].values = values
	}
	return out, nil
}

func (r *record) fail(field string) {
	if r.err != nil {
		return
	}
	v, present := r.values[field]
	if !present {
		r.err = badAnswer(fmt.Errorf("a record without the field %s", field))
		return
	}
	r.err = badAnswer(fmt.Errorf("the field %s is %T", field, v))
}

// id reads the id of the record itself.
func (r *record) id() int64 {
	id, ok := r.values["id"].(int64)
	if !ok || id <= 0 {
		r.fail("id")
	}
	return id
}

// text reads a text. The decoder makes nil of an empty one.
func (r *record) text(field string) string {
	v, present := r.values[field]
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if !v {
			return ""
		}
	case nil:
		if present {
			return ""
		}
	}
	r.fail(field)
	return ""
}

func (r *record) flag(field string) bool {
	v, ok := r.values[field].(bool)
	if !ok {
		r.fail(field)
	}
	return v
}

func (r *record) integer(field string) int64 {
	v, ok := r.values[field].(int64)
	if !ok {
		r.fail(field)
	}
	return v
}

// number reads a float. Its shortest representation is what a person entered; what a computation left beyond the sixth
// decimal is noise.
func (r *record) number(field string) decimal.Decimal {
	switch v := r.values[field].(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			break // decimal would panic
		}
		return decimal.NewFromFloat(v).Round(6)
	case int64:
		return decimal.NewFromInt(v)
	}
	r.fail(field)
	return decimal.Zero
}

// moment reads a datetime; zero if it is empty.
func (r *record) moment(field string) time.Time {
	text := r.text(field)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(timeLayout, text)
	if err != nil {
		r.fail(field)
	}
	return t
}

// refID reads the id of a many2one, in any of its shapes: an id, [id, name], a nested record, or false.
func (r *record) refID(field string) int64 {
	switch v := r.values[field].(type) {
	case int64:
		return v
	case []any:
		if len(v) == 2 {
			if id, ok := v[0].(int64); ok {
				return id
			}
		}
	case map[string]any:
		if id, ok := v["id"].(int64); ok {
			return id
		}
	case bool:
		if !v {
			return 0
		}
	}
	r.fail(field)
	return 0
}

// refName reads the name of a many2one of the shape [id, name], or of a nested record; empty if the field is.
func (r *record) refName(field string) string {
	switch v := r.values[field].(type) {
	case []any:
		if len(v) == 2 {
			name, _ := v[1].(string)
			return name
		}
	case map[string]any:
		if name, ok := v["display_name"].(string); ok {
			return name
		}
	case bool:
		if !v {
			return ""
		}
	}
	r.fail(field)
	return ""
}

// nested reads the records of a one2many.
func (r *record) nested(field string) []record {
	list, err := records(r.values[field])
	if err != nil {
		r.fail(field)
	}
	return list
}

// ids reads the ids of a one2many or many2many, rising.
func (r *record) ids(field string) []int64 {
	ids, err := idList(r.values[field])
	if err != nil {
		r.fail(field)
	}
	slices.Sort(ids)
	if len(ids) == 0 {
		return nil
	}
	return ids
}
