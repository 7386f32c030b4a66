package gateway

import (
	"context"

	"ordergate/order"
)

// ListCustomers answers GET /v1/customers.
func (a *api) ListCustomers(ctx context.Context, request ListCustomersRequestObject) (ListCustomersResponseObject, error) {
	ctx, call := enter(ctx)
	filter, err := readCatalogueFilter(request.Params.Q, request.Params.Cursor, request.Params.Limit, listCustomers)
	if err != nil {
		return nil, err
	}
	customers, status, err := call.service.Customers(ctx, call.caller, filter)
	if err != nil {
		return nil, err
	}

	page := ListCustomers200JSONResponse{Customers: make([]Customer, len(customers)), Sync: renderSync(status)}
	for i, c := range customers {
		page.Customers[i] = renderCustomer(c)
	}
	if len(customers) == filter.Limit {
		next := encodeCursor(cursor{List: listCustomers, ID: customers[len(customers)-1].ERPPartnerID})
		page.NextCursor = &next
	}
	return page, nil
}

// CreateCustomer answers POST /v1/customers.
func (a *api) CreateCustomer(ctx context.Context, request CreateCustomerRequestObject) (CreateCustomerResponseObject, error) {
	ctx, call := enter(ctx)
	customer, created, err := call.service.CreateCustomer(ctx, call.caller, order.CustomerRef{
		Ref: request.Body.Ref, Name: request.Body.Name, Email: orNone(request.Body.Email), Phone: orNone(request.Body.Phone),
	})
	switch {
	case err != nil:
		return nil, err
	case created:
		return CreateCustomer201JSONResponse(renderCustomer(customer)), nil
	default:
		return CreateCustomer200JSONResponse(renderCustomer(customer)), nil
	}
}

func renderCustomer(c order.Customer) Customer {
	return Customer{
		ERPPartnerID: c.ERPPartnerID, ERPCompanyID: orNull(c.ERPCompanyID), Ref: orNull(c.Ref), Name: c.Name,
		Email: orNull(c.Email), Phone: orNull(c.Phone), Active: c.Active,
		CreatedAt: utcOrNull(c.CreatedAt), UpdatedAt: utcOrNull(c.WriteDate),
	}
}
