package sandbox_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
)

// clock is one that a test sets.
type clock struct {
	offset atomic.Int64
}

var epoch = time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.UTC)

func (c *clock) now() time.Time          { return epoch.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func TestWriteDates(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		c := &clock{}
		_, gateway, admin := start(t, sandbox.Options{Major: major, Clock: c.now})
		ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "2"), protected)
		orderDate := func() any { return gateway.read(t, "sale.order", ids[0], "write_date")["write_date"] }
		lines := gateway.read(t, "sale.order", ids[0], "order_line")["order_line"].(list)
		lineDate := func(i int) any { return gateway.read(t, "sale.order.line", lines[i], "write_date")["write_date"] }
		require.Equal(t, "2026-03-01 10:00:00", orderDate(), "to the second")

		c.advance(10 * time.Second)
		admin.call(t, "sale.order.line", "write", list{list{lines[0]}, dict{"name": "renamed"}}, nil)
		require.Equal(t, "2026-03-01 10:00:00", orderDate(), "no total changed")
		require.Equal(t, "2026-03-01 10:00:10", lineDate(0))
		require.Equal(t, "2026-03-01 10:00:00", lineDate(1))

		c.advance(10 * time.Second)
		admin.call(t, "sale.order.line", "write", list{list{lines[0]}, dict{"product_uom_qty": 3.0}}, nil)
		require.Equal(t, "2026-03-01 10:00:20", orderDate(), "the total changed")
		require.Equal(t, "2026-03-01 10:00:00", lineDate(1))

		c.advance(10 * time.Second)
		gateway.call(t, "sale.order", "action_confirm", list{list{ids[0]}}, nil)
		require.Equal(t, "2026-03-01 10:00:30", orderDate())
		require.Equal(t, "2026-03-01 10:00:30", lineDate(1), "lines carry the order's state")
		o := gateway.read(t, "sale.order", ids[0], "date_order", "create_date")
		require.Equal(t, "2026-03-01 10:00:30", o["date_order"])
		require.Equal(t, "2026-03-01 10:00:00", o["create_date"])

		c.advance(10 * time.Second)
		gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-2", "9"), protected)
		require.Equal(t, "2026-03-01 10:00:30", orderDate(), "a replay touches nothing")
	})
}

// A write_date has microseconds inside. Odoo 19 compares whole seconds, Odoo 14 does not.
func TestWriteDateInDomains(t *testing.T) {
	const second = "2026-03-01 10:00:00"
	tests := []struct {
		operator, value string
		in14, in19      int64
	}{
		{">=", second, 1, 1}, {">", second, 1, 0}, {"=", second, 0, 1}, {"<=", second, 0, 1}, {"<", second, 0, 0},
		{"<", "2026-03-01 10:00:01", 1, 1}, {">", "2026-03-01 09:59:59", 1, 1}, {"!=", second, 1, 0},
	}
	majors(t, func(t *testing.T, major int) {
		c := &clock{}
		_, gateway, _ := start(t, sandbox.Options{Major: major, Clock: c.now})
		ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "2"), protected)
		for _, test := range tests {
			want := map[int]int64{14: test.in14, 19: test.in19}[major]
			domain := list{list{"id", "=", ids[0]}, list{"write_date", test.operator, test.value}}
			require.Equal(t, want, gateway.call(t, "sale.order", "search_count", list{domain}, nil), test.operator+" "+test.value)
		}
	})
}

func TestProductWriteDates(t *testing.T) {
	t.Parallel()
	c := &clock{}
	_, gateway, admin := start(t, sandbox.Options{Clock: c.now})
	p := sandbox.Catalogue()[0]
	dates := func() []any {
		v := gateway.read(t, "product.product", p.ID, "write_date")
		tm := gateway.read(t, "product.template", p.TemplateID, "write_date")
		return []any{v["write_date"], tm["write_date"]}
	}
	const old = "2026-02-26 10:00:00"
	require.Equal(t, []any{old, old}, dates())
	admin.call(t, "product.template", "write", list{list{p.TemplateID}, dict{"name": "Cabinet"}}, nil)
	require.Equal(t, []any{old, "2026-03-01 10:00:00"}, dates(), "the variant does not move with its template")
	require.Equal(t, "[E-COM07] Cabinet", gateway.read(t, "product.product", p.ID, "display_name")["display_name"])
	c.advance(time.Second)
	admin.call(t, "product.product", "write", list{list{p.ID}, dict{"list_price": 9.5}}, nil)
	require.Equal(t, []any{"2026-03-01 10:00:01", "2026-03-01 10:00:01"}, dates())
	require.Equal(t, 9.5, gateway.read(t, "product.product", p.ID, "lst_price")["lst_price"])
	c.advance(time.Second)
	admin.call(t, "product.product", "write", list{list{p.ID}, dict{"active": false}}, nil)
	require.Equal(t, []any{"2026-03-01 10:00:02", "2026-03-01 10:00:01"}, dates(), "archiving moves the variant only")
}

func TestStates(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, admin := start(t, sandbox.Options{Major: major})
		ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "2"), protected)
		state := func() any { return gateway.read(t, "sale.order", ids[0], "state")["state"] }
		do := func(method string) (any, error) { return gateway.try("sale.order", method, list{list{ids[0]}}, nil) }

		v, err := do("action_confirm")
		require.NoError(t, err)
		require.Equal(t, true, v)
		require.Equal(t, "sale", state())
		v, err = do("action_confirm")
		if major == 14 {
			require.NoError(t, err)
			require.Equal(t, true, v)
		} else {
			f := faultOf(t, err)
			require.Equal(t, 2, f.Code)
			require.Equal(t, "Some orders are not in a state requiring confirmation.", f.String)
		}
		_, err = do("unlink")
		require.Equal(t, 4, faultOf(t, err).Code)
		_, err = admin.try("sale.order", "unlink", list{list{ids[0]}}, nil)
		require.Equal(t, 2, faultOf(t, err).Code)
		lines := gateway.read(t, "sale.order", ids[0], "order_line")["order_line"].(list)
		_, err = admin.try("sale.order.line", "unlink", list{list{lines[0]}}, nil)
		require.Equal(t, 2, faultOf(t, err).Code)

		_, err = do("action_cancel")
		require.NoError(t, err)
		require.Equal(t, "cancel", state())
		_, err = do("action_confirm")
		require.Equal(t, 2, faultOf(t, err).Code)
		_, err = do("action_draft")
		require.NoError(t, err)
		require.Equal(t, "draft", state())

		if major == 14 {
			_, err = do("action_done")
			require.NoError(t, err)
			require.Equal(t, "done", state())
			return
		}
		_, err = do("action_lock")
		require.Contains(t, faultOf(t, err).String, "cannot marshal None")
		require.Equal(t, true, gateway.read(t, "sale.order", ids[0], "locked")["locked"], "the effect is committed in spite of the fault")
		_, err = do("action_cancel")
		require.Equal(t, 2, faultOf(t, err).Code)
	})
}

// On 14 the lines are deleted although the answer is a fault.
func TestDeletingLines(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, admin := start(t, sandbox.Options{Major: major})
		ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "2"), protected)
		lines := gateway.read(t, "sale.order", ids[0], "order_line")["order_line"].(list)
		_, err := admin.try("sale.order.line", "unlink", list{list{lines[0]}}, nil)
		if major == 14 {
			require.Equal(t, 1, faultOf(t, err).Code)
		} else {
			require.NoError(t, err)
		}
		o := gateway.read(t, "sale.order", ids[0], "order_line", "amount_total")
		require.Equal(t, list{lines[1]}, o["order_line"])
		require.Equal(t, 18.17, o["amount_total"])
	})
}

// Odoo 14 rounds the tax of each line; 19 rounds their sum and corrects the line that was rounded most.
func TestTaxRounding(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, _, admin := start(t, sandbox.Options{Major: major})
		id := admin.call(t, "product.product", "create", list{dict{"name": "Taxed", "list_price": 9.99, "taxes_id": list{list{6, 0, list{1}}}}}, nil)
		line := func(quantity float64) list { return list{0, 0, dict{"product_id": id, "product_uom_qty": quantity}} }
		orderID := admin.call(t, "sale.order", "create", list{dict{"partner_id": 9, "order_line": list{line(3), line(0.33)}}}, nil)
		o := admin.read(t, "sale.order", orderID, "amount_untaxed", "amount_tax", "amount_total", "order_line")
		want := map[int][]any{14: {33.27, 5.0, 38.27}, 19: {33.27, 4.99, 38.26}}[major]
		require.Equal(t, want, []any{o["amount_untaxed"], o["amount_tax"], o["amount_total"]})
		second := admin.read(t, "sale.order.line", o["order_line"].(list)[1], "price_tax", "price_total")
		wantLine := map[int][]any{14: {0.5, 3.8}, 19: {0.49, 3.79}}[major]
		require.Equal(t, wantLine, []any{second["price_tax"], second["price_total"]})
	})
}

func TestCommands(t *testing.T) {
	t.Parallel()
	_, _, admin := start(t, sandbox.Options{})
	p := sandbox.Catalogue()
	create := func(product int64) list { return list{0, 0, dict{"product_id": product}} }
	id := admin.call(t, "sale.order", "create", list{dict{"partner_id": 9, "order_line": list{create(p[0].ID), create(p[2].ID)}}}, nil)
	other := admin.call(t, "sale.order", "create", list{dict{"partner_id": 9}}, nil)
	read := func(id any) (list, any) {
		o := admin.read(t, "sale.order", id, "order_line", "amount_total")
		return o["order_line"].(list), o["amount_total"]
	}
	write := func(id any, commands ...any) {
		admin.call(t, "sale.order", "write", list{list{id}, dict{"order_line": list(commands)}}, nil)
	}
	lines, total := read(id)
	require.Len(t, lines, 2)
	require.Equal(t, 2119.0, total)

	write(id, list{1, lines[0], dict{"product_uom_qty": 2}})
	_, total = read(id)
	require.Equal(t, 2439.0, total)
	write(other, list{4, lines[1]})
	_, total = read(id)
	require.Equal(t, 640.0, total, "the order that a line was moved away from is computed again")
	_, total = read(other)
	require.Equal(t, 1799.0, total)
	write(id, create(p[4].ID), list{2, lines[0]})
	_, total = read(id)
	require.Equal(t, 14.0, total)
	write(id, list{5})
	left, total := read(id)
	require.Empty(t, left)
	require.Equal(t, 0.0, total)
	_, err := admin.try("sale.order", "write", list{list{id}, dict{"client_order_ref": "X", "order_line": list{list{1, 999999, dict{}}}}}, nil)
	require.Equal(t, 2, faultOf(t, err).Code)
	require.Equal(t, false, admin.read(t, "sale.order", id, "client_order_ref")["client_order_ref"], "a fault undoes the whole call")
}

func TestNotes(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		note := func(key, given string) any {
			ids, messages := gateway.load(t, "sale.order", []string{"id", "partner_id/.id", "note"}, [][]string{{"og." + key, "9", given}}, protected)
			require.Empty(t, messages)
			return gateway.read(t, "sale.order", ids[0], "note")["note"]
		}
		for key, test := range map[string]struct{ given, in14, in19 string }{
			"plain":   {"two\nlines  é€😀", "two\nlines  é€😀", "<p>two\nlines  é€😀</p>"},
			"escaped": {"<p>a &lt;b&gt; &amp; c<br/>d</p>", "<p>a &lt;b&gt; &amp; c<br/>d</p>", "<p>a &lt;b&gt; &amp; c<br>d</p>"},
			"script":  {"a <b>b</b> & \"q\" 'x' <script>1</script>", "a <b>b</b> & \"q\" 'x' <script>1</script>", "<p>a <b>b</b> &amp; \"q\" 'x' </p>"},
			"link":    {"<a href=\"javascript:x\" onclick=\"y\">z</a>", "<a href=\"javascript:x\" onclick=\"y\">z</a>", "<p><a>z</a></p>"},
		} {
			require.Equal(t, map[int]string{14: test.in14, 19: test.in19}[major], note(key, test.given), key)
		}
	})
}
