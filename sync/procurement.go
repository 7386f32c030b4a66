package ordersync

import (
	"context"

	"ordergate/order"
)

// Procurement returns the purchase orders that the ERP raised for an order that the caller may see, by rising id, as the ERP says they stand
// now. What the order's history does not say of them yet is entered there, before the sync does. Errors: NotFound; Unsupported where the
// ERP has no purchases, Forbidden where the gateway's user may not read them; Unavailable.
func (s *Service) Procurement(ctx context.Context, caller order.Caller, id int64) ([]order.Purchase, error) {
	if _, err := s.visibleOrder(ctx, caller, id); err != nil {
		return nil, err
	}
	known, err := s.mirror.KnownFacts(ctx, s.tenant.ID, id)
	if err != nil {
		return nil, databaseUnavailable(err)
	}
	purchases, installed, permitted, err := s.erp.Purchases(ctx, id, known.Purchases())
	switch {
	case err != nil:
		return nil, notRead(err, "purchase orders")
	case !installed:
		return nil, order.Errorf(order.Unsupported, "purchase_missing",
			"The ERP raises no purchase orders for orders. Install the application Purchase (purchase) there.")
	case !permitted:
		return nil, erpRightsMissing("read purchase orders", "the group Purchase / User.", nil)
	}
	if err := s.namePurchased(ctx, purchases); err != nil {
		return nil, notRead(err, "products")
	}
	news := func(known order.Known) []order.HistoryEntry { return known.NewsOfPurchases(id, purchases) }
	if len(news(known)) == 0 {
		return purchases, nil
	}
	if err := s.mirror.TellHistory(ctx, s.tenant.ID, id, "sync", news); err != nil {
		return nil, databaseUnavailable(err)
	}
	return purchases, nil
}

// namePurchased sets the SKUs of what is bought.
func (s *Service) namePurchased(ctx context.Context, purchases []order.Purchase) error {
	products := map[int64]bool{}
	for _, p := range purchases {
		for _, l := range p.Lines {
			if l.ProductID != 0 {
				products[l.ProductID] = true
			}
		}
	}
	skus, err := s.skus(ctx, products)
	for i := range purchases {
		for j := range purchases[i].Lines {
			l := &purchases[i].Lines[j]
			l.SKU = skus[l.ProductID]
		}
	}
	return err
}
