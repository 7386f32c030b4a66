package order

import (
	"os"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// The table of docs/order-states.md says of every action and every status what the code does.
func TestTransitionsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/order-states.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## What may be done")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[ActionKind]transition{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		documented[ActionKind(strings.Trim(cells[1], " `"))] = transition{statuses(cells[2]), statuses(cells[3])}
	}
	require.Equal(t, transitions, documented)
	require.Len(t, transitions, len(ActionKinds))
}

func statuses(cell string) []Status {
	var found []Status
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			found = append(found, Status(part))
		}
	}
	return found
}

// Whatever the status, an action is possible, has nothing left to do, or is refused with what is possible instead.
func TestPermit(t *testing.T) {
	t.Parallel()
	for _, status := range Statuses {
		for _, kind := range ActionKinds {
			refused := kind.Permit(Order{Number: "S1", Status: status})
			possible := false
			for _, other := range Possible(status) {
				possible = possible || other == kind
				if refused != nil {
					require.Contains(t, refused.Message, string(other))
				}
			}
			require.Equal(t, possible, refused == nil)
			require.False(t, possible && kind.Done(status), "%s from %s", kind, status)
		}
	}
	require.Contains(t, Fulfil.Permit(Order{Status: Cancelled}).Message, "Possible now: pay, return, receive, refund, change.")
	require.Contains(t, Pay.Permit(Order{Status: "unheard of"}).Message, "Nothing can be done")
}

// Actions that mean the same have one fingerprint, and no others.
func TestFingerprintOfAnAction(t *testing.T) {
	t.Parallel()
	line := func(id int64, quantity string) ActionLine {
		q, err := ParseDecimal(quantity)
		require.NoError(t, err)
		return ActionLine{LineID: id, Quantity: q}
	}
	one := Action{Kind: Fulfil, OrderID: 1, Lines: []ActionLine{line(1, "2"), line(2, "1.50")}}
	same := Action{Kind: Fulfil, OrderID: 1, Lines: []ActionLine{line(2, "1.5"), line(1, "2.0")}}
	require.Equal(t, one.Fingerprint(), same.Fingerprint())
	require.EqualValues(t, 2, same.Lines[0].LineID, "the caller's order is kept: errors name its lines")
	require.Equal(t, (&Action{Kind: Fulfil, Lines: []ActionLine{lots(line(1, "2"), "A", "1", "B", "1.0")}}).Fingerprint(),
		(&Action{Kind: Fulfil, Lines: []ActionLine{lots(line(1, "2"), "B", "1", "A", "1")}}).Fingerprint())
	seen := map[string]bool{one.Fingerprint(): true}
	for _, other := range []Action{
		{Kind: Fulfil, OrderID: 1}, {Kind: Fulfil, OrderID: 2, Lines: one.Lines}, {Kind: Bill, OrderID: 1, Lines: one.Lines},
		{Kind: Return, OrderID: 1, Lines: one.Lines}, {Kind: Receive, OrderID: 1, ReturnID: 7}, {Kind: Receive, OrderID: 1, ReturnID: 8},
		{Kind: Fulfil, OrderID: 1, Lines: []ActionLine{lots(line(1, "2"), "A", "2"), line(2, "1.50")}},
		{Kind: Fulfil, OrderID: 1, Lines: []ActionLine{lots(line(1, "2"), "B", "2"), line(2, "1.50")}},
		{Kind: Fulfil, OrderID: 1, Lines: one.Lines, Carrier: "1"}, {Kind: Fulfil, OrderID: 1, Lines: one.Lines, Note: "1"},
		{Kind: Fulfil, OrderID: 1, Lines: one.Lines, Tracking: "1"}, {Kind: Fulfil, OrderID: 1, Lines: []ActionLine{line(1, "2"), line(2, "1.51")}},
	} {
		require.False(t, seen[other.Fingerprint()], "%+v", other)
		seen[other.Fingerprint()] = true
	}
	require.NotEqual(t, (&Request{}).Fingerprint(), (&Action{}).Fingerprint())
	require.Equal(t, "7a9d261ac06b28d7a25073058667de1defe00af481d4dab58992e20562a21f87", (&Action{Kind: Fulfil, OrderID: 1, Lines: one.Lines, Tracking: "1"}).Fingerprint(),
		"keys outlive a new version, which must know the action again")
}

// lots adds lots, each a name and a quantity, to a line.
func lots(l ActionLine, of ...string) ActionLine {
	for i := 0; i < len(of); i += 2 {
		l.Lots = append(l.Lots, ActionLot{Lot: of[i], Quantity: decimal.RequireFromString(of[i+1])})
	}
	return l
}

// The lots of a line are its quantity, each named once.
func TestLotsOfALine(t *testing.T) {
	t.Parallel()
	two := ActionLine{LineID: 1, Quantity: decimal.NewFromInt(2)}
	for field, l := range map[string]ActionLine{
		"":                          lots(two, "A", "1", "B", "1"),
		"lines[0].lots":             lots(two, "A", "1"),
		"lines[0].lots[1].lot":      lots(two, "A", "1", "A", "1"),
		"lines[0].lots[0].lot":      lots(two, " ", "2"),
		"lines[0].lots[1].quantity": lots(two, "A", "2", "B", "0"),
	} {
		err := (&Action{Kind: Fulfil, OrderID: 1, Lines: []ActionLine{l}}).Validate()
		if field == "" {
			require.Nil(t, err)
			continue
		}
		require.Equal(t, "invalid_request", err.Code)
		require.Equal(t, field, err.Violations[0].Field)
	}
}

func TestTextsOfAFulfilment(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 1001)
	for field, a := range map[string]Action{
		"":                {Carrier: "DHL Paket – groß", Note: "Two parcels.\nThe second follows.", Tracking: "1Z"},
		"carrier":         {Carrier: "DHL\nPaket"},
		"note":            {Note: "bell\x07"},
		"tracking_number": {Tracking: long[:2*101]},
	} {
		a.Kind, a.OrderID = Fulfil, 1
		err := a.Validate()
		if field == "" {
			require.Nil(t, err)
			continue
		}
		require.Equal(t, field, err.Violations[0].Field)
	}
	require.Equal(t, "carrier", (&Action{Carrier: long[:2*101]}).Validate().Violations[0].Field)
	require.Equal(t, "note", (&Action{Note: long}).Validate().Violations[0].Field)
}
