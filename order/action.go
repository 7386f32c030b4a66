package order

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// ActionKind is what is done with an order that stands in the ERP.
type ActionKind string

// The actions.
const (
	Hold    ActionKind = "hold"    // a quotation must not go on
	Approve ActionKind = "approve" // it may: it is released, and confirmed
	Confirm ActionKind = "confirm"
	Cancel  ActionKind = "cancel"
	Fulfil  ActionKind = "fulfil"
	Bill    ActionKind = "invoice"
	Pay     ActionKind = "pay"
	Return  ActionKind = "return"  // goods that went out are to come back
	Receive ActionKind = "receive" // they came
	Refund  ActionKind = "refund"  // a credit note
	Amend   ActionKind = "change"  // its lines, addresses, reference or note
	Assign  ActionKind = "assign"  // to a warehouse
	Reserve ActionKind = "reserve" // goods in the warehouse
	Release ActionKind = "release" // what is reserved
)

// ActionKinds are all of them.
var ActionKinds = []ActionKind{
	Hold, Approve, Confirm, Cancel, Fulfil, Bill, Pay, Return, Receive, Refund, Amend, Assign, Reserve, Release,
}

// Action is the wish to do something with one order, as a caller states it. Its JSON form is what an intent keeps.
type Action struct {
	Kind    ActionKind `json:"action"`
	OrderID int64      `json:"order_id"`
	Reason  string     `json:"reason,omitempty"` // of a hold, a cancellation, a return or a refund, for people

	Lines    []ActionLine `json:"lines,omitempty"`    // of a fulfilment, a return or a refund; none: all that is left
	Tracking string       `json:"tracking,omitempty"` // of a fulfilment: the parcel's number
	Carrier  string       `json:"carrier,omitempty"`  // of a fulfilment: the name of a delivery method
	Note     string       `json:"note,omitempty"`     // of a fulfilment, for people

	InvoiceID int64            `json:"invoice_id,omitempty"` // that a payment is for
	Amount    *decimal.Decimal `json:"amount,omitempty"`     // of a payment, in the invoice's currency
	Date      string           `json:"date,omitempty"`       // of a payment or a credit note, "2026-03-14"; empty: the day on which it is made
	Reference string           `json:"reference,omitempty"`  // of a payment, for people

	ReturnID   int64    `json:"return_id,omitempty"` // the delivery by which goods come back that are received
	Change     *Change  `json:"change,omitempty"`
	IfVersion  []string `json:"if_version,omitempty"`  // of a change: the versions of the order of which one must stand; none: any
	ByCustomer bool     `json:"by_customer,omitempty"` // a change that a key of role customer asked for

	Bulk      string `json:"bulk,omitempty"`      // the fingerprint of the bulk action that it is a part of
	Warehouse string `json:"warehouse,omitempty"` // code or id of the one that an order is assigned to
}

// ActionLine is a quantity of one line of an order.
type ActionLine struct {
	LineID   int64           `json:"line_id"` // in the ERP
	Quantity decimal.Decimal `json:"quantity"`
	Lots     []ActionLot     `json:"lots,omitempty"` // of a fulfilment: which goods they are, where the product is tracked
}

// ActionLot is a quantity of one lot, or the goods of one serial number.
type ActionLot struct {
	Lot      string          `json:"lot"` // its name
	Quantity decimal.Decimal `json:"quantity"`
}

// ActionPlan is what an action comes to, decided before anything was sent: every attempt does the same.
type ActionPlan struct {
	Deliveries    []PlannedDelivery `json:"deliveries,omitempty"`     // of a fulfilment, or the return that is received
	KnownInvoices []int64           `json:"known_invoices,omitempty"` // that an order had before it was invoiced
	Payment       *PlannedPayment   `json:"payment,omitempty"`
	Returns       []PlannedReturn   `json:"returns,omitempty"`
	Refund        *PlannedRefund    `json:"refund,omitempty"`
	Change        *PlannedChange    `json:"change,omitempty"`
	WarehouseID   int64             `json:"warehouse_id,omitempty"`  // that the order is assigned to
	WarehouseWas  int64             `json:"warehouse_was,omitempty"` // that it had before
	Transfers     []int64           `json:"transfers,omitempty"`     // that goods are reserved for, or released from
}

// PlannedPayment is a payment of one invoice.
type PlannedPayment struct {
	InvoiceID int64           `json:"invoice_id"`
	Amount    decimal.Decimal `json:"amount"`
	Date      string          `json:"date,omitempty"`
	Memo      string          `json:"memo"` // no other payment has it
}

// PlannedDelivery is what goes out with one delivery: all of its open moves, with 0 for those that stay.
type PlannedDelivery struct {
	DeliveryID int64         `json:"delivery_id"`
	Moves      []PlannedMove `json:"moves"`
	Tracking   string        `json:"tracking,omitempty"`
	CarrierID  int64         `json:"carrier_id,omitempty"` // 0: the delivery keeps the one that it has
	Note       string        `json:"note,omitempty"`       // that the delivery's own is to end with
}

// PlannedMove is how much of a move goes out.
type PlannedMove struct {
	MoveID   int64           `json:"move_id"`
	Quantity decimal.Decimal `json:"quantity"`
	Lots     []MovedLot      `json:"lots,omitempty"` // of which lots; none: the product is not tracked, or the ERP has chosen
}

// Move is goods of one line that go out, or went out, with a delivery.
type Move struct {
	ID         int64
	DeliveryID int64
	LineID     int64
	Quantity   decimal.Decimal // what is to go out
	Done       decimal.Decimal // what goes out now, or went out once it is Delivered
	State      DocumentState
	Tracked    bool // by lots or serial numbers
	OwnUnit    bool // it counts in the unit that its product is kept in, as lots do
	ProductID  int64
	UnitID     int64 // that its quantities are in
	PlaceID    int64 // where its goods are taken from, or anywhere below
	ReturnOf   int64 // the move whose goods come back with it; 0: none
}

// CountsAs reports whether the move counts what a line counts: the same product, in the same unit. It may be of a part of what is sold.
func (m Move) CountsAs(l Line) bool { return m.ProductID == l.ERPProductID && m.UnitID == l.UnitID }

// maxTracking is what carriers' numbers never reach.
const maxTracking = 100

// maxCarrier is longer than any name of a delivery method that people can read.
const maxCarrier = 100

// maxLot is what names of lots never reach.
const maxLot = 100

// maxMemo leaves room for what makes a payment's memo its own.
const maxMemo = 100

// maxWarehouse is longer than any code of a warehouse, and than any id.
const maxWarehouse = 64

// Validate checks all that can be told without a database or the ERP, and names every field at fault.
func (a *Action) Validate() *Error {
	var v violations
	v.text("reason", a.Reason, MaxDetail, manyLines)
	v.text("tracking_number", a.Tracking, maxTracking, oneLine)
	v.text("carrier", a.Carrier, maxCarrier, oneLine)
	v.text("note", a.Note, MaxDetail, manyLines)
	v.text("reference", a.Reference, maxMemo, oneLine)
	if a.Change != nil {
		a.Change.validate(&v)
	}
	v.text("warehouse", a.Warehouse, maxWarehouse, oneLine)
	if a.Amount != nil && (!a.Amount.IsPositive() || a.Amount.GreaterThan(MaxPrice)) {
		v.add("amount", "must be greater than 0 and at most %s", MaxPrice)
	}
	if _, err := time.Parse(time.DateOnly, a.Date); a.Date != "" && err != nil {
		v.add("date", "must be a date such as \"2026-03-14\"")
	}
	if len(a.Lines) > MaxLines {
		v.add("lines", "may have at most %d lines", MaxLines)
		return v.err()
	}
	named := map[int64]bool{}
	for i, l := range a.Lines {
		field := fmt.Sprintf("lines[%d].", i)
		if named[l.LineID] {
			v.add(field+"erp_line_id", "is given twice")
		}
		named[l.LineID] = true
		if !l.Quantity.IsPositive() || l.Quantity.GreaterThan(MaxQuantity) {
			v.add(field+"quantity", "must be greater than 0 and at most %s", MaxQuantity)
		}
		v.lots(field+"lots", l)
	}
	return v.err()
}

// lots checks that the lots of a line are its quantity.
func (v *violations) lots(field string, l ActionLine) {
	named, sum := map[string]bool{}, decimal.Zero
	if len(l.Lots) > MaxLines {
		v.add(field, "may have at most %d lots", MaxLines)
		return
	}
	for j, lot := range l.Lots {
		at := fmt.Sprintf("%s[%d].", field, j)
		v.text(at+"lot", lot.Lot, maxLot, oneLine)
		switch {
		case strings.TrimSpace(lot.Lot) == "":
			v.add(at+"lot", "must not be empty")
		case named[lot.Lot]:
			v.add(at+"lot", "is given twice")
		}
		named[lot.Lot] = true
		if !lot.Quantity.IsPositive() || lot.Quantity.GreaterThan(MaxQuantity) {
			v.add(at+"quantity", "must be greater than 0 and at most %s", MaxQuantity)
		}
		sum = sum.Add(lot.Quantity)
	}
	if len(l.Lots) > 0 && !sum.Equal(l.Quantity) {
		v.add(field, "must come to the line's quantity")
	}
}

// Fingerprint identifies what the action means, like that of a Request: the spelling of numbers and the order of lines do not
// matter. No request to place an order has the same.
func (a *Action) Fingerprint() string {
	meant := *a
	meant.Lines = slices.Clone(a.Lines)
	for i := range meant.Lines {
		meant.Lines[i].Quantity = shortest(meant.Lines[i].Quantity)
		lots := slices.Clone(meant.Lines[i].Lots)
		for j := range lots {
			lots[j].Quantity = shortest(lots[j].Quantity)
		}
		slices.SortStableFunc(lots, func(x, y ActionLot) int { return cmp.Compare(x.Lot, y.Lot) })
		meant.Lines[i].Lots = lots
	}
	if a.Amount != nil {
		amount := shortest(*a.Amount)
		meant.Amount = &amount
	}
	slices.SortStableFunc(meant.Lines, func(x, y ActionLine) int { return cmp.Compare(x.LineID, y.LineID) })
	return fingerprintOf(meant)
}

// transition says from which statuses an action leads on, and in which ones there is nothing left for it to do.
type transition struct {
	from []Status
	done []Status
}

// afterConfirming are the statuses of an order that is confirmed, and not cancelled since.
var afterConfirming = []Status{Confirmed, Picking, Packed, Shipped, Delivered, Completed}

// afterSending are those of an order of which goods may have left: people cancel such orders in the ERP too.
var afterSending = []Status{Shipped, Delivered, Completed, Cancelled}

// transitions is the one table of what may be done with an order. docs/order-states.md has it for people, and a test holds the
// two to each other.
var transitions = map[ActionKind]transition{
	Hold:    {from: []Status{Draft, Approved}, done: []Status{OnHold}},
	Approve: {from: []Status{Draft, OnHold, Approved}, done: afterConfirming},
	Confirm: {from: []Status{Draft, Approved}, done: afterConfirming},
	Cancel:  {from: []Status{Draft, OnHold, Approved, Confirmed, Picking, Packed}, done: []Status{Cancelled}},
	Fulfil:  {from: []Status{Confirmed, Picking, Packed, Shipped}},
	Bill:    {from: afterConfirming},
	Pay:     {from: append(slices.Clone(afterConfirming), Cancelled)},
	Return:  {from: afterSending},
	Receive: {from: afterSending},
	Refund:  {from: append(slices.Clone(afterConfirming), Cancelled)},
	Amend:   {from: Statuses}, // what of it may be changed is another table
	Assign:  {from: []Status{Draft, OnHold, Approved, Confirmed, Picking, Packed}},
	Reserve: {from: []Status{Confirmed, Picking, Packed, Shipped}},
	Release: {from: []Status{Confirmed, Picking, Packed, Shipped}},
}

// StoppedByBlocks reports whether an open blocking entry of the order's history stands in the action's way.
func (k ActionKind) StoppedByBlocks() bool {
	return slices.Contains([]ActionKind{Approve, Confirm, Fulfil, Bill}, k)
}

// Done reports whether an order in this status has nothing left for the action to do.
func (k ActionKind) Done(status Status) bool { return slices.Contains(transitions[k].done, status) }

// Possible are the actions that lead on from a status, in the order of ActionKinds.
func Possible(status Status) []ActionKind {
	var possible []ActionKind
	for _, k := range ActionKinds {
		if slices.Contains(transitions[k].from, status) {
			possible = append(possible, k)
		}
	}
	return possible
}

// Permit returns a Conflict that says what is possible if the action does not lead on from an order's status.
func (k ActionKind) Permit(o Order) *Error {
	possible := Possible(o.Status)
	if slices.Contains(possible, k) {
		return nil
	}
	return Errorf(Conflict, "action_not_possible", "Order %s is %s: %s is not possible. %s", o.Number, o.Status, k, offer(possible))
}

func offer(possible []ActionKind) string {
	if len(possible) == 0 {
		return "Nothing can be done with it any more."
	}
	names := make([]string, len(possible))
	for i, k := range possible {
		names[i] = string(k)
	}
	return "Possible now: " + strings.Join(names, ", ") + "."
}
