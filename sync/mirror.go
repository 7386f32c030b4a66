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
	HistoryStore
	CatalogueStore
	CursorStore
	WebhookStore
	AuditStore
}

// IntentStore keeps intents. A method that names a token changes only what that token holds; what it held no longer is
// missing from the ids that the method returns.
type IntentStore interface {
	// InsertIntent stores a new intent, in state Queued or Sending, with or without a lease, and sets its ID.
	// store.ErrExists if the key (tenant, source, key) is taken; store.ErrBusy if it is an action on an order that another one holds.
	InsertIntent(ctx context.Context, in *order.Intent) error
	Intent(ctx context.Context, tenantID int64, source, key string) (order.Intent, error)
	// ListIntents returns intents, the newest first.
	ListIntents(ctx context.Context, tenantID int64, f order.IntentFilter) ([]order.Intent, error)
	CountIntents(ctx context.Context, tenantID int64) (order.IntentCounts, error)

	// ClaimIntents takes up those of the intents that nobody carries, by rising id: they go to Sending under the lease, and
	// an attempt is counted. Claimable are: Refused that lease.Anew names; Queued and Sending whose lease is free, over, or
	// further in the future than leases last; Queued that a token of lease.Held holds. One in Sending whose token was left
	// behind was abandoned by a crash: its UnknownAt becomes lease.ERPNow; while that is not known, it is not claimed. One that was
	// Refused begins anew, an action without its plan. store.ErrBusy, and none is claimed, if such a one is an action on an order that
	// another one holds.
	ClaimIntents(ctx context.Context, tenantID int64, ids []int64, lease store.Lease) ([]order.Intent, error)
	// ClaimQueued takes up to limit queued intents that nobody carries: the first of each customer of each source, the
	// oldest first. It passes over the customers that have an acknowledged intent in
	// Sending, so that a customer's orders go in turn, however many processes claim.
	ClaimQueued(ctx context.Context, tenantID int64, limit int, lease store.Lease) ([]order.Intent, error)
	// DueIntents returns ids of intents in Sending that nobody carries and whose NextAttemptAt has come, or lies further
	// in the future than any wait; oldest first.
	DueIntents(ctx context.Context, tenantID int64, now time.Time, limit int) ([]int64, error)
	// RenewLeases prolongs the leases of those tokens that still hold one, and returns these tokens.
	RenewLeases(ctx context.Context, tenantID int64, tokens []string, until time.Time) ([]string, error)
	// SavePlans stores the plans of intents, by id, that had none, or the same without a look at the stock.
	SavePlans(ctx context.Context, tenantID int64, token string, plans map[int64]order.Plan) ([]int64, error)

	// PlaceIntents stores the orders with their lines, appends to their histories, and closes the intents as Placed, or actions as
	// Performed, all in one transaction, and returns the orders as stored, by intent.
	PlaceIntents(ctx context.Context, tenantID int64, token string, placed []store.Placed) (map[int64]order.Order, error)
	// EndAttempts writes down how attempts ended that placed nothing, in one transaction, and gives the leases back.
	EndAttempts(ctx context.Context, tenantID int64, token string, ends []store.End) ([]int64, error)
	// CloseQueued ends a queued intent as Refused if token holds it. False if it does not any more.
	CloseQueued(ctx context.Context, tenantID, id int64, token string, failure *order.Error) (bool, error)

	// QueueRefused lets an intent in Refused begin anew as a queued and acknowledged one. False if it is in another state.
	QueueRefused(ctx context.Context, tenantID, id int64) (bool, error)
	// CancelWaiting ends an intent in Queued, whoever holds it, or in Refused, as CalledOff with the failure that its
	// key is answered with from then on. False if it is in another state.
	CancelWaiting(ctx context.Context, tenantID, id int64, failure *order.Error) (bool, error)
	// RequestCancel notes on an intent in Sending or Parked, which nobody carries, that it was called off at a time, and
	// makes it due at once, in Sending. False if it is in another state, or carried.
	RequestCancel(ctx context.Context, tenantID, id int64, at, erpNow time.Time) (bool, error)
	// RetryIntent makes an intent in Parked or Sending due at once, in Sending, its strikes forgotten. False if it is in
	// another state.
	RetryIntent(ctx context.Context, tenantID, id int64, at time.Time) (bool, error)
	// PurgeIntents deletes up to limit intents that ended before a time: Placed, Performed, Rejected, Refused, CalledOff.
	PurgeIntents(ctx context.Context, tenantID int64, before time.Time, limit int) (int, error)
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
	// CountOrders counts the orders of a range of ids, without tombstones.
	CountOrders(ctx context.Context, tenantID int64, r order.IDRange) (int64, error)
	// Briefs returns up to limit orders with ids after afterID, rising, without tombstones.
	Briefs(ctx context.Context, tenantID, afterID int64, limit int) ([]order.Brief, error)
	// CountMirror counts orders for a SyncReport: Orders, Edited and Deleted.
	CountMirror(ctx context.Context, tenantID int64) (order.SyncReport, error)
	// OrderInDoubt reports whether an intent of this order has no known outcome.
	OrderInDoubt(ctx context.Context, tenantID, id int64) (bool, error)
	// LastOrderID returns the highest id, tombstones included; 0 without orders.
	LastOrderID(ctx context.Context, tenantID int64) (int64, error)
	// OrderIDs returns up to limit ids after afterID, rising, without tombstones.
	OrderIDs(ctx context.Context, tenantID, afterID int64, limit int) ([]int64, error)
	// PartnerOrderIDs returns up to limit ids of a partner's orders from fromID on, without tombstones.
	PartnerOrderIDs(ctx context.Context, tenantID, partnerID, fromID int64, limit int) ([]int64, error)
	// MarkDeleted makes tombstones of orders that the ERP did not have at a time, by its clock, with a history entry each.
	MarkDeleted(ctx context.Context, tenantID int64, ids []int64, asOf time.Time, recordedBy string) (int64, error)
	// AdoptOrders sets the sources of orders that have none but the ERP, and adds an intent in Adopted for every key that is
	// free; without apply it says what it would do. It returns what it did, in the order of the adoptions.
	AdoptOrders(ctx context.Context, tenantID int64, adoptions []store.Adoption, apply bool) ([]store.Adopted, error)
}

// HistoryStore keeps the histories of orders.
type HistoryStore interface {
	// History returns a page of an order's entries, oldest first.
	History(ctx context.Context, tenantID, id int64, f order.HistoryFilter) ([]order.HistoryEntry, error)
	// HistoryStatus returns the latest entry of each module, and the open blocking ones.
	HistoryStatus(ctx context.Context, tenantID, id int64) (order.HistoryStatus, error)
	// OpenBlocks returns the blocking entries that no later one has closed.
	OpenBlocks(ctx context.Context, tenantID, id int64) ([]order.HistoryEntry, error)
	// HistoryCounts counts orders by the latest code of each module.
	HistoryCounts(ctx context.Context, tenantID int64) (order.HistoryCounts, error)
	// WriteHistory appends an entry of a caller's, once for each key of its module, and returns it as it was written. MayClose
	// decides about the entry that it closes.
	WriteHistory(ctx context.Context, tenantID int64, e order.HistoryEntry, mayClose func(order.HistoryEntry) error) (
		written order.HistoryEntry, replayed bool, err error)
	// KnownFacts returns what an order's history says.
	KnownFacts(ctx context.Context, tenantID, id int64) (order.Known, error)
	// TellHistory appends what news makes of what an order's history says.
	TellHistory(ctx context.Context, tenantID, id int64, writtenBy string, news func(order.Known) []order.HistoryEntry) error
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
	// AdvanceCursor notes that a model was synced as far as c says, and never takes anything back of what is noted. With a
	// holder, it does nothing unless that holds the lease store.BackgroundSync, and says so with false.
	AdvanceCursor(ctx context.Context, tenantID int64, model string, c store.Cursor, holder string) (bool, error)
	// HoldSync takes a lease until a moment, or prolongs it. False while another holder has it.
	HoldSync(ctx context.Context, tenantID int64, name string, lease store.SyncLease) (bool, error)
	// LeaveSync gives a lease back, if holder has it.
	LeaveSync(ctx context.Context, tenantID int64, name, holder string) error

	// Backfill returns how far a full read has come; the zero Backfill if none is under way.
	Backfill(ctx context.Context, tenantID int64) (store.Backfill, error)
	// SaveBackfill notes how far a full read has come. False, and nothing is noted, unless holder has its lease.
	SaveBackfill(ctx context.Context, tenantID int64, holder string, b store.Backfill) (saved bool, err error)
	// EndBackfill forgets a full read. False, and it is kept, unless holder has its lease.
	EndBackfill(ctx context.Context, tenantID int64, holder string) (ended bool, err error)
}
