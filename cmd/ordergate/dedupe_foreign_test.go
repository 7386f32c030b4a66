package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"ordergate/foreign"
	"ordergate/test/env"
)

// command runs the program's command line and returns its exit code and what it wrote.
func command(t *testing.T, args ...string) (code int, out, problem string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, terminal{out: &stdout, err: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestAForeignTableIsCleanedUpFromTheCommandLine(t *testing.T) {
	dsn := env.Database(t, env.MariaDB(t))
	address, database, _ := strings.Cut(strings.TrimPrefix(dsn, "mysql://root@"), "/")
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.DBName, config.MultiStatements = "tcp", address, "root", database, true
	connector, err := mysql.NewConnector(config)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), `CREATE TABLE shop_orders (id INT PRIMARY KEY, erp INT, rank_no INT);
		CREATE TABLE parcels (id INT PRIMARY KEY, shop_order INT, KEY (shop_order));
		INSERT INTO shop_orders VALUES (1, 5, 1), (2, 5, 3), (3, 5, 2), (4, 6, 1), (5, NULL, 1);
		INSERT INTO parcels VALUES (1, 1), (2, 2), (3, 4)`)
	require.NoError(t, err)
	table := func(more ...string) []string {
		return append([]string{"dedupe", "--from", dsn, "--table", "shop_orders", "--id-column", "erp", "--keep", "rank_no:desc", "--children", "parcels.shop_order"}, more...)
	}

	code, out, problem := command(t, table()...)
	require.Zero(t, code, problem)
	for _, part := range []string{"ids with more than one row: 1; their surplus rows: 2, to be archived", "children in parcels.shop_order (as named): 1,",
		"keep   row 2, 3", "remove row 1, 1", "5 rows, of which 1 name no order", "Nothing was changed"} {
		require.Contains(t, out, part)
	}
	code, out, problem = command(t, table("--json")...)
	require.Zero(t, code, problem)
	var report foreign.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.EqualValues(t, 2, report.SurplusRows)

	code, out, problem = command(t, table("--apply", "--batch", "1")...)
	require.Zero(t, code, problem)
	require.Contains(t, out, "surplus rows archived: 2")
	require.Contains(t, out, "children in parcels.shop_order handed on: 1")
	_, id, _ := strings.Cut(out, "ordergate dedupe undo ")
	id, _, _ = strings.Cut(id, "`")

	code, out, problem = command(t, "dedupe", "runs", "--from", dsn)
	require.Zero(t, code, problem)
	require.Regexp(t, id+` +shop_orders +done +2 +0 +ordergate_unique_erp`, out)

	code, out, problem = command(t, "dedupe", "undo", id, "--from", dsn)
	require.Zero(t, code, problem)
	require.Contains(t, out, "rows put back: 2; children handed back: 1; left, because someone changed them since: 0")
	code, _, problem = command(t, "dedupe", "undo", "nonesuch", "--from", dsn)
	require.Equal(t, 1, code)
	require.Contains(t, problem, "there is no such run")
	code, _, problem = command(t, table("--keep", "colour")...)
	require.Equal(t, 1, code)
	require.Contains(t, problem, "keep: shop_orders has no column colour")
}

func TestFlagsOfForeignTablesNeedATable(t *testing.T) {
	t.Setenv("ORDERGATE_DATABASE", "")
	for _, flag := range [][]string{{"--keep", "oldest"}, {"--from", "mysql://h/d"}, {"--id-column", "a"}, {"--children", "a.b"}, {"--batch", "5"}} {
		code, _, problem := command(t, append([]string{"dedupe"}, flag...)...)
		require.Equal(t, 1, code)
		require.Contains(t, problem, flag[0]+" needs --table")
	}
	code, _, problem := command(t, "dedupe", "--apply")
	require.Equal(t, 1, code)
	require.Contains(t, problem, "no database given: set --database", "the old form is the gateway's own table")
}
