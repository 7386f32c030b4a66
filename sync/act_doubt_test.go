package ordersync_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// Waiting until no earlier call can still run is no failure of the action's own, however often it is looked at.
func TestAnActionThatWaitsIsNotParked(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	b.restart(t, func(cfg *ordersync.Config) { cfg.MaxStrikes = 2 })
	_, err := b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
	require.NoError(t, err)
	erp.never = errLost
	done, err := b.Act(t.Context(), portal, "p1", erp.pay(30))
	require.NoError(t, err)
	require.Nil(t, done.Order)
	for range 20 {
		b.later(20 * time.Second)
		_, err = b.ResolveDue(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, order.Performed, b.intent(t, "p1").State)
	require.Len(t, erp.memos, 1)
}

// A block stops each of the actions that it is said to stop, also one of which an earlier attempt was sent.
func TestABlockStopsWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, kind := range []order.ActionKind{order.Fulfil, order.Bill} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b, erp := setupDocuments(t)
			erp.never = errLost
			wish := order.Action{Kind: kind, OrderID: erp.of}
			done, err := b.Act(t.Context(), portal, "a1", wish)
			require.NoError(t, err)
			require.Nil(t, done.Order)
			_, _, err = b.WriteHistory(t.Context(), warehouse, "w1", damaged(erp.of))
			require.NoError(t, err)
			b.refusedLater(t, "a1", wish, "order_blocked")
			require.Equal(t, order.Ready, erp.delivery.State)
			require.Empty(t, erp.invoices)
		})
	}
}

// Of what a block stops half way, the caller is told that a part was done.
func TestABlockStopsTheRest(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	other := erp.moves[0]
	other.ID, other.DeliveryID = 799, 71
	erp.moves = append(erp.moves, other)
	erp.second = order.Delivery{ID: 71, Number: "WH/OUT/71", State: order.Ready}
	erp.refuseSecond = errLost
	wish := erp.fulfil()
	done, err := b.Act(t.Context(), portal, "f1", wish)
	require.NoError(t, err)
	require.Nil(t, done.Order)
	require.Equal(t, order.DocumentDelivered, erp.delivery.State)
	_, _, err = b.WriteHistory(t.Context(), warehouse, "w1", damaged(erp.of))
	require.NoError(t, err)
	b.later(6 * time.Minute)
	_, err = b.Act(t.Context(), portal, "f1", wish)
	require.Contains(t, requireKind(t, err, order.Conflict, "partly_done").Message, "warehouse:damaged")
}

func TestABlockStopsActions(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	draft := b.placed(t, "PO-2")
	for i, id := range []int64{erp.of, draft} {
		_, _, err := b.WriteHistory(t.Context(), warehouse, strconv.Itoa(i), damaged(id))
		require.NoError(t, err)
	}
	stopped := map[order.ActionKind]int64{order.Confirm: draft, order.Approve: draft, order.Fulfil: erp.of, order.Bill: erp.of}
	for kind, id := range stopped {
		_, err := b.Act(t.Context(), portal, "a-"+string(kind), order.Action{Kind: kind, OrderID: id})
		requireKind(t, err, order.Conflict, "order_blocked")
	}
	for _, kind := range order.ActionKinds {
		_, is := stopped[kind]
		require.Equal(t, is, kind.StoppedByBlocks(), kind)
	}
	outcomes, err := b.ActOnMany(t.Context(), portal, "bulk", order.Bulk{Kind: order.Confirm, OrderIDs: []int64{draft}})
	require.NoError(t, err)
	requireKind(t, outcomes[0].Err, order.Conflict, "order_blocked")
}

// What others have paid or credited while an action was in doubt is not paid or credited once more.
func TestWhatOthersDidMeanwhileIsNotDoneOnceMore(t *testing.T) {
	t.Parallel()
	t.Run("payment", func(t *testing.T) {
		t.Parallel()
		b, erp := setupDocuments(t)
		_, err := b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
		require.NoError(t, err)
		erp.never = errLost
		_, err = b.Act(t.Context(), portal, "p1", erp.pay(60))
		require.NoError(t, err)
		erp.invoices[0].AmountDue = decimal.NewFromInt(40)
		b.refusedLater(t, "p1", erp.pay(60), "paid_otherwise")
		require.Empty(t, erp.memos)
	})
	t.Run("payment of an invoice that is gone", func(t *testing.T) {
		t.Parallel()
		b, erp := setupDocuments(t)
		_, err := b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
		require.NoError(t, err)
		erp.never = errLost
		_, err = b.Act(t.Context(), portal, "p1", erp.pay(60))
		require.NoError(t, err)
		erp.invoices = nil
		b.later(6 * time.Minute)
		_, err = b.Act(t.Context(), portal, "p1", erp.pay(60))
		requireKind(t, err, order.NotFound, "invoice_not_found")
	})
	t.Run("refund", func(t *testing.T) {
		t.Parallel()
		b, erp := setupSent(t)
		line := erp.moves[0].LineID
		wish := erp.refund(pieces(line, erp.moves[0].Quantity.String()))
		erp.never = errLost
		_, err := b.Act(t.Context(), portal, "n1", wish)
		require.NoError(t, err)
		erp.notes = append(erp.notes, creditNote{700, "by hand", order.PlannedCredit{InvoiceID: 80,
			Lines: []order.PlannedCreditLine{{LineID: line, Quantity: decimal.NewFromInt(1)}}}, order.Posted})
		b.refusedLater(t, "n1", wish, "refunded_otherwise")
		require.Len(t, erp.notes, 1)
	})
}

// A warehouse that somebody chose while an assignment was in doubt stays.
func TestAnAssignmentDoesNotUndoAnother(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockPolicy(""))
	id := b.placed(t, "PO-9")
	erp.warehouse = 1
	erp.never = errLost
	wish := order.Action{Kind: order.Assign, OrderID: id, Warehouse: "S2"}
	_, err := b.Act(t.Context(), portal, "a1", wish)
	require.NoError(t, err)
	erp.warehouse = 3
	b.refusedLater(t, "a1", wish, "assigned_otherwise")
	require.EqualValues(t, 3, erp.warehouse)
}

// A part that was done is not asked for again when rights for the other part come.
func TestPartlyDoneForWantOfRights(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	other := erp.moves[0]
	other.ID, other.DeliveryID = 799, 71
	erp.moves = append(erp.moves, other)
	erp.second = order.Delivery{ID: 71, Number: "WH/OUT/71", State: order.Ready}
	erp.refuseSecond = &odoo.Error{Outcome: odoo.Rejected, Reason: odoo.AccessRights, Row: -1, Message: "not you"}
	_, err := b.Act(t.Context(), portal, "f1", erp.fulfil())
	requireKind(t, err, order.Conflict, "partly_done")
	require.Equal(t, order.Rejected, b.intent(t, "f1").State)
}

// goneERP is away from the moment at which it is asked to confirm.
type goneERP struct {
	ordersync.ERP
	gone bool
}

var errGone = &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "away", Row: -1}

func (e *goneERP) ConfirmOrders(context.Context, ...int64) error {
	e.gone = true
	return errGone
}

func (e *goneERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	if e.gone {
		return nil, errGone
	}
	return e.ERP.Orders(ctx, ids)
}

// A call that certainly was not sent is in no doubt, whether or not the order can be read after it.
func TestAnActionThatWasNotSentIsNotInDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	erp := &goneERP{ERP: b.cfg.ERP}
	b.cfg.ERP = erp
	b.restart(t)
	id := b.placed(t, "PO-1")
	_, err := b.Act(t.Context(), portal, "c1", confirm(id))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
	erp.gone = false
	erp.ERP, b.cfg.ERP = nil, b.erp
	b.restart(t)
	done, err := b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	require.Equal(t, order.Confirmed, done.Order.Status)
}

// losingERP loses what is answered about orders that are placed, for as long as away is true.
type losingERP struct {
	ordersync.ERP
	away bool
}

func (e *losingERP) PlaceOrders(ctx context.Context, orders []odoo.NewOrder) []odoo.Loaded {
	loaded := e.ERP.PlaceOrders(ctx, orders)
	for i := range loaded {
		if e.away {
			loaded[i] = odoo.Loaded{Err: errLost}
		}
	}
	return loaded
}

func (e *losingERP) PlacedOrder(ctx context.Context, externalID string) (int64, error) {
	if e.away {
		return 0, errLost
	}
	return e.ERP.PlacedOrder(ctx, externalID)
}

// An order that is to be confirmed when it is placed is not, if it was put on hold or blocked before the gateway knew that it was there.
func TestPlacingDoesNotConfirmWhatMustNotGoOn(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(t *testing.T, b *bundle, id int64){
		"blocked": func(t *testing.T, b *bundle, id int64) {
			_, _, err := b.WriteHistory(t.Context(), warehouse, "w1", damaged(id))
			require.NoError(t, err)
		},
		"on hold": func(t *testing.T, b *bundle, id int64) {
			hold, _, err := b.erp.HoldTags(t.Context())
			require.NoError(t, err)
			b.people(t, "sale.order", "write", []any{id}, map[string]any{"tag_ids": []any{[]any{4, hold, 0}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			erp := &losingERP{ERP: b.cfg.ERP, away: true}
			b.cfg.ERP = erp
			b.restart(t)
			wish := request("PO-1")
			wish.Confirm = true
			p, err := b.Place(t.Context(), portal, "k1", wish)
			require.NoError(t, err)
			require.Nil(t, p.Order)
			id := b.erpOrders(t, "PO-1")[0]
			stop(t, b, id)
			erp.away = false
			b.later(time.Minute)
			_, err = b.ResolveDue(t.Context())
			require.NoError(t, err)
			in := b.intent(t, "k1")
			require.Equal(t, order.Placed, in.State)
			state := b.people(t, "sale.order", "read", []any{id}, []any{"state"}).([]any)[0].(map[string]any)["state"]
			require.Equal(t, "draft", state)
			require.Contains(t, b.codes(t, id), order.HistoryConfirmRefused)
		})
	}
}

// Why somebody wants what others did before is no part of the order's history.
func TestAReasonIsToldOfWhatWasDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.placed(t, "PO-1")
	b.people(t, "sale.order", "action_cancel", []any{id})
	done, err := b.Act(t.Context(), portal, "c1", cancel(id, "too late"))
	require.NoError(t, err)
	require.Equal(t, order.Cancelled, done.Order.Status)
	require.NotContains(t, b.codes(t, id), order.HistoryReason)

	id = b.placed(t, "PO-2")
	b.down(t)
	_, err = b.Act(t.Context(), portal, "c2", cancel(id, "too dear"))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
	require.NoError(t, b.sandbox.SetDown(false))
	b.people(t, "sale.order", "action_cancel", []any{id})
	_, err = b.Act(t.Context(), portal, "c2", cancel(id, "too dear"))
	require.NoError(t, err)
	require.NotContains(t, b.codes(t, id), order.HistoryReason)
}
