package sandbox

const crmTag = "crm.tag"

// tagModel holds what orders are tagged with. The gateway's user, who sells, may make tags and not delete them.
func tagModel(major int) *model {
	m := define(crmTag, "CRM Tag", []*field{
		{name: "name", label: "Tag Name", kind: kindChar, required: true, indexed: true},
		{name: "color", label: "Color", kind: kindInteger},
	})
	m.denied = "unlink"
	taken := func(e *env, values map[string]any, but int64) error {
		name, given := values["name"]
		if !given {
			return nil
		}
		for _, id := range m.index["name"][name] {
			if id != but {
				return tagNameTaken(major)
			}
		}
		return nil
	}
	m.beforeCreate = func(e *env, values map[string]any) error { return taken(e, values, 0) }
	m.beforeWrite = func(e *env, r *row, values map[string]any) error { return taken(e, values, r.id) }
	m.beforeUnlink = func(e *env, r *row) error {
		orders := e.db.models[saleOrder]
		for _, id := range orders.ids {
			o := orders.rows[id]
			tags, _ := e.get(orders, o, "tag_ids").([]int64)
			e.update(orders, o, map[string]any{"tag_ids": without(tags, r.id)})
		}
		return nil
	}
	return m
}

func tagNameTaken(major int) error {
	const message = "Tag name already exists!"
	if major < 17 {
		return &fieldError{"The value for the field 'name' already exists (this is probably 'Tag Name' in the current model).", "name",
			userError("crm_tag_name_uniq")}
	}
	return &fieldError{message, "name", validationError("The operation cannot be completed: %s", message)}
}
