package odoo_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
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

// fakeCredit is an Odoo with a draft credit note 9 of invoice 8, once that was made. answer may answer for it.
func fakeCredit(t *testing.T, answer func(method func(name string) bool) http.HandlerFunc) *fakeOdoo {
	f := newFakeOdoo(t, nil)
	made := false
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		method := func(name string) bool { return strings.Contains(bodyOf(r), "<string>"+name+"</string>") }
		if special := answer(method); special != nil {
			special(w, r)
			return
		}
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
			value([]any{map[string]any{"id": int64(90), "sale_line_ids": []any{int64(7)}, "quantity": 2.0, "display_type": "product"}})(w, r)
		case method("journal_id"):
			value([]any{map[string]any{"id": int64(8), "journal_id": int64(1)}})(w, r)
		default:
			value(int64(1))(w, r)
		}
	}
	return f
}

var creditOfOne = order.PlannedCredit{InvoiceID: 8, Lines: []order.PlannedCreditLine{{LineID: 7, Quantity: decimal.NewFromInt(1)}}}

// A credit note that Odoo refuses to post is deleted: as a draft it would count as credited.
func TestCreditThatIsNotPosted(t *testing.T) {
	t.Parallel()
	deleted := 0
	f := fakeCredit(t, func(method func(string) bool) http.HandlerFunc {
		switch {
		case method("action_post"):
			return faulty(2, "The period is locked.")
		case method("unlink"):
			deleted++
		}
		return nil
	})
	require.ErrorContains(t, newClient(t, f.config()).Credit(t.Context(), creditOfOne, "", "m"), "The period is locked.")
	require.Equal(t, 1, deleted)
}

// Odoo 14 refuses to cut a draft when that met another transaction. It is asked once more, and no more than that.
func TestCreditThatIsNotCutAtOnce(t *testing.T) {
	t.Parallel()
	for refusals, want := range []string{"", "", "out of balance"} {
		cut, deleted := 0, 0
		f := fakeCredit(t, func(method func(string) bool) http.HandlerFunc {
			switch {
			case method("write"):
				if cut++; cut <= refusals {
					return faulty(2, "out of balance")
				}
			case method("unlink"):
				deleted++
			}
			return nil
		})
		err := newClient(t, f.config()).Credit(t.Context(), creditOfOne, "", "m")
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, refusals+1, cut)
			require.Zero(t, deleted)
			continue
		}
		require.ErrorContains(t, err, want)
		require.Equal(t, []int{2, 1}, []int{cut, deleted})
	}
}

// A lot that is not there any more is not sent out in part: nothing is written.
func TestDeliverALotThatIsGone(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, nil)
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		switch body := bodyOf(r); {
		case strings.Contains(body, "<string>stock.move.line</string>"), strings.Contains(body, "<string>stock.quant</string>"):
			value([]any{})(w, r)
		case strings.Contains(body, "<string>write</string>"), strings.Contains(body, "<string>button_validate</string>"):
			t.Error("something was written")
			value(true)(w, r)
		default:
			value([]any{map[string]any{"id": int64(5), "picking_id": int64(3), "product_id": int64(4), "product_uom": int64(1),
				"location_id": int64(8), "location_dest_id": int64(9)}})(w, r)
		}
	}
	err := newClient(t, f.config()).Deliver(t.Context(), order.PlannedDelivery{DeliveryID: 3, Moves: []order.PlannedMove{
		{MoveID: 5, Quantity: decimal.NewFromInt(1), Lots: []order.MovedLot{{LotID: 6, Quantity: decimal.NewFromInt(1)}}}}})
	requireError(t, err, odoo.Rejected, odoo.BusinessRule)
}

// What Odoo took off an invoice, because it had come back, is credited by that.
func TestWhatWasTakenOffAnInvoiceIsCredited(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, nil)
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		model := func(name string) bool { return strings.Contains(body, "<string>"+name+"</string>") }
		switch {
		case model("fields_get"):
			value(map[string]any{"picking_ids": map[string]any{}, "invoice_ids": map[string]any{}})(w, r)
		case model("has_access"):
			value(true)(w, r)
		case model("account.move.line"):
			line := func(id, invoice int64, quantity float64) any {
				return map[string]any{"id": id, "move_id": []any{invoice, "INV"}, "sale_line_ids": []any{int64(7)}, "quantity": quantity,
					"product_uom_id": []any{int64(1), "Units"}, "display_type": "product"}
			}
			value([]any{line(90, 8, 3), line(91, 9, -1)})(w, r)
		case model("account.move") && model("read"):
			invoice := func(id int64) any {
				return map[string]any{"id": id, "state": "posted", "move_type": "out_invoice", "reversed_entry_id": false}
			}
			value([]any{invoice(8), invoice(9)})(w, r)
		case model("sale.order.line"):
			value([]any{map[string]any{"id": int64(7), "product_uom_id": []any{int64(1), "Units"}}})(w, r)
		default:
			value(true)(w, r)
		}
	}
	invoiced, credited, err := newClient(t, f.config()).InvoicedLines(t.Context(), 5)
	require.NoError(t, err)
	require.Len(t, invoiced, 1)
	require.Equal(t, "3", invoiced[0].Quantity.String())
	require.Len(t, credited, 1)
	require.Equal(t, "1", credited[0].Quantity.String())
	require.Zero(t, credited[0].InvoiceID)
}
