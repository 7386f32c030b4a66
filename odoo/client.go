package odoo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says which Odoo to use and how much of it. URL, Database, User and Password are required; the zero value of
// everything else stands for its default.
type Config struct {
	URL      string // "https://erp.example.com", with a path if Odoo lives below one
	Database string
	User     string
	Password string   // or an API key, which JSON-2 requires and XML-RPC takes in its place
	Protocol Protocol // Auto if empty
	Tenant   string   // the constant label of the metrics, so that several clients can share a registerer

	CallTimeout    time.Duration // the deadline of every call, unless the caller's is earlier; 20 s
	MaxConnections int           // calls in flight at once; further ones wait for their turn; 8
	MaxAnswerBytes int64         // of one answer, once unfolded; 64 MiB
	MaxAnswerDepth int           // of nested XML elements, or JSON lists and objects, in one answer; 64
	Breaker        BreakerConfig

	Registerer prometheus.Registerer // where the metrics go; nil: nowhere
	Logger     *slog.Logger          // nil: nowhere
	Clock      func() time.Time      // nil: time.Now
	Transport  http.RoundTripper     // nil: the client's own
}

// Defaults of Config.
const (
	defaultCallTimeout    = 20 * time.Second
	defaultMaxConnections = 8
	defaultMaxAnswerBytes = 64 << 20
	defaultMaxAnswerDepth = 64
)

// Client speaks to one database of one Odoo as one user. It is safe for concurrent use. Create it with New.
type Client struct {
	database    string
	user        string
	password    string
	protocol    Protocol
	callTimeout time.Duration

	wire       *wire
	breaker    *breaker
	repeats    *budget
	login      login
	metrics    *metrics
	log        *slog.Logger
	clock      func() time.Time
	currencies smallTable[currency]
	units      smallTable[unit]
	documents  modelCache[documentModels]
	bought     modelCache[purchaseModels]
	locations  locationCache
	tags       tagCache
	country    countryCache
	decimals   precisionCache
	reports    reportCookie
}

// New makes a client. It checks the configuration and does not touch the network: the first call logs in.
func New(cfg Config) (*Client, error) {
	base, err := baseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	for _, required := range []struct{ name, value string }{
		{"Database", cfg.Database}, {"User", cfg.User}, {"Password", cfg.Password},
	} {
		if required.value == "" {
			return nil, fmt.Errorf("odoo: Config.%s is empty", required.name)
		}
	}
	if !slices.Contains([]Protocol{"", Auto, XMLRPC, JSON2}, cfg.Protocol) {
		return nil, fmt.Errorf("odoo: Config.Protocol is %q, and must be auto, xmlrpc or json2", cfg.Protocol)
	}
	if cfg.CallTimeout < 0 || cfg.MaxConnections < 0 || cfg.MaxAnswerBytes < 0 || cfg.MaxAnswerDepth < 0 {
		return nil, errors.New("odoo: Config holds a negative limit")
	}
	cfg = withDefaults(cfg)
	c := &Client{
		database:    cfg.Database,
		user:        cfg.User,
		password:    cfg.Password,
		protocol:    cfg.Protocol,
		callTimeout: cfg.CallTimeout,
		wire:        newWire(base, cfg),
		log:         cfg.Logger.With("tenant", cfg.Tenant),
		clock:       cfg.Clock,
		repeats:     newBudget(cfg.Clock),
	}
	c.breaker = newBreaker(cfg.Breaker, c.log)
	c.metrics, err = newMetrics(cfg.Registerer, cfg.Tenant, c.breaker)
	if err != nil {
		return nil, fmt.Errorf("odoo: registering the metrics of tenant %q: %w", cfg.Tenant, err)
	}
	return c, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Protocol == "" {
		cfg.Protocol = Auto
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = defaultCallTimeout
	}
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = defaultMaxConnections
	}
	if cfg.MaxAnswerBytes == 0 {
		cfg.MaxAnswerBytes = defaultMaxAnswerBytes
	}
	if cfg.MaxAnswerDepth == 0 {
		cfg.MaxAnswerDepth = defaultMaxAnswerDepth
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return cfg
}

func baseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("odoo: Config.URL is not a URL") // the parser's error would repeat it, credentials included
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("odoo: Config.URL must begin with http:// or https://")
	case u.Hostname() == "":
		return "", errors.New("odoo: Config.URL names no host")
	case u.User != nil:
		return "", errors.New("odoo: Config.URL must not hold credentials; they have their own fields")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("odoo: Config.URL must have neither query nor fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Close ends idle connections. Calls in flight end by their contexts.
func (c *Client) Close() { c.wire.http.CloseIdleConnections() }

// BreakerState is "closed", "half-open" or "open".
func (c *Client) BreakerState() string { return c.breaker.state() }

// Now is the ERP's clock as of its last answer, carried on by the local one; the local clock before any answer. It is
// as exact as the Date header of HTTP, which is cut to the second.
func (c *Client) Now() time.Time { return c.wire.erpTime.now() }

// NowIsKnown reports whether there was an answer that Now goes by.
func (c *Client) NowIsKnown() bool { return c.wire.erpTime.known() }

// Ping logs in if needed and makes the cheapest call that proves that Odoo, its database and the sales application
// work. It goes through the circuit breaker like any other call: once the breaker's rest is over, a Ping is what tries
// Odoo again.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.search(ctx, "sale.order", domain{}, 1)
	return err
}

// execute runs one method of one model, with everything a call needs around it: deadline, login, circuit breaker,
// metrics. Its error is always an *Error.
func (c *Client) execute(ctx context.Context, model, method string, args []any, kwargs map[string]any) (answer, error) {
	name := model + "." + method
	ctx, cancel := context.WithTimeout(ctx, c.callTimeout)
	defer cancel()
	started := c.clock()
	a, err := c.executeInSession(ctx, model, method, args, kwargs)
	if err != nil {
		named(err, name)
		c.log.LogAttrs(ctx, slog.LevelDebug, "call of Odoo failed", slog.String("method", name), slog.Any("error", err))
	}
	c.metrics.observe(name, err, c.clock().Sub(started))
	return a, err
}

// executeInSession logs in where that is needed. A refusal in the middle of a session (the password was changed, or the
// database replaced) rolled back whatever was begun, so that the call is made once more after a fresh login.
func (c *Client) executeInSession(ctx context.Context, model, method string, args []any, kwargs map[string]any) (answer, error) {
	const logins = 2
	for attempt := 1; ; attempt++ {
		s, err := c.session(ctx)
		if err != nil {
			return answer{}, err
		}
		m, err := c.call(s, model, method, args, kwargs)
		if err != nil {
			return answer{}, err
		}
		a, err := c.exchange(ctx, c.breaker.do, m)
		err = faultToError(err)
		if renewsSession(err) {
			c.login.forget(s)
		}
		if attempt == logins || !isReason(err, LoginRefused) {
			return a, err
		}
	}
}

// call writes a call in the protocol of the session.
func (c *Client) call(s *session, model, method string, args []any, kwargs map[string]any) (message, error) {
	if s.protocol == JSON2 {
		return c.json2Call(model, method, args, kwargs)
	}
	return xmlrpcCall("/xmlrpc/2/object", "execute_kw", c.database, s.uid, c.password, model, method, args, kwargs)
}

// exchange makes one call. through is how it passes the circuit breaker. Its error is an *Error or a *fault. The connection
// is waited for outside of the breaker: whoever waits must not be taken for the one call that tries Odoo again.
func (c *Client) exchange(ctx context.Context, through func(func() (answer, error)) (answer, error), m message) (answer, error) {
	release, err := c.wire.acquire(ctx)
	if err != nil {
		return answer{}, err
	}
	defer release()
	return through(func() (answer, error) { return c.wire.send(ctx, m, c.patience()) })
}

// patience is how long a call must have had before its timeout speaks against Odoo. A caller with a tight budget that
// gives up sooner says nothing about Odoo's health, and must not close it to everybody else.
func (c *Client) patience() time.Duration { return c.callTimeout / 4 }

// named enters the method that was called into err, which is an *Error.
func named(err error, method string) {
	var e *Error
	if errors.As(err, &e) {
		e.Method = method
	}
}

func isReason(err error, r Reason) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == r
}
