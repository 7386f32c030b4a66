package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ordergate/order"
)

// deed is how a kind of action is asked for, and what it leaves in Odoo. A new action of the gateway gets a row in deeds.
type deed struct {
	// request is what is asked for; not possible where the order, as the client knows it, leaves nothing to ask for.
	request func(d drawer, key string, v view, part int) (r request, possible bool)
	// leaves enters what the action leaves once it is done; nil: nothing that lasts.
	leaves func(l *life, a acted)
	// excuse reports whether a refusal with this code is right for an order that stands so. That its status does not allow the action is
	// looked at for all of them.
	excuse func(l life, a acted, code string) bool
	// realOnly says that the sandbox does not do it.
	realOnly bool
}

// request is what is asked for of an order. method is POST if empty, and path what follows the order's own.
type request struct {
	method, path string
	body         any
}

// deeds are the actions that clients carry out.
var deeds = map[order.ActionKind]deed{
	order.Hold: {
		request: always(request{path: "/hold", body: map[string]any{"reason": "to be looked at"}}),
		leaves:  func(l *life, _ acted) { l.onHold, l.approved = true, false },
	},
	order.Approve: {
		request: always(request{path: "/approve"}),
		leaves: func(l *life, _ acted) {
			if !l.confirmed {
				l.onHold, l.approved, l.confirmed = false, true, true
			}
		},
	},
	order.Confirm: {
		request: always(request{path: "/confirm"}),
		leaves:  func(l *life, _ acted) { l.confirmed = true },
	},
	order.Cancel: {
		request: always(request{path: "/cancel", body: map[string]any{"reason": "changed my mind"}}),
		leaves:  func(l *life, _ acted) { l.cancelled = true },
	},
	order.Fulfil: {
		request: requestFulfilment,
		leaves: func(l *life, a acted) {
			l.deliveries++
			l.send(a.lines())
		},
		excuse: func(l life, a acted, code string) bool {
			return code == "nothing_to_fulfil" && !l.isOpen() ||
				(code == "more_than_left" || code == "unknown_line") && a.exceeds(func(line int64) float64 { return l.ordered[line] - l.sent[line] })
		},
	},
	order.Bill: {
		request: always(request{path: "/invoices"}),
		leaves: func(l *life, _ acted) {
			l.invoices++
			for id := range l.ordered {
				l.invoiced[id] = l.billable(id)
			}
		},
		excuse: func(l life, _ acted, code string) bool { return code == "nothing_to_invoice" && !l.toInvoice() },
	},
	order.Pay: {
		request: requestPayment,
		leaves:  func(l *life, a acted) { l.paid[a.key] = payment{a.invoice(), a.amount()} },
		excuse: func(l life, a acted, code string) bool {
			return code == "more_than_due" && a.amount() > l.due(a.invoice())
		},
	},
	order.Return: {
		request: requestReturn, realOnly: true,
		leaves: func(l *life, a acted) { l.askBack(a.lines()) },
		excuse: func(l life, a acted, code string) bool {
			return code == "nothing_to_return" && !l.isWithCustomer() ||
				(code == "more_than_delivered" || code == "unknown_line") && a.exceeds(func(line int64) float64 { return l.sent[line] - l.asked[line] })
		},
	},
	order.Receive: {
		request: requestReceipt, realOnly: true,
		leaves: func(l *life, a acted) { l.receive(a.returnID()) },
	},
	order.Refund: {
		request: requestRefund, realOnly: true,
		leaves: func(l *life, a acted) {
			l.refunds = append(l.refunds, a.key)
			l.credit(a.lines())
		},
		excuse: func(l life, a acted, code string) bool {
			return code == "nothing_to_refund" && (len(a.lines()) == 0 && !l.isToCredit() || !l.isInvoiced()) ||
				(code == "more_than_invoiced" || code == "unknown_line") && a.exceeds(func(line int64) float64 { return l.invoiced[line] })
		},
	},
	order.Amend: {
		request: requestChange,
		leaves: func(l *life, a acted) {
			for line, quantity := range a.lines() {
				l.ordered[line] = quantity
			}
		},
		excuse: func(l life, _ acted, code string) bool {
			return code == "change_not_possible" && (l.confirmed || l.cancelled)
		},
	},
	order.Assign: {
		request: func(d drawer, _ string, _ view, _ int) (request, bool) {
			return request{path: "/warehouse", body: map[string]any{"warehouse": pick(d, "WH", secondWarehouse)}}, true
		},
		leaves:   func(l *life, a acted) { l.warehouse = a.request().Warehouse },
		excuse:   func(l life, _ acted, code string) bool { return code == "deliveries_exist" && l.confirmed },
		realOnly: true,
	},
	order.Reserve: {
		request:  always(request{path: "/allocations"}),
		excuse:   func(l life, _ acted, code string) bool { return code == "nothing_to_fulfil" && !l.isOpen() },
		realOnly: true,
	},
	order.Release: {
		request:  always(request{method: http.MethodDelete, path: "/allocations"}),
		excuse:   func(l life, _ acted, code string) bool { return code == "nothing_to_fulfil" && !l.isOpen() },
		realOnly: true,
	},
}

// secondWarehouse is the code of a warehouse that runs make for themselves where it is missing.
const secondWarehouse = "OGF"

func always(r request) func(drawer, string, view, int) (request, bool) {
	return func(drawer, string, view, int) (request, bool) { return r, true }
}

// view is an order as the gateway last showed it to a client.
type view struct {
	ID     int64
	Status order.Status
	Lines  []struct {
		ID        int64  `json:"erp_line_id"`
		Quantity  string `json:"quantity"`
		Delivered string `json:"quantity_delivered"`
		Invoiced  string `json:"quantity_invoiced"`
	}
	Deliveries []struct {
		ID    int64
		Kind  order.DeliveryKind
		State order.DocumentState
	}
	Invoices []struct {
		ID    int64
		State order.DocumentState
		Due   string `json:"amount_due"`
	}
}

// some draws lines and quantities of them, up to what is left of each; none where nothing is left.
func (v view) some(d drawer, part int, left func(i int) float64) []any {
	var lines []any
	for i, l := range v.Lines {
		if left := int(left(i)); left > 0 && (len(lines) == 0 || d.chance(part)) {
			lines = append(lines, map[string]any{"erp_line_id": l.ID, "quantity": strconv.Itoa(1 + d.IntN(left))})
		}
	}
	return lines
}

func requestFulfilment(d drawer, _ string, v view, part int) (request, bool) {
	r := request{path: "/fulfilments", body: map[string]any{}}
	if part == 0 {
		return r, true
	}
	lines := v.some(d, part, func(i int) float64 { return float(v.Lines[i].Quantity) - float(v.Lines[i].Delivered) })
	r.body = map[string]any{"lines": lines}
	return r, len(lines) > 0
}

func requestPayment(_ drawer, key string, v view, part int) (request, bool) {
	for _, in := range v.Invoices {
		due := float(in.Due)
		if in.State != order.Posted || due <= 0 {
			continue
		}
		if part > 0 {
			due *= float64(part) / 100
		}
		return request{path: fmt.Sprintf("/invoices/%d/payments", in.ID),
			body: map[string]any{"amount": strconv.FormatFloat(max(due, 0.01), 'f', 2, 64), "reference": key}}, true
	}
	return request{}, false
}

func requestReturn(d drawer, _ string, v view, part int) (request, bool) {
	if part == 0 {
		return request{path: "/returns", body: map[string]any{"reason": "not wanted"}}, true
	}
	lines := v.some(d, part, func(i int) float64 { return float(v.Lines[i].Delivered) })
	return request{path: "/returns", body: map[string]any{"lines": lines}}, len(lines) > 0
}

func requestReceipt(_ drawer, _ string, v view, _ int) (request, bool) {
	for _, delivery := range v.Deliveries {
		if delivery.Kind == order.DeliveryReturn && delivery.State != order.DocumentDelivered && delivery.State != order.DocumentCancelled {
			return request{path: fmt.Sprintf("/returns/%d/receive", delivery.ID)}, true
		}
	}
	return request{}, false
}

func requestRefund(d drawer, key string, v view, part int) (request, bool) {
	if part == 0 { // what came back
		return request{path: "/refunds", body: map[string]any{"reason": key}}, true
	}
	lines := v.some(d, part, func(i int) float64 { return float(v.Lines[i].Invoiced) })
	return request{path: "/refunds", body: map[string]any{"lines": lines, "reason": key}}, len(lines) > 0
}

// requestChange asks for more of the first line: what that leaves does not depend on whether the order was confirmed meanwhile.
func requestChange(d drawer, _ string, v view, _ int) (request, bool) {
	if len(v.Lines) == 0 || !v.Status.Unconfirmed() {
		return request{}, false
	}
	quantity := int(float(v.Lines[0].Quantity)) + 1 + d.IntN(3)
	return request{method: http.MethodPatch,
		body: map[string]any{"lines": []any{map[string]any{"erp_line_id": v.Lines[0].ID, "quantity": strconv.Itoa(quantity)}}}}, true
}

// idIn is the id that follows a word in the path of an action.
func (a acted) idIn(word string) int64 {
	if len(a.exchanges) == 0 {
		return 0
	}
	parts := strings.Split(a.exchanges[0].Path, "/")
	if at := slices.Index(parts, word); at >= 0 && at+1 < len(parts) {
		return atoi(parts[at+1])
	}
	return 0
}

func (a acted) invoice() int64  { return a.idIn("invoices") }
func (a acted) returnID() int64 { return a.idIn("returns") }

// exceeds reports whether the action asks for more of a line than there is.
func (a acted) exceeds(there func(line int64) float64) bool {
	for line, quantity := range a.lines() {
		if quantity > there(line) {
			return true
		}
	}
	return false
}

func float(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return f
}
