package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// act stores an intent to do something with an order, which the token "t1" holds.
func (f fixture) act(t *testing.T, key string, orderID int64) *order.Intent {
	t.Helper()
	return f.insert(t, key, func(in *order.Intent) {
		in.Request, in.Plan = order.Request{}, order.Plan{}
		in.Action = &order.Action{Kind: order.Cancel, OrderID: orderID, Reason: "ordered twice"}
	})
}

// busy requires that no other action can begin with an order.
func (f fixture) busy(t *testing.T, orderID int64) {
	t.Helper()
	in := f.intent("another")
	in.Action = &order.Action{Kind: order.Confirm, OrderID: orderID}
	require.ErrorIs(t, f.InsertIntent(t.Context(), in), store.ErrBusy)
}

var actionTests = map[string]func(t *testing.T, f fixture){
	"AnActionIsKeptAsItWasWished": func(t *testing.T, f fixture) {
		in := f.act(t, "a", 4711)
		got := f.stored(t, "a")
		require.Equal(t, in.Action, got.Action)
		require.Empty(t, got.Request)
		require.EqualValues(t, 4711, got.ERPOrderID)
		f.inserted(t, "k")
		require.Nil(t, f.stored(t, "k").Action)
	},

	"AnActionThatIsDoneLeavesWhoPlacedTheOrder": func(t *testing.T, f fixture) {
		f.place(t, f.inserted(t, "k"), snapshot(4711))
		f.upsert(t, snapshot(4712))
		for _, id := range []int64{4711, 4712, 4713} { // 4713 the mirror does not know yet
			in := f.insert(t, "a", func(in *order.Intent) {
				in.Source, in.Caller, in.Action = "desk", "clerk", &order.Action{Kind: order.Cancel, OrderID: id}
			})
			got := f.place(t, in, later(snapshot(id), order.Cancelled),
				order.Entry(id, order.HistoryReason))
			require.Equal(t, order.Cancelled, got.Status)
			require.Equal(t, map[int64]string{4711: "portal", 4712: order.SourceERP, 4713: order.SourceERP}[id], got.Source)
			require.Contains(t, f.codes(t, id), order.HistoryReason)
			stored, err := f.Intent(t.Context(), f.tenant, "desk", "a")
			require.NoError(t, err)
			require.Equal(t, order.Performed, stored.State)
			require.Equal(t, order.Cancelled, stored.Result.Status)
			_, err = f.DB().ExecContext(t.Context(), "DELETE FROM intents WHERE id = ?", in.ID)
			require.NoError(t, err)
		}
		require.Contains(t, f.codes(t, 4713), order.HistoryAppeared)
	},

	// Who changes an order agrees to all that stands then: edits are told from there on, also where the sync saw the change first,
	// and after the mirror was lost.
	"AChangeIsNoEdit": func(t *testing.T, f fixture) {
		edited := func(id int64, quantity string) order.Snapshot {
			s := later(snapshot(id), order.Draft)
			s.Lines[0].Quantity = dec(quantity)
			return s
		}
		change := func(key string, s order.Snapshot, done bool) {
			in := f.insert(t, key, func(in *order.Intent) {
				in.Request, in.Plan, in.Source, in.Caller = order.Request{}, order.Plan{}, "desk", "clerk"
				in.Action = &order.Action{Kind: order.Amend, OrderID: s.ID, Change: &order.Change{}}
			})
			row := store.Placed{IntentID: in.ID, Action: true, Source: in.Source, Caller: in.Caller, Snapshot: s}
			if done {
				row.Original = order.OriginalOf(s.Order)
			}
			_, err := f.PlaceIntents(t.Context(), f.tenant, "t1", []store.Placed{row})
			require.NoError(t, err)
		}
		edits := func(id int64) bool { return f.order(t, id).Edits.Any() }
		place := func(key string, id int64) {
			in, s := f.inserted(t, key), snapshot(id)
			_, err := f.PlaceIntents(t.Context(), f.tenant, "t1", []store.Placed{{IntentID: in.ID, Source: in.Source, Caller: in.Caller,
				Snapshot: s, Original: order.OriginalOf(s.Order)}})
			require.NoError(t, err)
		}
		place("k", 4711)
		place("l", 4712)
		f.upsert(t, edited(4712, "9"))
		require.True(t, edits(4712))
		change("c1", edited(4711, "8"), true)
		change("c2", edited(4712, "9"), true)
		require.False(t, edits(4711))
		require.False(t, edits(4712))
		require.Equal(t, "portal", f.order(t, 4712).Source)
		for range 2 {
			s := edited(4711, "5")
			s.WriteDate, s.ReadAt = s.WriteDate.Add(time.Hour), s.ReadAt.Add(time.Hour)
			f.upsert(t, s)
			require.True(t, edits(4711), "this somebody else did")
			for _, statement := range []string{"DELETE FROM order_lines WHERE order_id IN (SELECT id FROM orders WHERE tenant_id = ?)",
				"DELETE FROM orders WHERE tenant_id = ?"} {
				_, err := f.DB().ExecContext(t.Context(), statement, f.tenant)
				require.NoError(t, err)
			}
			f.upsert(t, edited(4711, "8"), edited(4712, "9"))
			require.False(t, edits(4711))
			require.False(t, edits(4712))
		}
		change("c3", edited(4711, "8"), false)
		require.NotNil(t, f.order(t, 4711).Edits)
		f.upsert(t, snapshot(4713))
		change("c4", edited(4713, "8"), true)
		require.Nil(t, f.order(t, 4713).Edits, "nobody sent it")
	},

	// After the mirror was lost the intent that placed an order still tells its source, and an action on it does not.
	"AnActionIsNoOrigin": func(t *testing.T, f fixture) {
		f.insert(t, "a", func(in *order.Intent) {
			in.Source, in.Action = "desk", &order.Action{Kind: order.Confirm, OrderID: 4711}
		})
		f.upsert(t, snapshot(4711))
		require.Equal(t, order.SourceERP, f.order(t, 4711).Source)
	},

	"OneActionAtATimeHoldsAnOrder": func(t *testing.T, f fixture) {
		ends := map[string]func(in *order.Intent){
			"performed": func(in *order.Intent) { f.place(t, in, snapshot(in.Action.OrderID)) },
			"rejected": func(in *order.Intent) {
				require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Rejected}))
			},
			"refused": func(in *order.Intent) {
				require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Refused}))
			},
			"called off": func(in *order.Intent) {
				require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.CalledOff}))
			},
		}
		id := int64(5000)
		for name, end := range ends {
			id++
			in := f.act(t, name, id)
			f.busy(t, id)
			f.act(t, name+" of another order", id+1000)
			end(in)
			f.act(t, name+" is over", id)
			f.busy(t, id)
		}
		for _, state := range []order.IntentState{order.Sending, order.Parked} {
			id++
			in := f.act(t, "still "+string(state), id)
			require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: state}))
			f.busy(t, id)
		}
	},

	"ARefusedActionThatBeginsAnewHoldsItsOrder": func(t *testing.T, f fixture) {
		in := f.act(t, "a", 4711)
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Refused}))
		anew := lease("t2", stillHeld())
		anew.Anew = []int64{in.ID}
		other := f.act(t, "b", 4711)
		_, err := f.ClaimIntents(t.Context(), f.tenant, []int64{in.ID}, anew)
		require.ErrorIs(t, err, store.ErrBusy)
		require.Equal(t, order.Refused, f.stored(t, "a").State)
		f.place(t, other, snapshot(4711))
		require.Len(t, f.claim(t, anew, in), 1)
		f.busy(t, 4711)
	},

	// What it came to is decided again: much may have changed since.
	"ARefusedActionThatBeginsAnewHasNoPlan": func(t *testing.T, f fixture) {
		in := f.act(t, "a", 4711)
		plan := order.Plan{Action: &order.ActionPlan{KnownInvoices: []int64{7}}}
		saved, err := f.SavePlans(t.Context(), f.tenant, "t1", map[int64]order.Plan{in.ID: plan})
		require.NoError(t, err)
		require.Len(t, saved, 1)
		claimed := f.claim(t, lease("t2", At(12, 1)), in)
		require.Equal(t, plan, claimed[0].Plan, "one that was sent keeps it")
		require.True(t, f.end(t, "t2", store.End{IntentID: in.ID, State: order.Refused}))
		anew := lease("t3", stillHeld())
		anew.Anew = []int64{in.ID}
		require.Nil(t, f.claim(t, anew, in)[0].Plan.Action)
	},

	"AnActionOfALaterVersionIsSetAside": func(t *testing.T, f fixture) {
		in := f.act(t, "a", 4711)
		_, err := f.DB().ExecContext(t.Context(), "UPDATE intents SET kind = 'teleport' WHERE id = ?", in.ID)
		require.NoError(t, err)
		require.Empty(t, f.claim(t, lease("t2", At(12, 1)), in))
		listed, err := f.ListIntents(t.Context(), f.tenant, order.IntentFilter{States: []order.IntentState{order.Parked}})
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, keysOf(listed))
	},

	"AnOrderIsInDoubtWhenAnActionIs": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(4711))
		in := f.act(t, "a", 4711)
		inDoubt := func() bool {
			doubt, err := f.OrderInDoubt(t.Context(), f.tenant, 4711)
			require.NoError(t, err)
			return doubt
		}
		require.False(t, inDoubt(), "it is under way")
		require.True(t, f.end(t, "t1", store.End{IntentID: in.ID, State: order.Sending, UnknownAt: At(12, 0)}))
		require.True(t, inDoubt())
	},
}
