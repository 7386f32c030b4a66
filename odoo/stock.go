package odoo

import (
	"cmp"
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// HasStock reports whether Odoo has warehouses; an error with reason AccessRights if the gateway's user may not look into them.
func (c *Client) HasStock(ctx context.Context) (bool, error) {
	if known, err := c.hasDocuments(ctx, order.Deliveries); err != nil || !known {
		return false, err
	}
	models, err := c.documentModels(ctx)
	return models.warehouses, err
}

// Warehouses returns the warehouses that the user sees, by rising id. It takes HasStock.
func (c *Client) Warehouses(ctx context.Context) ([]order.Warehouse, error) {
	list, _, err := c.searchRead(ctx, query{model: "stock.warehouse", domain: domain{}, fields: []string{"code", "name"}})
	if err != nil {
		return nil, err
	}
	warehouses := make([]order.Warehouse, len(list))
	for i := range list {
		warehouses[i] = order.Warehouse{ID: list[i].id(), Code: list[i].text("code"), Name: list[i].text("name")}
	}
	return warehouses, firstError("stock.warehouse.search_read", list)
}

// StockLevels returns how much there is of products in one warehouse, by rising product; archived products too. It takes HasStock.
func (c *Client) StockLevels(ctx context.Context, productIDs []int64, in order.Warehouse) ([]order.StockLevel, error) {
	s, err := c.sessionFor(ctx, "product.product.search_read")
	if err != nil {
		return nil, err
	}
	list, _, err := c.searchRead(ctx, query{model: "product.product", domain: idsIn("id", productIDs), context: inWarehouse(in.ID),
		fields: []string{"default_code", "uom_id", "qty_available", "free_qty", "incoming_qty", s.dialect.storable}})
	if err != nil {
		return nil, err
	}
	levels := make([]order.StockLevel, len(list))
	for i := range list {
		r := &list[i]
		levels[i] = order.StockLevel{
			ProductID: r.id(), SKU: r.text("default_code"), Warehouse: in, Kept: s.dialect.keepsStock(r), UnitOfMeasure: r.refName("uom_id"),
			OnHand: r.number("qty_available"), Free: r.number("free_qty"), Incoming: r.number("incoming_qty"),
		}
	}
	return levels, firstError("product.product.search_read", list)
}

// FreeStock returns how much of each product nobody has reserved, in one call; of none where Odoo has no stock that the gateway's user may look into.
func (c *Client) FreeStock(ctx context.Context, productIDs []int64) (map[int64]order.FreeStock, error) {
	models, err := c.documentModels(ctx)
	if err != nil || !models.deliveries || !models.warehouses || len(productIDs) == 0 {
		return nil, err
	}
	s, err := c.sessionFor(ctx, "product.product.search_read")
	if err != nil {
		return nil, err
	}
	list, _, err := c.searchRead(ctx, query{model: "product.product", domain: idsIn("id", productIDs), context: archivedToo,
		fields: []string{"free_qty", s.dialect.storable}})
	if err != nil {
		return nil, err
	}
	free := make(map[int64]order.FreeStock, len(list))
	for i := range list {
		r := &list[i]
		free[r.id()] = order.FreeStock{Kept: s.dialect.keepsStock(r), Free: r.number("free_qty")}
	}
	return free, firstError("product.product.search_read", list)
}

// heldMove is an open move of goods that are, or come to be, in a warehouse.
type heldMove struct {
	allocation order.Allocation // what it alone holds
	next       []int64          // the moves that take its goods further
}

// Allocations returns what is reserved for an order, line by line; SKUs and Warehouse are not set. known is false where Odoo has no
// deliveries, or the gateway's user may not read them.
//
// In a warehouse of several steps goods are reserved for one step after the other. Each line demands what its last steps
// demand, and has what all its steps hold.
func (c *Client) Allocations(ctx context.Context, orderID int64) (a order.Allocations, known bool, err error) {
	if known, err = c.HasStock(ctx); err != nil || !known {
		return order.Allocations{}, false, err
	}
	s, err := c.sessionFor(ctx, "stock.move.search_read")
	if err != nil {
		return order.Allocations{}, false, err
	}
	list, _, err := c.searchRead(ctx, query{model: "stock.move",
		domain: domain{condition("picking_id.sale_id", "=", orderID), condition("state", "not in", []any{"done", "cancel"}),
			condition("location_id.usage", "in", []any{"internal", "transit"})},
		fields: []string{"picking_id", "sale_line_id", "product_id", "product_uom", "product_uom_qty", s.dialect.reserved, "move_dest_ids"}})
	if err != nil {
		return order.Allocations{}, false, err
	}
	moves := make(map[int64]*heldMove, len(list))
	ids := make([]int64, len(list))
	for i := range list {
		r := &list[i]
		ids[i] = r.id()
		moves[ids[i]] = &heldMove{next: r.ids("move_dest_ids"), allocation: order.Allocation{
			LineID: r.refID("sale_line_id"), ProductID: r.refID("product_id"), UnitOfMeasure: r.refName("product_uom"),
			Demanded: r.number("product_uom_qty"), Reserved: r.number(s.dialect.reserved),
		}}
		a.Transfers = append(a.Transfers, r.refID("picking_id"))
	}
	if err := firstError("stock.move.search_read", list); err != nil || len(list) == 0 {
		return order.Allocations{}, err == nil, err
	}
	slices.Sort(a.Transfers)
	a.Transfers = slices.Compact(a.Transfers)
	if err := c.addPlaces(ctx, s.dialect, ids, moves); err != nil {
		return order.Allocations{}, false, err
	}
	a.Lines = allocationsOf(ids, moves)
	return a, true, nil
}

// addPlaces fills in where the goods of moves are held.
func (c *Client) addPlaces(ctx context.Context, d dialect, ids []int64, moves map[int64]*heldMove) error {
	list, _, err := c.searchRead(ctx, query{model: "stock.move.line", domain: idsIn("move_id", ids),
		fields: []string{"move_id", "picking_id", "location_id", "lot_id", d.lineHeld}})
	if err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		m := moves[r.refID("move_id")]
		if quantity := r.number(d.lineHeld); m != nil && !quantity.IsZero() {
			m.allocation.Places = append(m.allocation.Places, order.AllocationPlace{
				DeliveryID: r.refID("picking_id"), Location: r.refName("location_id"), Lot: r.refName("lot_id"), Quantity: quantity,
			})
		}
	}
	return firstError("stock.move.line.search_read", list)
}

// allocationsOf sums moves up by line, product and unit.
func allocationsOf(ids []int64, moves map[int64]*heldMove) []order.Allocation {
	type part struct {
		lineID, productID int64
		unit              string
	}
	sums := map[part]*order.Allocation{}
	for _, id := range ids {
		m := moves[id]
		last := m.lastStep(moves)
		one := m.allocation
		one.LineID = last.allocation.LineID
		if last != m {
			one.Demanded = decimal.Zero
		}
		key := part{one.LineID, one.ProductID, one.UnitOfMeasure}
		sum := sums[key]
		if sum == nil {
			sums[key] = &one
			continue
		}
		sum.Demanded, sum.Reserved = sum.Demanded.Add(one.Demanded), sum.Reserved.Add(one.Reserved)
		sum.Places = append(sum.Places, one.Places...)
	}
	lines := make([]order.Allocation, 0, len(sums))
	for _, sum := range sums {
		lines = append(lines, *sum)
	}
	slices.SortFunc(lines, func(x, y order.Allocation) int {
		return cmp.Or(cmp.Compare(x.LineID, y.LineID), cmp.Compare(x.ProductID, y.ProductID), cmp.Compare(x.UnitOfMeasure, y.UnitOfMeasure))
	})
	return lines
}

// lastStep follows a move to the one that its goods leave with, as far as the moves are known: on Odoo 14 only that one names the
// order's line.
func (m *heldMove) lastStep(moves map[int64]*heldMove) *heldMove {
	last := m
	for range moves { // a circle, which Odoo does not make, would have no end
		i := slices.IndexFunc(last.next, func(id int64) bool { return moves[id] != nil })
		if i < 0 {
			break
		}
		last = moves[last.next[i]]
	}
	return last
}

// Reserve asks Odoo to reserve what it can for transfers. It is no failure if that is nothing.
func (c *Client) Reserve(ctx context.Context, transfers []int64) error {
	_, err := c.execute(ctx, "stock.picking", "action_assign", []any{anySlice(transfers)}, nil)
	return err
}

// Release takes back what is reserved for transfers. Its success or failure proves little: read the allocations afterwards.
func (c *Client) Release(ctx context.Context, transfers []int64) error {
	_, err := c.execute(ctx, "stock.picking", "do_unreserve", []any{anySlice(transfers)}, nil)
	if returnedNone(err) {
		return nil
	}
	return err
}

// OrderWarehouse returns the id of the warehouse that an order is sent from; 0 if it has none, or is not there. It takes HasStock.
func (c *Client) OrderWarehouse(ctx context.Context, orderID int64) (int64, error) {
	list, _, err := c.readRaw(ctx, "sale.order", []int64{orderID}, []string{"warehouse_id"})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	id := list[0].refID("warehouse_id")
	return id, firstError("sale.order.read", list)
}

// AssignWarehouse sets the warehouse that an order is sent from. Deliveries that there are stay where they are. Its success or failure proves
// little: read OrderWarehouse afterwards.
func (c *Client) AssignWarehouse(ctx context.Context, orderID, warehouseID int64) error {
	_, err := c.execute(ctx, "sale.order", "write", []any{[]any{orderID}, map[string]any{"warehouse_id": warehouseID}}, nil)
	return err
}
