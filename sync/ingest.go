package ordersync

import (
	"context"

	"ordergate/order"
	"ordergate/store"
)

// ingest brings snapshots into the mirror, with the products and customers that they name. It returns in how many of them
// there was something new.
func (s *Service) ingest(ctx context.Context, snapshots []order.Snapshot, recordedBy string) (found int, err error) {
	if len(snapshots) == 0 {
		return 0, nil
	}
	if err := s.complete(ctx, snapshots); err != nil {
		return 0, err
	}
	done, err := s.mirror.UpsertOrders(ctx, s.tenant.ID, snapshots, recordedBy)
	s.count(done)
	return done.Created + done.Updated, err
}

func (s *Service) count(done store.Upserted) {
	s.metrics.mirrored.WithLabelValues("created").Add(float64(done.Created))
	s.metrics.mirrored.WithLabelValues("updated").Add(float64(done.Updated))
	s.metrics.mirrored.WithLabelValues("unchanged").Add(float64(done.Unchanged))
	s.metrics.mirrored.WithLabelValues("older").Add(float64(done.Older))
	s.found.Add(int64(done.Created + done.Updated))
}

// complete sets the lines' SKUs, and makes sure that the mirror holds the customers, which decide who sees an order.
func (s *Service) complete(ctx context.Context, snapshots []order.Snapshot) error {
	products, partners := make(map[int64]bool), make(map[int64]bool)
	for _, snapshot := range snapshots {
		partners[snapshot.Customer.ERPPartnerID] = true
		for _, l := range snapshot.Lines {
			if l.ERPProductID != 0 {
				products[l.ERPProductID] = true
			}
		}
	}
	if err := s.completePartners(ctx, partners); err != nil {
		return err
	}
	skus, err := s.skus(ctx, products)
	if err != nil {
		return err
	}
	for i := range snapshots {
		for j := range snapshots[i].Lines {
			l := &snapshots[i].Lines[j]
			l.SKU = skus[l.ERPProductID]
		}
	}
	return nil
}

// skus returns the SKU of each product, from the mirror or else from the ERP.
func (s *Service) skus(ctx context.Context, products map[int64]bool) (map[int64]string, error) {
	skus := make(map[int64]string, len(products))
	known, err := s.mirror.ProductsByID(ctx, s.tenant.ID, keys(products))
	if err != nil {
		return nil, err
	}
	for _, p := range known {
		skus[p.ERPProductID] = p.SKU
		delete(products, p.ERPProductID)
	}
	if len(products) == 0 {
		return skus, nil
	}
	read, err := s.erp.ProductsByID(ctx, keys(products))
	if err != nil {
		return nil, err
	}
	for _, p := range read {
		skus[p.ERPProductID] = p.SKU
	}
	return skus, s.mirror.UpsertProducts(ctx, s.tenant.ID, read)
}

func (s *Service) completePartners(ctx context.Context, partners map[int64]bool) error {
	known, err := s.mirror.CustomersByPartner(ctx, s.tenant.ID, keys(partners))
	if err != nil {
		return err
	}
	for _, c := range known {
		delete(partners, c.ERPPartnerID)
	}
	if len(partners) == 0 {
		return nil
	}
	read, err := s.erp.PartnersByID(ctx, keys(partners))
	if err != nil {
		return err
	}
	now := s.now()
	for i := range read {
		read[i].CreatedAt = now
	}
	return s.mirror.UpsertCustomers(ctx, s.tenant.ID, read)
}

func keys(set map[int64]bool) []int64 {
	ids := make([]int64, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	return ids
}
