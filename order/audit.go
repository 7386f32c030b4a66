package order

import (
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// FindingKind names what an audit found wrong with one order of the mirror.
type FindingKind string

// The kinds of findings.
const (
	FindingMissing FindingKind = "missing" // the ERP has the order, the mirror does not show it
	FindingStale   FindingKind = "stale"   // the mirror holds another state of the order than the ERP
	FindingDeleted FindingKind = "deleted" // the mirror shows the order, the ERP no longer has it
	FindingStray   FindingKind = "stray"   // the mirror shows an order that was never read from the ERP, or that the ERP hides
	FindingAmount  FindingKind = "amount"  // dates agree, an amount of the order does not
	FindingLine    FindingKind = "line"    // the orders agree, their lines do not
)

// FindingKinds lists them all.
var FindingKinds = []FindingKind{FindingMissing, FindingStale, FindingDeleted, FindingStray, FindingAmount, FindingLine}

// FindingState says what became of a finding.
type FindingState string

// The states of findings.
const (
	FindingFound    FindingState = "found"    // as it was found: nobody asked for a repair, or it is under way
	FindingRepaired FindingState = "repaired" // mirror and ERP agreed when they were compared again, by this audit or a later one
	FindingFailed   FindingState = "failed"   // still different after the repair; Failure says why
)

// Finding is a difference between the mirror and the ERP in one order.
type Finding struct {
	ID         int64
	RunID      int64
	ERPOrderID int64
	Number     string // as either side has it
	Kind       FindingKind
	State      FindingState
	Detail     string // what differs, for people
	Failure    string // why the repair failed
	FoundAt    time.Time
	EndedAt    time.Time // when the repair succeeded or failed; zero before
}

// AuditTrigger says who wanted an audit.
type AuditTrigger string

// The triggers.
const (
	ByCommand AuditTrigger = "cli"
	Nightly   AuditTrigger = "nightly"
	ByAPI     AuditTrigger = "api"
)

// AuditState is how far an audit is.
type AuditState string

// The states of audits.
const (
	AuditRunning AuditState = "running"
	AuditDone    AuditState = "done"
	AuditFailed  AuditState = "failed"
)

// AuditRun is one comparison of the mirror with the ERP.
type AuditRun struct {
	ID      int64
	Trigger AuditTrigger
	Night   string // the day of a nightly run, "2026-11-21"; empty for others
	Repair  bool
	Since   time.Time // only orders created or written since; zero for all
	State   AuditState
	Began   time.Time
	Ended   time.Time // zero while it runs
	Failure string    // why it failed
	// LeaseUntil is when a running one counts as abandoned, unless its process renews the lease; zero once it ended.
	LeaseUntil time.Time

	Calls       int64               // made to the ERP to find differences
	Rows        int64               // groups, ids, heads, orders and lines that those calls brought
	Found       map[FindingKind]int // by kind; a kind without findings is absent
	Repaired    int
	Unsettled   int // orders that differed, but were being changed: no findings
	Unexplained int // ranges of ids whose sums differ although every order in them agrees
	// Settled is the time by the ERP's clock up to which the run took what was written into account: what was written
	// later may be among the Unsettled.
	Settled time.Time
}

// AsOf returns the run as it stands at a time: one whose process let the lease run out has failed.
func (r AuditRun) AsOf(now time.Time) AuditRun {
	if r.State == AuditRunning && r.LeaseUntil.Before(now) {
		r.State, r.Ended, r.LeaseUntil = AuditFailed, r.LeaseUntil, time.Time{}
		r.Failure = "The process that ran it ended before the audit did."
	}
	return r
}

// FindingCount is how many orders were found to differ.
func (r AuditRun) FindingCount() int {
	n := 0
	for _, count := range r.Found {
		n += count
	}
	return n
}

// Left is how many findings were not repaired.
func (r AuditRun) Left() int { return r.FindingCount() - r.Repaired }

// AuditFilter selects runs; the newest come first.
type AuditFilter struct {
	BeforeID int64 // the last run of the previous page; 0 from the start
	Limit    int
}

// FindingFilter selects findings; the newest come first. Zero fields select everything.
type FindingFilter struct {
	RunID    int64
	Kind     FindingKind
	State    FindingState
	BeforeID int64
	Limit    int
}

// Slice selects orders on either side. Zero fields do not restrict.
type Slice struct {
	FirstID, LastID int64     // both included
	CreatedFrom     time.Time // created in the ERP at or after
	CreatedUntil    time.Time // and before
}

// Document is what an audit compares of a delivery or an invoice before it looks at its order.
type Document struct {
	ID      int64         `json:"id"`
	OrderID int64         `json:"-"`
	State   DocumentState `json:"state"`
}

// DocumentSlice selects documents of orders on either side. Zero fields do not restrict.
type DocumentSlice struct {
	Kind            DocumentKind
	FirstID, LastID int64     // of the documents, both included
	CreatedFrom     time.Time // of orders created in the ERP at or after
}

// TotalsOfDocuments counts documents of one kind by state, and sums up their ids and those of the orders of deliveries; an
// invoice, which may have several orders, counts once.
func TotalsOfDocuments(kind DocumentKind, list []Document) []Totals {
	byState := map[DocumentState]Totals{}
	counted := make(map[int64]bool, len(list))
	for _, d := range list {
		if counted[d.ID] {
			continue
		}
		counted[d.ID] = true
		t, known := byState[d.State]
		if !known {
			t = Totals{Group: TotalsGroup{Document: d.State}, FirstID: d.ID, LastID: d.ID}
		}
		t.Count, t.IDSum, t.FirstID, t.LastID = t.Count+1, t.IDSum+d.ID, min(t.FirstID, d.ID), max(t.LastID, d.ID)
		if kind == Deliveries {
			t.RefSum += d.OrderID
		}
		byState[d.State] = t
	}
	return slices.Collect(maps.Values(byState))
}

// Totals are sums over one group of orders, of order lines or of documents, that ERP and mirror compute alike.
type Totals struct {
	Group   TotalsGroup
	Count   int64
	IDSum   int64             // of the ids: what tells two sets of equal size apart
	RefSum  int64             // of an order's customers; of the orders of lines and deliveries
	FirstID int64             // the least id of an order or a document; not of lines
	LastID  int64             // the greatest
	Amounts []decimal.Decimal // of orders: untaxed, tax, total; of lines: quantity, subtotal, tax, total, delivered, invoiced
}

// TotalsGroup is what the orders or lines of a group have in common.
type TotalsGroup struct {
	Period   time.Time // the first moment of a month or a day, in UTC; zero if not grouped by time
	State    ERPState
	Currency string
	Document DocumentState
}

// amountSlack is less than the smallest unit of any currency: what the two sides round away below it is no difference.
var amountSlack = decimal.New(5, -5)

// floatSlack is how exact a sum is that went through a float: sums of money beyond 2^53 units of it are not told apart.
var floatSlack = decimal.New(1, -15)

// Same reports whether two sums over a group agree.
func (t Totals) Same(other Totals) bool {
	if t.Count != other.Count || t.IDSum != other.IDSum || t.RefSum != other.RefSum {
		return false
	}
	for i := range max(len(t.Amounts), len(other.Amounts)) {
		a, b := amountAt(t.Amounts, i), amountAt(other.Amounts, i)
		if a.Sub(b).Abs().GreaterThan(amountSlack.Add(a.Abs().Mul(floatSlack))) {
			return false
		}
	}
	return true
}

func amountAt(amounts []decimal.Decimal, i int) decimal.Decimal {
	if i < len(amounts) {
		return amounts[i]
	}
	return decimal.Zero
}

// DifferentTotals returns, of both sides, the groups that do not agree; what one side lacks counts as nothing.
func DifferentTotals(a, b []Totals) []Totals {
	index := func(list []Totals) map[TotalsGroup]Totals {
		byGroup := make(map[TotalsGroup]Totals, len(list))
		for _, t := range list {
			byGroup[t.Group] = t
		}
		return byGroup
	}
	left, right := index(a), index(b)
	differs := func(t Totals) bool { return !left[t.Group].Same(right[t.Group]) }
	return slices.DeleteFunc(slices.Concat(a, b), func(t Totals) bool { return !differs(t) })
}
