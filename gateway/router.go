package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ordergate/order"
)

// api answers the operations of the contract. Its handlers stand in one file for each resource.
type api struct {
	now            func() time.Time
	version        string
	requestTimeout time.Duration
	readiness      *readiness
}

// operation is a row of the route table.
type operation struct {
	method  string
	path    string // as the contract writes it
	roles   []order.Role
	places  bool // counted as a placement
	quiet   bool // asked all the time by machines: logged at debug level
	handler gin.HandlerFunc
}

// label names the route in log and metrics.
func (op operation) label() string {
	if op.path == "" {
		return "unmatched"
	}
	return op.path
}

// operations is the route table: what there is, and who may call it. Those without roles need no key. What a caller
// may see and do within an operation is the service's to say.
func operations(generated ServerInterfaceWrapper, metrics, openAPI, docs gin.HandlerFunc) []operation {
	staff := []order.Role{order.RolePortal, order.RoleOperator}
	all := []order.Role{order.RoleCustomer, order.RolePortal, order.RoleOperator}
	readers := order.Roles // who may know of orders
	return []operation{
		{method: http.MethodPost, path: "/v1/orders", roles: all, places: true, handler: generated.PlaceOrder},
		{method: http.MethodGet, path: "/v1/orders", roles: readers, handler: generated.ListOrders},
		{method: http.MethodGet, path: "/v1/orders/{id}", roles: readers, handler: generated.GetOrder},
		{method: http.MethodGet, path: "/v1/orders/{id}/history", roles: readers, handler: generated.GetOrderHistory},
		{method: http.MethodPost, path: "/v1/orders/{id}/history", roles: []order.Role{order.RoleOperator, order.RoleModule},
			handler: generated.WriteOrderHistory},
		{method: http.MethodGet, path: "/v1/orders/{id}/status", roles: readers, handler: generated.GetOrderStatus},
		{method: http.MethodGet, path: "/v1/history/counts", roles: []order.Role{order.RolePortal, order.RoleOperator, order.RoleModule},
			handler: generated.GetHistoryCounts},
		{method: http.MethodPost, path: "/v1/orders/{id}/hold", roles: staff, handler: generated.HoldOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/approve", roles: staff, handler: generated.ApproveOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/confirm", roles: all, handler: generated.ConfirmOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/cancel", roles: staff, handler: generated.CancelOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/fulfilments", roles: staff, handler: generated.FulfilOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/invoices", roles: staff, handler: generated.InvoiceOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/invoices/{invoice_id}/payments", roles: staff, handler: generated.PayInvoice},
		{method: http.MethodPost, path: "/v1/orders/{id}/returns", roles: staff, handler: generated.ReturnOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/returns/{return_id}/receive", roles: staff, handler: generated.ReceiveReturn},
		{method: http.MethodPost, path: "/v1/orders/{id}/refunds", roles: staff, handler: generated.RefundOrder},
		{method: http.MethodGet, path: "/v1/orders/{id}/invoices", roles: readers, handler: generated.ListOrderInvoices},
		{method: http.MethodGet, path: "/v1/orders/{id}/invoices/{invoice_id}/pdf", roles: all, handler: generated.GetInvoicePDF},
		{method: http.MethodPost, path: "/v1/orders/bulk", roles: staff, handler: generated.ActOnOrders},
		{method: http.MethodPatch, path: "/v1/orders/{id}", roles: all, handler: generated.ChangeOrder},
		{method: http.MethodPost, path: "/v1/orders/{id}/warehouse", roles: staff, handler: generated.AssignWarehouse},
		{method: http.MethodGet, path: "/v1/orders/{id}/allocations", roles: staff, handler: generated.GetAllocations},
		{method: http.MethodPost, path: "/v1/orders/{id}/allocations", roles: staff, handler: generated.ReserveOrder},
		{method: http.MethodDelete, path: "/v1/orders/{id}/allocations", roles: staff, handler: generated.ReleaseOrder},
		{method: http.MethodGet, path: "/v1/orders/{id}/procurement", roles: staff, handler: generated.GetProcurement},
		{method: http.MethodGet, path: "/v1/warehouses", roles: staff, handler: generated.ListWarehouses},
		{method: http.MethodGet, path: "/v1/stock", roles: staff, handler: generated.GetStock},
		{method: http.MethodGet, path: "/v1/intents", roles: all, handler: generated.ListIntents},
		{method: http.MethodGet, path: "/v1/intents/{key}", roles: all, handler: generated.GetIntent},
		{method: http.MethodPost, path: "/v1/intents/{key}/retry", roles: staff, handler: generated.RetryIntent},
		{method: http.MethodDelete, path: "/v1/intents/{key}", roles: staff, handler: generated.CancelIntent},
		{method: http.MethodGet, path: "/v1/sync", roles: staff, handler: generated.GetSync},
		{method: http.MethodPost, path: "/v1/sync", roles: staff, handler: generated.StartSync},
		{method: http.MethodGet, path: "/v1/audits", roles: []order.Role{order.RoleOperator}, handler: generated.ListAudits},
		{method: http.MethodGet, path: "/v1/audits/findings", roles: []order.Role{order.RoleOperator}, handler: generated.ListFindings},
		{method: http.MethodGet, path: "/v1/products", roles: all, handler: generated.ListProducts},
		{method: http.MethodGet, path: "/v1/customers", roles: staff, handler: generated.ListCustomers},
		{method: http.MethodPost, path: "/v1/customers", roles: staff, handler: generated.CreateCustomer},

		{method: http.MethodGet, path: "/healthz", quiet: true, handler: generated.GetHealth},
		{method: http.MethodGet, path: "/readyz", quiet: true, handler: generated.GetReadiness},
		{method: http.MethodGet, path: "/metrics", quiet: true, handler: metrics},
		{method: http.MethodGet, path: "/openapi.yaml", handler: openAPI},
		{method: http.MethodGet, path: "/docs", handler: docs},
	}
}

// New returns the handler that serves the whole API. It fails if something that it needs is missing or the metrics are
// registered already.
func New(cfg Config) (http.Handler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	spec, codes, err := LoadOpenAPI()
	if err != nil {
		return nil, err
	}
	page, err := newDocsPage(cfg.Version)
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(cfg.Registry)
	if err != nil {
		return nil, err
	}
	problems := &problems{logger: cfg.Logger, titles: map[string]string{}}
	for _, code := range codes {
		problems.titles[code.Code] = code.Title
	}

	engine, err := newEngine(cfg, metrics, problems)
	if err != nil {
		return nil, err
	}
	readiness := newReadiness(cfg.Checks, cfg.Logger, cfg.Clock)
	if err := readiness.register(cfg.Registry); err != nil {
		return nil, err
	}
	a := &api{now: cfg.Clock, version: cfg.Version, requestTimeout: cfg.Limits.RequestTimeout, readiness: readiness}
	table := operations(generatedServer(a, problems),
		gin.WrapH(promhttp.HandlerFor(cfg.Registry, promhttp.HandlerOpts{})), serveOpenAPI, page.serve)

	admit := gin.HandlersChain{
		capInFlight(cfg.Limits.MaxInFlight, metrics, problems),
		authenticate(cfg.Keys, cfg.Services, cfg.Limits.RequestTimeout, problems),
		capTenants(cfg.Limits.MaxInFlightPerTenant, cfg.Services, metrics, problems),
	}
	rates := newRateLimits(cfg.Limits.RatePerSecond, cfg.Limits.Burst, maxTrackedKeys, cfg.Clock)
	bodies := capBodies(cfg.Limits.MaxBodyBytesInFlight, cfg.Limits.MaxBodyBytes, metrics, problems)
	webhooks := operation{method: http.MethodPost, path: webhookPath, quiet: true} // no part of the API: see webhooks.go
	engine.Handle(webhooks.method, ginPath(webhooks.path), mark(webhooks),
		capNotifications(metrics, problems), newWebhookReceiver(cfg, metrics, problems).receive)
	for _, op := range table {
		chain := gin.HandlersChain{mark(op)}
		if op.roles != nil {
			validator, err := newValidator(spec, op, cfg.Limits.MaxBodyBytes)
			if err != nil {
				return nil, err
			}
			chain = append(chain, admit...)
			chain = append(chain, permit(op.roles, problems), limitRate(rates, metrics, problems))
			if validator.readsBody() {
				chain = append(chain, bodies)
			}
			chain = append(chain, validator.middleware(problems), bound(cfg.Limits.RequestTimeout))
		}
		chain = append(chain, op.handler)
		path := ginPath(op.path)
		engine.Handle(op.method, path, chain...)
		if op.method == http.MethodGet {
			engine.Handle(http.MethodHead, path, chain...)
		}
	}
	return engine, nil
}

// ginPath writes the path of an operation as Gin does.
func ginPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

func newEngine(cfg Config, metrics *metrics, problems *problems) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	if err := engine.SetTrustedProxies(cfg.TrustedProxies); err != nil {
		return nil, err
	}
	engine.ContextWithFallback = true // or handlers would not learn that the sender has gone
	engine.UseEscapedPath = true      // a key may hold a slash
	engine.UnescapePathValues = false // unescapePath does it
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	engine.NoRoute(func(c *gin.Context) {
		problems.write(c, noSuchRoute())
	})
	engine.NoMethod(func(c *gin.Context) {
		problems.write(c, &transportError{http.StatusMethodNotAllowed, order.Errorf(order.Malformed, "method_not_allowed",
			"%s is not allowed here, but %s.", methodLabel(c.Request.Method), c.Writer.Header().Get("Allow"))})
	})
	engine.Use(identify(cfg.NewRequestID), logAccess(cfg.Logger, cfg.Clock), metrics.observe(cfg.Clock),
		boundSending(cfg.Limits.SendTimeout), recoverPanics(problems), guardBrowsers)
	return engine, nil
}

// mark tells log and metrics which operation it is.
func mark(op operation) gin.HandlerFunc {
	return func(c *gin.Context) { callOf(c).operation = op }
}

// guardBrowsers keeps answers out of caches and from being taken for pages. /docs sets its own policy.
func guardBrowsers(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("X-Content-Type-Options", "nosniff")
}

// generatedServer wraps the handlers in the generated code, whose own error answers would tell what they must not.
func generatedServer(a *api, problems *problems) ServerInterfaceWrapper {
	failed := bindingFailed(problems)
	strict := NewStrictHandlerWithOptions(a, nil, StrictGinServerOptions{
		RequestErrorHandlerFunc: failed,
		HandlerErrorFunc:        func(c *gin.Context, err error) { problems.write(c, err) },
		ResponseErrorHandlerFunc: func(c *gin.Context, err error) {
			if c.Writer.Written() { // the sender went away while the answer was being sent
				problems.log(c, c.Writer.Status(), err)
				return
			}
			problems.write(c, err)
		},
	})
	return ServerInterfaceWrapper{
		Handler:      strict,
		ErrorHandler: func(c *gin.Context, err error, _ int) { failed(c, err) },
	}
}

func serveOpenAPI(c *gin.Context) {
	c.Data(http.StatusOK, "application/yaml; charset=utf-8", openAPI)
}
