package order

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// PurchaseState is where a purchase order of the ERP stands.
type PurchaseState string

// The states.
const (
	PurchaseDraft     PurchaseState = "draft"      // a request for quotation
	PurchaseSent      PurchaseState = "sent"       // one that the vendor has
	PurchaseToApprove PurchaseState = "to_approve" // somebody in the ERP must approve it
	PurchaseConfirmed PurchaseState = "confirmed"  // the vendor is to deliver
	PurchaseCancelled PurchaseState = "cancelled"
)

// Purchase is a purchase order that the ERP raised for an order, also if for others with it.
type Purchase struct {
	ID         int64
	Number     string // "P00012"
	State      PurchaseState
	Vendor     string
	OrderedAt  time.Time // the ERP's order deadline, or when it was confirmed
	ExpectedAt time.Time // zero: nobody said
	Lines      []PurchaseLine
}

// PurchaseLine is a line of a purchase order that is for the order.
type PurchaseLine struct {
	ID            int64
	LineID        int64 // of the order, where the ERP names it; else 0
	ProductID     int64 // 0: none
	SKU           string
	Name          string
	UnitOfMeasure string
	Quantity      decimal.Decimal
	Received      decimal.Decimal
	ExpectedAt    time.Time
}

// Received reports whether everything of it has come.
func (p Purchase) Received() bool {
	return p.State == PurchaseConfirmed && len(p.Lines) > 0 &&
		!slices.ContainsFunc(p.Lines, func(l PurchaseLine) bool { return l.Received.LessThan(l.Quantity) })
}

// Stages of a purchase order in a history. Behind the "@" of its state stands when it is expected.
const (
	purchaseOrdered   = "ordered"
	purchaseConfirmed = "confirmed"
	purchaseReceived  = "received"
	purchaseCancelled = "cancelled"
)

const subjectPurchase = "purchase/"

// Purchases are the ids of the purchase orders that a history speaks of, rising.
func (k Known) Purchases() []int64 {
	var ids []int64
	for subject := range k {
		text, isPurchase := strings.CutPrefix(subject, subjectPurchase)
		if id, err := strconv.ParseInt(text, 10, 64); isPurchase && err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// NewsOfPurchases returns the entries that the history of an order needs to say how its purchase orders stand. Known learns them.
func (k Known) NewsOfPurchases(orderID int64, purchases []Purchase) []HistoryEntry {
	n := news{order: orderID, known: k}
	for _, p := range slices.SortedFunc(slices.Values(purchases), func(a, b Purchase) int { return cmp.Compare(a.ID, b.ID) }) {
		n.purchase(p)
	}
	return n.entries
}

func (n *news) purchase(p Purchase) {
	subject := subjectPurchase + number(p.ID)
	payload := map[string]any{"purchase_id": p.ID, "number": p.Number, "vendor": p.Vendor, "expected_at": moment(p.ExpectedAt)}
	stage, code := purchaseOrdered, HistoryProcurementOrdered
	switch {
	case p.State == PurchaseCancelled:
		stage, code = purchaseCancelled, HistoryProcurementCancelled
	case p.Received():
		stage, code = purchaseReceived, HistoryProcurementReceived
	case p.State == PurchaseConfirmed:
		stage, code = purchaseConfirmed, HistoryProcurementConfirmed
	}
	at := func(stage string) string { return stage + "@" + moment(p.ExpectedAt) }
	before, expected, _ := strings.Cut(n.known.State(subject), "@")
	if before == "" {
		n.tell(subject, at(purchaseOrdered), HistoryProcurementOrdered, payload)
		before, expected = purchaseOrdered, moment(p.ExpectedAt)
	}
	// RFC 3339 in UTC sorts as text.
	if expected != "" && moment(p.ExpectedAt) > expected && (stage == purchaseOrdered || stage == purchaseConfirmed) {
		n.tell(subject, at(before), HistoryProcurementDelayed, payload)
	}
	if stage != before {
		n.tell(subject, at(stage), code, payload)
	}
}
