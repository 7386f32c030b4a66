package odoo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// firstWithWebhooks is the oldest version whose server actions can post to a URL.
const firstWithWebhooks = 17

// firstPostingLate is the oldest version that posts after its transaction is committed. Those before post from the midst
// of it, when nobody else can see the change yet.
const firstPostingLate = 19

// rule is one automation that the gateway wants in Odoo.
type rule struct {
	name    string // of its external id, behind the installation's
	model   string
	trigger string
	payload string   // the field that names the order; empty where the record's own id is enough
	fields  []string // the changes that count; Odoo posts for every recomputation otherwise, a dozen times for one edit
	filter  string   // a domain; empty for all records
}

// rules are all automations. A model that is not installed has none. The fields of orders and lines are what the gateway
// reads of them, without what is computed from the others.
var rules = []rule{
	{name: "order", model: "sale.order", trigger: "on_create_or_write", fields: []string{
		"name", "state", "locked", "partner_id", "client_order_ref", "note", "currency_id", "date_order",
		"amount_untaxed", "amount_tax", "amount_total", "invoice_status", "tag_ids",
		"partner_shipping_id", "partner_invoice_id"}},
	{name: "order_deleted", model: "sale.order", trigger: "on_unlink"},
	// An edit of a line that moves the order's total is told by the order; these are the others.
	{name: "line", model: "sale.order.line", trigger: "on_create_or_write", payload: "order_id", fields: []string{
		"order_id", "product_id", "name", "product_uom", "product_uom_id", "product_uom_qty", "price_unit", "discount", "display_type",
		"qty_delivered", "qty_invoiced"}},
	{name: "line_deleted", model: "sale.order.line", trigger: "on_unlink", payload: "order_id"},
	{name: "delivery", model: "stock.picking", trigger: "on_create_or_write", payload: "sale_id", fields: []string{
		"sale_id", "name", "state", "carrier_id", "carrier_tracking_ref", "backorder_id", "scheduled_date", "date_done"}, filter: "[('sale_id', '!=', False)]"},
	{name: "delivery_deleted", model: "stock.picking", trigger: "on_unlink", payload: "sale_id", filter: "[('sale_id', '!=', False)]"},
	// An invoice does not name its orders in a field that a webhook could carry: they are looked up by the invoice's id. Of a
	// deleted one the order's invoice_status tells.
	{name: "invoice", model: "account.move", trigger: "on_create_or_write", fields: []string{
		"name", "state", "payment_state", "amount_total", "amount_residual", "invoice_date", "invoice_date_due"},
		filter: "[('move_type', 'in', ['out_invoice', 'out_refund'])]"},
}

// silentFor makes a rule's filter leave out what a user does: the gateway need not be told of its own changes. A person
// who reads it in Odoo sees why.
func (r rule) silentFor(uid int64) string {
	filter := r.filter
	if uid == 0 {
		return filter
	}
	if filter == "" {
		filter = "[(1, '=', 1)]"
	}
	return fmt.Sprintf("%s if uid != %d else [(0, '=', 1)]", filter, uid)
}

// Webhook is one of the gateway's automations as it stands in Odoo.
type Webhook struct {
	Name    string   // "order", "line_deleted", …
	Model   string   // "sale.order"
	Trigger string   // "on_create_or_write"
	URL     string   // empty if it is missing
	Missing bool     // it should be there and is not
	Drift   []string // what is not as the gateway installs it: "active", "trigger", "model", "filter", "fields", "payload", "action"
}

// WebhookPlan says where Odoo is to post.
type WebhookPlan struct {
	Address string // the URL without the secret; what makes an installation this gateway's
	Secret  string // the URL's last part
	Silent  int64  // the user whose changes are not told: the gateway's; 0 for none
}

// key tells the installations of several gateways in one Odoo apart.
func (p WebhookPlan) key() string {
	sum := sha256.Sum256([]byte(p.Address))
	return "webhook_" + hex.EncodeToString(sum[:6]) + "_"
}

func (p WebhookPlan) url() string { return p.Address + p.Secret }

// WebhookSupport reports whether this Odoo can post to the gateway, by an *Error that says what is missing, and whether it
// posts before its transaction is committed.
func (c *Client) WebhookSupport(ctx context.Context) (early bool, err error) {
	version, err := c.Version(ctx)
	if err != nil {
		return false, err
	}
	if version.Major < firstWithWebhooks {
		return false, notSent(Misconfigured, fmt.Sprintf("Odoo %s cannot send webhooks; %d is the first that can. Nothing is lost: "+
			"the background sync finds every change, within its interval", version.Full, firstWithWebhooks), nil)
	}
	models, err := c.modelIDs(ctx, []string{"base.automation"})
	if err != nil {
		return false, err
	}
	if len(models) == 0 {
		return false, notSent(Misconfigured, "Odoo lacks the module base_automation (\"Automation Rules\"): install it under Apps", nil)
	}
	return version.Major < firstPostingLate, nil
}

// UserID is the id of the client's own user.
func (c *Client) UserID(ctx context.Context) (int64, error) {
	s, err := c.sessionFor(ctx, "common.authenticate")
	if err != nil {
		return 0, err
	}
	return s.uid, nil
}

// InstallWebhooks creates the automations that are absent and sets right those that differ; doing it again changes
// nothing. It takes an administrator. It returns how many automations there are.
func (c *Client) InstallWebhooks(ctx context.Context, plan WebhookPlan) (int, error) {
	wanted, err := c.wanted(ctx)
	if err != nil {
		return 0, err
	}
	tables := make([]table, len(wanted))
	for i, w := range wanted {
		tables[i] = w.table(plan)
	}
	// One call: Odoo renews what it knows of automations, in all its workers, after each.
	end := c.loadOnce(ctx, "base.automation", tables, map[string]any{"mode": "update"})
	if end.err != nil {
		return 0, end.err
	}
	for _, refusal := range end.refused {
		return 0, refusal
	}
	return len(wanted), nil
}

// Webhooks returns the gateway's automations as they stand, and those that should be there and are not. It takes an
// administrator. The plan's secret is not looked at.
func (c *Client) Webhooks(ctx context.Context, plan WebhookPlan) ([]Webhook, error) {
	wanted, err := c.wanted(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := c.externalIDs(ctx, plan)
	if err != nil {
		return nil, err
	}
	automations, err := c.automations(ctx, ids["base.automation"])
	if err != nil {
		return nil, err
	}
	actions, err := c.actions(ctx, ids["ir.actions.server"])
	if err != nil {
		return nil, err
	}
	webhooks := make([]Webhook, len(wanted))
	for i, w := range wanted {
		automation, found := automations[ids["base.automation"][plan.key()+w.name]]
		action := actions[ids["ir.actions.server"][plan.key()+w.name+actionSuffix]]
		webhooks[i] = Webhook{Name: w.name, Model: w.model, Trigger: w.trigger, URL: action.url, Missing: !found}
		if found {
			webhooks[i].Drift = w.drift(plan, automation, action)
		}
	}
	return webhooks, nil
}

// RemoveWebhooks deletes the gateway's automations and nothing else. It takes an administrator. It returns how many there
// were.
func (c *Client) RemoveWebhooks(ctx context.Context, plan WebhookPlan) (int, error) {
	ids, err := c.externalIDs(ctx, plan)
	if err != nil {
		return 0, err
	}
	// The actions first: an automation takes its actions along in the database, and their external ids would stay behind.
	removed := 0
	for _, model := range []string{"ir.actions.server", "base.automation"} {
		present, err := c.existing(ctx, model, ids[model])
		if err != nil {
			return 0, err
		}
		if len(present) > 0 {
			if _, err := c.execute(ctx, model, "unlink", []any{anySlice(present)}, nil); err != nil {
				return 0, err
			}
		}
		removed = len(present)
	}
	return removed, c.forgetRemains(ctx, plan)
}

// OrdersOfInvoices returns the ids of the orders that any of the invoices bills, by rising id.
func (c *Client) OrdersOfInvoices(ctx context.Context, invoices []int64) ([]int64, error) {
	if len(invoices) == 0 {
		return nil, nil
	}
	return c.search(ctx, "sale.order", idsIn("invoice_ids", invoices), maxOrdersOfInvoices)
}

// maxOrdersOfInvoices bounds the orders of a page of invoices. What is beyond it, the cursor finds.
const maxOrdersOfInvoices = 5000

// actionSuffix follows the name of an automation in the external id of its action.
const actionSuffix = "_action"

// wantedRule is a rule, and the ids that this database has for what it names.
type wantedRule struct {
	rule
	modelID   int64
	fieldIDs  []int64 // of fields, as far as they exist
	payloadID int64   // of payload; 0 without one
}

// wanted returns the rules that this database can have.
func (c *Client) wanted(ctx context.Context) ([]wantedRule, error) {
	var models []string
	for _, r := range rules {
		if !slices.Contains(models, r.model) {
			models = append(models, r.model)
		}
	}
	modelIDs, err := c.modelIDs(ctx, models)
	if err != nil {
		return nil, err
	}
	fieldIDs, err := c.fieldIDs(ctx, models)
	if err != nil {
		return nil, err
	}
	var wanted []wantedRule
	for _, r := range rules {
		w := wantedRule{rule: r, modelID: modelIDs[r.model], payloadID: fieldIDs[r.model+"."+r.payload]}
		if w.modelID == 0 || r.payload != "" && w.payloadID == 0 {
			continue // stock without sale_stock, for example, knows no sale_id
		}
		for _, f := range r.fields {
			if id := fieldIDs[r.model+"."+f]; id != 0 {
				w.fieldIDs = append(w.fieldIDs, id)
			}
		}
		slices.Sort(w.fieldIDs)
		wanted = append(wanted, w)
	}
	return wanted, nil
}

// table is the automation and its action as load takes them.
func (w wantedRule) table(plan WebhookPlan) table {
	id := idPrefix + plan.key() + w.name
	payload := ""
	if w.payloadID != 0 {
		payload = idCell(w.payloadID)
	}
	cells := [][2]string{
		{"id", id},
		{"name", w.title()},
		{"description", "Tells Ordergate of changes. `ordergate webhooks` installs, repairs and removes it."},
		{"model_id/.id", idCell(w.modelID)},
		{"trigger", w.trigger},
		{"active", "1"},
		{"filter_domain", w.silentFor(plan.Silent)},
		{"trigger_field_ids/.id", idCells(w.fieldIDs)},
		{"action_server_ids/id", id + actionSuffix},
		{"action_server_ids/name", w.title()},
		{"action_server_ids/model_id/.id", idCell(w.modelID)},
		{"action_server_ids/state", "webhook"},
		{"action_server_ids/usage", "base_automation"},
		{"action_server_ids/webhook_url", plan.url()},
		{"action_server_ids/webhook_field_ids/.id", payload},
	}
	t := table{rows: [][]string{nil}}
	for _, cell := range cells {
		t.columns, t.rows[0] = append(t.columns, cell[0]), append(t.rows[0], cell[1])
	}
	return t
}

// title is what people see in Odoo's list of automations.
func (w wantedRule) title() string { return "Ordergate: " + strings.ReplaceAll(w.name, "_", " ") }

func idCells(ids []int64) string {
	cells := make([]string, len(ids))
	for i, id := range ids {
		cells[i] = idCell(id)
	}
	return strings.Join(cells, ",")
}
