package sandbox

import (
	"fmt"
	"slices"
)

const (
	stockPicking = "stock.picking"
	stockMove    = "stock.move"
)

// Places and the kind of transfer that deliveries have.
const (
	stockPlaceID    int64 = 8 // WH/Stock
	customerPlaceID int64 = 5
	outgoingTypeID  int64 = 2
)

// States of a delivery and of its moves. Goods never run out here, so that what is to go out is ready at once.
const (
	stateReady = "assigned"
	stateGone  = "done"
)

// goods tells whether a line's product is delivered, as services are not.
func goods(e *env, lines *model, line *row) bool {
	products, p := e.follow(lines, line, "product_id")
	return p != nil && e.text(products, p, "type") != "service"
}

// stockModels are those of deliveries, as Inventory and Delivery Costs bring them.
func stockModels(major int) []*model {
	place := define("stock.location", "Inventory Locations", []*field{
		{name: "name", label: "Location Name", kind: kindChar, required: true},
		{name: "usage", label: "Location Type", kind: kindSelection,
			options: []option{{"internal", "Internal Location"}, {"customer", "Customer Location"}}},
	})
	place.denied = "create write unlink"
	of := define("stock.picking.type", "Picking Type", []*field{
		{name: "name", label: "Operation Type", kind: kindChar, required: true},
		{name: "code", label: "Type of Operation", kind: kindSelection, options: []option{{"outgoing", "Delivery"}}},
	})
	of.denied = "create write unlink"
	carrier := define("delivery.carrier", "Delivery Methods", []*field{
		{name: "name", label: "Delivery Method", kind: kindChar, required: true},
		{name: "company_id", label: "Company", kind: kindInteger},
	})
	carrier.denied = "create write unlink"
	return []*model{place, of, carrier, pickingModel(major), moveModel(major), detailModel(major)}
}

// detailModel is there for those who look where goods are reserved: nowhere, for there is always enough of everything.
func detailModel(major int) *model {
	held := map[bool]string{true: "quantity", false: "product_uom_qty"}[major >= 17]
	m := define("stock.move.line", "Product Moves (Stock Move Line)", []*field{
		{name: "move_id", label: "Stock Operation", kind: kindMany2one, comodel: stockMove, indexed: true},
		{name: "lot_id", label: "Lot/Serial Number", kind: kindInteger},
		{name: "location_id", label: "From", kind: kindMany2one, comodel: "stock.location"},
		{name: "product_uom_id", label: "Unit of Measure", kind: kindMany2one, comodel: "uom.uom"},
		{name: held, label: "Quantity", kind: kindFloat, digits: 2},
		{name: "qty_done", label: "Done", kind: kindFloat, digits: 2},
	})
	m.denied = "create write unlink"
	return m
}

// movesField is what a delivery's moves are called, and doneField where it stands how much of a move goes out.
func movesField(major int) string {
	if major < 16 {
		return "move_lines"
	}
	return "move_ids"
}

func doneField(major int) string {
	if major < 17 {
		return "quantity_done"
	}
	return "quantity"
}

var documentProgress = []option{{stateDraft, "Draft"}, {"waiting", "Waiting Another Operation"}, {"confirmed", "Waiting"},
	{stateReady, "Ready"}, {stateGone, "Done"}, {stateCancel, "Cancelled"}}

func pickingModel(major int) *model {
	m := define(stockPicking, "Transfer", []*field{
		{name: "name", label: "Reference", kind: kindChar},
		{name: "state", label: "Status", kind: kindSelection, options: documentProgress},
		{name: "sale_id", label: "Sales Order", kind: kindMany2one, comodel: saleOrder, indexed: true},
		{name: "picking_type_id", label: "Operation Type", kind: kindMany2one, comodel: "stock.picking.type", required: true},
		related("picking_type_code", "Type of Operation", kindSelection, "", "picking_type_id", "code"),
		{name: "location_id", label: "Source Location", kind: kindMany2one, comodel: "stock.location", required: true},
		{name: "location_dest_id", label: "Destination Location", kind: kindMany2one, comodel: "stock.location", required: true},
		{name: "scheduled_date", label: "Scheduled Date", kind: kindDatetime},
		{name: "date_done", label: "Date of Transfer", kind: kindDatetime},
		{name: "backorder_id", label: "Back Order of", kind: kindMany2one, comodel: stockPicking},
		{name: "carrier_id", label: "Carrier", kind: kindMany2one, comodel: "delivery.carrier"},
		{name: "carrier_tracking_ref", label: "Tracking Reference", kind: kindChar},
		{name: "note", label: "Notes", kind: noteKind(major)},
		{name: movesField(major), label: "Stock Moves", kind: kindOne2many, comodel: stockMove, inverse: "picking_id"},
	})
	m.beforeUnlink = func(e *env, r *row) error {
		if e.text(m, r, "state") == stateGone {
			return userError("You can not delete product moves if the picking is done. You can only correct the done quantities.")
		}
		moves := e.db.models[stockMove]
		for _, id := range slices.Clone(moves.index["picking_id"][r.id]) {
			e.drop(moves, moves.rows[id])
		}
		return nil
	}
	m.methods = map[string]method{"button_validate": {"write", true, callValidate}}
	return m
}

func moveModel(major int) *model {
	fields := []*field{
		{name: "picking_id", label: "Transfer", kind: kindMany2one, comodel: stockPicking, indexed: true},
		{name: "sale_line_id", label: "Sale Line", kind: kindMany2one, comodel: saleOrderLine, indexed: true},
		{name: "product_id", label: "Product", kind: kindMany2one, comodel: productProduct, required: true, indexed: true},
		{name: "product_uom", label: "Unit of Measure", kind: kindMany2one, comodel: "uom.uom"},
		{name: "product_uom_qty", label: "Demand", kind: kindFloat, digits: 2},
		{name: doneField(major), label: "Quantity", kind: kindFloat, digits: 2},
		{name: "state", label: "Status", kind: kindSelection, options: documentProgress},
		{name: "has_tracking", label: "Product with Tracking", kind: kindSelection, options: []option{{"none", "No tracking"}},
			compute: func(*env, *model, *row) any { return "none" }},
		{name: "location_id", label: "Source Location", kind: kindMany2one, comodel: "stock.location"},
		{name: "origin_returned_move_id", label: "Origin return move", kind: kindMany2one, comodel: stockMove},
		{name: "product_qty", label: "Real Quantity", kind: kindFloat, digits: 2,
			compute: func(e *env, m *model, r *row) any { return e.float(m, r, "product_uom_qty") }},
	}
	if major >= 17 {
		fields = append(fields, &field{name: "picked", label: "Picked", kind: kindBoolean})
	}
	m := define(stockMove, "Stock Move", fields)
	m.afterWrite = func(e *env, r *row, values map[string]any) error {
		if _, counted := values[doneField(major)]; counted && e.text(m, r, "state") == stateGone {
			e.computeDelivered(e.integer(m, r, "sale_line_id")) // of a finished delivery the goods themselves change
		}
		return nil
	}
	return m
}

// deliver makes the delivery of what an order's lines still lack.
func (e *env) deliver(order *row) {
	lines, moves, pickings := e.db.models[saleOrderLine], e.db.models[stockMove], e.db.models[stockPicking]
	var picking *row
	for _, id := range slices.Clone(lines.index["order_id"][order.id]) {
		line := lines.rows[id]
		left := e.float(lines, line, "product_uom_qty") - e.float(lines, line, "qty_delivered")
		if !goods(e, lines, line) || left <= 0 {
			continue
		}
		if picking == nil {
			picking = e.insert(pickings, e.newPicking(order.id))
		}
		values := map[string]any{"picking_id": picking.id, "sale_line_id": id, "product_id": e.get(lines, line, "product_id"),
			"product_uom": UnitID, "product_uom_qty": left, "state": stateReady, doneField(e.major): 0.0}
		if e.major >= 17 { // there it is what is reserved until somebody picks another quantity
			values["quantity"], values["picked"] = left, false
		}
		e.insert(moves, values)
	}
}

func (e *env) newPicking(orderID int64) map[string]any {
	e.db.pickingNumber++
	return map[string]any{"name": fmt.Sprintf("WH/OUT/%05d", e.db.pickingNumber), "state": stateReady, "sale_id": orderID,
		"picking_type_id": outgoingTypeID, "location_id": stockPlaceID, "location_dest_id": customerPlaceID, "scheduled_date": e.now}
}

// dropDeliveries cancels the deliveries of an order that are not done.
func (e *env) dropDeliveries(order *row) {
	pickings, moves := e.db.models[stockPicking], e.db.models[stockMove]
	for _, id := range pickings.index["sale_id"][order.id] {
		picking := pickings.rows[id]
		if e.text(pickings, picking, "state") == stateGone {
			continue
		}
		e.update(pickings, picking, map[string]any{"state": stateCancel})
		e.touch(pickings, picking)
		for _, moveID := range moves.index["picking_id"][id] {
			e.update(moves, moves.rows[moveID], map[string]any{"state": stateCancel})
			e.touch(moves, moves.rows[moveID])
		}
	}
}

// callValidate sends deliveries out. Of what does not go with them it makes back orders, if it is told to ask nothing; otherwise it
// answers with the dialogue that asks.
func callValidate(e *env, m *model, a arguments) (any, error) {
	rows, err := a.records(e, m)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		state := e.text(m, r, "state")
		if state == stateGone && e.major >= 17 {
			continue
		}
		if state != stateReady {
			return nil, userError("You cannot validate a transfer if no quantities are reserved nor done.")
		}
		going, rest := e.going(r)
		switch skip, _ := e.flag("skip_backorder"); {
		case len(going) == 0:
			return nil, userError("You cannot validate a transfer if no quantities are reserved nor done. To force the transfer, switch in edit mode and encode the done quantities.")
		case rest && !skip:
			return record{{"type", "ir.actions.act_window"}, {"res_model", "stock.backorder.confirmation"}}, nil
		}
		e.validate(m, r, going)
	}
	return true, nil
}

// going is how much of each move goes out with a delivery, and whether anything stays.
func (e *env) going(picking *row) (quantities map[int64]float64, rest bool) {
	moves := e.db.models[stockMove]
	ids := moves.index["picking_id"][picking.id]
	picked := func(id int64) bool { return e.major < 17 || truth(e.get(moves, moves.rows[id], "picked")) }
	all := !slices.ContainsFunc(ids, picked) // where nothing was picked, what is reserved goes
	quantities = map[int64]float64{}
	for _, id := range ids {
		quantity := e.float(moves, moves.rows[id], doneField(e.major))
		if (all || picked(id)) && quantity > 0 {
			quantities[id] = quantity
		}
		rest = rest || quantities[id] < e.float(moves, moves.rows[id], "product_uom_qty")
	}
	return quantities, rest
}

// validate sends out what is going with a delivery, and makes a back order of the rest: moves of which nothing goes move over, and
// of the others the rest is split off.
func (e *env) validate(pickings *model, picking *row, going map[int64]float64) {
	moves := e.db.models[stockMove]
	var backorder *row
	behind := func() int64 {
		if backorder == nil {
			values := e.newPicking(e.integer(pickings, picking, "sale_id"))
			values["backorder_id"] = picking.id
			for _, same := range []string{"carrier_id", "note"} {
				values[same] = e.get(pickings, picking, same)
			}
			backorder = e.insert(pickings, values)
		}
		return backorder.id
	}
	waiting := func(quantity float64) map[string]any {
		values := map[string]any{"product_uom_qty": quantity, "state": stateReady, doneField(e.major): 0.0}
		if e.major >= 17 {
			values["quantity"], values["picked"] = quantity, false
		}
		return values
	}
	for _, id := range slices.Clone(moves.index["picking_id"][picking.id]) {
		move := moves.rows[id]
		demand, goes := e.float(moves, move, "product_uom_qty"), going[id]
		if goes == 0 {
			values := waiting(demand)
			values["picking_id"] = behind()
			e.update(moves, move, values)
			e.touch(moves, move)
			continue
		}
		if left := roundTo(demand-goes, 2); left > 0 {
			values := waiting(left)
			for _, same := range []string{"sale_line_id", "product_id", "product_uom"} {
				values[same] = e.get(moves, move, same)
			}
			values["picking_id"] = behind()
			e.insert(moves, values)
			e.update(moves, move, map[string]any{"product_uom_qty": goes})
		}
		done := map[string]any{"state": stateGone, doneField(e.major): goes}
		if e.major >= 17 {
			done["picked"] = true
		}
		e.update(moves, move, done)
		e.touch(moves, move)
		e.computeDelivered(e.integer(moves, move, "sale_line_id"))
	}
	e.update(pickings, picking, map[string]any{"state": stateGone, "date_done": e.now})
	e.touch(pickings, picking)
}

// computeDelivered sums up what went out of a line.
func (e *env) computeDelivered(lineID int64) {
	lines, moves := e.db.models[saleOrderLine], e.db.models[stockMove]
	line := lines.rows[lineID]
	if line == nil {
		return
	}
	var delivered float64
	for _, id := range moves.index["sale_line_id"][lineID] {
		if e.text(moves, moves.rows[id], "state") == stateGone {
			delivered += e.float(moves, moves.rows[id], doneField(e.major))
		}
	}
	e.update(lines, line, map[string]any{"qty_delivered": roundTo(delivered, 2)})
	e.touch(lines, line)
	e.touchOrder(lines, line) // how much of it is delivered, or to be invoiced, is stored in the order
}

func (e *env) touchOrder(lines *model, line *row) {
	orders, o := e.follow(lines, line, "order_id")
	e.touch(orders, o)
}
