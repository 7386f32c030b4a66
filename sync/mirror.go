package ordersync

import (
	"context"
	"time"

	"ordergate/order"
	"ordergate/store"
)

// Mirror is what this package needs of the database; *store.Store is one. Its methods take the tenant first, and it is
// in every WHERE clause. Errors: *order.Error of kind NotFound where one thing was asked for and is absent;
// store.ErrUnavailable (nothing was written) and store.ErrUnknown (it may have been) otherwise, tested with errors.Is.
type Mirror interface {
	IntentStore
	OrderStore
	CatalogueStore
	CursorStore
}

// IntentStore keeps intents.
type IntentStore interface {
	// InsertIntent stores a new intent, in state Sending with its lease, and sets its ID. store.ErrExists if the key
	// (tenant, source, key) is taken.
	InsertIntent(ctx context.Context, in *order.Intent) error
	Intent(ctx context.Context, tenantID int64, source, key string) (order.Intent, error)
	// ClaimIntent takes the lease of an intent that nobody carries: one in Sending whose lease is free or over, or
	// one in Refused. It counts an attempt, and sets UnknownAt to now if the lease was left behind by a crash
	// (token not empty). False if it cannot be claimed.
	ClaimIntent(ctx context.Context, tenantID, id int64, lease store.Lease) (order.Intent, bool, error)
	// DueIntents returns ids of intents in Sending that nobody carries and whose NextAttemptAt has come, oldest first.
	DueIntents(ctx context.Context, tenantID int64, now time.Time, limit int) ([]int64, error)
	// ReleaseIntent gives the lease back and leaves the intent in Sending. store.ErrLeaseLost if token is not the holder.
	ReleaseIntent(ctx context.Context, tenantID, id int64, token string, r store.Release) error
	// CloseIntent ends the intent as Rejected or Refused. store.ErrLeaseLost if token is not the holder.
	CloseIntent(ctx context.Context, tenantID, id int64, token string, state order.IntentState, failure *order.Error) error
	// PlaceIntent stores the order with its lines, appends the entries to its history, and closes the intent as
	// Placed, all in one transaction, and returns the order as stored. store.ErrLeaseLost if token is not the holder.
	PlaceIntent(ctx context.Context, in *order.Intent, s order.Snapshot, entries []order.HistoryEntry) (order.Order, error)
	// CountIntents counts the intents in Sending, and returns when the oldest of them was created.
	CountIntents(ctx context.Context, tenantID int64) (open int64, oldest time.Time, err error)
}

// OrderStore keeps the mirror of orders.
type OrderStore interface {
	// UpsertOrders brings the mirror to the snapshots: an older state never replaces a newer one, an unchanged one
	// writes nothing, a changed status is entered in the history. The source of an order it did not know is the one
	// of the intent that placed it, or order.SourceERP.
	UpsertOrders(ctx context.Context, tenantID int64, snapshots []order.Snapshot, recordedBy string) (store.Upserted, error)
	// Order returns one order, tombstones included.
	Order(ctx context.Context, tenantID, id int64) (order.Order, error)
	// ListOrders returns a page; Sync is left for the caller to fill.
	ListOrders(ctx context.Context, tenantID int64, f order.Filter) (order.Listing, error)
	// OrderHeads returns what the mirror holds of these orders, by id; LinesWriteDate and ReadAt included.
	OrderHeads(ctx context.Context, tenantID int64, ids []int64) (map[int64]order.Head, error)
	CountOrders(ctx context.Context, tenantID int64) (int64, error) // without tombstones
	// OrderIDs returns up to limit ids after afterID, rising, without tombstones.
	OrderIDs(ctx context.Context, tenantID, afterID int64, limit int) ([]int64, error)
	// MarkDeleted makes tombstones of orders that the ERP no longer has, with a history entry each.
	MarkDeleted(ctx context.Context, tenantID int64, ids []int64, recordedBy string) (int64, error)
	// History returns an order's entries, oldest first.
	History(ctx context.Context, tenantID, id int64) ([]order.HistoryEntry, error)
}

// CatalogueStore keeps the mirror of products and customers.
type CatalogueStore interface {
	UpsertProducts(ctx context.Context, tenantID int64, products []order.Product) error
	ProductsBySKU(ctx context.Context, tenantID int64, skus []string) ([]order.Product, error)
	ProductsByID(ctx context.Context, tenantID int64, ids []int64) ([]order.Product, error)
	ListProducts(ctx context.Context, tenantID int64, f order.CatalogueFilter) ([]order.Product, error)
	// ForgetProducts drops products that the ERP no longer has.
	ForgetProducts(ctx context.Context, tenantID int64, ids []int64) error

	// UpsertCustomers stores what the ERP says of partners; a Ref that the mirror holds is kept where c.Ref is empty.
	UpsertCustomers(ctx context.Context, tenantID int64, customers []order.Customer) error
	CustomerByRef(ctx context.Context, tenantID int64, ref string) (order.Customer, error)
	CustomersByPartner(ctx context.Context, tenantID int64, partnerIDs []int64) ([]order.Customer, error)
	ListCustomers(ctx context.Context, tenantID int64, f order.CatalogueFilter) ([]order.Customer, error)
	// ForgetCustomers drops customers that the ERP no longer has, refs included: those are free for another partner.
	ForgetCustomers(ctx context.Context, tenantID int64, partnerIDs []int64) error
}

// CursorStore keeps how far each model was synced.
type CursorStore interface {
	// Cursor returns the zero Cursor for a model that was never synced.
	Cursor(ctx context.Context, tenantID int64, model string) (store.Cursor, error)
	SaveCursor(ctx context.Context, tenantID int64, model string, c store.Cursor) error
}
