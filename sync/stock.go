package ordersync

import (
	"context"
	"errors"
	"slices"

	"ordergate/odoo"
	"ordergate/order"
)

// StockERP is what this package needs of Odoo's stock and purchases.
type StockERP interface {
	// HasStock reports whether the ERP has warehouses that the gateway's user may look into. The methods from here to
	// StockLevels, and those about the warehouse of an order, take it.
	HasStock(ctx context.Context) (bool, error)
	// Warehouses returns them, by rising id.
	Warehouses(ctx context.Context) ([]order.Warehouse, error)
	// StockLevels returns how much there is of products in one warehouse, by rising product.
	StockLevels(ctx context.Context, productIDs []int64, in order.Warehouse) ([]order.StockLevel, error)
	// FreeStock returns how much of each product nobody has reserved; of none where the ERP has no stock.
	FreeStock(ctx context.Context, productIDs []int64) (map[int64]order.FreeStock, error)

	// OrderWarehouse returns the id of the warehouse that an order is sent from, 0 for none.
	OrderWarehouse(ctx context.Context, orderID int64) (int64, error)
	// AssignWarehouse sets it. Deliveries that there are stay where they are. Its success or failure proves little.
	AssignWarehouse(ctx context.Context, orderID, warehouseID int64) error

	// Allocations returns what is reserved for an order, SKUs and warehouse not set; false where the ERP has no deliveries, or hides
	// them.
	Allocations(ctx context.Context, orderID int64) (a order.Allocations, known bool, err error)
	// Reserve reserves what can be for transfers.
	Reserve(ctx context.Context, transfers []int64) error
	// Release takes back what is reserved for transfers. Its success or failure proves little: read the allocations afterwards.
	Release(ctx context.Context, transfers []int64) error

	// Purchases returns the purchase orders that were raised for an order, and those of known, SKUs not set.
	Purchases(ctx context.Context, orderID int64, known []int64) (purchases []order.Purchase, installed, permitted bool, err error)
	// PurchaseLineHeads lists the lines of purchase orders that were written since, or whose purchase order was, which is their OrderID;
	// none where the ERP has no purchases, or hides them.
	PurchaseLineHeads(ctx context.Context, page odoo.Page) ([]odoo.LineHead, error)
	// PurchasesByOrder returns purchase orders by the orders that they were raised for, SKUs not set. A cancelled one may stand without lines
	// at orders that it perhaps was raised for.
	PurchasesByOrder(ctx context.Context, ids []int64) (map[int64][]order.Purchase, error)
}

// Warehouses returns the ERP's warehouses, by rising id. Errors: Unsupported without its stock, Forbidden without the right to it,
// Unavailable.
func (s *Service) Warehouses(ctx context.Context) ([]order.Warehouse, error) {
	warehouses, err := s.warehouses(ctx)
	if err != nil {
		return nil, notRead(err, "warehouses")
	}
	return warehouses, nil
}

// warehouses are the ERP's, with its own errors but for the one that it has none.
func (s *Service) warehouses(ctx context.Context) ([]order.Warehouse, error) {
	known, err := s.erp.HasStock(ctx)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, stockMissing()
	}
	return s.erp.Warehouses(ctx)
}

// Stock returns how much there is of the products with these SKUs in each warehouse, or in the one with a code or id: by warehouse, and
// then by product. It asks the ERP once for each warehouse. Errors: as for Warehouses; Unprocessable for a SKU or warehouse that there is
// not.
func (s *Service) Stock(ctx context.Context, skus []string, warehouse string) ([]order.StockLevel, error) {
	warehouses, err := s.Warehouses(ctx)
	if err != nil {
		return nil, err
	}
	if warehouse != "" {
		found, known := order.FindWarehouse(warehouses, warehouse)
		if !known {
			return nil, unknownWarehouse(warehouse)
		}
		warehouses = []order.Warehouse{found}
	}
	products, err := s.productsOf(ctx, skus)
	if err != nil {
		return nil, err
	}
	levels := []order.StockLevel{}
	for _, w := range warehouses {
		found, err := s.erp.StockLevels(ctx, products, w)
		if err != nil {
			return nil, notRead(err, "the stock")
		}
		levels = append(levels, found...)
	}
	return levels, nil
}

// productsOf returns the ids of the products with these SKUs, archived ones only where no other has the SKU.
func (s *Service) productsOf(ctx context.Context, skus []string) ([]int64, error) {
	products, err := s.mirror.ProductsBySKU(ctx, s.tenant.ID, skus)
	if err != nil {
		return nil, databaseUnavailable(err)
	}
	bySKU := groupBySKU(products)
	var unknown []string
	for _, sku := range skus {
		if len(bySKU[sku]) == 0 {
			unknown = append(unknown, sku)
		}
	}
	if len(unknown) > 0 {
		asked, err := s.erp.ProductsBySKU(ctx, unknown)
		if err != nil {
			return nil, erpUnavailable(err)
		}
		if err := s.mirror.UpsertProducts(ctx, s.tenant.ID, asked); err != nil {
			return nil, databaseUnavailable(err)
		}
		for sku, found := range groupBySKU(asked) {
			bySKU[sku] = found
		}
	}
	var ids []int64
	for _, sku := range skus {
		found := bySKU[sku]
		if active := slices.DeleteFunc(slices.Clone(found), func(p order.Product) bool { return !p.Active }); len(active) > 0 {
			found = active
		}
		if len(found) == 0 {
			return nil, order.Invalid("unknown_sku", "sku", "No product has the SKU %q.", sku)
		}
		for _, p := range found {
			ids = append(ids, p.ERPProductID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Allocations returns what is reserved for an order that the caller may see, as the ERP says it now. Errors: NotFound, and as for
// Warehouses.
func (s *Service) Allocations(ctx context.Context, caller order.Caller, id int64) (order.Allocations, error) {
	if _, err := s.visibleOrder(ctx, caller, id); err != nil {
		return order.Allocations{}, err
	}
	a, err := s.allocations(ctx, id)
	if err != nil {
		return order.Allocations{}, notRead(err, "deliveries")
	}
	warehouses, err := s.erp.Warehouses(ctx)
	if err != nil {
		return order.Allocations{}, notRead(err, "warehouses")
	}
	warehouseID, err := s.erp.OrderWarehouse(ctx, id)
	if err != nil {
		return order.Allocations{}, notRead(err, "the order's warehouse")
	}
	if i := slices.IndexFunc(warehouses, func(w order.Warehouse) bool { return w.ID == warehouseID }); i >= 0 {
		a.Warehouse = warehouses[i]
	}
	return a, nil
}

// allocations reads them with their SKUs; the errors are those of the side that failed.
func (s *Service) allocations(ctx context.Context, orderID int64) (order.Allocations, error) {
	a, known, err := s.erp.Allocations(ctx, orderID)
	if err != nil {
		return order.Allocations{}, err
	}
	if !known {
		return order.Allocations{}, stockMissing()
	}
	products := make(map[int64]bool, len(a.Lines))
	for _, l := range a.Lines {
		products[l.ProductID] = true
	}
	skus, err := s.skus(ctx, products)
	for i := range a.Lines {
		a.Lines[i].SKU = skus[a.Lines[i].ProductID]
	}
	return a, err
}

func unknownWarehouse(codeOrID string) *order.Error {
	return order.Invalid("unknown_warehouse", "warehouse", "No warehouse, or more than one, has the code or id %q.", codeOrID)
}

// notRead turns a failed read of what is asked of the ERP, for a caller, into what that is told.
func notRead(err error, what string) error {
	var e *odoo.Error
	switch {
	case isRefusal(err):
		return err
	case reason(err) == odoo.AccessRights && errors.As(err, &e):
		return erpRightsMissing("read "+what, e.Message, err)
	case errors.As(err, &e):
		return erpUnavailable(err)
	}
	return databaseUnavailable(err)
}
