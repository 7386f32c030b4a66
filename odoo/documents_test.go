package odoo_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// An administrator may take a right away, or give one, while the gateway runs.
func TestRightsToDocumentsComeAndGo(t *testing.T) {
	t.Parallel()
	for name, count := range map[string]func(*testing.T, *odoo.Client) int{
		"heads": func(t *testing.T, c *odoo.Client) int {
			t.Helper()
			heads, err := c.DeliveryHeads(t.Context(), odoo.Page{Limit: 10})
			require.NoError(t, err)
			return len(heads)
		},
		"documents": func(t *testing.T, c *odoo.Client) int {
			t.Helper()
			documents, err := c.Documents(t.Context(), order.DocumentSlice{Kind: order.Deliveries})
			require.NoError(t, err)
			return len(documents)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var granted atomic.Bool
			granted.Store(true)
			f := newFakeOdoo(t, nil)
			f.onObject = deliveriesWhere(&granted)
			var ahead atomic.Int64
			cfg := f.config()
			cfg.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			c := newClient(t, cfg)
			require.Equal(t, 1, count(t, c))
			granted.Store(false)
			require.Zero(t, count(t, c), "what may not be read is not there")
			granted.Store(true)
			require.Zero(t, count(t, c), "it is not asked for every time")
			ahead.Store(int64(10 * time.Minute))
			require.Equal(t, 1, count(t, c))
		})
	}
}

// deliveriesWhere answers like an Odoo with one delivery, which may be read while granted is true.
func deliveriesWhere(granted *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		switch asked := func(text string) bool { return strings.Contains(body, "<string>"+text+"</string>") }; {
		case asked("fields_get"):
			value(map[string]any{"picking_ids": map[string]any{}})(w, r)
		case !asked("search_read"):
			value(granted.Load())(w, r)
		case granted.Load():
			value([]any{map[string]any{"id": int64(5), "sale_id": []any{int64(3), "S3"}, "state": "done", "write_date": "2026-03-01 10:00:00"}})(w, r)
		default:
			faulty(4, "You are not allowed to access 'Transfer' (stock.picking) records.")(w, r)
		}
	}
}

// Odoo tells no invoices of any order that is read beside one with a hidden invoice: that one is found, and costs the others nothing.
func TestInvoicesBesideAHiddenOne(t *testing.T) {
	t.Parallel()
	var granted atomic.Bool
	granted.Store(true)
	f := newFakeOdoo(t, nil)
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		each := func(of func(id int64) map[string]any, but int64) {
			var list []any
			for id := int64(1); id <= 8; id++ {
				if id != but {
					list = append(list, of(id))
				}
			}
			value(list)(w, r)
		}
		switch asked := func(text string) bool { return strings.Contains(body, "<string>"+text+"</string>") }; {
		case asked("fields_get"):
			value(map[string]any{"invoice_ids": map[string]any{}})(w, r)
		case asked("search"):
			value([]any{int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), int64(8)})(w, r)
		case !asked("search_read"):
			value(granted.Load())(w, r)
		case asked("sale.order.line"):
			each(func(id int64) map[string]any { return map[string]any{"id": 10 + id, "order_id": []any{id, "S"}} }, 0)
		case asked("account.move.line") && granted.Load():
			each(func(id int64) map[string]any {
				return map[string]any{"id": 50 + id, "move_id": []any{100 + id, "INV"}, "sale_line_ids": []any{10 + id}}
			}, 0)
		case asked("move_type") && asked("write_date"):
			each(func(id int64) map[string]any {
				return map[string]any{"id": 100 + id, "write_date": "2026-03-01 10:00:00"}
			}, 0)
		case asked("move_type") && granted.Load():
			each(func(id int64) map[string]any {
				return map[string]any{"id": 100 + id, "move_type": map[bool]string{true: "entry", false: "out_invoice"}[id == 7]}
			}, 5)
		default: // the orders with their invoices; all of them, if there are no rights
			faulty(4, "Due to security restrictions, you are not allowed to access 'Journal Entry' (account.move) records.")(w, r)
		}
	}
	c := newClient(t, f.config())
	heads, err := c.InvoiceHeads(t.Context(), odoo.Page{Limit: 20})
	require.NoError(t, err)
	require.Len(t, heads, 8)
	for _, h := range heads {
		told := h.ID != 105 && h.ID != 107 // the hidden one, and what is no invoice
		require.Equal(t, told, slices.Equal([]int64{h.ID - 100}, h.OrderIDs), "invoice %d is of %v", h.ID, h.OrderIDs)
	}
	granted.Store(false)
	heads, err = c.InvoiceHeads(t.Context(), odoo.Page{Limit: 20})
	require.NoError(t, err)
	require.Empty(t, heads, "who may read no invoice is told none")
}

// A warehouse may have very many places: each is asked for once, for a while, and together with the others that are new.
func TestPlacesOfDeliveriesAreRemembered(t *testing.T) {
	t.Parallel()
	s := newShop(t, 18) // newer ones nest the deliveries in their orders
	shelf, ahead := atomic.Int64{}, atomic.Int64{}
	shelf.Store(11)
	s.fake.handle(func(f *fakeOdoo) {
		f.onObject = func(w http.ResponseWriter, r *http.Request) {
			switch asked := func(text string) bool { return strings.Contains(bodyOf(r), "<string>"+text+"</string>") }; {
			case asked("fields_get"):
				value(map[string]any{"picking_ids": map[string]any{}})(w, r)
			case asked("has_access"):
				value(true)(w, r)
			case asked("stock.picking"):
				value([]any{map[string]any{"id": int64(5), "name": "OUT", "sale_id": []any{int64(5), "S5"}, "state": "assigned",
					"picking_type_code": "incoming", "location_id": []any{shelf.Load(), "Shelf"}, "location_dest_id": []any{int64(12), "Customers"},
					"scheduled_date": false, "date_done": false, "backorder_id": false, "write_date": "2026-03-01 10:00:00"}})(w, r)
			case asked("stock.location"):
				value([]any{map[string]any{"id": int64(12), "usage": "customer"}})(w, r) // the shelf is not for the user to see
			default:
				s.serve(w, r)
			}
		}
	})
	cfg := s.fake.config()
	cfg.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c := newClient(t, cfg)
	read := func(times int) {
		t.Helper()
		found, err := c.Orders(t.Context(), []int64{5})
		require.NoError(t, err)
		require.Equal(t, order.DeliveryOutgoing, found[0].Deliveries[0].Kind)
		require.Equal(t, order.Picking, found[0].Status)
		require.Equal(t, times, s.fake.count("stock.location.search_read"))
	}
	read(1)
	read(1)
	shelf.Store(13)
	read(2)
	shelf.Store(11)
	read(2)
	ahead.Store(int64(5 * time.Minute))
	read(3)
}
