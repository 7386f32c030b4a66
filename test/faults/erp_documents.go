package faults

import "strings"

// ERPDelivery is a delivery of an order as Odoo has it.
type ERPDelivery struct {
	ID    int64
	State string
}

// ERPInvoice is an invoice of an order as Odoo has it.
type ERPInvoice struct {
	ID         int64
	State      string
	Total, Due float64
}

// ERPPayment is a payment as Odoo has it.
type ERPPayment struct {
	Memo   string
	Amount float64
}

// addDocuments reads what became of orders: their tags, deliveries and invoices.
func (e *erp) addDocuments(orders []ERPOrder) error {
	at := make(map[int64]*ERPOrder, len(orders))
	ids := make([]any, len(orders))
	for i := range orders {
		at[orders[i].ID], ids[i] = &orders[i], orders[i].ID
	}
	marks, err := e.records("ir.model.data", []any{[]any{"module", "=", "ordergate"}, []any{"name", "in", []any{"tag_hold", "tag_approved"}}}, "name", "res_id")
	if err != nil {
		return err
	}
	tags := map[string]int64{}
	for _, r := range marks {
		tags[text(r["name"])] = integer(r["res_id"])
	}
	deliveries, err := e.records("stock.picking", []any{[]any{"sale_id", "in", ids}}, "sale_id", "state")
	if err != nil {
		return err
	}
	for _, r := range deliveries {
		if o := at[integer(r["sale_id"])]; o != nil {
			o.Deliveries = append(o.Deliveries, ERPDelivery{integer(r["id"]), text(r["state"])})
		}
	}
	found, err := e.records("sale.order", []any{[]any{"id", "in", ids}}, "tag_ids", "invoice_ids")
	if err != nil {
		return err
	}
	of := map[int64]*ERPOrder{}
	var wanted []any
	for _, r := range found {
		o := at[integer(r["id"])]
		for _, tag := range list(r["tag_ids"]) {
			o.OnHold = o.OnHold || tag == tags["tag_hold"]
			o.Approved = o.Approved || tag == tags["tag_approved"]
		}
		for _, id := range list(r["invoice_ids"]) {
			of[id] = o
			wanted = append(wanted, id)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	invoices, err := e.records("account.move", []any{[]any{"id", "in", wanted}}, "state", "amount_total", "amount_residual")
	if err != nil {
		return err
	}
	for _, r := range invoices {
		o := of[integer(r["id"])]
		o.Invoices = append(o.Invoices, ERPInvoice{integer(r["id"]), text(r["state"]), number(r["amount_total"]), number(r["amount_residual"])})
	}
	return nil
}

// payments returns the payments whose memo begins with a prefix.
func (e *erp) payments(prefix string) ([]ERPPayment, error) {
	memo := "ref"
	if e.server.Major >= 18 {
		memo = "memo"
	}
	found, err := e.records("account.payment", []any{[]any{memo, "=like", prefix + "%"}}, memo, "amount")
	if err != nil {
		return nil, err
	}
	payments := make([]ERPPayment, len(found))
	for i, r := range found {
		payments[i] = ERPPayment{text(r[memo]), number(r["amount"])}
	}
	return payments, nil
}

// key is that of the payment, which the caller gave as its reference; the gateway writes its mark behind it.
func (p ERPPayment) key() string {
	key, _, _ := strings.Cut(p.Memo, " (og-")
	return key
}

// invoicedByDelivery returns those of the products of which what was delivered is invoiced.
func (e *erp) invoicedByDelivery(products map[string]int64) (map[int64]bool, error) {
	ids := make([]any, 0, len(products))
	for _, id := range products {
		ids = append(ids, id)
	}
	found, err := e.records("product.product", []any{[]any{"id", "in", ids}, []any{"active", "in", []any{true, false}}}, "invoice_policy")
	if err != nil {
		return nil, err
	}
	byDelivery := map[int64]bool{}
	for _, r := range found {
		byDelivery[integer(r["id"])] = text(r["invoice_policy"]) == "delivery"
	}
	return byDelivery, nil
}

func list(v any) []int64 {
	items, _ := v.([]any)
	ids := make([]int64, len(items))
	for i, item := range items {
		ids[i] = integer(item)
	}
	return ids
}
