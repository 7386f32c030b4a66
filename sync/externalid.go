package ordersync

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"ordergate/order"
)

// External ids name records in Odoo before they exist: Odoo keeps them unique (ir.model.data), so that a create which
// is repeated after a lost answer finds the record instead of making another. They derive from what names the thing
// for its caller and from nothing else, so that every replica, and a gateway whose database was lost, derives the same.

// orderExternalID names the order of a key.
func orderExternalID(tenant, source, key string) string {
	return "order_" + digest("order", tenant, source, key)
}

// lineExternalID names line number i (from 0) of the order named orderID.
func lineExternalID(orderID string, i int) string {
	return fmt.Sprintf("%s_line_%d", orderID, i+1)
}

// customerExternalID names the partner of a portal's customer.
func customerExternalID(tenant, ref string) string {
	return "customer_" + digest("customer", tenant, ref)
}

// addressExternalID names a delivery address of a partner by what it says: the same address is created once, and a
// changed one becomes another record, so that older orders keep theirs.
func addressExternalID(tenant string, partnerID int64, a order.Address) string {
	content, err := json.Marshal(a)
	if err != nil {
		panic("ordersync: an address always marshals: " + err.Error())
	}
	return "address_" + digest("address", tenant, fmt.Sprint(partnerID), string(content))
}

// billingExternalID names an address for invoices like addressExternalID.
func billingExternalID(tenant string, partnerID int64, a order.Address) string {
	return "billing_" + strings.TrimPrefix(addressExternalID(tenant, partnerID, a), "address_")
}

// digest is injective in its parts: each is preceded by its length.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:40]
}
