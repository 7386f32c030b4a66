package order_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestChainIsOfAllThatAnEntrySays(t *testing.T) {
	t.Parallel()
	e := order.HistoryEntry{ID: 2, OrderID: 7, Code: "warehouse:packed", Category: "quality", Severity: order.Info, Payload: "{}", Detail: "d", Closes: 1,
		WrittenBy: "w", RecordedAt: time.Unix(1, 2000), Fact: "f", Key: "k"}
	hash := e.Chain("previous", 1)
	require.Len(t, hash, 64)
	require.Equal(t, hash, e.Chain("previous", 1))
	require.NotEqual(t, hash, e.Chain("other", 1))
	require.NotEqual(t, hash, e.Chain("previous", 2))
	for i, change := range []func(*order.HistoryEntry){
		func(e *order.HistoryEntry) { e.ID++ },
		func(e *order.HistoryEntry) { e.OrderID++ },
		func(e *order.HistoryEntry) { e.Code = "warehouse:other" },
		func(e *order.HistoryEntry) { e.Category = "other" },
		func(e *order.HistoryEntry) { e.Severity = order.Blocking },
		func(e *order.HistoryEntry) { e.Payload = "" },
		func(e *order.HistoryEntry) { e.Detail = "" },
		func(e *order.HistoryEntry) { e.Closes = 0 },
		func(e *order.HistoryEntry) { e.WrittenBy = "" },
		func(e *order.HistoryEntry) { e.RecordedAt = e.RecordedAt.Add(time.Microsecond) },
		func(e *order.HistoryEntry) { e.Fact = "" },
		func(e *order.HistoryEntry) { e.Key = "" },
		func(e *order.HistoryEntry) { e.Category, e.Severity = "qualityi", "nfo" }, // the same letters
		func(e *order.HistoryEntry) { e.Fact, e.Key = "fk", "" },
	} {
		changed := e
		change(&changed)
		require.NotEqual(t, hash, changed.Chain("previous", 1), i)
	}
	same := e
	same.ClosedBy, same.ClosedAt, same.Hash = 9, time.Unix(9, 0), "x"
	same.RecordedAt = same.RecordedAt.In(time.FixedZone("", 3600))
	require.Equal(t, hash, same.Chain("previous", 1), "what a later entry says is no part of it")
}

func TestNewsTellsEachFactOnce(t *testing.T) {
	t.Parallel()
	known := order.Known{}
	o := order.Order{ID: 7, Status: order.Draft}
	news := func() []string {
		var codes []string
		for _, e := range o.News(known) {
			require.EqualValues(t, 7, e.OrderID)
			require.NotEmpty(t, e.Fact)
			require.NotEmpty(t, e.Category, e.Code)
			codes = append(codes, e.Code)
		}
		require.Empty(t, o.News(known), "the same again")
		return codes
	}
	delivery := func(id int64, state order.DocumentState) *order.Delivery {
		for i := range o.Deliveries {
			if o.Deliveries[i].ID == id {
				o.Deliveries[i].State = state
				return &o.Deliveries[i]
			}
		}
		o.Deliveries = slices.Insert(o.Deliveries, 0, order.Delivery{ID: id, State: state})
		return &o.Deliveries[0]
	}
	require.Empty(t, news())

	o.Status = order.Confirmed
	delivery(1, order.Waiting)
	require.Equal(t, []string{"order:confirmed", order.HistoryDeliveryCreated}, news())
	delivery(1, order.Ready)
	require.Empty(t, news())
	delivery(1, order.DocumentDelivered).Tracking = "a"
	delivery(2, order.Waiting).BackorderOf = 1
	require.Equal(t, []string{order.HistoryShipped, order.HistoryDeliveryCreated}, news())
	delivery(1, order.Ready)
	require.Empty(t, news(), "what was read late, and is not true any more")
	delivery(1, order.DocumentDelivered).Tracking = "b"
	require.Equal(t, []string{order.HistoryTracked}, news())
	delivery(2, order.DocumentCancelled)
	require.Equal(t, []string{order.HistoryDeliveryCancelled}, news())
	delivery(2, order.Ready)
	require.Equal(t, []string{order.HistoryDeliveryReopened}, news())
	delivery(2, order.DocumentCancelled)
	require.Equal(t, []string{order.HistoryDeliveryCancelled}, news(), "again, and so it is told again")
	delivery(3, order.DocumentDelivered).Kind = order.DeliveryReturn
	require.Equal(t, []string{order.HistoryReturnCreated, order.HistoryReturned}, news(), "it was made and came while nobody looked")

	o.Invoices = []order.Invoice{{ID: 1, State: order.Open, Payment: "not_paid"}}
	require.Equal(t, []string{order.HistoryInvoiceCreated}, news())
	invoice := &o.Invoices[0]
	invoice.State = order.Posted
	require.Equal(t, []string{order.HistoryInvoicePosted}, news())
	for _, due := range []int64{40, 20} {
		invoice.Payment, invoice.AmountDue = "partial", decimal.New(due, 0)
		require.Equal(t, []string{order.HistoryPartlyPaid}, news())
	}
	invoice.Payment, invoice.AmountDue = "paid", decimal.New(0, 0)
	require.Equal(t, []string{order.HistoryPaid}, news())
	invoice.Payment = "not_paid"
	require.Equal(t, []string{order.HistoryPaymentUndone}, news())
	invoice.Payment = "in_payment"
	require.Equal(t, []string{order.HistoryInPayment}, news())
	invoice.Payment = "a state of Odoo 30"
	require.Empty(t, news())
	invoice.Payment = "reversed"
	o.Invoices = append(o.Invoices, order.Invoice{ID: 2, State: order.Posted, CreditNote: true, Payment: "paid"})
	require.Equal(t, []string{order.HistoryReversed, order.HistoryCreditNoteCreated, order.HistoryCreditNotePosted, order.HistorySettled}, news())
	o.Invoices[1].State, o.Invoices[1].Payment = order.Open, "not_paid"
	require.Equal(t, []string{order.HistoryCreditNoteReopened, order.HistoryPaymentUndone}, news())
	o.Invoices[1].State = order.DocumentCancelled
	require.Equal(t, []string{order.HistoryCreditNoteCancelled}, news())

	o.Status = order.Cancelled
	require.Equal(t, []string{"order:cancelled"}, news())
	o.Status = order.Draft
	require.Equal(t, []string{"order:draft"}, news(), "back from where it came")
	o.Status = order.Cancelled
	require.Equal(t, []string{"order:cancelled"}, news())
}

// What is gone is told once, and only by a reading that has all there is.
func TestDeletedDocumentsAreTold(t *testing.T) {
	t.Parallel()
	s := order.Snapshot{Order: order.Order{
		ID: 7, Status: order.Shipped,
		Deliveries: []order.Delivery{{ID: 1, State: order.DocumentDelivered}, {ID: 2, State: order.Ready}},
		Invoices:   []order.Invoice{{ID: 3, State: order.Open, Payment: "not_paid"}, {ID: 4, State: order.Posted, Payment: "paid"}},
	}}
	known := order.Known{}
	gone := func() (told []string) {
		s.News(known)
		for _, e := range s.NewsOfDeletions(known) {
			told = append(told, e.Code+e.Payload)
		}
		return told
	}
	s.AllDeliveries, s.AllInvoices = true, true
	require.Empty(t, gone())
	all := s
	s.Deliveries, s.Invoices, s.AllDeliveries, s.AllInvoices = nil, nil, false, false
	require.Empty(t, gone(), "read without documents")
	s.AllInvoices = true
	require.Equal(t, []string{`billing:invoice_deleted{"invoice_id":3}`, `billing:invoice_deleted{"invoice_id":4}`}, gone())
	s.AllDeliveries = true
	require.Equal(t, []string{`inventory:delivery_deleted{"delivery_id":2}`}, gone(), "what went out stays")
	require.Empty(t, gone(), "it was told")
	s = all
	var codes []string
	for _, e := range s.News(known) {
		codes = append(codes, e.Code)
	}
	require.Equal(t, []string{order.HistoryDeliveryReopened, order.HistoryInvoiceReopened, order.HistoryInvoicePosted}, codes, "it is there after all")
}

func TestFactsAreLearnedFromEntries(t *testing.T) {
	t.Parallel()
	o := order.Order{ID: 7, Status: order.Confirmed, Deliveries: []order.Delivery{{ID: 1, State: order.DocumentDelivered, Tracking: "=#1"}}}
	known, facts := order.Known{}, map[string]bool{}
	learned := order.Known{}
	for range 3 {
		for _, e := range o.News(known) {
			require.False(t, facts[e.Fact], "%s is unique", e.Fact)
			facts[e.Fact] = true
			learned.Learn(e.Fact)
		}
		o.Status = map[order.Status]order.Status{order.Confirmed: order.Cancelled, order.Cancelled: order.Confirmed}[o.Status]
	}
	require.Equal(t, known, learned)
	learned.Learn("")
	learned.Learn("what no version wrote")
	require.Equal(t, known, learned)
	require.True(t, learned.Knows("status=confirmed#3"))
	require.False(t, learned.Knows("status=confirmed#1"))
}

func TestEntriesOfModulesAreChecked(t *testing.T) {
	t.Parallel()
	entry := func(change func(*order.HistoryEntry)) order.HistoryEntry {
		e := order.HistoryEntry{OrderID: 7, Code: "warehouse:packed", Category: order.CategoryGeneral, Severity: order.Info}
		change(&e)
		return e
	}
	require.NoError(t, order.CheckEntry("warehouse", entry(func(*order.HistoryEntry) {})))
	require.NoError(t, order.CheckEntry("warehouse", entry(func(e *order.HistoryEntry) { e.Payload = strings.Repeat("x", order.MaxPayload) })))
	for field, change := range map[string]func(*order.HistoryEntry){
		"status_code": func(e *order.HistoryEntry) { e.Code = "warehouse:" },
		"category":    func(e *order.HistoryEntry) { e.Category = "" },
		"severity":    func(e *order.HistoryEntry) { e.Severity = "fatal" },
		"payload":     func(e *order.HistoryEntry) { e.Payload = strings.Repeat("x", order.MaxPayload+1) },
		"detail":      func(e *order.HistoryEntry) { e.Detail = "\x00" },
		"closes":      func(e *order.HistoryEntry) { e.Closes = -1 },
	} {
		var refused *order.Error
		require.ErrorAs(t, order.CheckEntry("warehouse", entry(change)), &refused, field)
		require.Equal(t, order.Unprocessable, refused.Kind)
		require.Equal(t, field, refused.Violations[0].Field)
	}
	for _, code := range []string{"order:confirmed", "inventory:shipped", "warehouse2:packed"} {
		err := order.CheckEntry("warehouse", entry(func(e *order.HistoryEntry) { e.Code = code }))
		require.True(t, order.IsKind(err, order.Forbidden), code)
	}
}

func TestModulesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	require.NoError(t, order.CheckModule("warehouse_2"))
	for _, name := range []string{"", "Warehouse", "2nd", "a:b", strings.Repeat("a", 33), "order", "inventory", "billing", "payment", "procurement", "operator"} {
		require.Error(t, order.CheckModule(name), name)
	}
	warehouse, operator := order.Caller{Role: order.RoleModule, Module: "warehouse"}, order.Caller{Role: order.RoleOperator}
	portal := order.Caller{Role: order.RolePortal, Module: "warehouse"}
	require.Equal(t, "warehouse", warehouse.WritesAs())
	require.Equal(t, "operator", operator.WritesAs())
	require.Empty(t, portal.WritesAs())
	own, other := order.HistoryEntry{Code: "warehouse:damaged"}, order.HistoryEntry{Code: "fraud:suspected"}
	require.True(t, warehouse.MayClose(own))
	require.False(t, warehouse.MayClose(other))
	require.True(t, operator.MayClose(other))
	require.False(t, portal.MayClose(own))
}

func TestPayloadsHaveOneForm(t *testing.T) {
	t.Parallel()
	payload, err := order.CanonicalPayload([]byte(` {"b": 1.50, "a": {"z": "<&>", "y": [1e2]}} `))
	require.NoError(t, err)
	require.Equal(t, `{"a":{"y":[1e2],"z":"<&>"},"b":1.50}`, payload)
	for _, text := range []string{"null", "[]", "1", ""} {
		_, err := order.CanonicalPayload([]byte(text))
		require.Error(t, err, text)
	}
}

// TestTheVocabularyIsDocumented holds docs/statuses.md to the constants of this package: every code that the gateway writes stands there,
// with the category and severity that it has, and no other.
func TestTheVocabularyIsDocumented(t *testing.T) {
	t.Parallel()
	written := map[string]bool{}
	for _, value := range constants(t, "vocabulary.go", func(name string) bool { return strings.HasPrefix(name, "History") }) {
		written[value] = true
	}
	for _, status := range order.Statuses {
		written[order.StatusCode(status)] = true
	}
	page, err := os.ReadFile("../docs/statuses.md")
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+:[a-z_]+)` \\| (\\w+) \\| (\\w+) \\|")
	documented := map[string]bool{}
	for _, found := range row.FindAllStringSubmatch(string(page), -1) {
		code := found[1]
		require.True(t, written[code], "docs/statuses.md has %s, which nothing writes", code)
		require.False(t, documented[code], "docs/statuses.md has %s twice", code)
		documented[code] = true
		e := order.Entry(1, code)
		require.Equal(t, e.Category, found[2], code)
		require.Equal(t, string(e.Severity), found[3], code)
	}
	for code := range written {
		require.True(t, documented[code], "docs/statuses.md lacks %s", code)
	}
}

// constants returns the text constants of a file that are wanted, by name.
func constants(t *testing.T, file string, wanted func(name string) bool) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	for _, declaration := range parsed.Decls {
		group, isGroup := declaration.(*ast.GenDecl)
		if !isGroup || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			constant := spec.(*ast.ValueSpec)
			for i, value := range constant.Values {
				literal, isText := value.(*ast.BasicLit)
				if !isText || literal.Kind != token.STRING || !wanted(constant.Names[i].Name) {
					continue
				}
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				values = append(values, text)
			}
		}
	}
	return values
}
