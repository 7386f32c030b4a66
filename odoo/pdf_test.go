package odoo_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

// printer is a fake Odoo with the pages that print: what each answers, by the beginning of its path.
type printer struct {
	*fakeOdoo
	pages map[string]http.HandlerFunc
	asked []string
	state string
}

const (
	portalPage, loginPage, reportPage = "/my/invoices/", "/web/session/authenticate", "/report/pdf/"
	accessToken                       = "t0ken-s3cret"
)

func newPrinter(t *testing.T) *printer {
	t.Helper()
	p := &printer{state: "ok", pages: map[string]http.HandlerFunc{}}
	p.fakeOdoo = newFakeOdoo(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(bodyOf(r), "get_portal_url") {
			value("/my/invoices/10?access_token="+accessToken+"&report_type=pdf&download=true")(w, r)
			return
		}
		p.mu.Lock()
		state := p.state
		p.mu.Unlock()
		value(state)(w, r)
	})
	plain := p.fakeOdoo.Server.Config.Handler
	p.fakeOdoo.Server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.page(r.URL.Path, plain).ServeHTTP(w, r)
	})
	return p
}

// on sets what a page answers.
func (p *printer) on(path string, page http.HandlerFunc) {
	p.handle(func(*fakeOdoo) { p.pages[path] = page })
}

// page is the one at a path, noted as visited.
func (p *printer) page(path string, otherwise http.Handler) http.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	for begin, page := range p.pages {
		if strings.HasPrefix(path, begin) {
			p.asked = append(p.asked, begin)
			return page
		}
	}
	return otherwise
}

func (p *printer) visited() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func pdfPage(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pdf")
		_, _ = io.WriteString(w, body)
	}
}

// withCookie serves a page to those who have the session, and sends the others away.
func withCookie(session string, page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("session_id"); err != nil || cookie.Value != session || r.Header.Get("X-Odoo-Database") != "" {
			http.Redirect(w, r, "/web/login", http.StatusSeeOther)
			return
		}
		page(w, r)
	}
}

func opensSession(session string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session_id", Value: session})
		jsonAnswer(200, `{"jsonrpc": "2.0", "id": null, "result": {"uid": 7}}`)(w, r)
	}
}

func TestInvoicePDF(t *testing.T) {
	t.Parallel()
	p := newPrinter(t)
	c := newClient(t, p.config())
	p.on(portalPage, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, accessToken, r.URL.Query().Get("access_token"))
		require.Equal(t, "shop", r.Header.Get("X-Odoo-Database"), "it may have several")
		pdfPage("%PDF-1.4 x")(w, r)
	})
	pdf, prints, err := c.InvoicePDF(t.Context(), 10)
	require.NoError(t, err)
	require.True(t, prints)
	require.Equal(t, "%PDF-1.4 x", string(pdf))

	for _, state := range []string{"install", "broken"} {
		p.handle(func(*fakeOdoo) { p.state = state })
		_, prints, err = c.InvoicePDF(t.Context(), 10)
		require.NoError(t, err)
		require.False(t, prints)
	}
	require.Len(t, p.visited(), 1, "nothing is asked for that cannot be printed")
}

// An Odoo that prints nothing for visitors prints for a session of the web client, which is kept until it is over.
func TestInvoicePDFInASession(t *testing.T) {
	t.Parallel()
	p := newPrinter(t)
	c := newClient(t, p.config())
	p.on(portalPage, status(http.StatusForbidden))
	p.on(loginPage, opensSession("one"))
	p.on(reportPage, withCookie("one", pdfPage("%PDF-1.4 x")))
	for range 2 {
		pdf, _, err := c.InvoicePDF(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, "%PDF-1.4 x", string(pdf))
	}
	require.Equal(t, []string{portalPage, loginPage, reportPage, portalPage, reportPage}, p.visited())
	p.on(loginPage, opensSession("two"))
	p.on(reportPage, withCookie("two", pdfPage("%PDF-1.4 y")))
	pdf, _, err := c.InvoicePDF(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, "%PDF-1.4 y", string(pdf))

	p.on(reportPage, status(http.StatusNotFound))
	p.on(loginPage, jsonAnswer(200, `{"jsonrpc": "2.0", "error": {"message": "Access Denied"}}`))
	_, _, err = c.InvoicePDF(t.Context(), 10)
	requireError(t, err, odoo.NotSent, odoo.Misconfigured)
}

// Whatever goes wrong, the token that opens the invoice is in no error and no log.
func TestInvoicePDFThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		page   http.HandlerFunc
		reason odoo.Reason
	}{
		"a page":       {jsonAnswer(200, `{}`), odoo.Misconfigured},
		"a login":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/web/login", http.StatusSeeOther) }, odoo.Misconfigured},
		"no invoice":   {status(http.StatusNotFound), odoo.Misconfigured},
		"no PDF":       {pdfPage("<html>"), odoo.BadAnswer},
		"an empty one": {pdfPage(""), odoo.BadAnswer},
		"too large":    {pdfPage("%PDF-1.4" + strings.Repeat("x", 1000)), odoo.BadAnswer},
		"broken off": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			pdfPage("%PDF-1.4")(w, r)
		}, odoo.ConnectionLost},
		"a connection lost": {closeConnection, odoo.ConnectionLost},
		"an error":          {status(http.StatusInternalServerError), odoo.ServerError},
		"nothing":           {hang, odoo.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrinter(t)
			p.on(portalPage, test.page)
			p.on(loginPage, status(http.StatusNotFound))
			cfg := p.config()
			var log bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			cfg.CallTimeout, cfg.MaxAnswerBytes = 2*time.Second, 1000
			_, prints, err := newClient(t, cfg).InvoicePDF(t.Context(), 10)
			require.True(t, prints)
			require.Error(t, err)
			var e *odoo.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, test.reason, e.Reason, "%v", err)
			require.NotContains(t, err.Error()+log.String(), "s3cret")
		})
	}
}

// Printing keeps to the circuit breaker like any call.
func TestInvoicePDFOpensTheBreaker(t *testing.T) {
	t.Parallel()
	p := newPrinter(t)
	p.on(portalPage, status(http.StatusBadGateway))
	cfg := p.config()
	cfg.Breaker = odoo.BreakerConfig{Failures: 1, OpenFor: time.Hour}
	c := newClient(t, cfg)
	_, _, err := c.InvoicePDF(t.Context(), 10)
	require.Error(t, err)
	require.Equal(t, "open", c.BreakerState())
	_, _, err = c.InvoicePDF(t.Context(), 10)
	requireError(t, err, odoo.NotSent, odoo.BreakerOpen)
}

// Odoo that refused a login for printing is not asked for another one at once: after several it refuses everybody from one address.
func TestARefusedLoginForPrintingIsRemembered(t *testing.T) {
	t.Parallel()
	p := newPrinter(t)
	now := time.Now()
	cfg := p.config()
	cfg.Clock = func() time.Time { return now }
	c := newClient(t, cfg)
	p.on(portalPage, status(http.StatusForbidden))
	p.on(loginPage, jsonAnswer(200, `{"jsonrpc": "2.0", "id": null, "error": {"message": "Access Denied"}}`))
	logins := func() (n int) {
		for _, page := range p.visited() {
			if page == loginPage {
				n++
			}
		}
		return n
	}
	for _, want := range []int{1, 1, 2} {
		if want == 2 {
			now = now.Add(11 * time.Minute)
		}
		_, prints, err := c.InvoicePDF(t.Context(), 10)
		require.True(t, prints)
		requireError(t, err, odoo.NotSent, odoo.Misconfigured)
		require.Equal(t, want, logins())
	}
}
