package ordersync

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ordergate/store"
)

// renewSyncLease is how often the lease of a sync is prolonged while the sync runs.
const renewSyncLease = store.SyncLeaseLasts / 3

var errTakenOver = errors.New("another process has taken the sync over")

// runner makes one of the processes that serve a tenant the one that syncs in the background. The others' syncs would do
// no harm, and nothing but double the work of the ERP.
type runner struct {
	service *Service
	token   string

	mu   sync.Mutex
	held bool
}

// holder is what a cursor is advanced as: the lease's holder while this process syncs in the background, or nobody, as
// which a command or a reader advances it.
func (r *runner) holder() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held {
		return ""
	}
	return r.token
}

func (r *runner) setHeld(held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
}

// run runs work if this process has a lease, or gets it, and keeps it meanwhile; work's context ends if
// another process takes it. False if another one has it.
func (r *runner) run(ctx context.Context, lease string, work func(context.Context) error) (ran bool, err error) {
	held, err := r.hold(ctx, lease)
	if err != nil || !held {
		return false, err
	}
	r.setHeld(true)
	defer r.setHeld(false)

	workCtx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var group errgroup.Group
	renewalCtx, endRenewal := context.WithCancel(ctx)
	group.Go(func() error {
		for sleep(renewalCtx, renewSyncLease) == nil {
			// A database that does not answer for a moment takes nothing from anybody: the lease lasts for three attempts.
			if held, err := r.hold(renewalCtx, lease); err == nil && !held {
				end(errTakenOver)
				return nil
			}
		}
		return nil
	})
	err = work(workCtx)
	endRenewal()
	_ = group.Wait() // the function above returns nil
	return true, err
}

func (r *runner) hold(ctx context.Context, lease string) (bool, error) {
	now := r.service.now()
	return r.service.mirror.HoldSync(ctx, r.service.tenant.ID, lease, store.SyncLease{
		Holder: r.token, Now: now, Until: now.Add(store.SyncLeaseLasts),
	})
}

// leave gives a lease back, so that another process need not wait for its end.
func (r *runner) leave(lease string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.service.mirror.LeaveSync(ctx, r.service.tenant.ID, lease, r.token); err != nil {
		r.service.log.WarnContext(ctx, "the lease of the sync could not be given back; it ends by itself", "error", err)
	}
}
