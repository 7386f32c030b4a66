package gateway

import (
	"context"

	"ordergate/order"
)

// ListProducts answers GET /v1/products.
func (a *api) ListProducts(ctx context.Context, request ListProductsRequestObject) (ListProductsResponseObject, error) {
	ctx, call := enter(ctx)
	filter, err := readCatalogueFilter(request.Params.Q, request.Params.Cursor, request.Params.Limit, listProducts)
	if err != nil {
		return nil, err
	}
	products, status, err := call.service.Products(ctx, call.caller, filter)
	if err != nil {
		return nil, err
	}

	page := ListProducts200JSONResponse{Products: make([]Product, len(products)), Sync: renderSync(status)}
	for i, p := range products {
		page.Products[i] = renderProduct(p)
	}
	if len(products) == filter.Limit {
		next := encodeCursor(cursor{List: listProducts, ID: products[len(products)-1].ERPProductID})
		page.NextCursor = &next
	}
	return page, nil
}

// readCatalogueFilter reads the parameters that the lists of products and of customers share.
func readCatalogueFilter(query *string, after *Cursor, limit *Limit, list string) (order.CatalogueFilter, error) {
	filter := order.CatalogueFilter{Query: orNone(query), Limit: pageSize(limit)}
	if after != nil {
		at, ok := decodeCursor(*after, list)
		if !ok {
			return order.CatalogueFilter{}, invalid([]order.Violation{{Field: "cursor", Message: notACursor}})
		}
		filter.AfterID = at.ID
	}
	return filter, nil
}

func renderProduct(p order.Product) Product {
	return Product{
		ERPProductID: p.ERPProductID, SKU: orNull(p.SKU), Name: p.Name, UnitOfMeasure: orNull(p.UnitOfMeasure),
		ListPrice: order.FormatAmount(p.ListPrice, currencyDecimals(p.Currency)), Currency: orNull(p.Currency),
		Sellable: p.Sellable, Active: p.Active, UpdatedAt: utc(p.WriteDate),
	}
}

// currencyDecimals is how many decimals a currency has by ISO 4217. Orders bring their own from the ERP, products do not.
func currencyDecimals(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	default:
		return 2
	}
}
