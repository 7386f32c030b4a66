package ordersync

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ordergate/odoo"
	"ordergate/order"
)

// CreateCustomer creates a customer in the ERP first, once per (tenant, ref). An existing one is returned as it is,
// with created false: what was edited in the ERP is not overwritten. Safe to repeat after any error.
func (s *Service) CreateCustomer(ctx context.Context, caller order.Caller, c order.CustomerRef) (customer order.Customer, created bool, err error) {
	if caller.Role == order.RoleCustomer {
		return order.Customer{}, false, order.Errorf(order.Forbidden, "role_forbidden", "This key may not create customers.")
	}
	if err := c.ValidateNew(""); err != nil {
		return order.Customer{}, false, err
	}
	known, err := s.mirror.CustomerByRef(ctx, s.tenant.ID, c.Ref)
	if err == nil {
		return known, false, nil
	}
	if !order.IsKind(err, order.NotFound) {
		return order.Customer{}, false, databaseUnavailable(err)
	}
	customer, err = s.createCustomer(ctx, c)
	if err != nil {
		if outcome(err) == odoo.Rejected && reason(err) == odoo.BusinessRule {
			return order.Customer{}, false, rejection(err)
		}
		return order.Customer{}, false, unavailable(err)
	}
	return customer, true, nil
}

// createCustomer creates the partner of a ref in the ERP if it is absent, and mirrors it.
func (s *Service) createCustomer(ctx context.Context, c order.CustomerRef) (order.Customer, error) {
	loaded := s.erp.EnsurePartners(ctx, []odoo.NewPartner{newCustomer(s.tenant.Name, c)})[0]
	if loaded.Err != nil {
		return order.Customer{}, loaded.Err
	}
	return s.mirrorCustomer(ctx, loaded.ID, c.Ref)
}

// Customer returns a partner from the mirror, or from the ERP if the mirror does not hold it yet. NotFound if neither does.
func (s *Service) Customer(ctx context.Context, partnerID int64) (order.Customer, error) {
	known, err := s.mirror.CustomersByPartner(ctx, s.tenant.ID, []int64{partnerID})
	if err != nil {
		return order.Customer{}, databaseUnavailable(err)
	}
	if len(known) == 1 {
		return known[0], nil
	}
	c, err := s.mirrorCustomer(ctx, partnerID, "")
	if err != nil && !order.IsKind(err, order.NotFound) {
		return order.Customer{}, unavailable(err)
	}
	return c, err
}

// mirrorNewcomers reads the partners of new customers into the mirror: all together, or, if that fails for what one of them
// holds, each for itself.
func (s *Service) mirrorNewcomers(ctx context.Context, newcomers []*attempt) {
	if len(newcomers) == 0 {
		return
	}
	refs := make(map[int64]string, len(newcomers))
	for _, a := range newcomers {
		refs[a.partnerID] = a.in.Request.Customer.Ref
	}
	read, err := s.erp.PartnersByID(ctx, slices.Sorted(maps.Keys(refs)))
	shown := make(map[int64]bool, len(read))
	for i := range read {
		read[i].Ref, read[i].CreatedAt = refs[read[i].ERPPartnerID], s.now()
		shown[read[i].ERPPartnerID] = true
	}
	if err == nil {
		err = s.mirror.UpsertCustomers(ctx, s.tenant.ID, read)
	}
	if err != nil && !general(err) && len(newcomers) > 1 {
		for i := range newcomers {
			s.mirrorNewcomers(ctx, newcomers[i:i+1])
		}
		return
	}
	for _, a := range newcomers {
		switch {
		case err != nil:
			a.fail(odoo.NotSent, err)
		case !shown[a.partnerID]:
			a.fail(odoo.NotSent, &odoo.Error{Outcome: odoo.NotSent, Reason: odoo.AccessRights, Method: "res.partner.read", Row: -1,
				Message: fmt.Sprintf("Odoo does not show the gateway's user the partner %d, which it made for this customer", a.partnerID)})
		}
	}
}

// mirrorCustomer reads a partner from the ERP into the mirror.
func (s *Service) mirrorCustomer(ctx context.Context, partnerID int64, ref string) (order.Customer, error) {
	read, err := s.erp.PartnersByID(ctx, []int64{partnerID})
	if err != nil {
		return order.Customer{}, err
	}
	if len(read) == 0 {
		return order.Customer{}, order.Errorf(order.NotFound, "customer_not_found", "The ERP has no partner %d.", partnerID)
	}
	read[0].Ref = ref
	read[0].CreatedAt = s.now()
	if err := s.mirror.UpsertCustomers(ctx, s.tenant.ID, read); err != nil {
		return order.Customer{}, err
	}
	return read[0], nil
}
