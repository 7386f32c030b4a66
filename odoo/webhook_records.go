package odoo

import (
	"context"
	"slices"
	"strings"
)

// What Odoo holds of the gateway's automations, as webhooks.go needs it.

// automation is a base.automation as it stands.
type automation struct {
	modelID int64
	trigger string
	active  bool
	filter  string
	fields  []int64
	actions []int64
}

// action is an ir.actions.server as it stands.
type action struct {
	id      int64
	modelID int64
	state   string
	url     string
	payload []int64
}

// drift says what is not as table would have it. The secret is not looked at.
func (w wantedRule) drift(plan WebhookPlan, a automation, act action) []string {
	var drift []string
	differs := func(what string, is bool) {
		if is {
			drift = append(drift, what)
		}
	}
	differs("active", !a.active)
	differs("trigger", a.trigger != w.trigger)
	differs("model", a.modelID != w.modelID)
	differs("filter", a.filter != w.silentFor(plan.Silent))
	differs("fields", !slices.Equal(a.fields, w.fieldIDs))
	differs("action", act.state != "webhook" || act.modelID != w.modelID || !slices.Contains(a.actions, act.id))
	differs("url", !strings.HasPrefix(act.url, plan.Address))
	var payload []int64
	if w.payloadID != 0 {
		payload = []int64{w.payloadID}
	}
	differs("payload", !slices.Equal(act.payload, payload))
	return drift
}

// modelIDs returns the ids of those of the models that are installed.
func (c *Client) modelIDs(ctx context.Context, models []string) (map[string]int64, error) {
	list, _, err := c.searchRead(ctx, query{model: "ir.model", domain: domain{condition("model", "in", anySlice(models))},
		fields: []string{"model"}})
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int64, len(list))
	for i := range list {
		ids[list[i].text("model")] = list[i].id()
	}
	return ids, firstError("ir.model.search_read", list)
}

// fieldIDs returns the ids of the stored fields that rules name, by model and name.
func (c *Client) fieldIDs(ctx context.Context, models []string) (map[string]int64, error) {
	var names []string
	for _, r := range rules {
		names = append(names, r.fields...)
		if r.payload != "" {
			names = append(names, r.payload)
		}
	}
	list, _, err := c.searchRead(ctx, query{model: "ir.model.fields", fields: []string{"model", "name"}, domain: domain{
		condition("model", "in", anySlice(models)), condition("name", "in", anySlice(names)), condition("store", "=", true)}})
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int64, len(list))
	for i := range list {
		ids[list[i].text("model")+"."+list[i].text("name")] = list[i].id()
	}
	return ids, firstError("ir.model.fields.search_read", list)
}

// externalIDs returns the records of an installation: by model, and by the name of their external id.
func (c *Client) externalIDs(ctx context.Context, plan WebhookPlan) (map[string]map[string]int64, error) {
	list, _, err := c.searchRead(ctx, query{model: "ir.model.data", domain: plan.remains(), fields: []string{"name", "model", "res_id"}})
	if err != nil {
		return nil, err
	}
	ids := map[string]map[string]int64{"base.automation": {}, "ir.actions.server": {}}
	for i := range list {
		if named, ours := ids[list[i].text("model")]; ours {
			named[list[i].text("name")] = list[i].integer("res_id")
		}
	}
	return ids, firstError("ir.model.data.search_read", list)
}

// remains selects the external ids of an installation. An underscore in a pattern stands for any character, and so is
// masked.
func (p WebhookPlan) remains() domain {
	return domain{condition("module", "=", strings.TrimSuffix(idPrefix, ".")),
		condition("name", "=like", strings.ReplaceAll(p.key(), "_", `\_`)+"%"),
		condition("model", "in", anySlice([]string{"base.automation", "ir.actions.server"}))}
}

// forgetRemains deletes the external ids of records that are gone: people delete an automation, and its action goes along
// in the database without a word.
func (c *Client) forgetRemains(ctx context.Context, plan WebhookPlan) error {
	ids, err := c.externalIDs(ctx, plan)
	if err != nil {
		return err
	}
	var stale []any
	for model, named := range ids {
		present, err := c.existing(ctx, model, named)
		if err != nil {
			return err
		}
		for name, id := range named {
			if !slices.Contains(present, id) {
				stale = append(stale, name)
			}
		}
	}
	if len(stale) == 0 {
		return nil
	}
	list, _, err := c.searchRead(ctx, query{model: "ir.model.data", fields: []string{"name"},
		domain: append(plan.remains(), condition("name", "in", stale))})
	if err != nil {
		return err
	}
	rows := make([]any, len(list))
	for i := range list {
		rows[i] = list[i].id()
	}
	if err := firstError("ir.model.data.search_read", list); err != nil {
		return err
	}
	_, err = c.execute(ctx, "ir.model.data", "unlink", []any{rows}, nil)
	return err
}

// existing returns those of the ids that records have, archived ones too.
func (c *Client) existing(ctx context.Context, model string, named map[string]int64) ([]int64, error) {
	var ids []int64
	for _, id := range named {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	list, _, err := c.searchRead(ctx, query{model: model, domain: idsIn("id", ids), fields: []string{"name"}, context: archivedToo})
	if err != nil {
		return nil, err
	}
	present := make([]int64, len(list))
	for i := range list {
		present[i] = list[i].id()
	}
	return present, firstError(model+".search_read", list)
}

func (c *Client) automations(ctx context.Context, named map[string]int64) (map[int64]automation, error) {
	ids := make([]int64, 0, len(named))
	for _, id := range named {
		ids = append(ids, id)
	}
	list, _, err := c.searchRead(ctx, query{model: "base.automation", domain: idsIn("id", ids), context: archivedToo,
		fields: []string{"model_id", "trigger", "active", "filter_domain", "trigger_field_ids", "action_server_ids"}})
	if err != nil {
		return nil, err
	}
	found := make(map[int64]automation, len(list))
	for i := range list {
		r := &list[i]
		found[r.id()] = automation{modelID: r.refID("model_id"), trigger: r.text("trigger"), active: r.flag("active"),
			filter: r.text("filter_domain"), fields: r.ids("trigger_field_ids"), actions: r.ids("action_server_ids")}
	}
	return found, firstError("base.automation.search_read", list)
}

func (c *Client) actions(ctx context.Context, named map[string]int64) (map[int64]action, error) {
	ids := make([]int64, 0, len(named))
	for _, id := range named {
		ids = append(ids, id)
	}
	list, _, err := c.searchRead(ctx, query{model: "ir.actions.server", domain: idsIn("id", ids), context: archivedToo,
		fields: []string{"model_id", "state", "webhook_url", "webhook_field_ids"}})
	if err != nil {
		return nil, err
	}
	found := make(map[int64]action, len(list))
	for i := range list {
		r := &list[i]
		found[r.id()] = action{id: r.id(), modelID: r.refID("model_id"), state: r.text("state"),
			url: r.text("webhook_url"), payload: r.ids("webhook_field_ids")}
	}
	return found, firstError("ir.actions.server.search_read", list)
}
