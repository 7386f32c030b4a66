package order

import "time"

// Limits of listings.
const (
	DefaultPageSize = 50
	MaxPageSize     = 200
)

// Filter selects orders of one tenant. Zero fields select everything but tombstones, which are listed for SyncDeleted only.
type Filter struct {
	CompanyID    int64  // the commercial partner whose orders, and whose contacts' orders, are visible; 0 for all
	ERPPartnerID int64  // orders of this customer
	CustomerRef  string // orders of the customer with this ref
	Status       Status
	Source       string
	Sync         OrderSyncState // SyncDrifted or SyncDeleted
	Blocked      bool           // orders with an open blocking entry
	Code         string         // orders of which this is the latest history entry of its module
	Query        string         // what a word of number or reference begins with; see ParseSearch
	From, To     time.Time      // OrderedAt in [From, To)
	Before       Position       // the last order of the previous page
	Limit        int            // 1 to MaxPageSize
}

// Position is a place in a listing, which runs from the latest OrderedAt to the earliest, and by falling id within one.
type Position struct {
	OrderedAt time.Time
	ID        int64 // 0: from the start
}

// Listing is one page of orders.
type Listing struct {
	Orders []Order
	Next   Position // where the next page begins; ID 0 on the last page
	Sync   SyncStatus
}

// SyncState says whether the mirror was within its freshness bound when it answered.
type SyncState string

// The sync states.
const (
	Fresh SyncState = "fresh"
	Stale SyncState = "stale"
)

// SyncStatus says how old an answer from the mirror is.
type SyncStatus struct {
	State SyncState
	// SyncedAt: what was changed in the ERP by then is in the answer. Only what a transaction of more than some seconds
	// committed, and deletions, may come later, within the sync interval. Zero: never synced.
	SyncedAt time.Time
	Reason   string // why it is stale, for people
}

// CatalogueFilter selects products or customers of one tenant, by rising ERP id.
type CatalogueFilter struct {
	Query   string // substring of SKU, name, ref or email
	AfterID int64  // the last ERP id of the previous page
	Limit   int
}
