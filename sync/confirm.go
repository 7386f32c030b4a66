package ordersync

import (
	"context"
	"errors"
	"time"

	"ordergate/odoo"
	"ordergate/order"
)

// Confirm confirms an order in the ERP and returns it. An order that is confirmed already is returned as it is.
// Errors: Forbidden, NotFound, Conflict if its state or the ERP's rules do not allow it, Unavailable if the ERP gave no
// clear answer; repeating is safe after any.
func (s *Service) Confirm(ctx context.Context, caller order.Caller, id int64) (order.Order, error) {
	if caller.Role == order.RoleCustomer && !s.tenant.Settings.CustomerMayConfirm {
		return order.Order{}, order.Errorf(order.Forbidden, "confirm_forbidden", "This key may not confirm orders.")
	}
	if _, err := s.visibleOrder(ctx, caller, id); err != nil {
		return order.Order{}, err
	}
	before, err := s.refresh(ctx, id, caller.Name)
	if err != nil {
		return order.Order{}, err
	}
	switch before.Status {
	case order.Confirmed, order.Done:
		return before, nil
	case order.Cancelled:
		return order.Order{}, order.Errorf(order.Conflict, "order_cancelled", "Order %s is cancelled and cannot be confirmed.", before.Number)
	}

	// Neither success nor failure of the call proves anything: the order's state does.
	callErr := s.erp.ConfirmOrder(ctx, id)
	after, err := s.refresh(ctx, id, caller.Name)
	if err != nil && !order.IsKind(err, order.NotFound) {
		return order.Order{}, confirmUnknown(errors.Join(callErr, err))
	}
	if err != nil {
		return order.Order{}, err
	}
	if after.Status == order.Confirmed || after.Status == order.Done {
		return after, nil
	}
	var refused *odoo.Error
	if errors.As(callErr, &refused) && refused.Outcome == odoo.Rejected && refused.Reason == odoo.BusinessRule {
		return order.Order{}, order.Errorf(order.Conflict, "confirm_refused", "The ERP would not confirm the order: %s", refused.Message).Because(callErr)
	}
	if callErr != nil && outcome(callErr) != odoo.Unknown {
		return order.Order{}, erpUnavailable(callErr)
	}
	return order.Order{}, confirmUnknown(callErr)
}

// confirmUnknown is the answer when the ERP was asked to confirm and nobody can say whether it did.
func confirmUnknown(cause error) *order.Error {
	return order.Errorf(order.Unavailable, "confirm_unknown",
		"The ERP was asked to confirm the order and gave no clear answer. Try again: an order is confirmed once, however often it is asked for.").
		RetryIn(5 * time.Second).Because(cause)
}

// refresh reads an order from the ERP into the mirror and returns it.
func (s *Service) refresh(ctx context.Context, id int64, recordedBy string) (order.Order, error) {
	snapshots, err := s.erp.Orders(ctx, []int64{id})
	if err != nil {
		return order.Order{}, erpUnavailable(err)
	}
	if len(snapshots) == 0 {
		return order.Order{}, order.Errorf(order.NotFound, "order_not_found", "No order %d exists.", id)
	}
	if _, err := s.ingest(ctx, snapshots, recordedBy); err != nil {
		return order.Order{}, unavailable(err)
	}
	o, err := s.mirror.Order(ctx, s.tenant.ID, id)
	if err != nil {
		return order.Order{}, databaseUnavailable(err)
	}
	return o, nil
}
