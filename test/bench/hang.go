package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// hangable stands between a gateway and Odoo, and can be made to hang: it then takes connections and requests, and nothing
// comes back.
type hangable struct {
	listener net.Listener
	target   string
	hangs    atomic.Bool

	group sync.WaitGroup
	mu    sync.Mutex
	open  map[net.Conn]struct{}
	ended bool
}

func startHangable(target string) (*hangable, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hangable{listener: listener, target: target, open: map[net.Conn]struct{}{}}
	h.group.Go(h.serve)
	return h, nil
}

func (h *hangable) address() string { return h.listener.Addr().String() }

// hang makes it hang, or work again; connections that hung then are closed, as whatever hung in truth would be restarted.
func (h *hangable) hang(hangs bool) {
	h.hangs.Store(hangs)
	if !hangs {
		h.closeAll()
	}
}

func (h *hangable) serve() {
	for {
		client, err := h.listener.Accept()
		if err != nil {
			return
		}
		if h.keep(client) {
			h.group.Go(func() { h.pass(client) })
		}
	}
}

// keep notes a connection, to be closed at the end. False, and the connection is closed, if that was.
func (h *hangable) keep(c net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		_ = c.Close()
		return false
	}
	h.open[c] = struct{}{}
	return true
}

func (h *hangable) drop(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, c)
	_ = c.Close()
}

func (h *hangable) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.open {
		_ = c.Close()
	}
}

func (h *hangable) pass(client net.Conn) {
	defer h.drop(client)
	if h.hangs.Load() { // a connection on which nothing comes would keep one of Odoo's workers from others
		_, _ = io.Copy(io.Discard, client)
		return
	}
	server, err := net.Dial("tcp", h.target)
	if err != nil || !h.keep(server) {
		return
	}
	defer h.drop(server)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	_, _ = io.Copy(gate{h, server}, client)
	_ = server.Close()
	<-answered
}

// gate swallows what is written while its proxy hangs.
type gate struct {
	of *hangable
	to io.Writer
}

func (g gate) Write(p []byte) (int, error) {
	if g.of.hangs.Load() {
		return len(p), nil
	}
	return g.to.Write(p)
}

func (h *hangable) close() {
	_ = h.listener.Close()
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	h.closeAll()
	h.group.Wait()
}
