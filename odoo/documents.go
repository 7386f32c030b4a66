package odoo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ordergate/order"
)

// documentModels are the models of documents that an Odoo has and that the gateway's user may read: they come with other
// applications, or not at all.
type documentModels struct {
	stock      bool // orders can have deliveries, whoever may read them
	deliveries bool
	carriers   bool // of deliveries
	accounting bool // orders can have invoices, whoever may read them
	invoices   bool
	warehouses bool // orders have one: a stand-in may know deliveries alone
}

// withDocuments does work that reads documents, as withModels does.
func (c *Client) withDocuments(ctx context.Context, work func(documentModels) error) error {
	return withModels(ctx, &c.documents, c.documentModels, work)
}

// hasDocuments reports whether orders can have documents of a kind; it is an error with reason AccessRights if they can, and the gateway's user
// may not read them.
func (c *Client) hasDocuments(ctx context.Context, kind order.DocumentKind) (bool, error) {
	models, err := c.documentModels(ctx)
	switch {
	case err != nil:
		return false, err
	case kind == order.Deliveries && models.stock && !models.deliveries:
		return false, notSent(AccessRights, "You are not allowed to read 'Transfer' (stock.picking) records. Groups that may: Inventory/User.", nil)
	case kind == order.Invoices && models.accounting && !models.invoices:
		return false, notSent(AccessRights, "You are not allowed to read 'Journal Entry' (account.move) records. Groups that may: Invoicing/Billing.", nil)
	}
	return models.ofKind(kind), nil
}

// documentModels are those that orders can have.
func (c *Client) documentModels(ctx context.Context) (documentModels, error) {
	s, err := c.sessionFor(ctx, "sale.order.fields_get")
	if err != nil {
		return documentModels{}, err
	}
	return c.documents.get(s, c.wire.clock(), func() (documentModels, error) { return c.askDocumentModels(ctx, s) })
}

func (c *Client) askDocumentModels(ctx context.Context, s *session) (documentModels, error) {
	ofOrders, err := c.fields(ctx, "sale.order", "picking_ids", "invoice_ids", "warehouse_id")
	if err != nil {
		return documentModels{}, err
	}
	models := documentModels{stock: ofOrders["picking_ids"], deliveries: ofOrders["picking_ids"], accounting: ofOrders["invoice_ids"], invoices: ofOrders["invoice_ids"],
		warehouses: ofOrders["warehouse_id"]}
	if models.deliveries {
		if models.deliveries, err = c.mayRead(ctx, s.dialect, "stock.picking"); err != nil {
			return documentModels{}, err
		}
	}
	if models.deliveries {
		ofDeliveries, err := c.fields(ctx, "stock.picking", "carrier_id", "carrier_tracking_ref")
		if err != nil {
			return documentModels{}, err
		}
		models.carriers = ofDeliveries["carrier_id"] && ofDeliveries["carrier_tracking_ref"]
	}
	if models.invoices {
		if models.invoices, err = c.mayRead(ctx, s.dialect, "account.move"); err != nil {
			return documentModels{}, err
		}
	}
	if models.invoices { // what an order's invoices are is told by their lines
		if models.invoices, err = c.mayRead(ctx, s.dialect, "account.move.line"); err != nil {
			return documentModels{}, err
		}
	}
	return models, nil
}

// fields reports which of the fields a model has.
func (c *Client) fields(ctx context.Context, model string, names ...string) (map[string]bool, error) {
	a, err := c.execute(ctx, model, "fields_get", []any{anySlice(names)}, map[string]any{"attributes": []any{"type"}})
	if err != nil {
		return nil, err
	}
	found, ok := a.value.(map[string]any)
	if !ok {
		err := badAnswer(fmt.Errorf("%T instead of fields", a.value))
		named(err, model+".fields_get")
		return nil, err
	}
	has := make(map[string]bool, len(names))
	for _, name := range names {
		_, has[name] = found[name]
	}
	return has, nil
}

func (c *Client) mayRead(ctx context.Context, d dialect, model string) (bool, error) {
	method, args, kwargs := d.accessCheck("read")
	a, err := c.execute(ctx, model, method, args, kwargs)
	if err != nil {
		return false, err
	}
	allowed, _ := a.value.(bool)
	return allowed, nil
}

// addDocuments asks for the deliveries and invoices of those orders that can have some, and fills them in: what was never confirmed
// has none, and that is most of what is read right after it was placed.
func (c *Client) addDocuments(ctx context.Context, reads []orderRead) error {
	byID := documented(reads)
	if len(byID) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(byID))
	return c.withDocuments(ctx, func(models documentModels) error {
		for _, s := range byID {
			s.Deliveries, s.Invoices, s.DocumentsWriteDate = nil, nil, time.Time{}
			s.readWith(models)
		}
		if models.deliveries {
			list, _, err := c.searchRead(ctx, query{model: "stock.picking", domain: idsIn("sale_id", ids), fields: deliveryFields(models)})
			if err != nil {
				return err
			}
			if err := c.addDeliveries(ctx, models, list, byID); err != nil {
				return err
			}
		}
		if !models.invoices {
			return nil
		}
		of, hidden, err := c.invoicesOf(ctx, ids)
		for _, id := range hidden {
			byID[id].AllInvoices = false
		}
		if err != nil || len(of) == 0 {
			return err
		}
		wanted := slices.Compact(slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(of))...))))
		list, _, err := c.searchRead(ctx, query{model: "account.move", domain: idsIn("id", wanted), fields: invoiceFields})
		if err != nil {
			return err
		}
		return c.addInvoices(ctx, list, of, byID)
	})
}

// documented are those of the orders that are read with their documents, by id.
func documented(reads []orderRead) map[int64]*orderRead {
	byID := map[int64]*orderRead{}
	for i := range reads {
		if reads[i].isDocumented() {
			byID[reads[i].ID] = &reads[i]
		}
	}
	return byID
}

// nestDocuments asks for the documents of orders in the specification of a web_read, by rising id and not as Odoo's lists have them.
func nestDocuments(specification map[string]any, models documentModels) {
	if models.deliveries {
		fields := specificationOf(deliveryFields(models))
		if models.carriers {
			fields["carrier_id"] = map[string]any{"fields": specificationOf([]string{"display_name"})}
		}
		specification["picking_ids"] = map[string]any{"fields": fields, "order": "id"}
	}
	if models.invoices {
		specification["invoice_ids"] = map[string]any{"fields": specificationOf(invoiceFields), "order": "id"}
	}
}

// takeDocuments fills in the documents that were read with the orders.
func (c *Client) takeDocuments(ctx context.Context, models documentModels, found []record, reads []orderRead) error {
	byID := documented(reads)
	var deliveries, invoices []record
	of := map[int64][]int64{}
	for i := range found {
		r := &found[i]
		s := byID[r.id()]
		if s == nil {
			continue
		}
		s.readWith(models)
		if models.deliveries {
			deliveries = append(deliveries, r.nested("picking_ids")...)
		}
		if models.invoices {
			for _, invoice := range r.nested("invoice_ids") {
				invoices = append(invoices, invoice)
				of[s.ID] = append(of[s.ID], invoice.id())
			}
		}
	}
	if err := firstError("sale.order.web_read", found); err != nil {
		return err
	}
	if err := c.addDeliveries(ctx, models, deliveries, byID); err != nil {
		return err
	}
	return c.addInvoices(ctx, invoices, of, byID)
}

// isDocumented reports whether the order is read with its documents.
func (r *orderRead) isDocumented() bool {
	return slices.Contains(documentedStates, any(string(r.State)))
}

// readWith notes which documents the order is read with.
func (r *orderRead) readWith(models documentModels) {
	r.stock, r.AllDeliveries, r.AllInvoices = models.stock, models.deliveries, models.invoices
}

func deliveryFields(models documentModels) []string {
	fields := []string{"name", "state", "sale_id", "picking_type_code", "location_id", "location_dest_id", "scheduled_date", "date_done",
		"backorder_id", "write_date"}
	if models.carriers {
		fields = append(fields, "carrier_id", "carrier_tracking_ref")
	}
	return fields
}

func (c *Client) addDeliveries(ctx context.Context, models documentModels, list []record, byID map[int64]*orderRead) error {
	var places []int64
	for i := range list {
		places = append(places, list[i].refID("location_id"), list[i].refID("location_dest_id"))
	}
	usage, err := c.locationUsages(ctx, places)
	if err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		d := order.Delivery{
			ID: r.id(), Number: r.text("name"), State: deliveryState(r.text("state")), BackorderOf: r.refID("backorder_id"),
			Kind:        deliveryKind(r.text("picking_type_code"), usage[r.refID("location_id")], usage[r.refID("location_dest_id")]),
			ScheduledAt: r.moment("scheduled_date"), DoneAt: r.moment("date_done"),
		}
		if models.carriers {
			d.Carrier, d.Tracking = r.refName("carrier_id"), r.text("carrier_tracking_ref")
		}
		if s := byID[r.refID("sale_id")]; s != nil && r.err == nil {
			s.Deliveries = append(s.Deliveries, d)
			s.DocumentsWriteDate = latest(s.DocumentsWriteDate, r.moment("write_date"))
		}
	}
	return firstError("stock.picking.read", list)
}

func deliveryState(state string) order.DocumentState {
	switch state {
	case "assigned":
		return order.Ready
	case "done":
		return order.DocumentDelivered
	case "cancel":
		return order.DocumentCancelled
	}
	return order.Waiting // draft, waiting, confirmed
}

// deliveryKind goes by the usages of the places where a transfer begins and ends: its type does not tell a return from what a
// supplier sends, or, on Odoo 14, from what that sends straight to the customer. Between companies the type decides.
func deliveryKind(code, from, to string) order.DeliveryKind {
	const customer, supplier = "customer", "supplier"
	switch {
	case from == customer:
		return order.DeliveryReturn
	case to == customer:
		return order.DeliveryOutgoing
	case from == supplier, to == supplier:
		return order.DeliveryReceipt
	case code == "outgoing":
		return order.DeliveryOutgoing
	case code == "incoming":
		return order.DeliveryReturn
	}
	return order.DeliveryStep
}

var invoiceFields = []string{"name", "state", "move_type", "payment_state", "currency_id", "amount_total", "amount_residual",
	"invoice_date", "invoice_date_due", "write_date"}

// addInvoices fills in invoices that were read; of are the ids of those of each order; one that is not in the list
// was deleted between the two calls.
func (c *Client) addInvoices(ctx context.Context, list []record, of map[int64][]int64, byID map[int64]*orderRead) error {
	invoices := make(map[int64]order.Invoice, len(list))
	written := make(map[int64]time.Time, len(list))
	for i := range list {
		r := &list[i]
		id, currencyID := r.id(), r.refID("currency_id")
		invoices[id] = order.Invoice{
			ID: id, Number: invoiceNumber(r.text("name")), State: invoiceState(r.text("state")),
			CreditNote: r.text("move_type") == "out_refund", Payment: cmp.Or(r.text("payment_state"), "not_paid"),
			AmountTotal: r.number("amount_total").Abs(), AmountDue: r.number("amount_residual").Abs(),
			IssuedOn: r.text("invoice_date"), DueOn: r.text("invoice_date_due"),
		}
		written[id] = r.moment("write_date")
		if r.err != nil {
			continue
		}
		money, err := c.currencyOf(ctx, currencyID)
		if err != nil {
			return err
		}
		in := invoices[id]
		in.Currency = money.name
		invoices[id] = in
	}
	for orderID, ids := range of {
		for _, id := range slices.Sorted(slices.Values(ids)) {
			if in, visible := invoices[id]; visible {
				s := byID[orderID]
				s.Invoices = append(s.Invoices, in)
				s.DocumentsWriteDate = latest(s.DocumentsWriteDate, written[id])
			}
		}
	}
	return firstError("account.move.read", list)
}

// invoiceNumber is empty until an invoice has one: a draft is called "/", or, on Odoo 14, by what it may become.
func invoiceNumber(name string) string {
	if name == "/" {
		return ""
	}
	return name
}

func invoiceState(state string) order.DocumentState {
	switch state {
	case "posted":
		return order.Posted
	case "cancel":
		return order.DocumentCancelled
	}
	return order.Open
}

// invoicesOf returns the ids of the invoices of orders, by order. hidden are the orders with an invoice that a record rule hides from the
// gateway's user, though not its lines: Odoo tells none of theirs, and nothing of the orders that are asked for with them.
func (c *Client) invoicesOf(ctx context.Context, ids []int64) (of map[int64][]int64, hidden []int64, err error) {
	list, _, err := c.searchRead(ctx, query{model: "sale.order", domain: idsIn("id", ids), fields: []string{"invoice_ids"}})
	if isReason(err, AccessRights) {
		return c.visibleInvoices(ctx, ids)
	}
	if err != nil {
		return nil, nil, err
	}
	of = make(map[int64][]int64, len(list))
	for i := range list {
		invoices, err := idList(list[i].values["invoice_ids"])
		if err != nil {
			named(err, "sale.order.search_read")
			return nil, nil, err
		}
		if len(invoices) > 0 {
			of[list[i].id()] = invoices
		}
	}
	return of, nil, firstError("sale.order.search_read", list)
}

// visibleInvoices is invoicesOf by the lines of invoices: three calls, however many are hidden. Orders with a hidden one are not in of.
func (c *Client) visibleInvoices(ctx context.Context, ids []int64) (of map[int64][]int64, hidden []int64, err error) {
	orderLines, _, err := c.searchRead(ctx, query{model: "sale.order.line", domain: idsIn("order_id", ids), fields: []string{"order_id"}})
	if err != nil {
		return nil, nil, err
	}
	orderOf := make(map[int64]int64, len(orderLines))
	for i := range orderLines {
		orderOf[orderLines[i].id()] = orderLines[i].refID("order_id")
	}
	lines, _, err := c.searchRead(ctx, query{model: "account.move.line", domain: idsIn("sale_line_ids.order_id", ids),
		fields: []string{"move_id", "sale_line_ids"}})
	if err != nil {
		return nil, nil, err
	}
	var moves []int64
	for i := range lines {
		moves = append(moves, lines[i].refID("move_id"))
	}
	visible, _, err := c.searchRead(ctx, query{model: "account.move", domain: idsIn("id", slices.Compact(slices.Sorted(slices.Values(moves)))),
		fields: []string{"move_type"}})
	if err != nil {
		return nil, nil, err
	}
	kinds := make(map[int64]string, len(visible))
	for i := range visible {
		kinds[visible[i].id()] = visible[i].text("move_type")
	}
	found, hides := map[int64]map[int64]bool{}, map[int64]bool{}
	for i := range lines {
		move := lines[i].refID("move_id")
		for _, line := range lines[i].ids("sale_line_ids") {
			orderID, ours := orderOf[line]
			if !ours {
				continue
			}
			switch kind, seen := kinds[move]; {
			case !seen:
				hides[orderID] = true
			case kind == "out_invoice" || kind == "out_refund":
				if found[orderID] == nil {
					found[orderID] = map[int64]bool{}
				}
				found[orderID][move] = true
			}
		}
	}
	of = make(map[int64][]int64, len(found))
	for orderID, moves := range found {
		if !hides[orderID] {
			of[orderID] = slices.Sorted(maps.Keys(moves))
		}
	}
	return of, slices.Sorted(maps.Keys(hides)), cmp.Or(firstError("sale.order.line.search_read", orderLines),
		firstError("account.move.line.search_read", lines), firstError("account.move.search_read", visible))
}

// DeliveryHeads lists deliveries written since, of orders; none where Odoo has no deliveries.
func (c *Client) DeliveryHeads(ctx context.Context, page Page) (heads []DocumentHead, err error) {
	err = c.withDocuments(ctx, func(models documentModels) (err error) {
		heads = nil
		if models.deliveries {
			heads, err = c.deliveryHeads(ctx, page)
		}
		return err
	})
	return heads, err
}

func (c *Client) deliveryHeads(ctx context.Context, page Page) ([]DocumentHead, error) {
	list, _, err := c.searchRead(ctx, query{model: "stock.picking",
		domain: append(pageDomain(page, writtenSince), condition("sale_id", "!=", false)),
		fields: []string{"sale_id", "write_date"}, limit: page.Limit})
	if err != nil {
		return nil, err
	}
	heads := make([]DocumentHead, len(list))
	for i := range list {
		heads[i] = DocumentHead{ID: list[i].id(), OrderIDs: []int64{list[i].refID("sale_id")}, WriteDate: list[i].moment("write_date")}
	}
	return heads, firstError("stock.picking.search_read", list)
}

// InvoiceHeads lists invoices and credit notes written since, with the orders that they are for; none where Odoo has no
// invoices. Those of no order are listed too, because a page that is not full is the last one.
func (c *Client) InvoiceHeads(ctx context.Context, page Page) (heads []DocumentHead, err error) {
	err = c.withDocuments(ctx, func(models documentModels) (err error) {
		heads = nil
		if models.invoices {
			heads, err = c.invoiceHeads(ctx, page)
		}
		return err
	})
	return heads, err
}

func (c *Client) invoiceHeads(ctx context.Context, page Page) ([]DocumentHead, error) {
	list, _, err := c.searchRead(ctx, query{model: "account.move",
		domain: append(pageDomain(page, writtenSince), condition("move_type", "in", []any{"out_invoice", "out_refund"})),
		fields: []string{"write_date"}, limit: page.Limit})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	heads := make([]DocumentHead, len(list))
	position := make(map[int64]int, len(list))
	ids := make([]int64, len(list))
	for i := range list {
		heads[i] = DocumentHead{ID: list[i].id(), WriteDate: list[i].moment("write_date")}
		ids[i], position[heads[i].ID] = heads[i].ID, i
	}
	if err := firstError("account.move.search_read", list); err != nil {
		return nil, err
	}
	orders, err := c.search(ctx, "sale.order", idsIn("invoice_ids", ids), 0)
	if err != nil || len(orders) == 0 {
		return heads, err
	}
	of, _, err := c.invoicesOf(ctx, orders) // what is hidden is not shown, and need not be read again
	if err != nil {
		return nil, err
	}
	for _, orderID := range slices.Sorted(maps.Keys(of)) {
		for _, invoice := range of[orderID] {
			if i, changed := position[invoice]; changed {
				heads[i].OrderIDs = append(heads[i].OrderIDs, orderID)
			}
		}
	}
	return heads, nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
