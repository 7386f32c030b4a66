package ordersync

import (
	"context"

	"ordergate/order"
	"ordergate/store"
)

// Difference is where the mirror and the ERP do not agree, after what earlier systems left in the database.
type Difference struct {
	Tenant  string   `json:"tenant"`
	Orphans []Orphan `json:"orphans"` // rows that an earlier system kept without an ERP order id
	Missing []int64  `json:"missing"` // ids of orders in the ERP that the mirror lacks, or holds as an earlier system left them
	Gone    []int64  `json:"gone"`    // ids of orders in the mirror that the ERP no longer has
}

// NewDifference is no difference yet.
func NewDifference(tenant string) Difference {
	return Difference{Tenant: tenant, Orphans: []Orphan{}, Missing: []int64{}, Gone: []int64{}}
}

// Orphan is a row without an ERP order id, and what the ERP has that may be its order.
type Orphan struct {
	Number     string  `json:"number,omitempty"`
	Reference  string  `json:"reference,omitempty"`
	ERPOrderID int64   `json:"erp_order_id,omitempty"` // the order it is; 0 if none or several may be
	Candidates []int64 `json:"candidates,omitempty"`   // where several may be
}

// Archive is where rows without an ERP order id were put when they left the orders table; *store.Store is one.
type Archive interface {
	// Orphans returns up to limit rows after archive id afterID whose order has not been found yet, by rising archive id.
	Orphans(ctx context.Context, tenantID, afterID int64, limit int) ([]store.Orphan, error)
	// ResolveOrphan notes which order a row was.
	ResolveOrphan(ctx context.Context, tenantID, archiveID, erpOrderID int64) error
}

// Reconcile finds where mirror and ERP differ, and with apply brings the mirror to the ERP's state: orders it lacks
// are pulled, those that are gone become tombstones, and orphans are matched. It can run beside a serving gateway,
// and twice: the second time it finds nothing to do.
func (s *Service) Reconcile(ctx context.Context, archive Archive, apply bool) (Difference, error) {
	d := NewDifference(s.tenant.Name)
	err := s.compare(ctx, order.IDRange{}, func(c comparison) error {
		for _, h := range c.heads {
			if c.mirrored[h.ID].WriteDate.IsZero() {
				d.Missing = append(d.Missing, h.ID)
			}
		}
		gone, err := s.gone(ctx, c.absent)
		d.Gone = append(d.Gone, gone...)
		return err
	})
	if err != nil {
		return d, err
	}
	if apply {
		if _, err := s.mirrorOrders(ctx, d.Missing, func(done int) { s.cfg.Progress("missing orders", done, len(d.Missing)) }); err != nil {
			return d, err
		}
		if _, err := s.mirror.MarkDeleted(ctx, s.tenant.ID, d.Gone, s.erp.Now(), "dedupe"); err != nil {
			return d, err
		}
	}
	return d, s.matchArchive(ctx, archive, apply, &d)
}

// matchArchive finds the orders of the orphans in the archive.
func (s *Service) matchArchive(ctx context.Context, archive Archive, apply bool, d *Difference) error {
	after := int64(0)
	for {
		rows, err := archive.Orphans(ctx, s.tenant.ID, after, headPage)
		if err != nil {
			return err
		}
		for _, row := range rows {
			orphan, err := Match(ctx, s.erp, row.Number, row.Reference)
			if err != nil {
				return err
			}
			d.Orphans = append(d.Orphans, orphan)
			after = row.ArchiveID
			if !apply || orphan.ERPOrderID == 0 {
				continue
			}
			// Its order is in the mirror by now, pulled as every other; what is left is to note which it was.
			if err := archive.ResolveOrphan(ctx, s.tenant.ID, row.ArchiveID, orphan.ERPOrderID); err != nil {
				return err
			}
		}
		if len(rows) < headPage {
			return nil
		}
	}
}

// Finder looks orders up in the ERP; every ERP is one.
type Finder interface {
	FindOrders(ctx context.Context, number, reference string) ([]int64, error)
}

// Match finds the order of a row without an ERP order id, by its number or else by its reference.
func Match(ctx context.Context, erp Finder, number, reference string) (Orphan, error) {
	orphan := Orphan{Number: number, Reference: reference}
	var ids []int64
	var err error
	if number != "" {
		ids, err = erp.FindOrders(ctx, number, "")
	}
	if err == nil && len(ids) == 0 && reference != "" {
		ids, err = erp.FindOrders(ctx, "", reference)
	}
	if len(ids) == 1 {
		orphan.ERPOrderID = ids[0]
	} else {
		orphan.Candidates = ids
	}
	return orphan, err
}
