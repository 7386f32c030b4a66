package ordersync_test

import (
	"context"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// changingERP lets people do something right before or right after a change.
type changingERP struct {
	ordersync.ERP
	before, after func()
	lose          bool // the change is not made, and nobody knows
}

func (e *changingERP) ChangeOrder(ctx context.Context, id int64, p order.PlannedChange) error {
	if e.before != nil {
		e.before()
	}
	if e.lose {
		e.lose = false
		return errLost
	}
	err := e.ERP.ChangeOrder(ctx, id, p)
	if e.after != nil {
		e.after()
	}
	return err
}

func setupChange(t *testing.T) (*bundle, *changingERP, order.Order) {
	t.Helper()
	b := setup(t)
	erp := &changingERP{ERP: b.cfg.ERP}
	b.cfg.ERP = erp
	b.restart(t)
	id := b.placed(t, "PO-1")
	return b, erp, b.current(t, id)
}

// current is the order as a caller sees it.
func (b *bundle) current(t *testing.T, id int64) order.Order {
	t.Helper()
	o, _, err := b.Order(t.Context(), portal, id)
	require.NoError(t, err)
	require.NotEmpty(t, o.Version)
	return o
}

func dec(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

func text(s string) *string { return &s }

// amend changes an order as it was seen.
func amend(o order.Order, c order.Change) order.Action {
	return order.Action{Kind: order.Amend, OrderID: o.ID, Change: &c, IfVersion: []string{o.Version}}
}

func (b *bundle) codes(t *testing.T, id int64) (codes []string) {
	t.Helper()
	history, err := b.History(t.Context(), portal, id, order.HistoryFilter{Limit: 100})
	require.NoError(t, err)
	for _, e := range history {
		codes = append(codes, e.Code)
	}
	return codes
}

func TestAChangeOfAnOrder(t *testing.T) {
	t.Parallel()
	b, _, o := setupChange(t)
	address := &order.Address{Name: "Dock", Street: "Quay 1", City: "Ghent", Country: "BE"}
	wish := amend(o, order.Change{
		Reference: text("PO-1b"), Note: text("ring <twice>\nplease"), ShippingAddress: address, BillingAddress: address,
		Lines: []order.ChangeLine{
			{LineID: o.Lines[0].ERPLineID, Quantity: dec("5"), UnitPrice: dec("7.5"), Discount: dec("10")},
			{SKU: "FURN_7777", Quantity: dec("3")},
		},
	})
	done, err := b.Act(t.Context(), portal, "c1", wish)
	require.NoError(t, err)
	now := *done.Order
	require.Equal(t, "PO-1b", now.Reference)
	require.Equal(t, "ring <twice>\nplease", now.Note)
	require.Len(t, now.Lines, 2)
	require.True(t, dec("5").Equal(now.Lines[0].Quantity) && dec("7.5").Equal(now.Lines[0].UnitPrice) && dec("10").Equal(now.Lines[0].Discount))
	require.Equal(t, "FURN_7777", now.Lines[1].SKU)
	require.NotEqual(t, o.Version, now.Version)
	require.False(t, now.Edits.Any(), "what its caller wants is no edit")
	require.Contains(t, b.codes(t, o.ID), order.HistoryChanged)
	require.NotContains(t, b.codes(t, o.ID), order.HistoryEdited)
	inOdoo := b.people(t, "sale.order", "read", []any{o.ID}, []any{"partner_shipping_id", "partner_invoice_id"}).([]any)[0].(map[string]any)
	shipTo, billTo := inOdoo["partner_shipping_id"].([]any)[0], inOdoo["partner_invoice_id"].([]any)[0]
	require.NotEqual(t, shipTo, billTo)
	kinds := b.people(t, "res.partner", "read", []any{shipTo, billTo}, []any{"type", "street", "parent_id"}).([]any)
	for i, kind := range []string{"delivery", "invoice"} {
		partner := kinds[i].(map[string]any)
		require.Equal(t, kind, partner["type"])
		require.Equal(t, "Quay 1", partner["street"])
		require.EqualValues(t, 9, partner["parent_id"].([]any)[0])
	}

	again, err := b.Act(t.Context(), portal, "c1", wish)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, now.Version, again.Order.Version)
	require.Equal(t, 1, b.sandbox.Calls("sale.order.write"))

	now = b.current(t, o.ID)
	done, err = b.Act(t.Context(), portal, "c2", amend(now, order.Change{
		Reference: text(""), Note: text(""), Lines: []order.ChangeLine{{LineID: now.Lines[0].ERPLineID, Remove: true}},
	}))
	require.NoError(t, err)
	require.Empty(t, done.Order.Reference)
	require.Empty(t, done.Order.Note)
	require.Len(t, done.Order.Lines, 1)
	require.Equal(t, "FURN_7777", done.Order.Lines[0].SKU)
}

// What a change was made for must be what the ERP has, and not only what the mirror has.
func TestAChangeOfAnotherState(t *testing.T) {
	t.Parallel()
	b, _, o := setupChange(t)
	note := order.Change{Note: text("mine")}
	b.people(t, "sale.order", "write", []any{o.ID}, map[string]any{"partner_shipping_id": 10})
	_, err := b.Act(t.Context(), portal, "c1", amend(o, note))
	e := requireKind(t, err, order.PreconditionFailed, "order_changed")
	now := b.current(t, o.ID)
	require.Equal(t, now.Version, e.Version)
	require.Zero(t, b.sandbox.Calls("sale.order.write")-1, "but for what people wrote")
	again, err := b.Act(t.Context(), portal, "c1", amend(o, note))
	require.Equal(t, e.Version, requireKind(t, err, order.PreconditionFailed, "order_changed").Version)
	require.True(t, again.Replayed)

	either := amend(now, note)
	either.IfVersion = []string{"another", now.Version}
	_, err = b.Act(t.Context(), portal, "c2", either)
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "c3", order.Action{Kind: order.Amend, OrderID: o.ID, Change: &order.Change{Note: text("any")}})
	require.NoError(t, err, "any version")
}

// People's changes in the same moment: before the gateway's, and after it.
func TestAChangeBesidePeople(t *testing.T) {
	t.Parallel()
	quantity := func(o order.Order, q string) order.Change {
		return order.Change{Lines: []order.ChangeLine{{LineID: o.Lines[0].ERPLineID, Quantity: dec(q)}}}
	}
	write := func(b *bundle, o order.Order, q int) func() {
		return func() {
			b.people(t, "sale.order.line", "write", []any{o.Lines[0].ERPLineID}, map[string]any{"product_uom_qty": q})
		}
	}
	t.Run("another part before", func(t *testing.T) {
		t.Parallel()
		b, erp, o := setupChange(t)
		erp.before = func() { b.people(t, "sale.order", "write", []any{o.ID}, map[string]any{"client_order_ref": "theirs"}) }
		done, err := b.Act(t.Context(), portal, "c1", amend(o, quantity(o, "5")))
		require.NoError(t, err)
		require.Equal(t, "theirs", done.Order.Reference)
		require.True(t, dec("5").Equal(done.Order.Lines[0].Quantity))
	})
	t.Run("the same part after", func(t *testing.T) {
		t.Parallel()
		b, erp, o := setupChange(t)
		erp.after = write(b, o, 9)
		_, err := b.Act(t.Context(), portal, "c1", amend(o, quantity(o, "5")))
		requireKind(t, err, order.Conflict, "changed_otherwise")
		require.True(t, dec("9").Equal(b.current(t, o.ID).Lines[0].Quantity), "theirs stands")
	})
	t.Run("the line is deleted before", func(t *testing.T) {
		t.Parallel()
		b, erp, o := setupChange(t)
		erp.before = func() { b.people(t, "sale.order.line", "unlink", []any{o.Lines[0].ERPLineID}) }
		_, err := b.Act(t.Context(), portal, "c1", amend(o, quantity(o, "5")))
		requireKind(t, err, order.Conflict, "changed_otherwise")
	})
	t.Run("the same part after a call that is in doubt", func(t *testing.T) {
		t.Parallel()
		b, erp, o := setupChange(t)
		erp.lose = true
		wish := amend(o, quantity(o, "5"))
		_, err := b.Act(t.Context(), portal, "c1", wish)
		require.NoError(t, err)
		write(b, o, 9)()
		b.later(time.Minute)
		_, err = b.Act(t.Context(), portal, "c1", wish)
		require.NoError(t, err, "the first call may still run")
		b.later(5 * time.Minute)
		_, err = b.Act(t.Context(), portal, "c1", wish)
		requireKind(t, err, order.Conflict, "changed_otherwise")
		line := b.people(t, "sale.order.line", "read", []any{o.Lines[0].ERPLineID}, []any{"product_uom_qty"}).([]any)[0].(map[string]any)
		require.InDelta(t, 9, line["product_uom_qty"], 0, "theirs stands")
	})
}

// A change whose answer was lost is looked for. One that was not made is made once no earlier call can still run: a further line
// would come twice.
func TestAChangeWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for kind, known := range map[sandbox.Kind]bool{sandbox.DropAnswer: true, sandbox.FaultAfterCommit: true, sandbox.DropBefore: false, sandbox.Fault1: false} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b, _, o := setupChange(t)
			b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.write", Kind: kind})
			wish := amend(o, order.Change{Lines: []order.ChangeLine{{SKU: "FURN_7777", Quantity: dec("1")}, {SKU: "FURN_7777", Quantity: dec("1")}}})
			done, err := b.Act(t.Context(), portal, "c1", wish)
			require.NoError(t, err)
			require.Equal(t, known, done.Order != nil)
			if !known {
				for range 3 {
					b.later(time.Minute)
					_, err = b.Act(t.Context(), portal, "c1", wish)
					require.NoError(t, err)
					require.Equal(t, 1, b.sandbox.Calls("sale.order.write"), "it may still run")
				}
				b.later(5 * time.Minute)
				_, err = b.ResolveDue(t.Context())
				require.NoError(t, err)
			}
			require.Equal(t, order.Performed, b.intent(t, "c1").State)
			now := b.current(t, o.ID)
			require.Len(t, now.Lines, 3)
			require.False(t, now.Edits.Any())
			require.Contains(t, b.codes(t, o.ID), order.HistoryChanged)
		})
	}
}

func TestAChangeThatCannotBe(t *testing.T) {
	t.Parallel()
	b, _, o := setupChange(t)
	line := o.Lines[0].ERPLineID
	lines := func(l ...order.ChangeLine) order.Change { return order.Change{Lines: l} }
	nowhere := &order.Address{Name: "A", Street: "B", City: "C", Country: "XX"}
	for key, test := range map[string]struct {
		change order.Change
		code   string
		field  string
	}{
		"nothing":     {order.Change{}, "invalid_request", "lines"},
		"line":        {lines(order.ChangeLine{LineID: line, Quantity: dec("1")}, order.ChangeLine{LineID: 1, Quantity: dec("1")}), "unknown_line", "lines[1].erp_line_id"},
		"both":        {lines(order.ChangeLine{LineID: line, SKU: "FURN_7777", Quantity: dec("1")}), "invalid_request", "lines[0].erp_line_id"},
		"neither":     {lines(order.ChangeLine{Quantity: dec("1")}), "invalid_request", "lines[0].erp_line_id"},
		"idle":        {lines(order.ChangeLine{LineID: line}), "invalid_request", "lines[0].erp_line_id"},
		"twice":       {lines(order.ChangeLine{LineID: line, Quantity: dec("1")}, order.ChangeLine{LineID: line, Remove: true}), "invalid_request", "lines[1].erp_line_id"},
		"zero":        {lines(order.ChangeLine{LineID: line, Quantity: dec("0")}), "invalid_request", "lines[0].quantity"},
		"finer":       {lines(order.ChangeLine{SKU: "FURN_7777", Quantity: dec("1")}, order.ChangeLine{LineID: line, Quantity: dec("1.001")}), "invalid_request", "lines[1].quantity"},
		"no quantity": {lines(order.ChangeLine{SKU: "FURN_7777"}), "invalid_request", "lines[0].quantity"},
		"discount":    {lines(order.ChangeLine{SKU: "FURN_7777", Quantity: dec("1"), Discount: dec("1")}), "invalid_request", "lines[0].discount"},
		"percent":     {lines(order.ChangeLine{LineID: line, Discount: dec("101")}), "invalid_request", "lines[0].discount"},
		"remove new":  {lines(order.ChangeLine{SKU: "FURN_7777", Remove: true}), "invalid_request", "lines[0].remove"},
		"remove and":  {lines(order.ChangeLine{LineID: line, Quantity: dec("1"), Remove: true}), "invalid_request", "lines[0].remove"},
		"remove all":  {lines(order.ChangeLine{LineID: line, Remove: true}), "invalid_request", "lines"},
		"sku":         {lines(order.ChangeLine{LineID: line, Quantity: dec("1")}, order.ChangeLine{SKU: "NONE", Quantity: dec("1")}), "unknown_sku", "lines[1].sku"},
		"control":     {order.Change{Reference: text("a\x07")}, "invalid_request", "reference"},
		"note":        {order.Change{Note: text("a\x07")}, "invalid_request", "note"},
		"street":      {order.Change{BillingAddress: &order.Address{Name: "A", City: "C", Country: "BE"}}, "invalid_request", "billing_address.street"},
		"country":     {order.Change{BillingAddress: nowhere}, "unknown_country", "billing_address.country"},
		"state":       {order.Change{ShippingAddress: &order.Address{Name: "A", Street: "B", City: "C", Country: "US", State: "ZZ"}}, "unknown_state", "shipping_address.state"},
	} {
		_, err := b.Act(t.Context(), portal, key, amend(o, test.change))
		e := requireKind(t, err, order.Unprocessable, test.code)
		require.Equal(t, test.field, e.Violations[0].Field, key)
	}
	require.Zero(t, b.sandbox.Calls("sale.order.write"))
}

func TestWhatACustomerMayChange(t *testing.T) {
	t.Parallel()
	b, _, o := setupChange(t)
	customer := order.Caller{Name: "c", Role: order.RoleCustomer, Source: "portal", ERPPartnerID: 9}
	line := o.Lines[0].ERPLineID
	price := amend(o, order.Change{Lines: []order.ChangeLine{{LineID: line, UnitPrice: dec("1")}}})
	_, err := b.Act(t.Context(), customer, "c1", price)
	requireKind(t, err, order.Forbidden, "prices_forbidden")
	b.restart(t, func(cfg *ordersync.Config) { cfg.Tenant.Settings.CustomerMaySetPrices = true })
	_, err = b.Act(t.Context(), customer, "c1", price)
	require.NoError(t, err)

	stranger := customer
	stranger.ERPPartnerID = 10
	_, err = b.Act(t.Context(), stranger, "c2", amend(o, order.Change{Note: text("x")}))
	requireKind(t, err, order.NotFound, "order_not_found")
	_, err = b.Act(t.Context(), portal, "c3", confirm(o.ID))
	require.NoError(t, err)
	_, err = b.Act(t.Context(), customer, "c4", amend(b.current(t, o.ID), order.Change{Note: text("x")}))
	requireKind(t, err, order.Forbidden, "change_forbidden")
	_, err = b.Act(t.Context(), portal, "c5", amend(b.current(t, o.ID), order.Change{Note: text("x")}))
	require.NoError(t, err)
}

// What the ERP refuses of a change it refuses all of.
func TestAChangeThatTheERPRefuses(t *testing.T) {
	t.Parallel()
	b, erp, o := setupChange(t)
	refused := &odoo.Error{Outcome: odoo.Rejected, Reason: odoo.BusinessRule, Message: "Not on a Sunday.", Row: -1}
	b.cfg.ERP = refusingERP{erp, refused}
	b.restart(t)
	_, err := b.Act(t.Context(), portal, "c1", amend(o, order.Change{Note: text("x")}))
	e := requireKind(t, err, order.Conflict, "action_refused")
	require.Contains(t, e.Message, "Not on a Sunday.")
}

type refusingERP struct {
	ordersync.ERP
	err error
}

func (e refusingERP) ChangeOrder(context.Context, int64, order.PlannedChange) error { return e.err }
