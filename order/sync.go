package order

import "time"

// OrderSyncState says how what is said of one order relates to the ERP.
type OrderSyncState string

// The states of one order, the one that counts most first.
const (
	SyncDeleted OrderSyncState = "deleted"  // gone from the ERP
	SyncInDoubt OrderSyncState = "in_doubt" // something of it is under way in the ERP, with an unknown outcome
	SyncDrifted OrderSyncState = "drifted"  // edited in the ERP since it was sent
	SyncStale   OrderSyncState = "stale"    // the mirror could not be brought within its freshness bound
	SyncSynced  OrderSyncState = "synced"
)

// OrderSync is the state of one order, since when it is known, and why.
type OrderSync struct {
	State    OrderSyncState
	SyncedAt time.Time // as in SyncStatus
	Reason   string    // for people; empty if it is synced
}

// SyncReport says how a tenant's mirror relates to its ERP.
type SyncReport struct {
	Status   SyncStatus
	Orders   int64 // without tombstones
	Edited   int64 // of Orders, those that are no longer as they were sent
	Deleted  int64 // tombstones
	InDoubt  int64 // intents
	FullSync *FullSyncProgress
}

// FullSyncProgress is how far a full read has come that is under way, or was ended before its end.
type FullSyncProgress struct {
	Orders  int64
	AfterID int64
	Since   time.Time // zero: everything
}

// SyncWish says what to read from the ERP now: one order, a customer's orders, or, empty, everything that changed.
type SyncWish struct {
	OrderID     int64
	CustomerRef string
}
