package order

import "time"

// Severity ranks a history entry.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
)

// Codes of history entries. They are part of the API.
const (
	HistoryPlaced         = "placed"          // the gateway placed the order
	HistoryAppeared       = "appeared"        // the order was first seen in the ERP
	HistoryStatusChanged  = "status_changed"  // From and To say what
	HistoryConfirmRefused = "confirm_refused" // asked to confirm at placing, and the ERP would not
	HistoryCancelRefused  = "cancel_refused"  // called off while in doubt, and the ERP would not cancel it
	HistoryEdited         = "edited"          // the order is no longer, or again, as its caller sent it
	HistoryDeleted        = "deleted"         // the ERP no longer has it
	HistoryRestored       = "restored"        // it was marked deleted, and the ERP has it
	HistoryAdopted        = "adopted"         // another system's table says who placed it
)

// HistoryEntry is one line of an order's append-only history.
type HistoryEntry struct {
	ID         int64
	OrderID    int64 // the ERP order id
	Code       string
	Severity   Severity
	From       Status // the status before; empty where there was none
	To         Status // the status after; empty where the entry is not about one
	Detail     string // plain text for people; may be empty
	RecordedBy string // the API key's name, or "sync", "resolver" or "adopt"
	RecordedAt time.Time
}
