package ordersync

import (
	"context"
	"slices"

	"ordergate/order"
)

// repair brings the orders of findings to the ERP's state by the ways that the sync goes, looks again, and writes down
// what became of each.
func (a *audit) repair(ctx context.Context, findings []order.Finding) error {
	for page := range slices.Chunk(findings, orderPage) {
		failure := a.repairPage(ctx, page)
		if err := a.conclude(ctx, page, failure); err != nil {
			return err
		}
		if err := a.renew(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// repairPage brings the orders of some findings to the ERP's state by the ways that the sync goes.
func (c *sides) repairPage(ctx context.Context, findings []order.Finding) error {
	var pull, gone, never []int64
	for _, f := range findings {
		switch {
		case f.ERPOrderID <= 0 || f.ERPOrderID > order.MaxERPID:
			never = append(never, f.ERPOrderID)
		case f.Kind == order.FindingDeleted || f.Kind == order.FindingStray:
			gone = append(gone, f.ERPOrderID)
		default:
			pull = append(pull, f.ERPOrderID)
		}
	}
	if len(pull) > 0 {
		// The mirror's guards would keep what it holds, if its dates say that it is newer, or its digest that it is equal.
		if err := c.mirror.DoubtOrders(ctx, c.tenant.ID, pull); err != nil {
			return err
		}
		if _, err := c.mirrorOrders(ctx, pull, nil); err != nil {
			return err
		}
	}
	if _, err := c.bury(ctx, gone); err != nil {
		return err
	}
	_, err := c.mirror.MarkDeleted(ctx, c.tenant.ID, never, c.erp.Now(), "audit")
	return err
}

// conclude looks at orders again, and ends their findings. An order that was written in the meantime counts as failed if it
// differs: whether what was found is repaired, nobody knows before the next audit looks.
func (a *audit) conclude(ctx context.Context, findings []order.Finding, failure error) error {
	ids := make([]int64, len(findings))
	for i, f := range findings {
		ids[i] = f.ERPOrderID
	}
	views, err := a.look(ctx, ids)
	looked := err == nil
	if !looked {
		failure = err
	}
	seen := make(map[int64]view, len(views))
	for _, v := range views {
		seen[v.id] = v
	}
	for i := range findings {
		f := &findings[i]
		v, differs := seen[f.ERPOrderID]
		f.EndedAt = a.now().UTC()
		switch {
		case looked && !differs:
			f.State = order.FindingRepaired
			a.run.Repaired++
			continue
		case failure != nil:
			f.Failure = failure.Error()
		default:
			f.Failure = v.whyStill()
		}
		f.State = order.FindingFailed
	}
	// Also when ctx has ended: a repair that was made must not stand there as one that was not.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return a.mirror.EndFindings(saving, a.tenant.ID, findings)
}

// whyStill says why an order differs although it was repaired.
func (v *view) whyStill() string {
	switch {
	case v.unreadable != nil:
		return v.unreadable.Error()
	case v.beingWritten:
		return "written again during the repair: the sync's turn has not come, and the next audit looks again"
	case v.erp != nil && v.mirror == nil:
		return "the mirror cannot hold the order; the log says why"
	}
	return "still different: " + v.difference
}

// correctCompanies brings orders to their customers' companies: both are the mirror's, so that no comparison with the ERP
// tells.
func (a *audit) correctCompanies(ctx context.Context) error {
	if !a.options.Repair {
		return nil
	}
	customers, err := a.mirror.CorrectCompanies(ctx, a.tenant.ID)
	if customers > 0 {
		a.log.WarnContext(ctx, "orders stood under another company than their customers'", "customers", customers)
	}
	return err
}
