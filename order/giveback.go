package order

import "github.com/shopspring/decimal"

// Lot is goods of a product that the ERP keeps track of, or the one piece that has a serial number.
type Lot struct {
	ID   int64
	Name string
	Free decimal.Decimal // what of it can go out with the moves that it was looked up for
}

// MovedLot is how much of a lot a move takes, in the product's own unit.
type MovedLot struct {
	LotID    int64           `json:"lot_id"`
	Quantity decimal.Decimal `json:"quantity"`
}

// SentMove is goods that went out to the customer, and what is to come back of them. All quantities are in the unit of the move.
type SentMove struct {
	Move
	Returned decimal.Decimal // what came back, or is to
	Asked    decimal.Decimal // what was ever to come back, with returns that were cancelled: it never falls
	Refunded decimal.Decimal // what came back and is the customer's no longer: not for a repair, for example
	// OwnPerUnit is how much of the unit that the product is kept in one of the move's unit is.
	OwnPerUnit decimal.Decimal
}

// QuantityDigits are more than the ERP keeps of a quantity: what one unit is in another need not come out even.
const QuantityDigits = 6

// InOwnUnit is a quantity of the move in the unit that its product is kept in.
func (m SentMove) InOwnUnit(quantity decimal.Decimal) decimal.Decimal {
	return quantity.Mul(m.OwnPerUnit).Round(QuantityDigits)
}

// PlannedReturn is what comes back of one delivery.
type PlannedReturn struct {
	DeliveryID int64               `json:"delivery_id"` // that brought it
	Moves      []PlannedReturnMove `json:"moves"`
}

// PlannedReturnMove is how much of a move comes back.
type PlannedReturnMove struct {
	MoveID   int64           `json:"move_id"`
	LineID   int64           `json:"line_id"`
	Quantity decimal.Decimal `json:"quantity"`
	Asked    decimal.Decimal `json:"asked"` // SentMove.Asked before
	// ProductID and OwnQuantity, in the unit that the product is kept in, are what the ERP wants to be told.
	ProductID   int64           `json:"product_id"`
	OwnQuantity decimal.Decimal `json:"own_quantity"`
}

// InvoicedLine is what of a line of an order stands on one posted invoice.
type InvoicedLine struct {
	InvoiceID int64
	LineID    int64
	Quantity  decimal.Decimal
	Alike     bool // it is in the line's unit
}

// CreditedLine is what of a line of an order stands on one credit note that is not cancelled, draft or posted.
type CreditedLine struct {
	InvoiceID int64 // that the credit note takes back; 0: it does not say
	LineID    int64
	Quantity  decimal.Decimal
	Alike     bool // it is in the line's unit
}

// PlannedRefund is what is given back by credit notes: one for each invoice.
type PlannedRefund struct {
	Credits []PlannedCredit `json:"credits"`
	Date    string          `json:"date,omitempty"`
	Memo    string          `json:"memo"` // no other credit note has it
}

// PlannedCredit is what is taken back of one invoice.
type PlannedCredit struct {
	InvoiceID int64               `json:"invoice_id"`
	Lines     []PlannedCreditLine `json:"lines"`
}

// PlannedCreditLine is a quantity of a line of the order.
type PlannedCreditLine struct {
	LineID   int64           `json:"line_id"`
	Quantity decimal.Decimal `json:"quantity"`
}

// RefundState is what became of the credit notes of a PlannedRefund, by the invoice that they take back. An invoice that is not
// there has none.
type RefundState map[int64]CreditNote

// CreditNote is how a credit note stands.
type CreditNote struct {
	State DocumentState
	Lines map[int64]decimal.Decimal // quantities by line of the order; 0: of lines that the plan does not have
}

// Has reports whether the credit note has the quantities that are planned, and nothing else of the order.
func (n CreditNote) Has(planned []PlannedCreditLine) bool {
	for _, l := range planned {
		if !n.Lines[l.LineID].Equal(l.Quantity) {
			return false
		}
	}
	return len(n.Lines) == len(planned)
}
