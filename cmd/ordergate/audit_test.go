package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/order"
	"ordergate/store"
)

// An audit from the command line: what it prints, and how it ends.
func TestAuditCommand(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	stand, err := sandbox.Start(sandbox.Options{Clock: func() time.Time { return time.Now().UTC().Add(time.Duration(ahead.Load())) }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })
	ahead.Store(int64(10 * time.Minute)) // so that what the sandbox begins with is settled
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")
	command := func(args ...string) (int, string) {
		var out, errOut bytes.Buffer
		code := run(t.Context(), append(args, "--database", dsn), terminal{&out, &errOut})
		require.Empty(t, errOut.String())
		return code, out.String()
	}
	code, _ := command("migrate", "up")
	require.Zero(t, code)
	flags := []string{"--odoo-url", stand.URL(), "--odoo-db", sandbox.Database, "--odoo-user", sandbox.User, "--odoo-password", sandbox.Password}
	code, _ = command(append([]string{"sync"}, flags...)...)
	require.Zero(t, code)
	flags = append(flags, "--pause", "1ms")
	audit := func(args ...string) (int, string) {
		return command(append(append([]string{"audit"}, flags...), args...)...)
	}

	code, out := audit()
	require.Zero(t, code, out)
	require.Contains(t, out, "Tenant default: 0 orders differ from Odoo (")

	db, err := store.Open(t.Context(), dsn, store.Options{})
	require.NoError(t, err)
	defer db.Close()
	_, err = db.DB().ExecContext(t.Context(), "UPDATE orders SET amount_total = amount_total + 1, number = 'S'||char(27)||'[2J' WHERE erp_order_id = (SELECT MIN(erp_order_id) FROM orders)")
	require.NoError(t, err)

	time.Sleep(2 * time.Second) // what was read in the same second cannot be told to be older
	code, out = audit()
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "1 orders differ")
	require.Regexp(t, `\d+ +S\d+ +amount +found +total: mirror`, out)
	require.NotContains(t, out, "\x1b")
	require.Contains(t, out, "ordergate audit --repair")

	code, out = audit("--json")
	require.Equal(t, 3, code)
	var reports []auditReport
	require.NoError(t, json.Unmarshal([]byte(out), &reports))
	require.Len(t, reports, 1)
	require.Equal(t, map[order.FindingKind]int{order.FindingAmount: 1}, reports[0].Found)
	require.Equal(t, 1, reports[0].Left)
	require.Equal(t, order.FindingFound, reports[0].Findings[0].State)

	code, out = audit("--since", "2000-01-01", "--json")
	require.Equal(t, 3, code, out)
	code, out = audit("--since", time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339), "--json")
	require.Zero(t, code, out)

	code, out = audit("--repair")
	require.Zero(t, code, "all is repaired")
	require.Contains(t, out, "repaired")
	code, _ = audit()
	require.Zero(t, code)
}

func TestTimesOfTheAuditsFlags(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"03:00": 3 * time.Hour, "23:59": 24*time.Hour - time.Minute, "00:00": 24 * time.Hour, "off": 0} {
		var at timeOfDay
		require.NoError(t, at.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, time.Duration(at), text)
	}
	for _, text := range []string{"", "3", "24:00", "03:60", "never"} {
		var at timeOfDay
		require.ErrorContains(t, at.UnmarshalText([]byte(text)), "such as 03:00", text)
	}
	var since sinceFlag
	require.NoError(t, since.UnmarshalText([]byte("2026-11-21")))
	require.Equal(t, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), since.Time)
	require.NoError(t, since.UnmarshalText([]byte("36h")))
	require.WithinDuration(t, time.Now().Add(-36*time.Hour), since.Time, time.Minute)
	for _, text := range []string{"", "yesterday", "-1h", "0s"} {
		require.ErrorContains(t, since.UnmarshalText([]byte(text)), "neither a time", text)
	}

	var out, errOut bytes.Buffer
	require.Equal(t, 2, run(t.Context(), []string{"serve", "--audit-at", "nightly"}, terminal{&out, &errOut}))
	require.Contains(t, errOut.String(), "such as 03:00")
}
