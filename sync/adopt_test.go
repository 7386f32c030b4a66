package ordersync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
	ordersync "ordergate/sync"
)

// pages hands the rows out in pages of n.
func pages(n int, rows ...ordersync.ForeignRow) func(func([]ordersync.ForeignRow) error) error {
	return func(visit func([]ordersync.ForeignRow) error) error {
		for i := 0; i < len(rows); i += n {
			if err := visit(rows[i:min(i+n, len(rows))]); err != nil {
				return err
			}
		}
		return nil
	}
}

func foreignRow(key, erpID any, edit ...func(*ordersync.ForeignRow)) ordersync.ForeignRow {
	r := ordersync.ForeignRow{PrimaryKey: fmt.Sprint(key), ERPID: fmt.Sprint(erpID), Key: fmt.Sprint("cart-", key)}
	for _, f := range edit {
		f(&r)
	}
	return r
}

var adopting = ordersync.AdoptOptions{Source: portal.Source, Apply: true}

// known is what the mirror holds.
func (b *bundle) known(t *testing.T) (orders, intents int64) {
	t.Helper()
	for table, n := range map[string]*int64{"orders": &orders, "intents": &intents} {
		require.NoError(t, b.db.DB().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(n))
	}
	return orders, intents
}

func TestAnotherSystemsTableIsAdopted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "mine", request("PO-1"))
	require.NoError(t, err)
	ids := b.many(t, 4)
	require.NoError(t, b.Sync(t.Context()))
	fresh := b.many(t, 2) // the mirror has not heard of these
	deleted := b.many(t, 1)[0]
	b.people(t, "sale.order", "unlink", []any{deleted})

	surplus := func(r *ordersync.ForeignRow) { r.Surplus = true }
	rows := []ordersync.ForeignRow{
		foreignRow(1, ids[0]), foreignRow(2, ids[0], surplus), foreignRow(3, ids[0], surplus, func(r *ordersync.ForeignRow) { r.Key = "cart-1" }),
		foreignRow(4, ids[1], func(r *ordersync.ForeignRow) { r.Key, r.Source = "", "marketplace" }),
		foreignRow(5, ids[2], func(r *ordersync.ForeignRow) { r.Reference = "other" }),
		foreignRow(6, ids[3], func(r *ordersync.ForeignRow) { r.Key = "cart-1" }), // a key for two orders
		foreignRow(7, fresh[0]), foreignRow(8, fmt.Sprint(" ", fresh[1], " ")),
		foreignRow(9, placed.Order.ID), foreignRow(10, deleted), foreignRow(11, "SO-7"), foreignRow(12, int64(order.MaxERPID)+1),
		foreignRow(13, fresh[0], func(r *ordersync.ForeignRow) { r.ERPID = "0" + r.ERPID; r.Key = "kä" }), // a text of the same number
	}
	report, err := b.Adopt(t.Context(), pages(100, rows...), ordersync.AdoptOptions{Source: portal.Source})
	require.NoError(t, err)
	require.False(t, report.Applied)
	ordersBefore, intentsBefore := b.known(t)
	require.EqualValues(t, 1, intentsBefore, "a report changes nothing")
	require.Equal(t, order.SourceERP, b.order(t, ids[0]).Source)

	calls := b.sandbox.Calls("sale.order.load")
	done, err := b.Adopt(t.Context(), pages(100, rows...), adopting)
	require.NoError(t, err)
	require.True(t, done.Applied)
	report.Applied, report.References = true, done.References // what is not in the mirror could not be compared
	require.Equal(t, report, done, "the report said so")
	require.EqualValues(t, 10, done.Orders)
	require.EqualValues(t, 3, done.SurplusRows)
	require.EqualValues(t, 7, done.Adopted)
	require.EqualValues(t, 2, done.Pulled)
	require.Zero(t, done.Present)
	require.EqualValues(t, 6, done.Keys)
	require.Equal(t, ordersync.Noted{Count: 3, Sample: []ordersync.NotedRow{
		{Row: "11", ERPID: "SO-7", Detail: "not an id of the ERP"}, {Row: "12", ERPID: rows[11].ERPID, Detail: "not an id of the ERP"},
		{Row: "10", ERPID: rows[9].ERPID}}}, done.Absent)
	require.Zero(t, done.Unmirrored.Count)
	require.EqualValues(t, 1, done.KeysTaken.Count)
	require.Equal(t, "6", done.KeysTaken.Sample[0].Row)
	require.EqualValues(t, 1, done.Unusable.Count)
	require.Equal(t, "13", done.Unusable.Sample[0].Row)
	require.Equal(t, ordersync.Noted{Count: 1, Sample: []ordersync.NotedRow{
		{Row: "5", ERPID: rows[4].ERPID, Detail: `"other"; "m2" in the ERP`}}}, done.References)
	orders, intents := b.known(t)
	require.Equal(t, ordersBefore+2, orders)
	require.Equal(t, intentsBefore+6, intents)
	_, err = b.db.Order(t.Context(), b.cfg.Tenant.ID, deleted)
	requireKind(t, err, order.NotFound, "order_not_found")
	require.Equal(t, "marketplace", b.order(t, ids[1]).Source)
	require.Equal(t, "m0", b.order(t, fresh[0]).Reference, "the ERP's word counts")
	listing, err := b.Orders(t.Context(), operator, order.Filter{Source: portal.Source})
	require.NoError(t, err)
	require.Len(t, listing.Orders, 6)

	again, err := b.Adopt(t.Context(), pages(3, rows...), adopting)
	require.NoError(t, err)
	require.Zero(t, again.Adopted)
	require.Zero(t, again.Keys)
	require.EqualValues(t, 8, again.Present, "an id that is written in two ways is met on two pages")
	require.Equal(t, calls, b.sandbox.Calls("sale.order.load"), "no order was made")
}

func (b *bundle) order(t *testing.T, id int64) order.Order {
	t.Helper()
	o, err := b.db.Order(t.Context(), b.cfg.Tenant.ID, id)
	require.NoError(t, err)
	return o
}

func TestALateRetryOfAnAdoptedKeyFindsItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.many(t, 3)
	rows := []ordersync.ForeignRow{
		foreignRow(1, ids[0], func(r *ordersync.ForeignRow) { r.Reference = "m0" }), foreignRow(2, ids[0], func(r *ordersync.ForeignRow) { r.Surplus = true }),
		foreignRow(3, ids[1]), foreignRow(4, ids[2]),
	}
	_, err := b.Adopt(t.Context(), pages(2, rows...), adopting)
	require.NoError(t, err)
	calls := b.sandbox.Calls("sale.order.load")

	for key, reference := range map[string]string{"cart-1": "m0", "cart-2": "anything", "cart-3": "anything"} {
		want := map[string]int64{"cart-1": ids[0], "cart-2": ids[0], "cart-3": ids[1]}[key]
		for _, place := range []func(context.Context, order.Caller, string, order.Request) (order.Placement, error){b.Place, b.Enqueue} {
			p, err := place(t.Context(), portal, key, request(reference))
			require.NoError(t, err, key)
			require.True(t, p.Replayed)
			require.Equal(t, want, p.Order.ID)
			require.Equal(t, b.order(t, want).Number, p.Order.Number)
		}
		in := b.intent(t, key)
		require.Equal(t, order.Adopted, in.State)
		_, err := b.CancelIntent(t.Context(), portal, "", key)
		requireKind(t, err, order.Conflict, "intent_placed")
		_, err = b.RetryIntent(t.Context(), portal, "", key)
		requireKind(t, err, order.Conflict, "intent_not_parked")
	}
	_, err = b.Place(t.Context(), portal, "cart-1", request("m9"))
	requireKind(t, err, order.Unprocessable, "idempotency_key_reused")
	_, err = b.Place(t.Context(), portal, "cart-1", request(""))
	require.NoError(t, err, "nothing says that it is another order")

	b.people(t, "sale.order", "unlink", []any{ids[1]})
	require.NoError(t, b.FullSync(t.Context(), ordersync.FullSyncOptions{}))
	p, err := b.Place(t.Context(), portal, "cart-3", request("anything"))
	requireKind(t, err, order.Unprocessable, "deleted_in_erp")
	require.True(t, p.Replayed)

	// The mirror is lost, and read again where it is needed.
	lose := func() {
		for _, table := range []string{"order_lines", "orders"} {
			_, err := b.db.DB().ExecContext(t.Context(), "DELETE FROM "+table)
			require.NoError(t, err)
		}
	}
	lose()
	p, err = b.Place(t.Context(), portal, "cart-4", request("anything"))
	require.NoError(t, err)
	require.Equal(t, ids[2], p.Order.ID)
	require.Equal(t, portal.Source, b.order(t, ids[2]).Source)
	p, err = b.Place(t.Context(), portal, "cart-3", request("anything"))
	requireKind(t, err, order.Unprocessable, "deleted_in_erp")
	require.True(t, p.Replayed)
	lose()
	b.down(t)
	p, err = b.Place(t.Context(), portal, "cart-4", request("anything"))
	require.NoError(t, err)
	require.Nil(t, p.Order, "accepted: the order exists")
	require.Equal(t, ids[2], p.Intent.ERPOrderID)
	require.Equal(t, calls, b.sandbox.Calls("sale.order.load"), "nothing was placed")
}

// A key of role customer has a source of its own, under which no table may bring it another customer's order.
func TestSourcesOfCustomersAreNotAdopted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.many(t, 1)[0]
	for _, source := range []string{"customer:10", order.SourceERP, "a\nb"} {
		done, err := b.Adopt(t.Context(), pages(1, foreignRow(1, id, func(r *ordersync.ForeignRow) { r.Source = source })), adopting)
		require.NoError(t, err)
		require.EqualValues(t, 1, done.Unusable.Count, source)
		require.Zero(t, done.Keys)
		require.Equal(t, order.SourceERP, b.order(t, id).Source)
	}
	_, intents := b.known(t)
	require.Zero(t, intents)
}

// Migrations leave rows of earlier systems that the ERP was never asked about.
func TestAnOrderThatAnEarlierSystemLeftIsRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.many(t, 1)[0]
	require.NoError(t, b.Sync(t.Context()))
	_, err := b.db.DB().ExecContext(t.Context(), "UPDATE orders SET write_date = NULL, digest = '', reference = 'theirs' WHERE erp_order_id = ?", id)
	require.NoError(t, err)
	done, err := b.Adopt(t.Context(), pages(1, foreignRow(1, id)), adopting)
	require.NoError(t, err)
	require.EqualValues(t, 1, done.Pulled)
	require.Equal(t, "m0", b.order(t, id).Reference)
	require.Equal(t, portal.Source, b.order(t, id).Source)
}

func TestAnOrderThatTheMirrorCannotHoldIsNotAdopted(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	ids := b.many(t, 3)
	erp.fail = func(read []int64) error {
		if slices.Contains(read, ids[1]) {
			return &odoo.Error{Outcome: odoo.Unknown, Reason: odoo.BadAnswer, Message: "a state that nobody knows"}
		}
		return nil
	}
	done, err := b.Adopt(t.Context(), pages(10, foreignRow(1, ids[0]), foreignRow(2, ids[1]), foreignRow(3, ids[2])), adopting)
	require.NoError(t, err)
	require.EqualValues(t, 2, done.Adopted)
	require.Equal(t, ordersync.Noted{Count: 1, Sample: []ordersync.NotedRow{{Row: "2", ERPID: fmt.Sprint(ids[1])}}}, done.Unmirrored)
	_, err = b.Intent(t.Context(), portal, "", "cart-2")
	requireKind(t, err, order.NotFound, "intent_not_found")
}

// Whatever ends an adoption, the next one goes on where something is missing, and the end is the same.
func TestAnAdoptionThatWasEndedGoesOn(t *testing.T) {
	t.Parallel()
	b, erp := setupCalling(t)
	const n = 40
	ids := b.many(t, n)
	var rows []ordersync.ForeignRow
	for i, id := range ids {
		rows = append(rows, foreignRow(i, id))
	}
	killed := errors.New("killed")
	var adopted int64
	for round := 0; ; round++ {
		require.Less(t, round, n)
		reads, written := 0, 0
		erp.fail = func([]int64) error {
			if reads++; reads > 1 {
				return &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.Cancelled, Message: "killed"}
			}
			return nil
		}
		mirror := &endingMirror{Mirror: b.db, ended: func() error {
			if written++; written > 2 {
				return killed
			}
			return nil
		}}
		b.restart(t, func(cfg *ordersync.Config) { cfg.ERP, cfg.Mirror = erp, mirror })
		done, err := b.Adopt(t.Context(), pages(3, rows...), adopting)
		adopted += done.Adopted
		if err == nil {
			break
		}
	}
	require.EqualValues(t, n, adopted)
	for i, id := range ids {
		require.Equal(t, portal.Source, b.order(t, id).Source)
		require.Equal(t, id, b.intent(t, fmt.Sprint("cart-", i)).ERPOrderID)
	}
	erp.fail = nil
	done, err := b.Adopt(t.Context(), pages(3, rows...), adopting)
	require.NoError(t, err)
	require.EqualValues(t, n, done.Present)
	require.Zero(t, done.Adopted)
}

// endingMirror makes an adoption fail after its write, as a kill before its answer does.
type endingMirror struct {
	ordersync.Mirror
	ended func() error
}

func (m *endingMirror) AdoptOrders(ctx context.Context, tenantID int64, adoptions []store.Adoption, apply bool) ([]store.Adopted, error) {
	done, err := m.Mirror.AdoptOrders(ctx, tenantID, adoptions, apply)
	changes := 0
	for _, d := range done {
		changes += d.Keys
	}
	if err == nil && changes > 0 {
		err = m.ended()
	}
	return done, err
}
