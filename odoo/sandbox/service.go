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
	run    func(now time.Time) (any, error)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.work.Done()
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	service, ok := strings.CutPrefix(r.URL.Path, "/xmlrpc/2/")
	if !ok {
		htmlPage(w, http.StatusNotFound, "Not Found")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		htmlPage(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxRequestBytes)); err != nil {
		htmlPage(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	start := s.now()
	req, err := decodeRequest(bytes.NewReader(body.Bytes()))
	if err != nil {
		writeXML(w, encodeFault(programError("xml.parsers.expat.ExpatError", "%v", err)))
		return
	}
	c := s.resolve(service, req)
	f, misbehaves := s.count(c.method, body.Bytes())
	if !s.pause(s.options.Latency) {
		return
	}
	if misbehaves {
		s.misbehave(w, r, f, c, start)
		return
	}
	writeXML(w, c.answer(start))
}

// answer carries the call out and encodes what comes of it.
func (c call) answer(now time.Time) []byte {
	v, err := c.run(now)
	if err == nil {
		if _, isNone := v.(none); !isNone {
			return encodeAnswer(v)
		}
		err = unmarshalable()
	}
	var required *requiredError
	var constraint *constraintError
	var f *fault
	switch {
	case errors.As(err, &required):
		f = required.fault
	case errors.As(err, &constraint):
		f = constraint.fault
	case !errors.As(err, &f):
		f = programError("Exception", "%v", err)
	}
	return encodeFault(f)
}

// resolve finds out what is called.
func (s *Server) resolve(service string, req request) call {
	c := call{method: req.method}
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
		if u.login == login && samePassword(u.password, password) {
			return u.id, nil
		}
	}
	return false, nil
}

func samePassword(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// execution is what execute_kw is given.
type execution struct {
	database, password string
	uid                int64
	model, method      string
	positional         []any
	keyword            map[string]any
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
			if !samePassword(u.password, x.password) {
				return user{}, accessDenied()
			}
			return u, nil
		}
	}
	return user{}, userError("Record does not exist or has been deleted.\n(Record: res.users(%d,), User: %d)", x.uid, x.uid)
}

// execute carries out execute_kw in a transaction of its own.
func (s *Server) execute(x execution, now time.Time) (any, error) {
	u, err := s.login(x)
	if err != nil {
		return nil, err
	}
	e := s.db.begin(s.options.Major, u, now)
	e.context, _ = x.keyword["context"].(map[string]any)
	delete(x.keyword, "context")

	writes := false
	if m := s.db.models[x.model]; m != nil {
		writes = m.methods[x.method].writes
	}
	if !writes {
		s.db.mu.RLock()
		defer s.db.mu.RUnlock()
		return e.call(x.model, x.method, x.positional, x.keyword)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	committed := false
	defer func() {
		if !committed {
			e.rollback(0)
		}
	}()
	v, err := e.call(x.model, x.method, x.positional, x.keyword)
	if err != nil {
		return nil, err
	}
	e.flush()
	committed = true
	return v, nil
}

func writeXML(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = w.Write(body) // a client that went away has no use for the error
}

func htmlPage(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html>\n<html lang=en>\n<title>%d %s</title>\n<h1>%s</h1>\n", status, title, title)
}
