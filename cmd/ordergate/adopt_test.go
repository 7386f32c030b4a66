package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/odoo/sandbox"
	"ordergate/store"
	"ordergate/test/env"
	"ordergate/test/odoorpc"
)

// A portal's table on each server is brought into a mirror on each database.
func TestAdoptCommand(t *testing.T) {
	for name, c := range map[string]struct{ portal, mirror func(*testing.T) string }{
		"MariaDB into MySQL":  {mariaDB, mySQL},
		"MySQL into MariaDB":  {mySQL, mariaDB},
		"MariaDB into SQLite": {mariaDB, sqlite},
	} {
		t.Run(name, func(t *testing.T) { adoptTable(t, c.portal(t), c.mirror(t)) })
	}
}

func mariaDB(t *testing.T) string { return env.Database(t, env.MariaDB(t)) }
func mySQL(t *testing.T) string   { return env.Database(t, env.MySQL(t)) }
func sqlite(t *testing.T) string  { return "sqlite:" + filepath.Join(t.TempDir(), "mirror.db") }

func adoptTable(t *testing.T, portal, mirror string) {
	stand, err := sandbox.Start(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })
	people := func(method string, args ...any) any {
		answer, err := odoorpc.Execute(stand.URL(), sandbox.Database, sandbox.AdminUser, sandbox.AdminPassword, "sale.order", method, args, nil)
		require.NoError(t, err)
		return answer
	}
	ids := make([]int64, 3)
	for i := range ids {
		ids[i] = people("create", map[string]any{"partner_id": sandbox.CompanyID, "client_order_ref": fmt.Sprint("PO-", i)}).(int64)
	}
	people("unlink", []any{ids[2]})

	db, err := store.OpenForeign(t.Context(), portal)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, statement := range []string{
		"CREATE TABLE sales_orders (id INT PRIMARY KEY, odoo_order_id BIGINT NULL, shop VARCHAR(20), idem CHAR(36), number VARCHAR(20), total DECIMAL(10,2))",
		fmt.Sprintf("INSERT INTO sales_orders VALUES (1, %[1]d, 'portal', 'cart-1', 'PO-0', 1), (2, %[1]d, 'portal', 'cart-2', 'PO-0', 99),"+
			" (3, %[2]d, 'portal', 'cart-3', 'other', 7), (4, %[3]d, 'portal', 'cart-4', 'PO-2', 7), (5, NULL, 'portal', 'cart-5', 'PO-3', 7)", ids[0], ids[1], ids[2]),
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	checksum := func() (sum int64) {
		var table string
		require.NoError(t, db.QueryRowContext(t.Context(), "CHECKSUM TABLE sales_orders").Scan(&table, &sum))
		return sum
	}
	before := checksum()
	t.Setenv("ORDERGATE_DATABASE", mirror)
	code, _, problem := command(t, "migrate", "up")
	require.Zero(t, code, problem)
	flags := []string{"--odoo-url", stand.URL(), "--odoo-db", sandbox.Database, "--odoo-user", sandbox.User, "--odoo-password", sandbox.Password}
	adopt := func(more ...string) (int, string, string) {
		return command(t, append(append([]string{"adopt", "--from", portal, "--table", "sales_orders"}, flags...), more...)...)
	}
	columns := []string{"--map", "source=shop,key=idem", "--map", "reference=number", "--keep", "total:desc"}

	code, out, problem := adopt(columns...)
	require.Zero(t, code, problem)
	for _, part := range []string{"sales_orders: 5 rows, of which 1 name no order and 1 are duplicates of another row; 3 orders",
		"orders to be adopted: 2, of which 2 are to be read from Odoo because the mirror lacked them", "idempotency keys to be added: 3",
		"orders that are not in Odoo, left out: 1", fmt.Sprintf("row 4, id %d", ids[2]), "Nothing was changed"} {
		require.Contains(t, out, part)
	}

	var report adoptReport
	run := func() {
		code, out, problem := adopt(append(columns, "--apply", "--json")...)
		require.Zero(t, code, problem)
		report = adoptReport{}
		require.NoError(t, json.Unmarshal([]byte(out), &report))
	}
	run()
	require.True(t, report.Applied)
	require.EqualValues(t, []int64{5, 1, 1, 2, 2, 3}, []int64{report.Rows, report.BlankRows, report.SurplusRows, report.Adopted, report.Pulled, report.Keys})
	require.EqualValues(t, 1, report.Absent.Count)
	require.EqualValues(t, 1, report.References.Count)
	require.Equal(t, `"other"; "PO-1" in the ERP`, report.References.Sample[0].Detail)
	run()
	require.Zero(t, report.Adopted+report.Keys)
	require.EqualValues(t, 2, report.Present)
	require.Equal(t, before, checksum(), "the table is only read")

	code, out, problem = adopt(append(columns, "--apply")...)
	require.Zero(t, code, problem)
	require.Contains(t, out, "orders there already: 2")
	require.NotContains(t, out, "Nothing was changed")
	require.False(t, strings.Contains(out, "to be"), out)

	for _, c := range []struct {
		args   []string
		reason string
	}{
		{[]string{}, "which system placed the orders?"},
		{[]string{"--source", "a", "--map", "source=shop"}, "not both"},
		{[]string{"--source", "odoo"}, "made in the ERP"},
		{[]string{"--source", "a", "--map", "colour=shop"}, `there is no field "colour"`},
		{[]string{"--source", "a", "--map", "key=nosuch"}, "key: sales_orders has no column nosuch that is stored; it has id, odoo_order_id, shop, idem, number, total"},
		{[]string{"--source", "a", "--tenant", "other"}, `no tenant "other"`},
	} {
		code, _, problem := adopt(c.args...)
		require.Equal(t, 1, code, c.args)
		require.Contains(t, problem, c.reason)
	}
}
