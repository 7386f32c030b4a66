package odoo_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

// An administrator may take a right away, or give one, while the gateway runs.
func TestRightsToDocumentsComeAndGo(t *testing.T) {
	t.Parallel()
	var granted atomic.Bool
	granted.Store(true)
	f := newFakeOdoo(t, nil)
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		switch asked := func(text string) bool { return strings.Contains(body, "<string>"+text+"</string>") }; {
		case asked("fields_get"):
			value(map[string]any{"picking_ids": map[string]any{}})(w, r)
		case !asked("search_read"):
			value(granted.Load())(w, r)
		case granted.Load():
			value([]any{map[string]any{"id": int64(5), "sale_id": []any{int64(3), "S3"}, "write_date": "2026-03-01 10:00:00"}})(w, r)
		default:
			faulty(4, "You are not allowed to access 'Transfer' (stock.picking) records.")(w, r)
		}
	}
	var ahead atomic.Int64
	cfg := f.config()
	cfg.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c := newClient(t, cfg)
	heads := func() []odoo.DocumentHead {
		heads, err := c.DeliveryHeads(t.Context(), odoo.Page{Limit: 10})
		require.NoError(t, err)
		return heads
	}
	require.Len(t, heads(), 1)
	granted.Store(false)
	require.Empty(t, heads(), "what may not be read is not there")
	granted.Store(true)
	require.Empty(t, heads(), "it is not asked for every time")
	ahead.Store(int64(10 * time.Minute))
	require.Len(t, heads(), 1)
}
