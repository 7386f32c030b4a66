package ordersync_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// A credit note that people post before it is cut to what was wished is not what was wished.
func TestARefundThatPeoplePostUncut(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	erp.first = func() { erp.uncut = true }
	_, err := b.Act(t.Context(), portal, "n1", erp.refund(pieces(erp.moves[0].LineID, "1")))
	requireKind(t, err, order.Conflict, "refunded_otherwise")
}

func TestRefundThatCannotBe(t *testing.T) {
	t.Parallel()
	b, erp := setupDocuments(t)
	line := erp.moves[0].LineID
	_, err := b.Act(t.Context(), portal, "n0", erp.refund(pieces(line, "1")))
	requireKind(t, err, order.Conflict, "nothing_to_refund")
	_, err = b.Act(t.Context(), portal, "i1", order.Action{Kind: order.Bill, OrderID: erp.of})
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "n1", erp.refund())
	e := requireKind(t, err, order.Conflict, "nothing_to_refund")
	require.Contains(t, e.Message, "Name the lines")
	for key, test := range map[string]struct {
		lines       []order.ActionLine
		code, field string
	}{
		"unknown": {[]order.ActionLine{pieces(line, "1"), pieces(1, "1")}, "unknown_line", "lines[1].erp_line_id"},
		"more":    {[]order.ActionLine{pieces(line, "99")}, "more_than_invoiced", "lines[0].quantity"},
		"finer":   {[]order.ActionLine{pieces(line, "0.001")}, "invalid_request", "lines[0].quantity"},
	} {
		_, err := b.Act(t.Context(), portal, key, erp.refund(test.lines...))
		e := requireKind(t, err, order.Unprocessable, test.code)
		require.Equal(t, test.field, e.Violations[0].Field)
	}
	require.Empty(t, erp.notes)

	// What stands on credit notes is not credited again: also on drafts, and on those that do not name the invoice.
	all := erp.moves[0].Quantity
	erp.notes = []creditNote{
		{600, "", order.PlannedCredit{InvoiceID: 80, Lines: []order.PlannedCreditLine{{LineID: line, Quantity: decimal.RequireFromString("0.5")}}}, order.Open},
		{601, "", order.PlannedCredit{Lines: []order.PlannedCreditLine{{LineID: line, Quantity: all.Sub(decimal.NewFromInt(1))}}}, order.Posted},
	}
	_, err = b.Act(t.Context(), portal, "n2", erp.refund(pieces(line, "0.6")))
	requireKind(t, err, order.Unprocessable, "more_than_invoiced")
	_, err = b.Act(t.Context(), portal, "n3", erp.refund(pieces(line, "0.5")))
	require.NoError(t, err)
	erp.moves[0].UnitID, erp.notes = 999, nil
	_, err = b.Act(t.Context(), portal, "n4", erp.refund(pieces(line, "0.5")))
	requireKind(t, err, order.Unprocessable, "unit_differs")
}

// Without lines what came back is credited, once.
func TestRefundOfWhatCameBack(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	line := erp.moves[0].LineID
	_, err := b.Act(t.Context(), portal, "r1", erp.giveBack(pieces(line, "1")))
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "n1", erp.refund())
	requireKind(t, err, order.Conflict, "nothing_to_refund")
	_, err = b.Act(t.Context(), portal, "v1", erp.receive(90))
	require.NoError(t, err)
	_, err = b.Act(t.Context(), portal, "n2", erp.refund())
	require.NoError(t, err)
	require.Len(t, erp.notes, 1)
	require.Equal(t, int64(80), erp.notes[0].of.InvoiceID)
	require.Len(t, erp.notes[0].of.Lines, 1)
	require.Equal(t, line, erp.notes[0].of.Lines[0].LineID)
	require.Equal(t, "1", erp.notes[0].of.Lines[0].Quantity.String())
	require.Regexp(t, `^does not fit \(og-[0-9a-f]{16}\)$`, erp.notes[0].memo)
	_, err = b.Act(t.Context(), portal, "n3", erp.refund())
	requireKind(t, err, order.Conflict, "nothing_to_refund")
}

// A credit note whose answer was lost is looked for, and not made again while the first call may still run.
func TestARefundIsMadeOnce(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	line := erp.moves[0].LineID
	erp.lose = errLost
	done, err := b.Act(t.Context(), portal, "n1", erp.refund(pieces(line, "0.1")))
	require.NoError(t, err)
	require.NotNil(t, done.Order, "it was found")
	require.Len(t, erp.notes, 1)

	erp.never = errLost
	done, err = b.Act(t.Context(), portal, "n2", erp.refund(pieces(line, "0.1")))
	require.NoError(t, err)
	require.Nil(t, done.Order)
	for range 3 {
		b.later(time.Minute)
		_, err = b.ResolveDue(t.Context())
		require.NoError(t, err)
		require.Len(t, erp.notes, 1, "the first call may still run")
	}
	b.later(5 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Len(t, erp.notes, 2)
	require.NotEqual(t, erp.notes[0].memo, erp.notes[1].memo)
	require.Equal(t, order.Performed, b.intent(t, "n2").State)

	erp.never = errLost // and people cancel what the first call made after all
	_, err = b.Act(t.Context(), portal, "n3", erp.refund(pieces(line, "0.1")))
	require.NoError(t, err)
	erp.notes = append(erp.notes, creditNote{700, b.intent(t, "n3").Plan.Action.Refund.Memo, order.PlannedCredit{InvoiceID: 80}, order.DocumentCancelled})
	b.later(6 * time.Minute)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.Rejected, b.intent(t, "n3").State)
	require.Len(t, erp.notes, 3)
}

// What the ERP says against a credit note, of a period that is closed for example, is what the caller reads.
func TestARefundThatTheERPRefuses(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	erp.never = &odoo.Error{Outcome: odoo.Rejected, Reason: odoo.BusinessRule, Row: -1, Message: "The period is locked."}
	action := erp.refund(pieces(erp.moves[0].LineID, "1"))
	action.Date = "2019-06-01"
	_, err := b.Act(t.Context(), portal, "n1", action)
	e := requireKind(t, err, order.Conflict, "action_refused")
	require.Contains(t, e.Message, "The period is locked.")
	require.Empty(t, erp.notes)
}

// Of two invoices the older one is credited first.
func TestRefundOverTwoInvoices(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	all, line := erp.moves[0].Quantity, erp.moves[0].LineID
	erp.invoices = append(erp.invoices, erp.invoices[0])
	erp.invoices[1].ID = 81
	_, err := b.Act(t.Context(), portal, "n1", erp.refund(pieces(line, all.Add(decimal.NewFromInt(1)).String())))
	require.NoError(t, err)
	require.Len(t, erp.notes, 2)
	require.Equal(t, int64(80), erp.notes[0].of.InvoiceID)
	require.True(t, all.Equal(erp.notes[0].of.Lines[0].Quantity))
	require.Equal(t, int64(81), erp.notes[1].of.InvoiceID)
	require.Equal(t, "1", erp.notes[1].of.Lines[0].Quantity.String())

	erp.notes = erp.notes[1:] // one that names the younger invoice takes nothing from the older
	_, err = b.Act(t.Context(), portal, "n2", erp.refund(pieces(line, all.String())))
	require.NoError(t, err)
	require.Len(t, erp.notes, 2)
	require.Equal(t, int64(80), erp.notes[1].of.InvoiceID)
}

// A credit note is paid out like an invoice is paid.
func TestACreditNoteIsPaidOut(t *testing.T) {
	t.Parallel()
	b, erp := setupSent(t)
	erp.invoices[0].CreditNote = true
	_, err := b.Act(t.Context(), portal, "p1", erp.pay(30))
	require.NoError(t, err)
	require.Len(t, erp.memos, 1)
	_, err = b.Act(t.Context(), portal, "p2", erp.pay(71))
	requireKind(t, err, order.Unprocessable, "more_than_due")
}
