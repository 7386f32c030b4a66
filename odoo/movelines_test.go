package odoo_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// Of goods that are reserved in two places, each line is told its part; in another unit than the move counts in, what that part is
// cannot be said, and Odoo says why the move's own quantity will not do.
func TestDeliverFromTwoPlacesInAnotherUnit(t *testing.T) {
	t.Parallel()
	for unit, want := range map[int64]string{1: "qty_done", 2: "quantity_done"} {
		written := ""
		f := newFakeOdoo(t, nil)
		f.major = 14
		f.onObject = func(w http.ResponseWriter, r *http.Request) {
			switch body := bodyOf(r); {
			case strings.Contains(body, "<string>stock.move.line</string>"):
				line := func(id int64) any {
					return map[string]any{"id": id, "move_id": []any{int64(5), "m"}, "lot_id": false, "product_uom_id": []any{unit, "u"}, "product_uom_qty": 1.0, "qty_done": 0.0}
				}
				value([]any{line(8), line(9)})(w, r)
			case strings.Contains(body, "<string>stock.move</string>"):
				value([]any{map[string]any{"id": int64(5), "product_uom": int64(1)}})(w, r)
			case strings.Contains(body, "<string>write</string>"):
				written = body
				value(true)(w, r)
			default:
				value(true)(w, r)
			}
		}
		require.NoError(t, newClient(t, f.config()).Deliver(t.Context(), order.PlannedDelivery{DeliveryID: 3,
			Moves: []order.PlannedMove{{MoveID: 5, Quantity: decimal.NewFromInt(2)}}}))
		require.Contains(t, written, "<name>"+want+"</name>")
	}
}

// A credit note that Odoo refuses to post is deleted: as a draft it would count as credited.
func TestCreditThatIsNotPosted(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, nil)
	made, deleted := false, 0
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		method := func(name string) bool { return strings.Contains(bodyOf(r), "<string>"+name+"</string>") }
		switch {
		case method("search_read") && !made:
			value([]any{})(w, r)
		case method("search_read"):
			value([]any{map[string]any{"id": int64(9), "ref": "Reversal of: INV/1, m", "state": "draft", "reversed_entry_id": []any{int64(8), "INV/1"}}})(w, r)
		case method("reverse_moves"):
			made = true
			value(true)(w, r)
		case method("invoice_line_ids"):
			value([]any{map[string]any{"id": int64(9), "invoice_line_ids": []any{int64(90)}}})(w, r)
		case method("account.move.line"):
			value([]any{map[string]any{"id": int64(90), "sale_line_ids": []any{int64(7)}, "quantity": 1.0, "display_type": "product"}})(w, r)
		case method("action_post"):
			faulty(2, "The period is locked.")(w, r)
		case method("unlink"):
			deleted++
			value(true)(w, r)
		case method("journal_id"):
			value([]any{map[string]any{"id": int64(8), "journal_id": int64(1)}})(w, r)
		default:
			value(int64(1))(w, r)
		}
	}
	err := newClient(t, f.config()).Credit(t.Context(), order.PlannedCredit{InvoiceID: 8, Lines: []order.PlannedCreditLine{{LineID: 7, Quantity: decimal.NewFromInt(1)}}}, "", "m")
	require.ErrorContains(t, err, "The period is locked.")
	require.Equal(t, 1, deleted)
}
