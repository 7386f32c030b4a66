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

func TestShorten(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Größe", order.Shorten("Größe", 5))
	require.Equal(t, "Grö…", order.Shorten("Größe", 4))
}

// What an order takes is taken off what is kept, below 0 too.
func TestTakeStock(t *testing.T) {
	t.Parallel()
	free := map[int64]order.FreeStock{1: {Kept: true, Free: number("4")}}
	order.TakeStock([]order.RequestLine{{Quantity: number("3")}, {Quantity: number("9")}, {Quantity: number("2.5")}}, []int64{1, 2, 1}, free)
	require.Equal(t, "-1.5", free[1].Free.String())
	require.Len(t, free, 1)
}

func TestFindCarrier(t *testing.T) {
	t.Parallel()
	all := []order.Carrier{{ID: 1, Name: "Express"}, {ID: 2, Name: "DHL"}, {ID: 3, Name: "dhl"}, {ID: 4, Name: "Post"}, {ID: 5, Name: "Post"},
		{ID: 6, Name: "ÜBER Nacht"}}
	for name, want := range map[string]int64{
		"Express": 1, "EXPRESS": 1, "über nacht": 6, "DHL": 2, "dhl": 3, "Dhl": 0, "Post": 0, "post": 0, "Expres": 0, "Express ": 0, "": 0,
	} {
		found, ok := order.FindCarrier(all, name)
		require.Equal(t, want, found.ID, name)
		require.Equal(t, want != 0, ok, name)
	}
	require.Len(t, all, 6)
	require.Equal(t, "Express", all[0].Name)
}
