package gateway

import (
	"context"

	"ordergate/order"
)

// Service is one tenant's order service. Errors are *order.Error where a caller may be told of them; any other error
// becomes a blank 500, except that a read that ran out of its deadline becomes a 503.
//
// The context of a call ends when the request's deadline passes or its sender goes away. A method that writes must not
// take that for proof that nothing was written: it answers Unavailable only where nothing was or will be done.
type Service interface {
	// Place places an order, once for each key of the caller's source. Placement.Order is nil while the outcome is not
	// known. Placement.Replayed is also set beside an error, where that error is the stored answer to an earlier request.
	Place(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error)
	// Enqueue accepts an order to be placed when its turn comes, also while the ERP is away. Placement.Order is nil, unless
	// the key's order is placed already. Otherwise it is like Place.
	Enqueue(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error)

	// Preview returns what placing an order would send to the ERP, and does nothing. Without a key it makes one up.
	Preview(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Preview, error)

	// Intent returns the intent of a key. Source "" is the caller's own; only operators may name another. NotFound
	// where there is none or the caller may not see it.
	Intent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
	// Intents returns a page of the intents that the caller may see, the newest first: those of its own source, a
	// customer's own, or for operators all.
	Intents(ctx context.Context, caller order.Caller, f order.IntentFilter) ([]order.Intent, error)
	// RetryIntent lets a parked intent, or one in doubt, be tried again at once. Conflict if its state does not allow it.
	RetryIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
	// CancelIntent calls an intent off: one that waits ends at once; one in doubt is looked for in the ERP, cancelled there
	// if it exists, and ends then. Conflict if it is being placed at this moment, placed, or rejected.
	CancelIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)

	// Orders returns a page of the orders that the caller may see.
	Orders(ctx context.Context, caller order.Caller, f order.Filter) (order.Listing, error)
	// Order returns one order, tombstones included. NotFound where there is none or it is somebody else's.
	Order(ctx context.Context, caller order.Caller, id int64) (order.Order, order.OrderSync, error)
	// History returns a page of an order's entries, oldest first. NotFound as for Order.
	History(ctx context.Context, caller order.Caller, id int64, f order.HistoryFilter) ([]order.HistoryEntry, error)
	// HistoryStatus returns what an order's history comes to. NotFound as for Order.
	HistoryStatus(ctx context.Context, caller order.Caller, id int64) (order.HistoryStatus, error)
	// WriteHistory appends an entry of the caller's module to an order's history, once for each key of the module, and returns it
	// as it was written; Replayed if an earlier request did. NotFound as for Order.
	WriteHistory(ctx context.Context, caller order.Caller, key string, e order.HistoryEntry) (written order.HistoryEntry, replayed bool, err error)
	// HistoryCounts counts the tenant's orders by the latest code of each module.
	HistoryCounts(ctx context.Context) (order.HistoryCounts, error)
	// Act does something with an order in the ERP, once for each key of the caller's source. Placement is as for Place.
	Act(ctx context.Context, caller order.Caller, key string, action order.Action) (order.Placement, error)

	// ActOnMany does the same with many orders, with each as Act would. An error is about the whole.
	ActOnMany(ctx context.Context, caller order.Caller, key string, bulk order.Bulk) ([]order.BulkOutcome, error)
	// InvoicePDF returns an invoice of an order as the ERP prints it. Whoever gets it closes its content.
	InvoicePDF(ctx context.Context, caller order.Caller, orderID, invoiceID int64) (order.File, error)
	// Warehouses, Stock, Allocations and Procurement ask the ERP. Unsupported where it lacks what that takes, Forbidden where the gateway's
	// user may not read it.
	Warehouses(ctx context.Context) ([]order.Warehouse, error)
	// Stock returns how much there is of products in each warehouse, or in the one with a code or id.
	Stock(ctx context.Context, skus []string, warehouse string) ([]order.StockLevel, error)
	// Allocations returns what is reserved for an order. NotFound as for Order.
	Allocations(ctx context.Context, caller order.Caller, id int64) (order.Allocations, error)
	// Procurement returns what is bought for an order, and enters in its history what that does not say yet. NotFound as for Order.
	Procurement(ctx context.Context, caller order.Caller, id int64) ([]order.Purchase, error)

	// ListAuditRuns returns a page of comparisons of the mirror with the ERP, the newest first; ListFindings what they found.
	ListAuditRuns(ctx context.Context, caller order.Caller, f order.AuditFilter) ([]order.AuditRun, error)
	ListFindings(ctx context.Context, caller order.Caller, f order.FindingFilter) ([]order.Finding, error)

	// SyncReport says how the mirror relates to the ERP.
	SyncReport(ctx context.Context, caller order.Caller) (order.SyncReport, error)
	// SyncNow reads what is wished for from the ERP, and returns in how many orders something new was found.
	SyncNow(ctx context.Context, caller order.Caller, wish order.SyncWish) (found int, status order.SyncStatus, err error)

	Products(ctx context.Context, caller order.Caller, f order.CatalogueFilter) ([]order.Product, order.SyncStatus, error)
	Customers(ctx context.Context, caller order.Caller, f order.CatalogueFilter) ([]order.Customer, order.SyncStatus, error)
	// CreateCustomer creates a customer if its ref is new, and returns the one that stands either way.
	CreateCustomer(ctx context.Context, caller order.Caller, c order.CustomerRef) (customer order.Customer, created bool, err error)
}

// Keys finds API keys.
type Keys interface {
	// KeyByHash returns the key whose secret has this SHA-256, in hexadecimal. An *order.Error of kind NotFound if none
	// has; a revoked key comes back with RevokedAt set; any other error means that the store cannot be asked.
	KeyByHash(ctx context.Context, hash string) (order.APIKey, error)
}

// Check is one thing that /readyz looks at. Run returns nil if it is well; it must return when its context ends. The
// checks named "database" and "migrations" decide whether the gateway is ready at all, the others whether it is degraded.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}
