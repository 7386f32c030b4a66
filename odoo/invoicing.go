package odoo

import (
	"cmp"
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// Invoiceable reports whether Odoo would invoice something of an order now. known is false where Odoo has no invoices.
func (c *Client) Invoiceable(ctx context.Context, orderID int64) (something, known bool, err error) {
	known, err = c.hasDocuments(ctx, order.Invoices)
	if err != nil || !known {
		return false, false, err
	}
	lines, _, err := c.searchRead(ctx, query{model: "sale.order.line", fields: []string{"qty_to_invoice", "price_unit", "discount"},
		domain: domain{condition("order_id", "=", orderID), condition("qty_to_invoice", "!=", 0)}})
	if err != nil {
		return false, true, err
	}
	// What came back is to be invoiced less than nothing; if that is more than the rest, Odoo drafts a credit note. See Credit.
	sum := decimal.Zero
	for i := range lines {
		quantity := lines[i].number("qty_to_invoice")
		charged := decimal.NewFromInt(100).Sub(lines[i].number("discount"))
		something, sum = something || quantity.IsPositive(), sum.Add(quantity.Mul(lines[i].number("price_unit")).Mul(charged))
	}
	return something && !sum.IsNegative(), true, firstError("sale.order.line.search_read", lines)
}

// Invoice posts the drafts of an order's invoices; without any it invoices what is invoiceable of the order first, and posts what it did
// not have before: those that are known are not touched. These are several calls, each of which stands if a later one fails, and the
// same again with the drafts that are there then goes on. Success or failure proves little: read the order afterwards.
func (c *Client) Invoice(ctx context.Context, orderID int64, known, drafts []int64) error {
	if len(drafts) == 0 {
		failed := c.createInvoices(ctx, orderID) // Odoo 19 creates them, and then cannot put its answer into XML
		made, err := c.newInvoices(ctx, orderID, known)
		if err != nil {
			return cmp.Or(failed, Begun(err))
		}
		if len(made) == 0 {
			return failed
		}
		for id, state := range made {
			if state == order.Open {
				drafts = append(drafts, id)
			}
		}
		if len(drafts) == 0 {
			return nil
		}
		slices.Sort(drafts)
	}
	_, err := c.execute(ctx, "account.move", "action_post", []any{anySlice(drafts)}, nil)
	return Begun(err)
}

// createInvoices runs Odoo's dialogue for the invoice of what is to be invoiced.
func (c *Client) createInvoices(ctx context.Context, orderID int64) error {
	about := map[string]any{"context": map[string]any{
		"active_model": "sale.order", "active_ids": []any{orderID}, "active_id": orderID,
	}}
	return c.runDialogue(ctx, "sale.advance.payment.inv", map[string]any{"advance_payment_method": "delivered"}, "create_invoices", about)
}

// newInvoices returns the states of an order's invoices that are not known, by id. A credit note is somebody else's business.
func (c *Client) newInvoices(ctx context.Context, orderID int64, known []int64) (map[int64]order.DocumentState, error) {
	list, _, err := c.searchRead(ctx, query{model: "account.move", fields: []string{"state"}, domain: domain{
		condition("line_ids.sale_line_ids.order_id", "=", orderID), condition("move_type", "=", "out_invoice"),
		condition("id", "not in", anySlice(known)), condition("state", "in", []any{"draft", "posted"}),
	}})
	if err != nil {
		return nil, err
	}
	made := make(map[int64]order.DocumentState, len(list))
	for i := range list {
		made[list[i].id()] = invoiceState(list[i].text("state"))
	}
	return made, firstError("account.move.search_read", list)
}

// Pay registers a payment of an invoice, or one that pays a credit note out, under a memo by which it is found again. currency is
// that of the amount. An empty date is today's.
func (c *Client) Pay(ctx context.Context, p order.PlannedPayment, currency string) error {
	currencyID, err := c.currencyNamed(ctx, currency)
	if err != nil {
		return NotBegun(err)
	}
	amount, _ := p.Amount.Float64()
	// Without its currency, a journal that has one of its own decides what the amount is in.
	values := map[string]any{"amount": amount, "currency_id": currencyID, "communication": p.Memo}
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
		return NotBegun(err)
	}
	id, ok := a.value.(int64)
	if !ok {
		return notSent(BadAnswer, "the answer is not one that Odoo gives", nil)
	}
	_, err = c.execute(ctx, model, button, []any{[]any{id}}, kwargs)
	return err
}
