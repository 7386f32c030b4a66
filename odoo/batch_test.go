package odoo_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

// loadCalls are what a fakeOdoo was asked to load, call by call: the names of the orders, without the prefix of their ids.
type loadCalls struct {
	mu   sync.Mutex
	seen [][]string
}

var orderID = regexp.MustCompile(`<string>ordergate\.(o\d+)</string>`)

// answer notes a call and answers it by the names of its orders and the number of the call, from 1.
func (l *loadCalls) answer(how func(names []string, call int) http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var names []string
		for _, match := range orderID.FindAllStringSubmatch(bodyOf(r), -1) {
			names = append(names, match[1])
		}
		l.mu.Lock()
		l.seen = append(l.seen, names)
		call := len(l.seen)
		l.mu.Unlock()
		how(names, call)(w, r)
	}
}

// sizes are how many orders each call held.
func (l *loadCalls) sizes() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	sizes := make([]int, len(l.seen))
	for i, names := range l.seen {
		sizes[i] = len(names)
	}
	return sizes
}

// newOrders are o0, o1 … of two lines each.
func newOrders(n int) []odoo.NewOrder {
	orders := make([]odoo.NewOrder, n)
	for i := range orders {
		id := fmt.Sprintf("o%d", i)
		orders[i] = odoo.NewOrder{ExternalID: id, PartnerID: 1, Lines: []odoo.NewLine{
			{ExternalID: id + "_1", ProductID: 2, Quantity: decimal.New(1, 0)},
			{ExternalID: id + "_2", ProductID: 3, Quantity: decimal.New(1, 0)},
		}}
	}
	return orders
}

// made answers that the orders exist: o7 has the id 107.
func made(names []string) http.HandlerFunc {
	ids := make([]any, len(names))
	for i, name := range names {
		ids[i] = idOf(name)
	}
	return loaded(ids...)
}

func idOf(name string) int64 {
	var n int64
	_, _ = fmt.Sscanf(name, "o%d", &n)
	return 100 + n
}

// about is a message about the order at a position of the call.
func about(position int, text string) map[string]any {
	return map[string]any{"type": "error", "message": text, "record": int64(position),
		"rows": map[string]any{"from": int64(2 * position), "to": int64(2*position + 1)}}
}

func refusedFor(messages ...any) http.HandlerFunc {
	return value(map[string]any{"ids": false, "messages": messages})
}

// requireMade checks that exactly these orders have no id, and that the others have theirs.
func requireMade(t *testing.T, results []odoo.Loaded, except ...int) {
	t.Helper()
	for i, r := range results {
		if slices.Contains(except, i) {
			require.Zero(t, r.ID, "%d", i)
			require.NotNil(t, r.Err, "%d", i)
			continue
		}
		require.Nil(t, r.Err, "%d", i)
		require.EqualValues(t, 100+i, r.ID)
	}
}

func TestBatchIsOneCall(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, _ int) http.HandlerFunc { return made(names) }))
	results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(20))
	require.Len(t, results, 20)
	requireMade(t, results)
	require.Equal(t, []int{20}, calls.sizes())
	require.Empty(t, newClient(t, f.config()).PlaceOrders(t.Context(), nil))
}

func TestOrdersOfUnlikeColumnsDoNotShareACall(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, _ int) http.HandlerFunc { return made(names) }))
	orders := newOrders(6)
	orders[1].Note, orders[4].Note = "a", "b"
	for i := range orders[2].Lines {
		orders[2].Lines[i].UnitPrice = amount("1")
	}
	requireMade(t, newClient(t, f.config()).PlaceOrders(t.Context(), orders))
	require.Equal(t, [][]string{{"o0", "o3", "o5"}, {"o1", "o4"}, {"o2"}}, calls.seen)
}

func TestOneExternalIDIsSentOnce(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, loaded(int64(1), int64(2)))
	results := newClient(t, f.config()).EnsurePartners(t.Context(), []odoo.NewPartner{
		{ExternalID: "p", Name: "first"}, {ExternalID: "q", Name: "other"}, {ExternalID: "p", Name: "second"}, {ExternalID: "no good", Name: "x"}})
	require.Equal(t, []int64{1, 2, 1, 0}, []int64{results[0].ID, results[1].ID, results[2].ID, results[3].ID})
	requireError(t, results[3].Err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, 1, f.count("res.partner.load"))
	require.NotContains(t, f.lastBody(), "second")
}

func TestWhatIsRefusedHereDoesNotGo(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, _ int) http.HandlerFunc { return made(names) }))
	orders := newOrders(4)
	for i := range orders {
		orders[i].Reference = "PO"
	}
	orders[1].Lines = nil
	orders[2].Reference = "bell \a"
	results := newClient(t, f.config()).PlaceOrders(t.Context(), orders)
	requireMade(t, results, 1, 2)
	requireError(t, results[1].Err, odoo.Rejected, odoo.BusinessRule)
	requireError(t, results[2].Err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, [][]string{{"o0", "o3"}}, calls.seen)
}

func TestWrongNumberOfIDsIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"one less": loaded(int64(1), int64(2)), "one more": loaded(int64(1), int64(2), int64(3), int64(4)), "not an id": loaded(int64(1), int64(0), int64(2)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeOdoo(t, answer)
			for _, r := range newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(3)) {
				requireError(t, r.Err, odoo.Unknown, odoo.BadAnswer)
			}
			require.Equal(t, 2, f.count("sale.order.load"))
		})
	}
}

func TestNamedOrdersAreRejectedAndTheOthersGoAgain(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		if call > 1 {
			return made(names)
		}
		wrong := about(3, "No matching record found for database id '777' in field 'Order Lines/Product'")
		wrong["field"] = "order_line"
		return refusedFor(wrong, about(3, "A consequence"), about(5, "Sorry, not today"))
	}))
	orders := newOrders(6)
	orders[3].Lines[1].ProductID = 777
	orders[4].Lines[1].ProductID = 777 // whose row is not the one at fault
	results := newClient(t, f.config()).PlaceOrders(t.Context(), orders)
	requireMade(t, results, 3, 5)
	e := requireError(t, results[3].Err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, "order_line/product_id/.id", e.Field)
	require.Equal(t, 1, e.Row, "of the order's own rows")
	e = requireError(t, results[5].Err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, "Sorry, not today", e.Message)
	require.Equal(t, -1, e.Row)
	require.Equal(t, []int{6, 4}, calls.sizes())
}

// TestACellOfTheFirstIsItsOwn: what names a field is not what load says of all together.
func TestACellOfTheFirstIsItsOwn(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		if call > 1 {
			return made(names)
		}
		wrong := about(0, "No matching record found")
		wrong["field"] = "partner_id"
		return refusedFor(wrong, about(2, "No"))
	}))
	requireMade(t, newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(4)), 0, 2)
	require.Equal(t, []int{4, 2}, calls.sizes())
}

func TestRowOfAnOrderWithOneLine(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		if call > 1 {
			return made(names)
		}
		return refusedFor(map[string]any{"type": "error", "message": "No", "field": "partner_id", "rows": map[string]any{"from": int64(2), "to": int64(2)}})
	}))
	orders := newOrders(3)
	for i := range orders {
		orders[i].Lines = orders[i].Lines[:1]
	}
	results := newClient(t, f.config()).PlaceOrders(t.Context(), orders)
	requireMade(t, results, 2)
	require.Equal(t, 0, results[2].Err.Row)
	require.Equal(t, "partner_id", results[2].Err.Field)
}

// TestLoadStopsAfterTenErrors: those that a call does not name are asked again.
func TestLoadStopsAfterTenErrors(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, _ int) http.HandlerFunc {
		var messages []any
		for i, name := range names {
			if name != "o2" && name != "o15" && len(messages) < 10 {
				messages = append(messages, about(i, "No "+name))
			}
		}
		if len(messages) == 0 {
			return made(names)
		}
		if len(messages) == 10 {
			messages = append(messages, map[string]any{"type": "warning", "message": "Found more than 10 errors and more than one error per 10 records"})
		}
		return refusedFor(messages...)
	}))
	results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(20))
	for i, r := range results {
		if i != 2 && i != 15 {
			e := requireError(t, r.Err, odoo.Rejected, odoo.BusinessRule)
			require.Equal(t, fmt.Sprintf("No o%d", i), e.Message)
		}
	}
	require.EqualValues(t, 102, results[2].ID)
	require.EqualValues(t, 115, results[15].ID)
	require.LessOrEqual(t, len(calls.sizes()), 4)
}

// TestTheFirstIsNotBlamedForAnother: Odoo 17+ puts what went wrong with all together before the other messages, and there
// names the first record.
func TestTheFirstIsNotBlamedForAnother(t *testing.T) {
	t.Parallel()
	for name, firstIsBad := range map[string]bool{"only another": false, "both": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls loadCalls
			f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
				switch {
				case call == 1:
					return refusedFor(about(0, "You cannot sell this"), about(2, "You cannot sell this"))
				case firstIsBad && names[0] == "o0":
					return refusedFor(about(0, "You cannot sell this"))
				}
				return made(names)
			}))
			results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(4))
			bad := []int{2}
			if firstIsBad {
				bad = []int{0, 2}
			}
			requireMade(t, results, bad...)
			for _, i := range bad {
				requireError(t, results[i].Err, odoo.Rejected, odoo.BusinessRule)
			}
		})
	}
}

// TestOneToBlameIsFound: where Odoo refuses or breaks and names nobody, the batch is halved, in order.
func TestOneToBlameIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		outcome odoo.Outcome
		reason  odoo.Reason
		sizes   []int
	}{
		"fault 2":       {faulty(2, "Not this one"), odoo.Rejected, odoo.BusinessRule, []int{8, 4, 4, 2, 1, 1, 2}},
		"no rows":       {refusedFor(map[string]any{"type": "error", "message": "Not this one"}), odoo.Rejected, odoo.BusinessRule, []int{8, 4, 4, 2, 1, 1, 2}},
		"only warnings": {refusedFor(map[string]any{"type": "warning", "message": "Not this one"}), odoo.Rejected, odoo.BusinessRule, []int{8, 4, 4, 2, 1, 1, 2}},
		"fault 1":       {faulty(1, traceback), odoo.Unknown, odoo.ServerError, []int{8, 4, 4, 2, 1, 1, 1, 2}},
		"broken transaction": {refusedFor(about(0, "Unknown database error: 'current transaction is aborted'")),
			odoo.Unknown, odoo.ServerError, []int{8, 4, 4, 2, 1, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls loadCalls
			f := newFakeOdoo(t, calls.answer(func(names []string, _ int) http.HandlerFunc {
				if slices.Contains(names, "o5") {
					return test.answer
				}
				return made(names)
			}))
			results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(8))
			requireMade(t, results, 5)
			requireError(t, results[5].Err, test.outcome, test.reason)
			require.Equal(t, test.sizes, calls.sizes())
		})
	}
}

// TestBatchThatIsTooLargeForAProxy: one order alone is, the others are not.
func TestBatchThatIsTooLargeForAProxy(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, _ int) http.HandlerFunc {
		if len(names) > 2 || names[0] == "o0" {
			return status(413)
		}
		return made(names)
	}))
	results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(5))
	requireMade(t, results, 0)
	requireError(t, results[0].Err, odoo.NotSent, odoo.TooLarge)
	require.Equal(t, []int{5, 2, 1, 1, 3, 1, 2}, calls.sizes())
}

// TestCrashOfANamedOrder: load says that one order crashed it. The others have nothing to do with that.
func TestCrashOfANamedOrder(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		if call > 1 {
			return made(names)
		}
		return refusedFor(about(1, "Unknown error during import: <class 'KeyError'>: 'x'"), about(3, "No"))
	}))
	results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(4))
	requireMade(t, results, 1, 3)
	requireError(t, results[1].Err, odoo.Unknown, odoo.ServerError)
	requireError(t, results[3].Err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, []int{4, 2}, calls.sizes())
}

// TestWhatLoadSaidIsNotAskedAgain: it made nothing, and the answer arrived.
func TestWhatLoadSaidIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, refusedLoad(map[string]any{"message": "Unknown error during import: <class 'KeyError'>: 'x'"}))
	_, err := place(t.Context(), newClient(t, f.config()), newOrder())
	requireError(t, err, odoo.Unknown, odoo.ServerError)
	require.Equal(t, 1, f.count("sale.order.load"))
}

func TestMissingRightIsNotHalved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		outcome odoo.Outcome
		reason  odoo.Reason
		calls   int
	}{
		"fault 4":    {faulty(4, "You are not allowed to create 'Sales Order'"), odoo.Rejected, odoo.AccessRights, 1},
		"no rows":    {refusedFor(map[string]any{"message": "You are not allowed to create 'Sales Order'"}), odoo.Rejected, odoo.AccessRights, 1},
		"login":      {faulty(3, "Access Denied"), odoo.NotSent, odoo.LoginRefused, 2}, // after a login of its own
		"wrong path": {status(404), odoo.NotSent, odoo.Misconfigured, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeOdoo(t, test.answer)
			results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(8))
			for i, r := range results {
				requireError(t, r.Err, test.outcome, test.reason)
				require.NotSame(t, results[(i+1)%8].Err, r.Err, "each has its own to enter things into")
			}
			require.Equal(t, test.calls, f.count("sale.order.load"))
		})
	}
}

// TestWarningIsNoRefusal: load may remark on an order while it refuses another.
func TestWarningIsNoRefusal(t *testing.T) {
	t.Parallel()
	var calls loadCalls
	f := newFakeOdoo(t, calls.answer(func(names []string, call int) http.HandlerFunc {
		if call > 1 {
			return made(names)
		}
		remark := about(1, "Unknown value, assuming 'yes'")
		remark["type"] = "warning"
		return refusedFor(remark, about(2, "No"))
	}))
	results := newClient(t, f.config()).PlaceOrders(t.Context(), newOrders(3))
	requireMade(t, results, 2)
}

// TestCallsOfABatchAreBounded: an Odoo that finds fault with everything, and always says that it lost a race before.
func TestCallsOfABatchAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 8
		s := &scripted{}
		s.object = func(r *http.Request) (*http.Response, error) {
			if s.calls%4 != 0 {
				return xmlResponse(lostRaceXML), nil
			}
			return answersFault("2")(r)
		}
		c, err := odoo.New(odoo.Config{URL: "http://erp.example", Database: "shop", User: "u", Password: "p", Transport: s})
		require.NoError(t, err)
		results := c.PlaceOrders(t.Context(), newOrders(n))
		require.Equal(t, 3*n+10, s.calls)
		requireError(t, results[0].Err, odoo.Rejected, odoo.BusinessRule)
		requireError(t, results[n-1].Err, odoo.NotSent, odoo.ServerError)
	})
}

const lostRaceXML = "<value><struct><member><name>ids</name><value><boolean>0</boolean></value></member>" +
	"<member><name>messages</name><value><array><data><value><struct><member><name>message</name>" +
	"<value><string>could not serialize access</string></value></member></struct></value></data></array></value></member></struct></value>"

func TestCancelOrdersAsksForNoDialogue(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, value(true))
	require.NoError(t, newClient(t, f.config()).CancelOrders(t.Context(), 5))
	require.Equal(t, 1, f.count("sale.order.action_cancel"))
	require.Contains(t, f.lastBody(), "<name>disable_cancel_warning</name><value><boolean>1</boolean></value>")
}
