package order

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Known is what a history says of an order: the latest state of each subject, such as "delivery/12". An entry that says so
// names subject, state and how often the subject was spoken of: "delivery/12=cancelled#2".
type Known map[string]knownState

type knownState struct {
	state string
	times int
}

// Learn takes in the fact of an entry. Facts are learned in the order of their entries.
func (k Known) Learn(fact string) {
	subject, rest, named := strings.Cut(fact, "=")
	at := strings.LastIndexByte(rest, '#')
	if !named || at < 0 {
		return
	}
	times, err := strconv.Atoi(rest[at+1:])
	if err != nil {
		return
	}
	k[subject] = knownState{rest[:at], times}
}

// Knows reports whether an entry with this fact was learned, as the latest of its subject.
func (k Known) Knows(fact string) bool {
	asked := Known{}
	asked.Learn(fact)
	for subject, state := range asked {
		return k[subject] == state
	}
	return false
}

// State is what is known of a subject; empty: nothing.
func (k Known) State(subject string) string { return k[subject].state }

// Say makes e the entry that brings a subject to a state.
func (k Known) Say(subject, state string, e HistoryEntry) HistoryEntry {
	e.Fact = subject + "=" + state + "#" + strconv.Itoa(k[subject].times+1)
	k.Learn(e.Fact)
	return e
}

// The subjects that are no documents.
const (
	SubjectStatus = "status" // a Status; unknown is as Draft
	SubjectPlace  = "place"  // there or gone; unknown is as there
	SubjectEdits  = "edits"  // digest of the difference; unknown is as Unedited
)

// States of SubjectPlace, and the one of SubjectEdits that is no digest.
const (
	There    = "there"
	Gone     = "gone"
	Unedited = "none"
)

// PlacedFact is the fact that an order was placed with a key of a source.
func PlacedFact(source, key string) string {
	return "placed/" + shortDigest(source+"\n"+key) + "=placed#1"
}

// EditsState is the state of SubjectEdits for how an order differs from what was sent; empty: not at all.
func EditsState(edits string) string {
	if edits == "" {
		return Unedited
	}
	return shortDigest(edits)
}

// News returns the entries that the history needs to say what the ERP says of the order now: its return if it was gone, its
// status, and what became of its deliveries, invoices and payments. Known learns them. RecordedAt and WrittenBy are left for
// the caller to fill.
func (o Order) News(known Known) []HistoryEntry {
	n := news{order: o.ID, known: known}
	if known.State(SubjectPlace) == Gone {
		n.tell(SubjectPlace, There, HistoryRestored, nil)
	}
	if before := cmp.Or(known.State(SubjectStatus), string(Draft)); before != string(o.Status) {
		n.tell(SubjectStatus, string(o.Status), StatusCode(o.Status), map[string]any{"from": before, "to": string(o.Status)})
	}
	byID := func(a, b Delivery) int { return cmp.Compare(a.ID, b.ID) }
	for _, d := range slices.SortedFunc(slices.Values(o.Deliveries), byID) {
		n.delivery(d)
	}
	for _, in := range slices.SortedFunc(slices.Values(o.Invoices), func(a, b Invoice) int { return cmp.Compare(a.ID, b.ID) }) {
		n.invoice(in)
		n.payment(in)
	}
	return n.entries
}

// NewsOfDeletions returns the entries that the history needs to say which deliveries and invoices are gone that it spoke of. What went out
// stays, as Odoo has it. Known learns them.
func (s Snapshot) NewsOfDeletions(known Known) []HistoryEntry {
	n := news{order: s.ID, known: known}
	there := map[string]bool{}
	for _, d := range s.Deliveries {
		there["delivery/"+number(d.ID)] = true
	}
	for _, in := range s.Invoices {
		there["invoice/"+number(in.ID)] = true
	}
	for _, subject := range slices.Sorted(maps.Keys(known)) {
		kind, text, _ := strings.Cut(subject, "/")
		id, err := strconv.ParseInt(text, 10, 64)
		state := known.State(subject)
		if err != nil || there[subject] || state == documentDeleted || strings.HasPrefix(state, documentDone) {
			continue
		}
		switch {
		case kind == "delivery" && s.AllDeliveries:
			n.tell(subject, documentDeleted, HistoryDeliveryDeleted, map[string]any{"delivery_id": id})
		case kind == "invoice" && s.AllInvoices:
			n.tell(subject, documentDeleted, HistoryInvoiceDeleted, map[string]any{"invoice_id": id})
		}
	}
	return n.entries
}

// NewsOfEdits returns the entry, if one is needed, that says how the order differs from what was sent; empty: not at all.
func (k Known) NewsOfEdits(orderID int64, edits string) []HistoryEntry {
	state := EditsState(edits)
	if cmp.Or(k.State(SubjectEdits), Unedited) == state {
		return nil
	}
	e := Entry(orderID, HistoryUnedited)
	e.Detail = "is again as it was sent"
	if edits != "" {
		e = Entry(orderID, HistoryEdited)
		e.Detail = "differs from what was sent: " + edits
	}
	return []HistoryEntry{k.Say(SubjectEdits, state, e)}
}

// news gathers what a history does not say yet.
type news struct {
	order   int64
	known   Known
	entries []HistoryEntry
}

func (n *news) tell(subject, state, code string, payload map[string]any) {
	e := Entry(n.order, code)
	e.Payload = PayloadText(payload)
	n.entries = append(n.entries, n.known.Say(subject, state, e))
}

// States of documents. What is done has the tracking number's digest behind it.
const (
	documentCreated   = "created"
	documentPosted    = "posted"
	documentCancelled = "cancelled"
	documentDeleted   = "deleted"
	documentDone      = "done/"
)

// documentCodes are what a kind of document writes.
type documentCodes struct{ created, done, cancelled, reopened string }

var (
	deliveryCodes   = documentCodes{HistoryDeliveryCreated, HistoryShipped, HistoryDeliveryCancelled, HistoryDeliveryReopened}
	returnCodes     = documentCodes{HistoryReturnCreated, HistoryReturned, HistoryReturnCancelled, HistoryReturnReopened}
	invoiceCodes    = documentCodes{HistoryInvoiceCreated, HistoryInvoicePosted, HistoryInvoiceCancelled, HistoryInvoiceReopened}
	creditNoteCodes = documentCodes{HistoryCreditNoteCreated, HistoryCreditNotePosted, HistoryCreditNoteCancelled, HistoryCreditNoteReopened}
)

// document tells how a document came to a state; one that is first seen there was created before.
func (n *news) document(subject, state string, codes documentCodes, payload map[string]any) {
	if n.known.State(subject) == "" {
		n.tell(subject, documentCreated, codes.created, payload)
	}
	before := n.known.State(subject)
	switch {
	case before == state:
	case state == documentCreated && strings.HasPrefix(before, documentDone): // goods that went do not come back so
	case state == documentCreated:
		n.tell(subject, state, codes.reopened, payload)
	case state == documentCancelled:
		n.tell(subject, state, codes.cancelled, payload)
	case strings.HasPrefix(before, documentDone) && strings.HasPrefix(state, documentDone):
		n.tell(subject, state, HistoryTracked, payload)
	default:
		n.tell(subject, state, codes.done, payload)
	}
}

// delivery tells of what goes to the customer or comes back; steps inside a warehouse, and receipts, show in the status.
func (n *news) delivery(d Delivery) {
	codes, state := deliveryCodes, documentCreated
	switch d.Kind {
	case DeliveryReturn:
		codes = returnCodes
	case DeliveryStep, DeliveryReceipt:
		return
	}
	payload := map[string]any{"delivery_id": d.ID, "number": d.Number, "backorder_of": d.BackorderOf}
	switch d.State {
	case DocumentDelivered:
		state = documentDone
		if d.Tracking != "" && d.Kind != DeliveryReturn {
			state += shortDigest(d.Tracking)
		}
		payload["carrier"], payload["tracking"], payload["done_at"] = d.Carrier, d.Tracking, moment(d.DoneAt)
	case DocumentCancelled:
		state = documentCancelled
	}
	n.document("delivery/"+number(d.ID), state, codes, payload)
}

func (n *news) invoice(in Invoice) {
	codes, state := invoiceCodes, documentCreated
	if in.CreditNote {
		codes = creditNoteCodes
	}
	payload := invoicePayload(in)
	switch in.State {
	case Posted:
		state = documentPosted
		payload["issued_on"], payload["due_on"] = in.IssuedOn, in.DueOn
	case DocumentCancelled:
		state = documentCancelled
	}
	n.document("invoice/"+number(in.ID), state, codes, payload)
}

// payment tells what is paid of an invoice. Each part payment leaves another amount due.
func (n *news) payment(in Invoice) {
	const unpaid = "not_paid"
	subject, state, code := "payment/"+number(in.ID), in.Payment, ""
	if in.State != Posted {
		state = unpaid
	}
	switch state {
	case "partial":
		state, code = "partial/"+in.AmountDue.String(), HistoryPartlyPaid
		if in.CreditNote {
			code = HistoryPartlySettled
		}
	case "in_payment":
		code = HistoryInPayment
	case "paid":
		code = HistoryPaid
		if in.CreditNote {
			code = HistorySettled
		}
	case "reversed":
		code = HistoryReversed
	case unpaid:
		code = HistoryPaymentUndone
	default: // a state of another Odoo says nothing here
		return
	}
	if cmp.Or(n.known.State(subject), unpaid) == state {
		return
	}
	payload := invoicePayload(in)
	payload["amount_due"] = in.AmountDue.String()
	n.tell(subject, state, code, payload)
}

func invoicePayload(in Invoice) map[string]any {
	return map[string]any{"invoice_id": in.ID, "number": in.Number, "amount_total": in.AmountTotal.String(), "currency": in.Currency}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// shortDigest tells texts apart that one order has, in few characters.
func shortDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
