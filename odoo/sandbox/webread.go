package sandbox

// callWebRead answers what the web client of newer versions asks for: records with those of other models nested in them.
func callWebRead(e *env, m *model, a arguments) (any, error) {
	ids, a, err := a.self()
	if err != nil {
		return nil, err
	}
	v, err := a.values("specification")
	if err != nil {
		return nil, err
	}
	records, err := e.webRead(m, ids, v["specification"])
	if err == nil && len(records) > 0 && len(records) < len(ids) && nests(v["specification"]) {
		_, err = e.existing(m, ids) // a record that is gone goes unnoticed only if nothing is nested in it, or all are gone
	}
	return records, err
}

// nests tells whether a specification asks for records within records.
func nests(specification any) bool {
	wanted, _ := specification.(map[string]any)
	for _, spec := range wanted {
		if s, ok := spec.(map[string]any); ok && s["fields"] != nil {
			return true
		}
	}
	return false
}

func callWebSearchRead(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("domain", "specification", "offset?", "limit?", "order?", "count_limit?")
	if err != nil {
		return nil, err
	}
	ids, err := e.searchWith(m, v, v["domain"])
	if err != nil {
		return nil, err
	}
	records, err := e.webRead(m, ids, v["specification"])
	if err != nil {
		return nil, err
	}
	all, err := e.search(m, v["domain"], 0, 0, "id")
	if err != nil {
		return nil, err
	}
	return record{{"length", len(all)}, {"records", records}}, nil
}

// webRead reads records as a specification says: {field: {}} for a plain value, which of a relational field is an id or
// ids, and {field: {fields: specification}} for the records behind it.
func (e *env) webRead(m *model, ids []int64, specification any) ([]record, error) {
	wanted, _ := specification.(map[string]any)
	for name := range wanted {
		if m.byName[name] == nil {
			return nil, e.invalidField(m, name)
		}
	}
	records := make([]record, 0, len(ids))
	for _, id := range ids {
		r := m.rows[id]
		if r == nil {
			continue
		}
		rec := record{{"id", r.id}}
		for _, f := range m.fields {
			spec, ok := wanted[f.name]
			if !ok || f.name == "id" {
				continue
			}
			v, err := e.webValue(m, r, f, spec)
			if err != nil {
				return nil, err
			}
			rec = append(rec, member{f.name, v})
		}
		records = append(records, rec)
	}
	return records, nil
}

func (e *env) webValue(m *model, r *row, f *field, specification any) (any, error) {
	v := e.value(m, r, f)
	spec, _ := specification.(map[string]any)
	nested, expand := spec["fields"]
	if f.comodel == "" || !expand {
		if f.kind == kindMany2one {
			return v, nil
		}
		return e.show(f, v), nil
	}
	comodel := e.db.models[f.comodel]
	if f.kind != kindMany2one {
		ids, _ := v.([]int64) // nil where there never were any
		return e.webRead(comodel, ids, nested)
	}
	id, there := v.(int64)
	if !there {
		return nil, nil
	}
	records, err := e.webRead(comodel, []int64{id}, nested)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return records[0], nil
}
