package order

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Chain is the hash of an entry of a tenant's order, whose entry before has the hash previous; empty for the first. It is of
// the previous hash and all that the entry says, each with its length in front, so that no two entries have one text.
func (e HistoryEntry) Chain(previous string, tenantID int64) string {
	sum := sha256.New()
	for _, part := range []string{
		"ordergate history 1", previous, number(tenantID), number(e.OrderID), number(e.ID), e.Code, e.Category, string(e.Severity),
		e.Payload, e.Detail, number(e.Closes), e.WrittenBy, number(e.RecordedAt.UnixMicro()), e.Fact, e.Key,
	} {
		sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// HistoryFaultKind says how an order's history is not as it was written.
type HistoryFaultKind string

// The kinds of faults.
const (
	FaultChanged HistoryFaultKind = "changed" // an entry is not what was written, or does not follow from the one before
	FaultGap     HistoryFaultKind = "gap"     // entries are missing before this one
	FaultCut     HistoryFaultKind = "cut"     // the last entries are missing
	FaultBehind  HistoryFaultKind = "behind"  // entries stand behind the end
	FaultHead    HistoryFaultKind = "head"    // where the history ends is not known, or not as it was written
	FaultNone    HistoryFaultKind = "none"    // the order has no history at all
	FaultDerived HistoryFaultKind = "derived" // the latest codes or open blocks are not what the entries say
)

// HistoryFault is a place where an order's history is not as it was written.
type HistoryFault struct {
	OrderID int64
	EntryID int64 // where it shows; 0: in the history as a whole
	Kind    HistoryFaultKind
	Detail  string
}

// HistoryCheck is what a comparison of histories with their chains came to.
type HistoryCheck struct {
	Orders, Entries int64
	Faults          []HistoryFault
}
