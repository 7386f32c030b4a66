package odoo_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

func TestConcurrentFirstCallsShareOneLogin(t *testing.T) {
	t.Parallel()
	const callers = 20
	f := newFakeOdoo(t, loaded(int64(1)))
	f.onLogin = func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond) // long enough for all callers to arrive
		value(int64(7))(w, r)
	}
	c := newClient(t, f.config())
	var done sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		done.Go(func() { _, errs[i] = place(t.Context(), c, newOrder()) })
	}
	done.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, f.count("authenticate"))
	require.Equal(t, 1, f.count("version"))
	require.Equal(t, callers, f.count("sale.order.load"))
}

func TestRefusedLoginIsSharedByWaiters(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	f.onLogin = func(w http.ResponseWriter, r *http.Request) {
		close(entered) // a second login would panic here
		<-leave
		value(false)(w, r)
	}
	c := newClient(t, f.config())
	errs := make(chan error)
	go func() { errs <- c.Ping(t.Context()) }()
	<-entered
	const waiters = 5
	for range waiters {
		go func() { errs <- c.Ping(t.Context()) }()
	}
	time.Sleep(50 * time.Millisecond) // the waiters have no other sign of having come
	close(leave)
	for range waiters + 1 {
		requireError(t, <-errs, odoo.NotSent, odoo.LoginRefused)
	}
}

// TestLoginSurvivesItsMaker: the first caller gives up, and the second does not suffer for it.
func TestLoginSurvivesItsMaker(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, value([]any{}))
	entered := make(chan struct{})
	f.onLogin = func(w http.ResponseWriter, r *http.Request) {
		f.handle(func(f *fakeOdoo) { f.onLogin = nil })
		close(entered)
		hang(w, r)
	}
	c := newClient(t, f.config())
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { first <- c.Ping(ctx) }()
	<-entered
	go func() { second <- c.Ping(t.Context()) }()
	time.Sleep(20 * time.Millisecond) // so that it waits for the first one's login; either way it must succeed
	cancel()
	requireError(t, <-first, odoo.NotSent, odoo.Cancelled)
	require.NoError(t, <-second)
}

func TestWaitForALoginHonoursTheContext(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, value([]any{}))
	entered := make(chan struct{})
	f.onLogin = func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		hang(w, r)
	}
	c := newClient(t, f.config())
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- c.Ping(ctx) }()
	<-entered
	impatient, cancelImpatient := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancelImpatient()
	requireError(t, c.Ping(impatient), odoo.NotSent, odoo.Timeout)
	cancel()
	require.Error(t, <-first)
}

func TestRefusedSessionIsRenewedOnce(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, nil)
	f.onObject = func(w http.ResponseWriter, r *http.Request) {
		f.handle(func(f *fakeOdoo) { f.onObject = loaded(int64(5)) })
		faulty(3, "Access Denied")(w, r)
	}
	c := newClient(t, f.config())
	id, err := place(t.Context(), c, newOrder())
	require.NoError(t, err)
	require.EqualValues(t, 5, id)
	require.Equal(t, 2, f.count("authenticate"))
	require.Equal(t, 2, f.count("sale.order.load"))

	f.handle(func(f *fakeOdoo) { f.onObject = faulty(3, "Access Denied") })
	_, err = place(t.Context(), c, newOrder())
	requireError(t, err, odoo.NotSent, odoo.LoginRefused)
	require.Equal(t, 4, f.count("sale.order.load"), "once more, and then no more")
}

// TestUpgradeIsNoticed: whatever an upgrade looks like from here, the version is read again afterwards.
func TestUpgradeIsNoticed(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]http.HandlerFunc{
		"login refused":     faulty(3, "Access Denied"),
		"connection closed": closeConnection,
		"bad gateway":       status(502),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeOdoo(t, trouble)
			f.major = 14
			c := newClient(t, f.config())
			v, err := c.Version(t.Context())
			require.NoError(t, err)
			require.Equal(t, odoo.Version{Major: 14, Full: "14.0"}, v)
			require.Error(t, c.Ping(t.Context()))
			f.handle(func(f *fakeOdoo) { f.major, f.onObject = 19, value([]any{}) })
			require.NoError(t, c.Ping(t.Context()))
			v, err = c.Version(t.Context())
			require.NoError(t, err)
			require.Equal(t, 19, v.Major)
		})
	}
}

// TestFailedLogin: whatever goes wrong before there is a session, the call itself was not sent.
func TestFailedLogin(t *testing.T) {
	t.Parallel()
	const noDatabase = "Traceback\npsycopg2.OperationalError: connection to server failed: FATAL:  database \"shop\" does not exist\n"
	const noServer = "Traceback\npsycopg2.OperationalError: could not connect to server: Connection refused\n"
	for name, test := range map[string]struct {
		version, login http.HandlerFunc
		reason         odoo.Reason
		message        string
	}{
		"wrong password":      {nil, value(false), odoo.LoginRefused, `wrong user or password for database "shop"`},
		"no database":         {nil, faulty(1, noDatabase), odoo.LoginRefused, `Odoo has no database "shop"`},
		"no PostgreSQL":       {nil, faulty(1, noServer), odoo.ServerError, "Odoo cannot connect to its database"},
		"login crashes":       {nil, faulty(1, traceback), odoo.ServerError, ""},
		"login denied":        {nil, faulty(3, "Access Denied"), odoo.LoginRefused, ""},
		"login closes":        {nil, closeConnection, odoo.ConnectionLost, ""},
		"login hangs":         {nil, hang, odoo.Timeout, ""},
		"login is odd":        {nil, value("seven"), odoo.LoginRefused, ""},
		"version is HTML":     {html, nil, odoo.BadAnswer, ""},
		"version is 500":      {status(500), nil, odoo.ServerError, ""},
		"version is 404":      {status(404), nil, odoo.Misconfigured, ""},
		"version is not one":  {value("19"), nil, odoo.BadAnswer, ""},
		"version has no info": {value(map[string]any{"server_serie": "19.0"}), nil, odoo.BadAnswer, ""},
		"version is old": {value(map[string]any{"server_version_info": []any{int64(13)}, "server_serie": "13.0"}), nil,
			odoo.Misconfigured, "Odoo 13.0 is too old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeOdoo(t, loaded(int64(1)))
			f.onVersion, f.onLogin = test.version, test.login
			cfg := f.config()
			if test.reason == odoo.Timeout {
				cfg.CallTimeout = 300 * time.Millisecond
			}
			_, err := place(t.Context(), newClient(t, cfg), newOrder())
			e := requireError(t, err, odoo.NotSent, test.reason)
			require.Contains(t, e.Message, test.message)
			require.Equal(t, "sale.order.load", e.Method)
			require.Zero(t, f.count("sale.order.load"))
		})
	}
}

func TestVersionOfOdooOnline(t *testing.T) {
	t.Parallel()
	f := newFakeOdoo(t, nil)
	f.onVersion = value(map[string]any{"server_version_info": []any{"saas~18", int64(2)}, "server_serie": "saas~18.2"})
	v, err := newClient(t, f.config()).Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, odoo.Version{Major: 18, Full: "saas~18.2"}, v)
}
