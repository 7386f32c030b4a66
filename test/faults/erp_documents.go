package faults

import "strings"

// ERPDelivery is a delivery of an order as Odoo has it.
type ERPDelivery struct {
	ID     int64
	State  string
	Return bool // from the customer back
}

// ERPInvoice is an invoice or a credit note of an order as Odoo has it.
type ERPInvoice struct {
	ID         int64
	State      string
	Total, Due float64 // positive for both
	CreditNote bool
	Reference  string
}

// ERPPayment is a payment as Odoo has it; its amount is negative if it was paid out.
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
	deliveries, err := e.records("stock.picking", []any{[]any{"sale_id", "in", ids}}, "sale_id", "state", "picking_type_code")
	if err != nil {
		return err
	}
	for _, r := range deliveries {
		if o := at[integer(r["sale_id"])]; o != nil {
			o.Deliveries = append(o.Deliveries, ERPDelivery{integer(r["id"]), text(r["state"]), text(r["picking_type_code"]) == "incoming"})
		}
	}
	fields := []string{"tag_ids", "invoice_ids"}
	if e.warehouses != nil {
		fields = append(fields, "warehouse_id")
		if err := e.addReturns(at, ids); err != nil {
			return err
		}
	}
	found, err := e.records("sale.order", []any{[]any{"id", "in", ids}}, fields...)
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
		o.Warehouse = e.warehouses[integer(r["warehouse_id"])]
		for _, id := range list(r["invoice_ids"]) {
			of[id] = o
			wanted = append(wanted, id)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	ofInvoices := []string{"state", "amount_total", "amount_residual", "move_type"}
	if e.warehouses != nil {
		ofInvoices = append(ofInvoices, "ref")
	}
	invoices, err := e.records("account.move", []any{[]any{"id", "in", wanted}}, ofInvoices...)
	if err != nil {
		return err
	}
	for _, r := range invoices {
		o := of[integer(r["id"])]
		o.Invoices = append(o.Invoices, ERPInvoice{integer(r["id"]), text(r["state"]), number(r["amount_total"]), number(r["amount_residual"]),
			text(r["move_type"]) == "out_refund", text(r["ref"])})
	}
	return nil
}

// addReturns reads what is to come back of orders, or has: by return, and then by line of the order.
func (e *erp) addReturns(at map[int64]*ERPOrder, ids []any) error {
	moves, err := e.records("stock.move", []any{[]any{"picking_id.sale_id", "in", ids}, []any{"picking_id.picking_type_code", "=", "incoming"},
		[]any{"state", "!=", "cancel"}}, "picking_id", "sale_line_id", "product_uom_qty")
	if err != nil {
		return err
	}
	of := map[int64]map[int64]float64{}
	for _, r := range moves {
		picking := integer(r["picking_id"])
		if of[picking] == nil {
			of[picking] = map[int64]float64{}
		}
		of[picking][integer(r["sale_line_id"])] += number(r["product_uom_qty"])
	}
	for _, o := range at {
		o.Returns = map[int64]map[int64]float64{}
		for _, d := range o.Deliveries {
			if d.Return {
				o.Returns[d.ID] = of[d.ID]
			}
		}
	}
	return nil
}

// payments returns the payments whose memo begins with a prefix.
func (e *erp) payments(prefix string) ([]ERPPayment, error) {
	memo := "ref"
	if e.server.Major >= 18 {
		memo = "memo"
	}
	fields := []string{memo, "amount"}
	if e.warehouses != nil {
		fields = append(fields, "payment_type")
	}
	found, err := e.records("account.payment", []any{[]any{memo, "=like", prefix + "%"}}, fields...)
	if err != nil {
		return nil, err
	}
	payments := make([]ERPPayment, len(found))
	for i, r := range found {
		payments[i] = ERPPayment{text(r[memo]), number(r["amount"])}
		if text(r["payment_type"]) == "outbound" {
			payments[i].Amount = -payments[i].Amount
		}
	}
	return payments, nil
}

// keyOfMemo is the key that a caller gave as a payment's reference, or as the reason of a refund; the gateway writes its mark behind it,
// and Odoo the invoice's number before a reason.
func keyOfMemo(memo string) string {
	key, _, _ := strings.Cut(memo, " (og-")
	return key[strings.LastIndex(key, " ")+1:]
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
