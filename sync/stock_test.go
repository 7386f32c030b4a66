package ordersync_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/odoo/sandbox"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// stockERP has a warehouse with goods beside what the sandbox has. The product of the request of a test is one of which it keeps stock.
type stockERP struct {
	ordersync.ERP

	mu         sync.Mutex
	free       int64
	asked      int   // how often it was asked what is free
	failing    error // of FreeStock
	warehouse  int64 // of all orders
	deliveries []order.Delivery
	demanded   int64
	held       int64 // of demanded
	picked     int64 // of held, which stays
	reserves   int   // calls
	lose       error // what the next call that changes something answers, although it did it
	never      error // what it answers without having done it
	purchases  []order.Purchase
	knew       []int64                    // the purchases that it was asked for by id
	bought     map[int64][]order.Purchase // by order
	written    time.Time                  // all of bought
	readBought int                        // calls
	hidden     bool                       // purchases may not be read
	noStock    bool
	noPurchase bool
	loses      func(place func() []odoo.Loaded) []odoo.Loaded // what becomes of placing; nil: nothing
}

func setupStock(t *testing.T, policy order.StockPolicy) (*bundle, *stockERP) {
	t.Helper()
	b := setup(t)
	erp := &stockERP{ERP: b.cfg.ERP, free: 100, warehouse: 1}
	b.cfg.ERP, b.cfg.Tenant.Settings.StockCheck = erp, policy
	b.restart(t)
	return b, erp
}

func (e *stockERP) PlaceOrders(ctx context.Context, orders []odoo.NewOrder) []odoo.Loaded {
	place := func() []odoo.Loaded { return e.ERP.PlaceOrders(ctx, orders) }
	if e.loses != nil {
		return e.loses(place)
	}
	return place()
}

func (e *stockERP) PlacedOrder(ctx context.Context, externalID string) (int64, error) {
	if e.loses != nil {
		return 0, errLost
	}
	return e.ERP.PlacedOrder(ctx, externalID)
}

var hubs = []order.Warehouse{{ID: 1, Code: "WH", Name: "Main"}, {ID: 2, Code: "S2", Name: "Second"}}

func (e *stockERP) HasStock(context.Context) (bool, error) { return !e.noStock, nil }

func (e *stockERP) Warehouses(context.Context) ([]order.Warehouse, error) { return hubs, nil }

func (e *stockERP) StockLevels(_ context.Context, ids []int64, in order.Warehouse) ([]order.StockLevel, error) {
	levels := make([]order.StockLevel, len(ids))
	for i, id := range ids {
		levels[i] = order.StockLevel{ProductID: id, Warehouse: in, Kept: true}
	}
	return levels, nil
}

func (e *stockERP) FreeStock(_ context.Context, ids []int64) (map[int64]order.FreeStock, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	free := map[int64]order.FreeStock{}
	for _, id := range ids {
		free[id] = order.FreeStock{Kept: true, Free: decimal.NewFromInt(e.free)}
	}
	return free, e.failing
}

func (e *stockERP) Orders(ctx context.Context, ids []int64) ([]order.Snapshot, error) {
	snapshots, err := e.ERP.Orders(ctx, ids)
	for i := range snapshots {
		snapshots[i].Deliveries, snapshots[i].Warehouse = slices.Clone(e.deliveries), e.warehouse
	}
	return snapshots, err
}

func (e *stockERP) OrderWarehouse(context.Context, int64) (int64, error) { return e.warehouse, nil }

func (e *stockERP) change(do func()) error {
	if err := e.never; err != nil {
		e.never = nil
		return err
	}
	do()
	err := e.lose
	e.lose = nil
	return err
}

func (e *stockERP) AssignWarehouse(_ context.Context, _, id int64) error {
	return e.change(func() { e.warehouse = id })
}

func (e *stockERP) Allocations(context.Context, int64) (order.Allocations, bool, error) {
	if e.demanded == 0 || e.noStock {
		return order.Allocations{}, !e.noStock, nil
	}
	return order.Allocations{Transfers: []int64{70}, Lines: []order.Allocation{{LineID: 1, ProductID: 1,
		Demanded: decimal.NewFromInt(e.demanded), Reserved: decimal.NewFromInt(e.held)}}}, true, nil
}

func (e *stockERP) Reserve(_ context.Context, transfers []int64) error {
	e.reserves++
	return e.change(func() {
		if slices.Equal(transfers, []int64{70}) {
			e.held = min(e.demanded, e.free)
		}
	})
}

func (e *stockERP) Release(context.Context, []int64) error {
	return e.change(func() { e.held = e.picked })
}

func (e *stockERP) Purchases(_ context.Context, _ int64, known []int64) ([]order.Purchase, bool, bool, error) {
	e.knew = known
	return e.purchases, !e.noPurchase, !e.hidden, nil
}

func (e *stockERP) PurchaseLineHeads(_ context.Context, page odoo.Page) ([]odoo.LineHead, error) {
	var heads []odoo.LineHead
	for _, purchases := range e.bought {
		for _, p := range purchases {
			if !e.written.Before(page.Since) {
				heads = append(heads, odoo.LineHead{ID: 10 * p.ID, OrderID: p.ID, WriteDate: e.written})
			}
		}
	}
	return heads, nil
}

func (e *stockERP) PurchasesByOrder(_ context.Context, ids []int64) (map[int64][]order.Purchase, error) {
	e.readBought++
	of := map[int64][]order.Purchase{}
	for id, purchases := range e.bought {
		for _, p := range purchases {
			if slices.Contains(ids, p.ID) {
				of[id] = append(of[id], p)
			}
		}
	}
	return of, nil
}

// codes are those of an order's history that begin with "inventory:" or "procurement:", with how often each stands there.
func (b *bundle) stockCodes(t *testing.T, id int64) map[string]int {
	t.Helper()
	entries, err := b.History(t.Context(), portal, id, order.HistoryFilter{Limit: 100})
	require.NoError(t, err)
	codes := map[string]int{}
	for _, e := range entries {
		if e.Module() == order.ModuleInventory || e.Module() == order.ModuleProcurement {
			codes[e.Code]++
		}
	}
	return codes
}

func TestStockIsCheckedWhereTheTenantWantsIt(t *testing.T) {
	t.Parallel()
	wanted := request("PO-1").Lines[0].Quantity.IntPart()
	for policy, test := range map[order.StockPolicy]struct {
		free    int64
		asked   int
		placed  bool
		shorted bool
	}{
		order.StockOff:       {free: 0, placed: true},
		"":                   {free: 0, placed: true},
		order.StockRefuse:    {free: wanted - 1, asked: 1},
		order.StockBackorder: {free: wanted - 1, asked: 1, placed: true, shorted: true},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			b, erp := setupStock(t, policy)
			erp.free = test.free
			first, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
			again := func() (order.Placement, error) {
				erp.free = 1000 // much may have changed since: one key, one answer
				return b.Place(t.Context(), portal, "k1", request("PO-1"))
			}
			_, previewErr := b.Preview(t.Context(), portal, "", request("PO-9"))
			require.Equal(t, policy == order.StockRefuse, order.IsKind(previewErr, order.Unprocessable), "%v", previewErr)
			if !test.placed {
				e := requireKind(t, err, order.Unprocessable, "out_of_stock")
				require.Equal(t, "lines[0].quantity", e.Violations[0].Field)
				require.Contains(t, e.Violations[0].Message, " 1 are free")
				_, err = again()
				requireKind(t, err, order.Unprocessable, "out_of_stock")
				require.Empty(t, b.erpOrders(t, "PO-1"))
				require.Equal(t, order.Rejected, b.intent(t, "k1").State)
				_, err = b.Place(t.Context(), portal, "k2", request("PO-2"))
				require.NoError(t, err)
				require.Equal(t, test.asked+2, erp.asked, "for the dry run and this one")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.shorted, len(first.Order.Shortages) > 0)
			require.Equal(t, test.shorted, b.stockCodes(t, first.Order.ID)[order.HistoryShort] == 1)
			second, err := again()
			require.NoError(t, err)
			require.True(t, second.Replayed)
			require.Equal(t, len(first.Order.Shortages), len(second.Order.Shortages))
			require.Equal(t, test.asked, erp.asked)
			o, _, err := b.Order(t.Context(), portal, first.Order.ID)
			require.NoError(t, err)
			require.Empty(t, o.Shortages, "what was lacking then is no part of the mirror")
		})
	}
}

// Orders that go together are looked at in one call, and one that is refused does not keep the others.
func TestStockIsCheckedOnceForAGroup(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockRefuse)
	require.NoError(t, b.Sync(t.Context()))
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.Delay, Times: -1, Delay: 300 * time.Millisecond})
	wishes := map[string]order.Request{"k0": request("PO-0", func(r *order.Request) { r.Lines[0].Quantity = decimal.NewFromInt(500) })}
	for _, key := range []string{"k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"} {
		wishes[key] = request("PO-" + key)
	}
	for key, got := range b.placeAll(t, wishes) {
		if key == "k0" {
			requireKind(t, got.err, order.Unprocessable, "out_of_stock")
			continue
		}
		require.NoError(t, got.err, key)
		require.Len(t, b.erpOrders(t, "PO-"+key), 1)
	}
	require.Less(t, erp.asked, len(wishes), "a call for each group, not for each order")
}

// Of orders that go together, each finds what those before it leave, and one that is refused takes nothing.
func TestStockIsSpentWithinAGroup(t *testing.T) {
	t.Parallel()
	for _, policy := range []order.StockPolicy{order.StockRefuse, order.StockBackorder} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			b, erp := setupStock(t, policy)
			require.NoError(t, b.Sync(t.Context()))
			erp.free = 5
			wishes := map[string]int64{"k1": 4, "k2": 4, "k3": 1}
			b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = restingERP{erp} })
			for _, key := range []string{"k1", "k2", "k3"} {
				_, err := b.Enqueue(t.Context(), portal, key, request("PO-"+key, func(r *order.Request) {
					r.Customer = order.CustomerRef{Ref: key, Name: "Customer " + key}
					r.Lines[0].Quantity = decimal.NewFromInt(wishes[key])
				}))
				require.NoError(t, err)
			}
			b.restart(t, func(cfg *ordersync.Config) { cfg.Lanes = 1 })
			for _, key := range []string{"k1", "k2", "k3"} {
				b.drain(t, key)
			}
			require.Equal(t, 1, erp.asked, "they went together")
			if policy == order.StockRefuse {
				require.Equal(t, order.Placed, b.intent(t, "k1").State)
				require.Equal(t, order.Rejected, b.intent(t, "k2").State)
				require.Contains(t, b.intent(t, "k2").Failure.Violations[0].Message, " 1 are free")
				require.Equal(t, order.Placed, b.intent(t, "k3").State)
				return
			}
			require.Equal(t, 0, b.stockCodes(t, b.intent(t, "k1").ERPOrderID)[order.HistoryShort])
			require.Equal(t, "1", b.intent(t, "k2").Plan.Stock.Short[0].Available.String())
			require.Equal(t, "-3", b.intent(t, "k3").Plan.Stock.Short[0].Available.String())
		})
	}
}

// What was found before an order was sent stands at the next attempt, whatever the stock says by then.
func TestStockIsCheckedBeforeTheFirstAttemptOnly(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockRefuse)
	scripted := &scriptedERP{ERP: erp}
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = scripted })
	scripted.place = func() *odoo.Error {
		scripted.place = nil
		return errLost
	}
	p, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
	require.Nil(t, p.Order)
	erp.free = 0
	b.later(10 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "k1").State)
	require.Equal(t, 1, erp.asked)
}

// An order that was sent before anybody wanted to look at the stock is looked for, and not refused for what is lacking now.
func TestStockOfAnOrderThatMayBeThere(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	for key, sent := range map[string]bool{"k1": false, "k2": true} {
		erp.loses = func(place func() []odoo.Loaded) []odoo.Loaded {
			if sent {
				place()
			}
			return []odoo.Loaded{{Err: errLost}}
		}
		_, err := b.Place(t.Context(), portal, key, request("PO-"+key))
		require.NoError(t, err)
		require.Equal(t, order.Sending, b.intent(t, key).State)
	}
	erp.loses = nil
	erp.free = 0
	b.restart(t, func(cfg *ordersync.Config) { cfg.Tenant.Settings.StockCheck = order.StockRefuse })
	b.later(time.Hour)
	_, err := b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Placed, b.intent(t, "k2").State)
	require.Len(t, b.erpOrders(t, "PO-k2"), 1)
	require.Equal(t, order.Rejected, b.intent(t, "k1").State)
	require.Empty(t, b.erpOrders(t, "PO-k1"))
}

// An ERP that cannot say what is free has the order sent again with its key.
func TestStockThatCannotBeChecked(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockBackorder)
	erp.failing = &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Unreachable, Message: "away", Row: -1}
	_, err := b.Place(t.Context(), portal, "k1", request("PO-1"))
	requireKind(t, err, order.Unavailable, "erp_unavailable")
	require.Empty(t, b.erpOrders(t, "PO-1"))
	erp.failing = nil
	_, err = b.Place(t.Context(), portal, "k1", request("PO-1"))
	require.NoError(t, err)
}

func TestAssigningAWarehouse(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	id := b.placed(t, "PO-1")
	assign := func(key, warehouse string) error {
		_, err := b.Act(t.Context(), portal, key, order.Action{Kind: order.Assign, OrderID: id, Warehouse: warehouse})
		return err
	}
	e := requireKind(t, assign("a0", "S3"), order.Unprocessable, "unknown_warehouse")
	require.Equal(t, "warehouse", e.Violations[0].Field)
	erp.lose = errLost
	require.NoError(t, assign("a1", "S2"))
	require.EqualValues(t, 2, erp.warehouse)
	require.Equal(t, map[string]int{order.HistoryAssigned: 1}, b.stockCodes(t, id))
	require.NoError(t, assign("a2", "1"), "an id does as well")
	require.EqualValues(t, 1, erp.warehouse)

	_, err := b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	erp.deliveries = []order.Delivery{{ID: 70, State: order.Ready, Kind: order.DeliveryOutgoing}}
	requireKind(t, assign("a3", "S2"), order.Conflict, "deliveries_exist")
	require.EqualValues(t, 1, erp.warehouse)
	require.NoError(t, assign("a4", "WH"), "it is there already")
	erp.deliveries[0].State = order.DocumentCancelled
	require.NoError(t, assign("a5", "S2"))
	require.EqualValues(t, 2, erp.warehouse)
	erp.noStock = true
	requireKind(t, assign("a6", "WH"), order.Unsupported, "stock_missing")
}

// Reserving is done once the ERP has answered, also if it could not reserve everything; the answer and its replay say what is lacking.
func TestReserving(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	id := b.placed(t, "PO-1")
	act := func(kind order.ActionKind, key string) (order.Placement, error) {
		return b.Act(t.Context(), portal, key, order.Action{Kind: kind, OrderID: id})
	}
	_, err := act(order.Reserve, "r0")
	requireKind(t, err, order.Conflict, "action_not_possible")
	_, err = b.Act(t.Context(), portal, "c1", confirm(id))
	require.NoError(t, err)
	_, err = act(order.Reserve, "r1")
	requireKind(t, err, order.Conflict, "nothing_to_fulfil")

	erp.demanded, erp.free = 8, 5
	done, err := act(order.Reserve, "r2")
	require.NoError(t, err)
	require.Len(t, done.Order.Shortages, 1)
	require.Equal(t, "3", done.Order.Shortages[0].Missing().String())
	require.Equal(t, map[string]int{order.HistoryShort: 1}, b.stockCodes(t, id))
	erp.free = 100
	again, err := act(order.Reserve, "r2")
	require.NoError(t, err)
	require.True(t, again.Replayed)
	require.Equal(t, "3", again.Order.Shortages[0].Missing().String(), "the answer of then")
	require.Equal(t, 1, erp.reserves)

	erp.never = errLost
	lost, err := act(order.Reserve, "r3")
	require.NoError(t, err)
	require.Nil(t, lost.Order, "whether it was asked is not known")
	inDoubt := b.intent(t, "r3")
	require.True(t, inDoubt.InDoubt())
	done, err = act(order.Reserve, "r3")
	require.NoError(t, err)
	require.Empty(t, done.Order.Shortages)
	require.Equal(t, 1, b.stockCodes(t, id)[order.HistoryReserved])
	found, err := b.Allocations(t.Context(), portal, id)
	require.NoError(t, err)
	require.Equal(t, hubs[0], found.Warehouse)
	require.Equal(t, "8", found.Lines[0].Reserved.String())

	erp.demanded, erp.never = 9, errLost
	lost, err = act(order.Reserve, "r4")
	require.NoError(t, err)
	require.Nil(t, lost.Order)
	erp.demanded = 0 // somebody cancels the delivery
	b.later(time.Hour)
	_, err = act(order.Reserve, "r4")
	requireKind(t, err, order.Conflict, "nothing_to_fulfil")

	erp.demanded, erp.lose = 8, errLost
	_, err = act(order.Release, "l1")
	require.NoError(t, err)
	require.Zero(t, erp.held)
	require.Equal(t, 1, b.stockCodes(t, id)[order.HistoryReleased])
	erp.held, erp.picked = 8, 2
	_, err = act(order.Release, "l2")
	requireKind(t, err, order.Conflict, "still_reserved")
	erp.noStock = true
	_, err = act(order.Release, "l3")
	requireKind(t, err, order.Unsupported, "stock_missing")
	_, err = b.Allocations(t.Context(), portal, id)
	requireKind(t, err, order.Unsupported, "stock_missing")
}

func TestStockOfProducts(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	sku := request("PO-1").Lines[0].SKU
	levels, err := b.Stock(t.Context(), []string{sku, sku}, "")
	require.NoError(t, err)
	require.Len(t, levels, 2, "one for each warehouse")
	levels, err = b.Stock(t.Context(), []string{sku}, "S2")
	require.NoError(t, err)
	require.Len(t, levels, 1)
	require.Equal(t, hubs[1], levels[0].Warehouse)
	_, err = b.Stock(t.Context(), []string{sku, "nope"}, "")
	e := requireKind(t, err, order.Unprocessable, "unknown_sku")
	require.Equal(t, "sku", e.Violations[0].Field)
	_, err = b.Stock(t.Context(), []string{sku}, "S3")
	requireKind(t, err, order.Unprocessable, "unknown_warehouse")
	erp.noStock = true
	_, err = b.Stock(t.Context(), []string{sku}, "")
	requireKind(t, err, order.Unsupported, "stock_missing")
}

// What becomes of purchase orders is entered once each, when it is seen.
func TestProcurement(t *testing.T) {
	t.Parallel()
	b, erp := setupStock(t, order.StockOff)
	id := b.placed(t, "PO-1")
	read := func() {
		t.Helper()
		for range 2 {
			_, err := b.Procurement(t.Context(), portal, id)
			require.NoError(t, err)
		}
	}
	read()
	require.Empty(t, b.stockCodes(t, id))
	expected := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	line := order.PurchaseLine{ID: 40, Quantity: decimal.NewFromInt(3)}
	erp.purchases = []order.Purchase{{ID: 17, Number: "P17", State: order.PurchaseSent, ExpectedAt: expected, Lines: []order.PurchaseLine{line}}}
	read()
	want := map[string]int{order.HistoryProcurementOrdered: 1}
	require.Equal(t, want, b.stockCodes(t, id))
	require.Equal(t, []int64{17}, erp.knew)
	erp.purchases[0].ExpectedAt = expected.AddDate(0, 0, -1)
	read()
	require.Equal(t, want, b.stockCodes(t, id), "earlier is no news")
	erp.purchases[0].ExpectedAt = expected.AddDate(0, 0, 7)
	erp.purchases[0].State = order.PurchaseConfirmed
	read()
	want[order.HistoryProcurementDelayed], want[order.HistoryProcurementConfirmed] = 1, 1
	require.Equal(t, want, b.stockCodes(t, id))
	erp.purchases[0].Lines[0].Received = decimal.NewFromInt(3)
	erp.purchases = append(erp.purchases, order.Purchase{ID: 18, State: order.PurchaseCancelled})
	read()
	want[order.HistoryProcurementReceived], want[order.HistoryProcurementCancelled] = 1, 1
	want[order.HistoryProcurementOrdered] = 2
	require.Equal(t, want, b.stockCodes(t, id))

	erp.hidden = true
	_, err := b.Procurement(t.Context(), portal, id)
	e := requireKind(t, err, order.Forbidden, "erp_rights_missing")
	require.Contains(t, e.Message, "Purchase / User")
	erp.noPurchase = true
	_, err = b.Procurement(t.Context(), portal, id)
	requireKind(t, err, order.Unsupported, "purchase_missing")
	_, err = b.Procurement(t.Context(), portal, 99999)
	requireKind(t, err, order.NotFound, "order_not_found")
}
