package odoo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// session is what a login found out. It is never changed: a renewal makes another.
type session struct {
	uid     int64
	version Version
	dialect dialect
}

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

// logIn asks for the version and the user id. Whatever fails here, the call that needed it was not sent.
func (c *Client) logIn(ctx context.Context) (*session, error) {
	a, err := c.exchange(ctx, c.breaker.doLogin, "/xmlrpc/2/common", "version")
	if err != nil {
		return nil, loginError(err, c.database)
	}
	version, err := parseVersion(a.value)
	if err != nil {
		return nil, loginError(err, c.database)
	}
	a, err = c.exchange(ctx, c.breaker.doLogin, "/xmlrpc/2/common", "authenticate", c.database, c.user, c.password, map[string]any{})
	if err != nil {
		return nil, loginError(err, c.database)
	}
	uid, ok := a.value.(int64)
	if !ok || uid <= 0 {
		return nil, notSent(LoginRefused, fmt.Sprintf("Odoo refuses the login: wrong user or password for database %q", c.database), nil)
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "logged in to Odoo", slog.String("version", version.Full), slog.Int64("uid", uid))
	return &session{uid: uid, version: version, dialect: dialectOf(version)}, nil
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
