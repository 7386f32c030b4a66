package odoo

import (
	"context"
	"maps"
	"slices"

	"ordergate/order"
)

// Orders of these states are read with their documents.
var documentedStates = []any{"sale", "done", "cancel"}

// ofKind reports whether orders have documents of this kind that the user may read.
func (m documentModels) ofKind(kind order.DocumentKind) bool {
	if kind == order.Invoices {
		return m.invoices
	}
	return m.deliveries
}

// documentQuery selects the documents of a slice that orders are read with, by the path from a document to its order.
func documentQuery(of order.DocumentSlice) (model string, d domain) {
	model, path, d := "stock.picking", "sale_id", domain{}
	if of.Kind == order.Invoices {
		model, path = "account.move", "line_ids.sale_line_ids.order_id"
		d = domain{condition("move_type", "in", []any{"out_invoice", "out_refund"})}
	}
	d = append(d, condition(path+".state", "in", documentedStates))
	d = append(d, sliceDomain(order.Slice{FirstID: of.FirstID, LastID: of.LastID}, "id", "")...)
	return model, append(d, sliceDomain(order.Slice{CreatedFrom: of.CreatedFrom}, "", path+".create_date")...)
}

// DocumentTotals counts the documents of a slice by state, and sums up their ids and those of the orders of deliveries; an
// invoice, which may have several orders, counts once. There are none where Odoo has none or the user may not read them.
func (c *Client) DocumentTotals(ctx context.Context, of order.DocumentSlice) (totals []order.Totals, err error) {
	err = c.withDocuments(ctx, func(models documentModels) (err error) {
		totals = nil
		if models.ofKind(of.Kind) {
			totals, err = c.documentTotals(ctx, of)
		}
		return err
	})
	return totals, err
}

func (c *Client) documentTotals(ctx context.Context, of order.DocumentSlice) ([]order.Totals, error) {
	model, d := documentQuery(of)
	s, err := c.sessionFor(ctx, model+".read_group")
	if err != nil {
		return nil, err
	}
	g := grouping{model: model, domain: d, by: []string{"state"}, sums: []sum{idAverage, firstID, lastID}}
	if of.Kind == order.Deliveries {
		g.sums = append(g.sums, saleAvg)
	}
	groups, err := c.group(ctx, s.dialect, g)
	if err != nil {
		return nil, err
	}
	totals := make([]order.Totals, len(groups))
	for i := range groups {
		r := &groups[i]
		t := order.Totals{Count: r.integer("__count"), FirstID: r.integer(firstID.alias()), LastID: r.integer(lastID.alias())}
		t.IDSum = r.total(idAverage, t.Count)
		if of.Kind == order.Deliveries {
			t.RefSum = r.total(saleAvg, t.Count)
		}
		t.Group.Document = documentState(of.Kind, r.text("state"))
		totals[i] = t
	}
	return mergeGroups(totals), firstError(model+".read_group", groups)
}

// Documents lists the documents of a slice with their orders: an invoice of several orders comes once for each.
func (c *Client) Documents(ctx context.Context, of order.DocumentSlice) (documents []order.Document, err error) {
	err = c.withDocuments(ctx, func(models documentModels) (err error) {
		documents = nil
		if models.ofKind(of.Kind) {
			documents, err = c.documentsOf(ctx, of)
		}
		return err
	})
	return documents, err
}

func (c *Client) documentsOf(ctx context.Context, of order.DocumentSlice) ([]order.Document, error) {
	model, d := documentQuery(of)
	fields := []string{"state"}
	if of.Kind == order.Deliveries {
		fields = append(fields, "sale_id")
	}
	list, _, err := c.searchRead(ctx, query{model: model, domain: d, fields: fields})
	if err != nil {
		return nil, err
	}
	found := make([]order.Document, len(list))
	byID := make(map[int64]order.Document, len(list))
	for i := range list {
		found[i] = order.Document{ID: list[i].id(), State: documentState(of.Kind, list[i].text("state"))}
		if of.Kind == order.Deliveries {
			found[i].OrderID = list[i].refID("sale_id")
		}
		byID[found[i].ID] = found[i]
	}
	if err := firstError(model+".search_read", list); err != nil || of.Kind == order.Deliveries || len(found) == 0 {
		return found, err
	}
	orders, err := c.search(ctx, "sale.order", append(idsIn("invoice_ids", slices.Sorted(maps.Keys(byID))),
		condition("state", "in", documentedStates)), 0)
	if err != nil || len(orders) == 0 {
		return nil, err
	}
	billed, _, err := c.invoicesOf(ctx, orders) // the mirror has none of those that are hidden
	if err != nil {
		return nil, err
	}
	found = found[:0]
	for _, orderID := range orders {
		for _, id := range billed[orderID] {
			if invoice, asked := byID[id]; asked {
				invoice.OrderID = orderID
				found = append(found, invoice)
			}
		}
	}
	return found, nil
}

func documentState(kind order.DocumentKind, state string) order.DocumentState {
	if kind == order.Invoices {
		return invoiceState(state)
	}
	return deliveryState(state)
}
