package sandbox

import (
	"fmt"
	"slices"
)

// States of a sale order.
const (
	stateDraft  = "draft"
	stateSent   = "sent"
	stateSale   = "sale"
	stateDone   = "done" // before Odoo 17; since then an order is locked instead
	stateCancel = "cancel"
)

const (
	saleOrder     = "sale.order"
	saleOrderLine = "sale.order.line"
)

// noteKind is what the notes of orders and deliveries are.
func noteKind(major int) kind {
	if major >= 15 {
		return kindHTML
	}
	return kindText
}

func orderModel(o Options) *model {
	major := o.Major
	states := []option{{stateDraft, "Quotation"}, {stateSent, "Quotation Sent"}, {stateSale, "Sales Order"}}
	if major < 17 {
		states = append(states, option{stateDone, "Locked"})
	}
	states = append(states, option{stateCancel, "Cancelled"})
	fields := []*field{
		{name: "name", label: "Order Reference", kind: kindChar, required: true},
		{name: "state", label: "Status", kind: kindSelection, options: states},
		{name: "partner_id", label: "Customer", kind: kindMany2one, comodel: resPartner, required: true, indexed: true},
		{name: "partner_invoice_id", label: "Invoice Address", kind: kindMany2one, comodel: resPartner},
		{name: "partner_shipping_id", label: "Delivery Address", kind: kindMany2one, comodel: resPartner},
		{name: "client_order_ref", label: "Customer Reference", kind: kindChar},
		{name: "origin", label: "Source Document", kind: kindChar},
		{name: "note", label: "Terms and conditions", kind: noteKind(major)},
		{name: "currency_id", label: "Currency", kind: kindMany2one, comodel: "res.currency"},
		{name: "company_id", label: "Company", kind: kindInteger, compute: func(*env, *model, *row) any { return ownCompanyID }},
		{name: "date_order", label: "Order Date", kind: kindDatetime, required: true},
		{name: "order_line", label: "Order Lines", kind: kindOne2many, comodel: saleOrderLine, inverse: "order_id"},
		{name: "amount_untaxed", label: "Untaxed Amount", kind: kindMonetary},
		{name: "amount_tax", label: "Taxes", kind: kindMonetary},
		{name: "amount_total", label: "Total", kind: kindMonetary},
		{name: "tag_ids", label: "Tags", kind: kindMany2many, comodel: crmTag},
	}
	if major >= 17 {
		fields = append(fields, &field{name: "locked", label: "Locked", kind: kindBoolean})
	}
	if o.Documents {
		fields = append(fields,
			&field{name: "picking_ids", label: "Transfers", kind: kindOne2many, comodel: stockPicking, inverse: "sale_id"},
			&field{name: "invoice_ids", label: "Invoices", kind: kindMany2many, comodel: accountMove})
	}
	m := define(saleOrder, "Sales Order", fields)
	m.order = "date_order desc, id desc"
	m.denied = "unlink"
	m.beforeCreate = orderDefaults
	m.afterWrite = func(e *env, r *row, values map[string]any) error {
		if _, ok := values["state"]; ok {
			e.touchLines(r) // their state is a stored copy of the order's
		}
		return nil
	}
	m.beforeUnlink = func(e *env, r *row) error {
		if s := e.text(m, r, "state"); s != stateDraft && s != stateCancel {
			return userError("You can not delete a sent quotation or a confirmed sales order. You must first cancel it.")
		}
		lines := e.db.models[saleOrderLine]
		for _, id := range slices.Clone(lines.index["order_id"][r.id]) {
			e.drop(lines, lines.rows[id])
		}
		return nil
	}
	m.methods = map[string]method{
		"action_confirm": {"write", true, callConfirm},
		"action_cancel":  {"write", true, callCancel},
		"action_draft":   {"write", true, callDraft},
		"action_unlock":  {"write", true, callUnlock},
	}
	if major >= 17 {
		m.methods["action_lock"] = method{"write", true, callLock}
	} else {
		m.methods["action_done"] = method{"write", true, callLock}
	}
	return m
}

func lineModel(o Options) *model {
	major := o.Major
	unit, taxes, priceDigits := "product_uom_id", "tax_ids", 0
	if major < 19 {
		unit, taxes, priceDigits = "product_uom", "tax_id", 2
	}
	fields := []*field{
		{name: "order_id", label: "Order Reference", kind: kindMany2one, comodel: saleOrder, required: true, indexed: true},
		{name: "sequence", label: "Sequence", kind: kindInteger},
		{name: "name", label: "Description", kind: kindText, required: true},
		{name: "product_id", label: "Product", kind: kindMany2one, comodel: productProduct, indexed: true},
		{name: "product_uom_qty", label: "Quantity", kind: kindFloat, digits: 2, required: true},
		{name: unit, label: "Unit of Measure", kind: kindMany2one, comodel: "uom.uom"},
		{name: "price_unit", label: "Unit Price", kind: kindFloat, digits: priceDigits, required: true},
		{name: "discount", label: "Discount (%)", kind: kindFloat, digits: 2},
		{name: taxes, label: "Taxes", kind: kindMany2many, comodel: accountTax},
		{name: "price_subtotal", label: "Subtotal", kind: kindMonetary},
		{name: "price_tax", label: "Total Tax", kind: kindMonetary},
		{name: "price_total", label: "Total", kind: kindMonetary},
		{name: "qty_delivered", label: "Delivery Quantity", kind: kindFloat, digits: 2},
		{name: "qty_invoiced", label: "Invoiced Quantity", kind: kindFloat, digits: 2},
		{name: "qty_delivered_method", label: "Method to update delivered qty", kind: kindSelection,
			options: []option{{"manual", "Manual"}, {"analytic", "Analytic From Expenses"}, {"stock_move", "Stock Moves"}},
			compute: deliveryMethod},
		{name: "display_type", label: "Display Type", kind: kindSelection,
			options: []option{{"line_section", "Section"}, {"line_note", "Note"}}},
		related("state", "Order Status", kindSelection, "", "order_id", "state"),
		related("currency_id", "Currency", kindMany2one, "res.currency", "order_id", "currency_id"),
		related("order_partner_id", "Customer", kindMany2one, resPartner, "order_id", "partner_id"),
	}
	if o.Documents {
		fields = append(fields, &field{name: "qty_to_invoice", label: "Quantity To Invoice", kind: kindFloat, digits: 2,
			compute: func(e *env, m *model, r *row) any { return e.toInvoice(m, r) }})
	}
	m := define(saleOrderLine, "Sales Order Line", fields)
	m.order = "order_id, sequence, id"
	m.displayName = func(e *env, r *row) string {
		_, o := e.follow(m, r, "order_id")
		return fmt.Sprintf("%s - %s", e.text(e.db.models[saleOrder], o, "name"), e.text(m, r, "name"))
	}
	m.beforeCreate = func(e *env, values map[string]any) error { return e.lineDefaults(values, unit, taxes) }
	m.afterCreate = func(e *env, r *row) error {
		e.stale[e.integer(m, r, "order_id")] = true
		return nil
	}
	m.beforeWrite = func(e *env, r *row, values map[string]any) error {
		_, o := e.follow(m, r, "order_id")
		confirmed := e.text(e.db.models[saleOrder], o, "state") == stateSale
		if product, ok := values["product_id"]; ok && confirmed && major >= 17 && product != e.get(m, r, "product_id") {
			return userError("You cannot modify the product of this order line.")
		}
		e.stale[o.id] = true // the one that the line may be moved away from
		return nil
	}
	m.afterWrite = func(e *env, r *row, _ map[string]any) error {
		e.stale[e.integer(m, r, "order_id")] = true
		return nil
	}
	m.beforeUnlink = func(e *env, r *row) error {
		_, o := e.follow(m, r, "order_id")
		if s := e.text(e.db.models[saleOrder], o, "state"); s == stateSale || s == stateDone {
			if major < 17 {
				return userError("You can not remove an order line once the sales order is confirmed.\n" +
					"You should rather set the quantity to 0.")
			}
			return userError("Once a sales order is confirmed, you can't remove one of its lines (we need to track if " +
				"something gets invoiced or delivered).\n                Set the quantity to 0 instead.")
		}
		e.stale[o.id] = true
		return nil
	}
	return m
}

// deliveryMethod is how it is known what of a line was delivered. Without Inventory there is no application that would know better than
// people.
func deliveryMethod(e *env, lines *model, line *row) any {
	if e.db.documents && goods(e, lines, line) {
		return "stock_move"
	}
	return "manual"
}

// orderDefaults fills in what the caller of create left out.
func orderDefaults(e *env, values map[string]any) error {
	e.db.orderNumber++
	defaults := map[string]any{
		"name": fmt.Sprintf("S%05d", e.db.orderNumber), "state": stateDraft, "date_order": e.now,
		"currency_id": CurrencyID, "amount_untaxed": 0.0, "amount_tax": 0.0, "amount_total": 0.0,
	}
	if e.major < 15 {
		defaults["note"] = "" // where it is text, an empty default is stored as such
	}
	if partner, ok := values["partner_id"].(int64); ok {
		defaults["partner_invoice_id"] = e.address(partner, "invoice")
		defaults["partner_shipping_id"] = e.address(partner, "delivery")
	}
	for name, v := range defaults {
		if values[name] == nil {
			values[name] = v
		}
	}
	return nil
}

func (e *env) lineDefaults(values map[string]any, unit, taxes string) error {
	defaults := map[string]any{"sequence": int64(10), "discount": 0.0, "product_uom_qty": 0.0, "price_unit": 0.0,
		"qty_delivered": 0.0, "qty_invoiced": 0.0, taxes: []int64{}}
	if id, ok := values["product_id"].(int64); ok {
		products := e.db.models[productProduct]
		p := products.rows[id]
		defaults["name"] = products.displayName(e, p)
		defaults["product_uom_qty"] = 1.0
		defaults["price_unit"] = e.float(products, p, "lst_price")
		defaults[unit] = e.get(products, p, "uom_id")
		defaults[taxes] = e.get(products, p, "taxes_id")
	}
	for name, v := range defaults {
		if values[name] == nil {
			values[name] = v
		}
	}
	return nil
}

func (e *env) touchLines(order *row) {
	lines := e.db.models[saleOrderLine]
	for _, id := range lines.index["order_id"][order.id] {
		e.touch(lines, lines.rows[id])
	}
}

// setState moves an order to a state and dates it.
func (e *env) setState(m *model, r *row, state string) error {
	return e.write(m, r, map[string]any{"state": state})
}

// onOrders runs a method without parameters on the orders that it was called on.
func onOrders(e *env, m *model, a arguments, change func(*row) error) error {
	rows, err := a.records(e, m)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := change(r); err != nil {
			return err
		}
	}
	return nil
}

func callConfirm(e *env, m *model, a arguments) (any, error) {
	return true, onOrders(e, m, a, func(r *row) error {
		state := e.text(m, r, "state")
		if e.major >= 17 && state != stateDraft && state != stateSent {
			return userError("Some orders are not in a state requiring confirmation.")
		}
		if state == stateCancel || state == stateDone {
			return userError("It is not allowed to confirm an order in the following states: cancel, done")
		}
		e.update(m, r, map[string]any{"date_order": e.now})
		if err := e.setState(m, r, stateSale); err != nil {
			return err
		}
		if e.db.documents && state != stateSale {
			e.deliver(r)
		}
		return nil
	})
}

func callCancel(e *env, m *model, a arguments) (any, error) {
	return true, onOrders(e, m, a, func(r *row) error {
		if m.byName["locked"] != nil && truth(e.get(m, r, "locked")) {
			return userError("You cannot cancel a locked order. Please unlock it first.")
		}
		if e.db.documents {
			e.dropDeliveries(r)
			e.cancelDrafts(m, r)
		}
		return e.setState(m, r, stateCancel)
	})
}

func callDraft(e *env, m *model, a arguments) (any, error) {
	return true, onOrders(e, m, a, func(r *row) error {
		if s := e.text(m, r, "state"); s != stateCancel && s != stateSent {
			return nil
		}
		return e.setState(m, r, stateDraft)
	})
}

func callLock(e *env, m *model, a arguments) (any, error) {
	if e.major < 17 {
		return true, onOrders(e, m, a, func(r *row) error { return e.setState(m, r, stateDone) })
	}
	return none{}, onOrders(e, m, a, func(r *row) error { return e.write(m, r, map[string]any{"locked": true}) })
}

func callUnlock(e *env, m *model, a arguments) (any, error) {
	if e.major < 17 {
		return none{}, onOrders(e, m, a, func(r *row) error { return e.setState(m, r, stateSale) })
	}
	return none{}, onOrders(e, m, a, func(r *row) error { return e.write(m, r, map[string]any{"locked": false}) })
}
