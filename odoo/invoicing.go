package odoo

import (
	"cmp"
	"context"
	"slices"

	"ordergate/order"
)

// Invoiceable reports whether Odoo would invoice something of an order now. known is false where Odoo has no invoices, or the
// gateway's user may not read them.
func (c *Client) Invoiceable(ctx context.Context, orderID int64) (something, known bool, err error) {
	models, err := c.documentModels(ctx)
	if err != nil || !models.invoices {
		return false, false, err
	}
	// What came back is to be invoiced less than nothing; of that alone Odoo would draft a credit note. See Credit.
	lines, err := c.search(ctx, "sale.order.line", domain{condition("order_id", "=", orderID), condition("qty_to_invoice", ">", 0)}, 1)
	return len(lines) > 0, true, err
}

// Invoice invoices what is invoiceable of an order and posts the invoices that it did not have before: those that are known are
// not touched. These are several calls, each of which stands if a later one fails, and the same again goes on from there.
// Success or failure proves little: read the order afterwards.
func (c *Client) Invoice(ctx context.Context, orderID int64, known []int64) error {
	drafts, others, err := c.newInvoices(ctx, orderID, known)
	if err != nil {
		return err
	}
	if len(drafts)+others == 0 {
		failed := c.createInvoices(ctx, orderID) // Odoo 19 creates them, and then cannot put its answer into XML
		if drafts, others, err = c.newInvoices(ctx, orderID, known); err != nil {
			return cmp.Or(failed, err)
		}
		if len(drafts)+others == 0 {
			return failed
		}
	}
	if len(drafts) == 0 {
		return nil
	}
	_, err = c.execute(ctx, "account.move", "action_post", []any{anySlice(drafts)}, nil)
	return Begun(err)
}

// createInvoices runs Odoo's dialogue for the invoice of what is to be invoiced.
func (c *Client) createInvoices(ctx context.Context, orderID int64) error {
	about := map[string]any{"context": map[string]any{
		"active_model": "sale.order", "active_ids": []any{orderID}, "active_id": orderID,
	}}
	return c.runDialogue(ctx, "sale.advance.payment.inv", map[string]any{"advance_payment_method": "delivered"}, "create_invoices", about)
}

// newInvoices returns the drafts among an order's invoices that are not known, and how many others there are.
func (c *Client) newInvoices(ctx context.Context, orderID int64, known []int64) (drafts []int64, others int, err error) {
	of, err := c.invoicesOf(ctx, []int64{orderID})
	if err != nil {
		return nil, 0, err
	}
	fresh := slices.DeleteFunc(of[orderID], func(id int64) bool { return slices.Contains(known, id) })
	if len(fresh) == 0 {
		return nil, 0, nil
	}
	list, _, err := c.readRaw(ctx, "account.move", fresh, []string{"state", "move_type"})
	if err != nil {
		return nil, 0, err
	}
	for i := range list {
		if list[i].text("move_type") != "out_invoice" { // a credit note is somebody else's business
			continue
		}
		switch invoiceState(list[i].text("state")) {
		case order.Open:
			drafts = append(drafts, list[i].id())
		case order.Posted:
			others++
		}
	}
	return drafts, others, firstError("account.move.read", list)
}

// Pay registers a payment of an invoice, or one that pays a credit note out, in its currency, under a memo by which it is found
// again. An empty date is today's.
func (c *Client) Pay(ctx context.Context, p order.PlannedPayment) error {
	list, _, err := c.readRaw(ctx, "account.move", []int64{p.InvoiceID}, []string{"currency_id"})
	if err != nil {
		return beforeSending(err)
	}
	amount, _ := p.Amount.Float64()
	values := map[string]any{"amount": amount, "communication": p.Memo}
	for i := range list { // or a journal that has a currency of its own decides what the amount is in
		values["currency_id"] = list[i].refID("currency_id")
	}
	if err := firstError("account.move.read", list); err != nil {
		return beforeSending(err)
	}
	if p.Date != "" {
		values["payment_date"] = p.Date
	}
	about := map[string]any{"context": map[string]any{"active_model": "account.move", "active_ids": []any{p.InvoiceID}}}
	return c.runDialogue(ctx, "account.payment.register", values, "action_create_payments", about)
}

// Paid reports whether there is, or was, a payment with a memo.
func (c *Client) Paid(ctx context.Context, memo string) (bool, error) {
	s, err := c.sessionFor(ctx, "account.payment.search")
	if err != nil {
		return false, err
	}
	ids, err := c.search(ctx, "account.payment", domain{condition(s.dialect.paymentMemo, "=", memo)}, 1)
	return len(ids) > 0, err
}

// runDialogue fills in one of Odoo's dialogues and presses its button. Nothing has happened before the second call.
func (c *Client) runDialogue(ctx context.Context, model string, values map[string]any, button string, kwargs map[string]any) error {
	a, err := c.execute(ctx, model, "create", []any{values}, kwargs)
	if err != nil {
		return beforeSending(err)
	}
	id, ok := a.value.(int64)
	if !ok {
		return notSent(BadAnswer, "the answer is not one that Odoo gives", nil)
	}
	_, err = c.execute(ctx, model, button, []any{[]any{id}}, kwargs)
	return err
}
