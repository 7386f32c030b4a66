package sandbox

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxRequestBytes bounds what is read of one call.
const maxRequestBytes = 32 << 20

// call is one call of the API, ready to be carried out in a transaction that starts at a given time.
type call struct {
	method string // "sale.order.load", "version"
	format format
	run    func(now time.Time) (any, error)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.work.Done()
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	overXML := strings.HasPrefix(r.URL.Path, xmlrpcPath)
	switch {
	case !overXML && !strings.HasPrefix(r.URL.Path, "/json/") && r.URL.Path != "/web/version":
		htmlReply(http.StatusNotFound).write(w)
		return
	case overXML && r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		htmlReply(http.StatusMethodNotAllowed).write(w)
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxRequestBytes)); err != nil {
		htmlReply(http.StatusRequestEntityTooLarge).write(w)
		return
	}
	start := s.now()
	find := s.resolveJSON
	if overXML {
		find = s.resolveXML
	}
	c, refusal := find(r, body.Bytes())
	if refusal != nil {
		refusal.write(w)
		return
	}
	f, misbehaves := s.count(c.method, body.Bytes())
	if !s.pause(s.options.Latency) {
		return
	}
	if misbehaves {
		s.misbehave(w, r, f, c, start)
		return
	}
	c.answer(start).write(w)
}

// answer carries the call out and writes what comes of it.
func (c call) answer(now time.Time) reply {
	v, err := c.run(now)
	if err == nil {
		return c.format.success(v)
	}
	var field *fieldError
	var constraint *constraintError
	var f *fault
	switch {
	case errors.As(err, &field):
		f = field.fault
	case errors.As(err, &constraint):
		f = constraint.fault
	case !errors.As(err, &f):
		f = programError("Exception", "%v", err)
	}
	return c.format.failure(f)
}

const xmlrpcPath = "/xmlrpc/2/"

// resolveXML finds out what is called over XML-RPC.
func (s *Server) resolveXML(r *http.Request, body []byte) (call, *reply) {
	req, err := decodeRequest(bytes.NewReader(body))
	if err != nil {
		refusal := inXML.failure(programError("xml.parsers.expat.ExpatError", "%v", err))
		return call{}, &refusal
	}
	return s.resolve(strings.TrimPrefix(r.URL.Path, xmlrpcPath), req), nil
}

// resolve finds the service that is called.
func (s *Server) resolve(service string, req request) call {
	c := call{method: req.method, format: inXML}
	switch {
	case service == "common" && req.method == "version":
		c.run = func(time.Time) (any, error) { return s.version(), nil }
	case service == "common" && (req.method == "authenticate" || req.method == "login"):
		c.run = func(time.Time) (any, error) { return s.authenticate(req.params) }
	case service == "object" && (req.method == "execute_kw" || req.method == "execute"):
		e, err := parseExecute(req)
		if err != nil {
			c.run = func(time.Time) (any, error) { return nil, err }
			break
		}
		c.method = e.model + "." + e.method
		c.run = func(now time.Time) (any, error) { return s.execute(e, now) }
	case service == "object":
		c.run = func(time.Time) (any, error) {
			return nil, programError("NameError", "Method not available %s", req.method)
		}
	case service == "common":
		c.run = func(time.Time) (any, error) {
			return nil, programError("Exception", "Method not found: %s", req.method)
		}
	default:
		c.run = func(time.Time) (any, error) { return nil, programError("KeyError", "'%s'", service) }
	}
	return c
}

func (s *Server) version() record {
	serie := fmt.Sprintf("%d.0", s.options.Major)
	return record{
		{"server_version", serie},
		{"server_version_info", []any{s.options.Major, 0, 0, "final", 0, ""}},
		{"server_serie", serie},
		{"protocol_version", 1},
	}
}

func (s *Server) authenticate(params []any) (any, error) {
	if len(params) < 3 {
		return nil, programError("TypeError", "exp_authenticate() missing required positional arguments")
	}
	database, login, password := toText(params[0]), toText(params[1]), toText(params[2])
	if database != Database {
		return nil, unknownDatabase(database)
	}
	for _, u := range s.users {
		if u.login == login && u.letsIn(password) {
			return u.id, nil
		}
	}
	return false, nil
}

// letsIn reports whether a secret is the user's password or API key.
func (u user) letsIn(secret string) bool {
	return samePassword(u.password, secret) || u.key != "" && samePassword(u.key, secret)
}

func samePassword(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// execution is a method to call, and with what. Over XML-RPC, execute_kw is given all of it; over JSON-2 the arguments have
// names, the records' ids among them.
type execution struct {
	database, password string
	uid                int64
	model, method      string
	positional         []any
	keyword            map[string]any
	named              bool
	ids                any
}

func parseExecute(req request) (execution, error) {
	p := req.params
	if len(p) < 5 || req.method == "execute_kw" && len(p) < 6 {
		return execution{}, programError("TypeError", "%s() missing required positional arguments", req.method)
	}
	uid, err := toInteger(p[1])
	if err != nil {
		return execution{}, err
	}
	e := execution{
		database: toText(p[0]), uid: uid, password: toText(p[2]),
		model: toText(p[3]), method: toText(p[4]), keyword: map[string]any{},
	}
	if req.method == "execute" {
		e.positional = p[5:]
		return e, nil
	}
	e.positional, _ = p[5].([]any)
	if len(p) > 6 {
		if kw, ok := p[6].(map[string]any); ok {
			e.keyword = kw
		}
	}
	return e, nil
}

func (s *Server) login(x execution) (user, error) {
	if x.database != Database {
		return user{}, unknownDatabase(x.database)
	}
	if x.uid == 0 {
		return user{}, accessDenied()
	}
	for _, u := range s.users {
		if u.id == x.uid {
			if !u.letsIn(x.password) {
				return user{}, accessDenied()
			}
			return u, nil
		}
	}
	return user{}, userError("Record does not exist or has been deleted.\n(Record: res.users(%d,), User: %d)", x.uid, x.uid)
}

// execute carries out execute_kw.
func (s *Server) execute(x execution, now time.Time) (any, error) {
	u, err := s.login(x)
	if err != nil {
		return nil, err
	}
	return s.transact(u, x, now)
}

// transact carries out a method in a transaction of its own.
func (s *Server) transact(u user, x execution, now time.Time) (any, error) {
	e := s.db.begin(s.options.Major, u, now)
	e.json2 = x.named
	e.context, _ = x.keyword["context"].(map[string]any)
	delete(x.keyword, "context")

	writes := false
	if m := s.db.models[x.model]; m != nil {
		writes = m.methods[x.method].writes
	}
	if !writes {
		s.db.mu.RLock()
		defer s.db.mu.RUnlock()
		return e.call(x)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	committed := false
	defer func() {
		if !committed {
			e.rollback(0)
		}
	}()
	v, err := e.call(x)
	if err != nil {
		return nil, err
	}
	e.flush()
	committed = true
	return v, nil
}
