package main

import (
	"context"
	"fmt"

	"ordergate/order"
	"ordergate/store"
)

// welcome makes a key for the sandbox and prints a command that places an order as it stands.
func (d *demo) welcome(ctx context.Context, term terminal, db *store.Store, tenant order.Tenant, address string) error {
	secret, err := createKey(ctx, db, order.APIKey{TenantID: tenant.ID, Name: "demo", Role: order.RoleOperator, Source: "demo"})
	if err != nil {
		return err
	}
	base := "http://" + host(address)
	_, err = fmt.Fprintf(term.out, `
Ordergate serves a sandbox on %[1]s: a stand-in for Odoo, and a database that goes when it stops.

Place an order (run it twice: the second time is a replay, not a second order):

  curl -i %[1]s/v1/orders \
    -H 'Authorization: Bearer %[2]s' \
    -H 'Idempotency-Key: my-first-order' \
    -H 'Content-Type: application/json' \
    -d '{"customer": {"ref": "u-17", "name": "Ada Byron", "email": "ada@example.com"},
         "reference": "PO-1", "lines": [{"sku": "E-COM07", "quantity": "2"}]}'

List the orders:   curl -H 'Authorization: Bearer %[2]s' %[1]s/v1/orders
Read the contract: %[1]s/docs

`, base, secret)
	return err
}
