package ordersync_test

import (
	"context"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// What becomes of purchase orders in the ERP stands in the histories of the orders that they are for, once, without anybody asking.
func TestPurchasesAreToldByTheSync(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	id, other := b.placed(t, "PO-1"), b.placed(t, "PO-2")
	sync := func() {
		t.Helper()
		require.NoError(t, b.Sync(t.Context()))
	}
	codes := func(want map[string]int) {
		t.Helper()
		sync()
		require.Equal(t, want, b.stockCodes(t, id))
		require.Empty(t, b.stockCodes(t, other))
	}
	write := func(of ...order.Purchase) {
		b.later(10 * time.Second)
		erp.bought, erp.written = map[int64][]order.Purchase{id: of}, b.erpClock.Now().Truncate(time.Second)
	}
	codes(map[string]int{})
	require.Zero(t, erp.readBought)

	expected := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	p := order.Purchase{ID: 17, Number: "P17", State: order.PurchaseSent, ExpectedAt: expected,
		Lines: []order.PurchaseLine{{ID: 40, Quantity: decimal.NewFromInt(3)}}}
	write(p)
	want := map[string]int{order.HistoryProcurementOrdered: 1}
	codes(want)
	b.restart(t) // which forgets what was told
	codes(want)

	p.State, p.ExpectedAt = order.PurchaseConfirmed, expected.AddDate(0, 0, 7)
	write(p)
	want[order.HistoryProcurementConfirmed], want[order.HistoryProcurementDelayed] = 1, 1
	codes(want)
	entries, err := b.History(t.Context(), portal, id, order.HistoryFilter{Limit: 100})
	require.NoError(t, err)
	require.Equal(t, "sync", entries[len(entries)-1].WrittenBy)

	// Its lines are forgotten when it is cancelled, and another one names the order without having been for it.
	p.State, p.Lines = order.PurchaseCancelled, nil
	write(p, order.Purchase{ID: 18, Number: "P18", State: order.PurchaseCancelled})
	want[order.HistoryProcurementCancelled] = 1
	codes(want)
}

// What was told is read again only while something that began before may still commit.
func TestPurchasesAreReadOnce(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	id := b.placed(t, "PO-1")
	erp.bought = map[int64][]order.Purchase{id: {{ID: 17, State: order.PurchaseDraft, Lines: []order.PurchaseLine{{ID: 40}}}}}
	erp.written = b.erpClock.Now().Truncate(time.Second)
	for range 3 {
		b.later(10 * time.Second)
		require.NoError(t, b.Sync(t.Context()))
	}
	require.Equal(t, 1, erp.readBought)
	b.later(150 * time.Second)
	for range 2 {
		require.NoError(t, b.Sync(t.Context()))
	}
	require.Equal(t, 2, erp.readBought, "what was written in that second is settled now")
	erp.written = erp.written.Add(time.Second)
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, 3, erp.readBought)
}

// A purchase order may be seen before the order that it is for, which another process is just reading.
func TestPurchasesWaitForTheirOrder(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	id := b.placed(t, "PO-1")
	require.NoError(t, b.Sync(t.Context()))
	erp.bought = map[int64][]order.Purchase{id + 1: {{ID: 17, State: order.PurchaseDraft, Lines: []order.PurchaseLine{{ID: 40}}}}}
	erp.written = b.erpClock.Now().Truncate(time.Second)
	b.later(10 * time.Second)
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, id+1, b.placed(t, "PO-2"))
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, map[string]int{order.HistoryProcurementOrdered: 1}, b.stockCodes(t, id+1))
}

// unreadERP has orders that cannot be read while err is set.
type unreadERP struct {
	*stockERP
	err error
}

func (e *unreadERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	if e.err != nil {
		return nil, e.err
	}
	return e.stockERP.Orders(ctx, ids)
}

// While the mirror lacks orders, what is to be told of them waits, however old it is by then.
func TestPurchasesWaitForTheMirror(t *testing.T) {
	t.Parallel()
	b, stock := setupStock(t, order.StockOff)
	erp := &unreadERP{stockERP: stock, err: errLost}
	b.cfg.ERP = erp
	b.restart(t)
	id := int64(4) // of the sandbox's own orders
	stock.bought = map[int64][]order.Purchase{id: {{ID: 17, State: order.PurchaseDraft, Lines: []order.PurchaseLine{{ID: 40}}}}}
	stock.written = b.erpClock.Now().Truncate(time.Second)
	require.Error(t, b.Sync(t.Context()))
	require.Zero(t, stock.readBought)
	erp.err = nil
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, map[string]int{order.HistoryProcurementOrdered: 1}, b.stockCodes(t, id))
}

// headlessERP does not list what was written.
type headlessERP struct{ *stockERP }

func (e *headlessERP) OrderHeads(context.Context, odoo.Page) ([]order.Head, error) { return nil, nil }

func (e *headlessERP) LineHeads(context.Context, odoo.Page) ([]odoo.LineHead, error) { return nil, nil }

// An order that the mirror missed is fetched when there is something to tell of its purchases: later nobody would.
func TestPurchasesOfAnOrderThatTheMirrorMissed(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	require.NoError(t, b.Sync(t.Context()))
	id := b.people(t, "sale.order", "create", map[string]any{"partner_id": 9, "client_order_ref": "by hand"}).(int64)
	b.cfg.ERP = &headlessERP{erp}
	b.restart(t)
	erp.bought = map[int64][]order.Purchase{id: {{ID: 17, State: order.PurchaseDraft, Lines: []order.PurchaseLine{{ID: 40}}}}}
	erp.written = b.erpClock.Now().Truncate(time.Second)
	b.later(10 * time.Second)
	require.NoError(t, b.Sync(t.Context()))
	require.Equal(t, map[string]int{order.HistoryProcurementOrdered: 1}, b.stockCodes(t, id))
}
