package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

// A verification from the command line: what it prints, and how it ends.
func TestHistoryVerifyCommand(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")
	command := func(args ...string) (code int, out, errOut string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append(args, "--database", dsn), terminal{&stdout, &stderr})
		return code, stdout.String(), stderr.String()
	}
	code, _, errOut := command("migrate", "up")
	require.Zero(t, code, errOut)
	db, err := store.Open(t.Context(), dsn, store.Options{})
	require.NoError(t, err)
	defer db.Close()
	for _, name := range []string{"default", "other"} {
		tenant, err := db.EnsureTenant(t.Context(), name)
		require.NoError(t, err)
		var snapshots []order.Snapshot
		for id := int64(1); id <= 1200; id++ { // more than are looked at together
			at := time.Date(2026, 3, 14, 10, 0, 0, 0, time.UTC)
			snapshots = append(snapshots, order.Snapshot{Order: order.Order{ID: id * tenant, Status: order.Confirmed}, WriteDate: at, ReadAt: at})
		}
		_, err = db.UpsertOrders(t.Context(), tenant, snapshots, "sync")
		require.NoError(t, err)
	}

	code, out, _ := command("history", "verify")
	require.Zero(t, code, out)
	require.Contains(t, out, "Tenant default: 0 faults in the histories of 1200 orders, 2400 entries.")
	require.Contains(t, out, "Tenant other: 0 faults")

	for _, id := range []int{3, 1199} {
		_, err = db.DB().ExecContext(t.Context(), "UPDATE history_entries SET written_by = 'me' WHERE tenant_id = 1 AND erp_order_id = ? AND position = 2", id)
		require.NoError(t, err)
	}
	code, out, _ = command("history", "verify")
	require.Equal(t, exitFindings, code, out)
	require.Regexp(t, `(?m)^3 +2 +changed +entry 2 \(order:confirmed\)`, out)
	require.Regexp(t, `(?m)^1199 +2 +changed`, out)
	code, out, _ = command("history", "verify", "--tenant", "other")
	require.Zero(t, code, out)
	code, out, _ = command("history", "verify", "--order", "4")
	require.Zero(t, code, out)
	code, out, _ = command("history", "verify", "--order", "3", "--json")
	require.Equal(t, exitFindings, code)
	var reports []historyReport
	require.NoError(t, json.Unmarshal([]byte(out), &reports))
	require.Equal(t, []historyReport{{Tenant: "default", Orders: 1, Entries: 2, Faults: []historyFault{{OrderID: 3, Entry: 2, Kind: order.FaultChanged,
		Detail: reports[0].Faults[0].Detail}}}}, reports, "the other tenant has no order 3")
	for _, args := range [][]string{{"--order", "99999"}, {"--tenant", "nobody"}} {
		code, _, errOut = command(append([]string{"history", "verify"}, args...)...)
		require.Equal(t, 1, code, fmt.Sprint(args))
		require.NotEmpty(t, errOut)
	}
}

// What was found is told also if another tenant's histories cannot be read.
func TestHistoryVerifyGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")
	var stdout, stderr bytes.Buffer
	term := terminal{&stdout, &stderr}
	require.Zero(t, run(t.Context(), []string{"migrate", "up", "--database", dsn}, term), stderr.String())
	db, err := store.Open(t.Context(), dsn, store.Options{})
	require.NoError(t, err)
	defer db.Close()
	at := time.Date(2026, 3, 14, 10, 0, 0, 0, time.UTC)
	for _, name := range []string{"first", "unreadable", "last"} {
		tenant, err := db.EnsureTenant(t.Context(), name)
		require.NoError(t, err)
		_, err = db.UpsertOrders(t.Context(), tenant, []order.Snapshot{{Order: order.Order{ID: 1, Status: order.Confirmed}, WriteDate: at, ReadAt: at}}, "sync")
		require.NoError(t, err)
		change := "UPDATE history_entries SET written_by = 'me' WHERE tenant_id = ? AND position = 2"
		if name == "unreadable" {
			change = "UPDATE history_entries SET recorded_at = 'never' WHERE tenant_id = ?"
		}
		_, err = db.DB().ExecContext(t.Context(), change, tenant)
		require.NoError(t, err)
	}
	stdout.Reset()
	require.Equal(t, 1, run(t.Context(), []string{"history", "verify", "--database", dsn}, term))
	require.Contains(t, stdout.String(), "Tenant first: 1 faults")
	require.Contains(t, stdout.String(), "Tenant last: 1 faults")
	require.Contains(t, stderr.String(), "tenant unreadable:")
}

func TestKeysOfModules(t *testing.T) {
	t.Parallel()
	check := func(change func(c *keyCreateCommand)) error {
		c := keyCreateCommand{Role: "module", Module: "warehouse", Name: "scanner"}
		change(&c)
		return c.check()
	}
	require.NoError(t, check(func(*keyCreateCommand) {}))
	require.ErrorContains(t, check(func(c *keyCreateCommand) { c.Module = "" }), "--module")
	require.ErrorContains(t, check(func(c *keyCreateCommand) { c.Module = "inventory" }), "the gateway's own")
	require.ErrorContains(t, check(func(c *keyCreateCommand) { c.Role = "portal" }), "--module is for keys of role module")
	require.ErrorContains(t, check(func(c *keyCreateCommand) { c.Source = "shop" }), "--source")
	require.ErrorContains(t, check(func(c *keyCreateCommand) { c.Customer = 7 }), "--customer")
}
