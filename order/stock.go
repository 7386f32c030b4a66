package order

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Warehouse is a place of the ERP that goods leave from.
type Warehouse struct {
	ID   int64
	Code string // "WH"; unique within a company of the ERP
	Name string
}

// FindWarehouse returns the warehouse that has this code, or else this id; false if none has, or several have the code.
func FindWarehouse(all []Warehouse, codeOrID string) (found Warehouse, ok bool) {
	matches := 0
	for _, w := range all {
		if w.Code == codeOrID {
			found, matches = w, matches+1
		}
	}
	if matches > 0 {
		return found, matches == 1
	}
	for _, w := range all {
		if number(w.ID) == codeOrID {
			return w, true
		}
	}
	return Warehouse{}, false
}

// Carrier is a delivery method of the ERP.
type Carrier struct {
	ID   int64
	Name string
}

// FindCarrier returns the delivery method of a name, whose case counts only where several differ in nothing else; false if none has it, or
// several do.
func FindCarrier(all []Carrier, name string) (found Carrier, ok bool) {
	alike := slices.DeleteFunc(slices.Clone(all), func(c Carrier) bool { return !strings.EqualFold(c.Name, name) })
	if len(alike) > 1 {
		alike = slices.DeleteFunc(alike, func(c Carrier) bool { return c.Name != name })
	}
	if len(alike) != 1 {
		return Carrier{}, false
	}
	return alike[0], true
}

// StockLevel is how much of a product a warehouse has, in the product's unit of measure, as the ERP counts it.
type StockLevel struct {
	ProductID     int64
	SKU           string
	Warehouse     Warehouse
	Kept          bool            // the ERP keeps stock of the product; of what it does not, all quantities are 0
	UnitOfMeasure string          //
	OnHand        decimal.Decimal // below 0 where more was sent out than was there
	Free          decimal.Decimal // of OnHand, what is reserved for nobody
	Incoming      decimal.Decimal // on its way there
}

// Reserved is what of OnHand somebody waits for.
func (l StockLevel) Reserved() decimal.Decimal { return l.OnHand.Sub(l.Free) }

// FreeStock is how much of a product nobody has reserved, in all warehouses together.
type FreeStock struct {
	Kept bool // the ERP keeps stock of it; there is always enough of what it does not
	Free decimal.Decimal
}

// Allocation is what is held in the warehouse for one line of an order: of one product, in one unit of measure. A line that is
// delivered in parts (a kit) has several.
type Allocation struct {
	LineID        int64 // in the ERP; 0: the goods are of no line
	ProductID     int64
	SKU           string
	UnitOfMeasure string
	Demanded      decimal.Decimal // what is still to go out
	Reserved      decimal.Decimal // of it, what is held
	Places        []AllocationPlace
}

// Short is what is lacking.
func (a Allocation) Short() decimal.Decimal {
	return decimal.Max(decimal.Zero, a.Demanded.Sub(a.Reserved))
}

// AllocationPlace is a quantity that is held in one place.
type AllocationPlace struct {
	DeliveryID int64
	Location   string // "WH/Stock/Shelf 1"
	Lot        string // lot or serial number; empty: none
	Quantity   decimal.Decimal
}

// Allocations are those of an order, by line and then by product, with the open transfers that they are made for.
type Allocations struct {
	Warehouse Warehouse // that the order is sent from; ID 0: none
	Transfers []int64   // rising
	Lines     []Allocation
}

// Shortages are the products of which less is reserved than is to go out.
func (a Allocations) Shortages() []Shortage {
	var short []Shortage
	for _, l := range a.Lines {
		if l.Short().IsPositive() {
			short = append(short, Shortage{SKU: l.SKU, Demanded: l.Demanded, Available: l.Reserved})
		}
	}
	return short
}

// Reserved reports whether anything is held.
func (a Allocations) Reserved() bool {
	for _, l := range a.Lines {
		if l.Reserved.IsPositive() {
			return true
		}
	}
	return false
}

// Shortage is a product of which less is available than is demanded.
type Shortage struct {
	SKU       string          `json:"sku"`
	Demanded  decimal.Decimal `json:"demanded"`
	Available decimal.Decimal `json:"available"` // may be below 0
}

// Missing is what is lacking.
func (s Shortage) Missing() decimal.Decimal { return s.Demanded.Sub(s.Available) }

// StockPolicy is what a tenant does with an order that asks for more than is free when it is placed.
type StockPolicy string

// The policies. The zero StockPolicy is as StockOff.
const (
	StockOff       StockPolicy = "off"       // nobody looks
	StockRefuse    StockPolicy = "refuse"    // it is refused
	StockBackorder StockPolicy = "backorder" // it is placed, and its history says what is short
)

// StockPolicies are all of them.
var StockPolicies = []StockPolicy{StockOff, StockRefuse, StockBackorder}

// StockCheck is what the look at the stock came to that an order is placed after.
type StockCheck struct {
	Short []Shortage `json:"short,omitempty"`
}

// CheckStock compares what the lines ask for, line i the product productIDs[i], with what is free. A product in no entry of free is
// one that the ERP keeps no stock of.
func CheckStock(lines []RequestLine, productIDs []int64, free map[int64]FreeStock) StockCheck {
	wanted := map[int64]decimal.Decimal{}
	var check StockCheck
	for i, id := range productIDs {
		wanted[id] = wanted[id].Add(lines[i].Quantity)
	}
	for i, id := range productIDs {
		stock := free[id]
		quantity, first := wanted[id]
		delete(wanted, id)
		if first && stock.Kept && quantity.GreaterThan(stock.Free) {
			check.Short = append(check.Short, Shortage{SKU: lines[i].SKU, Demanded: quantity, Available: stock.Free})
		}
	}
	return check
}

// TakeStock takes what the lines ask for off what is free, as CheckStock counts it.
func TakeStock(lines []RequestLine, productIDs []int64, free map[int64]FreeStock) {
	for i, id := range productIDs {
		if stock, ok := free[id]; ok {
			stock.Free = stock.Free.Sub(lines[i].Quantity)
			free[id] = stock
		}
	}
}

// mostNamed bounds how many products an entry names.
const mostNamed = 20

// ShortEntry is the entry that says what an order is short of: the first products, as far as they fit into it.
func ShortEntry(orderID int64, short []Shortage) HistoryEntry {
	e := Entry(orderID, HistoryShort)
	var named []any
	var words []string
	for _, s := range short[:min(len(short), mostNamed)] {
		named = append(named, map[string]any{"sku": s.SKU, "demanded": FormatQuantity(s.Demanded), "available": FormatQuantity(s.Available)})
		payload := PayloadText(map[string]any{"short": named})
		if len(payload) > MaxPayload {
			break
		}
		e.Payload = payload
		words = append(words, FormatQuantity(s.Missing())+" of "+s.SKU)
	}
	e.Detail = Shorten("lacking: "+strings.Join(words, ", "), MaxDetail)
	return e
}
