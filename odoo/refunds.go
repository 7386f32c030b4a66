package odoo

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// InvoicedLines returns what of an order's lines stands on its posted invoices, and what of it on credit notes that are not
// cancelled, or was taken off an invoice, both by rising id of the document.
func (c *Client) InvoicedLines(ctx context.Context, orderID int64) (invoiced []order.InvoicedLine, credited []order.CreditedLine, err error) {
	s, err := c.sessionFor(ctx, "account.move.line.search_read")
	if err != nil {
		return nil, nil, err
	}
	units, err := c.lineUnits(ctx, s.dialect, orderID)
	if err != nil || len(units) == 0 {
		return nil, nil, err
	}
	list, _, err := c.searchRead(ctx, query{model: "account.move.line", order: "move_id asc, id asc", domain: domain{
		condition("sale_line_ids.order_id", "=", orderID), condition("move_id.move_type", "in", []any{"out_invoice", "out_refund"}),
		condition("move_id.state", "!=", "cancel"),
	}, fields: []string{"move_id", "sale_line_ids", "quantity", "product_uom_id", "display_type"}})
	if err != nil || len(list) == 0 {
		return nil, nil, err
	}
	var documents []int64
	for i := range list {
		documents = append(documents, list[i].refID("move_id"))
	}
	moves, _, err := c.readRaw(ctx, "account.move", slices.Compact(documents), []string{"state", "move_type", "reversed_entry_id"})
	if err != nil {
		return nil, nil, err
	}
	byID := map[int64]*record{}
	for i := range moves {
		byID[moves[i].id()] = &moves[i]
	}
	for i := range list {
		r := &list[i]
		line, of := orderLine(r, units), byID[r.refID("move_id")]
		if line == 0 || of == nil || !isProductLine(r) {
			continue
		}
		alike, quantity := units[line] == r.refID("product_uom_id"), r.number("quantity")
		switch {
		case of.text("move_type") == "out_invoice" && quantity.IsNegative(): // what came back is taken off the next invoice
			credited = append(credited, order.CreditedLine{LineID: line, Quantity: quantity.Neg(), Alike: alike})
		case of.text("move_type") == "out_refund":
			credited = append(credited, order.CreditedLine{InvoiceID: of.refID("reversed_entry_id"), LineID: line, Quantity: quantity, Alike: alike})
		case of.text("state") == "posted":
			invoiced = append(invoiced, order.InvoicedLine{InvoiceID: of.id(), LineID: line, Quantity: quantity, Alike: alike})
		}
	}
	if err := firstError("account.move.read", moves); err != nil {
		return nil, nil, err
	}
	return invoiced, credited, firstError("account.move.line.search_read", list)
}

// lineUnits returns the units of an order's lines, by line.
func (c *Client) lineUnits(ctx context.Context, d dialect, orderID int64) (map[int64]int64, error) {
	list, _, err := c.searchRead(ctx, query{model: "sale.order.line", fields: []string{d.lineUnit},
		domain: domain{condition("order_id", "=", orderID), condition("display_type", "=", false)}})
	if err != nil {
		return nil, err
	}
	units := make(map[int64]int64, len(list))
	for i := range list {
		units[list[i].id()] = list[i].refID(d.lineUnit)
	}
	return units, firstError("sale.order.line.search_read", list)
}

// orderLine is the line of the order that a line of an invoice is for, 0 if it is for none.
func orderLine(r *record, units map[int64]int64) int64 {
	for _, id := range r.ids("sale_line_ids") {
		if _, ours := units[id]; ours {
			return id
		}
	}
	return 0
}

// isProductLine tells what is sold from sections and notes.
func isProductLine(r *record) bool {
	return r.text("display_type") == "" || r.text("display_type") == "product"
}

// Credit takes a part of an invoice back: a credit note under a memo by which it is found again, cut to the quantities of the plan
// and posted. These are several calls, each of which stands if a later one fails, and the same again goes on from there. A credit
// note that Odoo would not post is deleted. Success or failure proves little: ask Refunded afterwards.
func (c *Client) Credit(ctx context.Context, p order.PlannedCredit, date, memo string) error {
	find := func() (creditNote, error) {
		notes, err := c.creditNotes(ctx, []int64{p.InvoiceID}, memo)
		if err != nil || len(notes) == 0 {
			return creditNote{}, err
		}
		return notes[0], nil
	}
	note, err := find()
	if err != nil {
		return NotBegun(err)
	}
	if note.id == 0 {
		invoices, _, err := c.readRaw(ctx, "account.move", []int64{p.InvoiceID}, []string{"journal_id"})
		if err != nil {
			return NotBegun(err)
		}
		values := map[string]any{"reason": memo}
		for i := range invoices { // newer versions have no default for it
			values["journal_id"] = invoices[i].refID("journal_id")
		}
		if date != "" {
			values["date"] = date
		}
		about := map[string]any{"context": map[string]any{
			"active_model": "account.move", "active_ids": []any{p.InvoiceID}, "active_id": p.InvoiceID,
		}}
		failed := c.runDialogue(ctx, "account.move.reversal", values, "reverse_moves", about)
		if note, err = find(); err != nil {
			return Begun(err)
		}
		if note.id == 0 {
			return failed
		}
	}
	if note.state != order.Open {
		return nil
	}
	err = c.cut(ctx, note.id, p.Lines)
	if isReason(err, BusinessRule) {
		// Odoo 14 repeats a write that met another transaction with values that its first try spoiled, and finds the draft out of balance.
		err = c.cut(ctx, note.id, p.Lines)
	}
	if err != nil {
		return c.withoutDraft(ctx, note.id, err)
	}
	if _, err := c.execute(ctx, "account.move", "action_post", []any{[]any{note.id}}, nil); err != nil {
		return c.withoutDraft(ctx, note.id, err)
	}
	return nil
}

// withoutDraft deletes a credit note that Odoo refused to post: it would count as credited.
func (c *Client) withoutDraft(ctx context.Context, noteID int64, failed error) error {
	if typed(failed).Outcome == Rejected { // nothing of that call was done, and the note is a draft still
		if _, err := c.execute(ctx, "account.move", "unlink", []any{[]any{noteID}}, nil); err != nil && typed(err).Outcome != Rejected {
			return Begun(err)
		}
	}
	return Begun(failed)
}

// creditNote is a credit note of the gateway's.
type creditNote struct {
	id, invoiceID int64
	state         order.DocumentState
}

// creditNotes returns the credit notes of invoices that have a memo, by rising id.
func (c *Client) creditNotes(ctx context.Context, invoices []int64, memo string) ([]creditNote, error) {
	list, _, err := c.searchRead(ctx, query{model: "account.move", fields: []string{"ref", "state", "reversed_entry_id"},
		domain: append(idsIn("reversed_entry_id", invoices), condition("move_type", "=", "out_refund"))})
	if err != nil {
		return nil, err
	}
	var notes []creditNote
	for i := range list {
		r := &list[i]
		if strings.HasSuffix(r.text("ref"), memo) { // behind the number of the invoice
			notes = append(notes, creditNote{r.id(), r.refID("reversed_entry_id"), invoiceState(r.text("state"))})
		}
	}
	return notes, firstError("account.move.search_read", list)
}

// cut leaves of a draft, which has all of its invoice, what is planned.
func (c *Client) cut(ctx context.Context, noteID int64, planned []order.PlannedCreditLine) error {
	notes, _, err := c.readRaw(ctx, "account.move", []int64{noteID}, []string{"invoice_line_ids"})
	if err != nil || len(notes) == 0 {
		return err
	}
	ids := notes[0].ids("invoice_line_ids")
	if err := firstError("account.move.read", notes); err != nil {
		return err
	}
	list, _, err := c.readRaw(ctx, "account.move.line", ids, []string{"sale_line_ids", "quantity", "display_type"})
	if err != nil {
		return err
	}
	left, units := map[int64]decimal.Decimal{}, map[int64]int64{}
	for _, l := range planned {
		left[l.LineID], units[l.LineID] = l.Quantity, 0
	}
	var commands []any
	for i := range list {
		r := &list[i]
		line, has := orderLine(r, units), r.number("quantity")
		taken := decimal.Min(left[line], has)
		switch {
		case line == 0, !isProductLine(r), !taken.IsPositive():
			commands = append(commands, []any{2, r.id(), 0})
		case !taken.Equal(has):
			quantity, _ := taken.Float64()
			commands = append(commands, []any{1, r.id(), map[string]any{"quantity": quantity}})
			fallthrough
		default:
			left[line] = left[line].Sub(taken)
		}
	}
	if err := firstError("account.move.line.read", list); err != nil || len(commands) == 0 {
		return err
	}
	_, err = c.execute(ctx, "account.move", "write", []any{[]any{noteID}, map[string]any{"invoice_line_ids": commands}}, nil)
	return err
}

// Refunded says what became of the credit notes of a plan.
func (c *Client) Refunded(ctx context.Context, p order.PlannedRefund) (order.RefundState, error) {
	var invoices []int64
	for _, credit := range p.Credits {
		invoices = append(invoices, credit.InvoiceID)
	}
	notes, err := c.creditNotes(ctx, invoices, p.Memo)
	if err != nil {
		return nil, err
	}
	state := make(order.RefundState, len(notes))
	of := make(map[int64]int64, len(notes))
	for _, n := range notes {
		state[n.invoiceID] = order.CreditNote{State: n.state, Lines: map[int64]decimal.Decimal{}}
		of[n.id] = n.invoiceID
	}
	if len(of) == 0 {
		return state, nil
	}
	units := map[int64]int64{}
	for _, credit := range p.Credits {
		for _, l := range credit.Lines {
			units[l.LineID] = 0
		}
	}
	list, _, err := c.searchRead(ctx, query{model: "account.move.line", domain: idsIn("move_id", slices.Sorted(maps.Keys(of))),
		fields: []string{"move_id", "sale_line_ids", "quantity", "display_type"}})
	if err != nil {
		return nil, err
	}
	for i := range list {
		r := &list[i]
		if isProductLine(r) && len(r.ids("sale_line_ids")) > 0 {
			lines, line := state[of[r.refID("move_id")]].Lines, orderLine(r, units)
			lines[line] = lines[line].Add(r.number("quantity"))
		}
	}
	return state, firstError("account.move.line.search_read", list)
}
