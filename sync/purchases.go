package ordersync

import (
	"context"
	"maps"
	"slices"
	"time"

	"ordergate/odoo"
	"ordergate/order"
)

// toldPurchases remembers which state of purchase orders the histories were told, by id: the looks back of a sync overlap. What is forgotten
// is read once more, and told once all the same. It needs syncing.
type toldPurchases map[int64]order.Head

// syncPurchases tells the histories of the mirror's orders what became of the purchase orders that were written since the last time, whoever
// wrote them. It waits for the mirror to be complete.
func (s *Service) syncPurchases(ctx context.Context) error {
	orders, err := s.mirror.Cursor(ctx, s.tenant.ID, ordersModel)
	if err != nil || !orders.Complete {
		return err
	}
	return s.syncCatalogue(ctx, purchasesModel, func(since time.Time) (time.Time, error) {
		var latest time.Time
		page := odoo.Page{Since: since, Limit: headPage}
		for {
			erpNow := s.erp.Now()
			lines, err := s.erp.PurchaseLineHeads(ctx, page)
			if err != nil {
				return latest, err
			}
			heads := map[int64]order.Head{}
			for _, l := range lines {
				heads[l.OrderID] = order.Head{ID: l.OrderID, WriteDate: later(heads[l.OrderID].WriteDate, l.WriteDate), ReadAt: erpNow}
				latest = later(latest, l.WriteDate)
				page.AfterID = l.ID
			}
			if err := s.tellPurchases(ctx, heads, erpNow); err != nil {
				return latest, err
			}
			if len(lines) < page.Limit {
				maps.DeleteFunc(s.purchases, func(_ int64, told order.Head) bool { return told.WriteDate.Before(since) })
				return latest, nil
			}
		}
	})
}

// tellPurchases tells the histories of orders what is new of purchase orders.
func (s *Service) tellPurchases(ctx context.Context, heads map[int64]order.Head, erpNow time.Time) error {
	var ids []int64
	for _, id := range sortedIDs(heads) {
		if changed(heads[id], s.purchases[id], erpNow, s.cfg.TransactionLimit) {
			ids = append(ids, id)
		}
	}
	for page := range slices.Chunk(ids, orderPage) {
		of, err := s.erp.PurchasesByOrder(ctx, page)
		if err != nil {
			return err
		}
		orders := slices.Sorted(maps.Keys(of))
		held, err := s.heldOrFetched(ctx, orders)
		if err != nil {
			return err
		}
		told := maps.Clone(heads)
		for _, id := range orders {
			if held[id].ID != 0 {
				if err := s.tellPurchasesOf(ctx, id, of[id]); err != nil {
					return err
				}
				continue
			}
			for _, p := range of[id] { // the order may come yet
				delete(told, p.ID)
			}
		}
		for _, id := range page {
			if head, all := told[id]; all {
				s.purchases[id] = head
			}
		}
	}
	return nil
}

// heldOrFetched returns what the mirror holds of orders, after it fetched those that it lacks: nobody would tell of their purchases later.
func (s *Service) heldOrFetched(ctx context.Context, orders []int64) (map[int64]order.Head, error) {
	held, err := s.mirror.OrderHeads(ctx, s.tenant.ID, orders)
	if err != nil {
		return nil, err
	}
	missing := slices.DeleteFunc(slices.Clone(orders), func(id int64) bool { return held[id].ID != 0 })
	if len(missing) == 0 {
		return held, nil
	}
	if _, err := s.mirrorOrders(ctx, missing, nil); err != nil {
		return nil, err
	}
	return s.mirror.OrderHeads(ctx, s.tenant.ID, orders)
}

// tellPurchasesOf tells the history of one order what is new of its purchase orders.
func (s *Service) tellPurchasesOf(ctx context.Context, id int64, purchases []order.Purchase) error {
	news := func(known order.Known) []order.HistoryEntry {
		its := slices.DeleteFunc(slices.Clone(purchases), func(p order.Purchase) bool {
			return len(p.Lines) == 0 && !slices.Contains(known.Purchases(), p.ID) // it may be another's
		})
		return known.NewsOfPurchases(id, its)
	}
	known, err := s.mirror.KnownFacts(ctx, s.tenant.ID, id)
	if err != nil || len(news(known)) == 0 {
		return err
	}
	err = s.mirror.TellHistory(ctx, s.tenant.ID, id, "sync", news)
	if order.IsKind(err, order.NotFound) {
		return nil
	}
	return err
}
