package odoo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
	"ordergate/order"
)

// PlaceOrders creates those of the orders whose external id is absent, in as few calls as it can, each of which is atomic in
// Odoo, and says of each what became of it: the results are in the order of the orders. An existing order is not changed,
// whatever is given here. An order that ends Unknown may be placed again, until its outcome is certain.
func (c *Client) PlaceOrders(ctx context.Context, orders []NewOrder) []Loaded {
	b := c.newBatch("sale.order", len(orders))
	var sound []int
	for i := range orders {
		if err := orders[i].check(); err != nil {
			b.refuse(i, err)
			continue
		}
		sound = append(sound, i)
	}
	if len(sound) > 0 {
		s, err := c.sessionFor(ctx, b.method())
		for _, i := range sound {
			if err != nil {
				b.refuse(i, typed(err))
				continue
			}
			b.add(i, orders[i].table(s.dialect))
		}
	}
	return b.load(ctx)
}

// PlacedOrder returns the id of the order that has an external id, 0 if none has. It creates nothing, and finds the order
// also where PlaceOrders would not: Odoo 14 resolves the product and the partner before it looks at the external id, and
// refuses if one of them was archived since.
//
// A user who sells may not read external ids. So load is asked to create the order from nothing: it returns an
// existing one, and otherwise misses the customer.
func (c *Client) PlacedOrder(ctx context.Context, externalID string) (int64, error) {
	return c.withExternalID(ctx, "sale.order", externalID, "partner_id")
}

// withExternalID returns the id of the record that has an external id, 0 if none has. required is a field without which none can
// be created.
func (c *Client) withExternalID(ctx context.Context, model, externalID, required string) (int64, error) {
	b := c.newBatch(model, 1)
	if !isExternalID(externalID) {
		err := badExternalID("id", 0)
		err.Method = b.method()
		return 0, err
	}
	b.rpcContext = findOnly
	b.add(0, table{columns: []string{"id"}, rows: [][]string{{idPrefix + externalID}}})
	end := b.call(ctx, b.records)
	switch e := cmp.Or(end.err, end.refused[0]); {
	case e == nil:
		return end.ids[0], nil
	case e.Outcome == Rejected && e.Reason == BusinessRule && e.Field == required:
		return 0, nil
	default:
		return 0, e
	}
}

// OrderNamed is PlacedOrder for whoever only wants to know: PlacedOrder's attempt to create takes a quotation number from Odoo's
// sequence each time that there is no such order, and this takes nothing. An order that is hidden from the gateway's user is 0 too.
func (c *Client) OrderNamed(ctx context.Context, externalID string) (int64, error) {
	const method = "ir.model.data.check_object_reference"
	module, _ := strings.CutSuffix(idPrefix, ".")
	a, err := c.execute(ctx, "ir.model.data", "check_object_reference", []any{module, externalID}, nil)
	var f *fault
	if errors.As(err, &f) && strings.Contains(f.text, "External ID not found in the system: "+idPrefix+externalID) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	found, ok := a.value.([]any)
	if !ok || len(found) != 2 {
		return 0, badAnswer(fmt.Errorf("%s answered %.80v", method, a.value))
	}
	id, _ := found[1].(int64)
	if found[0] != "sale.order" {
		return 0, nil
	}
	return id, nil
}

// PlacedByGateway reports whether an order has an external id of a gateway; it has that from its creation on. False as well if
// there is no such order.
func (c *Client) PlacedByGateway(ctx context.Context, id int64) (bool, error) {
	// A user who sells may not read external ids, but is told the first one of a record; Odoo 14 tells it of one record a call.
	a, err := c.execute(ctx, "sale.order", "get_metadata", []any{[]any{id}}, nil)
	if err != nil {
		return false, err
	}
	list, err := records(a.value)
	if err != nil {
		named(err, "sale.order.get_metadata")
		return false, err
	}
	for i := range list {
		if strings.HasPrefix(list[i].text("xmlid"), idPrefix) {
			return true, nil
		}
	}
	return false, firstError("sale.order.get_metadata", list)
}

// check refuses what load would take for something else: an empty cell of price is 0 to it, not the price list's, and
// two records under one external id are one to it.
func (o *NewOrder) check() *Error {
	if len(o.Lines) == 0 {
		return &Error{Outcome: Rejected, Reason: BusinessRule, Row: -1, Message: "an order needs at least one line"}
	}
	if !isExternalID(o.ExternalID) {
		return badExternalID("id", 0)
	}
	taken := map[string]bool{o.ExternalID: true}
	for i, l := range o.Lines {
		if taken[l.ExternalID] || !isExternalID(l.ExternalID) {
			return badExternalID("order_line/id", i)
		}
		taken[l.ExternalID] = true
		if (l.UnitPrice == nil) != (o.Lines[0].UnitPrice == nil) {
			return &Error{Outcome: Rejected, Reason: BusinessRule, Field: "order_line/price_unit", Row: i,
				Message: "prices must be given on all lines or on none"}
		}
		if l.Discount != nil && l.UnitPrice == nil {
			return &Error{Outcome: Rejected, Reason: BusinessRule, Field: "order_line/discount", Row: i,
				Message: "a discount needs a price on the same line"}
		}
	}
	return nil
}

// table lays the order out for load. A column is there only if it is filled. A line without discount on an order that has
// some has the discount 0: its price is given, and so is the price to pay.
func (o *NewOrder) table(d dialect) table {
	t := table{columns: []string{"id", "partner_id/.id"}}
	own := []string{idPrefix + o.ExternalID, idCell(o.PartnerID)}
	add := func(column, cell string, filled bool) {
		if filled {
			t.columns, own = append(t.columns, column), append(own, cell)
		}
	}
	add("partner_shipping_id/.id", idCell(o.ShippingPartnerID), o.ShippingPartnerID != 0)
	add("client_order_ref", o.Reference, o.Reference != "")
	add("note", d.note(o.Note), o.Note != "")

	priced := o.Lines[0].UnitPrice != nil
	discounted := slices.ContainsFunc(o.Lines, func(l NewLine) bool { return l.Discount != nil })
	t.columns = append(t.columns, "order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty")
	if priced {
		t.columns = append(t.columns, "order_line/price_unit")
	}
	if discounted {
		t.columns = append(t.columns, "order_line/discount")
	}
	for i, l := range o.Lines {
		row := make([]string, len(own), len(t.columns))
		if i == 0 {
			copy(row, own)
		}
		row = append(row, idPrefix+l.ExternalID, idCell(l.ProductID), l.Quantity.String())
		if priced {
			row = append(row, l.UnitPrice.String())
		}
		if discounted {
			discount := decimal.Zero
			if l.Discount != nil {
				discount = *l.Discount
			}
			row = append(row, discount.String())
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// ConfirmOrders runs action_confirm on all of the orders or none. Its success or failure proves little (Odoo 14 confirms a
// confirmed order again, 19 refuses to): read the orders afterwards.
func (c *Client) ConfirmOrders(ctx context.Context, ids ...int64) error {
	_, err := c.execute(ctx, "sale.order", "action_confirm", []any{anySlice(ids)}, nil)
	return err
}

// CancelOrders runs action_cancel on all of the orders or none, and tells it to ask nothing: otherwise Odoo, depending on its version, may
// answer with a dialogue and do nothing. Its success or failure proves little: read the orders afterwards.
func (c *Client) CancelOrders(ctx context.Context, ids ...int64) error {
	_, err := c.execute(ctx, "sale.order", "action_cancel", []any{anySlice(ids)},
		map[string]any{"context": map[string]any{"disable_cancel_warning": true}})
	return err
}

// Orders reads orders with their lines and documents, by rising id; ids that do not exist or are not visible are left out.
// What changes between the calls that this takes is written after the answer that counts as the time of reading.
func (c *Client) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	return c.orders(ctx, ids, true)
}

// OrdersJustPlaced is Orders for those that were placed a moment ago: it costs Odoo less where most have no documents, and more where they do.
func (c *Client) OrdersJustPlaced(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	return c.orders(ctx, ids, false)
}

func (c *Client) orders(ctx context.Context, ids []int64, withDocuments bool) ([]order.Snapshot, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	s, err := c.sessionFor(ctx, "sale.order.read")
	if err != nil {
		return nil, err
	}
	var reads []orderRead
	nested := withDocuments && s.dialect.nestedDocuments
	read := func(models documentModels) error {
		found, err := c.readOrders(ctx, s.dialect, ids, models)
		if err != nil {
			return err
		}
		if reads, err = c.orderReads(ctx, s.dialect, found); err != nil {
			named(err, "sale.order.read")
			return err
		}
		if nested {
			return c.takeDocuments(ctx, models, found.orders, reads)
		}
		return nil
	}
	if withDocuments {
		err = c.withDocuments(ctx, read)
	} else {
		err = read(documentModels{})
	}
	if nested && isReason(err, AccessRights) { // one invoice that is hidden refuses all orders; see invoicesOf
		nested = false
		err = c.withDocuments(ctx, func(models documentModels) error { return read(documentModels{warehouses: models.warehouses}) })
	}
	if err == nil && !nested {
		err = c.addDocuments(ctx, reads)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(reads, func(a, b orderRead) int { return cmp.Compare(a.ID, b.ID) })
	tags, err := c.holdTagsAmong(ctx, reads)
	if err != nil {
		return nil, err
	}
	snapshots := make([]order.Snapshot, len(reads))
	for i, r := range reads {
		s := r.Snapshot
		standing := r.facts(tags).Standing()
		s.Status, s.Fulfilment, s.Payment = standing.Status, standing.Fulfilment, standing.Payment
		s.UpdatedAt = latest(latest(s.WriteDate, s.LinesWriteDate), s.DocumentsWriteDate)
		snapshots[i] = s
	}
	return snapshots, nil
}

// orderRead is an order on its way into a snapshot, with what only its standing derives from.
type orderRead struct {
	order.Snapshot
	tags      []int64
	delivered []string // how each line counts what was delivered
	stock     bool     // the ERP has deliveries; without, people enter what was delivered
}

func (r *orderRead) facts(tags holdTags) order.Facts {
	f := order.Facts{State: r.State, Deliveries: r.Deliveries, Invoices: r.Invoices, Lines: make([]order.LineFacts, len(r.Lines)),
		OnHold: tags.hold != 0 && slices.Contains(r.tags, tags.hold), Approved: tags.approved != 0 && slices.Contains(r.tags, tags.approved)}
	for i, l := range r.Lines {
		goods := r.delivered[i] == "stock_move" || !r.stock && r.delivered[i] == "manual"
		f.Lines[i] = order.LineFacts{Goods: goods, Quantity: l.Quantity, Delivered: l.Delivered, Invoiced: l.Invoiced}
	}
	return f
}

var orderFields = []string{
	"name", "state", "partner_id", "client_order_ref", "note", "currency_id",
	"amount_untaxed", "amount_tax", "amount_total", "date_order", "create_date", "write_date", "tag_ids",
	"partner_shipping_id", "partner_invoice_id",
}

func lineFields(d dialect) []string {
	return []string{
		"product_id", "name", d.lineUnit, "product_uom_qty", "price_unit", "discount",
		"price_subtotal", "price_tax", "price_total", "qty_delivered", "qty_invoiced", "qty_delivered_method", "write_date", "display_type",
	}
}

// readOrders are orders as they were read: the lines of each by the order's id.
type readOrders struct {
	orders []record
	lines  map[int64][]record
	answer answer // the one that the orders came with
}

// readOrders reads orders and lines, and of the models that there are what an order has of them.
func (c *Client) readOrders(ctx context.Context, d dialect, ids []int64, models documentModels) (readOrders, error) {
	fields := orderFields
	if models.warehouses {
		fields = append(slices.Clone(fields), "warehouse_id")
	}
	if d.webRead {
		return c.readOrdersAtOnce(ctx, d, ids, fields, models)
	}
	return c.readOrdersThenLines(ctx, d, ids, fields)
}

// unreadable reports whether a read failed for one of its records, which is not there any more or not for us to see. A
// search leaves such records out, but costs more.
func unreadable(err error) bool { return isReason(err, BusinessRule) || isReason(err, AccessRights) }

// readOrdersAtOnce reads orders, their lines, and, from Odoo 19 on, those of their documents that models has, under one snapshot of the database.
func (c *Client) readOrdersAtOnce(ctx context.Context, d dialect, ids []int64, fields []string, models documentModels) (readOrders, error) {
	specification := specificationOf(append([]string{"locked"}, fields...))
	specification["order_line"] = map[string]any{"fields": specificationOf(lineFields(d))}
	if d.nestedDocuments {
		nestDocuments(specification, models)
	}
	a, err := c.execute(ctx, "sale.order", "web_read", []any{anySlice(ids), specification}, nil)
	value := a.value
	if unreadable(err) {
		a, err = c.execute(ctx, "sale.order", "web_search_read", []any{},
			map[string]any{"domain": idsIn("id", ids), "specification": specification, "order": "id asc"})
		found, _ := a.value.(map[string]any)
		value = found["records"]
	}
	if err != nil {
		return readOrders{}, err
	}
	orders, err := records(value)
	if err != nil {
		named(err, "sale.order.web_read")
		return readOrders{}, err
	}
	read := readOrders{orders: orders, lines: make(map[int64][]record, len(orders)), answer: a}
	for i := range orders {
		read.lines[orders[i].id()] = orders[i].nested("order_line")
	}
	return read, firstError("sale.order.web_read", orders)
}

// specificationOf asks a web_read for plain values.
func specificationOf(fields []string) map[string]any {
	specification := make(map[string]any, len(fields))
	for _, f := range fields {
		specification[f] = map[string]any{}
	}
	return specification
}

// readOrdersThenLines reads orders and, knowing the ids, their lines. With ids and without the names of what is referred
// to, which Odoo would compute, two reads in turn are faster than two searches side by side. What changes between the two
// is written after the answer that counts as the time of reading, and so is read again by the next sync.
func (c *Client) readOrdersThenLines(ctx context.Context, d dialect, ids []int64, fields []string) (readOrders, error) {
	orders, a, err := c.readRaw(ctx, "sale.order", ids, append(slices.Clone(fields), "order_line"))
	if unreadable(err) {
		ids, err = c.search(ctx, "sale.order", idsIn("id", ids), len(ids))
		if err != nil {
			return readOrders{}, err
		}
		orders, a, err = c.readRaw(ctx, "sale.order", ids, append(slices.Clone(fields), "order_line"))
	}
	if err != nil {
		return readOrders{}, err
	}
	var lineIDs []int64
	for i := range orders {
		of, err := idList(orders[i].values["order_line"])
		if err != nil {
			named(err, "sale.order.read")
			return readOrders{}, err
		}
		lineIDs = append(lineIDs, of...)
	}
	read := readOrders{orders: orders, lines: make(map[int64][]record, len(orders)), answer: a}
	if len(lineIDs) == 0 {
		return read, nil
	}
	lines, _, err := c.readRaw(ctx, "sale.order.line", lineIDs, append(lineFields(d), "order_id"))
	if err != nil {
		return readOrders{}, err
	}
	for _, l := range lines {
		id := l.refID("order_id")
		if l.err != nil {
			named(l.err, "sale.order.line.read")
			return readOrders{}, l.err
		}
		read.lines[id] = append(read.lines[id], l)
	}
	return read, nil
}

func (c *Client) orderReads(ctx context.Context, d dialect, read readOrders) ([]orderRead, error) {
	reads := make([]orderRead, 0, len(read.orders))
	for i := range read.orders {
		r := &read.orders[i]
		s := orderRead{Snapshot: order.Snapshot{
			Order: order.Order{
				ID:            r.id(),
				Number:        r.text("name"),
				Customer:      order.Party{ERPPartnerID: r.refID("partner_id")},
				ShipTo:        r.refID("partner_shipping_id"),
				BillTo:        r.refID("partner_invoice_id"),
				Reference:     r.text("client_order_ref"),
				Note:          d.plainNote(r.text("note")),
				AmountUntaxed: r.number("amount_untaxed"),
				AmountTax:     r.number("amount_tax"),
				AmountTotal:   r.number("amount_total"),
				OrderedAt:     r.moment("date_order"),
				CreatedAt:     r.moment("create_date"),
			},
			WriteDate: r.moment("write_date"),
			ReadAt:    read.answer.asOf(),
		}}
		state, locked, currencyID := r.text("state"), d.locked && r.flag("locked"), r.refID("currency_id")
		s.tags = r.ids("tag_ids")
		if _, read := r.values["warehouse_id"]; read {
			s.Warehouse = r.refID("warehouse_id")
		}
		if r.err != nil {
			return nil, r.err
		}
		var err error
		if s.State, err = d.state(state, locked); err != nil {
			return nil, badAnswer(err)
		}
		currency, err := c.currencyOf(ctx, currencyID)
		if err != nil {
			return nil, err
		}
		s.Currency, s.CurrencyDecimals = currency.name, currency.decimals
		err = c.addLines(ctx, &s, d, read.lines[s.ID])
		if err != nil {
			return nil, err
		}
		reads = append(reads, s)
	}
	return reads, nil
}

// addLines fills in the product lines. Sections and notes are not lines, but their write_date counts, as in LineHeads.
func (c *Client) addLines(ctx context.Context, s *orderRead, d dialect, lines []record) error {
	for i := range lines {
		r := &lines[i]
		l := order.Line{
			ERPLineID:    r.id(),
			ERPProductID: r.refID("product_id"),
			Name:         r.text("name"),
			Quantity:     r.number("product_uom_qty"),
			UnitPrice:    r.number("price_unit"),
			Discount:     r.number("discount"),
			Subtotal:     r.number("price_subtotal"),
			Tax:          r.number("price_tax"),
			Total:        r.number("price_total"),
			Delivered:    r.number("qty_delivered"),
			Invoiced:     r.number("qty_invoiced"),
		}
		written, display, unitID := r.moment("write_date"), r.text("display_type"), r.refID(d.lineUnit)
		method := r.text("qty_delivered_method")
		if r.err != nil {
			return r.err
		}
		unit, err := c.unitOf(ctx, unitID)
		if err != nil {
			return err
		}
		l.UnitOfMeasure, l.UnitID = string(unit), unitID
		s.LinesWriteDate = latest(s.LinesWriteDate, written)
		if display == "" {
			s.Lines, s.delivered = append(s.Lines, l), append(s.delivered, method)
		}
	}
	return nil
}

// OrderHeads lists orders written since; LinesWriteDate and ReadAt are not set.
func (c *Client) OrderHeads(ctx context.Context, page Page) ([]order.Head, error) {
	list, _, err := c.searchRead(ctx, query{model: "sale.order", domain: pageDomain(page, writtenSince),
		fields: []string{"write_date"}, limit: page.Limit})
	if err != nil {
		return nil, err
	}
	heads := make([]order.Head, len(list))
	for i := range list {
		heads[i] = order.Head{ID: list[i].id(), WriteDate: list[i].moment("write_date")}
	}
	return heads, firstError("sale.order.search_read", list)
}

// LineHeads lists order lines written since.
func (c *Client) LineHeads(ctx context.Context, page Page) ([]LineHead, error) {
	list, _, err := c.searchRead(ctx, query{model: "sale.order.line", domain: pageDomain(page, writtenSince),
		fields: []string{"order_id", "write_date"}, limit: page.Limit})
	if err != nil {
		return nil, err
	}
	heads := make([]LineHead, len(list))
	for i := range list {
		heads[i] = LineHead{ID: list[i].id(), OrderID: list[i].refID("order_id"), WriteDate: list[i].moment("write_date")}
	}
	return heads, firstError("sale.order.line.search_read", list)
}

// CountOrders counts the orders of a range of ids.
func (c *Client) CountOrders(ctx context.Context, r order.IDRange) (int64, error) {
	a, err := c.execute(ctx, "sale.order", "search_count", []any{inRange(r)}, nil)
	if err != nil {
		return 0, err
	}
	return countOf(a.value, "sale.order.search_count")
}

// ExistingOrders returns those of the ids that orders have, by rising id.
func (c *Client) ExistingOrders(ctx context.Context, ids []int64) ([]int64, error) {
	return c.search(ctx, "sale.order", idsIn("id", ids), len(ids))
}

// OrdersOf returns the ids of a partner's latest orders, up to limit, by rising id.
func (c *Client) OrdersOf(ctx context.Context, partnerID int64, limit int) ([]int64, error) {
	a, err := c.execute(ctx, "sale.order", "search", []any{domain{condition("partner_id", "=", partnerID)}},
		map[string]any{"order": "id desc", "limit": limit})
	if err != nil {
		return nil, err
	}
	ids, err := idList(a.value)
	if err != nil {
		named(err, "sale.order.search")
		return nil, err
	}
	slices.Sort(ids)
	return ids, nil
}

// maxFound bounds what FindOrders returns.
const maxFound = 1000

// FindOrders returns the ids of the orders that have this number (name), or, if it is empty, this reference: at most
// 1000, by rising id.
func (c *Client) FindOrders(ctx context.Context, number, reference string) ([]int64, error) {
	if number != "" {
		return c.search(ctx, "sale.order", domain{condition("name", "=", number)}, maxFound)
	}
	return c.search(ctx, "sale.order", domain{condition("client_order_ref", "=", reference)}, maxFound)
}
