package order_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestFindWarehouse(t *testing.T) {
	t.Parallel()
	all := []order.Warehouse{{ID: 1, Code: "WH"}, {ID: 2, Code: "1"}, {ID: 3, Code: "TWIN"}, {ID: 4, Code: "TWIN"}}
	for codeOrID, want := range map[string]int64{"WH": 1, "1": 2, "2": 2, "3": 3, "wh": 0, "TWIN": 0, "5": 0, "": 0} {
		found, ok := order.FindWarehouse(all, codeOrID)
		require.Equal(t, want, found.ID*map[bool]int64{true: 1}[ok], "%q", codeOrID)
	}
}

// Lines of one product count together, and what the ERP keeps no stock of is never short.
func TestCheckStock(t *testing.T) {
	t.Parallel()
	lines := []order.RequestLine{{SKU: "A", Quantity: number("3")}, {SKU: "B", Quantity: number("99")}, {SKU: "A", Quantity: number("2.5")},
		{SKU: "C", Quantity: number("1")}}
	ids := []int64{1, 2, 1, 3}
	check := func(freeOfA string) []order.Shortage {
		return order.CheckStock(lines, ids, map[int64]order.FreeStock{1: {Kept: true, Free: number(freeOfA)}, 2: {Free: number("0")}}).Short
	}
	require.Empty(t, check("5.5"))
	short := check("5.4")
	require.Len(t, short, 1)
	require.Equal(t, []string{"A", "5.5", "5.4", "0.1"},
		[]string{short[0].SKU, short[0].Demanded.String(), short[0].Available.String(), short[0].Missing().String()})
}

// An entry stays within what entries may hold, however much is lacking.
func TestShortEntry(t *testing.T) {
	t.Parallel()
	short := []order.Shortage{{SKU: "A", Demanded: number("3.50"), Available: number("-1")}}
	e := order.ShortEntry(4711, short)
	require.Equal(t, `{"short":[{"available":"-1","demanded":"3.5","sku":"A"}]}`, e.Payload)
	require.Equal(t, "lacking: 4.5 of A", e.Detail)
	for range 500 {
		short = append(short, order.Shortage{SKU: strings.Repeat("ü", order.MaxSKULength), Demanded: number("123456.789012"), Available: number("-123456.789012")})
	}
	e = order.ShortEntry(4711, short)
	require.LessOrEqual(t, len(e.Payload), order.MaxPayload)
	require.Greater(t, len(e.Payload), order.MaxPayload/2)
	require.LessOrEqual(t, len([]rune(e.Detail)), order.MaxDetail)
}
