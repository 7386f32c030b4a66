package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout bounds the connection to the server, which is near.
const dialTimeout = 5 * time.Second

// TCPProxy passes the bytes of connections on to a server, and ends or refuses connections when told to. A server that
// goes away is Refuse(true) and then Cut.
type TCPProxy struct {
	t        T
	address  string
	upstream string

	running sync.WaitGroup // the goroutines of accepting and of each connection

	mu        sync.Mutex
	listener  net.Listener  // nil while connections are refused
	accepting chan struct{} // closed once the listener's goroutine has ended
	links     map[*link]struct{}
	cuts      []*plannedCut
}

// link is one connection of a client with the one to the server that belongs to it.
type link struct {
	client     *net.TCPConn
	server     *net.TCPConn // nil until there is one
	loseAnswer atomic.Bool  // the next thing that the server says ends the link instead of being passed on
}

// plannedCut ends the connection on which something matching is sent.
type plannedCut struct {
	match func(sent []byte) bool
	after bool // lets it reach the server first, and waits for the server's answer
	done  bool
}

// TCP starts a proxy for the server at upstreamAddress, a host with a port. It stops, and waits for its goroutines to
// end, when the test is over.
func TCP(t T, upstreamAddress string) *TCPProxy {
	t.Helper()
	if _, _, err := net.SplitHostPort(upstreamAddress); err != nil {
		t.Fatalf("proxy: %q is not a host with a port", upstreamAddress)
	}
	p := &TCPProxy{t: t, address: "127.0.0.1:0", upstream: upstreamAddress, links: map[*link]struct{}{}}
	p.Refuse(false)
	t.Cleanup(p.close)
	return p
}

// Addr is the address of the proxy, such as "127.0.0.1:41234".
func (p *TCPProxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.address
}

// Cut ends all connections with a reset, as when the server's machine fails. New ones are served.
func (p *TCPProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Refuse(true) closes the port, so that new connections are refused as when no server runs; those that stand are kept.
// Refuse(false) opens it again.
func (p *TCPProxy) Refuse(refuse bool) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case refuse && p.listener != nil:
		_ = p.listener.Close()
		accepting := p.accepting
		p.listener, p.accepting = nil, nil
		p.mu.Unlock()
		<-accepting // from here on every accepted connection is among the links, and Cut finds it
		p.mu.Lock()
	case !refuse && p.listener == nil:
		listener, err := net.Listen("tcp", p.address)
		if err != nil {
			p.t.Fatalf("proxy: %v", err)
		}
		accepting := make(chan struct{})
		p.address, p.listener, p.accepting = listener.Addr().String(), listener, accepting
		p.running.Go(func() {
			defer close(accepting)
			p.accept(listener)
		})
	}
}

// CutBefore ends the connection on which something matching is sent next, before it reaches the server: once, on one
// connection. What a client writes in one call is matched in one piece if it is small. The match must not call the
// proxy.
func (p *TCPProxy) CutBefore(match func(sent []byte) bool) { p.plan(&plannedCut{match: match}) }

// CutAfter is CutBefore, except that the server receives what was sent, and the connection ends in the place of its
// answer: the server has done it, and the client cannot know.
func (p *TCPProxy) CutAfter(match func(sent []byte) bool) {
	p.plan(&plannedCut{match: match, after: true})
}

// Behave forgets the cuts that were planned and not made yet.
func (p *TCPProxy) Behave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts = nil
}

func (p *TCPProxy) plan(c *plannedCut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts = append(p.cuts, c)
}

func (p *TCPProxy) close() {
	p.Refuse(true)
	p.Cut()
	p.running.Wait()
	for _, c := range p.cuts {
		if !c.done {
			p.t.Errorf("proxy: a connection was to be cut at something sent, and nothing of the kind was sent")
		}
	}
}

func (p *TCPProxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // the listener was closed
		}
		l := &link{client: client.(*net.TCPConn)}
		p.mu.Lock()
		p.links[l] = struct{}{}
		p.mu.Unlock()
		p.running.Go(func() { p.serve(l) })
	}
}

// serve carries one connection until both of its sides have ended.
func (p *TCPProxy) serve(l *link) {
	defer p.remove(l)
	server, err := net.DialTimeout("tcp", p.upstream, dialTimeout)
	if err != nil {
		p.cut(l)
		return
	}
	p.attach(l, server.(*net.TCPConn))
	var sending sync.WaitGroup
	sending.Go(func() {
		if err := transfer(l.server, l.client, func(sent []byte) bool { return p.passes(l, sent) }); err != nil {
			p.cut(l)
		}
	})
	if err := transfer(l.client, l.server, func([]byte) bool { return !l.loseAnswer.Load() }); err != nil {
		p.cut(l)
	}
	sending.Wait()
}

// attach gives a link its connection to the server. If the link was cut while there was none, its next transfer fails.
func (p *TCPProxy) attach(l *link, server *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.server = server
}

func (p *TCPProxy) cut(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.cut()
}

// remove closes what is left of a link.
func (p *TCPProxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// passes reports whether what a client sent may go on to the server, and carries out the cuts planned for it.
func (p *TCPProxy) passes(l *link, sent []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.cuts {
		if c.done || !c.match(sent) {
			continue
		}
		c.done = true
		l.loseAnswer.Store(c.after)
		return c.after
	}
	return true
}

// errStopped ends a transfer whose bytes may not pass.
var errStopped = errors.New("proxy: the bytes may not pass")

// transfer copies from one connection to the other as long as the bytes may pass, and hands an orderly end on.
func transfer(to, from *net.TCPConn, passes func(chunk []byte) bool) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !passes(buffer[:n]) {
				return errStopped
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return to.CloseWrite()
		}
		if err != nil {
			return err
		}
	}
}

// cut ends both sides without a farewell, so that the other ends read an error; on a side that has ended it does
// nothing.
func (l *link) cut() {
	for _, side := range []*net.TCPConn{l.client, l.server} {
		if side != nil {
			_ = side.SetLinger(0)
			_ = side.Close()
		}
	}
}
