package odoo

import (
	"context"
	"time"

	"ordergate/order"
)

// Products lists products written since, archived ones too. WriteDate is the later of the variant's and of its
// template's: what a template holds, such as sale_ok, is the product's as well.
func (c *Client) Products(ctx context.Context, page Page) ([]order.Product, error) {
	return c.products(ctx, pageDomain(page, func(at string) domain {
		return domain{"|", condition("write_date", ">=", at), condition("product_tmpl_id.write_date", ">=", at)}
	}), page.Limit)
}

// ProductsBySKU returns every product that has one of the SKUs, archived ones too. SKUs are compared exactly.
func (c *Client) ProductsBySKU(ctx context.Context, skus []string) ([]order.Product, error) {
	if len(skus) == 0 {
		return nil, nil
	}
	return c.products(ctx, domain{condition("default_code", "in", anySlice(skus))}, 0)
}

// ProductsByID returns the products that exist, archived ones too.
func (c *Client) ProductsByID(ctx context.Context, ids []int64) ([]order.Product, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return c.products(ctx, idsIn("id", ids), 0)
}

func (c *Client) products(ctx context.Context, d domain, limit int) ([]order.Product, error) {
	list, _, err := c.searchRead(ctx, query{model: "product.product", domain: d, limit: limit, context: archivedToo,
		fields: []string{"default_code", "name", "uom_id", "lst_price", "currency_id", "sale_ok", "active", "write_date", "product_tmpl_id"}})
	if err != nil {
		return nil, err
	}
	products := make([]order.Product, len(list))
	templates := make([]int64, len(list))
	for i := range list {
		r := &list[i]
		products[i] = order.Product{
			ERPProductID:  r.id(),
			SKU:           r.text("default_code"),
			Name:          r.text("name"),
			UnitOfMeasure: r.refName("uom_id"),
			ListPrice:     r.number("lst_price"),
			Currency:      r.refName("currency_id"),
			Sellable:      r.flag("sale_ok"),
			Active:        r.flag("active"),
			WriteDate:     r.moment("write_date"),
		}
		templates[i] = r.refID("product_tmpl_id")
	}
	err = firstError("product.product.search_read", list)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	written, err := c.templatesWritten(ctx, templates)
	if err != nil {
		return nil, err
	}
	for i := range products {
		if at := written[templates[i]]; at.After(products[i].WriteDate) {
			products[i].WriteDate = at
		}
	}
	return products, nil
}

func (c *Client) templatesWritten(ctx context.Context, ids []int64) (map[int64]time.Time, error) {
	list, _, err := c.searchRead(ctx, query{model: "product.template", domain: idsIn("id", ids),
		fields: []string{"write_date"}, context: archivedToo})
	if err != nil {
		return nil, err
	}
	written := make(map[int64]time.Time, len(list))
	for i := range list {
		written[list[i].id()] = list[i].moment("write_date")
	}
	return written, firstError("product.template.search_read", list)
}
