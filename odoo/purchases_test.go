package odoo_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// asked tells whether a call's arguments hold a text.
func asked(r *http.Request, text string) bool {
	return strings.Contains(bodyOf(r), "<string>"+text+"</string>")
}

// Where there are no purchases nothing is asked about them but now and then whether there are; a right that is taken away is no failure.
func TestPurchasesComeAndGo(t *testing.T) {
	t.Parallel()
	var installed, granted atomic.Bool
	f := newFakeOdoo(t, nil)
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case asked(r, "fields_get") && asked(r, "purchase_line_ids") && installed.Load():
			value(map[string]any{"purchase_line_ids": map[string]any{}})(w, r)
		case asked(r, "fields_get"):
			value(map[string]any{})(w, r)
		case asked(r, "has_access"):
			value(granted.Load())(w, r)
		case !granted.Load():
			faulty(4, "You are not allowed to access 'Purchase Order Line' (purchase.order.line) records.")(w, r)
		case asked(r, "purchase.order.line"):
			value([]any{map[string]any{"id": int64(50), "order_id": []any{int64(5), "P5"}, "write_date": "2026-03-01 10:00:00"}})(w, r)
		default:
			value([]any{map[string]any{"id": int64(5), "write_date": "2026-03-01 10:00:07"}})(w, r)
		}
	}
	var ahead atomic.Int64
	cfg := f.config()
	cfg.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c := newClient(t, cfg)
	heads := func() []odoo.LineHead {
		t.Helper()
		heads, err := c.PurchaseLineHeads(t.Context(), odoo.Page{Limit: 10})
		require.NoError(t, err)
		return heads
	}
	require.Empty(t, heads())
	calls := f.all()
	for range 3 {
		require.Empty(t, heads())
	}
	require.Equal(t, calls, f.all())

	installed.Store(true)
	granted.Store(true)
	ahead.Add(int64(10 * time.Minute))
	require.Equal(t, []odoo.LineHead{{ID: 50, OrderID: 5, WriteDate: time.Date(2026, 3, 1, 10, 0, 7, 0, time.UTC)}}, heads())
	granted.Store(false)
	require.Empty(t, heads())
	of, err := c.PurchasesByOrder(t.Context(), []int64{5})
	require.NoError(t, err)
	require.Empty(t, of)
}

// The delivery methods of other companies are not for an order.
func TestCarriersAreThoseOfTheCompany(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, nil)
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		if asked(r, "sale.order") {
			value([]any{map[string]any{"id": int64(5), "company_id": int64(33)}})(w, r)
			return
		}
		require.Regexp(t, `company_id</string>.*=</string>.*<boolean>0</boolean>.*company_id</string>.*=</string>.*<int>33</int>`, bodyOf(r))
		value([]any{map[string]any{"id": int64(2), "name": "Express"}})(w, r)
	}
	carriers, err := newClient(t, f.config()).Carriers(t.Context(), 5)
	require.NoError(t, err)
	require.Equal(t, []order.Carrier{{ID: 2, Name: "Express"}}, carriers)
}
