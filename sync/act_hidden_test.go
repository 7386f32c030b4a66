package ordersync_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
	ordersync "ordergate/sync"
)

// Beside an invoice that is hidden nothing would prove another one, and nobody can say which one is to be paid. Once it is shown the same
// keys go on.
func TestAnOrderWithAHiddenInvoice(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	amount := decimal.NewFromInt(1)
	steps := []struct {
		key    string
		action order.Action
	}{
		{"i1", order.Action{Kind: order.Bill, OrderID: erp.of}},
		{"p1", order.Action{Kind: order.Pay, OrderID: erp.of, InvoiceID: 80, Amount: &amount}},
		{"n1", erp.refund(order.ActionLine{LineID: erp.moves[0].LineID, Quantity: amount})},
	}
	for _, step := range steps {
		erp.hidden = true
		_, err := b.Act(t.Context(), portal, step.key, step.action)
		requireKind(t, err, order.Forbidden, "erp_rights_missing")
		erp.hidden = false
		_, err = b.Act(t.Context(), portal, step.key, step.action)
		require.NoError(t, err)
	}
	require.Len(t, erp.invoices, 1)
	require.Len(t, erp.memos, 1)
	require.Len(t, erp.notes, 1)
}

// What is hidden once something was sent is neither done nor refused: it waits until it is shown, or for an operator, who is told why.
func TestAnInvoiceThatIsHiddenMeanwhile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin func(erp *documentERP) (string, order.Action)
		shown bool
	}{
		"as soon as it is made": {func(erp *documentERP) (string, order.Action) {
			erp.first = func() { erp.hidden = true }
			return "i2", order.Action{Kind: order.Bill, OrderID: erp.of}
		}, true},
		"before it is paid again": {func(erp *documentERP) (string, order.Action) {
			erp.draft(80)
			erp.invoices[0].State = order.Posted
			erp.first = func() { erp.hidden = true }
			erp.never = errLost
			return "p1", erp.pay(30)
		}, true},
		"for good": {func(erp *documentERP) (string, order.Action) {
			erp.first = func() { erp.hidden = true }
			return "i2", order.Action{Kind: order.Bill, OrderID: erp.of}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, erp := setupDocuments(t)
			b.restart(t, func(cfg *ordersync.Config) { cfg.MaxStrikes = 3 })
			key, action := test.begin(erp)
			done, err := b.Act(t.Context(), portal, key, action)
			require.NoError(t, err)
			require.Nil(t, done.Order, "it is not known")
			b.later(10 * time.Minute)
			_, err = b.ResolveDue(t.Context())
			require.NoError(t, err)
			require.Equal(t, order.Sending, b.intent(t, key).State)
			erp.hidden = !test.shown
			for range 3 {
				b.later(10 * time.Minute)
				_, err = b.ResolveDue(t.Context())
				require.NoError(t, err)
			}
			in := b.intent(t, key)
			if test.shown {
				require.Equal(t, order.Performed, in.State)
			} else {
				require.Equal(t, order.Parked, in.State)
				require.Contains(t, in.Failure.Message, "hides one")
				_, err = b.CancelIntent(t.Context(), operator, "portal", key)
				require.NoError(t, err)
				b.later(10 * time.Minute)
				_, err = b.ResolveDue(t.Context())
				require.NoError(t, err)
				require.Equal(t, order.Parked, b.intent(t, key).State, "it is not known what there is to call off")
			}
			require.Len(t, erp.invoices, 1)
			require.LessOrEqual(t, len(erp.memos), 1)
		})
	}
}

// A quotation is read without its invoices: none is hidden.
func TestAPaymentOfWhatBecameAQuotation(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	erp.draft(80)
	erp.invoices[0].State = order.Posted
	erp.never = errLost
	_, err := b.Act(t.Context(), portal, "p1", erp.pay(30))
	require.NoError(t, err)
	b.people(t, "sale.order", "action_cancel", []any{erp.of})
	b.people(t, "sale.order", "action_draft", []any{erp.of})
	erp.hidden = true
	b.later(10 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "p1", erp.pay(30))
	requireKind(t, err, order.NotFound, "invoice_not_found")
}
