package sandbox

import "slices"

const (
	productProduct  = "product.product"
	productTemplate = "product.template"
)

func templateModel(o Options) *model {
	digits := 0
	if o.Major < 17 {
		digits = 2
	}
	fields := []*field{
		{name: "name", label: "Name", kind: kindChar, required: true},
		{name: "list_price", label: "Sales Price", kind: kindFloat, digits: digits},
		{name: "type", label: "Product Type", kind: kindSelection,
			options: []option{{"consu", "Goods"}, {"service", "Service"}, {"product", "Storable Product"}}},
		{name: "sale_ok", label: "Sales", kind: kindBoolean},
		{name: "active", label: "Active", kind: kindBoolean},
		{name: "uom_id", label: "Unit", kind: kindMany2one, comodel: "uom.uom", required: true},
		{name: "currency_id", label: "Currency", kind: kindMany2one, comodel: "res.currency"},
		{name: "taxes_id", label: "Sales Taxes", kind: kindMany2many, comodel: accountTax},
		{name: "product_variant_ids", label: "Products", kind: kindOne2many, comodel: productProduct, inverse: "product_tmpl_id"},
		{name: "default_code", label: "Internal Reference", kind: kindChar, compute: codeOfOnlyVariant},
	}
	if o.Documents {
		fields = append(fields, &field{name: "invoice_policy", label: "Invoicing Policy", kind: kindSelection,
			options: []option{{"order", "Ordered quantities"}, {"delivery", "Delivered quantities"}}})
	}
	m := define(productTemplate, "Product", fields)
	m.displayName = func(e *env, r *row) string { return withCode(e, m, r) }
	m.beforeCreate = func(_ *env, values map[string]any) error {
		defaults := map[string]any{
			"list_price": 1.0, "type": "consu", "sale_ok": true, "active": true,
			"uom_id": UnitID, "currency_id": CurrencyID, "taxes_id": []int64{TaxID},
		}
		if o.Documents {
			defaults["invoice_policy"] = "order"
		}
		for name, v := range defaults {
			if _, given := values[name]; !given {
				values[name] = v
			}
		}
		return nil
	}
	m.afterWrite = func(e *env, r *row, values map[string]any) error {
		active, ok := values["active"]
		if !ok {
			return nil
		}
		variants := e.db.models[productProduct]
		for _, id := range variants.index["product_tmpl_id"][r.id] {
			v := variants.rows[id]
			e.update(variants, v, map[string]any{"active": active})
			e.touch(variants, v)
		}
		return nil
	}
	return m
}

func productModel(o Options) *model {
	via := func(name, label string, k kind, comodel string) *field {
		return related(name, label, k, comodel, "product_tmpl_id", name)
	}
	fields := []*field{
		{name: "product_tmpl_id", label: "Product Template", kind: kindMany2one, comodel: productTemplate, required: true, indexed: true},
		{name: "default_code", label: "Internal Reference", kind: kindChar},
		{name: "active", label: "Active", kind: kindBoolean},
		via("name", "Name", kindChar, ""),
		via("list_price", "Sales Price", kindFloat, ""),
		via("type", "Product Type", kindSelection, ""),
		via("sale_ok", "Sales", kindBoolean, ""),
		via("uom_id", "Unit", kindMany2one, "uom.uom"),
		via("currency_id", "Currency", kindMany2one, "res.currency"),
		via("taxes_id", "Sales Taxes", kindMany2many, accountTax),
		related("lst_price", "Sales Price", kindFloat, "", "product_tmpl_id", "list_price"),
	}
	if o.Documents {
		fields = append(fields, via("invoice_policy", "Invoicing Policy", kindSelection, ""))
	}
	m := define(productProduct, "Product Variant", fields)
	m.delegate = "product_tmpl_id"
	m.order = "default_code, name, id"
	m.displayName = func(e *env, r *row) string { return withCode(e, m, r) }
	m.beforeCreate = func(_ *env, values map[string]any) error {
		if _, given := values["active"]; !given {
			values["active"] = true
		}
		return nil
	}
	m.afterWrite = func(e *env, r *row, values map[string]any) error {
		if _, ok := values["default_code"]; ok { // the template stores a copy
			template, t := e.follow(m, r, "product_tmpl_id")
			e.touch(template, t)
		}
		return nil
	}
	m.beforeUnlink = func(e *env, r *row) error {
		lines := e.db.models[saleOrderLine]
		if len(lines.index["product_id"][r.id]) > 0 {
			return e.inUse(lines, lines.byName["product_id"])
		}
		return nil
	}
	return m
}

// codeOfOnlyVariant is the SKU of a template: that of its variant, if there is just one.
func codeOfOnlyVariant(e *env, _ *model, r *row) any {
	variants := e.db.models[productProduct]
	ids := slices.Clone(variants.index["product_tmpl_id"][r.id])
	if len(ids) != 1 {
		return nil
	}
	return e.get(variants, variants.rows[ids[0]], "default_code")
}

func withCode(e *env, m *model, r *row) string {
	name := e.text(m, r, "name")
	if code := e.text(m, r, "default_code"); code != "" {
		return "[" + code + "] " + name
	}
	return name
}
