package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
)

func TestDomains(t *testing.T) {
	tests := []struct {
		name   string
		model  string
		domain list
		want   []int64 // by id
		in14   []int64 // where Odoo 14 differs
	}{
		{"all", "sale.order", list{}, []int64{4, 5, 6, 7, 8}, nil},
		{"implicit and", "sale.order", list{list{"id", ">", 4}, list{"id", "<=", 6}}, []int64{5, 6}, nil},
		{"contradiction", "sale.order", list{list{"id", ">", 6}, list{"id", "<", 5}}, []int64{}, nil},
		{"and", "sale.order", list{"&", list{"id", ">=", 5}, list{"state", "=", "sale"}}, []int64{6}, nil},
		{"or", "sale.order", list{"|", list{"id", "=", 4}, list{"state", "=", "sent"}}, []int64{4, 5}, nil},
		{"or, then and", "sale.order", list{"|", list{"id", "=", 4}, list{"id", "=", 5}, list{"state", "=", "sale"}}, []int64{4}, nil},
		{"not", "sale.order", list{"!", list{"id", ">", 4}}, []int64{4}, nil},
		{"not or", "sale.order", list{"!", "|", list{"state", "=", "sale"}, list{"state", "=", "draft"}}, []int64{5, 7}, nil},
		{"in", "sale.order", list{list{"id", "in", list{7, 5, 99, 5}}}, []int64{5, 7}, nil},
		{"in nothing", "sale.order", list{list{"id", "in", list{}}}, []int64{}, nil},
		{"in twice", "sale.order", list{list{"id", "in", list{4, 5}}, list{"id", "in", list{5, 6}}}, []int64{5}, nil},
		{"in with false", "sale.order", list{list{"id", "in", list{4, false}}}, []int64{4}, nil},
		{"not in", "sale.order", list{list{"id", "not in", list{4, 5, 6}}}, []int64{7, 8}, nil},
		{"id as text", "sale.order", list{list{"id", "=", "5"}}, []int64{5}, nil},
		{"constants", "sale.order", list{list{1, "=", 1}, list{"id", "=", 5}}, []int64{5}, nil},
		{"false constant", "sale.order", list{list{0, "=", 1}}, []int64{}, nil},
		{"not set", "sale.order", list{list{"client_order_ref", "=", false}}, []int64{5, 7}, nil},
		{"empty text", "sale.order", list{list{"client_order_ref", "=", ""}}, []int64{5, 7}, []int64{}},
		{"set", "sale.order", list{list{"client_order_ref", "!=", false}}, []int64{4, 6, 8}, nil},
		{"other or not set", "sale.order", list{list{"client_order_ref", "!=", "PO-77"}}, []int64{5, 6, 7, 8}, nil},
		{"in or not set", "sale.order", list{list{"client_order_ref", "in", list{false, "PO-77"}}}, []int64{4, 5, 7}, nil},
		{"like", "sale.order", list{list{"client_order_ref", "like", "PO_7_"}}, []int64{4, 6, 8}, nil},
		{"like is exact in case", "sale.order", list{list{"client_order_ref", "like", "po"}}, []int64{}, nil},
		{"ilike", "sale.order", list{list{"client_order_ref", "ilike", "po-78"}}, []int64{6}, nil},
		{"not like", "sale.order", list{list{"client_order_ref", "not like", "77"}}, []int64{5, 6, 7, 8}, nil},
		{"=like", "sale.order", list{list{"name", "=like", "S%2"}}, []int64{5}, nil},
		{"=like whole", "sale.order", list{list{"name", "=like", "0000"}}, []int64{}, nil},
		{"like escapes nothing but % and _", "sale.order", list{list{"name", "like", "S.*"}}, []int64{}, nil},
		{"amount", "sale.order", list{list{"amount_total", ">", 1000}}, []int64{5}, nil},
		{"many2one", "sale.order", list{list{"partner_id", "=", 9}}, []int64{4, 8}, nil},
		{"many2one by name", "sale.order", list{list{"partner_id", "=", "Gemini Furniture"}}, []int64{5}, nil},
		{"many2one in", "sale.order", list{list{"partner_id", "in", list{10, 20}}}, []int64{5, 7}, nil},
		{"many2one is not", "sale.order", list{list{"partner_id", "!=", 9}}, []int64{5, 6, 7}, nil},
		{"child of", "sale.order", list{list{"partner_id", "child_of", 9}}, []int64{4, 6, 8}, nil},
		{"child of several", "sale.order", list{list{"partner_id", "child_of", list{9, 10}}}, []int64{4, 5, 6, 8}, nil},
		{"children", "res.partner", list{list{"id", "child_of", list{9}}}, []int64{9, 18, 19}, nil},
		{"children of nobody", "res.partner", list{list{"id", "child_of", 999}}, []int64{}, nil},
		{"commercial", "res.partner", list{list{"commercial_partner_id", "=", 9}}, []int64{9, 18, 19}, nil},
		{"archived are hidden", "res.partner", list{list{"id", ">", 20}}, []int64{21}, nil},
		{"unless asked for", "res.partner", list{list{"id", ">", 20}, list{"active", "=", false}}, []int64{22}, nil},
		{"or with both", "res.partner", list{list{"id", ">", 20}, "|", list{"active", "=", true}, list{"active", "=", false}}, []int64{21, 22}, nil},
		{"path", "sale.order", list{list{"partner_id.city", "=", "Gent"}}, []int64{5}, nil},
		{"path to lines", "sale.order", list{list{"order_line.product_id.default_code", "=", "E-COM08"}}, []int64{4}, nil},
		{"lines of", "sale.order.line", list{list{"order_id", "in", list{4, 6}}}, []int64{1, 2, 4, 5}, nil},
		{"lines by order's state", "sale.order.line", list{list{"order_id.state", "=", "sent"}}, []int64{3}, nil},
		{"template", "product.product", list{list{"product_tmpl_id.write_date", ">", "2100-01-01 00:00:00"}}, []int64{}, nil},
		{"sku", "product.product", list{list{"default_code", "in", list{"E-COM07", "FURN_0200"}}}, []int64{16, 27, 28}, nil},
		{"no sku", "product.product", list{list{"default_code", "=", false}}, []int64{29}, nil},
	}
	majors(t, func(t *testing.T, major int) {
		_, gateway, _ := start(t, sandbox.Options{Major: major})
		for _, test := range tests {
			want := test.want
			if major == 14 && test.in14 != nil {
				want = test.in14
			}
			for _, order := range []string{"id", "id desc"} {
				answer := gateway.call(t, test.model, "search", list{test.domain}, dict{"order": order}).(list)
				got := []int64{}
				for _, id := range answer {
					got = append(got, id.(int64))
				}
				require.ElementsMatch(t, want, got, "%s, order %s", test.name, order)
			}
			require.EqualValues(t, len(want), gateway.call(t, test.model, "search_count", list{test.domain}, nil), test.name)
		}
	})
}

func TestSearchOrderAndPages(t *testing.T) {
	t.Parallel()
	_, gateway, _ := start(t, sandbox.Options{})
	for _, test := range []struct {
		name   string
		kwargs dict
		want   list
	}{
		{"newest first by default", nil, list{8, 7, 6, 5, 4}},
		{"rising", dict{"order": "id asc"}, list{4, 5, 6, 7, 8}},
		{"limit", dict{"order": "id", "limit": 2}, list{4, 5}},
		{"limit 0 is none", dict{"order": "id", "limit": 0}, list{4, 5, 6, 7, 8}},
		{"limit false is none", dict{"order": "id", "limit": false}, list{4, 5, 6, 7, 8}},
		{"page", dict{"order": "id", "limit": 2, "offset": 3}, list{7, 8}},
		{"past the end", dict{"order": "id", "offset": 9}, list{}},
		{"two terms, empty last", dict{"order": "state, client_order_ref desc"}, list{7, 8, 6, 4, 5}},
		{"empty first when descending", dict{"order": "client_order_ref desc, id"}, list{5, 7, 8, 6, 4}},
		{"by partner's order", dict{"order": "partner_id, id", "limit": 3}, list{4, 8, 6}},
	} {
		got := gateway.call(t, "sale.order", "search", list{list{}}, test.kwargs).(list)
		want := list{}
		for _, id := range test.want {
			want = append(want, int64(id.(int)))
		}
		require.Equal(t, want, got, test.name)
	}
	for _, order := range []string{"id; drop", "nosuch", "id sideways"} {
		_, err := gateway.try("sale.order", "search", list{list{}}, dict{"order": order})
		require.Error(t, err, order)
	}
}

func TestActiveTest(t *testing.T) {
	t.Parallel()
	_, gateway, _ := start(t, sandbox.Options{})
	domain := list{list{"default_code", "=", sandbox.ArchivedSKU}}
	require.Empty(t, gateway.call(t, "product.product", "search", list{domain}, nil))
	found := gateway.call(t, "product.product", "search", list{domain}, dict{"context": dict{"active_test": false}}).(list)
	require.Len(t, found, 1)
	require.Equal(t, false, gateway.read(t, "product.product", found[0], "active")["active"], "read does not hide")
}
