package ordersync

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"ordergate/order"
	"ordergate/store"
)

// ForeignRow is a row of another system's order table that names an order.
type ForeignRow struct {
	PrimaryKey string
	ERPID      string // the ERP order id, as the row has it
	Surplus    bool   // another row of the same ERP id stands for the order
	Source     string // empty: the row does not say
	Key        string
	Reference  string
}

// AdoptOptions say how another system's table is brought in.
type AdoptOptions struct {
	Source string // of the rows that name none; empty: those have none
	Apply  bool   // without, it is a report
	Rows   int64  // about how many there are, for the progress
}

// Adoption is what became, or without Applied would become, of another system's table. Every order of it is counted once,
// as adopted, present, absent or unmirrored.
type Adoption struct {
	Tenant      string `json:"tenant"`
	Applied     bool   `json:"applied"`
	SurplusRows int64  `json:"surplus_rows"` // beyond the one that stands for an order
	Orders      int64  `json:"orders"`
	Adopted     int64  `json:"adopted"` // of which the mirror learned something
	Pulled      int64  `json:"pulled"`  // of these, orders that the mirror lacked
	Present     int64  `json:"present"` // of which the mirror knew all of it
	Keys        int64  `json:"keys"`    // idempotency keys that were added

	Absent     Noted `json:"absent"`     // orders that the ERP does not have, or does not show to the gateway's user
	Unmirrored Noted `json:"unmirrored"` // orders of the ERP that the mirror cannot hold, or that went while they were read
	KeysTaken  Noted `json:"keys_taken"` // keys that stand for another order, or for one that is being placed
	Unusable   Noted `json:"unusable"`   // rows with a source or key that the gateway does not take
	References Noted `json:"references"` // orders with another reference in the ERP than in the table
}

// NotedLimit bounds how many rows of a kind an Adoption shows; its counts are complete.
const NotedLimit = 10

// Noted are rows that somebody should look at.
type Noted struct {
	Count  int64      `json:"count"`
	Sample []NotedRow `json:"sample"` // the first NotedLimit
}

// NotedRow is one of them.
type NotedRow struct {
	Row    string `json:"row"` // its primary key
	ERPID  string `json:"erp_id"`
	Detail string `json:"detail,omitempty"`
}

func (n *Noted) add(row ForeignRow, detail string) {
	n.Count++
	if len(n.Sample) < NotedLimit {
		n.Sample = append(n.Sample, NotedRow{Row: row.PrimaryKey, ERPID: row.ERPID, Detail: detail})
	}
}

// newAdoption is that of a table without rows.
func newAdoption(tenant string, applied bool) Adoption {
	none := Noted{Sample: []NotedRow{}}
	return Adoption{Tenant: tenant, Applied: applied, Absent: none, Unmirrored: none, KeysTaken: none, Unusable: none, References: none}
}

// Adopt brings what another system's table knows of the ERP's orders into the mirror: which system placed them, and under
// which keys, so that a late retry finds its order. What the ERP knows of them is read from the ERP, and an order that it does
// not have is left out. each calls its argument with the table's rows, those of one ERP id together, the one that stands for
// the order first. It can run beside everything else, and twice: the second time it finds nothing to do; one that was ended
// goes on where something is missing.
func (s *Service) Adopt(ctx context.Context, each func(visit func([]ForeignRow) error) error, options AdoptOptions) (Adoption, error) {
	a := adoption{Service: s, options: options, readers: newReaders(s, 0), report: newAdoption(s.tenant.Name, options.Apply)}
	// The ERP's clock counts, which is known once it has answered.
	if err := s.erp.Ping(ctx); err != nil {
		return a.report, err
	}
	err := each(func(rows []ForeignRow) error { return a.page(ctx, rows) })
	s.cfg.Progress("rows", int(a.rows), int(a.rows))
	return a.report, err
}

type adoption struct {
	*Service
	options AdoptOptions
	readers *readers
	rows    int64
	report  Adoption
}

// claim is what the table says of one order.
type claim struct {
	store.Adoption
	row  ForeignRow // that stands for it
	pull bool       // the mirror lacks the order
}

func (a *adoption) page(ctx context.Context, rows []ForeignRow) error {
	claims, err := a.present(ctx, a.claims(rows))
	if err != nil {
		return err
	}
	adoptions := make([]store.Adoption, len(claims))
	for i, c := range claims {
		adoptions[i] = c.Adoption
	}
	done, err := a.mirror.AdoptOrders(ctx, a.tenant.ID, adoptions, a.options.Apply)
	for i := range done { // those before an error, too
		a.count(claims[i], done[i])
	}
	a.rows += int64(len(rows))
	a.show(a.rows)
	return err
}

func (a *adoption) show(rows int64) {
	a.cfg.Progress("rows", int(rows), int(max(a.options.Rows, rows)))
}

// claims puts the rows of each order together. Rows that name no order that could be are left out.
func (a *adoption) claims(rows []ForeignRow) []claim {
	var claims []claim
	place := map[int64]int{}
	for _, row := range rows {
		id, err := strconv.ParseInt(strings.TrimSpace(row.ERPID), 10, 64)
		known, again := place[id]
		switch {
		case row.Surplus || err == nil && again:
			a.report.SurplusRows++
		default:
			a.report.Orders++
		}
		if err != nil || id <= 0 || id > order.MaxERPID {
			if !row.Surplus {
				a.report.Absent.add(row, "not an id of the ERP")
			}
			continue
		}
		if !again {
			known = len(claims)
			place[id] = known
			claims = append(claims, claim{Adoption: store.Adoption{ERPOrderID: id}, row: row})
		}
		a.read(row, &claims[known], !again)
	}
	return claims
}

// read takes from a row what the gateway can use. A retry may come under the key of a surplus row too.
func (a *adoption) read(row ForeignRow, c *claim, stands bool) {
	source := cmp.Or(row.Source, a.options.Source)
	if err := order.CheckSource(source); err != nil {
		a.report.Unusable.add(row, err.Error())
		return
	}
	if stands {
		c.Source = source
	}
	if row.Key == "" {
		return
	}
	if err := order.ValidateKey(row.Key); err != nil {
		a.report.Unusable.add(row, err.Message)
		return
	}
	c.Keys = append(c.Keys, store.AdoptedKey{Source: source, Key: row.Key, Reference: row.Reference})
}

// present returns the claims to orders that exist, after reading those that the mirror lacks. Without apply nothing is read.
func (a *adoption) present(ctx context.Context, claims []claim) ([]claim, error) {
	ids := make([]int64, len(claims))
	for i, c := range claims {
		ids[i] = c.ERPOrderID
	}
	missing, err := a.missing(ctx, ids)
	if err != nil {
		return nil, err
	}
	absent, err := a.gone(ctx, missing)
	if err != nil {
		return nil, err
	}
	isAbsent, lost := setOf(absent), map[int64]bool{}
	if a.options.Apply {
		var pull []int64
		for _, id := range missing {
			if !isAbsent[id] {
				pull = append(pull, id)
			}
		}
		if err := a.readers.read(ctx, pull, func(done int) { a.show(a.rows + int64(done)) }); err != nil {
			return nil, err
		}
		left, err := a.missing(ctx, pull)
		if err != nil {
			return nil, err
		}
		lost = setOf(left)
	}
	isMissing := setOf(missing)
	var there []claim
	for _, c := range claims {
		switch {
		case isAbsent[c.ERPOrderID]:
			a.report.Absent.add(c.row, "")
		case lost[c.ERPOrderID]:
			a.report.Unmirrored.add(c.row, "")
		default:
			c.pull = isMissing[c.ERPOrderID]
			there = append(there, c)
		}
	}
	return there, nil
}

// missing returns those of the ids that the mirror lacks, or holds as an earlier system left them.
func (a *adoption) missing(ctx context.Context, ids []int64) ([]int64, error) {
	heads, err := a.mirror.OrderHeads(ctx, a.tenant.ID, ids)
	if err != nil {
		return nil, err
	}
	var missing []int64
	for _, id := range ids {
		if heads[id].WriteDate.IsZero() {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func setOf(ids []int64) map[int64]bool {
	set := make(map[int64]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// count enters in the report what became of a claim.
func (a *adoption) count(c claim, done store.Adopted) {
	r := &a.report
	switch {
	case c.pull || done.Sourced || done.Keys > 0:
		r.Adopted++
	default:
		r.Present++
	}
	if c.pull {
		r.Pulled++
	}
	r.Keys += int64(done.Keys)
	for _, k := range done.Taken {
		detail := fmt.Sprintf("the key %q of %s is that of order %d", k.Key, k.Source, k.ERPOrderID)
		if k.ERPOrderID == 0 {
			detail = fmt.Sprintf("the key %q of %s is that of an order without an ERP id", k.Key, k.Source)
		}
		r.KeysTaken.add(c.row, detail)
	}
	if c.row.Reference != "" && done.Reference != "" && c.row.Reference != done.Reference {
		r.References.add(c.row, fmt.Sprintf("%q; %q in the ERP", c.row.Reference, done.Reference))
	}
}
