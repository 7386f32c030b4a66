package ordersync

import (
	"context"
	"fmt"

	"ordergate/order"
)

// resolve turns a request's names into the ERP's ids, from the mirror where it knows them and from the ERP where it
// does not. Nothing is written to the ERP. Errors: 422 for names that mean nothing or too much, 503 if neither side can tell.
func (s *Service) resolve(ctx context.Context, req *order.Request) (order.Plan, error) {
	precision, err := s.erp.Precision(ctx)
	if err != nil {
		return order.Plan{}, erpUnavailable(err)
	}
	if err := req.ValidatePrecision(precision); err != nil {
		return order.Plan{}, err
	}

	var plan order.Plan
	if plan.ProductIDs, err = s.resolveSKUs(ctx, req.Lines); err != nil {
		return order.Plan{}, err
	}
	if err := s.resolveCustomer(ctx, req.Customer, &plan); err != nil {
		return order.Plan{}, err
	}
	if a := req.ShippingAddress; a != nil {
		if plan.CountryID, plan.StateID, err = s.resolveCountry(ctx, "shipping_address.", a); err != nil {
			return order.Plan{}, err
		}
	}
	return plan, nil
}

// resolveCountry returns the ids of an address's country and state; its fields are named from prefix on.
func (s *Service) resolveCountry(ctx context.Context, prefix string, a *order.Address) (countryID, stateID int64, err error) {
	if countryID, stateID, err = s.erp.Country(ctx, a.Country, a.State); err != nil {
		return 0, 0, erpUnavailable(err)
	}
	if countryID == 0 {
		return 0, 0, order.Invalid("unknown_country", prefix+"country", "The ERP knows no country %q.", a.Country)
	}
	if a.State != "" && stateID == 0 {
		return 0, 0, order.Invalid("unknown_state", prefix+"state", "The ERP knows no state %q in %s.", a.State, a.Country)
	}
	return countryID, stateID, nil
}

// resolveSKUs returns one product id a line, 0 for one without a SKU. What the mirror cannot answer for certain is asked of the ERP, because the
// product may be newer than the mirror, or have changed.
func (s *Service) resolveSKUs(ctx context.Context, lines []order.RequestLine) ([]int64, error) {
	skus := distinctSKUs(lines)
	known, err := s.mirror.ProductsBySKU(ctx, s.tenant.ID, skus)
	if err != nil {
		return nil, databaseUnavailable(err)
	}
	bySKU := groupBySKU(known)

	var doubtful []string
	for _, sku := range skus {
		if len(sellable(bySKU[sku])) != 1 {
			doubtful = append(doubtful, sku)
		}
	}
	if len(doubtful) > 0 {
		asked, err := s.erp.ProductsBySKU(ctx, doubtful)
		if err != nil {
			return nil, erpUnavailable(err)
		}
		if err := s.mirror.UpsertProducts(ctx, s.tenant.ID, asked); err != nil {
			return nil, databaseUnavailable(err)
		}
		answers := groupBySKU(asked)
		for _, sku := range doubtful {
			bySKU[sku] = answers[sku]
		}
	}

	ids := make([]int64, len(lines))
	var refused *order.Error
	for i, l := range lines {
		products := sellable(bySKU[l.SKU])
		if l.SKU == "" { // a change's line that stands
			continue
		}
		if len(products) == 1 {
			ids[i] = products[0].ERPProductID
			continue
		}
		e := unusableSKU(fmt.Sprintf("lines[%d].sku", i), l.SKU, bySKU[l.SKU])
		if refused == nil {
			refused = e
		} else {
			refused.Violations = append(refused.Violations, e.Violations...)
		}
	}
	if refused != nil {
		return nil, refused
	}
	return ids, nil
}

// unusableSKU says why a SKU does not name exactly one product that can be sold.
func unusableSKU(field, sku string, products []order.Product) *order.Error {
	if len(sellable(products)) > 1 {
		return order.Invalid("ambiguous_sku", field, "%d products of the ERP share the SKU %q; it must be unique there before it can be ordered.", len(sellable(products)), sku)
	}
	for _, p := range products {
		if p.Active {
			return order.Invalid("unsellable_sku", field, "The product %q may not be sold.", sku)
		}
	}
	if len(products) > 0 {
		return order.Invalid("archived_sku", field, "The product %q is archived.", sku)
	}
	return order.Invalid("unknown_sku", field, "No product has the SKU %q.", sku)
}

func (s *Service) resolveCustomer(ctx context.Context, c order.CustomerRef, plan *order.Plan) error {
	if c.ERPPartnerID != 0 {
		known, err := s.Customer(ctx, c.ERPPartnerID)
		if err != nil {
			if order.IsKind(err, order.NotFound) {
				return order.Invalid("unknown_customer", "customer.erp_partner_id", "The ERP has no partner %d.", c.ERPPartnerID)
			}
			return err
		}
		if !known.Active {
			return order.Invalid("archived_customer", "customer.erp_partner_id", "The partner %d is archived in the ERP.", c.ERPPartnerID)
		}
		plan.PartnerID = c.ERPPartnerID
		return nil
	}
	known, err := s.mirror.CustomerByRef(ctx, s.tenant.ID, c.Ref)
	switch {
	case err == nil && !known.Active:
		return order.Invalid("archived_customer", "customer.ref", "The customer %q is archived in the ERP.", c.Ref)
	case err == nil:
		plan.PartnerID = known.ERPPartnerID
		return nil
	case !order.IsKind(err, order.NotFound):
		return databaseUnavailable(err)
	}
	if err := c.ValidateNew("customer."); err != nil {
		return err
	}
	return nil
}

func distinctSKUs(lines []order.RequestLine) []string {
	seen := make(map[string]bool, len(lines))
	var skus []string
	for _, l := range lines {
		if l.SKU != "" && !seen[l.SKU] {
			seen[l.SKU] = true
			skus = append(skus, l.SKU)
		}
	}
	return skus
}

func groupBySKU(products []order.Product) map[string][]order.Product {
	groups := make(map[string][]order.Product)
	for _, p := range products {
		groups[p.SKU] = append(groups[p.SKU], p)
	}
	return groups
}

func sellable(products []order.Product) []order.Product {
	var usable []order.Product
	for _, p := range products {
		if p.Active && p.Sellable {
			usable = append(usable, p)
		}
	}
	return usable
}
