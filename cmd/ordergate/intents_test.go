package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/migrations"
	"ordergate/order"
	"ordergate/store"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func cartIntent(key string, state order.IntentState) order.Intent {
	return order.Intent{
		Source: "portal", Key: key, State: state, Caller: "web shop", Customer: "ref:u-17", Fingerprint: strings.Repeat("0", 64),
		Request: order.Request{
			Customer: order.CustomerRef{Ref: "u-17", Name: "Ada"},
			Lines:    []order.RequestLine{{SKU: "E-COM07", Quantity: decimal.New(2, 0)}},
		},
		CreatedAt: noon.Add(-3 * time.Minute), UpdatedAt: noon,
	}
}

func TestIntentsAreListedAsATable(t *testing.T) {
	t.Parallel()
	doubtful := cartIntent("b", order.Sending)
	doubtful.UnknownAt, doubtful.Attempts, doubtful.CreatedAt = noon, 3, noon.Add(-49*time.Hour)
	doubtful.Failure = order.Errorf(order.Internal, "in_doubt", "No answer\tfrom\x1b[2J\nOdoo.").Because(errors.New("hunter2"))
	calledOff := cartIntent("c", order.Parked)
	calledOff.CancelRequestedAt, calledOff.CreatedAt = noon, noon.Add(-5*time.Hour)
	ofPartner := cartIntent("d", order.Placed)
	ofPartner.Customer, ofPartner.Request.Customer, ofPartner.CreatedAt = "", order.CustomerRef{ERPPartnerID: 9}, noon.Add(time.Second)
	action := order.Intent{Source: "portal", Key: "e", State: order.Performed, CreatedAt: noon, ERPOrderID: 4711,
		Action: &order.Action{Kind: order.Confirm, OrderID: 4711}}
	var out bytes.Buffer

	require.NoError(t, printIntents(&out, []order.Intent{cartIntent("a", order.Queued), doubtful, calledOff, ofPartner, action}, noon))

	require.Equal(t, ""+
		"AGE  STATE                ATTEMPTS  SOURCE  KEY  WISH                CUSTOMER   FAILURE\n"+
		"3m   queued               0         portal  a    place an order      ref:u-17   \n"+
		"2d   sending (in doubt)   3         portal  b    place an order      ref:u-17   in_doubt: No answer from [2J Odoo.\n"+
		"5h   parked (called off)  0         portal  c    place an order      ref:u-17   \n"+
		"0s   placed               0         portal  d    place an order      partner:9  \n"+
		"0s   performed            0         portal  e    confirm order 4711             \n", out.String())
}

func TestAnActionIsShownWhole(t *testing.T) {
	t.Parallel()
	amount := decimal.RequireFromString("10.5")
	in := order.Intent{Source: "portal", Key: "p", State: order.Sending, CreatedAt: noon, UpdatedAt: noon, ERPOrderID: 4711,
		Action: &order.Action{Kind: order.Pay, OrderID: 4711, InvoiceID: 77, Amount: &amount}}
	var out bytes.Buffer
	require.NoError(t, printIntent(&out, in))
	require.Contains(t, out.String(), "register a payment 10.5 of invoice 77, order 4711\n")
	require.Contains(t, out.String(), `"invoice_id": 77`)
	for _, absent := range []string{"lines", "customer", "sku"} {
		require.NotContains(t, out.String(), absent, "it is no order to be placed")
	}

	out.Reset()
	require.NoError(t, printIntentJSON(&out, in))
	var view map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &view))
	require.NotContains(t, view, "request")
	require.NotContains(t, view, "customer")
	require.Equal(t, "10.5", view["action"].(map[string]any)["amount"])

	require.NotContains(t, calledOffAs(in), "cancelled")
	require.Contains(t, calledOffAs(cartIntent("b", order.Sending)), "cancelled there")
	said := map[string]bool{}
	for _, kind := range order.ActionKinds {
		said[wish(order.Intent{Action: &order.Action{Kind: kind, OrderID: 4711, Warehouse: "WH"}})] = true
	}
	require.Len(t, said, len(order.ActionKinds))
}

func TestTheHelpNamesEveryState(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[intentsListCommand]().FieldByName("State")
	require.True(t, ok)
	require.Contains(t, field.Tag.Get("help"), ": "+stateNames()+".")
}

func TestAnIntentIsShownWhole(t *testing.T) {
	t.Parallel()
	in := cartIntent("a", order.Rejected)
	in.Failure = order.Invalid("unknown_sku", "lines[0].sku", "No product has the SKU %q.", "E-COM07")
	in.ERPOrderID, in.Acknowledged = 4711, true
	var out bytes.Buffer

	require.NoError(t, printIntent(&out, in))

	for _, part := range []string{"key:", "web shop", "rejected", "4711", `unknown_sku: No product has the SKU "E-COM07".`, "lines[0].sku:",
		"told 202:", "2026-11-21T11:57:00Z", `"sku": "E-COM07"`, `"quantity": "2"`} {
		require.Contains(t, out.String(), part)
	}
	require.NotContains(t, out.String(), "called off", "what did not happen is left out")

	out.Reset()
	require.NoError(t, printIntentJSON(&out, in))
	var view map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &view))
	require.Equal(t, "unknown_sku", view["failure"].(map[string]any)["code"])
	require.Equal(t, "2026-11-21T11:57:00Z", view["created_at"])
	require.NotContains(t, view, "unknown_at")
}

// manyIntents answers lists as a service does that gives no page more than it may have.
type manyIntents struct {
	intents
	n     int64
	asked []order.IntentFilter
}

func (m *manyIntents) Intents(_ context.Context, _ order.Caller, f order.IntentFilter) ([]order.Intent, error) {
	m.asked = append(m.asked, f)
	last := m.n
	if f.BeforeID != 0 {
		last = f.BeforeID - 1
	}
	var page []order.Intent
	for id := last; id > 0 && len(page) < min(f.Limit, order.MaxPageSize); id-- {
		page = append(page, order.Intent{ID: id})
	}
	return page, nil
}

func TestMoreThanAPageIsListed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stored, limit, listed, pages int }{
		{0, 50, 0, 1}, {7, 50, 7, 1}, {500, 50, 50, 1}, {500, 450, 450, 3}, {400, 450, 400, 3}, {200, 200, 200, 1},
	} {
		service := &manyIntents{n: int64(c.stored)}
		found, err := listIntents(t.Context(), service, order.Caller{}, order.IntentFilter{Source: "portal"}, c.limit)
		require.NoError(t, err)
		require.Len(t, found, c.listed)
		require.Len(t, service.asked, c.pages)
		for i, in := range found {
			require.EqualValues(t, c.stored-i, in.ID)
		}
		for _, f := range service.asked {
			require.Equal(t, "portal", f.Source)
		}
	}
}

// flagsOf returns the flags of a tenant whose database has the intents, and whose Odoo is away.
func flagsOf(t *testing.T, stored ...order.Intent) intentFlags {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "ordergate.db")
	db, err := store.Open(t.Context(), url, store.Options{})
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, migrations.Up(t.Context(), db.DB(), db.Dialect(), nil))
	tenant, err := db.EnsureTenant(t.Context(), defaultTenant)
	require.NoError(t, err)
	for _, in := range stored {
		end := store.End{State: in.State, UnknownAt: in.UnknownAt}
		in.TenantID, in.State, in.UnknownAt = tenant, order.Queued, time.Time{}
		require.NoError(t, db.InsertIntent(t.Context(), &in))
		end.IntentID = in.ID
		lease := store.Lease{Token: "t", Now: noon, Until: noon.Add(store.LeaseLasts), ERPNow: noon}
		_, err := db.ClaimIntents(t.Context(), tenant, []int64{in.ID}, lease)
		require.NoError(t, err)
		ended, err := db.EndAttempts(t.Context(), tenant, lease.Token, []store.End{end})
		require.NoError(t, err)
		require.Len(t, ended, 1)
	}
	return intentFlags{
		databaseFlags: databaseFlags{Database: url},
		tenantFlags:   tenantFlags{OdooURL: "http://127.0.0.1:1", OdooDB: "away", OdooUser: "u", OdooPassword: "p", OdooTimeout: time.Second, OdooConnections: 1},
	}
}

func TestIntentsAreRetriedAndCancelledInTheDatabase(t *testing.T) {
	t.Parallel()
	parked, doubtful := cartIntent("parked", order.Parked), cartIntent("doubtful", order.Sending)
	parked.UnknownAt, doubtful.UnknownAt = noon, noon
	flags := flagsOf(t, parked, doubtful, cartIntent("waiting", order.Queued), cartIntent("rejected", order.Rejected))
	var out, said bytes.Buffer
	term := terminal{out: &out, err: &said}
	args := func(key string) intentArgs { return intentArgs{intentFlags: flags, Source: "portal", Key: key} }
	state := func(key string) string {
		out.Reset()
		require.NoError(t, intentsShowCommand{intentArgs: args(key), JSON: true}.Run(t.Context(), term))
		var view map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &view))
		return fmt.Sprint(view["state"], " ", view["in_doubt"])
	}

	require.Equal(t, "parked true", state("parked"))
	require.NoError(t, intentsRetryCommand{args("parked")}.Run(t.Context(), term))
	require.Equal(t, "sending true", state("parked"))
	require.ErrorContains(t, intentsRetryCommand{args("rejected")}.Run(t.Context(), term), "intent_not_parked")

	require.NoError(t, intentsCancelCommand{args("waiting")}.Run(t.Context(), term))
	require.Equal(t, "cancelled false", state("waiting"))
	said.Reset()
	require.NoError(t, intentsCancelCommand{args("doubtful")}.Run(t.Context(), term))
	require.Contains(t, said.String(), "as soon as")
	require.Equal(t, "sending true", state("doubtful"))
	require.ErrorContains(t, intentsCancelCommand{args("rejected")}.Run(t.Context(), term), "intent_rejected")
	require.ErrorContains(t, intentsShowCommand{intentArgs: args("unknown")}.Run(t.Context(), term), "intent_not_found")

	out.Reset()
	list := intentsListCommand{intentFlags: flags, State: []string{"sending", "cancelled"}, Limit: 3}
	require.NoError(t, list.Run(t.Context(), term))
	require.Contains(t, out.String(), "doubtful")
	require.Contains(t, out.String(), "sending (called off)")
	require.NotContains(t, out.String(), "portal  rejected")
	require.Contains(t, said.String(), "There may be more")

	list.State = []string{"open"}
	require.ErrorContains(t, list.Run(t.Context(), term), `no state "open"; there are: queued, sending,`)
}

func TestTheIntentsCommandsAreParsed(t *testing.T) {
	t.Parallel()
	parse := func(args ...string) intentsCommand {
		var c struct {
			Intents intentsCommand `cmd:""`
		}
		parser, err := kong.New(&c)
		require.NoError(t, err)
		_, err = parser.Parse(append([]string{"intents"}, args...))
		require.NoError(t, err)
		return c.Intents
	}
	list := parse("list", "--tenant", "eu", "--source", "portal", "--state", "queued,parked", "--in-doubt", "--json").List
	require.Equal(t, []string{"queued", "parked"}, list.State)
	require.Equal(t, "eu", list.Tenant)
	require.Equal(t, 50, list.Limit)
	require.True(t, list.InDoubt && list.JSON)
	require.Equal(t, "portal", parse("show", "cart-8841").Show.Source, "the source that most keys have")
	require.Equal(t, "a/b", parse("retry", "--source", "shopify:eu", "a/b").Retry.Key)
	require.Equal(t, "shopify:eu", parse("cancel", "--source", "shopify:eu", "--", "-k").Cancel.Source)
}
