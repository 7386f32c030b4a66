package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/odoorpc"
)

// people are those who work in Odoo while the gateway does: they see every order of the storm, and do to it what people do.
// What Odoo refuses them, because the order is not in a state for it or somebody else is at it, they leave.
type people struct {
	stack   *stack
	tag     string // in the reference of every order of the storm
	partner int64
	chairs  []int64 // products

	mu   sync.Mutex
	did  map[string]int
	slow int64 // the server action that holds its transaction open
}

// slowTransaction is how long the slow ones stay open after they have written: longer than a reader's sync looks back.
const slowTransaction = 20 * time.Second

func newPeople(t *testing.T, s *stack, tag string) *people {
	t.Helper()
	p := &people{stack: s, tag: tag, did: map[string]int{}}
	p.partner = s.people(t, "res.partner", "create", map[string]any{"name": "Storm " + tag}).(int64)
	for i := range 3 {
		id := s.people(t, "product.product", "create", map[string]any{
			"name": fmt.Sprint("Storm chair ", i), "default_code": fmt.Sprintf("%s-%d", tag, i), "list_price": 10.5 * float64(i+1),
		}).(int64)
		p.chairs = append(p.chairs, id)
	}
	model := s.people(t, "ir.model", "search", []any{[]any{"model", "=", "sale.order"}}).([]any)[0]
	flush := "record.flush()"
	if s.odoo.Major >= 16 {
		flush = "env.flush_all()"
	}
	p.slow = s.people(t, "ir.actions.server", "create", map[string]any{
		"name": "Hold " + tag, "model_id": model, "state": "code",
		"code": fmt.Sprintf("record.write({'client_order_ref': (record.client_order_ref or '') + '.'})\n%s\nenv.cr.execute('SELECT pg_sleep(%d)')",
			flush, int(slowTransaction.Seconds())),
	}).(int64)
	t.Cleanup(func() { s.people(t, "ir.actions.server", "unlink", []any{p.slow}) })
	return p
}

func (p *people) ask(model, method string, args []any, kwargs map[string]any) (any, error) {
	o := p.stack.odoo
	return odoorpc.Execute(o.URL, o.Database, o.AdminUser, o.AdminPassword, model, method, args, kwargs)
}

// work does one thing after the other until ctx ends.
func (p *people) work(ctx context.Context, random *rand.Rand) {
	deeds := []struct {
		name   string
		weight int
		do     func(*rand.Rand) error
	}{
		{"create", 4, p.create}, {"quantity", 6, p.quantity}, {"text of a line", 2, p.lineText}, {"line more", 3, p.addLine},
		{"line less", 2, p.removeLine}, {"reference", 3, p.rename}, {"confirm", 3, p.confirm}, {"cancel", 2, p.cancel},
		{"delete", 2, p.remove}, {"deliver", 2, p.deliver},
	}
	for ctx.Err() == nil {
		total := 0
		for _, d := range deeds {
			total += d.weight
		}
		n := random.IntN(total)
		for _, d := range deeds {
			if n -= d.weight; n < 0 {
				if err := d.do(random); err == nil {
					p.count(d.name)
				}
				break
			}
		}
		select {
		case <-time.After(time.Duration(random.IntN(200)) * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// dawdle writes orders in transactions that commit long after they began.
func (p *people) dawdle(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		id, err := p.any(random)
		if err == nil {
			_, err = p.ask("ir.actions.server", "run", []any{[]any{p.slow}},
				map[string]any{"context": map[string]any{"active_model": "sale.order", "active_id": id, "active_ids": []any{id}}})
			// What the action answers cannot always be marshalled: then it was committed.
			if err == nil || strings.Contains(err.Error(), "marshal") {
				p.count("slow transaction")
				continue
			}
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (p *people) count(deed string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.did[deed]++
}

// any returns one of the storm's orders.
func (p *people) any(random *rand.Rand) (int64, error) {
	answer, err := p.ask("sale.order", "search", []any{[]any{[]any{"client_order_ref", "like", p.tag}}}, nil)
	if err != nil {
		return 0, err
	}
	ids := answer.([]any)
	if len(ids) == 0 {
		return 0, fmt.Errorf("there is no order yet")
	}
	return ids[random.IntN(len(ids))].(int64), nil
}

func (p *people) anyLine(random *rand.Rand) (int64, error) {
	id, err := p.any(random)
	if err != nil {
		return 0, err
	}
	answer, err := p.ask("sale.order.line", "search", []any{[]any{[]any{"order_id", "=", id}}}, nil)
	if err != nil {
		return 0, err
	}
	lines := answer.([]any)
	if len(lines) == 0 {
		return 0, fmt.Errorf("the order has no lines")
	}
	return lines[random.IntN(len(lines))].(int64), nil
}

func (p *people) line(random *rand.Rand) map[string]any {
	return map[string]any{"product_id": p.chairs[random.IntN(len(p.chairs))], "product_uom_qty": float64(1 + random.IntN(9))}
}

func (p *people) create(random *rand.Rand) error {
	var lines []any
	for range 1 + random.IntN(3) {
		lines = append(lines, []any{0, 0, p.line(random)})
	}
	_, err := p.ask("sale.order", "create", []any{map[string]any{
		"partner_id": p.partner, "client_order_ref": fmt.Sprintf("%s by hand %d", p.tag, random.IntN(1e6)), "order_line": lines,
	}}, nil)
	return err
}

func (p *people) quantity(random *rand.Rand) error {
	return p.writeLine(random, map[string]any{"product_uom_qty": float64(1 + random.IntN(20))})
}

// lineText changes nothing that an order's own date of writing would show.
func (p *people) lineText(random *rand.Rand) error {
	return p.writeLine(random, map[string]any{"name": fmt.Sprint("in blue, ", random.IntN(100))})
}

func (p *people) writeLine(random *rand.Rand, values map[string]any) error {
	line, err := p.anyLine(random)
	if err == nil {
		_, err = p.ask("sale.order.line", "write", []any{[]any{line}, values}, nil)
	}
	return err
}

func (p *people) addLine(random *rand.Rand) error {
	id, err := p.any(random)
	if err == nil {
		_, err = p.ask("sale.order", "write", []any{[]any{id}, map[string]any{"order_line": []any{[]any{0, 0, p.line(random)}}}}, nil)
	}
	return err
}

func (p *people) removeLine(random *rand.Rand) error {
	return p.onLine(random, "sale.order.line", "unlink")
}

func (p *people) onLine(random *rand.Rand, model, method string) error {
	line, err := p.anyLine(random)
	if err == nil {
		_, err = p.ask(model, method, []any{[]any{line}}, nil)
	}
	return err
}

func (p *people) rename(random *rand.Rand) error {
	id, err := p.any(random)
	if err == nil {
		_, err = p.ask("sale.order", "write", []any{[]any{id}, map[string]any{"client_order_ref": fmt.Sprintf("%s again %d", p.tag, random.IntN(1e6))}}, nil)
	}
	return err
}

func (p *people) confirm(random *rand.Rand) error { return p.act(random, "action_confirm") }

func (p *people) cancel(random *rand.Rand) error { return p.act(random, "action_cancel") }

func (p *people) remove(random *rand.Rand) error { return p.act(random, "unlink") }

func (p *people) act(random *rand.Rand, method string) error {
	id, err := p.any(random)
	if err == nil {
		_, err = p.ask("sale.order", method, []any{[]any{id}}, map[string]any{"context": map[string]any{"disable_cancel_warning": true}})
	}
	return err
}

// deliver delivers everything of an order's first delivery that is ready.
func (p *people) deliver(random *rand.Rand) error {
	answer, err := p.ask("stock.picking", "search", []any{[]any{[]any{"sale_id.client_order_ref", "like", p.tag}, []any{"state", "=", "assigned"}}}, nil)
	if err != nil {
		return err
	}
	pickings := answer.([]any)
	if len(pickings) == 0 {
		return fmt.Errorf("nothing is ready")
	}
	picking := pickings[random.IntN(len(pickings))]
	_, err = p.ask("stock.picking", "write", []any{[]any{picking}, map[string]any{"carrier_tracking_ref": fmt.Sprint("T", random.IntN(1e6))}}, nil)
	if err != nil {
		return err
	}
	field, moves := "quantity_done", "move_lines"
	if p.stack.odoo.Major >= 17 {
		field, moves = "quantity", "move_ids"
	}
	read, err := p.ask("stock.picking", "read", []any{[]any{picking}, []any{moves}}, nil)
	if err != nil {
		return err
	}
	for _, move := range read.([]any)[0].(map[string]any)[moves].([]any) {
		wanted, err := p.ask("stock.move", "read", []any{[]any{move}, []any{"product_uom_qty"}}, nil)
		if err != nil {
			return err
		}
		values := map[string]any{field: wanted.([]any)[0].(map[string]any)["product_uom_qty"]}
		if p.stack.odoo.Major >= 17 {
			values["picked"] = true
		}
		if _, err := p.ask("stock.move", "write", []any{[]any{move}, values}, nil); err != nil {
			return err
		}
	}
	_, err = p.ask("stock.picking", "button_validate", []any{[]any{picking}},
		map[string]any{"context": map[string]any{"skip_sms": true, "skip_immediate": true, "skip_backorder": true}})
	return err
}

// inOdoo reads every order of the storm as text, with its lines and deliveries, past the gateway.
func (p *people) inOdoo(t *testing.T) map[int64]string {
	t.Helper()
	read := func(model string, domain []any, fields ...any) []any {
		answer, err := p.ask(model, "search_read", []any{domain}, map[string]any{"fields": fields, "order": "id"})
		require.NoError(t, err)
		return answer.([]any)
	}
	lines, deliveries := map[int64][]string{}, map[int64][]string{}
	for _, r := range read("sale.order.line", []any{[]any{"display_type", "=", false}, []any{"order_id.client_order_ref", "like", p.tag}}, "order_id", "name", "product_uom_qty", "price_unit", "price_total", "qty_delivered") {
		l := r.(map[string]any)
		id := l["order_id"].([]any)[0].(int64)
		lines[id] = append(lines[id], fmt.Sprintf("%d %q %s × %s = %s, %s delivered", l["id"], l["name"], decimals(l["product_uom_qty"]),
			decimals(l["price_unit"]), decimals(l["price_total"]), decimals(l["qty_delivered"])))
	}
	for _, r := range read("stock.picking", []any{[]any{"sale_id.client_order_ref", "like", p.tag}}, "sale_id", "state", "carrier_tracking_ref") {
		d := r.(map[string]any)
		id := d["sale_id"].([]any)[0].(int64)
		deliveries[id] = append(deliveries[id], fmt.Sprintf("%d %t %s", d["id"], d["state"] == "done", textOf(d["carrier_tracking_ref"])))
	}
	orders := map[int64]string{}
	for _, r := range read("sale.order", []any{[]any{"client_order_ref", "like", p.tag}}, "state", "client_order_ref", "amount_total", "amount_tax") {
		o := r.(map[string]any)
		id := o["id"].(int64)
		state := map[string]string{"sale": "confirmed", "cancel": "cancelled"}[o["state"].(string)]
		if state == "" {
			state = o["state"].(string)
		}
		orders[id] = fmt.Sprintf("%s %s %s %s %v %v", state, textOf(o["client_order_ref"]), decimals(o["amount_total"]), decimals(o["amount_tax"]), lines[id], deliveries[id])
	}
	return orders
}
