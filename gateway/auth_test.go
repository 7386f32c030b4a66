package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		return order.Listing{Sync: fresh()}, nil
	}
	send := func(headers ...string) answer {
		r := b.request(http.MethodGet, "/v1/orders", "", "")
		r.Header["Authorization"] = headers
		return r.send()
	}

	for _, headers := range [][]string{nil, {""}, {"Bearer"}, {"Bearer "}, {"Basic b2c6eA=="}, {portalSecret}, {"Bearer " + portalSecret, "Bearer " + portalSecret}} {
		a := send(headers...)
		a.requireProblem(t, http.StatusUnauthorized, "credentials_missing")
		require.Equal(t, `Bearer realm="ordergate"`, a.Header.Get("WWW-Authenticate"))
	}
	for _, secret := range []string{"og_wrong", "wrong", "og_portal ", "og_portal x", "OG_PORTAL", "og_" + strings.Repeat("x", 10_000)} {
		a := send("Bearer " + secret)
		a.requireProblem(t, http.StatusUnauthorized, "credentials_invalid")
		require.Equal(t, `Bearer realm="ordergate", error="invalid_token"`, a.Header.Get("WWW-Authenticate"))
	}
	send("Bearer "+revokedSecret).requireProblem(t, http.StatusUnauthorized, "credentials_revoked")
	send("Bearer "+strangerSecret).requireProblem(t, http.StatusForbidden, "tenant_unknown")
	for _, header := range []string{"Bearer " + portalSecret, "bearer " + portalSecret, "Bearer   " + portalSecret} {
		require.Equal(t, http.StatusOK, send(header).StatusCode, header)
	}
}

func TestARevokedKeyStopsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.orders = func(context.Context, order.Caller, order.Filter) (order.Listing, error) {
		return order.Listing{Sync: fresh()}, nil
	}
	require.Equal(t, http.StatusOK, b.get("/v1/orders", portalSecret).StatusCode)

	hash := order.HashSecret(portalSecret)
	key := b.keys.byHash[hash]
	key.RevokedAt = start
	b.keys.byHash[hash] = key

	b.get("/v1/orders", portalSecret).requireProblem(t, http.StatusUnauthorized, "credentials_revoked")
}

func TestAKeyWhoseHashIsOnlySimilarIsNotTheKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hash := order.HashSecret(portalSecret)
	key := b.keys.byHash[hash]
	key.Hash = strings.ToUpper(hash)
	b.keys.byHash[hash] = key

	b.get("/v1/orders", portalSecret).requireProblem(t, http.StatusUnauthorized, "credentials_invalid")
}

func TestAuthenticationWithoutItsDatabaseIs503(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.keys.err = errors.New("dial tcp: hunter2")
	asked := b.service.places()

	a := b.place(portalSecret, "k", validOrder)

	a.requireProblem(t, http.StatusServiceUnavailable, "database_unavailable")
	require.NotContains(t, string(a.body), "hunter2")
	require.Empty(t, *asked)
}

func TestNothingIsReadOfASenderWhoIsNotKnown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.request(http.MethodPost, "/v1/orders", "og_wrong", validOrder)
	counted := &countingReader{Reader: r.Body}
	r.Body = http.MaxBytesReader(nil, readCloser{counted}, 1<<20)

	r.send().requireProblem(t, http.StatusUnauthorized, "credentials_invalid")
	require.Zero(t, counted.n)
}

type readCloser struct{ *countingReader }

func (readCloser) Close() error { return nil }

func TestRolesThatAnOperationIsNotFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.get("/v1/customers", customerSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
	p := b.request(http.MethodPost, "/v1/customers", customerSecret, `{"ref":"a","name":"A"}`).send().
		requireProblem(t, http.StatusForbidden, "role_forbidden")
	require.Equal(t, "Keys of role customer may not do this; it takes portal or operator.", p.Detail)

	hash := order.HashSecret(portalSecret)
	key := b.keys.byHash[hash]
	key.Role = "admin"
	b.keys.byHash[hash] = key
	b.get("/v1/orders", portalSecret).requireProblem(t, http.StatusForbidden, "role_forbidden")
}
