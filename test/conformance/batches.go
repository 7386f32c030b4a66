package conformance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// newOrders are n valid orders.
func (b *bundle) newOrders(name string, n int) []odoo.NewOrder {
	orders := make([]odoo.NewOrder, n)
	for i := range orders {
		orders[i] = b.newOrder(fmt.Sprintf("%s_%d", name, i))
	}
	return orders
}

// placeAll places orders that nothing speaks against, and returns their ids.
func (b *bundle) placeAll(t *testing.T, orders []odoo.NewOrder) []int64 {
	t.Helper()
	ids := make([]int64, len(orders))
	for i, r := range b.client.PlaceOrders(t.Context(), orders) {
		require.Nil(t, r.Err, "%d", i)
		require.Positive(t, r.ID)
		ids[i] = r.ID
	}
	return ids
}

// loadCounter counts the calls of load that pass through it.
type loadCounter struct {
	*http.Transport
	calls atomic.Int64
}

func (c *loadCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte("<string>load</string>")) || strings.HasSuffix(r.URL.Path, "/load") {
		c.calls.Add(1)
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return c.Transport.RoundTrip(r)
}

// countingClient is a client of its own, whose calls of load are counted.
func (b *bundle) countingClient(t *testing.T) (c *odoo.Client, calls func() int) {
	t.Helper()
	counter := &loadCounter{Transport: &http.Transport{}}
	cfg := b.server.config()
	cfg.Transport = counter
	c, err := odoo.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, func() int { return int(counter.calls.Load()) }
}

func (b *bundle) testPlaceOrdersTogether(t *testing.T) {
	orders := b.newOrders("together", 6)
	for i := range orders {
		orders[i].Lines = orders[i].Lines[:1+i%2]
		orders[i].Lines[0].Quantity = number(fmt.Sprint(1 + i))
	}
	other := b.admin.create(t, "res.partner", map[string]any{"name": "Other customer " + b.tag})
	orders[3].PartnerID = other

	c, calls := b.countingClient(t)
	results := c.PlaceOrders(t.Context(), orders)
	require.Equal(t, 1, calls(), "one call for all")
	require.Len(t, results, len(orders))
	for i, r := range results {
		require.Nil(t, r.Err)
		s := b.order(t, r.ID)
		require.Equal(t, orders[i].Reference, s.Reference, "the ids are in the order of the orders")
		require.Equal(t, orders[i].PartnerID, s.Customer.ERPPartnerID)
		require.Len(t, s.Lines, len(orders[i].Lines))
		requireNumber(t, orders[i].Lines[0].Quantity.String(), s.Lines[0].Quantity, "quantity")
	}
	require.Empty(t, c.PlaceOrders(t.Context(), nil))
}

func (b *bundle) testPlaceOrdersAgain(t *testing.T) {
	orders := b.newOrders("again", 4)
	ids := b.placeAll(t, orders)
	edited := b.order(t, ids[1])
	b.admin.write(t, "sale.order", ids[1], map[string]any{"client_order_ref": "edited-again-" + b.tag})
	b.admin.write(t, "sale.order.line", edited.Lines[0].ERPLineID, map[string]any{"product_uom_qty": 7.0})
	require.NoError(t, b.client.ConfirmOrders(t.Context(), ids[2]))
	before := make([]order.Snapshot, len(ids))
	for i, id := range ids {
		before[i] = b.order(t, id)
	}

	for i := range orders {
		orders[i].Lines[1].Quantity = number("5")
		orders[i].Note = "not this time"
	}
	require.Equal(t, ids, b.placeAll(t, orders))
	for i, id := range ids {
		after := b.order(t, id)
		after.ReadAt = before[i].ReadAt
		require.Equal(t, before[i], after, "nothing is changed, not even a write_date")
	}
	for _, i := range []int{0, 2, 3} {
		require.EqualValues(t, 1, b.admin.count(t, "sale.order", "client_order_ref", orders[i].Reference))
	}
	require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", orders[1].Reference))
}

func (b *bundle) testPlaceOrdersKnownAndNew(t *testing.T) {
	orders := b.newOrders("known_and_new", 5)
	first, third := b.place(t, orders[3]), b.place(t, orders[1])
	ids := b.placeAll(t, []odoo.NewOrder{orders[0], orders[1], orders[2], orders[3], orders[4], orders[0]})
	require.Equal(t, third, ids[1])
	require.Equal(t, first, ids[3])
	require.Equal(t, ids[0], ids[5], "the same order twice")
	for i, o := range orders {
		require.Equal(t, o.Reference, b.order(t, ids[i]).Reference)
		require.EqualValues(t, 1, b.admin.count(t, "sale.order", "client_order_ref", o.Reference))
	}
}

func (b *bundle) testPlaceOrdersOneBad(t *testing.T) {
	orders := b.newOrders("one_bad", 5)
	orders[2].Lines[1].ProductID = noSuchID
	c, calls := b.countingClient(t)
	results := c.PlaceOrders(t.Context(), orders)
	require.Equal(t, 2, calls(), "the others go again at once")
	for i, r := range results {
		if i != 2 {
			require.Nil(t, r.Err, "%d", i)
			require.Equal(t, orders[i].Reference, b.order(t, r.ID).Reference)
			continue
		}
		e := requireError(t, r.Err, odoo.Rejected, odoo.BusinessRule)
		require.Equal(t, "order_line/product_id/.id", e.Field)
		require.Equal(t, 1, e.Row, "a row of its own order")
	}
	require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", orders[2].Reference))
}

func (b *bundle) testPlaceOrdersManyBad(t *testing.T) {
	orders := b.newOrders("many_bad", 15)
	good := map[int]bool{0: true, 7: true, 14: true}
	for i := range orders {
		switch {
		case good[i]:
		case i%3 == 0:
			orders[i].PartnerID = noSuchID
		default:
			orders[i].Lines[0].ProductID = noSuchID
		}
	}
	c, calls := b.countingClient(t)
	for i, r := range c.PlaceOrders(t.Context(), orders) {
		if good[i] {
			require.Nil(t, r.Err, "%d", i)
			require.Equal(t, orders[i].Reference, b.order(t, r.ID).Reference)
			continue
		}
		e := requireError(t, r.Err, odoo.Rejected, odoo.BusinessRule)
		require.Equal(t, 0, e.Row)
		if i%3 == 0 {
			require.Equal(t, "partner_id/.id", e.Field)
		} else {
			require.Equal(t, "order_line/product_id/.id", e.Field)
		}
		require.Zero(t, b.admin.count(t, "sale.order", "client_order_ref", orders[i].Reference))
	}
	require.LessOrEqual(t, calls(), 3)
}

// testPlaceOrdersOfAllKinds places orders that cannot share a call: a column that one of them leaves empty would be a
// price of 0 to it, or take away its default.
func (b *bundle) testPlaceOrdersOfAllKinds(t *testing.T) {
	orders := b.newOrders("kinds", 5)
	orders[1].Lines[0].UnitPrice, orders[1].Lines[1].UnitPrice = numberPointer("3"), numberPointer("4")
	orders[2].Note = "ring twice"
	orders[3].Reference = ""
	orders[4].Lines[0].UnitPrice, orders[4].Lines[1].UnitPrice = numberPointer("8"), numberPointer("0")
	orders[4].Lines[0].Discount = numberPointer("50")
	ids := b.placeAll(t, orders)
	for i, want := range []struct{ first, second, reference, note string }{
		{"12.5", "99.99", orders[0].Reference, ""},
		{"3", "4", orders[1].Reference, ""},
		{"12.5", "99.99", orders[2].Reference, "ring twice"},
		{"12.5", "99.99", "", ""},
		{"8", "0", orders[4].Reference, ""},
	} {
		s := b.order(t, ids[i])
		requireNumber(t, want.first, s.Lines[0].UnitPrice, "first price")
		requireNumber(t, want.second, s.Lines[1].UnitPrice, "second price")
		require.Equal(t, want.reference, s.Reference)
		require.Equal(t, want.note, s.Note)
	}
}

// testPlaceOrdersConcurrently places the same orders from several callers at once, in different batches.
func (b *bundle) testPlaceOrdersConcurrently(t *testing.T) {
	const callers = 3
	orders := b.newOrders("lanes", 6)
	results := make([][]odoo.Loaded, callers)
	var callersDone sync.WaitGroup
	for i := range callers {
		callersDone.Go(func() { results[i] = b.client.PlaceOrders(t.Context(), orders[:4+i]) })
	}
	callersDone.Wait()
	for i := range callers {
		for n, r := range results[i] {
			require.Nil(t, r.Err)
			require.Equal(t, results[callers-1][n].ID, r.ID)
		}
	}
	for _, o := range orders {
		require.EqualValues(t, 1, b.admin.count(t, "sale.order", "client_order_ref", o.Reference))
	}
}

// testLoadBlamesTheFirst holds on to what makes a message about the first record doubtful: from 17 on, load blames it for
// what another record did. Older versions do not see this fault at all, and answer with the id of the partner.
func (b *bundle) testLoadBlamesTheFirst(t *testing.T) {
	if b.server.Major < 17 {
		return
	}
	partner := b.newPartner("blame")
	_, err := ensureOne(t.Context(), b.client, partner)
	require.NoError(t, err)
	orders := b.newOrders("blame", 3)
	orders[1].ExternalID = partner.ExternalID

	var rows []any
	for _, o := range orders {
		rows = append(rows, []any{"ordergate." + o.ExternalID, fmt.Sprint(o.PartnerID)})
	}
	answer := b.admin.call(t, "sale.order", "load", []any{[]any{"id", "partner_id/.id"}, rows},
		map[string]any{"context": map[string]any{"mode": "update", "noupdate": true}}).(map[string]any)
	require.Equal(t, false, answer["ids"])
	var blamed []any
	for _, m := range answer["messages"].([]any) {
		blamed = append(blamed, m.(map[string]any)["record"])
	}
	require.Equal(t, []any{int64(0), int64(1)}, blamed)

	results := b.client.PlaceOrders(t.Context(), orders)
	require.Nil(t, results[0].Err, "nothing speaks against the first")
	requireError(t, results[1].Err, odoo.Rejected, odoo.BusinessRule)
	require.Nil(t, results[2].Err)
}
