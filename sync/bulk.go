package ordersync

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"ordergate/order"
)

const (
	// bulkAtOnce is how many orders of one bulk action that go alone are under way at once, at most: others want their turn too.
	bulkAtOnce = 4
	// bulkPause is how long it waits for a place where none is free.
	bulkPause = 100 * time.Millisecond
)

// ActOnMany does the same with many orders, with each as Act would: what becomes of one says nothing of the others. They are begun in
// their sequence, for as long as ctx lasts: where the ERP takes several orders in one call, as many together as Config.BatchSize says;
// otherwise one by one, a few at once. What was not begun by then is Unavailable, and the same again goes on there: the keys of the actions
// derive from key. An error is about the whole: a wish that cannot be understood, or a key that was used for another.
func (s *Service) ActOnMany(ctx context.Context, caller order.Caller, key string, bulk order.Bulk) ([]order.BulkOutcome, error) {
	if err := order.ValidateKey(key); err != nil {
		return nil, err
	}
	if err := bulk.Validate(); err != nil {
		return nil, err
	}
	actions := bulk.Actions()
	outcomes, wishes := make([]order.BulkOutcome, len(actions)), make([]*wish, len(actions))
	look := func(i int) {
		outcomes[i] = order.BulkOutcome{OrderID: actions[i].OrderID, Key: bulkKey(key, i, actions[i].OrderID)}
		wishes[i] = s.bulkWish(ctx, caller, outcomes[i].Key, actions[i])
	}
	if look(0); wishes[0].isAnothers() { // it has the key itself: that tells whether this is the same bulk action as before
		return nil, wishes[0].err
	}
	s.fewAtOnce(len(actions)-1, func(i int) { look(i + 1) })
	together, alone := s.whichGoTogether(bulk.Kind, wishes)
	// One call after the other: two that reserve the same goods would keep each other waiting in the ERP.
	for group := range slices.Chunk(together, s.cfg.BatchSize) {
		for _, w := range group {
			w.first = wishes[0]
		}
		s.carryOut(ctx, group)
		if wishes[0].isAnothers() {
			return nil, wishes[0].err
		}
	}
	s.fewAtOnce(len(alone), func(i int) { s.carryOut(ctx, alone[i:i+1]) })
	for i, w := range wishes {
		o := &outcomes[i]
		o.Placement, o.Err = w.placement, w.err
		var known *order.Error
		if o.Err != nil && (!errors.As(o.Err, &known) || known.Kind == order.Internal) {
			s.log.ErrorContext(ctx, "a part of a bulk action failed", "key", o.Key, "erp_order_id", o.OrderID, "error", o.Err)
		}
	}
	return outcomes, nil
}

// bulkWish is wishFor while there is time.
func (s *Service) bulkWish(ctx context.Context, caller order.Caller, key string, action order.Action) *wish {
	if s.outOfTime(ctx) {
		return &wish{answered: true, err: waitTooLong(0)}
	}
	return s.wishFor(ctx, caller, key, action)
}

// whichGoTogether tells the wishes that may share a call from the others, answered ones left out. The first is before all others, unless it
// is known that its key is this bulk action's.
func (s *Service) whichGoTogether(kind order.ActionKind, wishes []*wish) (together, alone []*wish) {
	joint := s.performer(kind).together != nil
	for i, w := range wishes {
		inDoubt := w.known && w.in.State == order.Sending // an earlier call may hold it up in the ERP, and would hold up the others
		switch {
		case w.answered:
		case joint && !inDoubt, i == 0 && !w.known:
			together = append(together, w)
		default:
			alone = append(alone, w)
		}
	}
	return together, alone
}

// fewAtOnce does work for each of n, a few at once, in their sequence.
func (s *Service) fewAtOnce(n int, work func(i int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(max(1, min(bulkAtOnce, s.cfg.MaxActions/2)), n) {
		workers.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// carryOut is actTogether for one who can wait for a place.
func (s *Service) carryOut(ctx context.Context, wishes []*wish) {
	leave, err := s.enterInTime(ctx)
	s.actTogether(ctx, wishes, leave, err)
}

func (s *Service) enterInTime(ctx context.Context) (leave func(), err error) {
	for {
		if s.outOfTime(ctx) {
			return nil, waitTooLong(0)
		}
		leave, err = s.enterAction()
		var full *order.Error
		if !errors.As(err, &full) || full.Code != queueFull(0).Code || sleep(ctx, bulkPause) != nil {
			return leave, err
		}
	}
}

// outOfTime reports whether nobody waits any more for what would begin now.
func (s *Service) outOfTime(ctx context.Context) bool {
	return ctx.Err() != nil || s.patience(ctx) <= 0
}

// bulkKey is the key of a part of a bulk action. The first has that of the whole.
func bulkKey(key string, i int, orderID int64) string {
	if i == 0 {
		return key
	}
	return "bulk-" + digest("bulk", key, strconv.FormatInt(orderID, 10))
}
