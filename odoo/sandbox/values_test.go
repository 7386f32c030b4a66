package sandbox

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormatDouble(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0: "0.0", 19.9: "19.9", -3: "-3.0", 1e15: "1000000000000000.0", 1e16: "1e+16", 1e300: "1e+300",
		0.0001: "0.0001", 0.00001: "1e-05", 0.30000000000000004: "0.30000000000000004",
	} {
		require.Equal(t, want, formatDouble(f))
	}
}

func TestRoundTo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want float64 }{
		{1.005, 1.01}, {2.675, 2.68}, {10.005, 10.01}, {-1.005, -1.01}, {1.0049, 1.0}, {10.555, 10.56}, {0, 0}, {1e300, 1e300},
	} {
		require.InDelta(t, test.want, roundTo(test.in, 2), math.Abs(test.want)*1e-15)
	}
}

func TestControlCharactersAreDropped(t *testing.T) {
	t.Parallel()
	require.Contains(t, string(encodeAnswer("a\x01b\x1fc\td\n&<>")), "<string>abc\td\n&amp;&lt;&gt;</string>")
}
