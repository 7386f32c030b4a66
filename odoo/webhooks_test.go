package odoo

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// derived are the fields that the gateway reads and whose changes need not be told: Odoo writes them beside others that
// are, or they never change.
var derived = map[string][]string{
	"sale.order":      {"create_date", "write_date"},
	"sale.order.line": {"write_date", "price_subtotal", "price_tax", "price_total", "qty_delivered_method"},
}

// A field that the gateway begins to read must be told of as well.
func TestRulesWatchWhatTheGatewayReads(t *testing.T) {
	t.Parallel()
	read := map[string][]string{"sale.order": append(slices.Clone(orderFields), "locked")}
	for _, major := range []int{17, 19} {
		read["sale.order.line"] = append(read["sale.order.line"], lineFields(dialectOf(Version{Major: major}))...)
	}
	for _, r := range rules {
		if r.trigger == "on_unlink" {
			require.Empty(t, r.fields, "a deletion changes no field")
			continue
		}
		require.NotEmpty(t, r.fields, "%s: Odoo would post for every recomputation", r.name)
		for _, field := range read[r.model] {
			require.True(t, slices.Contains(r.fields, field) || slices.Contains(derived[r.model], field), "%s: %s", r.model, field)
		}
	}
}

func TestRulesAreSilentForTheGatewaysUser(t *testing.T) {
	t.Parallel()
	require.Equal(t, "[('a', '=', 1)]", rule{filter: "[('a', '=', 1)]"}.silentFor(0))
	require.Empty(t, rule{}.silentFor(0))
	require.Equal(t, "[('a', '=', 1)] if uid != 7 else [(0, '=', 1)]", rule{filter: "[('a', '=', 1)]"}.silentFor(7))
	require.Equal(t, "[(1, '=', 1)] if uid != 7 else [(0, '=', 1)]", rule{}.silentFor(7))
}

func TestInstallationsOfTwoGatewaysAreApart(t *testing.T) {
	t.Parallel()
	one, two := WebhookPlan{Address: "https://one/hooks/odoo/default/"}, WebhookPlan{Address: "https://two/hooks/odoo/default/"}
	require.NotEqual(t, one.key(), two.key())
	require.True(t, isExternalID(one.key()))
	require.Equal(t, one.key(), WebhookPlan{Address: one.Address, Secret: "s", Silent: 7}.key(), "a rotation stays the same installation")
}

func TestDriftIsNamed(t *testing.T) {
	t.Parallel()
	plan := WebhookPlan{Address: "https://gw/", Secret: "s", Silent: 7}
	w := wantedRule{rule: rule{name: "line", model: "sale.order.line", trigger: "on_create_or_write", payload: "order_id"},
		modelID: 5, fieldIDs: []int64{1, 2}, payloadID: 9}
	well := automation{modelID: 5, trigger: w.trigger, active: true, filter: w.silentFor(7), fields: []int64{1, 2}, actions: []int64{33}}
	act := action{id: 33, modelID: 5, state: "webhook", url: "https://gw/other-secret", payload: []int64{9}}
	require.Empty(t, w.drift(plan, well, act))
	for what, spoil := range map[string]func(*automation, *action){
		"active":  func(a *automation, _ *action) { a.active = false },
		"trigger": func(a *automation, _ *action) { a.trigger = "on_unlink" },
		"model":   func(a *automation, _ *action) { a.modelID = 6 },
		"filter":  func(a *automation, _ *action) { a.filter = "" },
		"fields":  func(a *automation, _ *action) { a.fields = nil },
		"action":  func(a *automation, _ *action) { a.actions = nil },
		"url":     func(_ *automation, a *action) { a.url = "https://elsewhere/" },
		"payload": func(_ *automation, a *action) { a.payload = nil },
	} {
		a, spoilt := well, act
		spoil(&a, &spoilt)
		require.Equal(t, []string{what}, w.drift(plan, a, spoilt))
	}
}
