package odoo

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// heldGoods is a line of a move: goods in one place, of one lot, that are reserved for it, or go out with it.
type heldGoods struct {
	id, moveID, lotID, unitID int64
	held, done                decimal.Decimal
}

// heldFor returns the lines of moves, by rising id.
func (c *Client) heldFor(ctx context.Context, d dialect, moves []int64) (map[int64][]heldGoods, error) {
	if len(moves) == 0 {
		return nil, nil
	}
	fields := []string{"move_id", "lot_id", "product_uom_id", d.lineHeld}
	if d.lineDone != d.lineHeld {
		fields = append(fields, d.lineDone)
	}
	list, _, err := c.searchRead(ctx, query{model: "stock.move.line", domain: idsIn("move_id", moves), fields: fields})
	if err != nil {
		return nil, err
	}
	of := map[int64][]heldGoods{}
	for i := range list {
		r := &list[i]
		h := heldGoods{id: r.id(), moveID: r.refID("move_id"), lotID: r.refID("lot_id"), unitID: r.refID("product_uom_id"),
			held: r.number(d.lineHeld), done: r.number(d.lineDone)}
		of[h.moveID] = append(of[h.moveID], h)
	}
	return of, firstError("stock.move.line.search_read", list)
}

// moveCommands are the commands by which a delivery's moves learn what goes out. Where a move's own quantity says too little, its
// lines are told: those of lots, and, to Odoo 16, those of goods that are reserved in several places.
func (c *Client) moveCommands(ctx context.Context, d dialect, p order.PlannedDelivery) ([]any, error) {
	var byLine []int64
	for _, m := range p.Moves {
		if !d.picked || len(m.Lots) > 0 {
			byLine = append(byLine, m.MoveID)
		}
	}
	held, err := c.heldFor(ctx, d, byLine)
	if err != nil {
		return nil, err
	}
	units, err := c.unitsOfMoves(ctx, held)
	if err != nil {
		return nil, err
	}
	var commands []any
	for _, m := range p.Moves {
		var values map[string]any
		otherUnit := func(h heldGoods) bool { return h.unitID != units[m.MoveID] }
		switch lines := held[m.MoveID]; {
		case len(m.Lots) > 0:
			if values, err = c.lotValues(ctx, d, m, lines); err != nil {
				return nil, err
			}
		case len(lines) > 1 && !slices.ContainsFunc(lines, otherUnit): // or Odoo says what it thinks of it
			values = map[string]any{"move_line_ids": overLines(d, m.Quantity, lines)}
		default:
			values = wholeMove(d, m)
		}
		commands = append(commands, []any{1, m.MoveID, values})
	}
	return commands, nil
}

// unitsOfMoves returns the units that those of the moves count in that have several lines.
func (c *Client) unitsOfMoves(ctx context.Context, held map[int64][]heldGoods) (map[int64]int64, error) {
	var ids []int64
	for move, lines := range held {
		if len(lines) > 1 {
			ids = append(ids, move)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	list, _, err := c.readRaw(ctx, "stock.move", ids, []string{"product_uom"})
	if err != nil {
		return nil, err
	}
	units := make(map[int64]int64, len(list))
	for i := range list {
		units[list[i].id()] = list[i].refID("product_uom")
	}
	return units, firstError("stock.move.read", list)
}

func wholeMove(d dialect, m order.PlannedMove) map[string]any {
	quantity, _ := m.Quantity.Float64()
	if !d.picked {
		return map[string]any{d.doneQuantity: quantity}
	}
	if m.Quantity.IsZero() { // what is reserved of it stays reserved, for the back order
		return map[string]any{"picked": false}
	}
	return map[string]any{d.doneQuantity: quantity, "picked": true}
}

// overLines shares a quantity out over a move's lines, each as far as it has goods; what is more is the last one's.
func overLines(d dialect, quantity decimal.Decimal, lines []heldGoods) []any {
	var commands []any
	for i, h := range lines {
		taken := decimal.Min(quantity, h.held)
		if i == len(lines)-1 {
			taken = quantity
		}
		quantity = quantity.Sub(taken)
		done, _ := taken.Float64()
		commands = append(commands, []any{1, h.id, map[string]any{d.lineDone: done}})
	}
	return commands
}

// lotValues tells the lines of a move which lots go out: first from what is reserved of them, then from wherever else they are
// free. A repetition finds the lines that it made before.
func (c *Client) lotValues(ctx context.Context, d dialect, m order.PlannedMove, lines []heldGoods) (map[string]any, error) {
	left := map[int64]decimal.Decimal{}
	var missing []int64
	for _, lot := range m.Lots {
		left[lot.LotID] = lot.Quantity
	}
	var commands []any
	for _, h := range lines {
		taken := decimal.Min(left[h.lotID], decimal.Max(h.held, h.done))
		left[h.lotID] = left[h.lotID].Sub(taken)
		commands = append(commands, []any{1, h.id, lineValues(d, taken)})
	}
	for _, lot := range m.Lots {
		if left[lot.LotID].IsPositive() {
			missing = append(missing, lot.LotID)
		}
	}
	if len(missing) == 0 {
		return map[string]any{"move_line_ids": commands}, nil
	}
	moves, _, err := c.readRaw(ctx, "stock.move", []int64{m.MoveID}, []string{"picking_id", "product_id", "product_uom", "location_id", "location_dest_id"})
	if err != nil {
		return nil, err
	}
	for i := range moves {
		r := &moves[i]
		stocks, err := c.stockOf(ctx, missing, r.refID("location_id"))
		if err != nil {
			return nil, err
		}
		for _, s := range stocks {
			taken := decimal.Min(left[s.lotID], s.free)
			if !taken.IsPositive() {
				continue
			}
			left[s.lotID] = left[s.lotID].Sub(taken)
			values := lineValues(d, taken)
			for field, id := range map[string]int64{
				"picking_id": r.refID("picking_id"), "product_id": r.refID("product_id"), "product_uom_id": r.refID("product_uom"),
				"location_id": s.placeID, "location_dest_id": r.refID("location_dest_id"), "lot_id": s.lotID,
				"package_id": s.packageID, "owner_id": s.ownerID,
			} {
				if id != 0 {
					values[field] = id
				}
			}
			commands = append(commands, []any{0, 0, values})
		}
	}
	for _, id := range missing {
		if left[id].IsPositive() { // Odoo would send less, and make a back order of the rest
			return nil, &Error{Outcome: Rejected, Reason: BusinessRule, Row: -1, Method: "stock.picking.write",
				Message: fmt.Sprintf("%s of a lot are not there any more", left[id])}
		}
	}
	return map[string]any{"move_line_ids": commands}, firstError("stock.move.read", moves)
}

// lineValues say how much of a line goes out. What is reserved of the others stays reserved until the delivery is done.
func lineValues(d dialect, taken decimal.Decimal) map[string]any {
	quantity, _ := taken.Float64()
	switch {
	case !d.picked:
		return map[string]any{d.lineDone: quantity}
	case taken.IsZero():
		return map[string]any{"picked": false}
	}
	return map[string]any{d.lineDone: quantity, "picked": true}
}

// lotStock is what is free of a lot in one place.
type lotStock struct {
	lotID, placeID, packageID, ownerID int64
	free                               decimal.Decimal
}

// stockOf returns where lots are free in a place or below, by rising id.
func (c *Client) stockOf(ctx context.Context, lots []int64, placeID int64) ([]lotStock, error) {
	list, _, err := c.searchRead(ctx, query{model: "stock.quant",
		domain: append(idsIn("lot_id", lots), condition("location_id", "child_of", placeID)),
		fields: []string{"lot_id", "location_id", "package_id", "owner_id", "quantity", "reserved_quantity"}})
	if err != nil {
		return nil, err
	}
	stocks := make([]lotStock, len(list))
	for i := range list {
		r := &list[i]
		stocks[i] = lotStock{r.refID("lot_id"), r.refID("location_id"), r.refID("package_id"), r.refID("owner_id"),
			decimal.Max(decimal.Zero, r.number("quantity").Sub(r.number("reserved_quantity")))}
	}
	return stocks, firstError("stock.quant.search_read", list)
}

// Lots returns the lots of the moves' product that have one of the names, and how much of each can go out with the moves: what is
// free where they take their goods from, and what is reserved for them.
func (c *Client) Lots(ctx context.Context, moves []order.Move, names []string) ([]order.Lot, error) {
	s, err := c.sessionFor(ctx, "stock.move.line.search_read")
	if err != nil {
		return nil, err
	}
	list, _, err := c.searchRead(ctx, query{model: s.dialect.lotModel, fields: []string{"name"},
		domain: domain{condition("product_id", "=", moves[0].ProductID), condition("name", "in", anySlice(names))}})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	lots := make([]order.Lot, len(list))
	ids := make([]int64, len(list))
	for i := range list {
		ids[i] = list[i].id()
		lots[i] = order.Lot{ID: ids[i], Name: list[i].text("name")}
	}
	if err := firstError(s.dialect.lotModel+".search_read", list); err != nil {
		return nil, err
	}
	free := map[int64]decimal.Decimal{}
	var moveIDs, places []int64
	for _, m := range moves {
		moveIDs = append(moveIDs, m.ID)
		if slices.Contains(places, m.PlaceID) {
			continue
		}
		places = append(places, m.PlaceID)
		stocks, err := c.stockOf(ctx, ids, m.PlaceID)
		if err != nil {
			return nil, err
		}
		for _, stock := range stocks {
			free[stock.lotID] = free[stock.lotID].Add(stock.free)
		}
	}
	held, err := c.heldFor(ctx, s.dialect, moveIDs)
	if err != nil {
		return nil, err
	}
	for _, lines := range held {
		for _, h := range lines {
			free[h.lotID] = free[h.lotID].Add(h.held)
		}
	}
	for i := range lots {
		lots[i].Free = free[lots[i].ID]
	}
	return lots, nil
}

// MovedLots returns which lots go out, or went out, with moves; what is reserved and not known to go yet counts too.
func (c *Client) MovedLots(ctx context.Context, moves []int64) (map[int64][]order.MovedLot, error) {
	s, err := c.sessionFor(ctx, "stock.move.line.search_read")
	if err != nil {
		return nil, err
	}
	held, err := c.heldFor(ctx, s.dialect, moves)
	if err != nil {
		return nil, err
	}
	of := make(map[int64][]order.MovedLot, len(held))
	for move, lines := range held {
		for _, h := range lines {
			of[move] = append(of[move], order.MovedLot{LotID: h.lotID, Quantity: decimal.Max(h.held, h.done)})
		}
	}
	return of, nil
}
