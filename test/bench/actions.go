package main

import (
	"bytes"
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

// bareLife is an order that the direct client acts on.
type bareLife struct {
	*bareOdoo
	id      int64
	hold    int64 // the tag
	invoice int64
}

// deed is an action as the gateway offers it, beside the calls that it takes.
type deed struct {
	name string
	path func(o actedOrder) (path string, body any)
	bare func(b *bareLife) error // what lies between reading the order before and after
}

// actedOrder is what the gateway answers an action with, as far as the next one needs it.
type actedOrder struct {
	ID       int64
	Total    string `json:"amount_total"`
	Invoices []struct {
		ID int64
	}
}

func at(path string, body any) func(actedOrder) (string, any) {
	return func(actedOrder) (string, any) { return path, body }
}

// fullLife and cutLife are done with one order after the other; no order can have both.
var (
	fullLife = []deed{
		{"hold", at("hold", map[string]any{}), func(b *bareLife) error {
			return b.on("sale.order", "write", b.id, map[string]any{"tag_ids": []any{[]any{4, b.hold, 0}}})
		}},
		{"approve", at("approve", nil), func(b *bareLife) error {
			if err := b.on("sale.order", "write", b.id, map[string]any{"tag_ids": []any{[]any{3, b.hold, 0}}}); err != nil {
				return err
			}
			return b.on("sale.order", "action_confirm", b.id)
		}},
		{"fulfil", at("fulfilments", map[string]any{}), (*bareLife).deliver},
		{"invoice", at("invoices", nil), (*bareLife).bill},
		{"pay", func(o actedOrder) (string, any) {
			return fmt.Sprintf("invoices/%d/payments", o.Invoices[0].ID), map[string]any{"amount": o.Total}
		}, (*bareLife).pay},
	}
	cutLife = []deed{
		{"confirm", at("confirm", nil), func(b *bareLife) error { return b.on("sale.order", "action_confirm", b.id) }},
		{"cancel", at("cancel", map[string]any{}), func(b *bareLife) error { return b.on("sale.order", "action_cancel", b.id) }},
	}
)

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
		r.atMost(actionFactor, fmt.Sprintf("`POST /v1/orders/{id}/…` to %s / the calls that it needs, p50", d.name), median(ours[d.name]), median(bare[d.name]))
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
	return g.post("/v1/orders", reference, body, http.StatusCreated)
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
	return g.post(fmt.Sprintf("/v1/orders/%d/%s", o.ID, path), reference+"-"+d.name, body, http.StatusOK)
}

func (g *gateway) post(path, key, body string, want int) (o actedOrder, err error) {
	request, err := http.NewRequest(http.MethodPost, g.base+path, strings.NewReader(body))
	if err != nil {
		return o, err
	}
	request.Header.Set("Authorization", "Bearer "+g.key)
	request.Header.Set("Idempotency-Key", key)
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

// read reads the order with its lines in one call, and its documents, where it has some.
func (b *bareLife) read() error {
	lines, whole := map[string]any{}, map[string]any{"invoice_ids": map[string]any{}}
	for _, field := range append([]any{"qty_delivered", "qty_invoiced"}, lineFields...) {
		lines[field.(string)] = map[string]any{}
	}
	for _, field := range orderFields {
		whole[field.(string)] = map[string]any{}
	}
	whole["order_line"] = map[string]any{"fields": lines}
	answer, err := b.execute("sale.order", "web_read", []any{[]any{b.id}}, map[string]any{"specification": whole})
	if err != nil {
		return err
	}
	records, _ := answer.([]any)
	if len(records) != 1 {
		return fmt.Errorf("web_read answered %d orders", len(records))
	}
	order, _ := records[0].(map[string]any)
	if order["state"] == "draft" {
		return nil
	}
	if _, err := b.execute("stock.picking", "search_read", []any{[]any{[]any{"sale_id", "=", b.id}}},
		map[string]any{"fields": []any{"name", "state", "date_done", "scheduled_date", "backorder_id", "carrier_tracking_ref"}}); err != nil {
		return err
	}
	invoices, _ := order["invoice_ids"].([]any)
	if len(invoices) == 0 {
		return nil
	}
	b.invoice, _ = invoices[0].(int64)
	_, err = b.execute("account.move", "read", []any{invoices},
		map[string]any{"fields": []any{"name", "state", "payment_state", "amount_total", "amount_residual", "invoice_date", "invoice_date_due"}})
	return err
}

// deliver sends out all of the order.
func (b *bareLife) deliver() error {
	answer, err := b.execute("stock.move", "search_read", []any{[]any{[]any{"sale_line_id.order_id", "=", b.id}, []any{"state", "not in", []any{"done", "cancel"}}}},
		map[string]any{"fields": []any{"picking_id", "product_uom_qty"}})
	if err != nil {
		return err
	}
	moves, _ := answer.([]any)
	if len(moves) == 0 {
		return errNothingMade
	}
	var commands []any
	var picking int64
	for _, m := range moves {
		move, _ := m.(map[string]any)
		commands = append(commands, []any{1, move["id"], map[string]any{"quantity": move["product_uom_qty"], "picked": true}})
		if of, _ := move["picking_id"].([]any); len(of) > 0 {
			picking, _ = of[0].(int64)
		}
	}
	if err := b.on("stock.picking", "write", picking, map[string]any{"move_ids": commands}); err != nil {
		return err
	}
	_, err = b.execute("stock.picking", "button_validate", []any{[]any{picking}},
		map[string]any{"context": map[string]any{"skip_sms": true, "skip_backorder": true}})
	return unlessMarshalling(err)
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
	records, _ := answer.([]any)
	if len(records) != 1 {
		return errNothingMade
	}
	order, _ := records[0].(map[string]any)
	invoices, _ := order["invoice_ids"].([]any)
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
