package odoo

import (
	"cmp"
	"context"

	"ordergate/order"
)

// EnsurePartners is PlaceOrders for partners. The same external id may occur more than once: the first of them is
// created, and all share its result.
func (c *Client) EnsurePartners(ctx context.Context, partners []NewPartner) []Loaded {
	b := c.newBatch("res.partner", len(partners))
	for i := range partners {
		if !isExternalID(partners[i].ExternalID) {
			b.refuse(i, badExternalID("id", 0))
			continue
		}
		b.add(i, partners[i].table())
	}
	return b.load(ctx)
}

func (p *NewPartner) table() table {
	t := table{columns: []string{"id"}, rows: [][]string{{idPrefix + p.ExternalID}}}
	add := func(column, cell string) {
		if cell != "" {
			t.columns, t.rows[0] = append(t.columns, column), append(t.rows[0], cell)
		}
	}
	addID := func(column string, id int64) {
		if id != 0 {
			add(column, idCell(id))
		}
	}
	addID("parent_id/.id", p.ParentID)
	switch {
	case p.Billing:
		add("type", "invoice")
	case p.ParentID != 0:
		add("type", "delivery")
	}
	add("name", p.Name)
	add("email", p.Email)
	add("phone", p.Phone)
	add("ref", p.Ref)
	add("street", p.Street)
	add("street2", p.Street2)
	add("city", p.City)
	add("zip", p.Zip)
	addID("country_id/.id", p.CountryID)
	addID("state_id/.id", p.StateID)
	return t
}

// Partners lists partners written since, archived ones too.
func (c *Client) Partners(ctx context.Context, page Page) ([]order.Customer, error) {
	return c.partners(ctx, pageDomain(page, writtenSince), page.Limit)
}

// PartnersByID returns the partners that exist, archived ones too. Ref is left empty: it is the portal's.
func (c *Client) PartnersByID(ctx context.Context, ids []int64) ([]order.Customer, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return c.partners(ctx, idsIn("id", ids), 0)
}

func (c *Client) partners(ctx context.Context, d domain, limit int) ([]order.Customer, error) {
	list, _, err := c.searchRead(ctx, query{model: "res.partner", domain: d, limit: limit, context: archivedToo,
		fields: []string{"name", "commercial_partner_id", "email", "phone", "active", "write_date"}})
	if err != nil {
		return nil, err
	}
	customers := make([]order.Customer, len(list))
	for i := range list {
		r := &list[i]
		customers[i] = order.Customer{
			ERPPartnerID: r.id(),
			// A partner that was not created by Odoo itself may lack one, and then stands for itself.
			ERPCompanyID: cmp.Or(r.refID("commercial_partner_id"), r.id()),
			Name:         r.text("name"),
			Email:        r.text("email"),
			Phone:        r.text("phone"),
			Active:       r.flag("active"),
			WriteDate:    r.moment("write_date"),
		}
	}
	return customers, firstError("res.partner.search_read", list)
}
