package ordersync

import (
	"context"
	"slices"

	"ordergate/order"
)

// forgetDeleted drops from the mirror what a rejected order named and the ERP no longer has: nothing else would tell the
// mirror, and every later order would be refused for the same stale id, although its SKU or its ref is good.
func (s *Service) forgetDeleted(ctx context.Context, in *order.Intent) {
	if err := s.forgetDeletedProducts(ctx, in.Plan.ProductIDs); err != nil {
		s.log.WarnContext(ctx, "could not look for deleted products", "key", in.Key, "error", err)
	}
	if in.Plan.PartnerID == 0 {
		return
	}
	if err := s.forgetDeletedCustomer(ctx, in.Plan.PartnerID); err != nil {
		s.log.WarnContext(ctx, "could not look for a deleted customer", "key", in.Key, "error", err)
	}
}

func (s *Service) forgetDeletedProducts(ctx context.Context, ids []int64) error {
	present, err := s.erp.ProductsByID(ctx, ids)
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return slices.ContainsFunc(present, func(p order.Product) bool { return p.ERPProductID == id })
	})
	if len(gone) == 0 {
		return nil
	}
	return s.mirror.ForgetProducts(ctx, s.tenant.ID, gone)
}

func (s *Service) forgetDeletedCustomer(ctx context.Context, partnerID int64) error {
	present, err := s.erp.PartnersByID(ctx, []int64{partnerID})
	if err != nil || len(present) > 0 {
		return err
	}
	return s.mirror.ForgetCustomers(ctx, s.tenant.ID, []int64{partnerID})
}
