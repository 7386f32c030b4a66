package ordersync

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

// outcome says what is certain about a failed ERP call. An error that is not the ERP client's proves nothing.
func outcome(err error) odoo.Outcome {
	var e *odoo.Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	return odoo.Unknown
}

// reason is the Reason of an ERP error, or empty.
func reason(err error) odoo.Reason {
	var e *odoo.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// general reports whether what kept an order from being sent lies in the ERP or the database as such, and not in the order:
// time mends it, for this order as for all.
func general(err error) bool {
	if errors.Is(err, errHalted) || errors.Is(err, errMayStillAppear) || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) {
		return true
	}
	r := reason(err)
	return r != "" && r != odoo.AccessRights && r != odoo.TooLarge
}

// erpUnavailable turns a failed ERP call into the 503 that a caller gets when nothing was accepted.
func erpUnavailable(err error) *order.Error {
	switch reason(err) {
	case odoo.LoginRefused, odoo.AccessRights, odoo.Misconfigured, odoo.TooLarge:
		return order.Errorf(order.Unavailable, "erp_misconfigured",
			"The ERP does not let the gateway in. Its operators must look at this; `ordergate doctor` says what is wrong. Nothing was accepted or changed.").
			RetryIn(time.Minute).Because(err)
	case odoo.BreakerOpen:
		return erpResting(err)
	default:
		return order.Errorf(order.Unavailable, "erp_unavailable",
			"The ERP cannot be reached. Nothing was accepted or changed; try again, with the same key if there is one.").
			RetryIn(5 * time.Second).Because(err)
	}
}

// erpRightsMissing is the answer where the gateway's user may not do something in the ERP. It may be asked for again.
func erpRightsMissing(what, grant string, cause error) *order.Error {
	return order.Errorf(order.Forbidden, "erp_rights_missing",
		"The gateway's user may not %s in the ERP. Its administrators must grant that: %s", what, grant).Because(cause)
}

// lacking returns what an error says that the ERP lacks, or its user may not: once that is mended there, the same key may ask again. nil if
// it says something else.
func lacking(err error) *order.Error {
	var e *order.Error
	if errors.As(err, &e) && (e.Kind == order.Unsupported || e.Code == "erp_rights_missing") {
		return e
	}
	return nil
}

// breakerOpen is the state in which the ERP is left alone.
const breakerOpen = "open"

// erpResting is the 503 of what is not even tried while the ERP is left alone.
func erpResting(cause error) *order.Error {
	return order.Errorf(order.Unavailable, "erp_unavailable",
		"The ERP has failed repeatedly and is being left alone for a moment. Nothing was accepted or changed; try again, with the same key if there is one.").
		RetryIn(10 * time.Second).Because(cause)
}

// unavailable turns a failed call of either side into the 503 of one that left no order behind.
func unavailable(err error) *order.Error {
	var fromERP *odoo.Error
	if errors.As(err, &fromERP) {
		return erpUnavailable(err)
	}
	if errors.Is(err, errHalted) {
		return waitTooLong(0)
	}
	return order.Errorf(order.Unavailable, "database_unavailable",
		"The gateway's database cannot be reached. Nothing was accepted or changed; try again.").RetryIn(5 * time.Second).Because(err)
}

// databaseUnavailable turns a failed database operation into the 503 of one that wrote nothing. Errors of the domain
// pass as they are, and so do defects, which nobody can be asked to try again.
func databaseUnavailable(err error) error {
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) {
		return unavailable(err)
	}
	return err
}

// rejection turns the ERP's refusal of an order into the 422 that its caller gets, naming the field of the request
// that Odoo's row and field stand for.
func rejection(err error) *order.Error {
	if errors.Is(err, errDeleted) {
		return order.Errorf(order.Unprocessable, "deleted_in_erp",
			"The order was placed and then deleted in the ERP before the gateway could read it back. It is not placed again.").Because(err)
	}
	var judged *order.Error // an order that could only be judged when its turn came
	if errors.As(err, &judged) && judged.Kind == order.Unprocessable {
		return judged
	}
	var e *odoo.Error
	if !errors.As(err, &e) {
		return order.Errorf(order.Unprocessable, "erp_rejected", "The ERP refused the order.").Because(err)
	}
	refused := order.Errorf(order.Unprocessable, "erp_rejected", "The ERP refused the order: %s", e.Message).Because(err)
	if field := requestField(e.Field, e.Row); field != "" {
		refused.Violations = []order.Violation{{Field: field, Message: e.Message}}
	}
	return refused
}

// requestField names the field of a request that a column of load stands for; empty if none does.
func requestField(column string, row int) string {
	top, sub, nested := strings.Cut(column, "/")
	switch top {
	case "partner_id":
		return "customer"
	case "client_order_ref":
		return "reference"
	case "note":
		return "note"
	case "partner_shipping_id":
		return "shipping_address"
	case "order_line":
		if !nested || row < 0 {
			return "lines"
		}
		name := map[string]string{"product_id": "sku", "product_uom_qty": "quantity", "price_unit": "unit_price", "discount": "discount"}
		if n, _, _ := strings.Cut(sub, "/"); name[n] != "" {
			return fmt.Sprintf("lines[%d].%s", row, name[n])
		}
		return fmt.Sprintf("lines[%d]", row)
	}
	return ""
}
