package conformance

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// testReturn takes goods of two deliveries back and credits them, one invoiced when it is ordered and one when it is delivered, and pays
// the credit note out: all as the gateway's user.
func (b *bundle) testReturn(t *testing.T) {
	b.admin.write(t, "product.product", b.chair, map[string]any{"invoice_policy": "order"})
	b.admin.write(t, "product.product", b.table, map[string]any{"invoice_policy": "delivery"})
	id := b.place(t, b.newOrder("return"))
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	sent, known, err := b.client.SentMoves(t.Context(), id)
	require.NoError(t, err)
	require.True(t, known)
	require.Empty(t, sent)
	moves, _, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	first := order.PlannedDelivery{DeliveryID: moves[0].DeliveryID, Moves: []order.PlannedMove{
		{MoveID: moves[0].ID, Quantity: number("1")}, {MoveID: moves[1].ID, Quantity: number("0")}}}
	require.NoError(t, b.client.Deliver(t.Context(), first))
	rest, _, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	b.sendAll(t, rest)
	_ = b.client.Invoice(t.Context(), id, nil, nil) // Odoo 14 posts, and then answers with a fault

	sent, _, err = b.client.SentMoves(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, sent, 3)
	lines := b.order(t, id).Lines
	for _, m := range sent {
		require.Equal(t, "1", m.Done.String())
		require.True(t, m.Returned.IsZero() && m.Asked.IsZero() && m.Refunded.IsZero())
	}
	require.Equal(t, lines[0].ERPLineID, sent[0].LineID)
	require.Equal(t, first.DeliveryID, sent[0].DeliveryID)

	for _, m := range sent[1:] { // one return of each delivery
		require.NotEqual(t, first.DeliveryID, m.DeliveryID)
	}
	require.NoError(t, b.client.Return(t.Context(), order.PlannedReturn{DeliveryID: first.DeliveryID,
		Moves: []order.PlannedReturnMove{onePiece(sent[0])}}))
	require.NoError(t, b.client.Return(t.Context(), order.PlannedReturn{DeliveryID: sent[2].DeliveryID, Moves: []order.PlannedReturnMove{onePiece(sent[1]), onePiece(sent[2])}}))
	require.Equal(t, [][3]string{{"1", "1", "0"}, {"1", "1", "0"}, {"1", "1", "0"}}, b.returned(t, id))
	returns := slices.DeleteFunc(b.order(t, id).Deliveries, func(d order.Delivery) bool { return d.Kind != order.DeliveryReturn })
	require.Len(t, returns, 2)
	require.Equal(t, order.Ready, returns[0].State)
	coming, err := b.client.DeliveryMoves(t.Context(), returns[0].ID)
	require.NoError(t, err)
	require.Len(t, coming, 1)
	require.Equal(t, "1", coming[0].Quantity.String())
	b.sendAll(t, coming)
	b.act(t, "stock.picking", "action_cancel", returns[1].ID, nil)
	require.Equal(t, [][3]string{{"1", "1", "1"}, {"0", "1", "0"}, {"0", "1", "0"}}, b.returned(t, id), "a return that was cancelled was asked for")
	s := b.order(t, id)
	require.Equal(t, []string{"1", "1"}, []string{s.Lines[0].Delivered.String(), s.Lines[1].Delivered.String()})
	require.Equal(t, order.FulfilmentPartiallyReturned, s.Fulfilment)

	b.refund(t, s)
}

// refund credits a piece of each line, in the credit notes of two plans.
func (b *bundle) refund(t *testing.T, s order.Snapshot) {
	t.Helper()
	invoice, chair, table := s.Invoices[0].ID, s.Lines[0].ERPLineID, s.Lines[1].ERPLineID
	require.NoError(t, b.client.Pay(t.Context(), order.PlannedPayment{InvoiceID: invoice, Amount: s.Invoices[0].AmountDue, Memo: b.tag + " all"}, s.Currency))
	invoiced, credited, err := b.client.InvoicedLines(t.Context(), s.ID)
	require.NoError(t, err)
	require.Empty(t, credited)
	require.Len(t, invoiced, 2)
	for i, line := range []int64{chair, table} {
		require.Equal(t, order.InvoicedLine{InvoiceID: invoice, LineID: line, Quantity: invoiced[i].Quantity, Alike: true}, invoiced[i])
	}
	require.Equal(t, "2", invoiced[0].Quantity.String())

	one := order.PlannedCredit{InvoiceID: invoice, Lines: []order.PlannedCreditLine{{LineID: chair, Quantity: number("1")}}}
	plan := order.PlannedRefund{Credits: []order.PlannedCredit{one}, Memo: b.tag + " <broken> 100% (og-1)"}
	state := func() order.RefundState {
		found, err := b.client.Refunded(t.Context(), plan)
		require.NoError(t, err)
		return found
	}
	require.Empty(t, state())
	for range 2 {
		_ = b.client.Credit(t.Context(), one, "", plan.Memo) // Odoo 14 posts, and then answers with a fault
		note := state()[invoice]
		require.Equal(t, order.Posted, note.State)
		require.True(t, note.Has(one.Lines), "%+v", note)
	}
	s = b.order(t, s.ID)
	require.Len(t, s.Invoices, 2, "the same again makes no other")
	note := s.Invoices[1]
	require.True(t, note.CreditNote)
	require.Equal(t, "12.5", note.AmountTotal.String())
	require.Equal(t, "1", s.Lines[0].Invoiced.String())
	_, credited, err = b.client.InvoicedLines(t.Context(), s.ID)
	require.NoError(t, err)
	require.Len(t, credited, 1)
	require.Equal(t, order.CreditedLine{InvoiceID: invoice, LineID: chair, Quantity: credited[0].Quantity, Alike: true}, credited[0])
	require.Equal(t, "1", credited[0].Quantity.String())

	b.payOut(t, s.ID, note)
	b.standing(t, s.ID, order.Completed, order.FulfilmentPartiallyReturned, order.PaymentPartiallyRefunded)
	b.creditWhileLocked(t, s.ID, order.PlannedCredit{InvoiceID: invoice, Lines: []order.PlannedCreditLine{{LineID: table, Quantity: number("1")}}})
}

// payOut pays a credit note while the bank account that Odoo would choose counts in another currency.
func (b *bundle) payOut(t *testing.T, id int64, note order.Invoice) {
	t.Helper()
	company := b.admin.read(t, "account.move", note.ID, "company_id")["company_id"].([]any)[0]
	other := b.admin.call(t, "res.currency", "search", []any{[]any{[]any{"name", "not in", []any{note.Currency}}, []any{"active", "in", []any{true, false}}}},
		map[string]any{"limit": 1}).([]any)[0].(int64)
	journal := b.admin.create(t, "account.journal", map[string]any{"name": "Foreign " + b.tag, "code": b.tag[:5], "type": "bank",
		"currency_id": other, "company_id": company, "sequence": 0})
	defer b.admin.write(t, "account.journal", journal, map[string]any{"active": false})
	memo := b.tag + " back"
	require.NoError(t, b.client.Pay(t.Context(), order.PlannedPayment{InvoiceID: note.ID, Amount: note.AmountDue, Memo: memo}, note.Currency))
	paid, err := b.client.Paid(t.Context(), memo)
	require.NoError(t, err)
	require.True(t, paid)
	field := "ref"
	if b.server.Major >= 18 {
		field = "memo"
	}
	payments := b.admin.call(t, "account.payment", "search_read", []any{[]any{[]any{field, "=", memo}}}, map[string]any{"fields": []any{"currency_id", "journal_id"}}).([]any)
	require.Len(t, payments, 1)
	require.Equal(t, note.Currency, payments[0].(map[string]any)["currency_id"].([]any)[1], "the credit note's, and not the bank account's")
	chosen := payments[0].(map[string]any)["journal_id"].([]any)[0].(int64) // of two runs beside each other it may be the other's
	require.Equal(t, other, b.admin.read(t, "account.journal", chosen, "currency_id")["currency_id"].([]any)[0])
	i := slices.IndexFunc(b.order(t, id).Invoices, func(in order.Invoice) bool { return in.ID == note.ID })
	require.True(t, b.order(t, id).Invoices[i].AmountDue.IsZero())
}

// creditWhileLocked credits on a day of a period that is locked. A credit note that Odoo refuses leaves nothing behind.
func (b *bundle) creditWhileLocked(t *testing.T, id int64, credit order.PlannedCredit) {
	t.Helper()
	company := b.admin.read(t, "sale.order", id, "company_id")["company_id"].([]any)[0].(int64)
	b.admin.write(t, "res.company", company, map[string]any{"fiscalyear_lock_date": "2019-12-31"})
	defer b.admin.write(t, "res.company", company, map[string]any{"fiscalyear_lock_date": false})
	before := len(b.order(t, id).Invoices)
	err := b.client.Credit(t.Context(), credit, "2019-06-01", b.tag+" (og-2)")
	documents := b.order(t, id).Invoices
	if b.server.Major < 15 {
		requireError(t, err, odoo.Rejected, odoo.BusinessRule)
		require.Len(t, documents, before)
		return
	}
	require.Len(t, documents, before+1)
	require.Equal(t, "2019-06-01", documents[before].IssuedOn)
	require.Equal(t, "2020", b.admin.read(t, "account.move", documents[before].ID, "date")["date"].(string)[:4], "newer versions book it in the first open period")
}

// onePiece plans that one of a move's goods comes back.
func onePiece(m order.SentMove) order.PlannedReturnMove {
	one := number("1")
	return order.PlannedReturnMove{MoveID: m.ID, ProductID: m.ProductID, Quantity: one, OwnQuantity: m.InOwnUnit(one)}
}

// returned is what is to come back of an order, was asked back and is refunded, of each move that went out.
func (b *bundle) returned(t *testing.T, id int64) [][3]string {
	t.Helper()
	sent, _, err := b.client.SentMoves(t.Context(), id)
	require.NoError(t, err)
	var all [][3]string
	for _, m := range sent {
		all = append(all, [3]string{m.Returned.String(), m.Asked.String(), m.Refunded.String()})
	}
	return all
}

// sendAll sends all of the moves of one delivery.
func (b *bundle) sendAll(t *testing.T, moves []order.Move) {
	t.Helper()
	plan := order.PlannedDelivery{DeliveryID: moves[0].DeliveryID}
	for _, m := range moves {
		plan.Moves = append(plan.Moves, order.PlannedMove{MoveID: m.ID, Quantity: m.Quantity})
	}
	require.NoError(t, b.client.Deliver(t.Context(), plan))
}

// stocked makes a product that is kept in stock, and returns its order, confirmed when the goods are there.
func (b *bundle) stocked(t *testing.T, name, tracking, quantity string, stock func(product int64)) int64 {
	t.Helper()
	product := b.newProduct(t, name, name+"-"+b.tag, 30)
	storable := map[string]any{"is_storable": true, "tracking": tracking}
	if b.server.Major < 18 {
		storable = map[string]any{"type": "product", "tracking": tracking}
	}
	b.admin.write(t, "product.product", product, storable)
	o := b.newOrder(name)
	o.Lines = o.Lines[:1]
	o.Lines[0].ProductID, o.Lines[0].Quantity = product, number(quantity)
	stock(product)
	id := b.place(t, o)
	require.NoError(t, b.client.ConfirmOrders(t.Context(), id))
	return id
}

// shelf is the place that the first warehouse keeps its stock in.
func (b *bundle) shelf(t *testing.T) (place, company any) {
	t.Helper()
	warehouse := b.admin.call(t, "stock.warehouse", "search_read", []any{[]any{}},
		map[string]any{"fields": []any{"lot_stock_id", "company_id"}, "order": "id", "limit": 1}).([]any)[0].(map[string]any)
	return warehouse["lot_stock_id"].([]any)[0], warehouse["company_id"].([]any)[0]
}

// put puts goods into a place.
func (b *bundle) put(t *testing.T, values map[string]any) {
	t.Helper()
	inventory := map[string]any{"inventory_mode": true}
	quant, ok := b.admin.call(t, "stock.quant", "create", []any{values}, map[string]any{"context": inventory}).(int64)
	require.True(t, ok)
	if b.server.Major >= 15 {
		b.act(t, "stock.quant", "action_apply_inventory", quant, inventory)
	}
}

// testTwoPlaces sends goods out that are reserved in two places of the warehouse.
func (b *bundle) testTwoPlaces(t *testing.T) {
	id := b.stocked(t, "Bolt", "none", "4", func(product int64) {
		shelf, company := b.shelf(t)
		for _, quantity := range []float64{1, 3} {
			place := b.admin.create(t, "stock.location", map[string]any{"name": "Shelf " + b.tag, "usage": "internal", "location_id": shelf, "company_id": company})
			b.put(t, map[string]any{"product_id": product, "location_id": place, "inventory_quantity": quantity})
		}
	})
	moves, _, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, moves, 1)
	require.EqualValues(t, 2, b.admin.count(t, "stock.move.line", "move_id", moves[0].ID))
	require.NoError(t, b.client.Deliver(t.Context(), order.PlannedDelivery{DeliveryID: moves[0].DeliveryID,
		Moves: []order.PlannedMove{{MoveID: moves[0].ID, Quantity: number("2")}}}))
	require.Equal(t, "2", b.order(t, id).Lines[0].Delivered.String())
	moves, _, err = b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, moves, 1)
	require.Equal(t, "2", moves[0].Quantity.String())
	b.sendAll(t, moves)
	s := b.order(t, id)
	require.Equal(t, "4", s.Lines[0].Delivered.String())
	require.Equal(t, order.FulfilmentFull, s.Fulfilment)
}

// testLots sends pieces out by their serial numbers, whichever Odoo had reserved, and takes one back.
func (b *bundle) testLots(t *testing.T) {
	serials := map[string]int64{}
	id := b.stocked(t, "Drill", "serial", "2", func(product int64) {
		shelf, company := b.shelf(t)
		model := "stock.lot"
		if b.server.Major < 16 {
			model = "stock.production.lot"
		}
		for _, name := range []string{"A", "B", "C"} {
			serials[name] = b.admin.create(t, model, map[string]any{"name": name + "-" + b.tag, "product_id": product, "company_id": company})
			b.put(t, map[string]any{"product_id": product, "location_id": shelf, "lot_id": serials[name], "inventory_quantity": 1.0})
		}
	})
	free := func(moves []order.Move) map[string]string {
		found, err := b.client.Lots(t.Context(), moves, []string{"A-" + b.tag, "C-" + b.tag, "Z-" + b.tag})
		require.NoError(t, err)
		quantities := map[string]string{}
		for _, l := range found {
			require.Equal(t, serials[l.Name[:1]], l.ID)
			quantities[l.Name[:1]] = l.Free.String()
		}
		return quantities
	}
	moves, _, err := b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, moves, 1)
	require.True(t, moves[0].Tracked && moves[0].OwnUnit)
	require.Equal(t, map[string]string{"A": "1", "C": "1"}, free(moves), "A is reserved for it")
	send := func(m order.Move, lot string) {
		require.NoError(t, b.client.Deliver(t.Context(), order.PlannedDelivery{DeliveryID: m.DeliveryID, Moves: []order.PlannedMove{
			{MoveID: m.ID, Quantity: number("1"), Lots: []order.MovedLot{{LotID: serials[lot], Quantity: number("1")}}}}}))
		moved, err := b.client.MovedLots(t.Context(), []int64{m.ID})
		require.NoError(t, err)
		require.Len(t, moved[m.ID], 1)
		require.Equal(t, serials[lot], moved[m.ID][0].LotID)
		require.Equal(t, "1", moved[m.ID][0].Quantity.String())
	}
	send(moves[0], "C")
	require.Equal(t, "1", b.order(t, id).Lines[0].Delivered.String())
	moves, _, err = b.client.OpenMoves(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, moves, 1)
	require.Equal(t, map[string]string{"A": "1", "C": "0"}, free(moves))
	send(moves[0], "A")
	require.Equal(t, order.FulfilmentFull, b.order(t, id).Fulfilment)

	sent, _, err := b.client.SentMoves(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, b.client.Return(t.Context(), order.PlannedReturn{DeliveryID: sent[0].DeliveryID,
		Moves: []order.PlannedReturnMove{onePiece(sent[0])}}))
	for _, d := range b.order(t, id).Deliveries {
		if d.Kind == order.DeliveryReturn {
			coming, err := b.client.DeliveryMoves(t.Context(), d.ID)
			require.NoError(t, err)
			require.Equal(t, sent[0].ID, coming[0].ReturnOf)
			plan := order.PlannedMove{MoveID: coming[0].ID, Quantity: number("1")}
			lots, err := b.client.MovedLots(t.Context(), []int64{coming[0].ID})
			require.NoError(t, err)
			require.Len(t, lots[coming[0].ID], 1)
			if lots[coming[0].ID][0].LotID == 0 { // Odoo 14 proposes none
				plan.Lots = []order.MovedLot{{LotID: serials["C"], Quantity: number("1")}}
			}
			receipt := order.PlannedDelivery{DeliveryID: d.ID, Moves: []order.PlannedMove{plan}}
			receiver := b.client
			if b.server.Major < 15 { // Odoo 14 looks at the goods' value with the rights of whoever receives them
				var refused *odoo.Error
				require.ErrorAs(t, receiver.Deliver(t.Context(), receipt), &refused)
				require.Equal(t, odoo.AccessRights, refused.Reason)
				require.Contains(t, refused.Message, "Inventory/Administrator")
				receiver = b.clientOfAdmin(t)
			}
			require.NoError(t, receiver.Deliver(t.Context(), receipt))
			came, err := b.client.MovedLots(t.Context(), []int64{coming[0].ID})
			require.NoError(t, err)
			require.Equal(t, map[int64][]order.MovedLot{coming[0].ID: {{LotID: serials["C"], Quantity: came[coming[0].ID][0].Quantity}}}, came)
		}
	}
	require.Equal(t, order.FulfilmentPartiallyReturned, b.order(t, id).Fulfilment)
}

// clientOfAdmin is a gateway's client whose user may do everything.
func (b *bundle) clientOfAdmin(t *testing.T) *odoo.Client {
	t.Helper()
	cfg := b.server.config()
	cfg.User, cfg.Password, cfg.Protocol = b.server.AdminUser, b.server.AdminPassword, odoo.XMLRPC
	c, err := odoo.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}
