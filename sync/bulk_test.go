package ordersync_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
	ordersync "ordergate/sync"
)

func (b *bundle) placedMany(t *testing.T, prefix string, n int) (ids []int64) {
	t.Helper()
	for i := range n {
		ids = append(ids, b.placed(t, prefix+strconv.Itoa(i)))
	}
	return ids
}

// Each order has an outcome of its own, and the same again is answered as the first time and goes on with what was not done.
func TestABulkAction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.placedMany(t, "PO-", 4)
	b.people(t, "sale.order", "action_cancel", []any{ids[1]})
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.action_confirm", Kind: sandbox.DropAnswer})
	bulk := order.Bulk{Kind: order.Confirm, OrderIDs: append(ids[:4:4], 999_999)}
	outcomes, err := b.ActOnMany(t.Context(), portal, "b1", bulk)
	require.NoError(t, err)
	require.Len(t, outcomes, 5)
	keys := map[string]bool{}
	for i, o := range outcomes {
		require.Equal(t, bulk.OrderIDs[i], o.OrderID)
		keys[o.Key] = true
		switch i {
		case 1:
			requireKind(t, o.Err, order.Conflict, "action_not_possible")
		case 4:
			requireKind(t, o.Err, order.NotFound, "order_not_found")
		default:
			require.NoError(t, o.Err)
			require.Equal(t, order.Confirmed, o.Placement.Order.Status)
			require.Equal(t, order.Performed, b.intent(t, o.Key).State)
		}
	}
	require.Len(t, keys, 5)
	require.True(t, keys["b1"])
	calls := b.sandbox.Calls("sale.order.action_confirm")
	b.people(t, "sale.order", "action_draft", []any{ids[1]})
	again, err := b.ActOnMany(t.Context(), portal, "b1", bulk)
	require.NoError(t, err)
	for i, o := range again[:4] {
		require.True(t, o.Placement.Replayed)
		require.Equal(t, outcomes[i].Key, o.Key)
		require.Equal(t, outcomes[i].Err == nil, o.Err == nil)
	}
	require.Equal(t, calls, b.sandbox.Calls("sale.order.action_confirm"))

	for _, other := range []order.Bulk{
		{Kind: order.Cancel, OrderIDs: bulk.OrderIDs}, {Kind: order.Confirm, OrderIDs: bulk.OrderIDs[:2]}, {Kind: order.Confirm, OrderIDs: ids[2:]},
	} {
		_, err = b.ActOnMany(t.Context(), portal, "b1", other)
		requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
	}
	_, err = b.Act(t.Context(), portal, "b1", confirm(ids[0]))
	requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
}

func TestABulkActionThatCannotBe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tooMany := make([]int64, 101)
	for i := range tooMany {
		tooMany[i] = int64(i + 1)
	}
	for field, bulk := range map[string]order.Bulk{
		"action": {Kind: order.Pay, OrderIDs: []int64{1}}, "order_ids": {Kind: order.Confirm, OrderIDs: tooMany},
		"order_ids[2]": {Kind: order.Confirm, OrderIDs: []int64{1, 2, 1}}, "reason": {Kind: order.Confirm, OrderIDs: []int64{1}, Reason: "x"},
	} {
		_, err := b.ActOnMany(t.Context(), portal, "b1", bulk)
		require.Equal(t, field, requireKind(t, err, order.Unprocessable, "invalid_request").Violations[0].Field)
	}
	_, err := b.ActOnMany(t.Context(), portal, "b1", order.Bulk{Kind: order.Confirm})
	requireKind(t, err, order.Unprocessable, "invalid_request")
	_, err = b.ActOnMany(t.Context(), portal, "", order.Bulk{Kind: order.Confirm, OrderIDs: []int64{1}})
	requireKind(t, err, order.Malformed, "idempotency_key_missing")
}

// slowERP invoices what is confirmed, and counts how many invoicings run at once.
type slowERP struct {
	ordersync.ERP
	mu        sync.Mutex
	now, most int
	began     []int64
	billed    map[int64]bool
	takes     time.Duration
}

// take sets how long invoicing takes from now on.
func (e *slowERP) take(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.takes = d
}

func (e *slowERP) Invoiceable(context.Context, int64) (something, known bool, err error) {
	return true, true, nil
}

func (e *slowERP) Invoice(_ context.Context, id int64, _, _ []int64) error {
	e.mu.Lock()
	e.now++
	e.most = max(e.most, e.now)
	e.began = append(e.began, id)
	takes := e.takes
	e.mu.Unlock()
	time.Sleep(takes)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now--
	e.billed[id] = true
	return nil
}

func (e *slowERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	snapshots, err := e.ERP.Orders(ctx, ids)
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range snapshots {
		snapshots[i].AllInvoices = true
		if id := snapshots[i].ID; e.billed[id] {
			snapshots[i].Invoices = []order.Invoice{{ID: 1000 + id, Number: "INV/" + strconv.FormatInt(id, 10), State: order.Posted}}
		}
	}
	return snapshots, err
}

// A bulk action whose orders go one by one leaves places for others, waits for its own, and stops beginning when its time is over.
func TestABulkActionIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	erp := &slowERP{ERP: b.cfg.ERP, takes: 30 * time.Millisecond, billed: map[int64]bool{}}
	b.cfg.ERP = erp
	b.restart(t, func(cfg *ordersync.Config) { cfg.MaxActions = 4 })
	confirmed := func(prefix string, n int) []int64 {
		ids := b.placedMany(t, prefix, n)
		b.people(t, "sale.order", "action_confirm", ids)
		return ids
	}
	ids := confirmed("PO-", 12)
	var both sync.WaitGroup
	for i, key := range []string{"b1", "b2", "b3"} { // six at once want four places
		both.Go(func() {
			outcomes, err := b.ActOnMany(t.Context(), portal, key, order.Bulk{Kind: order.Bill, OrderIDs: ids[i*4 : i*4+4]})
			if err != nil {
				t.Error(err)
				return
			}
			for _, o := range outcomes {
				if o.Err != nil {
					t.Error(o.Err)
				}
			}
		})
	}
	both.Wait()
	require.Len(t, erp.began, 12)
	require.LessOrEqual(t, erp.most, 4)

	erp.take(300 * time.Millisecond)
	more := confirmed("MORE-", 8)
	ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	bulk := order.Bulk{Kind: order.Bill, OrderIDs: more}
	outcomes, err := b.ActOnMany(ctx, portal, "b4", bulk)
	require.NoError(t, err)
	require.NoError(t, outcomes[0].Err)
	requireKind(t, outcomes[7].Err, order.Unavailable, "wait_too_long")
	erp.take(0)
	require.Eventually(t, func() bool { // those that were under way come to their end
		outcomes, err = b.ActOnMany(t.Context(), portal, "b4", bulk)
		return err == nil && !slices.ContainsFunc(outcomes, func(o order.BulkOutcome) bool { return o.Err != nil || o.Placement.Order == nil })
	}, 30*time.Second, 20*time.Millisecond)
	require.Len(t, erp.began, 20, "each once")
}
