package ordersync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
	ordersync "ordergate/sync"
)

// replay runs one and returns its findings, by key and kind, with what became of them.
func (b *bundle) replay(t *testing.T, o ordersync.ReplayOptions) (ordersync.Replay, map[string]order.FindingState) {
	t.Helper()
	o.Pause = time.Millisecond
	found := map[string]order.FindingState{}
	result, err := b.Replay(t.Context(), o, func(f ordersync.ReplayFinding) error {
		name := fmt.Sprintf("%s %s", f.Key, f.Kind)
		require.NotContains(t, found, name, "told twice")
		require.NotEmpty(t, f.Detail)
		found[name] = f.State
		return nil
	})
	require.NoError(t, err)
	return result, found
}

func (b *bundle) execute(t *testing.T, statement string, args ...any) {
	t.Helper()
	result, err := b.db.DB().ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.NotZero(t, changed, statement)
}

func TestReplayFindsAndMendsWhatDiffers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := map[string]int64{}
	for _, key := range []string{"fine", "forged", "dropped", "deleted", "buried", "lost", "rejected", "refused", "cancelled", "renamed"} {
		placed, err := b.Place(t.Context(), portal, key, request(key))
		require.NoError(t, err)
		ids[key] = placed.Order.ID
	}
	confirmed, err := b.Act(t.Context(), portal, "confirm", order.Action{Kind: order.Confirm, OrderID: ids["forged"]})
	require.NoError(t, err)
	require.NotNil(t, confirmed.Order)
	_, err = b.Place(t.Context(), portal, "never", request("never", func(r *order.Request) { r.Lines[0].SKU = "NONE" }))
	requireKind(t, err, order.Unprocessable, "unknown_sku")
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
	_, err = b.Place(t.Context(), portal, "called off", request("called off"))
	require.NoError(t, err)
	_, err = b.CancelIntent(t.Context(), portal, "", "called off")
	require.NoError(t, err)
	_, err = b.ResolveDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, order.CalledOff, b.intent(t, "called off").State)
	b.sandbox.Misbehave(sandbox.Fault{Method: "sale.order.load", Kind: sandbox.DropAnswer, Times: 3})
	doubt, err := b.Place(t.Context(), portal, "doubt", request("doubt"))
	require.NoError(t, err)
	require.Nil(t, doubt.Order)
	require.NoError(t, b.Sync(t.Context()))
	result, found := b.replay(t, ordersync.ReplayOptions{})
	require.Equal(t, map[string]order.FindingState{"doubt outcome_not_known": order.FindingFound}, found)
	require.EqualValues(t, 13, result.Intents)

	dropOf := func(key string) {
		b.execute(t, "DELETE FROM order_lines WHERE order_id = (SELECT id FROM orders WHERE erp_order_id = ?)", ids[key])
		b.execute(t, "DELETE FROM orders WHERE erp_order_id = ?", ids[key])
	}
	b.people(t, "sale.order", "unlink", []any{ids["buried"]})
	require.NoError(t, b.Sync(t.Context()))
	b.execute(t, "UPDATE orders SET amount_total = amount_total + 1 WHERE erp_order_id = ?", ids["forged"])
	dropOf("dropped")
	b.people(t, "sale.order", "unlink", []any{ids["deleted"]})
	b.people(t, "sale.order", "unlink", []any{ids["lost"]})
	dropOf("lost")
	for _, state := range []string{"rejected", "refused", "cancelled"} { // as in a database that was restored
		b.execute(t, "UPDATE intents SET state = ?, erp_order_id = NULL, result = NULL WHERE idempotency_key = ?", state, state)
	}
	b.people(t, "sale.order", "write", []any{ids["renamed"]}, map[string]any{"name": "OTHER"})
	b.later(10 * time.Minute) // what was read in the same second cannot be told to be older

	ofIntents := map[string]order.FindingState{
		"doubt outcome_not_known": order.FindingFound, "lost order_lost": order.FindingFound, "rejected rejected_exists": order.FindingFound,
		"refused rejected_exists": order.FindingFound, "cancelled cancelled_stands": order.FindingFound, "renamed number_differs": order.FindingFound,
	}
	want := map[string]order.FindingState{"confirm amount": order.FindingFound, "dropped missing": order.FindingFound,
		"deleted deleted": order.FindingFound, "renamed stale": order.FindingFound}
	for name, state := range ofIntents {
		want[name] = state
	}
	writes := func() int { return b.sandbox.Calls("sale.order.load") + b.sandbox.Calls("sale.order.write") }
	before := writes()
	result, found = b.replay(t, ordersync.ReplayOptions{DryRun: true})
	require.Equal(t, want, found)
	require.Equal(t, len(want), result.Left())
	_, again := b.replay(t, ordersync.ReplayOptions{DryRun: true})
	require.Equal(t, want, again, "a dry run mends nothing")
	_, found = b.replay(t, ordersync.ReplayOptions{DryRun: true, Source: "portal", Key: "dropped"})
	require.Equal(t, map[string]order.FindingState{"dropped missing": order.FindingFound}, found)
	_, found = b.replay(t, ordersync.ReplayOptions{DryRun: true, Since: b.clock.Now().Add(time.Hour)})
	require.Empty(t, found)

	result, found = b.replay(t, ordersync.ReplayOptions{})
	for _, name := range []string{"confirm amount", "dropped missing", "deleted deleted", "renamed stale"} {
		want[name] = order.FindingRepaired
	}
	require.Equal(t, want, found)
	require.Equal(t, 4, result.Repaired)
	require.Equal(t, len(ofIntents), result.Left())
	result, found = b.replay(t, ordersync.ReplayOptions{})
	require.Equal(t, ofIntents, found, "what was answered under a key stands")
	require.Zero(t, result.Repaired)
	require.Equal(t, before, writes(), "the ERP is only read")

	o := b.order(t, ids["dropped"])
	require.Equal(t, "portal", o.Source)
	require.False(t, b.order(t, ids["deleted"]).DeletedAt.IsZero())
	_, err = b.Replay(t.Context(), ordersync.ReplayOptions{Source: "portal", Key: "unheard of"}, nil)
	require.True(t, order.IsKind(err, order.NotFound))
}

// What waits for its turn has nothing to be compared; a dry run shows what it will send, and that is what it sends.
func TestReplayShowsWhatWasNotSent(t *testing.T) {
	t.Parallel()
	erp := &loadingERP{}
	b := setup(t)
	b.restart(t, func(cfg *ordersync.Config) { cfg.ERP = restingERP{b.erp} })
	_, err := b.Enqueue(t.Context(), portal, "queued", request("queued"))
	require.NoError(t, err)
	b.restart(t, func(cfg *ordersync.Config) { erp.ERP = cfg.ERP; cfg.ERP = erp })
	one := ordersync.ReplayOptions{Source: "portal", Key: "queued"}
	result, found := b.replay(t, one)
	require.Empty(t, found)
	require.Nil(t, result.Preview)
	one.DryRun = true
	result, found = b.replay(t, one)
	require.Empty(t, found)
	require.NotNil(t, result.Preview)
	require.Equal(t, order.Queued, b.intent(t, "queued").State)

	b.drain(t, "queued")
	require.Len(t, erp.orders, 1)
	sent, err := b.erp.PreviewOrder(t.Context(), erp.orders[0])
	require.NoError(t, err)
	require.Equal(t, sent, result.Preview.Order)
	result, _ = b.replay(t, one)
	require.Nil(t, result.Preview, "it was sent")

	placed := b.intent(t, "queued").ERPOrderID
	b.people(t, "sale.order", "unlink", []any{placed})
	b.execute(t, "UPDATE intents SET state = 'sending', unknown_at = created_at WHERE idempotency_key = 'queued'")
	b.execute(t, "DELETE FROM order_lines")
	b.execute(t, "DELETE FROM orders WHERE erp_order_id = ?", placed)
	result, found = b.replay(t, one)
	require.Empty(t, found, "the resolver is about to find out")
	require.Nil(t, result.Preview, "it was sent")
}

// A difference that the sync or the resolver mends meanwhile is none, and one under way is left alone.
func TestReplayLeavesAloneWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	placed, err := b.Place(t.Context(), portal, "k", request("PO-1"))
	require.NoError(t, err)
	b.people(t, "sale.order", "write", []any{placed.Order.ID}, map[string]any{"client_order_ref": "edited"})
	b.later(time.Minute)
	never := func(f ordersync.ReplayFinding) error { return errors.New(f.Detail) }
	ended := make(chan error, 1)
	go func() {
		_, err := b.Replay(t.Context(), ordersync.ReplayOptions{Pause: 2 * time.Second}, never)
		ended <- err
	}()
	time.Sleep(200 * time.Millisecond)
	require.NoError(t, b.Sync(t.Context()))
	require.NoError(t, <-ended)

	b.execute(t, "UPDATE intents SET state = 'sending', lease_token = 'x', lease_until = ? WHERE idempotency_key = 'k'", b.clock.Now().Add(5*time.Second))
	result, err := b.Replay(t.Context(), ordersync.ReplayOptions{Pause: time.Millisecond}, never)
	require.NoError(t, err)
	require.EqualValues(t, 1, result.UnderWay)

	b.execute(t, "UPDATE intents SET lease_token = '' WHERE idempotency_key = 'k'")
	broken := errors.New("disk full")
	_, err = b.Replay(t.Context(), ordersync.ReplayOptions{Pause: time.Millisecond}, func(ordersync.ReplayFinding) error { return broken })
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Replay(ctx, ordersync.ReplayOptions{}, never)
	require.ErrorIs(t, err, context.Canceled)
}
