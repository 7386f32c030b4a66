package sandbox

import "slices"

const resPartner = "res.partner"

func partnerModel(major int) *model {
	types := []option{{"contact", "Contact"}, {"invoice", "Invoice"}, {"delivery", "Delivery"}, {"other", "Other"}}
	if major < 17 {
		types = []option{{"contact", "Contact"}, {"invoice", "Invoice Address"}, {"delivery", "Delivery Address"},
			{"other", "Other Address"}, {"private", "Private Address"}}
	}
	m := define(resPartner, "Contact", []*field{
		{name: "name", label: "Name", kind: kindChar},
		{name: "parent_id", label: "Related Company", kind: kindMany2one, comodel: resPartner, indexed: true},
		{name: "child_ids", label: "Contact", kind: kindOne2many, comodel: resPartner, inverse: "parent_id"},
		{name: "is_company", label: "Is a Company", kind: kindBoolean},
		{name: "type", label: "Address Type", kind: kindSelection, options: types},
		{name: "active", label: "Active", kind: kindBoolean},
		{name: "email", label: "Email", kind: kindChar},
		{name: "phone", label: "Phone", kind: kindChar},
		{name: "ref", label: "Reference", kind: kindChar},
		{name: "street", label: "Street", kind: kindChar},
		{name: "street2", label: "Street2", kind: kindChar},
		{name: "city", label: "City", kind: kindChar},
		{name: "zip", label: "Zip", kind: kindChar},
		{name: "country_id", label: "Country", kind: kindMany2one, comodel: "res.country"},
		{name: "state_id", label: "State", kind: kindMany2one, comodel: "res.country.state"},
		{name: "commercial_partner_id", label: "Commercial Entity", kind: kindMany2one, comodel: resPartner,
			compute: func(e *env, m *model, r *row) any { return e.commercial(m, r).id }},
	})
	m.order = "display_name, id desc"
	m.displayName = func(e *env, r *row) string {
		name := e.text(m, r, "name")
		_, parent := e.follow(m, r, "parent_id")
		if parent == nil || truth(e.get(m, r, "is_company")) {
			return name
		}
		if name == "" {
			for _, t := range types {
				if t.value == e.text(m, r, "type") {
					name = t.label
				}
			}
		}
		return e.text(m, e.commercial(m, r), "name") + ", " + name
	}
	m.beforeCreate = func(e *env, values map[string]any) error {
		if values["type"] == nil {
			values["type"] = "contact"
		}
		if _, given := values["active"]; !given {
			values["active"] = true
		}
		return e.checkName(values["name"], values["type"])
	}
	m.beforeWrite = func(e *env, r *row, values map[string]any) error {
		name, partnerType := e.get(m, r, "name"), e.get(m, r, "type")
		if v, ok := values["name"]; ok {
			name = v
		}
		if v, ok := values["type"]; ok {
			partnerType = v
		}
		return e.checkName(name, partnerType)
	}
	m.beforeUnlink = func(e *env, r *row) error {
		orders := e.db.models[saleOrder]
		if len(orders.index["partner_id"][r.id]) > 0 {
			return e.inUse(orders, orders.byName["partner_id"])
		}
		for _, id := range slices.Clone(m.index["parent_id"][r.id]) {
			e.update(m, m.rows[id], map[string]any{"parent_id": nil})
		}
		return nil
	}
	return m
}

// commercial returns the company that a contact belongs to; a contact without one stands for itself.
func (e *env) commercial(m *model, r *row) *row {
	for range len(m.ids) { // a bound, for parents in a circle
		_, parent := e.follow(m, r, "parent_id")
		if parent == nil || truth(e.get(m, r, "is_company")) {
			break
		}
		r = parent
	}
	return r
}

// address returns the child of a partner that is an address of a type, the first by name, or else the partner itself.
func (e *env) address(partner int64, addressType string) int64 {
	m := e.db.models[resPartner]
	found, name := partner, ""
	for _, id := range m.index["parent_id"][partner] {
		c := m.rows[id]
		if e.text(m, c, "type") != addressType || !truth(e.get(m, c, "active")) {
			continue
		}
		if n := m.displayName(e, c); found == partner || n < name {
			found, name = id, n
		}
	}
	return found
}

// constraintError is a check of the database that failed. load and the other methods word it differently.
type constraintError struct {
	message string // as load reports it
	fault   *fault
}

func (c *constraintError) Error() string { return c.message }

func (e *env) checkName(name, partnerType any) error {
	if partnerType != "contact" || truth(name) {
		return nil
	}
	if e.major < 17 {
		return &constraintError{"'Contacts require a name'", userError("res_partner_check_name")}
	}
	return &constraintError{"Contacts require a name", validationError("The operation cannot be completed: Contacts require a name")}
}
