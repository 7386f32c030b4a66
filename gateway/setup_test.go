package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"ordergate/gateway"
	"ordergate/gateway/gatewaytest"
	"ordergate/order"
)

// Secrets of the keys that every bench has.
const (
	customerSecret = "og_customer"
	portalSecret   = "og_portal"
	operatorSecret = "og_operator"
	revokedSecret  = "og_revoked"
	moduleSecret   = "og_module"
	strangerSecret = "og_stranger" // of a tenant that is not served
)

var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// bench is a gateway over a fake service, with what tests look at.
type bench struct {
	t        testing.TB
	handler  http.Handler
	service  *fakeService
	keys     *fakeKeys
	clock    *fakeClock
	registry *prometheus.Registry
	log      *lockedBuffer
	contract *gatewaytest.Contract
}

func newBench(t testing.TB, adjust ...func(*gateway.Config)) *bench {
	t.Helper()
	b := &bench{
		t: t, service: &fakeService{}, keys: newFakeKeys(), clock: &fakeClock{now: start},
		registry: prometheus.NewRegistry(), log: &lockedBuffer{}, contract: loadContract(t),
	}
	cfg := gateway.Config{
		Services: map[int64]gateway.Service{1: b.service},
		Keys:     b.keys,
		Registry: b.registry,
		Logger:   slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock:    b.clock.Now,
		NewRequestID: func() string {
			return "req-1"
		},
		Version: "1.2.3",
	}
	for _, a := range adjust {
		a(&cfg)
	}
	handler, err := gateway.New(cfg)
	require.NoError(t, err)
	b.handler = handler
	return b
}

var contractOnce = sync.OnceValues(gatewaytest.Load)

func loadContract(t testing.TB) *gatewaytest.Contract {
	contract, err := contractOnce()
	require.NoError(t, err)
	return contract
}

// validate holds an answer to the contract. b.t changes within a fuzz test, so that gatewaytest.Validator does not serve.
func (b *bench) validate(req *http.Request, a answer) {
	b.t.Helper()
	require.NoError(b.t, b.contract.Check(req, a.Response, a.body), "%s %s answered %d:\n%s", req.Method, req.URL, a.StatusCode, a.body)
}

// answer is what came back, its body read.
type answer struct {
	*http.Response
	body []byte
}

// request is a request in the making.
type request struct {
	*http.Request
	b *bench
}

func (b *bench) request(method, target, secret, body string) *request {
	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return &request{r, b}
}

func (r *request) with(header, value string) *request {
	r.Header.Add(header, value)
	return r
}

// send serves the request and holds the answer to the contract.
func (r *request) send() answer {
	r.b.t.Helper()
	recorder := httptest.NewRecorder()
	r.b.handler.ServeHTTP(recorder, r.Request)
	a := answer{Response: recorder.Result(), body: recorder.Body.Bytes()}
	if r.Method == http.MethodHead {
		a.body = nil // net/http leaves it out
	}
	if a.StatusCode != 499 {
		r.b.validate(r.Request, a)
	}
	return a
}

func (b *bench) get(target, secret string) answer {
	b.t.Helper()
	return b.request(http.MethodGet, target, secret, "").send()
}

func (b *bench) place(secret, key, body string) answer {
	b.t.Helper()
	return b.request(http.MethodPost, "/v1/orders", secret, body).with("Idempotency-Key", key).send()
}

func (a answer) problem(t testing.TB) gateway.Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"), "%s", a.body)
	var p gateway.Problem
	require.NoError(t, json.Unmarshal(a.body, &p))
	return p
}

// requireProblem checks status and code, and the first field at fault if one is given.
func (a answer) requireProblem(t testing.TB, status int, code string, field ...string) gateway.Problem {
	t.Helper()
	p := a.problem(t)
	require.Equal(t, status, a.StatusCode, "%s", a.body)
	require.Equal(t, code, p.Code, "%s", a.body)
	if len(field) > 0 {
		require.NotNil(t, p.Field, "%s", a.body)
		require.Equal(t, field[0], *p.Field, "%s", a.body)
	}
	return p
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(a.body, &v), "%s", a.body)
	return v
}

// requireMetric requires that /metrics shows the line.
func (b *bench) requireMetric(line string) {
	b.t.Helper()
	require.Contains(b.t, string(b.get("/metrics", "").body), "\n"+line+"\n")
}

const validOrder = `{"customer":{"ref":"u-17","name":"Ada Lovelace","email":"ada@example.com"},` +
	`"reference":"PO-1","lines":[{"sku":"E-COM07","quantity":"2"}]}`

func money(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// cabinet is the order that validOrder asks for.
func cabinet() order.Order {
	return order.Order{
		ID: 4711, Number: "S04711", State: order.StateDraft, Status: order.Draft, Fulfilment: order.FulfilmentNone, Payment: order.PaymentNone,
		Customer:  order.Party{ERPPartnerID: 9, Ref: "u-17", Name: "Ada Lovelace", Email: "ada@example.com"},
		Reference: "PO-1", Source: "portal", Currency: "EUR", CurrencyDecimals: 2,
		AmountUntaxed: money("39.8"), AmountTax: money("8.358"), AmountTotal: money("48.16"),
		Lines: []order.Line{{
			ERPLineID: 9120, ERPProductID: 31, SKU: "E-COM07", Name: "Large Cabinet", UnitOfMeasure: "Units",
			Quantity: money("2.000"), UnitPrice: money("19.9"), Discount: money("0"),
			Subtotal: money("39.8"), Tax: money("8.36"), Total: money("48.16"),
		}},
		OrderedAt: start, CreatedAt: start.Add(123 * time.Millisecond), UpdatedAt: start.In(time.FixedZone("", 3600)),
	}
}

func fresh() order.SyncStatus { return order.SyncStatus{State: order.Fresh, SyncedAt: start} }

func inDoubt(key string) order.Intent {
	return order.Intent{
		ID: 1, TenantID: 1, Source: "portal", Key: key, State: order.Sending, Attempts: 1, Caller: "shop-portal",
		Request:   order.Request{Customer: order.CustomerRef{Ref: "u-17", Name: "Ada Lovelace"}, Reference: "PO-1"},
		UnknownAt: start, NextAttemptAt: start.Add(7 * time.Second), CreatedAt: start, UpdatedAt: start,
	}
}

// fakeService answers what a test tells it to. A method without an answer fails the request.
type fakeService struct {
	fakeStock
	place         func(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error)
	enqueue       func(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error)
	preview       func(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Preview, error)
	intent        func(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
	intents       func(ctx context.Context, caller order.Caller, f order.IntentFilter) ([]order.Intent, error)
	retry         func(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
	cancel        func(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error)
	orders        func(ctx context.Context, caller order.Caller, f order.Filter) (order.Listing, error)
	order         func(ctx context.Context, caller order.Caller, id int64) (order.Order, order.OrderSync, error)
	history       func(ctx context.Context, caller order.Caller, id int64, f order.HistoryFilter) ([]order.HistoryEntry, error)
	historyStatus func(ctx context.Context, caller order.Caller, id int64) (order.HistoryStatus, error)
	writeHistory  func(ctx context.Context, caller order.Caller, key string, e order.HistoryEntry) (order.HistoryEntry, bool, error)
	historyCounts func(ctx context.Context) (order.HistoryCounts, error)
	audits        func(ctx context.Context, caller order.Caller, f order.AuditFilter) ([]order.AuditRun, error)
	findings      func(ctx context.Context, caller order.Caller, f order.FindingFilter) ([]order.Finding, error)
	report        func(ctx context.Context, caller order.Caller) (order.SyncReport, error)
	syncNow       func(ctx context.Context, caller order.Caller, wish order.SyncWish) (int, order.SyncStatus, error)
	bulk          func(ctx context.Context, caller order.Caller, key string, bulk order.Bulk) ([]order.BulkOutcome, error)
	pdf           func(ctx context.Context, caller order.Caller, orderID, invoiceID int64) (order.File, error)
	act           func(context.Context, order.Caller, string, order.Action) (order.Placement, error)
	products      func(ctx context.Context, caller order.Caller, f order.CatalogueFilter) ([]order.Product, order.SyncStatus, error)
	list          func(ctx context.Context, caller order.Caller, f order.CatalogueFilter) ([]order.Customer, order.SyncStatus, error)
	create        func(ctx context.Context, caller order.Caller, c order.CustomerRef) (order.Customer, bool, error)
}

func (s *fakeService) Place(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error) {
	return s.place(ctx, caller, key, req)
}

func (s *fakeService) Enqueue(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Placement, error) {
	return s.enqueue(ctx, caller, key, req)
}

func (s *fakeService) Preview(ctx context.Context, caller order.Caller, key string, req order.Request) (order.Preview, error) {
	return s.preview(ctx, caller, key, req)
}

func (s *fakeService) ListAuditRuns(ctx context.Context, caller order.Caller, f order.AuditFilter) ([]order.AuditRun, error) {
	return s.audits(ctx, caller, f)
}

func (s *fakeService) ListFindings(ctx context.Context, caller order.Caller, f order.FindingFilter) ([]order.Finding, error) {
	return s.findings(ctx, caller, f)
}

func (s *fakeService) SyncReport(ctx context.Context, caller order.Caller) (order.SyncReport, error) {
	return s.report(ctx, caller)
}

func (s *fakeService) SyncNow(ctx context.Context, caller order.Caller, wish order.SyncWish) (int, order.SyncStatus, error) {
	return s.syncNow(ctx, caller, wish)
}

func (s *fakeService) Intents(ctx context.Context, caller order.Caller, f order.IntentFilter) ([]order.Intent, error) {
	return s.intents(ctx, caller, f)
}

func (s *fakeService) RetryIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error) {
	return s.retry(ctx, caller, source, key)
}

func (s *fakeService) CancelIntent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error) {
	return s.cancel(ctx, caller, source, key)
}

func (s *fakeService) Intent(ctx context.Context, caller order.Caller, source, key string) (order.Intent, error) {
	return s.intent(ctx, caller, source, key)
}

func (s *fakeService) Orders(ctx context.Context, caller order.Caller, f order.Filter) (order.Listing, error) {
	return s.orders(ctx, caller, f)
}

func (s *fakeService) Order(ctx context.Context, caller order.Caller, id int64) (order.Order, order.OrderSync, error) {
	return s.order(ctx, caller, id)
}

func (s *fakeService) History(ctx context.Context, caller order.Caller, id int64, f order.HistoryFilter) ([]order.HistoryEntry, error) {
	return s.history(ctx, caller, id, f)
}

func (s *fakeService) HistoryStatus(ctx context.Context, caller order.Caller, id int64) (order.HistoryStatus, error) {
	return s.historyStatus(ctx, caller, id)
}

func (s *fakeService) WriteHistory(
	ctx context.Context, caller order.Caller, key string, e order.HistoryEntry,
) (order.HistoryEntry, bool, error) {
	return s.writeHistory(ctx, caller, key, e)
}

func (s *fakeService) HistoryCounts(ctx context.Context) (order.HistoryCounts, error) {
	return s.historyCounts(ctx)
}

func (s *fakeService) Act(ctx context.Context, caller order.Caller, key string, action order.Action) (order.Placement, error) {
	return s.act(ctx, caller, key, action)
}

func (s *fakeService) ActOnMany(ctx context.Context, caller order.Caller, key string, bulk order.Bulk) ([]order.BulkOutcome, error) {
	return s.bulk(ctx, caller, key, bulk)
}

func (s *fakeService) InvoicePDF(ctx context.Context, caller order.Caller, orderID, invoiceID int64) (order.File, error) {
	return s.pdf(ctx, caller, orderID, invoiceID)
}

func (s *fakeService) Products(ctx context.Context, caller order.Caller, f order.CatalogueFilter) ([]order.Product, order.SyncStatus, error) {
	return s.products(ctx, caller, f)
}

func (s *fakeService) Customers(ctx context.Context, caller order.Caller, f order.CatalogueFilter) ([]order.Customer, order.SyncStatus, error) {
	return s.list(ctx, caller, f)
}

func (s *fakeService) CreateCustomer(ctx context.Context, caller order.Caller, c order.CustomerRef) (order.Customer, bool, error) {
	return s.create(ctx, caller, c)
}

// places makes the service answer every placement with the cabinet, and returns where what it was asked is kept.
func (s *fakeService) places() *[]order.Request {
	asked := &[]order.Request{}
	s.place = func(_ context.Context, _ order.Caller, _ string, req order.Request) (order.Placement, error) {
		*asked = append(*asked, req)
		o := cabinet()
		return order.Placement{Order: &o}, nil
	}
	return asked
}

// refuses makes the service fail every placement.
func (s *fakeService) refuses(err error) {
	s.place = func(context.Context, order.Caller, string, order.Request) (order.Placement, error) {
		return order.Placement{}, err
	}
}

type fakeKeys struct {
	byHash map[string]order.APIKey
	err    error
	asked  atomic.Int32
}

func newFakeKeys() *fakeKeys {
	k := &fakeKeys{byHash: map[string]order.APIKey{}}
	add := func(secret string, key order.APIKey) {
		key.Hash = order.HashSecret(secret)
		k.byHash[key.Hash] = key
	}
	add(customerSecret, order.APIKey{ID: 1, TenantID: 1, Name: "ada", Role: order.RoleCustomer, Source: "portal", ERPPartnerID: 9})
	add(portalSecret, order.APIKey{ID: 2, TenantID: 1, Name: "shop-portal", Role: order.RolePortal, Source: "portal"})
	add(operatorSecret, order.APIKey{ID: 3, TenantID: 1, Name: "ops", Role: order.RoleOperator, Source: "manual"})
	add(revokedSecret, order.APIKey{ID: 4, TenantID: 1, Name: "old", Role: order.RolePortal, Source: "portal", RevokedAt: start})
	add(moduleSecret, order.APIKey{ID: 6, TenantID: 1, Name: "scanner", Role: order.RoleModule, Module: "warehouse"})
	add(strangerSecret, order.APIKey{ID: 5, TenantID: 2, Name: "elsewhere", Role: order.RolePortal, Source: "portal"})
	return k
}

func (k *fakeKeys) KeyByHash(_ context.Context, hash string) (order.APIKey, error) {
	k.asked.Add(1)
	if k.err != nil {
		return order.APIKey{}, k.err
	}
	key, known := k.byHash[hash]
	if !known {
		return order.APIKey{}, order.Errorf(order.NotFound, "key_not_found", "No such key.")
	}
	return key, nil
}

type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
