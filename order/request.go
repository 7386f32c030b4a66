package order

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// Limits of a request. They are far above what shops send and far below what hurts.
const (
	MaxLines      = 500
	MaxKeyLength  = 255
	MaxRefLength  = 190 // of a customer's ref; fits an index of every database with four bytes a character
	MaxSKULength  = 190
	MaxNameLength = 255
	MaxTextLength = 4000 // of a note
)

// MaxQuantity and MaxPrice bound a line, so that the sums of an order stay within the digits of an amount.
var (
	MaxQuantity = decimal.New(1, 6)
	MaxPrice    = decimal.New(1, 9)
)

// Request is the wish to place one order, as a caller states it. Its JSON form is what an intent keeps.
type Request struct {
	Customer        CustomerRef   `json:"customer"`
	Reference       string        `json:"reference,omitempty"`
	Lines           []RequestLine `json:"lines"`
	ShippingAddress *Address      `json:"shipping_address,omitempty"`
	Note            string        `json:"note,omitempty"`
	Confirm         bool          `json:"confirm,omitempty"`
}

// CustomerRef names the customer of an order: by the portal's own ref, or by the ERP's partner id. Name, Email and
// Phone are used when the ref is new, and ignored otherwise: what was edited in the ERP is not overwritten.
type CustomerRef struct {
	Ref          string `json:"ref,omitempty"`
	Name         string `json:"name,omitempty"`
	Email        string `json:"email,omitempty"`
	Phone        string `json:"phone,omitempty"`
	ERPPartnerID int64  `json:"erp_partner_id,omitempty"`
}

// RequestLine asks for a quantity of one SKU. Without UnitPrice the ERP's price list decides.
type RequestLine struct {
	SKU       string           `json:"sku"`
	Quantity  decimal.Decimal  `json:"quantity"`
	UnitPrice *decimal.Decimal `json:"unit_price,omitempty"`
	Discount  *decimal.Decimal `json:"discount,omitempty"` // percent
}

// Address is where an order is to be delivered, or its invoice sent.
type Address struct {
	Name    string `json:"name"`
	Street  string `json:"street"`
	Street2 string `json:"street2,omitempty"`
	City    string `json:"city"`
	Zip     string `json:"zip,omitempty"`
	State   string `json:"state,omitempty"` // the state's code in its country, such as "CA"
	Country string `json:"country"`         // ISO 3166-1 alpha-2
	Phone   string `json:"phone,omitempty"`
	Email   string `json:"email,omitempty"`
}

// ValidateKey checks an idempotency key: 1 to 255 printable ASCII characters without leading or trailing space.
func ValidateKey(key string) *Error {
	const field = "Idempotency-Key"
	switch {
	case key == "":
		e := Errorf(Malformed, "idempotency_key_missing",
			"Send an Idempotency-Key header: a value that is unique to this order and the same on every retry of it.")
		e.Violations = []Violation{{field, "is required"}}
		return e
	case len(key) > MaxKeyLength:
		e := Errorf(Malformed, "idempotency_key_invalid", "The Idempotency-Key is longer than %d bytes.", MaxKeyLength)
		e.Violations = []Violation{{field, fmt.Sprintf("must be at most %d bytes", MaxKeyLength)}}
		return e
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			e := Errorf(Malformed, "idempotency_key_invalid", "The Idempotency-Key may hold printable ASCII characters only.")
			e.Violations = []Violation{{field, "must be printable ASCII"}}
			return e
		}
	}
	if strings.TrimSpace(key) != key {
		e := Errorf(Malformed, "idempotency_key_invalid", "The Idempotency-Key may not begin or end with a space.")
		e.Violations = []Violation{{field, "must not begin or end with a space"}}
		return e
	}
	return nil
}

// Validate checks all that can be told without a database or the ERP, and names every field at fault.
func (r *Request) Validate() *Error {
	var v violations
	r.Customer.validate(&v)
	v.text("reference", r.Reference, MaxNameLength, oneLine)
	v.text("note", r.Note, MaxTextLength, manyLines)
	switch {
	case len(r.Lines) == 0:
		v.add("lines", "must have at least one line")
	case len(r.Lines) > MaxLines:
		v.add("lines", "may have at most %d lines", MaxLines)
	default:
		for i := range r.Lines {
			r.Lines[i].validate(&v, fmt.Sprintf("lines[%d].", i))
		}
		r.validatePricing(&v)
	}
	if r.ShippingAddress != nil {
		r.ShippingAddress.validate(&v, "shipping_address.")
	}
	return v.err()
}

// validatePricing holds prices to all lines or none. Odoo's load writes one set of columns for all lines of a call,
// and takes an empty price for 0 instead of asking the price list: a mixed order would give goods away.
func (r *Request) validatePricing(v *violations) {
	priced := 0
	for _, l := range r.Lines {
		if l.UnitPrice != nil {
			priced++
		}
	}
	for i, l := range r.Lines {
		if priced > 0 && l.UnitPrice == nil {
			v.add(fmt.Sprintf("lines[%d].unit_price", i), "give unit_price on every line or on none")
		}
		if l.Discount != nil && l.UnitPrice == nil {
			v.add(fmt.Sprintf("lines[%d].discount", i), "needs unit_price on the same line")
		}
	}
}

// SetsPrices reports whether the request names any price or discount.
func (r *Request) SetsPrices() bool {
	for _, l := range r.Lines {
		if l.UnitPrice != nil || l.Discount != nil {
			return true
		}
	}
	return false
}

func (c CustomerRef) validate(v *violations) {
	switch {
	case c.Ref == "" && c.ERPPartnerID == 0:
		v.add("customer", "give either ref or erp_partner_id")
	case c.Ref != "" && c.ERPPartnerID != 0:
		v.add("customer", "give ref or erp_partner_id, not both")
	case c.ERPPartnerID < 0 || c.ERPPartnerID > MaxERPID:
		v.add("customer.erp_partner_id", "must be a positive id")
	}
	c.validateTexts(v, "customer.")
}

func (c CustomerRef) validateTexts(v *violations, prefix string) {
	v.text(prefix+"ref", c.Ref, MaxRefLength, oneLine)
	v.text(prefix+"name", c.Name, MaxNameLength, oneLine)
	v.text(prefix+"email", c.Email, MaxNameLength, oneLine)
	v.text(prefix+"phone", c.Phone, 64, oneLine)
	if c.Email != "" && !strings.Contains(c.Email, "@") {
		v.add(prefix+"email", "is not an e-mail address")
	}
}

// ValidateNew checks what is needed to create the customer; its fields are named from prefix on ("customer.", or "").
func (c CustomerRef) ValidateNew(prefix string) *Error {
	var v violations
	if c.Ref == "" {
		v.add(prefix+"ref", "is required")
	}
	if c.Name == "" {
		v.add(prefix+"name", "is required for a customer that is new")
	}
	c.validateTexts(&v, prefix)
	return v.err()
}

func (l RequestLine) validate(v *violations, prefix string) {
	if l.SKU == "" {
		v.add(prefix+"sku", "is required")
	}
	v.text(prefix+"sku", l.SKU, MaxSKULength, oneLine)
	switch {
	case !l.Quantity.IsPositive():
		v.add(prefix+"quantity", "must be greater than 0")
	case l.Quantity.GreaterThan(MaxQuantity):
		v.add(prefix+"quantity", "must be at most %s", MaxQuantity)
	}
	if l.UnitPrice != nil && (l.UnitPrice.IsNegative() || l.UnitPrice.GreaterThan(MaxPrice)) {
		v.add(prefix+"unit_price", "must be between 0 and %s", MaxPrice)
	}
	if l.Discount != nil && (l.Discount.IsNegative() || l.Discount.GreaterThan(decimal.New(100, 0))) {
		v.add(prefix+"discount", "must be a percentage between 0 and 100")
	}
}

// ValidatePrecision refuses numbers with more decimals than the ERP keeps, which it would round in silence.
func (r *Request) ValidatePrecision(p Precision) *Error {
	var v violations
	check := func(field string, d decimal.Decimal, places int) {
		if !d.Equal(d.Truncate(int32(places))) {
			v.add(field, "may have at most %d decimals", places)
		}
	}
	for i, l := range r.Lines {
		prefix := fmt.Sprintf("lines[%d].", i)
		check(prefix+"quantity", l.Quantity, p.Quantity)
		if l.UnitPrice != nil {
			check(prefix+"unit_price", *l.UnitPrice, p.Price)
		}
		if l.Discount != nil {
			check(prefix+"discount", *l.Discount, p.Discount)
		}
	}
	return v.err()
}

func (a *Address) validate(v *violations, prefix string) {
	required := []struct{ field, value string }{
		{"name", a.Name}, {"street", a.Street}, {"city", a.City}, {"country", a.Country},
	}
	for _, f := range required {
		if strings.TrimSpace(f.value) == "" {
			v.add(prefix+f.field, "is required")
		}
	}
	texts := []struct{ field, value string }{
		{"name", a.Name}, {"street", a.Street}, {"street2", a.Street2}, {"city", a.City}, {"zip", a.Zip},
		{"state", a.State}, {"phone", a.Phone}, {"email", a.Email},
	}
	for _, f := range texts {
		v.text(prefix+f.field, f.value, MaxNameLength, oneLine)
	}
	if a.Country != "" && (len(a.Country) != 2 || strings.ToUpper(a.Country) != a.Country) {
		v.add(prefix+"country", "must be an ISO 3166-1 alpha-2 code in capitals, such as \"BE\"")
	}
}

// Fingerprint identifies what the request means: two requests that differ only in spelling (member order, white
// space, "2" and "2.0", defaults given or left out) have the same. Text counts as it is: another normal form of Unicode
// is another text, to the ERP too. So does a price or a discount of 0, which is not the same to the ERP as none. It is
// 64 hexadecimal digits, and kept with intents: a later version must come to the same.
func (r *Request) Fingerprint() string {
	return fingerprintOf(r)
}

// Normalize brings numbers to their shortest spelling, so that equal requests have equal JSON.
func (r *Request) Normalize() {
	for i := range r.Lines {
		l := &r.Lines[i]
		l.Quantity = shortest(l.Quantity)
		if l.UnitPrice != nil {
			p := shortest(*l.UnitPrice)
			l.UnitPrice = &p
		}
		if l.Discount != nil {
			d := shortest(*l.Discount)
			l.Discount = &d
		}
	}
}
