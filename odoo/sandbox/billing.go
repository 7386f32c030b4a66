package sandbox

import (
	"fmt"
	"slices"
	"time"
)

const (
	accountMove     = "account.move"
	accountLine     = "account.move.line"
	accountPayment  = "account.payment"
	invoiceDialogue = "sale.advance.payment.inv"
	paymentDialogue = "account.payment.register"
	statePosted     = "posted"
)

// billingModels are those of invoices and payments, as Invoicing brings them.
func billingModels(major int) []*model {
	line := define(accountLine, "Journal Item", []*field{
		{name: "move_id", label: "Journal Entry", kind: kindMany2one, comodel: accountMove, required: true, indexed: true},
		{name: "quantity", label: "Quantity", kind: kindFloat, digits: 2},
		{name: "price_total", label: "Total", kind: kindMonetary},
		{name: "sale_line_ids", label: "Sales Order Lines", kind: kindMany2many, comodel: saleOrderLine},
	})
	memo := "ref"
	if major >= 18 {
		memo = "memo"
	}
	payment := define(accountPayment, "Payments", []*field{
		{name: memo, label: "Memo", kind: kindChar, indexed: true},
		{name: "amount", label: "Amount", kind: kindMonetary},
		{name: "date", label: "Date", kind: kindDate},
		{name: "state", label: "State", kind: kindSelection, options: []option{{statePosted, "Posted"}, {"paid", "Paid"}}},
	})
	invoicing := define(invoiceDialogue, "Sales Advance Payment Invoice", []*field{
		{name: "advance_payment_method", label: "Create Invoice", kind: kindSelection, options: []option{{"delivered", "Regular invoice"}}},
		{name: "deduct_down_payments", label: "Deduct down payments", kind: kindBoolean},
	})
	invoicing.methods = map[string]method{"create_invoices": {"write", true, callCreateInvoices}}
	// It has what prints, and not the program by which that works.
	report := define("ir.actions.report", "Report Action", []*field{{name: "name", label: "Action Name", kind: kindChar, required: true}})
	report.denied = "create write unlink"
	report.methods = map[string]method{"get_wkhtmltopdf_state": {"", false, func(*env, *model, arguments) (any, error) { return "install", nil }}}
	return []*model{invoiceModel(), line, payment, invoicing, registerModel(memo), report}
}

func invoiceModel() *model {
	m := define(accountMove, "Journal Entry", []*field{
		{name: "name", label: "Number", kind: kindChar},
		{name: "state", label: "Status", kind: kindSelection,
			options: []option{{stateDraft, "Draft"}, {statePosted, "Posted"}, {stateCancel, "Cancelled"}}},
		{name: "move_type", label: "Type", kind: kindSelection, options: []option{{"out_invoice", "Customer Invoice"}, {"out_refund", "Customer Credit Note"}}},
		{name: "payment_state", label: "Payment Status", kind: kindSelection,
			options: []option{{"not_paid", "Not Paid"}, {"in_payment", "In Payment"}, {"partial", "Partially Paid"}, {"paid", "Paid"}}},
		{name: "currency_id", label: "Currency", kind: kindMany2one, comodel: "res.currency"},
		{name: "amount_total", label: "Total", kind: kindMonetary},
		{name: "amount_residual", label: "Amount Due", kind: kindMonetary},
		{name: "invoice_date", label: "Invoice Date", kind: kindDate},
		{name: "invoice_date_due", label: "Due Date", kind: kindDate},
		{name: "line_ids", label: "Journal Items", kind: kindOne2many, comodel: accountLine, inverse: "move_id"},
	})
	m.displayName = func(e *env, r *row) string {
		if name := e.text(m, r, "name"); name != "" && name != "/" {
			return name
		}
		return fmt.Sprintf("Draft Invoice (* %d)", r.id)
	}
	m.beforeUnlink = func(e *env, r *row) error {
		if e.text(m, r, "state") == statePosted {
			return userError("You cannot delete an entry which has been posted once.")
		}
		e.withdraw(m, r)
		return nil
	}
	m.methods = map[string]method{"action_post": {"write", true, callPost}}
	return m
}

// toInvoice is how much of a line can be invoiced now.
func (e *env) toInvoice(lines *model, line *row) float64 {
	orders, o := e.follow(lines, line, "order_id")
	products, p := e.follow(lines, line, "product_id")
	if e.text(orders, o, "state") != stateSale && e.text(orders, o, "state") != stateDone || p == nil {
		return 0
	}
	due := e.float(lines, line, "product_uom_qty")
	if e.text(products, p, "invoice_policy") == "delivery" {
		due = e.float(lines, line, "qty_delivered")
	}
	return roundTo(due-e.float(lines, line, "qty_invoiced"), 2)
}

// about returns the records that a dialogue was opened for.
func (e *env) about(model string) ([]*row, error) {
	ids, err := toIDs(e.context["active_ids"])
	if err != nil {
		return nil, err
	}
	return e.existing(e.db.models[model], ids)
}

// callCreateInvoices makes a draft of an invoice for each order that the dialogue is about. On 19 there is nothing that it answers, which
// XML-RPC cannot say.
func callCreateInvoices(e *env, _ *model, a arguments) (any, error) {
	if _, _, err := a.self(); err != nil {
		return nil, err
	}
	orders, err := e.about(saleOrder)
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if err := e.invoice(o); err != nil {
			return nil, err
		}
	}
	if e.major >= 17 {
		return none{}, nil
	}
	return record{{"type", "ir.actions.act_window_close"}}, nil
}

func (e *env) invoice(order *row) error {
	orders, lines, moves := e.db.models[saleOrder], e.db.models[saleOrderLine], e.db.models[accountMove]
	e.flush() // the amounts of the lines are needed
	var invoice *row
	var total float64
	for _, id := range lines.index["order_id"][order.id] {
		line := lines.rows[id]
		quantity := e.toInvoice(lines, line)
		if quantity <= 0 {
			continue
		}
		if invoice == nil {
			invoice = e.insert(moves, map[string]any{"name": "/", "state": stateDraft, "move_type": "out_invoice", "payment_state": "not_paid",
				"currency_id": CurrencyID})
		}
		price := roundTo(e.float(lines, line, "price_total")*quantity/e.float(lines, line, "product_uom_qty"), 2)
		total += price
		e.insert(e.db.models[accountLine], map[string]any{"move_id": invoice.id, "quantity": quantity, "price_total": price, "sale_line_ids": []int64{id}})
		e.update(lines, line, map[string]any{"qty_invoiced": roundTo(e.float(lines, line, "qty_invoiced")+quantity, 2)})
		e.touch(lines, line)
	}
	if invoice == nil {
		return userError("Cannot create an invoice. No items are available to invoice.")
	}
	e.update(moves, invoice, map[string]any{"amount_total": roundTo(total, 2), "amount_residual": roundTo(total, 2)})
	before, _ := e.get(orders, order, "invoice_ids").([]int64)
	e.update(orders, order, map[string]any{"invoice_ids": append(slices.Clone(before), invoice.id)})
	e.touch(orders, order)
	return nil
}

// withdraw takes an invoice that is deleted off its orders.
func (e *env) withdraw(moves *model, invoice *row) {
	orders, lines, items := e.db.models[saleOrder], e.db.models[saleOrderLine], e.db.models[accountLine]
	if e.text(moves, invoice, "state") == stateDraft {
		e.uncount(invoice)
	}
	e.eachLine(invoice, func(line *row, _ float64) {
		o := orders.rows[e.integer(lines, line, "order_id")]
		held, _ := e.get(orders, o, "invoice_ids").([]int64)
		e.update(orders, o, map[string]any{"invoice_ids": without(held, invoice.id)})
		e.touch(orders, o)
	})
	for _, id := range slices.Clone(items.index["move_id"][invoice.id]) {
		e.drop(items, items.rows[id])
	}
}

// cancelDrafts cancels the drafts among an order's invoices; they stay with it.
func (e *env) cancelDrafts(orders *model, order *row) {
	moves := e.db.models[accountMove]
	ids, _ := e.get(orders, order, "invoice_ids").([]int64)
	for _, id := range ids {
		if invoice := moves.rows[id]; e.text(moves, invoice, "state") == stateDraft {
			e.update(moves, invoice, map[string]any{"state": stateCancel})
			e.touch(moves, invoice)
			e.uncount(invoice)
		}
	}
}

// uncount takes what an invoice is for off the invoiced quantities.
func (e *env) uncount(invoice *row) {
	lines := e.db.models[saleOrderLine]
	e.eachLine(invoice, func(line *row, quantity float64) {
		e.update(lines, line, map[string]any{"qty_invoiced": roundTo(e.float(lines, line, "qty_invoiced")-quantity, 2)})
		e.touch(lines, line)
	})
}

// eachLine visits the lines of orders that an invoice is for.
func (e *env) eachLine(invoice *row, visit func(line *row, quantity float64)) {
	lines, items := e.db.models[saleOrderLine], e.db.models[accountLine]
	for _, id := range items.index["move_id"][invoice.id] {
		of, _ := e.get(items, items.rows[id], "sale_line_ids").([]int64)
		for _, lineID := range of {
			if line := lines.rows[lineID]; line != nil {
				visit(line, e.float(items, items.rows[id], "quantity"))
			}
		}
	}
}

// callPost posts drafts. On 14 there is nothing that it answers, which XML-RPC cannot say.
func callPost(e *env, m *model, a arguments) (any, error) {
	rows, err := a.records(e, m)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if e.text(m, r, "state") != stateDraft {
			return nil, userError("The entry %s (id %d) must be in draft.", e.text(m, r, "name"), r.id)
		}
		e.db.invoiceNumber++
		today := e.now.Format(time.DateOnly)
		values := map[string]any{"state": statePosted, "name": fmt.Sprintf("INV/%d/%05d", e.now.Year(), e.db.invoiceNumber),
			"invoice_date": today, "invoice_date_due": today}
		if e.float(m, r, "amount_total") == 0 {
			values["payment_state"] = "paid"
		}
		e.update(m, r, values)
		e.touch(m, r)
	}
	if e.major < 17 {
		return none{}, nil
	}
	return false, nil
}

// registerModel is the dialogue that pays invoices.
func registerModel(memo string) *model {
	m := define(paymentDialogue, "Pay", []*field{
		{name: "amount", label: "Amount", kind: kindMonetary},
		{name: "communication", label: "Memo", kind: kindChar},
		{name: "payment_date", label: "Payment Date", kind: kindDate},
		{name: "currency_id", label: "Currency", kind: kindMany2one, comodel: "res.currency"},
	})
	m.beforeCreate = func(e *env, values map[string]any) error {
		if values["payment_date"] == nil {
			values["payment_date"] = e.now.Format(time.DateOnly)
		}
		invoices, err := e.about(accountMove)
		if err != nil {
			return err
		}
		return e.requireDue(invoices)
	}
	m.methods = map[string]method{"action_create_payments": {"write", true, func(e *env, m *model, a arguments) (any, error) {
		dialogues, err := a.records(e, m)
		if err != nil {
			return nil, err
		}
		invoices, err := e.about(accountMove)
		if err != nil {
			return nil, err
		}
		if err := e.requireDue(invoices); err != nil {
			return nil, err
		}
		for _, d := range dialogues {
			e.pay(m, d, invoices[0], memo)
		}
		return record{{"type", "ir.actions.act_window"}, {"res_model", accountPayment}}, nil
	}}}
	return m
}

func (e *env) requireDue(invoices []*row) error {
	moves := e.db.models[accountMove]
	if len(invoices) != 1 {
		return userError("The register payment wizard should only be called on account.move or account.move.line records.")
	}
	if e.text(moves, invoices[0], "state") != statePosted {
		return userError("You can only register payment for posted journal entries.")
	}
	if e.float(moves, invoices[0], "amount_residual") == 0 {
		return userError("You can't register a payment because there is nothing left to pay on the selected journal items.")
	}
	return nil
}

// pay registers the payment of a dialogue. What is more than due is the customer's credit.
func (e *env) pay(dialogues *model, dialogue, invoice *row, memo string) {
	moves := e.db.models[accountMove]
	amount := e.float(dialogues, dialogue, "amount")
	state := statePosted
	if e.major >= 18 {
		state = "paid"
	}
	e.insert(e.db.models[accountPayment], map[string]any{memo: e.get(dialogues, dialogue, "communication"), "amount": amount,
		"date": e.get(dialogues, dialogue, "payment_date"), "state": state})
	due := max(0, roundTo(e.float(moves, invoice, "amount_residual")-amount, 2))
	paid := "partial"
	if due == 0 {
		paid = "paid"
	}
	e.update(moves, invoice, map[string]any{"amount_residual": due, "payment_state": paid})
	e.touch(moves, invoice)
}
