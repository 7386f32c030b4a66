package odoo

import (
	"context"
	"maps"
	"slices"
	"strings"

	"ordergate/order"
)

// PurchaseLineHeads lists the lines of purchase orders that were written since, or whose purchase order was: OrderID is that of the purchase
// order, WriteDate the later of the two. There are none where Odoo has no purchase orders for orders, or hides them.
func (c *Client) PurchaseLineHeads(ctx context.Context, page Page) (heads []LineHead, err error) {
	err = withModels(ctx, &c.bought, c.purchaseModels, func(models purchaseModels) (err error) {
		heads = nil
		if models.permitted {
			heads, err = c.purchaseLineHeads(ctx, page)
		}
		return err
	})
	return heads, err
}

func (c *Client) purchaseLineHeads(ctx context.Context, page Page) ([]LineHead, error) {
	list, _, err := c.searchRead(ctx, query{model: "purchase.order.line", fields: []string{"order_id", "write_date"}, limit: page.Limit,
		domain: pageDomain(page, func(at string) domain {
			return domain{"|", condition("write_date", ">=", at), condition("order_id.write_date", ">=", at)}
		})})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	heads := make([]LineHead, len(list))
	purchases := map[int64]bool{}
	for i := range list {
		heads[i] = LineHead{ID: list[i].id(), OrderID: list[i].refID("order_id"), WriteDate: list[i].moment("write_date")}
		purchases[heads[i].OrderID] = true
	}
	if err := firstError("purchase.order.line.search_read", list); err != nil {
		return nil, err
	}
	written, err := c.readSome(ctx, "purchase.order", slices.Collect(maps.Keys(purchases)), "write_date")
	if err != nil {
		return nil, err
	}
	for i := range written {
		id, at := written[i].id(), written[i].moment("write_date")
		for j := range heads {
			if heads[j].OrderID == id {
				heads[j].WriteDate = latest(heads[j].WriteDate, at)
			}
		}
	}
	return heads, firstError("purchase.order.search_read", written)
}

// PurchasesByOrder returns purchase orders by the orders that they were raised for, each with those of its lines that are for the order. One
// that is cancelled stands without lines also at the orders that it names as its origin: Odoo forgets then what its lines were for. SKUs are
// not set. There are none where Odoo has no purchase orders for orders, or hides them.
func (c *Client) PurchasesByOrder(ctx context.Context, ids []int64) (of map[int64][]order.Purchase, err error) {
	s, err := c.sessionFor(ctx, "purchase.order.search_read")
	if err != nil {
		return nil, err
	}
	err = withModels(ctx, &c.bought, c.purchaseModels, func(models purchaseModels) (err error) {
		of = nil
		if models.permitted {
			of, err = c.purchasesByOrder(ctx, s.dialect, models, ids)
		}
		return err
	})
	return of, err
}

func (c *Client) purchasesByOrder(ctx context.Context, d dialect, models purchaseModels, ids []int64) (map[int64][]order.Purchase, error) {
	list, _, err := c.searchRead(ctx, query{model: "purchase.order", domain: idsIn("id", ids), fields: append([]string{"origin"}, purchaseFields...)})
	if err != nil {
		return nil, err
	}
	lines, err := c.purchaseLinesByOrder(ctx, d, models, ids)
	if err != nil {
		return nil, err
	}
	origins, err := c.originsOfCancelled(ctx, list)
	if err != nil {
		return nil, err
	}
	of := map[int64][]order.Purchase{}
	for i := range list {
		p := purchaseOf(&list[i])
		for orderID, its := range lines[p.ID] {
			p.Lines = its
			of[orderID] = append(of[orderID], p)
		}
		p.Lines = nil
		for _, orderID := range origins[p.ID] {
			if lines[p.ID][orderID] == nil {
				of[orderID] = append(of[orderID], p)
			}
		}
	}
	return of, firstError("purchase.order.search_read", list)
}

// purchaseLinesByOrder returns the lines of purchase orders by purchase order and by the order that they are for: the same that purchaseLines
// finds for one order.
func (c *Client) purchaseLinesByOrder(
	ctx context.Context, d dialect, models purchaseModels, ids []int64,
) (map[int64]map[int64][]order.PurchaseLine, error) {
	fields := purchaseLineFields(d)
	if models.moves {
		fields = append(fields, "move_dest_ids", "move_ids")
	}
	list, _, err := c.searchRead(ctx, query{model: "purchase.order.line", domain: idsIn("order_id", ids), fields: fields})
	if err != nil {
		return nil, err
	}
	var sold, moves []int64
	for i := range list {
		sold = append(sold, list[i].refID("sale_line_id"))
		if models.moves {
			moves = append(append(moves, list[i].ids("move_dest_ids")...), list[i].ids("move_ids")...)
		}
	}
	if err := firstError("purchase.order.line.search_read", list); err != nil {
		return nil, err
	}
	ofLine, err := c.ordersOf(ctx, "sale.order.line", "order_id", sold)
	if err != nil {
		return nil, err
	}
	ofMove, next, err := c.ordersOfMoves(ctx, moves)
	if err != nil {
		return nil, err
	}
	of := map[int64]map[int64][]order.PurchaseLine{}
	for i := range list {
		r := &list[i]
		orders := map[int64]bool{ofLine[r.refID("sale_line_id")]: true}
		if models.moves {
			for _, id := range r.ids("move_dest_ids") {
				orders[ofMove[id]] = true
			}
			for _, id := range r.ids("move_ids") {
				orders[ofMove[id]] = true
				for _, dest := range next[id] {
					orders[ofMove[dest]] = true
				}
			}
		}
		delete(orders, 0)
		purchase := r.refID("order_id")
		for orderID := range orders {
			if of[purchase] == nil {
				of[purchase] = map[int64][]order.PurchaseLine{}
			}
			of[purchase][orderID] = append(of[purchase][orderID], purchaseLineOf(d, r))
		}
	}
	return of, firstError("purchase.order.line.search_read", list)
}

// ordersOfMoves returns the orders whose transfers moves belong to, and those that their goods go on with; next are these, by move.
func (c *Client) ordersOfMoves(ctx context.Context, ids []int64) (orders map[int64]int64, next map[int64][]int64, err error) {
	picking, next := map[int64]int64{}, map[int64][]int64{}
	unread := ids
	for range 2 { // the moves, and those that follow
		list, err := c.readSome(ctx, "stock.move", unread, "picking_id", "move_dest_ids")
		if err != nil {
			return nil, nil, err
		}
		unread = nil
		for i := range list {
			picking[list[i].id()] = list[i].refID("picking_id")
			next[list[i].id()] = list[i].ids("move_dest_ids")
			unread = append(unread, next[list[i].id()]...)
		}
		if err := firstError("stock.move.search_read", list); err != nil {
			return nil, nil, err
		}
		unread = slices.DeleteFunc(unread, func(id int64) bool { _, read := picking[id]; return read })
	}
	of, err := c.ordersOf(ctx, "stock.picking", "sale_id", slices.Collect(maps.Values(picking)))
	if err != nil {
		return nil, nil, err
	}
	orders = map[int64]int64{}
	for move, id := range picking {
		orders[move] = of[id]
	}
	return orders, next, nil
}

// ordersOf returns the order that each of some records names in a field.
func (c *Client) ordersOf(ctx context.Context, model, field string, ids []int64) (map[int64]int64, error) {
	list, err := c.readSome(ctx, model, ids, field)
	if err != nil {
		return nil, err
	}
	of := map[int64]int64{}
	for i := range list {
		of[list[i].id()] = list[i].refID(field)
	}
	return of, firstError(model+".search_read", list)
}

// readSome reads the records that the user sees among ids, of which 0 is none; without any it asks nothing.
func (c *Client) readSome(ctx context.Context, model string, ids []int64, fields ...string) ([]record, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id int64) bool { return id == 0 })
	if len(ids) == 0 {
		return nil, nil
	}
	list, _, err := c.searchRead(ctx, query{model: model, domain: idsIn("id", ids), fields: fields})
	return list, err
}

// originsOfCancelled returns the orders that cancelled ones of some purchase orders name as their origin, by purchase order.
func (c *Client) originsOfCancelled(ctx context.Context, purchases []record) (map[int64][]int64, error) {
	named := map[string][]int64{} // the purchase orders by the order's number
	for i := range purchases {
		if r := &purchases[i]; purchaseState(r.text("state")) == order.PurchaseCancelled {
			for number := range strings.SplitSeq(r.text("origin"), ",") {
				named[strings.TrimSpace(number)] = append(named[strings.TrimSpace(number)], r.id())
			}
		}
	}
	delete(named, "")
	if len(named) == 0 {
		return nil, nil
	}
	list, _, err := c.searchRead(ctx, query{model: "sale.order", fields: []string{"name"},
		domain: domain{condition("name", "in", anySlice(slices.Sorted(maps.Keys(named))))}})
	if err != nil {
		return nil, err
	}
	of := map[int64][]int64{}
	for i := range list {
		for _, purchase := range named[list[i].text("name")] {
			of[purchase] = append(of[purchase], list[i].id())
		}
	}
	return of, firstError("sale.order.search_read", list)
}
