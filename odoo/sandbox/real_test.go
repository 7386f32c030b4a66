package sandbox_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/test/env"
)

// The sandbox and a real Odoo are asked the same, and must answer the same but for ids, times and numbers of orders.
func TestSandboxAnswersAsOdoo14(t *testing.T) { compare(t, env.Odoo(t, 14)) }
func TestSandboxAnswersAsOdoo19(t *testing.T) { compare(t, env.Odoo(t, 19)) }

func compare(t *testing.T, real env.OdooServer) {
	t.Parallel()
	compareBy(t, real, func(imitation, original *world) {})
}

// compareBy asks both the script; prepare says how they are to be asked.
func compareBy(t *testing.T, real env.OdooServer, prepare func(imitation, original *world)) {
	t.Helper()
	s, _, _ := start(t, sandbox.Options{Major: real.Major})
	tag := fmt.Sprintf("ogsbx%d", time.Now().UnixNano())
	imitation := newWorld(t, real.Major, tag, env.OdooServer{URL: s.URL(), Database: sandbox.Database, User: sandbox.User,
		Password: sandbox.Password, AdminUser: sandbox.AdminUser, AdminPassword: sandbox.AdminPassword})
	original := newWorld(t, real.Major, tag, real)
	prepare(imitation, original)
	for _, step := range script(real.Major) {
		want, got := original.run(step), imitation.run(step)
		require.Equal(t, want, got, "%s: Odoo (expected) and sandbox (actual) differ", step.name)
	}
}

// world is a server with records that the script needs.
type world struct {
	major                           int
	tag                             string
	gateway, admin                  *client
	partner, plain, taxed, archived int64
	orders                          []int64 // that load steps made, in their order
}

func newWorld(t *testing.T, major int, tag string, s env.OdooServer) *world {
	w := &world{major: major, tag: tag}
	w.gateway = login(t, s.URL, s.Database, s.User, s.Password)
	w.admin = login(t, s.URL, s.Database, s.AdminUser, s.AdminPassword)
	w.gateway.patient, w.admin.patient = true, true // Odoo 14 restarts itself when a connection was open for long
	product := func(name string, price float64, taxes any) int64 {
		return w.admin.call(t, "product.product", "create", list{dict{"name": name, "default_code": tag + name,
			"list_price": price, "type": "service", "taxes_id": taxes}}, nil).(int64)
	}
	tax := w.admin.call(t, "account.tax", "search", list{list{list{"amount", "=", 15}}}, dict{"limit": 1, "order": "id"}).(list)[0]
	w.partner = w.admin.call(t, "res.partner", "create", list{dict{"name": tag + " Partner"}}, nil).(int64)
	w.plain = product("plain", 320, false)
	w.taxed = product("taxed", 9.99, list{list{6, 0, list{tax}}})
	w.archived = product("archived", 5, false)
	w.admin.call(t, "product.product", "write", list{list{w.archived}, dict{"active": false}}, nil)
	t.Cleanup(func() { w.cleanUp(t) })
	return w
}

// cleanUp removes what can be removed, so that a shared server does not fill up.
func (w *world) cleanUp(t *testing.T) {
	w.admin.key = "" // which is gone by now
	domain := list{list{"partner_id.name", "like", w.tag}}
	ids := w.admin.call(t, "sale.order", "search", list{domain}, nil)
	_, err := w.admin.try("sale.order", "action_cancel", list{ids}, dict{"context": dict{"disable_cancel_warning": true}})
	require.NoError(t, err)
	w.admin.call(t, "sale.order", "unlink", list{ids}, nil)
	partners := w.admin.call(t, "res.partner", "search", list{list{list{"name", "like", w.tag}}}, dict{"context": dict{"active_test": false}, "order": "id desc"})
	w.admin.call(t, "res.partner", "unlink", list{partners}, nil)
	tags := w.admin.call(t, "crm.tag", "search", list{list{list{"name", "like", w.tag}}}, nil)
	w.admin.call(t, "crm.tag", "unlink", list{tags}, nil)
	w.admin.call(t, "product.product", "unlink", list{list{w.plain, w.taxed, w.archived}}, nil)
}

// step is one question. Its texts may hold {partner}, {plain}, {taxed}, {archived}, {tag}, and {0} for the first order
// that the script loaded.
type step struct {
	name          string
	asAdmin       bool
	model, method string
	args          func(w *world) list
	kwargs        dict
}

func ask(name, model, method string, args list, kwargs dict) step {
	return step{name: name, model: model, method: method, kwargs: kwargs, args: func(w *world) list { return w.fill(args).(list) }}
}

func admin(s step) step {
	s.asAdmin = true
	return s
}

func load(name, model string, fields []string, kwargs dict, rows ...[]string) step {
	return ask(name, model, "load", list{toList(fields), toRows(rows)}, kwargs)
}

// order is an argument that stands for the nth loaded order's id.
type order int

// ref is an argument that stands for a record of the world.
type ref string

func (w *world) id(name string) int64 {
	return map[string]int64{"partner": w.partner, "plain": w.plain, "taxed": w.taxed, "archived": w.archived}[name]
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

func (w *world) fill(v any) any {
	switch v := v.(type) {
	case list:
		filled := make(list, len(v))
		for i := range v {
			filled[i] = w.fill(v[i])
		}
		return filled
	case dict:
		filled := dict{}
		for k := range v {
			filled[k] = w.fill(v[k])
		}
		return filled
	case order:
		return w.orders[v]
	case ref:
		return w.id(string(v))
	case string:
		return placeholder.ReplaceAllStringFunc(v, func(p string) string {
			if p == "{tag}" {
				return w.tag
			}
			return fmt.Sprint(w.id(strings.Trim(p, "{}")))
		})
	}
	return v
}

// run asks, and brings the answer into a form that does not depend on the server.
func (w *world) run(s step) any {
	c := w.gateway
	if s.asAdmin {
		c = w.admin
	}
	kwargs, _ := w.fill(s.kwargs).(dict)
	answer, err := c.try(s.model, s.method, s.args(w), kwargs)
	if d, ok := answer.(dict); ok && s.model == "sale.order" && s.method == "load" {
		if ids, ok := d["ids"].(list); ok {
			for _, id := range ids {
				w.orders = append(w.orders, id.(int64))
			}
		}
	}
	var f xmlrpc.FaultError
	if errors.As(err, &f) {
		return dict{"fault": f.Code, "text": w.normalize("", lastError(f))}
	}
	var refusal jsonError
	if errors.As(err, &refusal) {
		return dict{"status": refusal.Status, "name": refusal.Name, "arguments": len(refusal.Arguments), "text": w.normalize("", firstLine(refusal.Message))}
	}
	if err != nil {
		return err.Error()
	}
	return w.normalize(s.method, answer)
}

var exception = regexp.MustCompile(`(?m)^[\w.]+(Error|Exception|InvalidDatetimeFormat|InvalidTextRepresentation): .*`)

// lastError is the exception that a traceback ends in. What psycopg adds to it, such as the SQL, is left out.
func lastError(f xmlrpc.FaultError) string {
	if f.Code != 1 {
		return f.String
	}
	all := exception.FindAllString(f.String, -1)
	if len(all) == 0 {
		return f.String
	}
	return all[len(all)-1]
}

// firstLine leaves out what psycopg adds to a message, such as the SQL.
func firstLine(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	return line
}

var variable = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "<time>"},
	{regexp.MustCompile(`^S\d+$|^S\d+ - `), "<number>"},
	{regexp.MustCompile(`User: \d+`), "User: <id>"},
	{regexp.MustCompile(`\(\d+,?\)|\(\d+,\)`), "(<id>)"},
	{regexp.MustCompile(`database id '\d{1,6}'`), "database id '<id>'"},
	{regexp.MustCompile(`:\d+`), ":<n>"},
	{regexp.MustCompile(`states: (done, cancel|cancel, done)$`), "states: <set>"}, // a set of Python has no order
}

// normalize replaces what is bound to differ. key is the name of the member, or the method, that v is the value of.
func (w *world) normalize(key string, v any) any {
	switch v := v.(type) {
	case string:
		v = strings.ReplaceAll(v, w.tag, "<tag>")
		for _, p := range variable {
			v = p.pattern.ReplaceAllString(v, p.text)
		}
		return v
	case int64:
		if key == "id" || key == "ids" || key == "search" || key == "create" || strings.HasSuffix(key, "_id") || key == "order_line" {
			return "<id>"
		}
		return v
	case float64:
		return fmt.Sprintf("%.6f", v)
	case list:
		normal := make(list, len(v))
		for i := range v {
			normal[i] = w.normalize(key, v[i])
		}
		return normal
	case dict:
		normal := dict{}
		for k := range v {
			normal[k] = w.normalize(k, v[k])
		}
		return normal
	}
	return v
}

// script is what is asked. Later steps build on what earlier ones left.
func script(major int) []step {
	taxes, unit := "tax_ids", "product_uom_id"
	if major == 14 {
		taxes, unit = "tax_id", "product_uom"
	}
	head := []string{"id", "partner_id/.id", "client_order_ref", "order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty"}
	priced := append(append([]string{}, head...), "order_line/price_unit", "order_line/discount")
	orderRead := list{"name", "state", "partner_id", "partner_shipping_id", "client_order_ref", "note", "amount_untaxed", "amount_tax",
		"amount_total", "date_order", "create_date", "write_date", "order_line", "display_name"}
	lineRead := list{"order_id", "product_id", unit, taxes, "product_uom_qty", "price_unit", "discount", "price_subtotal", "price_tax",
		"price_total", "sequence", "display_type", "state", "qty_delivered_method"}
	lines := func(name string, n int) step {
		return ask(name, "sale.order.line", "search_read", list{list{list{"order_id", "=", order(n)}}}, dict{"fields": lineRead, "order": "sequence asc, id asc"})
	}
	named, typed := []string{"id", "name"}, []string{"id", "name", "type"}
	partner := func(key, name string) []string { return []string{"{tag}." + key, name} }
	nameless := func(key string, n int) [][]string {
		rows := make([][]string, n)
		for i := range rows {
			rows[i] = partner(fmt.Sprint(key, i), "")
		}
		return rows
	}
	row := func(key string, cells ...string) []string {
		return append([]string{"{tag}." + key, "{partner}"}, cells...)
	}
	steps := []step{
		// load
		load("create", "sale.order", priced, protected,
			row("a", "{tag}-1", "{tag}.a1", "{plain}", "2", "10.005", "10.555"),
			[]string{"", "", "", "{tag}.a2", "{taxed}", "1.239", "1e2", ""},
			[]string{"", "", "", "{tag}.a3", "{taxed}", "1", "", "33.333"}),
		ask("created", "sale.order", "read", list{list{order(0)}, orderRead}, nil),
		lines("created lines", 0),
		load("replay", "sale.order", head, protected, row("a", "{tag}-changed", "{tag}.a1", "{plain}", "9")),
		ask("unchanged", "sale.order", "read", list{list{order(0)}, orderRead}, nil),
		load("list price", "sale.order", head, protected, row("b", "{tag}-2", "{tag}.b1", "{taxed}", "3"), []string{"", "", "", "{tag}.b2", "{taxed}", "0.33"}),
		ask("tax", "sale.order", "read", list{list{order(2)}, orderRead}, nil),
		lines("tax of lines", 2),
		load("overwrite", "sale.order", head, dict{}, row("b", "{tag}-3", "{tag}.b1", "{taxed}", "5")),
		ask("overwritten?", "sale.order", "read", list{list{order(2)}, orderRead}, nil),
		load("several", "sale.order", head, protected, row("c", "{tag}-4", "{tag}.c1", "{plain}", "1"), row("d", "{tag}-5", "{tag}.d1", "{plain}", "2")),
		load("none", "sale.order", head, protected),
		load("overwrite freely", "sale.order", head, dict{}, row("e", "{tag}-6", "{tag}.e1", "{plain}", "1")),
		load("overwrite freely again", "sale.order", head, dict{}, row("e", "{tag}-7", "{tag}.e1", "{plain}", "2"), []string{"", "", "", "{tag}.e2", "{plain}", "4"}),
		load("update mode does not overwrite freely either", "sale.order", head, dict{"context": dict{"mode": "update"}}, row("e", "{tag}-8", "{tag}.e1", "{plain}", "3")),
		ask("freely overwritten", "sale.order", "read", list{list{order(6)}, orderRead}, nil),
		load("line moved here", "sale.order", head, protected, row("f", "{tag}-9", "{tag}.c1", "{plain}", "1")),
		ask("lost its line", "sale.order", "read", list{list{order(4)}, orderRead}, nil),

		// refusals of load
		load("unknown product", "sale.order", head, protected, row("x", "X", "{tag}.x1", "9999999", "1")),
		load("unknown partner", "sale.order", head, protected, []string{"{tag}.x", "9999999", "X", "{tag}.x1", "{plain}", "1"}),
		load("not a number", "sale.order", head, protected, row("x", "X", "{tag}.x1", "{plain}", "five")),
		load("second is bad", "sale.order", head, protected, row("x", "X", "{tag}.x1", "{plain}", "1"), row("y", "Y", "{tag}.y1", "{plain}", "1"),
			[]string{"", "", "", "{tag}.y2", "9999999", "1"}),
		load("nothing of the first", "sale.order", []string{"id"}, protected, []string{"{tag}.x"}),
		load("archived product", "sale.order", head, protected, row("z", "Z", "{tag}.z1", "{archived}", "1")),
		load("archived product, active_test off", "sale.order", head, dict{"context": dict{"mode": "update", "noupdate": true, "active_test": false}},
			row("zz", "Z", "{tag}.zz1", "{archived}", "1")),
		load("lookup", "sale.order", []string{"id"}, protected, []string{"{tag}.a"}),
		load("unknown column", "sale.order", []string{"id", "nosuch"}, protected, []string{"{tag}.x", "1"}),
		load("unknown sub-column", "sale.order", []string{"id", "order_line/nosuch"}, protected, []string{"{tag}.x", "1"}),
		load("short row", "sale.order", head, protected, []string{"{tag}.x", "9"}),
		load("no right", "res.country", []string{"id", "name"}, protected, []string{"{tag}.x", "Xland"}),
		load("bad choice", "res.partner", []string{"id", "name", "type"}, protected, []string{"{tag}.x", "{tag}", "dock"}),
		load("no name", "res.partner", []string{"id", "email"}, protected, []string{"{tag}.x", "a@b"}),
		load("bad country", "res.partner", []string{"id", "name", "country_id/.id"}, protected, []string{"{tag}.x", "{tag}", "999999"}),

		// partners
		load("partner", "res.partner", []string{"id", "name", "email", "phone", "ref", "street", "street2", "city", "zip", "country_id/.id", "state_id/.id"}, protected,
			[]string{"{tag}.p", "{tag} Zoe & <Co>", "z@x.example", "+1 22", "{tag}-R", "S 1", "2", "C", "Z", "233", "13"}),
		ask("partner read", "res.partner", "search_read", list{list{list{"ref", "=", "{tag}-R"}}}, dict{"fields": list{"name", "email", "phone", "street", "street2",
			"city", "zip", "country_id", "state_id", "commercial_partner_id", "is_company", "type", "active", "parent_id", "display_name"}}),
		load("delivery address", "res.partner", []string{"id", "parent_id/.id", "type", "name", "city"}, protected, []string{"{tag}.dock", "{partner}", "delivery", "{tag} Dock", "C"}),
		ask("delivery read", "res.partner", "search_read", list{list{list{"name", "=", "{tag} Dock"}}}, dict{"fields": list{"display_name", "commercial_partner_id", "parent_id", "type"}}),
		load("delivered there", "sale.order", head[:3], protected, row("ship", "{tag}-ship")),
		ask("shipping address", "sale.order", "search_read", list{list{list{"client_order_ref", "=", "{tag}-ship"}}}, dict{"fields": list{"partner_shipping_id", "partner_invoice_id"}}),
		admin(ask("partner in use", "res.partner", "unlink", list{list{ref("partner")}}, nil)),
		admin(ask("product in use", "product.product", "unlink", list{list{ref("plain")}}, nil)),
		admin(ask("nameless", "res.partner", "create", list{dict{"email": "x@y"}}, nil)),

		// notes
		load("note", "sale.order", []string{"id", "partner_id/.id", "note"}, protected, row("note", "<p>a &lt;b&gt; &amp; c<br/>d é € 😀</p>")),
		ask("note read", "sale.order", "search_read", list{list{list{"partner_id", "=", ref("partner")}, list{"note", "like", "€"}}}, dict{"fields": list{"note"}}),

		// reading
		ask("gone", "sale.order", "read", list{list{9999999}, list{"name"}}, nil),
		ask("unknown field", "sale.order", "read", list{list{order(0)}, list{"name", "nosuch"}}, nil),
		ask("unknown field to search for", "sale.order", "search_count", list{list{list{"partner_id.nosuch", "=", 1}}}, nil),
		ask("unknown field to search and read", "sale.order", "search_read", list{list{list{"id", "=", order(0)}}}, dict{"fields": list{"nosuch"}}),
		ask("unknown order", "sale.order", "search", list{list{}}, dict{"order": "nosuch", "limit": 1}),
		ask("bad order", "sale.order", "search", list{list{}}, dict{"order": "id; drop"}),
		ask("bad time", "sale.order", "search", list{list{list{"write_date", ">", "garbage"}}}, nil),
		ask("sku", "product.product", "search_read", list{list{list{"default_code", "in", list{"{tag}plain", "{tag}archived"}}}},
			dict{"fields": list{"default_code", "name", "lst_price", "sale_ok", "active", "uom_id", "product_tmpl_id", "write_date", "display_name"},
				"order": "id asc", "context": dict{"active_test": false}}),
		ask("archived hidden", "product.product", "search_count", list{list{list{"default_code", "=like", "{tag}%"}}}, nil),
		ask("archived asked for", "product.product", "search_count", list{list{list{"default_code", "=like", "{tag}%"}, list{"active", "=", false}}}, nil),
		ask("children", "sale.order", "search_count", list{list{list{"partner_id", "child_of", ref("partner")}}}, nil),
		ask("not and or", "sale.order", "search_count", list{list{list{"partner_id", "=", ref("partner")}, "!", "|",
			list{"client_order_ref", "=", "{tag}-1"}, list{"client_order_ref", "=", false}}}, nil),
		ask("like", "sale.order", "search_count", list{list{list{"client_order_ref", "like", "{tag}-_"}}}, nil),
		ask("empty text", "sale.order", "search_count", list{list{list{"partner_id", "=", ref("partner")}, list{"client_order_ref", "=", ""}}}, nil),
		ask("path", "sale.order.line", "search_count", list{list{list{"order_id.client_order_ref", "=", "{tag}-1"}}}, nil),
		ask("currency", "res.currency", "search_read", list{list{list{"name", "=", "USD"}}}, dict{"fields": list{"name", "decimal_places"}}),
		ask("country", "res.country", "search_read", list{list{list{"code", "=", "BE"}}}, dict{"fields": list{"code", "name"}}),
		ask("state", "res.country.state", "search_read", list{list{list{"code", "=", "CA"}, list{"country_id", "=", 233}}}, dict{"fields": list{"code", "display_name"}}),
		ask("precision", "decimal.precision", "precision_get", list{"Product Price"}, nil),
		ask("unknown precision", "decimal.precision", "precision_get", list{"Nope"}, nil),
		ask("precision table", "decimal.precision", "search_read", list{list{}}, nil),
		ask("unknown model", "no.model", "search", list{list{}}, nil),
		ask("unknown method", "res.partner", "nosuch", list{list{}}, nil),
		ask("private method", "res.partner", "_search", list{list{}}, nil),

		// writing
		admin(ask("write gone", "sale.order", "write", list{list{9999999}, dict{"note": "x"}}, nil)),
		admin(ask("write unknown field", "sale.order", "write", list{list{order(0)}, dict{"nosuch": 1}}, nil)),
		admin(ask("write bad state", "sale.order", "write", list{list{order(0)}, dict{"state": "zzz"}}, nil)),
		admin(ask("create without partner", "sale.order", "create", list{dict{"client_order_ref": "x"}}, nil)),
		admin(ask("create", "sale.order", "create", list{dict{"partner_id": ref("partner"), "client_order_ref": "{tag}-made",
			"order_line": list{list{0, 0, dict{"product_id": ref("plain"), "product_uom_qty": 2}}, list{0, 0, dict{"display_type": "line_section", "name": "S"}}}}}, nil)),
		ask("created by hand", "sale.order.line", "search_read", list{list{list{"order_id.client_order_ref", "=", "{tag}-made"}}}, dict{"fields": lineRead, "order": "id"}),

		// tags
		load("tag", "crm.tag", named, protected, partner("t", "{tag} Tag")),
		load("tag by its id", "crm.tag", named[:1], protected, []string{"{tag}.t"}),
		load("no such tag", "crm.tag", named[:1], protected, []string{"{tag}.none"}),
		load("a tag's name is taken", "crm.tag", named, protected, partner("t2", "{tag} Tag")),
		ask("a tag's name is taken by hand", "crm.tag", "create", list{dict{"name": "{tag} Tag"}}, nil),
		ask("untagged", "sale.order", "read", list{list{order(0)}, list{"tag_ids"}}, nil),
		ask("tag read", "crm.tag", "search_read", list{list{list{"name", "in", list{"{tag} Tag", "{tag}"}}}}, dict{"fields": list{"name"}}),

		// the life of an order
		ask("confirm", "sale.order", "action_confirm", list{list{order(0)}}, nil),
		ask("confirmed", "sale.order", "read", list{list{order(0)}, orderRead}, nil),
		ask("confirm again", "sale.order", "action_confirm", list{list{order(0)}}, nil),
		admin(ask("delete confirmed", "sale.order", "unlink", list{list{order(0)}}, nil)),
		ask("draft confirmed", "sale.order", "action_draft", list{list{order(0)}}, nil),
		ask("cancel", "sale.order", "action_cancel", list{list{order(0)}}, dict{"context": dict{"disable_cancel_warning": true}}),
		ask("cancelled", "sale.order", "read", list{list{order(0)}, list{"state"}}, nil),
		ask("confirm cancelled", "sale.order", "action_confirm", list{list{order(0)}}, nil),
		ask("draft again", "sale.order", "action_draft", list{list{order(0)}}, nil),
		ask("confirm gone", "sale.order", "action_confirm", list{list{9999999}}, nil),
		ask("delete without the right", "sale.order", "unlink", list{list{order(0)}}, nil),
		admin(ask("delete", "sale.order", "unlink", list{list{order(0)}}, nil)),
		ask("deleted", "sale.order", "read", list{list{order(0)}, list{"name"}}, nil),
		// many at a time
		load("partners, some nameless", "res.partner", named, protected, partner("m1", "{tag} M1"), partner("m2", ""), partner("m3", "{tag} M3"), partner("m4", "")),
		load("partners, many nameless", "res.partner", named, protected, nameless("n", 14)...),
		load("partners, few nameless", "res.partner", named, protected, append([][]string{partner("m1", "{tag} M1")}, nameless("n", 9)...)...),
		load("partners, two kinds of errors", "res.partner", typed, protected,
			[]string{"{tag}.k1", "{tag} K1", "contact"}, []string{"{tag}.k2", "", "contact"}, []string{"{tag}.k3", "{tag} K3", "dock"}, []string{"{tag}.k4", "", "dock"}),
		load("partners, none of them made", "res.partner", named[:1], protected, []string{"{tag}.m1"}, []string{"{tag}.m3"}),
		load("no right to any", "res.country", []string{"id", "name"}, protected, []string{"{tag}.x", "Xland"}, []string{"{tag}.y", "Yland"}),
		load("the id of a partner among those of orders", "sale.order", head, protected,
			row("u1", "U1", "{tag}.u11", "{plain}", "1"), row("p", "U2", "{tag}.u21", "{plain}", "1"), row("u3", "U3", "{tag}.u31", "{plain}", "1")),
		load("one id twice", "sale.order", head, protected, row("v", "V1", "{tag}.v1", "{plain}", "1"), row("w", "W", "{tag}.w1", "{plain}", "1"), row("v", "V2", "{tag}.v2", "{plain}", "2")),
		load("known and new", "sale.order", head, protected, row("d", "D2", "{tag}.d1", "{plain}", "9"), row("s", "S", "{tag}.s1", "{plain}", "1"), row("c", "C2", "{tag}.c1", "{plain}", "9")),
		load("load deleted again", "sale.order", head, protected, row("a", "{tag}-again", "{tag}.a1", "{plain}", "1")),
	}
	if major >= 17 {
		specification := dict{"name": dict{}, "partner_id": dict{}, "locked": dict{}, "currency_id": dict{},
			"order_line": dict{"fields": dict{"product_id": dict{}, "price_unit": dict{}, unit: dict{"fields": dict{"display_name": dict{}}}}}}
		steps = append(steps,
			ask("web_search_read", "sale.order", "web_search_read", list{}, dict{"domain": list{list{"id", "in", list{order(2), 9999999}}}, "specification": specification, "order": "id asc"}),
			ask("web_read", "sale.order", "web_read", list{list{order(2), 9999999}}, dict{"specification": specification}),
			ask("web_read unknown field", "sale.order", "web_read", list{list{order(2)}}, dict{"specification": dict{"nosuch": dict{}}}),
			ask("access", "sale.order", "has_access", list{list{}, "create"}, nil),
			ask("no access", "decimal.precision", "has_access", list{list{}, "read"}, nil),
			ask("model data", "ir.model.data", "search_read", list{list{}}, dict{"limit": 1}),
		)
	}
	return steps
}
