package ordersync

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordergate/odoo"
	"ordergate/order"
)

// DuplicateOptions say what counts as a duplicate, and whether to do something about it.
type DuplicateOptions struct {
	// Window is how far apart in time the orders of a group were made, at most.
	Window time.Duration
	// Cancel cancels the surplus in the ERP: drafts that were neither placed through a gateway nor adopted, and nothing else.
	Cancel bool
}

const (
	// briefPage is how many orders of the mirror are read at once.
	briefPage = 500
	// maxSuspects bounds how many orders are compared with each other; of more, those made earlier are one group.
	maxSuspects = 500
)

// FindDuplicates looks for orders in the ERP that earlier integrations made more than once of one, and calls found with
// each group. The mirror is looked through; of what it finds, everything is read from the ERP again before it is reported or
// cancelled. In memory are the orders that were made within a few windows, of all customers, and no more.
func (s *Service) FindDuplicates(ctx context.Context, options DuplicateOptions, found func(order.DuplicateGroup) error) error {
	var orders []order.Brief
	undecided, last, latest := 0, int64(0), time.Time{}
	for {
		page, err := s.mirror.Briefs(ctx, s.tenant.ID, last, briefPage)
		if err != nil {
			return err
		}
		for _, o := range page {
			last, latest = o.ID, later(latest, o.CreatedAt)
		}
		orders = append(orders, page...)
		end := len(page) < briefPage
		if !end && len(orders) < 2*undecided {
			continue // so that none is looked at again and again
		}
		// Ids rise with time, but for transactions that took their time. Behind the last order there is nothing to wait for.
		until := latest.Add(-s.cfg.TransactionLimit)
		if end {
			until = latest.Add(3*options.Window + time.Second)
		}
		var groups []suspects
		groups, orders = suspicious(orders, options.Window, until)
		undecided = len(orders)
		for _, g := range groups {
			if err := s.handleSuspects(ctx, options, g, found); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

func (s *Service) handleSuspects(ctx context.Context, options DuplicateOptions, g suspects, found func(order.DuplicateGroup) error) error {
	groups, err := s.confirmDuplicates(ctx, g)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if options.Cancel {
			if err := s.cancelSurplus(ctx, &g); err != nil {
				return err
			}
		}
		if err := found(g); err != nil {
			return err
		}
	}
	return nil
}

// suspects are orders of one customer, at least two, that have a reason to be taken for one.
type suspects struct {
	reason order.DuplicateReason
	ids    []int64
}

// suspicious groups orders of a customer that may be one: by reference first, and those that are left by total. An order is
// in one group only. Cancelled ones are no trouble to anybody. All that were made until then are known: groups that a later
// order may still belong to are not decided, and their orders are returned, for the next time.
func suspicious(orders []order.Brief, window time.Duration, until time.Time) (groups []suspects, undecided []order.Brief) {
	standing := slices.DeleteFunc(orders, func(o order.Brief) bool { return o.Status == order.Cancelled })
	slices.SortFunc(standing, func(a, b order.Brief) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	taken := map[int64]bool{}
	groups = cluster(order.SameReference, standing, window, until, taken, func(o order.Brief) string { return strings.ToLower(o.Reference) })
	// Of the orders of such a group each must be decided by its reference, whose group may begin a window later.
	until = until.Add(-window)
	groups = append(groups, cluster(order.SameContent, standing, window, until, taken, func(o order.Brief) string {
		if o.AmountTotal.IsZero() {
			return ""
		}
		return o.Currency + " " + o.AmountTotal.String()
	})...)
	return groups, slices.DeleteFunc(standing, func(o order.Brief) bool {
		return taken[o.ID] || o.CreatedAt.Add(window).Before(until)
	})
}

// cluster groups the orders, which are sorted by time, that are of one customer, have the same name and lie within a window,
// counted from the first of them, that ends before a time. Those without a name, and those that are taken, are left out;
// those of its groups are taken.
func cluster(
	reason order.DuplicateReason, orders []order.Brief, window time.Duration, until time.Time, taken map[int64]bool, name func(order.Brief) string,
) []suspects {
	type shared struct {
		partner int64
		name    string
	}
	alike := map[shared][]order.Brief{}
	var all []shared
	for _, o := range orders {
		n := shared{o.ERPPartnerID, name(o)}
		if n.name == "" || taken[o.ID] {
			continue
		}
		if alike[n] == nil {
			all = append(all, n)
		}
		alike[n] = append(alike[n], o)
	}
	var groups []suspects
	for _, n := range all {
		same := alike[n]
		for len(same) > 0 && same[0].CreatedAt.Add(window).Before(until) {
			end := 1
			for end < min(len(same), maxSuspects) && same[end].CreatedAt.Sub(same[0].CreatedAt) <= window {
				end++
			}
			if end > 1 {
				g := suspects{reason: reason}
				for _, o := range same[:end] {
					g.ids = append(g.ids, o.ID)
					taken[o.ID] = true
				}
				groups = append(groups, g)
			}
			same = same[end:]
		}
	}
	return groups
}

// confirmDuplicates reads suspects from the ERP. What they share must still hold there, and orders of the same total must have
// the same lines: they fall into several groups, or into none.
func (s *Service) confirmDuplicates(ctx context.Context, g suspects) ([]order.DuplicateGroup, error) {
	var standing []order.Snapshot
	for page := range slices.Chunk(g.ids, orderPage) {
		read, err := s.erp.Orders(ctx, page)
		if err != nil {
			return nil, err
		}
		if _, err := s.ingest(ctx, read, "dedupe"); err != nil {
			return nil, err
		}
		standing = append(standing, read...)
	}
	alike := map[string][]order.Snapshot{}
	var names []string
	for _, o := range standing {
		if o.Status == order.Cancelled {
			continue
		}
		name := sameAs(g.reason, o.Order)
		if alike[name] == nil {
			names = append(names, name)
		}
		alike[name] = append(alike[name], o)
	}
	var groups []order.DuplicateGroup
	for _, name := range names {
		if len(alike[name]) < 2 {
			continue
		}
		group, err := s.groupOf(ctx, g.reason, alike[name])
		if err != nil {
			return nil, err
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// sameAs is the same text for orders that are taken for one.
func sameAs(reason order.DuplicateReason, o order.Order) string {
	if reason == order.SameReference {
		return fmt.Sprint(o.Customer.ERPPartnerID, " ", strings.ToLower(o.Reference))
	}
	lines := make([]string, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = fmt.Sprintf("%d × %s at %s less %s", l.ERPProductID, l.Quantity, l.UnitPrice, l.Discount)
	}
	slices.Sort(lines)
	return fmt.Sprint(o.Customer.ERPPartnerID, " ", o.Currency, " ", o.AmountTotal, " ", strings.Join(lines, "; "))
}

// groupOf decides which of the orders is kept: the one that has come furthest, then one that was placed through a gateway or
// adopted, then the oldest.
func (s *Service) groupOf(ctx context.Context, reason order.DuplicateReason, orders []order.Snapshot) (order.DuplicateGroup, error) {
	duplicates := make([]order.Duplicate, len(orders))
	for i, o := range orders {
		mirrored, err := s.mirror.Order(ctx, s.tenant.ID, o.ID)
		if err != nil {
			return order.DuplicateGroup{}, err
		}
		d := order.Duplicate{
			Brief: order.Brief{ID: o.ID, Number: o.Number, State: o.State, Status: o.Status, ERPPartnerID: o.Customer.ERPPartnerID, Reference: o.Reference,
				Source: mirrored.Source, Currency: o.Currency, AmountTotal: o.AmountTotal, CreatedAt: o.CreatedAt},
			Deliveries: len(o.Deliveries), Invoices: len(o.Invoices),
		}
		// The mirror may have been rebuilt since it was placed, or may not have heard of that yet: the ERP knows.
		if d.State == order.StateDraft && d.Source == order.SourceERP {
			if d.PlacedByGateway, err = s.erp.PlacedByGateway(ctx, d.ID); err != nil {
				return order.DuplicateGroup{}, err
			}
		}
		duplicates[i] = d
	}
	slices.SortFunc(duplicates, func(a, b order.Duplicate) int {
		return cmp.Or(cmp.Compare(progressOf(b), progressOf(a)), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	group := order.DuplicateGroup{Reason: reason, Keep: duplicates[0], Surplus: duplicates[1:]}
	for i := range group.Surplus {
		group.Surplus[i].Kept = whyKept(group.Surplus[i])
	}
	return group, nil
}

// progressOf is higher for an order that has come further, and whose loss would be worse.
func progressOf(d order.Duplicate) int {
	switch {
	case d.Invoices > 0:
		return 6
	case d.Deliveries > 0:
		return 5
	case d.State == order.StateDone:
		return 4
	case d.State == order.StateSale:
		return 3
	case d.State == order.StateSent:
		return 2
	case d.Source != order.SourceERP || d.PlacedByGateway:
		return 1
	}
	return 0
}

// whyKept says why a surplus order must not be cancelled; empty if it may be.
func whyKept(d order.Duplicate) string {
	switch {
	case d.Invoices > 0:
		return "it has an invoice"
	case d.Deliveries > 0:
		return "it has a delivery"
	case d.State == order.StateSent:
		return "it was sent, and its customer may hold it"
	case d.Status != order.Draft: // on hold or approved as well: somebody is at work on it
		return "it is " + string(d.Status)
	case d.Source != order.SourceERP:
		return "it was placed by " + d.Source + ", with a key of its own"
	case d.PlacedByGateway:
		return "it was placed through a gateway, with a key of its own"
	}
	return ""
}

// cancelSurplus cancels the orders of a group that may be. What the call says proves little, so that the state afterwards
// decides.
func (s *Service) cancelSurplus(ctx context.Context, g *order.DuplicateGroup) error {
	for i := range g.Surplus {
		d := &g.Surplus[i]
		if d.Kept != "" {
			continue
		}
		if err := s.judgeAgain(ctx, g.Reason, g.Keep.ID, d); err != nil {
			return err
		}
		if d.Kept != "" {
			continue
		}
		refusal := s.erp.CancelOrders(ctx, d.ID)
		read, err := s.readDuplicates(ctx, d.ID)
		now, found := read[d.ID]
		switch {
		case err != nil:
			return err
		case found && now.Status == order.Cancelled:
			d.State, d.Status, d.Cancelled = now.State, now.Status, true
			s.log.InfoContext(ctx, "cancelled a duplicate in the ERP", "erp_order_id", d.ID, "kept", g.Keep.ID, "reason", g.Reason)
		case refusal != nil && outcome(refusal) == odoo.Rejected:
			d.Failure = rejection(refusal).Message
		default:
			d.Failure = "the ERP has not cancelled it"
		}
	}
	return nil
}

// judgeAgain looks once more, right before a surplus order is cancelled, at it and at the one that is kept for it: people may
// have confirmed or changed the one, or cancelled or deleted the other, and then it is kept too.
func (s *Service) judgeAgain(ctx context.Context, reason order.DuplicateReason, keptID int64, d *order.Duplicate) error {
	read, err := s.readDuplicates(ctx, keptID, d.ID)
	if err != nil {
		return err
	}
	now, found := read[d.ID]
	kept, stands := read[keptID]
	switch {
	case !found:
		d.Kept = "it is gone"
		return nil
	case !stands || kept.Status == order.Cancelled:
		d.Kept = fmt.Sprintf("order %d, which was to be kept, is gone or cancelled", keptID)
		return nil
	case sameAs(reason, now.Order) != sameAs(reason, kept.Order):
		d.Kept = fmt.Sprintf("it or order %d was changed, and they are not the same any more", keptID)
		return nil
	}
	mirrored, err := s.mirror.Order(ctx, s.tenant.ID, d.ID) // which may have been adopted meanwhile
	if err != nil {
		return err
	}
	d.State, d.Status, d.Deliveries, d.Invoices, d.Source = now.State, now.Status, len(now.Deliveries), len(now.Invoices), mirrored.Source
	d.Kept = whyKept(*d)
	return nil
}

// readDuplicates reads orders into the mirror, and returns those that the ERP has, by id.
func (s *Service) readDuplicates(ctx context.Context, ids ...int64) (map[int64]order.Snapshot, error) {
	read, err := s.erp.Orders(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]order.Snapshot, len(read))
	for _, o := range read {
		byID[o.ID] = o
	}
	_, err = s.ingest(ctx, read, "dedupe")
	return byID, err
}
