package sandbox_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
)

var orderFields = []string{"id", "partner_id/.id", "client_order_ref", "order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty"}

// product returns the id of a seeded product as a cell of load.
func product(sku string) string {
	for _, p := range sandbox.Catalogue() {
		if p.SKU == sku {
			return strconv.FormatInt(p.ID, 10)
		}
	}
	panic("no product " + sku)
}

// twoLines are the rows of an order of two lines.
func twoLines(key, reference, quantity string) [][]string {
	return [][]string{
		{"og." + key, "9", reference, "og." + key + "_1", product("E-COM07"), quantity},
		{"", "", "", "og." + key + "_2", product("E-COM08"), "1"},
	}
}

func TestLoadCreatesOnce(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, admin := start(t, sandbox.Options{Major: major})
		first, messages := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "2"), protected)
		require.Empty(t, messages)
		require.Len(t, first, 1)
		o := gateway.read(t, "sale.order", first[0], "name", "client_order_ref", "order_line", "amount_untaxed", "amount_tax", "amount_total", "state")
		require.Equal(t, "PO-1", o["client_order_ref"])
		require.Len(t, o["order_line"], 2)
		require.Equal(t, []any{655.8, 2.37, 658.17, "draft"}, []any{o["amount_untaxed"], o["amount_tax"], o["amount_total"], o["state"]})
		require.NotEqual(t, fmt.Sprintf("S%05d", first[0]), o["name"], "number and id must not be mistaken for each other")

		admin.call(t, "sale.order", "write", list{list{first[0]}, dict{"client_order_ref": "edited"}}, nil)
		again, messages := gateway.load(t, "sale.order", orderFields, append(twoLines("a", "PO-2", "5"),
			[]string{"", "", "", "og.a_3", product("E-COM07"), "1"}), protected)
		require.Empty(t, messages)
		require.Equal(t, first, again)
		o = gateway.read(t, "sale.order", first[0], "client_order_ref", "order_line", "amount_total")
		require.Equal(t, "edited", o["client_order_ref"])
		require.Len(t, o["order_line"], 2)
		require.Equal(t, 658.17, o["amount_total"])
	})
}

func TestLoadWithoutBothContextKeysOverwrites(t *testing.T) {
	for name, context := range map[string]dict{
		"none": {}, "noupdate only": {"noupdate": true}, "not protected": {"mode": "update"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, gateway, _ := start(t, sandbox.Options{})
			kwargs := dict{"context": context}
			first, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "2"), kwargs)
			again, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-2", "3"), kwargs)
			require.Equal(t, first, again)
			o := gateway.read(t, "sale.order", first[0], "client_order_ref", "order_line", "amount_untaxed")
			require.Equal(t, "PO-2", o["client_order_ref"])
			require.Len(t, o["order_line"], 2, "lines with external ids are written, not added")
			require.Equal(t, 975.8, o["amount_untaxed"])

			nameless := []string{"id", "partner_id/.id", "order_line/product_id/.id", "order_line/product_uom_qty"}
			gateway.load(t, "sale.order", nameless, [][]string{{"og.a", "9", product("E-COM07"), "1"}}, kwargs)
			o = gateway.read(t, "sale.order", first[0], "order_line")
			require.Len(t, o["order_line"], 3, "lines without external ids are added")
		})
	}
}

func TestLoadConcurrently(t *testing.T) {
	t.Parallel()
	_, gateway, _ := start(t, sandbox.Options{})
	ids := make([]any, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			answer, err := gateway.try("sale.order", "load", list{toList(orderFields), toRows(twoLines("same", "PO-1", "1"))}, protected)
			if err == nil {
				ids[i] = answer.(dict)["ids"]
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		require.Len(t, id, 1)
		require.Equal(t, ids[0], id)
	}
	require.EqualValues(t, 1, gateway.call(t, "sale.order", "search_count", list{list{list{"client_order_ref", "=", "PO-1"}}}, nil))
}

func TestLoadIsAllOrNothing(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		rows := append(twoLines("good", "PO-good", "1"), twoLines("bad", "PO-bad", "1")...)
		rows[3][4] = "999999"
		answer := gateway.call(t, "sale.order", "load", list{toList(orderFields), toRows(rows)}, protected).(dict)
		require.Equal(t, false, answer["ids"])
		message := answer["messages"].(list)[0].(dict)
		require.Equal(t, dict{"from": int64(2), "to": int64(3)}, message["rows"])
		require.EqualValues(t, 1, message["record"])
		require.Equal(t, "order_line", message["field"])
		require.Equal(t, "No matching record found for database id '999999' in field 'Order Lines/Product'", message["message"])
		require.EqualValues(t, 0, gateway.call(t, "sale.order", "search_count", list{list{list{"client_order_ref", "like", "PO-"}, list{"client_order_ref", "not like", "PO-7"}}}, nil))

		rows[3][4] = product("E-COM08")
		ids, messages := gateway.load(t, "sale.order", orderFields, rows, protected)
		require.Empty(t, messages)
		require.Len(t, ids, 2, "what was rolled back left no external id behind")
	})
}

// What went wrong with all records together is said before what is wrong with each, and of the first: since Odoo 17.
func TestLoadOfManyNamesTheFirst(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		rows := [][]string{{"og.a", "A"}, {"og.b", "B"}, {"og.c", "C"}}
		blamed := func() (records list) {
			answer := gateway.call(t, "res.country", "load", list{list{"id", "name"}, toRows(rows)}, protected).(dict)
			require.Equal(t, false, answer["ids"])
			for _, m := range answer["messages"].(list) {
				records = append(records, m.(dict)["record"])
			}
			return records
		}
		require.Equal(t, list{int64(0), int64(1), int64(2)}, blamed(), "the first is at fault itself")
		if major == 14 {
			return
		}
		_, messages := gateway.load(t, "res.partner", []string{"id", "name"}, [][]string{{"og.p", "P"}}, protected)
		require.Empty(t, messages)
		answer := gateway.call(t, "sale.order", "load", list{toList(orderFields[:2]),
			toRows([][]string{{"og.o1", "9"}, {"og.p", "9"}, {"og.o2", "9"}})}, protected).(dict)
		require.Len(t, answer["messages"], 2)
		for i, m := range answer["messages"].(list) {
			require.EqualValues(t, i, m.(dict)["record"])
			require.Contains(t, m.(dict)["message"], "For external id og.p")
		}
	})
}

func TestLoadStopsAfterTenErrors(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		rows := make([][]string, 12)
		for i := range rows {
			rows[i] = []string{fmt.Sprintf("og.%d", i), ""}
		}
		ids, messages := gateway.load(t, "res.partner", []string{"id", "name"}, rows, protected)
		require.Nil(t, ids)
		require.Len(t, messages, 11)
		require.Contains(t, messages[10], "interrupted to avoid showing too many errors")
		_, messages = gateway.load(t, "res.partner", []string{"id", "name"}, rows[:9], protected)
		require.Len(t, messages, 9)
	})
}

func TestLoadRefusesOneIDForTwoLines(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		rows := append(twoLines("good", "PO-good", "1"), twoLines("bad", "PO-bad", "1")...)
		rows[3][3] = rows[2][3]
		answer := gateway.call(t, "sale.order", "load", list{toList(orderFields), toRows(rows)}, protected).(dict)
		require.Equal(t, false, answer["ids"])
		messages := answer["messages"].(list)
		require.EqualValues(t, 1, messages[len(messages)-1].(dict)["record"])
	})
}

func toList(fields []string) list {
	l := make(list, len(fields))
	for i, f := range fields {
		l[i] = f
	}
	return l
}

func toRows(rows [][]string) list {
	l := make(list, len(rows))
	for i, r := range rows {
		l[i] = toList(r)
	}
	return l
}

func TestLoadRefusals(t *testing.T) {
	required := map[int]string{
		14: "Missing required value for the field 'Customer' (partner_id)",
		19: "Missing required value for the field 'Customer' (partner_id).\nModel: 'Sales Order' (sale.order)\n" +
			"- create/update: a mandatory field is not set\n- delete: another model requires the record being deleted, you can archive it instead\n",
	}
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		tests := []struct {
			name     string
			model    string
			fields   []string
			row      []string
			messages list
		}{
			{"partner", "sale.order", orderFields, []string{"og.x", "999999", "", "og.x1", product("E-COM07"), "1"},
				list{"No matching record found for database id '999999' in field 'Customer'", required[major]}},
			{"not a number", "sale.order", orderFields, []string{"og.x", "9", "", "og.x1", product("E-COM07"), "five"},
				list{"'five' does not seem to be a number for field 'Order Lines/Quantity'"}},
			{"hexadecimal", "sale.order", orderFields, []string{"og.x", "9", "", "og.x1", product("E-COM07"), "0x10"},
				list{"'0x10' does not seem to be a number for field 'Order Lines/Quantity'"}},
			{"not an id", "sale.order", []string{"id", "partner_id/.id"}, []string{"og.x", "abc"},
				list{"Invalid database id 'abc' for the field 'Customer'", required[major]}},
			{"no partner", "sale.order", []string{"id"}, []string{"og.x"}, list{required[major]}},
			{"selection", "res.partner", []string{"id", "name", "type"}, []string{"og.x", "N", "dock"},
				list{"Value 'dock' not found in selection field 'Address Type'"}},
			{"name", "res.partner", []string{"id", "email"}, []string{"og.x", "a@b"},
				list{map[int]string{14: "'Contacts require a name'", 19: "Contacts require a name"}[major]}},
			{"parent", "res.partner", []string{"id", "name", "parent_id/.id"}, []string{"og.x", "N", "999999"},
				list{"No matching record found for database id '999999' in field 'Related Company'"}},
			{"access", "res.country", []string{"id", "name"}, []string{"og.x", "Xland"}, list{map[int]string{
				14: "Unknown error during import: <class 'odoo.exceptions.AccessError'>: You are not allowed to create 'Country' (res.country) records.\n\n" +
					"This operation is allowed for the following groups:\n\t- Administration/Settings\n\nContact your administrator to request access if necessary.",
				19: "You are not allowed to create 'Country' (res.country) records.\n\nThis operation is allowed for the following groups:\n" +
					"\t- Role / Administrator\n\nContact your administrator to request access if necessary.",
			}[major]}},
		}
		for _, test := range tests {
			ids, messages := gateway.load(t, test.model, test.fields, [][]string{test.row}, protected)
			require.Nil(t, ids, test.name)
			require.Equal(t, test.messages, messages, test.name)
		}
	})
}

func TestLoadPrices(t *testing.T) {
	t.Parallel()
	_, gateway, _ := start(t, sandbox.Options{})
	lines := func(id any) list {
		return gateway.call(t, "sale.order.line", "search_read", list{list{list{"order_id", "=", id}}},
			dict{"fields": list{"price_unit", "discount", "price_subtotal"}, "order": "id"}).(list)
	}
	fields := append(append([]string{}, orderFields...), "order_line/price_unit", "order_line/discount")
	rows := twoLines("a", "PO-1", "2")
	rows[0] = append(rows[0], "10.5", "10.555")
	rows[1] = append(rows[1], "", "")
	ids, messages := gateway.load(t, "sale.order", fields, rows, protected)
	require.Empty(t, messages)
	got := lines(ids[0])
	require.Equal(t, []any{10.5, 10.56, 18.78}, []any{got[0].(dict)["price_unit"], got[0].(dict)["discount"], got[0].(dict)["price_subtotal"]})
	require.Equal(t, []any{0.0, 0.0}, []any{got[1].(dict)["price_unit"], got[1].(dict)["discount"]}, "a blank price is 0")

	ids, _ = gateway.load(t, "sale.order", orderFields, twoLines("b", "PO-2", "2"), protected)
	require.Equal(t, 320.0, lines(ids[0])[0].(dict)["price_unit"], "without the column the price list decides")
}

// A record that is deleted frees its external id, and those of its lines.
func TestDeletingFreesExternalIDs(t *testing.T) {
	t.Parallel()
	_, gateway, admin := start(t, sandbox.Options{})
	first, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "1"), protected)
	count := func() any {
		return admin.call(t, "ir.model.data", "search_count", list{list{list{"module", "=", "og"}}}, nil)
	}
	require.EqualValues(t, 3, count())
	admin.call(t, "sale.order", "unlink", list{list{first[0]}}, nil)
	require.EqualValues(t, 0, count())
	require.Empty(t, gateway.call(t, "sale.order", "read", list{list{first[0]}, list{"name"}}, nil))
	again, messages := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "1"), protected)
	require.Empty(t, messages)
	require.NotEqual(t, first, again)
}

// Odoo 14 looks its references up before it sees that the order exists, and does not find archived ones.
func TestReplayAfterProductWasArchived(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, admin := start(t, sandbox.Options{Major: major})
		first, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "1"), protected)
		id, err := strconv.ParseInt(product("E-COM07"), 10, 64)
		require.NoError(t, err)
		admin.call(t, "product.product", "write", list{list{id}, dict{"active": false}}, nil)

		again, messages := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "1"), protected)
		if major == 14 {
			require.Nil(t, again)
			require.Len(t, messages, 1)
		} else {
			require.Equal(t, first, again)
		}
		context := dict{"context": dict{"mode": "update", "noupdate": true, "active_test": false}}
		again, _ = gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "1"), context)
		require.Equal(t, first, again)
		again, _ = gateway.load(t, "sale.order", []string{"id"}, [][]string{{"og.a"}}, protected)
		require.Equal(t, first, again)
	})
}

func TestLoadPartner(t *testing.T) {
	t.Parallel()
	_, gateway, admin := start(t, sandbox.Options{})
	fields := []string{"id", "parent_id/.id", "type", "name", "street", "country_id/.id", "state_id/.id"}
	row := []string{"og.dock", "9", "delivery", "Dock <1> & co", "S 1", "233", "13"}
	first, messages := gateway.load(t, "res.partner", fields, [][]string{row}, protected)
	require.Empty(t, messages)
	row[3] = "other"
	again, _ := gateway.load(t, "res.partner", fields, [][]string{row}, protected)
	require.Equal(t, first, again)
	p := gateway.read(t, "res.partner", first[0], "display_name", "commercial_partner_id", "state_id", "email")
	require.Equal(t, "Acme Corporation, Dock <1> & co", p["display_name"])
	require.Equal(t, list{int64(9), "Acme Corporation"}, p["commercial_partner_id"])
	require.Equal(t, list{int64(13), "California (US)"}, p["state_id"])
	require.Equal(t, false, p["email"])

	ids, _ := gateway.load(t, "sale.order", orderFields, twoLines("a", "PO-1", "1"), protected)
	o := gateway.read(t, "sale.order", ids[0], "partner_shipping_id", "partner_invoice_id")
	require.Equal(t, first[0], o["partner_shipping_id"].(list)[0], "a delivery address is used on its own")
	require.EqualValues(t, 9, o["partner_invoice_id"].(list)[0])
	admin.call(t, "res.partner", "write", list{list{first[0]}, dict{"active": false}}, nil)
	ids, _ = gateway.load(t, "sale.order", orderFields, twoLines("b", "PO-2", "1"), protected)
	require.EqualValues(t, 9, gateway.read(t, "sale.order", ids[0], "partner_shipping_id")["partner_shipping_id"].(list)[0], "unless it is archived")
}

// External ids share one name space across models, and old versions do not notice.
func TestExternalIDOfAnotherModel(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		partner, _ := gateway.load(t, "res.partner", []string{"id", "name"}, [][]string{{"og.shared", "N"}}, protected)
		ids, messages := gateway.load(t, "sale.order", orderFields[:2], [][]string{{"og.shared", "9"}}, protected)
		if major == 14 {
			require.Equal(t, partner, ids)
			return
		}
		require.Nil(t, ids)
		require.Contains(t, messages[0], "found record of different model res.partner")
	})
}
