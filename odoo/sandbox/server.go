package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// How to log in. User has the rights that a gateway needs and no more; AdminUser may do everything.
const (
	Database      = "sandbox"
	User          = "gateway"
	Password      = "sandbox-secret"
	AdminUser     = "admin"
	AdminPassword = "admin"

	// API keys of the two, which also stand in for their passwords.
	Key      = "5a9db0c5e0a1f7e43c7be9d5b0a2c6f1d3e4f506"
	AdminKey = "ad91c0ffee0a1f7e43c7be9d5b0a2c6f1d3e4f5a"
)

// keyLife is how long an API key is valid from the start on, as long as Odoo lets users have them at most.
const keyLife = 90 * 24 * time.Hour

// Options say which Odoo to be. The zero value is an Odoo 19 on a free port of this machine.
type Options struct {
	Major   int              // version, 14 or 19; 0 is 19
	Clock   func() time.Time // dates records and answers; nil is time.Now
	Addr    string           // to listen on; empty is "127.0.0.1:0"
	Latency time.Duration    // that every call takes at least

	// Documents installs Inventory, Delivery Costs and Invoicing: confirmed orders have deliveries, and can be invoiced and paid.
	Documents bool
}

// Server is a running sandbox. Its methods may be called from any goroutine.
type Server struct {
	options Options
	db      *database
	users   []user

	stopped context.Context // done from Close on: ends what hangs
	stop    context.CancelFunc
	work    sync.WaitGroup // connections, handlers and late commits

	mu      sync.Mutex // guards what follows
	closed  bool
	address string
	http    *http.Server  // nil while down
	served  chan struct{} // closed when http has stopped
	faults  []Fault
	calls   map[string]int
}

// Start seeds a sandbox and serves it until Close.
func Start(o Options) (*Server, error) {
	if o.Major == 0 {
		o.Major = 19
	}
	if o.Major != 14 && o.Major != 19 {
		return nil, fmt.Errorf("sandbox: there is no Odoo %d here, only 14 and 19", o.Major)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s := &Server{
		options: o,
		address: o.Addr,
		calls:   map[string]int{},
		users: []user{
			{id: AdminID, login: AdminUser, password: AdminPassword, key: AdminKey, name: "Mitchell Admin", admin: true},
			{id: UserID, login: User, password: Password, key: Key, name: "Order gateway"},
		},
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	db, err := newDatabase(o, s.users, s.now())
	if err != nil {
		return nil, err
	}
	s.db = db
	if err := s.listen(); err != nil {
		return nil, err
	}
	return s, nil
}

// URL is the address to give to a client, such as "http://127.0.0.1:40123". It stays the same through SetDown.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.address
}

// Handler serves the same sandbox without the listener, for example below a proxy.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Close stops listening, ends calls that hang, abandons commits that were still to come, and waits for the rest.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	err := s.hangUp()
	s.work.Wait()
	return err
}

// SetDown takes the server off its port, so that connections are refused, or brings it back on the same one. Calls that
// were under way lose their connection; what they committed stays.
func (s *Server) SetDown(down bool) error {
	if down {
		return s.hangUp()
	}
	return s.listen()
}

// Calls counts the calls of a method, such as "sale.order.load", "version" or "authenticate"; "" counts all.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// now is the clock as PostgreSQL has it: in UTC, to the microsecond.
func (s *Server) now() time.Time { return s.options.Clock().UTC().Truncate(time.Microsecond) }

// Reopening the port may have to wait for the old listener, or for another process that was lent the port meanwhile.
const (
	reopenAttempts = 50
	reopenPause    = 20 * time.Millisecond
)

func (s *Server) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("sandbox: closed")
	}
	if s.http != nil {
		return nil
	}
	listener, err := net.Listen("tcp", s.address)
	for attempt := 1; err != nil && attempt < reopenAttempts && s.served != nil; attempt++ {
		time.Sleep(reopenPause)
		listener, err = net.Listen("tcp", s.address)
	}
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.address = listener.Addr().String()
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Minute, ConnState: s.trackConnection}
	served := make(chan struct{})
	go func() {
		defer close(served)
		// The error is always ErrServerClosed or that of a listener which hangUp closed.
		_ = server.Serve(listener)
	}()
	s.http, s.served = server, served
	return nil
}

// trackConnection lets Close wait for what net/http still does for connections, some of which linger after their last
// answer. New ones come from Serve, which Close sees end before it waits.
func (s *Server) trackConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.work.Add(1)
	case http.StateClosed, http.StateHijacked: // whoever hijacks one is a handler, which is counted too
		s.work.Done()
	}
}

func (s *Server) hangUp() error {
	s.mu.Lock()
	server, served := s.http, s.served
	s.http = nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	err := server.Close()
	<-served
	return err
}

// enter admits a call, unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Add(1)
	return true
}

// count notes a call, and returns the fault that it is to suffer.
func (s *Server) count(method string, body []byte) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	s.calls[""]++
	for i, f := range s.faults {
		if f.Method != "" && f.Method != method || !bytes.Contains(body, []byte(f.Matching)) {
			continue
		}
		if f.Times > 0 {
			s.faults[i].Times--
			if s.faults[i].Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return f, true
	}
	return Fault{}, false
}
