package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// Exercise runs the suite. open returns a store on an empty database with the current schema; it is called once.
func Exercise(t *testing.T, open func(t *testing.T) *store.Store) {
	s := open(t)
	tests := map[string]func(t *testing.T, f fixture){}
	for _, group := range []map[string]func(t *testing.T, f fixture){
		intentTests, claimTests, queueTests, endTests, placementTests, actionTests, stockTests, orderTests, listingTests, catalogueTests, syncTests, editTests, briefTests, accessTests, concurrencyTests,
		webhookTests, auditTests, adoptTests, historyTests, verifyTests,
	} {
		for name, test := range group {
			tests[name] = test
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, s))
		})
	}
	t.Run("TenantsSeeNothingOfEachOther", func(t *testing.T) { exerciseIsolation(t, s) })
	t.Run("QueriesUseIndexes", func(t *testing.T) { exercisePlans(t, s) })
	t.Run("IntentQueriesUseIndexes", func(t *testing.T) { exerciseQueuePlans(t, s) })
}

// fixture is a store with a tenant of the test's own.
type fixture struct {
	*store.Store
	tenant int64
}

var tenants atomic.Int64

func newFixture(t *testing.T, s *store.Store) fixture {
	t.Helper()
	tenant, err := s.EnsureTenant(t.Context(), fmt.Sprintf("%s #%d", t.Name(), tenants.Add(1)))
	require.NoError(t, err)
	return fixture{Store: s, tenant: tenant}
}

// snapshot is an order of the ERP as it was first read, with two lines.
func snapshot(id int64) order.Snapshot {
	return order.Snapshot{
		Order: order.Order{
			ID: id, Number: fmt.Sprintf("S%05d", id), State: order.StateDraft, Status: order.Draft,
			Fulfilment: order.FulfilmentNone, Payment: order.PaymentNone,
			Customer:  order.Party{ERPPartnerID: 9},
			Reference: fmt.Sprintf("PO-%d", id), Note: "leave at the door", Currency: "EUR", CurrencyDecimals: 2,
			AmountUntaxed: dec("39.80"), AmountTax: dec("8.36"), AmountTotal: dec("48.16"),
			Lines: []order.Line{
				{ERPLineID: 10*id + 1, ERPProductID: 31, SKU: "E-COM07", Name: "Large Cabinet", UnitOfMeasure: "Units",
					Quantity: dec("2"), UnitPrice: dec("19.90"), Discount: dec("0"), Subtotal: dec("39.80"), Tax: dec("8.36"),
					Total: dec("48.16")},
				{ERPLineID: 10*id + 2, ERPProductID: 32, SKU: "FREE", Name: "Sample", UnitOfMeasure: "Units",
					Quantity: dec("1"), UnitPrice: dec("0"), Discount: dec("0"), Subtotal: dec("0"), Tax: dec("0"), Total: dec("0")},
			},
			OrderedAt: At(10, 0), CreatedAt: At(10, 0), UpdatedAt: At(10, 0),
		},
		WriteDate: At(10, 0), LinesWriteDate: At(10, 0), ReadAt: At(10, 1),
	}
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func (f fixture) upsert(t *testing.T, snapshots ...order.Snapshot) store.Upserted {
	t.Helper()
	counts, err := f.UpsertOrders(t.Context(), f.tenant, snapshots, "sync")
	require.NoError(t, err)
	return counts
}

func (f fixture) order(t *testing.T, id int64) order.Order {
	t.Helper()
	o, err := f.Order(t.Context(), f.tenant, id)
	require.NoError(t, err)
	return o
}

func (f fixture) codes(t *testing.T, id int64) []string {
	t.Helper()
	entries := f.history(t, id)
	codes := make([]string, len(entries))
	for i, e := range entries {
		codes[i] = e.Code
	}
	return codes
}

// history returns up to a hundred entries of an order.
func (f fixture) history(t *testing.T, id int64) []order.HistoryEntry {
	t.Helper()
	entries, err := f.History(t.Context(), f.tenant, id, order.HistoryFilter{Limit: 100})
	require.NoError(t, err)
	return entries
}

// stillHeld is a moment at which the leases of intents that arrive still run.
func stillHeld() time.Time { return At(12, 1).Add(-10 * time.Second) }

// intent is one that arrives with a lease of the token "t1" until 12:01.
func (f fixture) intent(key string) *order.Intent {
	return &order.Intent{
		TenantID: f.tenant, Source: "portal", Key: key, Fingerprint: "f1", Caller: "shop", State: order.Sending,
		Request: order.Request{Customer: order.CustomerRef{Ref: "u-17"},
			Lines: []order.RequestLine{{SKU: "E-COM07", Quantity: dec("2")}}},
		Plan:       order.Plan{PartnerID: 9, ProductIDs: []int64{31}},
		LeaseToken: "t1", LeaseUntil: At(12, 1), Attempts: 1, Customer: "ref:u-17",
	}
}

func (f fixture) inserted(t *testing.T, key string) *order.Intent {
	t.Helper()
	in := f.intent(key)
	require.NoError(t, f.InsertIntent(t.Context(), in))
	return in
}

// insert stores an intent with changes.
func (f fixture) insert(t *testing.T, key string, change func(*order.Intent)) *order.Intent {
	t.Helper()
	in := f.intent(key)
	change(in)
	require.NoError(t, f.InsertIntent(t.Context(), in))
	return in
}

// queued stores an acknowledged intent of a customer that nobody carries.
func (f fixture) queued(t *testing.T, key, customer string) *order.Intent {
	t.Helper()
	return f.insert(t, key, func(in *order.Intent) {
		in.State, in.Customer, in.Acknowledged, in.Attempts = order.Queued, customer, true, 0
		in.LeaseToken, in.LeaseUntil = "", time.Time{}
	})
}

func (f fixture) stored(t *testing.T, key string) order.Intent {
	t.Helper()
	in, err := f.Intent(t.Context(), f.tenant, "portal", key)
	require.NoError(t, err)
	return in
}

func lease(token string, now time.Time) store.Lease {
	return store.Lease{Token: token, Now: now, Until: now.Add(store.LeaseLasts), ERPNow: now.Add(erpAhead)}
}

// erpAhead is how far the ERP's clock is ahead of the gateway's.
const erpAhead = 7 * time.Second

// claim takes up intents and returns what was claimed.
func (f fixture) claim(t *testing.T, lease store.Lease, intents ...*order.Intent) []order.Intent {
	t.Helper()
	claimed, err := f.ClaimIntents(t.Context(), f.tenant, idsOf(intents...), lease)
	require.NoError(t, err)
	return claimed
}

// renew prolongs leases and returns the tokens that still held one.
func (f fixture) renew(t *testing.T, until time.Time, tokens ...string) []string {
	t.Helper()
	renewed, err := f.RenewLeases(t.Context(), f.tenant, tokens, until)
	require.NoError(t, err)
	return renewed
}

// end ends the attempt at an intent and reports whether the token held it.
func (f fixture) end(t *testing.T, token string, end store.End) bool {
	t.Helper()
	held, err := f.EndAttempts(t.Context(), f.tenant, token, []store.End{end})
	require.NoError(t, err)
	if len(held) > 0 {
		require.Equal(t, []int64{end.IntentID}, held)
	}
	return len(held) > 0
}

// place places an intent that the token "t1" holds.
func (f fixture) place(t *testing.T, in *order.Intent, s order.Snapshot, entries ...order.HistoryEntry) order.Order {
	t.Helper()
	placed, err := f.PlaceIntents(t.Context(), f.tenant, "t1", []store.Placed{placing(in, s, entries...)})
	require.NoError(t, err)
	require.Contains(t, placed, in.ID)
	return placed[in.ID]
}

func placing(in *order.Intent, s order.Snapshot, entries ...order.HistoryEntry) store.Placed {
	return store.Placed{IntentID: in.ID, Action: in.Action != nil, Source: in.Source, Caller: in.Caller, Snapshot: s, Entries: entries}
}

func idsOf(intents ...*order.Intent) []int64 {
	ids := make([]int64, len(intents))
	for i, in := range intents {
		ids[i] = in.ID
	}
	return ids
}

func keysOf(intents []order.Intent) []string {
	keys := []string{}
	for _, in := range intents {
		keys = append(keys, in.Key)
	}
	return keys
}

func requireNotFound(t *testing.T, err error, code string) {
	t.Helper()
	var e *order.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, order.NotFound, e.Kind)
	require.Equal(t, code, e.Code)
}

// number returns the only value of a query.
func (f fixture) number(t *testing.T, query string, args ...any) int64 {
	t.Helper()
	var n int64
	require.NoError(t, f.DB().QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}

// column returns the values of a query's only column as text.
func (f fixture) column(ctx context.Context, t *testing.T, query string, args ...any) []string {
	t.Helper()
	rows, err := f.DB().QueryContext(ctx, query, args...)
	require.NoError(t, err)
	defer rows.Close()
	values := []string{}
	for rows.Next() {
		var v any
		require.NoError(t, rows.Scan(&v))
		if raw, isBytes := v.([]byte); isBytes {
			v = string(raw)
		}
		values = append(values, fmt.Sprint(v))
	}
	require.NoError(t, rows.Err())
	return values
}
