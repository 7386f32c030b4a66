package ordersync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ordergate/odoo"
	"ordergate/order"
)

// checkStock compares what the orders of a batch ask for with what is free in the ERP, in one call, if the tenant wants that: each with what
// those before it leave. It is done once for each order, before anything of it is sent: what came of it is stored with the plan.
func (s *Service) checkStock(ctx context.Context, token string, attempts []*attempt) {
	policy := s.tenant.Settings.StockCheck
	if policy != order.StockRefuse && policy != order.StockBackorder {
		return
	}
	var unchecked []*attempt
	products := map[int64]bool{}
	for _, a := range attempts {
		if !a.unsent() || a.in.Plan.Stock != nil {
			continue
		}
		unchecked = append(unchecked, a)
		for _, id := range a.in.Plan.ProductIDs {
			products[id] = true
		}
	}
	if len(unchecked) == 0 {
		return
	}
	free, err := s.erp.FreeStock(ctx, slices.Sorted(maps.Keys(products)))
	plans := map[int64]order.Plan{}
	for _, a := range unchecked {
		if err != nil {
			a.fail(odoo.NotSent, err)
			continue
		}
		check := order.CheckStock(a.in.Request.Lines, a.in.Plan.ProductIDs, free)
		a.in.Plan.Stock = &check
		if policy == order.StockRefuse && len(check.Short) > 0 {
			a.fail(odoo.Rejected, outOfStock(a.in.Request.Lines, check.Short))
			if !a.in.UnknownAt.IsZero() { // a crash left it open whether it was sent
				s.lookAfter(ctx, a, false)
			}
			continue
		}
		plans[a.in.ID] = a.in.Plan
		order.TakeStock(a.in.Request.Lines, a.in.Plan.ProductIDs, free)
	}
	if len(plans) == 0 {
		return
	}
	saved, err := s.mirror.SavePlans(ctx, s.tenant.ID, token, plans)
	for _, a := range unchecked {
		if _, planned := plans[a.in.ID]; planned && (err != nil || !slices.Contains(saved, a.in.ID)) {
			a.fail(odoo.NotSent, errors.Join(errHalted, err))
		}
	}
}

// outOfStock names every line of a product that is short.
func outOfStock(lines []order.RequestLine, short []order.Shortage) *order.Error {
	e := order.Errorf(order.Unprocessable, "out_of_stock", "The ERP has less free than this order asks for. Order less, or send it again, with a new key, once there is more.")
	for i, l := range lines {
		at := slices.IndexFunc(short, func(s order.Shortage) bool { return s.SKU == l.SKU })
		if at < 0 {
			continue
		}
		e.Violations = append(e.Violations, order.Violation{Field: fmt.Sprintf("lines[%d].quantity", i), Message: fmt.Sprintf(
			"of %q %s are free, and the order asks for %s", l.SKU, free(short[at]), order.FormatQuantity(short[at].Demanded))})
	}
	return e
}

// free is how much of a product that is short can be had.
func free(s order.Shortage) string {
	if s.Available.IsNegative() {
		return "0"
	}
	return order.FormatQuantity(s.Available)
}
