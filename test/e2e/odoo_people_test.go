package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/test/odoorpc"
)

// What people do with an order in Odoo's own windows, as its administrator.

// within is people with a context, and lets the fault pass by which Odoo tells that its answer cannot be written.
func (s *stack) within(t *testing.T, context map[string]any, model, method string, args ...any) any {
	t.Helper()
	answer, err := odoorpc.Execute(s.odoo.URL, s.odoo.Database, s.odoo.AdminUser, s.odoo.AdminPassword, model, method, args, map[string]any{"context": context})
	if err != nil {
		require.ErrorContains(t, err, "cannot marshal")
	}
	return answer
}

// peopleMove carries a transfer out with what is asked of each of its moves, or as much of it as most says.
func (s *stack) peopleMove(t *testing.T, transfer any, tracking string, most float64) {
	t.Helper()
	moves, done := "move_lines", "quantity_done"
	if s.odoo.Major >= 17 {
		moves, done = "move_ids", "quantity"
	}
	var commands []any
	for _, move := range s.people(t, "stock.picking", "read", []any{transfer}, []any{moves}).([]any)[0].(map[string]any)[moves].([]any) {
		asked := s.people(t, "stock.move", "read", []any{move}, []any{"product_uom_qty"}).([]any)[0].(map[string]any)["product_uom_qty"].(float64)
		values := map[string]any{done: min(asked, most)}
		if s.odoo.Major >= 17 {
			values["picked"] = true
		}
		commands = append(commands, []any{1, move, values})
	}
	values := map[string]any{moves: commands}
	if tracking != "" {
		values["carrier_tracking_ref"] = tracking
	}
	s.people(t, "stock.picking", "write", []any{transfer}, values)
	s.within(t, map[string]any{"skip_sms": true, "skip_immediate": true, "skip_backorder": true}, "stock.picking", "button_validate", []any{transfer})
}

// peopleFill fills in one of Odoo's dialogues and presses its button.
func (s *stack) peopleFill(t *testing.T, context map[string]any, model string, values map[string]any, button string) {
	t.Helper()
	dialogue := s.within(t, context, model, "create", values)
	s.within(t, context, model, button, []any{dialogue})
}
