package order

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Severity ranks a history entry.
type Severity string

// The severities. What is Blocking keeps an order from being confirmed, fulfilled and invoiced until a later entry closes it.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Blocking Severity = "blocking"
)

// Limits of what a caller writes into a history.
const (
	MaxPayload    = 4096 // bytes of a payload, without needless space
	MaxDetail     = 1000 // characters
	MaxEntries    = 2000 // entries of an order, beyond which only the gateway's own are taken
	MaxOpenBlocks = 50   // open blocking entries of an order
)

// HistoryEntry is one line of an order's append-only history. It never changes: what closes a blocking entry is a later
// entry.
type HistoryEntry struct {
	ID         int64 // its position in the order's history, from 1 on without gaps
	OrderID    int64 // the ERP order id
	Code       string
	Category   string
	Severity   Severity
	Payload    string // a JSON object as CanonicalPayload writes it; empty: none
	Detail     string // plain text for people; may be empty
	Closes     int64  // the ID of the blocking entry that this one closes; 0: none
	WrittenBy  string // the API key's name, or "sync", "audit", "dedupe", "adopt" or "migration"
	RecordedAt time.Time
	Fact       string // what it says of the order, as Known names it: once for each order; empty: it may be said again
	Key        string // the idempotency key that a caller wrote it with; empty: the gateway wrote it
	Hash       string // hex SHA-256 of all this and the entry before, as Chain says

	// Of a blocking entry that was closed; they are the closing entry's, and no part of this one.
	ClosedBy int64
	ClosedAt time.Time
}

// Module is the namespace of the entry's code.
func (e HistoryEntry) Module() string {
	module, _, _ := strings.Cut(e.Code, ":")
	return module
}

// Open reports whether the entry blocks its order.
func (e HistoryEntry) Open() bool { return e.Severity == Blocking && e.ClosedBy == 0 }

// HistoryFilter selects a page of an order's history, oldest first.
type HistoryFilter struct {
	AfterID int64 // the last entry of the page before
	Limit   int
}

// HistoryStatus is what an order's history comes to.
type HistoryStatus struct {
	Latest []HistoryEntry // the latest of each module, by module
	Blocks []HistoryEntry // the open blocking ones, oldest first
}

// HistoryCounts count orders by the latest code of each module.
type HistoryCounts struct {
	Codes   map[string]int64
	Blocked int64 // orders with an open blocking entry
}

// BlockedBy is the refusal of what open blocking entries of an order stand in the way of; nil without any.
func BlockedBy(orderID int64, blocks []HistoryEntry) error {
	if len(blocks) == 0 {
		return nil
	}
	names := make([]string, len(blocks))
	for i, b := range blocks {
		names[i] = fmt.Sprintf("%s (entry %d)", b.Code, b.ID)
	}
	return Errorf(Conflict, "order_blocked", "Order %d is blocked by %s. An entry that closes it lets the order go on.",
		orderID, strings.Join(names, ", "))
}

// CanonicalPayload writes a JSON object in one way: members sorted, no needless space, numbers as they came.
func CanonicalPayload(text []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil {
		return "", err
	}
	if members == nil {
		return "", fmt.Errorf("null is no object")
	}
	return payloadOf(members), nil
}

// PayloadText is a payload of what is not empty among the members; empty if all are.
func PayloadText(members map[string]any) string {
	kept := map[string]any{}
	for name, value := range members {
		if value != nil && value != "" && value != int64(0) {
			kept[name] = value
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return payloadOf(kept)
}

func payloadOf(members map[string]any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(members); err != nil {
		panic("order: a payload always marshals: " + err.Error())
	}
	return strings.TrimSuffix(text.String(), "\n")
}
