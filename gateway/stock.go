package gateway

import (
	"context"

	"ordergate/order"
)

// ListWarehouses answers GET /v1/warehouses.
func (a *api) ListWarehouses(ctx context.Context, _ ListWarehousesRequestObject) (ListWarehousesResponseObject, error) {
	ctx, call := enter(ctx)
	warehouses, err := call.service.Warehouses(ctx)
	if err != nil {
		return nil, err
	}
	list := ListWarehouses200JSONResponse{Warehouses: make([]Warehouse, len(warehouses))}
	for i, w := range warehouses {
		list.Warehouses[i] = Warehouse(w)
	}
	return list, nil
}

// GetStock answers GET /v1/stock.
func (a *api) GetStock(ctx context.Context, request GetStockRequestObject) (GetStockResponseObject, error) {
	ctx, call := enter(ctx)
	levels, err := call.service.Stock(ctx, request.Params.SKU, orNone(request.Params.Warehouse))
	if err != nil {
		return nil, err
	}
	list := GetStock200JSONResponse{Stock: make([]StockLevel, len(levels))}
	for i, l := range levels {
		list.Stock[i] = StockLevel{
			SKU: l.SKU, ERPProductID: l.ProductID, Warehouse: Warehouse(l.Warehouse), UnitOfMeasure: l.UnitOfMeasure, Kept: l.Kept,
			OnHand: order.FormatQuantity(l.OnHand), Reserved: order.FormatQuantity(l.Reserved()),
			Free: order.FormatQuantity(l.Free), Incoming: order.FormatQuantity(l.Incoming),
		}
	}
	return list, nil
}

// GetAllocations answers GET /v1/orders/{id}/allocations.
func (a *api) GetAllocations(ctx context.Context, request GetAllocationsRequestObject) (GetAllocationsResponseObject, error) {
	ctx, call := enter(ctx)
	found, err := call.service.Allocations(ctx, call.caller, request.ID)
	if err != nil {
		return nil, err
	}
	list := GetAllocations200JSONResponse{Allocations: make([]Allocation, len(found.Lines))}
	if found.Warehouse.ID != 0 {
		list.Warehouse = &Warehouse{ID: found.Warehouse.ID, Code: found.Warehouse.Code, Name: found.Warehouse.Name}
	}
	for i, l := range found.Lines {
		list.Allocations[i] = Allocation{
			ERPLineID: orNull(l.LineID), ERPProductID: l.ProductID, SKU: orNull(l.SKU), UnitOfMeasure: l.UnitOfMeasure,
			Demanded: order.FormatQuantity(l.Demanded), Reserved: order.FormatQuantity(l.Reserved), Short: order.FormatQuantity(l.Short()),
			Places: make([]AllocationPlace, len(l.Places)),
		}
		for j, p := range l.Places {
			list.Allocations[i].Places[j] = AllocationPlace{
				DeliveryID: p.DeliveryID, Location: p.Location, Lot: orNull(p.Lot), Quantity: order.FormatQuantity(p.Quantity),
			}
		}
	}
	return list, nil
}

// AssignWarehouse answers POST /v1/orders/{id}/warehouse.
func (a *api) AssignWarehouse(ctx context.Context, request AssignWarehouseRequestObject) (AssignWarehouseResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey,
		order.Action{Kind: order.Assign, OrderID: request.ID, Warehouse: request.Body.Warehouse})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return AssignWarehouse202JSONResponse{*accepted}, nil
	}
	return AssignWarehouse200JSONResponse{*done}, nil
}

// ReserveOrder answers POST /v1/orders/{id}/allocations.
func (a *api) ReserveOrder(ctx context.Context, request ReserveOrderRequestObject) (ReserveOrderResponseObject, error) {
	done, accepted, err := a.perform(ctx, request.Params.IdempotencyKey, order.Action{Kind: order.Reserve, OrderID: request.ID})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return ReserveOrder202JSONResponse{*accepted}, nil
	}
	return ReserveOrder200JSONResponse{
		Body: renderWithShortages(*done.Order), Headers: ReserveOrder200ResponseHeaders{ETag: etag(done.Order.Version), IdempotencyReplayed: orNull(done.Replayed)},
	}, nil
}

// ReleaseOrder answers DELETE /v1/orders/{id}/allocations.
func (a *api) ReleaseOrder(ctx context.Context, request ReleaseOrderRequestObject) (ReleaseOrderResponseObject, error) {
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey, order.Action{Kind: order.Release, OrderID: request.ID})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return ReleaseOrder202JSONResponse{*accepted}, nil
	}
	return ReleaseOrder200JSONResponse{*done}, nil
}

// GetProcurement answers GET /v1/orders/{id}/procurement.
func (a *api) GetProcurement(ctx context.Context, request GetProcurementRequestObject) (GetProcurementResponseObject, error) {
	ctx, call := enter(ctx)
	purchases, err := call.service.Procurement(ctx, call.caller, request.ID)
	if err != nil {
		return nil, err
	}
	list := GetProcurement200JSONResponse{Purchases: make([]Purchase, len(purchases))}
	for i, p := range purchases {
		list.Purchases[i] = Purchase{
			ID: p.ID, Number: p.Number, State: PurchaseState(p.State), Vendor: p.Vendor,
			OrderedAt: utcOrNull(p.OrderedAt), ExpectedAt: utcOrNull(p.ExpectedAt), Lines: make([]PurchaseLine, len(p.Lines)),
		}
		for j, l := range p.Lines {
			list.Purchases[i].Lines[j] = PurchaseLine{
				ID: l.ID, ERPLineID: orNull(l.LineID), ERPProductID: orNull(l.ProductID), SKU: orNull(l.SKU), Name: l.Name,
				UnitOfMeasure: orNull(l.UnitOfMeasure), Quantity: order.FormatQuantity(l.Quantity), Received: order.FormatQuantity(l.Received),
				ExpectedAt: utcOrNull(l.ExpectedAt),
			}
		}
	}
	return list, nil
}

// orderWithShortages is the contract's OrderWithShortages. The generator would copy the members of Order.
type orderWithShortages struct {
	Order
	Shortages []Shortage `json:"shortages"`
}

// renderWithShortages renders an order with what its placement or reservation lacked.
func renderWithShortages(of order.Order) OrderWithShortages {
	rendered := OrderWithShortages{Order: renderOrder(of), Shortages: make([]Shortage, len(of.Shortages))}
	for i, s := range of.Shortages {
		rendered.Shortages[i] = Shortage{SKU: orNull(s.SKU), Demanded: order.FormatQuantity(s.Demanded),
			Available: order.FormatQuantity(s.Available), Short: order.FormatQuantity(s.Missing())}
	}
	return rendered
}
