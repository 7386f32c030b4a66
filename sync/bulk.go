package ordersync

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"ordergate/order"
)

const (
	// bulkAtOnce is how many actions of one bulk action are under way at once, at most: others want their turn too.
	bulkAtOnce = 4
	// bulkPause is how long it waits for a place where none is free.
	bulkPause = 100 * time.Millisecond
)

// ActOnMany does the same with many orders, with each as Act would: what becomes of one says nothing of the others. They are begun in
// their sequence, a few at once, for as long as ctx lasts. What was not begun by then is Unavailable, and the same again goes on there:
// the keys of the actions derive from key. An error is about the whole: a wish that cannot be understood, or a key that was used for another.
func (s *Service) ActOnMany(ctx context.Context, caller order.Caller, key string, bulk order.Bulk) ([]order.BulkOutcome, error) {
	if err := order.ValidateKey(key); err != nil {
		return nil, err
	}
	if err := bulk.Validate(); err != nil {
		return nil, err
	}
	actions := bulk.Actions()
	outcomes := make([]order.BulkOutcome, len(actions))
	carryOut := func(i int) {
		o := order.BulkOutcome{OrderID: actions[i].OrderID, Key: bulkKey(key, i, actions[i].OrderID)}
		o.Placement, o.Err = s.actWithPatience(ctx, caller, o.Key, actions[i])
		var known *order.Error
		if o.Err != nil && (!errors.As(o.Err, &known) || known.Kind == order.Internal) {
			s.log.ErrorContext(ctx, "a part of a bulk action failed", "key", o.Key, "erp_order_id", o.OrderID, "error", o.Err)
		}
		outcomes[i] = o
	}
	carryOut(0) // it has the key itself: that tells whether this is the same bulk action as before
	var whole *order.Error
	if errors.As(outcomes[0].Err, &whole) && (whole.Code == keyReused().Code || whole.Code == keyInFlight().Code) {
		return nil, whole
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(1, min(bulkAtOnce, s.cfg.MaxActions/2, len(actions)-1)) {
		workers.Go(func() {
			for i := range next {
				carryOut(i)
			}
		})
	}
	for i := 1; i < len(actions); i++ {
		next <- i
	}
	close(next)
	workers.Wait()
	return outcomes, nil
}

// actWithPatience is Act for one who can wait for a place.
func (s *Service) actWithPatience(ctx context.Context, caller order.Caller, key string, action order.Action) (order.Placement, error) {
	for {
		if ctx.Err() != nil || s.patience(ctx) <= 0 {
			return order.Placement{}, waitTooLong(0)
		}
		p, err := s.Act(ctx, caller, key, action)
		var full *order.Error
		if !errors.As(err, &full) || full.Code != queueFull(0).Code || sleep(ctx, bulkPause) != nil {
			return p, err
		}
	}
}

// bulkKey is the key of a part of a bulk action. The first has that of the whole.
func bulkKey(key string, i int, orderID int64) string {
	if i == 0 {
		return key
	}
	return "bulk-" + digest("bulk", key, strconv.FormatInt(orderID, 10))
}
