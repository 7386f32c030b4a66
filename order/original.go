package order

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Original is what a caller asked for, as the ERP made it when the order was placed: what an order is compared with after
// people have edited it. Its JSON form is kept with the order.
type Original struct {
	Reference   string          `json:"reference,omitempty"`
	Lines       []OriginalLine  `json:"lines"`
	AmountTotal decimal.Decimal `json:"amount_total"`
}

// OriginalLine is a line of the request. Where that gave no price or discount, it has the ERP's.
type OriginalLine struct {
	ERPProductID int64            `json:"erp_product_id"`
	SKU          string           `json:"sku"`
	Quantity     decimal.Decimal  `json:"quantity"`
	UnitPrice    *decimal.Decimal `json:"unit_price,omitempty"` // nil: not known
	Discount     *decimal.Decimal `json:"discount,omitempty"`   // nil: not known
}

// NewOriginal is what a request, with the products that it was resolved to, looked like in the order that the ERP made of it.
func NewOriginal(request Request, plan Plan, placed Order) Original {
	s := Original{Reference: request.Reference, AmountTotal: placed.AmountTotal, Lines: make([]OriginalLine, len(request.Lines))}
	left := slices.Clone(placed.Lines)
	for i, l := range request.Lines {
		line := OriginalLine{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount}
		if i < len(plan.ProductIDs) {
			line.ERPProductID = plan.ProductIDs[i]
		}
		made := slices.IndexFunc(left, func(p Line) bool { return p.ERPProductID == line.ERPProductID && p.Quantity.Equal(line.Quantity) })
		if made >= 0 {
			if line.UnitPrice == nil {
				line.UnitPrice = &left[made].UnitPrice
			}
			if line.Discount == nil {
				line.Discount = &left[made].Discount
			}
			left = slices.Delete(slices.Clone(left), made, made+1)
		}
		s.Lines[i] = line
	}
	return s
}

// Edits is how an order differs from what its caller sent. The zero Edits is not at all.
type Edits struct {
	Added     []Line         // lines that were not sent
	Removed   []OriginalLine // lines that are gone
	Changed   []LineChange   // lines of the same product with another quantity, price or discount
	Reference *TextChange
	// AmountTotal is set if the total is another one: also where only the ERP's taxes or rounding are.
	AmountTotal *AmountChange
}

// LineChange is a line as it was sent, and as it stands.
type LineChange struct {
	Sent OriginalLine
	Now  Line
}

// TextChange is a text before and after.
type TextChange struct{ Sent, Now string }

// AmountChange is an amount before and after.
type AmountChange struct{ Sent, Now decimal.Decimal }

// Any reports whether there is a difference.
func (e Edits) Any() bool {
	return len(e.Added)+len(e.Removed)+len(e.Changed) > 0 || e.Reference != nil || e.AmountTotal != nil
}

// Compare tells how an order differs from what was sent. Lines are matched by product: those that are equal first, then
// by their sequence.
func (s Original) Compare(now Order) Edits {
	var e Edits
	standing := slices.Clone(now.Lines)
	take := func(fits func(Line) bool) *Line {
		i := slices.IndexFunc(standing, fits)
		if i < 0 {
			return nil
		}
		l := standing[i]
		standing = slices.Delete(standing, i, i+1)
		return &l
	}
	var unequal []OriginalLine
	for _, line := range s.Lines {
		if take(line.equals) == nil {
			unequal = append(unequal, line)
		}
	}
	for _, line := range unequal {
		if l := take(func(l Line) bool { return l.ERPProductID == line.ERPProductID }); l != nil {
			e.Changed = append(e.Changed, LineChange{line, *l})
		} else {
			e.Removed = append(e.Removed, line)
		}
	}
	if len(standing) > 0 {
		e.Added = standing
	}
	if s.Reference != now.Reference {
		e.Reference = &TextChange{s.Reference, now.Reference}
	}
	if !s.AmountTotal.Equal(now.AmountTotal) {
		e.AmountTotal = &AmountChange{s.AmountTotal, now.AmountTotal}
	}
	return e
}

func (l OriginalLine) equals(now Line) bool {
	return l.ERPProductID == now.ERPProductID && l.Quantity.Equal(now.Quantity) &&
		(l.UnitPrice == nil || l.UnitPrice.Equal(now.UnitPrice)) && (l.Discount == nil || l.Discount.Equal(now.Discount))
}

// mostParts is how many differences of a kind a summary names.
const mostParts = 5

// Summary says what differs, in one line for people; empty if nothing does.
func (e Edits) Summary(currency string, currencyDecimals int) string {
	var parts []string
	list := func(what string, n int, name func(int) string) {
		if n == 0 {
			return
		}
		names := make([]string, min(n, mostParts))
		for i := range names {
			names[i] = name(i)
		}
		if n > mostParts {
			names = append(names, fmt.Sprintf("%d more", n-mostParts))
		}
		parts = append(parts, what+" "+strings.Join(names, ", "))
	}
	list("added", len(e.Added), func(i int) string {
		return fmt.Sprintf("%s × %s", FormatQuantity(e.Added[i].Quantity), nameOf(e.Added[i].SKU, e.Added[i].Name))
	})
	list("removed", len(e.Removed), func(i int) string {
		return fmt.Sprintf("%s × %s", FormatQuantity(e.Removed[i].Quantity), e.Removed[i].SKU)
	})
	list("changed", len(e.Changed), func(i int) string { return e.Changed[i].describe(currencyDecimals) })
	if e.Reference != nil {
		parts = append(parts, fmt.Sprintf("reference %q instead of %q", e.Reference.Now, e.Reference.Sent))
	}
	if e.AmountTotal != nil {
		parts = append(parts, fmt.Sprintf("total %s instead of %s %s", FormatAmount(e.AmountTotal.Now, currencyDecimals),
			FormatAmount(e.AmountTotal.Sent, currencyDecimals), currency))
	}
	return strings.Join(parts, "; ")
}

func (c LineChange) describe(currencyDecimals int) string {
	var what []string
	if !c.Sent.Quantity.Equal(c.Now.Quantity) {
		what = append(what, fmt.Sprintf("quantity %s instead of %s", FormatQuantity(c.Now.Quantity), FormatQuantity(c.Sent.Quantity)))
	}
	if p := c.Sent.UnitPrice; p != nil && !p.Equal(c.Now.UnitPrice) {
		what = append(what, fmt.Sprintf("price %s instead of %s", FormatAmount(c.Now.UnitPrice, currencyDecimals), FormatAmount(*p, currencyDecimals)))
	}
	if d := c.Sent.Discount; d != nil && !d.Equal(c.Now.Discount) {
		what = append(what, fmt.Sprintf("discount %s %% instead of %s %%", FormatQuantity(c.Now.Discount), FormatQuantity(*d)))
	}
	return fmt.Sprintf("%s (%s)", nameOf(c.Sent.SKU, c.Now.Name), strings.Join(what, ", "))
}

func nameOf(sku, name string) string {
	if sku != "" {
		return sku
	}
	return name
}
