package faults

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"ordergate/odoo/sandbox"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
	"ordergate/test/proxy"
)

// erp is the Odoo of a run, and how it can fail. What people do in it goes past the proxies.
type erp struct {
	server     env.OdooServer
	http       *proxy.HTTPProxy
	warehouses map[int64]string // their codes by id; nil: the sandbox, which has none
	tcp        *proxy.TCPProxy  // before http: for what happens below HTTP
}

func openERP(s *stage, o Options) (*erp, error) {
	e := &erp{}
	switch o.Odoo {
	case Sandbox, Sandbox14:
		major := 19
		if o.Odoo == Sandbox14 {
			major = 14
		}
		stand, err := sandbox.Start(sandbox.Options{Major: major, Documents: true})
		if err != nil {
			return nil, err
		}
		s.Cleanup(func() { _ = stand.Close() }) // it only listens on this machine
		e.server = env.OdooServer{
			Major: major, URL: stand.URL(), Database: sandbox.Database, User: sandbox.User, Password: sandbox.Password,
			AdminUser: sandbox.AdminUser, AdminPassword: sandbox.AdminPassword,
		}
	default:
		server, there := o.Servers.Odoo[o.Odoo]
		if !there {
			return nil, fmt.Errorf("no server is known for Odoo %s", o.Odoo)
		}
		e.server = server
		if err := errors.Join(e.prepareWarehouses(), e.prepareReceiver()); err != nil {
			return nil, err
		}
	}
	e.http = proxy.HTTP(s, e.server.URL)
	address, err := url.Parse(e.http.URL())
	if err != nil {
		return nil, err
	}
	e.tcp = proxy.TCP(s, address.Host)
	return e, nil
}

// url is where the gateways find it.
func (e *erp) url() string { return "http://" + e.tcp.Addr() }

func (e *erp) setDown(down bool) {
	e.tcp.Refuse(down)
	if down {
		e.tcp.Cut()
	}
}

func (e *erp) heal() {
	e.http.Behave()
	e.tcp.Behave()
	e.tcp.Refuse(false)
}

// people does something as the administrator. What may be done twice is tried again where Odoo loses the worker that does it:
// someone may be killing them.
func (e *erp) people(model, method string, args []any, kwargs map[string]any) (answer any, err error) {
	for range 5 {
		answer, err = odoorpc.Execute(e.server.URL, e.server.Database, e.server.AdminUser, e.server.AdminPassword, model, method, args, kwargs)
		var lost *url.Error
		if !errors.As(err, &lost) || method == "create" {
			return answer, err
		}
	}
	return answer, err
}

// ERPOrder is an order as Odoo has it.
type ERPOrder struct {
	ID        int64
	Reference string
	State     string
	Note      string
	Total     float64
	Lines     []ERPLine // in the order of their ids

	OnHold, Approved bool
	Warehouse        string // its code; not of the sandbox
	Deliveries       []ERPDelivery
	Returns          map[int64]map[int64]float64 // what is to come back, or has, by delivery and then by line; not of the sandbox
	Invoices         []ERPInvoice
}

// ERPLine is a line of an order as Odoo has it.
type ERPLine struct {
	ID, ProductID       int64
	Quantity, Price     float64
	Delivered, Invoiced float64
}

// orders returns the orders whose reference begins with a prefix, with their lines, by rising id.
func (e *erp) orders(prefix string) ([]ERPOrder, error) {
	found, err := e.records("sale.order", []any{[]any{"client_order_ref", "=like", prefix + "%"}},
		"client_order_ref", "state", "note", "amount_total")
	if err != nil {
		return nil, err
	}
	orders := make([]ERPOrder, len(found))
	at := make(map[int64]int, len(found))
	ids := make([]any, len(found))
	for i, r := range found {
		orders[i] = ERPOrder{ID: integer(r["id"]), Reference: text(r["client_order_ref"]), State: text(r["state"]),
			Note: text(r["note"]), Total: number(r["amount_total"])}
		at[orders[i].ID], ids[i] = i, orders[i].ID
	}
	lines, err := e.records("sale.order.line", []any{[]any{"order_id", "in", ids}}, "order_id", "product_id", "product_uom_qty", "price_unit",
		"qty_delivered", "qty_invoiced")
	if err != nil {
		return nil, err
	}
	for _, r := range lines {
		i, there := at[integer(r["order_id"])]
		if !there {
			continue // its order came between the two calls
		}
		orders[i].Lines = append(orders[i].Lines, ERPLine{ID: integer(r["id"]), ProductID: integer(r["product_id"]),
			Quantity: number(r["product_uom_qty"]), Price: number(r["price_unit"]),
			Delivered: number(r["qty_delivered"]), Invoiced: number(r["qty_invoiced"])})
	}
	return orders, e.addDocuments(orders)
}

// references returns the references that begin with a prefix, by order id: less than orders, and cheaper.
func (e *erp) references(prefix string) (map[int64]string, error) {
	found, err := e.records("sale.order", []any{[]any{"client_order_ref", "=like", prefix + "%"}}, "client_order_ref")
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]string, len(found))
	for _, r := range found {
		byID[integer(r["id"])] = text(r["client_order_ref"])
	}
	return byID, nil
}

// products returns the ids of products by SKU, archived ones too.
func (e *erp) products(skus []string) (map[string]int64, error) {
	wanted := make([]any, len(skus))
	for i, sku := range skus {
		wanted[i] = sku
	}
	found, err := e.records("product.product", []any{[]any{"default_code", "in", wanted}, []any{"active", "in", []any{true, false}}}, "default_code")
	if err != nil {
		return nil, err
	}
	bySKU := make(map[string]int64, len(found))
	for _, r := range found {
		bySKU[text(r["default_code"])] = integer(r["id"])
	}
	return bySKU, nil
}

func (e *erp) records(model string, domain []any, fields ...string) ([]map[string]any, error) {
	named := make([]any, len(fields))
	for i, f := range fields {
		named[i] = f
	}
	answer, err := e.people(model, "search_read", []any{domain}, map[string]any{"fields": named, "order": "id"})
	if err != nil {
		return nil, err
	}
	list, ok := answer.([]any)
	if !ok {
		return nil, fmt.Errorf("%s.search_read answered %T", model, answer)
	}
	records := make([]map[string]any, len(list))
	for i, item := range list {
		if records[i], ok = item.(map[string]any); !ok {
			return nil, fmt.Errorf("%s.search_read answered a list of %T", model, item)
		}
	}
	return records, nil
}

// editNote is what people write on the orders that they edit, and editQuantity the quantity that they give their first lines.
const (
	editNote     = "changed by hand"
	editQuantity = 77.0
)

// edit does to an order what people do: it changes the note and the quantity of the first line.
func (e *erp) edit(o ERPOrder) error {
	if len(o.Lines) == 0 {
		return fmt.Errorf("order %d has no lines to edit", o.ID)
	}
	if _, err := e.people("sale.order.line", "write", []any{[]any{o.Lines[0].ID}, map[string]any{"product_uom_qty": editQuantity}}, nil); err != nil {
		return err
	}
	_, err := e.people("sale.order", "write", []any{[]any{o.ID}, map[string]any{"note": editNote}}, nil)
	return err
}

// edited reports whether an order is as edit left it.
func edited(o ERPOrder) bool {
	return strings.Contains(o.Note, editNote) && len(o.Lines) > 0 && o.Lines[0].Quantity == editQuantity
}

// remove deletes an order.
func (e *erp) remove(id int64) error {
	_, err := e.people("sale.order", "unlink", []any{[]any{id}}, nil)
	return err
}

// createProduct makes a product that can be ordered, and returns its id.
func (e *erp) createProduct(sku string) (int64, error) {
	answer, err := e.people("product.product", "create",
		[]any{map[string]any{"name": "Discontinued " + sku, "default_code": sku, "list_price": 12.5, "sale_ok": true}}, nil)
	if err != nil {
		return 0, err
	}
	return integer(answer), nil
}

func (e *erp) removeProduct(id int64) error {
	_, err := e.people("product.product", "unlink", []any{[]any{id}}, nil)
	return err
}

// setArchived archives a product, or brings it back.
func (e *erp) setArchived(productID int64, archived bool) error {
	_, err := e.people("product.product", "write", []any{[]any{productID}, map[string]any{"active": !archived}}, nil)
	return err
}

// integer reads a number, or the id of a many2one; 0 for Odoo's false.
func integer(v any) int64 {
	switch x := v.(type) {
	case int64:
		return x
	case []any:
		if len(x) > 0 {
			return integer(x[0])
		}
	}
	return 0
}

func number(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case int64:
		return float64(x)
	}
	return 0
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// What an Odoo in trouble says.
const (
	htmlPage  = "<!doctype html><html><body><h1>Welcome</h1></body></html>\n"
	htmlError = "<html><body><h1>500 Internal Server Error</h1></body></html>\n"
	// cannotMarshal is what methods answer that have committed and return nothing.
	cannotMarshal = "TypeError: cannot marshal None unless allow_none is enabled"
	databaseGone  = "psycopg2.OperationalError: server closed the connection unexpectedly"
)

// faultOne is the answer to a call in which Odoo failed with an exception.
func faultOne(exception string) string {
	traceback := "Traceback (most recent call last):\n  File \"odoo/service/model.py\", in execute_cr\n" + exception + "\n"
	return "<?xml version='1.0'?>\n<methodResponse><fault><value><struct>" + xmlMember("faultCode", xmlInt(1)) +
		xmlMember("faultString", "<string>"+traceback+"</string>") + "</struct></value></fault></methodResponse>\n"
}

// loadMessage is the answer of load that loaded nothing and has one message, about the first record.
func loadMessage(message string) string {
	rows := "<struct>" + xmlMember("from", xmlInt(0)) + xmlMember("to", xmlInt(0)) + "</struct>"
	said := "<struct>" + xmlMember("rows", rows) + xmlMember("record", xmlInt(0)) + xmlMember("type", "<string>error</string>") +
		xmlMember("message", "<string>"+message+"</string>") + "</struct>"
	return "<?xml version='1.0'?>\n<methodResponse><params><param><value><struct>" + xmlMember("ids", "<boolean>0</boolean>") +
		xmlMember("messages", "<array><data><value>"+said+"</value></data></array>") + xmlMember("nextrow", xmlInt(0)) +
		"</struct></value></param></params></methodResponse>\n"
}

func xmlMember(name, value string) string {
	return "<member><name>" + name + "</name><value>" + value + "</value></member>"
}

func xmlInt(n int) string { return "<int>" + strconv.Itoa(n) + "</int>" }
