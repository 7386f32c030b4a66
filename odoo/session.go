package odoo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
)

// session is what a login found out. It is never changed: a renewal makes another.
type session struct {
	uid      int64
	version  Version
	dialect  dialect
	protocol Protocol // XMLRPC or JSON2
}

// Protocol is how Odoo is spoken to.
type Protocol string

// The protocols. Every login decides anew what Auto comes to: JSON-2 where the server has it and Config.Password is an API
// key, else XML-RPC.
const (
	Auto   Protocol = "auto"
	XMLRPC Protocol = "xmlrpc"
	JSON2  Protocol = "json2" // Odoo 19 and up
)

// login holds the session, and the attempt to get one, which concurrent callers share.
type login struct {
	mu      sync.Mutex
	current *session
	attempt *loginAttempt
}

type loginAttempt struct {
	done    chan struct{} // closed once session or err is set
	session *session
	err     error
}

// forget drops s if it is still the current session.
func (l *login) forget(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == s {
		l.current = nil
	}
}

// Version returns what Odoo says of itself, as of the last login.
func (c *Client) Version(ctx context.Context) (Version, error) {
	s, err := c.sessionFor(ctx, "common.version")
	if err != nil {
		return Version{}, err
	}
	return s.version, nil
}

// Protocol returns how Odoo is spoken to, as of the last login: XMLRPC or JSON2.
func (c *Client) Protocol(ctx context.Context) (Protocol, error) {
	s, err := c.sessionFor(ctx, "common.version")
	if err != nil {
		return "", err
	}
	return s.protocol, nil
}

// sessionFor is session with a deadline, for callers that need to know the dialect before they call.
func (c *Client) sessionFor(ctx context.Context, method string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.callTimeout)
	defer cancel()
	started := c.clock()
	s, err := c.session(ctx)
	if err != nil {
		named(err, method)
		c.metrics.observe(method, err, c.clock().Sub(started))
		return nil, err
	}
	return s, nil
}

// session returns the current session, and logs in if there is none. Concurrent callers share one login: the first
// makes it, the others wait. When it fails only because its maker gave up, the next one tries.
func (c *Client) session(ctx context.Context) (*session, error) {
	for {
		c.login.mu.Lock()
		if s := c.login.current; s != nil {
			c.login.mu.Unlock()
			return s, nil
		}
		attempt := c.login.attempt
		if attempt == nil {
			attempt = &loginAttempt{done: make(chan struct{})}
			c.login.attempt = attempt
			c.login.mu.Unlock()
			return c.finishLogin(ctx, attempt)
		}
		c.login.mu.Unlock()

		select {
		case <-attempt.done:
		case <-ctx.Done():
			return nil, notSent(contextReason(ctx), "gave up while another call was logging in", context.Cause(ctx))
		}
		if attempt.err == nil {
			return attempt.session, nil
		}
		if !isReason(attempt.err, Cancelled) && !isReason(attempt.err, Timeout) {
			return nil, copyError(attempt.err)
		}
	}
}

func (c *Client) finishLogin(ctx context.Context, attempt *loginAttempt) (*session, error) {
	attempt.session, attempt.err = c.logIn(ctx)
	c.login.mu.Lock()
	c.login.current, c.login.attempt = attempt.session, nil
	c.login.mu.Unlock()
	close(attempt.done)
	if attempt.err != nil {
		return nil, copyError(attempt.err)
	}
	return attempt.session, nil
}

// logIn finds out the version and the user id, over the protocol that is to be spoken. Whatever fails here, the call that
// needed it was not sent.
func (c *Client) logIn(ctx context.Context) (*session, error) {
	var s *session
	var err error
	switch c.protocol {
	case JSON2:
		s, err = c.logInByKey(ctx)
	case XMLRPC:
		s, err = c.logInByPassword(ctx)
	default:
		if s, err = c.logInByKey(ctx); mayBeXMLRPC(err) {
			c.log.LogAttrs(ctx, slog.LevelDebug, "no JSON-2 for this login", slog.Any("error", err))
			s, err = c.logInByPassword(ctx)
		}
	}
	if err != nil {
		return nil, loginError(err, c.database)
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "logged in to Odoo", slog.String("version", s.version.Full), slog.Int64("uid", s.uid),
		slog.String("protocol", string(s.protocol)))
	return s, nil
}

// mayBeXMLRPC reports whether a login that failed over JSON-2 may succeed over XML-RPC: Odoo answered, and has none, or
// takes the password for no key. An Odoo that cannot be reached, or has its troubles, has them over both.
func mayBeXMLRPC(err error) bool {
	err = faultToError(err)
	return isReason(err, LoginRefused) || isReason(err, Misconfigured) || isReason(err, BadAnswer)
}

// logInByPassword logs in over XML-RPC.
func (c *Client) logInByPassword(ctx context.Context) (*session, error) {
	const path = "/xmlrpc/2/common"
	ask, err := xmlrpcCall(path, "version")
	if err != nil {
		return nil, err
	}
	a, err := c.exchange(ctx, c.breaker.doLogin, ask)
	if err != nil {
		return nil, err
	}
	version, err := parseVersion(a.value)
	if err != nil {
		return nil, err
	}
	ask, err = xmlrpcCall(path, "authenticate", c.database, c.user, c.password, map[string]any{})
	if err != nil {
		return nil, err
	}
	if a, err = c.exchange(ctx, c.breaker.doLogin, ask); err != nil {
		return nil, err
	}
	uid, ok := a.value.(int64)
	if !ok || uid <= 0 {
		return nil, notSent(LoginRefused, fmt.Sprintf("Odoo refuses the login: wrong user or password for database %q", c.database), nil)
	}
	return &session{uid: uid, version: version, dialect: dialectOf(version), protocol: XMLRPC}, nil
}

// logInByKey finds out whose the API key is, over JSON-2, where every call brings the key. It must be the user's own:
// otherwise everything would happen as somebody else, with other rights.
func (c *Client) logInByKey(ctx context.Context) (*session, error) {
	version, err := c.versionByJSON(ctx)
	if err != nil {
		return nil, err
	}
	if version.Major < oldestJSON2 {
		return nil, notSent(Misconfigured, fmt.Sprintf("Odoo %s has no JSON-2: it takes Odoo %d", version.Full, oldestJSON2), nil)
	}
	about, err := c.askByKey(ctx, "context_get", nil, nil)
	if err != nil {
		return nil, err
	}
	members, _ := about.(map[string]any)
	uid, ok := members["uid"].(int64)
	if !ok || uid <= 0 {
		return nil, badAnswer(fmt.Errorf("context_get answered %.200v", about))
	}
	users, err := c.askByKey(ctx, "read", []any{[]any{uid}, []any{"login"}}, nil)
	if err != nil {
		return nil, err
	}
	list, err := records(users)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 || list[0].text("login") != c.user {
		return nil, notSent(LoginRefused, fmt.Sprintf("the API key for database %q is another user's than %q", c.database, c.user), nil)
	}
	return &session{uid: uid, version: version, dialect: dialectOf(version), protocol: JSON2}, nil
}

// askByKey calls a method of res.users in the course of a login.
func (c *Client) askByKey(ctx context.Context, method string, args []any, kwargs map[string]any) (any, error) {
	ask, err := c.json2Call("res.users", method, args, kwargs)
	if err != nil {
		return nil, err
	}
	a, err := c.exchange(ctx, c.breaker.doLogin, ask)
	switch refused := faultToError(err); {
	case isReason(refused, LoginRefused):
		return nil, notSent(LoginRefused, fmt.Sprintf("Odoo refuses the API key for database %q", c.database), err)
	case errors.Is(err, errNoJSON2):
		return nil, notSent(LoginRefused, fmt.Sprintf("Odoo has no database %q, or cannot reach it", c.database), err)
	}
	return a.value, err
}

// versionByJSON asks for the version where Odoo has told it since JSON-2 came, to everybody.
func (c *Client) versionByJSON(ctx context.Context) (Version, error) {
	a, err := c.exchange(ctx, c.breaker.doLogin, message{method: http.MethodGet, path: "/json/version", header: http.Header{}, read: readJSONVersion})
	if err != nil {
		return Version{}, err
	}
	return parseJSONVersion(a.value)
}

// renewsSession reports whether a failure makes what the session holds doubtful: a refused login, and everything that
// an Odoo being restarted shows, because it may come back as a newer version.
func renewsSession(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Reason {
	case LoginRefused, Unreachable, ConnectionLost:
		return true
	case ServerError:
		return errors.Is(err, errHTTPStatus)
	}
	return false
}
