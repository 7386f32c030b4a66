package faults

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// prepareWarehouses notes the codes of the warehouses by id, and makes a second one where there is none for the runs.
func (e *erp) prepareWarehouses() error {
	for range 2 {
		found, err := e.records("stock.warehouse", []any{}, "code")
		if err != nil {
			return err
		}
		e.warehouses = make(map[int64]string, len(found))
		for _, r := range found {
			e.warehouses[integer(r["id"])] = text(r["code"])
		}
		if slices.Contains(slices.Collect(maps.Values(e.warehouses)), secondWarehouse) {
			return nil
		}
		// A run beside this one may make it first.
		if _, err := e.people("stock.warehouse", "create", []any{map[string]any{"name": "Second hub", "code": secondWarehouse}}, nil); err != nil {
			continue
		}
	}
	return errors.New("there is no second warehouse, and none can be made")
}

// receiver is the login, and the password, of who works on Odoo 14 for the gateways.
const receiver = "ordergate-faults"

// prepareReceiver lets the gateways of a run work as somebody who may receive goods, and otherwise what the gateway's own user may: Odoo 14
// lets only administrators of its stock receive what stock is kept of.
func (e *erp) prepareReceiver() error {
	if e.server.Major != 14 {
		return nil
	}
	administrators, err := e.records("ir.model.data", []any{[]any{"module", "=", "stock"}, []any{"name", "=", "group_stock_manager"}}, "res_id")
	if err != nil {
		return err
	}
	for range 2 {
		users, err := e.records("res.users", []any{[]any{"login", "in", []any{e.server.User, receiver}}}, "groups_id")
		switch {
		case err != nil:
			return err
		case len(administrators) != 1 || len(users) == 0:
			return fmt.Errorf("odoo has no user %s, or no administrators of its stock", e.server.User)
		case len(users) == 2:
			e.server.User, e.server.Password = receiver, receiver
			return nil
		}
		groups, _ := users[0]["groups_id"].([]any)
		// A run beside this one may make it first.
		if _, err := e.people("res.users", "create", []any{map[string]any{"name": "Receiver", "login": receiver, "password": receiver,
			"email": "receiver@example.com", "groups_id": []any{[]any{6, 0, append(groups, administrators[0]["res_id"])}}}}, nil); err != nil {
			continue
		}
	}
	return errors.New("there is nobody who may receive goods, and nobody can be made")
}
