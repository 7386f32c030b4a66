package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
	"ordergate/store"
)

func TestWebhookAddress(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"https://orders.example.com":             "https://orders.example.com/hooks/odoo/my%20shop%2F1/",
		"http://10.0.0.7:8080/":                  "http://10.0.0.7:8080/hooks/odoo/my%20shop%2F1/",
		"https://example.com/gateway//":          "https://example.com/gateway/hooks/odoo/my%20shop%2F1/",
		"orders.example.com":                     "",
		"ftp://orders.example.com":               "",
		"https://":                               "",
		"https://user:pw@orders.example.com":     "",
		"https://orders.example.com?x=1":         "",
		"https://orders.example.com#x":           "",
		"https://x/" + strings.Repeat("y", 1024): "",
	} {
		got, err := webhookAddress(public, "my shop/1")
		require.Equal(t, want, got, public)
		if want == "" {
			require.ErrorContains(t, err, "--url")
			require.NotContains(t, err.Error(), "pw")
		}
	}
}

func TestAdministratorOfATenant(t *testing.T) {
	t.Parallel()
	f := adminFlags{AdminUser: "admin", AdminPassword: "secret"}
	for given, want := range map[string]string{"json2": "auto", "xmlrpc": "xmlrpc", "": ""} {
		as := f.of(tenantConfig{Name: "eu", Odoo: odooConfig{URL: "http://eu", User: "gateway", PasswordFile: "key", PasswordEnv: "KEY", Protocol: given}})
		require.Equal(t, tenantConfig{Name: "eu", Odoo: odooConfig{URL: "http://eu", User: "admin", Password: "secret", Protocol: want}}, as)
	}
}

func TestStatusOfWebhooks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	known := store.Webhooks{Address: "https://gw/hooks/odoo/default/", Hash: order.HashSecret("new"),
		PreviousHash: order.HashSecret("old"), PreviousUntil: now.Add(time.Minute), InstalledAt: now.Add(-time.Hour), RotatedAt: now.Add(-time.Minute),
		Counts: store.WebhookCounts{NotifiedAt: now.Add(-5 * time.Second), Notifications: 30, Announced: 397, Missed: 3}}
	show := func(known store.Webhooks, webhooks ...odoo.Webhook) (string, error) {
		var out bytes.Buffer
		printWebhooks(terminal{out: &out}, known, now)
		err := printAutomations(terminal{out: &out}, webhooks, known, now)
		return out.String(), err
	}
	well := odoo.Webhook{Name: "order", Model: "sale.order", Trigger: "on_unlink", URL: known.Address + "new"}
	text, err := show(known, well)
	require.NoError(t, err)
	require.Contains(t, text, "0.75 % (3 of 400 changes)")
	require.Contains(t, text, "(5s ago)")
	require.Contains(t, text, "taken until 2026-03-14T12:01:00Z")
	for state, spoil := range map[string]func(*odoo.Webhook){
		"missing":         func(w *odoo.Webhook) { w.Missing = true },
		"the one before":  func(w *odoo.Webhook) { w.URL = known.Address + "old" },
		"wrong":           func(w *odoo.Webhook) { w.URL = known.Address + "guess" },
		"changed: active": func(w *odoo.Webhook) { w.Drift = []string{"active"} },
	} {
		w := well
		spoil(&w)
		text, err := show(known, well, w)
		require.ErrorIs(t, err, errReported, state)
		require.Contains(t, text, state)
		require.NotContains(t, text, "guess")
	}
	text, err = show(store.Webhooks{Address: known.Address, Hash: known.Hash}, well)
	require.NoError(t, err)
	require.Contains(t, text, "none so far")
	require.Contains(t, text, "no change was seen")
	require.NotContains(t, text, "secret before")
}
