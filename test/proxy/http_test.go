package proxy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/proxy"
)

const reply = "<ok>0123456789</ok>"

// shop is a server that counts what it has carried out.
type shop struct {
	url     string
	orders  atomic.Int32
	arrived chan string // the bodies that it received
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{arrived: make(chan string, 16)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.orders.Add(1)
		s.arrived <- string(body)
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("X-Path", r.URL.RequestURI())
		w.Header().Set("X-Received", r.Header.Get("X-Sent"))
		w.Header().Set("X-Encodings", r.Header.Get("Accept-Encoding"))
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// newClient returns a client whose connections end with the test.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// post sends body and reads the whole answer.
func post(ctx context.Context, client *http.Client, url, body string) (*http.Response, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/xmlrpc/2/object?a=b", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("X-Sent", "yes")
	response, err := client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response, string(content), err
}

func TestHTTPPassesRequestsUnchanged(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	p := proxy.HTTP(t, shop.url)
	response, content, err := post(t.Context(), newClient(t), p.URL(), "<call/>")
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	require.Equal(t, "text/xml", response.Header.Get("Content-Type"))
	require.Equal(t, "/xmlrpc/2/object?a=b", response.Header.Get("X-Path"))
	require.Equal(t, "yes", response.Header.Get("X-Received"))
	require.Empty(t, response.Header.Get("X-Encodings"), "the client accepts none")
	require.Equal(t, reply, content)
	require.Equal(t, "<call/>", <-shop.arrived)
	require.Equal(t, proxy.Counts{Received: 1, Forwarded: 1}, p.Counts())
}

func TestHTTPSpoilsAnswersAfterTheServerDidItsWork(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		action proxy.Action
		check  func(t *testing.T, response *http.Response, content string, err error)
	}{
		"drop": {proxy.DropAnswer, func(t *testing.T, response *http.Response, _ string, err error) {
			require.ErrorIs(t, err, io.EOF)
			require.Nil(t, response)
		}},
		"cut in half": {proxy.CutAnswer, func(t *testing.T, response *http.Response, content string, err error) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Equal(t, http.StatusAccepted, response.StatusCode)
			require.Equal(t, int64(len(reply)), response.ContentLength)
			require.Equal(t, reply[:len(reply)/2], content)
		}},
		"bad gateway": {proxy.BadGateway, func(t *testing.T, response *http.Response, content string, err error) {
			require.NoError(t, err)
			require.Equal(t, http.StatusBadGateway, response.StatusCode)
			require.Equal(t, "text/html", response.Header.Get("Content-Type"))
			require.NotContains(t, content, reply)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop, client := newShop(t), newClient(t)
			p := proxy.HTTP(t, shop.url)
			p.OnRequest(proxy.Contains("load", "S1"), test.action, 1)

			_, content, err := post(t.Context(), client, p.URL(), "load S2")
			require.NoError(t, err)
			require.Equal(t, reply, content)

			response, content, err := post(t.Context(), client, p.URL(), "load S1")
			test.check(t, response, content, err)
			require.EqualValues(t, 2, shop.orders.Load(), "the server must have done the work")

			_, content, err = post(t.Context(), client, p.URL(), "load S1")
			require.NoError(t, err)
			require.Equal(t, reply, content)
			require.Equal(t, proxy.Counts{Received: 3, Forwarded: 3, Faulted: 1}, p.Counts())
		})
	}
}

func TestHTTPRefusedRequestNeverArrives(t *testing.T) {
	t.Parallel()
	shop, client := newShop(t), newClient(t)
	p := proxy.HTTP(t, shop.url)
	p.OnRequest(proxy.Contains("load"), proxy.Refuse, 2)
	for range 2 {
		_, _, err := post(t.Context(), client, p.URL(), "load")
		require.ErrorIs(t, err, io.EOF)
	}
	require.Zero(t, shop.orders.Load())
	_, _, err := post(t.Context(), client, p.URL(), "load")
	require.NoError(t, err)
	require.Equal(t, proxy.Counts{Received: 3, Forwarded: 1, Faulted: 2}, p.Counts())
}

func TestHTTPHangingRequestNeverArrives(t *testing.T) {
	t.Parallel()
	shop, client := newShop(t), newClient(t)
	p := proxy.HTTP(t, shop.url)
	p.OnRequest(proxy.Contains("load"), proxy.Hang, proxy.Always)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := post(ctx, client, p.URL(), "load")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, shop.orders.Load())
}

func TestHTTPDelayedAnswerComesLate(t *testing.T) {
	t.Parallel()
	const delay = 100 * time.Millisecond
	shop, client := newShop(t), newClient(t)
	p := proxy.HTTP(t, shop.url)
	p.OnRequest(proxy.Contains("load"), proxy.DelayAnswer(delay), 2)

	begin := time.Now()
	_, content, err := post(t.Context(), client, p.URL(), "load")
	require.NoError(t, err)
	require.Equal(t, reply, content)
	require.GreaterOrEqual(t, time.Since(begin), delay)

	ctx, cancel := context.WithTimeout(t.Context(), delay/2)
	defer cancel()
	_, _, err = post(ctx, client, p.URL(), "load")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualValues(t, 2, shop.orders.Load())
}

func TestHTTPHeldRequestArrivesAfterItsClientLeft(t *testing.T) {
	t.Parallel()
	shop, client := newShop(t), newClient(t)
	p := proxy.HTTP(t, shop.url)
	release := make(chan struct{})
	p.OnRequest(proxy.Contains("first"), proxy.HoldRequest(release), 1)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := post(ctx, client, p.URL(), "first")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, _, err = post(t.Context(), client, p.URL(), "second")
	require.NoError(t, err)
	require.Equal(t, "second", <-shop.arrived)

	close(release)
	require.Equal(t, "first", <-shop.arrived)
}

func TestHTTPServerThatIsGoneGivesNoAnswer(t *testing.T) {
	t.Parallel()
	p := proxy.HTTP(t, "http://127.0.0.1:1")
	_, _, err := post(t.Context(), newClient(t), p.URL(), "load")
	require.ErrorIs(t, err, io.EOF)
}

func TestHTTPFaultThatNeverStruckFailsTheTest(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	never := func([]byte) bool { return false }
	require.Len(t, rehearse(func(t testing.TB) {
		proxy.HTTP(t, shop.url).OnRequest(never, proxy.DropAnswer, 1)
	}), 1)
	require.Empty(t, rehearse(func(t testing.TB) {
		proxy.HTTP(t, shop.url).OnRequest(never, proxy.DropAnswer, proxy.Always)
	}))
	require.Len(t, rehearse(func(t testing.TB) {
		proxy.HTTP(t, shop.url).OnRequest(never, proxy.DropAnswer, 0)
	}), 1)
	require.Len(t, rehearse(func(t testing.TB) { proxy.HTTP(t, "not a server") }), 1)
}

func TestHTTPEndOfTestEndsWaits(t *testing.T) {
	t.Parallel()
	shop, client := newShop(t), newClient(t)
	for name, action := range map[string]proxy.Action{
		"hang":  proxy.Hang,
		"hold":  proxy.HoldRequest(nil),
		"delay": proxy.DelayAnswer(time.Hour),
	} {
		failed := make(chan error)
		require.Empty(t, rehearse(func(t testing.TB) {
			p := proxy.HTTP(t, shop.url)
			p.OnRequest(proxy.Contains("load"), action, 1)
			go func() {
				_, _, err := post(context.Background(), client, p.URL(), "load")
				failed <- err
			}()
			for p.Counts().Faulted == 0 {
				time.Sleep(time.Millisecond)
			}
		}), name)
		require.Error(t, <-failed, name)
	}
}

func TestHTTPFaultsByPath(t *testing.T) {
	t.Parallel()
	shop, client := newShop(t), newClient(t)
	p := proxy.HTTP(t, shop.url)
	at := func(path string) func(string, []byte) bool {
		return func(asked string, body []byte) bool { return asked == path && string(body) == "load" }
	}
	p.OnCall(at("/json/2/sale.order/load"), proxy.Refuse, proxy.Always)
	_, content, err := post(t.Context(), client, p.URL(), "load")
	require.NoError(t, err)
	require.Equal(t, reply, content)
	p.OnCall(at("/xmlrpc/2/object"), proxy.Refuse, 1)
	_, _, err = post(t.Context(), client, p.URL(), "load")
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, proxy.Counts{Received: 2, Forwarded: 1, Faulted: 1}, p.Counts())
}
