package proxy_test

import (
	"context"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/test/proxy"
)

func TestHTTPResetIsToldFromAnOrderlyEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		action  proxy.Action
		arrived int32
	}{
		"after the server did its work": {proxy.ResetAnswer, 1},
		"before it was asked":           {proxy.Reset, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop := newShop(t)
			p := proxy.HTTP(t, shop.url)
			p.OnRequest(proxy.Contains("load"), test.action, 1)
			_, _, err := post(t.Context(), newClient(t), p.URL(), "load")
			require.ErrorIs(t, err, syscall.ECONNRESET)
			require.Equal(t, test.arrived, shop.orders.Load())
		})
	}
}

func TestHTTPSaysSomethingElse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		action  proxy.Action
		arrived int32
	}{
		"after the server did its work": {proxy.SayAfter(http.StatusOK, "text/plain", "other"), 1},
		"in the server's place":         {proxy.Say(http.StatusOK, "text/plain", "other"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop := newShop(t)
			p := proxy.HTTP(t, shop.url)
			p.OnRequest(proxy.Contains("load"), test.action, 1)
			response, content, err := post(t.Context(), newClient(t), p.URL(), "load")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, "text/plain", response.Header.Get("Content-Type"))
			require.Equal(t, "other", content)
			require.Equal(t, test.arrived, shop.orders.Load())
		})
	}
}

func TestHTTPAnswerDrips(t *testing.T) {
	t.Parallel()
	const pause = 5 * time.Millisecond
	shop, client := newShop(t), newClient(t)
	p := proxy.HTTP(t, shop.url)
	p.OnRequest(proxy.Contains("load"), proxy.DripAnswer(pause), 2)

	begin := time.Now()
	_, content, err := post(t.Context(), client, p.URL(), "load")
	require.NoError(t, err)
	require.Equal(t, reply, content)
	require.GreaterOrEqual(t, time.Since(begin), pause*time.Duration(len(reply)))

	ctx, cancel := context.WithTimeout(t.Context(), 3*pause)
	defer cancel()
	_, content, err = post(ctx, client, p.URL(), "load")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotEqual(t, reply, content)
	require.EqualValues(t, 2, shop.orders.Load())
}

func TestHTTPDelayedRequestArrivesThoughItsClientLeft(t *testing.T) {
	t.Parallel()
	shop, client := newShop(t), newClient(t)
	p := proxy.HTTP(t, shop.url)
	p.OnRequest(proxy.Contains("load"), proxy.DelayRequest(100*time.Millisecond), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, _, err := post(ctx, client, p.URL(), "load")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, shop.orders.Load())
	require.Equal(t, "load", <-shop.arrived)
}

func TestHTTPThenComesBetweenTheWorkAndTheAnswer(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	p := proxy.HTTP(t, shop.url)
	carriedOut := make(chan int32, 1)
	p.OnRequest(proxy.Contains("load"), proxy.Then(proxy.DropAnswer, func() { carriedOut <- shop.orders.Load() }), 1)
	_, _, err := post(t.Context(), newClient(t), p.URL(), "load")
	require.ErrorIs(t, err, io.EOF)
	require.EqualValues(t, 1, <-carriedOut)
}

func TestHTTPBehavesAfterAll(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	require.Empty(t, rehearse(func(t testing.TB) {
		p := proxy.HTTP(t, shop.url)
		p.OnRequest(proxy.Contains("load"), proxy.Refuse, 5)
		p.Behave()
		_, content, err := post(context.Background(), http.DefaultClient, p.URL(), "load")
		if err != nil || content != reply {
			t.Errorf("%q, %v", content, err)
		}
		http.DefaultClient.CloseIdleConnections()
	}))
}

func TestTCPBehavesAfterAll(t *testing.T) {
	t.Parallel()
	server := newEcho(t)
	require.Empty(t, rehearse(func(t testing.TB) {
		p := proxy.TCP(t, server.address)
		p.CutAfter(proxy.Contains("commit"))
		p.Behave()
	}))
}
