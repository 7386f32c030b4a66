package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
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

// With the applications that bring deliveries and invoices, as a server has them that keeps a warehouse.
func TestSandboxWithDocuments(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		major    int
		protocol odoo.Protocol
		password string
	}{
		"as 14":             {14, odoo.XMLRPC, sandbox.Password},
		"as 19":             {19, odoo.XMLRPC, sandbox.Password},
		"as 19 over JSON-2": {19, odoo.JSON2, sandbox.Key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSandboxWith(t, sandbox.Options{Major: of.major, Documents: true})
			s.Documents, s.Protocol, s.Password = true, of.protocol, of.password
			conformance.Run(t, s)
		})
	}
}

func TestOdoo14(t *testing.T) {
	t.Parallel()
	conformance.Run(t, server(env.Odoo(t, 14)))
}

func TestOdoo19(t *testing.T) {
	t.Parallel()
	conformance.Run(t, server(env.Odoo(t, 19)))
}

func TestSandboxAs19OverJSON2(t *testing.T) {
	t.Parallel()
	s := startSandbox(t, 19)
	s.Protocol, s.Password = odoo.JSON2, sandbox.Key
	conformance.Run(t, s)
}

func TestOdoo19OverJSON2(t *testing.T) {
	t.Parallel()
	real := env.Odoo(t, 19)
	s := server(real)
	s.Protocol, s.Password = odoo.JSON2, real.APIKey(t)
	conformance.Run(t, s)
}

// A tag that people had before the gateway came stands for the same. It may be called something else once the gateway knows it.
func TestTagsOfPeople(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 19} {
		conformance.TagsOfPeople(t, startSandbox(t, major))
	}
}

func startSandbox(t *testing.T, major int) conformance.Server {
	t.Helper()
	return startSandboxWith(t, sandbox.Options{Major: major})
}

func startSandboxWith(t *testing.T, o sandbox.Options) conformance.Server {
	t.Helper()
	s, err := sandbox.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return conformance.Server{
		Major: o.Major, URL: s.URL(), Database: sandbox.Database, User: sandbox.User, Password: sandbox.Password, Protocol: odoo.XMLRPC,
		AdminUser: sandbox.AdminUser, AdminPassword: sandbox.AdminPassword,
	}
}

func server(s env.OdooServer) conformance.Server {
	return conformance.Server{
		Documents: true, Warehouses: true, Prints: s.Major == 14, // Debian's Odoo 14 brings it along, and Debian 13 has none
		Major: s.Major, URL: s.URL, Database: s.Database, User: s.User, Password: s.Password, Protocol: odoo.XMLRPC,
		AdminUser: s.AdminUser, AdminPassword: s.AdminPassword,
	}
}
