package odoo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxPDF is how many bytes a PDF may have.
	maxPDF = 16 << 20
	// invoiceReport is what Odoo prints of an invoice, and gives its customer in the portal.
	invoiceReport = "account.report_invoice_with_payments"
	sessionCookie = "session_id"
)

// reportCookie is a session of Odoo's web client, for the Odoos that print for nobody without one.
type reportCookie struct {
	mu      sync.Mutex
	value   string
	refused time.Time // when a login was, before which there was none since
}

// loginPause is how long no other login is tried once Odoo refused one: after several from one address it refuses XML-RPC too.
const loginPause = 10 * time.Minute

// InvoicePDF returns an invoice as Odoo prints it. prints is false where Odoo cannot: it needs wkhtmltopdf on its machine. Reason
// Misconfigured says that Odoo prints, but not for this user.
//
// No method that prints can be called by RPC. The customer's page of the invoice has it, by an address that the invoice tells with an
// access token in it, and needs no login. Some Odoo 14 prints nothing for visitors; there it is asked for as the web client would.
func (c *Client) InvoicePDF(ctx context.Context, id int64) (pdf []byte, prints bool, err error) {
	a, err := c.execute(ctx, "ir.actions.report", "get_wkhtmltopdf_state", []any{}, nil)
	if err != nil {
		return nil, false, err
	}
	if state, _ := a.value.(string); slices.Contains([]string{"install", "broken"}, state) {
		return nil, false, nil
	}
	a, err = c.execute(ctx, "account.move", "get_portal_url", []any{[]any{id}}, map[string]any{"report_type": "pdf", "download": true})
	if err != nil {
		return nil, true, err
	}
	address, ok := a.value.(string)
	if !ok || !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") {
		return nil, true, badAnswer(errors.New("an invoice's address is not a path"))
	}
	pdf, err = c.print(ctx, address, nil)
	if isReason(err, Misconfigured) {
		pdf, err = c.printInSession(ctx, id, err)
	}
	return pdf, true, err
}

// printInSession prints with a session of the web client, which takes a password and no API key: without one refused stands.
func (c *Client) printInSession(ctx context.Context, id int64, refused error) ([]byte, error) {
	s, err := c.sessionFor(ctx, "account.move.print")
	if err != nil {
		return nil, err
	}
	if s.protocol != XMLRPC {
		return nil, refused
	}
	c.reports.mu.Lock()
	cookie, since := c.reports.value, c.clock().Sub(c.reports.refused)
	c.reports.mu.Unlock()
	if since >= 0 && since < loginPause {
		return nil, refused
	}
	address := fmt.Sprintf("/report/pdf/%s/%d", invoiceReport, id)
	if cookie != "" {
		if pdf, err := c.print(ctx, address, cookieHeader(cookie)); !isReason(err, Misconfigured) {
			return pdf, err
		}
	}
	if cookie, err = c.logInForReports(ctx); err != nil {
		if isReason(err, Misconfigured) {
			c.reports.mu.Lock()
			c.reports.refused = c.clock()
			c.reports.mu.Unlock()
		}
		return nil, err
	}
	c.reports.mu.Lock()
	c.reports.value = cookie
	c.reports.mu.Unlock()
	return c.print(ctx, address, cookieHeader(cookie))
}

func cookieHeader(value string) http.Header {
	return http.Header{"Cookie": {sessionCookie + "=" + value}}
}

// print gets one PDF, within the limits of a call. Where Odoo has several databases, a header says which is
// meant to a version that knows it, as 19 does; it takes none beside the cookie of a session, which knows it.
func (c *Client) print(ctx context.Context, address string, header http.Header) ([]byte, error) {
	if header == nil {
		header = http.Header{databaseHeader: {c.database}}
	}
	a, err := c.fetch(ctx, "account.move.print", message{method: http.MethodGet, path: address, header: header, secret: true, read: readPDF})
	pdf, _ := a.value.([]byte)
	return pdf, err
}

// logInForReports opens a session of the web client.
func (c *Client) logInForReports(ctx context.Context) (string, error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call",
		"params": map[string]any{"db": c.database, "login": c.user, "password": c.password}})
	if err != nil {
		return "", notSent(Misconfigured, "the login cannot be written as JSON", err)
	}
	a, err := c.fetch(ctx, "web.session.authenticate", message{method: http.MethodPost, path: "/web/session/authenticate", body: body,
		header: http.Header{"Content-Type": {"application/json"}}, read: readSessionCookie})
	cookie, _ := a.value.(string)
	return cookie, err
}

// fetch is execute for what is no method of a model.
func (c *Client) fetch(ctx context.Context, name string, m message) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.callTimeout)
	defer cancel()
	started := c.clock()
	a, err := c.exchange(ctx, c.breaker.do, m)
	if err != nil {
		named(err, name)
	}
	c.metrics.observe(name, err, c.clock().Sub(started))
	return a, err
}

// readPDF reads a PDF. Whatever else Odoo answers is a page for people: that there is no such invoice, that one must log in, or that
// printing failed.
func readPDF(resp *http.Response, l limits) (any, error) {
	if resp.StatusCode >= http.StatusInternalServerError {
		return nil, checkStatus(resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK || !isOfType(resp, "application/pdf") {
		return nil, notSent(Misconfigured, fmt.Sprintf("Odoo answered with a page (HTTP status %d) instead of the PDF", resp.StatusCode), nil)
	}
	limit := min(l.bytes, maxPDF)
	pdf, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, &brokenBody{cause: err}
	case int64(len(pdf)) > limit:
		return nil, badAnswer(fmt.Errorf("a PDF of more than %d bytes", limit))
	case !bytes.HasPrefix(pdf, []byte("%PDF-")):
		return nil, badAnswer(errors.New("what is called a PDF is none"))
	}
	return pdf, nil
}

// readSessionCookie reads the answer of a login to the web client.
func readSessionCookie(resp *http.Response, l limits) (any, error) {
	if err := checkStatus(resp.StatusCode); err != nil {
		return nil, err
	}
	v, err := decodeJSON(resp.Body, l.bytes, l.depth)
	if _, broken := err.(*brokenBody); broken {
		return nil, err
	}
	members, _ := v.(map[string]any)
	result, _ := members["result"].(map[string]any)
	uid, _ := result["uid"].(int64)
	for _, cookie := range resp.Cookies() {
		if err == nil && cookie.Name == sessionCookie && uid > 0 {
			return cookie.Value, nil
		}
	}
	return nil, notSent(Misconfigured, "Odoo prints invoices only for who has logged in, and does not let the gateway's user in that way: it takes a password, not an API key", nil)
}
