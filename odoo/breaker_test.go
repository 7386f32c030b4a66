package odoo_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
)

// scripted is a transport under the false clock of synctest. It answers logins over XML-RPC, and everything else by object.
type scripted struct {
	object func(*http.Request) (*http.Response, error)
	calls  int // of object
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/json/") {
		return answersStatus(404)(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.Contains(string(body), "<methodName>version<"):
		return xmlResponse("<value><struct><member><name>server_version_info</name><value><array><data><value><int>19</int></value></data></array></value></member>" +
			"<member><name>server_serie</name><value><string>19.0</string></value></member></struct></value>"), nil
	case strings.Contains(string(body), "<methodName>authenticate<"):
		return xmlResponse("<value><int>7</int></value>"), nil
	}
	s.calls++
	return s.object(r)
}

func xmlResponse(value string) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml"}},
		Body: io.NopCloser(strings.NewReader("<methodResponse><params><param>" + value + "</param></params></methodResponse>"))}
}

func works(*http.Request) (*http.Response, error) {
	return xmlResponse("<value><array><data></data></array></value>"), nil
}

func answersStatus(code int) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody}, nil
	}
}

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func answersFault(code string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		r := xmlResponse("")
		r.Body = io.NopCloser(strings.NewReader("<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>" + code +
			"</int></value></member><member><name>faultString</name><value><string>no</string></value></member></struct></value></fault></methodResponse>"))
		return r, nil
	}
}

// withBreaker runs body with a client whose breaker opens after 3 failures for 10 s, under a false clock.
func withBreaker(t *testing.T, body func(t *testing.T, s *scripted, c *odoo.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{object: works}
		c, err := odoo.New(odoo.Config{URL: "http://erp.example", Database: "shop", User: "u", Password: "p",
			CallTimeout: 20 * time.Second, Breaker: odoo.BreakerConfig{Failures: 3, OpenFor: 10 * time.Second}, Transport: s})
		require.NoError(t, err)
		require.NoError(t, c.Ping(t.Context()))
		body(t, s, c)
	})
}

func TestBreakerOpensOnTrouble(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*http.Request) (*http.Response, error){
		"status 500":  answersStatus(500),
		"bad answers": answersStatus(204),
		"timeouts":    hangs,
		"no database": func(r *http.Request) (*http.Response, error) {
			resp, err := answersFault("1")(r)
			body, _ := io.ReadAll(resp.Body)
			resp.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), "<string>no", "<string>psycopg2.OperationalError: FATAL: no", 1)))
			return resp, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withBreaker(t, func(t *testing.T, s *scripted, c *odoo.Client) {
				s.object = trouble
				for range 3 {
					require.Equal(t, "closed", c.BreakerState())
					require.Error(t, c.Ping(t.Context()))
				}
				require.Equal(t, "open", c.BreakerState())
				asked := s.calls
				requireError(t, c.Ping(t.Context()), odoo.NotSent, odoo.BreakerOpen)
				require.Equal(t, asked, s.calls, "nothing is sent")

				time.Sleep(11 * time.Second)
				require.Equal(t, "half-open", c.BreakerState())
				s.object = works
				require.NoError(t, c.Ping(t.Context()), "a Ping is what tries Odoo again")
				require.Equal(t, "closed", c.BreakerState())
			})
		})
	}
}

func TestBreakerStaysClosed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		budget time.Duration
	}{
		"business faults":      {answersFault("2"), time.Minute},
		"access faults":        {answersFault("4"), time.Minute},
		"login faults":         {answersFault("3"), time.Minute},
		"application faults":   {answersFault("1"), time.Minute},
		"HTTP refusals":        {answersStatus(413), time.Minute},
		"impatient callers":    {hangs, 4 * time.Second},
		"callers that give up": {hangs, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withBreaker(t, func(t *testing.T, s *scripted, c *odoo.Client) {
				s.object = test.answer
				for range 10 {
					ctx, cancel := context.WithCancel(t.Context())
					if test.budget > 0 {
						ctx, cancel = context.WithTimeout(t.Context(), test.budget)
					} else {
						time.AfterFunc(time.Second, cancel)
					}
					require.Error(t, c.Ping(ctx))
					cancel()
				}
				require.Equal(t, "closed", c.BreakerState())
			})
		})
	}
}

// TestHungProbe: the one call that tries Odoo again hangs. Its deadline ends it, and a later one tries again.
func TestHungProbe(t *testing.T) {
	t.Parallel()
	withBreaker(t, func(t *testing.T, s *scripted, c *odoo.Client) {
		s.object = answersStatus(500)
		for range 3 {
			require.Error(t, c.Ping(t.Context()))
		}
		time.Sleep(11 * time.Second)
		s.object = hangs
		probe := make(chan error)
		go func() { probe <- c.Ping(t.Context()) }() // without a deadline of its own
		synctest.Wait()
		requireError(t, c.Ping(t.Context()), odoo.NotSent, odoo.BreakerOpen)
		requireError(t, <-probe, odoo.Unknown, odoo.Timeout)
		require.Equal(t, "open", c.BreakerState())

		time.Sleep(11 * time.Second)
		s.object = works
		require.NoError(t, c.Ping(t.Context()))
		require.Equal(t, "closed", c.BreakerState())
	})
}

// TestCancelledProbe: whoever gives up the probe leaves room for the next.
func TestCancelledProbe(t *testing.T) {
	t.Parallel()
	withBreaker(t, func(t *testing.T, s *scripted, c *odoo.Client) {
		s.object = answersStatus(500)
		for range 3 {
			require.Error(t, c.Ping(t.Context()))
		}
		time.Sleep(11 * time.Second)
		s.object = hangs
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		requireError(t, c.Ping(ctx), odoo.Unknown, odoo.Cancelled)
		s.object = works
		require.NoError(t, c.Ping(t.Context()))
	})
}

func TestDeadlineOfTheCallerWins(t *testing.T) {
	t.Parallel()
	withBreaker(t, func(t *testing.T, s *scripted, c *odoo.Client) {
		s.object = hangs
		for _, budget := range []time.Duration{time.Second, time.Hour} {
			ctx, cancel := context.WithTimeout(t.Context(), budget)
			started := time.Now()
			requireError(t, c.Ping(ctx), odoo.Unknown, odoo.Timeout)
			require.Equal(t, min(budget, 20*time.Second), time.Since(started))
			cancel()
		}
	})
}
