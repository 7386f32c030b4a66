package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// adoptTests are about what other systems' tables say of orders.
var adoptTests = map[string]func(t *testing.T, f fixture){
	"AnAdoptionGivesSourceAndKeyOnce": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		adoption := store.Adoption{ERPOrderID: 1, Source: "portal", Keys: []store.AdoptedKey{
			{Source: "portal", Key: "Cart-1", Reference: "PO-1"}, {Source: "portal", Key: "cart-1"}, {Source: "portal", Key: "Cart-1"},
		}}
		before := f.contents(t)
		would := f.wouldAdopt(t, adoption)
		require.Equal(t, before, f.contents(t), "a report changes nothing")
		done := f.adopt(t, adoption)
		require.Equal(t, would, done)
		require.Equal(t, []store.Adopted{{Sourced: true, Keys: 2, Reference: "PO-1"}}, done)
		require.Equal(t, "portal", f.order(t, 1).Source)
		require.Equal(t, []string{order.HistoryAppeared, order.HistoryAdopted}, f.codes(t, 1))
		in := f.stored(t, "Cart-1")
		require.Equal(t, order.Adopted, in.State)
		require.EqualValues(t, 1, in.ERPOrderID)
		require.Equal(t, "PO-1", in.Request.Reference)
		require.EqualValues(t, 9, in.Request.Customer.ERPPartnerID)
		require.Equal(t, "partner:9", in.Customer)
		require.Nil(t, in.Result)

		before = f.contents(t)
		require.Equal(t, []store.Adopted{{Reference: "PO-1"}}, f.adopt(t, adoption))
		require.Equal(t, before, f.contents(t), "the second time changes nothing")

		f.upsert(t, later(snapshot(1), order.Confirmed))
		require.Equal(t, "portal", f.order(t, 1).Source, "a sync keeps it")
		require.Nil(t, f.order(t, 1).Edits, "what was sent is not known")
	},

	"WhatTheGatewayPlacedKeepsItsSourceAndKey": func(t *testing.T, f fixture) {
		in := f.inserted(t, "mine")
		f.place(t, in, snapshot(1))
		before := f.stored(t, "mine")
		done := f.adopt(t, store.Adoption{ERPOrderID: 1, Source: "laravel", Keys: []store.AdoptedKey{
			{Source: "portal", Key: "mine"}, {Source: "laravel", Key: "theirs"}}})
		require.Equal(t, []store.Adopted{{Keys: 1, Reference: "PO-1"}}, done)
		require.Equal(t, "portal", f.order(t, 1).Source)
		require.Equal(t, before, f.stored(t, "mine"))
		require.NotContains(t, f.codes(t, 1), order.HistoryAdopted)

		f.loseMirror(t)
		f.upsert(t, later(snapshot(1), order.Confirmed))
		require.Equal(t, "portal", f.order(t, 1).Source, "the one that placed it, and not the one that was adopted later")
		require.NotNil(t, f.order(t, 1).Edits)
	},

	"AKeyStandsForOneOrder": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1), snapshot(2))
		f.inserted(t, "under way")
		key := func(k string) store.AdoptedKey { return store.AdoptedKey{Source: "portal", Key: k} }
		adoptions := []store.Adoption{
			{ERPOrderID: 1, Keys: []store.AdoptedKey{key("twice")}},
			{ERPOrderID: 2, Keys: []store.AdoptedKey{key("twice"), key("under way")}},
		}
		want := []store.Adopted{
			{Keys: 1, Reference: "PO-1"},
			{Taken: []store.TakenKey{{AdoptedKey: key("twice"), ERPOrderID: 1}, {AdoptedKey: key("under way")}}, Reference: "PO-2"},
		}
		require.Equal(t, want, f.wouldAdopt(t, adoptions...))
		require.Equal(t, want, f.adopt(t, adoptions...))
		require.Equal(t, order.Sending, f.stored(t, "under way").State)
		require.EqualValues(t, 1, f.stored(t, "twice").ERPOrderID)
		require.Equal(t, order.SourceERP, f.order(t, 1).Source, "no source was given")
	},

	"OfAnOrderThatTheMirrorLacksNothingIsWritten": func(t *testing.T, f fixture) {
		adoption := store.Adoption{ERPOrderID: 1, Source: "portal", Keys: []store.AdoptedKey{{Source: "portal", Key: "k"}}}
		require.Equal(t, []store.Adopted{{}}, f.adopt(t, adoption))
		_, err := f.Intent(t.Context(), f.tenant, "portal", "k")
		requireNotFound(t, err, "intent_not_found")
		require.Equal(t, []store.Adopted{{Sourced: true, Keys: 1}}, f.wouldAdopt(t, adoption), "it is said to be in the ERP")
	},

	"AdoptedKeysOutliveTheMirrorAndThePurge": func(t *testing.T, f fixture) {
		f.upsert(t, snapshot(1))
		f.adopt(t, store.Adoption{ERPOrderID: 1, Source: "portal", Keys: []store.AdoptedKey{{Source: "portal", Key: "k"}, {Source: "other", Key: "k"}}})
		purged, err := f.PurgeIntents(t.Context(), f.tenant, time.Now().Add(time.Hour), 10)
		require.NoError(t, err)
		require.Zero(t, purged)
		f.loseMirror(t)
		f.upsert(t, snapshot(1))
		require.Equal(t, "portal", f.order(t, 1).Source, "of the key that was named first")
	},

	"ManyAreAdoptedByTwoAtOnce": func(t *testing.T, f fixture) {
		const n = 450 // more than a transaction has
		snapshots, adoptions := make([]order.Snapshot, n), make([]store.Adoption, n)
		for i := range n {
			snapshots[i] = snapshot(int64(i + 1))
			adoptions[i] = store.Adoption{ERPOrderID: int64(i + 1), Source: "portal", Keys: []store.AdoptedKey{{Source: "portal", Key: fmt.Sprint("k", i)}}}
		}
		f.upsert(t, snapshots...)
		results := make([][]store.Adopted, 2)
		var both sync.WaitGroup
		for i := range results {
			both.Go(func() {
				var err error
				if results[i], err = f.AdoptOrders(context.WithoutCancel(t.Context()), f.tenant, adoptions, true); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		sourced, keys := 0, 0
		for _, done := range results {
			require.Len(t, done, n)
			for _, d := range done {
				keys += d.Keys
				if d.Sourced {
					sourced++
				}
				require.Empty(t, d.Taken)
			}
		}
		require.Equal(t, n, sourced)
		require.Equal(t, n, keys)
		require.EqualValues(t, n, f.number(t, "SELECT COUNT(*) FROM history_entries WHERE tenant_id = ? AND status_code = 'order:adopted'", f.tenant))
	},
}

func (f fixture) adopt(t *testing.T, adoptions ...store.Adoption) []store.Adopted {
	t.Helper()
	done, err := f.AdoptOrders(t.Context(), f.tenant, adoptions, true)
	require.NoError(t, err)
	return done
}

func (f fixture) wouldAdopt(t *testing.T, adoptions ...store.Adoption) []store.Adopted {
	t.Helper()
	done, err := f.AdoptOrders(t.Context(), f.tenant, adoptions, false)
	require.NoError(t, err)
	return done
}

// contents is all that an adoption may touch.
func (f fixture) contents(t *testing.T) [][]string {
	t.Helper()
	var all [][]string
	for _, table := range []string{"orders", "history_entries", "intents"} {
		all = append(all, f.rows(t, table))
	}
	return all
}

// loseMirror drops the tenant's orders; intents and histories stay.
func (f fixture) loseMirror(t *testing.T) {
	t.Helper()
	for _, table := range []string{"order_lines", "orders"} {
		_, err := f.DB().ExecContext(t.Context(), "DELETE FROM "+table+" WHERE tenant_id = ?", f.tenant)
		require.NoError(t, err)
	}
}
