package ordersync

import (
	"context"
	"time"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// Products lists the mirror's products. They are brought in the background: the status is of their last sync.
func (s *Service) Products(ctx context.Context, _ order.Caller, f order.CatalogueFilter) ([]order.Product, order.SyncStatus, error) {
	products, err := s.mirror.ListProducts(ctx, s.tenant.ID, f)
	if err != nil {
		return nil, order.SyncStatus{}, databaseUnavailable(err)
	}
	status, err := s.catalogueStatus(ctx, productsModel)
	return products, status, err
}

// Customers lists the customers that the mirror knows: those that the gateway created and those that have orders.
func (s *Service) Customers(ctx context.Context, caller order.Caller, f order.CatalogueFilter) ([]order.Customer, order.SyncStatus, error) {
	if caller.Role == order.RoleCustomer {
		return nil, order.SyncStatus{}, order.Errorf(order.Forbidden, "role_forbidden", "This key may not list customers.")
	}
	customers, err := s.mirror.ListCustomers(ctx, s.tenant.ID, f)
	if err != nil {
		return nil, order.SyncStatus{}, databaseUnavailable(err)
	}
	status, err := s.catalogueStatus(ctx, partnersModel)
	return customers, status, err
}

// catalogueStatus says how old the mirror of a model is that only the background sync brings. It is stale once two
// rounds of that were missed.
func (s *Service) catalogueStatus(ctx context.Context, model string) (order.SyncStatus, error) {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, model)
	if err != nil {
		return order.SyncStatus{}, databaseUnavailable(err)
	}
	status := order.SyncStatus{State: order.Fresh, SyncedAt: cursor.SyncedAt}
	switch age := s.now().Sub(cursor.SyncedAt); {
	case !cursor.Complete:
		status.State, status.Reason = order.Stale, neverSynced
	case age > 3*slowest(s.cfg.SyncInterval) || age < -store.ClockSlack:
		status.State, status.Reason = order.Stale, "It was last brought from the ERP "+age.Round(time.Second).String()+" ago."
	}
	return status, nil
}

// syncProducts brings the products that were written since the last time, archived ones too.
func (s *Service) syncProducts(ctx context.Context) error {
	return s.syncCatalogue(ctx, productsModel, func(since time.Time) (time.Time, error) {
		var latest time.Time
		page := odoo.Page{Since: since, Limit: headPage}
		for {
			products, err := s.erp.Products(ctx, page)
			if err != nil {
				return latest, err
			}
			if err := s.mirror.UpsertProducts(ctx, s.tenant.ID, products); err != nil {
				return latest, err
			}
			for _, p := range products {
				latest = later(latest, p.WriteDate)
			}
			if len(products) < page.Limit {
				return latest, nil
			}
			page.AfterID = products[len(products)-1].ERPProductID
		}
	})
}

// syncPartners brings what changed of the partners that the mirror knows. Others are read when an order names them.
func (s *Service) syncPartners(ctx context.Context) error {
	return s.syncCatalogue(ctx, partnersModel, func(since time.Time) (time.Time, error) {
		var latest time.Time
		page := odoo.Page{Since: since, Limit: headPage}
		for {
			partners, err := s.erp.Partners(ctx, page)
			if err != nil {
				return latest, err
			}
			if err := s.updateKnown(ctx, partners); err != nil {
				return latest, err
			}
			for _, p := range partners {
				latest = later(latest, p.WriteDate)
				page.AfterID = p.ERPPartnerID
			}
			if len(partners) < page.Limit {
				return latest, nil
			}
		}
	})
}

func (s *Service) updateKnown(ctx context.Context, partners []order.Customer) error {
	if len(partners) == 0 {
		return nil
	}
	byID := make(map[int64]order.Customer, len(partners))
	ids := make([]int64, len(partners))
	for i, p := range partners {
		byID[p.ERPPartnerID] = p
		ids[i] = p.ERPPartnerID
	}
	known, err := s.mirror.CustomersByPartner(ctx, s.tenant.ID, ids)
	if err != nil {
		return err
	}
	updates := make([]order.Customer, len(known))
	for i, k := range known {
		updates[i] = byID[k.ERPPartnerID]
		updates[i].CreatedAt = k.CreatedAt
	}
	return s.mirror.UpsertCustomers(ctx, s.tenant.ID, updates)
}

// syncCatalogue runs bring from where the model's cursor stands, and moves the cursor once it is done.
func (s *Service) syncCatalogue(ctx context.Context, model string, bring func(since time.Time) (latest time.Time, err error)) error {
	cursor, err := s.mirror.Cursor(ctx, s.tenant.ID, model)
	if err != nil {
		return err
	}
	began, erpBegan := s.now(), s.erp.Now()
	latest, err := bring(lookBack(cursor.WriteDate, erpBegan, s.cfg.TransactionLimit))
	if err != nil {
		return err
	}
	return s.advance(ctx, model, store.Cursor{WriteDate: earlier(latest, erpBegan), SyncedAt: began, Complete: true}, s.runner.holder())
}
