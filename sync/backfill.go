package ordersync

import (
	"context"
	"errors"
	"time"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

const (
	backfillPage        = 5000 // orders between two notes of how far it has come
	backfillConnections = 2
	mostConnections     = 16
	// backfillLasts is how old a full read that was ended may be to go on: what was wrong with the mirror before it began is
	// as wrong in its part that was read then.
	backfillLasts = 7 * 24 * time.Hour
)

// FullSyncOptions say what a full read reads, and how; the zero options read everything.
type FullSyncOptions struct {
	Since       time.Time // only orders written since
	Connections int       // calls to the ERP at once; 2 by default, at most 16
	Restart     bool      // does not go on with one that was ended
}

// ErrBackfillElsewhere says that another process reads everything at this moment.
var ErrBackfillElsewhere = errors.New("another process reads all orders at this moment; this one can go on if that one ends")

// FullSync reads every order of the ERP into the mirror, and marks those that the ERP no longer has. It can be run at
// any time, beside everything else, and rebuilds a mirror that was dropped. One that was ended goes on where it stopped
// if it is asked for the same again; what was written meanwhile is brought by the sync of changes.
func (s *Service) FullSync(ctx context.Context, options FullSyncOptions) error {
	reader := runner{service: s, token: s.cfg.NewToken()}
	ran, err := reader.run(ctx, store.FullSync, func(ctx context.Context) error { return s.backfill(ctx, options, reader.token) })
	if ran {
		reader.leave(store.FullSync)
	}
	if err == nil && !ran {
		return ErrBackfillElsewhere
	}
	return err
}

func (s *Service) backfill(ctx context.Context, options FullSyncOptions, holder string) error {
	// Its clock counts, which is known once it has answered.
	if err := s.erp.Ping(ctx); err != nil {
		return err
	}
	began, erpBegan := s.now(), s.erp.Now()
	b, err := s.mirror.Backfill(ctx, s.tenant.ID)
	if err != nil {
		return err
	}
	if options.Restart || b.ERPBegan.IsZero() || !b.Since.Equal(options.Since.Truncate(time.Second)) || erpBegan.Sub(b.ERPBegan) > backfillLasts {
		b = store.Backfill{Since: options.Since.Truncate(time.Second), ERPBegan: erpBegan}
		s.impossible.forget(order.IDRange{})
	} else {
		s.log.InfoContext(ctx, "going on with a full read that was ended", "after", b.AfterID, "orders", b.Orders)
	}
	total := int64(0) // how many were written since a day is not known before they are read
	if b.Since.IsZero() {
		if total, err = s.erp.CountOrders(ctx, order.IDRange{After: b.AfterID}); err != nil {
			return err
		}
		total += b.Orders
	}

	readers := newReaders(s, options.Connections)
	page, err := s.erp.OrderHeads(ctx, headsAfter(b))
	for err == nil {
		next := make(chan headsRead, 1)
		more := len(page) == backfillPage
		following := b
		if more {
			following.AfterID = page[len(page)-1].ID
			go func() { // owned by the receive below
				heads, err := s.erp.OrderHeads(ctx, headsAfter(following))
				next <- headsRead{heads, err}
			}()
		}
		err = s.backfillPage(ctx, readers, b, page, more, int(total))
		read := headsRead{}
		if more {
			read = <-next
		}
		if err != nil {
			return err
		}
		b.AfterID, b.Orders = following.AfterID, b.Orders+int64(len(page))
		if !more {
			return s.endBackfill(ctx, b, began, holder)
		}
		saved, err := s.mirror.SaveBackfill(ctx, s.tenant.ID, holder, b)
		if err == nil && !saved {
			err = ErrBackfillElsewhere
		}
		if err != nil {
			return err
		}
		if page, err = read.heads, read.err; err != nil {
			return err
		}
	}
	return err
}

func headsAfter(b store.Backfill) odoo.Page {
	return odoo.Page{Since: b.Since, AfterID: b.AfterID, Limit: backfillPage}
}

type headsRead struct {
	heads []order.Head
	err   error
}

// backfillPage reads the orders of a page, several calls at a time, and buries those of its range that only the mirror has.
func (s *Service) backfillPage(ctx context.Context, readers *readers, b store.Backfill, page []order.Head, more bool, total int) error {
	ids := make([]int64, len(page))
	for i, h := range page {
		ids[i] = h.ID
	}
	if b.Since.IsZero() { // otherwise orders are absent that were not written since
		r := order.IDRange{After: b.AfterID}
		if more {
			r.UpTo = ids[len(ids)-1]
		}
		absent, err := s.absentFrom(ctx, ids, r)
		if err != nil {
			return err
		}
		if _, err := s.bury(ctx, absent); err != nil {
			return err
		}
	}
	return readers.read(ctx, ids, func(done int) {
		done += int(b.Orders)
		if total > 0 {
			total = max(total, done)
		}
		s.cfg.Progress("orders", done, total)
	})
}

// endBackfill notes that everything was read, as of its beginning. One that was limited in time says nothing of the rest.
func (s *Service) endBackfill(ctx context.Context, b store.Backfill, began time.Time, holder string) error {
	if b.Since.IsZero() {
		c := store.Cursor{WriteDate: b.ERPBegan, SyncedAt: began, Complete: true}
		if _, err := s.mirror.AdvanceCursor(ctx, s.tenant.ID, ordersModel, c, ""); err != nil {
			return err
		}
	}
	s.cfg.Progress("orders", int(b.Orders), int(b.Orders))
	ended, err := s.mirror.EndBackfill(ctx, s.tenant.ID, holder)
	if err == nil && !ended {
		return ErrBackfillElsewhere
	}
	return err
}
