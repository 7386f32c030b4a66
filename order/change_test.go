package order

import (
	"os"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// The table of docs/order-states.md says of every part of an order in which statuses it may be changed.
func TestWhatMayBeChangedIsThatOfTheDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/order-states.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## What may be changed")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[ChangePart][]Status{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || !strings.Contains(cells[2], "`") {
			continue
		}
		documented[ChangePart(strings.TrimSpace(cells[1]))] = statuses(cells[2])
	}
	require.Equal(t, changeable, documented)
}

func TestChangesThatAStatusPermits(t *testing.T) {
	t.Parallel()
	number := func(s string) *decimal.Decimal {
		d := decimal.RequireFromString(s)
		return &d
	}
	word := "x"
	texts, address := Change{Note: &word, Reference: &word}, Change{BillingAddress: &Address{}}
	more := Change{Lines: []ChangeLine{{LineID: 1, Quantity: number("3")}, {SKU: "A", Quantity: number("1"), UnitPrice: number("1")}}}
	less, price := Change{Lines: []ChangeLine{{LineID: 1, Quantity: number("1")}}}, Change{Lines: []ChangeLine{{LineID: 1, UnitPrice: number("3")}}}
	remove := Change{Lines: []ChangeLine{{LineID: 1, Remove: true}}}
	for _, status := range Statuses {
		quotation, open := status.Unconfirmed(), status.Unconfirmed() || status == Confirmed || status == Picking || status == Packed
		o := Order{Number: "S1", State: StateSale, Status: status, Lines: []Line{{ERPLineID: 1, Quantity: *number("2")}, {ERPLineID: 2}}}
		for i, test := range []struct {
			change Change
			may    bool
		}{{texts, true}, {address, quotation}, {more, open}, {less, quotation}, {price, quotation}, {remove, quotation}} {
			refused := test.change.Permit(o)
			require.Equal(t, test.may, refused == nil, "%s %d", status, i)
			if refused != nil {
				require.Equal(t, "change_not_possible", refused.Code)
				require.NotEmpty(t, refused.Violations)
			}
		}
	}
	locked := Order{State: StateDone, Status: Confirmed, Lines: []Line{{ERPLineID: 1, Quantity: *number("2")}}}
	require.Nil(t, texts.Permit(locked))
	require.Contains(t, more.Permit(locked).Message, "locked")
}

// Numbers may be spelt differently, and everything else of a change counts.
func TestFingerprintOfAChange(t *testing.T) {
	t.Parallel()
	number := func(s string) *decimal.Decimal {
		d, err := ParseDecimal(s)
		require.NoError(t, err)
		return &d
	}
	action := func(quantity string, versions ...string) Action {
		return Action{Kind: Amend, OrderID: 1, IfVersion: versions, Change: &Change{Lines: []ChangeLine{{LineID: 1, Quantity: number(quantity)}}}}
	}
	one, same := action("2", "v"), action("2.0", "v")
	require.Equal(t, one.Fingerprint(), same.Fingerprint())
	for _, other := range []Action{action("3", "v"), action("2", "w"), action("2"), {Kind: Amend, OrderID: 1, Change: &Change{}}} {
		require.NotEqual(t, one.Fingerprint(), other.Fingerprint())
	}
}
