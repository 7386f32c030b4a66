package odoo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// wire carries calls over HTTP: bounded connections, bounded answers, and for every failure whether the request may have
// reached Odoo.
type wire struct {
	base    string
	http    *http.Client
	slots   chan struct{} // one token per call in flight
	limits  limits
	clock   func() time.Time
	erpTime *erpTime
}

// limits bound one answer.
type limits struct {
	bytes int64 // once unfolded
	depth int
}

// message is a request as a protocol writes it, and how that protocol reads the answer: its value, or a *fault, an *Error,
// or a *brokenBody if the body could not be read.
type message struct {
	method string // of HTTP
	path   string
	header http.Header
	body   []byte
	secret bool // the path holds one, which must not come into errors or logs
	read   func(resp *http.Response, limits limits) (any, error)
}

// answer is a decoded answer and when it was given.
type answer struct {
	value any
	date  time.Time     // the Date header, by the ERP's clock and cut to the second; zero if there was none
	took  time.Duration // from sending the request to the end of the answer
}

var (
	// errHTTPStatus marks the failures that are an HTTP status of 5xx.
	errHTTPStatus = errors.New("HTTP status")
	// errImpatient marks the timeouts of callers that gave Odoo little time.
	errImpatient = errors.New("the caller's deadline came early")
)

func newWire(base string, cfg Config) *wire {
	transport := cfg.Transport
	if transport == nil {
		transport = newTransport(cfg.MaxConnections)
	}
	return &wire{
		base: base,
		http: &http.Client{
			Transport: transport,
			// A redirect of a POST is a wrong address, and following it could repeat a write.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		slots:   make(chan struct{}, cfg.MaxConnections),
		limits:  limits{bytes: cfg.MaxAnswerBytes, depth: cfg.MaxAnswerDepth},
		clock:   cfg.Clock,
		erpTime: &erpTime{clock: cfg.Clock},
	}
}

func newTransport(maxConnections int) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConns:          maxConnections,
		MaxIdleConnsPerHost:   maxConnections,
		ExpectContinueTimeout: time.Second,
		// Shorter than what proxies in front of Odoo keep: a connection that they are about to close would cost a call
		// its certainty.
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// acquire waits for one of the connections.
func (w *wire) acquire(ctx context.Context) (release func(), err error) {
	select {
	case <-ctx.Done(): // first, because select picks at random where both are ready
		return nil, notSent(contextReason(ctx), "the time for the call was over before it began", context.Cause(ctx))
	default:
	}
	select {
	case w.slots <- struct{}{}:
		return func() { <-w.slots }, nil
	case <-ctx.Done():
		return nil, notSent(contextReason(ctx), "gave up waiting for a free connection to Odoo", context.Cause(ctx))
	}
}

// send sends one call and reads its answer. A deadline that ends it before patience is marked errImpatient.
func (w *wire) send(ctx context.Context, m message, patience time.Duration) (answer, error) {
	sent := &sentTrace{}
	req, err := http.NewRequestWithContext(sent.trace(ctx), m.method, w.base+m.path, bytes.NewReader(m.body))
	if err != nil {
		return answer{}, notSent(Misconfigured, "the address of Odoo is not usable", err)
	}
	req.Header = m.header
	req.Header.Set("User-Agent", "ordergate")
	started := w.clock()
	resp, err := w.http.Do(req)
	if named := (*url.Error)(nil); m.secret && errors.As(err, &named) {
		err = named.Err // without the address
	}
	if err != nil {
		return answer{}, w.lost(ctx, err, sent.mayBeSent(), w.clock().Sub(started) < patience)
	}
	defer resp.Body.Close()
	date := w.erpTime.learn(resp.Header.Get("Date"))
	value, err := m.read(resp, w.limits) // counted unfolded: the transport undoes gzip below us
	var broken *brokenBody
	if errors.As(err, &broken) {
		return answer{}, w.lost(ctx, broken.cause, true, w.clock().Sub(started) < patience)
	}
	if err != nil {
		return answer{}, err
	}
	return answer{value: value, date: date, took: w.clock().Sub(started)}, nil
}

// lost explains a call that got no answer.
func (w *wire) lost(ctx context.Context, cause error, sent, impatient bool) error {
	e := &Error{Outcome: NotSent, Reason: Unreachable, Message: "Odoo cannot be reached", Row: -1, Cause: cause}
	if sent {
		e.Outcome, e.Reason, e.Message = Unknown, ConnectionLost, "the connection to Odoo broke before its answer was complete"
	}
	if ctx.Err() == nil {
		return e
	}
	e.Reason = contextReason(ctx)
	switch {
	case e.Reason == Cancelled:
		e.Message = "the call of Odoo was cancelled"
	case sent:
		e.Message = "Odoo did not answer in time"
	default:
		e.Message = "no connection to Odoo in time"
	}
	if e.Reason == Timeout && impatient {
		e.Cause = errors.Join(errImpatient, cause)
	}
	return e
}

// sentTrace learns from the transport whether any of the request may have been written. The transport asks for a
// connection (GetConn), gets one (GotConn) and then writes; when it asks again, nothing of the request had been written
// to the first connection, because a POST is not resent otherwise. A transport that reports nothing may have written.
type sentTrace struct{ notSent atomic.Bool }

func (s *sentTrace) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { s.notSent.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.notSent.Store(false) },
	})
}

func (s *sentTrace) mayBeSent() bool { return !s.notSent.Load() }

func checkStatus(status int) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusRequestTimeout || status == 499 || status >= 500:
		return &Error{Outcome: Unknown, Reason: ServerError, Row: -1,
			Message: fmt.Sprintf("Odoo, or a proxy before it, answered with HTTP status %d", status),
			Cause:   fmt.Errorf("%w %d", errHTTPStatus, status)}
	case status == http.StatusRequestEntityTooLarge:
		return notSent(TooLarge, "a proxy before Odoo takes no calls of this size (HTTP status 413)", nil)
	case status >= 300:
		return notSent(Misconfigured, fmt.Sprintf("the address of Odoo answered with HTTP status %d: it is not the address of an Odoo", status), nil)
	}
	return badAnswer(fmt.Errorf("HTTP status %d", status))
}

// isOfType reports whether an answer claims to be of one of the media types.
func isOfType(resp *http.Response, types ...string) bool {
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && slices.Contains(types, mediaType)
}

func wrongType(resp *http.Response, instead string) error {
	return badAnswer(fmt.Errorf("an answer of type %.80q instead of %s", resp.Header.Get("Content-Type"), instead))
}

func contextReason(ctx context.Context) Reason {
	if errors.Is(ctx.Err(), context.Canceled) {
		return Cancelled
	}
	return Timeout
}

// erpTime carries the ERP's clock on between answers. Between two readings of the local clock it counts what Sub says,
// which is monotonic: that somebody sets the local clock does not move it.
type erpTime struct {
	clock    func() time.Time
	mu       sync.Mutex
	answered bool      // at least once
	date     time.Time // the Date of the last answer; zero before any
	learned  time.Time // when it came, by the local clock
}

// learn takes over a Date header and returns it, or zero if it is not one.
func (t *erpTime) learn(header string) time.Time {
	date, err := http.ParseTime(header)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered = true
	if err != nil {
		return time.Time{}
	}
	t.date, t.learned = date.UTC(), t.clock()
	return t.date
}

// known reports whether now is not a guess. To a server whose answers have no Date the local clock is as good as any.
func (t *erpTime) known() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.answered
}

func (t *erpTime) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	if t.date.IsZero() {
		return now.UTC()
	}
	return t.date.Add(now.Sub(t.learned))
}
