package ordersync

import (
	"context"
	"slices"

	"ordergate/odoo"
	"ordergate/order"
)

// Preview says what Place would send to the ERP for a request, and sends none of it: no intent is written, and the key is
// neither looked at nor taken. Without a key the external ids are those of a fresh one, which it returns. Errors are those that
// Place gives before it sends the order.
func (s *Service) Preview(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Preview, error) {
	if key == "" {
		key = s.cfg.NewToken()
	}
	if err := order.ValidateKey(key); err != nil {
		return order.Preview{}, err
	}
	ownOrder(caller, &req)
	if err := s.judgeRequest(caller, &req); err != nil {
		return order.Preview{}, err
	}
	return s.preview(ctx, order.Intent{Source: caller.Source, Key: key, Request: req})
}

// preview says what the next attempt at an intent would send.
func (s *Service) preview(ctx context.Context, in order.Intent) (order.Preview, error) {
	if !in.Plan.Resolved() {
		var err error
		if in.Plan, err = s.resolve(ctx, &in.Request); err != nil {
			return order.Preview{}, err
		}
	}
	if s.tenant.Settings.StockCheck == order.StockRefuse && in.Plan.Stock == nil {
		if err := s.requireStock(ctx, in); err != nil {
			return order.Preview{}, err
		}
	}
	p := order.Preview{Key: in.Key, Confirm: in.Request.Confirm}
	partnerID, shippingID := in.Plan.PartnerID, int64(0)
	if partnerID == 0 {
		partnerID = odoo.ToBeCreated
		customer, err := s.erp.PreviewPartner(newCustomer(s.tenant.Name, in.Request.Customer))
		if err != nil {
			return order.Preview{}, previewFailed(err)
		}
		p.Customer = &customer
	}
	if a := in.Request.ShippingAddress; a != nil {
		shippingID = odoo.ToBeCreated
		address, err := s.erp.PreviewPartner(newAddress(s.tenant.Name, partnerID, *a, in.Plan))
		if err != nil {
			return order.Preview{}, previewFailed(err)
		}
		if partnerID == odoo.ToBeCreated {
			address.Rows[0][0] = "new" // its external id derives from the partner's id
		}
		p.ShippingAddress = &address
	}
	var err error
	if p.Order, err = s.erp.PreviewOrder(ctx, newOrder(s.tenant.Name, &in, partnerID, shippingID)); err != nil {
		return order.Preview{}, previewFailed(err)
	}
	return p, nil
}

// requireStock refuses what placing would refuse for want of stock.
func (s *Service) requireStock(ctx context.Context, in order.Intent) error {
	free, err := s.erp.FreeStock(ctx, slices.Compact(slices.Sorted(slices.Values(in.Plan.ProductIDs))))
	if err != nil {
		return unavailable(err)
	}
	if check := order.CheckStock(in.Request.Lines, in.Plan.ProductIDs, free); len(check.Short) > 0 {
		return outOfStock(in.Request.Lines, check.Short)
	}
	return nil
}

func previewFailed(err error) error {
	if outcome(err) == odoo.Rejected && reason(err) == odoo.BusinessRule {
		return rejection(err)
	}
	return unavailable(err)
}
