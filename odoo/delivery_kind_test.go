package odoo

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestKindsOfDeliveries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code, from, to string
		want           order.DeliveryKind
	}{
		"a delivery":                            {"outgoing", "internal", "customer", order.DeliveryOutgoing},
		"straight from the supplier":            {"dropship", "supplier", "customer", order.DeliveryOutgoing},
		"straight from the supplier, on 14":     {"incoming", "supplier", "customer", order.DeliveryOutgoing},
		"picking":                               {"internal", "internal", "internal", order.DeliveryStep},
		"a return":                              {"incoming", "customer", "internal", order.DeliveryReturn},
		"a return straight to the supplier":     {"incoming", "customer", "supplier", order.DeliveryReturn},
		"a receipt":                             {"incoming", "supplier", "internal", order.DeliveryReceipt},
		"a return to the supplier":              {"outgoing", "internal", "supplier", order.DeliveryReceipt},
		"to another company":                    {"outgoing", "internal", "transit", order.DeliveryOutgoing},
		"back from another company":             {"incoming", "transit", "internal", order.DeliveryReturn},
		"a delivery, its places not to be seen": {"outgoing", "", "", order.DeliveryOutgoing},
		"a step, its places not to be seen":     {"internal", "", "", order.DeliveryStep},
	} {
		require.Equal(t, c.want, deliveryKind(c.code, c.from, c.to), name)
	}
}
