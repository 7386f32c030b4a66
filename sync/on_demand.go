package ordersync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"ordergate/order"
)

// mostOnDemand is how many orders of a customer are read at once.
const mostOnDemand = 1000

// SyncReport says how the mirror relates to the ERP. It asks nothing of the ERP.
func (s *Service) SyncReport(ctx context.Context, caller order.Caller) (order.SyncReport, error) {
	if err := mayWatchSync(caller); err != nil {
		return order.SyncReport{}, err
	}
	status, err := s.syncStatus(ctx)
	if err != nil {
		return order.SyncReport{}, err
	}
	report, err := s.mirror.CountMirror(ctx, s.tenant.ID)
	if err != nil {
		return order.SyncReport{}, databaseUnavailable(err)
	}
	intents, err := s.mirror.CountIntents(ctx, s.tenant.ID)
	if err != nil {
		return order.SyncReport{}, databaseUnavailable(err)
	}
	b, err := s.mirror.Backfill(ctx, s.tenant.ID)
	if err != nil {
		return order.SyncReport{}, databaseUnavailable(err)
	}
	report.Status, report.InDoubt = status, intents.InDoubt+intents.Parked
	if !b.ERPBegan.IsZero() {
		report.FullSync = &order.FullSyncProgress{Orders: b.Orders, AfterID: b.AfterID, Since: b.Since}
	}
	return report, nil
}

// SyncNow reads what is wished for from the ERP and returns in how many orders that reading found something new: what the
// background or a webhook has brought before is not new. NotFound for an order that neither side has and for a customer
// that the mirror does not know; Conflict where all is wished for before the first full sync has ended; Unavailable while
// the ERP does not answer, and while so much has changed there that everything must be read again.
func (s *Service) SyncNow(ctx context.Context, caller order.Caller, wish order.SyncWish) (found int, status order.SyncStatus, err error) {
	if err := mayWatchSync(caller); err != nil {
		return 0, status, err
	}
	switch {
	case wish.OrderID != 0:
		found, err = s.syncOrder(ctx, wish.OrderID)
	case wish.CustomerRef != "":
		found, err = s.syncCustomer(ctx, wish.CustomerRef)
	default:
		found, err = s.syncAll(ctx)
	}
	if err != nil {
		return 0, status, err
	}
	status, err = s.syncStatus(ctx)
	return found, status, err
}

func mayWatchSync(caller order.Caller) error {
	if caller.Role == order.RoleCustomer {
		return order.Errorf(order.Forbidden, "role_forbidden", "This key may not look after the sync.")
	}
	return nil
}

func (s *Service) syncOrder(ctx context.Context, id int64) (int, error) {
	notFound := order.Errorf(order.NotFound, "order_not_found", "No order %d exists.", id)
	if id < 0 || id > order.MaxERPID {
		return 0, notFound
	}
	found, err := s.readNow(ctx, []int64{id})
	if err != nil {
		return 0, err
	}
	_, err = s.mirror.Order(ctx, s.tenant.ID, id)
	switch {
	case order.IsKind(err, order.NotFound):
		return 0, notFound
	case err != nil:
		return 0, databaseUnavailable(err)
	}
	return found, nil
}

func (s *Service) syncCustomer(ctx context.Context, ref string) (int, error) {
	c, err := s.mirror.CustomerByRef(ctx, s.tenant.ID, ref)
	if order.IsKind(err, order.NotFound) {
		return 0, order.Errorf(order.NotFound, "customer_not_found", "No customer has the ref %q.", ref)
	}
	if err != nil {
		return 0, databaseUnavailable(err)
	}
	ids, err := s.erp.OrdersOf(ctx, c.ERPPartnerID, mostOnDemand)
	if err != nil {
		return 0, erpUnavailable(err)
	}
	from := int64(0)
	if len(ids) == mostOnDemand {
		from = ids[0] // what lies before was not asked for
	}
	mirrored, err := s.mirror.PartnerOrderIDs(ctx, s.tenant.ID, c.ERPPartnerID, from, 2*mostOnDemand)
	if err != nil {
		return 0, databaseUnavailable(err)
	}
	ids = append(ids, mirrored...) // of which the ERP may not have some any more
	slices.Sort(ids)
	return s.readNow(ctx, slices.Compact(ids))
}

// readNow reads orders, and buries those that the ERP does not have any more.
func (s *Service) readNow(ctx context.Context, ids []int64) (int, error) {
	read, err := s.mirrorOrders(ctx, ids, nil)
	if err != nil {
		return 0, unavailable(err)
	}
	gone, err := s.gone(ctx, ids)
	if err != nil {
		return 0, unavailable(err)
	}
	deleted, err := s.markDeleted(ctx, gone)
	if err != nil {
		return 0, unavailable(err)
	}
	return read + deleted, nil
}

// syncAll waits for a sync that begins after it was asked for. Callers that share one are told the same.
func (s *Service) syncAll(ctx context.Context) (found int, err error) {
	asked := s.now()
	status, err := s.syncStatus(ctx)
	if err != nil {
		return 0, err
	}
	if status.Reason == neverSynced {
		return 0, errNeverSynced
	}
	for {
		call := s.joinSync()
		select {
		case <-call.done:
		case <-ctx.Done():
			return 0, erpUnavailable(ctx.Err())
		}
		if errors.Is(call.err, errTooManyChanges) {
			return 0, order.Errorf(order.Unavailable, "sync_behind",
				"So much has changed in the ERP that everything is read again in the background.").RetryIn(time.Minute).Because(call.err)
		}
		if call.err != nil {
			return 0, unavailable(call.err)
		}
		found += call.found
		if !call.began.Before(asked) { // one that ran already may have passed what the caller wants to see
			return found, nil
		}
	}
}

// orderSync says how what the mirror says of an order relates to the ERP.
func (s *Service) orderSync(ctx context.Context, o order.Order, status order.SyncStatus) (order.OrderSync, error) {
	sync := order.OrderSync{State: order.SyncSynced, SyncedAt: status.SyncedAt}
	inDoubt, err := s.mirror.OrderInDoubt(ctx, s.tenant.ID, o.ID)
	if err != nil {
		return sync, databaseUnavailable(err)
	}
	switch {
	case !o.DeletedAt.IsZero():
		sync.State, sync.Reason = order.SyncDeleted, "The ERP no longer has it."
	case inDoubt:
		sync.State, sync.Reason = order.SyncInDoubt, "The outcome of something that was sent to the ERP for it is not known yet."
	case o.Edits != nil && o.Edits.Any():
		sync.State = order.SyncDrifted
		sync.Reason = "It differs from what was sent: " + o.Edits.Summary(o.Currency, o.CurrencyDecimals) + "."
	case status.State == order.Stale:
		sync.State, sync.Reason = order.SyncStale, cmp.Or(status.Reason, "The mirror is too old.")
	}
	return sync, nil
}
