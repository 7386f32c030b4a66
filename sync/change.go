package ordersync

import (
	"context"
	"slices"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// admitChange holds a caller to its role, as for placing.
func (s *Service) admitChange(caller order.Caller, action *order.Action) error {
	action.ByCustomer = caller.Role == order.RoleCustomer
	if action.ByCustomer && action.Change.SetsPrices() && !s.tenant.Settings.CustomerMaySetPrices {
		return pricesForbidden()
	}
	return nil
}

// planChange holds a change to what the ERP says at this moment of the order, resolves it as placing would, and creates the
// addresses that it names, which nothing refers to until it is made.
func (s *Service) planChange(ctx context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
	wish := a.in.Action.Change
	if err := s.requireVersion(ctx, a); err != nil {
		return order.ActionPlan{}, err
	}
	if a.in.Action.ByCustomer && o.Status != order.Draft && o.Status != order.OnHold {
		return order.ActionPlan{}, order.Errorf(order.Forbidden, "change_forbidden",
			"Order %s is %s: this key may change orders only until they are approved or confirmed.", o.Number, o.Status)
	}
	if err := wish.Permit(o); err != nil {
		return order.ActionPlan{}, err
	}
	precision, err := s.erp.Precision(ctx)
	if err != nil {
		return order.ActionPlan{}, err
	}
	lines := wish.AsRequest()
	if err := lines.ValidatePrecision(precision); err != nil {
		return order.ActionPlan{}, err
	}
	products, err := s.resolveSKUs(ctx, lines.Lines)
	if err != nil {
		return order.ActionPlan{}, err
	}
	plan := &order.PlannedChange{Base: o.Terms(), Was: order.OriginalOf(o), Reference: wish.Reference, Note: wish.Note}
	for i, l := range wish.Lines {
		plan.Lines = append(plan.Lines, order.PlannedLine{
			LineID: l.LineID, ProductID: products[i], Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Remove: l.Remove,
		})
	}
	for _, l := range o.Lines {
		plan.KnownLines = append(plan.KnownLines, l.ERPLineID)
	}
	if plan.ShipTo, err = s.changedAddress(ctx, o, wish.ShippingAddress, false); err != nil {
		return order.ActionPlan{}, err
	}
	if plan.BillTo, err = s.changedAddress(ctx, o, wish.BillingAddress, true); err != nil {
		return order.ActionPlan{}, err
	}
	return order.ActionPlan{Change: plan}, nil
}

// requireVersion refuses a change that was made for another state of the order than the ERP has, and brings that to the mirror.
func (s *Service) requireVersion(ctx context.Context, a *attempt) error {
	wanted := a.in.Action.IfVersion
	if len(wanted) == 0 {
		return nil
	}
	snapshots := []order.Snapshot{*a.before}
	if err := s.complete(ctx, snapshots); err != nil {
		return err
	}
	version, err := store.Version(snapshots[0])
	if err != nil {
		return err
	}
	if slices.Contains(wanted, version) {
		return nil
	}
	if _, err := s.ingest(ctx, snapshots, "sync"); err != nil {
		return err
	}
	changed := order.Errorf(order.PreconditionFailed, "order_changed",
		"Order %s is not any more what If-Match says. Look at it again, and send what is still wanted with its new ETag and a new key.", a.before.Number)
	changed.Version = version
	return changed
}

// changedAddress returns the partner that stands for an address of the order's customer, created if absent; 0 without an address.
func (s *Service) changedAddress(ctx context.Context, o order.Order, address *order.Address, billing bool) (int64, error) {
	if address == nil {
		return 0, nil
	}
	prefix := "shipping_address."
	if billing {
		prefix = "billing_address."
	}
	var plan order.Plan
	var err error
	if plan.CountryID, plan.StateID, err = s.resolveCountry(ctx, prefix, address); err != nil {
		return 0, err
	}
	partner := newAddress(s.tenant.Name, o.Customer.ERPPartnerID, *address, plan)
	if billing {
		partner.Billing, partner.ExternalID = true, billingExternalID(s.tenant.Name, o.Customer.ERPPartnerID, *address)
	}
	loaded := s.erp.EnsurePartners(ctx, []odoo.NewPartner{partner})[0]
	switch {
	case loaded.Err == nil:
		return loaded.ID, nil
	case loaded.Err.Outcome == odoo.Rejected && loaded.Err.Reason == odoo.BusinessRule:
		return 0, order.Invalid("erp_rejected", prefix[:len(prefix)-1], "The ERP refused the address: %s", loaded.Err.Message).Because(loaded.Err)
	}
	return 0, loaded.Err
}

func (s *Service) change(ctx context.Context, a *attempt, o order.Order) error {
	return s.erp.ChangeOrder(ctx, o.ID, *a.in.Plan.Action.Change)
}

// changeStands reports whether the order is as it was to be. If it is neither that nor as it was, somebody else changed it, and what
// they did stands.
func changeStands(_ context.Context, a *attempt, o order.Order) (bool, error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	plan := a.in.Plan.Action.Change
	switch {
	case plan.Stands(o):
		return true, nil
	case plan.Base != o.Terms():
		return false, order.Errorf(order.Conflict, "changed_otherwise",
			"Somebody changed order %s in the ERP at the same time. Look at it, and send what is still wanted with its new ETag and a new key.", o.Number)
	}
	return false, nil
}

// changedEntry says in the history what a change changed.
func (s *Service) changedEntry(a *attempt, after order.Order) order.HistoryEntry {
	e := order.Entry(a.in.ERPOrderID, order.HistoryChanged)
	e.WrittenBy, e.RecordedAt, e.Detail = a.in.Caller, s.now(), "changed by "+a.in.Source
	if edits := a.in.Plan.Action.Change.Was.Compare(after); edits.Any() {
		e.Detail += ": " + edits.Summary(after.Currency, after.CurrencyDecimals)
	}
	e.Detail = order.Shorten(e.Detail, order.MaxDetail)
	return e
}
