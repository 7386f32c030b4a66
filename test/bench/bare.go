package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kolo/xmlrpc"
)

// bareOdoo is what a careful integration without a gateway does: XML-RPC over one http.Client that keeps connections.
type bareOdoo struct {
	base, database, user, password string
	uid                            int64
	client                         *http.Client
	products                       []any // ids of the two products of every order
	partners                       []any // ids of customers
}

// connect logs in to the Odoo of a URL such as http://user:password@host:port/database.
func connect(setting string) (*bareOdoo, error) {
	u, err := url.Parse(setting)
	if err != nil || u.User == nil {
		return nil, errors.New("ORDERGATE_TEST_ODOO19 is not set to http://user:password@host:port/database")
	}
	password, _ := u.User.Password()
	o := &bareOdoo{
		base: u.Scheme + "://" + u.Host, database: strings.Trim(u.Path, "/"), user: u.User.Username(), password: password,
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: mostBareClients}},
	}
	uid, err := o.rpc("/xmlrpc/2/common", "authenticate", o.database, o.user, o.password, map[string]any{})
	if err != nil {
		return nil, err
	}
	var ok bool
	if o.uid, ok = uid.(int64); !ok {
		return nil, errors.New("the login of ORDERGATE_TEST_ODOO19 is refused")
	}
	for _, sku := range skus {
		ids, err := o.execute("product.product", "search", []any{[]any{[]any{"default_code", "=", sku}}}, nil)
		if err != nil {
			return nil, err
		}
		found, ok := ids.([]any)
		if !ok || len(found) != 1 {
			return nil, fmt.Errorf("no single product has the SKU %s: Odoo must have its demo data", sku)
		}
		o.products = append(o.products, found[0])
	}
	companies, err := o.execute("res.partner", "search", []any{[]any{[]any{"is_company", "=", true}}}, map[string]any{"limit": customers})
	if err != nil {
		return nil, err
	}
	o.partners, ok = companies.([]any)
	if !ok || len(o.partners) < customers {
		return nil, fmt.Errorf("there are fewer than %d companies: Odoo must have its demo data", customers)
	}
	return o, nil
}

// skus are two products of Odoo's demo data.
var skus = []string{"E-COM07", "FURN_7777"}

func (o *bareOdoo) execute(model, method string, args []any, kwargs map[string]any) (any, error) {
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	return o.rpc("/xmlrpc/2/object", "execute_kw", o.database, o.uid, o.password, model, method, args, kwargs)
}

func (o *bareOdoo) rpc(path, method string, args ...any) (any, error) {
	body, err := xmlrpc.EncodeMethodCall(method, args...)
	if err != nil {
		return nil, err
	}
	response, err := o.client.Post(o.base+path, "text/xml", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	decoded := xmlrpc.Response(raw)
	if err := decoded.Err(); err != nil {
		return nil, err
	}
	var answer any
	return answer, decoded.Unmarshal(&answer)
}

// orderFields and lineFields are what the gateway's answer needs of an order.
var (
	orderFields = []any{"name", "state", "locked", "partner_id", "client_order_ref", "note", "currency_id", "amount_untaxed",
		"amount_tax", "amount_total", "date_order", "create_date", "write_date", "order_line"}
	lineFields = []any{"order_id", "product_id", "name", "product_uom_id", "product_uom_qty", "price_unit", "discount",
		"price_subtotal", "price_tax", "price_total", "write_date", "display_type"}
)

// create creates a two-line order for one of the customers, and returns its id.
func (o *bareOdoo) create(reference string, customer int) (id any, err error) {
	line := func(product any, quantity float64) []any {
		return []any{0, 0, map[string]any{"product_id": product, "product_uom_qty": quantity}}
	}
	return o.execute("sale.order", "create", []any{map[string]any{
		"partner_id": o.partners[customer%len(o.partners)], "client_order_ref": reference,
		"order_line": []any{line(o.products[0], 2), line(o.products[1], 1)},
	}}, nil)
}

// load creates two-line orders in one call, as the gateway does, and reads none of them back. The references tell them apart.
func (o *bareOdoo) load(references []string) error {
	columns := []any{"id", "partner_id/.id", "client_order_ref", "order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty"}
	var rows []any
	for i, reference := range references {
		id := "bench." + strings.ReplaceAll(reference, "-", "_")
		partner := fmt.Sprint(o.partners[i%len(o.partners)])
		rows = append(rows, []any{id, partner, reference, id + "_1", fmt.Sprint(o.products[0]), "2"},
			[]any{"", "", "", id + "_2", fmt.Sprint(o.products[1]), "1"})
	}
	answer, err := o.execute("sale.order", "load", []any{columns, rows},
		map[string]any{"context": map[string]any{"mode": "update", "noupdate": true}})
	if err != nil {
		return err
	}
	result, _ := answer.(map[string]any)
	if ids, ok := result["ids"].([]any); !ok || len(ids) != len(references) {
		return fmt.Errorf("load answered %v", result["messages"])
	}
	return nil
}

// createAndRead creates a two-line order and reads it back, without its lines.
func (o *bareOdoo) createAndRead(reference string) error {
	id, err := o.create(reference, 0)
	if err != nil {
		return err
	}
	_, err = o.execute("sale.order", "read", []any{[]any{id}}, map[string]any{"fields": orderFields})
	return err
}

// countOrders counts the orders whose reference begins with a text.
func (o *bareOdoo) countOrders(prefix string) (int64, error) {
	n, err := o.execute("sale.order", "search_count", []any{[]any{[]any{"client_order_ref", "=like", prefix + "%"}}}, nil)
	if err != nil {
		return 0, err
	}
	count, ok := n.(int64)
	if !ok {
		return 0, fmt.Errorf("search_count answered %T", n)
	}
	return count, nil
}

// searchRead reads a customer's orders and their lines.
func (o *bareOdoo) searchRead(partner int64, want int) error {
	orders, err := o.execute("sale.order", "search_read", []any{[]any{[]any{"partner_id", "=", partner}}},
		map[string]any{"fields": orderFields, "order": "date_order desc, id desc", "limit": want})
	if err != nil {
		return err
	}
	list, _ := orders.([]any)
	if len(list) != want {
		return fmt.Errorf("search_read found %d orders, want %d", len(list), want)
	}
	var ids []any
	for _, record := range list {
		ids = append(ids, record.(map[string]any)["id"])
	}
	_, err = o.execute("sale.order.line", "search_read", []any{[]any{[]any{"order_id", "in", ids}}}, map[string]any{"fields": lineFields})
	return err
}
