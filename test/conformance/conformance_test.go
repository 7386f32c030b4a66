package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/test/conformance"
	"ordergate/test/env"
)

func TestSandboxAs14(t *testing.T) {
	t.Parallel()
	conformance.Run(t, startSandbox(t, 14))
}

func TestSandboxAs19(t *testing.T) {
	t.Parallel()
	conformance.Run(t, startSandbox(t, 19))
}

func TestOdoo14(t *testing.T) {
	t.Parallel()
	conformance.Run(t, server(env.Odoo(t, 14)))
}

func TestOdoo19(t *testing.T) {
	t.Parallel()
	conformance.Run(t, server(env.Odoo(t, 19)))
}

func startSandbox(t *testing.T, major int) conformance.Server {
	t.Helper()
	s, err := sandbox.Start(sandbox.Options{Major: major})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return conformance.Server{
		Major: major, URL: s.URL(), Database: sandbox.Database, User: sandbox.User, Password: sandbox.Password,
		AdminUser: sandbox.AdminUser, AdminPassword: sandbox.AdminPassword,
	}
}

func server(s env.OdooServer) conformance.Server {
	return conformance.Server{
		Documents: true,
		Major:     s.Major, URL: s.URL, Database: s.Database, User: s.User, Password: s.Password,
		AdminUser: s.AdminUser, AdminPassword: s.AdminPassword,
	}
}
