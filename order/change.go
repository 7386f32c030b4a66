package order

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Change is the wish to change an order that stands. A nil member leaves its part of the order as it is; an empty text takes the
// text away.
type Change struct {
	Reference       *string      `json:"reference,omitempty"`
	Note            *string      `json:"note,omitempty"`
	ShippingAddress *Address     `json:"shipping_address,omitempty"`
	BillingAddress  *Address     `json:"billing_address,omitempty"`
	Lines           []ChangeLine `json:"lines,omitempty"`
}

// ChangeLine changes or removes the line LineID, or adds one of SKU, for which the ERP's price list decides without UnitPrice. A nil
// number of a line that stands is left to the ERP: a newer Odoo may compute the price anew for another quantity.
type ChangeLine struct {
	LineID    int64            `json:"line_id,omitempty"` // in the ERP; 0: a new line
	SKU       string           `json:"sku,omitempty"`
	Quantity  *decimal.Decimal `json:"quantity,omitempty"`
	UnitPrice *decimal.Decimal `json:"unit_price,omitempty"`
	Discount  *decimal.Decimal `json:"discount,omitempty"` // percent
	Remove    bool             `json:"remove,omitempty"`
}

// PlannedChange is a change with everything resolved, and what tells whether somebody else changed the order since.
type PlannedChange struct {
	Base       string        `json:"base"`                  // Terms of the order that it was planned for
	Was        Original      `json:"was"`                   // the order then, for its history
	KnownLines []int64       `json:"known_lines,omitempty"` // that it had then
	Reference  *string       `json:"reference,omitempty"`
	Note       *string       `json:"note,omitempty"`
	ShipTo     int64         `json:"ship_to,omitempty"` // the partner that is the new address; 0: it stays
	BillTo     int64         `json:"bill_to,omitempty"`
	Lines      []PlannedLine `json:"lines,omitempty"`
}

// PlannedLine is what becomes of a line.
type PlannedLine struct {
	LineID    int64            `json:"line_id,omitempty"`    // 0: a new line
	ProductID int64            `json:"product_id,omitempty"` // of a new line
	Quantity  *decimal.Decimal `json:"quantity,omitempty"`
	UnitPrice *decimal.Decimal `json:"unit_price,omitempty"`
	Discount  *decimal.Decimal `json:"discount,omitempty"`
	Remove    bool             `json:"remove,omitempty"`
}

// ChangePart is a part of an order that may be changed for as long as its status allows it.
type ChangePart string

// The parts.
const (
	PartText      ChangePart = "reference and note"
	PartAddresses ChangePart = "addresses"
	PartMore      ChangePart = "higher quantities and further lines"
	PartLines     ChangePart = "anything else of the lines"
)

// changeable is the one table of what may be changed in which status. docs/order-states.md has it for people, and a test holds
// the two to each other. It allows less than Odoo does: a sales order's lower quantity does not take its delivery back on every
// version, nor does another address reach it, and an invoice may have the price.
var changeable = map[ChangePart][]Status{
	PartText:      Statuses,
	PartAddresses: {Draft, OnHold, Approved},
	PartMore:      {Draft, OnHold, Approved, Confirmed, Picking, Packed},
	PartLines:     {Draft, OnHold, Approved},
}

// Permit returns a Conflict that names the first part of the order that cannot be changed any more, or Unprocessable for a line
// that it does not have.
func (c *Change) Permit(o Order) *Error {
	refuse := func(field, what string) *Error {
		e := Errorf(Conflict, "change_not_possible", "Order %s is %s: %s cannot be changed any more.", o.Number, o.Status, what)
		if o.State == StateDone {
			e = Errorf(Conflict, "change_not_possible", "Order %s is locked in the ERP: %s cannot be changed.", o.Number, what)
		}
		e.Violations = []Violation{{field, "cannot be changed"}}
		return e
	}
	may := func(part ChangePart) bool {
		return slices.Contains(changeable[part], o.Status) && (o.State != StateDone || part == PartText)
	}
	for _, address := range []struct {
		field string
		value *Address
	}{{"shipping_address", c.ShippingAddress}, {"billing_address", c.BillingAddress}} {
		if address.value != nil && !may(PartAddresses) {
			return refuse(address.field, "the "+strings.ReplaceAll(address.field, "_", " "))
		}
	}
	left := len(o.Lines)
	for i, l := range c.Lines {
		field := fmt.Sprintf("lines[%d]", i)
		at := slices.IndexFunc(o.Lines, func(standing Line) bool { return standing.ERPLineID == l.LineID })
		more := l.LineID == 0
		switch {
		case l.LineID != 0 && at < 0:
			return Invalid("unknown_line", field+".erp_line_id", "The order has no line %d.", l.LineID)
		case l.LineID == 0:
			left++
		case l.Remove:
			left--
		case l.Quantity != nil && l.UnitPrice == nil && l.Discount == nil:
			more = l.Quantity.GreaterThanOrEqual(o.Lines[at].Quantity)
		}
		switch {
		case may(PartLines), more && may(PartMore):
		case may(PartMore):
			return refuse(field, "a line, but for a higher quantity,")
		default:
			return refuse(field, "its lines")
		}
	}
	if left == 0 {
		return Invalid("invalid_request", "lines", "must leave at least one line; cancel the order instead")
	}
	return nil
}

// SetsPrices reports whether the change names any price or discount.
func (c *Change) SetsPrices() bool {
	return slices.ContainsFunc(c.Lines, func(l ChangeLine) bool { return l.UnitPrice != nil || l.Discount != nil })
}

func (c *Change) validate(v *violations) {
	if c.Reference == nil && c.Note == nil && c.ShippingAddress == nil && c.BillingAddress == nil && len(c.Lines) == 0 {
		v.add("lines", "or another member must say what is to be changed")
	}
	if c.Reference != nil {
		v.text("reference", *c.Reference, MaxNameLength, oneLine)
	}
	if c.Note != nil {
		v.text("note", *c.Note, MaxTextLength, manyLines)
	}
	if c.ShippingAddress != nil {
		c.ShippingAddress.validate(v, "shipping_address.")
	}
	if c.BillingAddress != nil {
		c.BillingAddress.validate(v, "billing_address.")
	}
	if len(c.Lines) > MaxLines {
		v.add("lines", "may have at most %d lines", MaxLines)
		return
	}
	named := map[int64]bool{}
	for i, l := range c.Lines {
		prefix := fmt.Sprintf("lines[%d].", i)
		if l.LineID != 0 && named[l.LineID] {
			v.add(prefix+"erp_line_id", "is given twice")
		}
		named[l.LineID] = true
		l.validate(v, prefix)
	}
}

func (l ChangeLine) validate(v *violations, prefix string) {
	numbers := l.Quantity != nil || l.UnitPrice != nil || l.Discount != nil
	switch {
	case (l.LineID == 0) == (l.SKU == ""):
		v.add(prefix+"erp_line_id", "give either erp_line_id, of a line that stands, or sku, for a new one")
		return
	case l.LineID == 0 && l.Remove:
		v.add(prefix+"remove", "needs erp_line_id")
		return
	case l.Remove && numbers:
		v.add(prefix+"remove", "a line that is removed has no quantity, price or discount")
		return
	case l.LineID == 0 && l.Quantity == nil:
		v.add(prefix+"quantity", "is required")
		return
	case l.Remove:
		return
	case !numbers:
		v.add(prefix+"erp_line_id", "give quantity, unit_price, discount or remove for it")
		return
	}
	line := l.request()
	if l.LineID != 0 {
		line.SKU = "-" // it has a product
		if l.Quantity == nil {
			line.Quantity = decimal.New(1, 0)
		}
	} else if l.Discount != nil && l.UnitPrice == nil {
		v.add(prefix+"discount", "needs unit_price on the same line")
	}
	line.validate(v, prefix)
}

// request is the line as placing would have it.
func (l ChangeLine) request() RequestLine {
	line := RequestLine{SKU: l.SKU, UnitPrice: l.UnitPrice, Discount: l.Discount}
	if l.Quantity != nil {
		line.Quantity = *l.Quantity
	}
	return line
}

// AsRequest is what placing judges alike: lines in the same places, those that stand without a SKU.
func (c *Change) AsRequest() Request {
	r := Request{Lines: make([]RequestLine, len(c.Lines))}
	for i, l := range c.Lines {
		r.Lines[i] = l.request()
	}
	return r
}

// Terms identify what of an order may be changed, as an ERP reading has it: while they are the same, nobody has changed any of it.
func (o Order) Terms() string {
	type line struct {
		ID, ProductID             int64
		Quantity, Price, Discount string
	}
	terms := struct {
		State           ERPState
		Status          Status
		Reference, Note string
		ShipTo, BillTo  int64
		Lines           []line
	}{o.State, o.Status, o.Reference, o.Note, o.ShipTo, o.BillTo, nil}
	for _, l := range o.Lines {
		terms.Lines = append(terms.Lines, line{l.ERPLineID, l.ERPProductID,
			shortest(l.Quantity).String(), shortest(l.UnitPrice).String(), shortest(l.Discount).String()})
	}
	return fingerprintOf(terms)
}

// Stands reports whether an order, as an ERP reading has it, is as the change would have it.
func (p *PlannedChange) Stands(o Order) bool {
	if p.Reference != nil && *p.Reference != o.Reference || p.Note != nil && *p.Note != o.Note ||
		p.ShipTo != 0 && p.ShipTo != o.ShipTo || p.BillTo != 0 && p.BillTo != o.BillTo {
		return false
	}
	added := slices.DeleteFunc(slices.Clone(o.Lines), func(l Line) bool { return slices.Contains(p.KnownLines, l.ERPLineID) })
	for _, planned := range p.Lines {
		if planned.LineID == 0 {
			at := slices.IndexFunc(added, func(l Line) bool { return l.ERPProductID == planned.ProductID && planned.fits(l) })
			if at < 0 {
				return false
			}
			added = slices.Delete(added, at, at+1)
			continue
		}
		at := slices.IndexFunc(o.Lines, func(l Line) bool { return l.ERPLineID == planned.LineID })
		if planned.Remove != (at < 0) || at >= 0 && !planned.fits(o.Lines[at]) {
			return false
		}
	}
	return true
}

func (p PlannedLine) fits(l Line) bool {
	same := func(wished *decimal.Decimal, stands decimal.Decimal) bool {
		return wished == nil || wished.Equal(stands)
	}
	return same(p.Quantity, l.Quantity) && same(p.UnitPrice, l.UnitPrice) && same(p.Discount, l.Discount)
}

// OriginalOf is what a caller agreed to by changing the order that stands: people's edits are told from there on.
func OriginalOf(o Order) Original {
	s := Original{Reference: o.Reference, AmountTotal: o.AmountTotal, Lines: make([]OriginalLine, len(o.Lines))}
	for i, l := range o.Lines {
		s.Lines[i] = OriginalLine{ERPProductID: l.ERPProductID, SKU: l.SKU, Quantity: l.Quantity, UnitPrice: &o.Lines[i].UnitPrice,
			Discount: &o.Lines[i].Discount}
	}
	return s
}
