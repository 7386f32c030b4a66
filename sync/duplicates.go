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
	// Cancel cancels the surplus in the ERP: drafts that were neither sent through the gateway nor adopted, and nothing else.
	Cancel bool
}

// FindDuplicates looks for orders in the ERP that earlier integrations made more than once of one, and calls found with
// each group. The mirror is looked through; of what it finds, everything is read from the ERP again before it is reported or
// cancelled.
func (s *Service) FindDuplicates(ctx context.Context, options DuplicateOptions, found func(order.DuplicateGroup) error) error {
	return s.mirror.EachCustomersOrders(ctx, s.tenant.ID, func(orders []order.Brief) error {
		for _, suspects := range suspicious(orders, options.Window) {
			groups, err := s.confirmDuplicates(ctx, suspects)
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
		}
		return nil
	})
}

// suspects are orders of one customer, at least two, that have a reason to be taken for one.
type suspects struct {
	reason order.DuplicateReason
	ids    []int64
}

// suspicious groups a customer's orders that may be one: by reference first, and those that are left by total. An order is
// in one group only. Cancelled ones are no trouble to anybody.
func suspicious(orders []order.Brief, window time.Duration) []suspects {
	standing := slices.DeleteFunc(slices.Clone(orders), func(o order.Brief) bool { return o.Status == order.Cancelled })
	taken := map[int64]bool{}
	groups := cluster(order.SameReference, standing, window, taken, func(o order.Brief) string { return strings.ToLower(o.Reference) })
	return append(groups, cluster(order.SameContent, standing, window, taken, func(o order.Brief) string {
		if o.AmountTotal.IsZero() {
			return ""
		}
		return o.Currency + " " + o.AmountTotal.String()
	})...)
}

// cluster groups the orders that have the same name and lie within a window, counted from the first of them. Those
// without a name, and those that are taken, are left out; those of its groups are taken.
func cluster(reason order.DuplicateReason, orders []order.Brief, window time.Duration, taken map[int64]bool, name func(order.Brief) string) []suspects {
	byName := map[string][]order.Brief{}
	var names []string
	for _, o := range orders {
		n := name(o)
		if n == "" || taken[o.ID] {
			continue
		}
		if byName[n] == nil {
			names = append(names, n)
		}
		byName[n] = append(byName[n], o)
	}
	var groups []suspects
	for _, n := range names {
		same := byName[n]
		slices.SortFunc(same, func(a, b order.Brief) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		for len(same) > 0 {
			end := 1
			for end < len(same) && same[end].CreatedAt.Sub(same[0].CreatedAt) <= window {
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

// groupOf decides which of the orders is kept: the one that has come furthest, then one that has a source,
// then the oldest.
func (s *Service) groupOf(ctx context.Context, reason order.DuplicateReason, orders []order.Snapshot) (order.DuplicateGroup, error) {
	duplicates := make([]order.Duplicate, len(orders))
	for i, o := range orders {
		mirrored, err := s.mirror.Order(ctx, s.tenant.ID, o.ID)
		if err != nil {
			return order.DuplicateGroup{}, err
		}
		duplicates[i] = order.Duplicate{
			Brief: order.Brief{ID: o.ID, Number: o.Number, Status: o.Status, ERPPartnerID: o.Customer.ERPPartnerID, Reference: o.Reference,
				Source: mirrored.Source, Currency: o.Currency, AmountTotal: o.AmountTotal, CreatedAt: o.CreatedAt},
			Deliveries: len(o.Deliveries), Invoices: len(o.Invoices),
		}
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
		return 5
	case d.Deliveries > 0:
		return 4
	case d.Status == order.Done:
		return 3
	case d.Status == order.Confirmed:
		return 2
	case d.Source != order.SourceERP:
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
	case d.Status != order.Draft && d.Status != order.Sent:
		return "it is " + string(d.Status)
	case d.Source != order.SourceERP:
		return "it was placed by " + d.Source + ", with a key of its own"
	}
	return ""
}

// cancelSurplus cancels the orders of a group that may be. Right before, each is read once more: somebody may have confirmed
// it since. What the call says proves little, so that the state afterwards decides.
func (s *Service) cancelSurplus(ctx context.Context, g *order.DuplicateGroup) error {
	for i := range g.Surplus {
		d := &g.Surplus[i]
		if d.Kept != "" {
			continue
		}
		now, err := s.readDuplicate(ctx, d.ID)
		if err != nil {
			return err
		}
		if now == nil {
			d.Kept = "it is gone"
			continue
		}
		d.Status, d.Deliveries, d.Invoices = now.Status, len(now.Deliveries), len(now.Invoices)
		if err := s.learnSource(ctx, d); err != nil {
			return err
		}
		if d.Kept = cmp.Or(d.Kept, whyKept(*d)); d.Kept != "" {
			continue
		}
		refusal := s.erp.CancelOrder(ctx, d.ID)
		now, err = s.readDuplicate(ctx, d.ID)
		switch {
		case err != nil:
			return err
		case now != nil && now.Status == order.Cancelled:
			d.Status, d.Cancelled = now.Status, true
			s.log.InfoContext(ctx, "cancelled a duplicate in the ERP", "erp_order_id", d.ID, "kept", g.Keep.ID, "reason", g.Reason)
		case refusal != nil && outcome(refusal) == odoo.Rejected:
			d.Failure = rejection(refusal).Message
		default:
			d.Failure = "the ERP has not cancelled it"
		}
	}
	return nil
}

// learnSource finds out whether an order that exists was sent through the gateway. A sync may have brought it before its
// placement was stored; then its intent is still open, and nothing is cancelled. Which is why the intents are looked at
// first: one that ended in between has left its source.
func (s *Service) learnSource(ctx context.Context, d *order.Duplicate) error {
	intents, err := s.mirror.CountIntents(ctx, s.tenant.ID)
	if err != nil {
		return err
	}
	if intents.Sending+intents.Parked > 0 {
		d.Kept = "orders are being placed or in doubt, and it may be one of them"
	}
	mirrored, err := s.mirror.Order(ctx, s.tenant.ID, d.ID)
	d.Source = mirrored.Source
	return err
}

// readDuplicate reads one order into the mirror; nil if the ERP does not have it.
func (s *Service) readDuplicate(ctx context.Context, id int64) (*order.Snapshot, error) {
	read, err := s.erp.Orders(ctx, []int64{id})
	if err != nil || len(read) == 0 {
		return nil, err
	}
	_, err = s.ingest(ctx, read, "dedupe")
	return &read[0], err
}
