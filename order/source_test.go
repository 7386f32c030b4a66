package order_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestSourcesThatCannotBe(t *testing.T) {
	t.Parallel()
	for source, reason := range map[string]string{
		"": "needs a name", "odoo": "made in the ERP", "customer:9": "role customer", strings.Repeat("a", 65): "64 bytes",
		"a\nb": "printable", "\xff": "printable",
	} {
		require.ErrorContains(t, order.CheckSource(source), reason, "%q", source)
	}
	for _, source := range []string{"portal", "shopify:eu", "Größe 1", strings.Repeat("a", 64)} {
		require.NoError(t, order.CheckSource(source))
	}
}
