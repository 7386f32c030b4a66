package ordersync

import (
	"cmp"
	"context"

	"ordergate/order"
)

// Orders lists the orders that the caller may see.
func (s *Service) Orders(ctx context.Context, caller order.Caller, f order.Filter) (order.Listing, error) {
	company, err := s.visibleCompany(ctx, caller)
	if err != nil {
		return order.Listing{}, err
	}
	f.CompanyID = company
	status, err := s.freshen(ctx)
	if err != nil {
		return order.Listing{}, err
	}
	listing, err := s.mirror.ListOrders(ctx, s.tenant.ID, f)
	if err != nil {
		return order.Listing{}, databaseUnavailable(err)
	}
	listing.Sync = status
	return listing, nil
}

// Order returns one order that the caller may see: from the mirror, or from the ERP if the mirror lacks it.
func (s *Service) Order(ctx context.Context, caller order.Caller, id int64) (order.Order, order.OrderSync, error) {
	status, err := s.freshen(ctx)
	if err != nil {
		return order.Order{}, order.OrderSync{}, err
	}
	o, err := s.visibleOrder(ctx, caller, id)
	if err != nil {
		return order.Order{}, order.OrderSync{}, err
	}
	sync, err := s.orderSync(ctx, o, status)
	return o, sync, err
}

// visibleOrder returns an order of the mirror, gotten from the ERP by its id if need be; one that the ERP has deleted
// since comes with DeletedAt. Somebody else's order and one that never was are the same NotFound: an answer must not
// tell them apart.
func (s *Service) visibleOrder(ctx context.Context, caller order.Caller, id int64) (order.Order, error) {
	notFound := order.Errorf(order.NotFound, "order_not_found", "No order %d exists.", id)
	if id <= 0 || id > order.MaxERPID {
		return order.Order{}, notFound
	}
	o, err := s.mirror.Order(ctx, s.tenant.ID, id)
	if order.IsKind(err, order.NotFound) {
		o, err = s.fetchOrder(ctx, id)
	}
	switch {
	case order.IsKind(err, order.NotFound):
		return order.Order{}, notFound
	case err != nil:
		return order.Order{}, databaseUnavailable(err)
	}
	company, err := s.visibleCompany(ctx, caller)
	if err != nil {
		return order.Order{}, err
	}
	if company == 0 {
		return o, nil
	}
	owner, err := s.Customer(ctx, o.Customer.ERPPartnerID)
	if err != nil && !order.IsKind(err, order.NotFound) {
		return order.Order{}, err
	}
	if cmp.Or(owner.ERPCompanyID, owner.ERPPartnerID) != company {
		return order.Order{}, notFound
	}
	return o, nil
}

// fetchOrder brings one order from the ERP into the mirror and returns it from there.
func (s *Service) fetchOrder(ctx context.Context, id int64) (order.Order, error) {
	snapshots, err := s.erp.Orders(ctx, []int64{id})
	if err != nil {
		return order.Order{}, erpUnavailable(err)
	}
	if _, err := s.ingest(ctx, snapshots, "sync"); err != nil {
		return order.Order{}, unavailable(err)
	}
	return s.mirror.Order(ctx, s.tenant.ID, id)
}

// visibleCompany returns the company whose orders a caller sees, 0 for all.
func (s *Service) visibleCompany(ctx context.Context, caller order.Caller) (int64, error) {
	if caller.Role != order.RoleCustomer {
		return 0, nil
	}
	c, err := s.Customer(ctx, caller.ERPPartnerID)
	if order.IsKind(err, order.NotFound) {
		return 0, order.Errorf(order.Forbidden, "customer_gone", "The customer that this key is bound to no longer exists in the ERP.")
	}
	if err != nil {
		return 0, err
	}
	return cmp.Or(c.ERPCompanyID, c.ERPPartnerID), nil // never 0, which stands for all
}
