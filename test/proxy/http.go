package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
)

// T is what a proxy needs of a test; every testing.TB is one. A program that has no test implements it: Fatalf must
// not return, and the clean-ups must run in the end, the last first.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(cleanup func())
}

// Always is the number of times for a fault without a limit; it is also content with never striking.
const Always = -1

// HTTPProxy passes HTTP requests on to a server, except for those that a fault was asked for. A request that has been
// passed on is carried through even if its client leaves, as it would be by a server that the client talks to directly.
type HTTPProxy struct {
	t         T
	upstream  *url.URL
	transport *http.Transport
	server    *httptest.Server

	closing context.Context // done once the test is over: ends every wait

	mu     sync.Mutex
	faults []*fault
	counts Counts
}

// Counts says what became of the requests so far.
type Counts struct {
	Received  int // came in completely
	Forwarded int // of those, passed on to the server
	Faulted   int // of those received, met by a fault
}

// fault is an action for the next requests that match.
type fault struct {
	match  func(path string, body []byte) bool
	action Action
	left   int // how many more times; Always for no limit
}

// HTTP starts a proxy for the server at upstreamURL, of which only scheme and host count. It stops, and waits for its
// requests to end, when the test is over.
func HTTP(t T, upstreamURL string) *HTTPProxy {
	t.Helper()
	upstream, err := url.Parse(upstreamURL)
	if err != nil || upstream.Host == "" {
		t.Fatalf("proxy: %q is not the URL of a server", upstreamURL)
	}
	closing, stop := context.WithCancel(context.Background())
	p := &HTTPProxy{
		t:         t,
		upstream:  upstream,
		transport: &http.Transport{DisableCompression: true}, // bodies pass as they are
		closing:   closing,
	}
	p.server = httptest.NewServer(p)
	t.Cleanup(func() {
		stop()
		p.server.Close()
		p.transport.CloseIdleConnections()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			if f.left > 0 {
				t.Errorf("proxy: %s was to strike %d more requests, and none came", f.action.name, f.left)
			}
		}
	})
	return p
}

// URL is the address of the proxy, without a path: "http://127.0.0.1:41234".
func (p *HTTPProxy) URL() string { return p.server.URL }

// OnRequest lets an action meet the next requests whose body matches, so many times or Always. A request that several
// faults match meets the one asked for first. The match must not call the proxy.
func (p *HTTPProxy) OnRequest(match func(body []byte) bool, action Action, times int) {
	p.t.Helper()
	p.OnCall(func(_ string, body []byte) bool { return match(body) }, action, times)
}

// OnCall is OnRequest for a match that also looks at the path, which is where some protocols say what is called.
func (p *HTTPProxy) OnCall(match func(path string, body []byte) bool, action Action, times int) {
	p.t.Helper()
	if times < 1 && times != Always {
		p.t.Fatalf("proxy: a fault cannot strike %d times", times)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &fault{match: match, action: action, left: times})
}

// Behave forgets the faults that have not struck yet, and lets every request pass from now on.
func (p *HTTPProxy) Behave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Counts returns what became of the requests so far.
func (p *HTTPProxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// ServeHTTP serves a client of the proxy.
func (p *HTTPProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client left before its request was complete
	}
	p.choose(r.URL.Path, body).serve(&exchange{proxy: p, w: w, r: r, body: body})
}

// choose counts a request and returns the action that meets it.
func (p *HTTPProxy) choose(path string, body []byte) Action {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Received++
	for _, f := range p.faults {
		if f.left == 0 || !f.match(path, body) {
			continue
		}
		if f.left != Always {
			f.left--
		}
		p.counts.Faulted++
		return f.action
	}
	return pass
}

// exchange is one request on its way.
type exchange struct {
	proxy *HTTPProxy
	w     http.ResponseWriter
	r     *http.Request
	body  []byte

	carriedOut func() // called once the server has answered; nil for nothing
}

// answer is what the server said, complete.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// forward passes the request on and returns the server's whole answer. Where there is none, the client's connection
// ends without one too.
func (x *exchange) forward() answer {
	p := x.proxy
	p.mu.Lock()
	p.counts.Forwarded++
	p.mu.Unlock()

	target := *x.r.URL
	target.Scheme, target.Host = p.upstream.Scheme, p.upstream.Host
	request, err := http.NewRequestWithContext(p.closing, x.r.Method, target.String(), bytes.NewReader(x.body))
	if err != nil {
		x.abort(err)
	}
	request.Header = x.r.Header.Clone()
	request.Header.Del("Connection") // is about the client's connection, not about this one
	response, err := p.transport.RoundTrip(request)
	if err != nil {
		x.abort(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		x.abort(err)
	}
	if x.carriedOut != nil {
		x.carriedOut()
	}
	header := response.Header.Clone()
	header.Del("Connection")
	return answer{response.StatusCode, header, body}
}

// abort ends the client's connection without an answer, because the server gave none.
func (x *exchange) abort(cause error) {
	if x.proxy.closing.Err() == nil {
		x.proxy.t.Logf("proxy: %s %s has no answer: %v", x.r.Method, x.r.URL.Path, cause)
	}
	panic(http.ErrAbortHandler)
}

// send gives the client an answer.
func (x *exchange) send(a answer) {
	for name, values := range a.header {
		x.w.Header()[name] = values
	}
	x.w.WriteHeader(a.status)
	_, _ = x.w.Write(a.body) // fails when the client has left, which is its own affair
}
