package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	actionRounds = 25
	actionFactor = 1.3
)

// errNothingMade is what a direct client fails with that does not find what it just made.
var errNothingMade = errors.New("odoo made nothing")

// bareLife is an order that the direct client acts on, as it was read last.
type bareLife struct {
	*bareOdoo
	id         int64
	hold       int64   // the tag
	lines      []int64 // of the order
	deliveries []int64
	invoice    int64
	journal    int64 // of the invoice
}

// deed is an action as the gateway offers it, beside the calls that it takes.
type deed struct {
	name   string
	method string // POST if empty
	path   func(o actedOrder) (path string, body any)
	bare   func(b *bareLife) error // what lies between reading the order before and after
}

// actedOrder is what the gateway answers an action with, as far as the next one needs it.
type actedOrder struct {
	ID    int64
	Total string `json:"amount_total"`
	Lines []struct {
		ID int64 `json:"erp_line_id"`
	}
	Deliveries []struct {
		ID int64
	}
	Invoices []struct {
		ID int64
	}
}

func at(path string, body any) func(actedOrder) (string, any) {
	return func(actedOrder) (string, any) { return path, body }
}

// onePiece asks for one piece of the first line.
func onePiece(path string) func(actedOrder) (string, any) {
	return func(o actedOrder) (string, any) {
		return path, map[string]any{"lines": []any{map[string]any{"erp_line_id": o.Lines[0].ID, "quantity": "1"}}}
	}
}

// fullLife and cutLife are done with one order after the other; no order can have both.
var (
	fullLife = []deed{
		{name: "assign", path: at("/warehouse", map[string]any{"warehouse": mainWarehouse}), bare: (*bareLife).assign},
		{name: "change", method: http.MethodPatch, bare: (*bareLife).change, path: func(o actedOrder) (string, any) {
			return "", map[string]any{"lines": []any{map[string]any{"erp_line_id": o.Lines[0].ID, "quantity": "3"}}}
		}},
		{name: "hold", path: at("/hold", map[string]any{}), bare: func(b *bareLife) error {
			return b.on("sale.order", "write", b.id, map[string]any{"tag_ids": []any{[]any{4, b.hold, 0}}})
		}},
		{name: "approve", path: at("/approve", nil), bare: func(b *bareLife) error {
			if err := b.on("sale.order", "write", b.id, map[string]any{"tag_ids": []any{[]any{3, b.hold, 0}}}); err != nil {
				return err
			}
			return b.on("sale.order", "action_confirm", b.id)
		}},
		{name: "release", method: http.MethodDelete, path: at("/allocations", nil), bare: func(b *bareLife) error { return b.allocate("do_unreserve") }},
		{name: "reserve", path: at("/allocations", nil), bare: func(b *bareLife) error { return b.allocate("action_assign") }},
		{name: "fulfil", path: at("/fulfilments", map[string]any{}), bare: func(b *bareLife) error { return b.deliver(b.deliveries[0]) }},
		{name: "invoice", path: at("/invoices", nil), bare: (*bareLife).bill},
		{name: "pay", path: func(o actedOrder) (string, any) {
			return fmt.Sprintf("/invoices/%d/payments", o.Invoices[0].ID), map[string]any{"amount": o.Total}
		}, bare: (*bareLife).pay},
		{name: "return", path: onePiece("/returns"), bare: (*bareLife).giveBack},
		{name: "receive", path: func(o actedOrder) (string, any) {
			return fmt.Sprintf("/returns/%d/receive", o.Deliveries[len(o.Deliveries)-1].ID), nil
		}, bare: func(b *bareLife) error { return b.deliver(b.deliveries[len(b.deliveries)-1]) }},
		{name: "refund", path: onePiece("/refunds"), bare: (*bareLife).refund},
	}
	cutLife = []deed{
		{name: "confirm", path: at("/confirm", nil), bare: func(b *bareLife) error { return b.on("sale.order", "action_confirm", b.id) }},
		{name: "cancel", path: at("/cancel", map[string]any{}), bare: func(b *bareLife) error { return b.on("sale.order", "action_cancel", b.id) }},
	}
)

// mainWarehouse is the code of a warehouse of Odoo's demo data.
const mainWarehouse = "WH"

// measureActions takes orders through their lives, one action through the gateway and the same on another order by the calls that it needs:
// the order and its documents are read before and after.
func measureActions(s *stage, r *report) error {
	g, err := s.start("ORDERGATE_FRESHNESS=1h", "ORDERGATE_SYNC_INTERVAL=1h")
	if err != nil {
		return err
	}
	defer g.stop()
	if err := g.waitUntilSynced(s.key); err != nil {
		return err
	}
	ours, bare := map[string][]time.Duration{}, map[string][]time.Duration{}
	for i := range warmUps + actionRounds {
		if i == warmUps { // what was measured so far does not count
			clear(ours)
			clear(bare)
		}
		for n, life := range [][]deed{fullLife, cutLife} {
			if err := s.liveTwice(g, fmt.Sprintf("%s-life-%d-%d", s.name, i, n), life, i%2 == 0, ours, bare); err != nil {
				return err
			}
		}
	}
	for _, d := range append(append([]deed{}, fullLife...), cutLife...) {
		r.atMost(actionFactor, fmt.Sprintf("%s an order / the calls that it needs, p50", d.name), median(ours[d.name]), median(bare[d.name]))
	}
	return nil
}

// liveTwice takes one order through a life by the gateway, and another one by hand, action by action.
func (s *stage) liveTwice(g *gateway, reference string, life []deed, bareFirst bool, ours, bare map[string][]time.Duration) error {
	o, err := g.placed(reference)
	if err != nil {
		return err
	}
	created, err := s.odoo.create(reference+"-bare", 0)
	if err != nil {
		return err
	}
	id, ok := created.(int64)
	if !ok {
		return fmt.Errorf("create answered %T", created)
	}
	b := &bareLife{bareOdoo: s.odoo, id: id}
	for _, d := range life {
		byGateway := func() error {
			began := time.Now()
			o, err = g.act(o, d, reference)
			ours[d.name] = append(ours[d.name], time.Since(began))
			return err
		}
		byHand := func() error {
			if err := b.findTag(d); err != nil {
				return err
			}
			began := time.Now()
			err := errors.Join(b.read(), d.bare(b), b.read())
			bare[d.name] = append(bare[d.name], time.Since(began))
			return err
		}
		turns := []func() error{byGateway, byHand}
		if bareFirst && d.name != "hold" { // the gateway makes the tag
			turns = []func() error{byHand, byGateway}
		}
		for _, turn := range turns {
			if err := turn(); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
		}
	}
	return nil
}

// placed places an order of two lines, and returns it.
func (g *gateway) placed(reference string) (actedOrder, error) {
	body := fmt.Sprintf(`{"customer":{"ref":"bench-acting","name":"Benchmark"},"reference":%q,"lines":[{"sku":%q,"quantity":"2"},{"sku":%q,"quantity":"1"}]}`,
		reference, skus[0], skus[1])
	return g.send(http.MethodPost, "/v1/orders", reference, body, http.StatusCreated)
}

// act carries out an action, and returns the order as it then stands.
func (g *gateway) act(o actedOrder, d deed, reference string) (actedOrder, error) {
	path, content := d.path(o)
	body := ""
	if content != nil {
		encoded, err := json.Marshal(content)
		if err != nil {
			return o, err
		}
		body = string(encoded)
	}
	return g.send(cmp.Or(d.method, http.MethodPost), fmt.Sprintf("/v1/orders/%d%s", o.ID, path), reference+"-"+d.name, body, http.StatusOK)
}

func (g *gateway) send(method, path, key, body string, want int) (o actedOrder, err error) {
	request, err := http.NewRequest(method, g.base+path, strings.NewReader(body))
	if err != nil {
		return o, err
	}
	request.Header.Set("Authorization", "Bearer "+g.key)
	request.Header.Set("Idempotency-Key", key)
	if method == http.MethodPatch {
		request.Header.Set("If-Match", "*")
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := g.client.Do(request)
	if err != nil {
		return o, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != want {
		err = fmt.Errorf("%s was answered with status %d: %s", path, response.StatusCode, bytes.TrimSpace(answer))
	}
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(answer, &o)
}

// on calls a method of one record. That Odoo cannot put its answer into XML says nothing: it has committed.
func (o *bareOdoo) on(model, method string, id int64, args ...any) error {
	_, err := o.execute(model, method, append([]any{[]any{id}}, args...), nil)
	return unlessMarshalling(err)
}

func unlessMarshalling(err error) error {
	if err != nil && strings.Contains(err.Error(), "cannot marshal None") {
		return nil
	}
	return err
}

// findTag looks up the tag of orders on hold, before any time is taken.
func (b *bareLife) findTag(d deed) error {
	if b.hold != 0 || d.name != "hold" {
		return nil
	}
	ids, err := b.ids("crm.tag", "name", "On hold")
	if err != nil || len(ids) == 0 {
		return errors.Join(err, errors.New("there is no tag of orders on hold"))
	}
	b.hold = ids[0]
	return nil
}

func (b *bareLife) ids(model, field string, value any) ([]int64, error) {
	answer, err := b.execute(model, "search", []any{[]any{[]any{field, "=", value}}}, nil)
	if err != nil {
		return nil, err
	}
	list, _ := answer.([]any)
	ids := make([]int64, len(list))
	for i, id := range list {
		ids[i], _ = id.(int64)
	}
	return ids, nil
}

// read reads the order with its lines and its documents, all in one call.
func (b *bareLife) read() error {
	plain := func(fields ...any) map[string]any {
		specification := map[string]any{}
		for _, field := range fields {
			specification[field.(string)] = map[string]any{}
		}
		return specification
	}
	whole := plain(orderFields...)
	for field, fields := range map[string]map[string]any{
		"order_line":  plain(append([]any{"qty_delivered", "qty_invoiced"}, lineFields...)...),
		"picking_ids": plain("name", "state", "date_done", "scheduled_date", "backorder_id", "carrier_tracking_ref"),
		"invoice_ids": plain("name", "state", "payment_state", "amount_total", "amount_residual", "invoice_date", "invoice_date_due", "journal_id"),
	} {
		whole[field] = map[string]any{"fields": fields, "order": "id"}
	}
	answer, err := b.execute("sale.order", "web_read", []any{[]any{b.id}}, map[string]any{"specification": whole})
	if err != nil {
		return err
	}
	orders := recordsOf(answer)
	if len(orders) != 1 {
		return fmt.Errorf("web_read answered %d orders", len(orders))
	}
	b.lines, b.deliveries = idsOf(orders[0]["order_line"]), idsOf(orders[0]["picking_ids"])
	if invoices := recordsOf(orders[0]["invoice_ids"]); len(invoices) > 0 {
		b.invoice, _ = invoices[0]["id"].(int64)
		b.journal, _ = invoices[0]["journal_id"].(int64)
	}
	return nil
}

func recordsOf(answer any) []map[string]any {
	list, _ := answer.([]any)
	records := make([]map[string]any, len(list))
	for i, r := range list {
		records[i], _ = r.(map[string]any)
	}
	return records
}

func idsOf(answer any) []int64 {
	records := recordsOf(answer)
	ids := make([]int64, len(records))
	for i, r := range records {
		ids[i], _ = r["id"].(int64)
	}
	return ids
}

// find searches for records and reads them.
func (o *bareOdoo) find(model string, fields []any, conditions ...any) ([]map[string]any, error) {
	answer, err := o.execute(model, "search_read", []any{conditions}, map[string]any{"fields": fields, "order": "id"})
	return recordsOf(answer), err
}

// assign gives the order a warehouse.
func (b *bareLife) assign() error {
	ids, err := b.ids("stock.warehouse", "code", mainWarehouse)
	if err != nil || len(ids) == 0 {
		return errors.Join(err, errNothingMade)
	}
	return b.on("sale.order", "write", b.id, map[string]any{"warehouse_id": ids[0]})
}

// change orders more of the first line.
func (b *bareLife) change() error {
	return b.on("sale.order", "write", b.id, map[string]any{"order_line": []any{[]any{1, b.lines[0], map[string]any{"product_uom_qty": 3}}}})
}

// allocate reserves goods, or lets them go, and looks before and after at what is reserved.
func (b *bareLife) allocate(method string) error {
	look := func() error {
		moves, err := b.find("stock.move", []any{"sale_line_id", "product_uom_qty", "quantity", "picking_id"},
			[]any{"picking_id.sale_id", "=", b.id}, []any{"state", "not in", []any{"done", "cancel"}})
		if err != nil {
			return err
		}
		ids := []any{}
		for _, m := range moves {
			ids = append(ids, m["id"])
		}
		_, err = b.find("stock.move.line", []any{"move_id", "location_id", "lot_id", "quantity"}, []any{"move_id", "in", ids})
		return err
	}
	if err := look(); err != nil {
		return err
	}
	return errors.Join(b.on("stock.picking", method, b.deliveries[0]), look())
}

// deliver sends out, or receives, all of a transfer, and looks at what went.
func (b *bareLife) deliver(picking int64) error {
	moves, err := b.find("stock.move", []any{"product_uom_qty"}, []any{"picking_id", "=", picking}, []any{"state", "not in", []any{"done", "cancel"}})
	if err != nil || len(moves) == 0 {
		return errors.Join(err, errNothingMade)
	}
	var commands []any
	for _, m := range moves {
		commands = append(commands, []any{1, m["id"], map[string]any{"quantity": m["product_uom_qty"], "picked": true}})
	}
	if err := b.on("stock.picking", "write", picking, map[string]any{"move_ids": commands}); err != nil {
		return err
	}
	_, err = b.execute("stock.picking", "button_validate", []any{[]any{picking}},
		map[string]any{"context": map[string]any{"skip_sms": true, "skip_backorder": true}})
	return unlessMarshalling(err)
}

// giveBack announces that one piece of the first line comes back, and looks at what is to come back, which the order does not say.
func (b *bareLife) giveBack() error {
	look := func() ([]map[string]any, error) {
		return b.find("stock.move", []any{"product_id", "product_uom_qty", "quantity", "picking_id", "state", "origin_returned_move_id"},
			[]any{"sale_line_id", "=", b.lines[0]})
	}
	moves, err := look()
	if err != nil || len(moves) == 0 {
		return errors.Join(err, errNothingMade)
	}
	product, _ := moves[0]["product_id"].([]any)
	values := map[string]any{"picking_id": b.deliveries[0], "product_return_moves": []any{[]any{0, 0, map[string]any{
		"product_id": product[0], "move_id": moves[0]["id"], "quantity": 1, "to_refund": true}}}}
	if err := b.dialogue("stock.return.picking", values, "action_create_returns", "stock.picking", b.deliveries[0]); err != nil {
		return err
	}
	_, err = look()
	return err
}

// refund credits one piece of the first line.
func (b *bareLife) refund() error {
	if _, err := b.find("account.move.line", []any{"sale_line_ids", "quantity"}, []any{"move_id", "=", b.invoice}, []any{"display_type", "=", "product"}); err != nil {
		return err
	}
	if err := b.dialogue("account.move.reversal", map[string]any{"reason": fmt.Sprint("bench ", b.id), "journal_id": b.journal}, "reverse_moves",
		"account.move", b.invoice); err != nil {
		return err
	}
	notes, err := b.find("account.move", []any{"state"}, []any{"reversed_entry_id", "=", b.invoice})
	if err != nil || len(notes) == 0 {
		return errors.Join(err, errNothingMade)
	}
	note, _ := notes[0]["id"].(int64)
	lines, err := b.find("account.move.line", []any{"sale_line_ids", "quantity"}, []any{"move_id", "=", note}, []any{"display_type", "=", "product"})
	if err != nil {
		return err
	}
	var commands []any
	for i, l := range lines {
		if i == 0 {
			commands = append(commands, []any{1, l["id"], map[string]any{"quantity": 1}})
			continue
		}
		commands = append(commands, []any{2, l["id"], 0})
	}
	if err := b.on("account.move", "write", note, map[string]any{"invoice_line_ids": commands}); err != nil {
		return err
	}
	return b.on("account.move", "action_post", note)
}

// bill invoices the order, and posts the invoice.
func (b *bareLife) bill() error {
	if err := b.dialogue("sale.advance.payment.inv", map[string]any{"advance_payment_method": "delivered"}, "create_invoices", "sale.order", b.id); err != nil {
		return err
	}
	answer, err := b.execute("sale.order", "read", []any{[]any{b.id}}, map[string]any{"fields": []any{"invoice_ids"}})
	if err != nil {
		return err
	}
	orders := recordsOf(answer)
	if len(orders) != 1 {
		return errNothingMade
	}
	invoices, _ := orders[0]["invoice_ids"].([]any)
	if len(invoices) == 0 {
		return errNothingMade
	}
	b.invoice, _ = invoices[0].(int64)
	return b.on("account.move", "action_post", b.invoice)
}

// pay pays the invoice in full.
func (b *bareLife) pay() error {
	return b.dialogue("account.payment.register", map[string]any{"communication": fmt.Sprint("bench ", b.id)}, "action_create_payments", "account.move", b.invoice)
}

func (b *bareLife) dialogue(model string, values map[string]any, button, about string, id int64) error {
	kwargs := map[string]any{"context": map[string]any{"active_model": about, "active_ids": []any{id}, "active_id": id}}
	dialogue, err := b.execute(model, "create", []any{values}, kwargs)
	if err != nil {
		return err
	}
	_, err = b.execute(model, button, []any{[]any{dialogue}}, kwargs)
	return unlessMarshalling(err)
}
