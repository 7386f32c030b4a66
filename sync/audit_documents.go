package ordersync

import (
	"context"
	"slices"

	"ordergate/order"
)

// compareDocuments compares how many deliveries and invoices there are of each state, and looks for the orders of those that
// differ. Nothing else shows that one was deleted, or moved to another order, or that the ERP lets the user see it only now.
func (a *audit) compareDocuments(ctx context.Context) error {
	mirrored, err := a.mirror.MirroredDocuments(ctx, a.tenant.ID, a.all.CreatedFrom)
	if err != nil {
		return err
	}
	for _, kind := range []order.DocumentKind{order.Deliveries, order.Invoices} {
		if err := a.narrowDocuments(ctx, order.DocumentSlice{Kind: kind, CreatedFrom: a.all.CreatedFrom}, mirrored[kind]); err != nil {
			return err
		}
	}
	return nil
}

// narrowDocuments splits a slice of documents that differs, by their ids, until few are left to be compared one by one.
func (a *audit) narrowDocuments(ctx context.Context, of order.DocumentSlice, mirrored []order.Document) error {
	inERP, err := a.erp.DocumentTotals(ctx, of)
	a.asked(len(inERP))
	if err != nil {
		return err
	}
	different := order.DifferentTotals(inERP, order.TotalsOfDocuments(of.Kind, mirrored))
	if len(different) == 0 {
		return nil
	}
	if of.LastID == 0 {
		var span idRange
		for _, t := range different {
			span = span.with(t)
		}
		of.FirstID, of.LastID = span.first, span.last
	}
	width := of.LastID - of.FirstID + 1
	if width <= leafWidth {
		return a.enterDocuments(ctx, of, mirrored)
	}
	step := max(leafWidth, (width+rangeParts-1)/rangeParts)
	for first := of.FirstID; first <= of.LastID; first += step {
		part := of
		part.FirstID, part.LastID = first, min(first+step-1, of.LastID)
		if err := a.narrowDocuments(ctx, part, documentsIn(mirrored, part)); err != nil {
			return err
		}
	}
	return a.renew(ctx)
}

// enterDocuments makes suspects of the orders of those documents that are not the same on both sides.
func (a *audit) enterDocuments(ctx context.Context, of order.DocumentSlice, mirrored []order.Document) error {
	inERP, err := a.erp.Documents(ctx, of)
	a.asked(len(inERP))
	if err != nil {
		return err
	}
	sides := map[order.Document]int{}
	for _, d := range slices.Concat(inERP, documentsIn(mirrored, of)) {
		sides[d]++
	}
	entered := leaf{idRange: idRange{of.FirstID, of.LastID}}
	for d, n := range sides {
		if n == 1 {
			entered.ids = append(entered.ids, d.OrderID)
		}
	}
	a.leaves = append(a.leaves, entered)
	return nil
}

func documentsIn(list []order.Document, of order.DocumentSlice) []order.Document {
	var in []order.Document
	for _, d := range list {
		if d.ID >= of.FirstID && d.ID <= of.LastID {
			in = append(in, d)
		}
	}
	return in
}
