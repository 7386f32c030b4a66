package ordersync_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
	"ordergate/store/storetest"
	ordersync "ordergate/sync"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
)

// Whatever is done with an order, in whatever order, is permitted or refused as docs/order-states.md says, and leaves the order where it
// says.
func TestLivesOfOrdersOnTheSandbox(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 19} {
		t.Run(fmt.Sprintf("as %d", major), func(t *testing.T) {
			t.Parallel()
			erpClock := &clock{}
			stand, err := sandbox.Start(sandbox.Options{Major: major, Documents: true, Clock: erpClock.Now})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, stand.Close()) })
			w := newLives(t, env.OdooServer{Major: major, URL: stand.URL(), Database: sandbox.Database, User: sandbox.User,
				Password: sandbox.Password, AdminUser: sandbox.AdminUser, AdminPassword: sandbox.AdminPassword}, odoo.XMLRPC)
			w.later = erpClock.advance
			rapid.Check(t, func(r *rapid.T) { w.live(r.Context(), r, lives(1, 14).Draw(r, "life")) })
		})
	}
}

// realLives is how long one real Odoo is kept busy. A life that is not over by then is cut short.
const realLives = 6 * time.Second

func TestLivesOfOrdersOnOdoo(t *testing.T) {
	for name, of := range map[string]struct {
		major    int
		protocol odoo.Protocol
	}{"14": {14, odoo.XMLRPC}, "19": {19, odoo.XMLRPC}, "19 over JSON-2": {19, odoo.JSON2}} {
		t.Run(name, func(t *testing.T) {
			server := env.Odoo(t, of.major)
			if of.protocol == odoo.JSON2 {
				server.Password = server.APIKey(t)
			}
			w := newLives(t, server, of.protocol)
			w.later = time.Sleep
			seed := rand.Int()
			t.Logf("seed %d", seed)
			w.until = time.Now().Add(realLives)
			for i := 0; time.Now().Before(w.until); i++ {
				life := lives(6, 10).Example(seed + i)
				t.Logf("life %d: %+v", seed+i, life)
				w.live(t.Context(), t, life)
			}
		})
	}
}

// livesWorld is a gateway in front of one Odoo, with two products: of one what was ordered is invoiced, of the other what was delivered.
type livesWorld struct {
	*ordersync.Service
	server env.OdooServer
	erp    *odoo.Client
	tag    string
	placed int
	later  func(time.Duration) // lets time pass in the ERP
	until  time.Time           // when no further step is taken; zero: never
}

func newLives(t *testing.T, server env.OdooServer, protocol odoo.Protocol) *livesWorld {
	t.Helper()
	w := &livesWorld{server: server, tag: fmt.Sprintf("life%x", rand.Uint64())}
	client, err := odoo.New(odoo.Config{Tenant: "test", URL: server.URL, Database: server.Database, User: server.User,
		Password: server.Password, Protocol: protocol, CallTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	w.erp = client
	for _, policy := range []string{"order", "delivery"} {
		w.people(t, "product.product", "create", map[string]any{"name": "Life " + policy, "default_code": w.sku(policy), "list_price": 10.0,
			"invoice_policy": policy, "taxes_id": []any{[]any{6, 0, []any{}}}})
	}
	db := storetest.Migrated(t, storetest.SQLite(t), store.Options{})
	tenantID, err := db.EnsureTenant(t.Context(), "test")
	require.NoError(t, err)
	w.Service, err = ordersync.New(ordersync.Config{
		Tenant: order.Tenant{ID: tenantID, Name: "test"}, ERP: client, Mirror: db, TransactionLimit: 150 * time.Second,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

func (w *livesWorld) sku(policy string) string { return w.tag + "-" + policy }

// people does something in the ERP past the gateway.
func (w *livesWorld) people(t require.TestingT, model, method string, args ...any) {
	_, err := odoorpc.Execute(w.server.URL, w.server.Database, w.server.AdminUser, w.server.AdminPassword, model, method, args, nil)
	require.NoError(t, err)
}

// step is something that is done with an order: by a caller, or, as reopen, by people.
type step struct {
	kind       order.ActionKind
	quantities [2]int // of a fulfilment, by line; none: all that is left
	percent    int    // of a payment, of what is due
	elsewhere  bool   // a payment of an invoice that the order does not have
}

// refusedOnly are asked for only where the order's status does not allow them: what they leave is no part of its status, and the fault runs
// look at that.
var refusedOnly = []order.ActionKind{order.Return, order.Receive, order.Refund, order.Assign, order.Reserve, order.Release}

// reopen makes a quotation of a cancelled order again.
const reopen order.ActionKind = "reopen"

func (s step) String() string {
	switch s.kind {
	case order.Fulfil:
		return fmt.Sprint(s.kind, s.quantities)
	case order.Pay:
		return fmt.Sprintf("%s %d%% elsewhere=%t", s.kind, s.percent, s.elsewhere)
	}
	return string(s.kind)
}

// lives draws what is done with an order, one after the other, in so many steps.
func lives(least, most int) *rapid.Generator[[]step] {
	kinds := []order.ActionKind{order.Hold, order.Approve, order.Confirm, order.Confirm, order.Cancel, reopen, order.Fulfil, order.Fulfil, order.Fulfil,
		order.Bill, order.Bill, order.Pay, order.Pay, order.Pay, order.Amend}
	kinds = append(kinds, refusedOnly...)
	one := rapid.Custom(func(r *rapid.T) step {
		s := step{kind: rapid.SampledFrom(kinds).Draw(r, "kind")}
		switch s.kind {
		case order.Fulfil:
			s.quantities = [2]int{rapid.IntRange(0, 3).Draw(r, "first"), rapid.IntRange(0, 3).Draw(r, "second")}
		case order.Pay:
			s.percent, s.elsewhere = rapid.SampledFrom([]int{1, 40, 60, 100, 100, 101}).Draw(r, "percent"), rapid.IntRange(0, 9).Draw(r, "invoice") == 0
		}
		return s
	})
	return rapid.Custom(func(r *rapid.T) []step {
		life := rapid.SliceOfN(one, least, most).Draw(r, "steps")
		if rapid.IntRange(0, 3).Draw(r, "begin") > 0 { // or little of it would be possible
			life[0] = step{kind: order.Confirm}
		}
		return life
	})
}

// lifeModel is what must become of an order.
type lifeModel struct {
	onHold, approved, confirmed, cancelled bool

	ids                          [2]int64 // of the lines
	ordered, delivered, invoiced [2]int
	invoices                     []order.Invoice // as they must be
}

// live places an order and does one thing after the other with it, each of which must come to what the model says.
func (w *livesWorld) live(ctx context.Context, t require.TestingT, life []step) {
	w.placed++
	name := fmt.Sprintf("%s-%d", w.tag, w.placed)
	m := &lifeModel{ordered: [2]int{3, 2}}
	placed, err := w.Place(ctx, portal, name, order.Request{
		Customer: order.CustomerRef{Ref: w.tag, Name: "Lives " + w.tag}, Reference: name, Lines: []order.RequestLine{
			{SKU: w.sku("order"), Quantity: decimal.NewFromInt(3)}, {SKU: w.sku("delivery"), Quantity: decimal.NewFromInt(2)},
		}})
	require.NoError(t, err)
	require.NotNil(t, placed.Order)
	id := placed.Order.ID
	for i, l := range placed.Order.Lines {
		m.ids[i] = l.ERPLineID
	}
	for i, s := range life {
		if i > 0 && !w.until.IsZero() && time.Now().After(w.until) {
			break
		}
		what := fmt.Sprintf("step %d of %v", i, life)
		if s.kind == reopen {
			w.later(1100 * time.Millisecond) // two writes of one second cannot be told apart
			w.people(t, "sale.order", "action_draft", []any{id})
			m.reopen()
			continue
		}
		action := m.action(id, s)
		code, says := m.expect(action)
		if slices.Contains(refusedOnly, s.kind) && code == "" {
			continue
		}
		key := fmt.Sprintf("%s-%d", name, i)
		done, err := w.Act(ctx, portal, key, action)
		if code != "" {
			var refused *order.Error
			require.ErrorAs(t, err, &refused, what)
			require.Equal(t, code, refused.Code, "%s: %v", what, err)
			require.Contains(t, refused.Message, says, what)
		} else {
			require.NoError(t, err, what)
			require.NotNil(t, done.Order, what)
			m.does(action, done.Order.Invoices)
			m.require(t, *done.Order, what)
			again, err := w.Act(ctx, portal, key, action)
			require.NoError(t, err, what)
			require.True(t, again.Replayed, what)
		}
	}
	found, err := w.erp.Orders(ctx, []int64{id})
	require.NoError(t, err)
	require.Len(t, found, 1)
	m.require(t, found[0].Order, fmt.Sprintf("in the end, of %v", life))
}

// action is what a caller asks for at a step.
func (m *lifeModel) action(id int64, s step) order.Action {
	a := order.Action{Kind: s.kind, OrderID: id}
	switch s.kind {
	case order.Amend:
		note := fmt.Sprint("after ", len(m.invoices), " invoices")
		a.Change = &order.Change{Note: &note}
	case order.Receive:
		a.ReturnID = 2147483000
	case order.Assign:
		a.Warehouse = "WH"
	case order.Fulfil:
		for i, quantity := range s.quantities {
			if quantity > 0 {
				a.Lines = append(a.Lines, order.ActionLine{LineID: m.ids[i], Quantity: decimal.NewFromInt(int64(quantity))})
			}
		}
	case order.Pay:
		a.InvoiceID = 2147483000
		due := decimal.NewFromInt(1)
		if n := len(m.invoices); n > 0 && !s.elsewhere {
			a.InvoiceID, due = m.invoices[n-1].ID, m.invoices[n-1].AmountDue
		}
		amount := decimal.Max(due.Mul(decimal.New(int64(s.percent), -2)).Round(2), decimal.New(1, -2))
		a.Amount = &amount
	}
	return a
}

// expect returns the code with which an action must be refused, and what the refusal must say; no code if it is carried out.
func (m *lifeModel) expect(a order.Action) (code, says string) {
	status, _, _ := m.standing()
	switch {
	case a.Kind.Done(status):
		return "", ""
	case !slices.Contains(order.Possible(status), a.Kind):
		return "action_not_possible", offer(status)
	}
	switch a.Kind {
	case order.Fulfil:
		return m.expectFulfilment(a)
	case order.Bill:
		if !m.invoiceable() {
			return "nothing_to_invoice", ""
		}
	case order.Pay:
		i := slices.IndexFunc(m.invoices, func(in order.Invoice) bool { return in.ID == a.InvoiceID })
		switch {
		case i < 0:
			return "invoice_not_found", "2147483000"
		case a.Amount.GreaterThan(m.invoices[i].AmountDue):
			return "more_than_due", m.invoices[i].AmountDue.StringFixed(2)
		}
	}
	return "", ""
}

// offer is how a refusal says what is possible.
func offer(status order.Status) string {
	var names []string
	for _, k := range order.Possible(status) {
		names = append(names, string(k))
	}
	if len(names) == 0 {
		return "Nothing can be done with it any more."
	}
	return "Possible now: " + strings.Join(names, ", ") + "."
}

func (m *lifeModel) expectFulfilment(a order.Action) (code, says string) {
	for _, l := range a.Lines {
		i := slices.Index(m.ids[:], l.LineID)
		switch left := m.ordered[i] - m.delivered[i]; {
		case left == 0:
			return "unknown_line", fmt.Sprint(l.LineID)
		case l.Quantity.GreaterThan(decimal.NewFromInt(int64(left))):
			return "more_than_left", fmt.Sprintf("only %d are left", left)
		}
	}
	return "", ""
}

// billable is how much of a line is invoiced once all is that may be.
func (m *lifeModel) billable(line int) int {
	if line == 1 {
		return max(m.invoiced[line], m.delivered[line])
	}
	return m.ordered[line]
}

func (m *lifeModel) invoiceable() bool {
	return m.billable(0) > m.invoiced[0] || m.billable(1) > m.invoiced[1]
}

// does changes the model by an action that was carried out. An invoice that was made is taken from what the order then has.
func (m *lifeModel) does(a order.Action, has []order.Invoice) {
	if status, _, _ := m.standing(); a.Kind.Done(status) {
		return
	}
	switch a.Kind {
	case order.Hold:
		m.onHold, m.approved = true, false
	case order.Approve:
		m.onHold, m.approved, m.confirmed = false, true, true
	case order.Confirm:
		m.confirmed = true
	case order.Cancel:
		m.confirmed, m.cancelled = false, true
	case order.Fulfil:
		for i, id := range m.ids {
			at := slices.IndexFunc(a.Lines, func(l order.ActionLine) bool { return l.LineID == id })
			switch {
			case len(a.Lines) == 0:
				m.delivered[i] = m.ordered[i]
			case at >= 0:
				m.delivered[i] += int(a.Lines[at].Quantity.IntPart())
			}
		}
	case order.Bill:
		price := int64(0)
		for i := range m.ids {
			price += 10 * int64(m.billable(i)-m.invoiced[i])
			m.invoiced[i] = m.billable(i)
		}
		made := order.Invoice{AmountTotal: decimal.NewFromInt(price), AmountDue: decimal.NewFromInt(price)}
		if len(has) > 0 {
			made.ID = has[len(has)-1].ID
		}
		m.invoices = append(m.invoices, made)
	case order.Pay:
		i := slices.IndexFunc(m.invoices, func(in order.Invoice) bool { return in.ID == a.InvoiceID })
		m.invoices[i].AmountDue = m.invoices[i].AmountDue.Sub(*a.Amount)
	}
}

func (m *lifeModel) reopen() { m.cancelled = false }

// standing is where the order must stand. Its goods are always there.
func (m *lifeModel) standing() (order.Status, order.Fulfilment, order.Payment) {
	some, all := m.delivered[0]+m.delivered[1] > 0, m.delivered == m.ordered
	switch {
	case m.cancelled:
		return order.Cancelled, order.FulfilmentNone, m.payment()
	case !m.confirmed && m.onHold:
		return order.OnHold, order.FulfilmentNone, order.PaymentNone
	case !m.confirmed && m.approved:
		return order.Approved, order.FulfilmentNone, order.PaymentNone
	case !m.confirmed:
		return order.Draft, order.FulfilmentNone, order.PaymentNone
	case all && m.invoiced == m.ordered && m.payment() == order.PaymentPaid:
		return order.Completed, order.FulfilmentFull, order.PaymentPaid
	case all:
		return order.Delivered, order.FulfilmentFull, m.payment()
	case some:
		return order.Shipped, order.FulfilmentPartial, m.payment()
	}
	return order.Picking, order.FulfilmentNone, m.payment()
}

func (m *lifeModel) payment() order.Payment {
	total, due := decimal.Zero, decimal.Zero
	for _, in := range m.invoices {
		total, due = total.Add(in.AmountTotal), due.Add(in.AmountDue)
	}
	switch {
	case len(m.invoices) == 0:
		return order.PaymentNone
	case due.IsZero():
		return order.PaymentPaid
	case due.Equal(total):
		return order.PaymentUnpaid
	}
	return order.PaymentPartial
}

// require holds an order to the model.
func (m *lifeModel) require(t require.TestingT, o order.Order, what string) {
	status, fulfilment, payment := m.standing()
	require.Equal(t, order.Standing{Status: status, Fulfilment: fulfilment, Payment: payment},
		order.Standing{Status: o.Status, Fulfilment: o.Fulfilment, Payment: o.Payment}, what)
	for i, l := range o.Lines {
		require.Equal(t, fmt.Sprint(m.delivered[i], m.invoiced[i]), fmt.Sprint(l.Delivered, l.Invoiced), "%s: line %d", what, i)
	}
	if status.Unconfirmed() {
		return // quotations are read without their documents
	}
	is, must := []string{}, []string{}
	for _, in := range o.Invoices {
		is = append(is, fmt.Sprint(in.ID, in.State, in.AmountTotal.StringFixed(2), in.AmountDue.StringFixed(2)))
	}
	for _, in := range m.invoices {
		must = append(must, fmt.Sprint(in.ID, order.Posted, in.AmountTotal.StringFixed(2), in.AmountDue.StringFixed(2)))
	}
	require.Equal(t, strings.Join(must, "; "), strings.Join(is, "; "), what)
}

// Somebody deletes what they drafted: the history says so once the order is read again.
func TestDeletedDocumentsAreInTheHistory(t *testing.T) {
	t.Parallel()
	erpClock := &clock{}
	stand, err := sandbox.Start(sandbox.Options{Documents: true, Clock: erpClock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })
	w := newLives(t, env.OdooServer{Major: 19, URL: stand.URL(), Database: sandbox.Database, User: sandbox.User,
		Password: sandbox.Password, AdminUser: sandbox.AdminUser, AdminPassword: sandbox.AdminPassword}, odoo.XMLRPC)
	placed, err := w.Place(t.Context(), portal, "k1", order.Request{Customer: order.CustomerRef{ERPPartnerID: 9}, Reference: "PO-1",
		Lines: []order.RequestLine{{SKU: w.sku("order"), Quantity: decimal.NewFromInt(3)}}})
	require.NoError(t, err)
	id := placed.Order.ID
	history := func(key string) (said []string) {
		_, err := w.Act(t.Context(), portal, key, order.Action{Kind: order.Confirm, OrderID: id})
		require.NoError(t, err)
		entries, err := w.History(t.Context(), portal, id, order.HistoryFilter{Limit: 100})
		require.NoError(t, err)
		for _, e := range entries {
			if e.Module() != order.ModuleOrder {
				said = append(said, e.Code)
			}
		}
		return said
	}
	confirmed, err := w.Act(t.Context(), portal, "c1", order.Action{Kind: order.Confirm, OrderID: id})
	require.NoError(t, err)
	about := map[string]any{"context": map[string]any{"active_model": "sale.order", "active_ids": []any{id}}}
	dialogue, err := odoorpc.Execute(stand.URL(), sandbox.Database, sandbox.AdminUser, sandbox.AdminPassword, "sale.advance.payment.inv", "create",
		[]any{map[string]any{"advance_payment_method": "delivered"}}, about)
	require.NoError(t, err)
	_, err = odoorpc.Execute(stand.URL(), sandbox.Database, sandbox.AdminUser, sandbox.AdminPassword, "sale.advance.payment.inv", "create_invoices",
		[]any{[]any{dialogue}}, about)
	require.ErrorContains(t, err, "cannot marshal None", "it is made, and that is how Odoo 19 answers")
	drafted := []string{order.HistoryDeliveryCreated, order.HistoryInvoiceCreated}
	require.Equal(t, drafted, history("c2"))

	found, err := w.erp.Orders(t.Context(), []int64{id})
	require.NoError(t, err)
	erpClock.advance(time.Minute) // two readings of one second cannot be told apart
	w.people(t, "account.move", "unlink", []any{found[0].Invoices[0].ID})
	w.people(t, "stock.picking", "unlink", []any{confirmed.Order.Deliveries[0].ID})
	deleted := append(drafted, order.HistoryDeliveryDeleted, order.HistoryInvoiceDeleted)
	require.Equal(t, deleted, history("c3"))
	require.Equal(t, deleted, history("c4"), "once")
}
