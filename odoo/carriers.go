package odoo

import (
	"context"
	"strings"

	"ordergate/order"
)

// HasCarriers reports whether deliveries have a delivery method and a tracking number: an application of Odoo brings both.
func (c *Client) HasCarriers(ctx context.Context) (bool, error) {
	models, err := c.documentModels(ctx)
	return models.carriers, err
}

// Carriers returns the delivery methods that the deliveries of an order can have, by rising id: those of its company, and of none. It takes
// HasCarriers.
func (c *Client) Carriers(ctx context.Context, orderID int64) ([]order.Carrier, error) {
	of, _, err := c.readRaw(ctx, "sale.order", []int64{orderID}, []string{"company_id"})
	if err != nil || len(of) == 0 {
		return nil, err
	}
	company := of[0].refID("company_id")
	if err := firstError("sale.order.read", of); err != nil {
		return nil, err
	}
	list, _, err := c.searchRead(ctx, query{model: "delivery.carrier", fields: []string{"name"},
		domain: domain{"|", condition("company_id", "=", false), condition("company_id", "=", company)}})
	if err != nil {
		return nil, err
	}
	carriers := make([]order.Carrier, len(list))
	for i := range list {
		carriers[i] = order.Carrier{ID: list[i].id(), Name: list[i].text("name")}
	}
	return carriers, firstError("delivery.carrier.search_read", list)
}

// noteBelow is the note of a delivery with the planned one below what is there, unless that has it: from an earlier attempt, or from the
// delivery that it is the back order of.
func (c *Client) noteBelow(ctx context.Context, d dialect, p order.PlannedDelivery) (string, error) {
	list, _, err := c.readRaw(ctx, "stock.picking", []int64{p.DeliveryID}, []string{"note"})
	if err != nil || len(list) == 0 {
		return "", err
	}
	note := list[0].text("note")
	switch {
	case strings.Contains("\n"+d.plainNote(note)+"\n", "\n"+p.Note+"\n"):
	case note == "" || d.noteIsHTML:
		note += d.note(p.Note)
	default:
		note += "\n" + p.Note
	}
	return note, firstError("stock.picking.read", list)
}
