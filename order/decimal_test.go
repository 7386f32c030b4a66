package order_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordergate/order"
)

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "2", "19.90", "-1.5", "0.000001", "999999999999999999"} {
		d, err := order.ParseDecimal(s)
		require.NoError(t, err, s)
		require.True(t, d.Equal(decimal.RequireFromString(s)), s)
	}
	for _, s := range []string{"", "-", ".", ".5", "5.", "1.2.3", "1e3", "1E-2", "+1", " 1", "1 ", "1,5", "0x10", "NaN", "Inf", "--1", "1-",
		"1234567890123456789", "٣"} {
		_, err := order.ParseDecimal(s)
		require.Error(t, err, s)
	}
}

func TestFormatAmountKeepsTheValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := decimal.New(rapid.Int64Range(-1e13, 1e13).Draw(t, "value"), -int32(rapid.IntRange(0, 6).Draw(t, "places")))
		text := order.FormatAmount(d, rapid.IntRange(0, 4).Draw(t, "decimals"))
		back, err := order.ParseDecimal(text)
		require.NoError(t, err, text)
		require.True(t, back.Equal(d), "%s became %s", d, text)
	})
	require.Equal(t, "19.90", order.FormatAmount(decimal.RequireFromString("19.9"), 2))
	require.Equal(t, "1000", order.FormatAmount(decimal.RequireFromString("1000.00"), 0))
	require.Equal(t, "0.125", order.FormatAmount(decimal.RequireFromString("0.125"), 2))
	require.Equal(t, "100", order.FormatQuantity(decimal.New(1, 2)))
	require.Equal(t, "0.5", order.FormatQuantity(decimal.RequireFromString("0.50")))
}
